"""Grey levels of a region in; the features of all five texture families, at once, out."""

import numpy as np

from radiodeep.handcrafted.glcm import glcm_features
from radiodeep.handcrafted.gldm import GLDM_ORDER, gldm_features
from radiodeep.handcrafted.glrlm import GLRLM_ORDER, glrlm_features
from radiodeep.handcrafted.glszm import GLSZM_ORDER, glszm_features
from radiodeep.handcrafted.kernels.texture import describe_texture
from radiodeep.handcrafted.neighbours import directions, group_representatives, offsets_in
from radiodeep.handcrafted.ngtdm import ngtdm_features

TEXTURE_FAMILIES = ("glcm", "glrlm", "glszm", "gldm", "ngtdm")

_MOST_LEVELS = 64  # above, the tables are worth to be laid out and split with more care than here


def texture_features(region, levels, *, distances=(1,), symmetrical=True, weighting_norm=None, alpha=0):
    """Features of all of `TEXTURE_FAMILIES`, one after the other: those of the functions of each family.

    Small regions spend more time between the families than in them; the usual settings therefore go
    through one compiled function.

    Parameters
    ----------
    region : Region
    levels : GrayLevels
    distances, symmetrical, weighting_norm, alpha
        As in `glcm_features`, `glrlm_features` and `gldm_features`.

    Returns
    -------
    ndarray of float64 (75,)
    """
    if tuple(distances) == (1,) and weighting_norm is None and levels.highest <= _MOST_LEVELS:
        offsets = offsets_in(region, directions((1,), region.flat_axis))
        glcm, runs, zones, dependences, tones, complete = describe_texture(
            levels.volume.reshape(-1),
            levels.gray.reshape(-1),
            region.positions,
            levels.values,
            levels.counts,
            offsets,
            np.concatenate([offsets, -offsets]),
            group_representatives(region.flat_axis),
            max(2, max(region.mask.shape) - 2 * region.margin),
            symmetrical,
            alpha,
        )
        if complete:
            return np.concatenate(
                [glcm / offsets.size, runs[GLRLM_ORDER], zones[GLSZM_ORDER], dependences[GLDM_ORDER], tones]
            )
    return np.concatenate(
        [
            glcm_features(region, levels, distances=distances, symmetrical=symmetrical, weighting_norm=weighting_norm),
            glrlm_features(region, levels, weighting_norm=weighting_norm),
            glszm_features(region, levels),
            gldm_features(region, levels, distances=distances, alpha=alpha),
            ngtdm_features(region, levels, distances=distances, alpha=alpha),
        ]
    )
