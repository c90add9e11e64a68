"""Labels of three classes or more, with or without an order, measured by Hand and Till's M."""

from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from radiodeep.checks import invalid
from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.study.endpoints.class_scores import log_odds, scores_of_classes
from radiodeep.study.endpoints.endpoint import Endpoint, Measurement, Prediction
from radiodeep.study.folds.estimator_tree import final_step
from radiodeep.study.statistics.auc import auc_of_repeats, valid_labels
from radiodeep.study.statistics.calibration_measures import measures_of_calibration
from radiodeep.study.statistics.equal_size import several_classes_at_equal_size
from radiodeep.study.statistics.several_classes import (
    balanced_accuracy,
    brier_scores,
    cohen_kappa,
    confusion_tables,
    hand_till,
    jackknife_variance,
)
from radiodeep.study.statistics.uncertainty import (
    interval,
    interval_of_proportion,
    no_interval,
    variance_of_mean,
    variance_of_repeats,
    variance_of_result,
    weight_of_repeats,
)


class SeveralClasses(Endpoint):
    """One of three classes or more per case; a model scores each case for each class.

    Besides the attributes of an `Endpoint` it has the `classes` and the `codes` of the cases, their positions among
    the classes. Scores and probabilities have a column per class.
    """

    kind = "several classes"
    outcome = "classes"
    estimator_type = "classifier"
    measure = "M"
    chance = 0.5
    test = "jackknife"
    pools_folds = True
    outcome_columns = ("label",)
    high_score = "the class that they are scores of"
    pairs_of_cases = "pairs of cases of different classes"
    leave_one_out_bias = "is biased low"
    offers = frozenset({"accuracy", "pairs of classes", "roc by class"})

    def __init__(self, y, positive=None, patients=None, horizon=None):
        y, self.classes = self._checked(y, positive)
        super().__init__(y, positive, patients, horizon)
        self.codes = pd.Index(self.classes).get_indexer(self.y)
        self.outputs = [str(label) for label in self.classes]
        self.strata = self.y
        self.as_numbers = self.codes.astype(float)

    def _checked(self, y, positive):
        """Return the labels and their classes; raise StudyError for less than three, or a positive one."""
        y, classes = valid_labels(y)
        if len(classes) < 3:
            raise StudyError(f"Expected three classes or more. Got {', '.join(map(str, classes))}.")
        if positive is not None:
            raise StudyError(
                f"There is no positive class among {len(classes)}: {', '.join(map(str, classes[:6]))}. Leave out "
                f"'positive', or study one class against the others with y == {positive!r}."
            )
        return y, classes

    @classmethod
    def outcomes_of(cls, predictions):
        return predictions["label"].to_numpy()

    def columns(self):
        return {"label": self.y}

    def take(self, positions):
        missing = np.setdiff1d(self.classes, self.y[positions])
        if len(missing):
            raise SingleClassError(f"No case of class {missing[0]} is left of these {len(self.classes)} classes.")
        return super().take(positions)

    def check_same_outcomes(self, training):
        if list(self.classes) != list(training.classes):
            training_labels, labels = training.classes.tolist(), self.classes.tolist()
            raise StudyError(f"The training labels are {training_labels}, the test labels {labels}.")

    def check_training(self, train, fold):
        missing = np.setdiff1d(self.classes, self.y[train])
        if len(missing):
            content = f"holds no case of class {missing[0]}" if len(train) else "is empty"
            raise SingleClassError(f"{fold} {content}. Use fewer folds, or more cases of that class.")

    def score(self, fitted, rows, train_rows=None):
        """Return a score of each class; see `scores_of_classes`. A class unknown to the model has the lowest one."""
        model, rows = final_step(fitted, rows)
        scores, probabilities, method = scores_of_classes(model, rows)
        classes = getattr(model, "classes_", np.sort(self.classes))
        known = pd.Index(self.classes).get_indexer(classes)
        if (known < 0).any() or len(known) != scores.shape[1]:
            raise StudyError(
                f"{type(model).__name__} must score the classes {self.classes.tolist()}, in the order of its classes_. "
                f"Got {scores.shape[1]} scores of {list(classes)}."
            )
        shape = (len(scores), len(self.classes))
        all_scores = np.full(shape, scores.min() - 1)
        all_scores[:, known] = scores
        all_probabilities = np.full(shape, np.nan)
        if probabilities is not None:
            all_probabilities[:] = 0
            all_probabilities[:, known] = probabilities
        prediction = np.asarray(model.predict(rows))
        return Prediction(all_scores, all_probabilities, prediction, f"{type(model).__name__}.{method}")

    # Evidence

    def measured(self, out_of_fold, confidence_level):
        scores = out_of_fold.by_repeat(out_of_fold.score)
        right = (out_of_fold.by_repeat(out_of_fold.prediction) == self.y).astype(float)
        folds, within_folds = self._folds_to_compare_within(out_of_fold)
        given = [(scores, None)] if folds is None else zip(scores[:, np.newaxis], folds, strict=True)
        repeats = [self.covariance(*scores_and_fold) for scores_and_fold in given]
        values = np.concatenate([values for values, _ in repeats])
        within = np.concatenate([np.diag(covariance) for _, covariance in repeats])
        n_folds = out_of_fold.n_folds
        variance = variance_of_repeats(within, n_folds)
        # Without variance, each patient tells of as many differences as there are classes besides the own one.
        n_units = (len(self.classes) - 1) * self._n_independent(n_folds, len(scores))
        measurement = Measurement(
            value=float(values.mean()),
            variance=variance,
            confidence_interval=interval(values.mean(), variance, confidence_level, n_units=n_units),
            estimate=f"{out_of_fold.pooling}{within_folds}",
            interval_method=f"score interval, {self.test}{' of repeated folds' if n_folds > 1 else ''}",
            columns=self._prediction_columns(out_of_fold, scores, right.mean(axis=0)),
            accuracy=float(right.mean()),
            accuracy_interval=interval_of_proportion(right, confidence_level, n_folds, self.patients),
        )
        if out_of_fold.kind != "pooled":
            return measurement
        unknown = {"confidence_interval": no_interval(confidence_level), "accuracy_interval": None}
        return replace(measurement, variance=float("nan"), interval_method="none", **unknown)

    def _folds_to_compare_within(self, out_of_fold):
        """Return the folds (n_repeats, n_cases) if their scores are on different scales, or None, and words for it."""
        folds = out_of_fold.by_repeat(out_of_fold.fold)
        of_classes = [[set(fold[self.codes == code]) for code in range(len(self.classes))] for fold in folds]
        have_pairs = all(a & b for of_class in of_classes for a, b in combinations(of_class, 2))
        if len(out_of_fold.scales) < 2 or not have_pairs:
            return None, ""
        return folds, ", over pairs of the same test fold"

    def _prediction_columns(self, out_of_fold, scores, correct):
        """Return the columns of `predictions`; `score` is that of the predicted class, of repeats the mean rank."""
        votes, probability = np.zeros((2, len(self.y), len(self.classes)))
        for column, label in enumerate(self.classes):
            votes[:, column] = out_of_fold.sum_by_case(out_of_fold.prediction == label)
            probability[:, column] = out_of_fold.sum_by_case(out_of_fold.probability[:, column])
        probability /= votes.sum(axis=1, keepdims=True)
        score = scores[0]
        if out_of_fold.is_averaged:
            score = (rankdata(scores, axis=1).mean(axis=0) - 0.5) / len(self.y)
        predicted = votes.argmax(axis=1)
        return {
            "score": np.take_along_axis(score, predicted[:, np.newaxis], axis=1)[:, 0],
            **{f"score_{name}": values for name, values in zip(self.outputs, score.T, strict=True)},
            **{f"probability_{name}": values for name, values in zip(self.outputs, probability.T, strict=True)},
            "prediction": self.classes[predicted],
            "correct": correct,
        }

    def _n_independent(self, n_folds, n_repeats):
        """Return the number of patients, divided by the weight of the variance within repeats."""
        return len(np.unique(self._units)) / weight_of_repeats(n_folds, n_repeats)

    def covariance(self, scores, folds=None):
        return hand_till(self.codes, scores, self.patients, folds)

    def measures(self, result, confidence_level=0.95):
        n_units = self._n_independent(_n_folds(result), len(result.score_array))
        rows = {"accuracy": self._fraction_right(result, np.full(len(self.y), True), confidence_level)}
        for name, (values, within) in self._measures_of_repeats(result).items():
            bounds = {"Brier score": (0.0, 2 / len(self.classes))}.get(name, (-1.0 if "kappa" in name else 0.0, 1.0))
            of_mean = interval(values.mean(), variance_of_result(result, within), confidence_level, bounds, n_units)
            rows[name] = values.mean(), of_mean.low, of_mean.high
        columns = ["value", "low", "high"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")

    def _fraction_right(self, result, chosen, level):
        """Return the fraction of the chosen cases whose class is predicted right, and the bounds of its interval."""
        is_right = (result.prediction_array == self.y)[:, chosen].astype(float)
        patients = None if self.patients is None else np.unique(self.patients[chosen], return_inverse=True)[1]
        bounds = interval_of_proportion(is_right, level, _n_folds(result), patients)
        bounds = no_interval(level) if np.isnan(result.variance) else bounds
        return is_right.mean(), bounds.low, bounds.high

    def _measures_of_repeats(self, result):
        """Return the values (n_repeats,) and variances (n_repeats,) of the measures by name."""
        measured = {name: np.empty((2, len(result.prediction_array))) for name in self._agreements()}
        for repeat, tables in enumerate(self._confusions(result)):
            whole = tables.sum(axis=0)
            for name, measure in self._agreements().items():
                measured[name][:, repeat] = measure(whole), jackknife_variance(measure(whole - tables))
        probabilities = result.probability_array
        if not np.isnan(probabilities).any():
            errors = brier_scores(self.codes, probabilities)
            measured["Brier score"] = errors.mean(axis=1), variance_of_mean(errors, self.patients)
        return measured

    def _agreements(self):
        """Return the measures of a confusion table by name."""
        return {"balanced accuracy": balanced_accuracy, "Cohen's kappa": cohen_kappa}

    def _confusions(self, result):
        """Yield the confusion tables of the patients in each repeat, (n_patients, n_classes, n_classes)."""
        for predicted in result.prediction_array:
            codes = pd.Index(self.classes).get_indexer(predicted)
            yield confusion_tables(self.codes, codes, self._units, len(self.classes))

    @property
    def _units(self):
        """The patients of the cases, or the cases, as codes."""
        return np.arange(len(self.y)) if self.patients is None else self.patients

    def tables(self, result):
        tables = [by_patient.sum(axis=0) for by_patient in self._confusions(result)]
        labels = [pd.Index(self.outputs, name=name) for name in ("true", "predicted")]
        return {
            "Predicted classes, mean of the repeats": pd.DataFrame(np.mean(tables, axis=0), *labels),
            "Each class against the others": self._each_class(result),
        }

    def _each_class(self, result):
        """Return the number of cases, the AUC against the others, sensitivity and calibration of each class."""

        def named(name, values):
            return dict(zip((name, f"{name} low", f"{name} high"), values, strict=True))

        level = result.confidence_interval.level
        settings = level, _n_folds(result), self.patients, result.folds_to_compare_within
        probabilities = result.probability_array
        rows = []
        for column in range(len(self.classes)):
            is_class = self.codes == column
            estimate = auc_of_repeats(is_class, result.score_array[:, :, column], *settings)
            bounds = no_interval(level) if np.isnan(result.variance) else estimate.confidence_interval
            row = {"n": int(is_class.sum())} | named("AUC", (estimate.auc, bounds.low, bounds.high))
            row |= named("sensitivity", self._fraction_right(result, is_class, level))
            if not np.isnan(probabilities).any():
                measures = measures_of_calibration(is_class, probabilities[:, :, column], result, level)
                row |= named("O:E", measures.loc["O:E"]) | named("slope", measures.loc["slope"])
            rows.append(row)
        return pd.DataFrame(rows, index=pd.Index(self.outputs, name="class"))

    def at_equal_size(self, scores, sizes, pairs=None, folds=None):
        return several_classes_at_equal_size(self.codes, scores, sizes)

    def marker(self, values, name):
        """Return the log-odds of each class from a normal distribution of the logarithm, of one variance, in each."""
        log_values = np.log(values)
        means = np.bincount(self.codes, weights=log_values) / np.bincount(self.codes)
        variance = max(((log_values - means[self.codes]) ** 2).mean(), np.finfo(float).tiny ** 0.5)
        score = log_odds(-((log_values[:, np.newaxis] - means) ** 2) / (2 * variance))
        words = {label: f"{name} of about {np.exp(mean):.3g}" for label, mean in zip(self.outputs, means, strict=True)}
        return Prediction(score, np.full(score.shape, np.nan), self.classes[score.argmax(axis=1)]), words

    # Words

    def title(self):
        return f"{self.measure} of {len(self.classes)} classes (Hand-Till)"

    def composition(self):
        return ", ".join(f"{n} of label {label}" for label, n in zip(self.classes, self._sizes, strict=True))

    @property
    def _sizes(self):
        return np.bincount(self.codes)

    def count(self):
        sizes = ", ".join(f"{n} {label}" for label, n in zip(self.classes, self._sizes, strict=True))
        return f"{super().count()} ({sizes})"

    def baseline(self):
        return (
            f"Always predicting the most frequent class has an accuracy of {self._sizes.max() / len(self.y):.3f}, a "
            f"balanced accuracy of {1 / len(self.classes):.3f}, a kappa of 0 and an M of 0.5."
        )

    def companion_note(self, cv, companion_cv):
        return (
            f"The M under {cv} compares scores of different folds, and is biased low: leaving a case out makes its "
            "class rarer in the training cases, so a model without information has an M below 0.5, and it has no valid "
            f"interval. Repeated stratified folds ({companion_cv}) do not have this bias."
        )

    def require(self, analysis):
        if analysis not in self.offers:
            raise StudyError(
                f"There is no {analysis} of {len(self.classes)} classes. Study one class against the others, e.g. "
                f"y == {self.classes[-1].item()!r}."
            )


class OrderedClasses(SeveralClasses):
    """One of three classes or more that have an order, e.g. grades, per case.

    `positive` is the order of the classes, the lowest first; by default they are in the order in which they sort.
    """

    kind = "ordered classes"
    outcome = "ordered"

    def _checked(self, y, positive):
        y, classes = super()._checked(y, None)
        if positive is None:
            return y, classes
        order = np.atleast_1d(np.asarray(positive))
        if len(order) != len(classes) or set(order.tolist()) != set(classes.tolist()):
            raise invalid("ordered classes", "positive", f"the order of {classes.tolist()}", positive, error=StudyError)
        return y, order.astype(classes.dtype)

    def __init__(self, y, positive=None, patients=None, horizon=None):
        super().__init__(y, positive, patients, horizon)
        self.positive = tuple(self.classes.tolist())

    def _agreements(self):
        linear, quadratic = (partial(cohen_kappa, power=power) for power in (1, 2))
        return super()._agreements() | {"linear weighted kappa": linear, "quadratic weighted kappa": quadratic}

    def title(self):
        return f"{self.measure} of {len(self.classes)} ordered classes (Hand-Till)"

    def reference(self):
        return f"order of the classes: {' < '.join(self.outputs)}"


def _n_folds(result):
    """Return the number of folds per repeat of a result."""
    return len(result.folds) // len(result.score_array)
