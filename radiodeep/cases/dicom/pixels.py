"""In: the header of a DICOM image. Out: the values stored in its frames, and those that they stand for (HU, Bq/ml).

Uncompressed voxels are read here, by their place in the file; compressed ones are decoded by SimpleITK (GDCM), or
pydicom, from a copy that has nothing of the header but the size and type of the frame.
"""

import struct
import tempfile
import warnings
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom.headers import DEFLATED
from radiodeep.exceptions import DicomSeriesError, FileUnreadableError, TruncatedFileError, UnsupportedImageError

_RUN_LENGTHS, _JPEG = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4."
_PIXELS = 0x7FE00010
_COMPRESSED = 0xFFFFFFFF
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_FORMAT = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")


def check_pixels(header):
    """Raise an error unless a file has grey voxels, as many as its header says."""
    name = header["path"].name
    missing = [each for each in _FORMAT if each not in header]
    if "pixels" not in header or missing:
        raise TruncatedFileError(f"'{name}' has no {missing[0] if missing else 'voxels'}. Download or export it again.")
    pixels = header["pixels"]
    if header.get("SamplesPerPixel", 1) != 1 or not header.get("PhotometricInterpretation", "M").startswith("M"):
        raise UnsupportedImageError(f"'{name}' is a colour image. Expected one grey channel.")
    if pixels.element != _PIXELS or header["BitsAllocated"] not in (8, 16, 32):
        raise UnsupportedImageError(
            f"'{name}' holds voxels of {header['BitsAllocated']} bits, or floats. Expected integers of 8, 16 or 32 "
            "bits; convert the series to .nii.gz with dcm2niix."
        )
    is_packed = header["HighBit"] == header["BitsStored"] - 1 and header["BitsStored"] <= header["BitsAllocated"]
    if not (is_packed and header["PixelRepresentation"] in (0, 1)):
        raise FileUnreadableError(
            f"'{name}' has a header that contradicts itself: {header['BitsStored']} bits stored of "
            f"{header['BitsAllocated']}, the highest bit is {header['HighBit']}. Export it again."
        )
    if "ModalityLUTSequence" in header:
        raise UnsupportedImageError(
            f"'{name}' maps its voxels by a table (Modality LUT). Expected a slope and an intercept; export it without."
        )
    if pixels.length != _COMPRESSED and pixels.syntax != DEFLATED:
        _check_length(name, header, min(pixels.length, pixels.file_length - pixels.offset), pixels.length)


def _check_length(name, header, n_bytes, announced):
    frame = header["Rows"] * header["Columns"] * header["BitsAllocated"] // 8
    expected = frame * int(header.get("NumberOfFrames", 1))
    if n_bytes < expected:
        raise TruncatedFileError(
            f"'{name}' is cut short: it holds {n_bytes} bytes of voxels. Expected {expected}. Download or copy it "
            "again."
        )
    if announced > expected + expected % 2:
        raise DicomSeriesError(
            f"'{name}' holds {announced} bytes of voxels. Expected {expected} for {header['Columns']}x{header['Rows']} "
            f"voxels of {header['BitsAllocated']} bits. Its header is wrong; export it again."
        )


def type_of_values(frames):
    """Return the smallest integer type that holds the rescaled values of all frames, and what rescales them.

    That is float64 for fractional slopes.
    """
    lowest, highest = [], []
    for frame in frames:
        header, (slope, intercept) = frame.header, frame.rescaling
        if not (slope.is_integer() and intercept.is_integer()):
            return np.dtype(float)
        n_bits, is_signed = header["BitsStored"], header["PixelRepresentation"]
        ends = (-(2 ** (n_bits - 1)), 2 ** (n_bits - 1) - 1) if is_signed else (0, 2**n_bits - 1)
        ends = [end * int(slope) + int(intercept) for end in ends]
        lowest.append(min(*ends, slope, intercept))
        highest.append(max(*ends, slope, intercept))
    for kind in ("int16", "uint16", "int32"):
        if np.iinfo(kind).min <= min(lowest) and max(highest) <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(float)


def read_frame(header, index=0):
    """Return the values stored in a frame, shape (y, x)."""
    check_pixels(header)
    pixels, shape = header["pixels"], (header["Rows"], header["Columns"])
    if pixels.length == _COMPRESSED:
        return _decoded(header, index)
    kind = np.dtype(
        f"{'<' if pixels.is_little_endian else '>'}{'ui'[header['PixelRepresentation']]}{header['BitsAllocated'] // 8}"
    )
    size = shape[0] * shape[1]
    if pixels.syntax == DEFLATED:
        values = np.frombuffer(_inflated(header), kind, size, index * size * kind.itemsize)
    else:
        values = np.fromfile(header["path"], kind, size, offset=pixels.offset + index * size * kind.itemsize)
    if values.size != size:  # the file has changed since
        raise TruncatedFileError(f"'{header['path'].name}' is cut short. Download or copy it again.")
    return _without_unused_bits(values, header).reshape(shape)


