"""Image and box -> magnitudes of responses to Gabor kernels inside the box, in one plane or in three."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import fft

from radiodeep.imaging.ibsi_filters.boundary import check_finite, extended

_CUTOFF = 6.0  # standard deviations of the envelope, which is below 2e-8 beyond
_SMALLEST = 1e-7  # of the largest value of a spectrum: what is smaller is lost in single precision
_VOXELS_AT_ONCE = 2**17  # of slices that are transformed together, so that their spectra stay in the cache
_POOL = {"average": np.add, "max": np.maximum, "min": np.minimum}


def gabor_angles(theta_degrees, step_degrees):
    """Return the angles, in radians, of the distinct kernels of a full turn in steps; or the one angle without a step.

    The magnitude of the response does not change if a kernel is turned by 180 degrees, so that half a turn is enough
    if that is a number of steps.
    """
    theta = float(np.deg2rad(theta_degrees))
    if step_degrees is None:
        return (theta,)
    n_steps = round(360 / step_degrees)
    n_distinct = n_steps // 2 if n_steps % 2 == 0 else n_steps
    return tuple(theta + 2 * np.pi * k / n_steps for k in range(n_distinct))


def gabor_response(image, sides, planes, spacing_mm, kernel, angles, pooling, boundary):
    """Return the magnitude of the response to Gabor kernels inside a box, pooled over angles and planes: float32.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
    sides : tuple of three ranges
        The box.
    planes : sequence of (int, int)
        The axes of rows and columns of each plane: (1, 2) is the plane of y and x.
    spacing_mm : sequence of three floats
        (z, y, x).
    kernel : tuple of three floats
        Standard deviation of the envelope along the wave in mm, wavelength in mm, and the ratio of that standard
        deviation to the one along the crests.
    angles : tuple of float
        In radians, from the columns' axis towards that of the rows.
    pooling : {"average", "max", "min"}
    boundary : {"mirror", "nearest", "periodic", "zero"}

    Notes
    -----
    Slices are convolved by their Fourier transforms, each computed once for all angles. A kernel's spectrum is real,
    and nearly 0 outside a band; only the rows of this band are transformed back.

    References
    ----------
    Image Biomarker Standardisation Initiative, convolutional filters: Gabor filter (Q88H).
    """
    inside = image[tuple(slice(side.start, side.stop) for side in sides)]
    check_finite(inside)
    level = float(inside.mean(dtype=np.float64))
    scale = 2.0 ** np.frexp(float(np.abs(inside - level).max()))[1]  # single precision holds what is divided by it
    total = np.zeros([len(side) for side in sides], np.float32)
    if pooling == "min":
        total.fill(np.inf)
    for axes in planes:
        wave = _Wave(*kernel, tuple(float(spacing_mm[axis]) for axis in axes))
        _pool_slices(image, sides, axes, wave, angles, _POOL[pooling], boundary, (level, scale), total)
    total *= scale / (len(angles) * len(planes)) if pooling == "average" else scale
    return total


def gabor_reach(sigma_mm, gamma, spacing_mm):
    """Return how many voxels a kernel of any angle reaches at most."""
    return int(np.ceil(_CUTOFF * max(sigma_mm, sigma_mm / gamma) / spacing_mm))


class _Wave(NamedTuple):
    """A Gabor kernel without its angle, and the spacing of rows and columns that it is computed at."""

    sigma_mm: float
    wavelength_mm: float
    gamma: float
    spacing_mm: tuple


def _pool_slices(image, sides, axes, wave, angles, pool, boundary, normalization, total):
    """Pool the responses of all slices of a plane and of all angles into `total`, divided by the scale."""
    across = 3 - sum(axes)
    reaches = _reaches(wave, angles)
    wide = list(sides)
    for axis, reach in zip(axes, reaches, strict=True):
        wide[axis] = range(sides[axis].start - reach, sides[axis].stop + reach)
    level, scale = normalization
    voxels = extended(image, wide, boundary)
    check_finite(voxels)
    voxels -= level
    voxels /= scale
    slices = np.moveaxis(voxels, across, 0)
    target = np.moveaxis(total, across, 0)
    shape = tuple(fft.next_fast_len(n) for n in slices.shape[1:])
    inner = tuple(slice(reach, reach + n) for reach, n in zip(reaches, target.shape[1:], strict=True))
    n_at_once = max(1, _VOXELS_AT_ONCE // (shape[0] * shape[1]))
    for first in range(0, len(slices), n_at_once):
        part = slice(first, first + n_at_once)
        spectra = fft.fft2(slices[part].astype(np.float32, order="C"), shape)
        for angle in angles:
            rows, values, total_weight = _spectrum(shape, wave, angle, reaches)
            of_level = np.float32(total_weight * level / scale)
            pool(target[part], _magnitudes(spectra, rows, values, of_level, inner), out=target[part])


def _magnitudes(spectra, rows, values, of_level, inner):
    """Return the magnitudes of the responses of several slices in their box: float32 (n, rows, columns)."""
    along_rows = fft.ifft(spectra[:, rows] * values, axis=2, overwrite_x=True)[:, :, inner[1]]
    columns = np.zeros((*spectra.shape[:2], along_rows.shape[2]), np.complex64)
    columns[:, rows] = along_rows
    response = fft.ifft(columns, axis=1, overwrite_x=True)[:, inner[0]]
    magnitudes = (response.real + of_level) ** 2
    magnitudes += response.imag**2
    return np.sqrt(magnitudes, out=magnitudes)


def _reaches(wave, angles):
    """Return how many voxels the kernels reach along the axes of rows and columns."""
    along, across = wave.sigma_mm, wave.sigma_mm / wave.gamma
    lengths = [
        max(np.hypot(along * np.sin(angle), across * np.cos(angle)) for angle in angles),
        max(np.hypot(along * np.cos(angle), across * np.sin(angle)) for angle in angles),
    ]
    return tuple(int(np.ceil(_CUTOFF * length / mm)) for length, mm in zip(lengths, wave.spacing_mm, strict=True))


@lru_cache(maxsize=64)
def _spectrum(shape, wave, angle, reaches):
    """Return the rows of a kernel's Fourier transform that are not 0, their values, and the sum of the kernel.

    The values are float32 (rows, columns).
    """
    y = np.arange(-reaches[0], reaches[0] + 1)[:, None] * wave.spacing_mm[0]
    x = np.arange(-reaches[1], reaches[1] + 1) * wave.spacing_mm[1]
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    envelope = np.exp(-(along**2 + wave.gamma**2 * across**2) / (2 * wave.sigma_mm**2))
    whole = np.zeros(shape, complex)
    whole[: len(y), : len(x)] = envelope * np.exp(2j * np.pi * along / wave.wavelength_mm)
    spectrum = fft.fft2(np.roll(whole, (-reaches[0], -reaches[1]), (0, 1))).real
    rows = np.flatnonzero(np.abs(spectrum).max(axis=1) > _SMALLEST * np.abs(spectrum).max())
    return rows, spectrum[rows].astype(np.float32), float(spectrum[0, 0])
