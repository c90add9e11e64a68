"""What is called positive at a threshold, against counts by hand, Wilson's intervals and a slow plain version."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, precision_score
from sklearn.svm import LinearSVC

from radiodeep import cross_validated_auc, threshold_measures
from radiodeep.exceptions import StudyError

Y = np.array([0] * 12 + [1] * 8)
P = np.array([0.1] * 7 + [0.4] * 3 + [0.8] * 2 + [0.2] + [0.45] + [0.9] * 6)


def test_counts_and_measures_are_those_by_hand_with_wilsons_intervals(result_of):
    measured = threshold_measures(result_of(Y, P), 0.5)
    assert measured.counts.to_numpy().tolist() == [[10, 2], [2, 6]]
    by_hand = {"sensitivity": (6, 8), "specificity": (10, 12), "PPV": (6, 8), "NPV": (10, 12), "accuracy": (16, 20)}
    by_hand["prevalence"] = (8, 20)
    for name, (n, total) in by_hand.items():
        bounds = binomtest(n, total).proportion_ci(method="wilson")
        np.testing.assert_allclose(measured.measures.loc[name], [n / total, bounds.low, bounds.high], err_msg=name)
    value, low, high = measured.measures.loc["balanced accuracy"]
    assert value == pytest.approx(balanced_accuracy_score(Y, P >= 0.5))
    assert low < value < high
    assert str(measured) == ("sensitivity 0.75 (0.41-0.93), specificity 0.83 (0.55-0.95) at a probability of 0.5")


def test_the_threshold_itself_is_called_positive_and_no_call_has_no_value(result_of):
    assert threshold_measures(result_of(Y, P), 0.8).counts.loc["0", "1"] == 2
    none = threshold_measures(result_of(Y, P), 0.95)
    assert none.measures.loc["PPV"].isna().all()
    assert none.measures.loc["sensitivity", "value"] == 0


def test_the_default_is_the_prevalence_of_risks_and_else_a_half(result_of):
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=400) * 1.5 - 1.5
    risk = 1 / (1 + np.exp(-log_odds))
    y = (rng.random(400) < risk).astype(int)
    measured = threshold_measures(result_of(y, risk))
    assert measured.threshold == y.mean()
    assert measured.reason.endswith("the fraction of positive cases")
    too_sure = threshold_measures(result_of(y, 1 / (1 + np.exp(-4 * log_odds))))
    assert (too_sure.threshold, too_sure.reason) == (0.5, "a probability of 0.5")


def test_repeats_are_averaged_with_wider_intervals():
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    result = cross_validated_auc(LogisticRegression(), rng.normal(size=(60, 2)) + y[:, None], y, cv=5, n_repeats=3)
    measured = threshold_measures(result, 0.4)
    called = result.probability_array >= 0.4
    np.testing.assert_allclose(measured.measures.loc["sensitivity", "value"], called[:, y == 1].mean())
    pooled = precision_score(np.tile(y, 3), called.ravel())
    np.testing.assert_allclose(measured.measures.loc["PPV", "value"], pooled)
    assert (measured.counts.to_numpy().sum(), measured.n_repeats) == (pytest.approx(60), 3)
    bounds = binomtest(int(called[0, y == 1].sum()), 30).proportion_ci(method="wilson")
    low, high = measured.measures.loc["sensitivity", ["low", "high"]]
    assert high - low > 1.4 * (bounds.high - bounds.low)
    assert measured.measures.loc["accuracy", "low"] < result.accuracy


def test_patients_are_the_units_of_the_intervals(result_of):
    patients = np.tile(np.arange(20), 3)
    thrice = threshold_measures(result_of(np.tile(Y, 3), np.tile(P, 3), patients=patients), 0.5)
    once = threshold_measures(result_of(Y, P), 0.5)
    for name in ("sensitivity", "PPV", "accuracy", "balanced accuracy", "prevalence"):
        np.testing.assert_allclose(thrice.measures.loc[name], once.measures.loc[name], atol=0.03, err_msg=name)


def test_splits_without_valid_intervals_have_no_bounds_but_that_of_the_prevalence(result_of):
    measures = threshold_measures(replace(result_of(Y, P), variance=float("nan")), 0.5).measures
    assert measures["low"].isna().tolist() == [True] * 6 + [False]


def test_models_without_probabilities_are_taken_by_their_labels():
    y = np.arange(40) % 2
    X = np.random.default_rng(0).normal(size=(40, 2)) + y[:, None]
    result = cross_validated_auc(LinearSVC(), X, y, cv=4)
    measured = threshold_measures(result)
    assert np.isnan(measured.threshold)
    assert measured.measures.loc["accuracy", "value"] == pytest.approx(result.accuracy)
    with pytest.raises(StudyError, match="gave no probabilities. Leave out 'threshold'"):
        threshold_measures(result, 0.5)


@pytest.mark.parametrize("threshold", [0, 1, 1.2, "half", True])
def test_only_probabilities_are_thresholds(result_of, threshold):
    with pytest.raises(StudyError, match="'threshold' parameter of threshold_measures must be None or a float"):
        threshold_measures(result_of(Y, P), threshold)
