"""A result and a threshold -> the confusion table and what it means for positive and negative calls."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from radiodeep.checks import is_number, require
from radiodeep.exceptions import StudyError
from radiodeep.study.result import require_results
from radiodeep.study.statistics.calibration import calibration
from radiodeep.study.statistics.proportions import interval_like, proportion_among
from radiodeep.study.statistics.risks import doubts_about_risks
from radiodeep.study.statistics.uncertainty import interval_of_proportion


@dataclass(frozen=True, eq=False)
class ThresholdMeasures:
    """What a model calls positive at a threshold; `print` gives the sentence for the paper.

    Attributes
    ----------
    threshold : float
        Probabilities at or above it are called positive. NaN for the labels that the model itself predicts.
    reason : str
        Why this threshold, in words.
    counts : DataFrame of shape (2, 2)
        Cases by true (row) and predicted label, the negative one first; of repeated folds the mean over the repeats.
    measures : DataFrame
        `value`, `low` and `high` of sensitivity, specificity, PPV and NPV (the fractions of positive and negative calls
        that are right), accuracy, balanced accuracy (the mean of sensitivity and specificity) and prevalence. NaN if
        there is no such call; the bounds are NaN where the split gives no valid ones.
    n_repeats : int
    """

    threshold: float
    reason: str
    counts: pd.DataFrame
    measures: pd.DataFrame = field(repr=False)
    n_repeats: int

    def __str__(self):
        shown = self.measures.loc[["sensitivity", "specificity"]].iterrows()
        words = [
            f"{name} {row['value']:.2f}" + ("" if np.isnan(row["low"]) else f" ({row['low']:.2f}-{row['high']:.2f})")
            for name, row in shown
        ]
        return f"{', '.join(words)} at {self.reason}"


def threshold_measures(result, threshold=None, confidence_level=0.95):
    """Measure how often a model is right when it calls cases positive from a threshold on.

    Parameters
    ----------
    result : StudyResult
        Of two classes.
    threshold : float, optional
        A probability. By default the fraction of positive cases if the probabilities can be read as risks, or else 0.5;
        the labels that the model predicts if it gives no probabilities. It is never chosen by its result, as the
        threshold with the largest sum of sensitivity and specificity (Youden's) is, which flatters small studies.
    confidence_level : float, default=0.95

    Returns
    -------
    ThresholdMeasures

    Raises
    ------
    StudyError
        The threshold is no probability, the outcome is not one of two classes, or the model gives no probabilities.

    Notes
    -----
    Intervals are Wilson's, of repeated folds with the variance of `variance_of_repeats` and of patients with several
    cases with patients as the units. PPV and NPV hold where the outcome is as frequent as in these cases.

    References
    ----------
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927) 209.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import cross_validated_auc, threshold_measures
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 40)
    >>> result = cross_validated_auc(LogisticRegression(), rng.normal(size=(80, 2)) + y[:, None], y, cv=10)
    >>> print(threshold_measures(result, 0.5))
    sensitivity 0.68 (0.40-0.86), specificity 0.71 (0.44-0.89) at a probability of 0.5
    """
    require_results(result)
    endpoint = result.endpoint
    endpoint.require("sensitivity")
    is_valid = threshold is None or (is_number(threshold) and 0 < threshold < 1)
    require(is_valid, threshold_measures, "threshold", "None or a float between 0 and 1", threshold, error=StudyError)
    threshold, reason = _chosen(result, threshold)
    if np.isnan(threshold):
        called = result.prediction_array == endpoint.classes[1]
    else:
        called = result.probability_array >= threshold
    positive = np.broadcast_to(endpoint.is_positive, called.shape)
    return ThresholdMeasures(
        threshold, reason, _counts(endpoint, positive, called), _measures(result, positive, called, confidence_level),
        len(called),
    )  # fmt: skip


def _chosen(result, threshold):
    """Return the threshold and words for it."""
    has_probabilities = not np.isnan(result.probability_array).any()
    if threshold is not None:
        if not has_probabilities:
            raise StudyError(f"{result.name} gave no probabilities. Leave out 'threshold' to take its labels.")
        return float(threshold), f"a probability of {threshold:.4g}"
    if not has_probabilities:
        return float("nan"), "the labels that the model predicts"
    if doubts_about_risks(result, calibration(result)):
        return 0.5, "a probability of 0.5"
    prevalence = float(result.endpoint.is_positive.mean())
    return prevalence, f"a probability of {prevalence:.2g}, the fraction of positive cases"


def _counts(endpoint, positive, called):
    """Return the mean number of cases of a repeat by true and predicted label."""
    labels = [pd.Index(endpoint.classes.astype(str), name=name) for name in ("true", "predicted")]
    groups = [[(positive == true) & (called == answer) for answer in (False, True)] for true in (False, True)]
    return pd.DataFrame([[cell.sum() / len(called) for cell in row] for row in groups], *labels)


def _measures(result, positive, called, level):
    """Return `value`, `low` and `high` of all measures."""
    everything = np.full(called.shape, True)
    rows = {
        "sensitivity": proportion_among(result, called, positive, level),
        "specificity": proportion_among(result, ~called, ~positive, level),
        "PPV": proportion_among(result, positive, called, level),
        "NPV": proportion_among(result, ~positive, ~called, level),
        "accuracy": proportion_among(result, called == positive, everything, level),
        "balanced accuracy": _balanced(result, positive, called, level),
    }
    bounds = interval_of_proportion(positive[:1].astype(float), level, patients=result.patients)
    rows["prevalence"] = positive[0].mean(), bounds.low, bounds.high
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"]).rename_axis("measure")


def _balanced(result, positive, called, level):
    """Return the mean of sensitivity and specificity, which are of different cases, with its interval."""
    rates, variances, n_units = [], [], []
    for of_class, is_right in ((positive, called), (~positive, ~called)):
        n_cases = of_class[0].sum()
        if result.patients is not None:
            n_cases = len(np.unique(result.patients[of_class[0]]))
        rate = is_right[of_class].mean()
        rates.append(rate)
        variances.append(rate * (1 - rate) / n_cases)
        n_units.append(n_cases)
    within = np.full(len(called), sum(variances) / 4)
    value = float(np.mean(rates))
    bounds = interval_like(result, value, within, 4 / np.reciprocal(n_units, dtype=float).sum(), level)
    return value, bounds.low, bounds.high
