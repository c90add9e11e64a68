"""In: a table of grey level by size (of runs, zones or dependences). Out: the 16 numbers that describe it.

GLRLM, GLSZM and GLDM are the same 16 numbers of three tables under other names and in another order, so one loop
computes them; each family picks its own by `DESCRIPTIONS`. The table is read once: sums over rows and columns are kept,
and all emphases but those of both grey level and size are computed from them.
"""

import numpy as np
from numba import njit

_EPS = np.spacing(1.0)

# The numbers of `describe_sizes`, in order.
DESCRIPTIONS = (
    "small",
    "large",
    "gray non-uniformity",
    "gray non-uniformity normalised",
    "size non-uniformity",
    "size non-uniformity normalised",
    "percentage",
    "gray variance",
    "size variance",
    "entropy",
    "low gray",
    "high gray",
    "small low gray",
    "small high gray",
    "large low gray",
    "large high gray",
)


def order_of(names):
    """Return the places in `DESCRIPTIONS` of several names, one text with commas between them."""
    return [DESCRIPTIONS.index(name) for name in names.split(", ")]


@njit(cache=True, nogil=True)
def _variance(weights, values, n):
    mean = 0.0
    for i in range(values.size):
        mean += weights[i] * values[i] / n
    variance = 0.0
    for i in range(values.size):
        variance += weights[i] * (values[i] - mean) ** 2 / n
    return variance


@njit(cache=True, nogil=True)
def describe_sizes(table, gray, sizes):
    """Return the numbers of `DESCRIPTIONS` for a table of counts, float64 (16,); NaN if the table is empty.

    Parameters
    ----------
    table : float64 (n_present, n_sizes)
    gray : float64 (n_present,), the grey level of each row
    sizes : float64 (n_sizes,), the size of each column; 0 for a column of zeros
    """
    n_gray, n_sizes = table.shape
    by_gray, by_size = np.zeros(n_gray), np.zeros(n_sizes)
    entropy = small_low = small_high = large_low = large_high = 0.0
    n = 0.0
    for i in range(n_gray):
        for j in range(n_sizes):
            n += table[i, j]
    out = np.zeros(16)
    if n == 0.0:
        for d in range(16):
            out[d] = np.nan
        return out
    for i in range(n_gray):
        square = gray[i] * gray[i]
        small = large = 0.0
        for j in range(n_sizes):
            count = table[i, j]
            if count > 0.0:
                by_gray[i] += count
                by_size[j] += count
                small += count / (sizes[j] * sizes[j])
                large += count * sizes[j] * sizes[j]
                p = count / n
                entropy -= p * np.log2(p + _EPS)
        small_low += small / square
        small_high += small * square
        large_low += large / square
        large_high += large * square

    for j in range(n_sizes):
        if by_size[j] == 0.0:
            continue
        out[0] += by_size[j] / (sizes[j] * sizes[j])
        out[1] += by_size[j] * sizes[j] * sizes[j]
        out[4] += by_size[j] * by_size[j]
        out[6] += by_size[j] * sizes[j]
    for i in range(n_gray):
        out[2] += by_gray[i] * by_gray[i]
        out[10] += by_gray[i] / (gray[i] * gray[i])
        out[11] += by_gray[i] * gray[i] * gray[i]
    out[3], out[5] = out[2] / n, out[4] / n
    out[12], out[13], out[14], out[15] = small_low, small_high, large_low, large_high
    for d in range(16):
        out[d] /= n
    out[6] = 1.0 / out[6]  # percentage: n over the number of voxels
    out[7] = _variance(by_gray, gray, n)
    out[8] = _variance(by_size, sizes, n)
    out[9] = entropy
    return out


@njit(cache=True, nogil=True)
def describe_directions(tables, gray, sizes):
    """Return the mean of `describe_sizes` over the directions, the first axis of `tables`, whose table is not empty."""
    total, n = np.zeros(16), 0
    for k in range(tables.shape[0]):
        values = describe_sizes(tables[k], gray, sizes)
        if not np.isnan(values[0]):
            n += 1
            for d in range(16):
                total[d] += values[d]
    for d in range(16):
        total[d] = total[d] / n if n > 0 else np.nan
    return total


@njit(cache=True, nogil=True)
def tabulate_zones(levels, sizes, n_present):
    """Count zones, given by their levels and sizes, in a table that has columns only for the sizes that occur.

    Returns the table, float64 (n_present, n_sizes), and the sizes of its columns, float64 (n_sizes,), increasing.
    """
    largest = 0
    for size in sizes:
        largest = max(largest, size)
    column = np.zeros(largest + 1, np.int32)
    for size in sizes:
        column[size] = 1
    n = 0
    present = np.empty(min(sizes.size, column.size), np.float64)
    for size in range(column.size):
        if column[size]:
            present[n] = size
            column[size] = n
            n += 1
    table = np.zeros((n_present, n))
    for i in range(sizes.size):
        table[levels[i], column[sizes[i]]] += 1.0
    return table, present[:n]


@njit(cache=True, nogil=True)
def describe_tones(counts, differences, gray):
    """Return the 5 features of the neighbouring grey tone difference matrix, in the order of the catalogue.

    All arguments are float64 (n_present,): the voxels of each grey level, their sums of differences, and the levels.
    """
    n_gray = counts.size
    n = total = 0.0
    for i in range(n_gray):
        n += counts[i]
        total += differences[i]
    p = np.empty(n_gray)
    for i in range(n_gray):
        p[i] = counts[i] / n
    weighted = spread = between = complexity = strength = 0.0
    for i in range(n_gray):
        weighted += p[i] * differences[i]
        for j in range(n_gray):
            distance = abs(gray[i] - gray[j])
            both = p[i] + p[j]
            spread += p[i] * p[j] * distance * distance
            between += abs(gray[i] * p[i] - gray[j] * p[j])
            complexity += distance * (p[i] * differences[i] + p[j] * differences[j]) / both
            strength += both * distance * distance
    out = np.zeros(5)
    out[0] = weighted / between if between > 0.0 else 0.0  # Busyness
    out[1] = 1.0 / weighted if weighted > 0.0 else 1e6  # Coarseness
    out[2] = complexity / n  # Complexity
    out[3] = spread * total / n / (n_gray * (n_gray - 1)) if n_gray > 1 else 0.0  # Contrast
    out[4] = strength / total if total > 0.0 else 0.0  # Strength
    return out
