"""Table and times to an event -> a score per feature: how early those with high values have their event."""

import itertools
import warnings

import numpy as np
from scipy.stats import false_discovery_control, norm

from radiodeep.checks import is_number, require, require_option, require_probability
from radiodeep.exceptions import RadiodeepWarning
from radiodeep.preparation.concordance import concordances
from radiodeep.preparation.kernels.concordance import count_survival_pairs, first_correlated
from radiodeep.preparation.risk_sets import RiskSets
from radiodeep.preparation.tables import checked_survival_table
from radiodeep.selection.ranking import RankedSelector
from radiodeep.selection.threads import in_threads, n_threads_for

_VALUES_AT_ONCE = 100_000  # few enough for the processor's cache
_CONSTANT = 1e-12  # variance relative to the largest square; a smaller one is rounding


class _SurvivalSelector(RankedSelector):
    """Base class of selectors whose y holds times to an event."""

    def fit(self, X, y):
        """Score the features and keep the best.

        Parameters
        ----------
        X : array-like of shape (n_cases, n_features)
            NaN for missing values; each feature is scored by the cases in which it is known.
        y : structured ndarray of shape (n_cases,)
            Event and time, as `survival_outcomes` and scikit-survival make them.
        """
        return super().fit(X, y)

    def _validated(self, X, y):
        self._check_ranking()
        self._check_settings()
        X, event, time = checked_survival_table(self, X, y, allows_nan=True)
        return X, (event, time), 0


