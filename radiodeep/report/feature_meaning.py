"""Name of a feature -> what kind it is, and what it describes in plain words."""

import re
from dataclasses import dataclass

from radiodeep.handcrafted.catalogue import FEATURES
from radiodeep.handcrafted.ibsi.catalogue import FEATURE_OF_TAG, ibsi_column
from radiodeep.report.ibsi_words import AGGREGATION_WORDS, IBSI_FAMILY_WORDS, IBSI_WORDS

HANDCRAFTED, DEEP, OTHER = "handcrafted", "deep", "clinical or other"

_FAMILIES = {
    "shape": "the outline: how large, long, flat or compact the region is",
    "shape2D": "the outline in a slice: how large, long or compact the region is",
    "firstorder": "how bright the voxels are and how much they vary, wherever they lie",
    "glcm": "texture: which gray levels lie next to each other",
    "glrlm": "texture: how long the runs of voxels of one gray level are, as in stripes",
    "glszm": "texture: how large the connected zones of one gray level are, as in patches",
    "gldm": "texture: how many neighbours of a voxel have about its gray level",
    "ngtdm": "texture: how much a voxel differs from the mean of its neighbours",
    "laws": "texture: the strength of edges, spots, waves and ripples, by Laws' filters",
    "laws2D": "texture in a slice: the strength of edges, spots, waves and ripples, by Laws' filters",
    "lbp2D": "texture in a slice: how often small patterns such as edges, corners and spots occur",
    "lbp3D": "texture: how often small patterns such as edges, corners and spots occur",
    "spiculation": "the outline: spikes and dents, and how far it is from round",
    "spiculation2D": "the outline in a slice: spikes and dents, and how far it is from round",
    "margin": "the border: how sharply the image changes across the outline",
    "habitats": "parts of the lesion that look alike: how large they are and how they differ",
}
_FEATURES = {
    "Elongation": "1 for round, 0 for a line",
    "Flatness": "1 for a ball, 0 for a disc",
    "Sphericity": "1 for a ball, less for an irregular outline",
    "Maximum3DDiameter": "largest distance of two points of the outline",
    "MeshVolume": "volume",
    "VoxelVolume": "volume",
    "SurfaceVolumeRatio": "large for small or irregular regions",
    "Mean": "mean brightness",
    "Median": "median brightness",
    "Entropy": "disorder of the brightness",
    "Uniformity": "large if most voxels are equally bright",
    "Skewness": "above 0 with few bright voxels, below 0 with few dark ones",
    "Kurtosis": "large with few voxels far from the mean",
    "Energy": "sum of squared values, which grows with the volume",
    "TotalEnergy": "sum of squared values, which grows with the volume",
    "Contrast": "large if neighbours differ",
    "Correlation": "large if neighbours are alike in a regular way",
    "Coarseness": "large for smooth regions",
    "Busyness": "large for quick changes from voxel to voxel",
    "Id": "large if neighbours are alike",
    "Idm": "large if neighbours are alike",
    "JointEntropy": "disorder of neighbouring pairs",
    "RunLengthNonUniformity": "grows with the volume",
    "GrayLevelNonUniformity": "grows with the volume",
    "SizeZoneNonUniformity": "grows with the volume",
    "DependenceNonUniformity": "grows with the volume",
}
_IMAGES = (
    ("original", "the image itself"),
    ("wavelet", "details of one scale and direction (wavelet)"),
    ("log-sigma", "blobs and edges of one size (Laplacian of Gaussian)"),
    ("gradient", "how steeply the image changes"),
    ("riesz", "direction of edges (Riesz transform)"),
    ("log_sigma", "blobs and edges of one size (Laplacian of Gaussian)"),
    ("laws", "edges, spots, waves and ripples (Laws' filter)"),
    ("gabor", "stripes of one width (Gabor filter)"),
    ("simoncelli", "details of one scale (Simoncelli wavelet)"),
    ("mean_support", "the image, blurred (mean filter)"),
    ("lbp", "small patterns (local binary pattern)"),
    ("square", "brightness, squared"),
    ("logarithm", "brightness, its logarithm"),
    ("exponential", "brightness, its exponential"),
)
_IBSI_OF = {(feature.family, feature.name): feature.ibsi_id for feature in FEATURES}
_KNOWN = sorted({*_FAMILIES, *(family for family, _ in _IBSI_OF)}, key=len, reverse=True)
_HANDCRAFTED_NAME = re.compile(rf"(?:^|_)({'|'.join(map(re.escape, _KNOWN))})_(.+)$")
_PREFIXES = sorted({tag.partition("_")[0] for tag in FEATURE_OF_TAG})
_STANDARD_NAME = re.compile(rf"(?=(?:^|_)((?:{'|'.join(_PREFIXES)})_.+)$)")
_DEEP_NAME = re.compile(r"^(.*?)_?([a-z0-9.]+)_\d{4}$")


@dataclass(frozen=True)
class FeatureMeaning:
    """What the name of a feature tells: its kind, family, image, IBSI id, and what it describes; "" for unknown."""

    kind: str
    family: str = ""
    image: str = ""
    ibsi_id: str = ""
    words: str = ""


def feature_meaning(name):
    """Return the FeatureMeaning of a name such as "wavelet-LLH_glcm_Contrast" or "radiodeep-mini_pool_0012".

    >>> feature_meaning("original_shape_Sphericity").words
    'the outline: how large, long, flat or compact the region is (1 for a ball, less for an irregular outline)'
    """
    name = str(name)
    standard = standard_feature(name)
    if standard is not None:
        return _standard_meaning(*standard)
    found = _HANDCRAFTED_NAME.search(name)
    if found is not None:
        family, feature = found.groups()
        image = name[: found.start()].lower()
        words = next((meaning for part, meaning in _IMAGES if part in image), "")
        ibsi_id = _IBSI_OF.get((family, feature)) or ""
        detail = _FEATURES.get(feature) or IBSI_WORDS.get(ibsi_id)
        of_family = _FAMILIES.get(family, "")
        return FeatureMeaning(HANDCRAFTED, family, words, ibsi_id, f"{of_family} ({detail})" if detail else of_family)
    found = _DEEP_NAME.match(name)
    if found is not None and found.group(1):
        network, layer = found.groups()
        return FeatureMeaning(DEEP, network, "", "", f"what unit of layer '{layer}' of the network reacts to")
    return FeatureMeaning(OTHER)


def standard_feature(name):
    """Return the image and the `IbsiColumn` of a name under the convention of the IBSI, or None for other names.

    >>> image, column = standard_feature("laws_L5E5E5_cm_contrast_3D_comb")
    >>> image, column.feature.ibsi_id, column.aggregation_id
    ('laws_L5E5E5', 'ACUI', 'IAZD')
    """
    for match in _STANDARD_NAME.finditer(name):
        column = ibsi_column(match.group(1))
        if column is not None:
            return name[: match.start()], column
    return None


def _standard_meaning(image, column):
    image = image.lower()
    words = next((meaning for part, meaning in _IMAGES if part in image), "")
    feature = column.feature
    how = f", {AGGREGATION_WORDS[column.aggregation_id]}" if column.aggregation_id else ""
    described = f"{IBSI_FAMILY_WORDS[feature.family]}{how} ({feature.name.lower()}: {IBSI_WORDS[feature.ibsi_id]})"
    return FeatureMeaning(HANDCRAFTED, feature.family, words, feature.ibsi_id, described)
