"""Repeated measurements of the same cases -> intraclass correlations and within-case deviations of each feature.

The one place of these formulas: `intraclass_correlation` and `repeatability` differ in what they are given.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import fdtri

AGREEMENTS = ("absolute", "consistency")
_ROUNDING = 1e-14  # of numbers of size 1


class Agreements(NamedTuple):
    """How well repeated measurements agree, each an ndarray of shape (n_features,).

    The `low` and `high` bounds of the intraclass correlation `icc` are NaN if the measurements agree exactly; the
    `icc` is NaN as well if the cases do not differ. `within_sd` is the standard deviation of the measurements of one
    case, `within_cv` the same as a fraction of their mean, NaN for features with values of both signs. `n` is the
    number of cases with all measurements.
    """

    icc: np.ndarray
    low: np.ndarray
    high: np.ndarray
    within_sd: np.ndarray
    within_cv: np.ndarray
    n: np.ndarray


def agreements(values, kind="absolute", confidence_level=0.95):
    """Return the `Agreements` of values (n_cases, n_raters, n_features); cases with a NaN are left out by feature.

    "absolute" is ICC(2,1) of Shrout and Fleiss, ICC(A,1) of McGraw and Wong; "consistency" is ICC(3,1), ICC(C,1).
    """
    _, k, n_features = values.shape
    is_known = np.isfinite(values).all(axis=1)
    n = is_known.sum(axis=0)
    known = is_known[:, np.newaxis]
    first = np.where(n > 0, values[np.argmax(is_known, axis=0), 0, np.arange(n_features)], 0.0)
    with np.errstate(all="ignore"):  # fewer than two cases, or no variance, give NaN
        centred = np.where(known, values - first, 0.0)
        centred = np.where(known, centred - centred.sum(axis=(0, 1)) / (n * k), 0.0)  # exactly 0 if all are equal
        largest = np.abs(np.where(known, values, 0.0)).max(axis=(0, 1), initial=0.0)
        case_means = centred.mean(axis=1)
        rater_means = centred.sum(axis=0) / n
        cases = k * (case_means**2).sum(axis=0) / (n - 1)
        raters = n * (rater_means**2).sum(axis=0) / (k - 1)
        residuals = np.where(known, centred - case_means[:, np.newaxis] - rater_means, 0.0)
        residuals[np.abs(residuals) < _ROUNDING * largest] = 0.0
        error = (residuals**2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
        if kind == "consistency":
            icc = (cases - error) / (cases + (k - 1) * error)
            low, high = _consistency_limits(cases / error, n, k, confidence_level)
        else:
            icc = (cases - error) / (cases + (k - 1) * error + k * (raters - error) / n)
            low, high = _absolute_limits(icc, cases, raters, error, n, k, confidence_level)
        do_not_differ = (error == 0) & (cases <= (_ROUNDING * largest) ** 2)
        icc[do_not_differ] = np.nan
        without_interval = np.isnan(icc) | ((error == 0) & (icc == 1))
        low[without_interval] = high[without_interval] = np.nan
        within = (centred - case_means[:, np.newaxis]).var(axis=1, ddof=1)  # of each case
        within_sd = np.sqrt(within.sum(axis=0) / n)
        within_cv = np.sqrt(np.where(is_known, within / values.mean(axis=1) ** 2, 0.0).sum(axis=0) / n)
        signs = np.sign(np.where(known, values, first))
        within_cv[(signs != signs[0, 0]).any(axis=(0, 1))] = np.nan
    return Agreements(icc, low, high, within_sd, within_cv, n)


def _consistency_limits(ratio, n, k, level):
    """Return the limits of ICC(3,1).

    The ratio of the mean squares of cases and error, divided by its true value, has an F distribution; its limits are
    translated into those of ICC = (ratio - 1) / (ratio + k - 1).
    """
    quantile = (1 + level) / 2
    freedom = (n - 1, (n - 1) * (k - 1))
    low = ratio / fdtri(*freedom, quantile)
    high = ratio * fdtri(*freedom[::-1], quantile)
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _absolute_limits(icc, cases, raters, error, n, k, level):
    """Return the limits of ICC(2,1) from the mean squares.

    The variance that the ICC compares the cases with is a sum a * raters + b * error of two mean squares. It has no
    exact distribution; Satterthwaite's formula gives the degrees of freedom of the nearest chi-squared one.
    """
    a = k * icc / (n * (1 - icc))
    b = 1 + k * icc * (n - 1) / (n * (1 - icc))
    freedom = (a * raters + b * error) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    lower_quantile = fdtri(n - 1, freedom, (1 + level) / 2)
    upper_quantile = fdtri(freedom, n - 1, (1 + level) / 2)
    spread = k * raters + (k * n - k - n) * error
    low = n * (cases - lower_quantile * error) / (lower_quantile * spread + n * cases)
    high = n * (upper_quantile * cases - error) / (spread + n * upper_quantile * cases)
    return low, high
