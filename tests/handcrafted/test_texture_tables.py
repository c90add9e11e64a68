"""Runs, zones, dependences and tone differences against slow plain versions."""

from itertools import product

import numpy as np
import pytest
from scipy import ndimage

from radiodeep.exceptions import InputError, RoiTooSmallError
from radiodeep.handcrafted.catalogue import feature_names, region_features
from radiodeep.handcrafted.gldm import neighbourhood_tables
from radiodeep.handcrafted.glrlm import run_tables
from radiodeep.handcrafted.glszm import zone_table
from radiodeep.handcrafted.gray_levels import discretise
from radiodeep.handcrafted.neighbours import directions, group_representatives
from radiodeep.handcrafted.region import crop_region

SHAPES = [(5, 6, 7), (1, 9, 8), (7, 1, 6), (2, 2, 2)]


@pytest.fixture(params=product(SHAPES, [2, 5, 300], [0.3, 0.8, 1.0]), ids=str)
def image_and_mask(request):
    shape, n_levels, fraction = request.param
    generator = np.random.default_rng(hash(request.param) % 2**32)
    mask = generator.random(shape) < fraction
    mask.flat[:2] = True
    return generator.integers(1, n_levels + 1, shape), mask


def levels_of(image, mask, flat_axis=None, margin=1):
    region = crop_region(image, mask, (1, 1, 1), flat_axis=flat_axis, margin=margin)
    return region, discretise(region, bin_width=1)


def inside(place, mask):
    return all(0 <= p < n for p, n in zip(place, mask.shape, strict=True)) and mask[place]


def plain_runs(image, mask, step):
    """(grey level, length) of every run along a step, followed voxel by voxel."""
    found = []
    for place in map(tuple, np.argwhere(mask)):
        before = tuple(np.subtract(place, step))
        if inside(before, mask) and image[before] == image[place]:
            continue
        length, after = 1, tuple(np.add(place, step))
        while inside(after, mask) and image[after] == image[place]:
            length, after = length + 1, tuple(np.add(after, step))
        found.append((int(image[place]), length))
    return found


@pytest.mark.parametrize("flat_axis", [None, 0, 2])
def test_runs_are_those_followed_voxel_by_voxel(image_and_mask, flat_axis):
    image, mask = image_and_mask
    region, levels = levels_of(image, mask, flat_axis)
    lowest = image[mask].min() - 1
    for step, table in zip(directions((1,), flat_axis), run_tables(region, levels), strict=True):
        if not table.any():
            continue
        expected = np.zeros_like(table)
        for level, length in plain_runs(image, mask, step):
            expected[np.searchsorted(levels.values, level - lowest), length - 1] += 1
        np.testing.assert_array_equal(table, expected)


def test_a_direction_counts_if_a_line_holds_two_voxels_even_with_a_gap():
    image = np.ones((1, 3, 5), int)
    mask = np.zeros(image.shape, bool)
    mask[0, 0, 0] = mask[0, 0, 4] = mask[0, 2, 2] = True
    region, levels = levels_of(image, mask)
    used = [
        tuple(step) for step, table in zip(directions((1,)), run_tables(region, levels), strict=True) if table.any()
    ]
    assert sorted(used) == [(0, 0, 1), (0, 1, -1), (0, 1, 1)]


def test_voxels_that_share_no_line_have_no_runs():
    mask = np.zeros((1, 2, 3), bool)
    mask[0, 0, 0] = mask[0, 1, 2] = True
    with pytest.raises(RoiTooSmallError, match="No two of the region's 2 voxels lie on a line of voxels"):
        region_features(np.ones(mask.shape), mask, (1, 1, 1), families=["glrlm"])


@pytest.mark.parametrize("flat_axis", [None, 0, 1])
def test_zones_are_those_of_scipy(image_and_mask, flat_axis):
    image, mask = image_and_mask
    region, levels = levels_of(image, mask, flat_axis)
    neighbours = np.ones((3, 3, 3), bool)
    if flat_axis is not None:
        neighbours = np.moveaxis(neighbours, flat_axis, 0)
        neighbours[[0, 2]] = False
        neighbours = np.moveaxis(neighbours, 0, flat_axis)
    table, sizes = zone_table(region, levels)
    for row, level in zip(table, levels.values + image[mask].min() - 1, strict=True):
        labels, _ = ndimage.label(mask & (image == level), neighbours)
        expected = np.bincount(np.bincount(labels.ravel())[1:])
        np.testing.assert_array_equal(row, [expected[int(s)] if s < expected.size else 0 for s in sizes])


