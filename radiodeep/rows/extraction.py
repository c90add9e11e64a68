"""Extractors and cases in, arrays of features out: every case is read once, and its rows are cached."""

import numbers
import threading
import time
import warnings
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from radiodeep.exceptions import OutputError, RadiodeepWarning
from radiodeep.rows.by_case import CHUNK, rows_by_case
from radiodeep.rows.cache import RowCache, row_key, settings_text

_BATCH_BYTES = 2**28  # of voxels that wait for a network
_POLL_S = 0.05


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
        Transformers of cases that learn nothing. Their rows are computed in batches of eight cases, unless all of
        them have the attribute `needs_batches=False`.
    cases : sequence of Case
    n_jobs : int, optional
        Processes; -1 for all cores.
    cache_dir : path-like, optional
        Each row is kept here as soon as it is there, under a hash of the voxels that were read and of all settings
        and versions. Several runs with the same folder share the work.
    on_error : {"raise", "record"}, default="raise"
        "record" notes any exception of a case and goes on with the others.
    description : str, optional
        Shown beside the progress bar; the class of the first extractor by default.
    n_features : sequence of int, optional
        Of each extractor, if they are fitted and counted already; a network must be run to count them.
    compare : bool, default=True
        Warn of cases that were acquired in different ways, where the features of an extractor depend on that.

    Returns
    -------
    values : dict from str to float64 ndarray of shape (n_cases, n_features)
        Under the names of the extractors; NaN in the rows of cases that failed.
    errors : dict from int to str
        "ErrorName: message" of the cases that failed, by position.

    Raises
    ------
    OutputError
        The cache folder cannot be created.

    Warns
    -----
    RadiodeepWarning
        Rows could not be written to the cache folder, or the cohort mixes what `acquisition_needs` of an extractor
        names.

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
    if n_features is None:
        for extractor in extractors.values():
            extractor.fit(cases)
        n_features = [len(extractor.get_feature_names_out()) for extractor in extractors.values()]
    measurement = _Measurement(list(extractors.values()), list(n_features), cache_dir, compare)
    description = type(next(iter(extractors.values()))).__name__ if description is None else description
    how = {"n_jobs": n_jobs, "on_error": on_error}
    rows, errors = rows_by_case(measurement, cases, description=description, **how)
    left = [position for position, row in rows.items() if row.values is None]
    if left:  # another run is computing them
        measurement.await_others()
        others = [cases[position] for position in left]
        later, later_errors = rows_by_case(measurement, others, description=description, **how)
        rows |= {left[number]: row for number, row in later.items()}
        errors |= {left[number]: text for number, text in later_errors.items()}
    problems = [row.problem for row in rows.values() if row.problem]
    if problems:
        warnings.warn(f"{len(problems)} rows are not in the cache: {problems[0]}", RadiodeepWarning, stacklevel=2)
    measurement.compare({cases[position].id: rows[position].acquisition for position in sorted(rows.keys() - errors)})
    sizes = measurement.sizes
    table = np.full((len(cases), sum(sizes)), np.nan)
    for position, row in rows.items():
        if position not in errors:
            table[position] = row.values
    return dict(zip(extractors, np.split(table, np.cumsum(sizes)[:-1], axis=1), strict=True)), errors


class _Row(NamedTuple):
    values: np.ndarray | None  # None: another run is computing them
    problem: str  # why they are not in the cache
    acquisition: object  # of the case; None if nothing depends on it


class _Measurement:
    """Rows of several extractors side by side; a case is read once for all of them."""

    def __init__(self, extractors, sizes, cache_dir, compare):
        self.extractors = extractors
        self.sizes = sizes
        self.labels = [_labels_of(extractor) for extractor in extractors]
        self.sensitive = [part for one in extractors for part in _sensitive_parts(one)] if compare else []
        self.in_batches = any(getattr(extractor, "needs_batches", True) for extractor in extractors)
        self.at_once = CHUNK if self.in_batches else None
        self.waits = False
        self.cache = None if cache_dir is None else RowCache(cache_dir)
        if self.cache is not None:
            self.settings = [settings_text(extractor) for extractor in extractors]
            self.cache.tidy()

    def await_others(self):
        """Wait from now on for rows that other runs are computing; one at a time, so that no two runs wait for
        each other."""
        self.waits = True
        self.at_once = 1

    def __call__(self, cases):
        reads_cases_itself = not self.sensitive or self.labels == [(None,)]  # so that their acquisition is known then
        if self.cache is None and len(self.extractors) == 1 and reads_cases_itself:
            rows = np.asarray(self.extractors[0].transform(cases))
            return [_Row(row, "", self.acquisition_of(case)) for row, case in zip(rows, cases, strict=True)]
        jobs, waiting = [], []
        try:
            for case in cases:
                job = _Job(self, case)
                jobs.append(job)
                waiting += [job] if job.is_mine else []
                n_bytes = sum(job.n_bytes for job in waiting)
                if waiting and (not self.in_batches or n_bytes > _BATCH_BYTES):
                    self._measure(waiting)
                    waiting = []
            self._measure(waiting)
        finally:
            for job in waiting:
                job.release()
        return [job.row() for job in jobs]

    def acquisition_of(self, case):
        """Return the acquisition of a case that was read, if an extractor depends on it."""
        return case.acquisition() if self.sensitive else None

    def compare(self, acquisitions):
        """Let extractors warn of differences, each once."""
        warned = set()
        for part in self.sensitive:
            key = type(part), frozenset(part.acquisition_needs())
            if key not in warned:
                part.warn_of_mixed_acquisition(acquisitions)
            warned.add(key)

    def _measure(self, jobs):
        for number, extractor in enumerate(self.extractors):
            lacking = [job for job in jobs if job.parts[number] is None]
            if not lacking:
                continue
            with self._warnings_recorded() as caught:
                rows = np.asarray(extractor.transform([job.cases[number] for job in lacking]), dtype=np.float64)
            for job, row in zip(lacking, rows, strict=True):
                job.keep(number, row, caught)
            for warning in caught:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        for job in jobs:
            job.release()

    def _warnings_recorded(self):
        """Return a context of the warnings that go into the cache, also those that the user's filters ignore now.

        Recording is not safe in threads.
        """
        in_main_thread = threading.current_thread() is threading.main_thread()
        if self.cache and in_main_thread:
            return warnings.catch_warnings(record=True, action="always", category=RadiodeepWarning)
        return nullcontext([])


