"""In: tables of pairs, sizes, distances and differences of grey levels. Out: the features that IBSI defines on them.

All functions write into rows of `N_FEATURES` numbers: 25 of the GLCM, 16 of GLRLM, GLSZM and GLDZM each, 5 of the NGTDM
and 17 of the NGLDM, in the order of the reference tables. A table without entries leaves NaN.
"""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.handcrafted.kernels.size_tables import describe_sizes, order_of, tabulate_zones

N_FEATURES = 95
GLCM, GLRLM, GLSZM, GLDZM, NGTDM, NGLDM = 0, 25, 41, 57, 73, 78  # first feature of each family

_ORDER = np.array(
    order_of(
        "small, large, low gray, high gray, small low gray, small high gray, large low gray, large high gray, "
        "gray non-uniformity, gray non-uniformity normalised, size non-uniformity, size non-uniformity normalised, "
        "percentage, gray variance, size variance, entropy"
    )
)
_PERCENTAGE = 12  # place in _ORDER


@compiled
def describe_pairs(table, gray, n_levels, out):
    """Write the 25 features of a co-occurrence table; return False and leave `out` as it is if the table is empty.

    The features of i + j and |i - j| need only the distributions of these two, and so do the moments of the pairs: with
    the cluster tendency T = E (i + j - 2 mean)² and the contrast C = E (i - j)², a symmetric table has the variance
    (T + C) / 4 and the covariance (T - C) / 4. Entropies are log2 N - sum n log2 n / N with counts n of the total N.

    Parameters
    ----------
    table : float64 (n_present + 1, n_present + 1)
        Pairs of neighbours, each counted in one order; row and column 0 are ignored.
    gray : int64 (n_present,), the grey level of each row, increasing
    n_levels : int, grey levels of the discretisation
    out : float64 (N_FEATURES,)
    """
    of_sum, of_difference = np.zeros(2 * gray[-1] + 1), np.zeros(gray[-1])
    marginal = np.zeros(gray.size)
    total = squares = logarithms = largest = 0.0
    for i in range(gray.size):
        for j in range(i + 1):
            cell = table[i + 1, j + 1] + table[j + 1, i + 1]
            if cell == 0.0:
                continue
            marginal[i] += cell
            both = cell
            if j < i:
                marginal[j] += cell
                both = 2.0 * cell
            total += both
            squares += both * cell
            logarithms += both * np.log2(cell)
            largest = max(largest, cell)
            of_sum[gray[i] + gray[j]] += both
            of_difference[gray[i] - gray[j]] += both
    if total == 0.0:
        return False
    out[0] = largest / total  # joint maximum
    out[3] = max(np.log2(total) - logarithms / total, 0.0)  # joint entropy
    out[10] = squares / (total * total)  # angular second moment
    _describe_differences(of_difference, total, n_levels, out)
    _describe_sums(of_sum, total, out)
    variance = out[20] + out[11]
    out[2] = variance / 4.0  # joint variance
    out[18] = (out[20] - out[11]) / variance if variance > 0.0 else 1.0  # correlation
    _describe_information(marginal, total, out)
    return True


@compiled
def _describe_differences(counts, total, n_levels, out):
    """Write the features of |i - j|; its counts are given by difference."""
    for f in (4, 5, 6, 11, 13, 14, 15, 16, 17):
        out[f] = 0.0
    for k in range(counts.size):
        if counts[k] == 0.0:
            continue
        p = counts[k] / total
        out[4] += p * k  # difference average
        out[6] -= p * np.log2(p)  # difference entropy
        out[11] += p * k * k  # contrast
        out[13] += p / (1.0 + k)  # inverse difference
        out[14] += p / (1.0 + k / n_levels)
        out[15] += p / (1.0 + k * k)  # inverse difference moment
        out[16] += p / (1.0 + (k / n_levels) ** 2)
        if k > 0:
            out[17] += p / (k * k)  # inverse variance
    for k in range(counts.size):
        out[5] += counts[k] / total * (k - out[4]) ** 2  # difference variance
    out[12] = out[4]  # dissimilarity


