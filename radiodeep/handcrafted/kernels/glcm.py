"""In: a volume of grey levels. Out: co-occurrence tables and the features of each direction."""

import numpy as np
from numba import njit

_EPS = np.spacing(1.0)


@njit(cache=True, nogil=True)
def count_pairs(volume, positions, offsets, n, tables):
    """Count the pairs of grey levels in every direction, all directions in one pass.

    Parameters
    ----------
    volume : uint8 or uint16 (n_places,), flattened; 0 outside the region, which no offset may leave
    positions : int64 (n_voxels,), places of the region
    offsets : int64 (n_directions,), steps in the flattened volume
    n : int, n_present + 1
    tables : uint32 (n_directions, n * n or more), zeros; entry a * n + b counts the pairs of levels a and b, and those
        with a or b of 0 leave the region
    """
    flat, apart = tables.reshape(-1), tables.shape[1]
    for i in range(positions.size):
        place = positions[i]
        row = np.int64(volume[np.uint64(place)]) * n  # unsigned indices need no test for negative ones
        for k in range(offsets.size):
            flat[np.uint64(k * apart + row + volume[np.uint64(place + offsets[k])])] += np.uint32(1)


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"}, forceinline=True)
def _dot(a, b):
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True)
def _normalise(table, symmetrical, p, px, py):
    """Fill the joint and the marginal probabilities; return False if the direction holds no pair."""
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
def _joint_sums(p, gray, ux, uy, symmetrical, of_sum, of_difference):
    """Return sums over the cells that are not empty; fill the distributions of i + j and |i - j|."""
    autocorrelation = covariance = energy = entropy = largest = 0.0
    for k in range(of_sum.size):
        of_sum[k] = 0.0
    for k in range(of_difference.size):
        of_difference[k] = 0.0
    for i in range(gray.size):
        for j in range(i + 1 if symmetrical else gray.size):
            cell = p[i, j]
            if cell == 0.0:
                continue
            both = 2.0 * cell if symmetrical and j < i else cell
            autocorrelation += both * gray[i] * gray[j]
            covariance += both * (gray[i] - ux) * (gray[j] - uy)
            energy += both * cell
            entropy -= both * np.log2(cell + _EPS)
            largest = max(largest, cell)
            of_sum[gray[i] + gray[j]] += both
            of_difference[abs(gray[i] - gray[j])] += both
    return autocorrelation, covariance, energy, entropy, largest


@njit(cache=True, nogil=True)
def _entropy(p):
    total = 0.0
    for cell in p:
        if cell > 0.0:
            total -= cell * np.log2(cell + _EPS)
    return total


@njit(cache=True, nogil=True)
def _spread(p, gray, mean):
    total = 0.0
    for i in range(gray.size):
        total += p[i] * (gray[i] - mean) ** 2
    return total


@njit(cache=True, nogil=True)
def _sum_features(of_sum, centre, row):
    """Add the features of the distribution of i + j; its index is the sum itself."""
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
    """Add the features of the distribution of |i - j|; its index is the difference itself."""
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
def _information_features(px, py, entropy, row):
    """Set Imc1 and Imc2. HXY1 and HXY2, the entropies under the product of the marginals, both equal HX + HY."""
    hx, hy = _entropy(px), _entropy(py)
    information = hx + hy - entropy
    if information < 1e-13:  # independent but for rounding
        information = 0.0
    larger = max(hx, hy)
    row[13] = -information / larger if larger > 0.0 else 0.0  # Imc1
    row[14] = np.sqrt(1.0 - np.exp(-2.0 * information))  # Imc2


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"}, forceinline=True)
def _tridiagonalise(a, diagonal, below):
    """Reduce a full symmetric matrix to tridiagonal form by Householder reflections; the matrix is overwritten."""
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
def _second_moduli(diagonal, below, n_matrices):
    """Return the second largest |eigenvalue| of tridiagonal matrices that have none above 1: float64 (n_matrices,).

    Bisection on Sturm counts: the signs of the pivots of T - x I tell how many eigenvalues are above x, those of T + x
    I how many are below -x. x is below the second largest modulus as long as both counts together are at least 2. All
    matrices are bisected in step, so that their divisions overlap in the processor; a full decomposition of each matrix
    would take several times as long.

    `diagonal` and `below` are float64 (n, n_matrices or more) and (n - 1, n_matrices or more); zeros fill up smaller
    matrices.
    """
    n = diagonal.shape[0]
    low, high = np.zeros(n_matrices), np.empty(n_matrices)
    x, q, r, outside = np.empty(n_matrices), np.empty(n_matrices), np.empty(n_matrices), np.empty(n_matrices)
    for m in range(n_matrices):
        high[m] = 1.000001
    for _ in range(50):  # halves the bracket to 1e-15
        for m in range(n_matrices):  # all matrices in step, so that the divisions overlap
            x[m] = 0.5 * (low[m] + high[m])
            q[m] = diagonal[0, m] - x[m]
            r[m] = diagonal[0, m] + x[m]
            outside[m] = (1.0 if q[m] > 0.0 else 0.0) + (1.0 if r[m] < 0.0 else 0.0)
        for i in range(1, n):
            for m in range(n_matrices):
                square = below[i - 1, m] * below[i - 1, m]
                q[m] = diagonal[i, m] - x[m] - square / (q[m] if q[m] != 0.0 else 1e-300)
                r[m] = diagonal[i, m] + x[m] - square / (r[m] if r[m] != 0.0 else 1e-300)
                outside[m] += (1.0 if q[m] > 0.0 else 0.0) + (1.0 if r[m] < 0.0 else 0.0)
        for m in range(n_matrices):
            if outside[m] >= 2.0:
                low[m] = x[m]
            else:
                high[m] = x[m]
    for m in range(n_matrices):
        x[m] = 0.5 * (low[m] + high[m])
    return x


