"""In: a picture in JPEG, TIFF or BMP, or a PNG with colours or alpha. Out: a `Volume` of one slice, without spacing.

A file that is cut short is an error. PNG and Deflate have checksums; JPEG, BMP and other TIFF files have none, so that
a bit that changed in their pixels cannot be noticed.

- Pixels are those stored: 8 or 16 bit, int32 or float32; 1-bit pictures hold 0 and 255. Resolution tags are no spacing:
  the size of a pixel is unknown, as it is for PNG.
- The orientation in EXIF, or in the TIFF tag, is applied to images and to masks. That of a PNG is not.
- A picture whose red, green and blue are the same everywhere is grey. Other colours are read by `Reading.rgb`:
  "luminance" is 0.299 R + 0.587 G + 0.114 B of the stored values, as float64 (ITU-R BT.601-7, section 2.5.1); "red",
  "green" or "blue" one channel.
- An alpha channel must be opaque. CMYK and other colour spaces, and TIFF files of several pages, are errors.
- The palette of a mask is ignored: its labels are the indices. A mask that shows another label in black, and 0 not,
  is an error, since its background may be that label.
"""

import warnings
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np

from radiodeep.cases.memory import check_image_size
from radiodeep.cases.reading import CHANNELS
from radiodeep.cases.volume import Volume
from radiodeep.exceptions import InputError, TruncatedFileError, UnsupportedImageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_KINDS = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP"} | dict.fromkeys(
    (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF"
)
_MODES = ("1", "L", "I", "F", "P", "PA", "LA", "RGB", "RGBA", "I;16", "I;16B", "I;16L")
_ERRORS = (SyntaxError, OSError, ValueError, LookupError, TypeError, ArithmeticError, EOFError, Warning, zlib.error)
_GREY = 0  # color type of PNG
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _STRIP_OFFSETS, _SAMPLES, _STRIP_BYTES, _SAMPLE_FORMAT = (  # tags of TIFF
    *(256, 257, 258, 262),
    *(273, 277, 279, 339),
)
_LUMA = (299, 587, 114)  # thousandths: whole numbers leave equal channels exactly as they are


def kind_of_picture(head):
    """Return "PNG", "JPEG", "TIFF" or "BMP" for the first bytes of a picture, or None."""
    return next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), None)


def is_grey_png(head):
    """Return whether a file begins as a PNG of one grey channel without transparency."""
    return head.startswith(b"\x89PNG") and head[25:26] == bytes([_GREY]) and b"tRNS" not in head


def images_by_channel(image, rgb):
    """Return the image of a case; of the path of a picture, its channels as images if `rgb` is "channels"."""
    if rgb != "channels":
        return image
    if isinstance(image, Mapping) and not set(image) <= set(CHANNELS):
        raise InputError(
            f"the images of the case are called {', '.join(map(str, image))}, so rgb='channels' cannot call them red, "
            "green and blue. Use rgb='luminance', or one channel, e.g. rgb='green'."
        )
    is_picture = isinstance(image, str | PathLike) and Path(image).suffix.lower() in SUFFIXES
    return dict.fromkeys(CHANNELS, Path(image)) if is_picture else image


def read_picture(path, kind, rgb=None):
    """Read a picture as a `Volume` of shape (1, y, x); `rgb` as in `Reading`, or the name of a channel.

    Raises TruncatedFileError for a file that is cut short or damaged, UnsupportedImageError for colours if `rgb` is
    None, and for other kinds of pixels, ImageTooLargeError.
    """
    pixels = _shown_pixels(path, kind)
    if pixels.ndim == 3:
        pixels = _grey(pixels, rgb, path.name)
    return _volume(pixels)


def read_colours(path):
    """Read a picture as an array of shape (y, x, 3), the greys of a grey one three times; errors as `read_picture`."""
    with path.open("rb") as file:
        kind = kind_of_picture(file.read(4))
    if kind is None:
        raise UnsupportedImageError(f"'{path.name}' is not a picture. Expected PNG, JPEG, TIFF or BMP.")
    pixels = _shown_pixels(path, kind)
    return pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)


