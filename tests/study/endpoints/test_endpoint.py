"""What an endpoint need not implement is refused in words, or left out; and the table of all tests of the cases."""

import numpy as np
import pytest

from radiodeep.exceptions import StudyError
from radiodeep.study.endpoints.endpoint import Endpoint, OutOfFold


class Minimal(Endpoint):
    """An endpoint of numbers that implements what it must."""

    kind = "lines"
    measure = "slope"
    chance = 0.0
    test = "t"
    outcome_columns = ("number",)

    def __init__(self, y, positive=None, patients=None, horizon=None):
        super().__init__(y, positive, patients, horizon)

    @classmethod
    def outcomes_of(cls, predictions):
        return predictions["number"]

    def columns(self):
        return {"number": self.y}

    def check_training(self, train, fold):
        pass

    score = measured = at_equal_size = marker = composition = check_training

    def covariance(self, scores):
        return scores @ self.y, np.zeros((len(scores), len(scores)))


def test_what_an_endpoint_does_not_offer_is_refused():
    endpoint = Minimal(np.arange(3.0))
    with pytest.raises(StudyError, match="Results of lines have no calibration. See their measures"):
        endpoint.require("calibration")
    with pytest.raises(StudyError, match="Leave-pair-out needs two classes. Take repeated folds for the slope"):
        endpoint.pairs()


def test_words_and_strata_are_optional():
    endpoint = Minimal(np.arange(3.0))
    assert endpoint.strata is None
    assert endpoint.baseline() == endpoint.companion_note("a", "b") == ""
    assert endpoint.title() == "slope"
    endpoint.check_same_outcomes(endpoint)


def test_the_endpoint_of_some_cases_and_its_measure():
    taken = Minimal(np.arange(4.0)).take([1, 3])
    assert taken.y.tolist() == [1, 3]
    assert taken.value([2, 1]) == 5


def test_all_tests_of_the_cases_are_arranged_by_repeat_and_summed_by_case():
    tests = OutOfFold(
        "repeated", 3, 2, *map(np.array, ([0, 2, 1, 1, 0], [0, 0, 1, 2, 3], [0, 0, 0, 1, 1], [1.0, 2, 3, 4, 5], [], []))
    )
    np.testing.assert_array_equal(tests.by_repeat(tests.score), [[1, 3, 2], [5, 4, np.nan]])
    assert tests.sum_by_case(tests.score).tolist() == [6, 7, 2]
    assert tests.last_fold().tolist() == [3, 2, 0]
