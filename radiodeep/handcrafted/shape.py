"""In: a region. Out: the 14 shape features of its surface mesh and of its voxels."""

import math

import numpy as np

from radiodeep.handcrafted.kernels.shape import (
    column_ends,
    diameters,
    moments,
    row_ends,
    surface,
    symmetric_eigenvalues,
)
from radiodeep.handcrafted.marching_cubes import AREA_VECTOR, CROSSES, TRIPLE


def shape_features(region, levels=None):
    """Size and shape of a region: float64 (14,), in the order of the catalogue.

    Area, volume and diameters are those of the marching-cubes mesh, whose vertices lie halfway between a voxel inside
    and its neighbour outside. The axes are four standard deviations of the voxel centres along their principal
    directions, so a region of one slice has a least axis of 0. The diameters Slice, Column and Row are the largest
    between vertices of one z, one y and one x. Where voxels share only an edge, area and volume depend slightly on the
    orientation of the image, because the table of marching cubes is not symmetric for such cells. `levels` is ignored.

    Units are mm, mm² (SurfaceArea), mm³ (volumes) and 1/mm (SurfaceVolumeRatio); ratios have none.

    References
    ----------
    pyradiomics `shape`; IBSI family HCUG.
    """
    mask = region.mask.view(np.uint8)
    spacing = region.spacing_mm
    ends = row_ends(mask)
    area, volume = surface(mask, *ends, region.margin, spacing, CROSSES, TRIPLE, AREA_VECTOR)
    in_slice, in_column, in_row, in_space = diameters(*ends, *column_ends(mask), spacing)
    least, minor, major = np.sqrt(principal_variances(covariance(moments(mask)), spacing)).tolist()
    return np.array(
        [
            minor / major,  # Elongation
            least / major,  # Flatness
            4 * least,  # LeastAxisLength
            4 * major,  # MajorAxisLength
            in_column,  # Maximum2DDiameterColumn
            in_row,  # Maximum2DDiameterRow
            in_slice,  # Maximum2DDiameterSlice
            in_space,  # Maximum3DDiameter
            volume,  # MeshVolume
            4 * minor,  # MinorAxisLength
            sphericity(area, volume),
            area,  # SurfaceArea
            area / volume,  # SurfaceVolumeRatio
            region.values.size * float(spacing.prod()),  # VoxelVolume
        ]
    )


def sphericity(area_mm2, volume_mm3):
    """Return the area of a ball of the same volume, divided by the area."""
    return (36 * math.pi * volume_mm3**2) ** (1 / 3) / area_mm2


def covariance(sums):
    """Return the covariance of the voxel indices, float64 (3, 3), from the sums that `moments` returns."""
    n, z, y, x, zz, yy, xx, zy, zx, yx = sums.tolist()  # whole numbers of any size: no rounding yet
    first, second = (z, y, x), ((zz, zy, zx), (zy, yy, yx), (zx, yx, xx))
    return np.array([[(n * second[a][b] - first[a] * first[b]) / n**2 for b in range(3)] for a in range(3)])


def principal_variances(covariance, spacing_mm):
    """Return the variances along the principal directions in mm², increasing."""
    variances = symmetric_eigenvalues(covariance * spacing_mm[:, None] * spacing_mm)
    # A flat region has a variance of 0, which rounding may leave a little above or below.
    variances[variances < 1e-14 * variances[-1]] = 0.0
    return variances
