"""Cases -> rows of several extractors side by side: read once, looked up in the cache, computed, written.

Runs that share a cache folder share the work: before a run computes a row it claims it, and rows that another run has
claimed are left until all others are done.
"""

import time
import warnings
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from radiodeep.exceptions import OutputError, RadiodeepWarning
from radiodeep.processes import may_record_warnings
from radiodeep.rows.by_case import CHUNK
from radiodeep.rows.cache import RowCache, row_key
from radiodeep.rows.traits import traits_of

BATCH_BYTES = 2**24  # of voxels that wait for a batch: larger volumes are in memory one at a time
_POLL_S = 0.05


class Row(NamedTuple):
    """What is known of a case after it was measured.

    `values` are the features of all extractors, or None if another run is computing them; `problem` says why they
    could not be written to the cache; `acquisition` is None if no feature depends on it.
    """

    values: np.ndarray | None
    problem: str
    acquisition: object


class Measurement:
    """A function of cases, for `rows_by_case`: the rows of several extractors side by side.

    `sizes` are the numbers of features of the extractors. With `compare`, the acquisition of each case is noted if
    features depend on it.
    """

    def __init__(self, extractors, sizes, cache_dir, compare):
        self.extractors = extractors
        self.sizes = sizes
        traits = [traits_of(extractor) for extractor in extractors]
        self.settings = [trait.settings for trait in traits]
        self.labels = [trait.labels for trait in traits]
        self.sensitive_parts = [part for trait in traits for part in trait.sensitive_parts] if compare else []
        self.images_of = [trait.images for trait in traits]
        self.images = None if None in self.images_of else frozenset().union(*self.images_of)
        self.batched = [trait.needs_batches for trait in traits]
        self.in_batches = any(self.batched)
        self.at_once = CHUNK if self.in_batches else None
        self.waits = False
        self.cache = None if cache_dir is None else RowCache(cache_dir)
        if self.cache is not None:
            self.cache.tidy()

    def await_others(self):
        """Wait for rows that other runs are computing from now on.

        Cases come one at a time then: two runs that each held a claim while waiting for the other's would never end.
        """
        self.waits = True
        self.at_once = 1

    def __call__(self, cases):
        if self._can_transform_directly():
            rows = np.asarray(self.extractors[0].transform(cases))
            return [Row(row, "", self.acquisition_of(case)) for row, case in zip(rows, cases, strict=True)]
        jobs = []
        waiting = []
        try:
            for case in cases:
                if self._lacks_all_images(case):
                    jobs.append(_WithoutImage(self.sizes))
                    continue
                job = _Job(self, case)
                jobs.append(job)
                if not job.is_mine:
                    continue
                waiting.append(job)
                self._measure_alone(job)
                if not self.in_batches or sum(job.n_bytes for job in waiting) > BATCH_BYTES:
                    self._measure(waiting)
                    waiting = []
            self._measure(waiting)
        finally:
            for job in waiting:
                job.release()
        return [job.row() for job in jobs]

    def _can_transform_directly(self):
        """Return whether one extractor may read the cases itself: the acquisition of a case is known once it is read
        with the labels that the case names."""
        acquisition_is_known = not self.sensitive_parts or self.labels == [(None,)]
        return self.cache is None and len(self.extractors) == 1 and acquisition_is_known

    def _lacks_all_images(self, case):
        there = [name for name in _names_of(case) if case.image[name] is not None]
        return bool(there) and self.images is not None and not self.images.intersection(there)

    def acquisition_of(self, case):
        """Return the acquisition of a case that was read, by name if it has several images; None if none matters."""
        if not self.sensitive_parts:
            return None
        if not _names_of(case):
            return case.acquisition()
        parts = case.single_images().items()
        return {name: part.acquisition() for name, part in parts if self.images is None or name in self.images}

    def compare(self, acquisitions):
        """Let extractors warn of different acquisitions within the cohort, once for each kind and need."""
        warned = set()
        for part in self.sensitive_parts:
            images = getattr(part, "image_names_", ())
            key = type(part), frozenset(part.acquisition_needs()), images
            if key not in warned:
                part.warn_of_mixed_acquisition(acquisitions)
            warned.add(key)

    def _measure_alone(self, job):
        """Compute what gains nothing from a batch, and what networks will be shown; release the voxels if possible."""
        for number, extractor in enumerate(self.extractors):
            if job.parts[number] is None and not self.batched[number]:
                self._measure_part(number, [job])
            elif job.parts[number] is None and hasattr(extractor, "shown"):
                with self._warnings_recorded() as caught:
                    job.cases[number] = extractor.shown(job.cases[number])
                job.caught[number] = _shown_again(caught)
            if job.parts[number] is not None:
                job.cases[number] = None
        if not any(hasattr(case, "in_memory") for case in job.cases):
            job.n_bytes = 0

    def _measure(self, jobs):
        for number in range(len(self.extractors)):
            self._measure_part(number, [job for job in jobs if job.parts[number] is None])
        for job in jobs:
            job.release()

    def _measure_part(self, number, jobs):
        """Compute the rows of an extractor for some cases at once."""
        if not jobs:
            return
        extractor = self.extractors[number]
        is_shown = self.batched[number] and hasattr(extractor, "shown")
        with self._warnings_recorded() as caught:
            cases = [job.cases[number] for job in jobs]
            rows = extractor.transform_shown(cases) if is_shown else extractor.transform(cases)
        for job, row in zip(jobs, np.asarray(rows, dtype=np.float64), strict=True):
            job.keep(number, row, caught)
        _shown_again(caught)

    def _warnings_recorded(self):
        """Return a context that yields the warnings for the cache, including those that the user's filters ignore.

        Without a cache, or where recording is not safe, it records nothing.
        """
        if self.cache and may_record_warnings():
            return warnings.catch_warnings(record=True, action="always", category=RadiodeepWarning)
        return nullcontext([])


