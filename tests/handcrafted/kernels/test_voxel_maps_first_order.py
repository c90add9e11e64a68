"""Order and percentiles of the voxels of a window, beside numpy."""

import numpy as np
import pytest

from radiodeep.handcrafted.kernels.voxel_maps_first_order import first_order_maps


@pytest.mark.parametrize("n", [3, 11, 21, 27, 800])
def test_percentiles_are_those_of_numpy_to_the_last_bit(n):
    values = np.random.default_rng(n).normal(size=n)
    window, gray = np.arange(n), np.array([0.0, 1.0])
    out = np.empty((1, 5))
    volume, counts = np.ones(n, np.int32), np.arange(n + 1.0)
    logs = counts * np.log2(np.maximum(counts, 1))
    columns = np.array([0, 1, 4, 9, 10])
    first_order_maps(volume, values, np.array([0]), window, gray, logs, 0.0, 1.0, True, columns, out)
    low, quarter, middle, upper, high = np.percentile(values, [10, 25, 50, 75, 90])
    assert out[0].tolist() == [low, high, upper - quarter, middle, values.min()]
