"""In: intensities, grey levels and windows about centres. Out: first-order features of each window."""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.handcrafted.kernels.voxel_maps import keep_columns, rank_levels, times_log

ORDERED = (0, 1, 4, 9, 12)  # features that need the intensities in order, by their places in the catalogue
_GAPS = np.array([701, 301, 132, 57, 23, 10, 4, 1])  # Ciura M, Best increments for the average case of shellsort, 2001


@compiled
def first_order_maps(
    volume, intensities, centres, window, gray, logs, shift, voxel_volume_mm3, needs_order, columns, out
):
    """Fill `out` with first-order features of each window.

    Parameters
    ----------
    volume, window, gray : as in `rank_levels`
    intensities : float64 (n_places,), those of the region
    centres : int64 (n_voxels,)
    logs : float64 (n_window + 1,), n log2(n)
    shift : float64, added to the intensities for the energies and the root mean square
    voxel_volume_mm3 : float64
    needs_order : bool, whether one of `ORDERED` is chosen
    columns : int64 (n_columns,), in the order of the catalogue
    out : float64 (n_voxels, n_columns)
    """
    ranks, shades = np.empty(window.size, np.int64), np.empty(window.size)
    rank_of = np.full(gray.size, -1)
    values, counts = np.empty(window.size), np.empty(window.size)
    row = np.empty(18)
    for v in range(centres.size):
        n_levels = rank_levels(volume, centres[v], window, gray, ranks, rank_of, shades)
        n = 0
        counts[:n_levels] = 0.0
        for w in range(window.size):
            if ranks[w] >= 0:
                values[n] = intensities[centres[v] + window[w]]
                counts[ranks[w]] += 1.0
                n += 1
        _set_moments(values[:n], shift, row)
        row[15] = row[2] * voxel_volume_mm3  # TotalEnergy
        inside = uniformity = 0.0
        for i in range(n_levels):
            inside += times_log(counts[i], logs)
            uniformity += counts[i] * counts[i]
        row[3] = (times_log(float(n), logs) - inside) / n  # Entropy
        row[16] = uniformity / (n * n)  # Uniformity
        if needs_order:
            _sort(values[:n])
            _set_percentiles(values[:n], row)
        keep_columns(row, 1, columns, out[v])


@compiled
def _set_moments(values, shift, row):
    n, first = values.size, values[0]
    total = energy = 0.0
    lowest = highest = first
    for i in range(n):
        total += values[i] - first  # so that a flat window is exactly flat
        energy += (values[i] + shift) * (values[i] + shift)
        lowest, highest = min(lowest, values[i]), max(highest, values[i])
    mean = first + total / n
    absolute = second = third = fourth = 0.0
    for i in range(n):
        difference = values[i] - mean
        square = difference * difference
        absolute += abs(difference)
        second += square
        third += square * difference
        fourth += square * square
    second /= n
    spread = second if second > 0.0 else 1.0
    row[2] = energy  # Energy
    row[5] = fourth / n / (spread * spread)  # Kurtosis
    row[6] = highest  # Maximum
    row[7] = absolute / n  # MeanAbsoluteDeviation
    row[8] = mean  # Mean
    row[10] = lowest  # Minimum
    row[11] = highest - lowest  # Range
    row[13] = np.sqrt(energy / n)  # RootMeanSquared
    row[14] = third / n / spread**1.5  # Skewness
    row[17] = second  # Variance


@compiled
def _set_percentiles(ordered, row):
    n = ordered.size
    low, high = _percentile(ordered, 0.1), _percentile(ordered, 0.9)
    total = absolute = 0.0
    n_inside = 0
    for i in range(n):
        if low <= ordered[i] <= high:
            total += ordered[i] - low
            n_inside += 1
    inner_mean = low + total / n_inside if n_inside else np.nan
    for i in range(n):
        if low <= ordered[i] <= high:
            absolute += abs(ordered[i] - inner_mean)
    row[0] = low  # 10Percentile
    row[1] = high  # 90Percentile
    row[4] = _percentile(ordered, 0.75) - _percentile(ordered, 0.25)  # InterquartileRange
    row[9] = 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])  # Median
    row[12] = absolute / n_inside if n_inside else np.nan  # RobustMeanAbsoluteDeviation


@compiled
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


@compiled
def _sort(values):
    """Sort by insertion with decreasing gaps (shellsort): faster than a general sort for the voxels of a window."""
    for gap in _GAPS:
        for i in range(gap, values.size):
            value, j = values[i], i
            while j >= gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value
