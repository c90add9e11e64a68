"""Numbers, such as a dose or a volume after therapy, measured by Spearman's rank correlation within the test folds."""

import numpy as np
from scipy.stats import skew

from radiodeep.exceptions import StudyError
from radiodeep.study.endpoints.endpoint import Endpoint, Measurement, Prediction
from radiodeep.study.folds.estimator_tree import type_of
from radiodeep.study.statistics.numbers import (
    ERRORS,
    LIMITS_OF_AGREEMENT,
    SPEARMAN,
    errors_jackknife,
    folds_to_correlate,
    intervals_of_measures,
    spearman_jackknife,
)
from radiodeep.study.statistics.uncertainty import (
    interval,
    variance_of_repeats,
    variance_of_result,
    weight_of_repeats,
)

_ERRORS = [ERRORS.index(name) for name in ("R2", "MAE", "RMSE", "lower limit", "upper limit")]
_LARGEST_SKEWNESS = 2.0
_MOST_STRATA, _FEWEST_OF_STRATUM = 5, 20  # groups of cases of similar outcomes, by which folds are stratified
_SKEWED = (
    f"The skewness of the outcomes is above {_LARGEST_SKEWNESS:g}: few cases decide the errors and the limits of "
    "agreement, which have no valid intervals. Study the logarithm of the outcomes."
)


