"""Shape, first order and texture by one compiled function, against the function of each family."""

import numpy as np
import pytest

from radiodeep.handcrafted.conventions import PYRADIOMICS
from radiodeep.handcrafted.first_order import first_order_features
from radiodeep.handcrafted.gray_levels import discretise
from radiodeep.handcrafted.kernels.whole_region import _covariance
from radiodeep.handcrafted.neighbours import Neighbourhoods
from radiodeep.handcrafted.region import crop_region, cut_region
from radiodeep.handcrafted.shape import shape_features
from radiodeep.handcrafted.texture import texture_features
from radiodeep.handcrafted.whole_region import WholeRegion, families_at_once

FAMILIES = ["shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"]
BINS = {"bin_width": 25.0, "bin_count": None, "max_gray_levels": 1024}


def _whole(families=FAMILIES, flat_axis=None, shift=0.0, **bins):
    return WholeRegion(families, {**BINS, **bins}, PYRADIOMICS, shift, True, 0, flat_axis)


@pytest.mark.parametrize("flat_axis", [None, 1])
@pytest.mark.parametrize("bins", [{}, {"bin_count": 8}, {"bin_width": 60.0}])
@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
def test_the_values_are_those_of_each_family(lesion, kind, bins, flat_axis):
    image, mask, spacing_mm = lesion
    image = image.astype(kind)
    whole = _whole(flat_axis=flat_axis, shift=3.0, **bins)
    values, n_levels = whole(cut_region(image, mask, spacing_mm))
    found = whole.by_family(values)
    region = crop_region(image, mask, spacing_mm, flat_axis=flat_axis)
    levels = discretise(region, **{**BINS, **bins})
    assert n_levels == levels.values.size
    np.testing.assert_array_equal(found["shape"], shape_features(region))
    np.testing.assert_array_equal(found["firstorder"], first_order_features(region, levels, voxel_array_shift=3.0))
    for family, expected in texture_features(Neighbourhoods(region, levels)).items():
        np.testing.assert_allclose(found[family], expected, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("families", [["shape"], ["firstorder"], ["shape", "firstorder"], FAMILIES[1:], FAMILIES[2:]])
def test_a_part_of_the_families_has_the_same_values(lesion, families):
    cut = cut_region(*lesion)
    whole = _whole(families)
    every = _whole()
    values, n_levels = whole(cut)
    known = every.by_family(every(cut)[0])
    np.testing.assert_array_equal(values, np.concatenate([known[family] for family in families]))
    assert (n_levels == 0) == (families == ["shape"])


def test_texture_is_measured_at_once_only_as_a_whole():
    assert families_at_once(["shape", "margin", "glcm", "glrlm"]) == ["shape"]
    assert families_at_once([*FAMILIES, "laws"]) == FAMILIES


def test_levels_without_voxels_are_skipped():
    image = np.where(np.indices((4, 5, 6)).sum(axis=0) % 3, 0.0, 500.0)
    mask = np.ones(image.shape, bool)
    values, n_levels = _whole()(cut_region(image, mask, (1, 1, 1)))
    assert n_levels == 2
    region = crop_region(image, mask, (1, 1, 1))
    levels = discretise(region)
    expected = np.concatenate(list(texture_features(Neighbourhoods(region, levels)).values()))
    np.testing.assert_allclose(values[32:], expected, rtol=1e-13)


def test_what_needs_the_function_of_a_family_is_left_to_it(lesion):
    image, mask, spacing_mm = lesion
    assert _whole(bin_width=2.0)(cut_region(image, mask, spacing_mm)) is None  # many levels
    assert _whole(bin_count=65)(cut_region(image, mask, spacing_mm)) is None  # one more than are measured here
    assert _whole(bin_count=64)(cut_region(image, mask, spacing_mm)) is not None
    row = np.zeros((1, 1, 9))
    assert _whole()(cut_region(row, row == 0, spacing_mm)) is None  # no neighbours along y and z
    pair = np.zeros((1, 1, 2))
    assert _whole(["firstorder"])(cut_region(pair, pair == 0, spacing_mm)) is None  # too few voxels
    for scale in (1e-75, 1e90):  # of intensities whose powers are beyond double precision
        assert _whole(["firstorder"], bin_count=8)(cut_region(image * scale, mask, spacing_mm)) is None


def test_sums_that_float64_would_round_are_refused():
    covariance = np.empty((3, 3))
    n = 2**20
    sums = np.array([n, 0, 0, 0, n, n, n, 0, 0, 0])
    assert _covariance(sums, covariance)
    np.testing.assert_array_equal(covariance, np.eye(3))
    assert not _covariance(sums * [1, 1, 1, 1, 1, 2**14, 1, 1, 1, 1], covariance)
