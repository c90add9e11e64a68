"""AUC, variance and intervals against R's numbers, by hand, and against simulation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from radiodeep import auc_with_confidence
from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.study.statistics.auc import auc_of_repeats, delong_covariance, score_interval

GOLDEN = Path(__file__).parent / "golden"


def golden(folder):
    frame = pd.read_csv(folder / "weka_golden" / "delong" / "proc_golden.csv", skipinitialspace=True)
    files = {"aSAH": "aSAH.csv", "b80": "b80_loo.csv", "sim200": "sim200.csv"}
    return frame, {name: pd.read_csv(folder / "weka_golden" / "delong" / file) for name, file in files.items()}


def lesions():
    """Return lesions of patients with two scores, and what R says of them by name."""
    expected = pd.read_csv(GOLDEN / "auc_lesions_expected.csv", comment="#", index_col="quantity")["value"]
    return pd.read_csv(GOLDEN / "auc_lesions.csv"), expected


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


def signal(n_cases=40, effect=1.0, seed=0, n_features=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    return rng.normal(size=(n_cases, n_features)) + effect * y[:, None], y


def test_auc_and_variance_are_procs(reference_data):
    frame, tables = golden(reference_data)
    checked = 0
    for row in frame[frame["test"] == "auc"].itertuples():
        table = tables[row.set]
        estimate = auc_with_confidence(table["y"], table[row.a])
        np.testing.assert_allclose([estimate.auc, estimate.variance], [row.auc_a, row.var], rtol=1e-10)
        checked += 1
    assert checked >= 6


def test_the_covariance_of_two_scores_is_procs_and_that_of_patients_with_several_lesions_obuchowskis():
    cases, expected = lesions()
    positive, scores = (cases["y"] == 1).to_numpy(), cases[["a", "b"]].to_numpy().T
    aucs, covariance = delong_covariance(positive, scores)
    np.testing.assert_allclose(aucs, expected[["pROC auc a", "pROC auc b"]], rtol=1e-12)
    np.testing.assert_allclose(np.diag(covariance), expected[["pROC var a", "pROC var b"]], rtol=1e-12)
    np.testing.assert_allclose(covariance[0, 1], expected["pROC cov"], rtol=1e-12)
    by_patient, covariance = delong_covariance(positive, scores, pd.factorize(cases["patient"])[0])
    np.testing.assert_allclose(by_patient, aucs)
    np.testing.assert_allclose(np.diag(covariance), expected[["clustered var a", "clustered var b"]], rtol=1e-12)
    np.testing.assert_allclose(covariance[0, 1], expected["clustered cov"], rtol=1e-12)


def obuchowski_by_hand(positive, score, patients):
    """Return Obuchowski's variance of an AUC, case by case and patient by patient."""
    wins = [[(a > b) + 0.5 * (a == b) for b in score[~positive]] for a in score[positive]]
    auc, (n_positive, n_negative) = np.mean(wins), np.shape(wins)
    of_positive, of_negative = np.mean(wins, axis=1) - auc, np.mean(wins, axis=0) - auc
    names = sorted(set(patients))
    a = np.array([of_positive[patients[positive] == name].sum() for name in names])
    b = np.array([of_negative[patients[~positive] == name].sum() for name in names])
    n, n10, n01 = len(names), len(set(patients[positive])), len(set(patients[~positive]))
    return (
        n10 / (n10 - 1) * (a @ a) / n_positive**2
        + n01 / (n01 - 1) * (b @ b) / n_negative**2
        + 2 * n / (n - 1) * (a @ b) / (n_positive * n_negative)
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_variance_of_clustered_cases_by_hand(seed):
    rng = np.random.default_rng(seed)
    patients = rng.integers(0, 12, 40)
    positive = rng.random(40) < 0.4
    score = rng.integers(0, 9, 40).astype(float)
    estimate = auc_with_confidence(positive, score, patients=patients)
    np.testing.assert_allclose(estimate.variance, obuchowski_by_hand(positive, score, patients))
    single = auc_with_confidence(positive, score, patients=rng.permutation(40))
    assert single == auc_with_confidence(positive, score)


def test_patients_are_matched_with_the_labels_and_must_be_known():
    _, y = table(20)
    scores = pd.Series(np.random.default_rng(0).normal(size=20), index=y.index)
    patients = pd.Series([f"p{number // 2}" for number in range(20)], index=y.index)
    estimate = auc_with_confidence(y, scores, patients=patients)
    assert auc_with_confidence(y, scores, patients=patients[::-1]) == estimate
    assert auc_with_confidence(y, scores, patients=np.roll(patients, 1)) != estimate
    patients.iloc[3] = None
    with pytest.raises(StudyError, match="Expected the patient of each of the 20 cases"):
        auc_with_confidence(y, scores, patients=patients)
    with pytest.raises(StudyError, match="Expected the patient of each of the 20 cases"):
        auc_with_confidence(y, scores, patients=range(19))


def test_ties_count_one_half():
    y, score = [0, 0, 1, 1], [0.5, 0.2, 0.5, 0.9]
    assert auc_with_confidence(y, score).auc == roc_auc_score(y, score) == 0.875


@pytest.mark.parametrize("row", list(pd.read_csv(GOLDEN / "newcombe.csv", comment="#").itertuples(index=False)))
def test_the_interval_is_newcombes(row):
    interval = score_interval(row.auc, row.n_positive, row.n_negative, row.level)
    np.testing.assert_allclose([interval.low, interval.high], [row.low, row.high], rtol=1e-9, atol=1e-12)
    turned = score_interval(1 - row.auc, row.n_positive, row.n_negative, row.level)
    np.testing.assert_allclose([turned.low, turned.high], [1 - row.high, 1 - row.low], rtol=1e-9, atol=1e-12)


def test_the_interval_of_cases_is_that_of_their_auc_and_numbers():
    y = [0] * 10 + [1] * 6
    for score in (np.arange(16), np.zeros(16), -np.arange(16), [*range(9), 10, 9, *range(11, 16)]):
        estimate = auc_with_confidence(y, score)
        assert estimate.confidence_interval == score_interval(estimate.auc, 6, 10)
    with pytest.raises(StudyError, match="'confidence_level' parameter of the study must be a float between 0 and 1"):
        auc_with_confidence(y, score, confidence_level=95)


def test_perfect_separation_and_a_single_case_are_not_certainty():
    perfect, almost = np.arange(16.0), np.arange(16.0)
    almost[[9, 10]] = 10, 9
    y = [0] * 10 + [1] * 6
    of_perfect, of_almost = (auc_with_confidence(y, score).confidence_interval for score in (perfect, almost))
    assert of_perfect.high == 1
    assert 0.7 < of_almost.low < of_perfect.low < 0.76  # one wrong pair changes little
    single = auc_with_confidence([0] * 39 + [1], np.arange(40)).confidence_interval
    assert single.low < 0.5
    patients = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    of_patients = auc_with_confidence(y, perfect, patients=patients).confidence_interval
    assert of_patients == score_interval(1.0, 2, 3)


@pytest.mark.parametrize("n_positive", [1, 5, 40])
def test_the_interval_holds_the_truth_at_least_as_often_as_it_says(n_positive):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [80 - n_positive, n_positive])
    for truth in (0.7602, 0.95):
        hits = 0
        for _ in range(300):
            score = rng.normal(size=80) + np.sqrt(2) * norm.ppf(truth) * y
            interval = auc_with_confidence(y, score).confidence_interval
            hits += interval.low <= truth <= interval.high
        assert hits / 300 > 0.92


