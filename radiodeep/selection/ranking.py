"""A score per feature goes in; ranks and the mask of the features that are kept come out."""

import warnings
from contextlib import nullcontext

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from radiodeep.checks import is_count, is_number, require
from radiodeep.exceptions import RadiodeepWarning
from radiodeep.progress import announced_if_slow
from radiodeep.selection.effective_number import effective_number_of_features


class RankedSelector(SelectorMixin, BaseEstimator):
    """Base of selectors that give each feature a score and keep the best.

    A subclass stores `n_features_to_select`, `threshold` and `tie_order` in `__init__`, calls
    `_check_how_many` first, then `_keep_best(scores)` and last `_count_effective(X)` in `fit`.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        return tags

    def _check_how_many(self):
        wanted = self.n_features_to_select
        is_fraction = is_number(wanted) and not is_count(wanted, 0) and 0 < wanted <= 1
        require(
            wanted is None or is_count(wanted, 1) or (is_fraction and not isinstance(wanted, int)),
            self,
            "n_features_to_select",
            "an int >= 1, a float in (0, 1] or None",
        )
        require(self.threshold is None or is_number(self.threshold), self, "threshold", "a float or None")
        require(self.tie_order in ("left", "weka"), self, "tie_order", "'left' or 'weka'")

    def _keep_best(self, scores):
        order = weka_order(scores)[::-1] if self.tie_order == "weka" else _from_best(scores)
        ranking = np.empty(len(scores), dtype=np.int64)
        ranking[order] = np.arange(1, len(scores) + 1)
        above = np.full(len(scores), True) if self.threshold is None else scores > self.threshold
        support = above & (ranking <= self._n_wanted(len(scores)))
        if not support.any():
            best = order[0]
            support[best] = True
            warnings.warn(
                f"No feature has a {type(self).__name__} score above the threshold {self.threshold:g} (the best "
                f"is {scores[best]:g}), so only the first-ranked one, {self._name_of(best)}, is kept and it means "
                "nothing. Lower the threshold, or read the result as 'nothing found'.",
                RadiodeepWarning,
                stacklevel=3,
            )
        self.scores_ = scores
        self.ranking_ = ranking
        self.n_features_above_threshold_ = int(above.sum())
        self.support_ = support

    def _count_effective(self, X):
        self.effective_n_features_ = effective_number_of_features(X[:, self.support_])

    def _told_if_compiling(self, loop):
        """Tell a person at a terminal why the first fit on a machine takes seconds; `loop` is compiled by then."""
        if loop.signatures:
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


def _from_best(scores):
    """Return the positions from the highest score down, equal ones from left to right."""
    order = np.argsort(-scores)  # several times as fast as a stable sort
    return np.argsort(-scores, kind="stable") if (np.diff(scores[order]) == 0).any() else order


def weka_order(values):
    """Return the positions of values in ascending order, equal ones where Weka's sort leaves them.

    Weka's ranker sorts by quicksort with the median of first, middle and last as pivot, which does
    not keep the order of equal values. Only needed to repeat what Weka selected among ties.
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
        # The pivot waits beside the last; the scans run towards each other between first and there.
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
