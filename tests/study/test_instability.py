"""Instability of predictions: by hand, against a plain bootstrap, and of repeats."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import radiodeep as rd
from radiodeep import instability, instability_of_repeats
from radiodeep.exceptions import StudyError


def signal(n=40, n_features=2, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, n_features)) + y[:, None], y


def test_predictions_are_those_of_a_plain_bootstrap():
    X, y = signal()
    measured = instability(LogisticRegression(), X, y, n_resamples=50)
    original = LogisticRegression().fit(X, y).predict_proba(X)[:, 1]
    np.testing.assert_allclose(measured.cases["prediction"], original)
    rng = np.random.default_rng(9)
    plain = []
    for _ in range(50):
        drawn = np.concatenate([rng.choice(np.flatnonzero(y == label), 20) for label in (0, 1)])
        plain.append(LogisticRegression().fit(X[drawn], y[drawn]).predict_proba(X)[:, 1])
    np.testing.assert_allclose(measured.cases["mape"], np.abs(plain - original).mean(axis=0), atol=0.05)
    assert measured.mape == pytest.approx(measured.cases["mape"].mean())
    flipped = ((measured.predictions >= 0.5) != (original >= 0.5)).mean(axis=0)
    np.testing.assert_allclose(measured.cases["flipped"], flipped)
    low, high = np.quantile(measured.predictions[:, 3], [0.025, 0.975])
    assert measured.cases[["low", "high"]].iloc[3].tolist() == pytest.approx([low, high])


def test_a_model_that_learns_nothing_is_stable_and_more_features_make_one_less_stable():
    X, y = signal()
    assert instability(DummyClassifier(), X, y, n_resamples=10).mape == 0
    wide = np.hstack([X, np.random.default_rng(1).normal(size=(40, 30))])
    few, many = (instability(LogisticRegression(), table, y, n_resamples=12).mape for table in (X, wide))
    assert many > 1.2 * few


def test_patients_are_drawn_with_all_their_cases():
    X, y = (np.repeat(values, 4, axis=0) for values in signal(10))
    whole, of_patients = (
        instability(LogisticRegression(), X, y, groups, n_resamples=20).mape
        for groups in (None, np.repeat(np.arange(10), 4))
    )
    assert of_patients > 1.4 * whole


def test_cases_are_extracted_once_and_named():
    cohort = rd.make_phantom_cohort(12, random_state=1)
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())
    measured = instability(model, cohort, cohort.labels, n_resamples=5)
    assert measured.cases.index.tolist() == cohort.ids
    assert measured.predictions.shape == (5, 12)


def test_repeats_of_folds_are_compared_with_their_mean():
    X, y = signal()
    result = rd.cross_validated_auc(LogisticRegression(), X, y, cv=2, n_repeats=6)
    measured = instability_of_repeats(result, threshold=0.4)
    repeats = result.probability_array
    np.testing.assert_allclose(measured.cases["prediction"], repeats.mean(axis=0))
    assert measured.mape == pytest.approx(np.abs(repeats - repeats.mean(axis=0)).mean())
    assert "At a threshold of 0.4" in str(measured)


def test_numbers_and_survival_have_predictions_of_their_own():
    rng = np.random.default_rng(0)
    X, _ = signal()
    numbers = instability(Ridge(), X, X[:, 0] + rng.normal(size=40), n_resamples=5)
    assert (numbers.quantity, numbers.flipped, numbers.threshold) == ("prediction", None, None)
    assert str(numbers).endswith("for the median case.")
    y = rd.survival_outcomes(event=rng.random(40) < 0.7, time=rng.exponential(np.exp(-X[:, 0])))
    result = rd.cross_validated_cindex(rd.CoxRegression(), X, y, cv=2, n_repeats=3)
    survival = instability_of_repeats(result)
    np.testing.assert_allclose(survival.predictions, 1 - result.probability_array[..., -1])


def test_results_without_repeats_or_probabilities_are_refused(result_of):
    X, y = signal()
    with pytest.raises(StudyError, match="The model gives no probabilities. Wrap its classifier in"):
        instability(SVC(), X, y, n_resamples=2)
    with pytest.raises(StudyError, match="Results of holdout test each case by one model. Take repeated folds"):
        instability_of_repeats(result_of(y, X[:, 0]))
    with pytest.raises(StudyError, match="Instability is measured of two classes, survival, numbers. Got several"):
        instability(GaussianNB(), X, np.arange(40) % 3, n_resamples=2)
    with pytest.raises(StudyError, match="'n_resamples' parameter of instability must be an int >= 2. Got 1"):
        instability(GaussianNB(), X, y, n_resamples=1)
    with pytest.raises(StudyError, match="'threshold' parameter of instability must be a float between 0 and 1"):
        instability(GaussianNB(), X, y, threshold=1.5)
    with pytest.raises(StudyError, match="'random_state' parameter of instability must be an int >= 0. Got None"):
        instability(GaussianNB(), X, y, random_state=None)
