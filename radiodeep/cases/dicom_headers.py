"""In: a DICOM file. Out: the elements of its header that tell where its image lies and what its voxels mean.

Values are decoded from their bytes by the type that DICOM gives each element (PS3.6), whatever the file says, and are
never quoted in messages: a damaged header may hold a name where a number belongs.
"""

import math
import os
import re
import struct
import warnings
from pathlib import Path
from typing import NamedTuple

from radiodeep.exceptions import FileUnreadableError

_STARTS = (b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0")  # of files without the preamble
_UID = re.compile(r"[0-9.]{1,64}")
_UIDS = ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_TEXTS = ("PatientID", "SeriesDescription")  # in the character set of the file
_CODES = (
    "Modality", "PhotometricInterpretation", "Units", "DecayCorrection", "SUVType", "SeriesDate", "SeriesTime",
    "AcquisitionDate", "AcquisitionTime",
)  # fmt: skip
_LISTS = ("ImageType", "CorrectedImage")
_SIZES = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
_NUMBERS = {  # and how many
    "ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2, "ImagerPixelSpacing": 2,
    "NumberOfFrames": 1, "SliceThickness": 1, "SpacingBetweenSlices": 1, "RescaleSlope": 1, "RescaleIntercept": 1,
    "PatientWeight": 1, "ActualFrameDuration": 1,
}  # fmt: skip
DISTINCTIONS = (  # of stacks that one series holds
    "AcquisitionNumber", "TemporalPositionIdentifier", "EchoTime", "DiffusionBValue", "InversionTime", "FlipAngle",
    "TriggerTime", "NominalPercentageOfCardiacPhase", "ImageType",
)  # fmt: skip
_ISOTOPE = "RadiopharmaceuticalInformationSequence"
_OF_ISOTOPE = {
    "RadionuclideTotalDose": 1, "RadionuclideHalfLife": 1, "RadiopharmaceuticalStartTime": 0,
    "RadiopharmaceuticalStartDateTime": 0,
}  # fmt: skip
_PRIVATE = {  # element: (its name here, its creator, where that stands, how many numbers)
    0x70531000: ("PhilipsSUVFactor", "Philips PET Private Group", 0x70530010, 1),
    0x70531009: ("PhilipsActivityFactor", "Philips PET Private Group", 0x70530010, 1),
    0x0009100D: ("GEScanDateTime", "GEMS_PETD_01", 0x00090010, 0),
}
_NAMES = (
    *_UIDS, *_TEXTS, *_CODES, *_LISTS, *_SIZES, *_NUMBERS, *(name for name in DISTINCTIONS if name != "ImageType"),
    "ModalityLUTSequence", _ISOTOPE,
)  # fmt: skip
_TAGS = (*_NAMES, *_PRIVATE, *{creator for _, _, creator, _ in _PRIVATE.values()})
DIRECTORY = "1.2.840.10008.1.3.10"
_UNDEFINED = 0xFFFFFFFF
_LONG = (b"OB", b"OW", b"UN", b"OF", b"OD", b"OV")  # with a length of four bytes


class PixelData(NamedTuple):
    """Where the voxels of a file stand."""

    syntax: str  # UID of the transfer syntax, "" if unknown
    is_little_endian: bool
    element: int  # 0x7FE00010, or that of voxels as floats
    offset: int
    length: int  # 0xFFFFFFFF if compressed
    file_length: int


def is_dicom(head):
    """Return whether a file that begins with these bytes is a DICOM file."""
    return head[128:132] == b"DICM" or head.startswith(_STARTS)


def is_uid(text):
    """Return whether a text can be the UID of a series."""
    return "." in text and _UID.fullmatch(text) is not None


def read_header(path, names):
    """Return the elements of these names as {name: value}, None where the file has none; without the voxels."""
    import pydicom  # late: an optional package

    try:
        with warnings.catch_warnings():  # values that break a rule of the standard, which are common
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(names), force=True)
            return {name: header.get(name) for name in names}
    except Exception as error:  # pydicom raises what its parsing meets
        raise _unreadable(path) from error


