"""Comparisons of results against pROC's numbers and by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline

from radiodeep import (
    ReliefF,
    compare_accuracy,
    compare_all,
    compare_auc,
    compare_auc_unpaired,
    cross_validate_models,
    cross_validated_auc,
    holdout_auc,
)
from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.auc import delong_covariance
from radiodeep.study.statistics.comparison import holm


def golden(folder):
    frame = pd.read_csv(folder / "weka_golden" / "delong" / "proc_golden.csv", skipinitialspace=True)
    files = {"aSAH": "aSAH.csv", "b80": "b80_loo.csv", "sim200": "sim200.csv"}
    return frame, {name: pd.read_csv(folder / "weka_golden" / "delong" / file) for name, file in files.items()}


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


def signal(n_cases=40, effect=1.0, seed=0, n_features=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    return rng.normal(size=(n_cases, n_features)) + effect * y[:, None], y


def test_the_paired_test_is_procs(result_of, reference_data):
    frame, tables = golden(reference_data)
    pairs = frame[frame["test"] == "delong_paired"]
    assert len(pairs) >= 3
    for row in pairs.itertuples():
        table = tables[row.set]
        comparison = compare_auc(result_of(table["y"], table[row.a]), result_of(table["y"], table[row.b]))
        np.testing.assert_allclose(comparison.p_value, row.p, rtol=1e-8)


def test_the_unpaired_test_is_procs(result_of, reference_data):
    folder = reference_data / "weka_golden" / "delong"
    frame = pd.read_csv(folder / "proc_golden.csv", skipinitialspace=True)
    files = {"aSAH": "aSAH.csv", "b80": "b80_loo.csv", "sim200": "sim200.csv"}
    rows = frame[frame["test"] == "delong_unpaired"]
    assert len(rows) >= 10
    for row in rows.itertuples():
        table = pd.read_csv(folder / files[row.set])
        a, b = (result_of(table["y"], table[name], prefix=name) for name in (row.a, row.b))
        np.testing.assert_allclose(compare_auc_unpaired(a, b).p_value, row.p, rtol=1e-9)
    with pytest.raises(StudyError, match="cases are in both results, e.g. 'nb0'. Use compare_auc"):
        compare_auc_unpaired(result_of([0, 1], [0, 1], prefix="nb"), result_of([0, 1], [0, 1], prefix="nb"))


def lesions():
    """Return lesions of patients with two scores, and what R says of them by name."""
    golden = Path(__file__).parent / "golden"
    expected = pd.read_csv(golden / "auc_lesions_expected.csv", comment="#", index_col="quantity")["value"]
    return pd.read_csv(golden / "auc_lesions.csv"), expected


def test_fixed_models_are_compared_as_by_proc_or_by_patient_with_obuchowskis_covariance(result_of):
    cases, expected = lesions()
    a, b = (result_of(cases["y"], cases[name]) for name in "ab")
    np.testing.assert_allclose(compare_auc(a, b).p_value, expected["pROC paired p"], rtol=1e-9)
    assert compare_auc(a, b).test == "DeLong, paired"
    b_of_others = result_of(cases["y"], cases["b"], prefix="b")
    assert compare_auc_unpaired(a, b_of_others).test == "DeLong, unpaired"
    np.testing.assert_allclose(compare_auc_unpaired(a, b_of_others).p_value, expected["pROC unpaired p"], rtol=1e-9)
    patients = pd.factorize(cases["patient"])[0]
    a, b = (result_of(cases["y"], cases[name], patients=patients) for name in "ab")
    variance = expected["clustered var a"] + expected["clustered var b"] - 2 * expected["clustered cov"]
    difference = expected["pROC auc a"] - expected["pROC auc b"]
    np.testing.assert_allclose(compare_auc(a, b).p_value, 2 * norm.sf(difference / np.sqrt(variance)), rtol=1e-9)
    assert compare_auc(a, b).test == "Obuchowski, paired"
    variances = expected[["clustered var a", "clustered var b"]].to_numpy()
    freedom = variances.sum() ** 2 / (variances**2 / 29).sum()  # 30 patients
    unpaired = compare_auc_unpaired(a, result_of(cases["y"], cases["b"], prefix="b", patients=patients))
    np.testing.assert_allclose(unpaired.p_value, 2 * t.sf(difference / np.sqrt(variances.sum()), freedom), rtol=1e-9)


@pytest.mark.parametrize(("n_folds", "weight"), [(2, 1.65), (5, 2.64)])
@pytest.mark.parametrize("groups", [None, np.arange(40) // 2])
def test_the_paired_test_of_repeats_by_hand(n_folds, weight, groups):
    X, y = signal(40, 0.5)
    y = np.repeat(y[:20], 2)
    models = {"a": GaussianNB(), "b": LogisticRegression(C=0.01)}
    results = cross_validate_models(models, X, y, cv=n_folds, n_repeats=4, groups=groups)
    a, b = results["a"], results["b"]
    pairs = [delong_covariance(y == 1, np.stack([a.scores[k], b.scores[k]]), groups) for k in range(4)]
    difference = np.mean([aucs[0] - aucs[1] for aucs, _ in pairs])
    variance = np.mean([c[0, 0] + c[1, 1] - 2 * c[0, 1] for _, c in pairs]) * (weight + 1 / 4)
    comparison = compare_auc(a, b)
    np.testing.assert_allclose(comparison.p_value, 2 * norm.sf(abs(difference) / np.sqrt(variance)))
    np.testing.assert_allclose([comparison.value_a, comparison.value_b], [a.auc, b.auc])
    assert comparison.test == f"{'DeLong' if groups is None else 'Obuchowski'}, paired, 4 repeats"
    others = cross_validated_auc(models["b"], X, y, cv=n_folds, n_repeats=4, groups=groups, random_state=7)
    unpaired = compare_auc_unpaired(renamed(a, "a"), renamed(others, "b"))
    difference, variance = a.auc - others.auc, a.variance + others.variance  # normal: models of folds are not fixed
    np.testing.assert_allclose(unpaired.p_value, 2 * norm.sf(abs(difference) / np.sqrt(variance)))


def renamed(result, prefix):
    names = [f"{prefix}{number}" for number in range(len(result.predictions))]
    return replace(result, predictions=result.predictions.set_axis(names))


def test_results_of_other_folds_patients_classes_or_outcomes_are_not_compared():
    X, y = signal(40, 0.5)
    y = np.repeat(y[:20], 2)

    def study(cv=5, **settings):
        return cross_validated_auc(GaussianNB(), X, y, cv=cv, n_repeats=2, **settings)

    with pytest.raises(StudyError, match="is of 5-fold, 2 repeats, the other of 4-fold, 2 repeats"):
        compare_auc(study(), study(cv=4))
    with pytest.raises(StudyError, match="Both results are of 5-fold, 2 repeats, but their folds hold other cases"):
        compare_auc(study(), study(random_state=5))
    with pytest.raises(StudyError, match="about class 1, the other about 0. Give both the same 'positive'"):
        compare_auc(study(), study(positive=0))
    by_patient = study(groups=np.arange(40) // 2)
    with pytest.raises(StudyError, match="the same patients in both results. Give both the same 'groups'"):
        compare_auc(by_patient, replace(by_patient, patients=None))
    assert compare_auc(by_patient, replace(by_patient, patients=np.unique(by_patient.patients)[::-1].repeat(2))).p_value
    for function in (compare_auc, compare_auc_unpaired, compare_accuracy):
        with pytest.raises(StudyError, match="is of two classes, the other of numbers. Compare results of one kind"):
            function(study(), replace(study(), outcome="numbers"))


@pytest.mark.parametrize("cv", ["leave-one-out", "leave-pair-out", StratifiedKFold(4)])
def test_splits_without_a_valid_variance_are_compared_by_their_companions(cv):
    X, y = signal(16, 0.5)
    models = {"a": GaussianNB(), "b": LogisticRegression(C=0.01)}
    results = cross_validate_models(models, X, y, cv=cv, n_repeats=1)
    a, b = results.values()
    for function in (compare_auc, compare_accuracy):
        of_splits, of_companions = function(a, b), function(a.companion, b.companion)
        assert of_splits.p_value == of_companions.p_value
        assert of_splits.test == f"{of_companions.test} of the companions"
    alone = [replace(result, companion=None) for result in (a, b)]
    for function in (compare_auc, compare_auc_unpaired, compare_accuracy):
        with pytest.raises(StudyError, match="no valid test of results of .* Compare results of repeated folds"):
            function(*alone)
    table = compare_all(results)
    assert table["cv"].tolist() == ["2-fold, 10 repeats"]
    assert table["p_value"][0] == compare_auc(a, b).p_value


def test_models_on_other_scales_are_compared_within_folds():
    X, y = signal(60, 0.8)
    models = {"m": [GaussianNB(), LogisticRegression(), RandomForestClassifier(5, random_state=0)]}
    search = GridSearchCV(Pipeline([("m", GaussianNB())]), models, cv=3)
    results = cross_validate_models({"search": search, "one": LogisticRegression()}, X, y, cv=4, n_repeats=2)
    search, one = results.values()
    assert search.folds["scale"].nunique() > 1
    assert search.estimate == "mean of 2 repeats, over pairs of the same test fold"
    assert one.estimate == "mean of 2 repeats"
    comparison = compare_auc(one, search)
    assert comparison.value_b == pytest.approx(search.auc)
    within = np.mean(
        [delong_covariance(y == 1, one.score_array[k : k + 1], folds=one.fold_of_case[k])[0] for k in range(2)]
    )
    assert comparison.value_a == pytest.approx(within) != one.auc


def test_a_model_does_not_differ_from_itself(result_of):
    y = np.arange(20) % 2
    score = np.random.default_rng(0).random(20)
    assert compare_auc(result_of(y, score), result_of(y, score)).p_value == 1.0


def test_a_difference_without_variance_has_no_p_value(result_of):
    y = np.repeat([0, 1], 5)
    perfect, constant = result_of(y, np.arange(10.0)), result_of(y, np.zeros(10))
    assert np.isnan(compare_auc(perfect, constant).p_value)
    assert compare_auc(perfect, perfect).p_value == 1


def test_results_of_different_cases_or_labels_are_not_compared(result_of):
    with pytest.raises(StudyError, match="2 cases are in one of them only"):
        compare_auc(result_of([0, 1], [0, 1], index=["a", "b"]), result_of([0, 1], [0, 1], index=["a", "c"]))
    with pytest.raises(StudyError, match="same outcomes"):
        compare_auc(result_of([0, 1], [0, 1]), result_of([1, 0], [0, 1]))


def test_the_order_of_the_cases_does_not_matter(result_of):
    result = result_of([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9], index=list("abcd"))
    reversed_result = result_of([1, 0, 1, 0], [0.8, 0.7, 0.2, 0.1], index=list("dcba"))
    comparison = compare_auc(result, reversed_result)
    np.testing.assert_allclose([comparison.value_a, comparison.value_b], [0.75, 0.75])


def test_the_order_of_the_rows_of_a_result_does_not_matter():
    X, y = signal(24)
    frame = pd.DataFrame(X, index=[f"c{number}" for number in range(24)])
    results = cross_validate_models(
        {"a": GaussianNB(), "b": LogisticRegression()}, frame, y, cv=4, groups=np.arange(24) // 2
    )
    a, b = results.values()
    mixed = b.in_order_of(b.predictions.index[np.random.default_rng(3).permutation(24)])
    for function in (compare_auc, compare_accuracy):
        np.testing.assert_allclose(function(a, mixed).p_value, function(a, b).p_value, rtol=1e-9)


def test_cases_of_one_name_are_compared_if_their_patient_is_known():
    X, _ = signal(40, 0.5)
    frame = pd.DataFrame(X, index=[f"c{number // 2}" for number in range(40)])
    y, patients = np.arange(40) // 2 % 2, np.arange(40) // 2
    models = {"a": GaussianNB(), "b": LogisticRegression()}
    named = cross_validate_models(models, frame, y, cv=4, n_repeats=2, groups=patients)
    unnamed = cross_validate_models(models, X, y, cv=4, n_repeats=2, groups=patients)
    np.testing.assert_array_equal(named["a"].fold_of_case, unnamed["a"].fold_of_case)
    assert compare_auc(*named.values()) == compare_auc(*unnamed.values())


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])


def test_many_models_are_compared_with_correction():
    X, y = signal(60)
    models = {"all": GaussianNB(), "first": make_pipeline(ReliefF(1), GaussianNB()), "linear": LogisticRegression()}
    results = cross_validate_models(models, X, y, cv=5)
    table = compare_all(results)
    assert len(table) == 3
    assert (table["p_holm"] >= table["p_value"]).all()
    main = compare_all(results, against="all")
    assert main["against"].tolist() == ["all", "all"]
    by_hand = compare_auc(results["first"], results["all"])
    assert main.set_index("model").loc["first", "p_value"] == by_hand.p_value
    with pytest.raises(StudyError, match="'against' to be one of"):
        compare_all(results, against="none")


def test_mcnemar_by_hand(result_of):
    label = np.repeat([0, 1], 5)
    wrong = label.copy()
    wrong[:6] = 1 - wrong[:6]  # the first model is right and the second wrong six times, never the other way: 2 / 2^6
    comparison = compare_accuracy(result_of(label, label, label), result_of(label, wrong, wrong))
    np.testing.assert_allclose(comparison.p_value, 2 / 64)
    assert str(comparison).startswith("accuracy 1.000 against 0.400, difference +0.600, p = 0.0312")


def test_accuracies_of_repeats_are_compared_by_the_rule_of_repeats():
    X, y = table()
    models = {"a": GaussianNB(), "b": LogisticRegression(C=0.001)}
    for groups in (None, np.arange(40) // 4):
        y_of_groups = y if groups is None else pd.Series(groups % 2, index=y.index)
        a, b = cross_validate_models(models, X, y_of_groups, cv=5, n_repeats=4, groups=groups).values()
        right = [(result.prediction_array == y_of_groups.to_numpy()).astype(float) for result in (a, b)]
        differences = right[0] - right[1]
        units = differences if groups is None else differences.reshape(4, 10, 4).mean(axis=2)
        variance = (units.var(axis=1, ddof=1) / units.shape[1]).mean() * (2.64 + 1 / 4)
        comparison = compare_accuracy(a, b)
        np.testing.assert_allclose(comparison.p_value, 2 * norm.sf(abs(differences.mean()) / np.sqrt(variance)))
        np.testing.assert_allclose([comparison.value_a, comparison.value_b], [a.accuracy, b.accuracy])
        assert comparison.test == "difference of proportions, paired, 4 repeats"


def test_accuracies_of_patients_with_several_cases_are_not_compared_by_mcnemar(result_of):
    label = np.repeat([0, 1], 6)
    wrong = np.where(np.arange(12) % 6 < 3, 1 - label, label)
    models = [result_of(label, label, predicted, patients=np.arange(12) // 3) for predicted in (label, wrong)]
    differences = np.array([1, 0, 1, 0])  # of the four patients
    p = 2 * norm.sf(0.5 / np.sqrt(differences.var(ddof=1) / 4))
    comparison = compare_accuracy(*models)
    np.testing.assert_allclose(comparison.p_value, p)
    assert comparison.test == "difference of proportions, paired"


def test_models_for_other_patients_are_compared_by_mcnemar():
    X, y = table()
    models = [GaussianNB(), LogisticRegression()]
    a, b = (holdout_auc(model, X[:20], y[:20], X[20:], y[20:]) for model in models)
    assert compare_accuracy(a, b).test == "McNemar, exact"
