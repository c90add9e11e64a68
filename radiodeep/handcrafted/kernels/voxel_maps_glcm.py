"""In: grey levels and windows about centres. Out: the features of the co-occurrence in each window.

The pairs of a window in one direction are few (at most 18 of 27 voxels), so that sums over the list of pairs take the
place of sums over a table of all grey levels. Features that are means over the pairs need nothing else; entropies and
their like need small tables by rank, difference or sum of levels.
"""

import numpy as np

from radiodeep.compiled import compiled
from radiodeep.handcrafted.kernels.voxel_maps import add_to_cell, keep_columns, rank_levels, times_log

# Parts that take time of their own, by the features that need them, in the order of the catalogue.
HIGH_MOMENTS = (1, 2)
DIFFERENCE_TABLE = (7,)
SUM_TABLE = (22,)
JOINT_TABLE = (13, 14, 17, 18, 20)
SINGULAR_VALUES = (19,)
INVERSE_DIFFERENCES = (9, 10, 11, 12, 15)
PARTS = (HIGH_MOMENTS, DIFFERENCE_TABLE, SUM_TABLE, JOINT_TABLE, SINGULAR_VALUES, INVERSE_DIFFERENCES)


@compiled
def glcm_maps(
    volume, centres, window, pairs, starts, weights, gray, of_difference, logs, symmetrical, needs, columns, out
):
    """Fill `out` with features of the windows.

    Parameters
    ----------
    volume, window, gray : as in `rank_levels`
    centres : int64 (n_voxels,)
    pairs : int64 (n_pairs, 2), places in the window of the two voxels of a pair, direction by direction
    starts : int64 (n_directions + 1,), the first pair of each direction
    weights : float64 (n_directions,), with which the directions are added up; empty to average their features
    of_difference : float64 (highest level, 5), terms of Id, Idm, Idmn, Idn and InverseVariance by |i - j|
    logs : float64, n log2(n) up to twice the number of pairs; empty if there are weights
    symmetrical : bool
    needs : bool (6,), which of `PARTS` are needed
    columns : int64 (n_columns,), places of the chosen features in the catalogue
    out : float64 (n_voxels, n_columns); NaN where a window holds no pair
    """
    n_gray = of_difference.shape[0]
    n_most = min(window.size, gray.size)
    ranks, shades = np.empty(window.size, np.int64), np.empty(window.size)
    rank_of = np.full(gray.size, -1)
    first, second = np.empty(len(pairs), np.int64), np.empty(len(pairs), np.int64)
    weight, used = np.ones(len(pairs)), np.empty(len(pairs) + 1, np.int64)
    by_difference, by_sum = np.zeros(n_gray), np.zeros(2 * n_gray + 1)
    joint, px, py = np.zeros(n_most * n_most), np.zeros(n_most), np.zeros(n_most)
    row = np.empty(24)
    for v in range(centres.size):
        n_levels = rank_levels(volume, centres[v], window, gray, ranks, rank_of, shades)
        row[:] = 0.0
        n = n_directions = 0
        for k in range(starts.size - 1):
            for p in range(starts[k], starts[k + 1]):
                i, j = ranks[pairs[p, 0]], ranks[pairs[p, 1]]
                if i >= 0 and j >= 0:
                    first[n], second[n] = i, j
                    if weights.size:
                        weight[n] = weights[k]
                    n += 1
            if n == 0 or (weights.size and k + 2 < starts.size):
                continue
            a, b, w = first[:n], second[:n], weight[:n]
            n = 0
            total = w.sum()
            if total == 0.0:
                continue
            n_directions += 1
            _add_moments(a, b, w, total, shades, symmetrical, row)
            if needs[0]:
                _add_high_moments(a, b, w, total, shades, row)
            if needs[1]:
                row[7] += _entropy_of_differences(a, b, w, total, shades, by_difference, used, logs)
            if needs[2]:
                row[22] += _entropy_of_sums(a, b, w, total, shades, by_sum, used, logs)
            if needs[3]:
                _add_joint(a, b, w, total, n_levels, symmetrical, joint, px, py, used, logs, row)
            if needs[4]:
                row[19] += 1.0 if gray.size == 2 else _second_singular_value(a, b, w, n_levels, symmetrical)
            if needs[5]:
                _add_inverse_differences(a, b, w, total, shades, of_difference, row)
        keep_columns(row, n_directions, columns, out[v])