def read_slice_header(path):
    """Return what an image's header says of its series, place, voxels and uptake, as {name: value}.

    Elements that are missing or empty have no entry. "path" is that of the file, "pixels" its `PixelData`.
    """
    import pydicom

    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
            header = {"path": path} | _values_of(dataset, path)
            pixels = _pixel_data(file, dataset)
    except FileUnreadableError:
        raise
    except OSError as error:
        raise FileUnreadableError(f"'{path}' cannot be opened: {error.strerror}.") from error
    except Exception as error:  # pydicom raises what its parsing meets
        raise _unreadable(path) from error
    return header | ({} if pixels is None else {"pixels": pixels})


def _unreadable(path):
    return FileUnreadableError(
        f"'{Path(path).name}' is not a DICOM file that can be read: its header is damaged. Copy or export it again."
    )


def _values_of(dataset, path):
    header = {}
    for name in _NAMES:
        if name not in dataset:
            continue
        try:
            value = _value_of(dataset, name)
        except (ValueError, struct.error, UnicodeDecodeError, OverflowError) as error:
            if name in DISTINCTIONS:
                continue
            raise FileUnreadableError(
                f"'{path.name}' has a damaged header: the element {name} is not what DICOM allows. Copy or export the "
                "file again."
            ) from error
        if isinstance(value, dict):
            header |= value
        elif value not in (None, "", ()):
            header[name] = value
    if dataset.file_meta.get("MediaStorageSOPClassUID") == DIRECTORY:
        header["SOPClassUID"] = DIRECTORY
    return header | _private_values(dataset)


def _value_of(dataset, name):
    if name in _TEXTS:
        return str(dataset.get(name) or "").strip()
    if name == "ModalityLUTSequence":
        return True
    if name == _ISOTOPE:
        items = dataset[name].value or ()
        found = {
            key: _numbers(items[0], key, n) if n else _text(items[0], key)
            for key, n in _OF_ISOTOPE.items()
            if items and key in items[0]
        }
        return {key: value for key, value in found.items() if value not in (None, "")}
    if name in _SIZES:
        element = dataset.get_item(name)
        value = element.value
        if not value:
            return None
        if isinstance(value, int):
            return value
        return struct.unpack("<H" if element.is_little_endian else ">H", value)[0]
    if name in _NUMBERS:
        return _numbers(dataset, name, _NUMBERS[name])
    if name in _LISTS:
        return tuple(part.strip() for part in _text(dataset, name).split("\\"))
    if name in DISTINCTIONS:
        value = dataset.get(name)
        return None if value in (None, "") else float(value)
    text = _text(dataset, name)
    if name in _UIDS and text and not _UID.fullmatch(text):
        raise ValueError
    return text


def _text(dataset, name):
    value = dataset.get_item(name).value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("ascii").strip(" \0")
    return "\\".join(map(str, value)) if isinstance(value, list | tuple) else str(value).strip()


def _numbers(dataset, name, count):
    """Return decimal strings as a tuple of finite floats, or a float if one is expected; None for an empty element."""
    text = _text(dataset, name)
    if not text:
        return None
    values = tuple(float(part) for part in text.split("\\"))
    if not all(map(math.isfinite, values)) or len(values) != count:
        raise ValueError
    return values if count > 1 else values[0]


def _private_values(dataset):
    found = {}
    for element, (name, creator, where, count) in _PRIVATE.items():
        if element in dataset and where in dataset and _text(dataset, where) == creator:
            value = _numbers(dataset, element, count) if count else _text(dataset, element)
            if value not in (None, ""):
                found[name] = value
    return found


def _pixel_data(file, dataset):
    """Return the `PixelData` of a file that was read up to it, or None."""
    syntax = str(dataset.file_meta.get("TransferSyntaxUID") or "")
    is_implicit, is_little_endian = dataset.original_encoding
    order = "<" if is_little_endian else ">"
    start = file.read(8)
    if len(start) < 8:
        return None
    group, number = struct.unpack(order + "HH", start[:4])
    if group != 0x7FE0:
        return None
    length = struct.unpack(order + "L", start[4:])[0]
    if not is_implicit:
        kind, length = start[4:6], struct.unpack(order + "H", start[6:])[0]
        if kind in _LONG:
            length = struct.unpack(order + "L", file.read(4))[0]
    return PixelData(
        syntax, is_little_endian, group << 16 | number, file.tell(), length, os.fstat(file.fileno()).st_size
    )
