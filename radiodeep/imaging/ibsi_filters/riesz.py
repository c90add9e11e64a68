"""Image and box -> Riesz transforms of a Laplacian of Gaussian or of a Simoncelli wavelet inside the box."""

from math import factorial, prod

import numpy as np

from radiodeep.imaging.ibsi_filters.fourier import filtered_by_frequency
from radiodeep.imaging.ibsi_filters.laplacian_of_gaussian import laplacian_of_gaussian_response
from radiodeep.imaging.ibsi_filters.simoncelli import highest_frequency, simoncelli_factors


def riesz_laplacian_of_gaussian_response(image, sides, axes, order, sigmas, cutoff, boundary):
    """Return a Riesz transform of the response to a Laplacian of Gaussian inside a box: float64 of the box's shape.

    Parameters are those of `laplacian_of_gaussian_response` and `riesz_simoncelli_response`.
    """
    whole = tuple(range(image.shape[axis]) if axis in axes else side for axis, side in enumerate(sides))
    response = laplacian_of_gaussian_response(image, whole, axes, sigmas, cutoff, boundary)
    sides = tuple(side if axis in axes else range(len(side)) for axis, side in enumerate(sides))
    orders = _orders(order, axes)
    return filtered_by_frequency(response, sides, axes, _riesz_factors(orders), boundary, orders=orders)


def riesz_simoncelli_response(image, sides, axes, order, level, boundary):
    """Return a Riesz transform of a band of the Simoncelli wavelet inside a box: an array of the box's shape.

    The Riesz transform of order l multiplies the coefficient of a frequency w by
    (-i)^L sqrt(L! / (l1! l2! l3!)) w1^l1 w2^l2 w3^l3 / |w|^L with L = l1 + l2 + l3.

    Parameters
    ----------
    order : tuple of int
        Along the axes: (l1, l2, l3) for x, y and z, or two numbers in a plane.

    References
    ----------
    Unser M, Van De Ville D. Wavelet steerability and the higher-order Riesz transform. IEEE Transactions on Image
    Processing 19:636-652, 2010.
    Image Biomarker Standardisation Initiative, convolutional filters: Riesz transform (AYRS).
    """
    orders = _orders(order, axes)
    riesz, simoncelli = _riesz_factors(orders), simoncelli_factors(axes, level, boundary)

    def factors(frequencies):
        return riesz(frequencies) * simoncelli(frequencies)

    return filtered_by_frequency(image, sides, axes, factors, boundary, highest_frequency(level), orders)


def _orders(order, axes):
    """Return the orders along z, y and x."""
    orders = [0, 0, 0]
    for axis, value in zip(axes, order, strict=True):
        orders[axis] = value
    return tuple(orders)


def _riesz_factors(orders):
    """Return the function from `Frequencies` to the real factors of a Riesz transform."""
    total = sum(orders)
    scale = np.sqrt(factorial(total) / prod(factorial(order) for order in orders))

    def factors(frequencies):
        parts = [n / period for n, period in zip(frequencies.grids, frequencies.periods, strict=True)]
        length = np.sqrt(sum(part**2 for part in parts))
        powers = prod(part**order for part, order in zip(parts, orders, strict=True) if order)
        return scale * powers / np.where(length == 0, 1.0, length) ** total

    return factors
