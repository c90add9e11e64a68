"""Images, maps and regions as files."""

import numpy as np
import pytest

from radiodeep import Case, make_phantom_cohort, write_map, write_region
from radiodeep.exceptions import AmbiguousImageError, InputError, OutputError, UnsupportedImageError

OBLIQUE = np.array([[0.6, -0.8, 0.0], [0.64, 0.48, -0.6], [0.48, 0.36, 0.8]])  # columns: x, y and z index axes
DIRECTIONS = {
    "LPS": np.eye(3),
    "RAS": np.diag([-1.0, -1.0, 1.0]),
    "PIR": np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    "oblique": OBLIQUE,
}


@pytest.fixture
def stored_case(tmp_path):
    """Return a function that writes image and mask with SimpleITK, and returns the case of them."""
    import SimpleITK as sitk

    def write(direction, suffix=".nii.gz", shape=(4, 5, 6)):
        voxels = np.random.default_rng(0).integers(0, 100, shape).astype(np.int16)
        paths = []
        for name, array in (("image", voxels), ("mask", (voxels > 60).astype(np.uint8))):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing((0.7, 0.8, 2.5))
            image.SetOrigin((-20.0, 12.5, 30.0))
            image.SetDirection(direction.ravel())
            image.SetMetaData("aux_file", "Secret")
            paths.append(tmp_path / f"{name}{suffix}")
            sitk.WriteImage(image, str(paths[-1]))
        return Case(*paths, "n-7")

    return write


def same_place(first, second):
    """Return whether SimpleITK sees two files on one grid, and their voxels."""
    import SimpleITK as sitk

    first, second = sitk.ReadImage(str(first)), sitk.ReadImage(str(second))
    assert first.GetSize() == second.GetSize()
    last = [size - 1 for size in first.GetSize()]
    for index in ([0, 0, 0], last, [last[0], 0, last[2]]):
        positions = [each.TransformIndexToPhysicalPoint(index) for each in (first, second)]
        np.testing.assert_allclose(*positions, atol=1e-4)
    np.testing.assert_allclose(first.GetSpacing(), second.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(first.GetDirection(), second.GetDirection(), atol=1e-6)
    return sitk.GetArrayFromImage(first), sitk.GetArrayFromImage(second)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_a_map_lies_on_the_image_of_its_case_in_another_program(stored_case, tmp_path, direction, suffix):
    case = stored_case(direction)
    written = write_map(case, case.voxels.astype(float) / 2, tmp_path / f"map{suffix}")
    voxels, values = same_place(case.image, written)
    np.testing.assert_array_equal(values, voxels / 2)
    assert b"Secret" not in written.read_bytes()


def test_a_region_of_one_sagittal_slice_is_written_as_a_mask_in_the_order_of_its_file(stored_case, tmp_path):
    case = stored_case(DIRECTIONS["PIR"], shape=(1, 5, 6))  # z points to the right: one sagittal slice
    voxels, mask = same_place(case.image, write_region(case, tmp_path / "region.nii.gz"))
    np.testing.assert_array_equal(mask, voxels > 60)
    assert mask.dtype == np.uint8


def test_half_precision_which_no_format_has_becomes_single(stored_case, tmp_path):
    case = stored_case(np.eye(3))
    _, values = same_place(case.image, write_map(case, case.voxels.astype(np.float16), tmp_path / "map.mha"))
    assert values.dtype == np.float32


def test_the_map_of_a_picture_has_the_spacing_that_was_given(tmp_path):
    import SimpleITK as sitk

    pixels = np.arange(30, dtype=np.uint8).reshape(5, 6)
    for name in ("image", "mask"):
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(tmp_path / f"{name}.png"))
    case = Case(tmp_path / "image.png", tmp_path / "mask.png", "n-7", spacing_mm=(0.5, 0.25), mask_label="any")
    written = sitk.ReadImage(str(write_map(case, case.voxels > 3, tmp_path / "map.nii")))
    np.testing.assert_allclose(written.GetSpacing(), (0.25, 0.5, 1.0))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written)[0], pixels > 3)


def test_what_cannot_be_placed_is_an_error(stored_case, tmp_path):
    case = stored_case(np.eye(3))
    with pytest.raises(InputError, match=r"'path' parameter of write_map must be a file that ends in \.nii\.gz"):
        write_map(case, case.voxels, tmp_path / "map.png")
    with pytest.raises(InputError, match=r"'array' .* must be numbers of shape \(4, 5, 6\).* Got 'int16 of shape \(5"):
        write_map(case, case.voxels[0], tmp_path / "map.mha")
    with pytest.raises(InputError, match=r"'array' .* Got 'float128 of shape \(4, 5, 6\)'"):
        write_map(case, case.voxels.astype(np.longdouble), tmp_path / "map.mha")
    with pytest.raises(InputError, match=r"Maps and regions are those of a Case\. Got PosixPath instead"):
        write_region(case.image, tmp_path / "map.mha")
    with pytest.raises(InputError, match=r"'path' parameter of write_region must be .* \.mha or \.dcm"):
        write_region(case, tmp_path / "map.DCM")
    with pytest.raises(InputError, match=r"'array' .* Got '<U1 of shape \(4, 5, 6\)'"):
        write_map(case, np.full(case.roi.shape, "a"), tmp_path / "map.mha")
    with pytest.raises(InputError, match=r"phantom-000: the image is an array, whose place in space is unknown"):
        write_region(make_phantom_cohort(1, random_state=0)[0], tmp_path / "map.mha")
    with pytest.raises(UnsupportedImageError, match=r"n-7: the image is not in DICOM. Write the region as \.nii\.gz"):
        write_region(case, tmp_path / "map.dcm")
    with pytest.raises(InputError, match=r"'patient' parameter of write_region must be one of manifest, image"):
        write_region(case, tmp_path / "map.dcm", patient="me")
    both = Case({"T1": case.image, "T2": case.image}, case.mask, "n-8")
    with pytest.raises(AmbiguousImageError, match=r"n-8: the case has 2 images"):
        write_map(both, case.voxels, tmp_path / "map.mha")
    with pytest.raises(OutputError, match="cannot be written"):
        write_map(case, case.voxels, case.image / "map.mha")
