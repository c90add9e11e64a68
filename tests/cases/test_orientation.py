"""The same image stored along other axes is the same case; maps and masks go back into the order of the file."""

import pickle

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep import Case, read_cohort, write_cohort
from radiodeep.cases.cohort import Cohort
from radiodeep.exceptions import GeometryMismatchError

ORDERS = ("LPS", "RAS", "PSR", "SRP", "AIL")
SPACING = (2.5, 0.75, 0.5)  # (z, y, x), exact in every format
TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def lesion(shape=(6, 8, 10)):
    """Return an image and a mask without any symmetry."""
    image = np.random.default_rng(0).integers(-50, 200, shape).astype(np.int16)
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(size // 4, size // 4 + max(1, size // 2)) for size in shape)] = 1
    mask[tuple(size // 4 for size in shape)] = 0
    return image, mask


def rotated(degrees):
    turn = np.radians(degrees)
    return np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])


def nifti(array, path, order="LPS", direction=None, spacing=SPACING):
    """Write an array in anatomical order (z, y, x) as NIfTI, its axes stored in another order."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if direction is None else direction) * spacing[::-1]
    affine[:3, 3] = 12, -34, 56
    image = nibabel.Nifti1Image(array.transpose(2, 1, 0), TO_RAS @ affine)
    now = nibabel.orientations.io_orientation(image.affine)
    change = nibabel.orientations.ornt_transform(now, nibabel.orientations.axcodes2ornt(tuple(order)))
    nibabel.save(image.as_reoriented(change), path)
    return path


def stored(folder, order, mask_order=None, **how):
    image, mask = lesion()
    paths = (
        nifti(image, folder / f"{order}.nii", order, **how),
        nifti(mask, folder / "m.nii", mask_order or order, **how),
    )
    return Case(*paths, "n-7")


def assert_same(case, expected=None):
    image, mask = lesion() if expected is None else expected
    np.testing.assert_array_equal(case.voxels, image)
    np.testing.assert_array_equal(case.roi, mask > 0)
    assert case.voxels.flags.c_contiguous
    assert case.roi.flags.c_contiguous
    assert case.spacing_mm == SPACING


@pytest.mark.parametrize("order", ORDERS)
def test_a_nifti_file_is_read_in_anatomical_order(tmp_path, order):
    case = stored(tmp_path, order)
    assert_same(case)
    assert case.stored_axes().orientation == order
    assert case.stored_axes().is_anatomical == (order == "LPS")


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
@pytest.mark.parametrize("order", ORDERS)
def test_nrrd_and_metaimage_files_are_read_in_anatomical_order(tmp_path, order, suffix):
    for name, array in zip(("image", "mask"), lesion(), strict=True):
        volume = sitk.GetImageFromArray(array)
        volume.SetSpacing(SPACING[::-1])
        sitk.WriteImage(sitk.DICOMOrient(volume, order), str(tmp_path / f"{name}.{suffix}"))
    case = Case(tmp_path / f"image.{suffix}", tmp_path / f"mask.{suffix}", "n-7")
    assert_same(case)
    assert case.stored_axes().orientation == order


@pytest.mark.parametrize("order", ORDERS)
def test_an_oblique_image_goes_to_the_nearest_order(tmp_path, order):
    case = stored(tmp_path, order, direction=rotated(20), spacing=(2.5, 0.75, 0.75))
    np.testing.assert_array_equal(case.voxels, lesion()[0])
    assert case.spacing_mm == (2.5, 0.75, 0.75)
    assert case.stored_axes().orientation == order


@pytest.mark.parametrize("mask_direction", [np.eye(3), np.diag([-1, 1, -1]), np.eye(3)[[2, 0, 1]]])
def test_image_and_mask_between_two_orders_are_turned_alike(tmp_path, mask_direction):
    image, mask = lesion()
    paths = tmp_path / "i.nii", tmp_path / "m.nii"
    for path, array, noise, stored_as in ((paths[0], image, -1e-5, np.eye(3)), (paths[1], mask, 1e-5, mask_direction)):
        affine = np.eye(4)
        affine[:3, :3] = rotated(45 + noise)
        file = nibabel.Nifti1Image(array.transpose(2, 1, 0), TO_RAS @ affine)
        change = nibabel.orientations.io_orientation(nibabel.affines.from_matvec(stored_as))
        nibabel.save(file.as_reoriented(change), path)
    case = Case(*paths, "n-7")
    assert sorted(case.roi.shape) == sorted(image.shape)
    np.testing.assert_array_equal(np.sort(case.voxels[case.roi]), np.sort(image[mask > 0]))


def test_image_and_mask_may_be_stored_in_different_orders(tmp_path):
    case = stored(tmp_path, "RAS", mask_order="PSR")
    assert_same(case)
    assert case.stored_axes().orientation == "RAS"


def test_a_mask_elsewhere_in_space_is_refused_however_it_is_stored(tmp_path):
    image, mask = lesion()
    nifti(image, tmp_path / "i.nii", "RAS")
    nibabel.save(nibabel.Nifti1Image(mask.transpose(2, 1, 0), np.diag([-0.5, -0.75, 2.5, 1])), tmp_path / "zero.nii")
    with pytest.raises(GeometryMismatchError, match="n-7: image and mask lie up to 56 mm apart"):
        _ = Case(tmp_path / "i.nii", tmp_path / "zero.nii", "n-7").roi


@pytest.mark.parametrize("order", ORDERS)
def test_maps_and_masks_go_back_into_the_order_of_the_file(tmp_path, order):
    case = stored(tmp_path, order)
    in_file = np.asarray(nibabel.load(tmp_path / "m.nii").dataobj).transpose(2, 1, 0)
    axes = case.stored_axes()
    np.testing.assert_array_equal(axes.to_stored(case.roi), in_file > 0)
    np.testing.assert_array_equal(axes.to_anatomical(in_file), case.roi)
    for same in (case, case.in_memory(), pickle.loads(pickle.dumps(case.in_memory()))):
        again = same.in_stored_order()
        np.testing.assert_array_equal(again.roi, in_file > 0)
        np.testing.assert_array_equal(again.voxels, np.asarray(nibabel.load(case.image).dataobj).transpose(2, 1, 0))
        zooms = nibabel.load(case.image).header.get_zooms()
        assert again.spacing_mm == tuple(float(step) for step in zooms[::-1])
        assert again.stored_axes().is_anatomical


def test_an_array_beside_a_file_is_in_the_order_of_the_file(tmp_path):
    _, mask = lesion()
    case = stored(tmp_path, "PSR")
    in_file = case.in_stored_order()
    assert_same(case.replace(mask=in_file.roi))
    assert_same(case.replace(image=in_file.voxels, spacing_mm=in_file.spacing_mm))
    with pytest.raises(GeometryMismatchError, match="an array beside a file is in the order of the file"):
        _ = case.replace(mask=mask).roi
    assert_same(case.in_memory().replace(mask=case.mask))
    assert_same(case.in_memory().replace(image=case.image))


def test_arrays_are_taken_as_they_are(tmp_path):
    image, mask = lesion()
    assert_same(Case(image, mask, "n-7", spacing_mm=SPACING))
    assert_same(stored(tmp_path, "PSR").replace(image=image, mask=mask, spacing_mm=SPACING))


def test_the_spacing_of_a_file_is_compared_in_anatomical_order(tmp_path):
    case = stored(tmp_path, "PSR")
    assert_same(case.replace(spacing_mm=SPACING))
    with pytest.raises(GeometryMismatchError, match=r"'spacing_mm' says \(0\.5, 2\.5, 0\.75\), the file \(2\.5, 0\.75"):
        _ = case.replace(spacing_mm=(0.5, 2.5, 0.75)).voxels


def test_a_png_is_turned_with_its_mask_only(tmp_path):
    image, mask = (array.astype(np.uint8) for array in lesion((1, 8, 10)))
    sitk.WriteImage(sitk.GetImageFromArray(image[0]), str(tmp_path / "i.png"))
    sitk.WriteImage(sitk.GetImageFromArray(mask[0]), str(tmp_path / "m.png"))
    alone = Case(tmp_path / "i.png", tmp_path / "m.png", "p")
    np.testing.assert_array_equal(alone.voxels, image)
    assert alone.stored_axes().is_anatomical
    nibabel.save(nibabel.Nifti1Image(mask.transpose(2, 1, 0), np.diag([0.5, 0.5, 1, 1])), tmp_path / "m.nii")
    turned = alone.replace(mask=tmp_path / "m.nii", spacing_mm=(0.75, 0.5))
    np.testing.assert_array_equal(turned.voxels, image[:, ::-1, ::-1])
    np.testing.assert_array_equal(turned.roi, mask[:, ::-1, ::-1] > 0)
    assert turned.spacing_mm == (1.0, 0.75, 0.5)


@pytest.mark.parametrize(("plane", "shape"), [("axial", (1, 8, 10)), ("coronal", (6, 1, 10)), ("sagittal", (6, 8, 1))])
@pytest.mark.parametrize("order", ORDERS)
def test_the_slice_of_an_image_of_one_slice_comes_first(tmp_path, plane, shape, order):
    image, mask = lesion(shape)
    paths = nifti(image, tmp_path / "i.nii", order), nifti(mask, tmp_path / "m.nii", order)
    case = Case(*paths, plane)
    axis = shape.index(1)
    np.testing.assert_array_equal(case.voxels, np.moveaxis(image, axis, 0))
    np.testing.assert_array_equal(case.roi, np.moveaxis(mask, axis, 0) > 0)
    steps = np.delete(SPACING, axis)
    assert case.spacing_mm == (SPACING[axis], *steps)
    assert case.roi_size_mm == pytest.approx(mask.sum() * np.prod(steps))
    in_file = np.asarray(nibabel.load(paths[1]).dataobj).transpose(2, 1, 0)
    np.testing.assert_array_equal(case.stored_axes().to_stored(case.roi), in_file > 0)


def test_a_two_dimensional_nifti_file_is_turned_in_its_plane(tmp_path):
    image, mask = (array[0].T for array in lesion((1, 8, 10)))
    affine = np.array([[0, -0.5, 0, 1], [0, 0, 1, 2], [0.75, 0, 0, 3], [0, 0, 0, 1]])  # (S, L), a coronal slice
    for name, array in (("i", image), ("m", mask)):
        nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / f"{name}.nii")
    case = Case(tmp_path / "i.nii", tmp_path / "m.nii", "flat")
    np.testing.assert_array_equal(case.voxels, image[np.newaxis])
    assert case.spacing_mm == (1.0, 0.75, 0.5)
    assert case.stored_axes().orientation == "SLA"
    np.testing.assert_array_equal(case.stored_axes().to_stored(case.roi), mask.T[np.newaxis] > 0)


def test_the_hash_of_an_anatomical_file_is_that_of_its_arrays(tmp_path):
    image, mask = lesion()
    expected = Case(image, mask, "n-7", spacing_mm=SPACING).content_hash()
    anatomical, other = stored(tmp_path, "LPS"), stored(tmp_path, "PSR")
    assert anatomical.content_hash() == anatomical.in_memory().content_hash() == expected
    assert other.content_hash() == other.in_memory().content_hash() != expected


def test_a_cohort_of_files_in_any_order_is_written_and_read_again(tmp_path):
    cases = [stored(tmp_path, order).replace(id=order).in_memory() for order in ORDERS]
    again = read_cohort(write_cohort(Cohort(cases), tmp_path / "written"))
    for case in [*again, *(pickle.loads(pickle.dumps(case)) for case in again)]:
        assert_same(case)
