"""Predicted survival at fixed times -> Brier scores, calibration, net benefit, with weights for the censored cases.

Times are (n_times,), predicted survival (n_cases, n_times). A case has the event by a time if its event comes at or
before it, and is free of it if its own time is later. Cases censored by then are neither: the others stand for them by
inverse probability of censoring weights.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from radiodeep.preparation.survival import kaplan_meier


def censoring_weights(event, time, times, censoring):
    """Return the inverse probabilities of not being censored, of cases with the event and of those free of it.

    Both have the shape (n_cases, n_times) and are 0 for other cases. `censoring` is the KaplanMeier curve of the
    censoring in the training cases. The probability is that just before the event, or at the time. Beyond the last
    training case, where it may be 0, the last one above 0 is taken.
    """
    survival = censoring.survival
    least = survival[survival > 0].min(initial=1.0)
    at_event = 1 / np.maximum(censoring.at(time, left=True), least)
    at_time = 1 / np.maximum(censoring.at(times), least)
    has_event = event[:, np.newaxis] & (time[:, np.newaxis] <= times)
    return np.where(has_event, at_event[:, np.newaxis], 0.0), np.where(time[:, np.newaxis] > times, at_time, 0.0)


def auc_outcomes(event, time, horizon):
    """Return events and times whose `concordance` is the cumulative/dynamic AUC at a horizon.

    Cases with the event by then are compared with those free of it, and no others; weights are those of
    `censoring_weights` with the event.

    References
    ----------
    Uno et al., Journal of the American Statistical Association 102 (2007) 527.
    """
    has_event = event & (time <= horizon)
    return has_event, np.where(time > horizon, 1.0, np.where(has_event, 0.0, -1.0))


def brier_terms(with_event, free, survival):
    """Return the terms (n_cases, n_times) whose means over the cases are the Brier scores at the times.

    The weights are those of `censoring_weights`.

    References
    ----------
    Graf et al., Statistics in Medicine 18 (1999) 2529.
    """
    return with_event * survival**2 + free * (1 - survival) ** 2


def integrated(values, times):
    """Return the mean over time of values (..., n_times), by the trapezoidal rule; the value itself of one time."""
    if len(times) == 1:
        return values[..., 0]
    return np.trapezoid(values, times, axis=-1) / (times[-1] - times[0])


def pseudo_values(event, time, horizon):
    """Return the pseudo-values (n_cases,) of the survival at a horizon: their mean is Kaplan and Meier's, nearly.

    That of a case is n S - (n - 1) S', where S' is the survival without the case.

    References
    ----------
    Andersen, Klein, Rosthøj, Biometrika 90 (2003) 15.
    """
    curve = kaplan_meier(event, time)
    steps = np.flatnonzero((curve.times <= horizon) & (curve.n_events > 0))
    left = curve.n_at_risk[steps] - (time[:, np.newaxis] >= curve.times[steps])
    events = curve.n_events[steps] - (event[:, np.newaxis] & (time[:, np.newaxis] == curve.times[steps]))
    without = np.prod(1 - np.divide(events, left, out=np.zeros(left.shape), where=left > 0), axis=1)
    return len(time) * curve.at(horizon) - (len(time) - 1) * without


def calibration_line(with_event, free, survival):
    """Return the logistic regression of the event by a time on the predicted log-odds.

    Weights and predicted survival have the shape (n_cases,). Returned are slope and intercept (2,), and the influence
    of each case on the slope (n_cases,), what it adds to it. NaN if the predictions separate the cases with the
    event from those without, or do not differ.
    """
    log_odds = -logit(np.clip(survival, 1e-9, 1 - 1e-9))
    high, low = log_odds[with_event > 0], log_odds[free > 0]
    if len(high) == 0 or len(low) == 0 or high.min() >= low.max() or low.min() >= high.max():
        return np.full(2, np.nan), np.full(len(survival), np.nan)
    weight = with_event + free
    target = with_event > 0
    rows = np.column_stack([log_odds, np.ones(len(target))])

    def loss(line):
        value = rows @ line
        return weight @ (np.logaddexp(0, value) - target * value), rows.T @ (weight * (expit(value) - target))

    line = minimize(loss, [1.0, 0.0], jac=True, method="BFGS", options={"gtol": 1e-10}).x
    probability = expit(rows @ line)
    information = rows.T @ (rows * (weight * probability * (1 - probability))[:, np.newaxis])
    gradient = rows * (weight * (target - probability))[:, np.newaxis]
    return line, np.linalg.solve(information, gradient.T)[0]


def net_benefit(event, time, survival, horizon, thresholds):
    """Return the net benefit (n_thresholds,) of treating the cases whose risk at a horizon is at least a threshold.

    The fraction of cases that are treated and have the event, minus that of treated cases without it weighted by the
    odds of the threshold, with Kaplan and Meier's survival of the treated.

    References
    ----------
    Vickers et al., BMC Medical Informatics and Decision Making 8 (2008) 53.
    """
    thresholds = np.asarray(thresholds, dtype=float)
    benefits = np.zeros(len(thresholds))
    for place, threshold in enumerate(thresholds):
        treated = 1 - survival >= threshold
        if treated.any():
            free = kaplan_meier(event[treated], time[treated]).at(horizon)
            benefits[place] = treated.mean() * (1 - free - free * threshold / (1 - threshold))
    return benefits