def test_the_interval_of_clustered_cases_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    patients, hits = np.repeat(np.arange(40), 3), np.zeros(2)
    y = np.repeat(np.arange(40) % 2, 3)
    for _ in range(200):
        score = np.sqrt(0.8) * rng.normal(size=40)[patients] + np.sqrt(0.2) * rng.normal(size=120) + y
        for number, given in enumerate((patients, None)):
            interval = auc_with_confidence(y, score, patients=given).confidence_interval
            hits[number] += interval.low <= 0.7602 <= interval.high
    assert hits[0] / 200 > 0.92
    assert hits[1] / 200 < 0.85


@pytest.mark.parametrize(
    ("y", "score", "error", "message"),
    [
        ([1, 1], [0.1, 0.2], SingleClassError, "All 2 cases have the label 1"),
        ([0, 1, 2], [0, 1, 2], StudyError, "Got 3: 0, 1, 2. Study one class"),
        ([0, np.nan, 0], [0, 1, 2], StudyError, "1 of 3 labels are missing"),
        ([0, 1], [0.1], StudyError, "2 labels and 1 scores"),
        ([0, 1], [np.nan, 1], StudyError, "1 scores are NaN"),
    ],
)
def test_what_has_no_auc_is_refused(y, score, error, message):
    with pytest.raises(error, match=message):
        auc_with_confidence(y, score)


def test_one_fold_is_one_fixed_model():
    X, y = signal()
    single = auc_with_confidence(y, X[:, 0])
    assert auc_of_repeats(y == 1, X[np.newaxis, :, 0]) == single


