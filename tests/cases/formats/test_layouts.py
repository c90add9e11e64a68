"""Voxels of NRRD and MetaImage files, in one file or several, against SimpleITK; checksums; files that headers name."""

import gzip
import os
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep.cases.readers import read_volume
from radiodeep.exceptions import (
    FileUnreadableError,
    ImageTooLargeError,
    TruncatedFileError,
    UnsupportedImageError,
)

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)  # (z, y, x)
LITTLE, BIG = VOXELS.astype("<i2").tobytes(), VOXELS.astype(">i2").tobytes()
ASCII = " ".join(map(str, VOXELS.ravel())).encode()
NRRD = "NRRD0004\n# made by hand\ntype: short\ndimension: 3\nsizes: 7 6 5\nspacings: 1 1 2\n{fields}"
META = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\n{fields}DimSize = {sizes}\nElementSpacing = 1 1 2\n"
    "ElementType = MET_SHORT\nElementDataFile = {data_file}\n"
)


def write(folder, name, header, files=None):
    for data_file, data in (files or {}).items():
        (folder / data_file).write_bytes(data)
    (folder / name).write_bytes(header if isinstance(header, bytes) else header.encode())
    return folder / name


def nrrd(fields):
    return NRRD.format(fields=fields)


def meta(data_file, fields="", sizes="7 6 5"):
    return META.format(data_file=data_file, fields=fields, sizes=sizes)


def compressed(data):
    return f"CompressedData = True\nCompressedDataSize = {len(data)}\n"


GZIPPED = gzip.compress(LITTLE)
SLICES = {f"s{z}.raw": VOXELS[z].astype("<i2").tobytes() for z in range(5)}
FORMS = {
    "raw": ("a.nrrd", nrrd("encoding: raw\nendian: little\n\n").encode() + LITTLE, {}),
    "windows lines": ("a.nrrd", nrrd("encoding: raw\nendian: big\n\n").replace("\n", "\r\n").encode() + BIG, {}),
    "gzip": ("a.nrrd", nrrd("encoding: gz\nendian: big\n\n").encode() + gzip.compress(BIG), {}),
    "ascii": ("a.nrrd", nrrd("encoding: ascii\n\n").encode() + ASCII, {}),
    "capitals": ("a.nrrd", nrrd("Encoding: raw\nEndian: little\nkey:=a: b\n\n").encode() + LITTLE, {}),
    "detached": ("a.nhdr", nrrd("encoding: raw\nendian: little\ndata file: d.raw\n"), {"d.raw": LITTLE}),
    "detached gzip": (
        "a.nhdr",
        nrrd("encoding: gzip\nendian: little\nline skip: 2\nbyte skip: 3\ndatafile: d.gz\n"),
        {"d.gz": b"a\nb\n" + gzip.compress(b"abc" + LITTLE)},
    ),
    "data at the end": (
        "a.nhdr",
        nrrd("encoding: raw\nendian: little\nbyteskip: -1\ndatafile: d.raw\n"),
        {"d.raw": b"head" + LITTLE},
    ),
    "list": ("a.nhdr", nrrd("encoding: raw\nendian: little\ndata file: LIST\n" + "\n".join(SLICES) + "\n"), SLICES),
    "numbered": ("a.nhdr", nrrd("encoding: raw\nendian: little\ndata file: s%d.raw 0 4 1\n"), SLICES),
    "mha": ("a.mha", meta("LOCAL").encode() + LITTLE, {}),
    "mha zlib": ("a.mha", meta("LOCAL", compressed(zlib.compress(LITTLE))).encode() + zlib.compress(LITTLE), {}),
    "mha gzip": ("a.mha", meta("LOCAL", compressed(GZIPPED)).encode() + GZIPPED, {}),
    "mhd": ("a.mhd", meta("d.raw", "BinaryDataByteOrderMSB = True\n"), {"d.raw": BIG}),
    "mhd after a header": ("a.mhd", meta("d.raw", "HeaderSize = 9\n"), {"d.raw": b"123456789" + LITTLE}),
    "mhd at the end": ("a.mhd", meta("d.raw", "HeaderSize = -1\n"), {"d.raw": b"head" + LITTLE}),
    "mhd zlib": ("a.mhd", meta("d.zraw", "CompressedData = True\n"), {"d.zraw": zlib.compress(LITTLE)}),
    "mhd list": ("a.mhd", meta("LIST\n" + "\n".join(SLICES)), SLICES),
    "mhd numbered": ("a.mhd", meta("s%d.raw 0 4 1"), SLICES),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_header_gives_the_voxels_that_simpleitk_gives(tmp_path, form):
    path = write(tmp_path, *FORMS[form])
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    np.testing.assert_array_equal(volume.voxels, sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
    assert volume.voxels.dtype == np.dtype("int16")
    assert volume.spacing_mm == (2.0, 1.0, 1.0)
    assert volume.voxels.flags.writeable


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_every_type_of_voxel_comes_back(tmp_path, name, dtype):
    voxels = np.arange(210).reshape(5, 6, 7).astype(dtype)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / name), True)
    values = read_volume(tmp_path / name).voxels
    np.testing.assert_array_equal(values, voxels)
    assert values.dtype == voxels.dtype


