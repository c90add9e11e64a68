"""In: grey levels. Out: the 23 features of their histogram."""

import numpy as np

from radiodeep.handcrafted.kernels.ibsi_intensity import count_levels, distribution_statistics, histogram_extras


def intensity_histogram(levels, n_levels):
    """Features of the histogram of the grey levels of a region: float64 (23,), in the order of the catalogue.

    The statistics of `intensity_statistics`, of the levels, but energy and root mean square; and mode, entropy,
    uniformity, and the greatest and the least gradient of the histogram with the level of each. Of several modes the
    one nearest to the mean counts, and of two as near the lower; of equal gradients that of the lowest level. Gradients
    are central differences of the counts over all `n_levels`, and one-sided at the ends. They and their levels are NaN
    if there is one level.

    Parameters
    ----------
    levels : array of int (z, y, x)
        Grey levels from 1, 0 outside the intensity mask.
    n_levels : int
        Number of levels of the discretisation.

    References
    ----------
    IBSI family ZVCW.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.ibsi.histogram import intensity_histogram
    >>> levels = np.array([[[0, 1, 1, 2], [3, 3, 3, 0]]])
    >>> mode = intensity_histogram(levels, n_levels=3)[9]
    >>> float(mode)
    3.0
    """
    counts = count_levels(levels, n_levels)
    statistics = distribution_statistics(np.arange(1.0, n_levels + 1), counts)
    extras = histogram_extras(counts, statistics[0])
    return np.concatenate([statistics[:9], extras[:1], statistics[9:16], extras[1:]])
