"""What a NIfTI header says about place, units and length is taken at its word, or refused."""

import gzip
import tracemalloc

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep import Case
from radiodeep.cases.readers import read_volume
from radiodeep.exceptions import (
    FileUnreadableError,
    ImageTooLargeError,
    InputError,
    TruncatedFileError,
    UnsupportedImageError,
)

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)  # (z, y, x)
AFFINE = np.array([[0.7, 0, 0, -10.0], [0, 0.8, 0, 20.0], [0, 0, 2.5, 30.0], [0, 0, 0, 1]])


def write(path, kind=nibabel.Nifti1Image, affine=AFFINE, **fields):
    """Write a NIfTI file whose header fields are changed afterwards, `pixdim` and `dim` without their first number."""
    image = kind(VOXELS.transpose(2, 1, 0), affine)
    data = bytearray(image.to_bytes())
    header = np.ndarray((), image.header.template_dtype, data)
    for name, value in fields.items():
        if name in ("pixdim", "dim"):
            header[name][1:4] = value
        else:
            header[name] = value
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else bytes(data))
    return path


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize(("unit", "scale"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)])
def test_units_of_length_become_millimetres(tmp_path, kind, unit, scale):
    path = write(tmp_path / "a.nii", kind, xyzt_units=unit + 8)  # 8: seconds, for time
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    np.testing.assert_allclose(volume.spacing_mm, np.array([2.5, 0.8, 0.7]) * scale, rtol=1e-6)
    np.testing.assert_allclose(volume.origin_mm, np.array([10, -20, 30]) * scale, rtol=1e-6)
    if kind is nibabel.Nifti1Image:  # ITK knows no NIfTI-2 of several units
        np.testing.assert_allclose(volume.spacing_mm[::-1], sitk.ReadImage(str(path)).GetSpacing(), rtol=1e-5)


def test_an_image_in_metres_and_its_mask_in_millimetres_are_one_case(tmp_path):
    metres = AFFINE.copy()
    metres[:3] /= 1000
    image = write(tmp_path / "image.nii", affine=metres, xyzt_units=1)
    case = Case(image, write(tmp_path / "mask.nii"), "c", mask_label=int(VOXELS[2, 2, 2]))
    np.testing.assert_allclose(case.spacing_mm, (2.5, 0.8, 0.7), rtol=1e-5)


@pytest.mark.parametrize("steps", [(0, 0.8, 2.5), (0, 0, 0), (-0.7, 0.8, 2.5), (np.nan, 0.8, 2.5)])
@pytest.mark.parametrize("qform", [0, 1])
def test_voxel_sizes_that_are_not_above_zero_are_refused_without_an_sform(tmp_path, steps, qform):
    path = write(tmp_path / "a.nii.gz", pixdim=steps, qform_code=qform, sform_code=0)
    with pytest.raises(UnsupportedImageError, match=r"'a\.nii\.gz' has the voxel sizes .* in the field pixdim"):
        read_volume(path)


def test_an_sform_stands_for_voxel_sizes_of_zero(tmp_path):
    volume = read_volume(write(tmp_path / "a.nii", pixdim=(0, 0, 0), sform_code=1))
    np.testing.assert_allclose(volume.spacing_mm, (2.5, 0.8, 0.7), rtol=1e-6)


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_absurd_voxel_sizes_are_refused(tmp_path, size):
    path = write(tmp_path / "a.nii", pixdim=(size, 1, 1), qform_code=1, sform_code=0)
    with pytest.raises(UnsupportedImageError, match=r"has voxels of \(1e[+-]30, 1, 1\) mm .* field pixdim"):
        read_volume(path)


