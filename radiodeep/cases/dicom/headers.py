"""In: a DICOM file. Out: the elements of its header that tell where its image lies and what its voxels mean.

Values are decoded from their bytes by the type that DICOM gives each element (PS3.6), whatever the file says, and are
never quoted in messages: a damaged header may hold a name where a number belongs.
"""

import logging
import math
import os
import re
import struct
import warnings
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from radiodeep.exceptions import FileUnreadableError

_STARTS = (b"\x02\0\0\0", *(b"\x08\0%c\0" % first for first in b"\x00\x05\x08\x12\x16"))  # without the preamble
_UID = re.compile(r"[0-9.]{1,64}")
_UIDS = ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_TEXTS = ("PatientID", "SeriesDescription")  # in the character set of the file
_CODES = (
    "Modality", "PhotometricInterpretation", "Units", "DecayCorrection", "SUVType", "SeriesDate", "SeriesTime",
    "AcquisitionDate", "AcquisitionTime", "TimezoneOffsetFromUTC",
)  # fmt: skip
_LISTS = ("ImageType", "CorrectedImage")
_SIZES = (
    "Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "NumberOfSlices",
)  # fmt: skip
_NUMBERS = {  # and how many
    "ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2, "ImagerPixelSpacing": 2,
    "NumberOfFrames": 1, "SliceThickness": 1, "SpacingBetweenSlices": 1, "RescaleSlope": 1, "RescaleIntercept": 1,
    "PatientWeight": 1, "ActualFrameDuration": 1, "FrameReferenceTime": 1,
}  # fmt: skip
DISTINCTIONS = (  # of stacks that one series holds
    "AcquisitionNumber", "TemporalPositionIdentifier", "EchoTime", "DiffusionBValue", "InversionTime", "FlipAngle",
    "TriggerTime", "NominalPercentageOfCardiacPhase", "ImageType",
)  # fmt: skip
_ISOTOPE = "RadiopharmaceuticalInformationSequence"
_OF_ISOTOPE = {  # and whether it is a number
    "RadionuclideTotalDose": True, "RadionuclideHalfLife": True, "RadiopharmaceuticalStartTime": False,
    "RadiopharmaceuticalStartDateTime": False,
}  # fmt: skip
_PHILIPS, _GE = "Philips PET Private Group", "GEMS_PETD_01"
_PRIVATE = {  # element: (its name here, its creator, where that stands, whether it is a number)
    0x70531000: ("PhilipsSUVFactor", _PHILIPS, 0x70530010, True),
    0x70531009: ("PhilipsActivityFactor", _PHILIPS, 0x70530010, True),
    0x0009100D: ("GEScanDateTime", _GE, 0x00090010, False),
}
DIRECTORY, DEFLATED = "1.2.840.10008.1.3.10", "1.2.840.10008.1.2.1.99"
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


@contextmanager
def silence():
    """Read values that break a rule of the standard, which are common; pydicom quotes them in warnings and its log."""
    log = logging.getLogger("pydicom")
    was_disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = was_disabled


def read_header(path, names):
    """Return the elements of these names as {name: value}, None where the file has none; without the voxels."""
    import pydicom  # late: an optional package

    try:
        with silence():
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
        with silence(), path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_tags(), force=True)
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


@lru_cache(maxsize=1)
def _decoders():
    """Return {tag: (name, function that decodes the value of a raw element)}."""
    from pydicom.tag import Tag

    decoders = dict.fromkeys(_CODES, _text)
    decoders |= dict.fromkeys(_UIDS, _uid) | dict.fromkeys(_LISTS, _words) | dict.fromkeys(_SIZES, _size)
    decoders |= {name: partial(_numbers, count=count) for name, count in _NUMBERS.items()}
    decoders |= dict.fromkeys((*_TEXTS, *DISTINCTIONS[:-1], "ModalityLUTSequence", _ISOTOPE))
    return {Tag(name): (name, decode) for name, decode in decoders.items()}


@lru_cache(maxsize=1)
def _tags():
    from pydicom.tag import Tag

    return [*_decoders(), *map(Tag, _PRIVATE), *{Tag(creator) for _, _, creator, _ in _PRIVATE.values()}]


def _values_of(dataset, path):
    header = {}
    for tag, (name, decode) in _decoders().items():
        if tag not in dataset:
            continue
        try:
            element = dataset.get_item(tag)
            if isinstance(element.value, bytes) and len(element.value) < element.length:
                raise ValueError  # the file ends here
            value = decode(element) if decode else _parsed(dataset[tag].value, name)
        except (ValueError, struct.error) as error:
            if name in DISTINCTIONS:
                continue
            raise FileUnreadableError(
                f"'{path.name}' has a damaged header: the element {name} is not what DICOM allows. Copy or export the "
                "file again."
            ) from error
        if value not in (None, "", ()):
            header |= value if isinstance(value, dict) else {name: value}
    if dataset.file_meta.get("MediaStorageSOPClassUID") == DIRECTORY:
        header["SOPClassUID"] = DIRECTORY
    return header | _private_values(dataset)


def _parsed(value, name):
    """Return a value that pydicom has parsed: a text in its character set, a number of any type, or a sequence."""
    if name in _TEXTS:
        return str(value or "").strip()
    if name == "ModalityLUTSequence":
        return True
    if name != _ISOTOPE:
        return None if value in (None, "") else float(value)
    item = value[0] if value else {}
    found = {key: item.get_item(key) for key in _OF_ISOTOPE if key in item}
    found = {key: _numbers(each) if _OF_ISOTOPE[key] else _text(each) for key, each in found.items()}
    return {key: each for key, each in found.items() if each not in (None, "")}


def _text(element):
    value = element.value
    if isinstance(value, bytes):
        return value.decode("ascii").strip(" \0")
    return "" if value is None else "\\".join(map(str, value)) if isinstance(value, list) else str(value).strip()


def _words(element):
    return tuple(part.strip() for part in _text(element).split("\\"))


def _uid(element):
    text = _text(element)
    if text and not _UID.fullmatch(text):
        raise ValueError
    return text


def _size(element):
    """Return a binary number of two bytes."""
    value = element.value
    if isinstance(value, bytes) and value:
        return struct.unpack("<H" if element.is_little_endian else ">H", value)[0]
    return value or None


def _numbers(element, count=1):
    """Return decimal strings as a tuple of finite floats, or a float if one is expected; None for an empty element."""
    text = _text(element)
    if not text:
        return None
    values = tuple(float(part) for part in text.split("\\"))
    if not all(map(math.isfinite, values)) or len(values) != count:
        raise ValueError
    return values if count > 1 else values[0]


def _private_values(dataset):
    found = {}
    for tag, (name, creator, where, is_number) in _PRIVATE.items():
        if tag in dataset and where in dataset and _text(dataset.get_item(where)) == creator:
            value = (_numbers if is_number else _text)(dataset.get_item(tag))
            if value not in (None, ""):
                found[name] = value
    return found


def _pixel_data(file, dataset):
    """Return the `PixelData` of a file that was read up to it, or None."""
    syntax = str(dataset.file_meta.get("TransferSyntaxUID") or "")
    is_implicit, is_little_endian = dataset.original_encoding
    if syntax == DEFLATED:  # pydicom reads a copy in memory
        return PixelData(syntax, True, 0x7FE00010, 0, 0, 0)
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
