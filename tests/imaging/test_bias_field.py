"""N4 gives SimpleITK's own field, and takes a known one away."""

import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep.exceptions import InputError
from radiodeep.imaging.bias_field import n4_log_field, n4_mask, without_field

SPACING_MM = (3.0, 1.0, 1.5)


@pytest.fixture(scope="module")
def shaded():
    """An image of two tissues in air, and the same under a smooth field."""
    rng = np.random.default_rng(0)
    true = rng.normal(4, 1, (16, 32, 32)).clip(0)
    true[2:14, 4:28, 4:28] = rng.normal(300, 6, (12, 24, 24))
    true[2:14, 10:22, 10:22] = rng.normal(500, 6, (12, 12, 12))
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in true.shape), indexing="ij")
    return true, true * np.exp(0.3 * x + 0.2 * y**2 - 0.1 * z)


def plain_n4(image, mask, factors):
    """The field by SimpleITK, as its documentation shows it."""
    images = []
    for array in (image.astype(np.float32), mask.astype(np.uint8)):
        images.append(sitk.GetImageFromArray(array))
        images[-1].SetSpacing(SPACING_MM[::-1][: array.ndim])
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([20, 10])
    corrector.SetConvergenceThreshold(0.002)
    corrector.Execute(*(sitk.Shrink(each, factors) for each in images))
    return sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(images[0]))


@pytest.mark.parametrize(("factor", "factors"), [(1, [1, 1, 1]), (3, [3, 3, 2])])
def test_the_field_is_that_of_simpleitk(shaded, factor, factors):
    image = shaded[1]
    mask = n4_mask(image)
    field = n4_log_field(image, mask, SPACING_MM, factor, (20, 10), 0.002)
    expected = plain_n4(image, mask, factors)
    np.testing.assert_allclose(field, expected, atol=1e-5)
    assert field.dtype == np.float32
    np.testing.assert_allclose(without_field(image, field), image / np.exp(expected), rtol=1e-4)


def test_a_slice_is_corrected_in_two_dimensions(shaded):
    image = shaded[1][8:9]
    mask = n4_mask(image)
    field = n4_log_field(image, mask, SPACING_MM, 2, (20, 10), 0.002)
    np.testing.assert_allclose(field[0], plain_n4(image[0], mask[0], [2, 2]), atol=1e-5)


def test_a_known_field_is_taken_away(shaded):
    true, image = shaded
    tissues = [true > 400, (true > 200) & (true < 400)]
    corrected = without_field(image, n4_log_field(image, n4_mask(image), SPACING_MM, 2))
    for tissue in tissues:
        spread = [part[tissue].std() / part[tissue].mean() for part in (true, image, corrected)]
        assert spread[1] > 4 * spread[0]
        assert spread[2] < 0.35 * spread[1]


def test_the_mask_is_what_is_brighter_than_air_and_positive(shaded):
    np.testing.assert_array_equal(n4_mask(shaded[1]), shaded[0] > 100)
    assert not n4_mask(-shaded[1]).any()
    image = shaded[1].copy()
    image[8, 16, 16] = np.nan
    assert not n4_mask(image)[8, 16, 16]


def test_without_field_keeps_double_precision():
    ones = np.ones((1, 2, 2))
    assert without_field(ones, np.zeros(ones.shape, np.float32)).dtype == np.float64
    assert without_field(ones.astype(np.int16), np.zeros(ones.shape, np.float32)).dtype == np.float32


def test_masks_that_n4_cannot_use_are_errors(shaded):
    image = shaded[1]
    with pytest.raises(InputError, match="N4 takes logarithms, and the mask has intensities that are not positive"):
        n4_log_field(image - 400, n4_mask(image), SPACING_MM)
    few = np.zeros(image.shape, bool)
    few[1, 1, 1:3] = True
    with pytest.raises(InputError, match="the mask of N4 has no voxel left in an image shrunken by 4"):
        n4_log_field(image, few, SPACING_MM, 4)
    with pytest.raises(InputError, match="0 voxels, from which N4 would estimate the field, have no or one intensity"):
        n4_log_field(image, np.zeros(image.shape, bool), SPACING_MM)
    with pytest.raises(InputError, match="16384 voxels, from which N4 .* choose another mask by 'over'"):
        n4_log_field(np.full(image.shape, 0.1), np.ones(image.shape, bool), SPACING_MM)
