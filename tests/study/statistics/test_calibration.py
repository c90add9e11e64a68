"""Calibration, sensitivity and decision curves: by hand and by theory."""

import numpy as np
import pandas as pd
import pytest
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


def signal(n_cases=40, effect=1.0, seed=0, n_features=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    return rng.normal(size=(n_cases, n_features)) + effect * y[:, None], y


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


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


def test_a_model_without_probabilities_cannot_be_calibrated():
    X, y = signal()
    result = cross_validated_auc(SVC(), X, y, cv=4, n_repeats=1)
    with pytest.raises(StudyError, match="SVC gave no probabilities. Wrap its classifier"):
        calibration(result)


def test_sensitivity_at_specificity_by_hand(result_of):
    result = result_of([0] * 10 + [1] * 5, [*range(10), 3.5, 8.5, 9.5, 10, 11])
    measured = sensitivity_at_specificity(result, 0.9)
    assert (measured.sensitivity, measured.specificity, measured.threshold) == (0.8, 0.9, 8.5)
    assert sensitivity_at_specificity(result, 0.95).sensitivity == 0.6
    with pytest.raises(StudyError, match="between 0 and 1. Got 1.5 instead"):
        sensitivity_at_specificity(result, 1.5)


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
    assert auc_with_confidence(labels, -X["f0"], positive="normal").auc == 1 - roc_auc_score(y, -X["f0"])
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
    np.testing.assert_allclose(
        together.curve["observed"], np.mean([study.curve["observed"] for study in apart], axis=0)
    )
    measured = sensitivity_at_specificity(result, 0.8)
    np.testing.assert_allclose(
        measured.sensitivity, np.mean([sensitivity_at_specificity(study, 0.8).sensitivity for study in single])
    )
    assert np.isnan(measured.threshold)
    np.testing.assert_allclose(decision_curve(result), np.mean([decision_curve(study) for study in single], axis=0))
