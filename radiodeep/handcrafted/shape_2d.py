"""In: a region of one slice. Out: the 9 shape features of its outline and of its pixels."""

import math

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.kernels.shape import column_ends, diameters, moments, row_ends
from radiodeep.handcrafted.shape import covariance, principal_variances

_CORNERS = np.array([bin(code).count("1") for code in range(16)])
_DIAGONAL = np.array([code in (0b0101, 0b1010) for code in range(16)])  # corners are numbered around the square
_UPRIGHT = np.array([code in (0b1001, 0b0110) for code in range(16)])
_LEVEL = np.array([code in (0b0011, 0b1100) for code in range(16)])


def shape_2d_features(region, levels=None):
    """Size and shape of a region of one slice across its `flat_axis`: float64 (9,), in the order of the catalogue.

    Area, perimeter and diameter are those of the marching-squares outline, whose corners lie halfway between a pixel
    inside and its neighbour outside; pixels that share only a corner are separate. `levels` is ignored.

    Units are mm, mm² (surfaces) and 1/mm (PerimeterSurfaceRatio); ratios have none.

    Raises
    ------
    InputError
        The region has no `flat_axis`, or several slices across it.

    References
    ----------
    pyradiomics `shape2D`.
    """
    axis, margin = region.flat_axis, region.margin
    if axis is None:
        raise InputError(
            "Features of the family 'shape2D' need to know the plane of the region. "
            "Give a 'flat_axis' (force_2d=True of RadiomicsExtractor), or take the family 'shape'."
        )
    if region.mask.shape[axis] != 1 + 2 * margin:
        raise InputError(
            f"The region has {region.mask.shape[axis] - 2 * margin} slices across axis {axis}. Features of the "
            "family 'shape2D' need one; take the largest slice first, or the family 'shape'."
        )
    mask = np.ascontiguousarray(np.moveaxis(region.mask, axis, 0)).view(np.uint8)
    plane = mask[margin]
    spacing = np.concatenate([region.spacing_mm[[axis]], np.delete(region.spacing_mm, axis)])
    height, width = spacing[1:].tolist()
    squares = plane[:-1, :-1] | plane[:-1, 1:] << 1 | plane[1:, 1:] << 2 | plane[1:, :-1] << 3
    counts = np.bincount(squares.ravel(), minlength=16)
    n_cut = counts[_CORNERS == 1].sum() + counts[_CORNERS == 3].sum() + 2 * counts[_DIAGONAL].sum()
    outline = np.array([n_cut, counts[_LEVEL].sum(), counts[_UPRIGHT].sum()])
    perimeter = float(outline @ [math.hypot(height, width) / 2, width, height])
    eighths = np.where(_DIAGONAL, 2, np.array([0, 1, 4, 7, 8])[_CORNERS])
    surface = float(counts @ eighths) / 8 * height * width
    diameter = float(diameters(*row_ends(mask), *column_ends(mask), spacing)[0])
    in_plane = covariance(moments(mask))[1:, 1:]
    minor, major = np.sqrt(principal_variances(in_plane, spacing[1:])).tolist()
    return np.array(
        [
            minor / major,  # Elongation
            4 * major,  # MajorAxisLength
            diameter,  # MaximumDiameter
            surface,  # MeshSurface
            4 * minor,  # MinorAxisLength
            perimeter,  # Perimeter
            perimeter / surface,  # PerimeterSurfaceRatio
            region.values.size * height * width,  # PixelSurface
            2 * math.sqrt(math.pi * surface) / perimeter,  # Sphericity
        ]
    )
