"""A selector and all cases go in; the scores without each of the cases come out, without a fit for each."""

import itertools

import numpy as np
from sklearn.base import clone

from radiodeep.preparation.kernels.cut_points import plogp_of_counts, row_orders
from radiodeep.preparation.tables import nominal_mask
from radiodeep.selection.kernels import relief as relief_kernels
from radiodeep.selection.kernels import relief_without_each as kernels
from radiodeep.selection.kernels.uncertainty import uncertainty_without
from radiodeep.selection.nearest_cases import SMALLEST_RANGE, empty_buffers, measured_strips, scaled_table
from radiodeep.selection.relieff import ReliefF, class_weights
from radiodeep.selection.symmetric_uncertainty import SymmetricUncertainty, as_categories
from radiodeep.selection.threads import in_threads, n_threads_for

_MOST_CASES = 4000  # of which two matrices of distances are held
_ROUNDING = 2.0**-53
_MOST_GROWTH = 1e6  # of differences without an outlier; beyond, their rounding would grow with them
_MOST_MAGNIFIED = 1e9  # values in units of their range, which scalers round relative to


def leave_one_out_scores(selector, X, y, rescaled=False):
    """Return the scores that a selector would have if it were fitted without each of the cases.

    Parameters
    ----------
    selector : ReliefF or SymmetricUncertainty
    X : array-like of shape (n_cases, n_features)
    y : array-like of shape (n_cases,)
    rescaled : bool, default=False
        The selector gets the columns moved and stretched by something fitted in each fold (such as
        StandardScaler), which changes no score but in its rounding.

    Returns
    -------
    ndarray of shape (n_cases, n_features), or None
        None for settings whose scores cannot be shared. A row of NaN stands for a fold that needs a fit
        of its own: the left-out case is the only one of its class, or neighbours are so equally far
        away that rounding decides between them.

    Notes
    -----
    For ReliefF the sums over all cases are kept and what a case changes is exchanged: its own part,
    the lists of neighbours that held it, and the features whose range it spans. For symmetric
    uncertainty one scan per feature bounds the gain of every cut without each case; most features have
    no cut in any fold.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep import ReliefF
    >>> from radiodeep.selection.leave_one_out import leave_one_out_scores
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(30, 4)), np.arange(30) % 2
    >>> scores = leave_one_out_scores(ReliefF(), X, y)
    >>> bool(np.allclose(scores[7], ReliefF().fit(np.delete(X, 7, 0), np.delete(y, 7)).scores_))
    True
    """
    selector = clone(selector)
    if isinstance(selector, ReliefF):
        sampled = selector.n_samples is not None and selector.n_samples < len(X) - 1
        if sampled or selector.target != "classes" or selector.weight_by_distance or len(X) > _MOST_CASES:
            return None
        X, labels, n_classes = selector._checked(X, y)
        return _relieff_scores(selector, X, labels, n_classes, rescaled)
    if isinstance(selector, SymmetricUncertainty):
        X, labels, n_classes = selector._checked(X, y)
        return None if rescaled and _nearly_equal_values(X) else _uncertainty_scores(selector, X, labels, n_classes)
    return None


def decides(selector, scores):
    """Return whether scores keep the same features as a fit's, from which they differ in their last digits."""
    if np.isnan(scores).any():
        return False
    if isinstance(selector, SymmetricUncertainty):
        return True  # to the last digit
    ordered = np.sort(scores)[::-1]
    n_wanted = selector._n_wanted(len(ordered))
    clear = n_wanted >= len(ordered) or ordered[n_wanted - 1] - ordered[n_wanted] > 1e-10
    if selector.threshold is None or not clear:
        return bool(clear)
    if ordered[0] <= selector.threshold:  # the best alone is kept
        clear = len(ordered) == 1 or ordered[0] - ordered[1] > 1e-10
    return bool(clear and np.abs(ordered - selector.threshold).min() > 1e-10)


