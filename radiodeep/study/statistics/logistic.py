"""Outcomes and covariates -> logistic regression by maximum likelihood, for many sets of covariates at once.

Covariates have the shape (n_repeats, n_covariates, n_cases); one of ones is the intercept.
"""

import numpy as np
from scipy.special import expit

_MOST_STEPS = 25  # each adds about 1 to the log-odds of separated classes, until they are too many
_TOLERANCE = 1e-9


def fit_logistic(covariates, positive, offset=0.0):
    """Return the coefficients (n_repeats, n_covariates) by Newton's method.

    They are NaN where it does not converge, because the covariates separate the classes or are collinear. `positive`
    are bools (n_cases,), and the offset is added to the log-odds (n_repeats, n_cases).
    """
    coefficients = np.zeros(covariates.shape[:2])
    likelihood = _log_likelihood(covariates, positive, offset, coefficients)
    for _ in range(_MOST_STEPS):
        residual, weight = residuals(covariates, positive, offset, coefficients)
        gradient = np.einsum("rcn,rn->rc", covariates, residual)
        step = solve(information(covariates, weight).sum(axis=-1), gradient)
        is_singular = np.isnan(step).any(axis=1)
        step[is_singular] = 0
        for _ in range(_MOST_STEPS):  # halve the steps that overshoot
            proposed = _log_likelihood(covariates, positive, offset, coefficients + step)
            overshoots = proposed < likelihood - 1e-12 * np.abs(likelihood)
            if not overshoots.any():
                break
            step[overshoots] /= 2
        coefficients = coefficients + step
        likelihood = proposed
        is_moving = is_singular | (np.abs(step) > _TOLERANCE * (1 + np.abs(coefficients))).any(axis=1)
        if not is_moving.any():
            break
    return np.where(is_moving[:, np.newaxis], np.nan, coefficients)


def residuals(covariates, positive, offset, coefficients):
    """Return outcome minus probability, and the variance p (1 - p) of the outcome, each (n_repeats, n_cases)."""
    probability = expit(np.einsum("rcn,rc->rn", covariates, coefficients) + offset)
    return positive - probability, probability * (1 - probability)


def information(covariates, weight):
    """Return the information (n_repeats, n_covariates, n_covariates, n_cases) of each case."""
    return covariates[:, :, np.newaxis] * covariates[:, np.newaxis] * weight[:, np.newaxis, np.newaxis]


def coefficients_without_each(covariates, positive, offset, coefficients, patients):
    """Return the coefficients (n_repeats, n_covariates, n_patients) without the cases of each patient.

    They are those after one step of Newton's method from the coefficients of all cases. `patients` are codes from 0
    (n_cases,), or None if each case is a patient.
    """
    residual, weight = residuals(covariates, positive, offset, coefficients)
    gradient = sums_by_patient(covariates * residual[:, np.newaxis], patients)
    of_patient = sums_by_patient(information(covariates, weight), patients)
    remaining = of_patient.sum(axis=-1, keepdims=True) - of_patient
    steps = solve(np.moveaxis(remaining, -1, 1), np.moveaxis(gradient, -1, 1))
    return coefficients[:, :, np.newaxis] - np.moveaxis(steps, 1, -1)


def sums_by_patient(values, patients):
    """Return the sums (..., n_patients) of values (..., n_cases) over the cases of each patient."""
    if patients is None:
        return values
    order = np.argsort(patients, kind="stable")
    is_first = np.diff(patients[order], prepend=-1) > 0
    return np.add.reduceat(values[..., order], np.flatnonzero(is_first), axis=-1)


def solve(matrices, vectors):
    """Return the solutions of equations (..., n, n) and (..., n), NaN where a matrix is singular or NaN."""
    scale = np.sqrt(np.einsum("...ii->...i", matrices))
    scale = np.where(scale > 0, scale, 1)
    scaled = matrices / scale[..., :, np.newaxis] / scale[..., np.newaxis, :]
    is_regular = np.linalg.det(np.nan_to_num(scaled)) > 1e-12
    scaled = np.where(is_regular[..., np.newaxis, np.newaxis], scaled, np.eye(matrices.shape[-1]))
    solutions = np.linalg.solve(scaled, (vectors / scale)[..., np.newaxis])[..., 0] / scale
    return np.where(is_regular[..., np.newaxis], solutions, np.nan)


def _log_likelihood(covariates, positive, offset, coefficients):
    log_odds = np.einsum("rcn,rc->rn", covariates, coefficients) + offset
    return -np.logaddexp(0, np.where(positive, -log_odds, log_odds)).sum(axis=1)
