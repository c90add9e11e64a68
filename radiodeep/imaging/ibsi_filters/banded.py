"""Array and a banded matrix -> their product along one axis of the array.

Along the first two axes the matrix is multiplied in blocks of rows by BLAS, which is as fast as reading the array
twice, and six times as fast as `scipy.ndimage.correlate1d`. Along the last axis BLAS is slow and a compiled loop adds
shifted lines.
"""

from functools import cached_property

import numpy as np

from radiodeep.compiled import compiled

_ROWS = 24  # of a matrix that are multiplied at once: fewer slow down the product, more multiply more zeros


class BandedMatrix:
    """A matrix (n, m) whose rows are 0 outside a band, prepared for products.

    Parameters
    ----------
    matrix : float64 ndarray of shape (n, m)
    """

    def __init__(self, matrix):
        self.matrix = matrix

    def product(self, data, axis, out=None, add=False):
        """Return the product with an array (z, y, x) of m entries along an axis: float64, n along that axis.

        It is written to `out`, if that is given, or added to it.
        """
        if out is None:
            shape = list(data.shape)
            shape[axis] = len(self.matrix)
            out = np.empty(shape)
        if axis == 2:
            starts, weights, first, last = self._lines
            flat = data.reshape(-1, data.shape[2])
            _along_rows(flat, starts, weights, first, last, out.reshape(-1, len(starts)), add)
            return out
        for rows, columns, block in self._blocks:
            if axis == 0:
                part, target = data[columns].reshape(block.shape[1], -1), out[rows].reshape(block.shape[0], -1)
            else:
                part, target = data[:, columns], out[:, rows]
            if add:
                target += np.matmul(block, part)
            else:
                np.matmul(block, part, out=target)
        return out

    @cached_property
    def _blocks(self):
        """The matrix as blocks of rows: (rows, columns, block), two slices and float64 (rows, columns)."""
        blocks = []
        for rows in np.array_split(np.arange(len(self.matrix)), max(1, len(self.matrix) // _ROWS)):
            part = self.matrix[rows[0] : rows[-1] + 1]
            used = np.flatnonzero(part.any(axis=0))
            columns = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 1)
            blocks.append((slice(int(rows[0]), int(rows[-1]) + 1), columns, np.ascontiguousarray(part[:, columns])))
        return blocks

    @cached_property
    def _lines(self):
        """The columns where rows begin, int64 (n,), their weights, float64 (n, width), and the run of equal rows."""
        used = self.matrix != 0
        is_used = used.any(axis=1)
        starts = np.where(is_used, used.argmax(axis=1), 0)
        stops = np.where(is_used, used.shape[1] - used[:, ::-1].argmax(axis=1), 1)
        width = int((stops - starts).max())
        starts = np.minimum(starts, used.shape[1] - width)
        weights = np.take_along_axis(self.matrix, starts[:, None] + np.arange(width), axis=1)
        return starts, np.ascontiguousarray(weights), *_same_weights(starts, weights)


def _same_weights(starts, weights):
    """Return the longest run of rows of one set of weights, each shifted by one: (first, after the last)."""
    follows = (np.diff(starts) == 1) & (weights[1:] == weights[:-1]).all(axis=1)
    best, first = (0, 1), 0
    for i in range(1, len(starts) + 1):
        if i == len(starts) or not follows[i - 1]:
            best = max(best, (first, i), key=lambda run: run[1] - run[0])
            first = i
    return best


@compiled
def _along_rows(data, starts, weights, first, last, out, add):
    """Multiply along the last axis: sums of shifted lines where rows have the same weights, and else one by one."""
    width = weights.shape[1]
    n = last - first
    for a in range(data.shape[0]):
        line, target = data[a, starts[first] :], out[a, first:last]
        if not add:
            target[:] = 0.0
        k = 0
        while k + 4 <= width:
            w0, w1, w2, w3 = weights[first, k], weights[first, k + 1], weights[first, k + 2], weights[first, k + 3]
            d0, d1, d2, d3 = line[k:], line[k + 1 :], line[k + 2 :], line[k + 3 :]
            for i in range(n):
                target[i] += (w0 * d0[i] + w1 * d1[i]) + (w2 * d2[i] + w3 * d3[i])
            k += 4
        while k < width:
            w, shifted = weights[first, k], line[k:]
            for i in range(n):
                target[i] += w * shifted[i]
            k += 1
        for row in range(len(starts)):
            if row < first or row >= last:
                total = 0.0
                for k in range(width):
                    total += weights[row, k] * data[a, starts[row] + k]
                out[a, row] = out[a, row] + total if add else total
