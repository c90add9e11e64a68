"""Positions beyond the border of an image -> the voxels that stand for them, by the boundary rules of the IBSI.

A side of a box is a `range` of positions along one axis. With the periodic rule it may leave the image.
"""

import numpy as np

from radiodeep.cases.memory import check_image_size
from radiodeep.exceptions import NonFiniteIntensityError

BOUNDARIES = ("mirror", "nearest", "periodic", "zero")


def source_positions(positions, size, boundary):
    """Return the positions inside an axis of `size` voxels that positions anywhere stand for; -1 for a voxel of 0.

    "mirror" repeats the outermost voxel (c b a | a b c), "nearest" continues it (a a a | a b c).

    Examples
    --------
    >>> [source_positions(np.arange(-2, 5), 3, boundary).tolist() for boundary in BOUNDARIES]
    [[1, 0, 0, 1, 2, 2, 1], [0, 0, 0, 1, 2, 2, 2], [1, 2, 0, 1, 2, 0, 1], [-1, -1, 0, 1, 2, -1, -1]]

    References
    ----------
    Image Biomarker Standardisation Initiative, convolutional filters: padding (GBYQ).
    """
    if boundary == "mirror":
        folded = positions % (2 * size)
        return np.minimum(folded, 2 * size - 1 - folded)
    if boundary == "nearest":
        return np.clip(positions, 0, size - 1)
    if boundary == "periodic":
        return positions % size
    return np.where((positions >= 0) & (positions < size), positions, -1)


def widened(side, before, after, size, boundary):
    """Return the range of positions that a filter reaching `before` and `after` a voxel needs for those of a side."""
    start, stop = side.start - before, side.stop + after
    if boundary == "periodic":
        return range(start, stop)
    return range(max(start, 0), min(stop, size))


def extended(image, sides, boundary, dtype=np.float64):
    """Return the voxels at ranges of positions, those beyond a border by the boundary rule: a new array."""
    check_image_size(
        [len(side) for side in sides],
        "The part of the image that a filter reads, extended beyond the borders,",
        'Use a filter that reaches less far, or the boundary "mirror".',
    )
    part = image
    for axis, side in enumerate(sides):
        if side.start >= 0 and side.stop <= image.shape[axis]:
            part = part[(slice(None),) * axis + (slice(side.start, side.stop),)]
        else:
            positions = source_positions(np.arange(side.start, side.stop), image.shape[axis], boundary)
            part = part.take(positions, axis=axis, mode="clip")
            part[(slice(None),) * axis + (positions < 0,)] = 0
    return np.array(part, dtype=dtype, order="C")


def check_finite(voxels):
    """Raise a NonFiniteIntensityError if voxels that a filter reads are NaN or infinite: they would spread."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(voxels.sum()):
            return
    n_gaps = voxels.size - np.count_nonzero(np.isfinite(voxels))
    if n_gaps:
        raise NonFiniteIntensityError(
            f"{n_gaps} of the {voxels.size} voxels that the filter reads, about the box of the region, are NaN or "
            "infinite. Replace them in the image, e.g. by the intensity of air, or leave out this image type."
        )