class UnivariateCox(_SurvivalSelector):
    """Keep the features that, each taken alone, have the largest score statistic of Cox's model.

    The score test compares the feature of each case that has an event with the features of all cases at risk then. It
    is the log-rank test if the feature has two values, and needs no fit.

    Parameters
    ----------
    n_features_to_select : int, float in (0, 1] or None, default=10
        At most this count or fraction is kept; None keeps all that pass.
    threshold : float, optional
        Keep only features with a larger score; 1.96 is p < 0.05 of each alone.
    max_false_discovery_rate : float in (0, 1), optional
        Keep only features whose p-value, adjusted by Benjamini and Hochberg, is at most this.
    ties : {"efron", "breslow"}, default="efron"
        How events at the same time are treated.
    tie_order : {"left", "weka"}, default="left"
        Order of equal scores: from left to right, or as Weka's ranker sorts them.
    n_jobs : int, optional
        Threads.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        Absolute values of `z_values_`.
    z_values_ : ndarray of shape (n_features,)
        Standard normal if the feature has no influence; positive if high values go with early events; 0 for a constant.
    p_values_, adjusted_p_values_ : ndarray of shape (n_features,)
        Two-sided; adjusted for the false discovery rate among all features.
    ranking_ : ndarray of shape (n_features,)
        1 is the best.
    n_features_above_threshold_ : int
    effective_n_features_ : float
        The number of uncorrelated features that the selected ones are worth (`effective_number_of_features`).
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Notes
    -----
    If no feature passes, only the first-ranked one is kept, with a `RadiodeepWarning`.

    References
    ----------
    Cox, J. Royal Statistical Society B 34 (1972) 187. Benjamini, Hochberg, J. Royal Statistical Society B 57 (1995)
    289.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 200))
    >>> time = rng.exponential(np.exp(-X[:, 7]))
    >>> y = rd.survival_outcomes(event=time < 2, time=np.minimum(time, 2))
    >>> selector = rd.UnivariateCox(max_false_discovery_rate=0.05).fit(X, y)
    >>> selector.get_support(indices=True).tolist(), selector.z_values_[7].round(1)
    ([7], np.float64(6.0))
    """

    _compiled_loops = ()

    def __init__(
        self,
        n_features_to_select=10,
        threshold=None,
        *,
        max_false_discovery_rate=None,
        ties="efron",
        tie_order="left",
        n_jobs=None,
    ):
        self.n_features_to_select = n_features_to_select
        self.threshold = threshold
        self.max_false_discovery_rate = max_false_discovery_rate
        self.ties = ties
        self.tie_order = tie_order
        self.n_jobs = n_jobs

    def _check_settings(self):
        require_option(self.ties, ("efron", "breslow"), self, "ties")
        if self.max_false_discovery_rate is not None:
            require_probability(self.max_false_discovery_rate, self, "max_false_discovery_rate")

    def _scores(self, X, outcomes, n_classes):
        event, time = outcomes
        incomplete = np.isnan(X).any(axis=0)
        self.z_values_ = np.zeros(X.shape[1])
        self.z_values_[~incomplete] = self._z_values(X[:, ~incomplete], event, time)
        for column in np.flatnonzero(incomplete):
            known = ~np.isnan(X[:, column])
            if event[known].any():
                self.z_values_[column] = self._z_values(X[known][:, [column]], event[known], time[known])[0]
        self.p_values_ = 2 * norm.sf(np.abs(self.z_values_))
        self.adjusted_p_values_ = false_discovery_control(self.p_values_)
        return np.abs(self.z_values_)

    def _z_values(self, X, event, time):
        """Return the score statistics of columns without NaN: U / sqrt(V), with derivatives at the coefficient 0.

        U is the sum over the events of a case's distance from the mean of those at risk, V that of their variances.
        """
        risk_sets = RiskSets(event, time, self.ties)
        n_at_risk = risk_sets.sums(np.ones(len(X)))[:, np.newaxis]

        def score(first, last):
            part = X[risk_sets.order, first:last]
            part = part - part.mean(axis=0)
            mean = risk_sets.sums(part) / n_at_risk
            variance = (risk_sets.sums(part**2) / n_at_risk - mean**2).sum(axis=0)
            excess = part[risk_sets.events].sum(axis=0) - mean.sum(axis=0)
            varies = variance > _CONSTANT * (X[:, first:last] ** 2).max(axis=0)
            return np.where(varies, excess, 0.0) / np.sqrt(np.where(varies, variance, 1.0))

        bounds = [*range(0, X.shape[1], max(1, _VALUES_AT_ONCE // len(X))), X.shape[1]]
        n_threads = n_threads_for(self.n_jobs, X.size * 20)
        return np.concatenate([np.zeros(0), *in_threads(score, list(itertools.pairwise(bounds)), n_threads)])

    def _deselect(self, X, outcomes, n_classes):
        """Remove the features that may be false discoveries, except the best of all."""
        if self.max_false_discovery_rate is None:
            return
        passed = self.support_ & (self.adjusted_p_values_ <= self.max_false_discovery_rate)
        best = int(np.argmin(self.ranking_))
        if not passed.any():
            passed[best] = True
            warnings.warn(
                f"No feature passes a false discovery rate of {self.max_false_discovery_rate:g} (the least adjusted "
                f"p-value is {self.adjusted_p_values_[best]:.2g}), so only the first-ranked one, "
                f"{self._name_of(best)}, is kept and it means nothing. Read the result as 'nothing found'.",
                RadiodeepWarning,
                stacklevel=4,
            )
        self.support_ = passed


class ConcordanceSelector(_SurvivalSelector):
    """Keep the features that best order the cases by the time of their events, except those that repeat a better one.

    Harrell's C of a feature is the share of the comparable pairs of cases in which the one with the higher value has
    its event first. The mutual concordance of two features is the share of the pairs of cases that both order alike. It
    is 0.5 for independent features, and 0 is as redundant as 1.

    Parameters
    ----------
    n_features_to_select : int, float in (0, 1] or None, default=10
        At most this count or fraction is kept; None keeps all that pass.
    threshold : float, optional
        Keep only features with a larger score.
    max_mutual_concordance : float in (0.5, 1] or None, default=0.9
        A feature is left out if its mutual concordance with a better one that is kept is at least this, or at most 1
        minus this. None keeps all.
    tie_order : {"left", "weka"}, default="left"
        Order of equal scores: from left to right, or as Weka's ranker sorts them.
    n_jobs : int, optional
        Threads.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        Distance of `concordances_` from 0.5, in 0..0.5.
    concordances_ : ndarray of shape (n_features,)
        Harrell's C: above 0.5 if high values go with early events; NaN if no pair of cases is comparable.
    redundant_with_ : int ndarray of shape (n_features,)
        The kept column that a feature repeats; -1 for all others.
    ranking_ : ndarray of shape (n_features,)
        1 is the best, by the score.
    n_features_above_threshold_ : int
    effective_n_features_ : float
        The number of uncorrelated features that the selected ones are worth (`effective_number_of_features`).
    n_features_in_ : int
    feature_names_in_ : ndarray of str, for tables with names

    Notes
    -----
    The mutual concordance is (1 + tau) / 2 with Kendall's tau-b, so that equal values neither add nor subtract; 0.9 is
    a rank correlation of 0.8.

    References
    ----------
    Harrell, Lee, Mark, Statistics in Medicine 15 (1996) 361. Kendall, Biometrika 33 (1945) 239.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 4))
    >>> X[:, 2] = 0.1 * X[:, 2] - X[:, 1]
    >>> time = rng.exponential(np.exp(-X[:, 1] - X[:, 3]))
    >>> y = rd.survival_outcomes(event=time < 2, time=np.minimum(time, 2))
    >>> selector = rd.ConcordanceSelector(n_features_to_select=3).fit(X, y)
    >>> selector.get_support(indices=True).tolist(), selector.redundant_with_.tolist()
    ([0, 1, 3], [-1, -1, 1, -1])
    """

    _compiled_loops = (count_survival_pairs,)

    def __init__(
        self,
        n_features_to_select=10,
        threshold=None,
        *,
        max_mutual_concordance=0.9,
        tie_order="left",
        n_jobs=None,
    ):
        self.n_features_to_select = n_features_to_select
        self.threshold = threshold
        self.max_mutual_concordance = max_mutual_concordance
        self.tie_order = tie_order
        self.n_jobs = n_jobs

    def _check_settings(self):
        most = self.max_mutual_concordance
        is_allowed = most is None or (is_number(most) and 0.5 < most <= 1)
        require(is_allowed, self, "max_mutual_concordance", "a float in (0.5, 1] or None")

    def _scores(self, X, outcomes, n_classes):
        event, time = outcomes
        n_threads = n_threads_for(self.n_jobs, X.size * event.sum())
        bounds = np.linspace(0, X.shape[1], n_threads + 1).astype(int)
        calls = [(event, time, X[:, first:last]) for first, last in itertools.pairwise(bounds)]
        self.concordances_ = np.concatenate(in_threads(concordances, calls, n_threads))
        return np.abs(np.nan_to_num(self.concordances_, nan=0.5) - 0.5)

    def _deselect(self, X, outcomes, n_classes):
        """Replace features that repeat a better one by the next ones of the ranking."""
        self.redundant_with_ = np.full(X.shape[1], -1)
        if self.max_mutual_concordance is None or not self.n_features_above_threshold_:
            return
        order = np.argsort(self.ranking_)[: self.n_features_above_threshold_]
        most, limit = self._n_wanted(X.shape[1]), 2 * self.max_mutual_concordance - 1
        correlated_with = first_correlated(np.ascontiguousarray(X[:, order].T), limit - 1e-12, most)
        self.support_ = np.zeros(X.shape[1], dtype=bool)
        self.support_[order[correlated_with == -1]] = True
        self.redundant_with_[order] = np.where(correlated_with >= 0, order[correlated_with], -1)
