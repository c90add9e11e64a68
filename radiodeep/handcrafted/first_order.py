"""In: a region and its grey levels. Out: the 18 first-order features."""

import numpy as np

from radiodeep.checks import is_finite, require
from radiodeep.exceptions import InputError, RoiTooSmallError
from radiodeep.handcrafted.conventions import PYRADIOMICS
from radiodeep.handcrafted.kernels.first_order import first_order

_KURTOSIS = 5  # its place among the features
_SMALLEST = 1e-70  # of intensities and their range: below, the square of their variance loses its digits


def first_order_features(region, levels, *, voxel_array_shift=0, convention=PYRADIOMICS):
    """Statistics of the intensities of a region, in the order of the catalogue.

    Entropy and Uniformity are those of the grey levels, all others of the intensities themselves.
    Kurtosis is that of the convention; pyradiomics' is 3 for a normal distribution. A flat region has
    there Skewness and Kurtosis 0. Energy, TotalEnergy and RootMeanSquared are those of intensity + `voxel_array_shift`.

    Parameters
    ----------
    region : Region
    levels : GrayLevels
    voxel_array_shift : float, default=0
        Added to the intensities for the three features above; IBSI's definitions hold for 0.
    convention : Convention, default=PYRADIOMICS

    Returns
    -------
    ndarray of float64 (18,)
        In the image's units, their square (Energy, Variance), square x mm³ (TotalEnergy), bits
        (Entropy), or without unit.

    Raises
    ------
    RoiTooSmallError
        If the region has two voxels: none need lie between its 10th and its 90th percentile.
    InputError
        If `voxel_array_shift` is not a finite number, or the intensities are so large, or so small, that their
        powers are beyond double precision.

    References
    ----------
    pyradiomics `firstorder`; IBSI families UHIW (statistics) and ZVCW (histogram).

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.gray_levels import discretise
    >>> from radiodeep.handcrafted.region import crop_region
    >>> image = np.array([[[1, 2, 3, 6]]])
    >>> region = crop_region(image, image > 0, (1, 1, 1))
    >>> values = first_order_features(region, discretise(region))
    >>> float(values[8]), float(values[9])  # Mean, Median
    (3.0, 2.5)
    """
    require(is_finite(voxel_array_shift), "region_features", "voxel_array_shift", "a finite float", voxel_array_shift)
    if region.values.size < 3:
        raise RoiTooSmallError(
            f"The region has {region.values.size} voxels. "
            "First-order features need at least 3; outline more of the lesion."
        )
    ordered = np.sort(region.values).astype(np.float64)
    value_range = ordered[-1] - ordered[0]
    largest = max(-ordered[0], ordered[-1])
    values = None
    if not any(0 < span < _SMALLEST for span in (value_range, largest)):
        values = first_order(ordered, levels.counts, float(voxel_array_shift), float(region.spacing_mm.prod()))
    if values is None or not np.isfinite(values).all():
        raise InputError(
            f"The intensities of the region lie from {ordered[0]:g} to {ordered[-1]:g}, so that their fourth powers "
            "are beyond double precision. Expected numbers of about 1e-70 to 1e70; multiply the image by a "
            "constant."
        )
    values[_KURTOSIS] -= 3.0 - convention.kurtosis_of_normal
    return values
