"""Sensitivity at a specificity: by hand, and the coverage of its interval."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from radiodeep import cross_validated_auc, sensitivity_at_specificity
from radiodeep.exceptions import StudyError


def test_sensitivity_at_specificity_by_hand(result_of):
    result = result_of([0] * 10 + [1] * 5, [*range(10), 3.5, 8.5, 9.5, 10, 11])
    measured = sensitivity_at_specificity(result, 0.9)
    assert (measured.sensitivity, measured.specificity, measured.threshold) == (0.8, 0.9, 8.5)
    assert sensitivity_at_specificity(result, 0.95).sensitivity == 0.6
    assert "threshold chosen on the same cases" in str(measured)
    with pytest.raises(StudyError, match="between 0 and 1. Got 1.5 instead"):
        sensitivity_at_specificity(result, 1.5)


def test_the_order_of_tied_cases_does_not_matter(result_of):
    y, score = np.array([0, 1] * 12), np.repeat(np.arange(6), 4)
    order = np.random.default_rng(0).permutation(24)
    results = [result_of(y, score), result_of(y[order], score[order])]
    assert len({sensitivity_at_specificity(result, 0.7).sensitivity for result in results}) == 1
    constant = sensitivity_at_specificity(result_of(y, np.zeros(24)))
    assert (constant.sensitivity, constant.specificity) == (0, 1)
    assert constant.confidence_interval.low < 1e-9 < 0.1 < constant.confidence_interval.high < 0.4


def test_perfect_scores_have_the_interval_of_as_many_patients(result_of):
    y = np.repeat([0, 1], 20)
    result = result_of(y, np.arange(40))
    cases = sensitivity_at_specificity(result).confidence_interval
    patients = sensitivity_at_specificity(replace(result, patients=np.arange(40) // 4)).confidence_interval
    np.testing.assert_allclose([cases.high, patients.high], 1)
    z = 1.959964**2
    np.testing.assert_allclose([cases.low, patients.low], [10 / (10 + z), 2.5 / (2.5 + z)], rtol=1e-6)  # Wilson's


def test_leave_one_out_has_no_interval():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 2)) + y[:, np.newaxis]
    single = sensitivity_at_specificity(cross_validated_auc(LogisticRegression(), X, y))
    assert np.isnan(single.confidence_interval.low)
    assert "CI" not in str(single)
    repeated = sensitivity_at_specificity(cross_validated_auc(LogisticRegression(), X, y, cv=2, n_repeats=6))
    assert repeated.confidence_interval.low < repeated.sensitivity < repeated.confidence_interval.high


@pytest.mark.slow
@pytest.mark.parametrize("icc", [0.0, 0.7])
@pytest.mark.parametrize("effect", [0.0, 1.0, 2.0])
def test_the_interval_holds_the_sensitivity_in_95_percent(result_of, effect, icc):
    rng = np.random.default_rng(0)
    truth = norm.sf(norm.isf(0.1) - effect)
    patients = np.arange(100) // 2
    y = patients % 2
    covered = []
    for _ in range(200):
        shared, own = rng.normal(size=50)[patients], rng.normal(size=100)
        score = np.sqrt(icc) * shared + np.sqrt(1 - icc) * own + effect * y
        result = replace(result_of(y, score), patients=patients if icc else None)
        interval = sensitivity_at_specificity(result).confidence_interval
        covered.append(interval.low <= truth <= interval.high)
    assert np.mean(covered) >= 0.92
