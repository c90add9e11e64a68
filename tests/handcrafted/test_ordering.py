"""Sorting the intensities of large regions is compared with numpy's sort."""

import numpy as np
import pytest

from radiodeep.handcrafted.ordering import sorted_intensities

N = 5000
GENERATOR = np.random.default_rng(3)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "int64", "uint64", ">i2"])
def test_integers_are_sorted_as_by_numpy(dtype):
    values = GENERATOR.integers(0, 120, N).astype(dtype) - np.array(60 if np.dtype(dtype).kind == "i" else 0, dtype)
    ordered = sorted_intensities(values)
    assert ordered.dtype == np.float64
    np.testing.assert_array_equal(ordered, np.sort(values))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_floats_of_both_signs_are_sorted_as_by_numpy(dtype, scale):
    values = np.concatenate([GENERATOR.normal(0, 1, N), GENERATOR.normal(5, 1e-6, N), np.zeros(7)]) * scale
    values = values.astype(dtype)
    np.testing.assert_array_equal(sorted_intensities(values), np.sort(values))


def test_largest_numbers_and_denormal_numbers_keep_their_order():
    few = np.array([-1.7e308, -2.5, -1e-310, 0.0, 5e-324, 1e-310, 1.5, 1.7e308])
    values = np.tile(few[::-1], N // 8 + 1)
    np.testing.assert_array_equal(sorted_intensities(values), np.sort(values))


@pytest.mark.parametrize("values", [[-(2**62), 0, 2**62], [0, 2**40, 5]])
def test_integers_too_far_apart_to_be_counted_are_sorted(values):
    values = np.tile(np.array(values, np.int64), N)
    np.testing.assert_array_equal(sorted_intensities(values), np.sort(values))


def test_the_intensities_themselves_are_left_as_they_are():
    for values in (GENERATOR.normal(0, 1, N), GENERATOR.integers(0, 9, N), np.full(N, 3.5, np.float32)):
        before = values.copy()
        np.testing.assert_array_equal(sorted_intensities(values), np.sort(before))
        np.testing.assert_array_equal(values, before)


def test_few_intensities_are_sorted_too():
    np.testing.assert_array_equal(sorted_intensities(np.array([3, -1, 2], np.int16)), [-1.0, 2.0, 3.0])
