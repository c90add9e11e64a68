"""The interface between folds, which split cases and fit models, and evidence, which reports what the models predict.

An endpoint is what a study predicts: today one of two classes. It validates the outcomes of the cases, says how to
stratify folds by them, how to score the test rows of a fitted model, how to measure the out-of-fold scores, and how to
word the result. The rest of `study`, `report` and the command line only asks the endpoint.

To add one:

1. Write a subclass of `Endpoint` in a file of its own in this folder and implement the abstract methods.
2. Add it to `ENDPOINTS` in `registry.py`.

What it does not implement is refused with a StudyError (pairs, comparisons of accuracy, calibration) or left out of the
report (figures, notes).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.auc import ConfidenceInterval


class Prediction(NamedTuple):
    """What a fitted model predicts for its test rows.

    Attributes
    ----------
    score : float ndarray of shape (n_rows,)
        Ranks the cases; finite.
    probability : float ndarray of shape (n_rows,)
        NaN if the model gives none.
    prediction : ndarray of shape (n_rows,)
        Predicted outcomes.
    """

    score: np.ndarray
    probability: np.ndarray
    prediction: np.ndarray


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """The predictions of all folds: an entry each time a case is tested, in the order of the folds.

    Attributes
    ----------
    kind : {"pooled", "repeated", "pairs"}
        As in `Plan`: scores are pooled over the folds, measured in each repeat, or compared in pairs. Of pairs, entries
        2 i and 2 i + 1 are the pair i.
    n_cases, n_repeats : int
    case, fold, repeat : int ndarray of shape (n_entries,)
    score, probability, prediction : ndarray of shape (n_entries,)
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
    """The measure of a study, with its uncertainty.

    Attributes
    ----------
    value, variance : float
    confidence_interval : ConfidenceInterval
    estimate, interval_method : str
        How the value and the interval were computed, for the report.
    columns : dict from name to ndarray of shape (n_cases,)
        The columns of `StudyResult.predictions` after those of the outcome and `fold`; one of them is `score`.
    accuracy : float or None
    accuracy_interval : ConfidenceInterval or None
    pairs : ndarray or None
        Outcomes of the pairs under leave-pair-out.
    """

    value: float
    variance: float
    confidence_interval: ConfidenceInterval
    estimate: str
    interval_method: str
    columns: dict
    accuracy: float | None = None
    accuracy_interval: ConfidenceInterval | None = None
    pairs: np.ndarray | None = None


class Column(NamedTuple):
    """A column of the report's table of predictions.

    Attributes
    ----------
    heading : str
    texts : list of str
    is_number : bool
        Whether it is aligned to the right.
    is_wrong : sequence of bool or None
        The cells to highlight.
    """

    heading: str
    texts: list
    is_number: bool = False
    is_wrong: np.ndarray | None = None


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
    positive : object
        The outcome that high scores stand for, or None.
    """

    measure: str
    chance: float
    test: str
    outcome_columns: tuple
    pairs_of_cases = "comparable pairs"
    leave_one_out_bias = ""
    offers = frozenset()
    positive = None

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

    @property
    @abstractmethod
    def as_numbers(self):
        """Outcomes as floats (n_cases,), to find features that are copies of the outcome."""

    def check_same_outcomes(self, other):
        """Raise StudyError if the endpoint of another cohort has other possible outcomes."""
        return

    # Folds

    @property
    def strata(self):
        """Classes (n_cases,) by which folds and resamples are stratified, or None."""
        return None

    def pairs(self):
        """Return the pairs (lower, higher) of positions that leave-pair-out tests."""
        raise StudyError(f"Leave-pair-out needs two classes. Take repeated folds for the {self.measure}, e.g. cv=10.")

    def reordered_pairs(self, pairs, positions):
        """Return the pairs of a result for its cases in another order."""
        raise NotImplementedError

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

    def covariance_of_pairs(self, pairs):
        """Return measures and covariance of the pairs of several models, stacked along the first axis."""
        raise NotImplementedError

    def value(self, scores):
        """Return the measure of scores (n_cases,)."""
        return float(self.covariance(np.asarray(scores, dtype=float)[np.newaxis])[0][0])

    @abstractmethod
    def at_equal_size(self, scores, sizes, pairs=None):
        """Return the measure among pairs of cases of equal size, or None if they are too few, and their number.

        Parameters
        ----------
        scores : ndarray of shape (n_repeats, n_cases)
        sizes : ndarray of shape (n_cases,)
        pairs : ndarray, optional
            The pairs of the result, which take the place of the scores.
        """

    @abstractmethod
    def marker(self, values):
        """Return values of the cases (n_cases,) as a Prediction without a model, and whether higher ones score higher.

        The direction is the better one of the two for these cases.
        """

    # Words

    @property
    @abstractmethod
    def high_score(self):
        """What a high score stands for, in a word or two."""

    def title(self):
        """Return the measure and what it is about, e.g. "AUC of label 1"."""
        return self.measure

    @abstractmethod
    def composition(self):
        """Return how many cases have which outcome, e.g. "20 of label 0, 20 of label 1"."""

    @abstractmethod
    def subject(self):
        """Return the sentence on what the measure and the scores are about."""

    def printed_lines(self):
        """Return what the printed result says of the endpoint, e.g. ["positive class: 1"]."""
        return []

    def baseline(self):
        """Return a sentence on what a model without information reaches, or "" for none."""
        return ""

    def companion_note(self, cv, companion_cv):
        """Return the report's note on results of `cv` next to those of repeated folds, or "" for none."""
        return ""

    def size_note(self, size_baseline):
        """Return the report's note on the model of size alone, which has the name `size_baseline`."""
        return ""

    def equal_size_note(self, n_pairs):
        """Return the report's note on the measure among pairs of equal size."""
        return ""

    @abstractmethod
    def listed(self, result):
        """Return the columns of the report's table of predictions as a list of Column."""

    def require(self, analysis):
        """Raise StudyError unless an analysis is among those that the endpoint offers."""
        if analysis not in self.offers:
            raise StudyError(f"There is no {analysis} of this kind of outcome. Got results of the {self.measure}.")
