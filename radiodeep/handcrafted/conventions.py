"""Definitions in which programs for handcrafted features differ: `PYRADIOMICS`, and the standard's, `IBSI`.

`gray_levels`, `first_order` and the measurement of the IBSI's features read bins and kurtosis from a `Convention`;
extractors read how to resample, how to round, and how to name columns.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Convention:
    """The definitions of one program, or of a standard.

    Attributes
    ----------
    name : str
    first_edge : callable
        (minimum, bin_width) -> lower edge of the first bin, in the precision of the minimum.
    n_bins : callable
        (minimum, maximum, bin_width) -> number of bins.
    kurtosis_of_normal : float
        The Kurtosis of a normal distribution: 3, or 0 if Kurtosis is the excess.
    resample_grid : str
        Where the voxels of resampled images lie, see `radiodeep.imaging.resample.resample`.
    to_integers : callable
        Rounds the interpolated intensities of integer images.
    mask_interpolation : str
        How masks are resampled: "nearest", or "linear" with a threshold of one half.
    column_name : callable
        (image, family, name) -> name of a column.
    """

    name: str
    first_edge: Callable
    n_bins: Callable
    kurtosis_of_normal: float
    resample_grid: str
    to_integers: Callable
    mask_interpolation: str
    column_name: Callable


def _edge_on_multiple(minimum, bin_width):
    """Return the multiple of the width at or below the minimum, so that the bins of all regions have the same edges."""
    return minimum - minimum % bin_width


def _n_bins_on_multiples(minimum, maximum, bin_width):
    return maximum // bin_width - minimum // bin_width + 1


def _underscored(image, family, name):
    return f"{image}_{family}_{name}"


def _edge_on_minimum(minimum, bin_width):
    """Return the minimum: the lower bound of resegmentation, or the lowest intensity of a region if there is none."""
    return minimum


def _n_bins_from_minimum(minimum, maximum, bin_width):
    return np.floor((maximum - minimum) / bin_width) + 1  # as levels are rounded; // rounds otherwise


def _tagged(image, family, name):
    """Return a tag of the tables of reference values, which contains the family, after the name of the image."""
    return f"{image}_{name}"


PYRADIOMICS = Convention(
    name="pyradiomics",
    first_edge=_edge_on_multiple,
    n_bins=_n_bins_on_multiples,
    kurtosis_of_normal=3.0,
    resample_grid="corner",
    to_integers=np.trunc,
    mask_interpolation="nearest",
    column_name=_underscored,
)
IBSI = Convention(
    name="ibsi",
    first_edge=_edge_on_minimum,
    n_bins=_n_bins_from_minimum,
    kurtosis_of_normal=0.0,
    resample_grid="center",
    to_integers=np.rint,
    mask_interpolation="linear",
    column_name=_tagged,
)
CONVENTIONS = {convention.name: convention for convention in (PYRADIOMICS, IBSI)}
