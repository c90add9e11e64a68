"""Image, box and a function of frequencies -> the filtered image inside the box.

Such a filter reaches across the whole image, so that all of it is transformed, whatever the box; only the last
transform back is as small as the box. The extension beyond the borders is exact for the periodic rule, by Fourier
transforms, and for the mirror rule, by cosine transforms: the mirrored image has twice the period. For the others the
image is extended to twice its size and continued periodically.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft

from radiodeep.cases.memory import check_image_size
from radiodeep.imaging.ibsi_filters.boundary import check_finite, extended

_SLICES = 16  # of a spectrum that are multiplied at once


@dataclass(frozen=True)
class Frequencies:
    """Frequencies of a transform: for each axis the numbers of periods (n,), and the voxels in which they are counted.

    Axes that are not filtered have the frequency 0 alone.
    """

    counts: tuple
    periods: tuple

    @cached_property
    def grids(self):
        """The counts, to be broadcast against each other."""
        return [np.reshape(n, [-1 if k == axis else 1 for k in range(3)]) for axis, n in enumerate(self.counts)]


def filtered_by_frequency(image, sides, axes, transfer, boundary, highest=1.0, orders=(0, 0, 0)):
    """Return an image filtered in its Fourier domain inside a box: an array of the box's shape.

    Computed in single precision for a float32 image, in double precision for all others.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
    sides : tuple of three ranges
        The box, inside the image.
    axes : sequence of int
        Those that are filtered.
    transfer : callable
        From `Frequencies` to the real factor of each coefficient: an array to be broadcast against the spectrum.
    boundary : {"mirror", "nearest", "periodic", "zero"}
    highest : float
        The frequency along an axis, as a fraction of half a period per voxel, above which the factors are 0. Factors
        may count frequencies up to half a coefficient lower than the Fourier transform does.
    orders : tuple of three ints
        The factors are odd along an axis of odd order, and the filter is i to the power of minus their sum times them.
    """
    kind = np.float32 if image.dtype == np.float32 else np.float64
    parts = tuple(slice(None) if axis in axes else slice(side.start, side.stop) for axis, side in enumerate(sides))
    data = image[parts]
    check_finite(data)
    inner = tuple(slice(s.start, s.stop) if axis in axes else slice(None) for axis, s in enumerate(sides))
    if boundary == "mirror":
        return _by_cosines(data.astype(kind), inner, axes, transfer, highest, orders)
    if boundary != "periodic":
        margins = [(n + 1) // 2 if axis in axes else 0 for axis, n in enumerate(data.shape)]
        wide = [range(-margin, n + margin) for margin, n in zip(margins, data.shape, strict=True)]
        check_image_size(
            [len(side) for side in wide],
            f"The image, extended to twice its size for the boundary rule '{boundary}',",
            'Use the boundary "mirror", which needs no extension.',
            copies=3,
        )
        inner = tuple(
            slice(part.start + margin, part.stop + margin) if axis in axes else part
            for axis, (part, margin) in enumerate(zip(inner, margins, strict=True))
        )
        data = extended(data, wide, boundary, kind)
    return _by_waves(data.astype(kind, copy=False), inner, axes, transfer, highest, orders)


def _by_cosines(data, inner, axes, transfer, highest, orders):
    """Filter a mirrored image: cos(w (n + 1/2)) becomes itself, or sin(w (n + 1/2)) along axes of odd order."""
    sizes = data.shape
    counts = [np.zeros(1)] * 3
    for axis in axes:
        data = fft.dct(data, axis=axis, overwrite_x=True)
        counts[axis] = np.arange(min(sizes[axis], int(sizes[axis] * highest) + 1))
        data = data[_along(axis, slice(0, len(counts[axis])))]
    data = np.ascontiguousarray(data)
    n_odd = sum(order % 2 for order in orders)
    sign = (-1.0) ** ((sum(orders) - n_odd) // 2)
    _multiply(data, transfer, Frequencies(tuple(counts), tuple(2 * n for n in sizes)), sign)
    for axis in axes:
        if orders[axis] % 2:  # the frequency 0 has no sine, and sines begin with the frequency 1
            data = fft.idst(data[_along(axis, slice(1, None))], n=sizes[axis], axis=axis)
        else:
            data = fft.idct(data, n=sizes[axis], axis=axis)
        data = data[_along(axis, inner[axis])]
    return np.ascontiguousarray(data)


def _by_waves(data, inner, axes, transfer, highest, orders):
    """Filter an image that is continued periodically, by its Fourier transform along half of the last axis."""
    sizes = data.shape
    *others, last = sorted(axes)
    data = fft.rfft(data, axis=last)
    counts = [np.zeros(1)] * 3
    counts[last] = np.arange(min(data.shape[last], int(sizes[last] / 2 * highest + 0.5) + 1))
    data = data[_along(last, slice(0, len(counts[last])))]
    for axis in others:
        data = fft.fft(data, axis=axis, overwrite_x=True)
        counts[axis] = fft.fftfreq(sizes[axis], 1 / sizes[axis])
    data = np.ascontiguousarray(data)
    _multiply(data, transfer, Frequencies(tuple(counts), sizes), (-1j) ** sum(orders))
    for axis in axes:
        half = sizes[axis] // 2
        if orders[axis] % 2 and sizes[axis] % 2 == 0 and data.shape[axis] > half:
            data[_along(axis, slice(half, half + 1))] = 0  # this frequency is its own negative
    for axis in others:
        data = fft.ifft(data, axis=axis, overwrite_x=True)[_along(axis, inner[axis])]
    return np.ascontiguousarray(fft.irfft(data, n=sizes[last], axis=last)[_along(last, inner[last])])


def _multiply(spectrum, transfer, frequencies, factor):
    """Multiply a spectrum by the factors of its frequencies, a few slices at a time."""
    counts = frequencies.counts
    for first in range(0, len(spectrum), _SLICES):
        part = slice(first, first + _SLICES)
        in_part = counts[0][part] if len(counts[0]) > 1 or len(spectrum) == 1 else counts[0]
        values = transfer(Frequencies((in_part, *counts[1:]), frequencies.periods))
        values = values.astype(spectrum.real.dtype, copy=False)
        spectrum[part] *= values if factor == 1 else factor * values


def _along(axis, part):
    return (slice(None),) * axis + (part,)
