"""Gabor filters against their definition."""

import numpy as np
import pytest

from radiodeep.imaging.ibsi_filters import response_map
from radiodeep.imaging.ibsi_filters.gabor import gabor_angles

SETTINGS = {"sigma_mm": 1.5, "wavelength_mm": 2.5, "gamma": 0.7}
MODE_OF_PAD = {"mirror": "symmetric", "nearest": "edge", "periodic": "wrap", "zero": "constant"}


def plain(image, spacing_mm, angle, boundary="mirror"):
    """Add up shifted slices (y, x) of a padded image, weighted by a kernel that reaches across many voxels."""
    sigma, wavelength, gamma = SETTINGS.values()
    reach = 18
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode=MODE_OF_PAD[boundary])
    total = np.zeros(image.shape, complex)
    for j in range(-reach, reach + 1):
        for i in range(-reach, reach + 1):
            y, x = j * spacing_mm[1], i * spacing_mm[2]
            along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
            envelope = np.exp(-(along**2 + gamma**2 * across**2) / (2 * sigma**2))
            weight = envelope * np.exp(2j * np.pi * along / wavelength)
            shifted = padded[:, reach - j : reach - j + image.shape[1], reach - i : reach - i + image.shape[2]]
            total += weight * shifted
    return np.abs(total)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(3, 9, 8)) * 100 + 50


@pytest.mark.parametrize("boundary", MODE_OF_PAD)
@pytest.mark.parametrize("theta", [0, 33, 90, 145])
def test_the_magnitude_is_that_of_the_definition(image, boundary, theta):
    spacing = (3.0, 1.1, 0.9)
    expected = plain(image, spacing, np.deg2rad(theta), boundary)
    response = response_map(image, spacing, "gabor", {**SETTINGS, "theta_degrees": theta, "boundary": boundary})
    assert response.dtype == np.float32
    np.testing.assert_allclose(response, expected, rtol=0, atol=2e-6 * expected.max())


@pytest.mark.parametrize(("pooling", "pool"), [("average", np.mean), ("max", np.max), ("min", np.min)])
@pytest.mark.parametrize("step", [45, 72])  # of which 8 are a full turn, and 5, so that no two are opposite
def test_angles_of_a_full_turn_are_pooled(image, pooling, pool, step):
    maps = [plain(image, (1, 1, 1), np.deg2rad(10 + angle)) for angle in range(0, 360, step)]
    settings = {**SETTINGS, "theta_degrees": 10, "theta_step_degrees": step, "pooling": pooling}
    response = response_map(image, (1, 1, 1), "gabor", settings)
    np.testing.assert_allclose(response, pool(maps, axis=0), rtol=0, atol=2e-6 * np.max(maps))


@pytest.mark.parametrize("pooling", ["average", "max", "min"])
def test_three_planes_are_pooled(pooling):
    cube = np.random.default_rng(1).normal(size=(6, 7, 8))
    settings = {**SETTINGS, "theta_step_degrees": 90, "pooling": pooling}
    planes = [response_map(cube, (1, 1, 1), "gabor", settings, slice_axis=axis) for axis in range(3)]
    response = response_map(cube, (1, 1, 1), "gabor", {**settings, "orthogonal_planes": True})
    expected = {"average": np.mean, "max": np.max, "min": np.min}[pooling](planes, axis=0)
    np.testing.assert_allclose(response, expected, rtol=0, atol=1e-5)


def test_the_response_to_an_impulse_is_the_envelope():
    impulse = np.zeros((1, 21, 21))
    impulse[0, 10, 10] = 7
    response = response_map(impulse, (1, 1, 1), "gabor", {"sigma_mm": 2, "wavelength_mm": 3})
    y, x = np.ogrid[-10:11, -10:11]
    np.testing.assert_allclose(response[0], 7 * np.exp(-(y**2 + x**2) / 8), atol=1e-5)


def test_intensities_of_any_size_are_filtered(image):
    expected = response_map(image, (1, 1, 1), "gabor", SETTINGS)
    for factor in (2.0**-100, 2.0**100):
        response = response_map(image * factor, (1, 1, 1), "gabor", SETTINGS)
        np.testing.assert_allclose(response / factor, expected, rtol=1e-5)


def test_a_large_offset_does_not_hide_the_texture():
    texture = np.random.default_rng(2).normal(size=(1, 12, 12))
    expected = response_map(texture, (1, 1, 1), "gabor", {"sigma_mm": 4, "wavelength_mm": 2})
    response = response_map(texture + 2**20, (1, 1, 1), "gabor", {"sigma_mm": 4, "wavelength_mm": 2})
    # the kernel, which is cut off, adds up to 6e-8; rounding to single precision would change 8 % of the largest value
    np.testing.assert_allclose(response, expected, rtol=0, atol=0.005 * expected.max())


@pytest.mark.parametrize(("step", "n"), [(None, 1), (45, 4), (180, 1), (72, 5), (22.5, 8)])
def test_opposite_angles_are_computed_once(step, n):
    assert len(gabor_angles(30, step)) == n
