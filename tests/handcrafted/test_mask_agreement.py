"""The agreement of masks is that of MONAI, of SimpleITK, and of a slow plain version."""

import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.distance import cdist

from radiodeep import compare_masks
from radiodeep.exceptions import InputError
from radiodeep.handcrafted.mask_agreement import MEASURES, surface_distances

NONE = np.zeros((4, 5, 6), bool)
BOX = NONE.copy()
BOX[1:3, 1:4, 1:4] = True


def blobs(shape=(9, 14, 12), seed=0):
    """Return two overlapping ellipsoids with lonely voxels, one of them at the border of the array."""
    z, y, x = np.indices(shape)
    first = (z - 4) ** 2 * 3 + (y - 6) ** 2 + (x - 5) ** 2 < 22
    second = (z - 4) ** 2 * 2 + (y - 5) ** 2 + (x - 7) ** 2 < 27
    second |= np.random.default_rng(seed).random(shape) < 0.004
    second[0, 0, 0] = True
    return first, second


def slow_surface(mask):
    """Return the places of the voxels of a mask with a neighbour outside, across a face."""
    padded = np.pad(mask, 1)
    steps = [sign * step for step in np.eye(mask.ndim, dtype=int) for sign in (-1, 1)]
    return np.array([place for place in np.argwhere(mask) if not all(padded[tuple(place + 1 + s)] for s in steps)])


@pytest.mark.parametrize("spacing_mm", [(3.0, 0.7, 0.7), (1.0, 1.0, 1.0), (0.5, 2.0, 1.1)])
def test_distances_are_those_of_all_pairs_of_surface_voxels(spacing_mm):
    masks = blobs()
    places = [slow_surface(mask) * spacing_mm for mask in masks]
    pairs = cdist(*places)
    there, back = surface_distances(*masks, spacing_mm)
    np.testing.assert_allclose(there, pairs.min(axis=1), rtol=1e-12)
    np.testing.assert_allclose(back, pairs.min(axis=0), rtol=1e-12)
    found = compare_masks(*masks, spacing_mm, tolerance_mm=2)
    both = np.concatenate([there, back])
    assert found["hd95_mm"] == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
    assert found["surface_distance_mm"] == pytest.approx(both.mean())
    assert found["surface_dice"] == pytest.approx((both <= 2).mean())


@pytest.mark.slow
@pytest.mark.parametrize("spacing_mm", [(3.0, 0.7, 0.7), (0.5, 2.0, 1.1)])
def test_distances_are_those_of_monai(spacing_mm):
    metrics, torch = pytest.importorskip("monai.metrics"), pytest.importorskip("torch")
    first, second = blobs()
    found = compare_masks(first, second, spacing_mm, tolerance_mm=1.5)
    given = [torch.from_numpy(mask[np.newaxis, np.newaxis].astype(np.float32)) for mask in (second, first)]
    same = {"spacing": spacing_mm, "include_background": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of MONAI about itself
        of_monai = {
            "hd95_mm": metrics.compute_hausdorff_distance(*given, percentile=95, **same),
            "surface_distance_mm": metrics.compute_average_surface_distance(*given, symmetric=True, **same),
            "surface_dice": metrics.compute_surface_dice(*given, [1.5], **same),
        }
    for name, value in of_monai.items():
        assert found[name] == pytest.approx(value.item(), rel=1e-5), name


@pytest.mark.parametrize("spacing_mm", [(3.0, 0.7, 0.7), (0.5, 2.0, 1.1)])
def test_overlap_and_largest_distance_are_those_of_simpleitk(spacing_mm):
    first, second = blobs()
    found = compare_masks(first, second, spacing_mm)
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (first, second)]
    for image in images:
        image.SetSpacing(spacing_mm[::-1])
    overlap, largest = sitk.LabelOverlapMeasuresImageFilter(), sitk.HausdorffDistanceImageFilter()
    overlap.Execute(*images)
    largest.Execute(*images)
    assert found["dice"] == pytest.approx(overlap.GetDiceCoefficient(), rel=1e-12)
    assert found["jaccard"] == pytest.approx(overlap.GetJaccardCoefficient(), rel=1e-12)
    distances = np.concatenate(surface_distances(first, second, spacing_mm))
    assert distances.max() == pytest.approx(largest.GetHausdorffDistance(), rel=1e-6)
    assert found["volume_error"] == pytest.approx(second.sum() / first.sum() - 1, rel=1e-12)


