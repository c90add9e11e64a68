"""Logistic regressions against scikit-learn's, and without each patient against separate fits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from radiodeep.study.statistics.logistic import coefficients_without_each, fit_logistic


def covariates(n_repeats=3, n_cases=60, seed=0):
    rng = np.random.default_rng(seed)
    positive = rng.random(n_cases) < 0.4
    values = rng.standard_t(3, size=(n_repeats, 2, n_cases)) + positive
    return np.concatenate([np.ones((n_repeats, 1, n_cases)), values], axis=1), positive


def test_coefficients_are_those_of_scikit_learn():
    X, positive = covariates()
    for repeat, coefficients in zip(X, fit_logistic(X, positive), strict=True):
        expected = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10000).fit(repeat[1:].T, positive)
        np.testing.assert_allclose(coefficients, [*expected.intercept_, *expected.coef_[0]], atol=1e-6)


def test_an_offset_is_a_covariate_with_the_coefficient_one():
    X, positive = covariates()
    free = fit_logistic(X, positive)
    offset = free[:, 1:2] * X[:, 1]
    np.testing.assert_allclose(fit_logistic(X[:, [0, 2]], positive, offset), free[:, [0, 2]], atol=1e-8)


@pytest.mark.parametrize(
    "values",
    [[1, 2, 8, 9], [1, 5, 5, 9], [9, 8, 2, 1], [3, 3, 3, 3]],
    ids=["apart", "touching", "reversed", "constant"],
)
def test_classes_that_are_separated_have_no_coefficients(values):
    X = np.stack([np.ones(4), np.array(values, dtype=float)])[np.newaxis]
    assert np.isnan(fit_logistic(X, np.array([False, False, True, True]))).all()


def test_a_separated_repeat_does_not_disturb_the_others():
    X, positive = covariates()
    alone = fit_logistic(X, positive)
    X[1, 1] = positive
    together = fit_logistic(X, positive)
    assert np.isnan(together[1]).all()
    np.testing.assert_allclose(together[[0, 2]], alone[[0, 2]], atol=1e-9)


@pytest.mark.parametrize("cases_each", [1, 3])
def test_coefficients_without_each_patient_are_nearly_those_of_separate_fits(cases_each):
    X, positive = covariates(n_cases=120)
    patients = None if cases_each == 1 else np.arange(120) // cases_each
    without = coefficients_without_each(X, positive, 0.0, fit_logistic(X, positive), patients)
    codes = np.arange(120) // cases_each
    exact = np.stack([fit_logistic(X[..., codes != code], positive[codes != code]) for code in range(codes.max() + 1)])
    assert without.shape == (3, 3, 120 // cases_each)
    np.testing.assert_allclose(without.std(axis=-1), exact.std(axis=0), rtol=0.05)
    np.testing.assert_allclose(without, np.moveaxis(exact, 0, -1), atol=0.05)
