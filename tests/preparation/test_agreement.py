"""Agreement of many features at once: equal to one at a time, to the analysis of variance, and by hand."""

import numpy as np
import pytest

from radiodeep import intraclass_correlation
from radiodeep.preparation.agreement import agreements


def measurements(n_cases=12, n_raters=3, n_features=40, seed=0):
    """Values (n_cases, n_raters, n_features) of features from very noisy to exactly repeated."""
    rng = np.random.default_rng(seed)
    cases = rng.normal(5, 1, size=(n_cases, 1, n_features))
    noise = rng.normal(size=(n_cases, n_raters, n_features)) + np.arange(n_raters)[:, np.newaxis] / 4
    return cases + noise * np.linspace(2, 0, n_features)


@pytest.mark.parametrize("kind", ["absolute", "consistency"])
def test_many_features_agree_as_each_by_itself(kind):
    values = measurements()
    values[3, 1, 5] = values[7, 0, 5] = np.nan  # two cases of one feature
    values[:, :, 8] = 3.3
    found = agreements(values, kind, 0.9)
    for feature in range(values.shape[2]):
        is_known = np.isfinite(values[:, :, feature]).all(axis=1)
        single = intraclass_correlation(*values[is_known, :, feature].T, kind=kind, confidence_level=0.9)
        interval = single.confidence_interval
        expected = (single.icc, interval.low, interval.high, single.n_cases)
        got = [part[feature] for part in (found.icc, found.low, found.high, found.n)]
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert found.n[5] == 10
    assert np.isnan(found.icc[8])


def two_way_anova(table):
    """Return the mean squares of cases, raters and error of a table (n_cases, n_raters), by plain loops."""
    n, k = table.shape
    grand = sum(sum(row) for row in table) / (n * k)
    case_means = [sum(row) / k for row in table]
    rater_means = [sum(column) / n for column in table.T]
    cases = sum(k * (mean - grand) ** 2 for mean in case_means) / (n - 1)
    raters = sum(n * (mean - grand) ** 2 for mean in rater_means) / (k - 1)
    error = sum((table[i, j] - case_means[i] - rater_means[j] + grand) ** 2 for i in range(n) for j in range(k))
    return cases, raters, error / ((n - 1) * (k - 1))


def test_it_is_the_ratio_of_mean_squares_of_mcgraw_and_wong():
    values = measurements(9, 2, 6)
    absolute, consistency = agreements(values), agreements(values, "consistency")
    for feature in range(6):
        cases, raters, error = two_way_anova(values[:, :, feature])
        assert absolute.icc[feature] == pytest.approx((cases - error) / (cases + error + 2 * (raters - error) / 9))
        assert consistency.icc[feature] == pytest.approx((cases - error) / (cases + error))


# Bland and Altman, Lancet 1986 i, 307: peak expiratory flow rate in l/min of 17 subjects, twice with one meter
FIRST = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
SECOND = [490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421]


def test_the_deviation_within_cases_is_that_of_bland_and_altman():
    pairs = np.array([FIRST, SECOND], dtype=float).T
    found = agreements(pairs[:, :, np.newaxis])
    differences = pairs[:, 0] - pairs[:, 1]
    assert found.within_sd[0] == pytest.approx((7966 / 34) ** 0.5)  # 7966 is the sum of squared differences
    assert found.within_cv[0] == pytest.approx(np.mean(differences**2 / 2 / pairs.mean(axis=1) ** 2) ** 0.5)


def test_a_feature_of_both_signs_or_with_a_zero_has_no_coefficient_of_variation():
    values = np.abs(measurements(8, 2, 4)) + 1
    values[0, 0, 1], values[:, :, 2], values[2, 1, 3] = -1.0, -values[:, :, 2], 0.0
    cv = agreements(values).within_cv
    assert np.isnan(cv).tolist() == [False, True, False, True]
    assert cv[2] > 0


def test_features_without_two_cases_have_no_correlation():
    values = measurements(5, 2, 3)
    values[1:, 0, 1] = np.nan
    values[:, 1, 2] = np.nan
    found = agreements(values)
    assert np.isnan(found.icc).tolist() == [False, True, True]
    assert np.isnan(found.low[1:]).all()
    assert found.n.tolist() == [5, 1, 0]
