"""The features of one region, whatever its place, type and neighbours."""

import numpy as np
import pytest

from radiodeep.exceptions import InputError, RoiTooSmallError
from radiodeep.handcrafted import measurement
from radiodeep.handcrafted.catalogue import DEFAULT_FAMILIES, FamilyGroup, feature_names
from radiodeep.handcrafted.measurement import region_features


def test_names_and_values_keep_the_catalogue_order_whatever_the_order_of_the_families(lesion):
    image, mask, spacing_mm = lesion
    everything = dict(zip(feature_names(), region_features(image, mask, spacing_mm), strict=True))
    chosen = ["glcm", "shape"]
    names = feature_names(chosen)
    assert names == [name for name in feature_names() if name.startswith(("glcm", "shape"))]
    values = region_features(image, mask, spacing_mm, families=chosen)
    np.testing.assert_array_equal(values, [everything[name] for name in names])


@pytest.mark.parametrize("families", [DEFAULT_FAMILIES, ["laws", "laws2D", "lbp2D", "lbp3D"]])
def test_values_do_not_depend_on_where_the_region_lies_nor_on_what_surrounds_it(lesion, families):
    image, mask, spacing_mm = lesion
    expected = region_features(image, mask, spacing_mm, families=families)
    padding = ((3, 0), (1, 5), (0, 2))
    moved = np.pad(np.where(mask, image, np.nan), padding, constant_values=np.inf)
    values = region_features(moved, np.pad(mask, padding), spacing_mm, families=families)
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_a_mask_of_ones_or_of_255_gives_what_a_boolean_mask_gives(lesion, dtype):
    image, mask, spacing_mm = lesion
    expected = region_features(image, mask, spacing_mm)
    for label in (1, 255):
        marked = np.where(mask, label, 0).astype(np.uint8).astype(dtype)
        np.testing.assert_array_equal(region_features(image, marked, spacing_mm), expected)


def test_memory_layout_does_not_matter(lesion):
    image, mask, spacing_mm = lesion
    expected = region_features(image, mask, spacing_mm)
    values = region_features(np.asfortranarray(image), np.asfortranarray(mask), spacing_mm)
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_lesion_keeps_its_values(lesion, axis):
    image, mask, spacing_mm = lesion
    values = region_features(np.flip(image, axis), np.flip(mask, axis), spacing_mm)
    np.testing.assert_allclose(values, region_features(image, mask, spacing_mm), rtol=1e-9)


def test_a_quarter_turn_in_the_slice_only_swaps_row_and_column(lesion):
    image, mask, spacing_mm = lesion
    turned = [np.rot90(array, axes=(1, 2)) for array in (image, mask)]
    values = dict(zip(feature_names(), region_features(*turned, np.array(spacing_mm)[[0, 2, 1]]), strict=True))
    row, column = "shape_Maximum2DDiameterRow", "shape_Maximum2DDiameterColumn"
    values[row], values[column] = values[column], values[row]
    expected = region_features(image, mask, spacing_mm)
    np.testing.assert_allclose(list(values.values()), expected, rtol=1e-9)


def test_a_shift_by_whole_bins_leaves_texture_and_shape_as_they_are(lesion):
    image, mask, spacing_mm = lesion
    whole = np.round(image)
    for families in ([family] for family in DEFAULT_FAMILIES if family != "firstorder"):
        expected = region_features(whole, mask, spacing_mm, families=families)
        values = region_features(whole - 300, mask, spacing_mm, families=families)
        np.testing.assert_array_equal(values, expected)


def test_every_numeric_type_of_an_integer_image_gives_the_same_values(lesion):
    image, mask, spacing_mm = lesion
    whole = np.clip(np.round(image / 4 + 128), 0, 255)
    expected = region_features(whole, mask, spacing_mm)
    for dtype in (np.uint8, np.int16, np.uint16, np.int64, np.float16, np.float32, ">i2"):
        values = region_features(whole.astype(dtype), mask, spacing_mm)
        np.testing.assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(1, 12, 11), (12, 1, 11), (12, 11, 1)])
def test_a_single_slice_works_in_every_orientation_and_up_to_the_border(shape):
    image = np.random.default_rng(0).normal(0, 60, size=shape)
    values = dict(zip(feature_names(), region_features(image, np.ones(shape, bool), (1, 1, 1)), strict=True))
    assert np.isfinite(list(values.values())).all()
    assert values["shape_LeastAxisLength"] == 0
    assert values["shape_MeshVolume"] == pytest.approx(1 / 6 + (11 + 10) / 2 + 11 * 10)


