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
_CACHE_FORMAT = 1  # raise when the numbers of an extractor change for the same settings


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
    ((3, 56), ['phantom-000', 'phantom-001', 'phantom-002'])
    """
    if on_error not in ("raise", "record"):
        raise InputError(f"The 'on_error' parameter must be 'raise' or 'record'. Got {on_error!r} instead.")
    cases = as_cases(cohort)
    extractor.fit(cases)
    names = [str(name) for name in extractor.get_feature_names_out()]
    cache = None if cache_dir is None else _RowCache(cache_dir, extractor)

    rows, errors, missing = {}, {}, []
    for case in cases:
        row = None if cache is None else cache.read(case, len(names))
        if row is None:
            missing.append(case)
        else:
            rows[case.id] = row
    chunks = [missing[start : start + _CHUNK] for start in range(0, len(missing), _CHUNK)]
    tasks = (delayed(_extract_chunk)(extractor, chunk, on_error, cache) for chunk in chunks)
    finished = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
    for chunk_rows, chunk_errors in with_progress(finished, f"{type(extractor).__name__}", len(chunks)):
        rows |= chunk_rows
        errors |= chunk_errors

    empty = np.full(len(names), np.nan)
    values = np.array([rows.get(case.id, empty) for case in cases]).reshape(len(cases), len(names))
    table = pd.DataFrame(values, index=pd.Index([case.id for case in cases], name="id"), columns=names)
    table.attrs["errors"] = {case.id: errors[case.id] for case in cases if case.id in errors}
    return table


def _extract_chunk(extractor, cases, on_error, cache):
    """Return rows and errors by case id; a chunk with a failing case is gone through one by one."""
    rows, errors = {}, {}
    try:
        values = np.asarray(extractor.transform(cases))
        rows = {case.id: row for case, row in zip(cases, values, strict=True)}
    except InputError:
        if on_error == "raise":
            raise
        for case in cases:
            try:
                rows[case.id] = np.asarray(extractor.transform([case]))[0]
            except InputError as error:
                errors[case.id] = f"{type(error).__name__}: {error}"
    if cache is not None:
        for case in cases:
            if case.id in rows:
                cache.write(case, rows[case.id])
    return rows, errors


class _RowCache:
    """One small file per row, named by a hash of voxels and settings, written whole or not at all."""

    def __init__(self, folder, extractor):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = extractor.settings() if hasattr(extractor, "settings") else extractor.get_params()
        self.settings = json.dumps(
            [_CACHE_FORMAT, type(extractor).__name__, settings], sort_keys=True, default=repr
        )

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
