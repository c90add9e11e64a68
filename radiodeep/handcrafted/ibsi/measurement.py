"""In: one region and the settings of bins. Out: the values of the features of the IBSI, and the levels that occur."""

from functools import partial

import numpy as np

from radiodeep.checks import is_count, is_positive, require
from radiodeep.exceptions import TooManyGrayLevelsError
from radiodeep.handcrafted.conventions import IBSI
from radiodeep.handcrafted.ibsi.catalogue import TEXTURE_FAMILIES, aggregation_suffix, in_ibsi_order
from radiodeep.handcrafted.ibsi.histogram import intensity_histogram
from radiodeep.handcrafted.ibsi.local_intensity import local_intensity_features
from radiodeep.handcrafted.ibsi.morphology import morphology_features
from radiodeep.handcrafted.ibsi.statistics import intensity_statistics
from radiodeep.handcrafted.ibsi.texture import texture_features_by_aggregation
from radiodeep.handcrafted.ibsi.volume_histogram import intensity_volume_histogram

DEFAULT_IVH_BINS = 1000  # of intensities that are not whole numbers
AUTOCORRELATION_TAGS = ("morph_moran_i", "morph_geary_c")
LEVEL_FAMILIES = ("intensity_histogram", *TEXTURE_FAMILIES)
_OF_REGION = {
    "local_intensity": local_intensity_features,
    "intensity_statistics": intensity_statistics,
}


def ibsi_measurer(
    *,
    families,
    aggregations,
    bin_width,
    bin_count,
    max_gray_levels,
    ivh_bin_width=None,
    ivh_bin_count=None,
    autocorrelation=True,
):
    """Check settings once for many regions.

    Parameters
    ----------
    families : sequence of str
        Of `IBSI_FAMILIES`.
    aggregations : sequence of str
        Of `AGGREGATIONS`.
    bin_width, bin_count, max_gray_levels
        Of the levels of histogram and texture, see `discretise_region`.
    ivh_bin_width, ivh_bin_count : float or int, optional
        Of the intensity-volume histogram. By default whole numbers are counted one by one, other intensities in
        `DEFAULT_IVH_BINS` bins.
    autocorrelation : bool, default=True
        Whether to compute Moran's I and Geary's C, which take longer than all other features; NaN if not.

    Returns
    -------
    callable
        (region, has_integers, lowest=None, highest=None) -> values, float64 (n_columns,) in the order of
        `ibsi_columns(families, aggregations)`, and the number of grey levels that occur, 0 if none is needed. `region`
        is an `IbsiRegion`, `lowest` and `highest` are the bounds of resegmentation.
    """
    chosen = in_ibsi_order(families)
    check_bins(bin_width, bin_count, max_gray_levels)
    texture = [family for family in chosen if family in TEXTURE_FAMILIES]
    order = _texture_order(chosen, tuple(aggregations))
    bins = {"bin_width": bin_width, "bin_count": bin_count, "max_gray_levels": max_gray_levels}

    of_region = {**_OF_REGION, "morphology": partial(morphology_features, autocorrelation=autocorrelation)}

    def measure(region, has_integers, lowest=None, highest=None):
        values = {(family, None): of_region[family](region) for family in chosen if family in of_region}
        if "intensity_volume_histogram" in chosen:
            own_bins = {"bin_width": ivh_bin_width, "bin_count": ivh_bin_count}
            if ivh_bin_width is None and ivh_bin_count is None and not has_integers:
                own_bins["bin_count"] = DEFAULT_IVH_BINS
            values["intensity_volume_histogram", None] = intensity_volume_histogram(
                region, **own_bins, lowest=lowest, highest=highest
            )
        n_present = 0
        if not set(chosen).isdisjoint(LEVEL_FAMILIES):
            levels, n_levels, n_present = discretise_region(region, **bins, lowest=lowest)
            if "intensity_histogram" in chosen:
                values["intensity_histogram", None] = intensity_histogram(levels, n_levels)
            if texture:
                mask = region.shape_mask[region.box]
                values |= texture_features_by_aggregation(
                    levels, n_levels, mask, region.slice_axis, texture, tuple(aggregations)
                )
        return np.concatenate([values[key] for key in order]), n_present

    return measure


