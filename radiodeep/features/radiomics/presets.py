"""Names of sets of features -> parameters of `RadiomicsExtractor`."""

from copy import deepcopy

from radiodeep.checks import require_option

# The counts are chosen so that both sets have 219 features: 39 + 9 images * 20, and 33 + 6 images * 31.
_STUDY_219 = {
    "families": {
        "shape": None,
        "spiculation": None,
        "margin": None,
        "firstorder": ["Entropy", "Kurtosis", "Mean", "RobustMeanAbsoluteDeviation", "Skewness", "Variance"],
        "glcm": ["Autocorrelation", "ClusterShade", "Contrast", "Correlation", "Idm", "JointEntropy"],
        "glrlm": [
            "GrayLevelNonUniformityNormalized",
            "LongRunEmphasis",
            "RunLengthNonUniformityNormalized",
            "ShortRunEmphasis",
        ],
        "laws": ["L5L5E5Energy", "L5L5S5Energy", "L5E5E5Energy", "L5S5S5Energy"],
    },
    "image_types": {"Original": {}, "Wavelet": {}},
}
_STUDY_219_2D = {
    "families": {
        "shape2D": None,
        "spiculation2D": None,
        "margin": None,
        "firstorder": [
            "10Percentile",
            "90Percentile",
            "Entropy",
            "InterquartileRange",
            "Kurtosis",
            "Mean",
            "RobustMeanAbsoluteDeviation",
            "Skewness",
            "Variance",
        ],
        "glcm": [
            "Autocorrelation",
            "ClusterProminence",
            "ClusterShade",
            "Contrast",
            "Correlation",
            "Idm",
            "Imc1",
            "Imc2",
            "JointEnergy",
            "JointEntropy",
        ],
        "glrlm": [
            "GrayLevelNonUniformityNormalized",
            "LongRunEmphasis",
            "RunEntropy",
            "RunLengthNonUniformityNormalized",
            "RunPercentage",
            "ShortRunEmphasis",
        ],
        "laws2D": ["L5E5Energy", "L5S5Energy", "L5R5Energy", "E5E5Energy", "E5S5Energy", "S5S5Energy"],
    },
    "image_types": {"Original": {}, "LoG": {"sigma": [2.0], "in_plane": True}, "Wavelet": {}},
    "force_2d": True,
}
PRESETS = {"study-219": _STUDY_219, "study-219-2d": _STUDY_219_2D}


def preset_parameters(name):
    """Return the parameters of a preset, a copy of its own for each extractor."""
    require_option(name, PRESETS, "RadiomicsExtractor.preset", "name")
    return deepcopy(PRESETS[name])
