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
    """The grey levels of one region. Level 1 is the lowest bin; some levels may have no voxel.

    Attributes
    ----------
    volume : ndarray of uint8 or uint16 (z, y, x)
        The levels that occur, numbered 1 ... n_present without gaps; 0 outside the region. The grid is that of
        `Region.mask`.
    gray : ndarray of uint8 or uint16 (z, y, x)
        The levels themselves; 0 outside the region.
    values : ndarray of int64 (n_present,)
        The level of each number in `volume`.
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
    """Sort the intensities of a region into grey levels: a `GrayLevels`.

    Bins of a width have edges at its multiples for all regions (0 is an edge, also for negative intensities); a value
    on an edge belongs to the bin above; level 1 is the bin of the minimum. `bin_count`, if given, replaces the width:
    it divides the range of the region evenly, and the maximum belongs to the last bin. Edges are calculated in the
    image's own precision, and by the convention. `check_bins` checks the settings.

    Raises
    ------
    TooManyGrayLevelsError
        The settings give more than `max_gray_levels` levels; raised before any memory is allocated.

    References
    ----------
    pyradiomics `imageoperations.getBinEdges`; IBSI Q3RU (fixed bin size, whose first edge is the
    minimum instead) and K15C (fixed bin number).
    """
    lowest, highest = region.values.min(), region.values.max()
    edges = bin_edges(lowest, highest, bin_width, bin_count, max_gray_levels, convention)
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


def bin_edges(minimum, maximum, bin_width, bin_count, max_gray_levels, convention):
    """Return the edges of all bins: float64, increasing, the first at or below the minimum.

    `minimum` and `maximum` are the extremes of a region, numbers of the type of its image. Settings and errors as in
    `discretise`.
    """
    if bin_count is not None:
        return _edges_by_count(minimum, maximum, int(bin_count), max_gray_levels)
    low, high = float(minimum), float(maximum)
    bin_width = float(bin_width)
    if minimum.dtype != np.float32:  # whose precision counts; integers would overflow, and floats are faster
        minimum, maximum = low, high
    n_levels = convention.n_bins(low, high, bin_width)
    if not n_levels <= max_gray_levels:
        raise TooManyGrayLevelsError(
            f"bin_width={bin_width:g} {_where(low, high)} makes {n_levels:.0f} grey levels. Expected at most "
            f"{max_gray_levels}; take a larger bin_width (from about {(high - low) / max_gray_levels:.3g} on), "
            f"a bin_count, or a larger max_gray_levels."
        )
    # One bin more than the levels, so that a maximum on an edge opens a bin of its own.
    with np.errstate(invalid="ignore"):
        first, end = convention.first_edge(minimum, bin_width), maximum + 2 * bin_width
    if not end > first:
        raise TooManyGrayLevelsError(
            f"bin_width={bin_width:g} {_where(low, high)} makes bins narrower than the precision of the image. "
            "Expected bins that differ; take a larger bin_width or a bin_count."
        )
    return np.arange(first, end, bin_width, dtype=np.float64)


def _edges_by_count(minimum, maximum, bin_count, max_gray_levels):
    """Return the edges of `numpy.histogram_bin_edges`, whose checks take longer, in the precision of the image."""
    if bin_count > max_gray_levels:
        raise TooManyGrayLevelsError(
            f"bin_count={bin_count} makes {bin_count} grey levels. "
            f"Expected at most {max_gray_levels}; take a smaller bin_count or a bin_width."
        )
    kind = np.float32 if minimum.dtype == np.float32 else np.float64
    first, last = kind(minimum), kind(maximum)
    if first == last:
        first, last = first - kind(0.5), last + kind(0.5)
    edges = np.arange(bin_count + 1, dtype=kind) * ((last - first) / kind(bin_count)) + first
    edges[-1] = last
    if (edges[:-1] >= edges[1:]).any():
        raise TooManyGrayLevelsError(
            f"bin_count={bin_count} {_where(float(minimum), float(maximum))} makes bins narrower than the precision of "
            "the image. Expected bins that differ; take a smaller bin_count or a bin_width."
        )
    edges[-1] += 1  # lets the maximum into the last bin
    return edges.astype(np.float64)


def _where(low, high):
    return f"on intensities from {low:g} to {high:g}"