def _texture_order(families, aggregations):
    """Return the pairs (family, aggregation) in the order of columns; families without aggregation have None."""
    order = []
    for family in families:
        if family in TEXTURE_FAMILIES:
            first_of = {}
            for aggregation in aggregations:
                first_of.setdefault(aggregation_suffix(family, aggregation), aggregation)
            order += [(family, aggregation) for aggregation in first_of.values()]
        else:
            order.append((family, None))
    return order


def discretise_region(region, *, bin_width=25.0, bin_count=None, max_gray_levels=1024, lowest=None):
    """Sort the intensities of a region into grey levels.

    Parameters
    ----------
    region : IbsiRegion
    bin_width : float, default=25
        Fixed bin size: the first bin begins at `lowest`, or at the minimum of the region if that is None, and a value
        on an edge belongs to the bin above.
    bin_count : int, optional
        Fixed bin number, in place of the width: bins between minimum and maximum; the maximum belongs to the last.
    max_gray_levels : int, default=1024
    lowest : float, optional
        The lower bound of resegmentation.

    Returns
    -------
    levels : int32 ndarray (z, y, x)
        In the box of the morphological mask: from 1 on inside the intensity mask, 0 outside.
    n_levels : int
        The number of bins if that is fixed, otherwise the highest level.
    n_present : int
        How many levels occur.

    Raises
    ------
    TooManyGrayLevelsError
        More levels than `max_gray_levels`.

    References
    ----------
    IBSI Q3RU (fixed bin size) and K15C (fixed bin number).

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.ibsi.region import ibsi_region
    >>> image = np.array([[[-20.0, 4.0, 5.0, 30.0]]])
    >>> region = ibsi_region(image, image < 99, spacing_mm=(1, 1, 1))
    >>> discretise_region(region, bin_width=25)[0].tolist()
    [[[1, 1, 2, 3]]]
    >>> discretise_region(region, bin_width=25, lowest=-100)[0].tolist()
    [[[4, 5, 5, 6]]]
    >>> discretise_region(region, bin_count=2)[0].tolist()
    [[[1, 1, 2, 2]]]
    """
    box = region.box
    mask = region.mask[box]
    values = region.image[box][mask]
    minimum, maximum = float(values.min()), float(values.max())
    if bin_count is None:
        first = IBSI.first_edge(minimum if lowest is None else float(lowest), bin_width)
        n_levels = IBSI.n_bins(first, maximum, bin_width)
        _check_n_levels(n_levels, max_gray_levels, f"bin_width={bin_width:g}", first, maximum)
        numbers = np.floor((values - first) / bin_width)
    else:
        n_levels = bin_count
        _check_n_levels(n_levels, max_gray_levels, f"bin_count={bin_count}", minimum, maximum)
        spread = maximum - minimum
        numbers = np.floor(bin_count * (values - minimum) / spread) if spread > 0 else np.zeros(values.size)
    numbers = np.clip(numbers.astype(np.int32) + 1, 1, int(n_levels))
    levels = np.zeros(mask.shape, np.int32)
    levels[mask] = numbers
    return levels, int(n_levels), int(np.count_nonzero(np.bincount(numbers)))


def _check_n_levels(n_levels, max_gray_levels, setting, first, last):
    if not n_levels <= max_gray_levels:
        raise TooManyGrayLevelsError(
            f"{setting} on intensities from {first:g} to {last:g} makes {n_levels:.0f} grey levels. Expected at most "
            f"{max_gray_levels}; take a larger bin_width, a smaller bin_count, or a larger max_gray_levels."
        )


def check_bins(bin_width, bin_count, max_gray_levels):
    """Raise InputError for bin settings out of range."""
    owner = "ibsi_measurer"
    require(is_positive(bin_width), owner, "bin_width", "a float > 0", bin_width)
    require(bin_count is None or is_count(bin_count, 1), owner, "bin_count", "None or an int > 0", bin_count)
    require(is_count(max_gray_levels, 1, 65534), owner, "max_gray_levels", "an int from 1 to 65534", max_gray_levels)