class _Job:
    """A case that was read, with the parts of its row that are known."""

    def __init__(self, measurement, case):
        self.id = case.id
        self.cache = measurement.cache
        self.problem = ""
        self.claimed = None
        regions = {labels: _regions(case, labels) for labels in dict.fromkeys(measurement.labels)}
        self.cases = [_as_shown(case, labels, regions[labels]) for labels in measurement.labels]
        self.acquisition = measurement.acquisition_of(next(iter(regions.values()))[0])
        self.n_bytes = sum(region.voxels.nbytes for listed in regions.values() for region in listed)
        self.parts = [None] * len(self.cases)
        self.is_mine = True
        if self.cache is not None:
            hashes = {labels: "".join(one.content_hash() for one in listed) for labels, listed in regions.items()}
            by_extractor = zip(measurement.settings, measurement.labels, strict=True)
            self.keys = [row_key(settings, hashes[labels]) for settings, labels in by_extractor]
            self._look_up(measurement.sizes, measurement.waits)

    def keep(self, number, values, caught):
        """Take a part of the row that was computed, and write it to the cache with the warnings about the case."""
        self.parts[number] = values, []
        if self.cache is None:
            return
        begin = f"{self.id}: "
        texts = [str(one.message) for one in caught if issubclass(one.category, RadiodeepWarning)]
        try:
            own = [text.removeprefix(begin) for text in texts if text.startswith(begin)]
            self.cache.write(self.keys[number], values, own)
        except OutputError as error:
            self.problem = str(error)

    def release(self):
        """Let go of the claim and of the voxels."""
        self.cases = None
        if self.claimed is not None:
            self.cache.release(self.claimed)
            self.claimed = None

    def row(self):
        if any(part is None for part in self.parts):
            return _Row(None, "", None)
        for _, texts in self.parts:
            for text in texts:
                warnings.warn(f"{self.id}: {text}", RadiodeepWarning, stacklevel=2)
        return _Row(np.concatenate([values for values, _ in self.parts]), self.problem, self.acquisition)

    def _look_up(self, sizes, waits):
        """Read what is in the cache; claim the row if a part is missing and no other process is computing it."""
        while True:
            self.parts = [self.cache.read(key, size) for key, size in zip(self.keys, sizes, strict=True)]
            missing = [key for key, part in zip(self.keys, self.parts, strict=True) if part is None]
            if not missing:
                self.is_mine = False
                return self.release()
            if self.claimed is not None:
                return None
            if self.cache.claim(missing[0]):
                self.claimed = missing[0]  # look once more: it may have come before the claim
            elif waits:
                time.sleep(_POLL_S)
            else:
                self.is_mine = False
                return self.release()


def _sensitive_parts(extractor):
    """Return the extractor, and those inside it, whose features depend on how images were acquired."""
    inside = extractor.get_params().values() if hasattr(extractor, "get_params") else []
    parts = [extractor, *inside]
    return [part for part in parts if hasattr(part, "warn_of_mixed_acquisition") and part.acquisition_needs()]


def _labels_of(extractor):
    """Return the labels that an extractor, or those inside it, takes of masks whose case names none."""
    params = extractor.get_params() if hasattr(extractor, "get_params") else {}
    values = [value for name, value in params.items() if name.split("__")[-1] == "label"]
    labels = {value for value in values if value is None or isinstance(value, numbers.Integral)}
    return tuple(sorted(labels, key=str)) or (None,)


def _regions(case, labels):
    """Return the case in memory, once for each of the labels unless it names its own."""
    if case.mask_label is not None or labels == (None,):
        return [case.in_memory()]
    return [(case if label is None else case.replace(mask_label=label)).in_memory() for label in labels]


def _as_shown(case, labels, regions):
    """Return the case in memory as an extractor with these labels gets it; from disk again if there are several."""
    if len(regions) > 1:
        return case
    # An extractor would ask a case without a label for its own, but a region in memory is a mask of 1.
    return regions[0] if labels == (None,) else regions[0].replace(mask_label=1)
