"""In: a region and its grey levels. Out: the steps to neighbouring voxels, and the tables that families share."""

from functools import cached_property, lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from radiodeep.checks import is_count, is_sequence, require, require_option
from radiodeep.handcrafted.kernels.glcm import count_pairs
from radiodeep.handcrafted.kernels.neighbours import compare_with_neighbours, link_equal_neighbours
from radiodeep.handcrafted.kernels.pairs import count_pairs_in_spans
from radiodeep.handcrafted.kernels.planes import compare_with_cube

WEIGHTING_NORMS = ("infinity", "euclidean", "manhattan", "no_weighting")

_FARTHEST = 20  # voxels; the border around a region and the number of directions grow with it
_APART = 48  # entries between two tables
_TABLE_BYTES = 2**26  # directions are taken together while their tables stay below this
_CHUNK = 4096  # voxels compared at a time
_MANY = 20_000  # voxels from which on a cube is added up by axes, and pairs are counted in spans
_DIRECTIONS_IN_SPANS = 64  # of which scratch arrays take 8 kB each
_HIGHEST_IN_CUBE = 7281  # grey level whose sum over 9 voxels fits in 16 bits


@lru_cache(maxsize=32)
def directions(distances, flat_axis=None):
    """Return steps (z, y, x) to one of each pair of opposite neighbours: int64 (n_directions, 3), read-only.

    Distances are in voxels, as the largest of |dz|, |dy|, |dx|. No step goes along the `flat_axis`, so that texture is
    computed within slices.

    >>> len(directions((1,))), len(directions((2,))), len(directions((1,), flat_axis=0))
    (13, 49, 4)
    """
    far = max(distances)
    steps = [step for step in product(range(-far, far + 1), repeat=3) if max(map(abs, step)) in distances]
    steps = [step for step in steps if flat_axis is None or step[flat_axis] == 0]
    steps = np.array(sorted((step for step in steps if step > (0, 0, 0)), reverse=True), np.int64)
    steps.flags.writeable = False
    return steps


def step_lengths(steps, spacing_mm, norm):
    """Return the lengths of steps in mm by a norm of `WEIGHTING_NORMS`, 1 for "no_weighting": float64 (n_steps,)."""
    lengths = np.abs(steps * spacing_mm)  # (n_steps, zyx)
    if norm == "no_weighting":
        return np.ones(len(steps))
    if norm == "infinity":
        return lengths.max(axis=1)
    if norm == "euclidean":
        return np.sqrt((lengths**2).sum(axis=1))
    return lengths.sum(axis=1)


def check_neighbour_settings(distances, weighting_norm):
    """Raise InputError for distances or a weighting norm out of range."""
    are_steps = is_sequence(distances) and all(is_count(step, 1, _FARTHEST) for step in distances)
    allowed = f"ints from 1 to {_FARTHEST}, as (1,)"
    require(are_steps, "region_features", "distances", allowed, distances)
    require_option(weighting_norm, (None, *WEIGHTING_NORMS), "region_features", "weighting_norm")


class DirectionTables(NamedTuple):
    """Pairs of grey levels along some directions.

    Attributes
    ----------
    steps : int64 ndarray (n_directions, 3)
    counts : uint32 ndarray (n_directions, n_present + 1, n_present + 1)
        Voxels of level `levels.values[i - 1]` whose neighbour has `levels.values[j - 1]`. Column 0 counts the pairs
        that leave the region; row 0 is arbitrary.
    """

    steps: np.ndarray
    counts: np.ndarray