class _Job:
    """A case that was read, and the parts of its row that are known, one for each extractor."""

    def __init__(self, measurement, case):
        self.id = case.id
        self.cache = measurement.cache
        self.problem = ""
        self.claimed = None
        regions = {labels: _regions(case, labels, measurement.images) for labels in dict.fromkeys(measurement.labels)}
        self.cases = [_as_shown(case, labels, regions[labels]) for labels in measurement.labels]
        self.acquisition = measurement.acquisition_of(next(iter(regions.values()))[0])
        parts = [part for listed in regions.values() for region in listed for part in _parts(region).values()]
        self.n_bytes = sum(part.voxels.nbytes for part in parts)
        self.parts = [None] * len(self.cases)
        self.caught = [[] for _ in self.cases]
        self.is_mine = True
        if self.cache is not None:
            hashes = {
                labels: [(name, part.content_hash()) for region in listed for name, part in _parts(region).items()]
                for labels, listed in regions.items()
            }
            by_extractor = zip(measurement.settings, measurement.labels, measurement.images_of, strict=True)
            self.keys = [
                row_key(settings, _content(hashes[labels], images) or case.id)
                for settings, labels, images in by_extractor
            ]
            self._look_up(measurement.sizes, measurement.waits)

    def keep(self, number, values, caught):
        """Keep a computed part of the row, and write it to the cache with the warnings about the case."""
        self.parts[number] = values, []
        if self.cache is None:
            return
        begin = f"{self.id}: "
        caught = [*self.caught[number], *caught]
        texts = [str(warning.message) for warning in caught if issubclass(warning.category, RadiodeepWarning)]
        try:
            own = [text.removeprefix(begin) for text in texts if text.startswith(begin)]
            self.cache.write(self.keys[number], values, own)
        except OutputError as error:
            self.problem = str(error)

    def release(self):
        """Release the claim and the voxels."""
        self.cases = None
        if self.claimed is not None:
            self.cache.release(self.claimed)
            self.claimed = None

    def row(self):
        if any(part is None for part in self.parts):
            return Row(None, "", None)
        for _, texts in self.parts:
            for text in texts:
                warnings.warn(f"{self.id}: {text}", RadiodeepWarning, stacklevel=2)
        return Row(np.concatenate([values for values, _ in self.parts]), self.problem, self.acquisition)

    def _look_up(self, sizes, waits):
        """Read the parts from the cache; claim the row if one is missing and no other process has claimed it."""
        while True:
            self.parts = [self.cache.read(key, size) for key, size in zip(self.keys, sizes, strict=True)]
            missing = [key for key, part in zip(self.keys, self.parts, strict=True) if part is None]
            if not missing:
                self.is_mine = False
                return self.release()
            if self.claimed is not None:
                return None
            if self.cache.claim(missing[0]):
                self.claimed = missing[0]  # read again: the row may have been written before the claim
            elif waits:
                time.sleep(_POLL_S)
            else:
                self.is_mine = False
                return self.release()


def _shown_again(caught):
    """Give warnings that were recorded, and return them."""
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return caught


class _WithoutImage:
    """A case of several images without any that is measured."""

    is_mine, n_bytes = False, 0

    def __init__(self, sizes):
        self.sizes = sizes

    def row(self):
        return Row(np.full(sum(self.sizes), np.nan), "", None)


def _regions(case, labels, images):
    """Return the case in memory for each label, or once if the case names its own; of several images those named."""
    chosen = {"images": images} if _names_of(case) else {}
    if case.mask_label is not None or getattr(case, "roi_name", None) is not None or labels == (None,):
        return [case.in_memory(**chosen)]
    return [(case if label is None else case.replace(mask_label=label)).in_memory(**chosen) for label in labels]


def _content(hashes, images):
    """Return the hashes of the images that an extractor reads, from pairs (name, hash); "" if a case has none."""
    return "".join(f"{name}{digest}" for name, digest in hashes if images is None or name in images)


def _parts(case):
    return case.single_images() if _names_of(case) else {"": case}


def _names_of(case):
    return getattr(case, "image_names", ())


def _as_shown(case, labels, regions):
    """Return the case as an extractor with these labels gets it: in memory, unless it takes several regions."""
    if len(regions) > 1:
        return case
    # A region in memory is a mask of 1, whatever label the extractor would ask for.
    return regions[0] if labels == (None,) else regions[0].replace(mask_label=1)
