"""Simoncelli's wavelet and Riesz transforms against waves of known frequency and larger images."""

from math import factorial

import numpy as np
import pytest

from radiodeep.exceptions import ImageTooLargeError
from radiodeep.imaging.ibsi_filters import response_map

LOG = {"sigma_mm": 1.2}


def band(frequency, level):
    """Return the factor of a frequency, a fraction of half a period per voxel."""
    scaled = np.clip(frequency * 2.0 ** (level - 1), 1e-9, None)
    return np.where((scaled >= 0.25) & (scaled <= 1), np.cos(np.pi / 2 * np.log2(2 * scaled)), 0.0)


def wave(shape, counts, phase=0.0):
    """Return a cosine of so many periods along z, y and x."""
    z, y, x = np.ogrid[tuple(slice(0, n) for n in shape)]
    turns = sum(count * n / size for count, n, size in zip(counts, (z, y, x), shape, strict=True))
    return np.cos(2 * np.pi * turns + phase)


def riesz(image, order):
    """Apply the Riesz transform of an order (x, y, z) to a periodic image."""
    frequencies = np.meshgrid(*[np.fft.fftfreq(n) for n in image.shape], indexing="ij")
    length = np.sqrt(sum(each**2 for each in frequencies))
    length[0, 0, 0] = 1
    total = sum(order)
    scale = np.sqrt(factorial(total) / np.prod([factorial(each) for each in order]))
    powers = np.prod([each**n for each, n in zip(frequencies, order[::-1], strict=True)], axis=0)
    return np.fft.ifftn(np.fft.fftn(image) * (-1j) ** total * scale * powers / length**total).real


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(7, 8, 9)) * 100


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("counts", [(0, 0, 2), (1, -2, 3), (5, 0, 0), (0, 1, 0), (7, 7, 7)])
def test_a_wave_is_multiplied_by_the_factor_of_its_frequency(level, counts):
    shape = (15, 17, 19)  # odd: the largest counts, 7, 8 and 9, are the frequency 1
    frequency = np.sqrt(sum((count / (n // 2)) ** 2 for count, n in zip(counts, shape, strict=True)))
    response = response_map(wave(shape, counts, 0.3), (1, 1, 1), "simoncelli", {"level": level})
    np.testing.assert_allclose(response, band(frequency, level) * wave(shape, counts, 0.3), atol=1e-12)


def test_frequencies_of_an_even_period_lie_between_its_coefficients():
    shape = (16, 16, 16)
    places = (
        [np.linspace(-1, 1, 16)[8 + count] for count in (3, -4, 1)],
        [np.linspace(-1, 1, 16)[8 - count] for count in (3, -4, 1)],
    )
    factor = np.mean([band(np.linalg.norm(each), 1) for each in places])
    response = response_map(wave(shape, (3, -4, 1)), (1, 1, 1), "simoncelli", {})
    np.testing.assert_allclose(response, factor * wave(shape, (3, -4, 1)), atol=1e-12)


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_a_band_has_all_its_frequencies_whatever_the_size(level):
    for size in range(1, 60):
        image = np.random.default_rng(size).normal(size=(3, 7, size))
        places = [np.fft.ifftshift(np.linspace(-1, 1, n) if n > 1 else np.zeros(1)) for n in image.shape]
        factors = band(np.sqrt(sum(each**2 for each in np.ix_(*places))), level)
        expected = np.fft.ifftn(np.fft.fftn(image) * factors).real
        response = response_map(image, (1, 1, 1), "simoncelli", {"level": level})
        np.testing.assert_allclose(response, expected, atol=1e-12, err_msg=f"{size} voxels along x")


@pytest.mark.parametrize("level", [1, 2])
def test_the_mirror_rule_has_the_frequencies_of_the_mirrored_image(image, level):
    doubled = np.pad(image, [(0, n) for n in image.shape], mode="symmetric")
    frequencies = np.meshgrid(*[2 * np.fft.fftfreq(n) for n in doubled.shape], indexing="ij")
    factors = band(np.sqrt(sum(each**2 for each in frequencies)), level)
    expected = np.fft.ifftn(np.fft.fftn(doubled) * factors).real[:7, :8, :9]
    response = response_map(image, (1, 1, 1), "simoncelli", {"level": level, "boundary": "mirror"})
    np.testing.assert_allclose(response, expected, atol=1e-10)


@pytest.mark.parametrize(("boundary", "mode"), [("zero", "constant"), ("nearest", "edge")])
def test_other_rules_extend_the_image_to_twice_its_size(image, boundary, mode):
    wide = np.pad(image, [((n + 1) // 2,) * 2 for n in image.shape], mode=mode)
    expected = response_map(wide, (1, 1, 1), "simoncelli", {})[4:11, 4:12, 5:14]
    response = response_map(image, (1, 1, 1), "simoncelli", {"boundary": boundary})
    np.testing.assert_allclose(response, expected, atol=1e-10)


@pytest.mark.parametrize("order", [(1, 0, 0), (0, 2, 0), (1, 1, 0), (0, 0, 3), (1, 1, 1), (2, 0, 1)])
@pytest.mark.parametrize("boundary", ["periodic", "mirror"])
def test_riesz_transforms_are_those_of_the_definition(image, order, boundary):
    log = response_map(image, (1, 1, 1), "laplacian_of_gaussian", {**LOG, "boundary": boundary})
    whole = log if boundary == "periodic" else np.pad(log, [(0, n) for n in log.shape], mode="symmetric")
    settings = {**LOG, "order": order, "boundary": boundary}
    response = response_map(image, (1, 1, 1), "riesz_laplacian_of_gaussian", settings)
    np.testing.assert_allclose(response, riesz(whole, order)[:7, :8, :9], atol=1e-11)


@pytest.mark.parametrize("boundary", ["periodic", "mirror"])
def test_a_riesz_transform_of_a_wavelet_is_one_after_the_other(image, boundary):
    settings = {"level": 1, "boundary": boundary}
    wavelet = response_map(image, (1, 1, 1), "simoncelli", settings)
    whole = wavelet if boundary == "periodic" else np.pad(wavelet, [(0, n) for n in image.shape], mode="symmetric")
    response = response_map(image, (1, 1, 1), "riesz_simoncelli", {**settings, "order": (0, 1, 0)})
    np.testing.assert_allclose(response, riesz(whole, (0, 1, 0))[:7, :8, :9], atol=1e-11)


def test_first_order_riesz_transforms_turn_a_cosine_into_a_sine():
    shape = (1, 1, 32)
    settings = {"boundary": "periodic", "sigma_mm": 2, "cutoff": 10}
    cosine = wave(shape, (0, 0, 4))
    factor = response_map(cosine, (1, 1, 1), "laplacian_of_gaussian", settings)[0, 0, 0]
    response = response_map(cosine, (1, 1, 1), "riesz_laplacian_of_gaussian", {**settings, "order": (1, 0, 0)})
    np.testing.assert_allclose(response, factor * wave(shape, (0, 0, 4), -np.pi / 2), atol=1e-9)


def test_an_extension_that_memory_cannot_hold_is_an_error_with_the_way_out(image, monkeypatch):
    monkeypatch.setenv("RADIODEEP_MAX_IMAGE_GIB", "1e-6")
    with pytest.raises(ImageTooLargeError, match=r"extended to twice its size .*'zero'.*Use the boundary \"mirror\""):
        response_map(image, (1, 1, 1), "simoncelli", {"boundary": "zero"})
    response_map(image, (1, 1, 1), "simoncelli", {"boundary": "mirror"})
