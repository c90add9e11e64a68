"""M, its covariance and the agreement of several classes against pROC, scikit-learn, examples and plain loops."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    cohen_kappa_score,
    confusion_matrix,
    roc_auc_score,
)

from radiodeep.study.statistics.auc import delong_covariance
from radiodeep.study.statistics.several_classes import (
    balanced_accuracy,
    brier_scores,
    cohen_kappa,
    confusion_tables,
    hand_till,
    jackknife_variance,
    pairwise_aucs,
)

GOLDEN = Path(__file__).parent / "golden"


def proc():
    """Return codes, scores of two models, and pROC's numbers by model and name."""
    table = pd.read_csv(GOLDEN / "several_classes.csv")
    scores = [table[[f"{model}_{name}" for name in "abcd"]].to_numpy() for model in ("first", "second")]
    golden = pd.read_csv(GOLDEN / "several_classes_proc.csv", comment="#").set_index(["model", "what"])["value"]
    return pd.factorize(table["label"], sort=True)[0], np.stack(scores), golden


def several(n_cases=60, n_classes=3, n_models=2, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(n_cases) % n_classes)
    scores = rng.normal(size=(n_models, n_cases, n_classes)).round(1)
    scores[:, np.arange(n_cases), codes] += 0.8
    return codes, scores


def test_m_its_variance_and_the_covariance_of_two_models_are_procs():
    codes, scores, golden = proc()
    values, covariance = hand_till(codes, scores)
    np.testing.assert_allclose(values, [golden["first", "M"], golden["second", "M"]], rtol=1e-12)
    np.testing.assert_allclose(
        np.diag(covariance), [golden["first", "variance of M"], golden["second", "variance of M"]], rtol=1e-10
    )
    np.testing.assert_allclose(covariance[0, 1], golden["both", "covariance of M"], rtol=1e-9)


def test_the_pairs_of_classes_are_procs():
    codes, scores, golden = proc()
    names = ["a/b", "a/c", "a/d", "b/c", "b/d", "c/d"]
    values, influence = pairwise_aucs(codes, scores)
    np.testing.assert_allclose(values, [golden[model][names] for model in ("first", "second")], rtol=1e-12)
    assert influence.shape == (2, 6, len(codes))


def test_m_is_scikit_learns():
    codes, scores = several(90, 5)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    values, _ = hand_till(codes, probabilities)
    by_sklearn = [roc_auc_score(codes, model, multi_class="ovo", average="macro") for model in probabilities]
    np.testing.assert_allclose(values, by_sklearn, rtol=1e-12)


def test_two_classes_have_the_auc_and_delongs_covariance():
    codes, scores = several(n_classes=2)
    score = scores[:, :, 1]
    values, covariance = hand_till(codes, np.stack([-score, score], axis=2))
    aucs, delong = delong_covariance(codes == 1, score)
    np.testing.assert_allclose(values, aucs, rtol=1e-12)
    np.testing.assert_allclose(covariance, delong, rtol=1e-10)


def test_the_influence_of_a_case_tells_the_value_without_it():
    codes, scores = several(31, 3)
    values, influence = pairwise_aucs(codes, scores)
    sizes = np.bincount(codes)
    for case in range(31):
        without, _ = pairwise_aucs(np.delete(codes, case), np.delete(scores, case, axis=1))
        n = sizes[codes[case]]
        np.testing.assert_allclose(without - values, -n / (n - 1) * influence[:, :, case], atol=1e-12)


def test_patients_of_several_cases_have_obuchowskis_covariance():
    codes, scores = several(50, 2)
    patients = np.random.default_rng(1).integers(0, 20, 50)
    positive, score = codes == 1, scores[:, :, 1]
    n_high, n_low = positive.sum(), (~positive).sum()
    wins = np.heaviside(score[:, positive][:, :, None] - score[:, ~positive][:, None], 0.5)
    value = wins.mean(axis=(1, 2))[:, None]
    of_high, of_low = wins.mean(axis=2) - value, wins.mean(axis=1) - value
    groups = np.unique(patients)
    a = np.stack([of_high[:, patients[positive] == group].sum(axis=1) for group in groups], axis=1)
    b = np.stack([of_low[:, patients[~positive] == group].sum(axis=1) for group in groups], axis=1)
    n10, n01, n = len(set(patients[positive])), len(set(patients[~positive])), len(groups)
    plain = n10 / (n10 - 1) * (a @ a.T) / n_high**2 + n01 / (n01 - 1) * (b @ b.T) / n_low**2
    plain += n / (n - 1) * (a @ b.T + b @ a.T) / (n_high * n_low)
    _, covariance = hand_till(codes, np.stack([-score, score], axis=2), patients * 7 + 3)
    np.testing.assert_allclose(covariance, plain, rtol=1e-10)


