"""Image and box -> the Laplacian of Gaussian inside the box, with the values of ITK's recursive filter.

Along one axis the recursive filter, which repeats the outermost voxel beyond the borders, is linear: a matrix. A box
needs only the rows of its voxels, and these are 0 beyond the reach of the filter. So the image is multiplied by a
banded matrix along each axis, which is faster than recursion over the whole image, and does not depend on its size.
"""

from functools import lru_cache

import numpy as np

from radiodeep.exceptions import RoiTooSmallError

_REACH = 13.0  # standard deviations beyond which the response is below 1e-8 of its peak
_ROWS = 24  # of a matrix that are multiplied at once: fewer slow down the product, more multiply more zeros

# Fourth-order approximation of the Gaussian (order 0) and of its second derivative (order 2): weights of
# two damped cosines and sines, their frequencies and dampings per standard deviation.
_COSINES = {0: (1.3530, -0.3531), 2: (-1.3563, 0.3446)}
_SINES = {0: (1.8151, 0.0902), 2: (5.2318, -2.2355)}
_FREQUENCIES = (0.6681, 2.0787)
_DAMPINGS = (-1.3932, -1.3732)


def laplacians_of_gaussian(image, box, spacing_mm, sigmas_mm, flat_axis=None):
    """Yield sigma² times the Laplacian of the image smoothed by each of several Gaussians, inside a box, as float32.

    With a `flat_axis`, each slice across this axis is filtered in two dimensions. ITK rounds to single precision
    between its passes, so that its values differ by about 2e-7 of the largest. Raise `RoiTooSmallError` if the image
    has fewer than four voxels along an axis that is filtered, or not more than sigma covers.

    References
    ----------
    Farnebäck G, Westin CF. Improving Deriche-style recursive Gaussian filters. Journal of Mathematical
    Imaging and Vision 26:293-299, 2006. ITK `LaplacianRecursiveGaussianImageFilter`.
    """
    in_plane = flat_axis is not None
    if in_plane:
        image = np.moveaxis(image, flat_axis, 0)
        box = _to_front(box, flat_axis)
        spacing_mm = np.array(_to_front(spacing_mm, flat_axis))
    # A constant has no Laplacian, except by the part of the response that is cut off; subtracting it removes that.
    level = float(image[box].mean())
    # Allocated once, for the widest Gaussian: fresh memory takes as long as the computation.
    widest = _neighbourhood(image.shape, box, spacing_mm, max(sigmas_mm), in_plane)
    scratch = {name: np.empty(np.prod(shape)) for name, shape in _shapes(box, widest).items()}
    for sigma_mm in sigmas_mm:
        near = _neighbourhood(image.shape, box, spacing_mm, sigma_mm, in_plane)
        arrays = {name: scratch[name][: np.prod(shape)].reshape(shape) for name, shape in _shapes(box, near).items()}
        np.subtract(image[near], level, out=arrays["data"], dtype=np.float64)
        laplacian = _laplacian(arrays, box, near, sigma_mm / spacing_mm, image.shape, in_plane)
        yield np.moveaxis(laplacian, 0, flat_axis) if in_plane else laplacian


def _shapes(box, near):
    """Return the shapes of the arrays of `_laplacian`: the data, and its products with matrices along z, y and x."""
    z, y, x = (side.stop - side.start for side in box)
    data = tuple(side.stop - side.start for side in near)
    after_z = (z, *data[1:])
    after_zy = (z, y, data[2])
    return {
        "data": data,
        **dict.fromkeys(("smooth_z", "curve_z"), after_z),
        **dict.fromkeys(("smooth_zy", "curve_zy", "other_zy"), after_zy),
        **dict.fromkeys(("smooth", "curve"), (z, y, x)),
    }


def _to_front(triple, axis):
    """Return three values in the order of the axes after `numpy.moveaxis(array, axis, 0)`."""
    return (triple[axis], *triple[:axis], *triple[axis + 1 :])


