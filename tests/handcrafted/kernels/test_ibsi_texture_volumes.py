"""Loops of IBSI texture against SciPy, and against the loops of the other texture families, on many voxels."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_cdt, gaussian_filter, label

from radiodeep.handcrafted.kernels.glcm import count_pairs
from radiodeep.handcrafted.kernels.ibsi_texture_volumes import (
    compare_neighbours,
    count_level_pairs,
    count_level_runs,
    distances_to_border,
    find_zones_and_distances,
    place_levels,
)
from radiodeep.handcrafted.kernels.neighbours import compare_with_neighbours, count_runs, link_equal_neighbours
from radiodeep.handcrafted.neighbours import directions, group_representatives


def padded(levels):
    return np.pad(levels.astype(np.uint8), 1)


def offsets_of(volume, flat_axis=None):
    _, ny, nx = volume.shape
    return directions((1,), flat_axis) @ np.array([ny * nx, nx, 1])


@pytest.fixture(params=[(3, 0.7), (3, 1.0), (30, 0.9)], ids=str)
def levels(request):
    """Smooth levels of several thousand voxels, so that loops in chunks pass from one to the next."""
    n_levels, fraction = request.param
    generator = np.random.default_rng(8)
    noise = gaussian_filter(generator.normal(size=(17, 21, 26)), 1.0)
    levels = 1 + np.floor((n_levels - 1e-9) * (noise - noise.min()) / np.ptp(noise)).astype(np.int32)
    levels[generator.random(levels.shape) > fraction] = 0
    return levels


@pytest.mark.parametrize("within_slices", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_distances_are_those_of_scipy(levels, within_slices, dtype):
    inside = gaussian_filter((levels > 0).astype(float), 1.5) > 0.4
    out = np.zeros([n + 2 for n in inside.shape], dtype)
    distances_to_border(inside.view(np.uint8), within_slices, out)
    padded_mask = np.pad(inside, 1)
    if within_slices:
        expected = np.array([distance_transform_cdt(part, "taxicab") for part in padded_mask])
    else:
        expected = distance_transform_cdt(padded_mask, "taxicab")
    assert expected.max() > 2
    np.testing.assert_array_equal(out, expected)


def test_placed_levels_are_counted(levels):
    gray = np.zeros([n + 2 for n in levels.shape], np.uint8)
    inside = np.ones(levels.shape, np.uint8)
    inside.flat[np.flatnonzero(levels)[:2]] = 0
    highest = int(levels.max())
    counts, *rest = place_levels(levels, inside, highest + 4, gray)
    np.testing.assert_array_equal(gray, padded(levels))
    np.testing.assert_array_equal(counts[1:], np.bincount(levels.ravel(), minlength=highest + 5)[1:])
    assert rest == [highest, np.unique(levels[levels > 0]).size, np.count_nonzero(levels), 0, 2]


@pytest.mark.parametrize("flat_axis", [None, 0])
def test_zones_are_those_of_scipy(levels, flat_axis):
    volume = padded(levels)
    offsets = offsets_of(volume, flat_axis)
    links = np.zeros(volume.size, np.uint16)
    link_equal_neighbours(volume.reshape(-1), offsets, links)
    away = np.random.default_rng(1).integers(1, 200, volume.shape).astype(np.uint8)
    found = find_zones_and_distances(
        volume.reshape(-1), links, np.count_nonzero(levels), offsets, group_representatives(flat_axis), away.reshape(-1)
    )
    touching = np.ones((3, 3, 3))
    if flat_axis == 0:
        touching[[0, 2]] = 0
    expected = []
    for level in range(1, int(levels.max()) + 1):
        zones, n_zones = label(volume == level, touching)
        expected += [(level - 1, int((zones == z).sum()), int(away[zones == z].min())) for z in range(1, n_zones + 1)]
    assert sorted(zip(*(part.tolist() for part in found), strict=True)) == sorted(expected)


def test_pairs_and_runs_are_those_of_the_other_families(levels):
    volume = padded(levels)
    offsets, flat, n = offsets_of(volume), volume.reshape(-1), int(levels.max())
    places, counts = np.flatnonzero(flat), np.bincount(levels.ravel(), minlength=n + 1)[1:]
    pairs, expected = np.zeros((2, 13, (n + 1) ** 2), np.uint32)
    count_level_pairs(flat, offsets, n + 1, pairs)
    count_pairs(flat, places, offsets, n + 1, expected)
    np.testing.assert_array_equal(pairs, expected)

    links = np.zeros(volume.size, np.uint16)
    link_equal_neighbours(flat, offsets, links)
    runs, expected, merged = np.zeros((13, n, 28)), np.zeros((13, n, 28)), np.zeros((1, n, 28))
    count_level_runs(flat, links, offsets, counts, pairs, runs)
    count_level_runs(flat, links, offsets, counts, pairs, merged)
    equal = pairs[:, [(i + 1) * (n + 2) for i in range(n)]].astype(np.int64)
    count_runs(flat, links, places, offsets, counts, equal, expected)
    np.testing.assert_array_equal(runs, expected)
    np.testing.assert_array_equal(merged[0], expected.sum(axis=0))


@pytest.mark.parametrize("chunk", [64, 1024])
def test_neighbours_are_compared_as_in_the_other_families(levels, chunk):
    volume = padded(levels)
    offsets, flat, n = offsets_of(volume), volume.reshape(-1), int(levels.max())
    around = np.concatenate([offsets, -offsets])
    dependence, differences, connected = compare_neighbours(flat, flat, around, n, np.empty(chunk, np.uint16))
    expected = np.zeros((n, 27)), np.zeros(n)
    rows = np.maximum(np.arange(n + 1) - 1, 0)
    compare_with_neighbours(flat, rows, around, 0, np.empty((3, chunk), np.uint16), *expected)
    np.testing.assert_array_equal(dependence, expected[0])
    np.testing.assert_allclose(differences, expected[1], rtol=1e-12)
    has_neighbour = np.any([flat[np.flatnonzero(flat) + offset] > 0 for offset in around], axis=0)
    np.testing.assert_array_equal(connected, np.bincount(flat[flat > 0][has_neighbour], minlength=n + 1)[1:])
