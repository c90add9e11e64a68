"""Times to an event, measured by Harrell's C within the test folds."""

import copy

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from radiodeep.checks import is_positive, require
from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.preparation.survival import event_and_time, kaplan_meier, survival_outcomes
from radiodeep.study.endpoints.endpoint import Endpoint, Measurement, Prediction
from radiodeep.study.folds.estimator_tree import final_step, offers
from radiodeep.study.statistics.survival import concordance, log_rank, n_comparable
from radiodeep.study.statistics.survival_measures import (
    UNITS_PER_EVENT,
    PredictedSurvival,
    calibration_table,
    decision_table,
    log_rank_table,
    measures_of,
    survival_by_group,
)
from radiodeep.study.statistics.uncertainty import interval, variance_of_repeats, weight_of_repeats

_DRAWN_TIMES = 61
_N_TIMES = 20  # at which survival is predicted, up to the horizon
_BEYOND_HORIZON = 0.2  # least fraction of the cases that are followed beyond the default horizon
_FEWEST_STRATUM = 10  # censored cases; folds are not stratified by fewer, unless events are as few
_FEWEST_PAIRS_WITHIN = 0.04  # of all comparable pairs; with fewer in a single pass, folds are pooled
_FEWEST_OF_EQUAL_SIZE = 30  # pairs
_ROUNDING = 1e-6  # of survival beyond 0 and 1


