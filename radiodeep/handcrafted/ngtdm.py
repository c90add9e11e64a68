"""Grey levels of a region in; the five features of the tone differences between its voxels out."""

import numpy as np

from radiodeep.handcrafted.gldm import neighbourhood_tables
from radiodeep.handcrafted.kernels.size_tables import describe_tones


def ngtdm_features(region, levels, *, distances=(1,), alpha=0):
    """Texture from the difference between a voxel and the mean of its neighbours, in the order of the catalogue.

    Voxels without a neighbour in the region count with a difference of 0. Coarseness is 1e6 if all
    differences are 0.

    Parameters
    ----------
    region : Region
        Its margin must not be smaller than the largest distance.
    levels : GrayLevels
    distances : sequence of int, default=(1,)
        Distances of the neighbours in voxels: 26 neighbours for 1.
    alpha : int, default=0
        Not used by these features; here so that one pass serves both them and those of the GLDM.

    Returns
    -------
    ndarray of float64 (5,)

    References
    ----------
    pyradiomics `ngtdm`; IBSI family IPET. Amadasun M, King R. Textural features corresponding to
    textural properties. IEEE Transactions on Systems, Man and Cybernetics 19(5):1264-1274, 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.gray_levels import discretise
    >>> from radiodeep.handcrafted.region import crop_region
    >>> image = np.array([[[1, 2, 1, 2]]])
    >>> region = crop_region(image, image > 0, (1, 1, 1))
    >>> values = ngtdm_features(region, discretise(region, bin_width=1))
    >>> float(values[1])  # Coarseness: every voxel differs by 1 from the mean of its neighbours
    0.5
    """
    _, differences = neighbourhood_tables(region, levels, distances, alpha)
    return describe_tones(levels.counts.astype(np.float64), differences, levels.values.astype(np.float64))
