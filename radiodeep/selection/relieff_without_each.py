"""A table -> its ReliefF scores without each of the cases, computed together instead of by a fit for each.

The idea. A ReliefF score is a sum over all cases and their neighbours, and most of it is the same whichever case is
left out. Let ``S[a, b]`` be the sum, over the cases of class a, of the mean difference to their nearest neighbours of
class b, one number per feature. A score is then

    score = sum over a, b of weight[a, b] * S[a, b] / n_cases        (weight -1 for hits, priors for misses)

For a numeric target, all cases are of one class, and S are two sums: of the mean differences, and of the mean products
of the differences of feature and target (`_NumericSums`).

Leaving out case i changes S in three ways only:

1. the part of case i itself is subtracted;
2. each list of neighbours that held i, or whose order changes, exchanges a neighbour for the next;
3. features of which i is the only minimum or maximum have a smaller range. All differences of such a feature grow by
   the same factor, ``span before / span after``, and so do the distances.

So S and the matrix of distances are computed once, and every fold corrects a copy of them. A corrected distance
carries a rounding error; where two neighbours lie closer together than its bound, the fold is reported as undecided
(NaN) and has to be fitted separately.
"""

from dataclasses import dataclass

import numpy as np

from radiodeep.selection.kernels import relief as relief_kernels
from radiodeep.selection.kernels import relief_without_each as kernels
from radiodeep.selection.kernels import relief_without_each_numeric as numeric_kernels
from radiodeep.selection.nearest_cases import (
    SMALLEST_RANGE,
    ScaledTable,
    class_weights,
    empty_buffers,
    measured_strips,
    scaled_table,
)
from radiodeep.selection.threads import in_threads, n_threads_for

MOST_CASES = 4000  # two matrices of distances between them are held in memory
_ROUNDING = 2.0**-53
_ROUNDING_OF_TARGET = 1e-9  # of sums of differences of the target
_MOST_GROWTH = 1e6  # larger growth factors would magnify rounding: those features are compared value by value
_MOST_MAGNIFIED = 1e9  # largest magnitude of values in units of their range at which a scaler keeps them apart


def relieff_scores_without_each(selector, X, target, n_classes, nominal, rescaled=False):
    """Return the scores without each case (n_cases, n_features), or None if they cannot be computed together.

    A row of NaN is a fold that has to be fitted separately. `selector` is the `ReliefF` whose `n_neighbors` and
    `n_jobs` are used. `target` (n_cases,) are classes, or numbers in 0..1 if `n_classes` is 0. `rescaled` is whether a
    scaler that is fitted in each fold shifts and scales the columns first.
    """
    by_class = np.argsort(target, kind="stable") if n_classes else np.arange(len(X))
    X, target = np.ascontiguousarray(X[by_class]), target[by_class]
    labels = target if n_classes else np.zeros(len(X), dtype=np.int64)
    n_cases = len(X)
    smallest_range = 0.0 if rescaled else SMALLEST_RANGE
    table = scaled_table(selector, X, nominal, smallest_range)
    if rescaled and (nominal.any() or _may_be_constant_after_scaling(X)):
        return None
    n_threads = n_threads_for(selector.n_jobs, n_cases * X.size)
    all_cases = _all_cases(table, target, labels, n_classes, selector.n_neighbors, n_threads)
    ranges = _FoldRanges(X, table, nominal, smallest_range)
    distance_error = _distance_error(table, all_cases.distances, _magnification(X).sum() if rescaled else 0.0)
    is_alone = np.bincount(labels)[labels] == 1
    shared = [case for case in range(n_cases) if not is_alone[case] and case not in ranges.undecided]
    scores = np.full(X.shape, np.nan)

    def fill(cases):
        for case in cases:
            changes = ranges.changes_without(case)
            growth = changes.growth
            is_corrected = rescaled or len(growth)
            error = distance_error + 16 * _ROUNDING * growth[growth > 0].sum() if is_corrected else 0.0
            scores[case] = _scores_without(case, all_cases, changes, error)

    in_threads(fill, [(shared[part::n_threads],) for part in range(n_threads)], n_threads)
    in_given_order = np.empty_like(scores)
    in_given_order[by_class] = scores
    return in_given_order


@dataclass(frozen=True)
class _AllCases:
    """What ReliefF computes of all cases, sorted by class; every fold differs little from it.

    `bounds` (n_classes + 1,) are the first cases of the classes, `near` the buffers of `nearest_cases`, and `sums` the
    S of the module's docstring.
    """

    table: ScaledTable
    bounds: np.ndarray
    distances: np.ndarray
    near: tuple
    sums: "_ClassSums | _NumericSums"


