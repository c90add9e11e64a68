"""A function of cases and a list of cases in, a row per case out: in processes, cached, failures recorded.

Rows belong to the position of a case in the list, never to its id.
"""

import hashlib
import json
import numbers
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from radiodeep.exceptions import InputError
from radiodeep.files import replacing
from radiodeep.progress import with_progress

_CHUNK = 8  # cases that a function of many cases gets at once
_CACHE_FORMAT = 3  # raise when the numbers of an extractor change for the same settings


def rows_by_case(function, cases, *, n_jobs=None, on_error="raise", description=""):
    """Apply a function of a list of cases to chunks of cases, in parallel.

    Parameters
    ----------
    function : callable
        From a list of cases to a sequence with an item for each.
    cases : sequence of Case
    n_jobs : int, optional
        Processes; -1 for all cores.
    on_error : {"raise", "record"}, default="raise"
        "record" notes any exception of a case and goes on with the others.
    description : str, default=""
        Shown beside the progress bar.

    Returns
    -------
    rows : dict from int to object
        The items by the position of their cases.
    errors : dict from int to str
        "ErrorName: message" of the cases that failed, by position.
    """
    check_on_error(on_error)
    if not (n_jobs is None or (isinstance(n_jobs, numbers.Integral) and n_jobs != 0)):
        raise InputError(f"The 'n_jobs' parameter must be None or an int other than 0. Got {n_jobs!r} instead.")
    numbered = list(enumerate(cases))
    chunks = [numbered[start : start + _CHUNK] for start in range(0, len(numbered), _CHUNK)]
    tasks = (delayed(_rows_of_chunk)(function, chunk, on_error) for chunk in chunks)
    finished = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
    rows, errors = {}, {}
    for chunk_rows, chunk_errors in with_progress(finished, description, len(chunks)):
        rows |= chunk_rows
        errors |= chunk_errors
    return rows, errors


def extract_rows(extractors, cases, *, n_jobs=None, cache_dir=None, on_error="raise", description=None):
    """Compute the features of cases with several extractors, and read every case once.

    Parameters
    ----------
    extractors : dict from str to extractor
    cases : sequence of Case
    n_jobs : int, optional
        Processes; -1 for all cores.
    cache_dir : path-like, optional
        Rows are kept here.
    on_error : {"raise", "record"}, default="raise"
    description : str, optional
        Shown beside the progress bar; the name of the first extractor by default.

    Returns
    -------
    values : dict from str to float64 ndarray of shape (n_cases, n_features)
        Under the names of the extractors; NaN in the rows of cases that failed.
    errors : dict from int to str
        "ErrorName: message" of the cases that failed, by position.
    """
    cases = list(cases)
    for extractor in extractors.values():
        extractor.fit(cases)
    sizes = {name: len(extractor.get_feature_names_out()) for name, extractor in extractors.items()}
    caches = {} if cache_dir is None else {name: _RowCache(cache_dir, one) for name, one in extractors.items()}
    measure = _Measurement(list(extractors.values()), list(sizes.values()), list(caches.values()))
    description = type(next(iter(extractors.values()))).__name__ if description is None else description
    rows, errors = rows_by_case(measure, cases, n_jobs=n_jobs, on_error=on_error, description=description)
    table = np.full((len(cases), sum(sizes.values())), np.nan)
    for position, row in rows.items():
        table[position] = row
    ends = np.cumsum(list(sizes.values()))
    return dict(zip(extractors, np.split(table, ends[:-1], axis=1), strict=True)), errors


def check_on_error(on_error):
    """Raise an InputError unless `on_error` is "raise" or "record"."""
    if on_error not in ("raise", "record"):
        raise InputError(f"The 'on_error' parameter must be 'raise' or 'record'. Got {on_error!r} instead.")


def _rows_of_chunk(function, numbered, on_error):
    """Return rows and errors by position; if a chunk fails, its cases are retried one at a time."""
    positions, cases = zip(*numbered, strict=True)
    try:
        return dict(zip(positions, function(list(cases)), strict=True)), {}
    except Exception:
        rows, errors = {}, {}
    for position, case in numbered:
        try:
            rows[position] = function([case])[0]
        except Exception as error:
            named = str(error).startswith(f"{case.id}:")
            if on_error == "raise":
                if not named:
                    error.add_note(f"It was raised by the case '{case.id}'.")
                raise
            errors[position] = f"{type(error).__name__}: {error if named else f'{case.id}: {error}'}"
    return rows, errors


class _Measurement:
    """Rows of several extractors side by side; a case is read once for all of them."""

    def __init__(self, extractors, sizes, caches):
        self.extractors = extractors
        self.sizes = sizes
        self.caches = caches

    def __call__(self, cases):
        rows = [self._cached(case) for case in cases]
        missing = [number for number, row in enumerate(rows) if row is None]
        for number, row in zip(missing, self._computed([cases[number] for number in missing]), strict=True):
            first = 0
            for cache, size in zip(self.caches, self.sizes, strict=bool(self.caches)):
                cache.write(cases[number], row[first : first + size])
                first += size
            rows[number] = row
        return rows

    def _cached(self, case):
        parts = [cache.read(case, size) for cache, size in zip(self.caches, self.sizes, strict=bool(self.caches))]
        return None if not parts or any(part is None for part in parts) else np.concatenate(parts)

    def _computed(self, cases):
        if not cases:
            return []
        if len(self.extractors) > 1:
            cases = [case.in_memory() for case in cases]
        return np.concatenate([np.asarray(one.transform(cases)) for one in self.extractors], axis=1)


class _RowCache:
    """One small file per row, named by a hash of voxels and settings."""

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
        except (OSError, ValueError, EOFError):  # not there, or damaged: computed again
            return None
        return row if row.shape == (n_features,) else None

    def write(self, case, row):
        with replacing(self.path(case)) as part:
            np.save(part, row)
