"""Comparison with the cube around each voxel, by sums along the axes, against a look at every neighbour."""

import numpy as np
import pytest

from radiodeep.handcrafted.kernels.neighbours import compare_with_neighbours
from radiodeep.handcrafted.kernels.planes import compare_with_cube
from radiodeep.handcrafted.neighbours import directions


def both(gray):
    """Return (dependence, differences) by both functions."""
    steps = directions((1,)) @ np.array([gray.shape[1] * gray.shape[2], gray.shape[2], 1])
    around = np.concatenate([steps, -steps])
    present = np.unique(gray[gray > 0])
    rows = np.zeros(int(present[-1]) + 1, np.int64)
    rows[present] = np.arange(present.size)
    tables = [(np.zeros((present.size, 27)), np.zeros(present.size)) for _ in range(2)]
    scratch = np.empty((3, 64), np.uint32)
    compare_with_neighbours(gray.reshape(-1), rows, around, 0, scratch, *tables[0])
    compare_with_cube(gray, rows, *tables[1])
    return tables


@pytest.mark.parametrize(("dtype", "highest"), [(np.uint8, 5), (np.uint8, 255), (np.uint16, 700), (np.uint16, 7281)])
def test_cube_agrees_with_a_look_at_every_neighbour_to_the_last_bit(dtype, highest):
    generator = np.random.default_rng(highest)
    inner = generator.integers(1, highest, (9, 12, 10), endpoint=True) * (generator.random((9, 12, 10)) < 0.7)
    gray = np.pad(inner, 1).astype(dtype)
    gray[2, 3, 4] = highest
    expected, found = both(gray)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_sums_of_the_highest_level_allowed_do_not_overflow():
    gray = np.pad(np.full((4, 5, 6), 7281, np.uint16), 1)
    (dependence, _), (found, differences) = both(gray)
    np.testing.assert_array_equal(found, dependence)
    np.testing.assert_array_equal(differences, [0.0])


def test_a_lone_voxel_has_no_neighbours_and_no_difference():
    gray = np.zeros((3, 3, 3), np.uint8)
    gray[1, 1, 1] = 4
    _, (dependence, differences) = both(gray)
    assert dependence[0, 0] == 1
    assert dependence.sum() == 1
    assert differences[0] == 0.0