def test_the_covariance_of_clustered_cases_is_about_that_of_the_jackknife_over_patients():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(150), 2)
    codes = np.repeat(rng.integers(0, 3, 150), 2)
    scores = np.repeat(rng.normal(size=(2, 150, 3)), 2, axis=1) + 0.3 * rng.normal(size=(2, 300, 3))
    scores[:, np.arange(300), codes] += 0.8
    without = np.array(
        [hand_till(codes[patients != one], scores[:, patients != one])[0] for one in range(150)]
    )  # (n_patients, n_models)
    deviations = without - without.mean(axis=0)
    jackknife = 149 / 150 * deviations.T @ deviations
    _, covariance = hand_till(codes, scores, patients)
    np.testing.assert_allclose(np.diag(covariance), np.diag(jackknife), rtol=0.03)
    np.testing.assert_allclose(jackknife_variance(without.T), np.diag(jackknife), rtol=1e-10)
    _, as_independent = hand_till(codes, scores)
    assert (np.diag(covariance) > 1.5 * np.diag(as_independent)).all()


def test_tables_and_the_measures_of_them_are_scikit_learns():
    rng = np.random.default_rng(0)
    codes, predicted, patients = rng.integers(0, 3, 40), rng.integers(0, 3, 40), rng.integers(0, 9, 40)
    by_patient = confusion_tables(codes, predicted, patients, 3)
    table = by_patient.sum(axis=0)
    np.testing.assert_array_equal(table, confusion_matrix(codes, predicted))
    of_two = patients == 2
    of_patient = confusion_matrix(codes[of_two], predicted[of_two], labels=[0, 1, 2])
    np.testing.assert_array_equal(by_patient[2], of_patient)
    np.testing.assert_allclose(balanced_accuracy(table), balanced_accuracy_score(codes, predicted))
    for power, weights in enumerate((None, "linear", "quadratic")):
        by_sklearn = cohen_kappa_score(codes, predicted, weights=weights)
        np.testing.assert_allclose(cohen_kappa(table, power), by_sklearn, rtol=1e-12)
    np.testing.assert_allclose(cohen_kappa(by_patient[:2] + table)[1], cohen_kappa(by_patient[1] + table))


def test_kappa_is_that_of_cohens_and_fleisss_examples():
    # Cohen, Psychological Bulletin 70 (1968) 213, table 1: 200 patients, 0.492 without weights.
    cohen = 200 * np.array([[0.44, 0.07, 0.09], [0.05, 0.20, 0.05], [0.01, 0.03, 0.06]])
    assert cohen_kappa(cohen).round(3) == 0.492
    # Fleiss, Cohen, Everitt, Psychological Bulletin 72 (1969) 323: 0.429, of variance 0.002885.
    fleiss = np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]])
    assert cohen_kappa(fleiss).round(3) == 0.429
    cell = np.repeat(np.arange(9), fleiss.ravel())
    by_case = confusion_tables(cell // 3, cell % 3, np.arange(200), 3)
    variance = jackknife_variance(cohen_kappa(fleiss - by_case))
    np.testing.assert_allclose(variance, 0.002885, rtol=0.03)


@pytest.mark.parametrize(("power", "kappa"), [(0, 1 - 4 / 6), (1, 1 - 4 / 8), (2, 1 - 4 / 12)])
def test_kappa_forgives_near_confusions_of_ordered_classes(power, kappa):
    # 4 of 9 cases are one class off; by chance 4 are one class off and 2 are two classes off.
    np.testing.assert_allclose(cohen_kappa(np.array([[2, 1, 0], [1, 1, 1], [0, 1, 2]]), power), kappa)


def test_kappa_of_one_class_is_not_defined():
    assert np.isnan(cohen_kappa(np.array([[5, 0], [0, 0]])))


def test_balanced_accuracy_leaves_out_classes_without_cases():
    assert balanced_accuracy(np.array([[3, 1, 0], [0, 0, 0], [1, 0, 1]])) == (0.75 + 0.5) / 2


def test_brier_scores_of_two_classes_are_the_usual_ones():
    rng = np.random.default_rng(0)
    codes, probability = rng.integers(0, 2, 30), rng.random(30)
    scores = brier_scores(codes, np.stack([1 - probability, probability], axis=1))
    np.testing.assert_allclose(scores.mean(), brier_score_loss(codes, probability))
    three = brier_scores(np.array([2]), np.array([[0.2, 0.3, 0.5]]))
    np.testing.assert_allclose(three, (0.04 + 0.09 + 0.25) / 3)
