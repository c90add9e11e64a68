"""In: the headers of a DICOM series. Out: its frames in the order of one even stack, or an error that says why not."""

import warnings
from collections import Counter
from typing import NamedTuple

import numpy as np

from radiodeep.cases.dicom.frames import differences, frames_of
from radiodeep.cases.dicom.pixels import check_pixels
from radiodeep.cases.volume import numbers
from radiodeep.exceptions import DicomSeriesError, RadiodeepWarning

_ROUNDING = 1e-6
_ANGLE = 1e-3  # of the unit vectors of slices of one series, and of their stack and their normal
_EVENNESS = 0.05  # of the distance of two slices, or of two pixels
_ROUNDED_MM, _MOST_ROUNDED = 0.1, 0.3  # of thin slices: positions rounded to 0.1 mm, at most 0.3 of their distance
_SAME_PLACE = 0.01  # of the distance of two pixels
_NEEDED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
MODALITIES = {  # of classes of classic, enhanced and legacy-converted images
    f"1.2.840.10008.5.1.4.1.1.{kind}": modality
    for modality, kinds in {"CT": ("2", "2.1", "2.2"), "MR": ("4", "4.1", "4.4"), "PT": ("128", "130", "128.1")}.items()
    for kind in kinds
}
_PER_SLICE = "PT"  # the modality whose slices have a slope each


class Stack(NamedTuple):
    """Frames in order, and their place in space."""

    frames: tuple
    spacing_mm: tuple  # (z, y, x)
    origin_mm: np.ndarray
    direction: np.ndarray


def checked_stack(name, headers):
    """Return the `Stack` that the files of a series make. Raises DicomSeriesError, TruncatedFileError and others.

    Copies of one file count once. Images that are marked as localizers (ImageType LOCALIZER) are left out if others are
    not.
    """
    for header in headers:
        _check_modality(name, header, headers[0])
    frames = [frame for header in _unique(name, headers) for frame in frames_of(header, name)]
    others = [frame for frame in frames if "LOCALIZER" not in frame.header.get("ImageType", ())]
    frames = others or frames
    for frame in frames:
        _check_frame(name, frame, frames[0])
    _warn_of_scales(name, frames)
    axes = unit_axes(frames[0].place["ImageOrientationPatient"])
    direction = np.column_stack([*axes, np.cross(*axes)])
    positions = np.array([frame.place["ImagePositionPatient"] for frame in frames])
    order = np.argsort(positions @ direction[:, 2], kind="stable")
    frames = tuple(frames[at] for at in order)
    _check_number(name, frames)
    step = _step(name, frames, positions[order], direction)
    height, width = frames[0].place["PixelSpacing"]
    return Stack(frames, (step, height, width), positions[order[0]], direction)


def unit_axes(orientation):
    """Return the directions of rows and columns, shape (2, 3), as unit vectors at right angles if they are but rounded.

    With three decimals, contours at the far side of an image would be half a voxel away otherwise.
    """
    axes = np.reshape(orientation, (2, 3)).astype(float)
    if not np.allclose(axes @ axes.T, np.eye(2), rtol=0, atol=2 * _ANGLE):
        return axes
    row = axes[0] / np.linalg.norm(axes[0])
    column = axes[1] - (axes[1] @ row) * row
    return np.stack([row, column / np.linalg.norm(column)])


def _unique(name, headers):
    """Return the headers without those of copies of another file."""
    unique = {}
    for header in headers:
        uid = header.get("SOPInstanceUID", header["path"])
        known = unique.setdefault(uid, header)
        if known is not header and _content(known) != _content(header):
            raise DicomSeriesError(
                f"{name}: '{known['path'].name}' and '{header['path'].name}' have the same SOP instance UID and "
                "differ. Keep the one that belongs to the series."
            )
    return list(unique.values())


def _content(header):
    """Return what two copies of a file share."""
    with header["path"].open("rb") as file:
        file.seek(header["pixels"].offset if "pixels" in header else 0)
        return {name: value for name, value in header.items() if name not in ("path", "pixels")}, file.read()


def _check_modality(name, header, first):
    expected = MODALITIES.get(header.get("SOPClassUID"), header.get("Modality"))
    for own, other in ((header.get("Modality"), expected), (header.get("Modality"), first.get("Modality"))):
        if own != other:
            raise DicomSeriesError(
                f"{name}: '{header['path'].name}' is of the modality {own}, expected {other} by its kind of file or "
                "the rest of the series. Export the series again."
            )


def _check_frame(name, frame, first):
    at = _named(frame)
    missing = [element for element in _NEEDED if element not in frame.place]
    if missing:
        raise DicomSeriesError(f"{name}: {at} has no {missing[0]}. Expected slices of a 3-D image.")
    check_pixels(frame.header)
    if "MOSAIC" in frame.place.get("ImageType", ()):
        raise DicomSeriesError(
            f"{name}: {at} holds all slices of a volume as tiles of one image (mosaic). Convert the series to .nii.gz "
            "with dcm2niix."
        )
    if frame.rescaling[0] == 0:
        raise DicomSeriesError(f"{name}: {at} has the RescaleSlope 0. Export the series again.")
    for element in (*_NEEDED[1:], "BitsAllocated", "PhotometricInterpretation", "FrameOfReferenceUID", "PatientID"):
        own, other = ({**each.header, **each.place}.get(element) for each in (frame, first))
        is_same = own == other or (element in _NEEDED[1:3] and np.allclose(own, other, rtol=0, atol=_ANGLE))
        if not is_same:
            values = f": {own} and {other}" if element in (*_NEEDED, "BitsAllocated") else ""
            raise DicomSeriesError(
                f"{name}: {at} has another {element} than {_named(first)}{values}. Expected slices of one stack; put "
                "each stack, or the localizer, into a folder of its own."
            )


