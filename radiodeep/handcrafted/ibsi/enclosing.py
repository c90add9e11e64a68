"""In: the outline of a region. Out: its convex hull, its boxes and its smallest ellipsoid."""

import math
from dataclasses import dataclass

import numpy as np

from radiodeep.handcrafted.kernels.ibsi_enclosing import smallest_box, smallest_ellipsoid
from radiodeep.handcrafted.kernels.ibsi_hull import convex_hull, hull_candidates, hull_size
from radiodeep.handcrafted.kernels.shape import symmetric_eigenvalues

_FACETS_TRIED = 64  # the largest ones: with more, boxes hardly become smaller
_BOXES_TURNED = 12
_TOLERANCE = 1e-4
_MOST_STEPS = 100_000
_TERMS = 21  # of the series for the area of an ellipsoid: the reference manual's degrees 0 to 20


def spread_directions(n):
    """Return the axes and n unit vectors spread over half a sphere along a spiral, float64 (3 + n, 3)."""
    height = (np.arange(n) + 0.5) / n
    turn = math.pi * (1 + math.sqrt(5)) * np.arange(n)
    radius = np.sqrt(1 - height**2)
    return np.concatenate([np.eye(3), np.stack([height, radius * np.cos(turn), radius * np.sin(turn)], axis=1)])


_SPREAD = spread_directions(32)


@dataclass(frozen=True)
class HullMeasures:
    """Sizes of the convex hull of a region's mesh and of what encloses it.

    Attributes
    ----------
    area_mm2, volume_mm3, diameter_mm : float
        Of the hull; the diameter is the largest distance between vertices of the mesh.
    extent_mm : ndarray (3,)
        Lengths of the axis-aligned bounding box, (z, y, x).
    box_mm : ndarray (3,)
        Lengths of the oriented minimum bounding box.
    semi_axes_mm : ndarray (3,)
        Of the minimum volume enclosing ellipsoid, ascending.
    """

    area_mm2: float
    volume_mm3: float
    diameter_mm: float
    extent_mm: np.ndarray
    box_mm: np.ndarray
    semi_axes_mm: np.ndarray


def hull_measures(ends, column_ends, spacing_mm):
    """Measure the convex hull of a mesh and what encloses it.

    The hull is exact. The oriented box is the smallest of those across the axes, across the 64 largest facets of the
    hull and across 32 directions spread evenly, of which the best twelve are turned about their own axes until they
    shrink no more: a local minimum, which need not be the least of all. The volume of the ellipsoid is at most 0.015 %
    above the smallest (Khachiyan's method to a tolerance of 1e-4; the reference manual's is 1e-3).

    Parameters
    ----------
    ends, column_ends : pairs of int32 arrays
        From `row_ends` and `column_ends` of a mask with a border of zeros.
    spacing_mm : float64 (3,)
        Voxel size, (z, y, x).

    References
    ----------
    O'Rourke J. Finding minimal enclosing boxes. Int J Comput Inf Sci 14:183-199, 1985.
    Todd MJ, Yildirim EA. On Khachiyan's algorithm for the computation of minimum-volume enclosing ellipsoids. Discrete
    Appl Math 155:1731-1744, 2007.
    """
    corners, normals, start, end, facet, across = convex_hull(hull_candidates(*ends, *column_ends))
    facet_areas, volume, diameter = hull_size(corners, start, end, facet, len(normals), spacing_mm)
    normals = normals / spacing_mm
    normals /= np.sqrt(np.square(normals).sum(axis=1))[:, None]
    points = corners * (0.5 * spacing_mm)[:, None]
    largest = facet_areas.argsort()[-_FACETS_TRIED:]
    directions = np.concatenate([_SPREAD, normals[largest]])
    sides = (start, end, facet, across)
    box = smallest_box(points, normals, facet_areas, *sides, directions, _BOXES_TURNED)
    matrix = smallest_ellipsoid(points, _TOLERANCE, _MOST_STEPS)
    semi_axes = 1 / np.sqrt(symmetric_eigenvalues(matrix)[::-1])
    return HullMeasures(float(facet_areas.sum()), volume, diameter, np.ptp(points, axis=1), box, semi_axes)


def ellipsoid_area(a, b, c):
    """Return the surface area of an ellipsoid with semi-axes a >= b >= c, of which c may be 0; NaN if a is 0.

    It is the series of Legendre polynomials that the reference manual gives, up to degree 20, whose terms are
    calculated without division by eccentricities, which are 0 for a sphere. The reference values follow it, although it
    is the area of a sphere only: of a flat disc with radius 1 it has 9.9 mm², not 6.3, as the two eccentricities of a
    true area are those of the sections that hold c.
    """
    if a == 0:
        return math.nan
    square, other = 1 - (b / a) ** 2, 1 - (c / a) ** 2  # alpha², beta²
    before, term = 0.0, 1.0  # (alpha beta)^n P_n((alpha² + beta²) / (2 alpha beta)), of degree -1 and 0
    total = 0.0
    for degree in range(_TERMS):
        total += term / (1 - 4 * degree**2)
        following = ((2 * degree + 1) * 0.5 * (square + other) * term - degree * square * other * before) / (degree + 1)
        before, term = term, following
    return 4 * math.pi * a * b * total
