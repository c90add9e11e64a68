"""The Laplacian of Gaussian inside a box against ITK over the whole image."""

import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep.exceptions import RoiTooSmallError
from radiodeep.imaging.filters import filtered_images


@pytest.mark.parametrize("sigma", [0.7, 1.0, 3.0, 5.0])
def test_the_laplacian_is_that_of_itk_over_the_whole_image(image, box, sigma, derived, spacing_mm):
    whole = sitk.GetImageFromArray(image)
    whole.SetSpacing(spacing_mm[::-1])
    expected = sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(whole, sigma, True))[box]
    (values,) = derived(image, box, "LoG", sigma=[sigma]).values()
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_the_laplacian_of_a_parabola_is_its_curvature_times_sigma_squared():
    z, y, x = np.indices((40, 40, 40)) * 0.5
    box = (slice(19, 21),) * 3
    image = 3 * x**2 + 2 * y**2 - z**2 + 1000
    ((_, values),) = filtered_images(image, box, (0.5, 0.5, 0.5), "LoG", {"sigma": [1.0]})
    np.testing.assert_allclose(values, 8, rtol=1e-3)  # 6 + 4 - 2, times 1²; the recursion approximates a Gaussian


@pytest.mark.parametrize("sigma", [1.0, 30.0])
def test_an_image_too_small_for_the_laplacian_is_an_error_with_the_way_out(sigma, spacing_mm):
    image = np.zeros((3 if sigma == 1 else 12, 40, 40))
    box = (slice(0, 2), slice(4, 9), slice(4, 9))
    with pytest.raises(RoiTooSmallError, match=r"needs at least .* use a smaller sigma"):
        list(filtered_images(image, box, spacing_mm, "LoG", {"sigma": [sigma]}))


def test_a_slice_too_small_for_the_laplacian_is_named(spacing_mm):
    box = (slice(0, 2), slice(0, 3), slice(4, 9))
    with pytest.raises(
        RoiTooSmallError, match=r"^A slice has 3 x 40 pixels.* needs at least 4 x 4; use a smaller sigma"
    ):
        list(filtered_images(np.zeros((5, 3, 40)), box, spacing_mm, "LoG", {"sigma": [1.0], "in_plane": True}))
    with pytest.raises(RoiTooSmallError, match="in_plane=True for single slices"):
        list(filtered_images(np.zeros((3, 40, 40)), box, spacing_mm, "LoG", {"sigma": [1.0]}))
