"""Results -> tests of their differences: of the measure, paired or not, and of accuracy; Holm's correction."""

import warnings
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm
from scipy.stats import t as student_t

from radiodeep.exceptions import RadiodeepWarning, StudyError
from radiodeep.study.result import named_cases, require_results
from radiodeep.study.statistics.auc import TRAINING_SPREAD


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
        Of the same cases, labels and kind of split.

    Returns
    -------
    Comparison
        DeLong's paired test. For repeated folds, the mean difference is tested, and the variance between
        the repeats is added as in `auc_of_repeats`.

    Raises
    ------
    StudyError
        The cases, labels or splits differ.

    Notes
    -----
    DeLong's test treats both models as fixed. Of two models of equal AUC with selection inside the folds, it
    calls 25 to 48 % different at p < 0.05 under leave-one-out and leave-pair-out, about 20 % in a single pass, and
    the test of repeated folds 0 to 12 %, up to 18 % where patients have several cases. Compare
    ``result_a.companion`` with ``result_b.companion``, as `compare_all` does. If one model contains the features of the
    other, no test of this kind is valid.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837.
    """
    result_b = _paired(result_a, result_b)
    if result_a.cv != result_b.cv:
        raise StudyError(
            f"One result is of {result_a.cv}, the other of {result_b.cv}. Compare results of the same split."
        )
    if result_a.positive != result_b.positive:
        raise StudyError(
            f"One result is about class {result_a.positive!r}, the other about {result_b.positive!r}. Give both the "
            "same 'positive'."
        )
    endpoint = result_a.endpoint
    if result_a.pairs is not None and result_b.pairs is not None:
        repeats = [endpoint.covariance_of_pairs(np.stack([result_a.pairs, result_b.pairs]))]
    else:
        scores = result_a.score_array, result_b.score_array
        folds = result_a.fold_of_case if endpoint.compares_in_folds else [None] * len(scores[0])
        repeats = [endpoint.covariance(np.stack(pair), fold) for *pair, fold in zip(*scores, folds, strict=True)]
    values = np.array([values for values, _ in repeats])
    differences = values[:, 0] - values[:, 1]
    variance = float(np.mean([matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1] for _, matrix in repeats]))
    test = f"{endpoint.test}, paired"
    if len(repeats) > 1:
        variance += TRAINING_SPREAD * float(differences.var(ddof=1))
        test = f"{test}, {len(repeats)} repeats"
    difference = float(differences.mean())
    value_a, value_b = values.mean(axis=0).tolist()
    return Comparison(endpoint.measure, value_a, value_b, difference, _p_value(difference, variance), test)


def compare_auc_unpaired(result_a, result_b):
    """Test whether the AUC is the same in two groups of different cases.

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
    require_results(result_a, result_b)
    names_a = named_cases(result_a.predictions.index)
    names_b = named_cases(result_b.predictions.index)
    common = names_a & names_b
    if common:
        raise StudyError(f"{len(common)} cases are in both results, e.g. {min(common)!r}. Use compare_auc for those.")
    variances = np.array([result_a.variance, result_b.variance])
    n_cases = np.array([len(result_a.predictions), len(result_b.predictions)])
    with np.errstate(invalid="ignore"):  # 0 / 0 without variance
        freedom = variances.sum() ** 2 / (variances**2 / (n_cases - 1)).sum()
    difference = result_a.auc - result_b.auc
    endpoint = result_a.endpoint
    p_value = _p_value(difference, variances.sum(), freedom)
    return Comparison(endpoint.measure, result_a.auc, result_b.auc, difference, p_value, f"{endpoint.test}, unpaired")


def _p_value(difference, variance, freedom=None):
    """Return the two-sided p value of a difference, by Student's distribution if degrees of freedom are given.

    Without variance there is no scale: the p value is 1 for no difference, and else NaN.
    """
    if variance <= 1e-15:
        return 1.0 if abs(difference) < 1e-12 else float("nan")
    statistic = abs(difference) / np.sqrt(variance)
    return float(2 * (norm.sf(statistic) if freedom is None else student_t.sf(statistic, freedom)))


def compare_all(results, against=None):
    """Test several models against one, or all against each other, with Holm's correction for their number.

    Parameters
    ----------
    results : dict from name to StudyResult
    against : str, optional
        The main model, chosen beforehand; None compares all pairs.

    Returns
    -------
    DataFrame
        A row per comparison, smallest p first: `model`, `against`, `cv`, `auc`, `auc_against`,
        `difference`, `p_value`, `p_holm`. Comparisons without a p value (NaN: no variance to measure the difference
        by) come last and do not count in the correction. Results of leave-one-out are compared by their companions.

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
    require_results(*results.values())
    pairs = combinations(results, 2) if against is None else [(name, against) for name in results if name != against]
    if all(result.companion is not None for result in results.values()):
        results = {name: result.companion for name, result in results.items()}
    rows = []
    for model, other in pairs:
        comparison = compare_auc(results[model], results[other])
        rows.append(
            {
                "model": model,
                "against": other,
                "cv": results[model].cv,
                "auc": comparison.value_a,
                "auc_against": comparison.value_b,
                "difference": comparison.difference,
                "p_value": comparison.p_value,
            }
        )
    table = pd.DataFrame(rows).sort_values("p_value", kind="stable", ignore_index=True)
    table["p_holm"] = holm(table["p_value"])
    return table


def holm(p_values):
    """Return p values corrected for their number by Holm's method, in their order."""
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
        Of the same cases and labels. Of repeated folds the majority vote of the repeats is compared.

    Returns
    -------
    Comparison

    Warns
    -----
    RadiodeepWarning
        The predictions are out-of-fold: McNemar's test treats both models as fixed. Of models without information
        it calls 35 % different at p < 0.05 under leave-one-out, 16 % under repeated folds.

    References
    ----------
    McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions, Psychometrika 12 (1947) 153.
    """
    result_b = _paired(result_a, result_b)
    result_a.endpoint.require("accuracy")
    if len(result_a.folds) > 1:
        warnings.warn(
            "McNemar's test takes both models as given. Of out-of-fold predictions it calls equal models different "
            "far more often than it says (16 to 35 % at p < 0.05). Compare AUCs of repeated folds (compare_auc), or "
            "models on other patients (holdout_auc).",
            RadiodeepWarning,
            stacklevel=2,
        )
    right_a, right_b = (
        result.predictions["prediction"].to_numpy() == result.predictions["label"].to_numpy()
        for result in (result_a, result_b)
    )
    only_a = int((right_a & ~right_b).sum())
    only_b = int((right_b & ~right_a).sum())
    p_value = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    accuracy_a, accuracy_b = float(right_a.mean()), float(right_b.mean())
    return Comparison("accuracy", accuracy_a, accuracy_b, accuracy_a - accuracy_b, p_value, "McNemar, exact")


def _paired(result_a, result_b):
    """Return the second result in the order of the first; StudyError unless both have the same cases and labels."""
    require_results(result_a, result_b)
    a, b = result_a.predictions, result_b.predictions
    if not a.index.equals(b.index):
        if not a.index.is_unique or set(a.index) != set(b.index):
            n_single = len(set(a.index) ^ set(b.index))
            raise StudyError(
                f"A paired test needs the same cases in both results; {n_single} cases are in one of them only."
            )
        result_b = result_b.in_order_of(a.index)
    for column in result_a.endpoint.outcome_columns:
        if (a[column].to_numpy() != result_b.predictions[column].to_numpy()).any():
            raise StudyError("A paired test needs the same labels in both results.")
    return result_b