@pytest.mark.parametrize("offset", [0, 100, -352, 1e20, np.nan])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_voxels_that_would_begin_in_the_header_are_refused(tmp_path, name, offset):
    with pytest.raises(FileUnreadableError, match=r"begin at byte .* \(vox_offset\). Expected 352 or more"):
        read_volume(write(tmp_path / name, vox_offset=offset))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_header_of_a_huge_image_is_refused_before_memory_is_taken(tmp_path, name):
    path = write(tmp_path / name, dim=(32767, 32767, 32767))
    tracemalloc.start()
    with pytest.raises(ImageTooLargeError, match=r"32767x32767x32767 voxels .* Expected at most 8 GiB"):
        read_volume(path)
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("several_streams", [False, True])
def test_data_after_the_voxels_are_refused_before_they_are_decoded(tmp_path, name, several_streams):
    path = write(tmp_path / name)
    bomb = bytes(30_000_000)
    if name.endswith("gz") and not several_streams:
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bomb, 1))
    else:
        path.write_bytes(path.read_bytes() + (gzip.compress(bomb, 1) if name.endswith("gz") else bomb))
    tracemalloc.start()
    with pytest.raises(TruncatedFileError, match="holds more data than its header announces .772 bytes."):
        read_volume(path)
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_few_zeros_after_the_voxels_are_padding(tmp_path, name):
    path = write(tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(gzip.compress(gzip.decompress(data) + bytes(512)) if name.endswith("gz") else data + bytes(512))
    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


def test_one_slice_too_few_in_the_header_is_an_error(tmp_path):
    with pytest.raises(TruncatedFileError, match="holds more data than its header announces"):
        read_volume(write(tmp_path / "a.nii", dim=(7, 6, 4)))


def test_half_of_a_pair_is_refused(tmp_path):
    with pytest.raises(UnsupportedImageError, match="half of a pair of .hdr and .img"):
        read_volume(write(tmp_path / "a.nii", magic=b"ni1"))


@pytest.mark.parametrize("fields", [{"datatype": 7}, {"dim": (-1, 2, 3)}, {"magic": b"abc"}, {"sizeof_hdr": 1}])
def test_a_damaged_header_is_named(tmp_path, fields):
    with pytest.raises(InputError, match=r"'a\.nii' has (a|no) NIfTI header"):
        read_volume(write(tmp_path / "a.nii", **fields))


def with_srow(path, affine, **fields):
    rows = {f"srow_{axis}": row for axis, row in zip("xyz", np.asarray(affine)[:3], strict=True)}
    return write(path, sform_code=1, **rows, **fields)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_an_affine_with_an_axis_of_length_zero_is_refused(tmp_path, column):
    affine = AFFINE.copy()
    affine[:, column] = 0
    with pytest.raises(UnsupportedImageError, match=r"'a\.nii' has an affine with an axis of length zero"):
        read_volume(with_srow(tmp_path / "a.nii", affine))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0), (2, 1), (1, 3)])
def test_an_affine_that_is_not_finite_is_refused(tmp_path, place, value):
    affine = AFFINE.copy()
    affine[place] = value
    with pytest.raises(UnsupportedImageError, match=r"'a\.nii' has an affine with values that are not finite"):
        read_volume(with_srow(tmp_path / "a.nii", affine))


def test_the_spacing_is_that_of_pixdim_where_the_affine_differs_by_rounding_only(tmp_path):
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    oblique = (turn @ AFFINE).astype(np.float32)
    volume = read_volume(with_srow(tmp_path / "a.nii", oblique))
    assert volume.spacing_mm == tuple(float(np.float32(step)) for step in (2.5, 0.8, 0.7))
    np.testing.assert_allclose(volume.direction, (np.diag([-1, -1, 1]) @ turn[:3, :3]), atol=1e-6)
    other = read_volume(with_srow(tmp_path / "b.nii", oblique, pixdim=(0.70001, 0.8, 2.5)))
    assert other.spacing_mm[2] == pytest.approx(0.7, abs=1e-6)
    assert other.spacing_mm[2] != float(np.float32(0.70001))


def test_a_file_with_neither_sform_nor_qform_has_no_position(tmp_path):
    codes = [(0, 0, False), (1, 0, True), (0, 1, True)]
    for sform, qform, has_position in codes:
        volume = read_volume(write(tmp_path / "a.nii", sform_code=sform, qform_code=qform))
        assert volume.has_position == has_position
