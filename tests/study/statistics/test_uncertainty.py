"""The rule for repeated folds, intervals and p values: by hand, from Wilson's formula and from scipy."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest, norm, ttest_ind_from_stats

from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.uncertainty import (
    covariance_of_influence,
    interval,
    interval_of_proportion,
    p_value,
    variance_of_mean,
    variance_of_repeats,
    variance_of_result,
    weight_of_repeats,
)


def bounds(found):
    return [found.low, found.high]


def test_the_weights_of_repeats_are_those_of_the_simulation():
    table = {(2, 50): 1.67, (2, 5): 1.85, (5, 20): 2.69, (5, 10): 2.74, (10, 10): 3.07, (10, 5): 3.17, (10, 1): 3.97}
    for (n_folds, n_repeats), weight in table.items():
        np.testing.assert_allclose(weight_of_repeats(n_folds, n_repeats), weight)
    assert weight_of_repeats(1, 1) == 1  # one fixed model
    np.testing.assert_allclose(variance_of_repeats([0.01, 0.03], 2), 0.02 * 2.15)


def test_a_result_without_a_valid_variance_gives_none_for_its_other_measures():
    halves = SimpleNamespace(variance=0.1, folds=range(8))
    np.testing.assert_allclose(variance_of_result(halves, [0.02] * 4), 0.02 * 1.9)
    assert variance_of_result(SimpleNamespace(variance=0.1, folds=range(1)), [0.02]) == 0.02
    assert np.isnan(variance_of_result(SimpleNamespace(variance=np.nan, folds=range(10)), [0.02]))


def test_the_variance_of_a_mean_is_that_of_the_means_of_patients():
    values = np.random.default_rng(0).normal(size=(2, 12))
    np.testing.assert_allclose(variance_of_mean(values), values.var(axis=1, ddof=1) / 12)
    patients = np.arange(12) // 3
    of_patients = values.reshape(2, 4, 3).mean(axis=2)
    np.testing.assert_allclose(variance_of_mean(values, patients), of_patients.var(axis=1, ddof=1) / 4)
    assert variance_of_mean(values, np.zeros(12, dtype=int)).tolist() == [0, 0]  # one patient tells nothing


def test_the_covariance_of_influences_adds_up_the_cases_of_a_patient_by_hand():
    influence = np.array([[1.0, 2.0, -3.0, 0.0], [0.0, 1.0, 1.0, -2.0]])
    codes, patients = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])
    # sums of class 0 by patient: (1, 2, 0) and (0, 1, 0), of class 1: (0, -3, 0) and (0, 1, -2)
    first = 2 * (1 + 4) + 2 * 9 + 2 * 1.5 * (2 * -3)
    both = 2 * 2 + 2 * -3 + 1.5 * (2 * 1 + -3 * 1)
    second = 2 * 1 + 2 * (1 + 4) + 2 * 1.5 * 1
    found = covariance_of_influence(influence, codes, patients)
    np.testing.assert_allclose(found, [[first, both], [both, second]])


def test_the_interval_of_a_proportion_of_one_model_is_wilsons():
    for n_true in (0, 7, 40):
        wilson = binomtest(n_true, 40).proportion_ci(0.9, method="wilson")
        found = interval_of_proportion(np.arange(40)[np.newaxis] < n_true, 0.9)
        np.testing.assert_allclose(bounds(found), [wilson.low, wilson.high], atol=1e-12)


def test_the_interval_of_a_proportion_of_repeats_is_wilsons_of_fewer_cases():
    right = np.random.default_rng(0).random((4, 30)) < 0.8
    p, n, z = right.mean(), 30 / (1.65 + 1 / 4), norm.isf(0.025)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = interval_of_proportion(right, 0.95, n_folds=2)
    by_hand = (p + z**2 / (2 * n) + np.array([-half, half])) / (1 + z**2 / n)
    np.testing.assert_allclose(bounds(found), by_hand)
    n_patients = 10 / 1.9
    certain = interval_of_proportion(np.ones((4, 30)), 0.95, n_folds=2, patients=np.arange(30) // 3)
    np.testing.assert_allclose(bounds(certain), [n_patients / (n_patients + z**2), 1])


def test_the_interval_of_a_measure_between_other_bounds_is_scaled():
    inner = interval(0.7, 0.01, 0.95)
    outer = interval(0.4, 0.04, 0.95, bounds=(-1.0, 1.0))
    np.testing.assert_allclose(bounds(outer), 2 * np.array(bounds(inner)) - 1)
    few = interval(0.99, 1e-8, 0.95, n_units=10)
    assert few.low < 0.8  # a tiny estimated variance near a bound does not count for more than the cases there are
    unbounded = interval(3.0, 4.0, 0.95, bounds=(0.0, np.inf))
    np.testing.assert_allclose(bounds(unbounded), [0, 3 + 2 * norm.isf(0.025)])


def test_nothing_is_known_of_an_interval_without_variance_and_number_of_cases():
    for value, variance in ((0.7, np.nan), (1.0, 0.0), (0.5, 0.0)):
        assert np.isnan(bounds(interval(value, variance, 0.95))).all()
    assert np.isnan(bounds(interval(0.7, np.nan, 0.95, n_units=10))).all()
    with pytest.raises(StudyError, match="'confidence_level' parameter of the study must be a float between 0 and 1"):
        interval(0.5, 0.1, 95)


def test_p_values_are_normal_or_students():
    np.testing.assert_allclose(p_value(-1.96, 1.0), 2 * norm.sf(1.96))
    student = ttest_ind_from_stats(1.0, 1.0, 10, 0.0, 1.0, 10).pvalue
    np.testing.assert_allclose(p_value(1.0, 0.2, 18), student)
    assert p_value(0.0, 0.0) == 1
    assert np.isnan(p_value(0.1, 0.0))


def test_a_value_beyond_its_bounds_has_an_interval():
    found = interval(-1.04, 0.2, 0.95, (-1, 1), 3)
    assert -1 <= found.low < found.high < 1