@compiled
def _add_moments(first, second, weight, total, shades, symmetrical, row):
    """Add the features that are means over pairs, or follow from such means."""
    sx = sy = sxx = syy = sxy = sd = 0.0
    unlike_x = unlike_y = unlike = False
    for p in range(first.size):
        x, y, w = shades[first[p]], shades[second[p]], weight[p]
        difference = abs(x - y)
        sx += w * x
        sy += w * y
        sxx += w * x * x
        syy += w * y * y
        sxy += w * x * y
        sd += w * difference
        unlike_x |= first[p] != first[0]
        unlike_y |= second[p] != second[0]
        unlike |= first[p] != second[p]
    square = total * total
    if symmetrical:
        unlike_x = unlike_y = unlike_x or unlike_y or unlike
        ux = 0.5 * (sx + sy) / total
        vx = vy = (2.0 * total * (sxx + syy) - (sx + sy) * (sx + sy)) / (4.0 * square)
        covariance = (4.0 * total * sxy - (sx + sy) * (sx + sy)) / (4.0 * square)
    else:
        ux = sx / total
        vx, vy = (total * sxx - sx * sx) / square, (total * syy - sy * sy) / square
        covariance = (total * sxy - sx * sy) / square
    contrast = sxx + syy - 2.0 * sxy
    row[0] += sxy / total  # Autocorrelation
    row[3] += (total * (sxx + syy + 2.0 * sxy) - (sx + sy) * (sx + sy)) / square  # ClusterTendency
    row[4] += contrast / total  # Contrast
    row[5] += covariance / np.sqrt(vx * vy) if unlike_x and unlike_y else 1.0  # Correlation
    row[6] += sd / total  # DifferenceAverage
    row[8] += (total * contrast - sd * sd) / square  # DifferenceVariance
    row[16] += ux  # JointAverage
    row[21] += (sx + sy) / total  # SumAverage
    row[23] += vx  # SumSquares


@compiled
def _add_high_moments(first, second, weight, total, shades, row):
    centre = third = fourth = 0.0
    for p in range(first.size):
        centre += weight[p] * (shades[first[p]] + shades[second[p]])
    centre /= total
    for p in range(first.size):
        distance = shades[first[p]] + shades[second[p]] - centre
        cube = weight[p] * distance * distance * distance
        fourth += cube * distance
        third += cube
    row[1] += fourth / total  # ClusterProminence
    row[2] += third / total  # ClusterShade


@compiled
def _add_inverse_differences(first, second, weight, total, shades, of_difference, row):
    id = idm = idmn = idn = inverse_variance = 0.0
    for p in range(first.size):
        terms = of_difference[int(abs(shades[first[p]] - shades[second[p]]))]
        id += weight[p] * terms[0]
        idm += weight[p] * terms[1]
        idmn += weight[p] * terms[2]
        idn += weight[p] * terms[3]
        inverse_variance += weight[p] * terms[4]
    row[9] += id / total  # Id
    row[10] += idm / total  # Idm
    row[11] += idmn / total  # Idmn
    row[12] += idn / total  # Idn
    row[15] += inverse_variance / total  # InverseVariance


@compiled
def _entropy_of_differences(first, second, weight, total, shades, cells, used, logs):
    n = 0
    for p in range(first.size):
        n = add_to_cell(cells, int(abs(shades[first[p]] - shades[second[p]])), weight[p], used, n)
    return _entropy_of(cells, used, n, total, logs)


@compiled
def _entropy_of_sums(first, second, weight, total, shades, cells, used, logs):
    n = 0
    for p in range(first.size):
        n = add_to_cell(cells, int(shades[first[p]] + shades[second[p]]), weight[p], used, n)
    return _entropy_of(cells, used, n, total, logs)


@compiled
def _entropy_of(cells, used, n, total, logs):
    """Return the entropy of the cells in use, log2(T) - sum of c log2(c) / T, and empty them."""
    inside = 0.0
    for c in range(n):
        inside += times_log(cells[used[c]], logs)
        cells[used[c]] = 0.0
    return (times_log(total, logs) - inside) / total