def read_mask_picture(path, kind):
    """Read a picture of labels as a `Volume` of shape (1, y, x); the labels of a palette are its indices.

    Raises UnsupportedImageError for a mask in colours, for one whose 0 is not what it shows in black, and for one that
    lossy compression may have changed: in JPEG only 0 and 255 are told apart surely.
    """
    image = _opened(path, kind)
    pixels = _pixels(image, path.name)
    if _is_reversed(image, pixels):
        raise UnsupportedImageError(
            f"'{path.name}' is a mask that shows 0 in white or a colour, and another label in black, so that it is not "
            "clear what is outside the region. Save it as a PNG in greys, with 0 in black outside."
        )
    if pixels.ndim == 3:
        if not _is_grey(pixels):
            raise UnsupportedImageError(
                f"'{path.name}' is a mask in colours, which are not labels. Save it as a PNG in greys, or with a "
                "palette; 0 is outside the region."
            )
        pixels = pixels[..., 0]
    is_lossy = kind == "JPEG" or image.info.get("compression") in ("jpeg", "tiff_jpeg")
    if is_lossy and not set(np.unique(pixels).tolist()) <= {0, 255}:
        raise UnsupportedImageError(
            f"'{path.name}' is a mask of {np.unique(pixels).size} values in JPEG, which changes them at the edges of "
            "regions. Expected 0 and 255 only. Export the mask as PNG."
        )
    return _volume(pixels)


def _is_reversed(image, pixels):
    """Return whether a mask shows 0 in another colour than black, and one of its labels in black."""
    colours = np.reshape(image.getpalette() or [], (-1, 3))
    if not len(colours):
        return image.mode != "1" and image.info["white_is_zero"]
    labels = np.unique(pixels)
    return bool(colours[0].any()) and not colours[labels[(labels > 0) & (labels < len(colours))]].any(axis=1).all()


def _shown_pixels(path, kind):
    """Return the pixels of a picture with the colours of its palette, (y, x) or (y, x, 3)."""
    image = _opened(path, kind)
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("L", "1", "I;16") else "RGBA")
    return _pixels(image, path.name)


def _volume(pixels):
    pixels = np.ascontiguousarray(pixels)
    return Volume(pixels[np.newaxis], (1.0, 1.0, 1.0), np.zeros(3), np.eye(3), has_spacing=False)


def _opened(path, kind):
    """Return the decoded image of Pillow, in the orientation that it is to be seen in."""
    from PIL import ImageOps  # late: `import radiodeep` needs no pictures

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*(orrupt EXIF|Truncated|too large|larger than file)")
        try:
            with path.open("rb") as file:
                _check_end(file, kind)
                image = _plugin(kind)(file)
                _check_kind(image, kind, path.name)
                check_image_size((1, image.height, image.width), f"'{path.name}'", "Crop the picture.")
                _check_length(image, kind, file)
                info = image.info | {"white_is_zero": kind == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == 0}
                image.load()
                image = image if kind == "PNG" else ImageOps.exif_transpose(image)
        except InputError:
            raise
        except _ERRORS as error:
            is_unknown = "unknown" in str(error) or "Unsupported" in str(error)
            raise (_unsupported if is_unknown else _damaged)(path.name, error) from error
    image.info.update(info)
    return image


def _plugin(kind):
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    return {
        "BMP": BmpImagePlugin.BmpImageFile,
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
    }[kind]


def _check_end(file, kind):
    """Raise an error unless a JPEG has its end, a TIFF its directory, and a PNG chunks that pass their checksums."""
    if kind == "JPEG":
        data = file.read()
        if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):  # end of image, start of scan
            raise EOFError("the end of the image is missing")
    elif kind == "PNG":
        file.seek(8)
        name = b""
        while name != b"IEND":
            length = int.from_bytes(file.read(4), "big")
            chunk = file.read(length + 4)
            name = chunk[:4]
            if len(chunk) < length + 4 or zlib.crc32(chunk) != int.from_bytes(file.read(4), "big"):
                raise zlib.error("a checksum is wrong")
    elif kind == "TIFF":
        head = file.read(16)
        order = "little" if head[:2] == b"II" else "big"
        first, n_offset, n_count, n_entry = (8, 8, 8, 20) if b"+" in head[2:4] else (4, 4, 2, 12)
        start = int.from_bytes(head[first : first + n_offset], order)
        file.seek(start)
        n_entries = int.from_bytes(file.read(n_count), order)
        if not n_entries or start + n_count + n_entries * n_entry + n_offset > file.seek(0, 2):
            raise EOFError("its directory is incomplete")
    file.seek(0)


