"""Extractors and cases -> arrays of features: every case is read once, and its rows are cached."""

import warnings

import numpy as np

from radiodeep.exceptions import RadiodeepWarning
from radiodeep.rows.by_case import rows_by_case
from radiodeep.rows.measurement import Measurement
from radiodeep.rows.traits import traits_of


def extract_rows(
    extractors,
    cases,
    *,
    n_jobs=None,
    cache_dir=None,
    on_error="raise",
    description=None,
    n_features=None,
    compare=True,
):
    """Return float64 arrays (n_cases, n_features) by the names of the extractors, and the errors of cases by position.

    `extractors` is a dict of transformers of cases that learn nothing; see `traits_of` for the attributes that they
    may have. Inputs of the user's own transformers may take the place of cases; their rows are not cached. Of patients,
    the lesions are the cases that are measured and cached. The rows of cases that fail are NaN with
    `on_error="record"`. For `n_jobs` and the errors see `rows_by_case`.

    In the folder `cache_dir` each row is written as soon as it is computed, under a hash of the voxels that were read
    and of all settings and versions; runs with the same folder share the work. An OutputError says that the folder
    cannot be created, a RadiodeepWarning that rows could not be written.

    `description` is the text of the progress bar. `n_features` are the numbers of features of fitted extractors:
    counting those of a network means running it. With `compare`, a RadiodeepWarning says that the cases were acquired
    in different ways, if the features of an extractor depend on that.
    """
    cases = list(cases)
    description = type(next(iter(extractors.values()))).__name__ if description is None else description
    options = {"n_jobs": n_jobs, "on_error": on_error, "description": description}
    if cases and all(hasattr(patient, "lesions") for patient in cases):
        return _rows_of_patients(extractors, cases, options, {"cache_dir": cache_dir, "compare": compare})
    if not all(hasattr(case, "in_memory") for case in cases):
        return _rows_of_other_inputs(extractors, cases, options)
    if n_features is None:
        for extractor in extractors.values():
            extractor.fit(cases)
        n_features = [len(extractor.get_feature_names_out()) for extractor in extractors.values()]
    parts = [_by_image(extractor, cache_dir) for extractor in extractors.values()]
    sizes = [size // len(of_image) for size, of_image in zip(n_features, parts, strict=True) for _ in of_image]
    measurement = Measurement([part for of_image in parts for part in of_image], sizes, cache_dir, compare)
    rows, errors = _measured_rows(measurement, cases, options)
    problems = [row.problem for row in rows.values() if row.problem]
    if problems:
        warnings.warn(f"{len(problems)} rows are not in the cache: {problems[0]}", RadiodeepWarning, stacklevel=2)
    measured = sorted(rows.keys() - errors)
    acquisitions = {cases[position].id: rows[position].acquisition for position in measured}
    measurement.compare({case_id: each for case_id, each in acquisitions.items() if each is not None})
    table = np.full((len(cases), sum(measurement.sizes)), np.nan)
    for position in measured:
        table[position] = rows[position].values
    return dict(zip(extractors, np.split(table, np.cumsum(n_features)[:-1], axis=1), strict=True)), errors


def _by_image(extractor, cache_dir):
    """Return the extractors of single images whose rows make up that of an extractor: each is kept in the cache."""
    return extractor.by_image() if cache_dir is not None and hasattr(extractor, "by_image") else [extractor]


def _measured_rows(measurement, cases, options):
    """Return rows and errors by position; rows that other runs are computing are awaited last."""
    rows, errors = rows_by_case(measurement, cases, **options)
    left = [position for position, row in rows.items() if row.values is None]
    if left:
        measurement.await_others()
        later_rows, later_errors = rows_by_case(measurement, [cases[position] for position in left], **options)
        rows |= {left[number]: row for number, row in later_rows.items()}
        errors |= {left[number]: text for number, text in later_errors.items()}
    return rows, errors


def _rows_of_patients(extractors, patients, options, of_lesions):
    """Return arrays and errors of patients, each of whose lesions is measured once for all extractors.

    An extractor of patients has `lesion_extractors(patients)`, and `row_of_lesions(tables)` for one without failed
    lesions. Any other is the user's own transformer of patients.
    """
    others = {name: part for name, part in extractors.items() if not hasattr(part, "lesion_extractors")}
    tables, errors = _rows_of_other_inputs(others, patients, options)
    if len(others) == len(extractors):
        return tables, errors
    parts, keys = {}, {}
    for name in [name for name in extractors if name not in others]:
        inside = extractors[name].lesion_extractors(patients)
        keys[name] = [(traits.settings, traits.labels) for traits in map(traits_of, inside)]
        parts |= {key: part for key, part in zip(keys[name], inside, strict=True) if key not in parts}
    lesions = [lesion for patient in patients for lesion in patient.lesions]
    n_features = [len(part.get_feature_names_out()) for part in parts.values()]
    of_parts, failed = extract_rows(parts, lesions, n_features=n_features, **options, **of_lesions)
    ends = np.cumsum([len(patient.lesions) for patient in patients])
    for position, (end, patient) in enumerate(zip(ends, patients, strict=True)):
        texts = [failed[row] for row in range(end - len(patient.lesions), end) if row in failed]
        errors |= {position: "; ".join(texts)} if texts else {}
    for name in keys:
        tables[name] = np.full((len(patients), len(extractors[name].get_feature_names_out())), np.nan)
        by_patient = zip(*(np.split(of_parts[key], ends[:-1]) for key in keys[name]), strict=True)
        for position, rows_of_lesions in enumerate(by_patient):
            if position not in errors:
                tables[name][position] = extractors[name].row_of_lesions(rows_of_lesions)
    return {name: tables[name] for name in extractors}, errors


def _rows_of_other_inputs(extractors, inputs, options):
    """Return arrays and errors of inputs that are not cases, for the user's own transformers."""
    tables = {}
    errors = {}
    for name, extractor in extractors.items():
        rows, failed = rows_by_case(extractor.transform, inputs, **options)
        blank = np.full(len(next(iter(rows.values()), [])), np.nan)
        tables[name] = np.array([rows.get(position, blank) for position in range(len(inputs))])
        errors |= failed
    return tables, errors