def _all_cases(table, target, labels, n_classes, n_neighbors, n_threads):
    n_cases = len(labels)
    bounds = np.searchsorted(labels, np.arange(max(n_classes, 1) + 1))
    distances = np.empty((n_cases, n_cases))
    for first, last, strip in measured_strips(relief_kernels.pack(table.values), table, n_threads):
        kernels.unfold_strip(strip, first, last, distances)
    near = empty_buffers(n_cases, len(bounds) - 1, min(n_neighbors, n_cases - 1))
    kernels.find_neighbours(distances, bounds, near)
    sums = _ClassSums(table, labels, n_classes, near) if n_classes else _NumericSums(table, target, near)
    return _AllCases(table, bounds, distances, near, sums)


def _scores_without(left_out, all_cases, changes, error):
    """Return the scores (n_features,) without one case, or NaN where rounding could decide who is a neighbour."""
    near, columns, n_cases = all_cases.near, changes.columns, len(all_cases.distances)
    distances = all_cases.distances.copy()
    if len(columns):
        packed = np.zeros((-(-n_cases // relief_kernels.LANES), len(columns), relief_kernels.LANES))
        kernels.correct_distances(changes.old, changes.new, changes.growth, packed, distances)
    np.fill_diagonal(distances, np.inf)
    distances[:, left_out] = np.inf
    lists = near[1].copy(), near[2].copy()
    is_changed = np.zeros(lists[1].shape, dtype=bool)
    if not kernels.neighbours_in_fold(left_out, all_cases.bounds, distances, error, near, *lists, is_changed):
        return np.nan
    return all_cases.sums.scores_without(left_out, lists, is_changed, changes)


class _ClassSums:
    """S of classes, (n_classes, n_classes, n_features): sums of the differences by class of case and neighbour."""

    def __init__(self, table, labels, n_classes, near):
        self.table = table
        self.labels = labels
        self.n_classes = n_classes
        self.near = near
        self.kinds = (table.runs, table.missing_nominal)
        self.sums = np.zeros((n_classes, n_classes, table.values.shape[1]))
        kernels.sums_by_class(table.values, labels, near, self.sums, *self.kinds)

    def scores_without(self, left_out, lists, is_changed, changes):
        """Return the scores (n_features,) by the neighbours `lists` of a fold."""
        sums, labels = self.sums.copy(), self.labels
        kernels.exchange_lists(left_out, self.table.values, labels, self.near, *lists, is_changed, *self.kinds, sums)
        if len(changes.columns):
            new_sums = np.zeros((self.n_classes, self.n_classes, len(changes.columns)))
            by_case = np.ascontiguousarray(changes.new.T)
            kernels.sums_of_columns(left_out, by_case, changes.growth, labels, *lists, new_sums)
            sums[:, :, changes.columns] = new_sums
        class_counts = np.bincount(labels, minlength=self.n_classes)
        class_counts[labels[left_out]] -= 1
        return np.einsum("ab,abf->f", class_weights(class_counts), sums) / (len(labels) - 1)


class _NumericSums:
    """S of a numeric target, (2, n_features): sums of the differences, and of their products with the target's."""

    def __init__(self, table, target, near):
        self.table = table
        self.target = target
        self.near = near
        self.kinds = (table.runs, table.missing_nominal)
        self.sums = np.zeros((2, table.values.shape[1]))
        numeric_kernels.numeric_sums(table.values, target, near, self.sums, *self.kinds)

    def scores_without(self, left_out, lists, is_changed, changes):
        """Return the scores (n_features,) by the neighbours `lists` of a fold; NaN if `fit` could not score them."""
        sums, target, n_cases = self.sums.copy(), self.target, len(self.target) - 1
        numeric_kernels.exchange_numeric_lists(
            left_out, self.table.values, target, self.near, *lists, is_changed, *self.kinds, sums
        )
        if len(changes.columns):
            new_sums = np.zeros((2, len(changes.columns)))
            by_case = np.ascontiguousarray(changes.new.T)
            numeric_kernels.numeric_sums_of_columns(left_out, by_case, target, *lists, new_sums)
            sums[:, changes.columns] = new_sums
        span = np.ptp(np.delete(target, left_out))
        of_target = numeric_kernels.sum_of_target(left_out, target, *lists)
        if not _ROUNDING_OF_TARGET * span < of_target < (n_cases - _ROUNDING_OF_TARGET) * span:
            return np.nan
        of_feature, of_both = sums
        of_both = of_both / span
        of_target = of_target / span
        return of_both / of_target - (of_feature - of_both) / (n_cases - of_target)


@dataclass(frozen=True)
class _RangeChanges:
    """Features (`columns`) whose range changes without a case.

    `old` and `new` (n_changed, n_cases) are their values scaled by the range of all cases and by that of the fold;
    `growth` (n_changed,) is ``span before / span after - 1``, by which differences grow, or -1 for features to be
    compared value by value.
    """

    columns: np.ndarray
    old: np.ndarray
    new: np.ndarray
    growth: np.ndarray


class _FoldRanges:
    """The ranges of all features without each case.

    `undecided` is the set of cases without which a feature has no known value, or lacks a category: those folds have to
    be fitted separately.
    """

    def __init__(self, X, table, nominal, smallest_range):
        self.by_column = np.ascontiguousarray(X.T)
        self.table = table
        self.smallest_range = smallest_range
        self.low, self.lowest_case, self.high, self.highest_case = kernels.extremes(X)
        shrinks = [(self.low[1] > self.low[0], self.lowest_case), (self.high[1] < self.high[0], self.highest_case)]
        self.columns = [[] for _ in X]
        for column in np.flatnonzero(~nominal & (table.span > 0)):
            for case in {int(cases[column]) for shrunk, cases in shrinks if shrunk[column]}:
                self.columns[case].append(column)
        self.is_complete = ~np.isnan(X).any(axis=0)
        self.undecided = {int(self.lowest_case[column]) for column in np.flatnonzero((~np.isnan(X)).sum(axis=0) == 1)}
        for column in np.flatnonzero(nominal & ~self.is_complete):
            values, first, counts = np.unique(X[:, column], return_index=True, return_counts=True)
            self.undecided |= {int(case) for case in first[(counts == 1) & ~np.isnan(values)]}

    def changes_without(self, case):
        """Return the `_RangeChanges` of the fold without a case."""
        columns = np.array(self.columns[case], dtype=np.int64)
        low = np.where(self.lowest_case[columns] == case, self.low[1, columns], self.low[0, columns])
        high = np.where(self.highest_case[columns] == case, self.high[1, columns], self.high[0, columns])
        values, span_before = self.by_column[columns], self.table.span[columns]
        old = (values - self.low[0, columns, np.newaxis]) / span_before[:, np.newaxis]
        span = high - low
        is_flat = span < self.smallest_range if self.smallest_range else span == 0
        span[is_flat] = 1.0
        new = (values - low[:, np.newaxis]) / span[:, np.newaxis]
        new[is_flat] = np.where(np.isnan(new[is_flat]), np.nan, 0.0)
        growth = np.where(self.is_complete[columns] & ~is_flat, span_before / span - 1, -1.0)
        growth[growth > _MOST_GROWTH] = -1.0
        return _RangeChanges(columns, old, new, growth)


def _distance_error(table, distances, magnified):
    """Return a bound of the rounding error in comparing two distances that are summed in different orders.

    Each of the n_features differences is rounded, and the running sum after each: about 4 n_features roundings of the
    largest distance, and 8 of the scaled values, which are larger if a scaler `magnified` them before.
    """
    n_features = len(table.span)
    error = 4 * n_features * distances.max() + 8 * (n_features + magnified)
    return 2 * _ROUNDING * error


def _magnification(X):
    """Return the largest magnitude of each column (n_features,) in units of its smallest range in a fold."""
    low, _, high, _ = kernels.extremes(X)
    smallest = np.minimum(high[0] - low[1], high[1] - low[0])
    smallest = np.where(smallest > 0, smallest, high[0] - low[0])
    with np.errstate(invalid="ignore"):
        largest = np.maximum(np.abs(low[0]), np.abs(high[0]))
        return np.divide(largest, smallest, out=np.zeros(len(smallest)), where=smallest > 0)


def _may_be_constant_after_scaling(X):
    """Return whether a column varies so little, in all cases or in a fold, that a scaler may treat it as constant."""
    low, _, high, _ = kernels.extremes(X)
    with np.errstate(invalid="ignore"):
        ranges = np.stack([high[0] - low[0], high[0] - low[1], high[1] - low[0]])
        largest = np.maximum(np.abs(low[0]), np.abs(high[0]))
        small = (ranges > 0) & (ranges < np.maximum(largest / _MOST_MAGNIFIED, 1e-12))
    return bool(small.any())
