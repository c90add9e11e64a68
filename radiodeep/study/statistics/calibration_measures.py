"""Probabilities and labels -> measures of their agreement, with intervals."""

import numpy as np
import pandas as pd
from scipy.special import logit

from radiodeep.study.statistics.logistic import coefficients_without_each, fit_logistic, sums_by_patient
from radiodeep.study.statistics.uncertainty import interval, variance_of_result


def measures_of_calibration(positive, repeats, result, confidence_level):
    """Return `value`, `low` and `high` of the measures of a `Calibration`, a DataFrame.

    `positive` are bools (n_cases,), `repeats` the probabilities (n_repeats, n_cases) of the StudyResult.
    """
    values, without = _with_jackknife(positive, repeats, result.patients)
    n_units = next(iter(without.values())).shape[-1]
    rows = {}
    for name, by_repeat in values.items():
        variance = variance_of_result(result, (n_units - 1) * without[name].var(axis=1))
        rows["O:E" if name == "E:O" else name] = _with_interval(name, by_repeat.mean(), variance, confidence_level)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])


def _with_jackknife(positive, repeats, patients):
    """Return by measure its values (n_repeats,), and those without each patient (n_repeats, n_patients).

    The measures are in the order of the fields of `Calibration`, with E:O in place of O:E.
    """
    clipped = np.clip(repeats, 1e-9, 1 - 1e-9)
    log_odds = logit(clipped)
    line = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    fits = [(line, 0.0), (line[:, :1], log_odds)]
    joint, level = [fit_logistic(covariates, positive, offset) for covariates, offset in fits]
    joint_without, level_without = [
        coefficients_without_each(covariates, positive, offset, coefficients, patients)
        for (covariates, offset), coefficients in zip(fits, (joint, level), strict=True)
    ]
    of_case = np.stack([np.ones_like(repeats), positive + 0 * repeats, repeats, (repeats - positive) ** 2])
    sums = of_case.sum(axis=-1)
    of_patient = sums_by_patient(of_case, patients)
    sums_without = sums[..., np.newaxis] - of_patient
    values = {"slope": joint[:, 1], "intercept": joint[:, 0], "calibration in the large": level[:, 0]}
    without = {"slope": joint_without[:, 1], "intercept": joint_without[:, 0]}
    without["calibration in the large"] = level_without[:, 0]
    _, n_events, expected, _ = sums
    ratio = np.maximum(expected, 1e-9) / n_events  # of probabilities that are all 0
    # Linear in what a patient adds to both sums, so that it is finite without the only patient with events.
    added = (of_patient[2] - ratio[:, np.newaxis] * of_patient[1]) / n_events[:, np.newaxis]
    n_patients = added.shape[-1]
    without["E:O"] = ratio[:, np.newaxis] - added * n_patients / max(n_patients - 1, 1)
    return values | {"E:O": ratio} | _of_sums(*sums), without | _of_sums(*sums_without)


def _of_sums(n_cases, n_events, _, squared_error):
    """Return the Brier scores from sums over the cases."""
    prevalence = n_events / n_cases
    spread = prevalence * (1 - prevalence)
    spread = np.where(spread > 0, spread, np.nan)  # without the only patient of a class
    scaled = 1 - squared_error / n_cases / spread
    return {"Brier score": squared_error / n_cases, "scaled Brier score": scaled}


def _with_interval(name, value, variance, level):
    """Return a measure and the bounds of its interval; of E:O those of O:E, by the logarithm.

    A mean of O:E over repeats would be decided by a repeat with probabilities near 0.
    """
    if name == "E:O":
        on_log = interval(-np.log(value), variance / value**2, level, (-np.inf, np.inf))
        return 1 / value, np.exp(on_log.low), np.exp(on_log.high)
    bounds = {"Brier score": (0.0, 1.0), "scaled Brier score": (-np.inf, 1.0)}
    found = interval(value, variance, level, bounds.get(name, (-np.inf, np.inf)))
    return value, found.low, found.high
