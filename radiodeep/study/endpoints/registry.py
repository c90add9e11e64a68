"""Outcomes of the cases -> their endpoint."""

import numpy as np
import pandas as pd

from radiodeep.checks import require_option
from radiodeep.exceptions import StudyError
from radiodeep.preparation.survival import event_and_time
from radiodeep.study.endpoints.numbers import Numbers
from radiodeep.study.endpoints.several_classes import OrderedClasses, SeveralClasses
from radiodeep.study.endpoints.survival import Survival
from radiodeep.study.endpoints.two_classes import TwoClasses

# By kind of outcome; `StudyResult.outcome` is one of them.
ENDPOINTS = {kind.kind: kind for kind in (TwoClasses, SeveralClasses, OrderedClasses, Numbers, Survival)}
OUTCOMES = ("auto", "classes", "ordered", "numbers", "survival")
_MOST_CLASSES = 10  # whole numbers of more values are numbers


def endpoint_for(y, n_cases, positive=None, *, outcome="auto", patients=None, horizon=None):
    """Return the endpoint of the outcomes of a study.

    `outcome` is one of `OUTCOMES`; "auto" takes the kind that `kind_of_outcomes` finds. The `positive` of ordered
    classes is the list of them in their order, by default that of an ordered Categorical, or as they sort; of two
    classes of an ordered Categorical it is the higher one. Raises StudyError or SingleClassError unless there is one
    outcome per case that can be studied.
    """
    require_option(outcome, OUTCOMES, "a study", "outcome", StudyError)
    kind = kind_of_outcomes(y, outcome)
    if kind in ("two classes", "ordered classes") and positive is None and _is_ordered(y):
        present = set(y)
        order = [category for category in y.dtype.categories if category in present]
        positive = order if kind == "ordered classes" else order[-1] if order else None
    if horizon is not None and kind != "survival":
        raise StudyError(f"The horizon is a time of survival. Leave out 'horizon' in a study of {kind}.")
    y = np.asarray(y)
    if kind == "survival" and y.dtype.names is None:
        event_and_time(y, StudyError)  # raises: the shape of such outcomes says little
    if y.ndim != 1 or len(y) != n_cases:
        raise StudyError(f"Expected one outcome per case: there are {n_cases} cases and outcomes of shape {y.shape}.")
    if "classes" in kind and y.dtype.kind == "f" and (y[np.isfinite(y)] % 1).any():
        raise StudyError(
            f"Labels that are numbers must be whole, since scikit-learn takes others as numbers to predict. Got "
            f"{y[y % 1 != 0][0]:g}. Make them text, or study them with outcome='numbers'."
        )
    return ENDPOINTS.get(kind, TwoClasses)(y, positive, patients, horizon)


def kind_of_outcomes(y, outcome="auto"):
    """Return the kind of outcomes, a key of `ENDPOINTS`, from their type and the number of their values.

    A structured array is survival; text, bools, objects and a Categorical are classes, ordered if it is ordered;
    two values are two classes; whole numbers of 3 to 10 values, each of two cases or more, are several classes, and
    other numbers are numbers. An `outcome` other than "auto" decides instead.
    """
    is_ordered, is_categorical = _is_ordered(y), isinstance(getattr(y, "dtype", None), pd.CategoricalDtype)
    y = np.asarray(y)
    if outcome in ("survival", "numbers"):
        return outcome
    if y.dtype.names is not None:
        if outcome != "auto":
            raise StudyError("The outcomes are times and events. Study them with outcome='survival'.")
        return "survival"
    known = y[~pd.isna(y)] if y.ndim == 1 else y.ravel()[:0]
    values, counts = np.unique(known.astype(str) if y.dtype.kind not in "biuf" else known, return_counts=True)
    if len(values) <= 2:
        return "two classes"
    if outcome == "ordered" or is_ordered:
        return "ordered classes"
    if outcome == "classes" or is_categorical or y.dtype.kind not in "iuf":
        return "several classes"
    is_whole = y.dtype.kind in "iu" or bool((values == np.round(values)).all())
    return "several classes" if is_whole and len(values) <= _MOST_CLASSES and counts.min() >= 2 else "numbers"


def _is_ordered(y):
    """Return whether outcomes are an ordered Categorical, or a Series of them."""
    return bool(getattr(getattr(y, "dtype", None), "ordered", False))


def endpoint_of_predictions(predictions, positive=None, kind=None, patients=None, horizon=None):
    """Return the endpoint of the `predictions` of a StudyResult, and of its other outcome settings.

    Results stored before there were several kinds of outcomes have no `kind`: they are of two classes.
    """
    endpoint = ENDPOINTS.get(kind or TwoClasses.kind)
    if endpoint is None or not set(endpoint.outcome_columns) <= set(predictions.columns):
        raise StudyError(f"No endpoint has predictions of the columns {', '.join(map(str, predictions.columns))}.")
    return endpoint(endpoint.outcomes_of(predictions), positive, patients, horizon)
