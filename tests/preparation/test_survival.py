import numpy as np
import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.exceptions import InputError, SingleClassError
from radiodeep.preparation.survival import event_and_time, horizon_labels, kaplan_meier

EVENT = np.array([1, 0, 1, 1, 0, 0, 1], dtype=bool)
TIME = np.array([1.0, 2, 2, 3, 3, 4, 5])


def test_survival_falls_by_the_fraction_of_the_cases_at_risk():
    curve = kaplan_meier(EVENT, TIME)
    assert curve.times.tolist() == [1, 2, 3, 4, 5]
    assert curve.n_at_risk.tolist() == [7, 6, 4, 2, 1]
    expected = np.cumprod([6 / 7, 5 / 6, 3 / 4, 1, 0])
    np.testing.assert_allclose(curve.survival, expected)
    np.testing.assert_allclose(curve.at([0.5, 2, 2.5, 9]), [1, expected[1], expected[1], 0])
    np.testing.assert_allclose(curve.at([1, 2], left=True), [1, expected[0]])


def test_cases_with_an_event_are_not_at_risk_of_being_censored_at_the_same_time():
    curve = kaplan_meier(EVENT, TIME, of_censoring=True)
    np.testing.assert_allclose(curve.survival, np.cumprod([1, 1 - 1 / 5, 1 - 1 / 3, 1 - 1 / 2, 1]))


def test_median_is_the_first_time_with_half_of_the_cases_left():
    assert kaplan_meier(np.ones(4, bool), np.array([3.0, 1, 2, 4])).median == 2
    assert np.isnan(kaplan_meier(np.array([True, False, False]), np.array([1.0, 2, 3])).median)


def test_weights_at_a_horizon_stand_for_the_censored_cases():
    is_event, weight = horizon_labels(rd.survival_outcomes(EVENT, TIME), 3)
    assert is_event.tolist() == [True, False, True, True, False, False, False]
    censoring = np.cumprod([1, 4 / 5, 2 / 3])
    np.testing.assert_allclose(weight, [1, 0, 1, 1 / censoring[1], 0, 1 / censoring[2], 1 / censoring[2]])
    assert weight.sum() == pytest.approx(7)


@pytest.mark.parametrize(("horizon", "words"), [(0.5, "has an event by the horizon 0.5. Take a larger"), (5, "beyond")])
def test_horizon_without_events_or_without_survivors_is_an_error(horizon, words):
    with pytest.raises(SingleClassError, match=words):
        horizon_labels(rd.survival_outcomes(EVENT, TIME), horizon)


@pytest.mark.parametrize("horizon", [0, np.nan, "3"])
def test_horizon_must_be_a_positive_number(horizon):
    with pytest.raises(InputError, match=r"'horizon' parameter of a model for a horizon must be a number > 0"):
        horizon_labels(rd.survival_outcomes(EVENT, TIME), horizon)


def test_fields_of_outcomes_may_have_any_names_and_order():
    y = np.array([(3.0, True), (4.0, False)], dtype=[("months", float), ("died", bool)])
    event, time = event_and_time(y)
    assert event.tolist() == [True, False]
    assert time.tolist() == [3, 4]
    assert event_and_time(y[["died", "months"]])[1].tolist() == [3, 4]


def test_outcomes_may_be_listed():
    event, time = event_and_time(list(rd.survival_outcomes(EVENT, TIME)))
    np.testing.assert_array_equal(event, EVENT)
    np.testing.assert_array_equal(time, TIME)


@pytest.mark.parametrize("y", [np.array([1.0, 2.0]), np.array([(1.0, 2.0)], dtype=[("event", float), ("time", float)])])
def test_outcomes_of_another_form_are_an_error(y):
    with pytest.raises(InputError, match=r"structured array of a bool and a float.*survival_outcomes"):
        event_and_time(y)


@pytest.mark.parametrize(
    ("event", "time", "words"),
    [
        ([1, 0], [1, np.nan], "'time' of case 1 must be a finite number > 0. Got nan"),
        ([1, 0], [1, -2], "'time' of case 1 must be a finite number > 0. Got -2.0"),
        ([1, 0], [1, np.inf], "Got inf"),
        ([1, 2], [1, 3], "'event' of case 1 must be 0 or 1. Got 2"),
        ([1, None], [1, 3], "'event' of case 1 must be 0 or 1. Got None"),
        ([0, 0], [1, 3], "None of the 2 cases has an event"),
        ([1, 0, 1], [1, 3], "one event and one time per case"),
        (pd.array([True, None]), [1, 3], "'event' of case 1 must be 0 or 1. Got <NA>"),
        ([1, 0], [True, True], "'time' parameter of survival_outcomes must be numbers"),
        ([1, 0], pd.to_timedelta([3, 4], "D"), r"must be numbers.*Divide durations by a unit"),
        ([1, 0], pd.to_datetime(["2020-01-01", "2021-01-01"]), r"(?s)must be numbers.*Divide durations by a unit"),
        (
            pd.Series([1, 0], ["a", "b"]),
            pd.Series([3, 4], ["b", "a"]),
            "name other cases, or the same in another order",
        ),
        ([1, 0], ["soon", "late"], "'time' parameter of survival_outcomes must be numbers"),
    ],
)
def test_invalid_outcome_is_named(event, time, words):
    with pytest.raises(InputError, match=words):
        rd.survival_outcomes(event, time)
