"""In: the neighbourhoods of a region. Out: the features of all five texture families, measured together."""

import numpy as np

from radiodeep.handcrafted.glcm import glcm_features
from radiodeep.handcrafted.gldm import GLDM_ORDER, gldm_features
from radiodeep.handcrafted.glrlm import GLRLM_ORDER, glrlm_features, longest_run
from radiodeep.handcrafted.glszm import GLSZM_ORDER, glszm_features
from radiodeep.handcrafted.kernels.texture import describe_texture
from radiodeep.handcrafted.neighbours import group_representatives
from radiodeep.handcrafted.ngtdm import ngtdm_features

_MOST_LEVELS = 64  # with more, laying out and splitting the tables with care pays


def texture_features(neighbourhoods, *, symmetrical=True, weighting_norm=None):
    """Features of GLCM, GLRLM, GLSZM, GLDM and NGTDM, a dict by family: the values of the function of each family.

    In small regions the steps between the families take longer than the families themselves; the usual settings (direct
    neighbours, no weights, at most 64 grey levels) therefore use one compiled function.
    """
    is_usual = neighbourhoods.has_direct_neighbours_only and weighting_norm is None
    if is_usual and neighbourhoods.levels.highest <= _MOST_LEVELS:
        values = _compiled(neighbourhoods, symmetrical)
        if values is not None:
            return values
    return {
        "glcm": glcm_features(neighbourhoods, symmetrical=symmetrical, weighting_norm=weighting_norm),
        "glrlm": glrlm_features(neighbourhoods, weighting_norm=weighting_norm),
        "glszm": glszm_features(neighbourhoods),
        "gldm": gldm_features(neighbourhoods),
        "ngtdm": ngtdm_features(neighbourhoods),
    }


def _compiled(neighbourhoods, symmetrical):
    """Return the features of all families, or None if some direction holds no pair of neighbours.

    Whether such a direction counts in the means of GLRLM depends on lines with gaps, which only `run_tables` examines.
    """
    region = neighbourhoods.region
    levels = neighbourhoods.levels
    offsets = neighbourhoods.direct_offsets
    glcm, runs, zones, dependences, tones, is_complete = describe_texture(
        levels.volume.reshape(-1),
        levels.gray.reshape(-1),
        region.positions,
        levels.values,
        levels.counts,
        offsets,
        np.concatenate([offsets, -offsets]),
        group_representatives(region.flat_axis),
        longest_run(region),
        symmetrical,
        neighbourhoods.alpha,
    )
    if not is_complete:
        return None
    return {
        "glcm": glcm / offsets.size,
        "glrlm": runs[GLRLM_ORDER],
        "glszm": zones[GLSZM_ORDER],
        "gldm": dependences[GLDM_ORDER],
        "ngtdm": tones,
    }
