"""In: sorted intensities of a region. Out: the 18 first-order features."""

import numpy as np
from numba import njit

_EPS = np.spacing(1.0)

# Functions whose sums may be reordered are parts of their callers (forceinline): called, they would be other machine
# code in the process that compiles them than in those that load their callers, and differ in the last bit.


@njit(cache=True, nogil=True)
def _percentile(ordered, fraction):
    """Interpolate linearly between the closest ranks, to the last bit as `numpy.percentile`."""
    rank = fraction * (ordered.size - 1)
    below = int(rank)
    above = min(below + 1, ordered.size - 1)
    part = rank - below
    step = ordered[above] - ordered[below]
    if part < 0.5:
        return ordered[below] + step * part
    return ordered[above] - step * (1.0 - part)


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"}, forceinline=True)
def _central_moments(values, mean):
    """Return the mean absolute deviation and the second, third and fourth moments about the mean."""
    absolute = second = third = fourth = 0.0
    for i in range(values.size):
        difference = values[i] - mean
        square = difference * difference
        absolute += abs(difference)
        second += square
        third += square * difference
        fourth += square * square
    n = values.size
    return absolute / n, second / n, third / n, fourth / n


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"}, forceinline=True)
def _mean_and_energy(values, shift):
    """Return the mean, summed relative to the first value so that a flat region is exactly flat, and the energy."""
    first = values[0]
    total = energy = 0.0
    for i in range(values.size):
        total += values[i] - first
        shifted = values[i] + shift
        energy += shifted * shifted
    return first + total / values.size, energy


@njit(cache=True, nogil=True)
def _entropy_and_uniformity(counts):
    n = 0
    for count in counts:
        n += count
    entropy = uniformity = 0.0
    for count in counts:
        p = count / n
        entropy -= p * np.log2(p + _EPS)
        uniformity += p * p
    return entropy, uniformity


@njit(cache=True, nogil=True)
def first_order(ordered, counts, shift, voxel_volume_mm3):
    """Return all first-order features, float64 (18,), in the order of the catalogue.

    `ordered` are the intensities, float64 (n_voxels,), increasing; `counts` the voxels per grey level, int64
    (n_levels,); `shift` is added to the intensities for the energies and the root mean square.
    """
    n = ordered.size
    mean, energy = _mean_and_energy(ordered, shift)
    absolute, second, third, fourth = _central_moments(ordered, mean)
    p10, p90 = _percentile(ordered, 0.1), _percentile(ordered, 0.9)
    start, stop = 0, n
    while ordered[start] < p10:
        start += 1
    while ordered[stop - 1] > p90:
        stop -= 1
    inner = ordered[start:stop]
    inner_mean, _ = _mean_and_energy(inner, 0.0)
    robust, _, _, _ = _central_moments(inner, inner_mean)
    entropy, uniformity = _entropy_and_uniformity(counts)
    spread = second if second > 0 else 1.0

    out = np.empty(18)
    out[0] = p10  # 10Percentile
    out[1] = p90  # 90Percentile
    out[2] = energy  # Energy
    out[3] = entropy  # Entropy
    out[4] = _percentile(ordered, 0.75) - _percentile(ordered, 0.25)  # InterquartileRange
    out[5] = fourth / (spread * spread)  # Kurtosis
    out[6] = ordered[n - 1]  # Maximum
    out[7] = absolute  # MeanAbsoluteDeviation
    out[8] = mean  # Mean
    out[9] = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])  # Median
    out[10] = ordered[0]  # Minimum
    out[11] = ordered[n - 1] - ordered[0]  # Range
    out[12] = robust  # RobustMeanAbsoluteDeviation
    out[13] = np.sqrt(energy / n)  # RootMeanSquared
    out[14] = third / spread**1.5  # Skewness
    out[15] = energy * voxel_volume_mm3  # TotalEnergy
    out[16] = uniformity  # Uniformity
    out[17] = second  # Variance
    return out
