"""In: contours of a DICOM structure set (RTSTRUCT), in mm. Out: a mask on the grid of the image they were drawn on.

A voxel belongs to the region if its centre lies inside the contour of its slice (IBSI). Nested contours cut holes: a
centre inside an even number of contours is outside.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom import read_header
from radiodeep.exceptions import (
    EmptyMaskError,
    FileUnreadableError,
    GeometryMismatchError,
)

_OFF_SLICE = 0.25  # of a voxel: rounded positions, not a contour between slices
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_SEQUENCES = ("StructureSetROISequence", "ROIContourSequence", "ReferencedFrameOfReferenceSequence")


@dataclass(frozen=True, eq=False)
class StructureSet:
    """The regions of an RTSTRUCT file.

    Attributes
    ----------
    name : str
        Of the file.
    series_uids : tuple of str
        Of the series that were outlined.
    frames : tuple of str
        Their frames of reference.
    region_names : tuple of str
    contours : tuple of lists of ndarray of shape (n, 3)
        The closed contours of each region, patient positions (x, y, z) in mm.
    """

    name: str
    series_uids: tuple[str, ...]
    frames: tuple[str, ...]
    region_names: tuple[str, ...]
    contours: tuple

    def filled_names(self):
        """Return the names of the regions that have a contour."""
        return [name for name, contours in zip(self.region_names, self.contours, strict=True) if contours]

    def mask_of(self, position, grid):
        """Return the region at a position of `region_names` as a bool mask on a `SeriesGrid`."""
        name = f"{self.name}: region '{self.region_names[position]}'"
        return mask_of_contours(self.contours[position], grid, name)


def read_structure_set(path):
    """Read an RTSTRUCT file as a `StructureSet`; contours of other kinds than closed ones (points) are passed over."""
    path = Path(path)
    header = read_header(path, _SEQUENCES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frames = header["ReferencedFrameOfReferenceSequence"] or ()
            names = {roi.ROINumber: str(roi.ROIName).strip() for roi in header["StructureSetROISequence"] or ()}
            contours = {number: [] for number in names}
            for roi in header["ROIContourSequence"] or ():
                contours[roi.ReferencedROINumber] = _closed_contours(roi)
            return StructureSet(
                path.name,
                tuple(str(series.SeriesInstanceUID) for series in _series_of(frames)),
                tuple(str(frame.FrameOfReferenceUID) for frame in frames if "FrameOfReferenceUID" in frame),
                tuple(names.values()),
                tuple(contours[number] for number in names),
            )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FileUnreadableError(f"'{path.name}' is a structure set that cannot be read: {error}.") from error


def _series_of(frames):
    for frame in frames:
        for study in frame.get("RTReferencedStudySequence") or ():
            yield from study.get("RTReferencedSeriesSequence") or ()


def _closed_contours(roi):
    """Return the closed contours of a region; one that is stored twice counts once, or it would cancel out."""
    given = {}
    for contour in roi.get("ContourSequence") or ():
        if contour.ContourGeometricType in _CLOSED:
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            given[points.tobytes()] = points
    return list(given.values())


def mask_of_contours(contours, grid, name):
    """Return the voxels of a `SeriesGrid` whose centres lie inside closed contours, as a bool mask (z, y, x).

    `name` is that of the region, for messages. Raises GeometryMismatchError for a contour that lies in no slice or
    reaches beyond the image, EmptyMaskError if no voxel is inside.
    """
    mask = np.zeros(grid.shape, bool)
    upper = np.array(grid.shape[::-1]) - 0.5
    for contour in contours:
        points = grid.indices_of(contour)  # (x, y, z)
        heights = points[:, 2]
        level = int(np.round(heights.mean()))
        if np.abs(heights - level).max() > _OFF_SLICE:
            raise GeometryMismatchError(
                f"{name} has a contour between the slices of the {grid.name}, or across them: it reaches from slice "
                f"{heights.min():.2f} to {heights.max():.2f}. Expected whole numbers; it was drawn on another image."
            )
        if (points.min(axis=0) < -1).any() or (points.max(axis=0) > upper + 0.5).any() or not 0 <= level < len(mask):
            raise GeometryMismatchError(
                f"{name} reaches beyond the {grid.name}: from voxel {_rounded(points.min(axis=0))} to "
                f"{_rounded(points.max(axis=0))} (x, y, z) of {'x'.join(str(size) for size in grid.shape[::-1])}. Use "
                "the image that it was drawn on."
            )
        mask[level] ^= inside_polygon(np.round(points[:, :2], 6), grid.shape[1:])  # 6: ties the same on every machine
    if not mask.any():
        raise EmptyMaskError(f"{name} encloses the centre of no voxel. Choose another region, or leave the case out.")
    return mask


def inside_polygon(points, shape):
    """Return which pixel centres lie inside a closed polygon, as a bool array of a shape (y, x).

    `points` are indices (x, y), shape (n, 2). A centre is inside if a ray from it crosses the outline an odd number of
    times (even-odd rule); of centres on the outline, those at its left or upper side are inside.
    """
    x, y = np.asarray(points, float).T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    # An edge crosses the rows from its upper to its lower end, the lower one excluded.
    first = np.ceil(np.minimum(y, next_y)).clip(0, shape[0]).astype(int)
    n_rows = np.maximum(np.ceil(np.maximum(y, next_y)).clip(0, shape[0]).astype(int) - first, 0)
    edge = np.repeat(np.arange(len(x)), n_rows)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
    crossing = x[edge] + (row - y[edge]) * (next_x - x)[edge] / (next_y - y)[edge]
    n_crossings = np.zeros((shape[0], shape[1] + 1), int)
    np.add.at(n_crossings, (row, np.ceil(crossing).clip(0, shape[1]).astype(int)), 1)
    return n_crossings.cumsum(axis=1)[:, :-1] % 2 == 1


def _rounded(point):
    return "(" + ", ".join(f"{value:.1f}" for value in point) + ")"
