"""In: intensities of a region. Out: statistics of them and of their histograms."""

import numpy as np

from radiodeep.compiled import compiled


@compiled
def whole_counts(values, most_bins):
    """Return the least value and the counts of all whole numbers from it to the greatest, int64 (n,).

    There are no counts, (0,), if a value is not whole or if there would be more than `most_bins`.
    """
    lowest = highest = values[0]
    rest = 0.0
    for i in range(values.size):
        lowest, highest = min(lowest, values[i]), max(highest, values[i])
        rest += abs(values[i] - np.rint(values[i]))
    if rest > 0.0 or not highest - lowest < most_bins:
        return lowest, np.zeros(0, np.int64)
    counts = np.zeros(int(highest - lowest) + 1, np.int64)
    for i in range(values.size):
        counts[int(values[i] - lowest)] += 1
    return lowest, counts


@compiled
def run_lengths(ordered):
    """Return the different values of an ascending array, float64 (n,), and how often each occurs, int64 (n,)."""
    values, counts = np.empty(ordered.size), np.empty(ordered.size, np.int64)
    k = -1
    for i in range(ordered.size):
        if k < 0 or ordered[i] != values[k]:
            k += 1
            values[k], counts[k] = ordered[i], 0
        counts[k] += 1
    return values[: k + 1], counts[: k + 1]


@compiled
def _percentile(values, ends, fraction):
    """Interpolate linearly between the closest ranks; `ends` are the running sums of the counts."""
    rank = fraction * (ends[-1] - 1)
    below = int(rank)
    i = np.searchsorted(ends, below + 1)
    if below + 1 < ends[i] or i + 1 == ends.size:
        return values[i]
    return values[i] + (rank - below) * (values[i + 1] - values[i])


@compiled
def _robust_deviation(values, counts, lowest, highest):
    """Return the mean absolute deviation from their mean of the values within bounds, NaN if there are none."""
    n = 0
    total = deviation = 0.0
    for i in range(values.size):
        if lowest <= values[i] <= highest:
            n += counts[i]
            total += counts[i] * (values[i] - values[0])
    if n == 0:
        return np.nan
    mean = values[0] + total / n
    for i in range(values.size):
        if lowest <= values[i] <= highest:
            deviation += counts[i] * abs(values[i] - mean)
    return deviation / n


@compiled
def distribution_statistics(values, counts):
    """Return the 18 statistics of ascending values that occur `counts` times, float64 (18,).

    In the order of `intensity_statistics`, and NaN where undefined.
    """
    occurs = counts > 0
    values, counts = values[occurs], counts[occurs]
    ends = np.cumsum(counts)
    n = ends[-1]
    first = values[0]
    total = energy = 0.0
    for i in range(values.size):
        total += counts[i] * (values[i] - first)  # from the first value on, so that a flat region is exactly flat
        energy += counts[i] * values[i] * values[i]
    mean = first + total / n
    p10, p90 = _percentile(values, ends, 0.1), _percentile(values, ends, 0.9)
    p25, p75 = _percentile(values, ends, 0.25), _percentile(values, ends, 0.75)
    median = _percentile(values, ends, 0.5)
    from_mean = from_median = second = third = fourth = 0.0
    for i in range(values.size):
        difference = values[i] - mean
        square = difference * difference
        from_mean += counts[i] * abs(difference)
        from_median += counts[i] * abs(values[i] - median)
        second += counts[i] * square
        third += counts[i] * square * difference
        fourth += counts[i] * square * square
    variance = second / n
    out = np.empty(18)
    out[0] = mean
    out[1] = variance
    out[2] = third / n / variance**1.5 if variance > 0.0 else 0.0
    out[3] = fourth / n / (variance * variance) - 3.0 if variance > 0.0 else 0.0
    out[4] = median
    out[5] = values[0]
    out[6] = p10
    out[7] = p90
    out[8] = values[-1]
    out[9] = p75 - p25
    out[10] = values[-1] - values[0]
    out[11] = from_mean / n
    out[12] = _robust_deviation(values, counts, p10, p90)
    out[13] = from_median / n
    out[14] = np.sqrt(variance) / mean if mean != 0.0 else np.nan
    out[15] = (p75 - p25) / (p75 + p25) if p75 + p25 != 0.0 else np.nan
    out[16] = energy
    out[17] = np.sqrt(energy / n)
    return out


@compiled
def volume_curve_features(steps, counts):
    """Return the 7 features of the intensity-volume histogram at ascending intensities, float64 (7,)."""
    n, total = steps.size, counts.sum()
    spread = steps[-1] - steps[0]
    out = np.zeros(7)
    out[0] = out[1] = -1.0
    of_10 = of_90 = steps[-1] + (steps[-1] - steps[-2] if n > 1 else 0.0)
    below, before = 0, 0.0
    for i in range(n):
        volume = 1.0 - below / total
        fraction = (steps[i] - steps[0]) / spread if n > 1 else 1.0
        if out[0] < 0.0 and fraction >= 0.1 - 1e-12:
            out[0] = volume
        if out[1] < 0.0 and fraction >= 0.9 - 1e-12:
            out[1] = volume
        if volume <= 0.1 + 1e-12:
            of_10 = min(of_10, steps[i])
        if volume <= 0.9 + 1e-12:
            of_90 = min(of_90, steps[i])
        if i > 0:
            out[6] += 0.5 * (before + volume) * (steps[i] - steps[i - 1]) / spread
        below += counts[i]
        before = volume
    out[2], out[3] = of_10, of_90
    out[4], out[5] = out[0] - out[1], of_10 - of_90
    return out


@compiled
def intensity_moments(image, mask):
    """Return n, and the sums of the intensity I, of I z, I y and I x over a mask: float64 (5,)."""
    out = np.zeros(5)
    for z in range(mask.shape[0]):
        for y in range(mask.shape[1]):
            total = along = 0.0
            n = 0
            for x in range(mask.shape[2]):
                if mask[z, y, x]:
                    n += 1
                    total += image[z, y, x]
                    along += image[z, y, x] * x
            out[0] += n
            out[1] += total
            out[2] += total * z
            out[3] += total * y
            out[4] += along
    return out


@compiled
def count_levels(levels, n_levels):
    """Return how many voxels have each level from 1 to `n_levels`, int64 (n_levels,)."""
    counts = np.zeros(n_levels + 1, np.int64)
    for z in range(levels.shape[0]):
        for y in range(levels.shape[1]):
            for x in range(levels.shape[2]):
                counts[levels[z, y, x]] += 1
    return counts[1:]


@compiled
def histogram_extras(counts, mean):
    """Return mode, entropy, uniformity, and the greatest and the least gradient with their levels, float64 (7,).

    `counts` are those of the levels from 1 on. Gradients are NaN if there is one level.
    """
    n = counts.sum()
    out = np.full(7, np.nan)
    mode = 0
    entropy = uniformity = 0.0
    for i in range(counts.size):
        share = counts[i] / n
        if counts[i] > 0:
            entropy -= share * np.log2(share)
        uniformity += share * share
        is_nearer = counts[i] == counts[mode] and abs(i + 1 - mean) < abs(mode + 1 - mean)
        if counts[i] > counts[mode] or is_nearer:
            mode = i
        if counts.size > 1:
            before, after = max(i - 1, 0), min(i + 1, counts.size - 1)
            gradient = (counts[after] - counts[before]) / (after - before)
            if i == 0 or gradient > out[3]:
                out[3], out[4] = gradient, i + 1
            if i == 0 or gradient < out[5]:
                out[5], out[6] = gradient, i + 1
    out[0], out[1], out[2] = mode + 1, entropy, uniformity
    return out