@pytest.mark.parametrize("form", ["gzip", "detached gzip", "mha zlib", "mha gzip", "mhd zlib"])
def test_no_flipped_bit_of_a_compressed_stream_changes_the_voxels(tmp_path, form):
    name, header, files = FORMS[form]
    path = write(tmp_path, name, header, files)
    damaged = tmp_path / next(iter(files), name)
    data = damaged.read_bytes()
    first = data.index(b"\x1f\x8b" if "gzip" in form else b"\x78\x9c")
    outcomes = []
    for position in range(first, len(data), 5):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        damaged.write_bytes(flipped)
        try:
            np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)
            outcomes.append("same")
        except TruncatedFileError:
            outcomes.append("refused")
    assert outcomes.count("refused") > 0.95 * len(outcomes)  # a gzip header has bytes that say nothing


DAMAGED = r"cut short or damaged|fewer voxels than its header says|header that cannot be read"


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"ascii"}))
def test_data_that_are_cut_short_or_too_long_are_refused(tmp_path, form):
    name, header, files = FORMS[form]
    path = write(tmp_path, name, header, files)
    damaged = tmp_path / next(iter(files), name)
    data = damaged.read_bytes()
    damaged.write_bytes(data[:-7])
    with pytest.raises((TruncatedFileError, FileUnreadableError), match=DAMAGED):
        read_volume(path)
    if "at the end" not in form:
        damaged.write_bytes(data + b"more")
        with pytest.raises(TruncatedFileError, match=r"more data than its header announces|cut short or damaged"):
            read_volume(path)
        damaged.write_bytes(data + bytes(100))
        np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


@pytest.mark.parametrize(("sizes", "error"), [("7 6 4", TruncatedFileError), ("32767 32767 32767", ImageTooLargeError)])
@pytest.mark.parametrize("form", ["raw", "gzip", "detached", "mha", "mha zlib", "mhd"])
def test_a_header_with_other_sizes_than_the_data_is_refused(tmp_path, form, sizes, error):
    name, header, files = FORMS[form]
    header = header if isinstance(header, bytes) else header.encode()
    path = write(tmp_path, name, header.replace(b"7 6 5", sizes.encode()), files)
    with pytest.raises(error, match=r"more data than its header announces|Expected at most 8 GiB"):
        read_volume(path)


def test_a_stream_that_unpacks_to_far_more_than_the_image_is_refused(tmp_path):
    bomb = gzip.compress(LITTLE + bytes(50_000_000), 1)
    path = write(tmp_path, "a.nrrd", nrrd("encoding: gz\nendian: little\n\n").encode() + bomb)
    with pytest.raises(TruncatedFileError, match="more data than its header announces"):
        read_volume(path)