@compiled
def _add_joint(first, second, weight, total, n_levels, symmetrical, joint, px, py, used, logs, row):
    """Add the features of the joint distribution.

    A symmetrical table counts each pair in both orders, 2 T in all. Only its half is filled: a cell (i, j) with i < j
    stands for two cells of c / (2 T), and a cell (i, i) for one of c / T.
    """
    px[:n_levels] = 0.0
    py[:n_levels] = 0.0
    n = 0
    for p in range(first.size):
        i, j = first[p], second[p]
        px[i] += weight[p]
        py[j] += weight[p]
        if symmetrical:
            px[j] += weight[p]
            py[i] += weight[p]
            i, j = min(i, j), max(i, j)
        n = add_to_cell(joint, i * n_levels + j, weight[p], used, n)
    energy = largest = inside = apart = 0.0
    for c in range(n):
        count = joint[used[c]]
        joint[used[c]] = 0.0
        inside += times_log(count, logs)
        if symmetrical and used[c] // n_levels != used[c] % n_levels:
            apart += count
            energy += 0.5 * count * count
            largest = max(largest, 0.5 * count)
        else:
            energy += count * count
            largest = max(largest, count)
    entropy = (times_log(total, logs) + apart - inside) / total
    hx = _entropy_of_marginal(px, n_levels, 2.0 * total if symmetrical else total, logs)
    hy = _entropy_of_marginal(py, n_levels, 2.0 * total if symmetrical else total, logs)
    information = hx + hy - entropy
    if information < 1e-13:  # independent but for rounding
        information = 0.0
    if max(hx, hy) > 0.0:
        row[13] -= information / max(hx, hy)  # Imc1
    row[14] += np.sqrt(1.0 - np.exp(-2.0 * information))  # Imc2
    row[17] += energy / (total * total)  # JointEnergy
    row[18] += entropy  # JointEntropy
    row[20] += largest / total  # MaximumProbability


@compiled
def _entropy_of_marginal(counts, n, total, logs):
    inside = 0.0
    for i in range(n):
        inside += times_log(counts[i], logs)
    return max(0.0, (times_log(total, logs) - inside) / total)


@compiled
def _second_singular_value(first, second, weight, n_levels, symmetrical):
    """Return the second singular value of p / sqrt(px py), whose first is 1; it is MCC, 0 if there is one level.

    It is 1 if rows and columns fall into parts without a pair between them, which most small windows do. Otherwise it
    follows from the eigenvalues of M M^T.
    """
    part = np.arange(2 * n_levels)  # of each row, then of each column; a part is named by one of its members
    for p in range(first.size):
        _join(part, first[p], n_levels + second[p])
        if symmetrical:
            _join(part, second[p], n_levels + first[p])
    m, px, py = np.zeros((n_levels, n_levels)), np.zeros(n_levels), np.zeros(n_levels)
    for p in range(first.size):
        m[first[p], second[p]] += weight[p]
        if symmetrical:
            m[second[p], first[p]] += weight[p]
    for i in range(n_levels):
        for j in range(n_levels):
            px[i] += m[i, j]
            py[j] += m[i, j]
    n_parts = n = 0
    kept = np.empty(n_levels, np.int64)
    for i in range(n_levels):
        if px[i] > 0.0:
            n_parts += part[i] == i
            kept[n] = i
            n += 1
    for j in range(n_levels):
        n_parts += py[j] > 0.0 and part[n_levels + j] == n_levels + j
    if n_parts > 1:
        return 1.0
    if n < 2:
        return 0.0
    squared = np.zeros((n, n))
    for a in range(n):
        for b in range(a + 1):
            for j in range(n_levels):
                if py[j] > 0.0:
                    squared[a, b] += m[kept[a], j] * m[kept[b], j] / py[j]
            squared[a, b] /= np.sqrt(px[kept[a]] * px[kept[b]])
            squared[b, a] = squared[a, b]
    return np.sqrt(max(0.0, _second_eigenvalue(squared)))


@compiled
def _second_eigenvalue(a):
    """Return the second largest eigenvalue of a symmetric matrix, which is overwritten, by Jacobi's rotations."""
    n = len(a)
    for _ in range(50):
        apart = 0.0
        for i in range(n):
            for j in range(i):
                apart += a[i, j] * a[i, j]
        if apart < 1e-24:
            break
        for i in range(1, n):
            for j in range(i):
                if abs(a[i, j]) < 1e-18:
                    continue
                slope = 0.5 * (a[j, j] - a[i, i]) / a[i, j]
                tangent = 1.0 / (abs(slope) + np.sqrt(1.0 + slope * slope))
                if slope < 0.0:
                    tangent = -tangent
                cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
                sine = tangent * cosine
                for k in range(n):
                    x, y = a[i, k], a[j, k]
                    a[i, k], a[j, k] = cosine * x - sine * y, sine * x + cosine * y
                for k in range(n):
                    x, y = a[k, i], a[k, j]
                    a[k, i], a[k, j] = cosine * x - sine * y, sine * x + cosine * y
    largest = second = -1.0
    for i in range(n):
        if a[i, i] > largest:
            largest, second = a[i, i], largest
        elif a[i, i] > second:
            second = a[i, i]
    return second


@compiled
def _join(part, i, j):
    while part[i] != i:
        i = part[i]
    while part[j] != j:
        j = part[j]
    part[max(i, j)] = min(i, j)
