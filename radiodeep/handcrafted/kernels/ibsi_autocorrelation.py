"""In: intensities of a region. Out: sums over all pairs of its voxels, one pair after the other or by frequency."""

import numpy as np
from numba import njit

from radiodeep.compiled import compiled

# Sums that may be reordered, and so be vectorised.
_reordered = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})


@compiled
def centred_intensities(image, mask):
    """Return the number of voxels of a mask, their intensities less their mean, and two arrays to sum over pairs.

    Returns (n, largest, spread, ones, values): the number, the largest deviation from the mean, the sum of the squares
    of `values`, the mask as float64 (z, y, x), and the deviations in units of the largest one, 0 outside the mask. The
    first intensity is subtracted before anything is summed, so that a large mean costs no digits. If no deviation
    exceeds the rounding of the intensities, `largest` is 0.
    """
    nz, ny, nx = image.shape
    ones, values = np.zeros(image.shape), np.zeros(image.shape)
    n = 0
    first = total = largest = spread = 0.0
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if mask[z, y, x]:
                    first = image[z, y, x] if n == 0 else first
                    n += 1
                    total += image[z, y, x] - first
    mean = total / n
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                if mask[z, y, x]:
                    ones[z, y, x] = 1.0
                    values[z, y, x] = image[z, y, x] - first - mean
                    largest = max(largest, abs(values[z, y, x]))
    if largest <= 1e-13 * max(abs(first), largest):
        return n, 0.0, 0.0, ones, values
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                values[z, y, x] /= largest
                spread += values[z, y, x] * values[z, y, x]
    return n, largest, spread, ones, values


@compiled
def _weights_by_offset(shape, spacing_mm):
    """Return 1 / distance for offsets of planes from 0 on and of rows and voxels to both sides, as rows one by one."""
    nz, ny, nx = shape
    width = 2 * nx - 1
    weights = np.zeros((nz, (2 * ny - 1) * width))
    for z in range(nz):
        for y in range(2 * ny - 1):
            for x in range(width):
                far = z * z * spacing_mm[0] ** 2 + ((y - ny + 1) * spacing_mm[1]) ** 2
                far += ((x - nx + 1) * spacing_mm[2]) ** 2
                if far > 0.0:
                    weights[z, y * width + x] = 1.0 / np.sqrt(far)
    return weights


@_reordered
def pair_sums(ones, values, spacing_mm):
    """Return the sums over all ordered pairs of voxels of w, w y y' and w y y, with w = 1 / distance: float64 (3,).

    `ones` and the values y are float64 (z, y, x), 0 outside the region. Each plane becomes one row, in which nx - 1
    zeros follow each row of voxels. Then the weights of a voxel with all voxels of a plane are one stretch of a row of
    weights, and the innermost loop is long. Pairs are visited once, from the earlier voxel.
    """
    nz, ny, nx = ones.shape
    width = 2 * nx - 1
    weights = _weights_by_offset(ones.shape, spacing_mm)
    flags, rows = np.zeros((nz, ny * width)), np.zeros((nz, ny * width))
    begin, end = np.zeros(nz, np.int64), np.zeros(nz, np.int64)
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                flags[z, y * width + x], rows[z, y * width + x] = ones[z, y, x], values[z, y, x]
                if ones[z, y, x] != 0.0:
                    begin[z] = y * width + x if end[z] == 0 else begin[z]
                    end[z] = y * width + x + 1
    middle = (ny - 1) * width + nx - 1  # the offset 0
    weight = product = square = 0.0
    for z in range(nz):
        for place in range(begin[z], end[z]):
            if flags[z, place] == 0.0:
                continue
            near = of_values = of_squares = 0.0
            for i in range(z, nz):
                start, stop = place + 1 if i == z else begin[i], end[i]
                w, flag, row = weights[i - z, middle - place + start :], flags[i, start:stop], rows[i, start:stop]
                for k in range(flag.size):
                    part = w[k] * row[k]
                    near += w[k] * flag[k]
                    of_values += part
                    of_squares += part * row[k]
            here = rows[z, place]
            weight += 2.0 * near
            product += 2.0 * here * of_values
            square += here * here * near + of_squares
    return weight, product, square


@_reordered
def spectral_sums(ones, values, squares, weights, first, n_x):
    """Return the sums over frequencies of w |ones|², w |values|² and w Re(squares conj(ones)): float64 (3,).

    `ones`, `values` and `squares` are a few planes, from the frequency `first` along x on, of spectra of real arrays:
    float64 (k, nz, 2 ny) with the real and imaginary parts in turn. `n_x` is the number of frequencies along x of such
    a spectrum, as from `rfft`. `weights` float64 (k, hz + 1, hy + 1) is the spectrum of weights that are even along
    each axis. An axis of one voxel has one frequency, h = 0.
    """
    _, nz, double_ny = ones.shape
    ny = double_ny // 2
    weight = product = square = 0.0
    for x in range(ones.shape[0]):
        often = 1.0 if first + x == 0 or first + x == n_x - 1 else 2.0  # the others stand for two frequencies
        for z in range(nz):
            row = weights[x, min(z, nz - z)]
            o, v, s = ones[x, z], values[x, z], squares[x, z]
            of_ones = of_values = of_squares = 0.0
            for y in range(ny):
                w = row[min(y, ny - y)]
                of_ones += w * (o[2 * y] * o[2 * y] + o[2 * y + 1] * o[2 * y + 1])
                of_values += w * (v[2 * y] * v[2 * y] + v[2 * y + 1] * v[2 * y + 1])
                of_squares += w * (s[2 * y] * o[2 * y] + s[2 * y + 1] * o[2 * y + 1])
            weight += often * of_ones
            product += often * of_values
            square += often * of_squares
    return weight, product, square
