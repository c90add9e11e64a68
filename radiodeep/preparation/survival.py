"""Times and events of the cases -> outcomes in scikit-survival's form, survival curves, classes at a horizon.

The time of a case is that of its event, or that of its last observation, at which it is censored. At equal times events
come before censorings.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from radiodeep.checks import invalid, is_positive, require
from radiodeep.exceptions import InputError, SingleClassError


def survival_outcomes(event, time):
    """Return times to an event as y of a study, in the form that scikit-survival's estimators expect.

    Parameters
    ----------
    event : array-like of shape (n_cases,)
        Whether the event was observed, as bool or as 0 and 1. The other cases are censored.
    time : array-like of shape (n_cases,)
        Time until the event or the last observation, > 0, in any unit.

    Returns
    -------
    ndarray of shape (n_cases,)
        Structured, with the fields `event` (bool) and `time` (float).

    Raises
    ------
    InputError
        An event is neither 0 nor 1, a time is not finite or not > 0, no event was observed, or two Series have other
        indices.

    Examples
    --------
    >>> from radiodeep import survival_outcomes
    >>> survival_outcomes([1, 0, 1], [5, 12, 8])["time"]
    array([ 5., 12.,  8.])
    >>> survival_outcomes([1, 0, 1], [5, 12, 0])
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'time' of case 2 must be a finite number > 0. Got 0.0 instead.
    """
    if isinstance(event, pd.Series) and isinstance(time, pd.Series) and not event.index.equals(time.index):
        raise InputError(
            "The events and the times name other cases, or the same in another order. Give both Series the same index."
        )
    event, time = np.asarray(event), np.asarray(time)
    if event.ndim != 1 or event.shape != time.shape:
        raise InputError(
            f"Expected one event and one time per case. Got events of shape {event.shape} and times of {time.shape}."
        )
    is_wrong = np.array([value is pd.NA or not (value == 0 or value == 1) for value in event.tolist()])
    _raise_for_first(is_wrong, "event", "0 or 1", event)
    if time.dtype.kind in "bcmM":
        way_out = "Divide durations by a unit, e.g. (end - start) / np.timedelta64(1, 'D')." * (time.dtype.kind in "mM")
        raise invalid(survival_outcomes, "time", "numbers", time, way_out)
    try:
        time = time.astype(float)
    except (TypeError, ValueError) as error:
        raise invalid(survival_outcomes, "time", "numbers", time) from error
    y = np.empty(len(event), dtype=[("event", bool), ("time", float)])
    y["event"], y["time"] = event.astype(bool), time
    event_and_time(y)
    return y


def event_and_time(y, error=InputError):
    """Return the events (n_cases,), bool, and the times (n_cases,), float, of a structured array, validated.

    Its two fields may have any names: one is bool, the other a number.
    """
    y = np.asarray(y)
    names = y.dtype.names or ()
    kinds = [y.dtype[name].kind for name in names]
    if sorted(kind if kind == "b" else "f" * (kind in "iuf") for kind in kinds) != ["b", "f"]:
        raise error(
            "Expected times to an event as a structured array of a bool and a float. "
            f"Got {y.dtype}; radiodeep.survival_outcomes(event, time) makes one."
        )
    event = np.array(y[names[kinds.index("b")]])
    time = np.array(y[names[1 - kinds.index("b")]], dtype=float)
    _raise_for_first(~(np.isfinite(time) & (time > 0)), "time", "a finite number > 0", time, error)
    if not event.any():
        raise error(f"None of the {len(event)} cases has an event. A study of survival needs some.")
    return event, time


def _raise_for_first(is_wrong, name, allowed, values, error=InputError):
    if is_wrong.any():
        case = int(np.argmax(is_wrong))
        raise error(f"The '{name}' of case {case} must be {allowed}. Got {values.tolist()[case]!r} instead.")


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """Survival curve: a step function that falls at some of the `times`, and is constant after the last one.

    Arrays have the shape (n_times,), over the distinct times of the cases in ascending order.
    """

    times: np.ndarray
    survival: np.ndarray = field(repr=False)
    n_at_risk: np.ndarray = field(repr=False)  # just before each time
    n_events: np.ndarray = field(repr=False)

    def at(self, times, left=False):
        """Return the survival at times of any shape, or just before them if `left`."""
        steps = np.searchsorted(self.times, times, side="left" if left else "right")
        return np.concatenate([[1.0], self.survival])[steps]

    @property
    def median(self):
        """The first time at which the survival is at most one half; NaN if it stays above."""
        is_below = self.survival <= 0.5 + 1e-12
        return float(self.times[np.argmax(is_below)]) if is_below.any() else float("nan")


def kaplan_meier(event, time, of_censoring=False):
    """Return the KaplanMeier curve of events (n_cases,) and times (n_cases,), or that of the censoring.

    Events come before censorings of the same time, so cases with an event at a time are not at risk of being censored
    then, as in scikit-survival and R's prodlim.

    References
    ----------
    Kaplan, Meier, Journal of the American Statistical Association 53 (1958) 457.
    """
    times, step = np.unique(time, return_inverse=True)
    n_events = np.bincount(step, weights=event, minlength=len(times))
    n_leaving = np.bincount(step, minlength=len(times))
    n_at_risk = len(step) - np.cumsum(n_leaving) + n_leaving
    if of_censoring:
        n_at_risk, n_events = n_at_risk - n_events, n_leaving - n_events
    fraction = np.divide(n_events, n_at_risk, out=np.zeros(len(times)), where=n_at_risk > 0)
    return KaplanMeier(times, np.cumprod(1 - fraction), n_at_risk, n_events)


def horizon_labels(y, horizon):
    """Return which cases have their event by a horizon, and the weights of the cases, both (n_cases,).

    Cases censored by the horizon have the weight 0. The others have the inverse of the probability of not being
    censored: until just before the event, or until the horizon.

    Raises InputError for a horizon that is not > 0, SingleClassError if no event comes by it or no case is followed
    beyond it.

    References
    ----------
    Graf et al., Statistics in Medicine 18 (1999) 2529. Vock et al., Journal of Biomedical Informatics 61 (2016) 119.
    """
    require(is_positive(horizon), "a model for a horizon", "horizon", "a number > 0", horizon)
    event, time = event_and_time(y)
    is_event, is_free = event & (time <= horizon), time > horizon
    if not is_event.any() or not is_free.any():
        content = "is followed beyond" if is_event.any() else "has an event by"
        way_out = f"the horizon {horizon:g}. Take a {'smaller' if is_event.any() else 'larger'} one."
        raise SingleClassError(f"None of the {len(time)} cases {content} {way_out}")
    censoring = kaplan_meier(event, time, of_censoring=True)
    weight = np.zeros(len(time))
    weight[is_event] = 1 / censoring.at(time[is_event], left=True)
    weight[is_free] = 1 / censoring.at(horizon)
    return is_event, weight
