"""In: a DICOM segmentation (SEG). Out: the mask of a segment on the grid of the image it belongs to."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom import read_header
from radiodeep.exceptions import (
    EmptyMaskError,
    FileUnreadableError,
    GeometryMismatchError,
    TruncatedFileError,
    UnsupportedImageError,
)

_OFF_VOXEL = 0.1  # of a voxel
_ELEMENTS = ("SegmentationType", "SegmentSequence", "ReferencedSeriesSequence", "FrameOfReferenceUID")


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The segments of a SEG file.

    Attributes
    ----------
    name : str
        Of the file.
    path : Path
    series_uids : tuple of str
        Of the series that was segmented; none if the file does not say.
    frames : tuple of str
        Its frame of reference.
    region_names : tuple of str
        The labels of the segments.
    numbers : tuple of int
        Of the segments.
    """

    name: str
    path: Path
    series_uids: tuple[str, ...]
    frames: tuple[str, ...]
    region_names: tuple[str, ...]
    numbers: tuple[int, ...]

    def filled_names(self):
        """Return the names of the segments."""
        return list(self.region_names)

    def mask_of(self, position, grid):
        """Return the segment at a position of `region_names` as a bool mask on a `SeriesGrid`.

        The file may hold only the slices of the segment, in any order and orientation, but its voxels must be those of
        the grid. Raises GeometryMismatchError otherwise, and EmptyMaskError.
        """
        name = f"{self.name}: segment '{self.region_names[position]}'"
        mask = np.zeros(grid.shape, bool)
        for points_mm in _points_of(self.path, self.numbers[position]):
            indices = grid.indices_of(points_mm)
            nearest = np.round(indices).astype(int)
            is_outside = (nearest < 0).any() or (nearest >= grid.shape[::-1]).any()
            if is_outside or np.abs(indices - nearest).max() > _OFF_VOXEL:
                raise GeometryMismatchError(
                    f"{name} does not lie on the voxels of the {grid.name}. Use the image that it was drawn on, or "
                    "resample the mask."
                )
            x, y, z = nearest.T
            mask[z, y, x] = True
        if not mask.any():
            raise EmptyMaskError(f"{name} has no voxel. Choose another segment, or leave the case out.")
        return mask


def read_segmentation(path):
    """Read the segments of a SEG file as a `Segmentation`, without their voxels."""
    path = Path(path)
    header = read_header(path, _ELEMENTS)
    if header["SegmentationType"] != "BINARY":
        raise UnsupportedImageError(
            f"'{path.name}' is a segmentation of the type {header['SegmentationType']!r}. Expected 'BINARY'; convert "
            "it with dcmqi or 3D Slicer."
        )
    try:
        segments = header["SegmentSequence"] or ()
        return Segmentation(
            path.name,
            path,
            tuple(str(series.SeriesInstanceUID) for series in header["ReferencedSeriesSequence"] or ()),
            (str(header["FrameOfReferenceUID"] or ""),),
            tuple(str(segment.SegmentLabel).strip() for segment in segments),
            tuple(int(segment.SegmentNumber) for segment in segments),
        )
    except AttributeError as error:
        raise FileUnreadableError(f"'{path.name}' is a segmentation that cannot be read: {error}.") from error


def _points_of(path, number):
    """Yield the centres of a segment's voxels in mm, shape (n, 3), frame by frame."""
    import pydicom  # late: an optional package

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path)
            voxels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
            shared = dataset.SharedFunctionalGroupsSequence[0]
            frames = list(dataset.PerFrameFunctionalGroupsSequence)
        for frame, plane in zip(frames, voxels, strict=True):
            if _group(frame, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber == number and plane.any():
                along_x, along_y = np.reshape(
                    np.array(_group(frame, shared, "PlaneOrientationSequence").ImageOrientationPatient, float), (2, 3)
                )
                step_y, step_x = (float(s) for s in _group(frame, shared, "PixelMeasuresSequence").PixelSpacing)
                corner = np.array(_group(frame, shared, "PlanePositionSequence").ImagePositionPatient, float)
                y, x = np.nonzero(plane)
                yield corner + np.outer(x, along_x * step_x) + np.outer(y, along_y * step_y)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise TruncatedFileError(f"'{path.name}' is a segmentation that cannot be read: {error}") from error


def _group(frame, shared, name):
    return (frame if name in frame else shared)[name][0]
