"""In: a region and bin settings. Out: its grey levels, for all families that count them."""

from dataclasses import dataclass

import numpy as np

from radiodeep.checks import is_count, is_positive, require
from radiodeep.exceptions import TooManyGrayLevelsError
from radiodeep.handcrafted.conventions import PYRADIOMICS
from radiodeep.handcrafted.kernels.gray_levels import assign_levels, renumber_levels

_HIGHEST_CAP = 65534  # levels are kept in 16 bits


@dataclass(frozen=True)
class GrayLevels:
    """The grey levels of one region; levels that no voxel has are left out.

    Attributes
    ----------
    volume : ndarray of uint8 or uint16 (z, y, x)
        1 ... n_present inside the region, 0 outside; the grid of `Region.mask`.
    gray : ndarray of uint8 or uint16 (z, y, x)
        The grey levels themselves, with gaps where no voxel has a level; 0 outside the region.
    values : ndarray of int64 (n_present,)
        The grey level of each number in `volume`; the lowest level of the scale is 1.
    counts : ndarray of int64 (n_present,)
        Voxels of each level.
    """

    volume: np.ndarray
    gray: np.ndarray
    values: np.ndarray
    counts: np.ndarray

    @property
    def highest(self):
        """The highest grey level, pyradiomics' Ng."""
        return int(self.values[-1])


def discretise(region, *, bin_width=25.0, bin_count=None, max_gray_levels=1024, convention=PYRADIOMICS):
    """Sort the intensities of a region into grey levels, with pyradiomics' bin edges.

    With a bin width the edges are its multiples, whatever the region (0 is an edge, below it too),
    and a value on an edge belongs to the bin above; level 1 is the bin of the minimum. With a bin
    count the range of the region is divided evenly and the maximum belongs to the last bin. Edges
    are calculated in the image's own precision.

    Parameters
    ----------
    region : Region
    bin_width : float, default=25.0
        Width of a bin, in the image's units.
    bin_count : int or None, default=None
        Number of bins; goes before `bin_width`.
    max_gray_levels : int, default=1024
        More levels than this are an error, raised before any memory is taken.
    convention : Convention, default=PYRADIOMICS
        Which has the edges of bins of a width.

    Returns
    -------
    GrayLevels

    Raises
    ------
    TooManyGrayLevelsError
        If the settings give more than `max_gray_levels` levels.
    InputError
        If a setting is not a number in its range.

    References
    ----------
    pyradiomics `imageoperations.getBinEdges`; IBSI Q3RU (fixed bin size, whose first edge is the
    minimum instead) and K15C (fixed bin number).

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.region import crop_region
    >>> image = np.array([[[-1, 0, 24, 25, 120]]])
    >>> levels = discretise(crop_region(image, image < 200, (1, 1, 1)), bin_width=25)
    >>> levels.values, levels.counts
    (array([1, 2, 3, 6]), array([1, 2, 1, 1]))
    """
    check_bins(bin_width, bin_count, max_gray_levels)
    edges = _bin_edges(region.values, bin_width, bin_count, max_gray_levels, convention)
    gray = np.zeros(region.mask.shape, np.uint8 if edges.size < 256 else np.uint16)
    counts = assign_levels(region.values.astype(np.float64), edges, region.positions, gray.reshape(-1))
    values = np.flatnonzero(counts)
    volume = gray
    if values[-1] > values.size:
        volume = np.zeros_like(gray)
        numbers = np.cumsum(counts > 0).astype(gray.dtype)
        renumber_levels(gray.reshape(-1), region.positions, numbers, volume.reshape(-1))
    return GrayLevels(volume, gray, values, counts[values])


def check_bins(bin_width, bin_count, max_gray_levels):
    """Raise InputError for bin settings out of range."""
    owner = "region_features"
    require(is_positive(bin_width), owner, "bin_width", "a float > 0", bin_width)
    require(bin_count is None or is_count(bin_count, 1), owner, "bin_count", "None or an int > 0", bin_count)
    is_cap = is_count(max_gray_levels, 1, _HIGHEST_CAP)
    require(is_cap, owner, "max_gray_levels", f"an int from 1 to {_HIGHEST_CAP}", max_gray_levels)


def _bin_edges(values, bin_width, bin_count, max_gray_levels, convention):
    """Edges of all bins, float64, increasing, the first not above the minimum."""
    minimum, maximum = values.min(), values.max()
    low, high = float(minimum), float(maximum)
    where = f"on intensities from {low:g} to {high:g}"
    if bin_count is not None:
        return _edges_by_count(minimum, maximum, int(bin_count), max_gray_levels, where)
    bin_width = float(bin_width)  # a float also lifts small integer types, which would overflow
    n_levels = convention.n_bins(low, high, bin_width)
    if not n_levels <= max_gray_levels:
        raise TooManyGrayLevelsError(
            f"bin_width={bin_width:g} {where} makes {n_levels:.0f} grey levels. Expected at most "
            f"{max_gray_levels}; take a larger bin_width (from about {(high - low) / max_gray_levels:.3g} on), "
            f"a bin_count, or a larger max_gray_levels."
        )
    # One bin more than the levels, so that a maximum on an edge opens a bin of its own.
    with np.errstate(invalid="ignore"):
        first, end = convention.first_edge(minimum, bin_width), maximum + 2 * bin_width
    if not end > first:
        raise TooManyGrayLevelsError(
            f"bin_width={bin_width:g} {where} makes bins narrower than the precision of the image. "
            "Expected bins that differ; take a larger bin_width or a bin_count."
        )
    return np.arange(first, end, bin_width, dtype=np.float64)


def _edges_by_count(minimum, maximum, bin_count, max_gray_levels, where):
    if bin_count > max_gray_levels:
        raise TooManyGrayLevelsError(
            f"bin_count={bin_count} makes {bin_count} grey levels. "
            f"Expected at most {max_gray_levels}; take a smaller bin_count or a bin_width."
        )
    try:
        edges = np.histogram_bin_edges(np.array([minimum, maximum]), bins=bin_count)
    except ValueError as error:  # the range is narrower than the precision of its numbers
        raise TooManyGrayLevelsError(
            f"bin_count={bin_count} {where} makes bins narrower than the precision of the image. "
            "Expected bins that differ; take a smaller bin_count or a bin_width."
        ) from error
    edges[-1] += 1  # lets the maximum into the last bin
    return edges.astype(np.float64)
