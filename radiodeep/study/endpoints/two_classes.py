"""Labels of two classes, measured by the area under the ROC curve."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.study.endpoints.endpoint import Endpoint, Measurement, Prediction
from radiodeep.study.folds.estimator_tree import final_step
from radiodeep.study.statistics.auc import auc_of_repeats, checked_labels, delong_covariance
from radiodeep.study.statistics.calibration_measures import measures_of_calibration
from radiodeep.study.statistics.equal_size import auc_at_equal_size, auc_of_pairs_at_equal_size
from radiodeep.study.statistics.uncertainty import interval_of_proportion, no_interval


class TwoClasses(Endpoint):
    """One of two classes per case; scores are higher for the positive class.

    Besides the attributes of an `Endpoint` it has the `classes`, the negative and the positive one, and `is_positive`,
    a bool ndarray of shape (n_cases,).
    """

    kind = "two classes"
    outcome = "classes"
    estimator_type = "classifier"
    measure = "AUC"
    chance = 0.5
    pools_folds = True
    outcome_columns = ("label",)
    pairs_of_cases = "pairs of a positive and a negative case"
    leave_one_out_bias = "is biased low"
    offers = frozenset({"accuracy", "added value", "sensitivity", "calibration", "roc", "scores"})

    def __init__(self, y, positive=None, patients=None, horizon=None):
        y, self.classes = checked_labels(y, positive)
        super().__init__(y, positive, patients, horizon)
        self.test = "DeLong" if self.patients is None else "Obuchowski"
        self.is_positive = self.y == self.classes[1]
        self.positive = self.classes[1:].tolist()[0]  # of Python, not numpy
        self.high_score = str(self.positive)
        self.strata = self.y
        self.as_numbers = self.is_positive.astype(float)

    @classmethod
    def outcomes_of(cls, predictions):
        return predictions["label"].to_numpy()

    def columns(self):
        return {"label": self.y}

    def check_same_outcomes(self, training):
        if list(self.classes) != list(training.classes):
            training_labels, labels = training.classes.tolist(), self.classes.tolist()
            raise StudyError(f"The training labels are {training_labels}, the test labels {labels}.")

    def pairs(self):
        negative, positive = np.flatnonzero(~self.is_positive), np.flatnonzero(self.is_positive)
        return [(low, high) for low in negative for high in positive]

    def reordered_pairs(self, pairs, positions):
        rank = self._rank_in_class()[positions]
        is_positive = self.is_positive[positions]
        return pairs[np.ix_(rank[~is_positive], rank[is_positive])]

    def check_training(self, train, fold):
        labels = np.unique(self.y[train])
        if len(labels) < 2:
            content = f"holds the label {labels[0]} only" if len(labels) else "is empty"
            raise SingleClassError(f"{fold} {content}. Use fewer folds or more cases of the other class.")

    def score(self, fitted, rows, train_rows=None):
        """Return decision values or log-odds as scores: they tell cases apart whose probability is rounded to 1.0."""
        model, rows = final_step(fitted, rows)
        classes = list(getattr(model, "classes_", np.sort(self.classes)))
        if set(classes) != set(self.classes):
            raise StudyError(
                f"{type(model).__name__} must score the classes {self.classes.tolist()}. Got "
                f"{np.asarray(classes).tolist()}. Fit it to these, or name those of a Signature by its 'classes'."
            )
        column = classes.index(self.classes[1])
        probability = _call(model, "predict_proba", rows)
        probability = None if probability is None else probability[:, column]
        method = "ranking_scores" if hasattr(model, "ranking_scores") else "decision_function"
        score = _call(model, method, rows)
        if score is None:
            joint, method = _call(model, "predict_joint_log_proba", rows), "predict_joint_log_proba"
            score = None if joint is None else joint[:, 1] - joint[:, 0]
        if score is not None:
            score = np.ravel(score) if column == 1 else -np.ravel(score)
        elif probability is not None:
            score, method = probability, "predict_proba"
        else:
            raise StudyError(
                f"{type(model).__name__} has neither predict_proba nor decision_function, so it has no AUC. "
                "Use a classifier."
            )
        if probability is None:
            probability = np.full(len(score), np.nan)
        score, prediction = np.asarray(score, dtype=float), np.asarray(model.predict(rows))
        return Prediction(score, probability, prediction, f"{type(model).__name__}.{method}")

    def measured(self, out_of_fold, confidence_level):
        measure = {"pairs": self._of_pairs, "pooled": self._of_pool}.get(out_of_fold.kind, self._of_repeats)
        n_tests = out_of_fold.sum_by_case(np.ones(len(out_of_fold.case)))
        n_positive = out_of_fold.sum_by_case(out_of_fold.prediction == self.classes[1])
        correct = out_of_fold.sum_by_case(out_of_fold.prediction == self.y[out_of_fold.case]) / n_tests
        measured = measure(out_of_fold, confidence_level)
        columns = {
            **measured.columns,
            "probability": out_of_fold.sum_by_case(out_of_fold.probability) / n_tests,
            "prediction": np.where(n_positive > n_tests / 2, self.classes[1], self.classes[0]),
            "correct": correct,
        }
        return replace(measured, columns=columns, accuracy=float(np.mean(correct)))

    def _of_pairs(self, out_of_fold, confidence_level):
        """Return the Measurement of leave-pair-out (Airola et al., Comput. Stat. Data Anal. 55 (2011) 1828)."""
        pairs = self._wins(out_of_fold)
        score = np.empty(len(self.y))  # the fraction of pairs won
        score[self.is_positive] = pairs.mean(axis=0)
        score[~self.is_positive] = 1 - pairs.mean(axis=1)
        return self._without_interval(pairs.mean(), "mean over pairs", score, confidence_level, pairs)

    def _of_pool(self, out_of_fold, confidence_level):
        """Return the Measurement of folds that test each case once."""
        scores = out_of_fold.by_repeat(out_of_fold.score)
        folds, within = self._folds_to_compare_within(out_of_fold)
        auc = self.covariance(scores, None if folds is None else folds[0])[0][0]
        return self._without_interval(auc, within or "pooled over folds", scores[0], confidence_level)

    def _of_repeats(self, out_of_fold, confidence_level):
        """Return the Measurement of repeated folds, or of one model for other cases."""
        scores = out_of_fold.by_repeat(out_of_fold.score)
        right = (out_of_fold.by_repeat(out_of_fold.prediction) == self.y).astype(float)
        folds, within = self._folds_to_compare_within(out_of_fold)
        is_repeated = out_of_fold.kind == "repeated"
        n_folds = out_of_fold.n_folds
        estimate = auc_of_repeats(self.is_positive, scores, confidence_level, n_folds, self.patients, folds)
        return Measurement(
            value=estimate.auc,
            variance=estimate.variance,
            confidence_interval=estimate.confidence_interval,
            estimate=f"{out_of_fold.pooling}{within and ', '}{within}",
            interval_method=f"Newcombe, {self.test}'s variance{' of repeated folds' if is_repeated else ''}",
            columns={"score": self._mean_ranks(scores) if out_of_fold.is_averaged else scores[0]},
            accuracy_interval=interval_of_proportion(right, confidence_level, n_folds, self.patients),
        )

    @staticmethod
    def _mean_ranks(scores):
        """Return the mean rank (n_cases,) in 0..1 over the repeats, whose models may score on different scales."""
        return (rankdata(scores, axis=1).mean(axis=0) - 0.5) / scores.shape[1]

    def _without_interval(self, auc, estimate, score, confidence_level, pairs=None):
        """Return the Measurement of a split that does not tell how much the models vary."""
        return Measurement(
            float(auc), float("nan"), no_interval(confidence_level), estimate, "none", {"score": score}, pairs=pairs
        )

    def _folds_to_compare_within(self, out_of_fold):
        """Return the test folds (n_repeats, n_cases) if their scores are on different scales, and words for it."""
        folds = out_of_fold.by_repeat(out_of_fold.fold)
        have_pairs = all(len(np.intersect1d(fold[self.is_positive], fold[~self.is_positive])) for fold in folds)
        if len(out_of_fold.scales) < 2 or not have_pairs:
            return None, ""
        return folds, "over pairs of the same test fold"

    def _wins(self, out_of_fold):
        """Return which pairs are in the right order, (n_negative, n_positive): 1 right, 0.5 tied, 0 wrong."""
        rank = self._rank_in_class()
        negative, positive = out_of_fold.case.reshape(-1, 2).T
        low, high = out_of_fold.score.reshape(-1, 2).T
        wins = np.zeros((int((~self.is_positive).sum()), int(self.is_positive.sum())))
        wins[rank[negative], rank[positive]] = 0.5 * (np.sign(high - low) + 1)
        return wins

    def _rank_in_class(self):
        """Return the position of each case among those of its class."""
        return np.where(self.is_positive, np.cumsum(self.is_positive), np.cumsum(~self.is_positive)) - 1

    def covariance(self, scores, folds=None):
        return delong_covariance(self.is_positive, scores, self.patients, folds)

    def measures(self, result, confidence_level=0.95):
        """Return how often the predicted classes are right, and the calibration of the probabilities if any."""
        is_right = (result.prediction_array == self.y).astype(float)
        if result.predicted is None:  # of pairs, which test a case many times
            is_right = result.predictions[["correct"]].to_numpy().T
        groups = {"accuracy": np.full(len(self.y), True), "sensitivity": self.is_positive}
        rows = {}
        for name, chosen in (groups | {"specificity": ~self.is_positive}).items():
            patients = None if self.patients is None else np.unique(self.patients[chosen], return_inverse=True)[1]
            settings = confidence_level, len(result.folds) // len(is_right), patients
            bounds = interval_of_proportion(is_right[:, chosen], *settings)
            bounds = no_interval(confidence_level) if np.isnan(result.variance) else bounds
            rows[name] = {"value": is_right[:, chosen].mean(), "low": bounds.low, "high": bounds.high}
        measures = pd.DataFrame.from_dict(rows, orient="index")
        probabilities = result.probability_array
        if not np.isnan(probabilities).any():
            calibration = measures_of_calibration(self.is_positive, probabilities, result, confidence_level)
            calibration = calibration.drop(index="intercept").rename(index={"slope": "calibration slope"})
            measures = pd.concat([measures, calibration])
        return measures.rename_axis("measure")

    def at_equal_size(self, scores, sizes, pairs=None):
        if pairs is None:
            return auc_at_equal_size(self.is_positive, scores, sizes)
        return auc_of_pairs_at_equal_size(self.is_positive, pairs, sizes)

    def marker(self, values, name):
        ascending = self.value(values) >= self.chance
        score = values if ascending else -values
        is_above_median = (1.0 if ascending else -1.0) * (values - np.median(values)) > 0
        prediction = self.classes[is_above_median.astype(int)]
        words = {self.high_score: f"{'larger' if ascending else 'smaller'} {name}"}
        return Prediction(score, np.full(len(values), np.nan), prediction), words

    def composition(self):
        return ", ".join(
            f"{n} of label {label}" for label, n in zip(*np.unique(self.y, return_counts=True), strict=True)
        )

    def count(self):
        return f"{super().count()} ({int(self.is_positive.sum())} positive)"

    def counts(self, positions):
        return {"positive": int(self.is_positive[positions].sum())}

    def baseline(self):
        majority = max(self.is_positive.mean(), (~self.is_positive).mean())
        return f"Always predicting the more frequent class has an accuracy of {majority:.3f}."

    def companion_note(self, cv, companion_cv):
        if cv == "leave-pair-out":
            what = "is the fraction of pairs that models fitted without both cases put in the right order"
        elif cv.startswith("leave-one"):
            what = (
                "pools the scores of all folds, as older studies did, and is biased low: leaving a case out shifts the "
                "class balance of the training set towards the other class, so a model without information has an AUC "
                "below 0.5, down to 0"
            )
        else:
            what = "is that of a single split"
        return (
            f"The AUC under {cv} {what}. It has no valid interval, since it does not tell how much the models vary: "
            "nominal 95 % intervals of fixed models cover 0.5 in about 60 to 80 % of studies without signal. The "
            f"interval and the p values are those of repeated stratified folds ({companion_cv}), whose models are "
            "trained on fewer cases. They allow for the choice of the training cases: nominal 95 % intervals covered "
            "the expected AUC in 95 to 100 % of simulated studies."
        )


def _call(model, method, rows):
    """Return what a method of a model gives for rows, or None if it has no such method."""
    function = getattr(model, method, None)
    return None if function is None else function(rows)
