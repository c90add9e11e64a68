"""In: the header of a DICOM image. Out: its frames, each with its place in space and its rescaling.

A classic file has one frame, an enhanced multi-frame file describes each in functional groups (PS3.3 C.7.6.16).
"""

from typing import NamedTuple

import numpy as np

from radiodeep.cases.dicom.headers import DISTINCTIONS, read_header, silence
from radiodeep.exceptions import DicomSeriesError, FileUnreadableError

_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_OF_FRAMES = {  # element: its group
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "StackID": "FrameContentSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "EffectiveEchoTime": "MREchoSequence",
    "DiffusionBValue": "MRDiffusionSequence",
}
FRAME_DISTINCTIONS = ("StackID", "TemporalPositionIndex", "EffectiveEchoTime", "DiffusionBValue")


class Frame(NamedTuple):
    """One plane of an image."""

    header: dict  # of the file
    index: int  # in the file
    place: dict  # the elements that tell of this frame

    @property
    def path(self):
        return self.header["path"]

    @property
    def rescaling(self):
        """Slope and intercept, from stored values to e.g. HU (PS3.3 C.11.1)."""
        return self.place.get("RescaleSlope", 1.0), self.place.get("RescaleIntercept", 0.0)


def frames_of(header, name):
    """Return the frames of a file. Raises DicomSeriesError for several that have no place each."""
    n_frames = int(header.get("NumberOfFrames", 1))
    if n_frames == 1 and "ImagePositionPatient" in header:
        return [Frame(header, 0, header)]
    path = header["path"]
    shared, groups = read_header(path, _GROUPS).values()
    if not groups and n_frames == 1:
        return [Frame(header, 0, header)]
    if not groups:
        raise DicomSeriesError(
            f"{name}: '{path.name}' holds several frames that do not say where they lie (cine, or nuclear medicine). "
            "Convert the series to .nii.gz with dcm2niix, and check its voxel size."
        )
    try:
        with silence():
            places = [_place(frame, shared[0] if shared else {}, header) for frame in groups]
    except Exception as error:  # pydicom parses nested sequences here, and raises what it meets
        raise FileUnreadableError(f"'{path.name}' has frames that cannot be placed: its header is damaged.") from error
    if len(places) != n_frames:
        raise FileUnreadableError(
            f"'{path.name}' announces {n_frames} frames and describes {len(places)}. Download or export it again."
        )
    return [Frame(header, index, place) for index, place in enumerate(places)]


def _place(frame, shared, header):
    """Return the elements of a frame: its own, else those of all frames, else those of the file."""
    place = {name: header[name] for name in ("Rows", "Columns", "ImageType", *_OF_FRAMES) if name in header}
    for name, group in _OF_FRAMES.items():
        items = frame.get(group) or shared.get(group) or ()
        value = items[0].get(name) if items else None
        if value not in (None, ""):
            is_text = name == "StackID"
            place[name] = str(value) if is_text else float(value) if np.ndim(value) == 0 else tuple(map(float, value))
    if not np.isfinite(
        np.hstack([value for name, value in place.items() if name in _OF_FRAMES and name != "StackID"])
    ).all():
        raise ValueError
    return place


def differences(frames):
    """Return what differs between frames at one position, "EchoTime (2.3, 4.6)", or "" if nothing known does."""
    found = []
    for name in dict.fromkeys((*DISTINCTIONS, *FRAME_DISTINCTIONS)):
        values = {frame.place.get(name) for frame in frames} - {None}
        if len(values) > 1:
            listed = sorted(
                "\\".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else value
                for value in values
            )
            found.append(f"{name} ({', '.join(listed[:6])})")
    return " and ".join(found)
