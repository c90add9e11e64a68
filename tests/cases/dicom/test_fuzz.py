"""A damaged DICOM file in a series gives the same image, a warning, or an error of radiodeep: never another image."""

import random
import warnings
from collections import Counter

import numpy as np
import pytest

from radiodeep.cases.readers import read_volume
from radiodeep.exceptions import RadiodeepError, RadiodeepWarning

VOXELS = np.cumsum(np.random.default_rng(0).integers(-20, 21, (5, 12, 10)), axis=1)
N_FILES = 207  # a multiple of the kinds of damage
CRITICAL = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "BitsAllocated", "BitsStored",
    "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept", "SeriesInstanceUID", "Modality",
    "SOPClassUID", "SamplesPerPixel", "PhotometricInterpretation", "FrameOfReferenceUID", "PixelData",
    "SOPInstanceUID", "SliceThickness",
)  # fmt: skip


def truncated(data, rng):
    return data[: rng.randrange(len(data))]


def with_flipped_bits(data, rng):
    """Flip bits of the header; in the voxels nobody can see them."""
    data, end = bytearray(data), _start_of_voxels(data)
    for _ in range(rng.choice((1, 1, 1, 3, 10))):
        data[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return bytes(data)


def with_garbage(data, rng):
    start = rng.randrange(_start_of_voxels(data))
    end = min(start + rng.choice((4, 30, 300)), _start_of_voxels(data))
    return data[:start] + rng.randbytes(end - start) + data[end:]


def with_another_vr(data, rng):
    at, _ = _span(data, rng.choice(CRITICAL))
    return data[: at + 4] + rng.choice((b"OB", b"SQ", b"US", b"UN", b"ZZ", b"\0\0", b"DS", b"PN")) + data[at + 6 :]


def without_an_element(data, rng):
    start, end = _span(data, rng.choice(CRITICAL))
    return data[:start] + data[end:]


def with_a_doubled_element(data, rng):
    name = rng.choice(CRITICAL)
    start, end = _span(data, name)
    value = bytearray(data[start:end])
    if rng.random() < 0.5:  # the other one is damaged
        value[rng.randrange(8, len(value))] ^= 1 << rng.randrange(7)
    return data[:end] + bytes(value) + data[end:]


def with_an_empty_value(data, rng):
    start, end = _span(data, rng.choice(CRITICAL))
    is_long = data[start + 4 : start + 6] in (b"OW", b"OB", b"SQ")
    return data[: start + 6] + bytes(6 if is_long else 2) + data[end:]


def with_another_length(data, rng):
    at, _ = _span(data, rng.choice(CRITICAL))
    return data[: at + 6] + rng.randbytes(2) + data[at + 8 :]


def with_another_number(data, rng):
    """Change a digit of a decimal string, or a byte of a binary number."""
    start, end = _span(data, rng.choice(CRITICAL[:11]))
    at = rng.randrange(start + 8, end)
    return data[:at] + (str(rng.randrange(10)).encode() if end - start > 10 else rng.randbytes(1)) + data[at + 1 :]


DAMAGES = (
    truncated, with_flipped_bits, with_garbage, with_another_vr, without_an_element, with_a_doubled_element,
    with_an_empty_value, with_another_length, with_another_number,
)  # fmt: skip


def _start_of_voxels(data):
    return data.index(b"\xe0\x7f\x10\0O") + 12


def _span(data, name):
    """Return where an element starts and ends."""
    from pydicom.tag import Tag

    tag = Tag(name)
    bytes_of_tag = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little")
    start = data.rindex(bytes_of_tag, 0, _start_of_voxels(data))
    if name == "PixelData":
        return start, len(data)
    return start, start + 8 + int.from_bytes(data[start + 6 : start + 8], "little")


def is_same(volume, expected):
    return (
        volume.voxels.shape == expected.voxels.shape
        and np.array_equal(volume.voxels, expected.voxels)
        and np.abs(volume.corners() - expected.corners()).max() < 0.05 * min(expected.spacing_mm)
    )


def outcome_of(folder, expected):
    """Return "equal", "warning", or the name of an error and its message; fail for another image or exception."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            volume = read_volume(folder)
        except RadiodeepError as error:
            return type(error).__name__, str(error)
    assert {each.category for each in caught} <= {RadiodeepWarning}
    assert caught or is_same(volume, expected)
    return "warning" if caught else "equal", ""


@pytest.mark.slow
@pytest.mark.parametrize("syntax", [None, "RLELossless", "JPEGLSLossless"])
def test_damaged_files_give_the_same_image_or_a_named_error(dicom_files, tmp_path, syntax):
    import pydicom

    dicom_files.series(tmp_path, VOXELS, description="fuzz")
    for path in tmp_path.iterdir():
        dataset = pydicom.dcmread(path)
        if syntax:
            dataset.compress(getattr(pydicom.uid, syntax), generate_instance_uid=False)
            dataset.save_as(path)
    expected = read_volume(tmp_path)
    rng, outcomes = random.Random(18), Counter()
    for number in range(N_FILES):
        path = tmp_path / f"{rng.randrange(5)}.dcm"
        whole = path.read_bytes()
        path.write_bytes(DAMAGES[number % len(DAMAGES)](whole, rng))
        outcome, message = outcome_of(tmp_path, expected)
        outcomes[outcome] += 1
        assert not message or 20 < len(message) < 1500
        assert "Secret" not in message
        path.write_bytes(whole)
    print(dict(outcomes))  # shown with -s
    assert outcomes.total() == N_FILES
    assert outcomes["equal"] > N_FILES / 10
    assert sum(n for name, n in outcomes.items() if name.endswith("Error")) > N_FILES / 2
