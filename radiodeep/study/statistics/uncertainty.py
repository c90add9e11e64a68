"""Values of the repeats of cross-validation -> their variance, an interval and a p value, for every kind of outcome."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from radiodeep.checks import require_probability
from radiodeep.exceptions import StudyError

TRAINING_WEIGHT = 3.3  # of the variance over training sets; see variance_of_repeats


@dataclass(frozen=True)
class ConfidenceInterval:
    """Bounds of an estimate at a confidence level; NaN if the split gives no valid ones."""

    low: float
    high: float
    level: float


def weight_of_repeats(n_folds, n_repeats):
    """Return the weight of the variance of one repeat in that of the mean over repeats; see `variance_of_repeats`.

    It is 1 for one fold of one repeat, which is one fixed model.
    """
    return TRAINING_WEIGHT * (n_folds - 1) / n_folds + 1 / n_repeats


def variance_of_repeats(within, n_folds):
    """Return the variance of the mean over the repeats of cross-validation, of a measure or of a difference of two.

    Parameters
    ----------
    within : array-like of shape (n_repeats,)
        The variance in each repeat, with the models as fixed and the patients as a sample.
    n_folds : int
        Folds per repeat; 1 if there is one fixed model.

    Notes
    -----
    With V the mean of `within`, k folds and R repeats it is V (3.3 (k - 1) / k + 1 / R). The first part is what
    infinitely many repeats would still have: the variance over training sets, which all repeats share. Models that are
    trained on more of the patients, (k - 1) / k, are more alike, so it grows with k. The second part bounds what more
    repeats would average out. The factor 3.3 is measured, not derived: in 77 designs of simulated studies (40 to 500
    patients, 5 to 1,000 columns, with and without signal, unbalanced, several cases per patient) the variance was up to
    1.9 V for 2 folds, 2.5 V for 5 and 3.1 V for 10, and far less where models share their signal. It is the least
    factor with which no design rejects models of equal measure in more than 7 % of the studies at p < 0.05 (on average
    in 2 %). Nominal 95 % intervals miss the expected measure in 0 to 6 %. See benchmarks/evidence_levels.py.
    """
    return weight_of_repeats(n_folds, len(within)) * float(np.mean(within))


def variance_of_result(result, within):
    """Return the variance of a measure of a StudyResult, from its variances (n_repeats,) in the repeats.

    It is NaN if the split gives no valid one.
    """
    return float("nan") if np.isnan(result.variance) else variance_of_repeats(within, len(result.folds) // len(within))


def covariance_of_influence(influence, codes=None, patients=None):
    """Return the covariance (n_values, n_values) of values from the influence of each case, (n_values, n_cases).

    Influences are summed over the cases of a patient, by class if there are `codes` of classes, (n_cases,), and their
    products over the patients, times n / (n - 1) for n patients. For two classes it is the covariance of DeLong, or of
    Obuchowski if patients have several cases; for patients of one case that of a jackknife which removes one case at a
    time from its class. `patients` are codes (n_cases,), or None if each has one case.
    """
    n_cases = influence.shape[1]
    codes = np.zeros(n_cases, dtype=int) if codes is None else codes
    patients = np.arange(n_cases) if patients is None else patients
    n_classes = int(codes.max()) + 1
    sums = np.zeros((len(influence), n_classes, int(patients.max()) + 1))
    np.add.at(sums, (slice(None), codes, patients), influence)
    factors = np.full((n_classes, n_classes), _correction(patients))
    np.fill_diagonal(factors, [_correction(patients[codes == code]) for code in range(n_classes)])
    return np.einsum("mcg,cd,ndg->mn", sums, factors, sums, optimize=True)


def _correction(patients):
    """Return n / (n - 1) for n patients, which makes a variance unbiased; 0 for one, who tells nothing of it."""
    n_patients = len(np.unique(patients))
    return n_patients / (n_patients - 1) if n_patients > 1 else 0.0


def variance_of_mean(values, patients=None):
    """Return the variances (n_values,) of the means of values (n_values, n_cases), with patients as the units."""
    influence = (values - values.mean(axis=1, keepdims=True)) / values.shape[1]
    return np.diag(covariance_of_influence(influence, patients=patients))


def interval(value, variance, level, bounds=(0.0, 1.0), n_units=None):
    """Return the score interval of a measure as a ConfidenceInterval.

    Between finite bounds the variance is taken to change with the true value q as (q - low) (high - q), so that the
    interval is Wilson's of as many cases as give a proportion this variance, at most `n_units`: the number of
    independent cases, divided by `weight_of_repeats`. Without variance and `n_units` its bounds
    are NaN. If a bound is infinite, the interval is the normal one, cut at the other bound.
    """
    require_probability(level, "the study", "confidence_level", StudyError)
    low, high = bounds
    quantile = norm.isf((1 - level) / 2)
    if not np.isfinite(high - low):
        half = quantile * np.sqrt(variance)
        return ConfidenceInterval(float(max(value - half, low)), float(min(value + half, high)), level)
    if np.isnan(variance):
        return no_interval(level)
    share = min(max((value - low) / (high - low), 0.0), 1.0)  # an ICC may be below -1
    n_cases = np.inf if n_units is None else n_units
    if variance > 0 and 0 < share < 1:
        n_cases = min(share * (1 - share) * (high - low) ** 2 / variance, n_cases)
    if not np.isfinite(n_cases):
        return no_interval(level)
    excess = quantile**2 / n_cases
    half = quantile * np.sqrt(share * (1 - share) / n_cases + excess / (4 * n_cases))
    ends = (share + excess / 2 + np.array([-half, half])) / (1 + excess)
    ends = low + (high - low) * np.clip(ends, 0, 1)
    return ConfidenceInterval(*ends.tolist(), level)


def interval_of_proportion(is_true, level, n_folds=1, patients=None):
    """Return the interval of a proportion of cases, such as the accuracy, from bools or 0 and 1 (n_repeats, n_cases).

    With one fold there is one fixed model, and the interval is Wilson's.
    """
    values = np.mean(is_true, axis=1)
    if patients is None:
        n_units, within = len(is_true[0]), values * (1 - values) / len(is_true[0])
    else:
        n_units, within = len(np.unique(patients)), variance_of_mean(is_true, patients)
    n_units /= weight_of_repeats(n_folds, len(values))
    return interval(values.mean(), variance_of_repeats(within, n_folds), level, n_units=n_units)


def no_interval(level):
    """Return the interval of a split that gives no valid one: its bounds are NaN."""
    require_probability(level, "the study", "confidence_level", StudyError)
    return ConfidenceInterval(float("nan"), float("nan"), level)


def p_value(difference, variance, freedom=None):
    """Return the two-sided p value of a difference, by Student's distribution if degrees of freedom are given.

    Without variance there is no scale: the p value is 1 for no difference, and else NaN.
    """
    if variance <= 1e-15:
        return 1.0 if abs(difference) < 1e-12 else float("nan")
    statistic = abs(difference) / np.sqrt(variance)
    return float(2 * (norm.sf(statistic) if freedom is None else student_t.sf(statistic, freedom)))
