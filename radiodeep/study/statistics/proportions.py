"""Bools of the cases in each repeat -> a proportion with its interval, whose denominator may differ between repeats."""

import numpy as np

from radiodeep.study.statistics.uncertainty import (
    covariance_of_influence,
    interval,
    no_interval,
    variance_of_result,
    weight_of_repeats,
)


def proportion_among(result, is_true, among, confidence_level=0.95):
    """Return the proportion of the chosen cases of a StudyResult that are true, and the bounds of its interval.

    Parameters
    ----------
    result : StudyResult
    is_true, among : ndarray of bool of shape (n_repeats, n_cases)
        What is counted, and among which cases.
    confidence_level : float, default=0.95

    Returns
    -------
    tuple of three floats
        Value, low and high: sums over the repeats are divided by each other. All are NaN if no case is chosen; the
        bounds are NaN if the split gives no valid ones.

    Notes
    -----
    For one model of other cases and patients of one case the interval is Wilson's (JASA 22 (1927) 209). Repeated folds
    have the variance of `variance_of_repeats`, and patients with several cases are the units of a ratio estimator.
    """
    n_chosen = among.sum() / len(among)
    if not n_chosen:
        return (float("nan"),) * 3
    value = (is_true & among).sum() / among.sum()
    patients = result.patients
    if patients is None:
        n_units, within = n_chosen, np.full(len(among), value * (1 - value) / n_chosen)
    else:
        n_units = np.mean([len(np.unique(patients[chosen])) for chosen in among])
        influence = ((is_true & among) - value * among) / n_chosen
        within = np.diag(covariance_of_influence(influence, patients=patients))
    bounds = interval_like(result, value, within, n_units, confidence_level)
    return float(value), bounds.low, bounds.high


def interval_like(result, value, within, n_units, confidence_level):
    """Return the interval of a value in 0..1, from its variances in the repeats and the number of independent units."""
    if np.isnan(result.variance):
        return no_interval(confidence_level)
    n_folds = len(result.folds) // len(within)
    n_units = n_units / weight_of_repeats(n_folds, len(within))
    return interval(value, variance_of_result(result, within), confidence_level, n_units=n_units)
