"""In: a region. Out: shares of its local binary patterns, of slices or of space.

A pattern tells at which of the points about a voxel the intensity is not below that of the voxel. It is uniform if the
points where it is not below are connected, and those where it is below too. A uniform pattern is described by the
number of its points that are not below, which rotation does not change; all other patterns share one bin. Shares are
those of the voxels of the `Interior` of the region, and add up to 1.

Points between voxels are interpolated linearly. Intensities count as equal within a billionth of the range of the
region, so that rounding decides nothing. Shares do not depend on the unit of the image, its offset or its contrast. The
radius is in voxels, whatever their size.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from radiodeep.handcrafted.interior import find_interior, require_depth

_TIE = 1e-9  # of the range of the region


@dataclass(frozen=True, eq=False)
class _Sampling:
    """The points about a voxel.

    `coordinates` are float64 (n_points, n_axes) in voxels, `radius` their distance from the voxel rounded up to whole
    voxels. Points up to `farthest_neighbour` apart are neighbours.
    """

    radius: int
    coordinates: np.ndarray
    farthest_neighbour: float

    @property
    def names(self):
        """The names of the bins, a tuple of n_points + 2."""
        n_points = len(self.coordinates)
        prefix = f"P{n_points}R{self.radius}"
        uniform = [f"{prefix}Uniform{n:0{len(str(n_points))}}" for n in range(n_points + 1)]
        return (*uniform, f"{prefix}NonUniform")

    @cached_property
    def weights(self):
        """For each point the voxels that it is interpolated from: a list of (step from the centre, weight)."""
        return [_interpolation(point) for point in self.coordinates]

    @cached_property
    def bins(self):
        """The bin of each pattern, in which bit k is set if point k is not below the voxel: int64 (2**n_points,)."""
        n_points = len(self.coordinates)
        apart = np.linalg.norm(self.coordinates[:, None] - self.coordinates, axis=2)
        neighbours = ((apart <= self.farthest_neighbour) << np.arange(n_points)).sum(axis=1)
        patterns = np.arange(1 << n_points)
        is_connected = _are_connected(patterns, neighbours)
        n_set = sum(patterns >> bit & 1 for bit in range(n_points))
        return np.where(is_connected & is_connected[::-1], n_set, n_points + 1)  # the last pattern is the first's rest


def _circle(n_points, radius):
    angles = 2 * np.pi * np.arange(n_points) / n_points
    coordinates = radius * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return _Sampling(radius, coordinates, 2 * radius * np.sin(np.pi / n_points) * 1.01)


def _sphere():
    """Return the directions from the centre of a cube to its faces and corners, at a distance of 1 voxel."""
    faces = np.concatenate([np.eye(3), -np.eye(3)])
    corners = np.array(list(product((-1, 1), repeat=3))) / np.sqrt(3)
    # A face and its corner are 0.92 apart, the corners of an edge 1.15, and two faces, which are no neighbours, 1.41.
    return _Sampling(1, np.concatenate([faces, corners]), 1.2)


def _interpolation(point):
    first = np.floor(point).astype(int)
    part = point - first
    corners = [np.array(corner) for corner in product((0, 1), repeat=len(point))]
    pairs = [(first + corner, float(np.prod(np.where(corner, part, 1 - part)))) for corner in corners]
    # Not the centre, which differs by nothing, nor voxels that have a weight by rounding and may lie beyond the radius.
    return [(step, weight) for step, weight in pairs if weight > _TIE and step.any()]


def _are_connected(patterns, neighbours):
    """Return whether the points of each pattern are connected: the lowest grows by its neighbours to all of them."""
    group = patterns & -patterns
    before = None
    while not np.array_equal(group, before):
        before = group.copy()
        for bit, touching in enumerate(neighbours):
            group |= np.where(group >> bit & 1, touching, 0) & patterns
    return group == patterns


_CIRCLES = (_circle(8, 1), _circle(16, 2))
_SPHERE = _sphere()
LBP_2D_NAMES = tuple(name for circle in _CIRCLES for name in circle.names)
LBP_2D_PATTERN_NAMES = _CIRCLES[0].names  # of the bins of `lbp_2d_patterns`
LBP_3D_NAMES = _SPHERE.names


def lbp_2d_features(region, levels=None, *, slice_axis=0):
    """Shares of the patterns in the slices across an axis: float64 (28,), in the order of the catalogue.

    8 points at a distance of 1 voxel, and 16 at a distance of 2: "P8R1Uniform3" is the share of voxels with a uniform
    pattern of which 3 of the 8 points are not below the voxel. `levels` is ignored. Voxels outside the region count as
    equal to the one in the centre; see `Interior` for where that matters.

    References
    ----------
    Ojala T, Pietikäinen M, Mäenpää T. Multiresolution gray-scale and rotation invariant texture classification with
    local binary patterns. IEEE Transactions on Pattern Analysis and Machine Intelligence 24:971-987, 2002, equation 9
    (LBP riu2).
    """
    axes = [axis for axis in range(3) if axis != slice_axis]
    return np.concatenate([_shares(region, circle, axes) for circle in _CIRCLES])


def lbp_3d_features(region, levels=None):
    """Shares of the patterns on a sphere of 14 points at a distance of 1 voxel: float64 (16,).

    The points are the directions from the centre of a cube to its 6 faces and 8 corners, which a turn by a right angle
    maps onto themselves. A face and its corners are neighbours, and two corners that an edge joins. On a circle the
    same definition of a uniform pattern is that of Ojala et al., at most two changes around it.

    Raises
    ------
    RoiTooSmallError
        The region has only one slice across some axis.

    References
    ----------
    The definition is this library's, after the reference of `lbp_2d_features`. Compare Paulhac L, Makris P, Ramel JY.
    Comparison between 2D and 3D local binary pattern methods for characterisation of three-dimensional textures. Image
    Analysis and Recognition, LNCS 5112:670-679, 2008.
    """
    require_depth(region, "lbp3D", "lbp2D")
    return _shares(region, _SPHERE, (0, 1, 2))


def lbp_2d_patterns(region, slice_axis=0):
    """Return the bin of the pattern of each voxel in slices, of 8 points at a distance of 1 voxel: int8 (n_voxels,).

    The voxels are those of the region in its order; those outside its `Interior` have -1. Bins are in the order of
    `LBP_2D_PATTERN_NAMES`.
    """
    positions, bins, mask = _binned(region, _CIRCLES[0], [axis for axis in range(3) if axis != slice_axis])
    patterns = np.full(mask.shape, -1, np.int8)
    patterns.reshape(-1)[positions] = bins
    return patterns[mask]


def _shares(region, sampling, axes):
    """Return the share of each bin of patterns: float64 (n_points + 2,)."""
    _, bins, _ = _binned(region, sampling, axes)
    return np.bincount(bins, minlength=len(sampling.names)) / bins.size


def _binned(region, sampling, axes):
    """Return the positions of the interior in a flattened grid, the bin of each, and the mask of that grid."""
    interior = find_interior(region, sampling.radius, axes)
    strides = np.array(interior.mask.strides)[list(axes)]  # of bool, so in voxels
    intensities = interior.intensities.reshape(-1)
    is_inside = interior.mask.reshape(-1)
    centres = intensities[interior.positions]
    tie = _TIE * np.ptp(region.values.astype(np.float64))
    patterns = np.zeros(centres.size, np.int32)
    for bit, weights in enumerate(sampling.weights):
        difference = np.zeros(centres.size)
        for step, weight in weights:
            places = interior.positions + int(step @ strides)
            apart = intensities[places] - centres
            difference += weight * (apart if interior.is_complete else apart * is_inside[places])
        patterns |= (difference >= -tie).astype(np.int32) << bit
    return interior.positions, sampling.bins[patterns], interior.mask
