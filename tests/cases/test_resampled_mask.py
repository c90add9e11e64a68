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


@pytest.fixture
def pet_ct(dicom_files, tmp_path):
    """A CT with a structure set, and a PET with other slices in the same frame of reference, nested or in one folder.

    Returns the paths of the image and the mask of the PET, and the region of the CT.
    """

    def write(flat):
        home = tmp_path / str(flat)
        ct, pet, outlines = (home, home, home) if flat else (home / "ct", home / "pet", home / "rs")
        random = np.random.default_rng(0)
        dicom_files.series(
            ct, random.integers(-1000, 1000, (8, 24, 28)), series="ct", names=[f"c{i}" for i in range(8)]
        )
        voxels = random.integers(0, 1000, (6, 12, 14))
        names = [f"p{i}" for i in range(6)]
        dicom_files.series(pet, voxels, (4.0, 1.6, 1.4), series="pet", modality="PT", names=names)
        square = np.array([(4.5, 5.5), (16.5, 5.5), (16.5, 14.5), (4.5, 14.5)]) * (0.7, 0.8)
        corner = np.array([-20, 10, 30])
        contours = [corner + np.column_stack([square, np.full(4, 2.5 * z)]) for z in range(1, 6)]
        mask = dicom_files.structure_set(outlines / "RS", {"GTV": contours}, series="ct")
        region = np.zeros((8, 24, 28), np.uint8)
        region[1:6, 6:15, 5:17] = 1
        return home / dicom_files.uid("P1", "pet") if flat else pet, mask, region

    return write


@pytest.mark.parametrize("flat", [False, True])
def test_contours_of_another_series_come_by_its_grid_on_request(pet_ct, flat):
    image, mask, region = pet_ct(flat)
    case = rd.Case(image, mask, "n-7", reading=rd.Reading(resample_mask=True, pet_unit="stored"))
    drawn, other = (sitk.GetImageFromArray(each) for each in (region, np.zeros((6, 12, 14), np.uint8)))
    for each, spacing in ((drawn, (0.7, 0.8, 2.5)), (other, (1.4, 1.6, 4.0))):
        each.SetSpacing(spacing)
        each.SetOrigin((-20, 10, 30))
    expected = sitk.GetArrayFromImage(sitk.Resample(drawn, other, sitk.Transform(), sitk.sitkNearestNeighbor))
    with pytest.warns(RadiodeepWarning, match=r"n-7: the mask was brought to the grid.*540 voxels \(756 mm³\) became"):
        np.testing.assert_array_equal(case.roi, expected == 1)
    with pytest.raises(GeometryMismatchError, match="28x24x8. Check that they belong together; resample_mask=True"):
        _ = case.replace(reading=rd.Reading(pet_unit="stored")).roi
    for path in image.parent.rglob("c*"):
        path.unlink() if path.is_file() else None
    missing = r"'GTV' has contours up to 0.5 of a slice beside the slices of the image: .* put it beside the file"
    with pytest.raises(GeometryMismatchError, match=missing):
        _ = rd.Case(image, mask, "n-7", reading=case.reading).roi
