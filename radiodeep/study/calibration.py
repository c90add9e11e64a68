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
from radiodeep.study.auc import ConfidenceInterval, accuracy_interval, positive_labels


@dataclass(frozen=True, eq=False)
class Calibration:
    """How well predicted probabilities agree with what happened; `print` gives the sentence for the paper.

    Attributes
    ----------
    slope : float
        1 is right, below 1 means too extreme; of the logistic regression of the label on the log-odds.
    intercept : float
        0 is right; of the same regression.
    brier : float
        Mean squared error of the probabilities; 0.25 is that of always saying one half.
    curve : DataFrame
        `predicted`, `observed` and `n` of groups of cases of like probability.
    """

    slope: float
    intercept: float
    brier: float
    curve: pd.DataFrame = field(repr=False)

    def __str__(self):
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
        Slope and intercept are NaN where the probabilities separate the classes, either way round. Of
        repeated folds the mean probabilities are measured.

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
    Calibration slope 0.93, intercept -0.00, Brier score 0.200
    """
    positive, probability = _probabilities(result)
    clipped = np.clip(probability, 1e-9, 1 - 1e-9)
    log_odds = np.log(clipped) - np.log1p(-clipped)
    slope = intercept = float("nan")
    of_positive, of_negative = log_odds[positive], log_odds[~positive]
    if of_positive.min() < of_negative.max() and of_negative.min() < of_positive.max():
        line = LogisticRegression(C=np.inf, max_iter=1000).fit(log_odds[:, np.newaxis], positive)
        slope, intercept = float(line.coef_[0, 0]), float(line.intercept_[0])
    groups = np.array_split(np.argsort(probability, kind="stable"), min(n_groups, len(probability)))
    curve = pd.DataFrame(
        [(probability[group].mean(), positive[group].mean(), len(group)) for group in groups],
        columns=["predicted", "observed", "n"],
    )
    return Calibration(slope, intercept, float(brier_score_loss(positive, probability)), curve)


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
        A score at or above it counts as positive.
    """

    sensitivity: float
    confidence_interval: ConfidenceInterval
    specificity: float
    threshold: float

    def __str__(self):
        interval = self.confidence_interval
        return (
            f"sensitivity {self.sensitivity:.2f} ({interval.level:.0%} CI {interval.low:.2f}-{interval.high:.2f}) "
            f"at specificity {self.specificity:.2f}"
        )


def sensitivity_at_specificity(result, specificity=0.9, confidence_level=0.95):
    """Return how many cases of the class that sorts last are found while few others are called so.

    Parameters
    ----------
    result : StudyResult
    specificity : float, default=0.9
        At least so many of the other class are left alone.
    confidence_level : float, default=0.95

    Returns
    -------
    Sensitivity

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import cross_validated_auc, sensitivity_at_specificity
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 40)
    >>> result = cross_validated_auc(LogisticRegression(), rng.normal(size=(80, 2)) + y[:, None], y, cv=10)
    >>> print(sensitivity_at_specificity(result, 0.9))
    sensitivity 0.35 (95% CI 0.22-0.50) at specificity 0.90
    """
    if not 0 < specificity < 1:
        raise StudyError(f"The 'specificity' parameter must lie between 0 and 1. Got {specificity!r}.")
    positive = positive_labels(result.predictions["label"])
    false_rate, true_rate, thresholds = roc_curve(
        positive, result.predictions["score"].to_numpy(dtype=float), drop_intermediate=False
    )
    at = np.flatnonzero(1 - false_rate >= specificity - 1e-12)[-1]
    n_positive = int(positive.sum())
    interval = accuracy_interval(round(true_rate[at] * n_positive), n_positive, confidence_level)
    return Sensitivity(float(true_rate[at]), interval, float(1 - false_rate[at]), float(thresholds[at]))


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
        case, minus false positives per case at the price that the threshold says they have.

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
    positive, probability = _probabilities(result)
    thresholds = np.arange(1, 100) / 100 if thresholds is None else np.atleast_1d(np.asarray(thresholds, dtype=float))
    if not ((thresholds > 0) & (thresholds < 1)).all():
        raise StudyError("The 'thresholds' of a decision curve must lie between 0 and 1.")
    price = thresholds / (1 - thresholds)
    acted = probability >= thresholds[:, np.newaxis]
    model = (acted & positive).mean(axis=1) - (acted & ~positive).mean(axis=1) * price
    treat_all = positive.mean() - (~positive).mean() * price
    return pd.DataFrame({"threshold": thresholds, "model": model, "treat_all": treat_all, "treat_none": 0.0})


def _probabilities(result):
    probability = result.predictions["probability"].to_numpy(dtype=float)
    if np.isnan(probability).any():
        raise StudyError(
            f"{result.name} gave no probabilities. Wrap its classifier in sklearn.calibration.CalibratedClassifierCV."
        )
    return positive_labels(result.predictions["label"]), probability
