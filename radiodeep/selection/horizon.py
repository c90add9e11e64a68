"""Table and times to an event -> the features that a selector of classes keeps for the classes at a horizon."""

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from radiodeep.checks import is_positive, require
from radiodeep.preparation.survival import horizon_labels

_LEARNED = ("scores_", "ranking_", "support_", "n_features_above_threshold_", "effective_n_features_")


class HorizonSelector(MetaEstimatorMixin, SelectorMixin, BaseEstimator):
    """Let any selector of classes select features for times to an event, by the classes at a horizon.

    Cases with an event by the horizon are one class, cases that are followed beyond it the other. Cases that were
    censored by the horizon are left out.

    Parameters
    ----------
    selector : selector
        For two classes, such as `ReliefF`, `SymmetricUncertainty` or `FastCorrelationFilter`.
    horizon : float > 0
        In the unit of the times.

    Attributes
    ----------
    selector_ : fitted selector
    n_cases_ : int
        Number of cases whose class is known.
    scores_, ranking_, support_, n_features_above_threshold_, effective_n_features_
        Those of `selector_`, as far as it has them.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Raises
    ------
    InputError
        The horizon is not > 0, or `y` holds no times to an event.
    SingleClassError
        No case has an event by the horizon, or none is followed beyond it.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> time = rng.exponential(np.exp(X[:, 1] * X[:, 3]))  # neither feature says anything alone
    >>> y = rd.survival_outcomes(event=time < 3, time=np.minimum(time, 3))
    >>> selector = rd.HorizonSelector(rd.ReliefF(n_features_to_select=2), horizon=1.0).fit(X, y)
    >>> sorted(selector.get_support(indices=True).tolist())
    [1, 3]
    """

    def __init__(self, selector, horizon):
        self.selector = selector
        self.horizon = horizon

    def fit(self, X, y):
        """Fit the selector to the cases whose class at the horizon is known.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
        y : structured ndarray of shape (n_cases,)
            Event and time, as `survival_outcomes` and scikit-survival make them.
        """
        require(is_positive(self.horizon), self, "horizon", "a number > 0")
        check_consistent_length(X, y)
        is_event, weight = horizon_labels(y, self.horizon)
        known = np.flatnonzero(weight)
        self.n_cases_ = len(known)
        self.selector_ = clone(self.selector).fit(_safe_indexing(X, known), is_event[known])
        for name in (*_LEARNED, "n_features_in_", "feature_names_in_"):
            if hasattr(self.selector_, name):
                setattr(self, name, getattr(self.selector_, name))
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = get_tags(self.selector).input_tags.allow_nan
        return tags

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.selector_.get_support()
