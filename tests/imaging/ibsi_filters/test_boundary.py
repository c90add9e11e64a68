"""Positions beyond a border against numpy.pad."""

import numpy as np
import pytest

from radiodeep.imaging.ibsi_filters.boundary import BOUNDARIES, extended, source_positions, widened

MODE_OF_PAD = {"mirror": "symmetric", "nearest": "edge", "periodic": "wrap", "zero": "constant"}


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("margin", [0, 2, 9])  # the last one is wider than the image
def test_an_image_is_extended_as_numpy_pads_it(boundary, margin):
    image = np.random.default_rng(0).normal(size=(4, 1, 3))
    sides = tuple(range(-margin, size + margin) for size in image.shape)
    expected = np.pad(image, margin, mode=MODE_OF_PAD[boundary])
    np.testing.assert_array_equal(extended(image, sides, boundary), expected)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_part_of_an_extended_image_is_that_part(boundary):
    image = np.random.default_rng(1).normal(size=(5, 6, 7))
    whole = np.pad(image, 4, mode=MODE_OF_PAD[boundary])
    part = extended(image, (range(-3, 2), range(2, 5), range(5, 11)), boundary, np.float32)
    assert part.dtype == np.float32
    assert part.flags.c_contiguous
    np.testing.assert_array_equal(part, whole[1:6, 6:9, 9:15].astype(np.float32))


def test_an_extended_image_is_a_copy():
    image = np.zeros((2, 2, 2))
    extended(image, (range(2), range(2), range(2)), "mirror")[...] = 1
    assert not image.any()


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [("mirror", [1, 0, 0, 1, 2, 2, 1]), ("nearest", [0, 0, 0, 1, 2, 2, 2]), ("zero", [-1, -1, 0, 1, 2, -1, -1])],
)
def test_positions_stand_for_voxels_inside(boundary, expected):
    assert source_positions(np.arange(-2, 5), 3, boundary).tolist() == expected


def test_only_the_periodic_rule_leaves_the_image():
    assert widened(range(1, 4), 2, 3, 5, "mirror") == range(5)
    assert widened(range(1, 4), 2, 3, 5, "periodic") == range(-1, 7)
