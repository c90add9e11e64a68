"""Results -> tests of their differences: of the measure, paired or not, and of accuracy; Holm's correction."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from radiodeep.exceptions import StudyError
from radiodeep.study.centres import difference_by_centre
from radiodeep.study.result import named_cases, require_results
from radiodeep.study.statistics.pairing import (
    folds_to_compare_within,
    in_pairs,
    result_with_variance,
    results_to_test,
)
from radiodeep.study.statistics.several_classes import pairwise_aucs
from radiodeep.study.statistics.uncertainty import (
    ConfidenceInterval,
    covariance_of_influence,
    interval,
    p_value,
    variance_of_mean,
    variance_of_result,
)


@dataclass(frozen=True)
class Comparison:
    """Difference of two models on the same cases; `print` gives the sentence for the paper.

    Attributes
    ----------
    measure : str
        E.g. "AUC" or "accuracy".
    value_a, value_b : float
    difference : float
        `value_a - value_b`.
    p_value : float
        Two-sided.
    test : str
    confidence_interval : ConfidenceInterval or None
        Of the difference, at 95 %.
    """

    measure: str
    value_a: float
    value_b: float
    difference: float
    p_value: float
    test: str
    confidence_interval: ConfidenceInterval | None = None

    def __str__(self):
        return (
            f"{self.measure} {self.value_a:.3f} against {self.value_b:.3f}, difference {self.difference:+.3f}, "
            f"p = {self.p_value:.3g} ({self.test})"
        )


def compare_auc(result_a, result_b):
    """Test whether two models have the same AUC, or other measure of their outcomes, on the same cases.

    Parameters
    ----------
    result_a, result_b : StudyResult
        Of the same cases, outcomes and folds.

    Returns
    -------
    Comparison
        The mean difference over the repeats of the folds, and a test of it by the rule of
        `radiodeep.study.statistics.uncertainty.variance_of_repeats`. For two classes the variance within a repeat is
        DeLong's, or Obuchowski's if patients have several cases. Results without a valid variance, as of leave-one-out,
        leave-pair-out and single splits, are compared by their companions. Those of `holdout_auc` are compared as fixed
        models. Those of leave-one-centre-out are compared in each centre, and the differences pooled by random effects:
        this mean may differ from `value_a - value_b`, which are pooled on the logit scale.

    Raises
    ------
    StudyError
        The cases, outcomes, patients or folds differ, or a result has neither a valid variance nor a companion.

    Notes
    -----
    Of two models of equal AUC it calls 0 to 8 % different at p < 0.05 (2.5 % on average over simulated designs), least
    where both learn from the same features. If one model contains the features of the other, no test of this kind is
    valid: see `added_value_test`.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837. Obuchowski, Biometrics 53 (1997) 567.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from radiodeep import compare_auc, cross_validate_models
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(60) % 2
    >>> X = rng.normal(size=(60, 2)) + 0.5 * y[:, None]
    >>> models = {"bayes": GaussianNB(), "nothing": DummyClassifier()}
    >>> print(compare_auc(*cross_validate_models(models, X, y, cv=2, n_repeats=10).values()))
    AUC 0.678 against 0.500, difference +0.178, p = 0.0573 (DeLong, paired, 10 repeats)
    """
    (result_a, result_b), words = results_to_test(result_a, result_b, by_centre=True)
    result_b = in_pairs(result_a, result_b)
    endpoint = result_a.endpoint
    if result_a.centres is not None:
        return _of_centres(endpoint, result_a, result_b)
    folds = folds_to_compare_within(result_a, result_b)
    repeats = [
        endpoint.covariance(np.stack(scores), fold)
        for *scores, fold in zip(result_a.score_array, result_b.score_array, folds, strict=True)
    ]
    values = np.array([values for values, _ in repeats])
    within = [matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1] for _, matrix in repeats]
    return _comparison(endpoint.measure, values, within, result_a, f"{endpoint.test}, paired", words)


def _of_centres(endpoint, result_a, result_b):
    """Return the Comparison of two models in each centre, pooled by random effects."""
    scores = np.concatenate([result_a.score_array, result_b.score_array])
    values = result_a.value, result_b.value
    effects = difference_by_centre(endpoint, scores, result_a.fold_of_case[0])
    if effects is None:  # the models are the same, or perfect or constant in all centres
        difference = result_a.value - result_b.value
        bounds = interval(difference, 0.0, 0.95, (-np.inf, np.inf))
        return Comparison(
            endpoint.measure, *values, difference, p_value(difference, 0.0), "no variance in any centre", bounds
        )
    n_centres = len(effects.weights)
    p = p_value(effects.value, effects.standard_error**2, n_centres - 1 if n_centres > 1 else None)
    test = f"{endpoint.test}, paired, random effects of {n_centres} centres"
    found = effects.confidence_interval
    largest = endpoint.bounds[1] - endpoint.bounds[0]  # difference; few centres give a wider interval
    bounds = ConfidenceInterval(max(found.low, -largest), min(found.high, largest), found.level)
    return Comparison(endpoint.measure, *values, effects.value, p, test, bounds)


def _comparison(measure, values, within, result, test, words):
    """Return the Comparison of values (n_repeats, 2) whose difference has a variance within each repeat."""
    differences = values[:, 0] - values[:, 1]
    difference = float(differences.mean())
    variance = variance_of_result(result, within)
    bounds = interval(difference, variance, 0.95, (-np.inf, np.inf))
    if not result.is_holdout:
        test = f"{test}, {len(values)} repeat{'s' if len(values) > 1 else ''}{words}"
    return Comparison(measure, *values.mean(axis=0).tolist(), difference, p_value(difference, variance), test, bounds)


def compare_auc_unpaired(result_a, result_b):
    """Test whether the AUC, or other measure of the outcomes, is the same in two groups of different cases.

    Parameters
    ----------
    result_a, result_b : StudyResult
        Without a common case.

    Returns
    -------
    Comparison
        By the variances of the results, or of their companions; see `compare_auc`.

    Raises
    ------
    StudyError
        A case is in both results (use `compare_auc`), they are of different kinds of outcomes or positive classes, or
        one has neither a valid variance nor a companion.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837; for fixed models (`holdout_auc`) with Welch's degrees of
    freedom as in R's pROC.
    """
    (result_a, result_b), words = results_to_test(result_a, result_b)
    names_a = named_cases(result_a.predictions.index)
    names_b = named_cases(result_b.predictions.index)
    common = names_a & names_b
    if common:
        raise StudyError(f"{len(common)} cases are in both results, e.g. {min(common)!r}. Use compare_auc for those.")
    variances = np.array([result_a.variance, result_b.variance])
    freedom = None
    if result_a.is_holdout and result_b.is_holdout:
        n_units = np.array([_n_patients(result) for result in (result_a, result_b)])
        with np.errstate(invalid="ignore"):  # 0 / 0 without variance
            freedom = variances.sum() ** 2 / (variances**2 / (n_units - 1)).sum()
    difference = result_a.value - result_b.value
    endpoint = result_a.endpoint
    p = p_value(difference, variances.sum(), freedom)
    test = f"{endpoint.test}, unpaired{words and ', '}{words.strip()}"
    return Comparison(endpoint.measure, result_a.value, result_b.value, difference, p, test)


def _n_patients(result):
    return len(result.predictions) if result.patients is None else len(np.unique(result.patients))


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
        by) come last and do not count in the correction. Results without a valid variance, as of leave-one-out, are
        compared by their companions, and `cv` is theirs.

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
    results = {name: result_with_variance(result, by_centre=True) for name, result in results.items()}
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


def compare_classes(result_a, result_b):
    """Test for which pairs of classes two models differ, of labels of three classes or more.

    Parameters
    ----------
    result_a, result_b : StudyResult
        Of the same cases, labels and folds, as for `compare_auc`.

    Returns
    -------
    DataFrame
        A row per pair of classes, in their order: `class`, `against`, `auc_a`, `auc_b` (the mean of A(i|j) and A(j|i)
        of the pair, whose mean over the pairs is M), `difference` and `p_holm`: the p value corrected for the number of
        pairs by Holm's method, and not below that of the test of all classes, `compare_auc`, which comes first.

    Raises
    ------
    StudyError
        As `compare_auc`, or the labels are of two classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from radiodeep import compare_classes, cross_validate_models
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["benign", "doubtful", "malignant"], 20)
    >>> X = rng.normal(size=(60, 2)) + 2 * (y == "malignant")[:, None]
    >>> models = {"bayes": GaussianNB(), "nothing": DummyClassifier()}
    >>> results = cross_validate_models(models, X, y, cv=2, n_repeats=50)
    >>> compare_classes(*results.values())[["class", "against", "p_holm"]].round(3)
          class    against  p_holm
    0    benign   doubtful   0.351
    1    benign  malignant   0.000
    2  doubtful  malignant   0.000
    """
    (result_a, result_b), _ = results_to_test(result_a, result_b)
    result_b = in_pairs(result_a, result_b)
    endpoint = result_a.endpoint
    endpoint.require("pairs of classes")
    folds = folds_to_compare_within(result_a, result_b)
    values, within = [], []
    for *scores, fold in zip(result_a.score_array, result_b.score_array, folds, strict=True):
        aucs, influence = pairwise_aucs(endpoint.codes, np.stack(scores), fold)
        values.append(aucs)
        differences = influence[0] - influence[1]
        within.append(np.diag(covariance_of_influence(differences, endpoint.codes, endpoint.patients)))
    mean_a, mean_b = np.mean(values, axis=0)
    variances = [variance_of_result(result_a, of_pair) for of_pair in np.transpose(within)]
    table = pd.DataFrame(combinations(endpoint.classes.tolist(), 2), columns=["class", "against"])
    table = table.assign(auc_a=mean_a, auc_b=mean_b, difference=mean_a - mean_b)
    p_values = [p_value(*pair) for pair in zip(table["difference"], variances, strict=True)]
    return table.assign(p_holm=np.maximum(holm(p_values), compare_auc(result_a, result_b).p_value))


def holm(p_values):
    """Return p values corrected for their number by Holm's method, in their order."""
    p_values = np.asarray(p_values, dtype=float)
    corrected = np.full(len(p_values), np.nan)
    order = np.argsort(p_values, kind="stable")[: int(np.isfinite(p_values).sum())]  # NaN sorts last
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def compare_accuracy(result_a, result_b):
    """Test whether two models are right equally often on the same cases.

    Parameters
    ----------
    result_a, result_b : StudyResult
        Of the same cases, labels and folds.

    Returns
    -------
    Comparison
        For models tested on other patients (`holdout_auc`) the exact McNemar test. It does not hold for out-of-fold
        predictions (of models without information it calls 35 % different at p < 0.05 under leave-one-out), nor for
        patients with several cases: there the mean difference over the repeats is tested as by `compare_auc`.

    Raises
    ------
    StudyError
        As `compare_auc`, or there is no accuracy of such outcomes.

    References
    ----------
    McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions, Psychometrika 12 (1947) 153.
    """
    (result_a, result_b), words = results_to_test(result_a, result_b)
    result_b = in_pairs(result_a, result_b)
    endpoint = result_a.endpoint
    endpoint.require("accuracy")
    right_a, right_b = (result.prediction_array == endpoint.y for result in (result_a, result_b))
    differences = right_a.astype(float) - right_b
    values = np.column_stack([right_a.mean(axis=1), right_b.mean(axis=1)])
    if result_a.is_holdout and endpoint.patients is None:
        only_a = int((differences > 0).sum())
        n_different = int((differences != 0).sum())
        p = float(binomtest(only_a, n_different).pvalue) if n_different else 1.0
        return Comparison("accuracy", *values[0].tolist(), float(differences.mean()), p, "McNemar, exact")
    within = variance_of_mean(differences, endpoint.patients)
    return _comparison("accuracy", values, within, result_a, "difference of proportions, paired", words)
