"""AUC, variance and tests against pROC's numbers, by hand, and against simulation."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from radiodeep import auc_with_confidence, compare_accuracy, compare_auc
from radiodeep.exceptions import SingleClassError, StudyError


class Result:
    """What the comparisons need of a StudyResult."""

    def __init__(self, label, score, prediction=None, index=None):
        prediction = label if prediction is None else prediction
        self.predictions = pd.DataFrame({"label": label, "score": score, "prediction": prediction}, index=index)


def golden(folder):
    frame = pd.read_csv(folder / "weka_golden" / "delong" / "proc_golden.csv", skipinitialspace=True)
    files = {"aSAH": "aSAH.csv", "b80": "b80_loo.csv", "sim200": "sim200.csv"}
    return frame, {name: pd.read_csv(folder / "weka_golden" / "delong" / file) for name, file in files.items()}


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


def test_the_paired_test_is_procs(reference_data):
    frame, tables = golden(reference_data)
    pairs = frame[frame["test"] == "delong_paired"]
    assert len(pairs) >= 3
    for row in pairs.itertuples():
        table = tables[row.set]
        comparison = compare_auc(Result(table["y"], table[row.a]), Result(table["y"], table[row.b]))
        np.testing.assert_allclose(comparison.p_value, row.p, rtol=1e-8)


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
        ([1, 1], [0.1, 0.2], SingleClassError, "All 2 labels are 1"),
        ([0, 1, 2], [0, 1, 2], StudyError, "Got 3"),
        ([0, 1], [0.1], StudyError, "2 labels and 1 scores"),
        ([0, 1], [np.nan, 1], StudyError, "1 scores are NaN"),
    ],
)
def test_what_has_no_auc_is_refused(y, score, error, message):
    with pytest.raises(error, match=message):
        auc_with_confidence(y, score)


def test_mcnemar_by_hand():
    label = np.ones(10, int)
    a, b = label.copy(), label.copy()
    b[:6] = 0  # a right and b wrong six times, never the other way: 2 / 2^6
    comparison = compare_accuracy(Result(label, a, a), Result(label, b, b))
    np.testing.assert_allclose(comparison.p_value, 2 / 64)
    assert str(comparison).startswith("accuracy 1.000 against 0.400, difference +0.600, p = 0.0312")


def test_a_model_does_not_differ_from_itself():
    y = np.arange(20) % 2
    score = np.random.default_rng(0).random(20)
    assert compare_auc(Result(y, score), Result(y, score)).p_value == 1.0


def test_results_of_different_cases_or_labels_are_not_compared():
    with pytest.raises(StudyError, match="2 cases are in one of them only"):
        compare_auc(Result([0, 1], [0, 1], index=["a", "b"]), Result([0, 1], [0, 1], index=["a", "c"]))
    with pytest.raises(StudyError, match="same labels"):
        compare_auc(Result([0, 1], [0, 1]), Result([1, 0], [0, 1]))


def test_the_order_of_the_cases_does_not_matter():
    one = Result([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9], index=list("abcd"))
    other = Result([1, 0, 1, 0], [0.8, 0.7, 0.2, 0.1], index=list("dcba"))
    comparison = compare_auc(one, other)
    np.testing.assert_allclose([comparison.value_a, comparison.value_b], [0.75, 0.75])
