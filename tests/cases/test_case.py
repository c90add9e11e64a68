"""A case checks its mask, is frozen, and pickles as its paths."""

import pickle

import numpy as np
import pytest

from radiodeep import Case, Cohort, make_phantom_cohort, read_cohort, write_cohort
from radiodeep.exceptions import (
    AmbiguousMaskError,
    EmptyMaskError,
    GeometryMismatchError,
    InputError,
    LabelNotFoundError,
    NonFiniteIntensityError,
    UnsupportedImageError,
)

IMAGE = np.arange(60.0).reshape(3, 4, 5)
MASK = np.zeros((3, 4, 5), np.uint8)
MASK[1, 1:3, 1:4] = 1


def case(image=IMAGE, mask=MASK, **changes):
    return Case(image, mask, "case 3", **({"spacing_mm": (2, 1, 1)} | changes))


@pytest.mark.parametrize("value", [1, 2, 255])
def test_the_value_of_a_single_label_does_not_matter(value):
    np.testing.assert_array_equal(case(mask=MASK * np.uint8(value)).roi, MASK > 0)


def test_one_of_several_labels_is_chosen_by_mask_label():
    mask = MASK.copy()
    mask[0, 0, 0] = 2
    assert case(mask=mask, mask_label=2).roi.sum() == 1
    with pytest.raises(AmbiguousMaskError, match=r"case 3: .*1 \(6 voxels\), 2 \(1 voxels\).*mask_label"):
        _ = case(mask=mask).roi


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"mask": MASK * 0}, EmptyMaskError, "outlines no voxel"),
        ({"mask": MASK * np.uint8(255), "mask_label": 1}, LabelNotFoundError, "holds 255 .6 voxels. .255 is what PNG"),
        ({"mask": MASK * 0.7}, UnsupportedImageError, "soft mask"),
        ({"mask": MASK[:2]}, GeometryMismatchError, "differ in size"),
        ({"image": np.where(MASK > 0, np.nan, IMAGE)}, NonFiniteIntensityError, "6 of 6 voxels"),
    ],
)
def test_a_problem_is_named_with_the_case(changes, error, message):
    with pytest.raises(error, match=f"^case 3: .*{message}"):
        _ = case(**changes).voxels


def test_nan_outside_the_region_is_allowed():
    assert case(image=np.where(MASK > 0, IMAGE, np.nan)).roi.sum() == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spacing_mm": None}, "needs 'spacing_mm'"),
        ({"spacing_mm": (1, 0, 1)}, "2 or 3 numbers > 0"),
        ({"image": np.zeros(4)}, "array of numbers in .z, y, x."),
    ],
)
def test_wrong_arguments_are_refused_at_once(changes, message):
    with pytest.raises(InputError, match=message):
        case(**changes)


def test_a_two_dimensional_image_is_one_slice():
    flat = Case(IMAGE[0], MASK[1], "flat", spacing_mm=(0.5, 0.6))
    assert flat.voxels.shape == (1, 4, 5)
    assert flat.spacing_mm == (1.0, 0.5, 0.6)


def test_a_case_is_frozen():
    with pytest.raises(AttributeError, match=r"case\.replace"):
        case().label = 1
    assert case().replace(label=1).label == 1


def test_a_case_from_disk_pickles_as_its_paths(tmp_path):
    loaded = read_cohort(write_cohort(make_phantom_cohort(1, random_state=0), tmp_path))[0]
    assert loaded.voxels.size == 24 * 44 * 44
    data = pickle.dumps(loaded)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).voxels, loaded.voxels)


def test_reading_into_memory_leaves_nothing_in_a_case_from_disk(tmp_path):
    stored = read_cohort(write_cohort(make_phantom_cohort(1, random_state=0), tmp_path))[0]
    assert stored.in_memory().roi.dtype == bool
    assert stored._loaded is None


def test_the_content_hash_changes_with_what_matters_only():
    assert case().content_hash() == case(label=1).content_hash()
    others = [
        case(image=IMAGE + 1),
        case(mask=np.roll(MASK, 1, axis=0)),
        case(spacing_mm=(1, 1, 1)),
        case(mask_label=1),
    ]
    assert len({one.content_hash() for one in [case(), *others]}) == 5


def test_all_labels_are_one_region_if_any_is_asked_for():
    mask = MASK.astype(np.uint8)
    mask[tuple(np.argwhere(MASK)[0])] = 7
    assert case(mask=mask, mask_label="any").roi.sum() == MASK.sum()


def test_every_label_becomes_a_case_of_the_same_patient(tmp_path):
    mask = MASK.astype(np.uint8)
    mask[tuple(np.argwhere(MASK)[0])] = 7
    parts = case(mask=mask, patient="P1").by_label()
    assert [part.id for part in parts] == ["case 3-label1", "case 3-label7"]
    assert [int(part.roi.sum()) for part in parts] == [int(MASK.sum()) - 1, 1]
    assert {part.patient for part in parts} == {"P1"}
    assert Cohort([case(mask=mask)]).by_label().ids == ["case 3-label1", "case 3-label7"]


def test_a_mask_without_labels_has_no_cases():
    with pytest.raises(EmptyMaskError, match="case 3: the mask outlines no voxel"):
        case(mask=MASK * 0).by_label()


@pytest.mark.parametrize("wrong", ["all", 1.5, True])
def test_a_mask_label_that_is_no_label_is_an_error(wrong):
    with pytest.raises(InputError, match="'mask_label' of a Case must be an int or 'any'"):
        case(mask_label=wrong)
