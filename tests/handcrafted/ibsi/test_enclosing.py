"""Convex hull, boxes and ellipsoids against Qhull, searches over rotations and closed forms."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation
from scipy.special import eval_legendre

from radiodeep.handcrafted.ibsi.enclosing import ellipsoid_area, hull_measures, spread_directions
from radiodeep.handcrafted.kernels.ibsi_enclosing import smallest_box, smallest_ellipsoid
from radiodeep.handcrafted.kernels.shape import column_ends, row_ends


def measures_of(mask, spacing):
    padded = np.pad(mask, 1).view(np.uint8)
    return hull_measures(row_ends(padded), column_ends(padded), np.array(spacing))


def vertices_of(mask, spacing):
    """All vertices of the mesh: the middles between a voxel inside and its neighbour outside."""
    padded = np.pad(mask, 1).astype(int)
    vertices = []
    for axis in range(3):
        places = 2 * np.argwhere(np.diff(padded, axis=axis))
        places[:, axis] += 1
        vertices.append(places)
    return np.concatenate(vertices) * np.array(spacing) / 2


def random_masks(rng, n):
    for _ in range(n):
        mask = rng.random(rng.integers(1, 9, 3)) < rng.choice([0.05, 0.2, 0.5, 0.95])
        mask.flat[0] = True
        yield mask, rng.uniform(0.5, 3, 3)


def smooth_masks(rng, n):
    z, y, x = np.indices((11, 11, 11)) - 5
    for _ in range(n):
        a, b, c = rng.uniform(2, 5.2, 3)
        turned = Rotation.random(random_state=int(rng.integers(1e6))).apply(np.stack([z, y, x], -1).reshape(-1, 3))
        yield (((turned / (a, b, c)) ** 2).sum(1) <= 1).reshape(z.shape), rng.uniform(0.7, 2.5, 3)


def volume_of_box(points, rotation):
    return np.ptp(Rotation.from_rotvec(rotation).apply(points), axis=0).prod()


def searched_box(points):
    """Try 250 rotations, and improve the best ones."""
    starts = Rotation.random(250, random_state=0).as_rotvec()
    volumes = [volume_of_box(points, start) for start in starts]
    best = [starts[i] for i in np.argsort(volumes)[:5]]
    options = {"xatol": 1e-8, "fatol": 1e-10, "maxiter": 1500}
    return min(
        minimize(lambda r: volume_of_box(points, r), start, method="Nelder-Mead", options=options).fun for start in best
    )


def test_the_hull_of_any_mask_is_that_of_qhull(rng):
    for mask, spacing in random_masks(rng, 150):
        vertices = vertices_of(mask, spacing)
        expected = ConvexHull(vertices)
        corners = vertices[expected.vertices]
        found = measures_of(mask, spacing)
        widest = np.sqrt(((corners[:, None] - corners) ** 2).sum(-1)).max()
        sizes = [found.area_mm2, found.volume_mm3, found.diameter_mm, *found.extent_mm]
        wanted = [expected.area, expected.volume, widest, *np.ptp(corners, axis=0)]
        np.testing.assert_allclose(sizes, wanted, rtol=1e-9)


def test_no_searched_box_is_smaller(rng):
    for mask, spacing in smooth_masks(rng, 2):
        vertices = vertices_of(mask, spacing)
        vertices = vertices[ConvexHull(vertices).vertices]
        assert measures_of(mask, spacing).box_mm.prod() <= 1.001 * searched_box(vertices)


def test_the_box_about_an_oblique_slab_is_oblique():
    _, y, x = np.indices((3, 40, 40))
    mask = (abs(y - x) <= 3) & (abs(y + x - 39) <= 25)
    box = np.sort(measures_of(mask, (1.0, 1.0, 1.0)).box_mm)
    np.testing.assert_allclose(box, [3, 7 / math.sqrt(2), 51 / math.sqrt(2)], rtol=0.1)
    assert box.prod() < 0.5 * measures_of(mask, (1.0, 1.0, 1.0)).extent_mm.prod()


def test_the_smallest_box_of_a_tetrahedron_stands_on_none_of_its_facets():
    # O'Rourke's example: the smallest box of a regular tetrahedron is the cube of which its edges are diagonals.
    points = (
        np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)], float)
        @ Rotation.from_rotvec([1, 2, 3]).as_matrix()
    )
    hull = ConvexHull(points)
    normals, sides = hull.equations[:, :3].copy(), []
    for f, corners in enumerate(hull.simplices):
        a, b, c = points[corners]
        order = corners if np.dot(np.cross(b - a, c - a), normals[f]) > 0 else corners[::-1]
        sides += [(order[k], order[(k + 1) % 3], f) for k in range(3)]
    facet_of = {(s, e): f for s, e, f in sides}
    start, end, facet = (np.array(column) for column in zip(*sides, strict=True))
    across = np.array([facet_of[e, s] for s, e, _ in sides])
    lengths = smallest_box(
        np.ascontiguousarray(points.T),
        normals,
        np.full(4, hull.area / 4),
        start,
        end,
        facet,
        across,
        spread_directions(32),
        12,
    )
    np.testing.assert_allclose(lengths, [2, 2, 2], rtol=1e-9)


def test_the_ellipsoid_encloses_and_is_that_of_a_plain_version(rng):
    for mask, spacing in [*smooth_masks(rng, 1), *random_masks(rng, 6)]:
        points = vertices_of(mask, spacing)
        points = points[ConvexHull(points).vertices]
        matrix = smallest_ellipsoid(np.ascontiguousarray(points.T), 1e-7, 100_000)
        volume, plain = (4 / 3 * math.pi / np.sqrt(np.linalg.det(m)) for m in (matrix, plain_ellipsoid(points)))
        assert volume <= plain <= volume * 1.006
        semi_axes = measures_of(mask, spacing).semi_axes_mm
        assert volume * (1 - 1e-6) <= 4 / 3 * math.pi * semi_axes.prod() <= volume * 1.0002


def plain_ellipsoid(points, steps=1500):
    """Khachiyan's first method: a little weight to the farthest point, over and over."""
    n, d = points.shape
    lifted = np.concatenate([points, np.ones((n, 1))], axis=1)
    weights = np.full(n, 1 / n)
    for _ in range(steps):
        distance = np.einsum("ij,jk,ik->i", lifted, np.linalg.inv((lifted.T * weights) @ lifted), lifted)
        far = distance.argmax()
        step = (distance[far] - d - 1) / ((d + 1) * (distance[far] - 1))
        weights *= 1 - step
        weights[far] += step
    centre = weights @ points
    scatter = (points.T * weights) @ points - np.outer(centre, centre)
    matrix = np.linalg.inv(scatter)
    return matrix / np.einsum("ij,jk,ik->i", points - centre, matrix, points - centre).max()


