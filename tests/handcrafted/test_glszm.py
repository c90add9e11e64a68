"""Zones against those that scipy finds, and their features by hand."""

import numpy as np
import pytest
from scipy import ndimage

from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.glszm import glszm_features, zone_table


@pytest.mark.parametrize("flat_axis", [None, 0, 1])
def test_zones_are_those_of_scipy(image_and_mask, neighbourhoods_of, flat_axis):
    image, mask = image_and_mask
    neighbourhoods = neighbourhoods_of(image, mask, flat_axis)
    neighbours = np.ones((3, 3, 3), bool)
    if flat_axis is not None:
        neighbours = np.moveaxis(neighbours, flat_axis, 0)
        neighbours[[0, 2]] = False
        neighbours = np.moveaxis(neighbours, 0, flat_axis)
    table, sizes = zone_table(neighbourhoods)
    for row, level in zip(table, neighbourhoods.levels.values + image[mask].min() - 1, strict=True):
        labels, _ = ndimage.label(mask & (image == level), neighbours)
        expected = np.bincount(np.bincount(labels.ravel())[1:])
        np.testing.assert_array_equal(row, [expected[int(s)] if s < expected.size else 0 for s in sizes])


def test_four_zones_give_what_a_hand_gives(neighbourhoods_of):
    image = np.array([[[1, 1, 2, 1], [2, 2, 2, 3]]])  # zones: 2 voxels of level 1, 4 of 2, 1 of 1, 1 of 3
    table, sizes = zone_table(neighbourhoods_of(image, image > 0))
    assert sizes.tolist() == [1, 2, 4]
    assert table.tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]
    values = glszm_features(neighbourhoods_of(image, image > 0))
    features = dict(zip(feature_names(["glszm"]), values, strict=True))
    assert features["glszm_SmallAreaEmphasis"] == pytest.approx((1 + 1 + 1 / 4 + 1 / 16) / 4)
    assert features["glszm_LargeAreaEmphasis"] == pytest.approx((4 + 16 + 1 + 1) / 4)
    assert features["glszm_ZonePercentage"] == pytest.approx(4 / 8)
    assert features["glszm_ZoneVariance"] == pytest.approx(1.5)
    assert features["glszm_ZoneEntropy"] == pytest.approx(2)
    assert features["glszm_GrayLevelNonUniformity"] == pytest.approx((4 + 1 + 1) / 4)
    assert features["glszm_LargeAreaHighGrayLevelEmphasis"] == pytest.approx((4 + 64 + 1 + 9) / 4)
