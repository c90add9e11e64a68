"""In: the neighbourhoods of a region. Out: the 14 features of its grey level dependences (GLDM)."""

import numpy as np

from radiodeep.handcrafted.kernels.size_tables import describe_sizes, order_of

GLDM_ORDER = order_of(
    "entropy, size non-uniformity, size non-uniformity normalised, size variance, gray non-uniformity, "
    "gray variance, high gray, large, large high gray, large low gray, low gray, small, small high gray, "
    "small low gray"
)


def gldm_features(neighbourhoods):
    """Texture from the number of neighbours of a similar grey level: float64 (14,), in the order of the catalogue.

    The dependence of a voxel is 1 + the number of its neighbours in the region whose grey level differs from its own
    by at most alpha.

    References
    ----------
    pyradiomics `gldm`; IBSI family REK0. Sun C, Wee WG. Neighboring gray level dependence matrix for
    texture classification. Computer Vision, Graphics, and Image Processing 23:341-352, 1983.
    """
    dependence = neighbourhoods.dependence
    sizes = np.arange(1.0, dependence.shape[1] + 1)
    return describe_sizes(dependence, neighbourhoods.levels.values.astype(np.float64), sizes)[GLDM_ORDER]
