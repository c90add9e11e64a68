"""Grey levels of a region in; co-occurrence tables and the twenty-four GLCM features out."""

import numpy as np

from radiodeep.exceptions import RoiTooSmallError
from radiodeep.handcrafted.kernels.glcm import add_directions, count_pairs
from radiodeep.handcrafted.neighbours import directions, offsets_in, step_lengths

_APART = 48  # numbers between two tables
_TABLE_BYTES = 2**26  # directions are taken together while their tables stay below this


def glcm_features(region, levels, *, distances=(1,), symmetrical=True, weighting_norm=None):
    """Texture from pairs of grey levels of neighbouring voxels, in the order of the catalogue.

    Every feature is calculated in each direction that holds a pair and averaged over these
    directions. With a weighting norm the tables are weighted by exp(-|step|²), |step| in mm, added
    up, and give one value.

    Conventions where a definition has none: in a direction with one grey level Correlation is 1 and
    Imc1 and Imc2 are 0, as where the two grey levels of a pair are independent but for rounding; MCC
    is 1 if the whole region has one grey level.

    Parameters
    ----------
    region : Region
        Its margin must not be smaller than the largest distance.
    levels : GrayLevels
    distances : sequence of int from 1 to 20, default=(1,)
        Steps in voxels, as the largest of |dz|, |dy|, |dx|: 13 directions for 1, 49 for 2.
    symmetrical : bool, default=True
        Count each pair in both orders.
    weighting_norm : {None, "infinity", "euclidean", "manhattan", "no_weighting"}, default=None
        Length of a step for the weights; "no_weighting" adds the tables up as they are.

    Returns
    -------
    ndarray of float64 (24,)

    Raises
    ------
    RoiTooSmallError
        If no two voxels of the region are neighbours at these distances.

    References
    ----------
    pyradiomics `glcm`; IBSI family LFYI, aggregation ITBB (3-D, averaged).

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.gray_levels import discretise
    >>> from radiodeep.handcrafted.region import crop_region
    >>> image = np.array([[[1, 1, 2, 2]]])
    >>> region = crop_region(image, image > 0, (1, 1, 1))
    >>> values = glcm_features(region, discretise(region, bin_width=1))
    >>> round(float(values[4]), 4)  # Contrast: one of three pairs differs by 1
    0.3333
    """
    steps = directions(tuple(distances), region.flat_axis)
    sums, n_used = np.zeros(24), 0
    merged = 0.0
    for part in _parts(steps, levels):
        tables = cooccurrence_tables(region, levels, part).astype(np.float64)
        if weighting_norm is None:
            n_used += add_directions(tables, levels.values, levels.highest, symmetrical, sums)
        else:
            merged = merged + np.tensordot(_weights(part, region.spacing_mm, weighting_norm), tables, 1)
    if weighting_norm is not None:
        n_used = add_directions(merged[np.newaxis], levels.values, levels.highest, symmetrical, sums)
    if n_used == 0:
        raise RoiTooSmallError(
            f"No two of the region's {region.values.size} voxels are neighbours at the distances "
            f"{tuple(distances)}. GLCM features need at least one pair; outline a connected region."
        )
    return sums / n_used


def cooccurrence_tables(region, levels, steps):
    """Count the pairs of grey levels along each step; those of direct neighbours are kept in `levels.shared`.

    Parameters
    ----------
    region : Region
    levels : GrayLevels
    steps : ndarray of int64 (n_directions, 3)
        Steps (z, y, x), none longer than the region's margin.

    Returns
    -------
    ndarray of uint32 (n_directions, n_present + 1, n_present + 1)
        Voxels of level `levels.values[i - 1]` whose neighbour has `levels.values[j - 1]`; row and
        column 0 hold the pairs that leave the region.
    """
    near = np.abs(steps).max() == 1
    if not near or steps.tobytes() not in levels.shared:
        n = levels.values.size + 1
        # Tables that lie a multiple of 4 kB apart disturb each other in the processor's store buffer.
        tables = np.zeros((len(steps), n * n + _APART), np.uint32)
        count_pairs(levels.volume.reshape(-1), region.positions, offsets_in(region, steps), n, tables)
        tables = tables[:, : n * n].reshape(len(steps), n, n)
        if not near:
            return tables
        levels.shared[steps.tobytes()] = tables
    return levels.shared[steps.tobytes()]


def equal_pairs(region, levels):
    """Count the pairs of direct neighbours that have one grey level: int64 (n_directions, n_present)."""
    steps = directions((1,), region.flat_axis)
    pairs = np.empty((len(steps), levels.values.size), np.int64)
    first = 0
    for part in _parts(steps, levels):
        tables = cooccurrence_tables(region, levels, part)
        pairs[first : first + len(part)] = np.einsum("kii->ki", tables)[:, 1:]
        first += len(part)
    return pairs


def _parts(steps, levels):
    """Split the directions so that the tables of each part stay below `_TABLE_BYTES`."""
    at_once = max(1, _TABLE_BYTES // (8 * (levels.values.size + 1) ** 2))
    if at_once >= len(steps):
        return [steps]
    return [steps[start : start + at_once] for start in range(0, len(steps), at_once)]


def _weights(steps, spacing_mm, norm):
    if norm == "no_weighting":
        return np.ones(len(steps))
    return np.exp(-(step_lengths(steps, spacing_mm, norm) ** 2))