def test_the_corners_of_a_box_lie_on_their_smallest_ellipsoid():
    corners = np.array(np.meshgrid([-1, 1], [-2, 2], [-5, 5])).reshape(3, -1).astype(float) + 7
    matrix = smallest_ellipsoid(corners, 1e-9, 10_000)
    np.testing.assert_allclose(matrix, np.diag([1, 1 / 4, 1 / 25]) / 3, atol=1e-9)


def series_of_the_manual(a, b, c):
    alpha, beta = math.sqrt(1 - (b / a) ** 2), math.sqrt(1 - (c / a) ** 2)
    middle = (alpha**2 + beta**2) / (2 * alpha * beta)
    terms = [(alpha * beta) ** n / (1 - 4 * n**2) * eval_legendre(n, middle) for n in range(21)]
    return 4 * math.pi * a * b * sum(terms)


@pytest.mark.parametrize("axes", [(3, 2.9, 2.5), (5, 4, 3), (9, 4, 1), (9, 8.9, 0)])
def test_areas_of_ellipsoids_are_those_of_the_series_of_the_manual(axes):
    assert ellipsoid_area(*axes) == pytest.approx(series_of_the_manual(*axes), rel=1e-12)


def test_areas_are_defined_without_eccentricity_and_without_height():
    assert ellipsoid_area(2, 2, 2) == pytest.approx(16 * math.pi)
    assert ellipsoid_area(1, 1, 0) == pytest.approx(9.9, abs=0.05)
    assert ellipsoid_area(2, 0, 0) == 0
    assert math.isnan(ellipsoid_area(0, 0, 0))
