"""Masks on another grid come to that of their image by the nearest voxel, and say what that changed."""

import numpy as np
import pytest
import SimpleITK as sitk

import radiodeep as rd
from radiodeep.exceptions import GeometryMismatchError, RadiodeepWarning


def written(path, array, spacing, origin, angle=0.0):
    """Write an array (z, y, x) as NIfTI, turned about the z axis."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    cosine, sine = np.cos(angle), np.sin(angle)
    image.SetDirection([cosine, -sine, 0, sine, cosine, 0, 0, 0, 1])
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def other_grid(tmp_path):
    """An image, and a mask of two labels on an oblique grid of other voxels; SimpleITK knows both together."""
    random = np.random.default_rng(0)
    image = written(tmp_path / "image.nii.gz", random.normal(size=(12, 30, 32)), (1.0, 1.2, 2.5), (-10, 5, 0))
    labels = np.zeros((9, 25, 20), np.uint8)
    labels[2:7, 6:18, 5:15], labels[3:5, 8:12, 6:11] = 1, 2
    return image, written(tmp_path / "mask.nii.gz", labels, (1.3, 1.1, 3.1), (-2.0, 8.0, 1.0), 0.2)


def test_masks_on_another_grid_are_resampled_on_request_as_by_simpleitk(other_grid):
    image, mask = other_grid
    case = rd.Case(image, mask, "n-7", mask_label=2, reading=rd.Reading(resample_mask=True))
    expected = sitk.Resample(
        sitk.ReadImage(str(mask)), sitk.ReadImage(str(image)), sitk.Transform(), sitk.sitkNearestNeighbor
    )
    back = sitk.Resample(expected, sitk.ReadImage(str(mask)), sitk.Transform(), sitk.sitkNearestNeighbor)
    labels, after, stored = (sitk.GetArrayFromImage(each) for each in (back, expected, sitk.ReadImage(str(mask))))
    share = 100 * np.count_nonzero(labels != stored) / np.count_nonzero(stored)
    sentence = (
        r"n-7: the mask was brought to the grid of the image by the nearest voxel: 600 voxels \(2660 mm³\) became "
        rf"{np.count_nonzero(after)} \(.* mm³\); there and back, {share:.1f} % of the voxels of the region change"
    )
    assert share > 1
    with pytest.warns(RadiodeepWarning, match=sentence):
        np.testing.assert_array_equal(case.roi, after == 2)
    with pytest.raises(GeometryMismatchError, match="resample_mask=True"):
        _ = case.replace(reading=None).roi


def test_finer_voxels_change_nothing_and_coarser_ones_move_the_region(tmp_path):
    """By hand: of y = 2, 3 the coarse voxels keep 3, 4, a half of the region; and the single voxel is lost."""
    labels = np.zeros((4, 6, 6), np.uint8)
    labels[1:3, 2:4, 1:5], labels[1, 0, 0] = 1, 1
    mask = written(tmp_path / "mask.nii.gz", labels, (1, 1, 1), (0, 0, 0))
    fine = written(tmp_path / "fine.nii.gz", np.ones((8, 12, 12)), (0.5, 0.5, 0.5), (-0.25, -0.25, -0.25))
    coarse = written(tmp_path / "coarse.nii.gz", np.ones((2, 3, 3)), (2, 2, 2), (1, 1, 1))
    for image, share, n_after in ((fine, "0.0", 17 * 8), (coarse, "100.0", 2)):
        case = rd.Case(image, mask, "n-7", reading=rd.Reading(resample_mask=True))
        with pytest.warns(RadiodeepWarning, match=rf"17 voxels .* became {n_after} .* back, {share} % of the voxels"):
            assert case.roi.sum() == n_after
