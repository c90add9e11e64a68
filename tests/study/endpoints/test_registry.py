"""The endpoint of outcomes, and of the predictions of a result."""

import numpy as np
import pandas as pd
import pytest

from radiodeep.exceptions import StudyError
from radiodeep.study.endpoints.registry import endpoint_for, endpoint_of_predictions


def test_labels_are_of_two_classes():
    endpoint = endpoint_for(["b", "a", "b"], 3, positive="a")
    assert (endpoint.measure, endpoint.positive) == ("AUC", "a")
    again = endpoint_of_predictions(pd.DataFrame(endpoint.columns()), "a")
    assert type(again) is type(endpoint)
    assert again.positive == "a"
    np.testing.assert_array_equal(again.y, endpoint.y)


@pytest.mark.parametrize("y", [[0, 1], [[0], [1], [0]]])
def test_there_is_one_outcome_per_case(y):
    with pytest.raises(StudyError, match="Expected one outcome per case: there are 3 cases and outcomes of shape"):
        endpoint_for(y, 3)


@pytest.mark.parametrize("y", [np.zeros((3, 2)), pd.DataFrame({"event": [True, True], "time": [3.0, 4]})])
def test_survival_is_a_structured_array(y):
    with pytest.raises(StudyError, match=r"structured array of a bool and a float.*survival_outcomes\(event, time\)"):
        endpoint_for(y, len(y), outcome="survival")


def test_a_horizon_belongs_to_survival():
    with pytest.raises(StudyError, match="Leave out 'horizon' in a study of two classes"):
        endpoint_for([0, 1, 1, 0], 4, horizon=3.0)


def test_predictions_of_no_endpoint_are_refused():
    with pytest.raises(StudyError, match="No endpoint has predictions of the columns score, fold"):
        endpoint_of_predictions(pd.DataFrame({"score": [1.0], "fold": [0]}))


GRADES = ["low", "mid", "high", "low"]


@pytest.mark.parametrize(
    ("y", "settings", "kind", "positive"),
    [
        (GRADES, {}, "several classes", None),
        ([1, 2, 3, 1, 2, 3], {}, "several classes", None),
        ([1, 2, 3, 1, 2, 3], {"outcome": "ordered"}, "ordered classes", (1, 2, 3)),
        (GRADES, {"outcome": "ordered", "positive": ["low", "mid", "high"]}, "ordered classes", ("low", "mid", "high")),
        (pd.Categorical(GRADES), {}, "several classes", None),
        (
            pd.Categorical(GRADES, ["mid", "none", "low", "high"], ordered=True),
            {},
            "ordered classes",
            ("mid", "low", "high"),
        ),
    ],
)
def test_three_labels_are_several_classes_and_ordered_ones_keep_their_order(y, settings, kind, positive):
    endpoint = endpoint_for(y, len(y), **settings)
    assert (endpoint.kind, endpoint.positive) == (kind, positive)
    again = endpoint_of_predictions(pd.DataFrame(endpoint.columns()), endpoint.positive, endpoint.kind)
    assert again.classes.tolist() == endpoint.classes.tolist()
    assert again.codes.tolist() == endpoint.codes.tolist()
