"""Grey levels of the IBSI by hand, and the order of what is measured."""

import numpy as np
import pytest

from radiodeep.exceptions import InputError, TooManyGrayLevelsError
from radiodeep.handcrafted.ibsi.catalogue import AGGREGATIONS, IBSI_FAMILIES, ibsi_columns
from radiodeep.handcrafted.ibsi.measurement import discretise_region, ibsi_measurer
from radiodeep.handcrafted.ibsi.region import ibsi_region
from radiodeep.handcrafted.ibsi.volume_histogram import intensity_volume_histogram

BINS = {"bin_width": 25.0, "bin_count": None, "max_gray_levels": 1024}


def _row(values, inside=None):
    image = np.array([[values]], float)
    mask = np.ones(image.shape, bool) if inside is None else np.array([[inside]], bool)
    return ibsi_region(image, np.ones(image.shape, bool), mask, spacing_mm=(1, 1, 1))


@pytest.fixture(scope="module")
def region():
    image = np.random.default_rng(0).integers(-40, 160, (6, 9, 9)).astype(float)
    return ibsi_region(image, np.ones(image.shape, bool), image < 140, spacing_mm=(2, 1, 1))


@pytest.mark.parametrize(
    ("settings", "levels", "n_levels"),
    [
        ({"bin_width": 10}, [1, 1, 2, 4], 4),  # from the minimum, and an edge opens the next bin
        ({"bin_width": 10, "lowest": -20}, [2, 3, 3, 6], 6),  # from the lower bound
        ({"bin_width": 10, "lowest": -25.5}, [3, 4, 4, 6], 6),
        ({"bin_count": 3}, [1, 1, 1, 3], 3),  # the maximum belongs to the last
        ({"bin_count": 3, "lowest": -20}, [1, 1, 1, 3], 3),  # a number of bins spans the region
        ({"bin_count": 40}, [1, 11, 13, 40], 40),
    ],
)
def test_levels_by_hand(settings, levels, n_levels):
    found, highest, n_present = discretise_region(_row([-3.0, 6.0, 7.0, 30.0]), **settings)
    assert found.ravel().tolist() == levels
    assert (highest, n_present) == (n_levels, len(set(levels)))


def test_levels_of_whole_numbers_on_edges_of_bins_are_exact():
    for bin_count in (2, 7, 32, 49, 64):
        for spread in (10, 49, 98, 107, 161, 199):
            levels = discretise_region(_row(np.arange(spread + 1.0)), bin_count=bin_count)[0].ravel()
            expected = [min(bin_count * value // spread + 1, bin_count) for value in range(spread + 1)]
            assert levels.tolist() == expected


def test_an_intensity_has_the_same_level_whether_or_not_it_is_the_greatest():
    intensities = np.arange(40) / 10
    whole = discretise_region(_row(intensities), bin_width=0.1)[0].ravel()
    for size in range(1, 41):
        levels, n_levels, _ = discretise_region(_row(intensities[:size]), bin_width=0.1)
        assert levels.ravel().tolist() == whole[:size].tolist()
        assert n_levels == whole[size - 1]


def test_voxels_outside_the_intensity_mask_have_no_level_and_no_say():
    levels, n_levels, n_present = discretise_region(_row([-900, 0, 30, 60], [False, True, True, True]), bin_width=25)
    assert (levels.ravel().tolist(), n_levels, n_present) == ([0, 1, 2, 3], 3, 3)


def test_a_flat_region_has_one_level():
    levels, n_levels, n_present = discretise_region(_row([5.0, 5.0]), bin_count=8)
    assert (levels.ravel().tolist(), n_levels, n_present) == ([1, 1], 8, 1)


@pytest.mark.parametrize("settings", [{"bin_width": 0.01}, {"bin_count": 2000}, {"bin_width": 1, "lowest": -5000}])
def test_too_many_levels_are_an_error(settings):
    with pytest.raises(TooManyGrayLevelsError, match="grey levels. Expected at most 1024; take a larger bin_width"):
        discretise_region(_row([-3.0, 30.0]), **settings)


def test_values_come_in_the_order_of_the_columns(region):
    names = tuple(AGGREGATIONS)
    values, n_present = ibsi_measurer(families=IBSI_FAMILIES, aggregations=names, **BINS)(region, True)
    columns = ibsi_columns(aggregations=names)
    assert values.shape == (len(columns),)
    assert n_present == 8
    by_tag = {column.tag: value for column, value in zip(columns, values, strict=True)}
    for families, aggregations in ((("glcm",), ("3D_merged",)), (("ngldm", "morphology"), ("2.5D_merged",))):
        alone, _ = ibsi_measurer(families=families, aggregations=aggregations, **BINS)(region, True)
        tags = [column.tag for column in ibsi_columns(families, aggregations)]
        np.testing.assert_allclose(alone, [by_tag[tag] for tag in tags], rtol=1e-12)


def test_no_levels_are_made_for_families_that_need_none(region):
    settings = {**BINS, "bin_width": 1e-9}  # which would be too many
    values, n_present = ibsi_measurer(families=["intensity_statistics"], aggregations=(), **settings)(region, True)
    assert (values.size, n_present) == (18, 0)


def test_whole_numbers_are_counted_one_by_one_and_others_in_1000_bins(region):
    measure = ibsi_measurer(families=["intensity_volume_histogram"], aggregations=(), **BINS)
    np.testing.assert_array_equal(measure(region, True)[0], intensity_volume_histogram(region))
    np.testing.assert_array_equal(measure(region, False)[0], intensity_volume_histogram(region, bin_count=1000))
    given = ibsi_measurer(families=["intensity_volume_histogram"], aggregations=(), ivh_bin_width=2.5, **BINS)
    bounds = {"lowest": -50, "highest": 140}
    expected = intensity_volume_histogram(region, bin_width=2.5, **bounds)
    np.testing.assert_array_equal(given(region, False, -50, 140)[0], expected)


@pytest.mark.parametrize("changes", [{"bin_width": 0}, {"bin_count": 0}, {"max_gray_levels": 70000}])
def test_bins_out_of_range_are_an_error(changes):
    with pytest.raises(InputError, match=f"'{next(iter(changes))}' parameter of ibsi_measurer must be"):
        ibsi_measurer(families=["glcm"], aggregations=("3D_merged",), **{**BINS, **changes})
