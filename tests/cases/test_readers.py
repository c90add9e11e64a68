"""Files of every format come back as they were written; damaged ones are named."""

import gzip
import os

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from radiodeep.cases.formats import streams
from radiodeep.cases.readers import read_volume
from radiodeep.cases.volume import check_same_grid
from radiodeep.exceptions import (
    FileUnreadableError,
    GeometryMismatchError,
    ImageTooLargeError,
    TruncatedFileError,
    UnsupportedImageError,
)

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)
TURNED = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def write(path, voxels=VOXELS, spacing=(0.7, 0.8, 2.5), origin=(10.0, -20.0, 30.0), direction=None):
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction:
        image.SetDirection(direction)
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"])
def test_voxels_spacing_and_place_come_back(tmp_path, name):
    volume = read_volume(write(tmp_path / name, direction=TURNED))
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    np.testing.assert_allclose(volume.spacing_mm, (2.5, 0.8, 0.7), rtol=1e-6)
    np.testing.assert_allclose(volume.origin_mm, (10, -20, 30), atol=1e-5)
    np.testing.assert_allclose(volume.direction, np.reshape(TURNED, (3, 3)), atol=1e-6)


def test_a_nifti_and_an_nrrd_of_one_image_lie_on_one_grid(tmp_path):
    one = read_volume(write(tmp_path / "a.nii.gz", direction=TURNED))
    check_same_grid(one, read_volume(write(tmp_path / "a.nrrd", direction=TURNED)), "case")


def test_nifti_rescaling_is_applied(tmp_path):
    image = nibabel.Nifti1Image(VOXELS.astype(np.float32) / 4, np.diag([1, 1, 2, 1]))
    image.set_data_dtype(np.int16)
    nibabel.save(image, tmp_path / "scaled.nii.gz")
    volume = read_volume(tmp_path / "scaled.nii.gz")
    np.testing.assert_allclose(volume.voxels, (VOXELS / 4).transpose(2, 1, 0), atol=0.02)


def test_a_grey_png_is_one_slice_without_spacing(tmp_path):
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(tmp_path / "a.png")
    volume = read_volume(tmp_path / "a.png")
    assert volume.voxels.shape == (1, 6, 8)
    assert not volume.has_spacing


def test_a_four_dimensional_image_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3, 2)), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(UnsupportedImageError, match="split it into its time points"):
        read_volume(tmp_path / "a.nii")


def test_sheared_axes_are_refused(tmp_path):
    affine = np.eye(4)
    affine[0, 1] = 0.3
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3)), affine), tmp_path / "a.nii")
    with pytest.raises(UnsupportedImageError, match="sheared"):
        read_volume(tmp_path / "a.nii")


@pytest.mark.parametrize("content", [b"", b"id,image\n1,2\n" * 20, b"\x1f\x8bnot really gzip" * 10])
def test_what_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(content)
    with pytest.raises((FileUnreadableError, TruncatedFileError), match=r"'a\.nii\.gz'"):
        read_volume(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileUnreadableError, match="does not exist"):
        read_volume(tmp_path / "none.nii.gz")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pipe", "is not a regular file"),
        ("x" * 300 + ".nii", "cannot be opened: File name too long"),
        ("a\0b.nii", "does not exist"),
        (r"..\own\a.nii", "does not exist.* Its backslashes are no separators here; write '/'"),
    ],
)
def test_a_path_that_leads_to_no_file_is_named(tmp_path, name, message):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileUnreadableError, match=message):
        read_volume(tmp_path / name)


def test_a_png_of_more_pixels_than_are_allowed_is_refused(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((60, 80), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setenv("RADIODEEP_MAX_IMAGE_GIB", "1e-5")
    with pytest.raises(ImageTooLargeError, match=r"'a\.png' has 80x60x1 voxels .*at most 1e-05 GiB"):
        read_volume(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.png"])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.8, 0.97])
def test_a_truncated_file_never_gives_voxels(tmp_path, name, part):
    path = tmp_path / name
    if name.endswith("png"):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(path)
    else:
        write(path, np.random.default_rng(0).integers(-1000, 1000, (8, 30, 30)).astype(np.int16))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises((TruncatedFileError, FileUnreadableError), match=r"'a\."):
        read_volume(path)


def test_a_wrong_checksum_is_found(tmp_path):
    path = write(tmp_path / "a.nii.gz")
    data = bytearray(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=0))
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(TruncatedFileError, match="damaged"):
        read_volume(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"voxels": VOXELS[:4]}, "differ in size: the image has 7x6x5 voxels"),
        ({"origin": (11.0, -20.0, 30.0)}, r"up to 1 mm apart"),
        ({"spacing": (0.7, 0.8, 2.6)}, "0.4 mm apart"),
        ({"direction": TURNED}, "direction"),
    ],
)
def test_another_grid_is_refused_with_its_numbers(tmp_path, change, message):
    image = read_volume(write(tmp_path / "image.nrrd"))
    mask = read_volume(write(tmp_path / "mask.nrrd", **change))
    with pytest.raises(GeometryMismatchError, match=f"case 7: .*{message}"):
        check_same_grid(image, mask, "case 7")


def test_rounding_of_the_origin_is_allowed(tmp_path):
    image = read_volume(write(tmp_path / "image.nrrd"))
    check_same_grid(image, read_volume(write(tmp_path / "mask.nrrd", origin=(10.00002, -20.0, 30.0))), "case")


@pytest.mark.parametrize("with_isal", [True, False])
def test_gzip_is_read_alike_by_every_decoder_in_one_stream_or_several(tmp_path, monkeypatch, with_isal):
    if not with_isal:
        monkeypatch.setattr(streams, "isal_zlib", None)
    voxels = np.random.default_rng(0).integers(-100, 100, (4, 5, 6)).astype(np.int16)
    path = tmp_path / "image.nii.gz"
    nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), np.eye(4)), path)
    np.testing.assert_array_equal(read_volume(path).voxels, voxels)
    data = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(data[:400]) + gzip.compress(data[400:]))
    np.testing.assert_array_equal(read_volume(path).voxels, voxels)
    path.write_bytes(gzip.compress(data)[:-30])
    with pytest.raises(TruncatedFileError, match="cut short or damaged"):
        read_volume(path)
