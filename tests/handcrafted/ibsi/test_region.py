"""The region of the IBSI: its box, its two masks, and what is refused."""

import numpy as np
import pytest

from radiodeep.exceptions import EmptyMaskError, GeometryMismatchError, InputError, NonFiniteIntensityError
from radiodeep.handcrafted.ibsi.region import REACH_MM, ibsi_region


@pytest.fixture
def outline():
    mask = np.zeros((20, 30, 40), bool)
    mask[8:12, 1:6, 15:25] = True
    return mask


def test_the_box_reaches_as_far_as_local_peaks_look_within_the_image(outline):
    image = np.arange(outline.size, dtype=np.int32).reshape(outline.shape)
    region = ibsi_region(image, outline, spacing_mm=(3.0, 2.0, 1.0))
    assert region.image.shape == (4 + 2 * 3, 1 + 5 + 4, 10 + 2 * 7)
    np.testing.assert_array_equal(region.image, image[5:15, 0:10, 8:32])
    assert region.image.dtype == np.float64
    np.testing.assert_array_equal(region.values, image[outline])
    assert [(side.start, side.stop) for side in region.box] == [(3, 7), (1, 6), (7, 17)]
    assert (4 / 3 * np.pi * REACH_MM**3) > 1000  # mm³ of the ball of local peaks


def test_the_intensity_mask_is_a_part_of_the_outline(outline):
    mask = np.zeros_like(outline)
    mask[10:15, 3:9, 20:30] = True
    region = ibsi_region(np.ones(outline.shape), outline.astype(np.int16) * 3, mask, spacing_mm=(1, 1, 1))
    assert region.mask.sum() == (mask & outline).sum()
    assert region.shape_mask.sum() == outline.sum()


def test_the_image_may_be_anything_outside_the_intensity_mask(outline):
    image = np.full(outline.shape, np.nan)
    image[10] = 1
    mask = outline & (image == 1)
    assert ibsi_region(image, outline, mask, spacing_mm=(1, 1, 1)).values.tolist() == [1] * 50
    with pytest.raises(NonFiniteIntensityError, match="NaN or infinite in 150 of the region's 200 voxels"):
        ibsi_region(image, outline, spacing_mm=(1, 1, 1))


def test_arrays_in_another_order_of_axes_become_those_of_loops(outline):
    image, mask = np.zeros(outline.shape, np.int16), outline.copy()
    arrays = [np.asfortranarray(array) for array in (image, outline, mask)]
    region = ibsi_region(*arrays, spacing_mm=(1, 1, 1))
    assert all(array.flags.c_contiguous for array in (region.image, region.shape_mask, region.mask))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"image": np.zeros((3, 3))}, InputError, r"an array \(z, y, x\). Got 2 dimensions"),
        ({"image": np.zeros((3, 3, 3))}, GeometryMismatchError, "must have one shape"),
        ({"image": np.zeros((20, 30, 40), complex)}, InputError, "must hold real numbers. Got the type complex128"),
        ({"mask": np.zeros((20, 30, 40), bool)}, EmptyMaskError, "The intensity mask holds no voxel of the region"),
        ({"spacing_mm": (1, 1)}, InputError, "'spacing_mm' parameter of ibsi_region must be three lengths > 0"),
        ({"spacing_mm": (1, 1, 0)}, InputError, "'spacing_mm' parameter of ibsi_region"),
        ({"spacing_mm": None}, InputError, "'spacing_mm' parameter of ibsi_region"),
        ({"slice_axis": 3}, InputError, "'slice_axis' parameter of ibsi_region must be 0, 1 or 2"),
    ],
)
def test_what_is_no_region_is_an_error(outline, changes, error, message):
    arguments = {"image": np.zeros(outline.shape), "shape_mask": outline, "spacing_mm": (1, 1, 1), **changes}
    with pytest.raises(error, match=message):
        ibsi_region(**arguments)
