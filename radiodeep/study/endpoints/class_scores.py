"""A fitted classifier and rows -> a score of each class."""

from itertools import combinations

import numpy as np
from scipy.special import softmax

from radiodeep.exceptions import StudyError


def scores_of_classes(model, rows):
    """Return scores and probabilities, each (n_rows, n_classes of the model), and the method that gave the scores.

    Scores are decision values. Where the softmax of these are the probabilities they are logarithms of densities up to
    a constant of the case, which cannot be compared between cases: the log-odds of each class against the others are
    taken, which rank cases as the probabilities do, but without ties at 1. Without decision values it is the
    probabilities, which are None if the model gives none.
    """

    def given(method):
        function = getattr(model, method, None)
        return None if function is None else np.asarray(function(rows), dtype=float)

    probabilities = given("predict_proba")
    method = "ranking_scores" if hasattr(model, "ranking_scores") else "decision_function"
    scores = given(method)
    if scores is None:
        scores, method = given("predict_joint_log_proba"), "predict_joint_log_proba"
    if scores is None and probabilities is None:
        raise StudyError(
            f"{type(model).__name__} has neither predict_proba nor decision_function, so it has no score of each "
            "class. Use a classifier, or outcome='numbers' for a regressor."
        )
    if scores is None:
        return probabilities, probabilities, "predict_proba"
    if scores.ndim == 1:  # fitted to two of the classes
        scores = np.stack([-scores, scores], axis=1)
    if getattr(model, "decision_function_shape", None) == "ovo" and len(model.classes_) > 2:
        scores = _sums_over_pairs(scores, len(model.classes_))
    if probabilities is not None and np.allclose(softmax(scores, axis=1), probabilities, atol=1e-6):
        scores = log_odds(scores)
    return scores, probabilities, method


def log_odds(log_densities):
    """Return the log-odds (n_rows, n_classes) of each class against the others."""
    columns = range(log_densities.shape[1])
    others = [np.logaddexp.reduce(np.delete(log_densities, column, axis=1), axis=1) for column in columns]
    return log_densities - np.stack(others, axis=1)


def _sums_over_pairs(decisions, n_classes):
    """Return a score of each class from decisions (n_rows, n_pairs) that are high for the first class of a pair."""
    sums = np.zeros((len(decisions), n_classes))
    for (first, second), decision in zip(combinations(range(n_classes), 2), decisions.T, strict=True):
        sums[:, first] += decision
        sums[:, second] -= decision
    return sums