@compiled
def _describe_sums(counts, total, out):
    """Write the features of i + j, whose counts are given by sum; those of the contrast must be there."""
    mean = square = 0.0
    for k in range(counts.size):
        mean += counts[k] / total * k
        square += counts[k] / total * k * k
    entropy = tendency = shade = prominence = 0.0
    for k in range(counts.size):
        if counts[k] == 0.0:
            continue
        p, distance = counts[k] / total, k - mean
        entropy -= p * np.log2(p)
        tendency += p * distance**2
        shade += p * distance**3
        prominence += p * distance**4
    out[1], out[7] = mean / 2.0, mean  # joint average, sum average
    out[8], out[20] = tendency, tendency  # sum variance, cluster tendency
    out[9] = entropy
    out[19] = (square - out[11]) / 4.0  # autocorrelation
    out[21], out[22] = shade, prominence


@compiled
def _describe_information(marginal, total, out):
    """Write both information correlations. HXY1 and HXY2, entropies of the product of the marginals, are twice HX."""
    entropy = np.log2(total)
    for count in marginal:
        if count > 0.0:
            entropy -= count * np.log2(count) / total
    information = 2.0 * entropy - out[3]
    if information < 1e-13:  # independent but for rounding
        information = 0.0
    out[23] = -information / entropy if information > 0.0 else 0.0
    out[24] = np.sqrt(1.0 - np.exp(-2.0 * information))


@compiled
def write_sizes(table, gray, sizes, out):
    """Write the 16 features of a table of grey level by size at the start of `out`; NaN if the table is empty.

    table : float64 (n_present, n_sizes);  gray : float64 (n_present,);  sizes : float64 (n_sizes,)
    """
    values = describe_sizes(table, gray, sizes)
    for f in range(_ORDER.size):
        out[f] = values[_ORDER[f]]


@compiled
def describe_zones(levels, sizes, distances, gray, n_voxels, wanted, out):
    """Write the features of size zones and of distance zones, those that are wanted.

    Parameters
    ----------
    levels, sizes, distances : integers (n_zones,)
        Row of the grey level, voxels, and distance to the border of each zone.
    gray : float64 (n_present,), the grey level of each row
    n_voxels : int
    wanted : bool (6,), by family
    out : float64 (N_FEATURES,)
    """
    if wanted[2]:
        table, present = tabulate_zones(levels, sizes, gray.size)
        write_sizes(table, gray, present, out[GLSZM:])
    if wanted[3]:
        table, present = tabulate_zones(levels, distances, gray.size)
        write_sizes(table, gray, present, out[GLDZM:])
        out[GLDZM + _PERCENTAGE] = levels.size / n_voxels


@compiled
def describe_dependence(table, gray, sizes, out):
    """Write the 17 features of a table of grey level by dependence, float64 (n_present, n_sizes)."""
    write_sizes(table, gray, sizes, out[NGLDM:])
    total = squares = 0.0
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            total += table[i, j]
            squares += table[i, j] * table[i, j]
    out[NGLDM + _PERCENTAGE] = 1.0  # every voxel has a dependence
    out[NGLDM + 16] = squares / (total * total)  # dependence count energy


@compiled
def describe_tone_differences(counts, differences, gray, out):
    """Write the 5 features of the NGTDM, NaN if no voxel has a neighbour.

    All are float64 (n_present,): voxels of each grey level that have a neighbour, the sums of their differences from
    the mean of their neighbours, and the levels. The denominator of busyness is summed in whole numbers, so that it is
    0 where it should be.
    """
    n = weighted = total = 0.0
    n_present = 0
    for i in range(gray.size):
        n += counts[i]
        weighted += counts[i] * differences[i]
        total += differences[i]
        n_present += counts[i] > 0.0
    if n == 0.0:
        out[NGTDM : NGTDM + 5] = np.nan
        return
    spread = between = complexity = strength = 0.0
    for i in range(gray.size):
        for j in range(i):
            if counts[i] == 0.0 or counts[j] == 0.0:
                continue
            distance = gray[i] - gray[j]
            both = counts[i] + counts[j]
            spread += counts[i] * counts[j] * distance * distance
            between += abs(gray[i] * counts[i] - gray[j] * counts[j])
            complexity += distance * (counts[i] * differences[i] + counts[j] * differences[j]) / both
            strength += both * distance * distance
    out[NGTDM] = min(n / weighted, 1e6) if weighted > 0.0 else 1e6  # coarseness
    out[NGTDM + 1] = 0.0  # contrast
    if n_present > 1:
        out[NGTDM + 1] = 2.0 * spread * total / (n * n * n * (n_present * (n_present - 1.0)))
    out[NGTDM + 2] = weighted / (2.0 * between) if between > 0.0 else 0.0  # busyness
    out[NGTDM + 3] = 2.0 * complexity / n
    out[NGTDM + 4] = 2.0 * strength / (n * total) if total > 0.0 else 0.0
