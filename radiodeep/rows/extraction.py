"""Extractors and cases -> arrays of features: every case is read once, and its rows are cached."""

import warnings

import numpy as np

from radiodeep.exceptions import RadiodeepWarning
from radiodeep.rows.by_case import rows_by_case
from radiodeep.rows.measurement import Measurement


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
    may have. Inputs of the user's own transformers may take the place of cases; their rows are not cached. The rows of
    cases that fail are NaN with `on_error="record"`. For `n_jobs` and the errors see `rows_by_case`.

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
    if not all(hasattr(case, "in_memory") for case in cases):
        return _rows_of_other_inputs(extractors, cases, options)
    if n_features is None:
        for extractor in extractors.values():
            extractor.fit(cases)
        n_features = [len(extractor.get_feature_names_out()) for extractor in extractors.values()]
    measurement = Measurement(list(extractors.values()), list(n_features), cache_dir, compare)
    rows, errors = _measured_rows(measurement, cases, options)
    problems = [row.problem for row in rows.values() if row.problem]
    if problems:
        warnings.warn(f"{len(problems)} rows are not in the cache: {problems[0]}", RadiodeepWarning, stacklevel=2)
    measured = sorted(rows.keys() - errors)
    measurement.compare({cases[position].id: rows[position].acquisition for position in measured})
    table = np.full((len(cases), sum(measurement.sizes)), np.nan)
    for position in measured:
        table[position] = rows[position].values
    parts = np.split(table, np.cumsum(measurement.sizes)[:-1], axis=1)
    return dict(zip(extractors, parts, strict=True)), errors


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
