"""Grey levels of a region in; the fourteen features of its grey level dependences out."""

import numpy as np

from radiodeep.handcrafted.kernels.neighbours import compare_with_neighbours
from radiodeep.handcrafted.kernels.size_tables import DESCRIPTIONS, describe_sizes
from radiodeep.handcrafted.neighbours import directions, offsets_in

_CHUNK = 4096  # voxels compared at a time

GLDM_ORDER = [
    DESCRIPTIONS.index(name)
    for name in (
        "entropy",
        "size non-uniformity",
        "size non-uniformity normalised",
        "size variance",
        "gray non-uniformity",
        "gray variance",
        "high gray",
        "large",
        "large high gray",
        "large low gray",
        "low gray",
        "small",
        "small high gray",
        "small low gray",
    )
]


def gldm_features(region, levels, *, distances=(1,), alpha=0):
    """Texture from the number of neighbours with about the same grey level, in the order of the catalogue.

    The dependence of a voxel is 1 + the number of its neighbours in the region whose grey level
    differs by at most `alpha`.

    Parameters
    ----------
    region : Region
        Its margin must not be smaller than the largest distance.
    levels : GrayLevels
    distances : sequence of int, default=(1,)
        Distances of the neighbours in voxels: 26 neighbours for 1.
    alpha : int, default=0

    Returns
    -------
    ndarray of float64 (14,)

    References
    ----------
    pyradiomics `gldm`; IBSI family REK0. Sun C, Wee WG. Neighboring gray level dependence matrix for
    texture classification. Computer Vision, Graphics, and Image Processing 23:341-352, 1983.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.gray_levels import discretise
    >>> from radiodeep.handcrafted.region import crop_region
    >>> image = np.array([[[1, 1, 1, 2]]])
    >>> region = crop_region(image, image > 0, (1, 1, 1))
    >>> values = gldm_features(region, discretise(region, bin_width=1))
    >>> float(values[7])  # LargeDependenceEmphasis: dependences 2, 3, 2, 1
    4.5
    """
    dependence, _ = neighbourhood_tables(region, levels, distances, alpha)
    sizes = np.arange(1.0, dependence.shape[1] + 1)
    return describe_sizes(dependence, levels.values.astype(np.float64), sizes)[GLDM_ORDER]


def neighbourhood_tables(region, levels, distances=(1,), alpha=0):
    """Count dependent neighbours and add up tone differences, in one pass for GLDM and NGTDM.

    Returns
    -------
    dependence : ndarray of float64 (n_present, n_neighbours + 1)
        Voxels of level `levels.values[i]` with j dependent neighbours.
    differences : ndarray of float64 (n_present,)
        Sums of |grey level - mean grey level of the neighbours| over the voxels of each level;
        voxels without neighbours add nothing.
    """
    key = ("neighbourhood", tuple(distances), alpha)
    if key not in levels.shared:
        offsets = offsets_in(region, directions(tuple(distances), region.flat_axis))
        offsets = np.concatenate([offsets, -offsets])
        wide = offsets.size * levels.highest > np.iinfo(np.uint16).max
        scratch = np.empty((3, min(_CHUNK, levels.volume.size)), np.uint32 if wide else np.uint16)
        rows = np.zeros(levels.highest + 1, np.int64)
        rows[levels.values] = np.arange(levels.values.size)
        dependence = np.zeros((levels.values.size, offsets.size + 1))
        differences = np.zeros(levels.values.size)
        compare_with_neighbours(levels.gray.reshape(-1), rows, offsets, alpha, scratch, dependence, differences)
        levels.shared[key] = dependence, differences
    return levels.shared[key]
