"""A volume of grey levels in; co-occurrence tables and the numbers of each direction out."""

import numpy as np
from numba import njit

_EPS = np.spacing(1.0)


@njit(cache=True, nogil=True)
def count_pairs(volume, positions, offsets, tables):
    """Count the pairs of grey levels in every direction, all directions in one pass.

    Parameters
    ----------
    volume : uint16 (n_places,), flattened; 0 outside the region, which no offset may leave
    positions : int64 (n_voxels,), places of the region
    offsets : int64 (n_directions,), steps in the flattened volume
    tables : uint32 (n_directions, n_present + 1, n_present + 1), zeros; row and column 0 gather
        the pairs that leave the region
    """
    for i in range(positions.size):
        here = volume[positions[i]]
        for k in range(offsets.size):
            tables[k, here, volume[positions[i] + offsets[k]]] += 1


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def _dot(a, b):
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True)
def _normalise(table, symmetrical, p, px, py):
    """Fill the joint and the marginal probabilities; False if the direction holds no pair."""
    n = p.shape[0]
    total = 0.0
    for i in range(n):
        for j in range(n):
            total += table[i + 1, j + 1]
    if total == 0.0:
        return False
    for i in range(n):
        px[i] = py[i] = 0.0
    for i in range(n):
        for j in range(n):
            if symmetrical:
                p[i, j] = (table[i + 1, j + 1] + table[j + 1, i + 1]) / (2.0 * total)
            else:
                p[i, j] = table[i + 1, j + 1] / total
            px[i] += p[i, j]
            py[j] += p[i, j]
    return True


@njit(cache=True, nogil=True)
def _joint_sums(p, gray, ux, uy, of_sum, of_difference):
    """Sums over the cells that are not empty; fills the distributions of i + j and |i - j|."""
    autocorrelation = covariance = energy = entropy = largest = 0.0
    of_sum.fill(0.0)
    of_difference.fill(0.0)
    for i in range(gray.size):
        for j in range(gray.size):
            cell = p[i, j]
            if cell == 0.0:
                continue
            autocorrelation += cell * gray[i] * gray[j]
            covariance += cell * (gray[i] - ux) * (gray[j] - uy)
            energy += cell * cell
            entropy -= cell * np.log2(cell + _EPS)
            largest = max(largest, cell)
            of_sum[gray[i] + gray[j]] += cell
            of_difference[abs(gray[i] - gray[j])] += cell
    return autocorrelation, covariance, energy, entropy, largest


@njit(cache=True, nogil=True)
def _entropy(p):
    total = 0.0
    for cell in p:
        if cell > 0.0:
            total -= cell * np.log2(cell + _EPS)
    return total


@njit(cache=True, nogil=True)
def _cross_entropies(p, px, py):
    """HXY1 and HXY2: the joint and the product distribution, coded by the product distribution."""
    hxy1 = hxy2 = 0.0
    for i in range(px.size):
        for j in range(py.size):
            product = px[i] * py[j]
            if product > 0.0:
                code = np.log2(product + _EPS)
                hxy1 -= p[i, j] * code
                hxy2 -= product * code
    return hxy1, hxy2


@njit(cache=True, nogil=True)
def _spread(p, gray, mean):
    total = 0.0
    for i in range(gray.size):
        total += p[i] * (gray[i] - mean) ** 2
    return total


@njit(cache=True, nogil=True)
def _sum_features(of_sum, centre, row):
    """Features of the distribution of i + j, whose index is the sum itself."""
    for k in range(2, of_sum.size):
        cell = of_sum[k]
        if cell > 0.0:
            distance = k - centre
            square = distance * distance
            row[1] += cell * square * square  # ClusterProminence
            row[2] += cell * square * distance  # ClusterShade
            row[3] += cell * square  # ClusterTendency
            row[21] += cell * k  # SumAverage
            row[22] -= cell * np.log2(cell + _EPS)  # SumEntropy


@njit(cache=True, nogil=True)
def _difference_features(of_difference, n_gray, row):
    """Features of the distribution of |i - j|, whose index is the difference itself."""
    for k in range(of_difference.size):
        cell = of_difference[k]
        if cell > 0.0:
            row[4] += cell * k * k  # Contrast
            row[6] += cell * k  # DifferenceAverage
            row[7] -= cell * np.log2(cell + _EPS)  # DifferenceEntropy
            row[9] += cell / (1.0 + k)  # Id
            row[10] += cell / (1.0 + k * k)  # Idm
            row[11] += cell / (1.0 + (k / n_gray) ** 2)  # Idmn
            row[12] += cell / (1.0 + k / n_gray)  # Idn
            if k > 0:
                row[15] += cell / (k * k)  # InverseVariance
    for k in range(of_difference.size):
        row[8] += of_difference[k] * (k - row[6]) ** 2  # DifferenceVariance


