"""A table -> features scaled to 0..1, the nearest cases of each case, and weights of the classes."""

from dataclasses import dataclass

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.selection.kernels import relief as kernels
from radiodeep.selection.threads import in_threads, n_threads_for

SMALLEST_RANGE = 1e-6  # absolute, as in Weka: a narrower feature counts as constant
_STRIP_BYTES = 32 * 2**20


@dataclass(frozen=True)
class ScaledTable:
    """Features scaled to 0..1, and how the difference of each is measured.

    Attributes
    ----------
    values : ndarray of shape (n_cases, n_features)
    runs : ndarray of shape (n_runs, 3)
        First column, end and kind of each run of adjacent columns of one kind (see `kernels.relief`).
    missing_nominal : ndarray of shape (n_features,)
        The difference between a missing category and any other.
    low, span : ndarray of shape (n_features,)
        Minimum and range; the range is 0 for features that count as constant.
    """

    values: np.ndarray
    runs: np.ndarray
    missing_nominal: np.ndarray
    low: np.ndarray
    span: np.ndarray


def scaled_table(estimator, X, nominal, smallest_range=SMALLEST_RANGE):
    """Return the `ScaledTable` of X: numeric columns scaled to 0..1 over their known values, or 0 if nearly constant.

    `nominal` (n_features,) is the mask of the columns of categories, which are not scaled.
    """
    X = np.ascontiguousarray(X)
    low, high, missing = kernels.column_ranges(X)
    with np.errstate(invalid="ignore", over="ignore"):
        span = np.where(high - low >= smallest_range, high - low, 0.0)
    if not np.isfinite(span).all():
        raise InputError(
            f"Column {np.flatnonzero(~np.isfinite(span))[0]} of {type(estimator).__name__} spans more than a float64 "
            "holds. Scale it, or take its logarithm."
        )
    low[nominal], span[nominal] = 0.0, 1.0
    values = np.empty(X.shape)
    kernels.scale(X, low, span, values)
    kinds = np.where(missing, kernels.WITH_MISSING, kernels.PLAIN)
    kinds[nominal] = kernels.NOMINAL
    starts = np.flatnonzero(np.r_[True, kinds[1:] != kinds[:-1]])
    runs = np.column_stack([starts, np.r_[starts[1:], len(kinds)], kinds[starts]]).astype(np.int64)
    missing_nominal = np.zeros(X.shape[1])
    for column in np.flatnonzero(nominal):
        categories = np.unique(X[:, column][~np.isnan(X[:, column])])
        missing_nominal[column] = 1 - 1 / max(len(categories), 1)
    return ScaledTable(values, runs, missing_nominal, low, span)


def nearest_cases(table, labels, n_classes, n_neighbors, chosen=None, n_jobs=None):
    """Return the nearest cases of each class for all cases, or only for the `chosen` ones.

    The result is a tuple of buffers, `near` in the kernels: `distances` and `cases` (n_rows, n_classes, n_neighbors);
    `counts` (n_rows, n_classes), the number of neighbours of each class; and `limits` (n_rows, n_classes), the distance
    of the farthest neighbour in a full buffer, else infinite.
    """
    n_cases, n_features = table.values.shape
    n_rows = n_cases if chosen is None else len(chosen)
    near = empty_buffers(n_rows, n_classes, n_neighbors)
    packed = kernels.pack(table.values)
    if chosen is not None:
        n_threads = n_threads_for(n_jobs, n_rows * n_cases * n_features)
        calls = [(start, chosen, packed, table, labels, near) for start in range(0, n_rows, kernels.LANES)]
        in_threads(_search_chosen, calls, n_threads)
        return near
    n_threads = n_threads_for(n_jobs, n_cases * n_cases * n_features / 2)
    for first, last, strip in measured_strips(packed, table, n_threads):
        calls = [(strip, first, last, part, n_threads, labels, near) for part in range(n_threads)]
        in_threads(kernels.search_strip, calls, n_threads)
    return near


def empty_buffers(n_rows, n_classes, n_neighbors):
    """Return empty buffers of neighbours, as `nearest_cases` describes them."""
    shape = (n_rows, n_classes, n_neighbors)
    return (
        np.full(shape, np.inf),
        np.zeros(shape, dtype=np.int64),
        np.zeros(shape[:2], dtype=np.int64),
        np.full(shape[:2], np.inf),
    )


def measured_strips(packed, table, n_threads=1):
    """Yield the distances of all pairs of cases as (first, last, strip), for the blocks of 32 cases first..last - 1.

    ``strip[a, b, i, j]`` is the distance between case i of block ``first + a`` and case j of block b, for b >=
    ``first + a``. The array is used again for the next strip.
    """
    n_blocks = len(packed)
    at_once = min(n_blocks, max(1, _STRIP_BYTES // (n_blocks * 8 * kernels.LANES**2)))
    strip = np.empty((at_once, n_blocks, kernels.LANES, kernels.LANES))
    for first in range(0, n_blocks, at_once):
        last = min(first + at_once, n_blocks)
        blocks = (packed, len(table.values), first, last)
        calls = [(*blocks, part, n_threads, table.runs, table.missing_nominal, strip) for part in range(n_threads)]
        in_threads(kernels.measure_strip, calls, n_threads)
        yield first, last, strip


def class_weights(class_counts):
    """Return the weight of a neighbour by the classes of case and neighbour, (n_classes, n_classes).

    Hits have weight -1. A miss of class b for a case of class a has weight ``P(b) / (1 - P(a))``, 1 for two classes.
    """
    n_classes = len(class_counts)
    prior = class_counts / class_counts.sum()
    with np.errstate(divide="ignore"):
        weights = np.ones((n_classes, n_classes)) if n_classes == 2 else prior[np.newaxis] / (1 - prior[:, np.newaxis])
    np.fill_diagonal(weights, -1.0)
    return weights


def _search_chosen(start, chosen, packed, table, labels, near):
    rows = chosen[start : start + kernels.LANES]
    strip = np.empty((len(packed), kernels.LANES, kernels.LANES))
    kernels.measure_rows(kernels.pack(table.values[rows])[0], packed, table.runs, table.missing_nominal, strip)
    kernels.search_rows(strip, start, chosen, labels, near)
