"""Calibration and decision curves: against R, by hand and by theory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from radiodeep import (
    auc_with_confidence,
    calibration,
    cross_validated_auc,
    decision_curve,
    holdout_auc,
    sensitivity_at_specificity,
)
from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.uncertainty import variance_of_repeats

# R 4.2: glm(label ~ lo, binomial) and glm(label ~ offset(lo), binomial) with lo = qlogis(probability), and the variance
# of each by fits without one patient: (n - 1) / n * sum((without - mean(without))^2)
GOLDEN = Path(__file__).parent / "golden" / "calibration.csv"
VALUES = [0.508239316860, 0.852649933740, 0.919232185460, 1.277471922281, 0.228562123512, -0.125613740963]
VARIANCES = [0.06688113596, 0.09879263313, 0.13809432626, 0.01227845947, 0.00089774156, 0.03854538325]
VARIANCES_OF_PATIENTS = [0.06699064678, 0.11386308132, 0.16872582429, 0.01509187881, 0.00089855117, 0.04852848811]


def signal(n_cases=40, effect=1.0, seed=0, n_features=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    return rng.normal(size=(n_cases, n_features)) + effect * y[:, None], y


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


def test_calibration_is_that_of_r(result_of):
    frame = pd.read_csv(GOLDEN)
    result = result_of(frame["label"], frame["probability"])
    measured = calibration(result)
    np.testing.assert_allclose(measured.measures["value"], VALUES, rtol=1e-8)
    fields = [measured.slope, measured.intercept, measured.in_the_large, measured.observed_expected]
    np.testing.assert_array_equal([*fields, measured.brier, measured.scaled_brier], measured.measures["value"])
    assert (measured.n_cases, measured.n_events) == (60, int(frame["label"].sum()))


@pytest.mark.parametrize("by_patient", [False, True])
def test_intervals_of_calibration_are_those_of_variances_without_each_patient(result_of, by_patient):
    frame = pd.read_csv(GOLDEN)
    patients = frame["patient"].to_numpy() if by_patient else None
    measures = calibration(replace(result_of(frame["label"], frame["probability"]), patients=patients)).measures
    expected = np.sqrt(VARIANCES_OF_PATIENTS if by_patient else VARIANCES)
    half = (measures["high"] - measures["low"]) / 2 / 1.959964
    np.testing.assert_allclose(half[:3], expected[:3], rtol=0.05)  # of one step of Newton's method
    np.testing.assert_allclose(half["scaled Brier score"], expected[5], rtol=1e-5)
    low, high = np.log(measures.loc["O:E", ["low", "high"]].to_numpy(dtype=float))
    np.testing.assert_allclose((high - low) / 2 / 1.959964, expected[3] / VALUES[3], rtol=0.05)  # of E:O, linear
    shares = frame["probability"] / frame["probability"].sum() - frame["label"] / frame["label"].sum()
    shares = shares.groupby(frame["patient"] if by_patient else frame.index).sum()
    variance = (shares**2).sum() * len(shares) / (len(shares) - 1)
    np.testing.assert_allclose((high - low) / 2 / 1.959964, np.sqrt(variance), rtol=1e-6)
    low, high = measures.loc["Brier score", ["low", "high"]]
    distance = np.abs(VALUES[4] - np.array([low, high])) / 1.959964  # of Wilson's form: as the bound itself varies
    spread = np.array([low * (1 - low), high * (1 - high)]) / (VALUES[4] * (1 - VALUES[4]))
    np.testing.assert_allclose(distance, expected[4] * np.sqrt(spread), rtol=1e-5)


def test_intervals_of_repeats_follow_the_rule_of_repeats_and_leave_one_out_has_none():
    X, y = signal(60, 0.7)
    result = cross_validated_auc(LogisticRegression(), X, y, cv=2, n_repeats=10)
    measures = calibration(result, confidence_level=0.9).measures
    values, within = [], []
    for probability in result.probability_array:
        values.append(np.mean((probability - y) ** 2) / 0.25)
        without = []
        for case in range(60):
            kept = np.arange(60) != case
            prevalence = y[kept].mean()
            without.append(np.mean((probability - y)[kept] ** 2) / (prevalence * (1 - prevalence)))
        within.append(59 / 60 * np.sum((without - np.mean(without)) ** 2))
    half = 1.644854 * np.sqrt(variance_of_repeats(within, 2))
    expected = [1 - np.mean(values), 1 - np.mean(values) - half, 1 - np.mean(values) + half]
    np.testing.assert_allclose(measures.loc["scaled Brier score"], expected, rtol=1e-5)
    single = calibration(cross_validated_auc(LogisticRegression(), X, y))
    assert single.measures[["low", "high"]].isna().all(axis=None)
    assert "CI" not in str(single)


def test_calibration_prints_the_numbers_of_cases_and_events(result_of):
    measured = calibration(result_of([0, 1, 0, 1, 1], [0.1, 0.4, 0.5, 0.9, 0.2]), confidence_level=0.9)
    assert str(measured).startswith("Calibration in the large +1.03 (90% CI -1.25 to +3.31), O:E 1.43 (")
    assert str(measured).endswith("5 cases with 3 events")
    separated = str(calibration(result_of([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])))
    assert "slope not defined (the probabilities separate the classes)" in separated


def test_calibration_of_true_and_of_too_extreme_probabilities(result_of):
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=4000) * 1.5
    truth = 1 / (1 + np.exp(-log_odds))
    y = (rng.random(4000) < truth).astype(int)
    right = calibration(result_of(y, truth))
    np.testing.assert_allclose([right.slope, right.intercept], [1, 0], atol=0.12)
    np.testing.assert_allclose(right.brier, np.mean((truth - y) ** 2))
    np.testing.assert_allclose(right.curve["predicted"], right.curve["observed"], atol=0.06)
    too_sure = calibration(result_of(y, 1 / (1 + np.exp(-2 * log_odds - 1))))
    np.testing.assert_allclose([too_sure.slope, too_sure.intercept], [0.5, -0.5], atol=0.1)
    assert np.isnan(calibration(result_of([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])).slope)


def test_separated_classes_have_no_slope_in_either_direction(result_of):
    assert np.isnan(calibration(result_of([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9])).slope)
    assert np.isnan(calibration(result_of([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.9])).slope)


def test_probabilities_that_are_all_0_expect_next_to_no_event():
    X, y = table(20)
    never = DummyClassifier(strategy="constant", constant=0)
    measures = cross_validated_auc(never, X, y, cv=5, n_repeats=2).measures()["value"]
    assert measures["O:E"] > 1e6
    assert np.isnan(measures["calibration slope"])


def test_one_repeat_with_probabilities_near_0_does_not_decide_the_o_e_of_all():
    X, y = signal(60)
    result = cross_validated_auc(LogisticRegression(), X, y, cv=2, n_repeats=10)
    usual = result.measures().loc["O:E"]
    expected = result.probability_array.sum(axis=1)
    np.testing.assert_allclose(usual["value"], 30 / expected.mean())
    result.probabilities[3] = 1e-12
    measured = result.measures().loc["O:E"]
    np.testing.assert_allclose(measured["value"], 30 / (expected.sum() - expected[3]) * 10, rtol=1e-6)
    assert usual["low"] / 1.5 < measured["low"] < measured["value"] < measured["high"] < usual["high"] * 1.5


def test_o_e_of_a_single_event_has_a_finite_interval(result_of):
    measured = calibration(result_of([0, 0, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.1, 0.2, 0.4])).measures.loc["O:E"]
    np.testing.assert_allclose(measured["value"], 1 / 1.3)
    assert 0.05 < measured["low"] < measured["value"] < measured["high"] < 10


def test_a_model_without_probabilities_cannot_be_calibrated():
    X, y = signal()
    result = cross_validated_auc(SVC(), X, y, cv=4, n_repeats=1)
    with pytest.raises(StudyError, match="SVC gave no probabilities. Wrap its classifier"):
        calibration(result)


def test_the_decision_curve_by_hand(result_of):
    result = result_of([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.7])
    curve = decision_curve(result, [0.5, 0.15])
    np.testing.assert_allclose(curve["model"], [1 / 4 - 1 / 4, 1 / 4 - 2 / 4 * 0.15 / 0.85])
    np.testing.assert_allclose(curve["treat_all"], [1 / 4 - 3 / 4, 1 / 4 - 3 / 4 * 0.15 / 0.85])
    assert (curve["treat_none"] == 0).all()


def test_sensitivity_and_decisions_are_about_the_positive_class():
    X, y = table(60, effect=0.5)
    labels = np.where(y == 1, "malignant", "normal")
    first = cross_validated_auc(LogisticRegression(), X, labels, cv=5, n_repeats=1, positive="malignant")
    as_numbers = cross_validated_auc(LogisticRegression(), X, y, cv=5, n_repeats=1)
    measured, expected = sensitivity_at_specificity(first), sensitivity_at_specificity(as_numbers)
    np.testing.assert_allclose([measured.sensitivity, measured.threshold], [expected.sensitivity, expected.threshold])
    assert "for class malignant at specificity" in str(measured)
    np.testing.assert_allclose(decision_curve(first), decision_curve(as_numbers), atol=1e-9)
    np.testing.assert_allclose(calibration(first).slope, calibration(as_numbers).slope, rtol=1e-4)
    with pytest.raises(
        StudyError, match=r"'positive' parameter of an AUC must be one of the labels \['malignant', 'normal'\]"
    ):
        cross_validated_auc(GaussianNB(), X, labels, positive="malign")
    reversed_auc = auc_with_confidence(labels, -X["f0"], positive="normal").auc
    np.testing.assert_allclose(reversed_auc, 1 - roc_auc_score(y, -X["f0"]))
    result = holdout_auc(GaussianNB(), X[:30], labels[:30], X[30:], labels[30:], positive="malignant")
    np.testing.assert_allclose(result.auc, roc_auc_score(y[30:], result.predictions["score"]))


def test_all_measures_of_repeats_are_means_over_the_repeats():
    X, y = table(60, effect=0.5)
    result = cross_validated_auc(GaussianNB(), X, y, cv=5, n_repeats=4)
    single = [cross_validated_auc(GaussianNB(), X, y, cv=5, n_repeats=1, random_state=seed) for seed in range(4)]
    np.testing.assert_allclose(result.auc, np.mean([study.auc for study in single]))
    np.testing.assert_allclose(result.accuracy, np.mean([study.accuracy for study in single]))
    np.testing.assert_allclose(result.predictions["correct"].mean(), result.accuracy)
    together, apart = calibration(result), [calibration(study) for study in single]
    np.testing.assert_allclose(together.slope, np.mean([study.slope for study in apart]))
    np.testing.assert_allclose(
        together.brier, np.mean([brier_score_loss(y, study.probabilities[0]) for study in single])
    )
    of_all, n = (together.curve[name] for name in ("observed", "n"))
    np.testing.assert_allclose([n.sum(), (of_all * n).sum()], [60, y.sum()])
    measured = sensitivity_at_specificity(result, 0.8)
    np.testing.assert_allclose(
        measured.sensitivity, np.mean([sensitivity_at_specificity(study, 0.8).sensitivity for study in single])
    )
    assert np.isnan(measured.threshold)
    np.testing.assert_allclose(decision_curve(result), np.mean([decision_curve(study) for study in single], axis=0))
