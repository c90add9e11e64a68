"""A result -> the calibration of its probabilities, and the benefit of acting on its predictions.

Net reclassification improvement is left out on purpose: it increases when noise is added to a model, it
depends on arbitrary cut-offs, and the decision curve answers its question.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from radiodeep.checks import require
from radiodeep.exceptions import StudyError
from radiodeep.study.result import require_results
from radiodeep.study.statistics.calibration_measures import measures_of_calibration
from radiodeep.study.statistics.proportions import proportion_among

_FORMATS = {
    "calibration in the large": "+z.2f",
    "O:E": ".2f",
    "slope": ".2f",
    "Brier score": ".3f",
    "scaled Brier score": ".2f",
}


_WIDEST_GAP = 0.2  # between the probabilities of a group, whose mean would lie where none is


@dataclass(frozen=True, eq=False)
class Calibration:
    """Agreement of predicted probabilities with the labels; `print` gives the sentence for the paper.

    Attributes
    ----------
    slope : float
        Of the logistic regression of the label on the log-odds; 1 is ideal, below 1 means too extreme probabilities.
    intercept : float
        Of the same regression, which has a meaning only together with the slope.
    in_the_large : float
        Intercept of that regression with the slope fixed at 1; 0 is ideal, above 0 the probabilities are too low.
    observed_expected : float
        Number of events (cases of the positive class) divided by the sum of the probabilities, of repeated folds by
        its mean; 1 is ideal.
    brier : float
        Mean squared error of the probabilities; always predicting the prevalence p gives p (1 - p).
    scaled_brier : float
        1 - Brier score / (p (1 - p)): 1 is ideal, 0 as good as always predicting the prevalence.
    measures : DataFrame
        `value`, `low` and `high` of all these. The bounds are NaN where the split gives no valid ones, as
        leave-one-out and leave-pair-out: take the `companion` of the result.
    curve : DataFrame
        Mean `predicted` probability, `observed` frequency with the bounds `low` and `high` of its interval, and `n` of
        groups of cases of similar probability; of repeated folds over all repeats, where `n` is the mean of a repeat.
    n_cases, n_events : int
    confidence_level : float
    """

    slope: float
    intercept: float
    in_the_large: float
    observed_expected: float
    brier: float
    scaled_brier: float
    measures: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    n_cases: int
    n_events: int
    confidence_level: float

    def __str__(self):
        words = ", ".join(self._in_words(name, form) for name, form in _FORMATS.items())
        return f"{words[0].upper()}{words[1:]}, {self.n_cases} cases with {self.n_events} events"

    def _in_words(self, name, form):
        value, low, high = self.measures.loc[name]
        if np.isnan(value):
            return f"{name} not defined (the probabilities separate the classes)"
        bounds = "" if np.isnan(low) else f" ({self.confidence_level:.0%} CI {low:{form}} to {high:{form}})"
        return f"{name} {value:{form}}{bounds}"


def calibration(result, n_groups=5, confidence_level=0.95):
    """Measure the agreement of out-of-fold probabilities with the labels.

    Parameters
    ----------
    result : StudyResult
        Of a model that predicts probabilities. Those of naive Bayes and boosted trees are often too extreme.
    n_groups : int, default=5
        Groups for the curve, of about equal size: cases of equal probability are in the same group, and
        none spans a gap of more than 0.2.
    confidence_level : float, default=0.95

    Returns
    -------
    Calibration
        Of repeated folds the mean over the repeats. Slope and intercept are NaN if the probabilities of a
        repeat separate the classes, in either direction.

    Raises
    ------
    StudyError
        The model predicts no probabilities, or the outcome is not one of two classes.

    Notes
    -----
    Intervals leave out one patient after the other (the regressions are updated by one step of Newton's method), and
    allow for the choice of the training cases as that of the AUC does. In simulations they cover the values of the
    models in 90 to 98 % of studies of one fixed model, and in 98 to 100 % of repeated folds.

    References
    ----------
    Cox, Two Further Applications of a Model for Binary Regression, Biometrika 45 (1958) 562. Van
    Calster et al., Calibration: the Achilles heel of predictive analytics, BMC Medicine 17 (2019) 230. Steyerberg et
    al., Assessing the performance of prediction models, Epidemiology 21 (2010) 128, for the scaled Brier score.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import calibration, cross_validated_auc
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 40)
    >>> result = cross_validated_auc(LogisticRegression(), rng.normal(size=(80, 2)) + y[:, None], y, cv=10)
    >>> calibration(result).measures.loc[["slope", "Brier score"]].round(2)
                 value   low  high
    slope         0.93 -0.00  1.86
    Brier score   0.20  0.14  0.28
    """
    positive, repeats = _probabilities(result)
    measures = measures_of_calibration(positive, repeats, result, confidence_level)
    curve = _curve(result, positive, repeats, n_groups, confidence_level)
    floats = measures["value"].tolist()
    return Calibration(*floats, measures, curve, len(positive), int(positive.sum()), confidence_level)


def _curve(result, positive, repeats, n_groups, confidence_level):
    """Return the curve of a `Calibration`, in order of the probability."""
    ranks = (rankdata(repeats) - 0.5) / repeats.size
    quantile = (ranks * min(n_groups, len(positive))).astype(int)
    order = np.argsort(repeats, axis=None, kind="stable")
    is_next = (np.diff(quantile[order]) > 0) | (np.diff(repeats.ravel()[order]) > _WIDEST_GAP)
    group_of = np.empty(repeats.shape, dtype=int)
    group_of.flat[order] = np.append(0, np.cumsum(is_next))
    positive = np.broadcast_to(positive, repeats.shape)
    rows = []
    for group in np.unique(group_of):
        among = group_of == group
        observed = proportion_among(result, positive, among, confidence_level)
        rows.append((repeats[among].mean(), *observed, among.sum() / len(repeats)))
    return pd.DataFrame(rows, columns=["predicted", "observed", "low", "high", "n"])


def decision_curve(result, thresholds=None):
    """Return the net benefit of acting on the probabilities of a result.

    Parameters
    ----------
    result : StudyResult
        Of a model that predicts probabilities.
    thresholds : array-like, optional
        Probabilities from which one would act, between 0 and 1; 0.01 to 0.99 if not given.

    Returns
    -------
    DataFrame
        `threshold`, and the net benefit of `model`, `treat_all` and `treat_none`: true positives per case, minus
        false positives per case weighted by the odds of the threshold. Of repeated folds the mean over the repeats.
        The benefit holds where the outcome is as frequent as in these cases: not in a case-control sample.

    References
    ----------
    Vickers, Elkin, Decision Curve Analysis, Medical Decision Making 26 (2006) 565.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import cross_validated_auc, decision_curve
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 40)
    >>> result = cross_validated_auc(LogisticRegression(), rng.normal(size=(80, 2)) + y[:, None], y, cv=10)
    >>> decision_curve(result, [0.25, 0.5]).round(3).to_dict("list")["treat_all"]
    [0.333, 0.0]
    """
    positive, repeats = _probabilities(result)
    thresholds = np.arange(1, 100) / 100 if thresholds is None else np.atleast_1d(np.asarray(thresholds, dtype=float))
    is_valid = bool(((thresholds > 0) & (thresholds < 1)).all())
    require(is_valid, decision_curve, "thresholds", "floats between 0 and 1", thresholds.tolist(), error=StudyError)
    odds = thresholds / (1 - thresholds)
    is_treated = repeats[:, np.newaxis] >= thresholds[:, np.newaxis]  # (n_repeats, n_thresholds, n_cases)
    model = ((is_treated & positive).mean(axis=2) - (is_treated & ~positive).mean(axis=2) * odds).mean(axis=0)
    treat_all = positive.mean() - (~positive).mean() * odds
    return pd.DataFrame({"threshold": thresholds, "model": model, "treat_all": treat_all, "treat_none": 0.0})


def _probabilities(result):
    """Return which cases are positive, and the probabilities of each repeat, (n_repeats, n_cases)."""
    require_results(result)
    endpoint = result.endpoint
    endpoint.require("calibration")
    repeats = result.probability_array
    if np.isnan(repeats).any():
        raise StudyError(
            f"{result.name} gave no probabilities. Wrap its classifier in sklearn.calibration.CalibratedClassifierCV."
        )
    return endpoint.is_positive, repeats
