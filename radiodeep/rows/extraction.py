"""Extractors and cases in, arrays of features out: every case is read once, and its rows are cached."""

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
    """Compute the features of cases with several extractors, and read every case once.

    Parameters
    ----------
    extractors : dict from str to extractor
        Transformers of cases that learn nothing; see `traits_of` for the attributes that they may have. Rows are
        computed in batches of eight cases, unless none of them needs batches.
    cases : sequence of Case
        Or other inputs of the user's own transformers, whose rows are not cached.
    n_jobs : int, optional
        Processes; -1 for as many as cores, where that pays (see `rows_by_case`).
    cache_dir : path-like, optional
        Each row is written here as soon as it is computed, under a hash of the voxels that were read and of all
        settings and versions. Several runs with the same folder share the work.
    on_error : {"raise", "record"}, default="raise"
        "record" notes any exception of a case and continues with the others.
    description : str, optional
        Text of the progress bar; the class of the first extractor by default.
    n_features : sequence of int, optional
        Number of features of each extractor, if they are fitted already; counting those of a network means running it.
    compare : bool, default=True
        Warn if the cases were acquired in different ways and the features of an extractor depend on that.

    Returns
    -------
    values : dict from str to float64 ndarray of shape (n_cases, n_features)
        By the names of the extractors; NaN in the rows of cases that failed.
    errors : dict from int to str
        "ErrorName: message" of the cases that failed, by position.

    Raises
    ------
    OutputError
        The cache folder cannot be created.

    Warns
    -----
    RadiodeepWarning
        Rows could not be written to the cache folder, or the cohort mixes ways of acquisition that the features of an
        extractor depend on.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from radiodeep.rows import extract_rows
    >>> cohort = rd.make_phantom_cohort(3, random_state=0)
    >>> values, errors = extract_rows({"shape": rd.RadiomicsExtractor(families=["shape"])}, cohort)
    >>> values["shape"].shape, errors
    ((3, 14), {})
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
    """Return rows and errors by position; wait for rows that other runs are computing only after all others."""
    rows, errors = rows_by_case(measurement, cases, **options)
    left = [position for position, row in rows.items() if row.values is None]
    if left:
        measurement.await_others()
        later_rows, later_errors = rows_by_case(measurement, [cases[position] for position in left], **options)
        rows |= {left[number]: row for number, row in later_rows.items()}
        errors |= {left[number]: text for number, text in later_errors.items()}
    return rows, errors


def _rows_of_other_inputs(extractors, inputs, options):
    """Return tables and errors of inputs that are not cases, for transformers of the user's own."""
    tables = {}
    errors = {}
    for name, extractor in extractors.items():
        rows, failed = rows_by_case(extractor.transform, inputs, **options)
        blank = np.full(len(next(iter(rows.values()), [])), np.nan)
        tables[name] = np.array([rows.get(position, blank) for position in range(len(inputs))])
        errors |= failed
    return tables, errors
