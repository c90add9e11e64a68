"""In: a region. Out: Moran's I and Geary's C of its intensities, exact for any size."""

import math
from functools import lru_cache

import numpy as np
from scipy import fft

from radiodeep.handcrafted.kernels.ibsi_autocorrelation import centred_intensities, pair_sums, spectral_sums
from radiodeep.handcrafted.region import bounding_box

_MOST_DIRECT = 1_000_000  # voxels of the region x voxels of its box, from which on Fourier transforms are faster
_FREQUENCIES_AT_ONCE = 100_000  # that stay in the cache of the processor


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
    box = region.box if region.mask is region.shape_mask else bounding_box(region.mask)
    n, largest, spread, ones, values = centred_intensities(region.image[box], region.mask[box])
    if n < 2 or largest == 0:
        return np.full(2, np.nan)
    # Neither measure depends on the unit, so squares of values, which are at most 1, stay in range.
    if n * ones.size <= _MOST_DIRECT:
        weight, product, square = pair_sums(ones, values, region.spacing_mm)
    else:
        weight, product, square = _fourier_sums(ones, values, tuple(region.spacing_mm.tolist()))
    moran = n * product / (weight * spread)
    return np.array([moran, (n - 1) * (square - product) / (weight * spread)])


def _fourier_sums(ones, values, spacing_mm):
    """Return what `pair_sums` returns.

    Arrays are transformed along x first. A few planes of one frequency along x at a time are then transformed along y
    and z and summed, so that the whole of the padded spectra never exists.
    """
    half = tuple(fft.next_fast_len(n, real=True) if n > 1 else 0 for n in ones.shape)
    weights = _weight_spectrum(half, spacing_mm)
    parts = [_along_x(part, half[2]) for part in (ones, values, values * values)]
    n_x = half[2] + 1
    step = max(_FREQUENCIES_AT_ONCE // math.prod(2 * n or 1 for n in half[:2]), 1)
    sums = np.zeros(3)
    for first in range(0, n_x, step):
        spectra = [_along_y_and_z(part[:, :, first : first + step], half) for part in parts]
        sums += spectral_sums(*spectra, weights[first : first + step], first, n_x)
    return sums / math.prod(2 * n or 1 for n in half)


def _along_x(array, half):
    return fft.rfft(array, 2 * half, axis=2) if half else array.astype(np.complex128)


def _along_y_and_z(planes, half):
    """Transform spectra along x (z, y, k) along the other axes: float64 (k, 2 hz, 4 hy), padded with zeros."""
    out = np.ascontiguousarray(planes.transpose(2, 0, 1))
    for axis, n in ((2, half[1]), (1, half[0])):
        if n:
            out = fft.fft(out, 2 * n, axis=axis, overwrite_x=True)
    return np.ascontiguousarray(out).view(np.float64)


@lru_cache(maxsize=2)
def _weight_spectrum(half, spacing_mm):
    """Return the spectrum of the weights, which are even along each axis: of an eighth of them, (x, z, y)."""
    x, z, y = (np.square(np.arange(half[axis] + 1) * spacing_mm[axis]) for axis in (2, 0, 1))
    weights = np.sqrt(x[:, None, None] + z[:, None] + y)
    weights[0, 0, 0] = np.inf
    np.divide(1.0, weights, out=weights)
    axes = [place for place, axis in enumerate((2, 0, 1)) if half[axis]]
    weights = fft.dctn(weights, type=1, axes=axes, overwrite_x=True)
    weights.flags.writeable = False
    return weights
