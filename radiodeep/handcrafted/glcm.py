"""In: the neighbourhoods of a region. Out: the 24 features of its co-occurrence of grey levels (GLCM)."""

import numpy as np

from radiodeep.exceptions import RoiTooSmallError
from radiodeep.handcrafted.kernels.glcm import add_directions
from radiodeep.handcrafted.neighbours import step_lengths


def glcm_features(neighbourhoods, *, symmetrical=True, weighting_norm=None):
    """Texture from pairs of grey levels of neighbouring voxels: float64 (24,), in the order of the catalogue.

    Every feature is calculated in each direction that holds a pair, and averaged over these directions. `symmetrical`
    tables count each pair in both orders. With a weighting norm (of `WEIGHTING_NORMS`) the tables are weighted by
    exp(-|step|²), |step| in mm, and added up to one table; "no_weighting" adds them up without weights.

    Where the definitions are undefined: in a direction with one grey level Correlation is 1; Imc1 and Imc2 are 0 there
    and wherever the grey levels of a pair are independent up to rounding; MCC is 1 if the whole region has one grey
    level.

    Raises
    ------
    RoiTooSmallError
        No two voxels of the region are neighbours at the distances of the neighbourhoods.

    References
    ----------
    pyradiomics `glcm`; IBSI family LFYI, aggregation ITBB (3-D, averaged).
    """
    region = neighbourhoods.region
    levels = neighbourhoods.levels
    sums = np.zeros(24)
    n_used = 0
    merged = 0.0
    for steps, counts in neighbourhoods.pairs():
        tables = counts.astype(np.float64)
        if weighting_norm is None:
            n_used += add_directions(tables, levels.values, levels.highest, symmetrical, sums)
        else:
            merged = merged + np.tensordot(_weights(steps, region.spacing_mm, weighting_norm), tables, 1)
    if weighting_norm is not None:
        n_used = add_directions(merged[np.newaxis], levels.values, levels.highest, symmetrical, sums)
    if n_used == 0:
        raise RoiTooSmallError(
            f"No two of the region's {region.values.size} voxels are neighbours at the distances "
            f"{neighbourhoods.distances}. GLCM features need at least one pair; outline a connected region."
        )
    return sums / n_used


def _weights(steps, spacing_mm, norm):
    if norm == "no_weighting":
        return np.ones(len(steps))
    return np.exp(-(step_lengths(steps, spacing_mm, norm) ** 2))
