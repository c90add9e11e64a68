"""AUC, variance and intervals against pROC's numbers, by hand, and against simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from radiodeep import auc_with_confidence
from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.study.statistics.auc import accuracy_interval, auc_of_pairs, auc_of_repeats


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


def test_auc_variance_and_interval_are_procs(reference_data):
    frame, tables = golden(reference_data)
    checked = 0
    for row in frame[frame["test"] == "auc"].itertuples():
        table = tables[row.set]
        estimate = auc_with_confidence(table["y"], table[row.a])
        np.testing.assert_allclose([estimate.auc, estimate.variance], [row.auc_a, row.var], rtol=1e-10)
        interval = estimate.confidence_interval
        np.testing.assert_allclose([interval.low, interval.high], [row.lo, min(row.hi, 1)], rtol=1e-10)
        checked += 1
    assert checked >= 6


def test_ties_count_one_half():
    y, score = [0, 0, 1, 1], [0.5, 0.2, 0.5, 0.9]
    assert auc_with_confidence(y, score).auc == roc_auc_score(y, score) == 0.875


def test_perfect_separation_is_not_certainty():
    interval = auc_with_confidence([0] * 10 + [1] * 6, np.arange(16)).confidence_interval
    assert interval.high == 1
    np.testing.assert_allclose(interval.low, 0.025 ** (1 / 6))
    assert auc_with_confidence([0] * 6 + [1] * 6, -np.arange(12)).confidence_interval.low == 0


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth, hits = 0.7602, 0  # Phi(1 / sqrt(2))
    for _ in range(400):
        y = np.repeat([0, 1], 40)
        interval = auc_with_confidence(y, rng.normal(size=80) + y).confidence_interval
        hits += interval.low <= truth <= interval.high
    assert 0.91 < hits / 400 < 0.98


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


def test_the_variance_of_pairs_is_delongs_where_the_model_is_one():
    X, y = signal()
    score = X[:, 0]
    wins = 0.5 * (np.sign(score[y == 1][None] - score[y == 0][:, None]) + 1)
    plain, pairs = auc_with_confidence(y, score), auc_of_pairs(wins)
    np.testing.assert_allclose([pairs.auc, pairs.variance], [plain.auc, plain.variance])


def test_the_variance_of_unequal_classes_is_delongs():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [30, 8])
    score = rng.normal(size=38) + y
    wins = 0.5 * (np.sign(score[y == 1][None] - score[y == 0][:, None]) + 1)
    np.testing.assert_allclose(auc_of_pairs(wins).variance, auc_with_confidence(y, score).variance)


def test_repeats_that_agree_have_delongs_interval_and_others_a_wider_one():
    X, y = signal()
    rng = np.random.default_rng(1)
    same = auc_of_repeats(y == 1, [X[:, 0]] * 4)
    np.testing.assert_allclose(same.variance, auc_with_confidence(y, X[:, 0]).variance)
    assert auc_of_repeats(y == 1, X[:, 0] + rng.normal(size=(4, 40))).variance > same.variance


def test_the_variance_of_repeats_by_hand():
    X, y = signal()
    rng = np.random.default_rng(1)
    scores = X[:, 0] + rng.normal(size=(4, 40))
    estimates = [auc_with_confidence(y, score) for score in scores]
    aucs = [estimate.auc for estimate in estimates]
    by_hand = np.mean([estimate.variance for estimate in estimates]) + 3 * np.var(aucs, ddof=1)
    np.testing.assert_allclose(auc_of_repeats(y == 1, scores).variance, by_hand)
    assert np.isfinite(auc_of_repeats(y == 1, scores[:1]).variance)


def test_wilsons_interval_is_that_of_his_formula():
    n, p, z = 40, 36 / 40, norm.isf(0.025)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    interval = accuracy_interval(36, 40)
    np.testing.assert_allclose([interval.low, interval.high], [centre - half, centre + half])


def test_labels_and_scores_with_names_are_matched():
    _, y = table()
    scores = (y + 0.0).sort_values()
    assert auc_with_confidence(y, scores).auc == 1
    with pytest.raises(StudyError, match="Labels and scores name different cases"):
        auc_with_confidence(y, scores.rename({"case 0": "other"}))
