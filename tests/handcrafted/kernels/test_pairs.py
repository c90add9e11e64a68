"""Pairs counted in spans against pairs counted voxel by voxel."""

import numpy as np
import pytest

from radiodeep.handcrafted.kernels.glcm import count_pairs
from radiodeep.handcrafted.kernels.pairs import count_pairs_in_spans
from radiodeep.handcrafted.neighbours import directions


@pytest.mark.parametrize("density", [0.01, 0.6, 1.0])
@pytest.mark.parametrize(("shape", "n_levels"), [((4, 5, 6), 3), ((5, 9, 70), 255), ((3, 4, 6000), 12)])
@pytest.mark.parametrize("flat_axis", [None, 0])
def test_spans_hold_the_pairs_of_their_voxels(density, shape, n_levels, flat_axis):
    generator = np.random.default_rng(n_levels)
    inner = generator.integers(1, n_levels, shape, endpoint=True) * (generator.random(shape) < density)
    volume = np.pad(inner, 1).astype(np.uint8)
    steps = directions((1,), flat_axis) @ np.array([volume.shape[1] * volume.shape[2], volume.shape[2], 1])
    n = n_levels + 1
    tables = [np.zeros((len(steps), n * n + 5), np.uint32) for _ in range(2)]
    for count, table in zip((count_pairs, count_pairs_in_spans), tables, strict=True):
        count(volume.reshape(-1), np.flatnonzero(volume), steps, n, table)
    expected, found = (table[:, n : n * n] for table in tables)
    assert expected.any()
    np.testing.assert_array_equal(found, expected)
