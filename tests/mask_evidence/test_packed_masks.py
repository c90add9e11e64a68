"""Packed masks are the masks that were packed."""

import numpy as np
import pytest

from radiodeep.mask_evidence.packed_masks import PackedMask, PackedMasks


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 1.0])
def test_a_mask_comes_back_as_it_was(share):
    mask = np.random.default_rng(0).random((5, 11, 13)) < share
    packed = PackedMasks({"a": PackedMask.of(mask)})
    assert packed["a"].dtype == bool
    np.testing.assert_array_equal(packed["a"], mask)
    assert list(packed) == ["a"]
    assert len(packed) == 1


def test_only_the_box_about_the_region_takes_memory():
    mask = np.zeros((100, 100, 100), bool)
    mask[40:50, 40:50, 40:50] = True
    assert PackedMask.of(mask).bits.nbytes == 125
