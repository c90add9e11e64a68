"""In: the neighbourhoods of a region. Out: the 14 features of its grey level dependences (GLDM)."""

import numpy as np

from radiodeep.handcrafted.kernels.size_tables import DESCRIPTIONS, describe_sizes

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


def gldm_features(neighbourhoods):
    """Texture from the number of neighbours with about the same grey level, in the order of the catalogue.

    The dependence of a voxel is 1 + the number of its neighbours in the region whose grey level differs from its own
    by at most alpha.

    Parameters
    ----------
    neighbourhoods : Neighbourhoods
        With the distances and the alpha.

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
    >>> from radiodeep.handcrafted.neighbours import Neighbourhoods
    >>> from radiodeep.handcrafted.region import crop_region
    >>> image = np.array([[[1, 1, 1, 2]]])
    >>> region = crop_region(image, image > 0, (1, 1, 1))
    >>> values = gldm_features(Neighbourhoods(region, discretise(region, bin_width=1)))
    >>> float(values[7])  # LargeDependenceEmphasis: dependences 2, 3, 2, 1
    4.5
    """
    dependence = neighbourhoods.dependence
    sizes = np.arange(1.0, dependence.shape[1] + 1)
    return describe_sizes(dependence, neighbourhoods.levels.values.astype(np.float64), sizes)[GLDM_ORDER]
