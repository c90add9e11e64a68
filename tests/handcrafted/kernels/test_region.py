"""The box of a mask, and the places of its voxels."""

import numpy as np

from radiodeep.handcrafted.kernels.region import find_box, pad_and_list


def test_the_box_reaches_from_the_first_to_the_last_voxel_of_each_axis():
    mask = np.zeros((5, 6, 7), np.uint8)
    mask[1, 4, 2] = mask[3, 2, 5] = mask[2, 3, 3] = 1
    assert find_box(mask).tolist() == [[1, 3], [2, 4], [2, 5]]


def test_a_mask_without_voxels_has_no_box():
    first, last = find_box(np.zeros((2, 3, 4), np.uint8)).T
    assert (first > last).all()


def test_places_are_counted_in_the_padded_mask():
    mask = np.random.default_rng(0).integers(0, 2, (3, 4, 5)).astype(np.uint8)
    for margin in (1, 3):
        padded, positions = pad_and_list(mask, margin)
        np.testing.assert_array_equal(padded, np.pad(mask, margin) > 0)
        np.testing.assert_array_equal(positions, np.flatnonzero(padded))
