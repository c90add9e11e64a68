"""A model and folds in; what it says of the cases that it has not seen, and what it selected, out."""

import re
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from threadpoolctl import threadpool_limits

from radiodeep.exceptions import RadiodeepWarning, StudyError
from radiodeep.selection.effective_number import effective_number_of_features
from radiodeep.study.description import selected_features
from radiodeep.study.folds.inner_folds import keep_groups_together
from radiodeep.study.folds.shared_selection import with_given_scores

_SELECTION_MEASURED_EVERY = 8  # folds: one is much like the next, and it takes a pass over the table


@dataclass
class Outcome:
    """What a model fitted in one fold says of its test cases, and what it selected."""

    score: np.ndarray
    probability: np.ndarray
    prediction: np.ndarray
    selected: list = None
    n_candidates: int = 0
    like_size: list = None
    effective_n_features: float = None
    warned: tuple = ()


def fit_folds(model, rows, study, folds, given=None, sizes=None, first=0):
    """Return the outcome of each fold (train, test), with the scores `given` to its selectors where known.

    `study` has the labels and groups of the rows; `first` is the number of the first fold among all of the study, or
    None where only predictions are asked for: then no selected feature is measured. Warnings of radiodeep in folds of a
    study are left in their outcomes, for `warn_of_folds`.
    """
    outcomes, y = [], study.y
    with threadpool_limits(1, user_api="blas"):  # its threads wait for each other at matrices of this size
        for number, (train, test) in enumerate(folds):
            fitted = with_given_scores(model, given[number] if given else {})
            if study.groups is not None:
                keep_groups_together(fitted, y[train], study.groups[train])
            train_rows = _safe_indexing(rows, train)
            with _kept_warnings(first is not None) as warned:
                fitted.fit(train_rows, y[train])
            measured = first is not None and (first + number) % _SELECTION_MEASURED_EVERY == 0
            of_training = (train_rows if measured else None, None if sizes is None else sizes[train])
            outcomes.append(outcome_of(fitted, _safe_indexing(rows, test), study.positive_column, *of_training))
            outcomes[-1].warned = tuple(str(one) for one, *_ in warned)
    return outcomes


@contextmanager
def _kept_warnings(is_study):
    """Yield a list of the warnings of radiodeep in this block, which are shown only if the block raises."""
    kept, show = [], warnings.showwarning
    if not is_study or threading.current_thread() is not threading.main_thread():  # `showwarning` is of all threads
        yield kept
        return

    def keep(message, category, *args, **kwargs):
        if issubclass(category, RadiodeepWarning):
            kept.append((message, category, *args))
        else:
            show(message, category, *args, **kwargs)

    warnings.showwarning = keep
    try:
        yield kept
    except BaseException:
        for one in kept:
            show(*one)
        raise
    finally:
        warnings.showwarning = show


def warn_of_folds(outcomes):
    """Warn once of what radiodeep warned of in several folds, though it named other cases or numbers in each."""
    folds_of, first = {}, {}
    for number, outcome in enumerate(outcomes):
        for text in outcome.warned:
            kind = _kind_of(text)
            first.setdefault(kind, text)
            folds_of.setdefault(kind, set()).add(number)
    for kind, text in first.items():
        # Not in how many: Python itself may have left out a text that it has shown before.
        more = " Other folds of this study warn of the same." if len(folds_of[kind]) > 1 else ""
        warnings.warn(f"{text}{more}", RadiodeepWarning, stacklevel=6)


def _kind_of(text):
    """Return who warns and of what, without the ids and numbers that differ between folds."""
    who, _, what = text.partition(": ")
    return who, re.sub(r"\([^()]*\)|\d\S*", "", what.partition(": ")[0])


def outcome_of(fitted, rows, positive_column, train_rows=None, train_sizes=None):
    """Return what a fitted model says of its test rows, as scores and probabilities of the positive class.

    With training rows, the outcome tells how much alike the selected features are there; with their sizes, also how
    much alike each of them and the size.
    """
    if hasattr(fitted, "predict_proba"):
        probability = fitted.predict_proba(rows)[:, positive_column]
    else:
        probability = np.full(len(rows), np.nan)
    score = _log_odds(fitted, rows)
    if score is not None and positive_column == 0:
        score = -score
    if score is None:
        if not hasattr(fitted, "predict_proba"):
            raise StudyError(
                f"{type(fitted).__name__} gives neither probabilities nor decision values, so it has no AUC. "
                "Use a classifier."
            )
        score = probability
    kept = selected_features(fitted)
    outcome = Outcome(np.asarray(score, dtype=float), probability, np.asarray(fitted.predict(rows)))
    if kept is not None:
        outcome.selected, values_of, outcome.n_candidates = kept
        if train_rows is not None:
            values = _as_numbers(values_of(train_rows))
            outcome.effective_n_features = effective_number_of_features(values)
            outcome.like_size = None if train_sizes is None else _like_size(values, train_sizes)
    return outcome


def _as_numbers(values):
    """Return selected features as float64; texts that stand beside them are NaN."""
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    if values.dtype == object:
        values = pd.DataFrame(values).apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return values.astype(np.float64)


def _log_odds(fitted, rows):
    """Return decision values or log-odds, which tell cases apart whose probability is 1.0 to the last digit."""
    fitted = getattr(fitted, "best_estimator_", fitted)
    if hasattr(fitted, "decision_function"):
        return np.ravel(fitted.decision_function(rows))
    if isinstance(fitted, Pipeline):
        for _, step in fitted.steps[:-1]:
            if step not in (None, "passthrough") and not hasattr(step, "fit_resample"):
                rows = step.transform(rows)
        return _log_odds(fitted[-1], rows)
    if hasattr(fitted, "predict_joint_log_proba"):
        joint = fitted.predict_joint_log_proba(rows)
        return joint[:, 1] - joint[:, 0]
    return None


def _like_size(values, sizes):
    """Return the absolute rank correlation of each selected feature with the size, or nan for constant ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant columns have none
        return [float(abs(spearmanr(column, sizes, nan_policy="omit").statistic)) for column in values.T]


def out_of_fold(model, rows, study, plan, scores):
    """Return the outcomes of all folds of a plan, in this process."""
    return fit_folds(model, rows, study, plan.folds, given_scores(scores, plan, plan.folds), first=None)


def given_scores(scores, plan, folds):
    """Return the scores that were computed together for each of some folds, or None where there are none."""
    if not scores or not plan.leaves_one_out:
        return None
    return [{path: rows[test[0]] for path, rows in scores.items()} for _, test in folds]
