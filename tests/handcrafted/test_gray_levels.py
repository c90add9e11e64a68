"""Bins: edges as pyradiomics sets them, settings, and the cap."""

import numpy as np
import pytest

from radiodeep.exceptions import InputError, TooManyGrayLevelsError
from radiodeep.handcrafted.gray_levels import check_bins, discretise
from radiodeep.handcrafted.region import crop_region


def levels_of(values, **settings):
    """Grey level of each value, in order."""
    image = np.array(values)[None, None]
    region = crop_region(image, np.ones(image.shape, bool), (1, 1, 1))
    levels = discretise(region, **settings)
    np.testing.assert_array_equal(levels.counts, np.bincount(levels.volume[levels.volume > 0])[1:])
    return levels.values[levels.volume[region.mask] - 1].tolist()


def test_edges_are_multiples_of_the_width_and_belong_to_the_bin_above():
    assert levels_of([54, 74, 75, 99, 100, 166], bin_width=25) == [1, 1, 2, 2, 3, 5]


def test_negative_values_keep_the_same_edges():
    assert levels_of([-26, -25, -1, 0, 24, 25], bin_width=25) == [1, 2, 2, 3, 3, 4]


def test_a_maximum_on_an_edge_opens_its_own_bin():
    assert levels_of([0.0, 24.9, 50.0], bin_width=25) == [1, 1, 3]


def test_bins_of_equal_number_put_the_maximum_into_the_last():
    assert levels_of([0, 1, 2, 3, 4], bin_count=2) == [1, 1, 2, 2, 2]


def test_a_flat_region_lies_in_the_middle_of_the_bins_it_is_given():
    assert levels_of([5, 5, 5], bin_width=25) == [1, 1, 1]
    assert levels_of([5, 5, 5], bin_count=32) == [17, 17, 17]


def test_integers_near_the_end_of_their_type_do_not_overflow():
    assert levels_of(np.array([0, 250, 255], np.uint8), bin_width=25) == [1, 11, 11]
    assert levels_of(np.array([-32768, 32767], np.int16), bin_width=8192) == [1, 8]
    assert levels_of(np.array([-32768, -1, 0, 32767], np.int16), bin_count=2) == [1, 1, 2, 2]


def on_and_beside(edges, values):
    """Twenty edges, and the numbers next to them on either side, in the precision of the values."""
    some = edges[:20].astype(values.dtype)
    return np.concatenate([some, np.nextafter(some, -np.inf), np.nextafter(some, np.inf)]).astype(values.dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_levels_are_those_of_numpy_digitize_on_the_same_edges(dtype):
    values = np.random.default_rng(3).normal(0, 1, size=5000).astype(dtype)
    low = values.min() - values.min() % 0.1
    edges = np.arange(low, values.max() + 0.2, 0.1)
    values[:60] = on_and_beside(edges[1:-1], values)
    np.testing.assert_array_equal(levels_of(values, bin_width=0.1), np.digitize(values, edges))
    edges = np.histogram(values, 32)[1]
    values[60:120] = on_and_beside(edges[1:-1], values)
    edges[-1] += 1
    np.testing.assert_array_equal(levels_of(values, bin_count=32), np.digitize(values, edges))


@pytest.mark.parametrize("wrong", [0, -1.0, np.nan, np.inf, "25", None, True])
def test_a_bin_width_that_is_no_length_is_an_error(wrong):
    with pytest.raises(InputError, match=r"parameter of region_features must be a float > 0. Got .* instead."):
        check_bins(wrong, None, 1024)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "8", True])
def test_a_bin_count_that_is_no_count_is_an_error(wrong):
    with pytest.raises(InputError, match="The 'bin_count' parameter of region_features must be None or an int > 0"):
        check_bins(25, wrong, 1024)


@pytest.mark.parametrize("wrong", [0, 70000, 1.5])
def test_a_cap_outside_16_bits_is_an_error(wrong):
    with pytest.raises(
        InputError, match="'max_gray_levels' parameter of region_features must be an int from 1 to 65534"
    ):
        check_bins(25, None, wrong)


def test_too_many_levels_are_refused_before_memory_is_taken_with_a_width_that_fits():
    values = [0.0, 1e15]
    message = r"bin_width=25 on intensities from 0 to 1e\+15 makes 4\d+ grey levels. Expected at most 1024"
    with pytest.raises(TooManyGrayLevelsError, match=message):
        levels_of(values, bin_width=25)
    with pytest.raises(TooManyGrayLevelsError, match=r"larger bin_width .*, a bin_count, or a larger max_gray"):
        levels_of([-1e300, 1e300], bin_width=1e-300)
    assert levels_of(values, bin_width=1e13) == [1, 101]
    assert levels_of([0, 9], bin_width=1, max_gray_levels=10) == [1, 10]
    with pytest.raises(TooManyGrayLevelsError, match=r"makes 11 grey levels. Expected at most 10"):
        levels_of([0, 10], bin_width=1, max_gray_levels=10)
    with pytest.raises(TooManyGrayLevelsError, match="bin_count=5000 makes 5000 grey levels"):
        levels_of(values, bin_count=5000)


def test_bins_finer_than_the_precision_of_the_image_are_refused():
    values = np.array([1e8, 1e8 + 8], np.float32)
    with pytest.raises(TooManyGrayLevelsError, match="narrower than the precision of the image"):
        levels_of(values, bin_count=32)


@pytest.mark.parametrize(("value", "bin_width"), [(0.0, 1e-60), (1000.0, 1e-5)])
def test_a_bin_width_below_the_precision_of_the_image_is_an_error(value, bin_width):
    with pytest.raises(TooManyGrayLevelsError, match=r"makes bins narrower than the precision of the image"):
        levels_of(np.full(3, value, np.float32), bin_width=bin_width)
