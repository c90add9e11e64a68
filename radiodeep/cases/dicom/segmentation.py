"""In: a DICOM segmentation (SEG). Out: the mask of a segment on the grid of the image it belongs to, or on its own.

Frames are placed by their position and orientation (DICOM PS3.3 C.8.20), in whatever order they are stored; slices
without a frame are empty. Of a FRACTIONAL segmentation, voxels of half of the largest value or more are inside.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom.headers import silence
from radiodeep.cases.dicom.series import read_header
from radiodeep.cases.dicom.stack import unit_axes
from radiodeep.cases.region_names import distinct_names
from radiodeep.cases.volume import Volume
from radiodeep.exceptions import (
    EmptyMaskError,
    FileUnreadableError,
    GeometryMismatchError,
    TruncatedFileError,
    UnsupportedImageError,
)

_OFF_VOXEL = 0.1  # of a voxel
_OTHERS = "StudiesContainingOtherReferencedInstancesSequence"  # such as that of the image
_ELEMENTS = (
    "SegmentationType", "SegmentSequence", "ReferencedSeriesSequence", "FrameOfReferenceUID", "MaximumFractionalValue",
    _OTHERS,
)  # fmt: skip
_OF_FRAMES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames")
_TYPES = ("BINARY", "FRACTIONAL", "LABELMAP")
_DAMAGED = "it is damaged. Copy or export it again."


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
        The labels of the segments, see `distinct_names`.
    numbers : tuple of int
        Of the segments.
    threshold : int or None
        The smallest value inside a segment; None for a label map, whose values are the numbers.
    """

    name: str
    path: Path
    series_uids: tuple[str, ...]
    frames: tuple[str, ...]
    region_names: tuple[str, ...]
    numbers: tuple[int, ...]
    threshold: int | None

    @property
    def drawn_on(self):
        """The series and frames of reference of each segment, as in a `StructureSet`."""
        return ((self.series_uids, self.frames),) * len(self.numbers)

    def filled_names(self):
        """Return the names of the segments that have a frame; of a label map all."""
        shown = {number for number, _ in self._frames}
        return [name for name, number in zip(self.region_names, self.numbers, strict=True) if shown & {number, None}]

    def mask_of(self, position, grid):
        """Return the segment at a position of `region_names` as a bool mask on a `SeriesGrid`.

        The file may hold only the slices of the segment, in any order and orientation, but its voxels must be those of
        the grid. Raises GeometryMismatchError otherwise, and EmptyMaskError.
        """
        name = f"{self.name}: segment '{self.region_names[position]}'"
        mask = np.zeros(grid.shape, bool)
        planes = self._planes_of(self.numbers[position])
        if not all(plane.mark(mask, grid) for plane in planes) or _skip_slices(planes, grid):
            raise GeometryMismatchError(
                f"{name} does not lie on the voxels of the {grid.name}. Use the image that it was drawn on, or "
                "resample_mask=True."
            )
        if not mask.any():
            raise EmptyMaskError(f"{name} has no voxel. Choose another segment, or leave the case out.")
        return mask

    def volume_of(self, positions):
        """Return the union of segments at positions of `region_names` on its own grid, as a `Volume` of a bool mask.

        Raises GeometryMismatchError unless their frames are evenly spaced slices of one stack, and EmptyMaskError.
        """
        name = f"{self.name}: segment {' and '.join(repr(self.region_names[position]) for position in positions)}"
        planes = [plane for position in positions for plane in self._planes_of(self.numbers[position])]
        if not planes:
            raise EmptyMaskError(f"{name} has no voxel. Choose another segment, or leave the case out.")
        first = planes[0]
        direction = np.column_stack([first.along_x, first.along_y, np.cross(first.along_x, first.along_y)])
        places = (np.array([plane.corner for plane in planes]) - first.corner) @ direction
        heights = np.unique(places[:, 2].round(3))
        step = first.distance_mm or float(np.diff(heights).min(initial=np.inf))
        step = step if np.isfinite(step) else 1.0
        levels = (places[:, 2] - heights[0]) / step
        is_even = np.abs(levels - levels.round()).max() <= _OFF_VOXEL
        is_aligned = np.abs(places[:, :2]).max() <= _OFF_VOXEL * min(first.spacing_mm)
        if not (is_even and is_aligned) or any(not plane.is_parallel_to(first) for plane in planes):
            raise GeometryMismatchError(f"{name} has frames that are not evenly spaced slices of one stack.")
        levels = levels.round().astype(int)
        voxels = np.zeros((levels.max() + 1, *first.pixels.shape), bool)
        for level, plane in zip(levels, planes, strict=True):
            voxels[level] |= plane.pixels
        return Volume(voxels, (step, *first.spacing_mm), planes[int(levels.argmin())].corner, direction)

    @cached_property
    def _frames(self):
        """The number of the segment of each frame, None in a label map, and where the frame lies, as in `_Plane`."""
        try:
            with silence():
                shared, frames, n_frames = read_header(self.path, _OF_FRAMES).values()
                places = [_place_of(frame, shared[0], self.threshold is None) for frame in frames]
            if len(places) != n_frames:
                raise ValueError
        except Exception as error:  # as in `read_segmentation`
            raise self._damaged() from error
        return places

    def _planes_of(self, number):
        """Return the frames of a segment that are not empty; others are not decoded, as there may be thousands."""
        chosen = [index for index, (segment, _) in enumerate(self._frames) if segment in (number, None)]
        if not chosen:
            return []
        try:
            with silence():
                frames = _decoded(self.path, chosen)
                inside = [frame == number if self.threshold is None else frame >= self.threshold for frame in frames]
        except Exception as error:  # as in `read_segmentation`
            raise self._damaged() from error
        places = [self._frames[index][1] for index in chosen]
        return [_Plane(pixels, *place) for pixels, place in zip(inside, places, strict=True) if pixels.any()]

    def _damaged(self):
        return TruncatedFileError(f"'{self.name}' is a segmentation that cannot be read: {_DAMAGED}")


