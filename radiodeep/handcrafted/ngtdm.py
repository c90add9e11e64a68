"""In: the neighbourhoods of a region. Out: the 5 features of its neighbouring grey tone differences (NGTDM)."""

import numpy as np

from radiodeep.handcrafted.kernels.size_tables import describe_tones


def ngtdm_features(neighbourhoods):
    """Texture from differences between a voxel and the mean of its neighbours: float64 (5,), in the catalogue's order.

    Voxels without a neighbour in the region count with a difference of 0. Coarseness is 1e6 if all differences are 0.

    References
    ----------
    pyradiomics `ngtdm`; IBSI family IPET. Amadasun M, King R. Textural features corresponding to
    textural properties. IEEE Transactions on Systems, Man and Cybernetics 19(5):1264-1274, 1989.
    """
    counts = neighbourhoods.levels.counts.astype(np.float64)
    values = neighbourhoods.levels.values.astype(np.float64)
    return describe_tones(counts, neighbourhoods.differences, values)
