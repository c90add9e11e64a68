"""Comparisons of results against pROC's numbers and by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

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
from radiodeep.exceptions import RadiodeepWarning, StudyError
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


def test_the_paired_test_of_repeats_by_hand():
    X, y = signal(40, 0.5)
    a, b = (cross_validated_auc(model, X, y, cv=5) for model in (GaussianNB(), LogisticRegression(C=0.01)))
    pairs = [delong_covariance(y == 1, np.stack([a.scores[k], b.scores[k]])) for k in range(5)]
    differences = np.array([aucs[0] - aucs[1] for aucs, _ in pairs])
    variance = np.mean([c[0, 0] + c[1, 1] - 2 * c[0, 1] for _, c in pairs]) + 3 * differences.var(ddof=1)
    expected = 2 * norm.sf(abs(differences.mean()) / np.sqrt(variance))
    np.testing.assert_allclose(compare_auc(a, b).p_value, expected)
    with pytest.raises(StudyError, match="is of 5-fold, 5 repeats, the other of 4-fold, 5 repeats"):
        compare_auc(a, cross_validated_auc(GaussianNB(), X, y, cv=4))


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
    with pytest.raises(StudyError, match="same labels"):
        compare_auc(result_of([0, 1], [0, 1]), result_of([1, 0], [0, 1]))


def test_the_order_of_the_cases_does_not_matter(result_of):
    result = result_of([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9], index=list("abcd"))
    reversed_result = result_of([1, 0, 1, 0], [0.8, 0.7, 0.2, 0.1], index=list("dcba"))
    comparison = compare_auc(result, reversed_result)
    np.testing.assert_allclose([comparison.value_a, comparison.value_b], [0.75, 0.75])


@pytest.mark.slow
def test_the_order_of_the_rows_of_a_result_does_not_matter():
    X, y = signal(24)
    y = np.sort(y)  # 12 and 12, not alternating
    frame = pd.DataFrame(X, index=[f"c{number}" for number in range(24)])
    mixed = np.random.default_rng(3).permutation(24)
    for cv in ("leave-one-out", "leave-pair-out"):
        a = cross_validated_auc(GaussianNB(), frame, y, cv=cv)
        b = cross_validated_auc(LogisticRegression(), frame, y, cv=cv)
        shuffled = cross_validated_auc(LogisticRegression(), frame.iloc[mixed], y[mixed], cv=cv)
        assert b.predictions.index.tolist() != shuffled.predictions.index.tolist()
        np.testing.assert_allclose(compare_auc(a, shuffled).p_value, compare_auc(a, b).p_value, rtol=1e-6)


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


def test_many_models_under_leave_one_out_are_compared_by_their_companions():
    X, y = signal(40, 0.5)
    results = cross_validate_models({"a": GaussianNB(), "b": LogisticRegression(C=0.01)}, X, y)
    table = compare_all(results)
    assert table["cv"].tolist() == ["2-fold, 50 repeats"]
    assert table["p_value"][0] == compare_auc(results["a"].companion, results["b"].companion).p_value


def test_mcnemar_by_hand(result_of):
    label = np.repeat([0, 1], 5)
    wrong = label.copy()
    wrong[:6] = 1 - wrong[:6]  # the first model is right and the second wrong six times, never the other way: 2 / 2^6
    comparison = compare_accuracy(result_of(label, label, label), result_of(label, wrong, wrong))
    np.testing.assert_allclose(comparison.p_value, 2 / 64)
    assert str(comparison).startswith("accuracy 1.000 against 0.400, difference +0.600, p = 0.0312")


def test_mcnemars_test_warns_of_out_of_fold_predictions():
    X, y = table()
    a, b = (cross_validated_auc(model, X, y, cv=5) for model in (GaussianNB(), LogisticRegression()))
    with pytest.warns(RadiodeepWarning, match="16 to 35 % at p < 0.05"):
        compare_accuracy(a, b)
    models = [GaussianNB(), LogisticRegression()]
    a, b = (holdout_auc(model, X[:20], y[:20], X[20:], y[20:]) for model in models)
    assert 0 <= compare_accuracy(a, b).p_value <= 1