def read_segmentation(path):
    """Read the segments of a SEG file as a `Segmentation`, without their voxels."""
    path = Path(path)
    header = read_header(path, _ELEMENTS)
    if header["SegmentationType"] not in _TYPES:
        raise UnsupportedImageError(
            f"'{path.name}' is a segmentation of the type {header['SegmentationType']!r}. Expected one of "
            f"{', '.join(_TYPES)}; convert it with dcmqi or 3D Slicer."
        )
    try:
        segments = [each for each in header["SegmentSequence"] or () if each.SegmentNumber]  # 0: the background
        numbers = tuple(int(segment.SegmentNumber) for segment in segments)
        is_fractional = header["SegmentationType"] == "FRACTIONAL"
        threshold = (int(header["MaximumFractionalValue"]) + 1) // 2 if is_fractional else 1
        return Segmentation(
            path.name,
            path,
            tuple(
                str(series.SeriesInstanceUID)
                for study in (header, *(header[_OTHERS] or ()))
                for series in study.get("ReferencedSeriesSequence") or ()
            ),
            (str(header["FrameOfReferenceUID"] or ""),),
            distinct_names([str(segment.SegmentLabel) for segment in segments], numbers),
            numbers,
            None if header["SegmentationType"] == "LABELMAP" else threshold,
        )
    except Exception as error:  # pydicom raises what its parsing meets; its texts may quote the header
        raise FileUnreadableError(f"'{path.name}' is a segmentation that cannot be read: {_DAMAGED}") from error