def test_the_order_of_masks_changes_the_volume_error_alone():
    first, second = blobs()
    one, other = compare_masks(first, second, (2, 1, 1)), compare_masks(second, first, (2, 1, 1))
    assert 1 + other.pop("volume_error") == pytest.approx(1 / (1 + one.pop("volume_error")))
    assert other == pytest.approx(one)


def test_empty_masks_have_the_values_of_the_documentation():
    agree, nothing_found, all_wrong = (
        tuple(compare_masks(*pair, (1, 1, 1)).values()) for pair in ((NONE, NONE), (BOX, NONE), (NONE, BOX))
    )
    assert agree == (1, 1, 0, 0, 1, 0)
    assert nothing_found == (0, 0, np.inf, np.inf, 0, -1)
    assert all_wrong == (0, 0, np.inf, np.inf, 0, np.inf)
    assert list(compare_masks(BOX, BOX, (1, 1, 1)).values()) == list(agree)
    assert tuple(compare_masks(BOX, BOX, (1, 1, 1))) == MEASURES


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_surface_of_an_image_of_one_slice_is_the_outline_in_the_slice(axis):
    first, second = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    first[1:8, 1:8] = second[2:8, 1:8] = True
    plane = compare_masks(first, second, (2.0, 3.0), tolerance_mm=0)
    spacing_mm = np.insert([2.0, 3.0], axis, 50.0)
    assert compare_masks(np.expand_dims(first, axis), np.expand_dims(second, axis), spacing_mm, 0) == plane
    # outlines of 24 and 22 pixels, of which 17 lie in the same place; a slab of voxels would have no inside
    assert plane["surface_dice"] == pytest.approx((17 + 17) / 46)
    assert compare_masks(np.ones((1, 1, 1)), np.ones((1, 1, 1)), (1, 1, 1))["dice"] == 1


def test_surfaces_within_the_tolerance_agree_whatever_the_rounding():
    moved = np.roll(BOX, 1, axis=2)
    assert compare_masks(BOX, moved, (1, 1, 0.1), tolerance_mm=0.1)["surface_dice"] == 1
    first, second = np.zeros((1, 8), bool), np.zeros((1, 8), bool)
    first[0, 0] = second[0, 3] = True  # three steps of 0.1 are more than 0.3
    assert compare_masks(first, second, (1, 0.1), tolerance_mm=0.3)["surface_dice"] == 1
    assert compare_masks(first, second, (1, 0.1), tolerance_mm=0.29)["surface_dice"] == 0


def test_what_are_no_masks_of_one_image_is_refused():
    with pytest.raises(InputError, match=r"one shape.*Got \(4, 5, 6\) and \(5, 6\); resample"):
        compare_masks(NONE, NONE[0], (1, 1, 1))
    with pytest.raises(InputError, match="'spacing_mm' parameter of compare_masks must be 3 numbers > 0"):
        compare_masks(NONE, NONE, (1, 1))
    with pytest.raises(InputError, match="'tolerance_mm' parameter of compare_masks must be a number >= 0"):
        compare_masks(NONE, NONE, (1, 1, 1), tolerance_mm=-1)
    labels = np.arange(120).reshape(NONE.shape) % 3
    with pytest.raises(InputError, match="'second' parameter of compare_masks must be a mask of bools"):
        compare_masks(NONE, labels, (1, 1, 1))
    assert compare_masks(BOX * 255, BOX.astype(float), (1, 1, 1))["dice"] == 1
