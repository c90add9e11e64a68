"""Results in, tests out: DeLong for AUC, McNemar for accuracy, Holm for many."""

import warnings
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm
from scipy.stats import t as student_t

from radiodeep.exceptions import RadiodeepWarning, StudyError
from radiodeep.study.statistics.auc import (
    TRAINING_SPREAD,
    auc_with_confidence,
    covariance_of_pairs,
    delong_covariance,
    positive_labels,
)


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
    """Test whether two models have the same AUC on the same cases.

    Parameters
    ----------
    result_a, result_b : StudyResult
        With the same cases, labels and kind of split.

    Returns
    -------
    Comparison
        DeLong's paired test. For repeated folds the mean difference is tested, and the variance between
        the repeats is added as in `auc_of_repeats`.

    Raises
    ------
    StudyError
        The cases, labels or ways of splitting differ.

    Notes
    -----
    DeLong's test takes both models as given. Of two models of equal AUC with selection inside the folds, it
    calls 25 to 48 % different at p < 0.05 under leave-one-out and leave-pair-out, about 20 % in a single pass, and
    the test of repeated folds 0 to 12 %, up to 18 % where patients have several cases. Compare
    ``result_a.beside`` with ``result_b.beside``, as `compare_all` does. If one model contains the features of the
    other, no test of this kind is valid.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837.
    """
    a, _ = _paired(result_a, result_b)
    split_a, split_b = (getattr(result, "cv", None) for result in (result_a, result_b))
    if split_a != split_b:
        raise StudyError(f"One result is of {split_a}, the other of {split_b}. Compare results of the same split.")
    class_a, class_b = (getattr(result, "positive", None) for result in (result_a, result_b))
    if class_a != class_b:
        raise StudyError(
            f"One result is about class {class_a!r}, the other about {class_b!r}. Give both one 'positive'."
        )
    positive = positive_labels(a["label"], class_a)
    scores_a, scores_b = (_scores_of(result, a.index) for result in (result_a, result_b))
    if getattr(result_a, "pairs", None) is not None and getattr(result_b, "pairs", None) is not None:
        pairs = [covariance_of_pairs(np.stack([result_a.pairs, _pairs_in_order(result_b, a.index, positive)]))]
    else:
        pairs = [delong_covariance(positive, np.stack(pair)) for pair in zip(scores_a, scores_b, strict=True)]
    aucs = np.array([pair[0] for pair in pairs])
    variances = [covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1] for _, covariance in pairs]
    differences = aucs[:, 0] - aucs[:, 1]
    variance = float(np.mean(variances))
    test = "DeLong, paired"
    if len(pairs) > 1:
        variance += TRAINING_SPREAD * float(differences.var(ddof=1))
        test = f"DeLong, paired, {len(pairs)} repeats"
    difference, value_a, value_b = float(differences.mean()), *(float(value) for value in aucs.mean(axis=0))
    if variance > 1e-15:
        p_value = float(2 * norm.sf(abs(difference) / np.sqrt(variance)))
    else:
        p_value = 1.0 if abs(difference) < 1e-12 else float("nan")  # no spread to measure the difference by
    return Comparison("AUC", value_a, value_b, difference, p_value, test)


def compare_auc_unpaired(result_a, result_b):
    """Test whether a model has the same AUC on two groups of different cases.

    Parameters
    ----------
    result_a, result_b : StudyResult
        Without a common case.

    Returns
    -------
    Comparison

    Raises
    ------
    StudyError
        A case is in both results: use `compare_auc`.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837, with Welch's degrees of freedom as in R's
    pROC.
    """
    a, b = result_a.predictions, result_b.predictions
    both = {name for name in a.index if isinstance(name, str)} & {name for name in b.index if isinstance(name, str)}
    if both:
        raise StudyError(f"{len(both)} cases are in both results, e.g. {min(both)!r}. Use compare_auc for those.")
    estimates = [_estimate_of(result) for result in (result_a, result_b)]
    variances = np.array([estimate.variance for estimate in estimates])
    difference = estimates[0].auc - estimates[1].auc
    if variances.sum() <= 1e-15:
        p_value = 1.0 if abs(difference) < 1e-12 else float("nan")
    else:
        freedom = variances.sum() ** 2 / (variances**2 / (np.array([len(a), len(b)]) - 1)).sum()
        p_value = float(2 * student_t.sf(abs(difference) / np.sqrt(variances.sum()), freedom))
    return Comparison("AUC", estimates[0].auc, estimates[1].auc, difference, p_value, "DeLong, unpaired")


