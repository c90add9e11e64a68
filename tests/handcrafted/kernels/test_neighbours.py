"""Links, runs, zones and comparisons in volumes of several chunks, against plain numpy and scipy."""

import numpy as np
import pytest
from scipy import ndimage

from radiodeep.handcrafted.kernels.neighbours import (
    compare_with_neighbours,
    count_runs,
    find_zones,
    link_equal_neighbours,
)
from radiodeep.handcrafted.neighbours import directions, group_representatives

SHAPE = (20, 26, 28)  # 14,560 places: more than three chunks of 4,096
STEPS = directions((1,))
OFFSETS = STEPS @ np.array([SHAPE[1] * SHAPE[2], SHAPE[2], 1])


@pytest.fixture(scope="module", params=[2, 40])
def volume(request):
    """Grey levels 1 ... n inside a border of zeros; with two levels runs are long."""
    generator = np.random.default_rng(request.param)
    volume = np.zeros(SHAPE, np.uint8)
    inner = generator.integers(1, request.param + 1, [size - 2 for size in SHAPE])
    volume[1:-1, 1:-1, 1:-1] = inner * (generator.random(inner.shape) < 0.9)
    return volume


@pytest.fixture(scope="module")
def links(volume):
    links = np.zeros(volume.size, np.uint16)
    link_equal_neighbours(volume.reshape(-1), OFFSETS, links)
    return links


def plain_links(volume):
    """Bit k of a voxel, for every k: whether its neighbour one step k back has its level."""
    flat = volume.reshape(-1)
    linked = np.zeros((len(OFFSETS), flat.size), bool)
    for k, offset in enumerate(OFFSETS):
        linked[k, offset:] = (flat[offset:] == flat[:-offset]) & (flat[offset:] > 0)
    return linked


def test_links_are_those_of_each_pair_of_neighbours(volume, links):
    bits = links >> np.arange(len(OFFSETS))[:, None] & 1
    np.testing.assert_array_equal(bits == 1, plain_links(volume))


def test_runs_are_those_followed_link_by_link(volume, links):
    flat = volume.reshape(-1)
    positions = np.flatnonzero(flat)
    counts = np.bincount(flat)[1:]
    linked = plain_links(volume)
    pairs = np.array([np.bincount(flat[of_step], minlength=len(counts) + 1)[1:] for of_step in linked])
    runs = np.zeros((len(OFFSETS), len(counts), max(SHAPE) + 1))
    count_runs(flat, links, positions, OFFSETS, counts, pairs, runs)
    expected = np.zeros_like(runs)
    for k, offset in enumerate(OFFSETS):
        for first in positions[~linked[k, positions]]:
            length = 1
            while linked[k, first + length * offset]:
                length += 1
            expected[k, flat[first] - 1, length] += 1
    assert expected[:, :, 3:].any()
    np.testing.assert_array_equal(runs, expected)


def test_zones_are_those_of_scipy(volume, links):
    flat = volume.reshape(-1)
    levels, sizes = find_zones(flat, links, np.flatnonzero(flat), OFFSETS, group_representatives())
    for level in range(1, flat.max() + 1):
        labelled, _ = ndimage.label(volume == level, np.ones((3, 3, 3)))
        expected = np.bincount(labelled.ravel())[1:]
        np.testing.assert_array_equal(np.sort(sizes[levels == level - 1]), np.sort(expected))


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize("chunk", [4096, 100])
def test_comparisons_do_not_depend_on_the_chunks(volume, alpha, chunk):
    flat = volume.reshape(-1)
    around = np.concatenate([OFFSETS, -OFFSETS])
    n_levels = int(flat.max())
    dependence = np.zeros((n_levels, len(around) + 1))
    differences = np.zeros(n_levels)
    scratch = np.empty((3, chunk), np.uint16)
    rows = np.arange(n_levels + 1) - 1
    compare_with_neighbours(flat, rows, around, alpha, scratch, dependence, differences)
    positions = np.flatnonzero(flat)
    here = flat[positions].astype(int)
    there = flat[positions[:, None] + around].astype(int)
    n_dependent = ((there > 0) & (abs(there - here[:, None]) <= alpha)).sum(axis=1)
    expected = np.zeros_like(dependence)
    np.add.at(expected, (here - 1, n_dependent), 1)
    np.testing.assert_array_equal(dependence, expected)
    n_inside = (there > 0).sum(axis=1)
    apart = np.where(n_inside > 0, abs(here - there.sum(axis=1) / np.maximum(n_inside, 1)), 0)
    np.testing.assert_allclose(differences, np.bincount(here - 1, apart), rtol=1e-12)


def test_no_voxel_links_more_groups_than_there_is_room_for():
    assert max(bin(groups).count("1") for groups in group_representatives().tolist()) == 4