def _neighbourhood(shape, box, spacing_mm, sigma_mm, in_plane):
    """Return the box widened by the reach of the filter; raise an error if the image is too small."""
    sigmas = np.where([in_plane, False, False], 0.0, sigma_mm / spacing_mm)
    needed = np.maximum([1 if in_plane else 4, 4, 4], np.ceil(sigmas) + 1)
    if (shape < needed).any():
        first = 1 if in_plane else 0
        voxels = f"{' x '.join(map(str, shape[first:]))} {'pixels' if in_plane else 'voxels (z, y, x)'}"
        raise RoiTooSmallError(
            f"{'A slice' if in_plane else 'The image'} has {voxels}. The Laplacian of Gaussian of {sigma_mm:g} mm "
            f"needs at least {' x '.join(f'{n:.0f}' for n in needed[first:])}; use a smaller sigma, a larger "
            f"pad_distance, {'' if in_plane else 'in_plane=True for single slices, '}or leave this image type out."
        )
    reaches = [int(np.ceil(_REACH * sigma)) for sigma in sigmas]
    return tuple(
        slice(max(side.start - reach, 0), min(side.stop + reach, size))
        for side, reach, size in zip(box, reaches, shape, strict=True)
    )


def _laplacian(arrays, box, near, sigmas, shape, in_plane):
    """Return the sum of the second derivatives along each axis of the image smoothed along the others.

    With S and C for smoothing and second derivative, the sum Cz Sy Sx + Sz Cy Sx + Sz Sy Cx is (Cz Sy + Sz Cy) Sx +
    (Sz Sy) Cx: seven products instead of nine, of which those along x are of the smallest arrays.
    In the plane, every slice across the first axis is filtered along the other two.
    """
    smooth, curve = (
        {
            axis: _blocks(
                order, sigmas[axis], box[axis].start, box[axis].stop, near[axis].start, near[axis].stop, shape[axis]
            )
            for axis in range(1 if in_plane else 0, 3)
        }
        for order in (0, 2)
    )
    if in_plane:
        arrays["smooth_z"] = arrays["data"]
    else:
        _multiply(arrays["data"], 0, smooth[0], arrays["smooth_z"])
        _multiply(arrays["data"], 0, curve[0], arrays["curve_z"])
    _multiply(arrays["smooth_z"], 1, smooth[1], arrays["smooth_zy"])
    _multiply(arrays["smooth_z"], 1, curve[1], arrays["curve_zy"])
    if not in_plane:
        _multiply(arrays["curve_z"], 1, smooth[1], arrays["other_zy"])
        arrays["curve_zy"] += arrays["other_zy"]
    _multiply(arrays["curve_zy"], 2, smooth[2], arrays["smooth"])
    _multiply(arrays["smooth_zy"], 2, curve[2], arrays["curve"])
    return np.add(arrays["smooth"], arrays["curve"], dtype=np.float64).astype(np.float32)


def _multiply(data, axis, blocks, out):
    """Multiply along one axis by a banded matrix, given as blocks of rows."""
    for first_row, last_row, first, last, block in blocks:
        if axis == 0:
            part = data[first:last].reshape(last - first, -1)
            np.matmul(block, part, out=out[first_row:last_row].reshape(last_row - first_row, -1))
        elif axis == 1:
            np.matmul(block, data[:, first:last], out=out[:, first_row:last_row])
        else:
            np.matmul(data[:, :, first:last], block.T, out=out[:, :, first_row:last_row])


