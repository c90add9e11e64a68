"""A result in, out: whether its probabilities can be believed, and what acting on them would bring.

Net reclassification improvement is left out on purpose: it goes up when noise is added to a model, its
value depends on cut-offs that nobody agreed on, and the decision curve answers its question.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_curve

from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.auc import ConfidenceInterval, accuracy_interval, positive_labels


@dataclass(frozen=True, eq=False)
class Calibration:
    """How well predicted probabilities agree with what happened; `print` gives the sentence for the paper.

    Attributes
    ----------
    slope : float
        Of the logistic regression of the label on the log-odds; 1 is ideal, below 1 means too extreme.
    intercept : float
        Of the same regression; 0 is ideal if the slope is 1. (The calibration in the large, with the slope fixed
        at 1, is another number.)
    brier : float
        Mean squared error of the probabilities; always predicting the prevalence p gives p (1 - p).
    curve : DataFrame
        `predicted`, `observed` and `n` of groups of cases of similar probability.
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
    """Measure how well the out-of-fold probabilities of a result agree with the labels.

    Parameters
    ----------
    result : StudyResult
        Of a model that gives probabilities. Naive Bayes and boosted trees give extreme ones.
    n_groups : int, default=5
        Groups of equal size for the curve.

    Returns
    -------
    Calibration
        Of repeated folds the mean over the repeats. Slope and intercept are NaN where the probabilities of a
        repeat separate the classes, either way round.

    Raises
    ------
    StudyError
        The model gave no probabilities.

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
    of_positive, of_negative = log_odds[positive], log_odds[~positive]
    if of_positive.min() >= of_negative.max() or of_negative.min() >= of_positive.max():
        return float("nan"), float("nan")
    line = LogisticRegression(C=np.inf, max_iter=1000).fit(log_odds[:, np.newaxis], positive)
    return line.coef_[0, 0], line.intercept_[0]


def _curve(positive, probability, n_groups):
    groups = np.array_split(np.argsort(probability, kind="stable"), min(n_groups, len(probability)))
    return [(probability[group].mean(), positive[group].mean(), len(group)) for group in groups]


@dataclass(frozen=True)
class Sensitivity:
    """The sensitivity that a result has at a specificity; `print` gives the sentence for the paper.

    Attributes
    ----------
    sensitivity : float
    confidence_interval : ConfidenceInterval
        Wilson's, for the threshold as given; that it was chosen on the same cases is not in it.
    specificity : float
        That was reached: at least the one asked for.
    threshold : float
        A score at or above it counts as positive. NaN for repeated folds, each of which has its own.
    positive : label
        The class that is found with this sensitivity.
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
    """Return how many cases of the positive class are found while few others are called so.

    Parameters
    ----------
    result : StudyResult
    specificity : float, default=0.9
        At least so many of the other class are left alone.
    confidence_level : float, default=0.95

    Returns
    -------
    Sensitivity
        Of repeated folds the mean over the repeats, each at a threshold of its own.

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
    if not 0 < specificity < 1:
        raise StudyError(f"The 'specificity' parameter must lie between 0 and 1. Got {specificity!r}.")
    positive_class = getattr(result, "positive", None)
    positive = positive_labels(result.predictions["label"], positive_class)
    scores = getattr(result, "scores", None)
    scores = result.predictions[["score"]] if scores is None else scores
    found = np.array([_best_above(positive, score, specificity) for score in scores.to_numpy(dtype=float).T])
    sensitivity, reached, threshold = found.mean(axis=0)
    n_positive = int(positive.sum())
    interval = accuracy_interval(round(sensitivity * n_positive), n_positive, confidence_level)
    threshold = float(threshold) if len(found) == 1 else float("nan")
    return Sensitivity(float(sensitivity), interval, float(reached), threshold, positive_class)


def _best_above(positive, score, specificity):
    """Return sensitivity, specificity and threshold of the last point of the ROC curve that is specific enough."""
    false_rate, true_rate, thresholds = roc_curve(positive, score, drop_intermediate=False)
    at = np.flatnonzero(1 - false_rate >= specificity - 1e-12)[-1]
    return true_rate[at], 1 - false_rate[at], thresholds[at]


def decision_curve(result, thresholds=None):
    """Return the net benefit of acting on the probabilities of a result.

    Parameters
    ----------
    result : StudyResult
        Of a model that gives probabilities.
    thresholds : array-like, optional
        Probabilities from which one would act, in 0..1 (exclusive); 0.01 to 0.99 if not given.

    Returns
    -------
    DataFrame
        `threshold`, and the net benefit of `model`, `treat_all` and `treat_none`: true positives per
        case, minus false positives per case at the price that the threshold says they have. Of repeated folds the
        mean over the repeats. The benefit is that of a clinic where the outcome is as frequent as in these cases: a
        sample of cases and controls has another.

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
    if not ((thresholds > 0) & (thresholds < 1)).all():
        raise StudyError("The 'thresholds' of a decision curve must lie between 0 and 1.")
    price = thresholds / (1 - thresholds)
    acted = repeats[:, np.newaxis] >= thresholds[:, np.newaxis]  # (n_repeats, n_thresholds, n_cases)
    model = ((acted & positive).mean(axis=2) - (acted & ~positive).mean(axis=2) * price).mean(axis=0)
    treat_all = positive.mean() - (~positive).mean() * price
    return pd.DataFrame({"threshold": thresholds, "model": model, "treat_all": treat_all, "treat_none": 0.0})


def _probabilities(result):
    """Return which cases are positive, and the probabilities of each repeat, (n_repeats, n_cases)."""
    repeats = getattr(result, "probabilities", None)
    repeats = (result.predictions[["probability"]] if repeats is None else repeats).to_numpy(dtype=float).T
    if np.isnan(repeats).any():
        raise StudyError(
            f"{result.name} gave no probabilities. Wrap its classifier in sklearn.calibration.CalibratedClassifierCV."
        )
    return positive_labels(result.predictions["label"], getattr(result, "positive", None)), repeats