def _relieff_scores(selector, X, labels, n_classes, rescaled):
    by_class = np.argsort(labels, kind="stable")
    X, labels = np.ascontiguousarray(X[by_class]), labels[by_class]
    n_cases, n_features = X.shape
    nominal = nominal_mask(selector, selector.nominal_features)
    smallest_range = 0.0 if rescaled else SMALLEST_RANGE
    table = scaled_table(selector, X, nominal, smallest_range)
    if rescaled and (nominal.any() or _nearly_constant(X)):
        return None
    bounds = np.searchsorted(labels, np.arange(n_classes + 1))
    kinds = (table.runs, table.missing_nominal)
    n_threads = n_threads_for(selector.n_jobs, n_cases**2 * n_features)
    distances = np.empty((n_cases, n_cases))
    for first, last, strip in measured_strips(relief_kernels.pack(table.values), table, n_threads):
        kernels.unfold_strip(strip, first, last, distances)
    # A neighbour more or less changes nothing but the sums, so all n - 1 others may be asked for.
    near = empty_buffers(n_cases, n_classes, min(selector.n_neighbors, n_cases - 1))
    kernels.find_neighbours(distances, bounds, near)
    sums = np.zeros((n_classes, n_classes, n_features))
    kernels.sums_by_class(table.values, labels, near, sums, *kinds)

    changes = _RangesOfFolds(X, table, nominal, smallest_range)
    error = _distance_error(X, table, distances) if rescaled else _distance_error(None, table, distances)
    class_counts = np.bincount(labels)
    shared = [case for case in range(n_cases) if class_counts[labels[case]] > 1 and case not in changes.undecided]
    scores = np.full((n_cases, n_features), np.nan)

    how = (labels, n_classes, bounds, distances, near, sums)

    def fill(cases):
        for case in cases:
            changed = changes.of(case)
            growth = changed[3]
            known = error + 16 * _ROUNDING * growth[growth > 0].sum() if rescaled or len(growth) else 0.0
            scores[case] = _scores_without(case, table, changed, known, *how)

    in_threads(fill, [(shared[part::n_threads],) for part in range(n_threads)], n_threads)
    unsorted = np.empty_like(scores)
    unsorted[by_class] = scores
    return unsorted


