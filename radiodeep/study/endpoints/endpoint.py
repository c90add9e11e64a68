"""The interface between folds, which split cases and fit models, and evidence, which reports what the models predict.

An endpoint is what a study predicts, e.g. one of two classes. It validates the outcomes of the cases, says how to
stratify folds by them, how to score the test rows of a fitted model, how to measure the out-of-fold scores, and how to
word the result. The rest of `study`, `report` and the command line only asks the endpoint.

To add an endpoint, write a subclass of `Endpoint` in a new file of this folder, implement the abstract methods, and add
the class to `ENDPOINTS` in `registry.py`, and its kind to `kind_of_outcomes` there. Analyses that it does not list in
`offers` are refused with a StudyError or left out of the report.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from radiodeep.exceptions import StudyError
from radiodeep.study.folds.estimator_tree import type_of, with_target
from radiodeep.study.statistics.auc import ConfidenceInterval


class Prediction(NamedTuple):
    """What a model predicts for rows, each an ndarray of shape (n_rows,), or (n_rows, n_outputs) for some endpoints."""

    score: np.ndarray  # ranks the cases; finite
    probability: np.ndarray  # NaN if the model gives none
    prediction: np.ndarray  # predicted outcomes, (n_rows,)
    scale: str = ""  # of the scores; those of different scales cannot be compared


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """The predictions of all folds: an entry each time a case is tested, in the order of the folds.

    The kind is that of the `Plan`: scores are "pooled" over the folds, measured in each repeat ("repeated"), compared
    in "pairs", where entries 2 i and 2 i + 1 are those of the pair i, or those of one model for other cases
    ("holdout"). Arrays have the shape (n_entries,); scores and probabilities may have several columns. `training`
    holds the outcomes of the training cases of each fold, `scales` the different scales of their scores.
    """

    kind: str
    n_cases: int
    n_repeats: int
    case: np.ndarray
    fold: np.ndarray
    repeat: np.ndarray
    score: np.ndarray
    probability: np.ndarray
    prediction: np.ndarray
    training: list = field(default_factory=list)
    scales: tuple = ("",)

    @property
    def n_folds(self):
        """The number of folds per repeat."""
        return len(self.training) // self.n_repeats

    @property
    def is_averaged(self):
        """Whether measures are means over several repeats."""
        return self.kind == "repeated" and self.n_repeats > 1

    @property
    def pooling(self):
        """How the measure of all entries is computed, in words."""
        if self.is_averaged:
            return f"mean of {self.n_repeats} repeats"
        return {"holdout": "one model", "pairs": "mean over pairs"}.get(self.kind, "pooled over folds")

    def by_repeat(self, values):
        """Return values of the entries as (n_repeats, n_cases), or (n_repeats, n_cases, n_outputs).

        It is the last one if a repeat tests a case several times.
        """
        missing_type = float if values.dtype.kind in "biuf" else object  # text labels
        table = np.full((self.n_repeats, self.n_cases, *values.shape[1:]), np.nan, dtype=missing_type)
        table[self.repeat, self.case] = values
        return table

    def sum_by_case(self, values):
        """Return the sums (n_cases,) of values of the entries."""
        return np.bincount(self.case, weights=values, minlength=self.n_cases)

    def last_fold(self):
        """Return the number of the last fold that tests each case, (n_cases,)."""
        folds = np.zeros(self.n_cases, dtype=int)
        folds[self.case] = self.fold
        return folds


@dataclass(frozen=True, eq=False)
class Measurement:
    """The measure of a study, with its uncertainty; variance and interval are NaN if the split gives no valid ones."""

    value: float
    variance: float
    confidence_interval: ConfidenceInterval
    estimate: str  # how the value was computed, for the report
    interval_method: str
    columns: dict  # of StudyResult.predictions, after those of the outcome and `fold`; `score` is (n_cases,)
    accuracy: float | None = None
    accuracy_interval: ConfidenceInterval | None = None
    pairs: np.ndarray | None = None  # outcomes of the pairs under leave-pair-out
    remarks: tuple = ()  # sentences for the report


class Endpoint(ABC):
    """The outcomes of the cases of a study and what they mean.

    Parameters
    ----------
    y : ndarray of shape (n_cases,)
        One outcome per case; a structured array if an outcome has several parts.
    positive : optional
        The outcome that high scores stand for, if outcomes have no order of their own.
    patients : array-like of shape (n_cases,), optional
        The patient of each case. Cases of a patient are dependent: variances take patients as the units.
    horizon : float, optional
        The time at which survival is predicted, in the unit of the times.

    Attributes
    ----------
    kind : str
        The kind of outcome in words, e.g. "two classes".
    outcome : str
        The `outcome` parameter of studies that means this kind, e.g. "classes".
    patients : ndarray of int of shape (n_cases,) or None
        None if every patient has one case.
    selector_target : str
        How selectors of features take the outcomes, "classes" or "numeric".
    estimator_type : str or None
        What predicts such outcomes, "classifier" or "regressor"; None if neither is one.
    needs_training_rows : bool
        Whether `score` is given the training rows of the fold.
    pools_folds : bool
        Whether scores of different test folds are compared with each other, if they are on the same scale.
    compares_in_folds : bool
        Whether `at_equal_size` compares cases of the same fold only.
    outputs : list or None
        The names of the columns of scores of shape (n_rows, n_outputs), or None for one score per row.
    measure : str
        Name of the measure, e.g. "AUC".
    bounds : tuple of two floats
        The least and the largest value of the measure.
    chance : float
        Its expected value for scores without information.
    test : str
        Name of the test of two models, e.g. "DeLong".
    outcome_columns : tuple of str
        Columns of `StudyResult.predictions` that hold the outcome.
    pairs_of_cases : str
        The pairs that the measure compares, in words, e.g. "pairs of a positive and a negative case".
    leave_one_out_bias : str
        What is wrong with the measure under leave-one-out, e.g. "is biased low"; "" for nothing.
    offers : frozenset of str
        What else can be computed and drawn of such a result: "accuracy", "sensitivity", "calibration", "roc", "scores".
    as_numbers : ndarray of shape (n_cases,)
        Outcomes as floats, to find features that are copies of the outcome.
    high_score : str
        What a high score stands for, in a word or two.
    strata : ndarray of shape (n_cases,) or None
        Classes by which folds and resamples are stratified.
    """

    kind: str
    outcome: str
    measure: str
    bounds = (0.0, 1.0)
    chance: float
    test: str
    outcome_columns: tuple
    high_score: str
    selector_target = "classes"
    estimator_type = None
    needs_training_rows = False
    pools_folds = False
    compares_in_folds = False
    outputs = None
    pairs_of_cases = "comparable pairs"
    leave_one_out_bias = ""
    offers = frozenset()
    positive = None
    strata = None

    @abstractmethod
    def __init__(self, y, positive=None, patients=None, horizon=None):
        """Validate the outcomes; raise StudyError or SingleClassError if they cannot be studied.

        Called by subclasses to store what all endpoints have.
        """
        self.y = y
        self.horizon = horizon
        self.patients = None
        if patients is not None:
            codes = pd.factorize(np.asarray(patients))[0]
            self.patients = codes if codes.max() + 1 < len(codes) else None

    # Outcomes

    @classmethod
    @abstractmethod
    def outcomes_of(cls, predictions):
        """Return y from the `outcome_columns` of the predictions of a result."""

    @abstractmethod
    def columns(self):
        """Return the `outcome_columns` as a dict from name to ndarray of shape (n_cases,)."""

    def with_outcomes(self, y):
        """Return the endpoint of other outcomes of the same cases, with the same settings."""
        return type(self)(y, self.positive, self.patients, self.horizon)

    def take(self, positions):
        """Return the endpoint of some of the cases."""
        patients = None if self.patients is None else self.patients[positions]
        return type(self)(self.y[positions], self.positive, patients, self.horizon)

    def studied(self, positions):
        """Return the endpoint of a study of some of the cases only, after others were left out."""
        return self.take(positions)

    def tested_after(self, training):
        """Return the endpoint of a test cohort, given that of the training cohort: with no later default horizon."""
        return self

    def check_same_outcomes(self, training):
        """Raise StudyError if the endpoint of the training cohort has other possible outcomes."""
        return

    # Folds

    def prepared(self, model):
        """Return a model whose selectors take y as such outcomes; raise StudyError if it predicts other ones."""
        found, outcome = type_of(model), {"classifier": "classes", "regressor": "numbers"}
        if self.estimator_type is not None and found in outcome and found != self.estimator_type:
            raise StudyError(
                f"{type(model).__name__} is a {found}, and the outcomes are {self.kind}: {self.composition()}. Use a "
                f"{self.estimator_type}, or outcome='{outcome[found]}'."
            )
        return with_target(model, self.selector_target)

    def pairs(self):
        """Return the pairs (lower, higher) of positions that leave-pair-out tests.

        An endpoint with pairs also implements `reordered_pairs`; see `TwoClasses`.
        """
        raise StudyError(f"Leave-pair-out needs two classes. Take repeated folds for the {self.measure}, e.g. cv=10.")

    @abstractmethod
    def check_training(self, train, fold):
        """Raise StudyError if no model can be fitted to the cases at the positions `train` of a named fold."""

    @abstractmethod
    def score(self, fitted, rows, train_rows=None):
        """Return the Prediction of a fitted model for test rows; see `needs_training_rows`."""

    # Evidence

    @abstractmethod
    def measured(self, out_of_fold, confidence_level):
        """Return the Measurement of out-of-fold predictions."""

    @abstractmethod
    def covariance(self, scores, folds=None):
        """Return the measures (n_models,) of scores and their covariance (n_models, n_models).

        Scores have the shape (n_models, n_cases), or (n_models, n_cases, n_outputs). The models are taken as fixed, and
        the patients as a sample. `folds` (n_cases,) are the folds that tested the cases, given unless `pools_folds`;
        None if one model scored all.
        """

    def value(self, scores):
        """Return the measure of scores (n_cases,)."""
        return float(self.covariance(np.asarray(scores, dtype=float)[np.newaxis])[0][0])

    @abstractmethod
    def at_equal_size(self, scores, sizes, pairs=None, folds=None):
        """Return the measure among pairs of cases of equal size, or None if they are too few, and their number.

        Scores are (n_repeats, n_cases), or with a third axis of outputs; sizes (n_cases,). The pairs of a result, if
        given, replace the scores. `folds` (n_repeats, n_cases) are the folds that tested the cases, given if
        `compares_in_folds`. (None, None) if the endpoint has no such measure.
        """

    @abstractmethod
    def marker(self, values, name):
        """Return values of the cases (n_cases,) as a Prediction without a model, and how they predict, in words.

        The direction is the better one of the two for these cases. The words are a dict for the settings of a result,
        e.g. {"1": "larger regions"} for values that are named "regions".
        """

    def other_statistics(self, out_of_fold):
        """Return what else `permutation_test` tests: a dict from name to a value that is larger with information."""
        return {}

    def measures(self, result, confidence_level=0.95):
        """Return the other measures of a result: a DataFrame of `value`, `low` and `high` by name."""
        return pd.DataFrame(columns=["value", "low", "high"], index=pd.Index([], name="measure"), dtype=float)

    def tables(self, result):
        """Return what else describes a result, e.g. a confusion table: dict from title to DataFrame."""
        return {}

    # Words

    def reference(self):
        """Return what the scores refer to, e.g. "positive class: 1", or None if they need no explanation."""
        return None if self.positive is None else f"positive class: {self.positive}"

    def title(self):
        """Return the measure and what it is about, e.g. "AUC of label 1"."""
        return self.measure if self.positive is None else f"{self.measure} of label {self.positive}"

    @abstractmethod
    def composition(self):
        """Return how many cases have which outcome, e.g. "20 of label 0, 20 of label 1"."""

    def count(self):
        """Return the number of cases, and of patients if they are fewer, for the sentence of a result."""
        n_cases = f"n={len(self.y)}"
        return n_cases if self.patients is None else f"{n_cases} of {self.patients.max() + 1} patients"

    def counts(self, positions):
        """Return what else to count of the cases of a centre besides their number: dict from name to int."""
        return {}

    def baseline(self):
        """Return a sentence on what a model without information reaches, or "" for none."""
        return ""

    def companion_note(self, cv, companion_cv):
        """Return the report's note on results of `cv` next to those of repeated folds, or "" for none."""
        return ""

    def require(self, analysis):
        """Raise StudyError unless an analysis is among those that the endpoint offers."""
        if analysis not in self.offers:
            raise StudyError(f"Results of {self.kind} have no {analysis}. See their measures() and tables().")
