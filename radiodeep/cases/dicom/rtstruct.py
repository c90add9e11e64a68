"""In: contours of a DICOM structure set (RTSTRUCT), in mm. Out: a mask on the grid of the image they were drawn on.

A voxel belongs to the region if its centre lies inside the contour of its slice (IBSI). One contour may touch or cross
itself, as around a keyhole: a centre that it encloses an even number of times is outside. Of several contours in a
slice, one that lies inside another cuts a hole, and others are united; those of the type CLOSEDPLANAR_XOR are combined
by exclusive or (DICOM PS3.3 C.8.8.6.3).
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom.series import read_header
from radiodeep.cases.region_names import distinct_names
from radiodeep.exceptions import (
    EmptyMaskError,
    FileUnreadableError,
    GeometryMismatchError,
    RadiodeepWarning,
)

_OFF_SLICE = 0.25  # of a voxel: rounded positions, not a contour between slices
_SAME_AREA = 1e-3  # of one outline that is stored twice
_XOR = "CLOSEDPLANAR_XOR"
_CLOSED = ("CLOSED_PLANAR", _XOR)
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
        See `distinct_names`.
    contours : tuple of lists of ndarray of shape (n, 3)
        The closed contours of each region, patient positions (x, y, z) in mm.
    xor : tuple of bool
        Whether those of a region are combined by exclusive or.
    drawn_on : tuple of (tuple of str, tuple of str)
        The series and frames of reference that each region was drawn on: all of the file, if it does not say which.
    n_open : tuple of int
        Numbers of contours of each region that are not closed.
    """

    name: str
    series_uids: tuple[str, ...]
    frames: tuple[str, ...]
    region_names: tuple[str, ...]
    contours: tuple
    xor: tuple[bool, ...]
    drawn_on: tuple
    n_open: tuple[int, ...]

    def filled_names(self):
        """Return the names of the regions that have a contour."""
        return [name for name, contours in zip(self.region_names, self.contours, strict=True) if contours]

    def mask_of(self, position, grid):
        """Return the region at a position of `region_names` as a bool mask on a `SeriesGrid`."""
        name = f"{self.name}: region '{self.region_names[position]}'"
        if not self.contours[position]:
            raise EmptyMaskError(f"{name} has no closed contour. Choose another region, or leave the case out.")
        if self.n_open[position]:
            warnings.warn(
                f"{name} has open contours, which enclose nothing. Left out: {self.n_open[position]}.",
                RadiodeepWarning,
                stacklevel=3,
            )
        return mask_of_contours(self.contours[position], grid, name, self.xor[position])


