"""All texture families at once against each by itself."""

import numpy as np
import pytest

from radiodeep.handcrafted.measurement import region_features


@pytest.mark.parametrize("flat_axis", [None, 1])
@pytest.mark.parametrize("settings", [{}, {"symmetrical_glcm": False}, {"gldm_alpha": 1}, {"bin_width": 1}])
def test_all_families_at_once_are_what_they_are_one_by_one(image_and_mask, settings, flat_axis):
    image, mask = image_and_mask
    settings = {"bin_width": 2, "flat_axis": flat_axis, **settings}
    families = ["glcm", "glrlm", "glszm", "gldm", "ngtdm"]
    if flat_axis == 1 and mask.sum() < 10:
        return
    together = region_features(image, mask, (1, 1, 1), families=families, **settings)
    one_by_one = [region_features(image, mask, (1, 1, 1), families=[family], **settings) for family in families]
    np.testing.assert_allclose(together, np.concatenate(one_by_one), rtol=1e-13, atol=1e-300)
