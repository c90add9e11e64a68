"""Image and box -> a band of the undecimated Simoncelli wavelet transform inside the box."""

import numpy as np

from radiodeep.imaging.ibsi_filters.fourier import filtered_by_frequency


def simoncelli_response(image, sides, axes, level, boundary):
    """Return a band of the non-separable Simoncelli wavelet inside a box: an array of the box's shape.

    The factor of a frequency w, as a fraction of half a period per voxel and in any direction, is
    cos(pi/2 log2(2 w / b)) for b/4 <= w <= b with b = 2^(1 - level), and else 0.

    References
    ----------
    Simoncelli EP, Freeman WT. The steerable pyramid: a flexible architecture for multi-scale derivative computation.
    IEEE International Conference on Image Processing, 444-447, 1995.
    Image Biomarker Standardisation Initiative, convolutional filters: Simoncelli wavelet (PRT7).
    """
    transfer = simoncelli_factors(axes, level, boundary)
    return filtered_by_frequency(image, sides, axes, transfer, boundary, highest_frequency(level))


def highest_frequency(level):
    """Return the upper end of a band along an axis, with room for the frequencies of a periodic image."""
    return min(1.0, 1.05 * 2.0 ** (1 - level) + 1e-9)


def simoncelli_factors(axes, level, boundary):
    """Return the function from `Frequencies` to the factors of a band.

    The n coefficients of a discrete Fourier transform count as the frequencies from -1 to 1 in equal steps: so it is in
    the reference response maps of the IBSI. Where n is even no coefficient has the frequency 0, and those of w and -w
    differ; a real image has their mean.
    """

    def factors(frequencies):
        if boundary == "mirror":
            return _band([2 * frequencies.grids[axis] / frequencies.periods[axis] for axis in axes], level)
        total = 0.0
        shifts = (-0.5, 0.5) if any(frequencies.periods[axis] % 2 == 0 for axis in axes) else (0.0,)
        for shift in shifts:
            parts = []
            for axis in axes:
                n, period = frequencies.grids[axis], frequencies.periods[axis]
                parts.append((n + (shift if period % 2 == 0 else 0.0)) / max((period - 1) / 2, 0.5))
            total = total + _band(parts, level)
        return total / len(shifts)

    return factors


def _band(parts, level):
    """Return the factors at frequencies given by their parts along the axes."""
    scale = 4.0 ** (level - 1)  # the square of 1 / b
    squared = sum(scale * part**2 for part in parts)
    factors = np.zeros(squared.shape)
    inside = (squared >= 1 / 16) & (squared <= 1)
    factors[inside] = np.cos(np.pi / 4 * np.log2(4 * squared[inside]))
    return factors
