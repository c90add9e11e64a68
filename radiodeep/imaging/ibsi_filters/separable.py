"""Image, box and weights along each axis -> sums and extremes of separable filters inside the box.

Along one axis a filter with its boundary rule is linear: a banded matrix whose rows are the voxels of the box. A chain
of filters, each with a boundary rule of its own, is the product of their matrices. So an image is multiplied by one
matrix along each axis, and only the voxels within reach of the box are read.
"""

from functools import lru_cache

import numpy as np

from radiodeep.imaging.ibsi_filters.banded import BandedMatrix
from radiodeep.imaging.ibsi_filters.boundary import check_finite, extended, source_positions, widened


def line_filter(kernel, spacing=1):
    """Return the convolution with a kernel along one axis, a step of a line filter: (first, weights).

    The response at i is the sum over k of weights[k] times the voxel at i + first + k. The origin of n weights is
    the one at n // 2, so that a kernel of even length reaches one voxel further forth than back. `spacing` - 1 zeros
    are put between the weights of the kernel.

    Examples
    --------
    >>> line_filter([1.0, 2.0, 3.0])
    (-1, (3.0, 2.0, 1.0))
    >>> line_filter([1.0, 2.0], spacing=2)
    (0, (2.0, 0.0, 1.0))
    """
    weights = np.zeros((len(kernel) - 1) * spacing + 1)
    weights[::spacing] = kernel
    used = np.flatnonzero(weights)
    last = int(used[-1])
    return (len(kernel) // 2) * spacing - last, tuple(weights[used[0] : last + 1][::-1].tolist())


def reversed_steps(steps):
    """Return the steps of a line filter whose kernels are reflected at their origins."""
    return tuple((1 - first - len(weights), weights[::-1]) for first, weights in steps)


def negated(steps):
    """Return the steps of a line filter with the first kernel negated."""
    first, weights = steps[0]
    return ((first, tuple(-weight for weight in weights)), *steps[1:])


def sum_of_products(image, sides, terms, boundary):
    """Return the sum of separable filters inside a box: float64 of the box's shape.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
    sides : tuple of three ranges
        The box (z, y, x). With the periodic rule it may leave the image.
    terms : list of (line, line, line)
        A line filter for each of z, y and x: a tuple of (factor, steps), which are added up, or None along an axis that
        no term filters. The steps of `line_filter` are applied in their order, each with the boundary rule.
    boundary : {"mirror", "nearest", "periodic", "zero"}

    Notes
    -----
    With A, B and C for filters along z, y and x, terms of the same C are added before x is filtered, and terms of
    the same B and C before y is.
    """
    work = _Neighbourhood(image, sides, terms, boundary)
    products = {}
    for z, y, x in terms:
        products.setdefault(x, {}).setdefault(y, []).append(z)
    along_z = {z: work.filtered(0, z, work.data) for z in dict.fromkeys(z for z, _, _ in terms)}
    along_y, total = None, None
    for x, by_y in products.items():
        for number, (y, parts) in enumerate(by_y.items()):
            mixed = along_z[parts[0]] if len(parts) == 1 else sum(along_z[z] for z in parts)
            along_y = work.filtered(1, y, mixed, along_y, add=number > 0)
        total = work.filtered(2, x, along_y, total, add=total is not None)
    return total


def pooled_products(image, sides, signs_of_products, boundary, pool):
    """Return the largest or smallest response of several separable filters inside a box, voxel by voxel: float64.

    Parameters
    ----------
    signs_of_products : dict of (line, line, line) to a set of signs
        As the terms of `sum_of_products`; the response counts with the signs 1.0, -1.0 or both.
    pool : {numpy.maximum, numpy.minimum}
    """
    work = _Neighbourhood(image, sides, list(signs_of_products), boundary)
    tree = {}
    for (z, y, x), signs in signs_of_products.items():
        tree.setdefault(z, {}).setdefault(y, {})[x] = signs
    along_z, along_y, response, total = None, None, None, None
    for z, by_y in tree.items():
        along_z = work.filtered(0, z, work.data, along_z)
        for y, by_x in by_y.items():
            along_y = work.filtered(1, y, along_z, along_y)
            for x, signs in by_x.items():
                response = _with_signs(work.filtered(2, x, along_y, response), signs, pool)
                total = response.copy() if total is None else pool(total, response, out=total)
    return total


def _with_signs(response, signs, pool):
    if len(signs) == 2:
        response = np.abs(response, out=response)
    is_negative = signs == {-1.0} or (len(signs) == 2 and pool is np.minimum)
    return np.negative(response, out=response) if is_negative else response


class _Neighbourhood:
    """The voxels that filters need for a box, `data`, and the filters along one axis after the other."""

    def __init__(self, image, sides, products, boundary):
        reaches = [np.max([_reaches(lines[axis]) for lines in products], axis=0).tolist() for axis in range(3)]
        sizes = zip(sides, reaches, image.shape, strict=True)
        self.sides, self.shape, self.boundary = sides, image.shape, boundary
        self.sources = tuple(widened(side, *reach, size, boundary) for side, reach, size in sizes)
        self.data = extended(image, self.sources, boundary)
        check_finite(self.data)

    def filtered(self, axis, line, data, out=None, add=False):
        """Return the data filtered along one axis, in memory that is used again; the data if there is no line."""
        if line is None:
            return data
        return along_axis(data, axis, line, self.sides, self.sources, self.shape, self.boundary, out, add)


def _reaches(line):
    """Return how many voxels a line filter reaches before and after a voxel."""
    before, after = 0, 0
    for _, steps in line or ():
        before = max(before, -sum(first for first, _ in steps))
        after = max(after, sum(first + len(weights) - 1 for first, weights in steps))
    return before, after


def along_axis(data, axis, line, sides, sources, shape, boundary, out=None, add=False):
    """Return an array that covers the ranges `sources`, filtered along one axis for those of the box: float64.

    The line filter is one of `sum_of_products`. `shape` is that of the whole image. The result is written, or added,
    to `out`.
    """
    return _banded(line, sides[axis], sources[axis], shape[axis], boundary).product(data, axis, out, add)


@lru_cache(maxsize=256)
def _banded(line, side, source, size, boundary):
    """Return the matrix of a line filter."""
    return BandedMatrix(sum(factor * _matrix(steps, side, source, size, boundary) for factor, steps in line))


def _matrix(steps, side, source, size, boundary):
    """Return the matrix (voxels of a side, voxels of its source) of a chain of filters along one axis.

    It is built from the last step to the first: the response as a sum of weights times the voxels before each step.
    """
    weights = np.eye(len(side))
    start = side.start  # the position of the first column
    for first, kernel in reversed(steps):
        wider = np.zeros((len(side), weights.shape[1] + len(kernel) - 1))
        for k, weight in enumerate(kernel):
            wider[:, k : k + weights.shape[1]] += weight * weights
        weights, start = _folded(wider, start + first, size, boundary)
    matrix = np.zeros((len(side), len(source)))
    shift = start - source.start
    matrix[:, shift : shift + weights.shape[1]] = weights
    return matrix


def _folded(weights, start, size, boundary):
    """Return the weights with those of positions beyond a border added to the voxels that stand for them."""
    if boundary == "periodic":
        return weights, start
    positions = np.arange(start, start + weights.shape[1])
    inside = (positions >= 0) & (positions < size)
    if inside.all():
        return weights, start
    sources = source_positions(positions, size, boundary)
    low, high = int(sources[sources >= 0].min(initial=size - 1)), int(sources.max(initial=0))
    folded = np.zeros((len(weights), max(high, low) - low + 1))
    stands = sources >= 0
    np.add.at(folded.T, sources[stands] - low, weights.T[stands])
    return folded, low