class Survival(Endpoint):
    """A time per case, until an event or the end of observation; scores are higher for earlier events.

    Besides the attributes of an `Endpoint` it has the `event` (n_cases,) and `time` (n_cases,), and the `times`
    (n_times,) at which survival is predicted, the last of which is the horizon. Probabilities are those of no event by
    these times. Both are chosen from the outcomes before the cases are split: the default horizon is the median
    follow-up, or the last time beyond which a fifth of the cases are followed if that is earlier, and the other times
    are quantiles of the times of events by then. Predictions are 1 for cases above the median score of the training
    cases, and 0 for others.
    """

    kind = "survival"
    outcome = "survival"
    measure = "C"
    chance = 0.5
    test = "jackknife"
    outcome_columns = ("event", "time")
    high_score = "an earlier event"
    pairs_of_cases = "comparable pairs"
    leave_one_out_bias = "compares scores of different models"
    needs_training_rows = True
    offers = frozenset({"survival curves"})
    compares_in_folds = True

    def __init__(self, y, positive=None, patients=None, horizon=None):
        if positive is not None:
            raise StudyError(f"Survival has no positive class. Leave out 'positive', got {positive!r}.")
        self.event, self.time = event_and_time(y, StudyError)
        _check_comparable(self.event, self.time)
        super().__init__(survival_outcomes(self.event, self.time), None, patients, horizon)
        self.given_horizon = horizon
        self.horizon = self._default_horizon() if horizon is None else self._checked_horizon(horizon)
        by_horizon = self.time[self.event & (self.time <= self.horizon)]
        quantiles = np.quantile(by_horizon, np.arange(1, _N_TIMES) / _N_TIMES, method="inverted_cdf")
        self.times = np.unique([*quantiles, self.horizon])
        self.as_numbers = self.time
        is_stratified = (~self.event).sum() >= min(_FEWEST_STRATUM, self.event.sum())
        self.strata = self.event if is_stratified else None

    def _default_horizon(self):
        """Return the median follow-up, by the curve of the censoring, or an earlier time that enough cases exceed."""
        n_beyond = int(np.ceil(_BEYOND_HORIZON * len(self.time)))
        latest = self.time[self.time < np.sort(self.time)[-n_beyond]].max(initial=self.time.min())
        horizon = float(max(np.fmin(self._median_follow_up(), latest), self.time[self.event].min()))
        if horizon == self.time.max():
            raise StudyError(f"No case is followed beyond the first event, at {horizon:g}, so there is no horizon.")
        return horizon

    def _median_follow_up(self):
        return kaplan_meier(self.event, self.time, of_censoring=True).median

    def _checked_horizon(self, horizon):
        require(is_positive(horizon), "a study", "horizon", "None or a number > 0", horizon, error=StudyError)
        first, last = self.time[self.event].min(), self.time.max()
        if not first <= horizon < last:
            raise StudyError(
                f"The horizon must lie between the first event of the {len(self.time)} cases, at {first:g}, and their "
                f"last time, {last:g}, which it must not reach. Got {horizon:g}."
            )
        return float(horizon)

    @classmethod
    def outcomes_of(cls, predictions):
        return survival_outcomes(predictions["event"], predictions["time"])

    def columns(self):
        return {"event": self.event, "time": self.time}

    def take(self, positions):
        """Return the endpoint of some of the cases, with the same horizon and times."""
        taken = copy.copy(self)
        taken.y, taken.event, taken.time = self.y[positions], self.event[positions], self.time[positions]
        _check_comparable(taken.event, taken.time)
        taken.as_numbers = taken.time
        taken.strata = None if self.strata is None else taken.event
        taken.patients = None if self.patients is None else pd.factorize(self.patients[positions])[0]
        return taken

    def studied(self, positions):
        return type(self)(self.y[positions], None, self.take(positions).patients, self.given_horizon)

    def tested_after(self, training):
        if self.given_horizon is not None or self.horizon <= training.horizon:
            return self
        horizon = max(training.horizon, self.time[self.event].min())
        return type(self)(self.y, None, self.patients, horizon)

    def prepared(self, model):
        """Return the model; raise StudyError if a selector of scikit-learn would take events and times as classes."""
        parts = model.get_params()
        for path, part in parts.items():
            is_of_classes = getattr(getattr(part, "score_func", None), "__module__", "").startswith("sklearn.")
            owners = [parts.get(path[:end]) for end in range(len(path)) if path[end:].startswith("__")]
            if is_of_classes and not any(offers(owner, "horizon") for owner in owners):
                raise StudyError(
                    f"{type(part).__name__} takes each event and time as a class. Select features of survival with "
                    "UnivariateCox or ConcordanceSelector, or inside a HorizonSelector."
                )
        return super().prepared(model)

    def check_training(self, train, fold):
        if not self.event[train].any():
            raise SingleClassError(f"{fold} holds no event. Use fewer folds or more cases with an event.")

    def score(self, fitted, rows, train_rows=None):
        """Return the risk that a model predicts, the survival at `times`, and whether the risk is high in the training.

        `predict` of a model returns a risk that is higher for earlier events, as of scikit-survival's models. For
        models that predict survival functions only, it is the probability of the event by the horizon.
        """
        final, last_rows = final_step(fitted, rows)
        survival = self._survival(final, last_rows)
        score = self._risk(final, last_rows, survival)
        if score is None:
            raise StudyError(
                f"{type(fitted).__name__} has neither predict nor predict_survival_function, so it has no C. Use a "
                "model of survival, such as CoxRegression."
            )
        _check_predicted(final, score, survival, len(self.times))
        if train_rows is None:
            return Prediction(score, survival, np.zeros(len(score), dtype=int))
        final, last_rows = final_step(fitted, train_rows)
        cut = np.median(self._risk(final, last_rows, None))
        return Prediction(score, survival, (score > cut).astype(int))

    def _survival(self, model, rows):
        """Return the survival (n_rows, n_times), NaN if the model predicts none."""
        if hasattr(model, "predict_survival"):
            return np.asarray(model.predict_survival(rows, self.times), dtype=float)
        if not hasattr(model, "predict_survival_function"):
            return np.full((len(rows), len(self.times)), np.nan)
        try:
            functions = model.predict_survival_function(rows)
        except ValueError as error:
            if "`fit` must be called with" not in str(error):  # as scikit-survival says if no baseline was fitted
                raise
            return np.full((len(rows), len(self.times)), np.nan)
        values = [function(np.clip(self.times, *function.domain)) for function in functions]
        return np.array(values, dtype=float).reshape(len(functions), -1)  # of a single time they are numbers

    def _risk(self, model, rows, survival):
        if hasattr(model, "predict"):
            risk = np.asarray(model.predict(rows), dtype=float)
            # Some of scikit-survival's models predict the time instead, and say so.
            return risk if getattr(model, "_predict_risk_score", True) else -risk
        if hasattr(model, "predict_survival") or hasattr(model, "predict_survival_function"):
            return 1 - (self._survival(model, rows) if survival is None else survival)[:, -1]
        return None

    # Evidence

    def measured(self, out_of_fold, confidence_level):
        scores = out_of_fold.by_repeat(out_of_fold.score)
        tested_in = out_of_fold.by_repeat(out_of_fold.fold).astype(int)
        folds = self._compared(tested_in)
        repeats = [self.covariance(score[np.newaxis], fold) for score, fold in zip(scores, folds, strict=True)]
        values, within = (np.array([repeat[part].item() for repeat in repeats]) for part in (0, 1))
        if np.isnan(values).any():
            raise StudyError("No two cases of a test fold are comparable: none outlasts an event. Use fewer folds.")
        value, has_variance = float(values.mean()), out_of_fold.kind in ("repeated", "holdout")
        variance = variance_of_repeats(within, out_of_fold.n_folds) if has_variance else float("nan")
        n_units = self._n_units() / weight_of_repeats(out_of_fold.n_folds, len(scores))
        n_tests = out_of_fold.sum_by_case(np.ones(len(out_of_fold.case)))
        high = out_of_fold.sum_by_case(out_of_fold.prediction) / n_tests
        pooling = "pooled over folds" if folds[0] is None else "pairs of cases of the same fold"
        return Measurement(
            value=value,
            variance=variance,
            confidence_interval=interval(value, variance, confidence_level, n_units=n_units),
            estimate=f"{pooling}, {out_of_fold.pooling}" if out_of_fold.is_averaged else pooling,
            interval_method="jackknife over patients" if has_variance else "none",
            columns={
                "score": self._mean_ranks(scores, folds) if out_of_fold.is_averaged else scores[0],
                "probability": out_of_fold.sum_by_case(out_of_fold.probability[:, -1]) / n_tests,
                "prediction": (high > 0.5).astype(int),
            },
            remarks=self._remarks(tested_in, out_of_fold.training),
        )

    def _compared(self, folds):
        """Return the folds of each repeat within which cases are compared, or None where all cases are.

        All are compared in a single pass whose folds hold hardly any comparable pairs, as those of leave-one-out.
        """
        if len(folds) == 1:
            fraction = n_comparable(self.event, self.time, folds[0]) / n_comparable(self.event, self.time)
            return [folds[0] if fraction >= _FEWEST_PAIRS_WITHIN else None]
        return list(folds)

    def _remarks(self, folds, training):
        """Return a sentence that names the cases whose time by the horizon is beyond all training cases of a fold."""
        last = np.array([event_and_time(y, StudyError)[1].max() for y in training])[folds]
        n_beyond = int((np.minimum(self.time, self.horizon) > last).any(axis=0).sum())
        if not n_beyond:
            return ()
        return (
            f"The times of {n_beyond} cases lie beyond those of all training cases of a fold, so censored cases like "
            f"them have the weight of the last training case. An earlier horizon than {self.horizon:g} avoids this.",
        )

    def _mean_ranks(self, scores, folds):
        """Return the mean over the repeats of the rank in the fold, as a fraction in 0..1, (n_cases,)."""
        ranks = np.zeros(scores.shape)
        for score, fold, rank in zip(scores, folds, ranks, strict=True):
            for number in np.unique(fold):
                tested = fold == number
                rank[tested] = (rankdata(score[tested]) - 0.5) / tested.sum()
        return ranks.mean(axis=0)

    def _n_units(self):
        """Return the largest number of independent cases that the C is worth; see `UNITS_PER_EVENT`."""
        cases = np.arange(len(self.y)) if self.patients is None else self.patients
        return UNITS_PER_EVENT * len(np.unique(cases[self.event]))

    def covariance(self, scores, folds=None):
        return concordance(self.event, self.time, scores, folds=folds, patients=self.patients)

    def at_equal_size(self, scores, sizes, pairs=None, folds=None):
        n_pairs = n_comparable(self.event, self.time, sizes=sizes)
        if n_pairs < _FEWEST_OF_EQUAL_SIZE:
            return None, n_pairs
        folds = [None] * len(scores) if folds is None else self._compared(folds)
        repeats = [
            concordance(self.event, self.time, score[np.newaxis], folds=fold, sizes=sizes)[0].item()
            for score, fold in zip(scores, folds, strict=True)
        ]
        known = [value for value in repeats if not np.isnan(value)]  # of repeats with such pairs in a fold
        return (float(np.mean(known)) if known else None), n_pairs

    def marker(self, values, name):
        ascending = self.value(values) >= self.chance
        score = values if ascending else -values
        survival = np.full((len(values), len(self.times)), np.nan)
        words = {self.high_score: f"{'larger' if ascending else 'smaller'} {name}"}
        return Prediction(score, survival, (score > np.median(score)).astype(int)), words

    def other_statistics(self, out_of_fold):
        """Return the log-rank statistic of the risk groups, the mean over the repeats; positive if high risk is."""
        folds = self._compared(out_of_fold.by_repeat(out_of_fold.fold).astype(int))
        groups = out_of_fold.by_repeat(out_of_fold.prediction) == 1
        tests = [log_rank(self.event, self.time, high, fold) for high, fold in zip(groups, folds, strict=True)]
        return {"log-rank": float(np.mean([difference / np.sqrt(variance or 1.0) for difference, variance in tests]))}

    def measures(self, result, confidence_level=0.95):
        return measures_of(self._predicted(result), confidence_level)

    def survival_curves(self, result):
        """Return the table of `survival_by_group` at the times that a figure shows, until the last time."""
        level = result.confidence_interval.level
        return survival_by_group(self._predicted(result), level, np.linspace(0, self.time.max(), _DRAWN_TIMES))

    def tables(self, result):
        predicted = self._predicted(result)
        tables = {
            "Survival by risk group": survival_by_group(predicted),
            "Log-rank test of the risk groups": log_rank_table(predicted),
        }
        if predicted.has_survival:
            tables[f"Calibration at {self.horizon:g}"] = calibration_table(predicted)
            tables[f"Net benefit at {self.horizon:g}"] = decision_table(predicted)
        return tables

    def _predicted(self, result):
        folds = result.fold_of_case
        return PredictedSurvival(
            event=self.event,
            time=self.time,
            patients=self.patients,
            times=self.times,
            scores=result.score_array,
            survival=result.probability_array,
            is_high=result.prediction_array == 1,
            folds=folds,
            compared=self._compared(folds),
            training=[event_and_time(y, StudyError) for y in result.training_outcomes],
            has_variance=not np.isnan(result.variance),
        )

    # Words

    def composition(self):
        n_patients = "" if self.patients is None else f" of {self.patients.max() + 1} patients"
        follow_up = self._median_follow_up()
        follow_up = "" if np.isnan(follow_up) else f", median follow-up {follow_up:g}"
        return f"{len(self.y)} cases{n_patients}, {self.event.sum()} events{follow_up}, horizon {self.horizon:g}"

    def count(self):
        return f"{super().count()}, {self.event.sum()} events"

    def counts(self, positions):
        return {"events": int(self.event[positions].sum())}

    def baseline(self):
        return "A model without information has a C of 0.5."

    def companion_note(self, cv, companion_cv):
        return (
            f"The C under {cv} compares cases that different models scored, as older studies did. It has no valid "
            "interval: nominal 95 % intervals that take the models as fixed cover 0.5 in about 60 % of studies without "
            f"signal. Repeated folds ({companion_cv}) compare cases of the same test fold only, which one model scored."
        )


def _check_predicted(model, risk, survival, n_times):
    """Raise StudyError unless there is a risk per row, (n_rows,), and survival from 0 to 1, (n_rows, n_times)."""
    name, n_rows = type(model).__name__, len(survival)
    if risk.shape != (n_rows,):
        raise StudyError(f"{name} must predict one risk for each of the {n_rows} cases. Got shape {risk.shape}.")
    if survival.shape != (n_rows, n_times):
        raise StudyError(
            f"{name} must predict the survival of {n_rows} cases at {n_times} times. Got shape {survival.shape}."
        )
    if np.nanmin(survival, initial=0) < -_ROUNDING or np.nanmax(survival, initial=1) > 1 + _ROUNDING:
        wrong = survival[(survival < -_ROUNDING) | (survival > 1 + _ROUNDING)][0]
        raise StudyError(f"{name} must predict survival from 0 to 1. Got {wrong:g}.")


def _check_comparable(event, time):
    if not n_comparable(event, time):
        raise SingleClassError(f"No two of the {len(time)} cases are comparable: none outlasts an event.")
