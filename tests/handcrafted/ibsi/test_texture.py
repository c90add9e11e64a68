"""Texture features of IBSI: published values, invariances, and where the standard leaves a feature undefined."""

import nibabel
import numpy as np
import pandas as pd
import pytest

from radiodeep.exceptions import EmptyMaskError, GeometryMismatchError, InputError
from radiodeep.handcrafted.ibsi.catalogue import AGGREGATIONS, IBSI_FEATURES, TEXTURE_FAMILIES, aggregation_suffix
from radiodeep.handcrafted.ibsi.texture import texture_features, texture_features_by_aggregation

N_FEATURES = {"glcm": 25, "glrlm": 16, "glszm": 16, "gldzm": 16, "ngtdm": 5, "ngldm": 17}
SLICES = tuple(name for name in AGGREGATIONS if not name.startswith("3D"))


def feature(values, tag):
    """Return a feature by its tag, without aggregation, from {family: values}."""
    (found,) = [item for item in IBSI_FEATURES if item.tag == tag]
    tags = [item.tag for item in IBSI_FEATURES if item.family == found.family]
    return values[found.family][tags.index(tag)]


def describe(levels, aggregation="3D_merged", n_levels=None, inside=None, slice_axis=0):
    """All families of one aggregation."""
    levels = np.asarray(levels)
    inside = levels > 0 if inside is None else inside
    return texture_features(levels, n_levels or levels.max(), inside, slice_axis, TEXTURE_FAMILIES, aggregation)


@pytest.fixture
def levels(rng):
    """Grey levels of a region with holes, in three slices and more."""
    levels = rng.integers(1, 6, size=(4, 7, 6)).astype(np.int32)
    levels[rng.random(levels.shape) < 0.2] = 0
    return levels


@pytest.fixture(scope="session")
def digital_phantom(reference_data):
    """Grey levels of the digital phantom of IBSI, and its mask."""
    folder = reference_data / "ibsi1" / "digital_phantom" / "nifti"
    image = np.asarray(nibabel.load(folder / "image" / "phantom.nii.gz").dataobj).T.astype(np.int32)
    inside = np.asarray(nibabel.load(folder / "mask" / "mask.nii.gz").dataobj).T > 0
    return image * inside, inside


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("family", TEXTURE_FAMILIES)
def test_digital_phantom_has_the_published_values(digital_phantom, repository, family, aggregation):
    table = pd.read_csv(repository / "data" / "reference" / "ibsi_1.csv").query("dataset == 'digital phantom'")
    published = dict(zip(table["tag"], table["value"], strict=True))  # exact but for rounding to three digits
    levels, inside = digital_phantom
    values = texture_features(levels, 6, inside, 0, (family,), aggregation)[family]
    suffix = aggregation_suffix(family, aggregation)
    tags = [f"{item.tag}_{suffix}" for item in IBSI_FEATURES if item.family == family]
    assert len(values) == len(tags) == N_FEATURES[family]
    assert {tag: float(f"{value:.3g}") for tag, value in zip(tags, values, strict=True)} == {
        tag: published[tag] for tag in tags
    }


def test_several_aggregations_at_once_are_those_of_each(levels):
    together = texture_features_by_aggregation(levels, 5, levels > 0, 0, TEXTURE_FAMILIES, tuple(AGGREGATIONS))
    assert list(together) == [(family, name) for family in TEXTURE_FAMILIES for name in AGGREGATIONS]
    for (family, name), values in together.items():
        own = texture_features(levels, 5, levels > 0, 0, (family,), name)[family]
        np.testing.assert_array_equal(values, own)


