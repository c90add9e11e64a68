"""Measurements of the same cases by several raters in, how far they agree out."""

from typing import NamedTuple

import numpy as np
from scipy.stats import f

from radiodeep.exceptions import InputError
from radiodeep.study.statistics.auc import ConfidenceInterval

AGREEMENTS = ("absolute", "consistency")


class Agreement(NamedTuple):
    """An intraclass correlation with its interval."""

    icc: float
    confidence_interval: ConfidenceInterval
    n_cases: int
    n_raters: int

    def __str__(self):
        interval = self.confidence_interval
        if np.isnan(interval.low):
            exact = "all raters agree exactly" if self.icc == 1 else "the cases do not differ"
            return f"ICC {self.icc:.2f} ({exact}: no interval), n={self.n_cases} cases, {self.n_raters} raters"
        return (
            f"ICC {self.icc:.2f} ({interval.level:.0%} CI {interval.low:.2f} to {interval.high:.2f}), "
            f"n={self.n_cases} cases, {self.n_raters} raters"
        )


def intraclass_correlation(*raters, kind="absolute", confidence_level=0.95):
    """Say how well raters, for example a reference and a network, agree on numbers.

    Parameters
    ----------
    *raters : arrays of shape (n_cases,)
        Two or more; the same cases in the same order.
    kind : {"absolute", "consistency"}, default="absolute"
        "absolute" is ICC(2,1): a constant difference between raters is disagreement. "consistency" is ICC(3,1):
        it is not.
    confidence_level : float, default=0.95

    Returns
    -------
    Agreement
        `icc`, `confidence_interval.low` and `.high`, `n_cases`, `n_raters`. NaN if all numbers are the same.

    Raises
    ------
    InputError
        Fewer than two raters or cases, arrays of different lengths, or numbers that are not finite.

    References
    ----------
    P. E. Shrout, J. L. Fleiss, Intraclass correlations: uses in assessing rater reliability, Psychological Bulletin
    86 (1979) 420; the interval of ICC(2,1) is that of their equation for a random effect of the raters.

    Examples
    --------
    >>> from radiodeep import intraclass_correlation
    >>> print(intraclass_correlation([1.0, 2.1, 3.2, 3.9, 5.1], [1.1, 2.0, 3.0, 4.2, 5.0]))
    ICC 0.99 (95% CI 0.94 to 1.00), n=5 cases, 2 raters
    """
    if kind not in AGREEMENTS:
        raise InputError(f"The 'kind' parameter must be one of {', '.join(AGREEMENTS)}. Got {kind!r} instead.")
    if not 0 < confidence_level < 1:
        raise InputError(f"The 'confidence_level' must be a float between 0 and 1. Got {confidence_level!r} instead.")
    columns = [np.asarray(rater, dtype=np.float64).ravel() for rater in raters]
    if len(columns) < 2 or len({len(column) for column in columns}) > 1 or len(columns[0]) < 2:
        lengths = ", ".join(str(len(column)) for column in columns) or "none"
        raise InputError(f"Agreement needs two raters or more of the same cases, at least 2. Got lengths {lengths}.")
    values = np.column_stack(columns)
    if not np.isfinite(values).all():
        raise InputError("The numbers of the raters must be finite. Leave cases that were not measured out.")
    n, k = values.shape
    centred = values - values.mean()
    rows, among = centred.mean(axis=1), centred.mean(axis=0)
    of_cases = k * (rows**2).sum() / (n - 1)
    of_raters = n * (among**2).sum() / (k - 1)
    error = ((centred - rows[:, np.newaxis] - among) ** 2).sum() / ((n - 1) * (k - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "consistency":
            icc = (of_cases - error) / (of_cases + (k - 1) * error)
            low, high = _consistency_limits(of_cases / error, n, k, confidence_level)
        else:
            icc = (of_cases - error) / (of_cases + (k - 1) * error + k * (of_raters - error) / n)
            low, high = _absolute_limits(icc, of_cases, of_raters, error, n, k, confidence_level)
    return Agreement(float(icc), ConfidenceInterval(float(low), float(high), confidence_level), n, k)


def _consistency_limits(ratio, n, k, level):
    quantile, freedom = (1 + level) / 2, ((n - 1), (n - 1) * (k - 1))
    low, high = ratio / f.ppf(quantile, *freedom), ratio * f.ppf(quantile, *freedom[::-1])
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _absolute_limits(icc, of_cases, of_raters, error, n, k, level):
    a, b = k * icc / (n * (1 - icc)), 1 + k * icc * (n - 1) / (n * (1 - icc))
    freedom = (a * of_raters + b * error) ** 2 / (
        (a * of_raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    )
    below, above = f.ppf((1 + level) / 2, n - 1, freedom), f.ppf((1 + level) / 2, freedom, n - 1)
    spread = k * of_raters + (k * n - k - n) * error
    low = n * (of_cases - below * error) / (below * spread + n * of_cases)
    high = n * (above * of_cases - error) / (spread + n * above * of_cases)
    return low, high
