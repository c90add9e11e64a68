"""Pictures: their pixels are those of another reader, and nothing is guessed about colours, pages or damage."""

import struct

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image

from radiodeep import Case
from radiodeep.cases.readers import read_labels, read_volume
from radiodeep.cases.reading import Reading
from radiodeep.exceptions import (
    GeometryMismatchError,
    ImageTooLargeError,
    InputError,
    TruncatedFileError,
    UnsupportedImageError,
)

ROWS, COLUMNS = np.mgrid[:24, :30]
GREY = ((ROWS * 11 + COLUMNS * 5 + ROWS * COLUMNS % 7) % 256).astype(np.uint8)
COLOURS = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
LUMINANCE = Reading(rgb="luminance")


@pytest.fixture
def save(tmp_path):
    def save(array, name, **options):
        Image.fromarray(array).save(tmp_path / name, **options)
        return tmp_path / name

    return save


def pixels(path, **options):
    volume = read_volume(path, Reading(**options))
    assert not volume.has_spacing
    return volume.voxels[0]


def test_grey_pictures_hold_what_another_reader_finds(save):
    jpeg, tiff, bitmap = (save(GREY, name, dpi=(300, 300)) for name in ("a.jpg", "a.tif", "a.bmp"))
    np.testing.assert_array_equal(pixels(jpeg), sitk.GetArrayFromImage(sitk.ReadImage(jpeg)))
    np.testing.assert_array_equal(pixels(tiff), tifffile.imread(tiff))
    np.testing.assert_array_equal(pixels(bitmap), GREY)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "int32", "float32"])
def test_tiff_keeps_its_numbers(save, compression, dtype):
    stored = (GREY * 3.25).astype(dtype)
    read = pixels(save(stored, "a.tiff", compression=compression))
    np.testing.assert_array_equal(read, stored)
    assert read.dtype.isnative


def test_pictures_of_one_bit_hold_0_and_255_in_every_format(save):
    for name in ("a.png", "a.bmp", "a.tif"):
        np.testing.assert_array_equal(pixels(save(GREY > 99, name)), np.where(GREY > 99, 255, 0))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
def test_colours_need_a_rule(save, name):
    path = save(COLOURS, name)
    with pytest.raises(UnsupportedImageError, match=rf"'{name}' is a picture in colours.*luminance.*rgb='channels'"):
        read_volume(path)
    stored = np.asarray(Image.open(path), float)
    luma = 0.299 * stored[..., 0] + 0.587 * stored[..., 1] + 0.114 * stored[..., 2]
    np.testing.assert_allclose(pixels(path, rgb="luminance"), luma, rtol=1e-12)
    np.testing.assert_array_equal(pixels(path, rgb="green"), stored[..., 1])


@pytest.mark.parametrize("rgb", [None, "luminance", "blue"])
def test_equal_channels_are_grey(save, rgb):
    np.testing.assert_array_equal(pixels(save(np.stack([GREY] * 3, -1), "a.png"), rgb=rgb), GREY)


def test_channels_are_images_of_the_case(save):
    mask = save((GREY > 99).astype(np.uint8), "mask.png")
    case = Case(save(COLOURS, "a.bmp"), mask, "p-1", spacing_mm=(0.5, 0.5), reading=Reading(rgb="channels"))
    assert case.image_names == ("red", "green", "blue")
    for number, name in enumerate(case.image_names):
        np.testing.assert_array_equal(case.of_image(name).voxels[0], COLOURS[..., number])
    assert case.of_image("red").spacing_mm == (1.0, 0.5, 0.5)
    with pytest.raises(InputError, match=r"p-1: the images of the case are called T1, so rgb='channels' cannot call"):
        Case({"T1": mask}, mask, "p-1", reading=Reading(rgb="channels"))


def test_images_that_are_no_pictures_have_no_channels(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(GREY[np.newaxis]), tmp_path / "a.nii.gz")
    case = Case(tmp_path / "a.nii.gz", tmp_path / "a.nii.gz", "p", mask_label="any", reading=Reading(rgb="channels"))
    np.testing.assert_array_equal(case.voxels, GREY[np.newaxis])


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_the_orientation_of_the_file_is_applied(save, name):
    upright = pixels(save(GREY, name))
    options = {"tiffinfo": {274: 6}} if name == "a.tif" else {"exif": orientation(6)}
    np.testing.assert_array_equal(pixels(save(GREY, name, **options)), np.rot90(upright, -1))


