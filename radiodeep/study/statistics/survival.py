"""Times to an event, scores, groups -> concordance with its covariance, log-rank tests, bounds of survival curves."""

import numpy as np
from scipy.stats import norm

from radiodeep.compiled import compiled
from radiodeep.preparation.survival import kaplan_meier

_LARGEST_RATIO = 1.1  # of two sizes that count as equal


def concordance(event, time, scores, *, weight=None, folds=None, patients=None, sizes=None):
    """Return the concordance indices (n_models,) of scores (n_models, n_cases) and their covariance.

    The fraction of comparable pairs in which the case with the earlier event has the higher score. A pair is comparable
    if the earlier time is that of an event; at equal times, if one case has an event and the other is censored. Equal
    scores count one half. With `weight` (n_cases,), a pair has the weight of its earlier case; with `folds` (n_cases,),
    only cases of the same fold are compared, and none of fold -1; with `sizes` (n_cases,), only those whose sizes
    differ by at most 10 %. `patients` (n_cases,) are codes from 0.

    Values are NaN without a comparable pair. The covariance is that of the jackknife that leaves out each patient, with
    models and weights as they are; NaN if all pairs are those of one patient.

    Weights 1 / G(time)^2, G being the probability of not being censored before the time, make it Uno's.

    References
    ----------
    Harrell et al., Statistics in Medicine 15 (1996) 361. Uno et al., Statistics in Medicine 30 (2011) 1105.
    """
    units = np.arange(len(event)) if patients is None else patients
    shares, totals = _pairs(event, time, np.asarray(scores, dtype=float), weight, folds, units, sizes)
    return jackknife_of_ratio(totals[:-1], totals[-1], shares[:-1], shares[-1])


def n_comparable(event, time, folds=None, sizes=None):
    """Return the number of comparable pairs of `concordance`."""
    units = np.zeros(len(event), dtype=int)
    return int(_pairs(event, time, np.zeros((0, len(event))), None, folds, units, sizes)[1].item())


def _members(folds, n_cases):
    """Return the positions of the cases of each fold."""
    if folds is None:
        return [np.arange(n_cases)]
    return [np.flatnonzero(folds == fold) for fold in np.unique(folds[folds >= 0])]


def _pairs(event, time, scores, weight, folds, units, sizes):
    """Return the pairs that each model wins, and last the comparable ones: those of each unit, and of all.

    They have the shapes (n_models + 1, n_units) and (n_models + 1,).
    """
    weight = event.astype(float) if weight is None else np.where(event, weight, 0.0)
    sizes = np.ones(len(event)) if sizes is None else np.asarray(sizes, dtype=float)
    shares = np.zeros((len(scores) + 1, int(units.max()) + 1))
    totals = np.zeros(len(scores) + 1)
    for members in _members(folds, len(event)):
        rows = members[np.lexsort((~event[members], time[members]))]  # at equal times events come first
        _add_pairs(time[rows], event[rows], scores[:, rows], weight[rows], units[rows], sizes[rows], shares, totals)
    return shares, totals


@compiled
def _add_pairs(time, event, scores, weight, units, sizes, shares, totals):
    """Add the pairs of cases in the order of time."""
    n_models = len(scores)
    for case in range(len(time)):
        if weight[case] == 0:
            continue
        for other in range(case + 1, len(time)):
            ratio = sizes[other] / sizes[case]
            if (event[other] and time[other] == time[case]) or ratio > _LARGEST_RATIO or ratio * _LARGEST_RATIO < 1:
                continue
            for model in range(n_models + 1):
                won = weight[case]
                if model < n_models:
                    won *= 0.5 * (scores[model, case] > scores[model, other])
                    won += weight[case] * 0.5 * (scores[model, case] >= scores[model, other])
                totals[model] += won
                shares[model, units[case]] += won
                if units[other] != units[case]:  # or it would count twice
                    shares[model, units[other]] += won


