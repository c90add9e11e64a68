"""In: the grey levels of a large region. Out: what each voxel has in common with its 26 neighbours.

`compare_with_neighbours` looks at every neighbour of a voxel in turn. Here, counts and sums over a cube are added up
along x, then y, then z, plane by plane, so that both together take 12 additions instead of 52. Planes are flattened and
have a border of zeros, so a step along y is an offset.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _add_three(values, step, out):
    """Write values[i - step] + values[i] + values[i + step] into `out`, except near its ends."""
    n = values.size - 2 * step
    before, here, after, into = values[:n], values[step : step + n], values[2 * step :], out[step : step + n]
    for i in range(n):
        into[i] = before[i] + here[i] + after[i]


@njit(cache=True, nogil=True)
def _add_three_marks(values, out):
    """Write into `out` how many of values[i - 1], values[i] and values[i + 1] are not 0, except at its ends."""
    n = values.size - 2
    before, here, after, into = values[:n], values[1 : n + 1], values[2:], out[1 : n + 1]
    for i in range(n):
        into[i] = (before[i] > 0) + (here[i] > 0) + (after[i] > 0)


@njit(cache=True, nogil=True)
def _count_alike(flat, start, n_plane, nx, alike):
    """Count the voxels in the cube around each voxel from `start` on that have its grey level, itself included."""
    n = alike.size
    here = flat[start : start + n]
    for i in range(n):
        alike[i] = 0
    for dz in range(-1, 2):
        for dy in range(-1, 2):
            place = start + dz * n_plane + dy * nx
            left, middle, right = flat[place - 1 :][:n], flat[place:][:n], flat[place + 1 :][:n]
            for i in range(n):
                alike[i] += (here[i] == left[i]) + (here[i] == middle[i]) + (here[i] == right[i])


@njit(cache=True, nogil=True)
def _distance_from_mean(here, inside, total, start, out):
    """Write |grey level - mean of the neighbours in the region| into `out`, 0 if there are none.

    `inside` and `total` are the counts and the sums over squares in three planes, of which the order does not matter.
    """
    n = here.size
    counts_a, counts_b, counts_c = inside[0, start:][:n], inside[1, start:][:n], inside[2, start:][:n]
    sums_a, sums_b, sums_c = total[0, start:][:n], total[1, start:][:n], total[2, start:][:n]
    for i in range(n):
        gray = np.int32(here[i])
        others = np.int32(counts_a[i]) + np.int32(counts_b[i]) + np.int32(counts_c[i]) - 1
        their_sum = np.int32(sums_a[i]) + np.int32(sums_b[i]) + np.int32(sums_c[i]) - gray
        out[i] = abs(np.float64(gray) - np.float64(their_sum) / np.float64(others)) if others > 0 else 0.0


@njit(cache=True, nogil=True)
def compare_with_cube(gray, row_of_gray, dependence, differences):
    """Count neighbours of the same grey level, and sum the differences of voxels from the mean of their neighbours.

    The same as `compare_with_neighbours` for the 26 direct neighbours and alpha 0.

    Parameters
    ----------
    gray : uint8 or uint16 (z, y, x), grey levels up to 7281; 0 outside the region, and in a border of one voxel
    row_of_gray : int64 (highest grey level + 1,), the row of each grey level in the tables
    dependence : float64 (n_present, 27), zeros; column j gets the voxels with j neighbours of their level
    differences : float64 (n_present,), zeros; sums of |grey level - mean of the neighbours in the region|
    """
    nz, ny, nx = gray.shape
    n_plane = ny * nx
    flat = gray.reshape(nz * n_plane)
    start, n = nx + 1, n_plane - 2 * (nx + 1)
    inside, total = np.zeros((3, n_plane), np.uint8), np.zeros((3, n_plane), np.uint16)
    inside_x, total_x = np.zeros(n_plane, np.uint8), np.zeros(n_plane, np.uint16)
    alike, distance = np.empty(n, np.uint8), np.empty(n)
    counts = np.zeros((dependence.shape[0], 28), np.int64)
    for z in range(1, nz):
        plane = flat[z * n_plane : (z + 1) * n_plane]
        _add_three_marks(plane, inside_x)
        _add_three(inside_x, nx, inside[z % 3])
        _add_three(plane, 1, total_x)
        _add_three(total_x, nx, total[z % 3])
        if z == 1:
            continue
        middle = (z - 1) * n_plane + start
        here = flat[middle : middle + n]
        _count_alike(flat, middle, n_plane, nx, alike)
        _distance_from_mean(here, inside, total, start, distance)
        for i in range(n):
            if here[i] > 0:
                row = np.uint64(row_of_gray[here[i]])
                counts[row, np.uint64(alike[i])] += 1
                differences[row] += distance[i]
    for row in range(dependence.shape[0]):
        for j in range(27):
            dependence[row, j] = counts[row, j + 1]