def orientation(value):
    exif = Image.Exif()
    exif[274] = value
    return exif


def test_alpha_must_be_opaque(save):
    alpha = np.full(GREY.shape, 255, np.uint8)
    np.testing.assert_array_equal(pixels(save(np.stack([GREY, alpha], -1), "a.png")), GREY)
    alpha[3, 4] = 254
    with pytest.raises(UnsupportedImageError, match=r"'a\.png' has transparent pixels"):
        read_volume(save(np.stack([GREY, alpha], -1), "a.png"))
    with pytest.raises(UnsupportedImageError, match=r"'a\.png' has transparent pixels"):
        read_volume(save(GREY, "a.png", transparency=int(GREY[0, 0])))


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (GREY.astype(np.float64), {}, "unknown pixel mode"),
        (GREY.astype(np.uint32), {}, "uint32"),
        (GREY.astype(np.int8), {}, "int8"),
        (GREY.astype(np.uint16), {"photometric": "miniswhite"}, "its 16 bits are inverted"),
        (COLOURS.astype(np.uint16), {"photometric": "rgb"}, "it has 16 bits per channel"),
    ],
)
def test_pixels_that_pillow_would_change_are_refused(tmp_path, array, options, message):
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    with pytest.raises(UnsupportedImageError, match=rf"'a\.tif' is a picture of a kind .* {message}\. Expected grey"):
        read_volume(tmp_path / "a.tif", LUMINANCE)


def test_pages_and_other_colour_spaces_are_refused(tmp_path, save):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY] * 3), photometric="minisblack")
    with pytest.raises(UnsupportedImageError, match=r"'a\.tif' has several pages"):
        read_volume(tmp_path / "a.tif")
    Image.fromarray(COLOURS).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(UnsupportedImageError, match=r"its colours are CMYK"):
        read_volume(tmp_path / "a.jpg", LUMINANCE)


def test_a_palette_is_colours_in_an_image_and_labels_in_a_mask(tmp_path):
    picture = Image.fromarray(GREY % 3).convert("L").quantize(3)
    picture.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    picture.putdata((GREY % 3).ravel().tolist())
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png").voxels[0], GREY % 3)
    np.testing.assert_allclose(pixels(tmp_path / "a.png", rgb="luminance"), np.array([0, 59.8, 117.4])[GREY % 3])
    with pytest.raises(UnsupportedImageError, match="is a picture in colours"):
        read_volume(tmp_path / "a.png")


def test_masks_are_neither_in_colours_nor_compressed_with_loss(save):
    with pytest.raises(UnsupportedImageError, match=r"'a\.png' is a mask in colours"):
        read_labels(save(COLOURS, "a.png"))
    for high in (1, 255):
        with pytest.raises(UnsupportedImageError, match=r"'a\.jpg' is a mask of \d+ values in JPEG, which changes"):
            read_labels(save((GREY > 99) * np.uint8(high), "a.jpg"))
    block = np.zeros((16, 16), np.uint8)
    block[:8] = 255
    assert np.unique(read_labels(save(block, "a.jpg")).voxels).tolist() == [0, 255]  # edges between blocks survive
    np.testing.assert_array_equal(read_labels(save(np.stack([block] * 3, -1), "a.bmp")).voxels[0], block)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_a_mask_that_shows_its_background_as_a_label_is_an_error(tmp_path, name):
    def stored(labels, *colours):
        image = Image.fromarray(labels.astype(np.uint8)).convert("P")
        image.putpalette(np.ravel(colours).tolist())
        image.save(tmp_path / name)
        return tmp_path / name

    black, white, red, region = (0, 0, 0), (255, 255, 255), (255, 0, 0), GREY > 99
    for colours in ((black, red), (white, red), (black, black)):
        np.testing.assert_array_equal(read_labels(stored(region, *colours)).voxels[0], region)
    if name == "a.bmp":
        with pytest.raises(UnsupportedImageError, match="its grey palette is short for 8 bits"):  # Pillow errs
            read_labels(stored(region, black, white))
    for colour in (white, red):
        with pytest.raises(UnsupportedImageError, match=rf"'{name}' is a mask that shows 0 in white or a colour, and"):
            read_labels(stored(~region, colour, black))


