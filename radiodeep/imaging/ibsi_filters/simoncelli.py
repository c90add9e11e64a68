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
    """Return the upper end of a band, as a fraction of half a period per voxel."""
    return 2.0 ** (1 - level)


def simoncelli_factors(axes, level, boundary):
    """Return the function from `Frequencies` to the factors of a band.

    The n coefficients of a discrete Fourier transform count as the frequencies from -1 to 1 in equal steps: so it is in
    the reference response maps of the IBSI. Where n is even no coefficient has the frequency 0, and those of w and -w
    differ; a real image has their mean. So if the image is reflected along an even axis, the response is not just that
    of the image reflected; with the rule "mirror", which has the frequencies of the Fourier transform, it is.
    """

    def factors(frequencies):
        if boundary == "mirror":
            return _band([2 * frequencies.grids[axis] / frequencies.periods[axis] for axis in axes], level)
        parts, places = [], []
        for counts, period in zip(frequencies.counts, frequencies.periods, strict=True):
            distances, *found = _distances(counts.astype(int), period)
            parts.append(distances)
            places.append(found)
        grids = np.ix_(*parts)
        table = _band([grids[axis] for axis in axes], level)
        table = np.broadcast_to(table, [len(part) for part in parts])
        same, opposite = (_spread(table, each) for each in zip(*places, strict=True))
        same += opposite
        same /= 2
        return same

    return factors


def _spread(table, places):
    """Return the entries of a table at the places along each axis, from the last axis on, where they are fewest."""
    for axis in (2, 1, 0):
        table = table.take(places[axis], axis=axis)
    return table


def _distances(counts, period):
    """Return the magnitudes of the frequencies from -1 to 1, without repetitions, and where those of w and -w are.

    Of n coefficients, in the order from the most negative to the most positive count, the first has the frequency -1
    and the last 1. So a count k of an even period lies at k + 1/2, and -w at k - 1/2.
    """
    if period % 2:
        magnitudes, places = np.unique(np.abs(counts), return_inverse=True)
        return magnitudes / max((period - 1) / 2, 1), places, places
    both = np.concatenate([np.where(counts >= 0, counts, -1 - counts), np.where(counts > 0, counts - 1, -counts)])
    magnitudes, places = np.unique(both, return_inverse=True)
    return (magnitudes + 0.5) / ((period - 1) / 2), places[: len(counts)], places[len(counts) :]


def _band(parts, level):
    """Return the factors at frequencies given by their parts along the axes."""
    scale = 4.0 ** (level - 1)  # the square of 1 / b
    squared = sum(scale * part**2 for part in parts)
    return np.cos(np.pi / 4 * np.log2(4 * np.clip(squared, 1 / 16, 1)))  # 0 at both ends