class Neighbourhoods:
    """Tables about the neighbours of each voxel, each of them computed on first use because several families read it.

    GLCM and GLRLM read the pairs of direct neighbours, GLRLM and GLSZM the links between direct neighbours of one grey
    level, GLDM and NGTDM the comparison of each voxel with all its neighbours.

    Parameters
    ----------
    region : Region
        Its margin must not be smaller than the largest distance.
    levels : GrayLevels
    distances : sequence of int from 1 to 20, default=(1,)
        Distances of the neighbours in GLCM, GLDM and NGTDM in voxels, as the largest of |dz|, |dy|, |dx|: 26
        neighbours, or 13 directions, for 1. GLRLM and GLSZM always use direct neighbours.
    alpha : int, default=0
        Largest difference of grey levels that counts as dependent in the GLDM.
    """

    def __init__(self, region, levels, distances=(1,), alpha=0):
        self.region = region
        self.levels = levels
        self.distances = tuple(distances)
        self.alpha = alpha

    @property
    def has_direct_neighbours_only(self):
        return max(self.distances) == 1

    @cached_property
    def direct_steps(self):
        """Steps to half of the direct neighbours: int64 (n_directions, 3)."""
        return directions((1,), self.region.flat_axis)

    @cached_property
    def direct_offsets(self):
        """The same steps in the flattened volume: int64 (n_directions,)."""
        return self._offsets(self.direct_steps)

    @cached_property
    def direct_pairs(self):
        """Pairs of direct neighbours: a list of `DirectionTables`."""
        return list(self._count_pairs(self.direct_steps))

    def pairs(self):
        """Yield the `DirectionTables` of all neighbours at the given distances."""
        if self.has_direct_neighbours_only:
            yield from self.direct_pairs
        else:
            yield from self._count_pairs(directions(self.distances, self.region.flat_axis))

    @cached_property
    def equal_links(self):
        """Which preceding direct neighbours have the voxel's grey level: uint16 (n_places,), a bit per direction."""
        links = np.zeros(self.levels.volume.size, np.uint16)
        link_equal_neighbours(self.levels.volume.reshape(-1), self.direct_offsets, links)
        return links

    @property
    def dependence(self):
        """Voxels of each present grey level by their number of dependent neighbours: float64 (n_present, n + 1)."""
        return self._comparison[0]

    @property
    def differences(self):
        """Sums of |grey level - mean grey level of the neighbours| of each present level: float64 (n_present,).

        Voxels without neighbours add nothing.
        """
        return self._comparison[1]

    @cached_property
    def _comparison(self):
        levels = self.levels
        offsets = self._offsets(directions(self.distances, self.region.flat_axis))
        offsets = np.concatenate([offsets, -offsets])
        rows = np.zeros(levels.highest + 1, np.int64)
        rows[levels.values] = np.arange(levels.values.size)
        dependence = np.zeros((levels.values.size, offsets.size + 1))
        differences = np.zeros(levels.values.size)
        is_cube = self.has_direct_neighbours_only and self.region.flat_axis is None and self.alpha == 0
        if is_cube and self.region.positions.size >= _MANY and levels.highest <= _HIGHEST_IN_CUBE:
            compare_with_cube(levels.gray, rows, dependence, differences)
            return dependence, differences
        is_wide = offsets.size * levels.highest > np.iinfo(np.uint16).max
        scratch = np.empty((3, min(_CHUNK, levels.volume.size)), np.uint32 if is_wide else np.uint16)
        compare_with_neighbours(levels.gray.reshape(-1), rows, offsets, self.alpha, scratch, dependence, differences)
        return dependence, differences

    def _offsets(self, steps):
        """Return steps as offsets in the flattened volume of the region: int64 (n_steps,)."""
        _, ny, nx = self.region.mask.shape
        return steps @ np.array([ny * nx, nx, 1])

    def _count_pairs(self, steps):
        """Yield tables of some steps at a time, so that those held together stay below `_TABLE_BYTES`."""
        n = self.levels.values.size + 1
        at_once = max(1, _TABLE_BYTES // (8 * n**2))
        for start in range(0, len(steps), at_once):
            part = steps[start : start + at_once]
            # Tables a multiple of 4 kB apart would disturb each other in the processor's store buffer.
            tables = np.zeros((len(part), n * n + _APART), np.uint32)
            volume, positions = self.levels.volume.reshape(-1), self.region.positions
            in_spans = positions.size >= _MANY and volume.dtype == np.uint8 and len(part) <= _DIRECTIONS_IN_SPANS
            count = count_pairs_in_spans if in_spans else count_pairs
            count(volume, positions, self._offsets(part), n, tables)
            yield DirectionTables(part, tables[:, : n * n].reshape(len(part), n, n))


@lru_cache(maxsize=8)
def group_representatives(flat_axis=None):
    """Return one neighbour of each group that touches, for every pattern of neighbours: uint16 (2 ** n_directions,).

    A pattern has bit k set if the voxel has the grey level of its preceding neighbour k. Neighbours in the pattern
    that touch one another belong to one zone already, so the search for zones needs to look at only one of them. The
    groups of all patterns are computed at once: the lowest remaining bit starts a group, the group grows by the
    neighbours of its members until it stays the same, and is removed from the pattern.
    """
    steps = directions((1,), flat_axis)
    n = len(steps)
    touching = np.abs(steps[:, None] - steps[None]).max(axis=2) <= 1
    neighbours = (touching * (1 << np.arange(n))).sum(axis=1)  # bits of the neighbours of each neighbour
    left = np.arange(1 << n)
    out = np.zeros(1 << n, np.int64)
    while left.any():
        group = left & -left
        out |= group
        for _ in range(n):
            grown = group.copy()
            for k in range(n):
                grown |= np.where(group >> k & 1, neighbours[k], 0)
            grown &= left
            if (grown == group).all():
                break
            group = grown
        left &= ~group
    out = out.astype(np.uint16)
    out.flags.writeable = False
    return out