@njit(cache=True, nogil=True)
def _tridiagonal_of_correlation(p, px, py, symmetrical, diagonal, below):
    """Fill a tridiagonal matrix with the eigenvalues that MCC needs; return its size, 0 if there is only one level.

    MCC is the root of the second eigenvalue of Q = (p / px) (p / py)^T, which are the squared singular values of
    M = p / sqrt(px py). A symmetric p gives a symmetric M, whose singular values are its |eigenvalues|; otherwise M M^T
    has their squares. The term eps in pyradiomics' Q, shared evenly between the two factors, keeps the eigenvalues to
    first order. Levels without pairs are left out.
    """
    kept = np.empty(px.size, np.int64)
    n = 0
    for i in range(px.size):
        if px[i] + py[i] > 0.0:
            kept[n] = i
            n += 1
    if n < 2:
        return 0
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
    _tridiagonalise(a, diagonal[:n], below[: n - 1])
    return n


@njit(cache=True, nogil=True)
def add_directions(tables, gray_values, n_gray, symmetrical, sums):
    """Add the 24 features of each direction that holds pairs to `sums`; return the number of these directions.

    Parameters
    ----------
    tables : float64 (n_directions, n_present + 1, n_present + 1), row and column 0 are ignored
    gray_values : int64 (n_present,), the grey level of each row
    n_gray : int, the highest grey level
    symmetrical : bool, count each pair in both orders
    sums : float64 (24,), in the order of the catalogue
    """
    n = gray_values.size
    p, px, py = np.empty((n, n)), np.empty(n), np.empty(n)
    of_sum, of_difference = np.empty(2 * n_gray + 1), np.empty(n_gray)
    diagonals, belows = np.zeros((n, tables.shape[0])), np.zeros((max(n - 1, 0), tables.shape[0]))
    diagonal, below = np.empty(n), np.empty(max(n - 1, 0))
    row = np.empty(24)
    n_used = 0
    for k in range(tables.shape[0]):
        if not _normalise(tables[k], symmetrical, p, px, py):
            continue
        ux, uy = _dot(px, gray_values), _dot(py, gray_values)
        variance = _spread(px, gray_values, ux)
        deviations = np.sqrt(variance) * np.sqrt(_spread(py, gray_values, uy))
        autocorrelation, covariance, energy, entropy, largest = _joint_sums(
            p, gray_values, ux, uy, symmetrical, of_sum, of_difference
        )
        for f in range(24):
            row[f] = 0.0
        row[0] = autocorrelation  # Autocorrelation
        _sum_features(of_sum, ux + uy, row)
        _difference_features(of_difference, n_gray, row)
        row[5] = covariance / (deviations + _EPS) if deviations != 0.0 else 1.0  # Correlation
        _information_features(px, py, entropy, row)
        row[16] = ux  # JointAverage
        row[17] = energy  # JointEnergy
        row[18] = entropy  # JointEntropy
        row[20] = largest  # MaximumProbability
        row[23] = variance  # SumSquares
        for f in range(24):
            sums[f] += row[f]
        size = _tridiagonal_of_correlation(p, px, py, symmetrical, diagonal, below)
        for i in range(size):
            diagonals[i, n_used] = diagonal[i]
        for i in range(size - 1):
            belows[i, n_used] = below[i]
        n_used += 1
    if n == 1:
        sums[19] += n_used  # MCC of one grey level is 1
    elif n_used > 0:
        moduli = _second_moduli(diagonals, belows, n_used)
        for m in range(n_used):
            if moduli[m] > 1e-14:
                sums[19] += moduli[m] if symmetrical else np.sqrt(moduli[m])  # MCC
    return n_used
