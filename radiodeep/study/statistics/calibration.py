"""A result -> the calibration of its probabilities, its sensitivity, and the benefit of acting on its predictions.

Net reclassification improvement is left out on purpose: it increases when noise is added to a model, it
depends on arbitrary cut-offs, and the decision curve answers its question.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_curve

from radiodeep.checks import require, require_probability
from radiodeep.exceptions import StudyError
from radiodeep.study.result import require_results
from radiodeep.study.statistics.auc import ConfidenceInterval, accuracy_interval


@dataclass(frozen=True, eq=False)
class Calibration:
    """Agreement of predicted probabilities with the labels; `print` gives the sentence for the paper.

    Attributes
    ----------
    slope : float
        Of the logistic regression of the label on the log-odds; 1 is ideal, below 1 means too extreme probabilities.
    intercept : float
        Of the same regression; 0 is ideal if the slope is 1. (Calibration in the large, with the slope fixed
        at 1, is another quantity.)
    brier : float
        Mean squared error of the probabilities; always predicting the prevalence p gives p (1 - p).
    curve : DataFrame
        Mean `predicted` probability, `observed` frequency and `n` of groups of cases of similar probability.
    """

    slope: float
    intercept: float
    brier: float
    curve: pd.DataFrame = field(repr=False)

    def __str__(self):
        if np.isnan(self.slope):
            return (
                f"Calibration slope not defined (the probabilities separate the classes), Brier score {self.brier:.3f}"
            )
        return f"Calibration slope {self.slope:.2f}, intercept {self.intercept:+.2f}, Brier score {self.brier:.3f}"


def calibration(result, n_groups=5):
    """Measure the agreement of out-of-fold probabilities with the labels.

    Parameters
    ----------
    result : StudyResult
        Of a model that predicts probabilities. Those of naive Bayes and boosted trees are often too extreme.
    n_groups : int, default=5
        Groups of equal size for the curve.

    Returns
    -------
    Calibration
        Of repeated folds the mean over the repeats. Slope and intercept are NaN if the probabilities of a
        repeat separate the classes, in either direction.

    Raises
    ------
    StudyError
        The model predicts no probabilities.

    References
    ----------
    Cox, Two Further Applications of a Model for Binary Regression, Biometrika 45 (1958) 562. Van
    Calster et al., Calibration: the Achilles heel of predictive analytics, BMC Medicine 17 (2019) 230.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import calibration, cross_validated_auc
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 40)
    >>> result = cross_validated_auc(LogisticRegression(), rng.normal(size=(80, 2)) + y[:, None], y, cv=10)
    >>> print(calibration(result))
    Calibration slope 0.93, intercept -0.00, Brier score 0.201
    """
    positive, repeats = _probabilities(result)
    slopes = np.array([_recalibration(positive, probability) for probability in repeats])
    brier = np.mean([brier_score_loss(positive, probability) for probability in repeats])
    curves = np.mean([_curve(positive, probability, n_groups) for probability in repeats], axis=0)
    curve = pd.DataFrame(curves, columns=["predicted", "observed", "n"]).astype({"n": int})
    slope, intercept = slopes.mean(axis=0)
    return Calibration(float(slope), float(intercept), float(brier), curve)


def _recalibration(positive, probability):
    """Return slope and intercept of the logistic regression of the label on the log-odds."""
    clipped = np.clip(probability, 1e-9, 1 - 1e-9)
    log_odds = np.log(clipped) - np.log1p(-clipped)
    high, low = log_odds[positive], log_odds[~positive]
    if high.min() >= low.max() or low.min() >= high.max():  # separated: the slope would be infinite
        return float("nan"), float("nan")
    line = LogisticRegression(C=np.inf, max_iter=1000).fit(log_odds[:, np.newaxis], positive)
    return line.coef_[0, 0], line.intercept_[0]


def _curve(positive, probability, n_groups):
    """Return predicted, observed and n of groups of equal size, in order of the probability."""
    groups = np.array_split(np.argsort(probability, kind="stable"), min(n_groups, len(probability)))
    return [(probability[group].mean(), positive[group].mean(), len(group)) for group in groups]


@dataclass(frozen=True)
class Sensitivity:
    """The sensitivity of a result at a specificity; `print` gives the sentence for the paper.

    Attributes
    ----------
    sensitivity : float
    confidence_interval : ConfidenceInterval
        Wilson's, for a fixed threshold; it does not account for choosing the threshold on the same cases.
    specificity : float
        The one that was reached, at least the one asked for.
    threshold : float
        Scores at or above it count as positive. NaN for repeated folds: each repeat has its own.
    positive : label
        The class that is detected with this sensitivity.
    """

    sensitivity: float
    confidence_interval: ConfidenceInterval
    specificity: float
    threshold: float
    positive: object = None

    def __str__(self):
        interval = self.confidence_interval
        return (
            f"sensitivity {self.sensitivity:.2f} ({interval.level:.0%} CI {interval.low:.2f}-{interval.high:.2f}) "
            f"for class {self.positive} at specificity {self.specificity:.2f}, threshold chosen on the same cases"
        )


def sensitivity_at_specificity(result, specificity=0.9, confidence_level=0.95):
    """Return the fraction of positive cases that are detected at a specificity.

    Parameters
    ----------
    result : StudyResult
    specificity : float, default=0.9
        At least this fraction of the negative cases must be called negative.
    confidence_level : float, default=0.95

    Returns
    -------
    Sensitivity
        Of repeated folds the mean over the repeats, each with a threshold of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import cross_validated_auc, sensitivity_at_specificity
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 40)
    >>> result = cross_validated_auc(LogisticRegression(), rng.normal(size=(80, 2)) + y[:, None], y, cv=10)
    >>> print(sensitivity_at_specificity(result, 0.9))
    sensitivity 0.34 (95% CI 0.22-0.50) for class 1 at specificity 0.90, threshold chosen on the same cases
    """
    require_probability(specificity, sensitivity_at_specificity, "specificity", StudyError)
    require_results(result)
    endpoint = result.endpoint
    endpoint.require("sensitivity")
    positive = endpoint.is_positive
    scores = result.score_table.to_numpy(dtype=float).T
    points = np.array([_operating_point(positive, score, specificity) for score in scores])
    sensitivity, reached, threshold = points.mean(axis=0)
    n_positive = int(positive.sum())
    interval = accuracy_interval(round(sensitivity * n_positive), n_positive, confidence_level)
    threshold = float(threshold) if len(points) == 1 else float("nan")
    return Sensitivity(float(sensitivity), interval, float(reached), threshold, result.positive)


def _operating_point(positive, score, specificity):
    """Return sensitivity, specificity and threshold of the last point of the ROC curve that is specific enough."""
    false_rate, true_rate, thresholds = roc_curve(positive, score, drop_intermediate=False)
    last = np.flatnonzero(1 - false_rate >= specificity - 1e-12)[-1]
    return true_rate[last], 1 - false_rate[last], thresholds[last]


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
    repeats = result.probability_table.to_numpy(dtype=float).T
    if np.isnan(repeats).any():
        raise StudyError(
            f"{result.name} gave no probabilities. Wrap its classifier in sklearn.calibration.CalibratedClassifierCV."
        )
    return endpoint.is_positive, repeats
