"""In: the neighbourhoods of a region. Out: the 5 features of its neighbouring grey tone differences (NGTDM)."""

import numpy as np

from radiodeep.handcrafted.kernels.size_tables import describe_tones


def ngtdm_features(neighbourhoods):
    """Texture from the difference between a voxel and the mean of its neighbours, in the order of the catalogue.

    Voxels without a neighbour in the region count with a difference of 0. Coarseness is 1e6 if all differences are 0.

    Parameters
    ----------
    neighbourhoods : Neighbourhoods
        With the distances.

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
    >>> from radiodeep.handcrafted.neighbours import Neighbourhoods
    >>> from radiodeep.handcrafted.region import crop_region
    >>> image = np.array([[[1, 2, 1, 2]]])
    >>> region = crop_region(image, image > 0, (1, 1, 1))
    >>> values = ngtdm_features(Neighbourhoods(region, discretise(region, bin_width=1)))
    >>> float(values[1])  # Coarseness: every voxel differs by 1 from the mean of its neighbours
    0.5
    """
    counts = neighbourhoods.levels.counts.astype(np.float64)
    values = neighbourhoods.levels.values.astype(np.float64)
    return describe_tones(counts, neighbourhoods.differences, values)
