"""The same regions through pyradiomics itself: every feature to 1e-6, in fact to 1e-9."""

import logging
import warnings

import numpy as np
import pytest

from radiodeep.handcrafted.catalogue import DEFAULT_FAMILIES, PYRADIOMICS_FAMILIES, feature_names
from radiodeep.handcrafted.measurement import region_features

pytestmark = pytest.mark.pyradiomics

OUR_NAMES = {
    "binWidth": "bin_width",
    "binCount": "bin_count",
    "voxelArrayShift": "voxel_array_shift",
    "distances": "distances",
    "symmetricalGLCM": "symmetrical_glcm",
    "weightingNorm": "weighting_norm",
    "gldm_a": "gldm_alpha",
    "force2Ddimension": "flat_axis",
}


@pytest.fixture(scope="module")
def original():
    """A function (image, mask, spacing_mm, **settings) -> what pyradiomics says, by name."""
    sitk = pytest.importorskip("SimpleITK")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        radiomics = pytest.importorskip("radiomics")
        from radiomics import getFeatureClasses, imageoperations
    radiomics.logger.setLevel(logging.CRITICAL)

    def calculate(image, mask, spacing_mm, families, **settings):
        settings["force2D"] = "force2Ddimension" in settings
        both = [sitk.GetImageFromArray(array) for array in (image, mask.astype(np.uint8))]
        for volume in both:
            volume.SetSpacing([float(size) for size in spacing_mm[::-1]])
        places = np.argwhere(mask)[:, ::-1]
        box = np.stack([places.min(axis=0), places.max(axis=0)], axis=1).ravel()
        values = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            both = imageoperations.cropToTumorMask(*both, box)
            for family in families:
                calculator = getFeatureClasses()[family](*both, label=1, **settings)
                calculator.enableAllFeatures()
                for name, value in calculator.execute().items():
                    values[f"{family}_{name}"] = float(value)
        return values

    return calculate


@pytest.fixture
def compare(original):
    def check(image, mask, spacing_mm, families=DEFAULT_FAMILIES, **settings):
        renamed = {OUR_NAMES[name]: value for name, value in settings.items()}
        ours = region_features(image, mask, spacing_mm, families=families, **renamed)
        theirs = original(image, mask, spacing_mm, families, **settings)
        assert set(theirs) == set(feature_names(families))
        expected = [theirs[name] for name in feature_names(families)]
        tolerance = [1e-8 if name == "glcm_MCC" else 1e-9 for name in feature_names(families)]  # a root of rounding
        np.testing.assert_array_less(np.abs(ours - expected), np.abs(expected) * tolerance + 1e-14)

    return check


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"binWidth": 7.3, "voxelArrayShift": 500},
        {"binCount": 32},
        {"binCount": 1},
        {"distances": [1, 2]},
        {"distances": [3]},
        {"gldm_a": 2},
        {"force2Ddimension": 0},
        {"force2Ddimension": 1, "weightingNorm": "euclidean"},
        {"force2Ddimension": 2, "distances": [1, 2]},
        {"symmetricalGLCM": False},
        {"weightingNorm": "infinity"},
        {"weightingNorm": "euclidean"},
        {"weightingNorm": "manhattan"},
        {"weightingNorm": "no_weighting"},
    ],
)
def test_a_lesion_with_anisotropic_voxels(lesion, compare, settings):
    compare(*lesion, **settings)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_negative_intensities_of_every_type(make_lesion, compare, dtype):
    noise, mask = make_lesion(1, (12, 20, 22), (4, 7, 8))
    compare((noise * 180 - 700).astype(dtype), mask, (5.0, 0.6, 0.6))


@pytest.mark.parametrize("settings", [{"binWidth": 0.13}, {"binCount": 16}])
def test_small_float32_intensities(make_lesion, compare, settings):
    noise, mask = make_lesion(2, (12, 20, 22), (4, 7, 8))
    compare((noise * 0.6).astype(np.float32), mask, (1.0, 1.0, 1.0), **settings)


@pytest.mark.parametrize("settings", [{}, {"binCount": 32}])
def test_a_flat_region(make_lesion, compare, settings):
    noise, mask = make_lesion(3, (12, 20, 22), (4, 7, 8))
    compare(np.full(noise.shape, -37, np.int16), mask, (2.0, 1.0, 1.0), **settings)


@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 12, 9), (9, 1, 12), (2, 2, 2), (1, 2, 2)])
def test_a_region_that_fills_the_image_to_its_border(compare, shape):
    image = np.random.default_rng(4).normal(0, 80, size=shape)
    compare(image, np.ones(shape, bool), (3.0, 1.0, 1.2))


def test_a_single_slice(make_lesion, compare):
    noise, mask = make_lesion(5, (3, 20, 22), (9, 7, 8))
    compare(90 * noise[1:2], mask[1:2], (1.0, 0.7, 0.9))


def test_a_region_of_four_voxels(compare):
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, :2] = mask[0, 1, 1] = mask[1, 0, 1] = True
    compare(np.random.default_rng(6).normal(0, 80, size=mask.shape), mask, (3.0, 1.0, 1.5))


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.4, 0.7, 0.9])
@pytest.mark.parametrize("bin_width", [25, 300])
def test_ragged_masks_with_holes_and_separate_parts(compare, fraction, bin_width):
    generator = np.random.default_rng(7)
    mask = generator.random((8, 9, 10)) < fraction
    compare(generator.normal(0, 80, size=mask.shape), mask, (3.0, 1.0, 1.5), binWidth=bin_width)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_shape_of_a_single_slice(make_lesion, compare, axis):
    noise, mask = make_lesion(9, (3, 20, 22), (9, 7, 8))
    image, mask = np.moveaxis(90 * noise[1:2], 0, axis), np.moveaxis(mask[1:2], 0, axis)
    compare(image, mask, (1.3, 0.7, 0.9), families=PYRADIOMICS_FAMILIES, force2Ddimension=axis)


def test_rare_grey_levels_far_from_the_others(make_lesion, compare):
    noise, mask = make_lesion(8, (14, 22, 24), (5, 8, 9))
    rare = np.random.default_rng(8).random(noise.shape) < 0.002
    compare(np.where(rare, 5000.0, 100 * noise), mask, (0.8, 0.7, 0.9))
