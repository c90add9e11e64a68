"""Ends of lines, moments, hulls and eigenvalues against plain numpy and scipy."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from radiodeep.handcrafted.kernels.shape import (
    column_ends,
    line_ends,
    moments,
    plane_hulls,
    row_ends,
    surface,
    symmetric_eigenvalues,
)
from radiodeep.handcrafted.marching_cubes import AREA_VECTOR, CROSSES, TRIPLE


@pytest.fixture(params=[0.1, 0.5, 0.95])
def mask(request):
    inner = np.random.default_rng(3).random((5, 7, 6)) < request.param
    return np.pad(inner, 1).astype(np.uint8)


def test_the_ends_of_rows_and_columns_are_their_first_and_last_voxels(mask):
    nz, ny, nx = mask.shape
    first, last = row_ends(mask)
    first_y, last_y = column_ends(mask)
    for z in range(nz):
        for y in range(ny):
            row = np.flatnonzero(mask[z, y])
            assert (first[z, y], last[z, y]) == ((row[0], row[-1]) if row.size else (nx, -1))
        for x in range(nx):
            column = np.flatnonzero(mask[z, :, x])
            assert (first_y[x, z], last_y[x, z]) == ((column[0], column[-1]) if column.size else (ny, -1))


@pytest.mark.parametrize("flipped", [(), (0,), (1,), (2,), (0, 1, 2)])
def test_the_mesh_is_that_of_whole_rows_where_slices_are_displaced(flipped):
    stairs = np.zeros((8, 7, 24), np.uint8)
    for z in range(1, 7):
        stairs[z, 1 + z // 2 : 4 + z // 3, 22 - 3 * z : 24 - 2 * z] = 1
    stairs = np.flip(stairs, flipped)
    mesh, expected = both_meshes(stairs)
    assert mesh == expected
    assert expected[1] > 0


@pytest.mark.parametrize("gap", [None, (4, 4, 6), (4, 4, slice(3, 9)), (slice(3, 6), slice(3, 6), slice(5, 8)), (4, 4)])
def test_the_mesh_of_a_block_counts_the_cells_about_its_gaps(gap):
    block = np.zeros((9, 9, 14), np.uint8)
    block[1:8, 1:8, 2:12] = 1
    if gap is not None:
        block[gap] = 0
    mesh, expected = both_meshes(block)
    assert mesh == expected


def test_the_mesh_of_noise_is_that_of_whole_rows(mask):
    mesh, expected = both_meshes(mask)
    assert mesh == expected


def both_meshes(mask):
    """Return area and volume by the ends of rows, and by looking at every cell."""
    tables = (1, np.array([2.0, 1.5, 1.0]), CROSSES, TRIPLE, AREA_VECTOR)
    first, last = np.ones(mask.shape[:2], np.int32), np.full(mask.shape[:2], mask.shape[2] - 2, np.int32)
    return surface(mask, *row_ends(mask), *tables), surface(mask, first, last, *tables)


def test_moments_are_exact_sums(mask):
    z, y, x = np.argwhere(mask).T
    expected = [len(z), *(places.sum() for places in (z, y, x, z * z, y * y, x * x, z * y, z * x, y * x))]
    assert moments(mask).tolist() == expected


def test_the_hull_of_a_plane_is_that_of_scipy(mask):
    low, high = line_ends(*row_ends(mask))
    diameter_mm, low_on_hull, high_on_hull = plane_hulls(low, high, 2.0, 3.0)
    largest = 0.0
    for plane in range(len(low)):
        lines = np.flatnonzero(low[plane] <= high[plane])
        ends = np.concatenate([np.stack([lines, side[plane, lines]], axis=1) for side in (low, high)])
        if lines.size < 2 or np.linalg.matrix_rank(ends - ends[0]) < 2:
            continue
        marked = np.concatenate(
            [
                np.stack([line, side[plane, line]], axis=1)
                for side, marks in ((low, low_on_hull), (high, high_on_hull))
                for line in [np.flatnonzero(marks[plane])]
            ]
        )
        corners = ends[ConvexHull(ends).vertices]
        assert set(map(tuple, corners)) == set(map(tuple, marked))
        largest = max(largest, pdist(ends * [1.0, 1.5]).max())
    assert diameter_mm == pytest.approx(largest)


@pytest.mark.parametrize("n", [2, 3])
def test_eigenvalues_are_those_of_lapack(n):
    for seed in range(20):
        matrix = np.random.default_rng(seed).normal(size=(n, n))
        matrix = matrix @ matrix.T
        np.testing.assert_allclose(symmetric_eigenvalues(matrix), np.linalg.eigvalsh(matrix), rtol=1e-9, atol=1e-14)
    np.testing.assert_array_equal(symmetric_eigenvalues(np.diag([3.0, 1, 2])[:n, :n]), sorted([3.0, 1, 2][:n]))
