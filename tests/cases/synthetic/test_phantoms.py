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


@pytest.fixture
def large_voxels(monkeypatch):
    """Voxels of eight times the volume: neither the truth nor the size of a lesion depends on them."""
    monkeypatch.setattr("radiodeep.cases.synthetic.phantoms.SHAPE", (12, 22, 22))
    monkeypatch.setattr("radiodeep.cases.synthetic.phantoms.SPACING_MM", (3.0, 2.0, 2.0))


@pytest.mark.slow
@pytest.mark.usefixtures("large_voxels")
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
@pytest.mark.usefixtures("large_voxels")
def test_the_true_risk_has_the_documented_concordance_and_share_of_events():
    cohort = make_phantom_cohort(1500, random_state=2, survival=True)
    time, event = cohort.survival["time"], cohort.survival["event"]
    risk = cohort.frame["log_hazard"].to_numpy()
    first = event[:, None] & (time[:, None] < time)
    concordance = (risk[:, None] > risk)[first].mean()
    assert abs(event.mean() - 0.57) < 0.04
    assert abs(concordance - 0.87) < 0.02


@pytest.mark.slow
@pytest.mark.usefixtures("large_voxels")
def test_a_study_finds_the_true_concordance_within_its_interval():
    cohort = make_phantom_cohort(120, random_state=3, survival=True)
    properties = np.column_stack([np.log(cohort.frame["correlation_mm"]), cohort.frame["spiculation"]])
    result = cross_validated_cindex(CoxRegression(), properties, cohort.survival)
    assert result.confidence_interval.low < 0.87 < result.confidence_interval.high
    assert abs(result.value - 0.87) < 0.04


def test_a_cohort_of_no_cases_is_refused():
    with pytest.raises(InputError, match="'n_cases' parameter of make_phantom_cohort must be an int >= 1"):
        make_phantom_cohort(0)


@pytest.mark.slow
@pytest.mark.usefixtures("large_voxels")
def test_properties_of_two_images_and_clinical_facts_predict_as_documented():
    cohort = make_phantom_cohort(300, random_state=4, images=("T1", "PET"), max_lesions=3, clinical=True)
    frame = cohort.frame
    largest = frame[frame["id"].str.endswith("-0")]
    others = frame[~frame["id"].str.endswith("-0")]
    for name in ("correlation_mm", "uptake_sd"):
        assert abs(roc_auc_score(largest["label"], largest[name]) - 0.77) < 0.07
        assert abs(roc_auc_score(others["label"], others[name]) - 0.5) < 0.08
    assert abs(roc_auc_score(largest["label"], largest["spiculation"]) - 0.5) < 0.08
    assert abs(roc_auc_score(largest["label"], largest["age"]) - 0.68) < 0.07
    assert abs(roc_auc_score(largest["label"], largest["stage"].map({"I": 1, "II": 2, "III": 3})) - 0.63) < 0.07
    assert (largest["radius_mm"].to_numpy() > 7.5).all()
    assert (others["radius_mm"].to_numpy() < 7.5).all()


def test_phantoms_of_two_images_have_an_outline_on_each_grid():
    case = make_phantom_cohort(1, random_state=0, images=("T1", "PET"))[0]
    first, second = case.of_image("T1"), case.of_image("PET")
    assert second.voxels.shape == (14, 20, 20)
    assert first.roi_size_mm == pytest.approx(second.roi_size_mm, rel=0.1)


def test_further_lesions_share_the_outcome_and_facts_of_their_patient():
    cohort = make_phantom_cohort(6, random_state=0, max_lesions=3, clinical=True)
    patients = cohort.by_patient()
    assert len(patients) == 6 < len(cohort)
    assert set(patients[0].clinical) == {"age", "stage"}
    assert patients[0].lesions[0].roi_size_mm == max(lesion.roi_size_mm for lesion in patients[0].lesions)
    followed = make_phantom_cohort(6, random_state=0, max_lesions=3, survival=True)
    assert len(followed.by_patient().survival) == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"images": "T1"}, "'images' parameter of make_phantom_cohort must be None or two names"),
        ({"images": ("T1", "T1")}, "'images' parameter"),
        ({"max_lesions": 0}, "'max_lesions' parameter"),
        ({"clinical": 1}, "'clinical' parameter of make_phantom_cohort must be True or False"),
        ({"clinical": True, "survival": True}, "must be False with survival=True"),
    ],
)
def test_wrong_settings_of_phantoms_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        make_phantom_cohort(2, **settings)
