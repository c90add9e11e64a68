"""In: a region with its surroundings. Out: its two local intensity peaks."""

import math
from functools import lru_cache

import numpy as np

from radiodeep.handcrafted.kernels.ibsi_peaks import sphere_peaks

_RADIUS_MM = 10 * (3 / (4 * math.pi)) ** (1 / 3)  # of a sphere of 1 cm³


def local_intensity_features(region):
    """Local and global intensity peak: float64 (2,), in the order of the catalogue.

    A peak is the mean intensity of the voxels whose centres lie in a sphere of 1 cm³ about a voxel of the intensity
    mask, in the region or not. The local peak is that about the voxel of the highest intensity (the highest peak if
    several have it), the global one the highest of all. Voxels beyond the border of the image, and voxels that are not
    finite, are left out of the means.

    References
    ----------
    IBSI family 9ST6: VJGA and 0F91.
    """
    return np.array(sphere_peaks(region.image, region.mask, _sphere_rows(*region.spacing_mm.tolist())))


@lru_cache(maxsize=64)
def _sphere_rows(dz, dy, dx):
    """Return the rows of a sphere: offsets in z and y, and voxels to either side of its middle in x, int64 (n, 3)."""
    rows = []
    for z in range(-int(_RADIUS_MM / dz), int(_RADIUS_MM / dz) + 1):
        for y in range(-int(_RADIUS_MM / dy), int(_RADIUS_MM / dy) + 1):
            left = _RADIUS_MM**2 - (z * dz) ** 2 - (y * dy) ** 2
            if left >= 0:
                rows.append((z, y, int(math.sqrt(left) / dx)))
    return np.array(rows)
