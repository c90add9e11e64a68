"""Boxes about a region and squares cut from slices, on images small enough to check by hand."""

import numpy as np
import pytest

from radiodeep import Case
from radiodeep.exceptions import InputError
from radiodeep.imaging.crop import bounding_box, crop_to_roi, cut_square, first_pixels, resize_planes, warp_to_square

IMAGE = np.arange(6 * 10 * 12, dtype=np.int16).reshape(6, 10, 12)
MASK = np.zeros(IMAGE.shape, bool)
MASK[1:4, 2:6, 3:9] = True


def test_the_bounding_box_of_scattered_voxels_is_widened_within_the_array():
    mask = np.zeros((6, 10, 12), bool)
    mask[1, 7, 3] = mask[4, 2, 8] = True
    assert bounding_box(mask) == (slice(1, 5), slice(2, 8), slice(3, 9))
    assert bounding_box(mask, (1, 3, 4)) == (slice(0, 6), slice(0, 10), slice(0, 12))
    assert bounding_box(mask, (0, 1, 2)) == (slice(1, 5), slice(1, 9), slice(1, 11))


def test_the_crop_is_the_box_with_its_margin_in_mm():
    case = Case(IMAGE, MASK, "box", spacing_mm=(2.0, 1.0, 0.5))
    np.testing.assert_array_equal(crop_to_roi(case).voxels, IMAGE[1:4, 2:6, 3:9])
    assert crop_to_roi(case, margin_mm=1.0).voxels.shape == (5, 6, 10)
    assert crop_to_roi(case, margin_mm=0.6).voxels.shape == (5, 6, 10)  # rounded up to whole voxels
    with pytest.raises(InputError, match="'margin_mm' parameter of crop_to_roi must be a float >= 0. Got -1 instead"):
        crop_to_roi(case, margin_mm=-1)


def test_the_warped_square_holds_the_box_and_nothing_else():
    image, mask = warp_to_square(IMAGE[1:4, 2:6, 3:9], MASK[1:4, 2:6, 3:9], 8)
    assert image.shape == mask.shape == (3, 8, 8)
    assert mask.all()
    assert IMAGE[1, 2, 3] <= image.min()
    assert image.max() <= IMAGE[3, 5, 8]


def test_the_warped_mask_takes_the_nearest_pixel():
    mask = np.array([[[True, False], [False, True]]])
    _, warped = warp_to_square(mask.astype(float), mask, 5)
    np.testing.assert_array_equal(warped[0], [[1, 1, 0, 0, 0]] * 2 + [[0, 0, 1, 1, 1]] * 3)


def test_a_ramp_of_any_size_becomes_the_same_square():
    small, large = (np.indices((n, n)).sum(axis=0)[np.newaxis] / (2 * n - 2) for n in (16, 32))
    assert np.abs(resize_planes(small, 16) - resize_planes(large, 16)).max() < 0.05
    assert resize_planes(small, 16).dtype == np.float32


def test_the_cut_keeps_the_pixels_and_is_centred():
    firsts = first_pixels(MASK.any(axis=0), 4)
    assert firsts == [2, 4]
    image, mask = cut_square(IMAGE, MASK, firsts, 4)
    np.testing.assert_array_equal(image, IMAGE[:, 2:6, 4:8])
    np.testing.assert_array_equal(mask, MASK[:, 2:6, 4:8])


def test_beyond_the_border_pixels_are_repeated_but_not_the_mask():
    image = np.arange(16).reshape(1, 4, 4)
    mask = image % 4 + image // 4 < 2
    square, region = cut_square(image, mask, [-2, -2], 6)
    np.testing.assert_array_equal(square[0], np.pad(image[0], ((2, 0), (2, 0)), mode="edge"))
    np.testing.assert_array_equal(region[0], np.pad(mask[0], ((2, 0), (2, 0))))
