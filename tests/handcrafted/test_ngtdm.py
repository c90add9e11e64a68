"""Features of neighbouring grey tone differences, by hand."""

from itertools import product

import numpy as np
import pytest

from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.measurement import region_features
from radiodeep.handcrafted.ngtdm import ngtdm_features


def test_a_row_of_three_voxels_gives_what_a_hand_gives(neighbourhoods_of):
    image = np.array([[[1, 2, 4]]])  # differences from the mean of the neighbours: 1, 0.5, 2; each p is 1/3
    values = ngtdm_features(neighbourhoods_of(image, image > 0))
    features = dict(zip(feature_names(["ngtdm"]), values, strict=True))
    assert features["ngtdm_Coarseness"] == pytest.approx(1 / (3.5 / 3))
    assert features["ngtdm_Busyness"] == pytest.approx((3.5 / 3) / (2 * (1 + 3 + 2) / 3))
    assert features["ngtdm_Contrast"] == pytest.approx(2 * (1 + 9 + 4) / 9 / 6 * 3.5 / 3)
    assert features["ngtdm_Complexity"] == pytest.approx(2 * (1 * 1.5 / 2 + 3 * 3 / 2 + 2 * 2.5 / 2) / 3)
    assert features["ngtdm_Strength"] == pytest.approx(2 * 2 / 3 * (1 + 9 + 4) / 3.5)


def test_many_levels_and_neighbours_do_not_overflow_16_bits():
    image = np.full((9, 9, 9), 60000)
    image[0, 0, 0] = 1
    values = region_features(
        image, image > 0, (1, 1, 1), families=["ngtdm"], bin_width=1, max_gray_levels=65534, distances=(2,)
    )
    coarseness = values[feature_names(["ngtdm"]).index("ngtdm_Coarseness")]
    near = np.abs(np.argwhere(image > 0)).max(axis=1) == 2  # the 19 voxels at distance 2 of the corner
    neighbours = [
        sum(all(0 <= p + d < 9 for p, d in zip(place, step, strict=True)) for step in product(range(-2, 3), repeat=3))
        - sum(all(0 <= p + d < 9 for p, d in zip(place, step, strict=True)) for step in product(range(-1, 2), repeat=3))
        for place in np.argwhere(image > 0)[near]
    ]
    apart = 59999 * sum(1 / n for n in neighbours)
    assert coarseness == pytest.approx(1 / (59999 / 729 + apart * 728 / 729), rel=1e-12)
