"""Outcomes of the cases -> their endpoint."""

import numpy as np

from radiodeep.exceptions import StudyError
from radiodeep.study.endpoints.two_classes import TwoClasses

# The first endpoint that recognises the outcomes is taken. The last one takes the rest, and raises if it cannot.
ENDPOINTS = (TwoClasses,)


def endpoint_for(y, n_cases, positive=None):
    """Return the endpoint of the outcomes of a study.

    Raises StudyError or SingleClassError unless there is one outcome per case that can be studied; `positive` is the
    positive class, by default the one that sorts last.
    """
    y = np.asarray(y)
    if y.ndim != 1 or len(y) != n_cases:
        raise StudyError(f"Expected one label per case: there are {n_cases} cases and labels of shape {y.shape}.")
    return next(kind for kind in ENDPOINTS if kind.recognises(y) or kind is ENDPOINTS[-1])(y, positive)


def endpoint_of_predictions(predictions, positive=None):
    """Return the endpoint of the `predictions` of a StudyResult, and of its `positive` class."""
    for kind in ENDPOINTS:
        if set(kind.outcome_columns) <= set(predictions.columns):
            y = kind.outcomes_of(predictions)
            if kind.recognises(y):
                return kind(y, positive)
    raise StudyError(f"No endpoint has predictions of the columns {', '.join(map(str, predictions.columns))}.")
