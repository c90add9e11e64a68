"""In: a region and its grey levels. Out: the 18 first-order features."""

import numpy as np

from radiodeep.checks import is_finite, require
from radiodeep.exceptions import InputError, RoiTooSmallError
from radiodeep.handcrafted.conventions import PYRADIOMICS
from radiodeep.handcrafted.kernels.first_order import first_order
from radiodeep.handcrafted.ordering import sorted_intensities

KURTOSIS = 5  # its place among the features
_SMALLEST = 1e-70  # of intensities and their range: below, the square of their variance loses its digits


def first_order_features(region, levels, *, voxel_array_shift=0, convention=PYRADIOMICS):
    """Statistics of the intensities of a region: float64 (18,), in the order of the catalogue.

    Entropy and Uniformity are those of the grey levels, all others those of the intensities. Energy, TotalEnergy and
    RootMeanSquared add `voxel_array_shift` to the intensities first; IBSI's definitions hold for 0. The convention
    defines Kurtosis. In a flat region Skewness is 0, and pyradiomics' Kurtosis too.

    Raises
    ------
    RoiTooSmallError
        The region has two voxels: none need lie between its 10th and its 90th percentile.
    InputError
        The shift is not a finite number, or powers of the intensities are beyond double precision.

    References
    ----------
    pyradiomics `firstorder`; IBSI families UHIW (statistics) and ZVCW (histogram).
    """
    require(is_finite(voxel_array_shift), "region_features", "voxel_array_shift", "a finite float", voxel_array_shift)
    if region.values.size < 3:
        raise RoiTooSmallError(
            f"The region has {region.values.size} voxels. "
            "First-order features need at least 3; outline more of the lesion."
        )
    ordered = sorted_intensities(region.values)
    values = None
    if has_usual_span(ordered):
        values = first_order(ordered, levels.counts, float(voxel_array_shift), float(region.spacing_mm.prod()))
    if values is None or not np.isfinite(values).all():
        raise InputError(
            f"The intensities of the region lie from {ordered[0]:g} to {ordered[-1]:g}, so that their fourth powers "
            "are beyond double precision. Expected numbers of about 1e-70 to 1e70; multiply the image by a "
            "constant."
        )
    values[KURTOSIS] -= 3.0 - convention.kurtosis_of_normal
    return values


def has_usual_span(ordered):
    """Return whether intensities in increasing order, and their range, are not too small for their fourth powers."""
    low, high = float(ordered[0]), float(ordered[-1])
    return not (0 < high - low < _SMALLEST or 0 < max(-low, high) < _SMALLEST)
