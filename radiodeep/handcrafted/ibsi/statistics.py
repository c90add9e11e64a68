"""In: a region. Out: the 18 statistics of its intensities."""

import numpy as np

from radiodeep.handcrafted.kernels.ibsi_intensity import distribution_statistics, run_lengths, whole_counts


def intensity_statistics(region):
    """Statistics of the intensities of the intensity mask: float64 (18,), in the order of the catalogue.

    Mean, variance, skewness, excess kurtosis, median, minimum, 10th and 90th percentile, maximum, interquartile range,
    range, mean, robust mean and median absolute deviation, coefficient of variation, quartile coefficient of
    dispersion, energy and root mean square. Percentiles are interpolated linearly between the closest ranks, as
    numpy's. The median absolute deviation is the mean of the deviations from the median. Where the variance is 0,
    skewness and kurtosis are 0. The coefficients are NaN where their denominator is 0, and so is the robust deviation
    of two different values, neither of which lies between the percentiles.

    References
    ----------
    IBSI family UHIW.
    """
    return distribution_statistics(*value_counts(region.values))


def value_counts(values):
    """Return ascending values that hold those of a non-empty float64 array, and how often each occurs, int64.

    Whole numbers are counted from the least to the greatest, those that do not occur too, unless they lie far apart.
    """
    lowest, counts = whole_counts(values, 2 * values.size + 4096)
    if counts.size == 0:
        return run_lengths(np.sort(values))
    return lowest + np.arange(counts.size), counts