@pytest.mark.parametrize("n_folds", [2, 5])
def test_the_variance_and_interval_of_repeats_by_hand(n_folds):
    X, y = signal()
    scores = X[:, 0] + np.random.default_rng(1).normal(size=(4, 40))
    estimates = [auc_with_confidence(y, score) for score in scores]
    auc, within = (np.mean([getattr(each, name) for each in estimates]) for name in ("auc", "variance"))
    weight = {2: 1.65, 5: 2.64}[n_folds] + 1 / 4
    repeats = auc_of_repeats(y == 1, scores, n_folds=n_folds)
    np.testing.assert_allclose([repeats.auc, repeats.variance], [auc, weight * within])
    by_hand = score_interval(auc, 20, 20, inflation=weight)
    np.testing.assert_allclose(repeats.confidence_interval.low, by_hand.low)
    patients = np.arange(40) // 2
    clustered = [auc_with_confidence(y, score, patients=patients).variance for score in scores]
    repeats = auc_of_repeats(y == 1, scores, n_folds=n_folds, patients=patients)
    np.testing.assert_allclose(repeats.variance, weight * np.mean(clustered))
    by_hand = score_interval(auc, 20, 20, inflation=weight * np.mean(clustered) / within)
    np.testing.assert_allclose(repeats.confidence_interval.high, by_hand.high)
    perfect = auc_of_repeats(y == 1, np.array([y] * 4, dtype=float), n_folds=n_folds)
    np.testing.assert_allclose(perfect.confidence_interval.low, score_interval(1.0, 20, 20, inflation=weight).low)


def test_scores_of_different_scales_are_compared_within_folds_only():
    X, y = signal(60, 0.8)
    folds = np.stack([np.random.default_rng(seed).permutation(np.arange(60) % 5) for seed in range(2)])
    score = np.stack([X[:, 0], X[:, 1]]) + 1000 * folds
    aucs, weights = np.zeros((2, 5)), np.zeros((2, 5))
    for repeat, fold in np.ndindex(2, 5):
        members = folds[repeat] == fold
        if len(set(y[members])) == 2:
            aucs[repeat, fold] = roc_auc_score(y[members], score[repeat, members])
            weights[repeat, fold] = (y[members] == 1).sum() * (y[members] == 0).sum()
    within = auc_of_repeats(y == 1, score, n_folds=5, folds=folds)
    np.testing.assert_allclose(within.auc, np.mean((aucs * weights).sum(axis=1) / weights.sum(axis=1)))
    assert within.auc > auc_of_repeats(y == 1, score, n_folds=5).auc + 0.05
    pooled = np.diag(delong_covariance(y == 1, score)[1]).mean()  # of all pairs, as in the interval's own variance
    by_hand = score_interval(within.auc, 30, 30, inflation=within.variance / pooled)
    np.testing.assert_allclose(within.confidence_interval.low, by_hand.low)
    with pytest.raises(StudyError, match="No test fold holds cases of both classes"):
        auc_of_repeats(y == 1, score, n_folds=2, folds=np.stack([y, y]))


def test_the_variance_within_small_folds_is_not_below_that_over_cohorts():
    rng = np.random.default_rng(0)
    y, folds = np.arange(60) % 2, np.arange(60) // 6
    found = [delong_covariance(y == 1, (rng.normal(size=60) + y)[np.newaxis], folds=folds) for _ in range(200)]
    observed = np.var([aucs[0] for aucs, _ in found])
    assert 0.85 < np.mean([covariance for _, covariance in found]) / observed < 1.8


def test_labels_and_scores_with_names_are_matched():
    _, y = table()
    scores = (y + 0.0).sort_values()
    assert auc_with_confidence(y, scores).auc == 1
    with pytest.raises(StudyError, match="The two Series name different cases"):
        auc_with_confidence(y, scores.rename({"case 0": "other"}))


@pytest.mark.parametrize("patients", [np.zeros(40), np.arange(40) % 2])
def test_a_class_of_one_patient_has_the_interval_of_one_case(patients):
    y = np.arange(40) % 2
    scores = np.random.default_rng(0).normal(size=40) + y
    interval = auc_with_confidence(y, scores, patients=patients).confidence_interval
    assert interval.low < 0.3
    assert interval.high > 0.9


def test_patients_of_one_class_each_are_not_fewer_than_their_cases_tell():
    y = np.repeat([0, 1], [20, 10])
    scores = np.random.default_rng(0).normal(size=30) + y
    one = auc_with_confidence(y, scores, patients=[*range(20), *[20] * 10]).confidence_interval
    several = auc_with_confidence(y, scores, patients=[*range(20), *np.arange(20, 30) // 2 * 2]).confidence_interval
    assert one.high - one.low > several.high - several.low