def headers_naming(data_file):
    return [
        ("a.nhdr", nrrd(f"encoding: raw\nendian: little\ndata file: {data_file}\n")),
        ("a.nhdr", nrrd(f"encoding: raw\nendian: little\ndata file: LIST 3\n{data_file}\n")),
        ("a.mhd", meta(data_file)),
        ("a.mhd", meta(f"LIST\n{data_file}")),
    ]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    ("data_file", "message"),
    [
        ("/dev/zero", "outside its own folder"),
        ("/etc/passwd", "outside its own folder"),
        ("../d.raw", "outside its own folder"),
        ("sub/../../d.raw", "outside its own folder"),
        ("pipe", "not a regular file"),
        (".", "not a regular file"),
        ("zero", "not a regular file"),
        ("none.raw", "cannot be found"),
        ("d\0.raw", "cannot be found"),
    ],
)
def test_a_data_file_must_be_a_regular_file_in_the_folder_of_its_header(tmp_path, number, data_file, message):
    folder = tmp_path / "case"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    (tmp_path / "d.raw").write_bytes(LITTLE)
    path = write(folder, *headers_naming(data_file)[number])
    with pytest.raises(FileUnreadableError, match=rf"'{path.name}' names the data file .*{message}"):
        read_volume(path)


@pytest.mark.parametrize("number", range(4))
def test_a_data_file_below_the_folder_of_its_header_is_read(tmp_path, number):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.raw").write_bytes(LITTLE)
    for data_file in ("sub/d.raw", tmp_path / "sub" / "d.raw"):
        np.testing.assert_array_equal(read_volume(write(tmp_path, *headers_naming(data_file)[number])).voxels, VOXELS)


def test_a_link_to_a_data_file_elsewhere_is_followed(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "case").mkdir()
    (tmp_path / "store" / "f00").write_bytes(LITTLE)
    (tmp_path / "case" / "d.raw").symlink_to(tmp_path / "store" / "f00")
    path = write(tmp_path / "case", "a.mhd", meta("d.raw"))
    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


@pytest.mark.parametrize(
    ("name", "header", "error", "message"),
    [
        (
            "a.nrrd",
            nrrd("encoding: bzip2\nendian: little\n\n"),
            UnsupportedImageError,
            "encoding 'bzip2'. Expected raw",
        ),
        ("a.nrrd", nrrd("encoding: raw\n\n") + "x" * 420, FileUnreadableError, "has a header that cannot be read"),
        ("a.nhdr", nrrd("encoding: raw\nbyte skip: x\ndata file: a.nhdr\n"), FileUnreadableError, "bytes to skip: 'x'"),
        ("a.nhdr", nrrd("encoding: raw\ndata file: s%d.raw 5 4 1\n"), FileUnreadableError, "names 0 data files"),
        (
            "a.mhd",
            meta("LIST\n" + "a.mhd\n" * 4, sizes="7 3 3"),
            FileUnreadableError,
            "does not divide its voxels evenly",
        ),
        ("a.mhd", "ObjectType = Image\nNDims = 3\n", FileUnreadableError, "without ElementDataFile"),
    ],
)
def test_a_header_that_does_not_lead_to_its_voxels_is_named(tmp_path, name, header, error, message):
    with pytest.raises(error, match=f"'{name}' .*{message}"):
        read_volume(write(tmp_path, name, header))


@pytest.mark.parametrize("form", ["raw", "mha"])
def test_sheared_axes_are_refused(tmp_path, form):
    name, header, _ = FORMS[form]
    sheared = {
        "raw": (b"spacings: 1 1 2\n", b"space: left-posterior-superior\nspace directions: (1,0,0) (0.5,1,0) (0,0,2)\n"),
        "mha": (b"ElementSpacing", b"TransformMatrix = 1 0 0 0.45 0.9 0 0 0 1\nElementSpacing"),
    }
    with pytest.raises(UnsupportedImageError, match=f"'{name}' has sheared axes"):
        read_volume(write(tmp_path, name, header.replace(*sheared[form])))


@pytest.mark.parametrize("step", [1e30, 1e-30])
def test_absurd_voxel_sizes_are_refused(tmp_path, step):
    header = meta("LOCAL").replace("1 1 2", f"1 1 {step}").encode() + LITTLE
    with pytest.raises(UnsupportedImageError, match=r"voxels of \(1, 1, 1e[+-]30\) mm"):
        read_volume(write(tmp_path, "a.mha", header))
