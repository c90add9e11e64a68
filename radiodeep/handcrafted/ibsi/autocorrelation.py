"""In: a region. Out: Moran's I and Geary's C of its intensities, exact for any size."""

from functools import lru_cache

import numpy as np
from scipy import fft

from radiodeep.handcrafted.kernels.ibsi_intensity import pair_sums, spectral_sum
from radiodeep.handcrafted.region import bounding_box

_MOST_DIRECT = 300_000  # voxels of the region x voxels of its box, from which on Fourier transforms are faster


def spatial_autocorrelation(region):
    """Moran's I and Geary's C, float64 (2,): sums over all pairs of voxels of the intensity mask.

    Pairs are weighted by the inverse of their distance in mm. With the weights W, the mask m and the intensities y less
    their mean, Moran's I is n y'Wy / (m'Wm y'y) and Geary's C is (n - 1) (m'W(y²) - y'Wy) / (m'Wm y'y). The weight of a
    pair depends on its offset only, so each of the three products is a sum over the frequencies of Fourier transforms
    of arrays padded to twice their size: exact up to rounding, in n log n steps. Both are NaN in a region of one voxel
    or of one intensity.

    References
    ----------
    IBSI N365 and NPT7.
    """
    box = bounding_box(region.mask)
    mask = region.mask[box]
    n = np.count_nonzero(mask)
    ones = mask.astype(np.float64)
    values = np.where(mask, region.image[box], 0.0)
    first = values[mask][0]
    values -= (first + (values.sum() - n * first) / n) * ones
    largest = np.abs(values).max()
    if n < 2 or largest <= 1e-13 * max(abs(first), largest):
        return np.full(2, np.nan)
    values /= largest  # neither measure depends on the unit, and squares stay in range
    squares = values * values
    spread = float(squares.sum())
    sums = _direct_sums if n * mask.size <= _MOST_DIRECT else _fourier_sums
    weight, product, square = sums(ones, values, squares, tuple(region.spacing_mm.tolist()))
    moran = n * product / (weight * spread)
    return np.array([moran, (n - 1) * (square - product) / (weight * spread)])


def _direct_sums(ones, values, squares, spacing_mm):
    octant = inverse_distances(ones.shape, spacing_mm)
    return pair_sums(ones, values, np.concatenate([octant[..., :0:-1], octant], axis=2))


def _fourier_sums(ones, values, squares, spacing_mm):
    half = tuple(fft.next_fast_len(n, real=True) if n > 1 else 0 for n in ones.shape)
    weights = _weight_spectrum(half, spacing_mm)
    of_ones, of_values, of_squares = (_spectrum(part, half) for part in (ones, values, squares))
    scale = np.prod([2 * n or 1 for n in half])
    pairs = ((of_ones, of_ones), (of_values, of_values), (of_squares, of_ones))
    return [spectral_sum(a, b, weights) / scale for a, b in pairs]


def inverse_distances(shape, spacing_mm):
    """Return 1 / distance in mm by offset, float64 of the shape (z, y, x); 0 for the offset 0."""
    z, y, x = (np.square(np.arange(n) * step) for n, step in zip(shape, spacing_mm, strict=True))
    distances = np.sqrt(z[:, None, None] + y[:, None] + x)
    distances[0, 0, 0] = np.inf
    return 1.0 / distances


@lru_cache(maxsize=2)
def _weight_spectrum(half, spacing_mm):
    """Return the Fourier transform of the weights, which are even along each axis: that of an eighth is enough."""
    weights = inverse_distances([n + 1 for n in half], spacing_mm)
    weights = fft.dctn(weights, type=1, axes=[axis for axis in range(3) if half[axis]])
    weights.flags.writeable = False
    return weights


def _spectrum(array, half):
    """Transform an array padded to 2 x half along each axis, leaving out the transforms of lines of zeros."""
    out = fft.rfft(array, 2 * half[2], axis=2) if half[2] else array.astype(np.complex128)
    for axis in (1, 0):
        if half[axis]:
            out = fft.fft(out, 2 * half[axis], axis=axis, overwrite_x=True)
    return np.ascontiguousarray(out).view(np.float64)
