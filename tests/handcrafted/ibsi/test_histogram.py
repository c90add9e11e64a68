"""IBSI features of the histogram of grey levels, against plain versions and by hand."""

import numpy as np
import pytest

from radiodeep.handcrafted.ibsi.histogram import intensity_histogram
from radiodeep.handcrafted.ibsi.region import ibsi_region
from radiodeep.handcrafted.ibsi.statistics import intensity_statistics

MODE, ENTROPY, UNIFORMITY = 9, 17, 18
GRADIENTS = slice(19, 23)


def histogram_of(levels, n_levels):
    return intensity_histogram(np.asarray(levels, np.int32).reshape(1, 1, -1), n_levels)


def test_moments_and_percentiles_are_those_of_the_levels(rng):
    levels = rng.integers(0, 13, size=(5, 6, 7)).astype(np.uint16)
    inside = levels > 0
    region = ibsi_region(levels, inside, spacing_mm=(1.0, 1.0, 1.0))
    expected = intensity_statistics(region)[:16]
    found = np.delete(intensity_histogram(levels, 12), MODE)[:16]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_entropy_uniformity_and_gradients_are_those_of_a_plain_version(rng):
    levels = rng.integers(1, 9, size=500)
    levels = levels[levels != 4]  # a level that does not occur
    counts = np.array([(levels == level).sum() for level in range(1, 11)])
    shares = counts[counts > 0] / counts.sum()
    gradient = [counts[1] - counts[0], *((counts[2:] - counts[:-2]) / 2), counts[-1] - counts[-2]]
    found = histogram_of(levels, 10)
    assert found[ENTROPY] == pytest.approx(-(shares * np.log2(shares)).sum())
    assert found[UNIFORMITY] == pytest.approx((shares**2).sum())
    expected = [max(gradient), np.argmax(gradient) + 1, min(gradient), np.argmin(gradient) + 1]
    np.testing.assert_allclose(found[GRADIENTS], expected)


def test_the_digital_phantom_has_its_published_gradients():
    levels = [1] * 50 + [3] + [4] * 16 + [6] * 7  # its levels as the reference manual's figure gives them
    np.testing.assert_array_equal(histogram_of(levels, 6)[GRADIENTS], [8, 3, -50, 1])


@pytest.mark.parametrize(
    ("levels", "mode"),
    [
        ([1, 1, 2, 5, 5], 1),  # mean 2.8: 1 is nearer
        ([1, 1, 1, 4, 5, 5, 5], 5),  # mean 3.1
        ([1, 1, 3, 5, 5], 1),  # as near: the lower
        ([2, 2, 2, 7], 2),
    ],
)
def test_of_several_modes_the_one_nearest_to_the_mean_counts(levels, mode):
    assert histogram_of(levels, 7)[MODE] == mode


def test_one_level_has_no_gradient():
    found = histogram_of([1, 1, 1], 1)
    assert np.isnan(found[GRADIENTS]).all()
    assert found[ENTROPY] == 0.0
    assert found[UNIFORMITY] == 1.0


def test_levels_above_the_highest_one_are_part_of_the_gradient():
    assert histogram_of([1, 1, 2], 2)[GRADIENTS].tolist() == [-1, 1, -1, 1]
    assert histogram_of([1, 1, 2], 4)[GRADIENTS].tolist() == [0, 4, -1, 1]