def jackknife_of_ratio(numerator, denominator, numerators, denominators):
    """Return ratios of sums (n_ratios,) and their covariance by leaving out each unit.

    `numerators` (n_ratios, n_units) and `denominators`, (n_units,) or the same, are what the sums lose without the
    unit; units that lose nothing have no influence. Ratios without a denominator are NaN, and so is the covariance if
    nothing remains without one of the units.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        values = numerator / denominator
        rest = np.asarray(denominator)[..., np.newaxis] - denominators
        rest = np.where(rest > 1e-9 * np.abs(denominator)[..., np.newaxis], rest, np.nan)
        without = (numerator[:, np.newaxis] - numerators) / rest
    n_units = without.shape[1]
    deviations = without - without.mean(axis=1, keepdims=True)
    return values, (n_units - 1) / n_units * deviations @ deviations.T


def jackknife_of_means(numerators, denominators, patients=None):
    """Return ratios of means of values of the cases, (n_ratios, n_cases) both, and their covariance over patients."""
    if patients is not None:
        numerators, denominators = (_sum_by_patient(values, patients) for values in (numerators, denominators))
    return jackknife_of_ratio(numerators.sum(axis=1), denominators.sum(axis=1), numerators, denominators)


def _sum_by_patient(values, patients):
    return np.array([np.bincount(patients, row) for row in values])


def log_rank(event, time, is_high, strata=None):
    """Return observed minus expected events of the cases where `is_high` (n_cases,), and the variance.

    The square of the first over the second is the chi-squared statistic of the log-rank test, with one degree of
    freedom. With `strata` (n_cases,), cases are compared with those of their stratum. The variance is the
    hypergeometric one.

    References
    ----------
    Mantel, Cancer Chemotherapy Reports 50 (1966) 163.
    """
    difference = variance = 0.0
    for members in _members(strata, len(event)):
        times, step = np.unique(time[members], return_inverse=True)
        groups = [np.ones(len(members)), is_high[members].astype(float)]
        n_leaving, high_leaving = (np.bincount(step, group, len(times)) for group in groups)
        n_events, high_events = (np.bincount(step, group * event[members], len(times)) for group in groups)
        at_risk = n_leaving[::-1].cumsum()[::-1]
        fraction = high_leaving[::-1].cumsum()[::-1] / at_risk
        difference += float((high_events - n_events * fraction).sum())
        correction = (at_risk - n_events) / np.maximum(at_risk - 1, 1)
        variance += float((n_events * fraction * (1 - fraction) * correction).sum())
    return difference, variance


def log_rank_contributions(event, time, is_high, strata=None):
    """Return contributions (n_cases,) of the cases to observed minus expected events where `is_high`.

    They add up to the first value of `log_rank`; where patients have several cases, the sum of the squares of their
    sums is its variance.
    """
    contributions = np.zeros(len(event))
    for members in _members(strata, len(event)):
        times, step = np.unique(time[members], return_inverse=True)
        at_risk = np.bincount(step, minlength=len(times))[::-1].cumsum()[::-1]
        hazard = np.cumsum(np.bincount(step, event[members], len(times)) / at_risk)
        group = is_high[members] - is_high[members].mean()
        contributions[members] = group * (event[members] - hazard[step])
    return contributions


def survival_influence(event, time, times):
    """Return the influence (n_cases, n_times) of the cases on Kaplan and Meier's survival at times.

    The sum of their squares is Greenwood's variance; where patients have several cases, the variance is that of the
    squares of their sums over the cases of each.

    References
    ----------
    Greenwood, The Natural Duration of Cancer, Reports on Public Health and Medical Subjects 33 (1926).
    """
    curve = kaplan_meier(event, time)
    n_left = np.maximum(curve.n_at_risk - curve.n_events, 1)  # where none is left, the survival is 0
    hazard = np.concatenate([[0.0], np.cumsum(curve.n_events / (curve.n_at_risk * n_left))])
    before = np.searchsorted(curve.times, np.minimum(time[:, np.newaxis], times), side="right")
    own = np.where(event[:, np.newaxis] & (time[:, np.newaxis] <= times), 1.0, 0.0)
    own /= n_left[np.searchsorted(curve.times, time)][:, np.newaxis]
    return curve.at(times) * (hazard[before] - own)


def log_log_bounds(survival, variance, confidence_level=0.95):
    """Return the lower and upper bounds of survival of some variance, as arrays of their shape.

    The interval is normal on the scale of log(-log(survival)). NaN where the survival is 0 or 1.

    References
    ----------
    Kalbfleisch, Prentice, The Statistical Analysis of Failure Time Data, 2002, section 1.4.
    """
    survival, variance = np.asarray(survival, dtype=float), np.asarray(variance, dtype=float)
    inside = np.where((survival > 0) & (survival < 1), survival, np.nan)
    spread = norm.isf((1 - confidence_level) / 2) * np.sqrt(variance) / np.abs(inside * np.log(inside))
    return inside ** np.exp(spread), inside ** np.exp(-spread)