def _named(frame):
    return f"'{frame.path.name}'" + (f", frame {frame.index + 1}," if "NumberOfFrames" in frame.header else "")


def _check_number(name, frames):
    """Warn if slices are missing at the ends, of which only PET tells."""
    header = frames[0].header
    expected = header.get("NumberOfSlices", 0) if header.get("Modality") == _PER_SLICE else 0
    if len(frames) < expected:
        warnings.warn(
            f"{name} holds {len(frames)} slices, but announces {expected} (NumberOfSlices). Check that the files are "
            "complete.",
            RadiodeepWarning,
            stacklevel=2,
        )


def _warn_of_scales(name, frames):
    """Warn of slices with different scales: damage to a header looks the same. Slopes differ as a rule in PET alone."""
    first = 1 if frames[0].header.get("Modality") == _PER_SLICE else 0
    scales = [(*frame.rescaling, frame.header["PixelRepresentation"])[first:] for frame in frames]
    usual, _ = Counter(scales).most_common(1)[0]
    odd = [frame for frame, scale in zip(frames, scales, strict=True) if scale != usual]
    if odd:
        warnings.warn(
            f"{name}: {len(odd)} of {len(frames)} images, e.g. {_named(odd[0])}, have another RescaleSlope, "
            "RescaleIntercept or PixelRepresentation than the rest. Each is scaled by its own; check that they are "
            "right.",
            RadiodeepWarning,
            stacklevel=2,
        )
    if frames[0].header.get("Modality") == "CT" and "RescaleIntercept" not in frames[0].place:
        warnings.warn(
            f"{name} has no RescaleIntercept. Its values are read as stored, which are not HU as a rule.",
            RadiodeepWarning,
            stacklevel=2,
        )
    warn_of_display(name, frames[0].header)


def warn_of_display(name, header):
    """Warn of an image whose low values are shown bright, as radiographs often are."""
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        warnings.warn(
            f"{name} is stored for an inverted display (MONOCHROME1). Its values are read as stored, not inverted.",
            RadiodeepWarning,
            stacklevel=2,
        )


def _step(name, frames, positions, direction):
    """Return the distance of neighbouring slices in mm, which must be the same all along."""
    place = frames[0].place
    if len(frames) == 1:
        return abs(place.get("SpacingBetweenSlices") or place.get("SliceThickness") or 1.0)
    heights = positions @ direction[:, 2]
    pixel = min(place["PixelSpacing"])
    _check_doubled(name, frames, positions, heights, pixel)
    steps = np.diff(heights)
    usual = float(np.median(steps))
    odd = np.flatnonzero(np.abs(steps - usual) > _allowed(usual))
    if odd.size:
        at = int(odd[0])
        places = f"at {numbers(positions[at])} and {numbers(positions[at + 1])}"
        problem = f"the slices {places} lie {steps[at]:.4g} mm apart, others {usual:.4g} mm"
        if steps[at] < usual:
            raise DicomSeriesError(
                f"{name}: {problem}. Expected an even stack; put each stack into a folder of its own."
            )
        n_missing = int(np.round(steps[odd] / usual - 1).clip(0).sum())
        missing = f"; slices missing: {n_missing}" if n_missing else ""
        raise DicomSeriesError(f"{name}: {problem}{missing}. Download the series again.")
    rise = (positions[-1] - positions[0]) / (heights[-1] - heights[0])
    if np.abs(rise - direction[:, 2]).max() > _ANGLE:
        raise DicomSeriesError(
            f"{name}: the slices are not stacked at right angles (gantry tilt). Resample the series to an orthogonal "
            "grid first, as dcm2niix does."
        )
    off = np.abs(positions - positions[0] - np.outer(heights - heights[0], rise)).max(axis=1)
    if off.max() > _allowed(pixel):
        at = int(off.argmax())
        raise DicomSeriesError(
            f"{name}: {_named(frames[at])} lies {off[at]:.4g} mm beside the line of the other slices. Export the "
            "series again."
        )
    return float((heights[-1] - heights[0]) / len(steps))


def _allowed(distance):
    """Return how much one of many equal distances may differ in mm."""
    return max(_EVENNESS * distance, min(_ROUNDED_MM, _MOST_ROUNDED * distance)) * (1 + _ROUNDING)


def _check_doubled(name, frames, positions, heights, pixel):
    """Raise DicomSeriesError if slices lie at the same place."""
    is_new = np.append(True, np.diff(heights) > _SAME_PLACE * pixel)
    counts = np.bincount(np.cumsum(is_new) - 1)
    if counts.max() == 1:
        return
    reason = differences(frames)
    reason = f"; they differ in {reason}" if reason else ""
    if (counts == counts[0]).all():
        raise DicomSeriesError(
            f"{name} holds {counts[0]} images at each of {len(counts)} positions{reason}: several acquisitions, times, "
            "echoes or b-values in one series. Put each into a folder of its own, as dcm2niix or the console does."
        )
    at = int(np.argmin(is_new))
    raise DicomSeriesError(
        f"{name}: {_named(frames[at - 1])} and {_named(frames[at])} lie at the same place "
        f"{numbers(positions[at])}{reason}. Expected one slice at each position; remove doubled files, or "
        "separate the stacks."
    )
