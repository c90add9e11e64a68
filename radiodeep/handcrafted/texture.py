"""In: the neighbourhoods of a region. Out: the features of all five texture families."""

from radiodeep.handcrafted.glcm import glcm_features
from radiodeep.handcrafted.gldm import gldm_features
from radiodeep.handcrafted.glrlm import glrlm_features
from radiodeep.handcrafted.glszm import glszm_features
from radiodeep.handcrafted.ngtdm import ngtdm_features


def texture_features(neighbourhoods, *, symmetrical=True, weighting_norm=None):
    """Features of GLCM, GLRLM, GLSZM, GLDM and NGTDM, a dict by family: the values of the function of each family."""
    return {
        "glcm": glcm_features(neighbourhoods, symmetrical=symmetrical, weighting_norm=weighting_norm),
        "glrlm": glrlm_features(neighbourhoods, weighting_norm=weighting_norm),
        "glszm": glszm_features(neighbourhoods),
        "gldm": gldm_features(neighbourhoods),
        "ngtdm": ngtdm_features(neighbourhoods),
    }