def _without_unused_bits(values, header):
    """Return values without the bits above the highest that is stored; old files keep overlays there."""
    n_unused = header["BitsAllocated"] - header["BitsStored"]
    if not n_unused:
        return values
    values = values.astype(values.dtype.newbyteorder("="))
    return np.right_shift(np.left_shift(values, n_unused, out=values), n_unused, out=values)


def _inflated(header):
    import pydicom  # late: an optional package

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(header["path"], force=True).PixelData
    except Exception as error:  # zlib and pydicom raise what they meet
        raise TruncatedFileError(
            f"'{header['path'].name}' cannot be decompressed. Download or copy it again."
        ) from error
    _check_length(header["path"].name, header, len(data), len(data))
    return data


def _decoded(header, index):
    """Return the voxels of a compressed frame, shape (y, x)."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate

    name, syntax, encoded = header["path"].name, header["pixels"].syntax, _encoded_frame(header, index)
    shape = (header["Rows"], header["Columns"])
    if syntax.startswith(_JPEG) and (size := _size_of(encoded)) not in (None, shape):  # GDCM would crop it
        raise DicomSeriesError(
            f"'{name}' holds compressed voxels of {size[1]}x{size[0]} (x, y). Expected {shape[1]}x{shape[0]} by its "
            "header. Export it again."
        )
    frame = Dataset()
    for element in (*_FORMAT, "PhotometricInterpretation"):
        setattr(frame, element, header[element])
    frame.SamplesPerPixel, frame.SOPClassUID, frame.SOPInstanceUID = 1, _SECONDARY_CAPTURE, "2.25.1"
    frame.PixelData = encapsulate([encoded])
    frame["PixelData"].VR, frame["PixelData"].is_undefined_length = "OB", True
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = syntax
    try:
        voxels = _with_pydicom(frame) if syntax == _RUN_LENGTHS else _with_itk(frame)
        return voxels.reshape(shape)
    except (RuntimeError, ValueError) as error:
        raise TruncatedFileError(
            f"'{name}' has compressed voxels that cannot be decoded. Download it again, or decompress it, e.g. "
            "with gdcmconv --raw."
        ) from error


def _size_of(encoded):
    """Return the (rows, columns) that a JPEG (ISO 10918-1, 14495-1) or JPEG 2000 (15444-1) tells of itself, or None."""
    if encoded[2:4] == b"\xff\x51":
        width, height, left, top = struct.unpack(">4L", encoded[8:24].ljust(16, b"\0"))
        return height - top, width - left
    at = 2
    while len(encoded) >= at + 9:  # segment by segment, to the one that begins the frame
        start, marker, length, _, height, width = struct.unpack(">BBHBHH", encoded[at : at + 9])
        if start != 0xFF:
            break
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return height, width
        at += 2 + length
    return None


def _with_pydicom(frame):
    """Decode run lengths, whose missing end GDCM would fill with zeros."""
    from pydicom.pixels import get_decoder

    return get_decoder(_RUN_LENGTHS).as_array(frame, index=0, raw=True)[0]


def _with_itk(frame):
    import SimpleITK as sitk  # late: see readers

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dcm"
        frame.save_as(path, enforce_file_format=True)
        return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def _encoded_frame(header, index):
    """Return the bytes of a compressed frame, of one or more fragments."""
    fragments, offsets = _fragments(header)
    n_frames = int(header.get("NumberOfFrames", 1))
    if n_frames == 1:
        return b"".join(data for _, data in fragments)
    if len(fragments) == n_frames:
        return fragments[index][1]
    if len(offsets) != n_frames:
        raise UnsupportedImageError(
            f"'{header['path'].name}' holds {n_frames} compressed frames without a table of where they start. "
            "Decompress it, e.g. with gdcmconv --raw."
        )
    end = offsets[index + 1] if index + 1 < n_frames else np.inf
    return b"".join(data for start, data in fragments if offsets[index] <= start < end)


def _fragments(header):
    """Return the (start, bytes) of the fragments of compressed voxels (PS3.5 A.4), and the starts of the frames."""
    pixels, items = header["pixels"], []
    broken = TruncatedFileError(
        f"'{header['path'].name}' is cut short, or its compressed voxels are damaged. Download or copy it again."
    )
    with header["path"].open("rb") as file:
        file.seek(pixels.offset)
        while (start := file.read(8))[:4] != _END:
            if len(start) < 8 or start[:4] != _ITEM:
                raise broken
            at, length = file.tell() - 8, struct.unpack("<L", start[4:])[0]
            items.append((at, file.read(length)))
    if len(items) < 2 or len(items[0][1]) % 4:
        raise broken
    first = items[1][0]
    return [(at - first, data) for at, data in items[1:]], struct.unpack(f"<{len(items[0][1]) // 4}L", items[0][1])
