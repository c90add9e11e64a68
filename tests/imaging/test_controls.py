"""Negative controls: what they destroy, what they keep, and that their random numbers are those of the content."""

import pickle

import numpy as np
import pytest

from radiodeep import (
    Case,
    DeepFeatureExtractor,
    LesionAggregator,
    RadiomicsExtractor,
    extract_table,
    make_phantom_cohort,
)
from radiodeep.exceptions import InputError
from radiodeep.imaging.controls import CONTROLS, negative_control
from radiodeep.imaging.crop import crop_to_roi

COHORT = make_phantom_cohort(2, random_state=5)
OF_HISTOGRAM = {  # of the GLDM: sums over its grey levels
    f"original_gldm_{name}"
    for name in (
        "GrayLevelNonUniformity",
        "GrayLevelVariance",
        "HighGrayLevelEmphasis",
        "LowGrayLevelEmphasis",
    )
}


def table_of(extractor, control=None, cohort=COHORT):
    return extract_table(extractor, [case if control is None else negative_control(case, control) for case in cohort])


def same_columns(extractor, control):
    before, after = table_of(extractor), table_of(extractor, control)
    return set(before.columns[(before.to_numpy() == after.to_numpy()).all(axis=0)])


def image_of(dtype, seed=0):
    """Return a case whose region holds 1 to 60, and its surroundings 100 to 160, in whose corner NaN is padding."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((4, 8, 8), bool)
    mask[1:3, 2:7, 1:7] = True
    voxels = np.where(mask, rng.integers(1, 61, mask.shape), rng.integers(100, 161, mask.shape)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        voxels[0, 0, :3] = np.nan, np.inf, -np.inf
    return Case(voxels, mask, "a", spacing_mm=(2, 1, 1))


def test_shuffling_a_region_keeps_its_shape_and_histogram_and_no_texture():
    extractor = RadiomicsExtractor(bin_count=32)
    names = set(extractor.get_feature_names_out())
    kept = {name for name in names if name.split("_")[1] in ("shape", "firstorder")}
    assert same_columns(extractor, "shuffled_roi") == kept | OF_HISTOGRAM


def test_sampling_a_region_keeps_its_shape_and_its_mean_nearly():
    extractor = RadiomicsExtractor(bin_count=32, families=["shape", "firstorder"])
    before, after = table_of(extractor), table_of(extractor, "randomized_sampled_roi")
    shape = [name for name in before if "_shape_" in name]
    np.testing.assert_array_equal(before[shape], after[shape])
    of_region = [case.voxels[case.roi] for case in COHORT]
    error = [values.std() / np.sqrt(values.size) for values in of_region]
    mean = "original_firstorder_Mean"
    assert (np.abs(before[mean] - after[mean]) < 4 * np.array(error)).all()
    assert (before[mean] != after[mean]).all()


def test_features_of_the_original_image_see_no_surroundings_but_filters_do():
    assert len(same_columns(RadiomicsExtractor(bin_count=32), "randomized_non_roi")) == 107
    filtered = RadiomicsExtractor(families=["firstorder"], bin_count=32, image_types={"LoG": {"sigma": [3]}})
    assert same_columns(filtered, "randomized_non_roi") == set()


@pytest.mark.parametrize("window", ["exact", "crop"])
def test_deep_features_see_the_corners_of_the_window(window):
    pytest.importorskip("torch")
    assert same_columns(DeepFeatureExtractor("radiodeep-mini", window=window), "shuffled_non_roi") == set()


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32", "float64"])
@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_changes_its_voxels_only_and_in_the_way_of_its_name(control, dtype):
    case = image_of(dtype)
    changed = negative_control(case, control)
    part = case.roi if control.endswith("_roi") else np.ones_like(case.roi)
    part = ~case.roi if control.endswith("_non_roi") else part
    part = part & np.isfinite(case.voxels)
    assert changed.voxels.dtype == case.voxels.dtype
    np.testing.assert_array_equal(changed.roi, case.roi)
    np.testing.assert_array_equal(changed.voxels[~part], case.voxels[~part])
    before, after = case.voxels[part], changed.voxels[part]
    assert (before != after).mean() > 0.9
    counts = [np.unique(values, return_counts=True) for values in (before, after)]
    if control.startswith("shuffled"):
        np.testing.assert_array_equal(*counts)
        return
    assert before.min() <= after.min() < after.max() <= before.max()
    is_known = np.isin(after, before)
    if control.startswith("randomized_sampled"):
        assert is_known.all()
        assert not np.array_equal(counts[0][-1], counts[1][-1])
    else:
        steps = np.histogram(after, bins=4, range=(before.min(), before.max() + 1))[0]
        np.testing.assert_allclose(steps / part.sum(), 0.25, atol=0.13)
        assert not is_known.all()


def test_random_numbers_are_those_of_the_content_and_the_seed():
    case = COHORT[0]
    changed = negative_control(case)
    known = changed.content_hash()
    renamed = negative_control(case.replace(id="other", label=1))
    copies = [changed, renamed, changed.in_memory(), changed.replace(id="b"), changed.in_stored_order()]
    copies += [pickle.loads(pickle.dumps(copy)) for copy in copies]
    assert {copy.content_hash() for copy in copies} == {known}
    assert renamed.id == "other"
    assert negative_control(case.lesion()).content_hash() == known
    assert negative_control(case, random_state=1).content_hash() != known
    assert negative_control(COHORT[1]).content_hash() != known


def test_what_is_in_memory_is_not_changed_again():
    loaded = negative_control(COHORT[0]).in_memory()
    box = crop_to_roi(loaded)
    sizes = np.sort(box.voxels[box.roi])
    np.testing.assert_array_equal(sizes, np.sort(COHORT[0].voxels[COHORT[0].roi]))
    np.testing.assert_array_equal(box.voxels[box.roi], loaded.voxels[loaded.roi])


def test_a_control_of_a_control_is_changed_twice():
    case = make_phantom_cohort(1, random_state=0)[0]
    case = case.replace(repeats={"retest": case})
    around = negative_control(case, "shuffled_non_roi")
    both = pickle.loads(pickle.dumps(negative_control(around, "shuffled_roi")))
    for changed in (both, both.repeats["retest"]):
        assert np.array_equal(changed.voxels[~case.roi], around.voxels[~case.roi])
        assert np.array_equal(changed.voxels, negative_control(around.in_memory(), "shuffled_roi").voxels)
    assert (both.voxels != case.voxels)[case.roi].mean() > 0.9


def test_a_changed_case_keeps_no_voxels():
    changed = negative_control(COHORT[0])
    assert changed.lesion() is not changed.lesion()


def test_the_label_of_a_mask_can_be_chosen_later():
    mask = np.zeros((1, 6, 6), int)
    mask[0, :3], mask[0, 3:] = 1, 2
    case = Case(np.arange(36).reshape(1, 6, 6), mask, "two", spacing_mm=(1, 1, 1))
    changed = negative_control(case).replace(mask_label=2)
    np.testing.assert_array_equal(changed.voxels[0, :3], np.arange(18).reshape(3, 6))
    assert sorted(changed.voxels[0, 3:].ravel()) == list(range(18, 36))
    assert changed.voxels[0, 3:].ravel().tolist() != list(range(18, 36))


def test_every_image_of_a_case_and_every_lesion_of_a_patient_is_changed():
    cohort = make_phantom_cohort(1, random_state=3, images=("T1", "PET"), max_lesions=4)
    patient = negative_control(cohort.by_patient()[0], "randomized_roi")
    assert len(patient.lesions) == len(cohort) > 1
    for lesion, origin in zip(patient.lesions, cohort, strict=True):
        for copy in (lesion, lesion.in_memory(), pickle.loads(pickle.dumps(lesion.in_memory()))):
            assert copy.content_hash() == lesion.content_hash()
            for name in ("T1", "PET"):
                image, before = copy.of_image(name), origin.of_image(name)
                assert ((image.voxels != before.voxels) <= before.roi).all()
                assert (image.voxels != before.voxels)[before.roi].mean() > 0.9


def test_features_of_images_and_patients_keep_shape_and_histogram():
    cohort = make_phantom_cohort(2, random_state=3, images=("T1", "PET"), max_lesions=3)
    patients = list(cohort.by_patient())
    extractor = RadiomicsExtractor(bin_count=16, families=["shape", "firstorder", "glcm"])
    for model, items in ((extractor, list(cohort)), (LesionAggregator(extractor, how=("mean",)), patients)):
        before, after = (
            extract_table(model, rows) for rows in (items, [negative_control(item, "shuffled_roi") for item in items])
        )
        same = set(before.columns[(before.to_numpy() == after.to_numpy()).all(axis=0)])
        texture = {name for name in before if "_glcm_" in name}
        assert len(texture) == 2 * 24
        assert same == set(before) - texture


@pytest.mark.parametrize("control", [name for name in CONTROLS if name.endswith("non_roi")])
def test_a_region_of_the_whole_image_has_no_surroundings(control):
    case = Case(np.arange(27).reshape(3, 3, 3), np.ones((3, 3, 3)), "full", spacing_mm=(1, 1, 1))
    np.testing.assert_array_equal(negative_control(case, control).voxels, case.voxels)


def test_cases_of_one_outline_are_shuffled_in_different_orders():
    case = Case(np.arange(27).reshape(3, 3, 3), np.ones((3, 3, 3)), "low", spacing_mm=(1, 1, 1))
    higher = case.replace(image=case.image + 100)
    assert (negative_control(case).voxels + 100 != negative_control(higher).voxels).any()


def test_random_voxels_reach_the_highest_value():
    case = Case(np.arange(27).reshape(3, 3, 3) % 2, np.ones((3, 3, 3)), "two", spacing_mm=(1, 1, 1))
    assert set(negative_control(case, "randomized_roi").voxels.ravel()) == {0, 1}


def test_unknown_controls_and_seeds_are_refused():
    with pytest.raises(InputError, match="'control' parameter of a negative control .* Did you mean 'shuffled_roi'"):
        negative_control(COHORT[0], "shuffled roi")
    with pytest.raises(InputError, match="'random_state' parameter of negative_control must be an int >= 0"):
        negative_control(COHORT[0], random_state=None)