@dataclass(frozen=True, eq=False)
class _Plane:
    """The pixels (y, x) of a segment in one frame, and their place."""

    pixels: np.ndarray
    corner: np.ndarray
    along_x: np.ndarray
    along_y: np.ndarray
    spacing_mm: tuple[float, float]  # (y, x)
    distance_mm: float  # of neighbouring slices, 0 if unknown

    def mark(self, mask, grid):
        """Mark the pixels in a mask (z, y, x) on a grid; return False if they do not lie on its voxels."""
        rows, columns = (np.flatnonzero(self.pixels.any(axis=axis)) for axis in (1, 0))
        rows, columns = rows[[0, -1]], columns[[0, -1]]
        steps = np.outer(rows[[0, 0, 1, 1]], self.along_y * self.spacing_mm[0])
        steps += np.outer(columns[[0, 1, 0, 1]], self.along_x * self.spacing_mm[1])
        indices = grid.indices_of(self.corner + steps)[:, ::-1]  # (z, y, x) of the four corners of the segment
        nearest = indices.round().astype(int)
        down, across = nearest[2] - nearest[0], nearest[1] - nearest[0]
        is_outside = (nearest < 0).any() or (nearest >= grid.shape).any()
        if is_outside or np.abs(indices - nearest).max() > _OFF_VOXEL:
            return False
        low, high = nearest.min(axis=0), nearest.max(axis=0) + 1
        sides = np.stack([self.along_y, self.along_x]) * np.reshape(self.spacing_mm, (2, 1)) @ grid.direction
        is_same_size = np.abs(np.abs(sides / grid.spacing_mm[::-1]).max(axis=1) - 1).max() <= _OFF_VOXEL
        if not is_same_size or sorted([np.ptp(rows) + 1, np.ptp(columns) + 1]) != sorted(high - low)[1:]:
            return False
        pixels = self.pixels[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
        pixels = pixels[:: -1 if down.sum() < 0 else 1, :: -1 if across.sum() < 0 else 1]
        pixels = pixels.T if np.abs(down).argmax() > np.abs(across).argmax() else pixels
        mask[tuple(map(slice, low, high))] |= pixels.reshape(high - low)
        return True

    def is_parallel_to(self, other):
        own, others = ([*each.along_x, *each.along_y, *each.spacing_mm] for each in (self, other))
        return np.allclose(own, others, rtol=0, atol=1e-3)


def _skip_slices(planes, grid):
    """Return whether neighbouring frames lie two slices of a grid or more apart, as they say: it has others between."""
    if not planes:
        return False
    normal = np.cross(planes[0].along_x, planes[0].along_y)
    step_mm = 1 / np.abs(normal @ grid.direction / grid.spacing_mm[::-1]).max()
    levels = np.unique(np.round([(plane.corner - planes[0].corner) @ normal / step_mm for plane in planes]))
    return len(levels) > 1 and np.diff(levels).min() >= 2 and planes[0].distance_mm >= 1.5 * step_mm


def _decoded(path, indices):
    """Return or yield some frames of a file; all are decoded if they do not begin at whole bytes."""
    import pydicom  # late: an optional package

    dataset = pydicom.dcmread(path)  # whole, so that pydicom counts the bytes
    if dataset.Rows * dataset.Columns * dataset.BitsAllocated % 8:
        return dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)[indices]
    return pydicom.pixels.iter_pixels(dataset, indices=indices)


def _place_of(frame, shared, is_labels):
    axes = unit_axes(_group(frame, shared, "PlaneOrientationSequence").ImageOrientationPatient)
    corner = np.array(_group(frame, shared, "PlanePositionSequence").ImagePositionPatient, float)
    measures = _group(frame, shared, "PixelMeasuresSequence")
    spacing_mm = tuple(float(step) for step in measures.PixelSpacing)
    distance_mm = abs(float(measures.get("SpacingBetweenSlices") or 0))
    segment = None
    if not is_labels:
        segment = int(_group(frame, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)
    return segment, (corner, *axes, spacing_mm, distance_mm)


def _group(frame, shared, name):
    return (frame if name in frame else shared)[name][0]