def compare_all(results, against=None):
    """Test several models against one, or each against each, with Holm's correction for their number.

    Parameters
    ----------
    results : dict from name to StudyResult
    against : str, optional
        The main model, named before looking; None compares all pairs.

    Returns
    -------
    DataFrame
        A row per comparison, smallest p first: `model`, `against`, `cv`, `auc`, `auc_against`,
        `difference`, `p_value`, `p_holm`; comparisons without a p value (NaN: no spread to measure the difference
        by) come last and do not count in the correction. Where repeated folds stand beside leave-one-out, those are
        compared.

    Raises
    ------
    StudyError
        There are fewer than two results, or `against` is none of them.

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scandinavian J. Statistics 6 (1979) 65.
    """
    if not isinstance(results, dict):
        raise StudyError(f"Expected a dict from names to results. Got {type(results).__name__}.")
    if len(results) < 2 or (against is not None and against not in results):
        raise StudyError(f"Expected two results or more, and 'against' to be one of {list(results)}. Got {against!r}.")
    pairs = combinations(results, 2) if against is None else [(name, against) for name in results if name != against]
    if all(getattr(result, "beside", None) is not None for result in results.values()):
        results = {name: result.beside for name, result in results.items()}
    rows = []
    for model, other in pairs:
        found = compare_auc(results[model], results[other])
        cv = results[model].cv
        rows.append((model, other, cv, found.value_a, found.value_b, found.difference, found.p_value))
    columns = ["model", "against", "cv", "auc", "auc_against", "difference", "p_value"]
    table = pd.DataFrame(rows, columns=columns).sort_values("p_value", kind="stable", ignore_index=True)
    table["p_holm"] = holm(table["p_value"])
    return table


def holm(p_values):
    """Return p values corrected for their number by Holm's method, in their order.

    Examples
    --------
    >>> from radiodeep.study.statistics.comparison import holm
    >>> [round(float(p), 6) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=float)
    corrected = np.full(len(p_values), np.nan)
    order = np.argsort(p_values, kind="stable")[: int(np.isfinite(p_values).sum())]  # NaN sorts last
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def compare_accuracy(result_a, result_b):
    """Test whether two models are right equally often on the same cases (exact McNemar test).

    Parameters
    ----------
    result_a, result_b : StudyResult
        With the same cases and labels. Of repeated folds the prediction of most repeats is compared.

    Returns
    -------
    Comparison

    Warns
    -----
    RadiodeepWarning
        The predictions are of models of several folds, of which McNemar's test knows nothing: of models that know
        nothing it calls 35 % different at p < 0.05 under leave-one-out, 16 % under repeated folds.

    References
    ----------
    McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions, Psychometrika 12 (1947) 153.
    """
    a, b = _paired(result_a, result_b)
    if len(getattr(result_a, "folds", ())) > 1:
        warnings.warn(
            "McNemar's test takes both models as given. Of out-of-fold predictions it calls equal models different "
            "far more often than it says (16 to 35 % at p < 0.05). Compare AUCs of repeated folds (compare_auc), or "
            "models on other patients (holdout_auc).",
            RadiodeepWarning,
            stacklevel=2,
        )
    right_a, right_b = (frame["prediction"].to_numpy() == frame["label"].to_numpy() for frame in (a, b))
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p_value = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    accuracy_a, accuracy_b = float(right_a.mean()), float(right_b.mean())
    return Comparison("accuracy", accuracy_a, accuracy_b, accuracy_a - accuracy_b, p_value, "McNemar, exact")


def _estimate_of(result):
    """Return AUC and variance of a result, which for repeated folds hold the spread of the training sets."""
    if getattr(result, "variance", None) is not None:
        return result
    positive = getattr(result, "positive", None)
    return auc_with_confidence(result.predictions["label"], result.predictions["score"], positive=positive)


def _pairs_in_order(result, ids, positive):
    """Return the pairs (n_negative, n_positive) of a result with its cases in the order of the ids."""
    frame = result.predictions
    if frame.index.equals(ids):
        return result.pairs
    own = positive_labels(frame["label"], getattr(result, "positive", None))
    rows = frame.index[~own].get_indexer(ids[~positive])
    return result.pairs[np.ix_(rows, frame.index[own].get_indexer(ids[positive]))]


def _scores_of(result, ids):
    """Return the scores of each repeat, (n_repeats, n_cases), in the order of the ids."""
    scores = getattr(result, "scores", None)
    scores = result.predictions[["score"]] if scores is None else scores
    return (scores if scores.index.equals(ids) else scores.loc[ids]).to_numpy(dtype=float).T


def _paired(result_a, result_b):
    a, b = result_a.predictions, result_b.predictions
    if a.index.equals(b.index) and (a["label"].to_numpy() == b["label"].to_numpy()).all():
        return a, b
    if not a.index.is_unique or set(a.index) != set(b.index):
        alone = len(set(a.index) ^ set(b.index))
        raise StudyError(f"A paired test needs the same cases in both results; {alone} cases are in one of them only.")
    b = b.loc[a.index]
    if (a["label"].to_numpy() != b["label"].to_numpy()).any():
        raise StudyError("A paired test needs the same labels in both results.")
    return a, b
