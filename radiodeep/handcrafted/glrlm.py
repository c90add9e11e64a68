"""In: the neighbourhoods of a region. Out: the 16 features of its runs of equal grey level (GLRLM)."""

import numpy as np

from radiodeep.exceptions import RoiTooSmallError
from radiodeep.handcrafted.kernels.neighbours import count_runs
from radiodeep.handcrafted.kernels.size_tables import describe_directions, order_of
from radiodeep.handcrafted.neighbours import step_lengths

GLRLM_ORDER = order_of(
    "gray non-uniformity, gray non-uniformity normalised, gray variance, high gray, large, large high gray, "
    "large low gray, low gray, entropy, size non-uniformity, size non-uniformity normalised, percentage, "
    "size variance, small, small high gray, small low gray"
)


def glrlm_features(neighbourhoods, *, weighting_norm=None):
    """Texture from runs of voxels of one grey level: float64 (16,), in the order of the catalogue.

    Every feature is calculated in each direction in which some line through the region holds two of its voxels, and
    averaged over these directions. With a weighting norm (of `WEIGHTING_NORMS`) the tables are weighted by the length
    of the step in mm and added up to one table; "no_weighting" adds them up without weights.

    Raises
    ------
    RoiTooSmallError
        No line along any direction holds two voxels of the region.

    References
    ----------
    pyradiomics `glrlm`; IBSI family TP0I, aggregation ITBB (3-D, averaged). Galloway MM. Texture
    analysis using gray level run lengths. Computer Graphics and Image Processing 4:172-179, 1975.
    """
    region = neighbourhoods.region
    runs = run_tables(neighbourhoods)
    if weighting_norm is not None:
        weights = step_lengths(neighbourhoods.direct_steps, region.spacing_mm, weighting_norm)
        runs = np.tensordot(weights, runs, 1)[np.newaxis]
    sizes = np.arange(1.0, runs.shape[2] + 1)
    values = describe_directions(runs, neighbourhoods.levels.values.astype(np.float64), sizes)[GLRLM_ORDER]
    if np.isnan(values[0]):
        raise RoiTooSmallError(
            f"No two of the region's {region.values.size} voxels lie on a line of voxels. "
            "GLRLM features need at least one such line; outline a connected region."
        )
    return values


def run_tables(neighbourhoods):
    """Count the runs of each grey level by their length: float64 (n_directions, n_present, longest).

    Entry [k, i, j] counts the runs of level `levels.values[i]` and of j + 1 voxels in direction k. All entries of a
    direction in which no line holds two voxels of the region are 0.
    """
    region = neighbourhoods.region
    levels = neighbourhoods.levels
    offsets = neighbourhoods.direct_offsets
    pairs = _equal_pairs(neighbourhoods)
    runs = np.zeros((len(offsets), levels.values.size, longest_run(region) + 1))
    volume = levels.volume.reshape(-1)
    count_runs(volume, neighbourhoods.equal_links, region.positions, offsets, levels.counts, pairs, runs)
    for k, n_pairs in enumerate(pairs.sum(axis=1).tolist()):
        if n_pairs == 0 and not _shares_a_line(region, neighbourhoods.direct_steps[k]):
            runs[k] = 0
    return np.ascontiguousarray(runs[:, :, 1:])


def longest_run(region):
    """Return the number of voxels of the longest run that the box of a region has room for, at least 2."""
    return max(2, max(region.mask.shape) - 2 * region.margin)


def _equal_pairs(neighbourhoods):
    """Count the pairs of direct neighbours that have one grey level: int64 (n_directions, n_present)."""
    diagonals = [np.einsum("kii->ki", counts)[:, 1:] for _, counts in neighbourhoods.direct_pairs]
    return np.concatenate(diagonals, dtype=np.int64)


def _shares_a_line(region, step):
    """Return whether some line along a step holds two voxels of the region, whatever lies between them.

    Every voxel is moved along the step until its first coordinate along which the step goes is 0: voxels of one line
    end at the same place.
    """
    places = np.stack(np.unravel_index(region.positions, region.mask.shape), axis=1)
    axis = int(np.flatnonzero(step)[0])
    lines = places - np.outer(places[:, axis] * step[axis], step)
    return len(np.unique(lines, axis=0)) < len(lines)
