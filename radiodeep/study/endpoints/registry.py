"""Outcomes of the cases in, their endpoint out."""

import numpy as np

from radiodeep.exceptions import StudyError
from radiodeep.study.endpoints.two_classes import TwoClasses

# The first endpoint that recognises the outcomes is taken. The last one takes the rest, and raises if it cannot.
ENDPOINTS = (TwoClasses,)


def endpoint_for(y, n_cases, positive=None):
    """Return the endpoint of the outcomes of a study.

    Parameters
    ----------
    y : array-like of shape (n_cases,)
    n_cases : int
    positive : optional
        The positive class; the one that sorts last if not given.

    Raises
    ------
    StudyError
        There is not one outcome per case, outcomes are missing, or they are of no kind that can be studied.
    SingleClassError
        All cases have the same outcome.
    """
    y = np.asarray(y)
    if y.ndim != 1 or len(y) != n_cases:
        raise StudyError(f"Expected one label per case: there are {n_cases} cases and labels of shape {y.shape}.")
    return next(kind for kind in ENDPOINTS if kind.recognises(y) or kind is ENDPOINTS[-1])(y, positive)


def endpoint_of_predictions(predictions, positive=None):
    """Return the endpoint of a result.

    Parameters
    ----------
    predictions : DataFrame of shape (n_cases, n_columns)
        `StudyResult.predictions`.
    positive : optional
        `StudyResult.positive`.
    """
    for kind in ENDPOINTS:
        if set(kind.outcome_columns) <= set(predictions.columns):
            y = kind.outcomes_of(predictions)
            if kind.recognises(y):
                return kind(y, positive)
    raise StudyError(f"No endpoint has predictions of the columns {', '.join(map(str, predictions.columns))}.")
