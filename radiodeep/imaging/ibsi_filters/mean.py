"""Image and box -> the means of cubes or squares of voxels inside the box."""

from radiodeep.imaging.ibsi_filters.separable import line_filter, sum_of_products


def mean_response(image, sides, axes, support, boundary):
    """Return the mean of `support` voxels along each of the axes, inside a box: float64 of the box's shape.

    References
    ----------
    Image Biomarker Standardisation Initiative, convolutional filters: mean filter (S60F).
    """
    lines = tuple(mean_line(support) if axis in axes else None for axis in range(3))
    return sum_of_products(image, sides, [lines], boundary)


def mean_line(support):
    """Return the line filter of a mean of `support` voxels."""
    return ((1.0, (line_filter([1 / support] * support),)),)
