"""Random effects: against published numbers and the likelihood in R."""

import numpy as np
import pytest
from scipy.special import logit

from radiodeep import pool_random_effects
from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.meta_analysis import pool_bounded

# Trials of the BCG vaccine (Colditz et al., JAMA 271 (1994) 698): vaccinated with and without tuberculosis, others.
VACCINATED = [4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27]
VACCINATED_WELL = [119, 300, 228, 13536, 5036, 1361, 2537, 87886, 7470, 1699, 50448, 2493, 16886]
OTHERS = [11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29]
OTHERS_WELL = [128, 274, 209, 12619, 5761, 1079, 619, 87892, 7232, 1600, 27197, 2338, 17825]

# R 4.2: DerSimonian and Laird's formula, and optimize() of the restricted log-likelihood
# -sum(log(v + t)) / 2 - log(sum(w)) / 2 - sum(w * (y - m)^2) / 2; the means and tau2 are those that metafor prints.
EXPECTED = {
    "DL": (0.308760, -0.714117, 0.180697, -1.107821, -0.320413, 0.921173, -2.000162, 0.571928),
    "REML": (0.313243, -0.714532, 0.180792, -1.108444, -0.320621, 0.922214, -2.009058, 0.579993),
}


def log_risks():
    a, b, c, d = (np.array(given, float) for given in (VACCINATED, VACCINATED_WELL, OTHERS, OTHERS_WELL))
    variance = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    return np.log(a / (a + b) / (c / (c + d))), np.sqrt(variance)


@pytest.mark.parametrize("method", EXPECTED)
def test_the_bcg_trials_give_the_published_mean_and_heterogeneity(method):
    pooled = pool_random_effects(*log_risks(), method=method)
    mean, another = pooled.confidence_interval, pooled.prediction_interval
    found = pooled.tau2, pooled.value, pooled.standard_error, mean.low, mean.high, pooled.i2, another.low, another.high
    np.testing.assert_allclose(found, EXPECTED[method], atol=2e-6)
    assert pooled.q == pytest.approx(152.233008, abs=1e-6)
    assert pooled.weights.sum() == pytest.approx(1)


def test_equal_studies_have_no_heterogeneity_and_the_usual_standard_error():
    pooled = pool_random_effects([0.5, 0.5, 0.5], [0.2, 0.2, 0.2])
    assert (pooled.tau2, pooled.i2, pooled.q) == (0, 0, pytest.approx(0))
    assert pooled.standard_error == pytest.approx(0.2 / np.sqrt(3))  # Hartung and Knapp's own would be 0
    assert "I2 0%" in str(pooled)


def test_one_study_is_returned_as_it_is_and_tells_nothing_of_others():
    pooled = pool_random_effects([0.3], [0.1])
    assert (pooled.value, round(pooled.confidence_interval.high, 4)) == (0.3, 0.496)
    assert np.isnan([pooled.tau2, pooled.prediction_interval.low]).all()
    assert "nothing is known of others" in str(pooled)
    assert np.isnan(pool_random_effects([0.3, 0.4], [0.1, 0.1]).prediction_interval.low)


@pytest.mark.parametrize("errors", [[0.1, 0.0], [0.1, np.nan], [0.1]])
def test_studies_without_a_standard_error_are_refused(errors):
    with pytest.raises(StudyError, match="a finite value and a standard error > 0 of each study"):
        pool_random_effects([0.5, 0.6], errors)
    with pytest.raises(StudyError, match="'method' parameter .* must be .*'REML'"):
        pool_random_effects([0.5, 0.6], [0.1, 0.1], method="ML")


def test_proportions_are_pooled_as_logits_and_correlations_as_fishers_z():
    n, share = 40, np.array([0.6, 0.8, 0.9])
    half = 1.959964 / np.sqrt(n * share * (1 - share))  # of the logit
    low, high = (1 / (1 + np.exp(-(logit(share) + sign * half))) for sign in (-1, 1))
    direct = pool_random_effects(logit(share), half / 1.959964)
    pooled = pool_bounded(share, low, high, (0, 1))
    assert logit(pooled.value) == pytest.approx(direct.value, abs=1e-6)
    assert logit(pooled.confidence_interval.low) == pytest.approx(direct.confidence_interval.low, abs=1e-6)
    as_correlations = pool_bounded(*(2 * values - 1 for values in (share, low, high)), (-1, 1))
    assert as_correlations.value == pytest.approx(2 * pooled.value - 1)
    assert np.tanh(direct.value / 2) == pytest.approx(as_correlations.value, abs=1e-6)


def test_a_perfect_centre_counts_as_half_a_case_less_than_perfect():
    z2 = 1.959964**2
    pooled = pool_bounded([1.0], [20 / (20 + z2)], [1.0], (0, 1))  # Wilson's interval of 20 of 20
    assert pooled.value == pytest.approx(20.5 / 21, abs=1e-6)
    assert pooled.standard_error == pytest.approx(np.sqrt(1 / 20.5 + 1 / 0.5), rel=1e-6)
    assert pool_bounded([0.0], [0.0], [z2 / (20 + z2)], (0, 1)).value == pytest.approx(0.5 / 21, abs=1e-6)


def test_of_two_maxima_of_the_restricted_likelihood_the_higher_one_is_taken():
    values = np.array([0.0, 0.04, -0.95, -0.4, -0.39, 0.16, -1.44])
    errors = np.array([0.08, 0.88, 0.48, 0.76, 0.55, 0.14, 0.75])

    def log_likelihood(tau2):
        variances = errors**2 + tau2
        squares = (values - np.average(values, weights=1 / variances)) ** 2
        return -0.5 * (np.log(variances).sum() + np.log((1 / variances).sum()) + (squares / variances).sum())

    grid = np.linspace(0, 0.5, 5001)
    likelihoods = [log_likelihood(tau2) for tau2 in grid]
    assert likelihoods[0] > likelihoods[1]  # 0 is the other one
    assert pool_random_effects(values, errors).tau2 == pytest.approx(grid[np.argmax(likelihoods)], abs=1e-4)
