"""Harrell's C of columns against a slow plain version and scikit-survival, and rank correlation against scipy."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from radiodeep.preparation.concordance import concordances
from radiodeep.preparation.kernels.concordance import rank_correlation


def simulated():
    """40 cases with ties among the times, among the values of three columns, and missing values in one."""
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(40, 3)) * [1, 10, 100]) / 10
    X[rng.random(40) < 0.3, 2] = np.nan
    return rng.random(40) < 0.6, rng.integers(1, 10, size=40).astype(float), X


def test_concordances_are_counted_by_pairs():
    event, time, X = simulated()
    for found, values in zip(concordances(event, time, X), X.T, strict=True):
        n_pairs, n_concordant = 0, 0.0
        for first in np.flatnonzero(event & ~np.isnan(values)):
            for last in np.flatnonzero(~np.isnan(values)):
                if time[first] < time[last] or (time[first] == time[last] and not event[last]):
                    n_pairs += 1
                    n_concordant += (values[first] > values[last]) + 0.5 * (values[first] == values[last])
        np.testing.assert_allclose(found, n_concordant / n_pairs)


def test_concordances_are_those_of_scikit_survival():
    metrics = pytest.importorskip("sksurv.metrics")
    event, time, X = simulated()
    for found, values in zip(concordances(event, time, X)[:2], X.T, strict=False):
        np.testing.assert_allclose(found, metrics.concordance_index_censored(event, time, values)[0])


def test_nothing_is_concordant_where_nothing_is_comparable():
    event, time = np.array([False, True]), np.array([1.0, 2.0])
    assert np.isnan(concordances(event, time, np.array([[1.0], [2.0]]))).all()


def test_rank_correlations_are_those_of_scipy():
    _, time, X = simulated()
    for a in X.T:
        for b in (*X.T, time):
            known = ~np.isnan(a + b)
            np.testing.assert_allclose(rank_correlation(a, b), kendalltau(a[known], b[known])[0], rtol=1e-12)


def test_a_constant_is_correlated_with_nothing():
    assert rank_correlation(np.ones(5), np.arange(5.0)) == rank_correlation(np.arange(5.0), np.ones(5)) == 0
