"""Image and box -> the Laplacian of Gaussian inside the box, by a kernel that is cut off."""

import numpy as np

from radiodeep.imaging.ibsi_filters.separable import line_filter, sum_of_products


def laplacian_of_gaussian_response(image, sides, axes, sigmas, cutoff, boundary):
    """Return the response to the Laplacian of a Gaussian inside a box: float64 of the box's shape.

    The kernel is the second derivative, along each of the axes, of a Gaussian density, whose values at the voxels are
    taken as they are, and is 0 beyond floor(cutoff * sigma + 1/2) voxels along any axis. It is a sum of separable
    kernels. Derivatives are per voxel, not per mm, and not multiplied by sigma².

    Parameters
    ----------
    sigmas : sequence of three floats
        The standard deviation in voxels along z, y and x.
    cutoff : float
        In standard deviations.

    References
    ----------
    Image Biomarker Standardisation Initiative, convolutional filters: Laplacian-of-Gaussian filter (L6PA).
    """
    smooth, curve = {}, {}
    for axis in axes:
        sigma = float(sigmas[axis])
        reach = log_reach(sigma, cutoff)
        k = np.arange(-reach, reach + 1)
        density = np.exp(-(k**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
        smooth[axis] = ((1.0, (line_filter(density),)),)
        curve[axis] = ((1.0, (line_filter(density * (k**2 / sigma**4 - 1 / sigma**2)),)),)
    terms = []
    for curved in axes:
        terms.append(tuple(curve[axis] if axis == curved else smooth.get(axis) for axis in range(3)))
    return sum_of_products(image, sides, terms, boundary)


def log_reach(sigma, cutoff):
    """Return how many voxels the kernel of a standard deviation in voxels reaches."""
    return int(np.floor(cutoff * sigma + 0.5))
