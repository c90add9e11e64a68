"""Features of grey level dependences, by hand."""

import numpy as np
import pytest

from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.gldm import gldm_features


def features_of(neighbourhoods):
    return dict(zip(feature_names(["gldm"]), gldm_features(neighbourhoods), strict=True))


def test_a_row_of_four_voxels_gives_what_a_hand_gives(neighbourhoods_of):
    image = np.array([[[1, 1, 1, 2]]])  # dependences 2, 3, 2 of level 1, and 1 of level 2
    features = features_of(neighbourhoods_of(image, image > 0))
    assert features["gldm_SmallDependenceEmphasis"] == pytest.approx((1 / 4 + 1 / 9 + 1 / 4 + 1) / 4)
    assert features["gldm_LargeDependenceEmphasis"] == pytest.approx((4 + 9 + 4 + 1) / 4)
    assert features["gldm_DependenceVariance"] == pytest.approx(0.5)
    assert features["gldm_DependenceEntropy"] == pytest.approx(1.5)
    assert features["gldm_GrayLevelNonUniformity"] == pytest.approx((9 + 1) / 4)
    assert features["gldm_SmallDependenceHighGrayLevelEmphasis"] == pytest.approx((1 / 4 + 1 / 9 + 1 / 4 + 4) / 4)


def test_levels_up_to_alpha_apart_are_dependent(neighbourhoods_of):
    image = np.array([[[1, 2, 4]]])
    emphasis = [
        features_of(neighbourhoods_of(image, image > 0, alpha=alpha))["gldm_LargeDependenceEmphasis"]
        for alpha in (0, 1, 2)
    ]
    assert emphasis == pytest.approx([1, (4 + 4 + 1) / 3, (4 + 9 + 4) / 3])
