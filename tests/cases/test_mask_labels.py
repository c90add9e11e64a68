"""The region of a mask of one or several labels."""

import numpy as np
import pytest

from radiodeep.cases.mask_labels import positive_labels, region_of
from radiodeep.exceptions import AmbiguousMaskError, EmptyMaskError, LabelNotFoundError, UnsupportedImageError

TWO_LABELS = np.array([[[0, 1, 1, 3]]])


@pytest.mark.parametrize("mask_label", [None, "any", 1])
def test_a_bool_mask_is_its_region(mask_label):
    mask = np.array([[[True, False]]])
    np.testing.assert_array_equal(region_of(mask, mask_label), mask)


def test_a_bool_mask_has_no_other_label_than_1():
    with pytest.raises(LabelNotFoundError, match=r"no voxel of label 2. It holds 1 \(1 voxels\)"):
        region_of(np.array([[[True, False]]]), 2)


@pytest.mark.parametrize(("mask_label", "expected"), [(1, [0, 1, 1, 0]), (3, [0, 0, 0, 1]), ("any", [0, 1, 1, 1])])
def test_a_label_chooses_its_voxels(mask_label, expected):
    np.testing.assert_array_equal(region_of(TWO_LABELS, mask_label).ravel(), np.array(expected) == 1)


def test_several_labels_need_a_choice():
    with pytest.raises(AmbiguousMaskError, match=r"several labels: 1 \(2 voxels\), 3 \(1 voxels\). Choose one"):
        region_of(TWO_LABELS)


@pytest.mark.parametrize("mask", [np.zeros((1, 2, 2)), np.zeros((1, 2, 2), bool), np.zeros((1, 2, 2), np.uint8)])
def test_a_mask_of_zeros_outlines_no_voxel(mask):
    with pytest.raises(EmptyMaskError, match="^the mask outlines no voxel"):
        region_of(mask)


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_a_soft_mask_is_refused(value):
    with pytest.raises(UnsupportedImageError, match="not whole numbers"):
        region_of(np.array([[[0, 1, value]]]))


def test_labels_are_counted():
    assert positive_labels(TWO_LABELS.astype(float)) == {1: 2, 3: 1}
    assert positive_labels(TWO_LABELS * 0) == {}
    with pytest.raises(UnsupportedImageError, match=r"negative values: -3 .1 voxels., -1 .2 voxels..*mask_label=-1"):
        positive_labels(-TWO_LABELS)
