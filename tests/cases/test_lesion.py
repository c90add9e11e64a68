"""A lesion is checked once, and after a change only as far as the change reaches."""

import numpy as np
import pytest

from radiodeep import Case
from radiodeep.cases.lesion import Lesion
from radiodeep.cases.volume import StoredAxes
from radiodeep.exceptions import EmptyMaskError, NonFiniteIntensityError

IMAGE = np.arange(60.0).reshape(3, 4, 5)
MASK = np.zeros((3, 4, 5), np.uint8)
MASK[1, 1:3, 1:4] = 1


@pytest.fixture
def case():
    return Case(IMAGE, MASK, "n-7", spacing_mm=(2, 1, 0.5))


def test_a_lesion_has_what_its_case_has(case):
    lesion = case.lesion()
    assert isinstance(lesion, Lesion)
    assert lesion.voxels is case.voxels
    assert lesion.roi is case.roi
    assert lesion.spacing_mm == case.spacing_mm
    assert lesion.id == case.id
    assert lesion.content_hash() == case.content_hash()
    assert lesion.acquisition() == case.acquisition()
    assert lesion.roi_size_mm == case.roi_size_mm == 6.0
    assert lesion.in_memory() is lesion.lesion() is lesion


def test_a_case_in_memory_holds_its_lesion_without_a_second_check(case, monkeypatch):
    in_memory = case.in_memory()
    monkeypatch.setattr(Lesion, "checked", None)
    assert in_memory.lesion() is case.lesion()


def test_new_arrays_leave_the_lesion_as_it_was(case):
    lesion = case.lesion()
    brighter = lesion.replace(image=lesion.voxels + 1)
    np.testing.assert_array_equal(brighter.voxels, IMAGE + 1)
    assert brighter.roi is lesion.roi
    np.testing.assert_array_equal(lesion.voxels, IMAGE)
    assert lesion.replace(spacing_mm=(1, 1, 1)).spacing_mm == (1, 1, 1)


def test_a_new_mask_without_voxels_is_an_error_that_names_the_case(case):
    with pytest.raises(EmptyMaskError, match="^n-7: the mask outlines no voxel"):
        case.lesion().replace(mask=MASK > 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_new_image_or_mask_may_not_put_a_gap_into_the_region(case, value):
    image = IMAGE.copy()
    image[0, 0, :2] = value
    lesion = case.lesion().replace(image=image)  # outside the region
    wider = lesion.roi.copy()
    wider[0, 0, 0] = True
    with pytest.raises(NonFiniteIntensityError, match="^n-7: 1 of 7 voxels of the region are NaN or infinite"):
        lesion.replace(mask=wider)
    with pytest.raises(NonFiniteIntensityError, match="^n-7: 6 of 6 voxels of the region are NaN or infinite"):
        lesion.replace(image=np.full(IMAGE.shape, value))


def test_a_lesion_in_stored_order_is_that_of_the_file():
    axes = StoredAxes(order=(2, 0, 1), flipped=(False, True, False), orientation="PIL")
    lesion = Lesion(axes.to_anatomical(IMAGE), axes.to_anatomical(MASK > 0), (0.5, 2, 1), "n-7", axes)
    stored = lesion.in_stored_order()
    np.testing.assert_array_equal(stored.voxels, IMAGE)
    np.testing.assert_array_equal(stored.roi, MASK > 0)
    assert stored.spacing_mm == (2, 1, 0.5)
    assert stored.axes == StoredAxes()


def test_transposed_axes_are_still_those_of_the_file():
    axes = StoredAxes(order=(0, 1, 2), flipped=(True, False, False), orientation="LPI")
    lesion = Lesion(axes.to_anatomical(IMAGE), axes.to_anatomical(MASK > 0), (2, 1, 0.5), "n-7", axes)
    turned = lesion.transposed((2, 0, 1))
    assert turned.voxels.shape == (5, 3, 4)
    assert turned.voxels.flags.c_contiguous
    assert turned.roi.flags.c_contiguous
    np.testing.assert_array_equal(turned.in_stored_order().voxels, IMAGE)
    np.testing.assert_array_equal(turned.in_stored_order().roi, MASK > 0)
    assert turned.in_stored_order().spacing_mm == (2, 1, 0.5)
