"""The calibration of a result -> whether its probabilities can be read as risks."""

import numpy as np
from scipy.special import logit

from radiodeep.study.statistics.calibration import calibration
from radiodeep.study.statistics.logistic import fit_logistic

_EXTREME = 0.001  # of a probability, from 0 or 1
_MOST_WRONG = 0.05  # share of the extreme probabilities
_SLOPES, _LEVELS = (0.5, 2.0), (2 / 3, 1.5)
_FEWEST_EVENTS = 10


def doubts_about_risks(result, measured=None):
    """Return sentences on why the probabilities of a result of two classes are no risks; () if they can be read so.

    They are no risks if the calibration slope is not defined or outside 0.5 to 2 (also if no probability is
    taken as nearer than 0.001 to 0 or 1), if O:E differs from 1 by more than
    half and its interval does not hold 1, or if more than 5 % of the probabilities within 0.001 of 0 or 1 are wrong.
    `measured` is the `calibration` of the result, if it is known.
    """
    measured = calibration(result) if measured is None else measured
    positive, probabilities = result.endpoint.is_positive, result.probability_array
    doubts = []
    if np.isnan(measured.slope):
        doubts.append(
            "The probabilities separate the two classes without an error, so no calibration slope exists: whether a "
            "predicted 80 % means 80 % cannot be told from these cases."
        )
    elif not _SLOPES[0] <= measured.slope <= _SLOPES[1] and not _SLOPES[0] <= _moderate_slope(result) <= _SLOPES[1]:
        kind = "too extreme" if measured.slope < 1 else "too cautious"
        meaning = f"the probabilities are {kind}, so they are not usable as risks, even if they rank the cases well."
        if measured.slope < 0:
            meaning = "higher probabilities do not go with more positive cases, so they are not usable as risks."
        doubts.append(f"The calibration slope is {measured.slope:.2f} where 1 is right: {meaning}")
    ratio, low, high = measured.measures.loc["O:E"]
    is_off = not _LEVELS[0] <= ratio <= _LEVELS[1] and not low <= 1 <= high
    if is_off:
        doubts.append(
            f"The probabilities promise {probabilities.mean():.0%} on average, and {positive.mean():.0%} of the cases "
            "are positive: as risks they are on the wrong level, as those of models that balance the classes."
        )
    is_extreme = np.minimum(probabilities, 1 - probabilities) <= _EXTREME
    wrong = np.abs(probabilities - positive)[is_extreme] > 0.5
    if wrong.size and wrong.mean() > _MOST_WRONG:
        doubts.append(
            f"{is_extreme.mean():.0%} of the predictions are as good as certain (below 0.1 % or above 99.9 %), and "
            f"{wrong.mean():.0%} of those are wrong."
        )
    return tuple(doubts)


def _moderate_slope(result):
    """Return the calibration slope of probabilities cut at 0.001 and 0.999: 0 of 50 trees is no certainty."""
    log_odds = logit(np.clip(result.probability_array, _EXTREME, 1 - _EXTREME))
    line = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    return fit_logistic(line, result.endpoint.is_positive)[:, 1].mean()


def has_few_events(result):
    """Return whether the rarer class has too few cases to judge a calibration."""
    positive = result.endpoint.is_positive
    return min(positive.sum(), (~positive).sum()) < _FEWEST_EVENTS