def test_one_neighbour_of_each_touching_group_is_asked():
    table = group_representatives()
    steps = directions((1,))
    for pattern in np.random.default_rng(0).integers(0, len(table), 300):
        places = steps[[k for k in range(13) if pattern >> k & 1]]
        grid = np.zeros((3, 3, 3), bool)
        grid[tuple(1 - places.T)] = True
        labels, n_groups = ndimage.label(grid, np.ones((3, 3, 3)))
        asked = steps[[k for k in range(13) if table[pattern] >> k & 1]]
        assert sorted(labels[tuple(1 - asked.T)]) == list(range(1, n_groups + 1))


@pytest.mark.parametrize(("distances", "alpha", "flat_axis"), [((1,), 0, None), ((1,), 1, 0), ((2,), 3, None)])
def test_dependences_and_tone_differences_are_those_of_every_neighbour(image_and_mask, distances, alpha, flat_axis):
    image, mask = image_and_mask
    region, levels = levels_of(image, mask, flat_axis, margin=max(distances))
    dependence, differences = neighbourhood_tables(region, levels, distances, alpha)
    steps = directions(distances, flat_axis)
    expected, apart = np.zeros_like(dependence), np.zeros_like(differences)
    for place in map(tuple, np.argwhere(mask)):
        row = np.searchsorted(levels.values, image[place] - image[mask].min() + 1)
        around = [tuple(np.add(place, step)) for step in (*steps, *-steps)]
        values = np.array([image[other] for other in around if inside(other, mask)])
        expected[row, (abs(values - image[place]) <= alpha).sum()] += 1
        apart[row] += abs(image[place] - values.mean()) if values.size else 0
    np.testing.assert_array_equal(dependence, expected)
    np.testing.assert_allclose(differences, apart, rtol=1e-12, atol=1e-12)


def test_many_levels_and_neighbours_do_not_overflow_16_bits():
    image = np.full((9, 9, 9), 60000)
    image[0, 0, 0] = 1
    values = region_features(
        image, image > 0, (1, 1, 1), families=["ngtdm"], bin_width=1, max_gray_levels=65534, distances=(2,)
    )
    coarseness = values[feature_names(["ngtdm"]).index("ngtdm_Coarseness")]
    near = np.abs(np.argwhere(image > 0)).max(axis=1) == 2  # the 19 voxels at distance 2 of the corner
    neighbours = [
        sum(all(0 <= p + d < 9 for p, d in zip(place, step, strict=True)) for step in product(range(-2, 3), repeat=3))
        - sum(all(0 <= p + d < 9 for p, d in zip(place, step, strict=True)) for step in product(range(-1, 2), repeat=3))
        for place in np.argwhere(image > 0)[near]
    ]
    apart = 59999 * sum(1 / n for n in neighbours)
    assert coarseness == pytest.approx(1 / (59999 / 729 + apart * 728 / 729), rel=1e-12)


@pytest.mark.parametrize("flat_axis", [None, 1])
@pytest.mark.parametrize("settings", [{}, {"symmetrical_glcm": False}, {"gldm_alpha": 1}, {"bin_width": 1}])
def test_all_families_at_once_are_what_they_are_one_by_one(image_and_mask, settings, flat_axis):
    image, mask = image_and_mask
    settings = {"bin_width": 2, "flat_axis": flat_axis, **settings}
    families = ["glcm", "glrlm", "glszm", "gldm", "ngtdm"]
    if flat_axis == 1 and mask.sum() < 10:
        return
    together = region_features(image, mask, (1, 1, 1), families=families, **settings)
    one_by_one = [region_features(image, mask, (1, 1, 1), families=[family], **settings) for family in families]
    np.testing.assert_allclose(together, np.concatenate(one_by_one), rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distances": (0,)}, "'distances' parameter must be ints from 1 to 20"),
        ({"distances": 1}, "'distances' parameter must be ints from 1 to 20"),
        ({"weighting_norm": "l2"}, "'weighting_norm' parameter must be None or one of infinity"),
        ({"symmetrical_glcm": 1}, "'symmetrical_glcm' parameter must be True or False"),
        ({"gldm_alpha": -1}, "'gldm_alpha' parameter must be an int >= 0"),
        ({"flat_axis": 3}, "'flat_axis' parameter must be None, 0, 1 or 2"),
        ({"families": ["shape2D"]}, "'shape2D' need to know the plane of the region"),
        ({"families": ["shape2D"], "flat_axis": 0}, "has 5 slices across axis 0"),
    ],
)
def test_a_setting_that_is_not_allowed_is_an_error_that_says_what_is(settings, message):
    image = np.zeros((5, 4, 3))
    with pytest.raises(InputError, match=message):
        region_features(image, image == 0, (1, 1, 1), **settings)
