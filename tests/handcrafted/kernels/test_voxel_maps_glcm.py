"""MCC of a window, beside numpy's decomposition, and what rounding must not decide."""

import numpy as np
import pytest

from radiodeep.handcrafted.kernels.voxel_maps_glcm import glcm_maps


def second_singular_value(table):
    table = table / table.sum()
    rows, columns = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    scaled = np.divide(table, np.sqrt(rows * columns), out=np.zeros_like(table), where=table > 0)
    return np.linalg.svd(scaled, compute_uv=False)[1]


@pytest.mark.parametrize("symmetrical", [True, False])
@pytest.mark.parametrize("n_levels", [2, 3, 5, 9])
def test_mcc_is_the_second_singular_value(n_levels, symmetrical):
    """Random pairs along one direction: few of many levels fall into parts, many of few levels do not."""
    generator = np.random.default_rng(n_levels)
    for n_pairs in (3, 8, 18, 40):
        levels = generator.integers(1, n_levels + 1, 2 * n_pairs).astype(np.int32)
        pairs = np.arange(2 * n_pairs).reshape(n_pairs, 2)
        table = np.zeros((n_levels, n_levels))
        np.add.at(table, tuple(levels[pairs].T - 1), 1)
        expected = second_singular_value(table + table.T if symmetrical else table)
        out, columns, needs = np.empty((1, 1)), np.array([19]), np.array([False] * 4 + [True, False])
        gray, of_difference = np.arange(n_levels + 1.0), np.zeros((n_levels, 5))
        starts, none = np.array([0, n_pairs]), np.empty(0)
        centres, window, logs = np.array([0]), np.arange(levels.size), np.zeros(4 * n_pairs + 1)
        glcm_maps(
            levels, centres, window, pairs, starts, none, gray, of_difference, logs, symmetrical, needs, columns, out
        )
        np.testing.assert_allclose(out[0, 0], expected, atol=1e-9)


@pytest.mark.parametrize(("low", "high"), [(1, 2), (1, 3), (2, 3), (1, 4), (3, 5), (1, 6)])
def test_independent_levels_have_no_information(low, high):
    """Pairs in proportions low² : 2 low high : high², whose joint probabilities are products."""
    counts = [low * low, 2 * low * high, high * high]
    levels = np.repeat(np.array([[1, 1], [1, 2], [2, 2]]), counts, axis=0).ravel().astype(np.int32)
    n_pairs = sum(counts)
    pairs = np.arange(2 * n_pairs).reshape(n_pairs, 2)
    whole = np.arange(4 * n_pairs + 1.0)
    out, columns, needs = np.empty((1, 2)), np.array([13, 14]), np.array([False] * 3 + [True, False, False])
    gray, of_difference, logs = np.arange(3.0), np.zeros((2, 5)), whole * np.log2(np.maximum(whole, 1))
    starts, none, centres, window = np.array([0, n_pairs]), np.empty(0), np.array([0]), np.arange(levels.size)
    glcm_maps(levels, centres, window, pairs, starts, none, gray, of_difference, logs, True, needs, columns, out)
    assert out[0].tolist() == [0, 0]
