"""The interface between folds, which split cases and fit models, and evidence, which reports what the models predict.

An endpoint is what a study predicts: today one of two classes. It validates the outcomes of the cases, says how to
stratify folds by them, how to score the test rows of a fitted model, how to measure the out-of-fold scores, and how to
word the result. The rest of `study`, `report` and the command line only asks the endpoint.

To add an endpoint, write a subclass of `Endpoint` in a new file of this folder, implement the abstract methods, and add
the class to `ENDPOINTS` in `registry.py`. Analyses that it does not list in `offers` are refused with a StudyError or
left out of the report.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.auc import ConfidenceInterval


class Prediction(NamedTuple):
    """What a model predicts for rows, each an ndarray of shape (n_rows,)."""

    score: np.ndarray  # ranks the cases; finite
    probability: np.ndarray  # NaN if the model gives none
    prediction: np.ndarray  # predicted outcomes


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """The predictions of all folds: an entry each time a case is tested, in the order of the folds.

    The kind is that of the `Plan`: scores are "pooled" over the folds, measured in each repeat ("repeated"), or
    compared in "pairs": entries 2 i and 2 i + 1 are those of the pair i. Arrays have the shape (n_entries,).
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

    def by_repeat(self, values):
        """Return values of the entries as (n_repeats, n_cases); the last one if a repeat tests a case several times."""
        table = np.full((self.n_repeats, self.n_cases), np.nan)
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
    """The measure of a study, with its uncertainty."""

    value: float
    variance: float
    confidence_interval: ConfidenceInterval
    estimate: str  # how the value was computed, for the report
    interval_method: str
    columns: dict  # of StudyResult.predictions, after those of the outcome and `fold`; one of them is `score`
    accuracy: float | None = None
    accuracy_interval: ConfidenceInterval | None = None
    pairs: np.ndarray | None = None  # outcomes of the pairs under leave-pair-out


class Endpoint(ABC):
    """The outcomes of the cases of a study and what they mean.

    Parameters
    ----------
    y : ndarray of shape (n_cases,)
        One outcome per case; a structured array if an outcome has several parts.
    positive : optional
        The outcome that high scores stand for, if outcomes have no order of their own.

    Attributes
    ----------
    measure : str
        Name of the measure, e.g. "AUC".
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

    measure: str
    chance: float
    test: str
    outcome_columns: tuple
    high_score: str
    pairs_of_cases = "comparable pairs"
    leave_one_out_bias = ""
    offers = frozenset()
    positive = None
    strata = None

    @abstractmethod
    def __init__(self, y, positive=None):
        """Validate the outcomes; raise StudyError or SingleClassError if they cannot be studied."""

    # Outcomes

    @classmethod
    @abstractmethod
    def recognises(cls, y):
        """Return whether outcomes are of this kind."""

    @classmethod
    @abstractmethod
    def outcomes_of(cls, predictions):
        """Return y from the `outcome_columns` of the predictions of a result."""

    @abstractmethod
    def columns(self):
        """Return the `outcome_columns` as a dict from name to ndarray of shape (n_cases,)."""

    def with_outcomes(self, y):
        """Return the endpoint of other outcomes, with the same positive one."""
        return type(self)(y, self.positive)

    def take(self, positions):
        """Return the endpoint of some of the cases."""
        return self.with_outcomes(self.y[positions])

    def check_same_outcomes(self, training):
        """Raise StudyError if the endpoint of the training cohort has other possible outcomes."""
        return

    # Folds

    def pairs(self):
        """Return the pairs (lower, higher) of positions that leave-pair-out tests.

        An endpoint with pairs also implements `covariance_of_pairs` and `reordered_pairs`; see `TwoClasses`.
        """
        raise StudyError(f"Leave-pair-out needs two classes. Take repeated folds for the {self.measure}, e.g. cv=10.")

    @abstractmethod
    def check_training(self, train, fold):
        """Raise StudyError if no model can be fitted to the cases at the positions `train` of a named fold."""

    @abstractmethod
    def score(self, fitted, rows):
        """Return the Prediction of a fitted model for test rows."""

    # Evidence

    @abstractmethod
    def measured(self, out_of_fold, confidence_level):
        """Return the Measurement of out-of-fold predictions."""

    @abstractmethod
    def covariance(self, scores):
        """Return the measures (n_models,) of scores (n_models, n_cases) and their covariance (n_models, n_models)."""

    def value(self, scores):
        """Return the measure of scores (n_cases,)."""
        return float(self.covariance(np.asarray(scores, dtype=float)[np.newaxis])[0][0])

    @abstractmethod
    def at_equal_size(self, scores, sizes, pairs=None):
        """Return the measure among pairs of cases of equal size, or None if they are too few, and their number.

        Scores are (n_repeats, n_cases), sizes (n_cases,). The pairs of a result, if given, replace the scores.
        """

    @abstractmethod
    def marker(self, values):
        """Return values of the cases (n_cases,) as a Prediction without a model, and whether higher ones score higher.

        The direction is the better one of the two for these cases.
        """

    # Words

    def title(self):
        """Return the measure and what it is about, e.g. "AUC of label 1"."""
        return self.measure if self.positive is None else f"{self.measure} of label {self.positive}"

    @abstractmethod
    def composition(self):
        """Return how many cases have which outcome, e.g. "20 of label 0, 20 of label 1"."""

    def baseline(self):
        """Return a sentence on what a model without information reaches, or "" for none."""
        return ""

    def companion_note(self, cv, companion_cv):
        """Return the report's note on results of `cv` next to those of repeated folds, or "" for none."""
        return ""

    def require(self, analysis):
        """Raise StudyError unless an analysis is among those that the endpoint offers."""
        if analysis not in self.offers:
            raise StudyError(f"There is no {analysis} of this kind of outcome. Got results of the {self.measure}.")
