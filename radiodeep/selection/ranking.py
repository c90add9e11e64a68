"""A score per feature -> ranks and the mask of the selected features."""

import copy
import warnings
from contextlib import nullcontext

import joblib
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.checks import is_count, is_number, is_positive, require, require_n_jobs, require_option
from radiodeep.exceptions import RadiodeepWarning
from radiodeep.progress import announced_if_slow
from radiodeep.selection.effective_number import effective_number_of_features

_RANKING_PARAMETERS = ("n_features_to_select", "threshold", "tie_order", "n_jobs")  # no score depends on them


class RankedSelector(SelectorMixin, BaseEstimator):
    """Base class of selectors that score each feature and keep the best.

    A subclass stores `n_features_to_select`, `threshold`, `tie_order` and `n_jobs` in `__init__`, and implements

    - `_validated(X, y)`: check the settings; return the table, the labels as numbers and the number of classes, or a
      numeric target and 0;
    - `_scores(X, labels, n_classes)`: return the scores (n_features,);
    - `_compiled_loops`: the compiled functions that `_scores` calls;
    - optionally `_deselect(X, labels, n_classes)`, which removes features from `support_` after the ranking, and
      `_can_share` with `_scores_of_folds`, if the scores of all leave-one-out folds can be computed together.
    """

    def fit(self, X, y):
        """Score the features and keep the best.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
            NaN for missing values.
        y : array-like of shape (n_cases,)
            Classes or numbers; see `target`.
        """
        X, labels, n_classes = self._validated(X, y)
        with self._announced_if_compiling():
            scores = self._scores(X, labels, n_classes)
        self._keep_best(scores)
        self.warn_if_none_passed()
        self._deselect(X, labels, n_classes)
        self.effective_n_features_ = effective_number_of_features(X[:, self.support_])
        return self

    def ranking_settings(self):
        """Return a text that is equal for selectors of equal scores, whatever number of features they keep."""
        settings = {name: value for name, value in self.get_params().items() if name not in _RANKING_PARAMETERS}
        return f"{type(self).__module__}.{type(self).__qualname__} {joblib.hash(settings)}"

    def scores_without_each(self, X, y, *, rescaled=False):
        """Return the scores that `fit` would give without each of the cases.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
        y : array-like of shape (n_cases,)
        rescaled : bool, default=False
            Whether a scaler that is fitted in each fold (such as StandardScaler) shifts and scales the columns before
            the selector sees them. This changes no score except in its rounding.

        Returns
        -------
        ndarray of shape (n_cases, n_features) or None
            A row of NaN for a fold that has to be fitted separately: the case left out is the only one of its class, or
            rounding would decide between neighbours. None if all have to: for `FastCorrelationFilter`; for `ReliefF`
            with `n_samples`, `weight_by_distance` or more than 4,000 cases; and if rescaling could make different
            values of a column equal.
        """
        selector = clone(self)
        if not selector._can_share(len(X)):
            return None
        X, labels, n_classes = selector._validated(X, y)
        return selector._scores_of_folds(X, labels, n_classes, rescaled)

    def fit_without_each(self, X, y, *, rescaled=False, scores=None):
        """Fit a copy of the selector without each of the cases, as the folds of leave-one-out do.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
        y : array-like of shape (n_cases,)
        rescaled : bool, default=False
            As in `scores_without_each`.
        scores : ndarray of shape (n_cases, n_features), optional
            What `scores_without_each` of a selector with equal `ranking_settings()` returned for X and y.

        Returns
        -------
        list of n_cases fitted selectors
            None where a fold has to be fitted separately: the case left out is the only one of its class, or scores
            or distances are so close that rounding would decide. No selector warns; `warn_if_none_passed` does.
        """
        if scores is None:
            scores = self.scores_without_each(X, y, rescaled=rescaled)
        if scores is None:
            return [None] * len(y)
        selector = clone(self)
        selector._check_ranking()
        X = validate_data(selector, X, dtype=np.float64, ensure_all_finite="allow-nan")
        fitted = []
        for case, row in enumerate(scores):
            copied = copy.copy(selector) if selector._is_decided(row) else None
            if copied is not None:
                copied._keep_best(row.copy())
                selected = np.delete(X[:, copied.support_], case, axis=0)
                copied.effective_n_features_ = effective_number_of_features(selected)
            fitted.append(copied)
        return fitted

    def warn_if_none_passed(self, stacklevel=3):
        """Warn if no score passed the threshold, so that the best feature is kept without any evidence."""
        check_is_fitted(self)
        if self.n_features_above_threshold_:
            return
        best = int(np.argmax(self.support_))
        warnings.warn(
            f"No feature has a {type(self).__name__} score above the threshold {self.threshold:g} (the best is "
            f"{self.scores_[best]:g}), so only the first-ranked one, {self._name_of(best)}, is kept and it means "
            "nothing. Lower the threshold, or read the result as 'nothing found'.",
            RadiodeepWarning,
            stacklevel=stacklevel,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags

    def _can_share(self, n_cases):
        """Return whether `_scores_of_folds` can compute the scores without each of this number of cases."""
        return False

    def _deselect(self, X, labels, n_classes):
        """Remove selected features that should not be kept in spite of their rank: none."""

    def _is_decided(self, scores):
        """Return whether scores certainly keep the same features as those of `fit`, which differ in the last digits."""
        return not np.isnan(scores).any()

    def _check_ranking(self):
        wanted = self.n_features_to_select
        is_share = is_positive(wanted) and wanted <= 1
        is_allowed = wanted is None or is_count(wanted, 1) or is_share
        require(is_allowed, self, "n_features_to_select", "an int >= 1, a float in (0, 1] or None")
        require(self.threshold is None or is_number(self.threshold), self, "threshold", "a float or None")
        require_option(self.tie_order, ("left", "weka"), self, "tie_order")
        require_n_jobs(self.n_jobs, self)

    def _keep_best(self, scores):
        order = weka_order(scores)[::-1] if self.tie_order == "weka" else _descending_order(scores)
        ranking = np.empty(len(scores), dtype=np.int64)
        ranking[order] = np.arange(1, len(scores) + 1)
        above = np.full(len(scores), True) if self.threshold is None else scores > self.threshold
        support = above & (ranking <= self._n_wanted(len(scores)))
        if not support.any():
            support[order[0]] = True
        self.scores_ = scores
        self.ranking_ = ranking
        self.n_features_above_threshold_ = int(above.sum())
        self.support_ = support

    def _announced_if_compiling(self):
        """Return a context that explains at a terminal why the first fit on a machine takes seconds."""
        if all(loop.signatures for loop in self._compiled_loops):  # there is none before the first call
            return nullcontext()
        return announced_if_slow("Compiling the loops of the selectors, once on this machine; some 10 seconds in all.")

    def _n_wanted(self, n_features):
        wanted = self.n_features_to_select
        if wanted is None:
            return n_features
        return wanted if is_count(wanted, 1) else max(1, int(wanted * n_features + 1e-9))

    def _name_of(self, column):
        names = getattr(self, "feature_names_in_", None)
        return f"column {column}" if names is None else repr(names[column])

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.support_


def _descending_order(scores):
    """Return the positions by descending score, equal scores from left to right."""
    order = np.argsort(-scores)  # several times as fast as a stable sort
    return np.argsort(-scores, kind="stable") if (np.diff(scores[order]) == 0).any() else order


def weka_order(values):
    """Return the positions of values in ascending order, equal ones in the order of Weka's sort.

    Weka's ranker is a quicksort with the median of the first, middle and last value as pivot, which is not stable.
    It is needed only to reproduce which of several tied features Weka selects.
    """
    order = np.arange(len(values))
    values = np.asarray(values, dtype=float)

    def exchange_if_larger(a, b):
        if values[order[a]] > values[order[b]]:
            order[a], order[b] = order[b], order[a]

    parts = [(0, len(values) - 1)]
    while parts:
        first, last = parts.pop()
        if last - first < 1:
            continue
        middle = (first + last) // 2 if last - first > 2 else first + 1
        for a, b in ((first, middle), (first, last), (middle, last)):
            if a != b:
                exchange_if_larger(a, b)
        if last - first <= 2:
            continue
        # The pivot is kept next to the last value; two scans run towards each other between the first value and it.
        order[middle], order[last - 1] = order[last - 1], order[middle]
        pivot, low, high = values[order[last - 1]], first, last - 1
        while True:
            low, high = low + 1, high - 1
            while values[order[low]] < pivot:
                low += 1
            while values[order[high]] > pivot:
                high -= 1
            if low >= high:
                break
            order[low], order[high] = order[high], order[low]
        order[low], order[last - 1] = order[last - 1], order[low]
        parts += [(first, low - 1), (low + 1, last)]
    return order