class Numbers(Endpoint):
    """A number per case; scores are the numbers that a model predicts.

    The main measure needs no unit, so that the size of a region can be compared by it as well: Spearman's correlation
    of predictions and outcomes, the mean over the test folds. Models of different folds differ in level and scale,
    which lowers a correlation over all folds; that one is taken if a test fold has fewer than 10 patients, of whom a
    correlation is uncertain and slightly too low.
    """

    kind = "numbers"
    outcome = "numbers"
    measure = SPEARMAN
    bounds = (-1.0, 1.0)
    chance = 0.0
    test = "jackknife"
    outcome_columns = ("outcome",)
    high_score = "a larger number"
    selector_target = "numeric"
    estimator_type = "regressor"
    leave_one_out_bias = "is biased low"
    offers = frozenset({"agreement"})

    def __init__(self, y, positive=None, patients=None, horizon=None):
        if positive is not None:
            raise StudyError(f"Numbers have no positive class. Leave out 'positive', got {positive!r}.")
        super().__init__(_checked_numbers(y), None, patients, horizon)
        self.as_numbers = self.y
        n_strata = min(_MOST_STRATA, len(self.y) // _FEWEST_OF_STRATUM)
        if n_strata > 1:
            self.strata = np.empty(len(self.y), dtype=int)
            self.strata[np.argsort(self.y, kind="stable")] = np.arange(len(self.y)) * n_strata // len(self.y)

    @classmethod
    def outcomes_of(cls, predictions):
        return predictions["outcome"].to_numpy()

    def columns(self):
        return {"outcome": self.y}

    def check_training(self, train, fold):
        if len(np.unique(self.y[train])) < 2:
            content = f"holds the number {self.y[train[0]]:g} only" if len(train) else "is empty"
            raise StudyError(f"{fold} {content}. Use fewer folds or more cases.")

    def score(self, fitted, rows, train_rows=None):
        if type_of(fitted) == "classifier" or not hasattr(fitted, "predict"):
            raise StudyError(f"{type(fitted).__name__} predicts no numbers. Use a regressor, or outcome='classes'.")
        predicted = np.asarray(fitted.predict(rows), dtype=float)
        if predicted.size != len(predicted):
            raise StudyError(f"{type(fitted).__name__} must predict one number per case. Got shape {predicted.shape}.")
        predicted = predicted.ravel()
        return Prediction(predicted, np.full(len(predicted), np.nan), predicted)

    # Evidence

    def measured(self, out_of_fold, confidence_level):
        scores, folds = out_of_fold.by_repeat(out_of_fold.score), out_of_fold.by_repeat(out_of_fold.fold)
        repeats = [self.covariance(score[np.newaxis], fold) for score, fold in zip(scores, folds, strict=True)]
        values, within = (np.array([repeat[part].item() for repeat in repeats]) for part in (0, 1))
        is_valid = out_of_fold.kind in ("repeated", "holdout")
        variance = variance_of_repeats(within, out_of_fold.n_folds) if is_valid else float("nan")
        n_units = self._n_patients / weight_of_repeats(out_of_fold.n_folds, len(values))
        pooling = out_of_fold.pooling
        if self._compared(folds[0]).any():
            of_repeat = "mean over the test folds"
            pooling = f"{pooling}, each the {of_repeat}" if out_of_fold.is_averaged else of_repeat
        return Measurement(
            value=float(values.mean()),
            variance=variance,
            confidence_interval=interval(values.mean(), variance, confidence_level, (-1, 1), n_units),
            estimate=pooling,
            interval_method="none" if np.isnan(variance) else "jackknife",
            columns={
                "score": scores.mean(axis=0),
                "prediction": out_of_fold.by_repeat(out_of_fold.prediction).mean(axis=0),
            },
            remarks=(_SKEWED,) if self._is_skewed else (),
        )

    @property
    def _is_skewed(self):
        return abs(skew(self.y)) > _LARGEST_SKEWNESS

    def covariance(self, scores, folds=None):
        jackknife = spearman_jackknife(self.y, np.asarray(scores, dtype=float), self._compared(folds), self._patients)
        return jackknife.values, jackknife.covariance

    def _compared(self, folds):
        """Return the folds (n_cases,) within which cases are correlated: one of all cases if `folds` is None."""
        return np.zeros(len(self.y), dtype=int) if folds is None else folds_to_correlate(folds, self._patients)

    @property
    def _patients(self):
        """The patients of the cases, or the cases, as codes."""
        return np.arange(len(self.y)) if self.patients is None else self.patients

    @property
    def _n_patients(self):
        return int(self._patients.max()) + 1

    def at_equal_size(self, scores, sizes, pairs=None, folds=None):
        return None, None

    def marker(self, values, name):
        ascending = self.value(values) >= self.chance
        unknown = np.full(len(values), np.nan)  # a size is no prediction: it has another unit
        words = {self.high_score: f"{'larger' if ascending else 'smaller'} {name}"}
        return Prediction(values if ascending else -values, unknown, unknown), words

    def measures(self, result, confidence_level=0.95):
        """Return R2, errors, correlations and calibration of a result, NaN for scores that are no predictions.

        There are no intervals of MAE, RMSE and the limits of agreement for outcomes whose skewness is above 2.

        R2 = 1 - SSE / SST, where SST sums the squared differences of the outcomes from the mean of the training cases
        of their fold: predicting that mean has an R2 of 0, and less is worse than that. Correlation and slope are those
        within the test folds, as the main measure; errors, R2, concordance and ICC are of all cases.
        """
        return self._errors(result, confidence_level).drop(index=list(LIMITS_OF_AGREEMENT))

    def tables(self, result):
        """Return the limits of agreement of Bland and Altman: differences are predicted minus observed numbers."""
        level = result.confidence_interval.level
        return {"Limits of agreement": self._errors(result, level).loc[list(LIMITS_OF_AGREEMENT)]}

    def _errors(self, result, confidence_level):
        means = np.array([np.mean(y) for y in result.training_outcomes])
        repeats = [
            errors_jackknife(self.y, prediction[np.newaxis], self._compared(fold), self._patients, means[fold])
            for prediction, fold in zip(result.prediction_array.astype(float), result.fold_of_case, strict=True)
        ]
        values, within = (
            np.concatenate(parts) for parts in zip(*((r.values, r.variances) for r in repeats), strict=True)
        )
        variances = np.array([variance_of_result(result, variances) for variances in within.T])
        if len(values) > 1:  # in simulated studies, errors varied more between training sets than correlations
            variances[_ERRORS] += values[:, _ERRORS].var(axis=0, ddof=1)
        if self._is_skewed:  # and those intervals held the truth in 74 to 85 % if outcomes were log-normal
            variances[_ERRORS[1:]] = np.nan
        n_units = self._n_patients / weight_of_repeats(len(result.folds) // len(values), len(values))
        return intervals_of_measures(ERRORS, values.mean(axis=0), variances, n_units, confidence_level)

    # Words

    def title(self):
        return f"{self.measure}'s rank correlation"

    def composition(self):
        quartiles = ", ".join(f"{value:.3g}" for value in np.quantile(self.y, [0.25, 0.5, 0.75]))
        n_patients = "" if self.patients is None else f" of {self._n_patients} patients"
        return f"{len(self.y)} cases{n_patients} from {self.y.min():.3g} to {self.y.max():.3g}, quartiles {quartiles}"

    def baseline(self):
        return (
            f"Always predicting the mean of the training cases has a correlation of 0, an R2 of 0 and an RMSE of about "
            f"{self.y.std():.3g}."
        )

    def companion_note(self, cv, companion_cv):
        return (
            f"The correlation under {cv} compares predictions of different models, and is biased low: leaving out a "
            "case moves the mean of the training cases away from it, so that a model which predicts this mean has a "
            f"correlation of -1. It has no valid interval. Repeated folds ({companion_cv}) compare cases of the same "
            "test fold only, which one model predicted."
        )


def _checked_numbers(y):
    """Return outcomes as float64; raise StudyError unless they are finite numbers that vary."""
    try:
        y = np.asarray(y, dtype=float)
    except (TypeError, ValueError) as error:
        raise StudyError("The outcomes must be numbers. Study text with outcome='classes'.") from error
    n_missing = int((~np.isfinite(y)).sum())
    if n_missing:
        raise StudyError(f"{n_missing} of {len(y)} outcomes are missing or infinite. Leave those cases out.")
    if len(np.unique(y)) < 2:
        raise StudyError(f"The outcomes must vary. All {len(y)} are {', '.join(f'{value:g}' for value in y[:1])}.")
    return y
