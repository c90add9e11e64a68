"""Moran's I and Geary's C against the definition, pair by pair."""

import numpy as np
import pytest

from radiodeep.handcrafted.ibsi import autocorrelation
from radiodeep.handcrafted.ibsi.autocorrelation import spatial_autocorrelation
from radiodeep.handcrafted.ibsi.region import ibsi_region


def plain_autocorrelation(region):
    """Visit every pair of voxels."""
    places, values = np.argwhere(region.mask) * region.spacing_mm, region.values
    n = values.size
    moran = geary = total = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                weight = 1 / np.linalg.norm(places[i] - places[j])
                total += weight
                moran += weight * (values[i] - values.mean()) * (values[j] - values.mean())
                geary += weight * (values[i] - values[j]) ** 2
    spread = ((values - values.mean()) ** 2).sum()
    return n * moran / (total * spread), (n - 1) * geary / (2 * total * spread)


def noise(shape, share, rng):
    image = rng.gamma(2, 20, shape)
    mask = rng.random(shape) < share
    mask[0, 0, 0] = mask[-1, -1, -1] = True
    return image, mask


@pytest.fixture(params=["direct", "fourier", "fourier in parts"])
def way(request, monkeypatch):
    """The ways to sum, whatever the size."""
    if request.param == "fourier in parts":
        monkeypatch.setattr(autocorrelation, "_FREQUENCIES_AT_ONCE", 1)
    monkeypatch.setattr(autocorrelation, "_MOST_DIRECT", np.inf if request.param == "direct" else 0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 1.1)])
@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 9, 8), (6, 1, 7), (6, 7, 1), (1, 1, 13), (4, 1, 1), (2, 2, 2)])
def test_values_are_those_of_the_definition(shape, spacing, rng):
    region = ibsi_region(*noise(shape, 0.4, rng), spacing_mm=spacing)
    np.testing.assert_allclose(spatial_autocorrelation(region), plain_autocorrelation(region), rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("way")
def test_two_voxels_have_the_values_of_theory():
    image = np.zeros((3, 4, 5))
    image[0, 0, 0] = 7.0
    mask = np.zeros(image.shape, bool)
    mask[0, 0, 0] = mask[2, 3, 4] = True
    np.testing.assert_allclose(spatial_autocorrelation(ibsi_region(image, mask, spacing_mm=(1.0, 2.0, 3.0))), [-1, 1])


@pytest.mark.usefixtures("way")
def test_place_shift_scale_and_unit_do_not_matter(rng):
    image, mask = noise((6, 7, 8), 0.5, rng)
    expected = spatial_autocorrelation(ibsi_region(image, mask, spacing_mm=(1.0, 2.0, 3.0)))
    moved = [np.pad(array, ((2, 0), (1, 3), (0, 5))) for array in (image, mask)]
    moved[0] = 3 * moved[0] + 5000
    found = spatial_autocorrelation(ibsi_region(*moved, spacing_mm=(10.0, 20.0, 30.0)))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("mean", "step"), [(2.0**20, 1.0), (2.0**31, 1.0), (2.0**20, 2.0**-28)])
def test_a_mean_far_above_the_spread_costs_no_digits(mean, step, rng):
    image, mask = noise((6, 7, 8), 0.5, rng)
    image = np.rint(image)
    expected = spatial_autocorrelation(ibsi_region(image, mask, spacing_mm=(1.0, 2.0, 3.0)))
    found = spatial_autocorrelation(ibsi_region(mean + step * image, mask, spacing_mm=(1.0, 2.0, 3.0)))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_intensity_mask_smaller_than_the_outline_has_its_own_box(rng):
    image, mask = noise((5, 6, 7), 0.5, rng)
    inside = mask.copy()
    inside[:2] = inside[..., 5:] = False
    found = spatial_autocorrelation(ibsi_region(image, mask, inside, spacing_mm=(1.0, 2.0, 3.0)))
    expected = spatial_autocorrelation(ibsi_region(image, inside, spacing_mm=(1.0, 2.0, 3.0)))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_intensities_of_any_size_have_values(scale, rng):
    image, mask = noise((4, 5, 6), 0.5, rng)
    expected = spatial_autocorrelation(ibsi_region(image, mask, spacing_mm=(1.0, 1.0, 1.0)))
    found = spatial_autocorrelation(ibsi_region(scale * image, mask, spacing_mm=(1.0, 1.0, 1.0)))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_both_ways_agree_on_a_larger_region(rng, monkeypatch):
    region = ibsi_region(*noise((12, 25, 31), 0.6, rng), spacing_mm=(2.5, 0.8, 0.8))
    by_frequency = spatial_autocorrelation(region)
    monkeypatch.setattr(autocorrelation, "_MOST_DIRECT", np.inf)
    np.testing.assert_allclose(spatial_autocorrelation(region), by_frequency, rtol=1e-9)


def test_voxels_outside_the_intensity_mask_do_not_count(rng):
    image, mask = noise((5, 6, 7), 0.5, rng)
    expected = spatial_autocorrelation(ibsi_region(image, mask, spacing_mm=(1.0, 1.0, 1.0)))
    image[~mask] = np.nan
    region = ibsi_region(image, np.ones(image.shape, bool), mask, spacing_mm=(1.0, 1.0, 1.0))
    np.testing.assert_array_equal(spatial_autocorrelation(region), expected)


@pytest.mark.parametrize("intensity", [0.0, 0.1, -1234.5678])
@pytest.mark.parametrize("n", [1, 3])
def test_one_voxel_or_one_intensity_has_none(n, intensity):
    image = np.full((1, 1, n), intensity)
    region = ibsi_region(image, np.ones(image.shape, bool), spacing_mm=(1.0, 1.0, 1.0))
    assert np.isnan(spatial_autocorrelation(region)).all()
