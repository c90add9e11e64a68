"""Out-of-fold predictions of survival -> their measures with intervals, and tables for the report.

Weights for censored cases and the reference of the IPA come from the training cases of each fold. Measures are computed
in each repeat and averaged, with the variance of repeated folds.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from radiodeep.preparation.survival import kaplan_meier
from radiodeep.study.statistics.survival import (
    concordance,
    jackknife_of_means,
    log_log_bounds,
    log_rank,
    log_rank_contributions,
    survival_influence,
)
from radiodeep.study.statistics.survival_prediction import (
    auc_outcomes,
    brier_terms,
    calibration_line,
    censoring_weights,
    integrated,
    net_benefit,
    pseudo_values,
)
from radiodeep.study.statistics.uncertainty import (
    interval,
    p_value,
    variance_of_mean,
    weight_of_repeats,
)

# Independent cases that an event is worth at most: bounds intervals near a C of 1, where the variance is no guide. In
# simulations of fixed scores (20 to 100 cases, 6 to 89 events, C from 0.73 to 0.99) 95 % intervals cover 96 to 100 %.
UNITS_PER_EVENT = 3.0
_N_GROUPS = 5  # of a calibration curve
_SHOWN_TIMES = 4  # of survival curves in tables, equally spaced up to the horizon


@dataclass(frozen=True, eq=False)
class PredictedSurvival:
    """Out-of-fold predictions of a study of survival.

    Attributes
    ----------
    event, time : ndarray of shape (n_cases,)
    patients : ndarray of int of shape (n_cases,) or None
    times : ndarray of shape (n_times,)
        Those of `survival`; the last is the horizon.
    scores : ndarray of shape (n_repeats, n_cases)
    survival : ndarray of shape (n_repeats, n_cases, n_times)
        NaN if the model predicts none; a model of one horizon predicts the last one only.
    is_high : ndarray of bool of shape (n_repeats, n_cases)
        Whether the score is above the median of the training cases.
    folds : ndarray of int of shape (n_repeats, n_cases)
        The position in `training` of the fold that tested each case.
    compared : list of n_repeats ndarrays of shape (n_cases,), or None
        The folds within which cases are compared, or None for all cases.
    training : list of (event, time)
        Those of the training cases of each fold.
    has_variance : bool
        Whether the split gives a valid variance.
    """

    event: np.ndarray
    time: np.ndarray
    patients: np.ndarray | None
    times: np.ndarray
    scores: np.ndarray
    survival: np.ndarray
    is_high: np.ndarray
    folds: np.ndarray
    compared: list
    training: list
    has_variance: bool

    @property
    def horizon(self):
        return self.times[-1]

    @property
    def has_survival(self):
        return not np.isnan(self.survival[..., -1]).any()

    @property
    def n_folds(self):
        return len(self.training) // len(self.scores)

    def weights(self, repeat):
        """Return the `censoring_weights` in a repeat and the survival in the training, (n_cases, n_times) each."""
        with_event, free, reference = np.zeros((3, len(self.time), len(self.times)))
        for fold in np.unique(self.folds[repeat]):
            tested = self.folds[repeat] == fold
            event, time = self.training[fold]
            censoring = kaplan_meier(event, time, of_censoring=True)
            weights = censoring_weights(self.event[tested], self.time[tested], self.times, censoring)
            with_event[tested], free[tested] = weights
            reference[tested] = kaplan_meier(event, time).at(self.times)
        return with_event, free, reference

    @property
    def weight(self):
        """The weight of the mean variance of the repeats in that of their mean; NaN if the split gives no valid one."""
        return weight_of_repeats(self.n_folds, len(self.scores)) if self.has_variance else float("nan")

    def n_units(self, is_unit):
        """Return the most independent cases that a proportion is worth, given which cases count, (n_cases,)."""
        n_units = is_unit.sum() if self.patients is None else len(np.unique(self.patients[is_unit]))
        return n_units / self.weight


def measures_of(predicted, confidence_level):
    """Return the measures besides Harrell's C as a DataFrame of `value`, `low` and `high` by name."""
    repeats = [_measures_of_repeat(predicted, repeat) for repeat in range(len(predicted.scores))]
    n_units = UNITS_PER_EVENT * predicted.n_units(predicted.event & (predicted.time <= predicted.horizon))
    rows = {}
    for name, (_, _, bounds) in repeats[0].items():
        values, within = (np.array([repeat[name][part] for repeat in repeats]) for part in (0, 1))
        value = float(values.mean())
        low_high = interval(value, predicted.weight * within.mean(), confidence_level, bounds, n_units)
        rows[name] = np.array([value, low_high.low, low_high.high])
        if name.startswith("O/E"):  # whose logarithm was averaged
            rows[name] = np.exp(rows[name])
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"]).rename_axis("measure")


