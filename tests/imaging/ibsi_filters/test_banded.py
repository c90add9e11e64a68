"""Products of banded matrices along an axis against products of the whole matrix."""

import numpy as np
import pytest

from radiodeep.imaging.ibsi_filters.banded import BandedMatrix


def banded(n, m, width, seed=0):
    rng = np.random.default_rng(seed)
    matrix = np.zeros((n, m))
    kernel = rng.normal(size=width)
    for row in range(n):
        start = min(row, m - width)
        matrix[row, start : start + width] = kernel
    matrix[0, : width - 1] = rng.normal(size=width - 1)
    matrix[-1] = 0
    return matrix


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("width", [1, 3, 4, 9])
@pytest.mark.parametrize("n", [1, 3, 40, 61])
def test_a_product_along_an_axis_is_that_of_the_whole_matrix(axis, width, n):
    shape = [5, 4, 6]
    shape[axis] = max(n, width) + 3
    data = np.random.default_rng(1).normal(size=shape)
    matrix = banded(n, shape[axis], width)
    expected = np.moveaxis(np.tensordot(matrix, data, (1, axis)), 0, axis)
    product = BandedMatrix(matrix).product(data, axis)
    np.testing.assert_allclose(product, expected, atol=1e-13)
    out = np.ones_like(expected)
    assert BandedMatrix(matrix).product(data, axis, out, add=True) is out
    np.testing.assert_allclose(out, expected + 1, atol=1e-13)


def test_a_matrix_of_zeros_has_a_product_of_zeros():
    matrix = BandedMatrix(np.zeros((3, 4)))
    for axis in range(3):
        assert not matrix.product(np.ones([4 if each == axis else 2 for each in range(3)]), axis).any()
