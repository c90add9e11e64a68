"""Two results on the same cases in, a paired test out: DeLong for AUC, McNemar for accuracy."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm

from radiodeep.exceptions import StudyError
from radiodeep.study.auc import delong_covariance, positive_labels


@dataclass(frozen=True)
class Comparison:
    """Difference of two models on the same cases; `print` gives the sentence for the paper.

    Attributes
    ----------
    measure : str
        "AUC" or "accuracy".
    value_a, value_b : float
    difference : float
        `value_a - value_b`.
    p_value : float
        Two-sided.
    test : str
    """

    measure: str
    value_a: float
    value_b: float
    difference: float
    p_value: float
    test: str

    def __str__(self):
        return (
            f"{self.measure} {self.value_a:.3f} against {self.value_b:.3f}, difference {self.difference:+.3f}, "
            f"p = {self.p_value:.3g} ({self.test})"
        )


def compare_auc(result_a, result_b):
    """Test whether two models have the same AUC on the same cases (DeLong's paired test).

    Parameters
    ----------
    result_a, result_b : StudyResult
        With the same cases and labels.

    Returns
    -------
    Comparison

    Raises
    ------
    StudyError
        The cases or labels differ.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837.
    """
    a, b = _paired(result_a, result_b)
    scores = np.stack([a["score"], b["score"]]).astype(float)
    aucs, covariance = delong_covariance(positive_labels(a["label"]), scores)
    difference = float(aucs[0] - aucs[1])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance > 1e-15:
        p_value = float(2 * norm.sf(abs(difference) / np.sqrt(variance)))
    else:
        p_value = 1.0 if abs(difference) < 1e-12 else 0.0
    return Comparison("AUC", float(aucs[0]), float(aucs[1]), difference, p_value, "DeLong, paired")


def compare_accuracy(result_a, result_b):
    """Test whether two models are right equally often on the same cases (exact McNemar test).

    Parameters
    ----------
    result_a, result_b : StudyResult
        With the same cases and labels.

    Returns
    -------
    Comparison
    """
    a, b = _paired(result_a, result_b)
    right_a, right_b = (frame["prediction"].to_numpy() == frame["label"].to_numpy() for frame in (a, b))
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p_value = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    accuracy_a, accuracy_b = float(right_a.mean()), float(right_b.mean())
    return Comparison("accuracy", accuracy_a, accuracy_b, accuracy_a - accuracy_b, p_value, "McNemar, exact")


def _paired(result_a, result_b):
    a, b = result_a.predictions, result_b.predictions
    if not a.index.is_unique or set(a.index) != set(b.index):
        alone = len(set(a.index) ^ set(b.index))
        raise StudyError(f"A paired test needs the same cases in both results; {alone} cases are in one of them only.")
    b = b.loc[a.index]
    if (a["label"].to_numpy() != b["label"].to_numpy()).any():
        raise StudyError("A paired test needs the same labels in both results.")
    return a, b