@lru_cache(maxsize=128)
def _blocks(order, sigma, start, stop, first, last, size):
    """Return the filter matrix as blocks of rows: (first row, stop row, first column, stop column, block)."""
    matrix = _matrix(order, sigma, start, stop, first, last, size)
    reach = int(np.ceil(_REACH * sigma))
    n = max(1, (stop - start) // _ROWS)
    blocks = []
    for rows in np.array_split(np.arange(stop - start), n):
        low = max(start + rows[0] - reach - first, 0)
        high = min(start + rows[-1] + 1 + reach - first, last - first)
        block = np.ascontiguousarray(matrix[rows[0] : rows[-1] + 1, low:high])
        blocks.append((int(rows[0]), int(rows[-1]) + 1, int(low), int(high), block))
    return blocks


def _matrix(order, sigma, start, stop, first, last, size):
    """Return the rows start to stop of the filter matrix, and of its `size` columns those from first to last."""
    reach = int(np.ceil(_REACH * sigma))
    response = _response(order, sigma, reach)
    places = np.arange(start - reach, stop + reach)
    apart = np.abs(np.arange(start, stop)[:, None] - places)
    weights = np.where(apart <= reach, response[np.minimum(apart, reach)], 0.0)
    matrix = np.zeros((stop - start, last - first))
    np.add.at(matrix.T, np.clip(places, 0, size - 1) - first, weights.T)
    return matrix


def _response(order, sigma, reach):
    """Return the response of the filter to an impulse, at 0 ... reach voxels from it: float64 (reach + 1,)."""
    numerator, denominator = _coefficients(0, sigma)
    if order == 2:
        second, _ = _coefficients(2, sigma)
        # Part of the smoothing is subtracted, so that the response to a constant is 0.
        gain, gain_second = (2 * n.sum() - denominator.sum() * n[0] for n in (numerator, second))
        numerator = second - gain_second / gain * numerator
        scale = sigma**2 / _second_moment(numerator, denominator)
    else:
        scale = 1 / (2 * numerator.sum() / denominator.sum() - numerator[0])
    padded = np.zeros(reach + 1)
    padded[: min(4, reach + 1)] = numerator[: reach + 1] * scale
    response = np.zeros(reach + 1)
    for i in range(reach + 1):
        response[i] = padded[i] - sum(denominator[k] * response[i - k] for k in range(1, min(4, i) + 1))
    return response


def _coefficients(order, sigma):
    """Return numerator (4,) and denominator (5,) of the causal recursion."""
    (a1, a2), (b1, b2) = _COSINES[order], _SINES[order]
    sin1, sin2 = np.sin(np.array(_FREQUENCIES) / sigma)
    cos1, cos2 = np.cos(np.array(_FREQUENCIES) / sigma)
    exp1, exp2 = np.exp(np.array(_DAMPINGS) / sigma)
    numerator = np.array(
        [
            a1 + a2,
            exp2 * (b2 * sin2 - (a2 + 2 * a1) * cos2) + exp1 * (b1 * sin1 - (a1 + 2 * a2) * cos1),
            2 * exp1 * exp2 * ((a1 + a2) * cos2 * cos1 - b1 * cos2 * sin1 - b2 * cos1 * sin2)
            + a2 * exp1**2
            + a1 * exp2**2,
            exp2 * exp1**2 * (b2 * sin2 - a2 * cos2) + exp1 * exp2**2 * (b1 * sin1 - a1 * cos1),
        ]
    )
    denominator = np.array(
        [
            1.0,
            -2 * (exp2 * cos2 + exp1 * cos1),
            4 * cos2 * cos1 * exp1 * exp2 + exp1**2 + exp2**2,
            -2 * cos1 * exp1 * exp2**2 - 2 * cos2 * exp2 * exp1**2,
            exp1**2 * exp2**2,
        ]
    )
    return numerator, denominator


def _second_moment(numerator, denominator):
    """Return half the sum of i² times the response on both sides, the factor for a second derivative of x² / 2 of 1."""
    n, d = np.arange(4), np.arange(5)
    sn, dn, en = numerator.sum(), (n * numerator).sum(), (n**2 * numerator).sum()
    sd, dd, ed = denominator.sum(), (d * denominator).sum(), (d**2 * denominator).sum()
    return (en * sd**2 - ed * sn * sd - 2 * dn * dd * sd + 2 * dd**2 * sn) / sd**3