def _measures_of_repeat(predicted, repeat):
    """Return the value, the variance for fixed models, and the bounds of each measure, by name."""
    event, time, patients, horizon = predicted.event, predicted.time, predicted.patients, predicted.horizon
    with_event, free, reference = predicted.weights(repeat)
    settings = {"folds": predicted.compared[repeat], "patients": patients}
    scores = predicted.scores[repeat][np.newaxis]
    uno = concordance(event, time, scores, weight=with_event[:, -1] ** 2, **settings)
    outcomes = auc_outcomes(event, time, horizon)
    auc = concordance(*outcomes, scores, weight=with_event[:, -1], **settings)
    measures = {"Uno's C": (*uno, (0, 1)), f"AUC at {horizon:g}": (*auc, (0, 1))}
    if predicted.has_survival:
        measures |= _measures_of_survival(predicted, predicted.survival[repeat], with_event, free, reference)
    return {
        name: (np.ravel(value).item(), np.ravel(within).item(), bounds)
        for name, (value, within, bounds) in measures.items()
    }


def _measures_of_survival(predicted, survival, with_event, free, reference):
    """Return the same for measures of the predicted survival (n_cases, n_times)."""
    event, time, patients, horizon = predicted.event, predicted.time, predicted.patients, predicted.horizon
    terms = brier_terms(with_event, free, survival)
    of_reference = brier_terms(with_event, free, reference)
    ratio, of_ratio = jackknife_of_means(terms[np.newaxis, :, -1], of_reference[np.newaxis, :, -1], patients)
    at_horizon, over_time = terms[:, -1], integrated(terms, predicted.times)
    risk = 1 - survival[:, -1]
    observed = 1 - pseudo_values(event, time, horizon)
    with np.errstate(divide="ignore", invalid="ignore"):  # where no event is predicted
        log_ratio = np.log((1 - kaplan_meier(event, time).at(horizon)) / risk.mean())
        of_log_ratio = observed / observed.mean() - risk / risk.mean()
    line, of_slope = calibration_line(with_event[:, -1], free[:, -1], survival[:, -1])

    def variance(values):
        return variance_of_mean(values[np.newaxis], patients)

    measures = {
        f"Brier score at {horizon:g}": (at_horizon.mean(), variance(at_horizon), (0, np.inf)),
        "integrated Brier score": (over_time.mean(), variance(over_time), (0, np.inf)),
        f"IPA at {horizon:g}": (1 - ratio, of_ratio, (-np.inf, 1)),
        f"O/E at {horizon:g}": (log_ratio, variance(of_log_ratio), (-np.inf, np.inf)),
        f"calibration slope at {horizon:g}": (line[0], variance(len(risk) * of_slope), (-np.inf, np.inf)),
    }
    if np.isnan(over_time).any():  # a model of one horizon
        del measures["integrated Brier score"]
    return measures


def survival_by_group(predicted, confidence_level=0.95, times=None):
    """Return Kaplan and Meier's survival of all cases, and of those of low and high risk, at times.

    A DataFrame of `group`, `time`, `n_at_risk`, `survival`, `low` and `high`. Of repeated folds the means over the
    repeats, in which a case may be of low or high risk.
    """
    times = predicted.horizon * np.arange(1, _SHOWN_TIMES + 1) / _SHOWN_TIMES if times is None else times
    everyone = np.ones((1, len(predicted.time)), dtype=bool)
    groups = {"all": everyone, "low risk": ~predicted.is_high, "high risk": predicted.is_high}
    curves = [_survival_of(predicted, members, np.asarray(times), confidence_level) for members in groups.values()]
    return pd.concat(curves, keys=groups, names=["group", None]).reset_index(0).reset_index(drop=True)


