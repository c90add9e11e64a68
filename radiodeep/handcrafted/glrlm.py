"""Grey levels of a region in; the sixteen features of its grey level runs out."""

import numpy as np

from radiodeep.exceptions import RoiTooSmallError
from radiodeep.handcrafted.glcm import equal_pairs
from radiodeep.handcrafted.kernels.neighbours import count_runs
from radiodeep.handcrafted.kernels.size_tables import DESCRIPTIONS, describe_directions
from radiodeep.handcrafted.neighbours import directions, equal_links, step_lengths

GLRLM_ORDER = [
    DESCRIPTIONS.index(name)
    for name in (
        "gray non-uniformity",
        "gray non-uniformity normalised",
        "gray variance",
        "high gray",
        "large",
        "large high gray",
        "large low gray",
        "low gray",
        "entropy",
        "size non-uniformity",
        "size non-uniformity normalised",
        "percentage",
        "size variance",
        "small",
        "small high gray",
        "small low gray",
    )
]


def glrlm_features(region, levels, *, weighting_norm=None):
    """Texture from runs of voxels of one grey level, in the order of the catalogue.

    Every feature is calculated in each direction in which some line through the region holds two of
    its voxels, and averaged over these directions. With a weighting norm the tables are weighted by
    the length of the step in mm, added up, and give one value.

    Parameters
    ----------
    region : Region
    levels : GrayLevels
    weighting_norm : {None, "infinity", "euclidean", "manhattan", "no_weighting"}, default=None
        Length of a step; "no_weighting" adds the tables up as they are.

    Returns
    -------
    ndarray of float64 (16,)

    Raises
    ------
    RoiTooSmallError
        If no line along any direction holds two voxels of the region.

    References
    ----------
    pyradiomics `glrlm`; IBSI family TP0I, aggregation ITBB (3-D, averaged). Galloway MM. Texture
    analysis using gray level run lengths. Computer Graphics and Image Processing 4:172-179, 1975.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.gray_levels import discretise
    >>> from radiodeep.handcrafted.region import crop_region
    >>> image = np.array([[[1, 1, 1, 2]]])
    >>> region = crop_region(image, image > 0, (1, 1, 1))
    >>> values = glrlm_features(region, discretise(region, bin_width=1))
    >>> float(values[4]), float(values[11])  # LongRunEmphasis, RunPercentage: runs of 3 and of 1
    (5.0, 0.5)
    """
    runs = run_tables(region, levels)
    if weighting_norm is not None:
        weights = step_lengths(directions((1,), region.flat_axis), region.spacing_mm, weighting_norm)
        runs = np.tensordot(weights, runs, 1)[np.newaxis]
    sizes = np.arange(1.0, runs.shape[2] + 1)
    values = describe_directions(runs, levels.values.astype(np.float64), sizes)[GLRLM_ORDER]
    if np.isnan(values[0]):
        raise RoiTooSmallError(
            f"No two of the region's {region.values.size} voxels lie on a line of voxels. "
            "GLRLM features need at least one such line; outline a connected region."
        )
    return values


def run_tables(region, levels):
    """Count the runs of each grey level by their length.

    Returns
    -------
    ndarray of float64 (n_directions, n_present, longest)
        Runs of level `levels.values[i]` and of length j + 1. All zero for a direction of whose lines
        none holds two voxels of the region.
    """
    offsets, links = equal_links(region, levels)
    longest = max(2, max(region.mask.shape) - 2 * region.margin)
    runs = np.zeros((len(offsets), levels.values.size, longest + 1))
    pairs = equal_pairs(region, levels)
    count_runs(levels.volume.reshape(-1), links, region.positions, offsets, levels.counts, pairs, runs)
    for k, n_pairs in enumerate(pairs.sum(axis=1).tolist()):
        if n_pairs == 0 and not _shares_a_line(region, directions((1,), region.flat_axis)[k]):
            runs[k] = 0
    return np.ascontiguousarray(runs[:, :, 1:])


def _shares_a_line(region, step):
    """Whether some line along a step holds two voxels of the region, whatever lies between."""
    places = np.stack(np.unravel_index(region.positions, region.mask.shape), axis=1)
    axis = int(np.flatnonzero(step)[0])
    lines = places - np.outer(places[:, axis] * step[axis], step)
    return len(np.unique(lines, axis=0)) < len(lines)
