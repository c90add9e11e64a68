"""In: a region. Out: the 29 morphological features."""

import math

import numpy as np

from radiodeep.handcrafted.ibsi.autocorrelation import spatial_autocorrelation
from radiodeep.handcrafted.ibsi.enclosing import ellipsoid_area, hull_measures
from radiodeep.handcrafted.kernels.ibsi_intensity import intensity_moments
from radiodeep.handcrafted.kernels.shape import column_ends, moments, row_ends, surface
from radiodeep.handcrafted.marching_cubes import AREA_VECTOR, CROSSES, TRIPLE
from radiodeep.handcrafted.shape import covariance, principal_variances


def morphology_features(region, *, autocorrelation=True):
    """Size, shape and spread of a region: float64 (29,), in the order of the catalogue.

    Volume (mesh) and (voxel counting), surface area (mesh), surface to volume ratio, compactness 1 and 2, spherical
    disproportion, sphericity, asphericity, centre of mass shift, maximum 3D diameter, major, minor and least axis
    length, elongation, flatness, volume and area density of the axis-aligned bounding box (AABB), the oriented minimum
    bounding box (OMBB), the approximate enclosing ellipsoid (AEE), the minimum volume enclosing ellipsoid (MVEE) and
    the convex hull, integrated intensity, Moran's I and Geary's C.

    The mesh is that of marching cubes about the morphological mask; axes are those of its voxel centres. See
    `hull_measures` for the boxes, the ellipsoid and their precision, and `ellipsoid_area` for the areas of ellipsoids.
    Units are mm, mm², mm³ and 1/mm; integrated intensity is in mm³ times the intensity.

    Without `autocorrelation`, Moran's I and Geary's C, which take longer than all others, are NaN.

    NaN are: the volume density (AEE) of a region whose centres lie in a plane, its area density and elongation and
    flatness if they lie on a line or coincide; the shift where the intensities add up to 0; and Moran's I and Geary's C
    of one voxel or one intensity.

    References
    ----------
    IBSI family HCUG.
    """
    box = region.box
    mask = np.zeros([side.stop - side.start + 2 for side in box], np.uint8)
    mask[1:-1, 1:-1, 1:-1] = region.shape_mask[box]
    spacing = region.spacing_mm
    ends = row_ends(mask)
    area, volume = surface(mask, *ends, 1, spacing, CROSSES, TRIPLE, AREA_VECTOR)
    sums = moments(mask)
    hull = hull_measures(ends, column_ends(mask), spacing)
    n = int(sums[0])
    variances = principal_variances(covariance(sums), spacing) * (n / max(n - 1, 1))  # of a sample: the tables' values
    semi_axes = [2 * math.sqrt(variance) for variance in variances.tolist()]  # least, minor, major
    shift, mean = _intensity_shift(region, box, sums)
    values = [
        volume,
        n * float(spacing.prod()),
        area,
        area / volume,
        *_compactness(area, volume),
        shift,
        hull.diameter_mm,
        *(2 * semi_axis for semi_axis in semi_axes[::-1]),
        *(_ratio(semi_axes[k], semi_axes[2]) for k in (1, 0)),
        *_box_densities(area, volume, hull.extent_mm),
        *_box_densities(area, volume, hull.box_mm),
        *_ellipsoid_densities(area, volume, semi_axes),
        *_ellipsoid_densities(area, volume, hull.semi_axes_mm.tolist()),
        volume / hull.volume_mm3,
        area / hull.area_mm2,
        volume * mean,
        *(spatial_autocorrelation(region) if autocorrelation else (np.nan, np.nan)),
    ]
    return np.array(values)


def _ratio(part, whole):
    return part / whole if whole > 0 else np.nan


def _compactness(area, volume):
    disproportion = area / (36 * math.pi * volume**2) ** (1 / 3)
    return (
        volume / math.sqrt(math.pi * area**3),
        disproportion**-3,
        disproportion,
        1 / disproportion,
        disproportion - 1,
    )


def _intensity_shift(region, box, sums):
    """Return the distance in mm between the centres of the masks, the second weighted by intensity, and the mean."""
    n, total, *weighted = intensity_moments(region.image[box], region.mask[box]).tolist()
    if total == 0:
        return np.nan, 0.0
    # The padded mask begins one voxel before the box.
    centre = [along / sums[0] - 1 for along in sums[1:4].tolist()]
    steps = zip(weighted, centre, region.spacing_mm.tolist(), strict=True)
    return math.hypot(*((along / total - middle) * step for along, middle, step in steps)), total / n


def _box_densities(area, volume, lengths):
    a, b, c = lengths.tolist()
    return volume / (a * b * c), area / (2 * (a * b + b * c + c * a))


def _ellipsoid_densities(area, volume, semi_axes):
    c, b, a = semi_axes
    return _ratio(volume, 4 / 3 * math.pi * a * b * c), _ratio(area, ellipsoid_area(a, b, c))
