"""Mean, Laplacian of Gaussian, Laws' kernels and wavelets against their definitions and other programs."""

import numpy as np
import pytest
import pywt
import SimpleITK as sitk
from scipy import ndimage

from radiodeep.imaging.ibsi_filters import response_map

MODE_OF_PAD = {"mirror": "symmetric", "nearest": "edge", "periodic": "wrap", "zero": "constant"}
MODE_OF_SCIPY = {"mirror": "reflect", "nearest": "nearest", "periodic": "grid-wrap", "zero": "constant"}


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(9, 12, 10)) * 100


@pytest.fixture(scope="module")
def impulse():
    array = np.zeros((21, 21, 21))
    array[10, 10, 10] = 1
    return array


@pytest.mark.parametrize("boundary", MODE_OF_SCIPY)
@pytest.mark.parametrize("support", [1, 4, 5, 31])
def test_a_mean_is_that_of_scipy(image, boundary, support):
    response = response_map(image, (1, 1, 1), "mean", {"support": support, "boundary": boundary})
    # the centre of an even support lies one voxel further in scipy
    expected = ndimage.uniform_filter(image, support, mode=MODE_OF_SCIPY[boundary], origin=-1 if support == 4 else 0)
    np.testing.assert_allclose(response, expected, atol=1e-10)


@pytest.mark.filterwarnings("ignore:The image type .* counts in voxels")
def test_the_response_to_an_impulse_is_the_laplacian_of_a_gaussian_density(impulse):
    response = response_map(impulse, (1, 2, 0.5), "laplacian_of_gaussian", {"sigma_mm": 2, "cutoff": 2.5})
    z, y, x = np.ogrid[-10:11, -10:11, -10:11]
    sigmas = (2, 1, 4)
    parts = [n**2 / sigma**2 for n, sigma in zip((z, y, x), sigmas, strict=True)]
    density = np.exp(-sum(parts) / 2) / ((2 * np.pi) ** 1.5 * np.prod(sigmas))
    curvature = sum((part - 1) / sigma**2 for part, sigma in zip(parts, sigmas, strict=True))
    inside = (np.abs(z) <= 5) & (np.abs(y) <= 3) & (np.abs(x) <= 10)  # floor(2.5 sigma + 1/2) voxels
    np.testing.assert_allclose(response, density * curvature * inside, atol=1e-15)


def test_sigma_squared_times_the_laplacian_is_that_of_itk():
    noise = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(30, 30, 30)), 1.0)
    image = sitk.GetImageFromArray(noise)
    expected = sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(image, 2.0, True))
    response = 4 * response_map(noise, (1, 1, 1), "laplacian_of_gaussian", {"sigma_mm": 2.0, "boundary": "nearest"})
    np.testing.assert_allclose(response, expected, atol=0.01 * np.ptp(expected))  # its recursion is an approximation


def test_laws_kernels_have_unit_length_and_the_first_is_along_x(impulse):
    response = response_map(impulse, (1, 1, 1), "laws", {"kernels": "L5E5R5"})
    np.testing.assert_allclose(np.sum(response**2), 1)
    # a convolution with an impulse gives the kernel: [-1 -2 0 2 1] of E5 along y, and so on
    np.testing.assert_allclose(response[10, 8, 8:13], -np.array([1, 4, 6, 4, 1]) * 6 / 70 / np.sqrt(10))
    np.testing.assert_allclose(response[8:13, 8, 10], -np.array([1, -4, 6, -4, 1]) * 6 / 70 / np.sqrt(10))


@pytest.mark.parametrize("boundary", MODE_OF_PAD)
@pytest.mark.parametrize(("distance", "pooling"), [(1, "max"), (3, None), (14, "min")])
def test_energy_is_the_mean_magnitude_of_the_padded_response(image, boundary, distance, pooling):
    settings = {"kernels": "L5E5", "pooling": pooling, "boundary": boundary}
    response = np.abs(response_map(image, (1, 1, 1), "laws", settings))
    padded = np.pad(response, ((0, 0), (distance,) * 2, (distance,) * 2), mode=MODE_OF_PAD[boundary])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * distance + 1,) * 2, axis=(1, 2))
    energy = response_map(image, (1, 1, 1), "laws", {**settings, "energy_distance": distance})
    np.testing.assert_allclose(energy, windows.mean(axis=(3, 4)), atol=1e-10)


@pytest.mark.parametrize("wavelet", ["haar", "db3", "coif1"])
def test_the_sub_bands_of_an_orthogonal_wavelet_keep_the_energy(image, wavelet):
    letters = ["LLL", "LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH"]
    settings = {"wavelet": wavelet, "boundary": "periodic"}
    bands = [response_map(image, (1, 1, 1), "separable_wavelet", {**settings, "subbands": each}) for each in letters]
    np.testing.assert_allclose(sum((band**2).sum() for band in bands), 8 * (image**2).sum())


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_wavelet_of_several_levels_is_a_chain_of_filters_with_holes(image, level):
    low, high = (np.array(taps) for taps in pywt.Wavelet("db2").filter_bank[:2])
    expected = image
    for step in range(level):
        for axis in range(3):
            kernel = high if step == level - 1 and axis == 2 else low
            spread = np.zeros(4 * 2**step + 1)
            spread[:: 2**step][:4] = kernel  # an even kernel gets a 0 at its end
            expected = ndimage.convolve1d(expected, spread, axis, mode="reflect")
    settings = {"wavelet": "db2", "subbands": "HLL", "level": level}
    response = response_map(image, (1, 1, 1), "separable_wavelet", settings)
    np.testing.assert_allclose(response, expected, atol=1e-10)
