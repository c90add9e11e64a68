"""Extractor and cohort in, table out: a row per case, in parallel, cached, failures recorded if wished."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError
from radiodeep.progress import with_progress

_CHUNK = 8  # cases handed to a worker at once: deep extractors batch them
_CACHE_FORMAT = 3  # raise when the numbers of an extractor change for the same settings


def extract_table(extractor, cohort, n_jobs=None, cache_dir=None, on_error="raise"):
    """Compute the features of a cohort as a table.

    Parameters
    ----------
    extractor : RadiomicsExtractor, DeepFeatureExtractor or any stateless transformer of cases
    cohort : Cohort or sequence of Case
    n_jobs : int, optional
        Processes; -1 for all cores. The numbers do not depend on it.
    cache_dir : path-like, optional
        Rows are kept here under a hash of the voxels and of all settings, each as soon as it is
        there: a killed run goes on where it was, and a changed image or setting is computed anew.
    on_error : {"raise", "record"}, default="raise"
        "record" leaves NaN in the row of a case that fails and its error in ``table.attrs["errors"]``,
        a dict from case id to message.

    Returns
    -------
    DataFrame of shape (n_cases, n_features)
        Float64, index = case id.

    Raises
    ------
    InputError
        The first failing case, unless `on_error="record"`.

    Examples
    --------
    >>> import radiodeep as rd
    >>> table = rd.extract_table(rd.RadiomicsExtractor(), rd.make_phantom_cohort(3, random_state=0))
    >>> table.shape, table.index.tolist()
    ((3, 107), ['phantom-000', 'phantom-001', 'phantom-002'])
    """
    return extract_tables({"": extractor}, cohort, n_jobs, cache_dir, on_error)[""]


def extract_tables(extractors, cohort, n_jobs=None, cache_dir=None, on_error="raise"):
    """Compute several tables of one cohort, e.g. of several settings, and read every case once.

    Parameters
    ----------
    extractors : dict from str to extractor
    cohort, n_jobs, cache_dir, on_error
        As in `extract_table`.

    Returns
    -------
    dict from str to DataFrame
        Under the names of the extractors.

    Raises
    ------
    InputError
        The first failing case, unless `on_error="record"`; a case that one extractor refuses is
        recorded in all tables.

    Examples
    --------
    >>> import radiodeep as rd
    >>> widths = {f"width {width}": rd.RadiomicsExtractor(bin_width=width) for width in (10, 25, 50)}
    >>> tables = rd.extract_tables(widths, rd.make_phantom_cohort(3, random_state=0))
    >>> [float(table["original_glcm_JointEntropy"].mean().round(1)) for table in tables.values()]
    [7.9, 5.4, 3.6]
    """
    if on_error not in ("raise", "record"):
        raise InputError(f"The 'on_error' parameter must be 'raise' or 'record'. Got {on_error!r} instead.")
    if not extractors or not all(hasattr(extractor, "transform") for extractor in dict(extractors).values()):
        raise InputError(f"The 'extractors' parameter must be a dict from names to extractors. Got {extractors!r}.")
    cases = as_cases(cohort)
    for extractor in extractors.values():
        extractor.fit(cases)
    names = {key: [str(name) for name in one.get_feature_names_out()] for key, one in extractors.items()}
    caches = {} if cache_dir is None else {key: _RowCache(cache_dir, one) for key, one in extractors.items()}

    rows, missing = {}, []
    for case in cases:
        known = [cache.read(case, len(names[key])) for key, cache in caches.items()]
        if known and all(row is not None for row in known):
            rows[case.id] = np.concatenate(known)
        else:
            missing.append(case)
    together = _Together(list(extractors.values()))
    new_rows, errors = rows_by_case(
        together,
        missing,
        n_jobs=n_jobs,
        on_error=on_error,
        description=type(next(iter(extractors.values()))).__name__,
        keep=_Keeper([(cache, len(names[key])) for key, cache in caches.items()]) if caches else None,
    )
    rows |= new_rows

    n_columns = sum(map(len, names.values()))
    empty = np.full(n_columns, np.nan)
    values = np.array([rows.get(case.id, empty) for case in cases]).reshape(len(cases), n_columns)
    index = pd.Index([case.id for case in cases], name="id")
    tables, first = {}, 0
    for key, columns in names.items():
        tables[key] = pd.DataFrame(values[:, first : first + len(columns)], index=index, columns=columns)
        tables[key].attrs["errors"] = {case.id: errors[case.id] for case in cases if case.id in errors}
        first += len(columns)
    return tables


class _Together:
    """Rows of several extractors side by side; a case is read once for all of them."""

    def __init__(self, extractors):
        self.extractors = extractors

    def __call__(self, cases):
        if len(self.extractors) > 1:
            cases = [case.in_memory() for case in cases]
        return np.concatenate([np.asarray(one.transform(cases)) for one in self.extractors], axis=1)


class _Keeper:
    """Writes the parts of a row into the caches of their extractors."""

    def __init__(self, caches):
        self.caches = caches

    def __call__(self, case, row):
        first = 0
        for cache, size in self.caches:
            cache.write(case, row[first : first + size])
            first += size


def rows_by_case(function, cases, *, n_jobs, on_error, description, keep=None):
    """Apply a function of a list of cases, chunk by chunk and in parallel.

    Parameters
    ----------
    function : callable
        From a list of cases to an array with a row for each.
    cases : list of Case
    n_jobs : int or None
    on_error : {"raise", "record"}
    description : str
        Shown beside the progress bar.
    keep : callable, optional
        Called with each case and its row in the worker, as soon as the row is there.

    Returns
    -------
    rows : dict from case id to ndarray
    errors : dict from case id to str
        "ErrorName: message" of the cases that failed.
    """
    chunks = [cases[start : start + _CHUNK] for start in range(0, len(cases), _CHUNK)]
    tasks = (delayed(_rows_of_chunk)(function, chunk, on_error, keep) for chunk in chunks)
    finished = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
    rows, errors = {}, {}
    for chunk_rows, chunk_errors in with_progress(finished, description, len(chunks)):
        rows |= chunk_rows
        errors |= chunk_errors
    return rows, errors


def _rows_of_chunk(function, cases, on_error, keep):
    """Return rows and errors by case id; a chunk with a failing case is gone through one by one."""
    rows, errors = {}, {}
    try:
        rows = {case.id: row for case, row in zip(cases, np.asarray(function(cases)), strict=True)}
    except InputError:
        if on_error == "raise":
            raise
        for case in cases:
            try:
                rows[case.id] = np.asarray(function([case]))[0]
            except InputError as error:
                errors[case.id] = f"{type(error).__name__}: {error}"
    if keep is not None:
        for case in cases:
            if case.id in rows:
                keep(case, rows[case.id])
    return rows, errors


class _RowCache:
    """One small file per row, named by a hash of voxels and settings, written whole or not at all."""

    def __init__(self, folder, extractor):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = extractor.settings() if hasattr(extractor, "settings") else extractor.get_params()
        self.settings = json.dumps([_CACHE_FORMAT, type(extractor).__name__, settings], sort_keys=True, default=repr)

    def path(self, case):
        key = hashlib.blake2b(f"{self.settings}{case.content_hash()}".encode(), digest_size=20).hexdigest()
        return self.folder / f"{key}.npy"

    def read(self, case, n_features):
        try:
            row = np.load(self.path(case), allow_pickle=False)
        except (OSError, ValueError):  # not there, or damaged: computed anew
            return None
        return row if row.shape == (n_features,) else None

    def write(self, case, row):
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            np.save(file, row)
        os.replace(name, self.path(case))
