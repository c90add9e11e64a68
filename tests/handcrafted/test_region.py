"""Cropping and checking of a region."""

import numpy as np
import pytest

from radiodeep.exceptions import (
    EmptyMaskError,
    GeometryMismatchError,
    InputError,
    NonFiniteIntensityError,
    RoiTooSmallError,
)
from radiodeep.handcrafted.region import crop_region


def test_the_region_is_cut_to_its_box_with_an_empty_border():
    image = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    mask = np.zeros(image.shape, bool)
    mask[1, 2, 3] = mask[2, 3, 5] = True
    region = crop_region(image, mask, (2, 1, 1), margin=2)
    assert region.mask.shape == (2 + 4, 2 + 4, 3 + 4)
    assert np.argwhere(region.mask).tolist() == [[2, 2, 2], [3, 3, 4]]
    assert region.values.tolist() == [image[1, 2, 3], image[2, 3, 5]]
    assert region.mask.ravel()[region.positions].all()


def test_an_empty_mask_is_an_error():
    with pytest.raises(EmptyMaskError, match="holds no voxel"):
        crop_region(np.zeros((2, 3, 4)), np.zeros((2, 3, 4), bool), (1, 1, 1))


def test_one_voxel_is_too_small():
    mask = np.zeros((2, 3, 4), bool)
    mask[1, 1, 1] = True
    with pytest.raises(RoiTooSmallError, match="has 1 voxel"):
        crop_region(np.zeros((2, 3, 4)), mask, (1, 1, 1))


def test_image_and_mask_of_different_shape_are_an_error_that_names_both():
    with pytest.raises(GeometryMismatchError, match=r"\(2, 3, 4\) and \(2, 3, 5\)"):
        crop_region(np.zeros((2, 3, 4)), np.ones((2, 3, 5), bool), (1, 1, 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_intensity_that_is_not_finite_matters_only_inside_the_region(value):
    image = np.zeros((2, 3, 4), np.float32)
    image[0, 0, 0] = value
    mask = np.ones(image.shape, bool)
    with pytest.raises(NonFiniteIntensityError, match="in 1 of the region's 24 voxels"):
        crop_region(image, mask, (1, 1, 1))
    mask[0, 0, 0] = False
    assert crop_region(image, mask, (1, 1, 1)).values.size == 23


def test_a_flat_array_is_refused_with_the_way_to_give_a_slice():
    with pytest.raises(InputError, match=r"Got 2 dimensions; .*image\[np.newaxis\]"):
        crop_region(np.zeros((3, 4)), np.ones((3, 4), bool), (1, 1, 1))


def test_images_and_masks_of_strange_types_are_refused():
    ones = np.ones((2, 2, 2))
    with pytest.raises(InputError, match=r"image must hold real numbers. Got the type complex128"):
        crop_region(ones.astype(complex), ones.astype(bool), (1, 1, 1))
    with pytest.raises(InputError, match=r"mask must hold booleans or integers. Got the type float64"):
        crop_region(ones, ones, (1, 1, 1))