@pytest.mark.parametrize("slice_axis", [0, 1, 2])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_slices_may_lie_across_any_axis(levels, aggregation, slice_axis):
    expected = describe(levels, aggregation)
    values = describe(np.moveaxis(levels, 0, slice_axis), aggregation, slice_axis=slice_axis)
    for family in TEXTURE_FAMILIES:
        np.testing.assert_allclose(values[family], expected[family], rtol=1e-12)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_wider_image_changes_nothing(levels, aggregation):
    expected = describe(levels, aggregation)
    values = describe(np.pad(levels, ((2, 0), (1, 3), (0, 2))), aggregation)
    for family in TEXTURE_FAMILIES:
        np.testing.assert_array_equal(values[family], expected[family])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_levels_may_have_any_integer_type(levels, dtype):
    for family, values in describe(levels.astype(dtype)).items():
        np.testing.assert_array_equal(values, describe(levels)[family])


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("factor", [70, 700])
def test_levels_that_do_not_occur_change_no_size_and_no_run(levels, factor, aggregation):
    """Factors need 16-bit volumes, and sums of neighbours of 32 bits."""
    few, many = describe(levels, aggregation), describe(factor * levels, aggregation)
    for tag, power in {"cm_joint_avg": 1, "cm_contrast": 2, "rlm_hgre": 2, "szm_lgze": -2, "ngt_strength": 1}.items():
        assert feature(many, tag) == pytest.approx(feature(few, tag) * float(factor) ** power)
    for tag in ("cm_joint_entr", "rlm_lre", "szm_zs_var", "dzm_lde", "ngl_hde", "ngl_dc_energy"):
        assert feature(many, tag) == pytest.approx(feature(few, tag))


def test_distances_come_from_the_morphological_mask():
    levels = np.zeros((5, 5, 5), np.int32)
    levels[2, 2, 2] = 1
    assert feature(describe(levels), "dzm_lde") == 1
    assert feature(describe(levels, inside=np.ones(levels.shape, bool)), "dzm_lde") == 9
    levels = levels[2:3]
    in_slice = describe(levels, "2D_averaged", inside=np.ones(levels.shape, bool))
    assert feature(in_slice, "dzm_lde") == 9
    assert feature(describe(levels, inside=np.ones(levels.shape, bool)), "dzm_lde") == 1


