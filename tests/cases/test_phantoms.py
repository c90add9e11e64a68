"""The phantoms' label depends on texture and shape, on both, and on nothing else."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from radiodeep import CoxRegression, cross_validated_cindex, make_phantom_cohort, read_cohort
from radiodeep.exceptions import InputError


def test_the_same_seed_gives_the_same_voxels_and_the_first_cases_do_not_depend_on_the_number():
    few, more = make_phantom_cohort(2, random_state=4), make_phantom_cohort(5, random_state=4)
    np.testing.assert_array_equal(few[1].voxels, more[1].voxels)
    assert not np.array_equal(few[1].voxels, make_phantom_cohort(2, random_state=5)[1].voxels)


def test_the_committed_cohort_is_what_the_function_makes(phantoms):
    committed, made = read_cohort(phantoms), make_phantom_cohort(40, random_state=0)
    assert committed.labels.tolist() == made.labels.tolist()
    for number in (0, 17, 39):
        np.testing.assert_array_equal(committed[number].voxels, made[number].voxels)
        np.testing.assert_array_equal(committed[number].roi, made[number].roi)


def test_the_committed_cohort_is_small(phantoms):
    assert sum(file.stat().st_size for file in phantoms.parent.iterdir()) < 4_000_000


@pytest.mark.slow
def test_texture_and_shape_say_something_each_both_say_more_and_size_says_nothing():
    cohort = make_phantom_cohort(600, random_state=1)
    frame, labels = cohort.frame, cohort.labels
    both = roc_auc_score(labels, frame["probability"])
    alone = [roc_auc_score(labels, frame[name]) for name in ("correlation_mm", "spiculation")]
    size = roc_auc_score(labels, [case.roi.sum() for case in cohort])
    assert 0.85 < both < 0.93
    assert all(0.70 < one < both - 0.05 for one in alone)
    assert abs(size - 0.5) < 0.07


def test_lesions_with_survival_are_those_with_labels():
    labelled, followed = (make_phantom_cohort(4, random_state=0, survival=survival) for survival in (False, True))
    np.testing.assert_array_equal(labelled[3].voxels, followed[3].voxels)
    assert [case.label for case in followed] == [None] * 4
    assert "log_hazard" in followed.frame
    with pytest.raises(InputError, match="'survival' parameter of make_phantom_cohort must be True or False"):
        make_phantom_cohort(4, survival="yes")


@pytest.mark.slow
def test_the_true_risk_has_the_documented_concordance_and_share_of_events():
    cohort = make_phantom_cohort(1500, random_state=2, survival=True)
    time, event = cohort.survival["time"], cohort.survival["event"]
    risk = cohort.frame["log_hazard"].to_numpy()
    first = event[:, None] & (time[:, None] < time)
    concordance = (risk[:, None] > risk)[first].mean()
    assert abs(event.mean() - 0.57) < 0.04
    assert abs(concordance - 0.87) < 0.02


@pytest.mark.slow
def test_a_study_finds_the_true_concordance_within_its_interval():
    cohort = make_phantom_cohort(120, random_state=3, survival=True)
    properties = np.column_stack([np.log(cohort.frame["correlation_mm"]), cohort.frame["spiculation"]])
    result = cross_validated_cindex(CoxRegression(), properties, cohort.survival)
    assert result.confidence_interval.low < 0.87 < result.confidence_interval.high
    assert abs(result.value - 0.87) < 0.04


def test_a_cohort_of_no_cases_is_refused():
    with pytest.raises(InputError, match="'n_cases' parameter of make_phantom_cohort must be an int >= 1"):
        make_phantom_cohort(0)
