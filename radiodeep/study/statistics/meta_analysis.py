"""Values of several studies or centres and their standard errors -> their random-effects mean and heterogeneity."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import chi2, norm
from scipy.stats import t as student_t

from radiodeep.checks import require_option, require_probability
from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.uncertainty import ConfidenceInterval

METHODS = ("REML", "DL")


@dataclass(frozen=True)
class RandomEffects:
    """The mean of a population of studies; `print` gives the sentence for the paper.

    Attributes
    ----------
    value : float
        The random-effects mean.
    confidence_interval : ConfidenceInterval
        Of the mean, by Hartung, Knapp, Sidik and Jonkman.
    prediction_interval : ConfidenceInterval
        Where the true value of another study is expected; NaN for fewer than three studies.
    standard_error : float
        On the scale of pooling, as `tau2`.
    tau2 : float
        The variance of the true values between studies; NaN for one study.
    i2 : float
        The fraction of the variation between studies that is not due to chance, from 0 to 1.
    q, p_heterogeneity : float
        Cochran's test that all studies have the same true value.
    weights : ndarray of shape (n_studies,)
        Of the studies in the mean; they sum to 1.
    """

    value: float
    confidence_interval: ConfidenceInterval
    prediction_interval: ConfidenceInterval
    standard_error: float
    tau2: float
    i2: float
    q: float
    p_heterogeneity: float
    weights: np.ndarray

    def __str__(self):
        if len(self.weights) < 2:
            return "one centre, so that nothing is known of others"
        low, high = self.prediction_interval.low, self.prediction_interval.high
        text = f"random effects of {len(self.weights)} centres: I2 {self.i2:.0%}, tau2 {self.tau2:.2g}"
        return text if np.isnan(low) else f"{text}; another centre is expected from {low:.2f} to {high:.2f}"


def pool_random_effects(values, standard_errors, *, method="REML", confidence_level=0.95):
    """Estimate the mean of the true values of several studies or centres, and how much these differ.

    Parameters
    ----------
    values, standard_errors : array-like of shape (n_studies,)
        On a scale on which they are about normal, e.g. the logit of an AUC; the errors > 0.
    method : {"REML", "DL"}, default="REML"
        How the variance between studies is estimated: restricted maximum likelihood, or DerSimonian and Laird.
    confidence_level : float, default=0.95

    Returns
    -------
    RandomEffects
        The interval is that of Student's distribution with n_studies - 1 degrees of freedom. The variance of the mean
        is that of Hartung, Knapp, Sidik and Jonkman, but not below the usual one. The prediction interval has
        n_studies - 2 degrees of freedom. I2 is tau2 / (tau2 + s2) with s2, the typical variance within studies, of
        Higgins and Thompson; for "DL" it is (Q - df) / Q. One study is returned as it is.

    Raises
    ------
    StudyError
        There is no study, or values or errors are not finite numbers, or an error is not above 0.

    Notes
    -----
    In simulated studies of 3 to 10 centres of 30 to 60 cases, tested by leave-one-centre-out, the 95 % interval of the
    AUC holds the mean of the centres in 96 to 100 %, and the prediction interval that of another centre in 97 to 100 %
    if all centres are alike, and in 84 to 100 % if they differ. With few centres both are wide: the mean of three has
    two degrees of freedom.

    References
    ----------
    DerSimonian, Laird, Controlled Clinical Trials 7 (1986) 177. Viechtbauer, J. Educational and Behavioral Statistics
    30 (2005) 261 (REML). Hartung, Knapp, Statistics in Medicine 20 (2001) 3875; Sidik, Jonkman, ibid. 21 (2002) 3153;
    Knapp, Hartung, ibid. 22 (2003) 2693 (the bound). Higgins, Thompson, ibid. 21 (2002) 1539 (I2). Higgins, Thompson,
    Spiegelhalter, J. Royal Statistical Society A 172 (2009) 137 (prediction).

    Examples
    --------
    >>> from radiodeep import pool_random_effects
    >>> pooled = pool_random_effects([0.2, 0.9, 0.4, 1.3], [0.2, 0.3, 0.25, 0.3])
    >>> round(pooled.value, 2), round(pooled.i2, 2), round(pooled.confidence_interval.low, 2)
    (0.67, 0.73, -0.13)
    """
    require_option(method, METHODS, pool_random_effects, "method", StudyError)
    require_probability(confidence_level, pool_random_effects, "confidence_level", StudyError)
    values, errors = (np.asarray(given, dtype=float) for given in (values, standard_errors))
    is_usable = values.ndim == 1 and values.shape == errors.shape and len(values) > 0
    if not is_usable or not (np.isfinite(values) & np.isfinite(errors) & (errors > 0)).all():
        raise StudyError(
            "pool_random_effects needs a finite value and a standard error > 0 of each study. Got values of shape "
            f"{values.shape} and errors of shape {errors.shape}; leave studies without them out."
        )
    n_studies, variances = len(values), errors**2
    if n_studies == 1:
        half = norm.isf((1 - confidence_level) / 2) * errors[0]
        own = ConfidenceInterval(float(values[0] - half), float(values[0] + half), confidence_level)
        none = ConfidenceInterval(np.nan, np.nan, confidence_level)
        return RandomEffects(float(values[0]), own, none, float(errors[0]), *[np.nan] * 4, np.ones(1))
    fixed = 1 / variances
    q = float((fixed * (values - np.average(values, weights=fixed)) ** 2).sum())
    tau2 = _dersimonian_laird(q, fixed) if method == "DL" else _restricted_likelihood(values, variances)
    weights = 1 / (variances + tau2)
    mean = float(np.average(values, weights=weights))
    freedom = n_studies - 1
    scale = max((weights * (values - mean) ** 2).sum() / freedom, 1.0)
    error = float(np.sqrt(scale / weights.sum()))
    typical = freedom * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())

    def bounds(spread, freedom):
        half = student_t.isf((1 - confidence_level) / 2, freedom) * spread if freedom > 0 else np.nan
        return ConfidenceInterval(float(mean - half), float(mean + half), confidence_level)

    return RandomEffects(
        value=mean,
        confidence_interval=bounds(error, freedom),
        prediction_interval=bounds(np.sqrt(tau2 + error**2), freedom - 1),
        standard_error=error,
        tau2=float(tau2),
        i2=float(tau2 / (tau2 + typical)),
        q=q,
        p_heterogeneity=float(chi2.sf(q, freedom)),
        weights=weights / weights.sum(),
    )


def pool_bounded(values, lows, highs, bounds, confidence_level=0.95):
    """Return the RandomEffects of values between two bounds, from their intervals at the confidence level.

    Values are pooled as the logit of their share of the range, which is Fisher's z times two from -1 to 1. The standard
    error is half the width of the interval there, over the normal quantile. A value at a bound has no logit: it counts
    as n cases that all are right, with half a case added to either side, where Wilson's interval of n has the other
    bound.
    """
    least, span = bounds[0], bounds[1] - bounds[0]
    shares, lows, highs = ((np.asarray(given, dtype=float) - least) / span for given in (values, lows, highs))
    quantile = norm.isf((1 - confidence_level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        centres, errors = logit(shares), (logit(highs) - logit(lows)) / (2 * quantile)
        width = highs - lows
    extreme = ~np.isfinite(centres) | ~np.isfinite(errors)
    n_cases = quantile**2 * (1 / np.clip(width[extreme], 1e-9, 1 - 1e-9) - 1)
    moved = (shares[extreme] * n_cases + 0.5) / (n_cases + 1)
    centres[extreme], errors[extreme] = logit(moved), 1 / np.sqrt((n_cases + 1) * moved * (1 - moved))
    pooled = pool_random_effects(centres, errors, confidence_level=confidence_level)
    back = partial(_back, least=least, span=span)
    intervals = {
        name: replace(interval, low=back(interval.low), high=back(interval.high))
        for name, interval in vars(pooled).items()
        if name.endswith("_interval")
    }
    return replace(pooled, value=back(pooled.value), **intervals)


def _back(value, least, span):
    return float(least + span * expit(value))


def _dersimonian_laird(q, fixed):
    return max((q - (len(fixed) - 1)) / (fixed.sum() - (fixed**2).sum() / fixed.sum()), 0.0)


def _restricted_likelihood(values, variances):
    """Return the variance between studies with the largest restricted likelihood.

    It may have several maxima: 0 if it falls there, and the roots of its derivative, which are looked for on a grid.
    """

    def squares(tau2):
        weights = 1 / (variances + tau2)
        return weights, (values - np.average(values, weights=weights)) ** 2

    def log_likelihood(tau2):
        weights, squared = squares(tau2)
        return (np.log(weights) - weights * squared).sum() - np.log(weights.sum())

    def slope(tau2):
        weights, squared = squares(tau2)
        return (weights**2 * squared).sum() - weights.sum() + (weights**2).sum() / weights.sum()

    span = float(np.ptp(values)) ** 2
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 10, 60) * span]) if span else np.zeros(1)
    rises = np.array([slope(tau2) > 0 for tau2 in grid])
    ends = np.flatnonzero(rises[:-1] & ~rises[1:])
    maxima = [brentq(slope, grid[end], grid[end + 1], xtol=1e-14, rtol=1e-12) for end in ends]
    return max([*([] if rises[0] else [0.0]), *maxima], key=log_likelihood)