def _check_kind(image, kind, name):
    """Raise UnsupportedImageError for pixels that Pillow would change, or that are not grey or RGB."""
    if image.mode not in _MODES or (image.mode == "I;16" and "transparency" in image.info):
        raise _unsupported(name, f"its colours are {image.mode}")
    n_bits = 8
    if kind == "PNG":
        n_bits = 16 if ";16" in str(image.tile[0][3]) else 8
    if kind == "BMP" and {"1": 1, "L": 8}.get(image.mode, _bits_of_bmp(image.fp)) != _bits_of_bmp(image.fp):
        raise _unsupported(name, f"its grey palette is short for {_bits_of_bmp(image.fp)} bits")  # Pillow errs
    if kind == "TIFF":
        if image.tag_v2.next:
            raise UnsupportedImageError(
                f"'{name}' has several pages. Save the page that you need as a picture, or a stack of slices as NIfTI."
            )
        n_bits = max(image.tag_v2.get(_BITS, (1,)))
        sample_format = max(image.tag_v2.get(_SAMPLE_FORMAT, (1,)))
        if (n_bits, sample_format) in ((8, 2), (32, 1)):  # Pillow knows uint8 and int32 only
            raise _unsupported(name, "int8" if n_bits == 8 else "uint32")
        if n_bits > 8 and image.tag_v2.get(_PHOTOMETRIC, 0) == 0:
            raise _unsupported(name, f"its {n_bits} bits are inverted")
    if n_bits > 8 and image.mode in ("RGB", "RGBA", "LA", "PA", "P"):
        raise _unsupported(name, f"it has {n_bits} bits per channel")


def _bits_of_bmp(file):
    """Return how many bits a BMP file has for a pixel."""
    file.seek(14)
    file.seek(28 if int.from_bytes(file.read(4), "little") > 12 else 24)  # the short header of OS/2
    return int.from_bytes(file.read(2), "little")


def _check_length(image, kind, file):
    """Raise EOFError unless uncompressed pixels take the bytes that they should, zlib.error for a wrong checksum."""
    n_bytes = file.seek(0, 2)
    if kind == "BMP" and image.tile[0][0] == "raw":
        _, _, offset, (_, stride, _) = image.tile[0]
        if not 0 <= n_bytes - offset - stride * image.height <= 3:
            raise EOFError(f"{n_bytes - offset} bytes of pixels, expected {stride * image.height}")
    if kind != "TIFF" or _STRIP_BYTES not in image.tag_v2:
        return
    tags = image.tag_v2
    n_samples, bits = tags.get(_SAMPLES, 1), tags.get(_BITS, (1,))
    row = sum(bits if len(bits) == n_samples else bits * n_samples) * tags[_WIDTH]
    expected = (row + 7) // 8 * tags[_HEIGHT]
    strips = list(zip(tags[_STRIP_OFFSETS], tags[_STRIP_BYTES], strict=True))
    if image.info["compression"] == "raw" and sum(count for _, count in strips) != expected:
        raise EOFError(f"{sum(count for _, count in strips)} bytes of pixels, expected {expected}")
    for offset, count in strips:
        if offset + count > n_bytes:
            raise EOFError(f"pixels at byte {offset + count} of {n_bytes}")
        if "deflate" in image.info["compression"]:
            file.seek(offset)
            decoder = zlib.decompressobj()
            decoder.decompress(file.read(count), expected + 1)
            if not decoder.eof:
                raise EOFError("the compressed data end too early")


def _pixels(image, name):
    """Return the pixels as an array of shape (y, x) or (y, x, 3), in native byte order; alpha must be opaque."""
    pixels = np.asarray(image)
    if image.mode == "1":
        return pixels * np.uint8(255)
    if image.mode in ("LA", "PA", "RGBA"):
        if pixels[..., -1].min() < 255:
            raise UnsupportedImageError(
                f"'{name}' has transparent pixels, whose values are not defined. Save it without an alpha channel."
            )
        pixels = pixels[..., 0] if image.mode != "RGBA" else pixels[..., :3]
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _grey(pixels, rgb, name):
    """Return RGB pixels (y, x, 3) as one channel (y, x) by the rule `rgb`."""
    if rgb in CHANNELS:
        return pixels[..., CHANNELS.index(rgb)]
    if _is_grey(pixels):
        return pixels[..., 0]
    if rgb == "luminance":
        return pixels @ np.array(_LUMA, np.float64) / 1000
    raise UnsupportedImageError(
        f"'{name}' is a picture in colours. Read it as its luminance with rgb='luminance', or as the images 'red', "
        "'green' and 'blue' of the case with rgb='channels'."
    )


def _is_grey(pixels):
    return bool((pixels[..., :1] == pixels[..., 1:]).all())


def _damaged(name, error):
    return TruncatedFileError(
        f"'{name}' begins like a picture, but is cut short or damaged ({error or type(error).__name__}). Copy it again."
    )


def _unsupported(name, reason):
    return UnsupportedImageError(
        f"'{name}' is a picture of a kind that is not supported: {reason}. Expected grey or RGB of 8 bits, or grey "
        "of 16 bits, int32 or float32. Convert it first."
    )
