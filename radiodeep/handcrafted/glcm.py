"""Grey levels of a region in; co-occurrence tables and the twenty-four GLCM features out."""

from functools import lru_cache
from itertools import product
from numbers import Integral

import numpy as np

from radiodeep.exceptions import InputError, RoiTooSmallError
from radiodeep.handcrafted.kernels.glcm import add_directions, count_pairs

WEIGHTING_NORMS = ("infinity", "euclidean", "manhattan", "no_weighting")

_FARTHEST = 20  # voxels; the border around a region and the number of directions grow with it
_TABLE_BYTES = 2**26  # directions are taken together while their tables stay below this


def glcm_features(region, levels, *, distances=(1,), symmetrical=True, weighting_norm=None):
    """Texture from pairs of grey levels of neighbouring voxels, in the order of the catalogue.

    Every feature is calculated in each direction that holds a pair and averaged over these
    directions. With a weighting norm the tables are weighted by exp(-|step|²), |step| in mm, added
    up, and give one value.

    Conventions where a definition has none: in a direction with one grey level Correlation is 1 and
    Imc1 and Imc2 are 0; MCC is 1 if the whole region has one grey level. Imc2 leaves out directions
    where rounding makes its root imaginary (0 if that is all of them).

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
    InputError
        If a setting is not one of those listed.

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
    check_glcm_settings(distances, symmetrical, weighting_norm)
    steps = directions(tuple(distances))
    sums, counts = np.zeros(24), np.zeros(24, np.int64)
    merged = 0.0
    for part in np.array_split(steps, _n_parts(len(steps), levels)):
        tables = cooccurrence_tables(region, levels, part).astype(np.float64)
        if weighting_norm is None:
            add_directions(tables, levels.values, levels.highest, symmetrical, sums, counts)
        else:
            merged = merged + np.tensordot(_weights(part, region.spacing_mm, weighting_norm), tables, 1)
    if weighting_norm is not None:
        add_directions(merged[np.newaxis], levels.values, levels.highest, symmetrical, sums, counts)
    if counts[0] == 0:
        raise RoiTooSmallError(
            f"No two of the region's {region.values.size} voxels are neighbours at the distances "
            f"{tuple(distances)}. GLCM features need at least one pair; outline a connected region."
        )
    return sums / np.maximum(counts, 1)


def cooccurrence_tables(region, levels, steps):
    """Count the pairs of grey levels along each step.

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
    n = levels.values.size + 1
    tables = np.zeros((len(steps), n, n), np.uint32)
    strides = np.array([region.mask.shape[1] * region.mask.shape[2], region.mask.shape[2], 1])
    count_pairs(levels.volume.reshape(-1), region.positions, steps @ strides, tables)
    return tables


@lru_cache(maxsize=8)
def directions(distances):
    """Steps (z, y, x) to one of each pair of opposite neighbours: int64 (n_directions, 3), read-only.

    Examples
    --------
    >>> len(directions((1,))), len(directions((2,)))
    (13, 49)
    """
    far = max(distances)
    steps = [step for step in product(range(-far, far + 1), repeat=3) if max(map(abs, step)) in distances]
    steps = np.array(sorted((step for step in steps if step > (0, 0, 0)), reverse=True), np.int64)
    steps.flags.writeable = False
    return steps


def check_glcm_settings(distances, symmetrical, weighting_norm):
    """Refuse settings of the GLCM that are not allowed."""
    whole = isinstance(distances, list | tuple | np.ndarray) and all(
        isinstance(step, Integral) and not isinstance(step, bool) and 0 < step <= _FARTHEST for step in distances
    )
    if not whole or len(distances) == 0:
        raise InputError(
            f"The 'distances' parameter must be ints from 1 to {_FARTHEST}, as (1,). Got {distances!r} instead."
        )
    if not isinstance(symmetrical, bool | np.bool_):
        raise InputError(f"The 'symmetrical_glcm' parameter must be True or False. Got {symmetrical!r} instead.")
    if weighting_norm is not None and weighting_norm not in WEIGHTING_NORMS:
        raise InputError(
            f"The 'weighting_norm' parameter must be None or one of {', '.join(WEIGHTING_NORMS)}. "
            f"Got {weighting_norm!r} instead."
        )


def _n_parts(n_directions, levels):
    one_table = 8 * (levels.values.size + 1) ** 2
    return min(n_directions, -(-n_directions * one_table // _TABLE_BYTES))


def _weights(steps, spacing_mm, norm):
    lengths = np.abs(steps * spacing_mm)  # (n_directions, zyx) in mm
    if norm == "no_weighting":
        return np.ones(len(steps))
    if norm == "infinity":
        return np.exp(-(lengths.max(axis=1) ** 2))
    if norm == "euclidean":
        return np.exp(-(lengths**2).sum(axis=1))
    return np.exp(-(lengths.sum(axis=1) ** 2))