def _survival_of(predicted, groups, times, confidence_level):
    """Return the survival of cases, bool (n_repeats, n_cases), with its interval, a row for each of the times."""
    units = np.arange(len(predicted.time)) if predicted.patients is None else predicted.patients
    if not groups.any():  # e.g. a penalty that leaves no feature: all cases have the median risk
        unknown = dict.fromkeys(("survival", "low", "high"), float("nan"))
        return pd.DataFrame({"time": times, "n_at_risk": 0.0, **unknown})
    repeats = []
    for members in groups[groups.any(axis=1)]:
        event, time = predicted.event[members], predicted.time[members]
        influence = [np.bincount(units[members], column) for column in survival_influence(event, time, times).T]
        variance = (np.array(influence) ** 2).sum(axis=1)
        n_at_risk = len(time) - np.searchsorted(np.sort(time), times, side="left")
        repeats.append((kaplan_meier(event, time).at(times), variance, n_at_risk))
    values, within, n_at_risk = np.mean(repeats, axis=0)
    is_fixed = len(groups) == 1 and groups.all()  # all cases, whatever was predicted
    weight = 1.0 if is_fixed else predicted.weight
    low, high = log_log_bounds(values, weight * within, confidence_level)
    n_units = np.mean([len(np.unique(units[members])) for members in groups]) / weight
    for place in np.flatnonzero(np.isin(values, (0, 1))):
        bounds = interval(values[place], weight * within[place], confidence_level, n_units=n_units)
        low[place], high[place] = bounds.low, bounds.high
    # Survival never rises, so a bound holds at all earlier (lower) or later (upper) times as well.
    order = np.argsort(times)
    low[order[::-1]] = np.fmax.accumulate(low[order[::-1]])
    high[order] = np.fmin.accumulate(high[order])
    return pd.DataFrame({"time": times, "n_at_risk": n_at_risk, "survival": values, "low": low, "high": high})


def log_rank_table(predicted):
    """Return the log-rank test of the cases of high against those of low risk, a DataFrame of one row.

    Cases are compared with those of the same test fold. Of repeated folds the events are means over the repeats, and
    the variance is that of repeated folds, since groups that were learned from the same cases are not those of one
    sample; NaN for a single pass of folds.
    """
    repeats = []
    for is_high, folds in zip(predicted.is_high, predicted.compared, strict=True):
        difference, variance = log_rank(predicted.event, predicted.time, is_high, folds)
        if predicted.patients is not None:
            contributions = log_rank_contributions(predicted.event, predicted.time, is_high, folds)
            variance = (np.bincount(predicted.patients, contributions) ** 2).sum()
        repeats.append((difference, variance, is_high.sum(), (is_high & predicted.event).sum()))
    differences, within, n_high, observed = np.array(repeats, dtype=float).T
    difference, variance = differences.mean(), predicted.weight * within.mean()
    row = {
        "n_high": n_high.mean(),
        "events_high": observed.mean(),
        "expected_events_high": observed.mean() - difference,
        "p_value": float("nan") if np.isnan(variance) else p_value(difference, variance),
    }
    return pd.DataFrame([row])


def calibration_table(predicted, confidence_level=0.95):
    """Return the observed event probability by the horizon in groups of similar prediction, the mean over repeats.

    A DataFrame of `predicted`, `observed`, the mean pseudo-value, with its normal interval, and `n`.
    """
    observed = 1 - pseudo_values(predicted.event, predicted.time, predicted.horizon)
    patients = np.arange(len(observed)) if predicted.patients is None else predicted.patients
    tables = []
    for survival in predicted.survival:
        risk = 1 - survival[:, -1]
        groups = np.array_split(np.argsort(risk, kind="stable"), min(_N_GROUPS, len(risk)))
        variances = [variance_of_mean(observed[np.newaxis, group], patients[group]).item() for group in groups]
        means = [(risk[group].mean(), observed[group].mean(), len(group)) for group in groups]
        tables.append(np.column_stack([means, variances]))
    columns = ["predicted", "observed", "n", "variance"]
    table = pd.DataFrame(np.mean(tables, axis=0), columns=columns).astype({"n": int})
    half = norm.isf((1 - confidence_level) / 2) * np.sqrt(predicted.weight * table.pop("variance"))
    return table.assign(**{"observed low": table["observed"] - half, "observed high": table["observed"] + half})


def decision_table(predicted):
    """Return the net benefit of treating cases by their predicted risk at the horizon, the mean over repeats.

    A DataFrame of `threshold`, and the benefit of `model`, `treat_all` and `treat_none`.
    """
    thresholds = np.arange(1, 20) / 20

    def benefit(survival):
        return net_benefit(predicted.event, predicted.time, survival, predicted.horizon, thresholds)

    benefits = [benefit(survival[:, -1]) for survival in predicted.survival]
    treat_all = benefit(np.zeros(len(predicted.time)))
    columns = {"model": np.mean(benefits, axis=0), "treat_all": treat_all, "treat_none": 0.0}
    return pd.DataFrame({"threshold": thresholds, **columns})