def test_pictures_of_two_sizes_are_not_said_to_be_resampled(save):
    with pytest.raises(GeometryMismatchError, match=r"the mask 30x12x1\. Check that they belong together\.$"):
        _ = Case(save(GREY, "a.png"), save(GREY[:12], "b.png"), "c", spacing_mm=(1, 1)).roi


def test_a_mask_of_eight_bits_whose_zero_is_white_is_an_error(save):
    """As ImageJ writes masks with an inverting lookup table; a fax of one bit is read as it is shown."""
    path = save((GREY > 99) * np.uint8(255), "a.tif")
    entry, inverted = (struct.pack("<HHIHH", 262, 3, 1, kind, 0) for kind in (1, 0))
    path.write_bytes(path.read_bytes().replace(entry, inverted))
    np.testing.assert_array_equal(pixels(path), (GREY <= 99) * 255)
    with pytest.raises(UnsupportedImageError, match=r"'a\.tif' is a mask that shows 0 in white"):
        read_labels(path)
    path = save(GREY > 99, "b.tif")
    path.write_bytes(path.read_bytes().replace(entry, inverted))
    np.testing.assert_array_equal(read_labels(path).voxels[0], (GREY <= 99) * 255)


def test_the_size_of_a_picture_is_checked_before_it_is_decoded(save, monkeypatch):
    path = save(GREY, "a.jpg")
    monkeypatch.setenv("RADIODEEP_MAX_IMAGE_GIB", "1e-6")
    with pytest.raises(ImageTooLargeError, match=r"'a\.jpg' has 30x24x1 voxels"):
        read_volume(path)


FORMATS = {
    **{name: {} for name in ("a.png", "a.jpg", "a.bmp", "a.tif")},
    "progressive.jpg": {"progressive": True},
    "lzw.tif": {"compression": "tiff_lzw"},
    "deflate.tif": {"compression": "tiff_deflate"},
    "jpeg.tif": {"compression": "jpeg"},
}


@pytest.mark.parametrize("array", [GREY, COLOURS], ids=["grey", "colours"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_picture_that_is_cut_short_is_an_error(save, name, array, capfd):
    path = save(array, name, **FORMATS[name])
    whole = path.read_bytes()
    for n_bytes in np.linspace(16, len(whole) - 1, 20).astype(int):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(TruncatedFileError, match=rf"'{name}' (begins like|has a header)"):
            read_volume(path, LUMINANCE)
    capfd.readouterr()  # of libtiff


def test_oddities_that_change_no_pixel_are_passed_over(save):
    path = save(GREY, "a.tif", dpi=(300, 300))
    one, two = (struct.pack("<HHI", 296, 3, count) for count in (1, 2))  # the unit of resolution, twice
    path.write_bytes(path.read_bytes().replace(one, two))
    with pytest.warns(UserWarning, match="had too many entries"), Image.open(path):
        pass
    np.testing.assert_array_equal(pixels(path), GREY)


def test_orientation_that_cannot_be_read_is_an_error(save):
    path = save(GREY, "a.jpg", exif=orientation(6))
    entry = struct.pack(">HHI", 274, 3, 1)
    assert entry in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(entry, struct.pack(">HHI", 274, 3, 9000)))
    with pytest.raises(TruncatedFileError, match=r"'a\.jpg' begins like a picture"):
        read_volume(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "progressive.jpg"])
def test_a_picture_whose_end_was_filled_with_zeros_is_an_error(save, name):
    path = save(COLOURS, name, **FORMATS[name])
    whole = path.read_bytes()
    for n_bytes in range(len(whole) - 26, len(whole) - 2, 3):
        path.write_bytes(whole[:n_bytes].ljust(len(whole), b"\0"))
        with pytest.raises(TruncatedFileError, match=rf"'{name}' begins like a picture"):
            read_volume(path, LUMINANCE)


@pytest.mark.parametrize("name", FORMATS)
def test_a_changed_bit_is_an_error_where_the_format_has_checksums(save, name, capfd):
    path = save(COLOURS, name, **FORMATS[name])
    whole = path.read_bytes()
    stored = read_volume(path, LUMINANCE).voxels
    has_checksums = name in ("a.png", "deflate.tif")
    start = whole.find(b"IDAT") if name == "a.png" else 8
    for bit in np.random.default_rng(7).integers(8 * start, 8 * start + 8 * 200, 20):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            read = read_volume(path, LUMINANCE).voxels
        except InputError:
            continue
        assert not has_checksums or np.array_equal(read, stored), bit
    capfd.readouterr()
