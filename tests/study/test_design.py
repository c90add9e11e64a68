"""Parameters of a study are checked, and make the plans of its folds."""

from dataclasses import replace

import numpy as np
import pytest

from radiodeep.exceptions import LeakageError, SingleClassError, StudyError
from radiodeep.study.design import StudyDesign
from radiodeep.study.endpoints.two_classes import TwoClasses
from radiodeep.study.inputs import study_input

DESIGN = StudyDesign("leave-one-out", None, None, 3, "auto", 0, 0.95, None, "raise", None)
ENDPOINT = TwoClasses(np.arange(12) % 2)


def plans(design, groups=None, endpoint=ENDPOINT):
    return design.plans(study_input(np.zeros((12, 2)), groups), endpoint)


def test_settings_out_of_range_are_refused():
    DESIGN.check()
    with pytest.raises(StudyError, match="'on_error' parameter of a study must be one of raise, exclude. Got 'skip'"):
        replace(DESIGN, on_error="skip").check()
    with pytest.raises(StudyError, match="'n_jobs' parameter of a study must be None or an int other than 0. Got 0"):
        replace(DESIGN, n_jobs=0).check()


def test_splits_that_are_not_repeated_have_repeated_halves_as_companion():
    assert [plan.name for plan in plans(DESIGN)] == ["leave-one-out", "2-fold, 30 repeats"]
    groups = np.arange(12) % 6
    assert [plan.name for plan in plans(DESIGN, groups)] == ["leave-one-group-out", "3-fold, 30 repeats"]
    assert [plan.name for plan in plans(replace(DESIGN, cv=4))] == ["4-fold, 3 repeats"]
    assert [plan.name for plan in plans(replace(DESIGN, cv="leave-pair-out"))] == [
        "leave-pair-out",
        "2-fold, 30 repeats",
    ]


def test_folds_that_cannot_work_are_refused_before_anything_is_fitted():
    with pytest.raises(SingleClassError, match=r"training part of fold 11 \(tested: 11\) holds the label 0 only"):
        plans(DESIGN, endpoint=TwoClasses(np.repeat([0, 1], [11, 1])))

    class Leaky:
        def split(self, X, y=None, groups=None):
            for test in range(len(X)):
                yield np.arange(len(X)), np.array([test])

    with pytest.raises(LeakageError, match="Case 0 is on both sides of fold 0"):
        plans(replace(DESIGN, cv=Leaky()))
