"""Image and box -> responses to Laws' kernels and their energy inside the box."""

import numpy as np

from radiodeep.imaging.ibsi_filters.boundary import widened
from radiodeep.imaging.ibsi_filters.mean import mean_line
from radiodeep.imaging.ibsi_filters.rotations import rotated_responses
from radiodeep.imaging.ibsi_filters.separable import along_axis, line_filter

_KERNELS = {
    "L3": (1, 2, 1),
    "E3": (-1, 0, 1),
    "S3": (-1, 2, -1),
    "L5": (1, 4, 6, 4, 1),
    "E5": (-1, -2, 0, 2, 1),
    "S5": (-1, 0, 2, 0, -1),
    "W5": (-1, 2, 0, -2, 1),
    "R5": (1, -4, 6, -4, 1),
}
LAWS_KERNELS = tuple(_KERNELS)


def kernel_names(kernels):
    """Return the names of the kernels of a filter: "L5E5E5" -> ["L5", "E5", "E5"]."""
    return [kernels[i : i + 2] for i in range(0, len(kernels), 2)]


def laws_response(image, sides, axes, kernels, pooling, energy_distance, boundary):
    """Return the response to two or three kernels of unit length inside a box: float64 of the box's shape.

    The first kernel is along x, the second along y, the third along z. With an `energy_distance` the magnitude of
    the response, pooled if it is, is averaged over the voxels up to that many voxels away along each of the axes.

    References
    ----------
    Laws KI. Textured image segmentation. University of Southern California, 1980.
    Image Biomarker Standardisation Initiative, convolutional filters: Laws kernels (JTXT).
    """
    names = kernel_names(kernels)
    chains = tuple((line_filter(np.array(_KERNELS[name]) / np.linalg.norm(_KERNELS[name])),) for name in names)
    if energy_distance is None:
        return rotated_responses(image, sides, chains, axes, boundary, pooling)
    distances = [energy_distance if axis in axes else 0 for axis in range(3)]
    wide = tuple(
        widened(side, distance, distance, size, boundary)
        for side, distance, size in zip(sides, distances, image.shape, strict=True)
    )
    response = rotated_responses(image, wide, chains, axes, boundary, pooling)
    np.abs(response, out=response)
    for axis in sorted(axes):
        response = along_axis(response, axis, mean_line(2 * energy_distance + 1), sides, wide, image.shape, boundary)
    return response


def laws_reach(kernels, energy_distance):
    """Return how many voxels a filter and its energy depend on."""
    return max(len(_KERNELS[name]) // 2 for name in kernel_names(kernels)) + (energy_distance or 0)