def read_structure_set(path):
    """Read an RTSTRUCT file as a `StructureSet`; contours of other kinds than closed ones (points) are passed over."""
    path = Path(path)
    header = read_header(path, _SEQUENCES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frames = {}
            for frame in header["ReferencedFrameOfReferenceSequence"] or ():
                uid = str(frame.get("FrameOfReferenceUID") or "")
                frames[uid] = (*frames.get(uid, ()), *_series_of(frame))
            series, known = tuple(uid for uids in frames.values() for uid in uids), tuple(filter(None, frames))
            rois = list(header["StructureSetROISequence"] or ())
            regions = {roi.ROINumber: roi for roi in rois}
            if len(regions) < len(rois):
                raise ValueError("two regions have one number")
            names = distinct_names([str(roi.ROIName) for roi in regions.values()], list(regions))
            own = [str(roi.get("ReferencedFrameOfReferenceUID")) for roi in regions.values()]
            given = {number: [] for number in regions}
            for roi in header["ROIContourSequence"] or ():
                given.setdefault(roi.ReferencedROINumber, []).extend(roi.get("ContourSequence") or ())
            drawn = [_closed_contours(given[number]) for number in regions]
            contours, xor, n_open = zip(*drawn, strict=True) if drawn else ((), (), ())
            return StructureSet(
                path.name,
                series,
                known,
                names,
                contours,
                xor,
                tuple((frames[frame], (frame,)) if frame in frames else (series, known) for frame in own),
                n_open,
            )
    except Exception as error:  # pydicom raises what its parsing meets; its texts may quote the header
        raise FileUnreadableError(
            f"'{path.name}' is a structure set that cannot be read: it is damaged, or a contour has points that are "
            "not numbers. Copy or export it again."
        ) from error


def _series_of(frame):
    for study in frame.get("RTReferencedStudySequence") or ():
        for series in study.get("RTReferencedSeriesSequence") or ():
            yield str(series.SeriesInstanceUID)


def _closed_contours(contours):
    """Return the closed contours of a region, whether they are combined by exclusive or, and how many are open.

    One that is stored twice counts once, or it would cancel out; one or two points enclose nothing.
    """
    given, kinds, n_open = {}, set(), 0
    for contour in contours:
        if contour.ContourGeometricType in _CLOSED and "ContourData" in contour:
            points = _numbers(contour.get_item("ContourData").value).reshape(-1, 3)
            if not np.isfinite(points).all():
                raise ValueError("a contour has points that are not numbers")
            if len(points) > 2:
                given[points.tobytes()] = points
                kinds.add(contour.ContourGeometricType)
        n_open += str(contour.ContourGeometricType).startswith("OPEN")
    return list(given.values()), _XOR in kinds, n_open


def _numbers(value):
    """Return the numbers of an element as stored, which is five times as fast as by pydicom."""
    texts = value.split(b"\\") if isinstance(value, bytes) else value
    return np.array([] if value in (b"", None) else texts).astype(float)


def mask_of_contours(contours, grid, name, xor=False):
    """Return the voxels of a `SeriesGrid` whose centres lie inside closed contours, as a bool mask (z, y, x).

    `name` is that of the region, for messages. The contours lie in slices across one axis of the grid, which need not
    be the first. Raises GeometryMismatchError for a contour that lies in no slice or reaches beyond the image,
    EmptyMaskError if no voxel is inside. Warns of slices without contour between others, which stay empty.
    """
    mask = np.zeros(grid.shape, bool)
    outlines = [np.round(grid.indices_of(contour), 6) for contour in contours]  # 6: ties the same on every machine
    thickness = np.array([np.ptp(points, axis=0) for points in outlines]).max(axis=0, initial=0)
    across = 2 if thickness[2] <= 2 * _OFF_SLICE else int(thickness.argmin())  # x, y or z
    planes, within = {}, [axis for axis in range(3) if axis != across]
    for points in outlines:
        level = int(np.round(points[:, across].mean()))
        _check_place(points, level, across, grid, name)
        planes.setdefault(level, []).append(points[:, within])
    slices = np.moveaxis(mask, 2 - across, 0)
    n_crossing = 0
    for level, polygons in planes.items():
        inside = [inside_polygon(points, slices.shape[1:]) for points in polygons]
        slices[level], is_crossing = (
            (np.logical_xor.reduce(inside), False) if xor else _united(inside, [_area(points) for points in polygons])
        )
        n_crossing += is_crossing
    if not mask.any():
        raise EmptyMaskError(f"{name} encloses the centre of no voxel. Choose another region, or leave the case out.")
    _warn(planes, n_crossing, name)
    return mask


def _check_place(points, level, across, grid, name):
    """Raise GeometryMismatchError for a contour, in indices (x, y, z), that lies in no slice or beyond the image."""
    heights = points[:, across]
    off = np.abs(heights - level).max()
    if off > _OFF_SLICE:
        raise GeometryMismatchError(
            f"{name} has a contour between the slices of the {grid.name}, or across them: it reaches from slice "
            f"{heights.min():.2f} to {heights.max():.2f}, {off * grid.spacing_mm[2 - across]:.3g} mm from the nearest. "
            "Expected whole numbers; it was drawn on another image."
        )
    sizes = np.array(grid.shape[::-1])
    if (points.min(axis=0) < -1).any() or (points.max(axis=0) > sizes).any() or not 0 <= level < sizes[across]:
        raise GeometryMismatchError(
            f"{name} reaches beyond the {grid.name}: from voxel {_rounded(points.min(axis=0))} to "
            f"{_rounded(points.max(axis=0))} (x, y, z) of {'x'.join(map(str, sizes))}. Use the image that it was drawn "
            "on."
        )


def _united(inside, areas):
    """Return the pixels of several outlines in one slice, and whether some of them cross.

    From the largest to the smallest, one inside the pixels of the others cuts a hole, and one elsewhere is added.
    """
    plane, kept, is_crossing = np.zeros_like(inside[0]), [], False
    for at in np.argsort([-each.sum() for each in inside], kind="stable"):
        is_again = any(
            abs(areas[at] - areas[other]) <= _SAME_AREA * areas[other] and (inside[at] == inside[other]).all()
            for other in kept
        )
        if is_again:
            continue
        kept.append(at)
        n_common, n_pixels = np.count_nonzero(plane & inside[at]), np.count_nonzero(inside[at])
        if n_common == n_pixels:
            plane &= ~inside[at]
        else:
            plane |= inside[at]
            is_crossing |= n_common > 0
    return plane, is_crossing


def _warn(levels, n_crossing, name):
    between = sorted(set(range(min(levels), max(levels))) - set(levels))
    if between:
        warnings.warn(
            f"{name} has no contour in {len(between)} slices between others, the first is slice {between[0]}. They are "
            "taken as outside the region.",
            RadiodeepWarning,
            stacklevel=4,
        )
    if n_crossing:
        warnings.warn(
            f"{name} has contours that cross each other in {n_crossing} slices. They are united.",
            RadiodeepWarning,
            stacklevel=4,
        )


def inside_polygon(points, shape):
    """Return which pixel centres lie inside a closed polygon, as a bool array of a shape (y, x).

    `points` are indices (x, y), shape (n, 2). A centre is inside if a ray from it crosses the outline an odd number of
    times (even-odd rule); of centres on the outline, those at its left or upper side are inside.
    """
    inside = np.zeros(shape, bool)
    points = np.asarray(points, float)
    low = np.ceil(points.min(axis=0)).clip(0, shape[::-1]).astype(int)
    n_columns, n_rows = np.maximum(np.ceil(points.max(axis=0)).clip(0, shape[::-1]).astype(int) - low, 0)
    x, y = (points - low).T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    # An edge crosses the rows from its upper to its lower end, the lower one excluded.
    first = np.ceil(np.minimum(y, next_y)).clip(0, n_rows).astype(int)
    n_crossed = np.maximum(np.ceil(np.maximum(y, next_y)).clip(0, n_rows).astype(int) - first, 0)
    edge = np.repeat(np.arange(len(x)), n_crossed)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(n_crossed) - n_crossed, n_crossed)
    crossing = x[edge] + (row - y[edge]) * (next_x - x)[edge] / (next_y - y)[edge]
    column = np.ceil(crossing).clip(0, n_columns).astype(int)
    is_odd = np.bincount(row * (n_columns + 1) + column, minlength=n_rows * (n_columns + 1)) % 2 == 1
    flips = is_odd.reshape(n_rows, n_columns + 1)[:, :-1]
    inside[low[1] : low[1] + n_rows, low[0] : low[0] + n_columns] = np.logical_xor.accumulate(flips, axis=1)
    return inside


def _area(points):
    x, y = points.T
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _rounded(point):
    return "(" + ", ".join(f"{value:.1f}" for value in point) + ")"
