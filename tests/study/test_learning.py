"""Learning curves: sizes, folds and verdicts."""

from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

import radiodeep as rd
from radiodeep import cross_validated_auc, learning_curve
from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.auc import delong_covariance


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that notes the rows that it was fitted to: the first feature is their number."""

    fitted: ClassVar[list] = []

    def fit(self, X, y):
        Recorder.fitted.append((set(X[:, 0].astype(int)), np.bincount(y)))
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


def signal(n=60, effect=1.0, n_features=2, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, n_features)) + effect * y[:, None], y


def test_all_training_patients_give_the_result_of_repeated_folds():
    X, y = signal()
    curve = learning_curve(GaussianNB(), X, y, (0.5, 1.0), n_repeats=2)
    whole = cross_validated_auc(GaussianNB(), X, y, cv=5, n_repeats=2)
    last = curve.table.iloc[-1]
    interval = whole.confidence_interval
    assert last.tolist() == pytest.approx([48, whole.value, interval.low, interval.high])
    assert curve.table.index.tolist() == [24, 48]
    assert curve.gain == pytest.approx(whole.value - curve.table["value"].iloc[0])
    assert curve.cv == whole.cv


def test_smaller_sets_are_stratified_parts_of_larger_ones():
    X, y = signal(60)
    X[:, 0] = np.arange(60)
    Recorder.fitted = []
    learning_curve(Recorder(), X, y, (0.25, 0.5, 1.0), n_repeats=1)
    quarters, halves, wholes = (Recorder.fitted[start : start + 5] for start in (0, 5, 10))
    for (quarter, counts), (half, _), (whole, _) in zip(quarters, halves, wholes, strict=True):
        assert quarter < half < whole
        assert counts.tolist() == [6, 6]


def test_patients_are_kept_together_and_counted():
    X, y = signal(60)
    X[:, 0] = np.arange(60)
    patients = np.arange(60) // 3
    y = patients % 2
    Recorder.fitted = []
    curve = learning_curve(Recorder(), X, y, (0.5, 1.0), groups=patients, n_folds=4, n_repeats=1)
    assert curve.table.index.tolist() == [7, 15]
    assert curve.table["n_cases"].tolist() == [21, 45]
    for rows, _ in Recorder.fitted:
        assert all(len(rows & {3 * patient, 3 * patient + 1, 3 * patient + 2}) in (0, 3) for patient in range(20))


def test_cases_are_extracted_once_for_all_sizes():
    cohort = rd.make_phantom_cohort(16, random_state=1)
    extractor = rd.RadiomicsExtractor(families=["shape"])
    model = make_pipeline(extractor, GaussianNB())
    curve = learning_curve(model, cohort, cohort.labels, (0.5, 1.0), n_folds=2, n_repeats=1)
    table = rd.extract_table(extractor, cohort)
    expected = learning_curve(GaussianNB(), table, cohort.labels, (0.5, 1.0), n_folds=2, n_repeats=1)
    assert curve.table["value"].tolist() == pytest.approx(expected.table["value"].tolist())


def test_the_variance_of_the_gain_is_delongs_of_the_difference():
    X, y = signal(80)
    curve = learning_curve(GaussianNB(), X, y, (0.5, 1.0), n_repeats=2)
    scores = [curve.results[n].score_array for n in (64, 32)]
    within = [delong_covariance(y == 1, np.stack(pair))[1] for pair in zip(*scores, strict=True)]
    variance = np.mean([matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1] for matrix in within])
    assert curve.gain_interval.high - curve.gain == pytest.approx(1.959964 * np.sqrt(variance))


def test_the_verdict_follows_from_the_interval_of_the_gain():
    X, y = signal(300, 1.5, 1)
    flat = learning_curve(GaussianNB(), X, y, (0.5, 1.0), n_repeats=2)
    assert flat.verdict == "flat"
    assert "more patients of this kind would hardly help" in str(flat)
    X, y = signal(200, 0.5, 80)
    rising = learning_curve(LogisticRegression(C=1e3), X, y, (0.55, 1.0), n_repeats=2)
    assert rising.gain_interval.low > 0
    assert rising.verdict == "rises"
    assert f"From {rising.gain_from} to 160" in str(rising)
    X, y = signal(40, 0.5, 20)
    assert learning_curve(GaussianNB(), X, y, (0.5, 1.0), n_repeats=2).verdict == "unknown"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fractions": (0.5, 0.9)}, "'fractions' parameter of learning_curve must be two or more ascending"),
        ({"fractions": ("half", 1.0)}, "'fractions' parameter of learning_curve must be two or more ascending"),
        ({"fractions": (0.02, 1.0)}, "0.02 of the training patients are too few"),
        ({"fractions": (0.5, 0.51, 1.0)}, "'fractions' parameter of learning_curve must be of different numbers"),
        ({"n_folds": 1}, "'n_folds' parameter of learning_curve must be an int >= 2. Got 1"),
        ({"n_repeats": 0}, "'n_repeats' parameter of learning_curve must be an int >= 1. Got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        learning_curve(GaussianNB(), *signal(20), **settings)


def test_classes_that_are_no_estimators_are_refused():
    with pytest.raises(StudyError, match="must be an estimator with the interface of scikit-learn"):
        learning_curve(GaussianNB, *signal(20))


@pytest.mark.slow
def test_intervals_of_the_gain_hold_the_expected_gain():
    curves = [learning_curve(GaussianNB(), *signal(60, 0.3, 20, seed), (0.5, 1.0), n_repeats=2) for seed in range(80)]
    expected = np.mean([curve.gain for curve in curves])
    missed = [not curve.gain_interval.low <= expected <= curve.gain_interval.high for curve in curves]
    assert np.mean(missed) <= binom.ppf(0.999, 80, 0.05) / 80
    assert np.var([curve.gain for curve in curves]) > 0.1 * np.mean(
        [((curve.gain_interval.high - curve.gain) / 1.959964) ** 2 for curve in curves]
    )
