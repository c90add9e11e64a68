"""Runs against those followed voxel by voxel, and their features by hand."""

import numpy as np
import pytest

from radiodeep.exceptions import RoiTooSmallError
from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.glrlm import glrlm_features, run_tables
from radiodeep.handcrafted.measurement import region_features
from radiodeep.handcrafted.neighbours import directions


def is_inside(place, mask):
    return all(0 <= p < n for p, n in zip(place, mask.shape, strict=True)) and mask[place]


def plain_runs(image, mask, step):
    """(grey level, length) of every run along a step, followed voxel by voxel."""
    runs = []
    for place in map(tuple, np.argwhere(mask)):
        before = tuple(np.subtract(place, step))
        if is_inside(before, mask) and image[before] == image[place]:
            continue
        length = 1
        after = tuple(np.add(place, step))
        while is_inside(after, mask) and image[after] == image[place]:
            length += 1
            after = tuple(np.add(after, step))
        runs.append((int(image[place]), length))
    return runs


@pytest.mark.parametrize("flat_axis", [None, 0, 2])
def test_runs_are_those_followed_voxel_by_voxel(image_and_mask, neighbourhoods_of, flat_axis):
    image, mask = image_and_mask
    neighbourhoods = neighbourhoods_of(image, mask, flat_axis)
    lowest = image[mask].min() - 1
    for step, table in zip(directions((1,), flat_axis), run_tables(neighbourhoods), strict=True):
        if not table.any():
            continue
        expected = np.zeros_like(table)
        for level, length in plain_runs(image, mask, step):
            expected[np.searchsorted(neighbourhoods.levels.values, level - lowest), length - 1] += 1
        np.testing.assert_array_equal(table, expected)


def test_a_direction_counts_if_a_line_holds_two_voxels_even_with_a_gap(neighbourhoods_of):
    image = np.ones((1, 3, 5), int)
    mask = np.zeros(image.shape, bool)
    mask[0, 0, 0] = mask[0, 0, 4] = mask[0, 2, 2] = True
    neighbourhoods = neighbourhoods_of(image, mask)
    used = [
        tuple(step) for step, table in zip(directions((1,)), run_tables(neighbourhoods), strict=True) if table.any()
    ]
    assert sorted(used) == [(0, 0, 1), (0, 1, -1), (0, 1, 1)]


def test_voxels_that_share_no_line_have_no_runs():
    mask = np.zeros((1, 2, 3), bool)
    mask[0, 0, 0] = mask[0, 1, 2] = True
    with pytest.raises(RoiTooSmallError, match="No two of the region's 2 voxels lie on a line of voxels"):
        region_features(np.ones(mask.shape), mask, (1, 1, 1), families=["glrlm"])


def test_runs_of_three_and_one_give_what_a_hand_gives(neighbourhoods_of):
    image = np.array([[[1, 1, 1, 2]]])
    values = glrlm_features(neighbourhoods_of(image, image > 0))
    features = dict(zip(feature_names(["glrlm"]), values, strict=True))  # in x alone: every other line has one voxel
    assert features["glrlm_ShortRunEmphasis"] == pytest.approx((1 + 1 / 9) / 2)
    assert features["glrlm_LongRunEmphasis"] == pytest.approx((1 + 9) / 2)
    assert features["glrlm_RunVariance"] == pytest.approx(1)
    assert features["glrlm_RunEntropy"] == pytest.approx(1)
    assert features["glrlm_HighGrayLevelRunEmphasis"] == pytest.approx((1 + 4) / 2)
    assert features["glrlm_LongRunHighGrayLevelEmphasis"] == pytest.approx((9 + 4) / 2)
    assert features["glrlm_ShortRunLowGrayLevelEmphasis"] == pytest.approx((1 / 9 + 1 / 4) / 2)


@pytest.mark.parametrize(
    ("norm", "x", "y", "diagonal"),
    [("infinity", 0.5, 2, 2), ("euclidean", 0.5, 2, 4.25**0.5), ("manhattan", 0.5, 2, 2.5), ("no_weighting", 1, 1, 1)],
)
def test_weighted_tables_are_added_before_the_features(norm, x, y, diagonal):
    image = np.array([[[1, 2], [1, 2]]])
    # Runs of two along y, four of one along x and along each diagonal.
    runs_of_two = 2 * y
    runs_of_one = 4 * x + 2 * 4 * diagonal
    slices = {"families": ["glrlm"], "bin_width": 1, "flat_axis": 0, "weighting_norm": norm}
    values = region_features(image, image > 0, (1, 2, 0.5), **slices)
    emphasis = values[feature_names(["glrlm"]).index("glrlm_LongRunEmphasis")]
    assert emphasis == pytest.approx((4 * runs_of_two + runs_of_one) / (runs_of_two + runs_of_one))
