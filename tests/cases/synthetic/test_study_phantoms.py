"""Synthetic cohorts have the size, the imaging and the truth of the studies that they imitate."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt, grey_closing
from sklearn.metrics import roc_auc_score

from radiodeep import make_study_cohort
from radiodeep.exceptions import InputError


def test_the_same_seed_gives_the_same_voxels_and_cohorts_of_other_names_differ():
    first, again = make_study_cohort("nodules-1", 2), make_study_cohort("nodules-1", 2)
    np.testing.assert_array_equal(first[1].voxels, again[1].voxels)
    for other in (make_study_cohort("nodules-2", 2), make_study_cohort("nodules-1", 2, random_state=1)):
        assert not np.array_equal(first[1].voxels, other[1].voxels)
    assert not set(first.patients) & set(make_study_cohort("nodules-2", 2).patients)


@pytest.mark.parametrize(
    ("name", "n_cases", "n_positive"), [("adenocarcinoma", 4, 2), ("nodules-1", 6, 2), ("sarcoma", 5, 2)]
)
def test_fewer_cases_keep_the_share_of_label_1(name, n_cases, n_positive):
    assert make_study_cohort(name, n_cases).labels.sum() == n_positive


def test_label_1_is_death_within_24_months():
    cohort = make_study_cohort("sarcoma", 12)
    survival = cohort.survival
    np.testing.assert_array_equal(cohort.labels, survival["event"] & (survival["time"] <= 24))
    assert survival["time"][~survival["event"]].min() >= 36
    assert cohort[0].clinical.keys() == {"age", "grade"}


def test_the_share_of_necrosis_is_the_dark_share_in_t1c():
    cohort = make_study_cohort("glioma", 6)
    measured = [np.mean(case.of_image("T1c").voxels[case.of_image("T1c").roi] < 47) for case in cohort]
    np.testing.assert_allclose(measured, cohort.frame["necrosis"], atol=0.08)


def test_the_texture_of_the_infiltrated_part_shows_in_flair_and_hardly_in_t1c():
    case = make_study_cohort("glioma", 1)[0]
    infiltrated = case.of_image("T2").roi & (case.of_image("T1c").voxels < 90) & (case.of_image("FLAIR").voxels > 75)
    spread = {name: case.of_image(name).voxels[infiltrated].std() for name in case.image_names}
    assert spread["FLAIR"] > 1.5 * spread["T1c"]


def test_dark_vessels_are_as_wide_as_their_calibre_and_straight_ones_have_tortuosity_1():
    cohort = make_study_cohort("vessels", 8)
    frame = cohort.frame
    depths = []  # of the dark pixels below the edge of their vessel, away from the rim of the field
    for case in cohort:
        is_dark = grey_closing(case.voxels[0], size=9) - case.voxels[0].astype(int) > 30
        is_dark &= binary_erosion(case.roi[0], iterations=5)
        depths.append(distance_transform_edt(is_dark)[is_dark].mean())
    assert np.corrcoef(depths, frame["calibre_mm"])[0, 1] > 0.98
    assert frame["n_vessels"].nunique() == 3
    assert frame["tortuosity"].min() >= 1
    assert frame["label"].tolist() == cohort.labels.tolist() == frame["calibre_mm"].tolist()


def test_skin_lesions_have_nine_diagnoses_in_three_classes():
    frame = make_study_cohort("skin", 18).frame
    assert frame.groupby("label")["diagnosis"].nunique().to_dict() == {"benign": 3, "malignant": 3, "non-neoplastic": 3}
    assert frame.groupby("diagnosis")["label"].nunique().eq(1).all()


def test_unknown_studies_and_sizes_are_named():
    with pytest.raises(
        InputError, match="'name' parameter of make_study_cohort must be one of adenocarcinoma, .* mean 'glioma'"
    ):
        make_study_cohort("gliomas")
    with pytest.raises(InputError, match="'n_cases' parameter of make_study_cohort must be an int >= 1"):
        make_study_cohort("glioma", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "score", "auc"),
    [("nodules-1", "log_odds", 0.88), ("glioma-68", "log_hazard", 0.93), ("cluttered", "log_odds", 0.89)],
)
def test_the_truth_has_the_documented_auc_and_the_cohort_the_size_of_the_study(name, score, auc):
    cohort = make_study_cohort(name)
    assert (len(cohort), cohort.labels.sum()) == {
        "nodules-1": (261, 85),
        "glioma-68": (68, 33),
        "cluttered": (60, 30),
    }[name]
    assert roc_auc_score(cohort.labels, cohort.frame[score]) == pytest.approx(auc, abs=0.05)