@njit(cache=True, nogil=True)
def _information_features(p, px, py, entropy, row):
    hx, hy = _entropy(px), _entropy(py)
    hxy1, hxy2 = _cross_entropies(p, px, py)
    larger = max(hx, hy)
    row[13] = (entropy - hxy1) / larger if larger != 0.0 else 0.0  # Imc1
    if hxy2 >= entropy:
        row[14] = np.sqrt(1.0 - np.exp(-2.0 * (hxy2 - entropy)))  # Imc2
    else:
        row[14] = np.nan  # below zero by rounding alone; left out of the mean


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def _tridiagonalise(a, diagonal, below):
    """Householder's reduction of a full symmetric matrix, which is overwritten."""
    n = a.shape[0]
    w = np.empty(n)
    for k in range(n - 2):
        diagonal[k] = a[k, k]
        v = a[k, k + 1 :]
        norm = np.sqrt(_dot(v, v))
        if norm == 0.0:
            below[k] = 0.0
            continue
        below[k] = -norm if v[0] > 0.0 else norm
        v[0] -= below[k]
        scale = 2.0 / _dot(v, v)
        size = n - k - 1
        projection = 0.0
        for i in range(size):
            w[i] = scale * _dot(a[k + 1 + i, k + 1 :], v)
            projection += w[i] * v[i]
        for i in range(size):
            w[i] -= 0.5 * scale * projection * v[i]
        for i in range(size):
            row = a[k + 1 + i, k + 1 :]
            vi, wi = v[i], w[i]
            for j in range(size):
                row[j] -= vi * w[j] + wi * v[j]
    diagonal[n - 2], diagonal[n - 1] = a[n - 2, n - 2], a[n - 1, n - 1]
    below[n - 2] = a[n - 2, n - 1]


@njit(cache=True, nogil=True)
def _second_modulus(diagonal, below):
    """Second largest |eigenvalue|, none above 1, of a tridiagonal matrix: bisection on Sturm counts."""
    n = diagonal.size
    low, high = 0.0, 1.000001
    while high - low > 1e-15 + 1e-14 * low:
        x = 0.5 * (low + high)
        q, r = diagonal[0] - x, diagonal[0] + x
        outside = (q > 0.0) + (r < 0.0)
        for i in range(1, n):
            square = below[i - 1] * below[i - 1]
            q = diagonal[i] - x - square / (q if q != 0.0 else 1e-300)
            r = diagonal[i] + x - square / (r if r != 0.0 else 1e-300)
            outside += (q > 0.0) + (r < 0.0)
        if outside >= 2:
            low = x
        else:
            high = x
    return 0.5 * (low + high)


@njit(cache=True, nogil=True)
def _maximal_correlation(p, px, py, symmetrical):
    """Second singular value of p / sqrt(px py): the square root of the second eigenvalue of Q.

    The term eps of pyradiomics' Q, shared evenly between its two factors, keeps the eigenvalues to
    first order. A symmetric p gives a symmetric matrix, whose singular values are |eigenvalues|.
    """
    kept = np.empty(px.size, np.int64)
    n = 0
    for i in range(px.size):
        if px[i] + py[i] > 0.0:
            kept[n] = i
            n += 1
    if n < 2:
        return 0.0
    a = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            a[i, j] = p[kept[i], kept[j]] / np.sqrt(px[kept[i]] * py[kept[j]] + _EPS)
    if not symmetrical:
        half = a
        a = np.empty((n, n))
        for i in range(n):
            for j in range(n):
                a[i, j] = _dot(half[i], half[j])
    diagonal, below = np.empty(n), np.empty(n - 1)
    _tridiagonalise(a, diagonal, below)
    value = _second_modulus(diagonal, below)
    return value if symmetrical else np.sqrt(value)


@njit(cache=True, nogil=True)
def add_directions(tables, gray_values, n_gray, symmetrical, sums, counts):
    """Add the 24 features of each direction that holds pairs to the sums; NaN is not counted.

    Parameters
    ----------
    tables : float64 (n_directions, n_present + 1, n_present + 1), row and column 0 are ignored
    gray_values : int64 (n_present,), the grey level of each row
    n_gray : int, the highest grey level
    symmetrical : bool, count each pair in both directions
    sums, counts : float64 (24,), int64 (24,), in the order of the catalogue
    """
    n = gray_values.size
    p, px, py = np.empty((n, n)), np.empty(n), np.empty(n)
    of_sum, of_difference = np.empty(2 * n_gray + 1), np.empty(n_gray)
    for k in range(tables.shape[0]):
        if not _normalise(tables[k], symmetrical, p, px, py):
            continue
        ux, uy = _dot(px, gray_values), _dot(py, gray_values)
        variance = _spread(px, gray_values, ux)
        deviations = np.sqrt(variance) * np.sqrt(_spread(py, gray_values, uy))
        autocorrelation, covariance, energy, entropy, largest = _joint_sums(
            p, gray_values, ux, uy, of_sum, of_difference
        )
        row = np.zeros(24)
        row[0] = autocorrelation  # Autocorrelation
        _sum_features(of_sum, ux + uy, row)
        _difference_features(of_difference, n_gray, row)
        row[5] = covariance / (deviations + _EPS) if deviations != 0.0 else 1.0  # Correlation
        _information_features(p, px, py, entropy, row)
        row[16] = ux  # JointAverage
        row[17] = energy  # JointEnergy
        row[18] = entropy  # JointEntropy
        row[19] = 1.0 if n == 1 else _maximal_correlation(p, px, py, symmetrical)  # MCC
        row[20] = largest  # MaximumProbability
        row[23] = variance  # SumSquares
        for i in range(24):
            if not np.isnan(row[i]):
                sums[i] += row[i]
                counts[i] += 1
