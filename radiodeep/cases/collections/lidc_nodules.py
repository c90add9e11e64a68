"""In: the readings of a CT scan of LIDC-IDRI. Out: its nodules, with the outlines of the readers and a consensus."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from radiodeep.cases.dicom.rtstruct import inside_polygon
from radiodeep.exceptions import GeometryMismatchError

_OFF_SLICE = 0.25  # of the distance of slices


@dataclass(frozen=True, eq=False)
class Outline:
    """A nodule of one reader: its ratings, and the sorted flat indices of its voxels in the scan."""

    reader: int
    ratings: dict
    voxels: np.ndarray


def outlines_of(readings, grid):
    """Return the `Outline` of every reading on the `SeriesGrid` of its scan, without those that enclose no voxel.

    The borders of a reader are drawn on the pixels around a nodule, so that a voxel belongs to the nodule if it lies
    inside the border, and not on it; holes are outlined in the same way from within the nodule.
    """
    levels = {uid: level for level, uid in enumerate(grid.sop_uids)}
    outlines = [Outline(reading.reader, reading.ratings, _voxels_of(reading, grid, levels)) for reading in readings]
    return [outline for outline in outlines if outline.voxels.size]


def _voxels_of(reading, grid, levels):
    inside, holes = [np.empty(0, int)], [np.empty(0, int)]
    for border in reading.borders:
        x, y = _surrounded(border.points)
        is_in_image = (x >= 0) & (y >= 0) & (x < grid.shape[2]) & (y < grid.shape[1])
        place = _level(border, grid, levels), y[is_in_image], x[is_in_image]
        (inside if border.is_inclusion else holes).append(np.ravel_multi_index(np.broadcast_arrays(*place), grid.shape))
    return np.setdiff1d(np.concatenate(inside), np.concatenate(holes))


def _level(border, grid, levels):
    """Return the slice of a border: that of its UID, else the one at its position."""
    if border.sop_uid in levels:
        return levels[border.sop_uid]
    height = np.nan if border.z_mm is None else (border.z_mm - grid.origin_mm[2]) / grid.spacing_mm[0]
    height *= grid.direction[2, 2]
    level = int(np.round(height)) if np.isfinite(height) else -1
    if not 0 <= level < grid.shape[0] or abs(height - level) > _OFF_SLICE:
        raise GeometryMismatchError(
            f"a border lies in the slice {border.sop_uid!r} at z = {border.z_mm} mm, which the {grid.name} does not "
            "have. Download the series again."
        )
    return level


def _surrounded(points):
    """Return the pixels x and y inside a border of whole pixels, without those that the border passes."""
    low = points.min(axis=0)
    points = points - low
    region = inside_polygon(points, points.max(axis=0)[::-1] + 1)
    steps = np.roll(points, -1, axis=0) - points
    n_steps = np.maximum(np.gcd(*np.abs(steps).T), 1)  # whole pixels on the line to the next point
    line = np.repeat(np.arange(len(points)), n_steps)
    fraction = np.arange(len(line)) - np.repeat(np.cumsum(n_steps) - n_steps, n_steps)
    x, y = (points[line] + steps[line] // n_steps[line, None] * fraction[:, None]).T
    region[y, x] = False
    y, x = np.nonzero(region)
    return x + low[0], y + low[1]


def matched(outlines, grid):
    """Return lists of outlines of one nodule each, at most one of every reader.

    The pair with the largest overlap (Dice) is joined first, then the next, and groups of outlines are joined unless a
    reader is in both. Pairs without a common voxel follow, the closest first, if their centres are no further apart
    than the radius, as of a sphere, of the smaller one.
    """
    centres = [_centre_mm(outline, grid) for outline in outlines]
    volume = np.prod(grid.spacing_mm)
    radii = [(3 * outline.voxels.size * volume / (4 * np.pi)) ** (1 / 3) for outline in outlines]
    pairs = []
    for one, other in combinations(range(len(outlines)), 2):
        distance = np.linalg.norm(centres[one] - centres[other])
        dice = _dice(outlines[one].voxels, outlines[other].voxels)
        if dice > 0 or distance <= min(radii[one], radii[other]):
            pairs.append((-dice, distance, one, other))
    groups = [[position] for position in range(len(outlines))]
    for *_, one, other in sorted(pairs):
        if groups[one] is not groups[other]:
            joined = groups[one] + groups[other]
            if len({outlines[position].reader for position in joined}) == len(joined):
                for position in joined:
                    groups[position] = joined
    unique = {id(group): group for group in groups}.values()
    return [sorted((outlines[position] for position in group), key=lambda each: each.reader) for group in unique]


def consensus(outlines, agreement):
    """Return the flat indices of voxels that at least a fraction of the readers who outlined the nodule include."""
    voxels, votes = np.unique(np.concatenate([outline.voxels for outline in outlines]), return_counts=True)
    return voxels[votes >= agreement * len(outlines)]


def _dice(one, other):
    if one[-1] < other[0] or other[-1] < one[0]:  # most pairs of a scan
        return 0.0
    return 2 * np.intersect1d(one, other, assume_unique=True).size / (one.size + other.size)


def _centre_mm(outline, grid):
    return np.mean(np.unravel_index(outline.voxels, grid.shape), axis=1) * grid.spacing_mm
