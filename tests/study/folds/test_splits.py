"""Schemes of folds: repeats, pairs, groups, splitters of scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
)
from sklearn.naive_bayes import GaussianNB

from radiodeep import cross_validated_auc
from radiodeep.exceptions import LeakageError, StudyError
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.folds.splits import companion_plan, plan_of


def table(n_cases=40, n_features=30, effect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    X = rng.normal(size=(n_cases, n_features)) + effect * y[:, None] * (np.arange(n_features) < 3)
    return pd.DataFrame(X, columns=[f"f{n}" for n in range(n_features)], index=[f"case {n}" for n in range(n_cases)]), y


@pytest.mark.parametrize("splitter", [GroupKFold(4), StratifiedGroupKFold(4), LeaveOneGroupOut()])
def test_a_splitter_that_needs_groups_says_so(splitter):
    X, y = table()
    with pytest.raises(StudyError, match=r"cannot split these \d+ cases: .* Pass 'groups' if it needs them"):
        cross_validated_auc(GaussianNB(), X, y, cv=splitter)


def test_a_splitter_of_scikit_learn_may_repeat():
    X, y = table()
    splitter = RepeatedStratifiedKFold(n_splits=4, n_repeats=2, random_state=0)
    result = cross_validated_auc(GaussianNB(), X, y, cv=splitter)
    assert (result.estimate, len(result.folds)) == ("mean of 2 repeats", 8)


def test_pairs_of_patients_leave_all_their_cases_out():
    X, y = table(12)
    patients = np.array([f"P{number // 4}" for number in range(12)])
    result = cross_validated_auc(GaussianNB(), X, y, cv="leave-pair-out", groups=patients)
    for fold in result.folds.itertuples():
        tested = {patients[int(name.split()[1])] for name in fold.test_ids}
        assert fold.n_train == 12 - 4 * len(tested)


def test_a_case_on_both_sides_and_a_missing_patient_are_refused():
    class Leaky:
        def split(self, X, y=None, groups=None):
            for first in range(4):
                yield np.arange(len(y)), np.arange(first, len(y), 4)

    X, y = table(20)
    with pytest.raises(LeakageError, match="Case 'case 0' is on both sides of fold 0"):
        cross_validated_auc(GaussianNB(), X, y, cv=Leaky())
    with pytest.raises(StudyError, match="20 of 20 groups are missing"):
        cross_validated_auc(GaussianNB(), X, y, cv="leave-pair-out", groups=np.full(20, np.nan))
    with pytest.raises(StudyError, match="20 cases and 3 groups"):
        cross_validated_auc(GaussianNB(), X, y, groups=["a", "b", "c"])


class Numbers:
    """An endpoint without classes."""

    strata = None

    def __init__(self, y):
        self.y = y


def test_folds_of_an_endpoint_without_classes_are_not_stratified():
    endpoint = Numbers(np.arange(9.0))
    assert companion_plan(endpoint, None, 2, 0).name == "2-fold, 20 repeats"
    groups = np.repeat(["a", "b", "c"], 3)
    plan = plan_of(3, endpoint, groups, 1, 0)
    assert sorted(tuple(sorted(set(groups[test]))) for _, test in plan.folds) == [("a",), ("b",), ("c",)]
    with pytest.raises(StudyError, match="between 2 and 9, the number of cases. Got 10"):
        plan_of(10, endpoint, None, 1, 0)


def test_unknown_schemes_and_passes_that_are_not_complete_are_refused():
    _, y = table(12)
    for cv in ("leave-two-out", -1, None, 2.5):
        with pytest.raises(StudyError, match="The 'cv' parameter of a study must be 'leave-one-out', 'leave-pair-out'"):
            plan_of(cv, endpoint_for(y, 12), None, 1, 0)
    with pytest.raises(StudyError, match="does not test every case equally often"):
        plan_of(ShuffleSplit(3, random_state=0), endpoint_for(y, 12), None, 1, 0)