def _scores_without(left_out, table, changed, error, labels, n_classes, bounds, distances, near, sums):
    """Return the scores (p,) of the fold without one case, or NaN where they are not certain."""
    columns, old, new, stretch = changed
    n_cases = len(labels)
    kinds = (table.runs, table.missing_nominal)
    measured = distances.copy()
    if len(columns):
        packed = np.zeros((-(-n_cases // relief_kernels.LANES), len(columns), relief_kernels.LANES))
        kernels.correct_distances(old, new, stretch, packed, measured)
    np.fill_diagonal(measured, np.inf)
    measured[:, left_out] = np.inf
    cases, counts, is_changed = near[1].copy(), near[2].copy(), np.zeros(near[2].shape, dtype=bool)
    if not kernels.neighbours_in_fold(left_out, bounds, measured, error, near, cases, counts, is_changed):
        return np.nan
    fold_sums = sums.copy()
    kernels.exchange_lists(left_out, table.values, labels, near, cases, counts, is_changed, *kinds, fold_sums)
    if len(columns):
        fresh = np.zeros((n_classes, n_classes, len(columns)))
        by_case = np.ascontiguousarray(new.T)
        kernels.sums_of_columns(left_out, by_case, stretch, labels, cases, counts, fresh)
        fold_sums[:, :, columns] = fresh
    class_counts = np.bincount(labels, minlength=n_classes)
    class_counts[labels[left_out]] -= 1
    weights = class_weights(class_counts)
    return np.einsum("ab,abf->f", weights, fold_sums) / (n_cases - 1)


class _RangesOfFolds:
    """The features whose range shrinks without a case, their values then, and how much differences grow."""

    def __init__(self, X, table, nominal, smallest_range):
        self.by_column, self.table, self.smallest_range = np.ascontiguousarray(X.T), table, smallest_range
        self.low, self.lowest_case, self.high, self.highest_case = kernels.extremes(X)
        shrinks = [(self.low[1] > self.low[0], self.lowest_case), (self.high[1] < self.high[0], self.highest_case)]
        self.columns = [[] for _ in X]
        for column in np.flatnonzero(~nominal & (table.span > 0)):
            for case in {int(cases[column]) for shrunk, cases in shrinks if shrunk[column]}:
                self.columns[case].append(column)
        self.is_plain = ~np.isnan(X).any(axis=0)
        # A column of one known value, or a category of one case beside missing ones: no shortcut.
        self.undecided = {int(self.lowest_case[column]) for column in np.flatnonzero((~np.isnan(X)).sum(axis=0) == 1)}
        for column in np.flatnonzero(nominal & ~self.is_plain):
            values, first, counts = np.unique(X[:, column], return_index=True, return_counts=True)
            self.undecided |= {int(case) for case in first[(counts == 1) & ~np.isnan(values)]}

    def of(self, case):
        """Return columns (m,), their values (m, n) scaled for all and for the fold, and the growth of differences (m,).

        A growth of -1 stands for columns to be compared value by value.
        """
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
        growth = np.where(self.is_plain[columns] & ~is_flat, span_before / span - 1, -1.0)
        growth[growth > _MOST_GROWTH] = -1.0
        return columns, old, new, growth


def _distance_error(X, table, distances):
    """Return by how much two distances of a fold may be wrong together, when each is summed in another way."""
    n_features = len(table.span)
    magnified = 0.0 if X is None else _magnification(X).sum()
    of_one = 4 * n_features * distances.max() + 8 * (n_features + magnified)
    return 2 * _ROUNDING * of_one


def _magnification(X):
    """Return how much larger the values of a column (p,) are than their least range in a fold."""
    low, _, high, _ = kernels.extremes(X)
    least = np.minimum(high[0] - low[1], high[1] - low[0])
    least = np.where(least > 0, least, high[0] - low[0])
    with np.errstate(invalid="ignore"):
        largest = np.maximum(np.abs(low[0]), np.abs(high[0]))
        return np.divide(largest, least, out=np.zeros(len(least)), where=least > 0)


def _nearly_constant(X):
    """Return whether a column varies so little, in all or in a fold, that a scaler may take it for constant."""
    low, _, high, _ = kernels.extremes(X)
    with np.errstate(invalid="ignore"):
        ranges = np.stack([high[0] - low[0], high[0] - low[1], high[1] - low[0]])
        largest = np.maximum(np.abs(low[0]), np.abs(high[0]))
        small = (ranges > 0) & (ranges < np.maximum(largest / _MOST_MAGNIFIED, 1e-12))
    return bool(small.any())


def _uncertainty_scores(selector, X, labels, n_classes):
    nominal = nominal_mask(selector, selector.nominal_features)
    scores = np.zeros(X.shape)
    separate, logs = selector.missing == "separate", plogp_of_counts(len(labels))

    def fill(first, last):
        columns = np.array(X[:, first:last].T, order="C")  # a copy: categories are numbered in it
        order, n_known = row_orders(X[:, first:last])
        for column in np.flatnonzero(nominal[first:last]):
            columns[column] = as_categories(columns[column])
        how = (nominal[first:last], n_classes, separate, logs)
        uncertainty_without(columns, labels, order, n_known, *how, scores[:, first:last])

    n_threads = n_threads_for(selector.n_jobs, X.size * 250)
    bounds = np.linspace(0, X.shape[1], 4 * n_threads + 1).astype(int)
    in_threads(fill, list(itertools.pairwise(bounds)), n_threads)
    scores[np.bincount(labels)[labels] == 1] = np.nan  # that fold lacks a class
    return scores


def _nearly_equal_values(X):
    """Return whether values of a column differ so little that moving and stretching them may make them equal."""
    ordered = np.sort(X, axis=0)
    with np.errstate(invalid="ignore"):
        gaps = np.diff(ordered, axis=0)
        return bool(((gaps > 0) & (gaps < 1e-12 * np.nanmax(np.abs(X), axis=0, initial=0.0))).any())