@pytest.mark.parametrize("shape", [(1, 521, 525), (1, 5, 1200), (1, 507, 507), (1, 509, 509)])
def test_distances_may_be_long(shape):
    levels = np.ones(shape, np.int32)
    levels[0, shape[1] // 2, shape[2] // 2] = 2
    far = shape[1] // 2 + 1
    assert feature(describe(levels, "2.5D_merged"), "dzm_lde") == pytest.approx((1 + far**2) / 2)


def test_one_grey_level_is_flat(levels):
    flat = {name: describe((levels > 0).astype(np.int32), name) for name in AGGREGATIONS}
    for values in flat.values():
        assert all(np.isfinite(part).all() for part in values.values())
        assert feature(values, "cm_corr") == 1
        assert feature(values, "cm_info_corr1") == feature(values, "cm_info_corr2") == 0
        assert feature(values, "cm_joint_entr") == feature(values, "cm_inv_var") == 0
        assert list(values["ngtdm"]) == [1e6, 0, 0, 0, 0]


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_single_voxel_has_runs_zones_and_a_dependence(aggregation):
    values = describe(np.array([[[3]]]), aggregation)
    assert np.isnan(values["glcm"]).all()
    assert np.isnan(values["ngtdm"]).all()
    for family in ("glrlm", "glszm", "gldzm", "ngldm"):
        assert np.isfinite(values[family]).all()
        assert values[family][0] == 1  # one run, zone or dependence of size 1


@pytest.mark.parametrize("aggregation", SLICES)
def test_slices_without_the_region_are_left_out(levels, aggregation):
    apart = np.zeros((2 * len(levels), *levels.shape[1:]), np.int32)
    apart[::2] = levels
    for family, values in describe(apart, aggregation).items():
        np.testing.assert_allclose(values, describe(levels, aggregation)[family], rtol=1e-12)


@pytest.mark.parametrize("aggregation", ["2D_averaged", "2D_slice_merged"])
def test_a_slice_of_one_voxel_counts_only_where_it_is_defined(levels, aggregation):
    n_slices = len(levels)
    single = np.zeros((1, *levels.shape[1:]), np.int32)
    single[0, 3, 3] = 2
    alone, both = describe(levels, aggregation), describe(np.concatenate([levels, single]), aggregation)
    for family in ("glcm", "ngtdm"):
        np.testing.assert_allclose(both[family], alone[family], rtol=1e-12)
    for tag in ("rlm_sre", "szm_sze", "dzm_sde", "ngl_lde"):
        assert feature(both, tag) == pytest.approx((n_slices * feature(alone, tag) + 1) / (n_slices + 1))


def test_directions_without_pairs_are_left_out():
    row = np.array([[[1, 2, 2, 4]]])  # neighbours along x only
    averaged, merged = describe(row, "3D_averaged"), describe(row, "3D_merged")
    np.testing.assert_allclose(averaged["glcm"], merged["glcm"])
    assert feature(averaged, "cm_contrast") == pytest.approx(5 / 3)
    assert feature(averaged, "rlm_sre") == pytest.approx((12 + (2 + 1 / 4) / 3) / 13)  # runs exist in all 13


def test_voxels_without_neighbours_do_not_enter_the_tone_differences():
    pair = np.zeros((3, 5, 5), np.int32)
    pair[0, 0, :2] = 1, 3
    both = pair.copy()
    both[2, 4, 4] = 2
    np.testing.assert_allclose(describe(both)["ngtdm"], describe(pair)["ngtdm"])
    assert feature(describe(pair), "ngt_coarseness") == pytest.approx(1 / 2)


def test_busyness_is_0_if_its_denominator_is():
    row = np.array([[[1, 1, 2]]])  # 1 x 2/3 is 2 x 1/3
    assert feature(describe(row), "ngt_busyness") == 0


def test_no_voxel_is_an_error():
    nothing = np.zeros((2, 3, 3), np.int32)
    with pytest.raises(EmptyMaskError, match="The grey levels hold no voxel of the region"):
        describe(nothing, inside=nothing == 0, n_levels=2)
    with pytest.raises(EmptyMaskError, match="The mask holds no voxel"):
        describe(nothing, n_levels=2)


def test_levels_must_fit_the_mask(levels):
    inside = levels > 0
    inside[tuple(np.argwhere(levels)[30])] = False
    with pytest.raises(GeometryMismatchError, match="1 voxels outside the morphological mask"):
        describe(levels, inside=inside)
    with pytest.raises(GeometryMismatchError, match="must have one shape"):
        describe(levels, inside=np.ones((4, 7, 7), bool))


@pytest.mark.parametrize("level", [-1, 6])
def test_levels_must_be_in_range(levels, level):
    levels[0, :2, 0] = level
    with pytest.raises(InputError, match="from 1 to n_levels=5, 0 outside the region. Got 2 voxels"):
        describe(levels, n_levels=5, inside=np.ones(levels.shape, bool))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"families": ("glcm", "gldm")}, "'families' parameter of texture_features"),
        ({"aggregations": ("3D",)}, "'aggregations' parameter of texture_features"),
        ({"slice_axis": 3}, "'slice_axis' parameter of texture_features must be 0, 1 or 2"),
        ({"n_levels": 0}, "'n_levels' parameter of texture_features must be an int from 1 to 65535"),
        ({"levels": np.ones((3, 3))}, "must be an array of integers .* Got 2 dimensions of float64"),
        ({"levels": np.ones((3, 3, 3))}, "must be an array of integers .* Got 3 dimensions of float64"),
    ],
)
def test_settings_out_of_range_are_errors(levels, changed, message):
    settings = {"n_levels": 5, "slice_axis": 0, "families": ("glcm",), "aggregations": ("3D_merged",)}
    settings = {"levels": levels, "shape_mask": levels > 0, **settings, **changed}
    with pytest.raises(InputError, match=message):
        texture_features_by_aggregation(**settings)