def test_one_grey_level_gives_the_agreed_values():
    image = np.full((4, 5, 6), 7.3)
    values = dict(zip(feature_names(), region_features(image, np.ones((4, 5, 6), bool), (1, 1, 1)), strict=True))
    for name in ("Correlation", "MCC", "JointEnergy", "Id", "Idm", "MaximumProbability"):
        assert values[f"glcm_{name}"] == 1
    for name in ("Imc1", "Imc2", "Contrast", "InverseVariance", "SumSquares"):
        assert values[f"glcm_{name}"] == 0
    for name in ("Skewness", "Kurtosis", "Variance", "Range", "MeanAbsoluteDeviation"):
        assert values[f"firstorder_{name}"] == 0
    assert values["ngtdm_Coarseness"] == 1e6
    for name in ("Busyness", "Complexity", "Contrast", "Strength"):
        assert values[f"ngtdm_{name}"] == 0
    for family in ("glrlm", "glszm", "gldm"):
        assert values[f"{family}_GrayLevelVariance"] == pytest.approx(0, abs=1e-12)
    assert values["glszm_ZonePercentage"] == 1 / 120
    assert values["glszm_ZoneEntropy"] == pytest.approx(0, abs=1e-12)
    assert values["gldm_LargeDependenceEmphasis"] > 8**2  # even a corner has 7 neighbours like it
    assert values["firstorder_Mean"] == 7.3
    assert values["firstorder_Uniformity"] == 1


def test_separate_parts_count_as_one_region():
    mask = np.zeros((5, 9, 9), bool)
    mask[1:4, 1:4, 1:4] = mask[1:4, 5:8, 5:8] = True
    image = np.random.default_rng(1).normal(0, 50, size=mask.shape)
    values = dict(zip(feature_names(), region_features(image, mask, (1, 1, 1)), strict=True))
    one = mask.copy()
    one[:, 5:, 5:] = False
    alone = dict(zip(feature_names(), region_features(image, one, (1, 1, 1)), strict=True))
    assert values["shape_MeshVolume"] == pytest.approx(2 * alone["shape_MeshVolume"])
    assert values["shape_SurfaceArea"] == pytest.approx(2 * alone["shape_SurfaceArea"])
    assert values["shape_Maximum3DDiameter"] > 1.5 * alone["shape_Maximum3DDiameter"]


@pytest.mark.parametrize("family", ["shape", "laws"])
def test_families_without_grey_levels_do_not_count_them(family):
    image = np.zeros((3, 3, 3))
    image[0, 0, 0] = 1e9
    values = region_features(image, image == image, (1, 1, 1), families=[family])
    assert values.shape == (14,)


def test_voxels_that_never_touch_have_no_texture():
    mask = np.zeros((1, 3, 3), bool)
    mask[0, ::2, ::2] = True
    with pytest.raises(RoiTooSmallError, match="No two of the region's 4 voxels are neighbours"):
        region_features(np.zeros(mask.shape), mask, (1, 1, 1))


@pytest.mark.parametrize("wrong", [(1, 1), (1, 0, 1), (1, -2, 1), (1, np.nan, 1), None, "1 1 1"])
def test_a_spacing_that_is_not_three_lengths_is_an_error(lesion, wrong):
    image, mask, _ = lesion
    with pytest.raises(InputError, match="'spacing_mm' parameter of crop_region must be three lengths > 0 in mm"):
        region_features(image, mask, wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distances": (0,)}, "'distances' parameter of region_features must be ints from 1 to 20"),
        ({"distances": 1}, "'distances' parameter of region_features must be ints from 1 to 20"),
        ({"weighting_norm": "l2"}, "'weighting_norm' parameter of region_features must be None or one of infinity"),
        ({"symmetrical_glcm": 1}, "'symmetrical_glcm' parameter of region_features must be True or False"),
        ({"gldm_alpha": -1}, "'gldm_alpha' parameter of region_features must be an int >= 0"),
        ({"flat_axis": 3}, "'flat_axis' parameter of crop_region must be None, 0, 1 or 2"),
        ({"families": ["shape2D"]}, "'shape2D' need to know the plane of the region"),
        ({"families": ["shape2D"], "flat_axis": 0}, "has 5 slices across axis 0"),
    ],
)
def test_a_setting_that_is_not_allowed_is_an_error_that_says_what_is(settings, message):
    image = np.zeros((5, 4, 3))
    with pytest.raises(InputError, match=message):
        region_features(image, image == 0, (1, 1, 1), **settings)


def test_families_of_the_group_are_measured_together_only_if_all_are_asked_for(lesion, monkeypatch):
    calls = []

    def measure_together(neighbourhoods, symmetrical, weighting_norm):
        calls.append((symmetrical, weighting_norm))
        return {"gldm": np.full(14, 1.0), "ngtdm": np.full(5, 2.0)}

    monkeypatch.setattr(measurement, "TEXTURE_GROUP", FamilyGroup(("gldm", "ngtdm"), measure_together))
    settings = {"families": ["gldm", "glszm", "ngtdm"], "symmetrical_glcm": False}
    values = region_features(*lesion, **settings)
    assert calls == [(False, None)]
    zones = region_features(*lesion, families=["glszm"])
    np.testing.assert_array_equal(values, [*zones, *np.full(14, 1.0), *np.full(5, 2.0)])
    region_features(*lesion, families=["gldm", "glszm"])
    assert len(calls) == 1
