"""In: names of families. Out: the list of their features.

`FEATURES` is the only list of handcrafted features: it defines names, order and IBSI ids, and the function of each
family returns its values in this order.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from radiodeep.checks import did_you_mean, invalid
from radiodeep.handcrafted.first_order import first_order_features
from radiodeep.handcrafted.glcm import glcm_features
from radiodeep.handcrafted.gldm import gldm_features
from radiodeep.handcrafted.glrlm import glrlm_features
from radiodeep.handcrafted.glszm import glszm_features
from radiodeep.handcrafted.laws import LAWS_2D_NAMES, LAWS_NAMES, laws_2d_features, laws_features
from radiodeep.handcrafted.local_binary_patterns import (
    LBP_2D_NAMES,
    LBP_3D_NAMES,
    lbp_2d_features,
    lbp_3d_features,
)
from radiodeep.handcrafted.margin import MARGIN_MM, margin_features
from radiodeep.handcrafted.ngtdm import ngtdm_features
from radiodeep.handcrafted.shape import shape_features
from radiodeep.handcrafted.shape_2d import shape_2d_features
from radiodeep.handcrafted.spiculation import spiculation_2d_features, spiculation_features
from radiodeep.handcrafted.texture import texture_features


@dataclass(frozen=True)
class Feature:
    """One handcrafted feature.

    Attributes
    ----------
    name : str
        pyradiomics' name, without image type and family: "Contrast".
    family : str
        pyradiomics' feature class: "glcm", or one that pyradiomics does not have: "laws".
    ibsi_id : str or None
        Id of the same definition in the IBSI reference manual; None if IBSI does not define it.
    function : callable
        Calculates the whole family at once, as float64 (n_features,): from (region, levels, **settings) in the
        families of `REGION_FAMILIES`, from (image, mask, spacing_mm, **settings) in those of `REACH_MM`, and from
        (neighbourhoods, **settings) in the others.
    """

    name: str
    family: str
    ibsi_id: str | None
    function: Callable


@dataclass(frozen=True)
class FamilyGroup:
    """Families that one function measures together, which is faster if all of them are chosen.

    The function returns a dict from family to float64 (n_features,) from (neighbourhoods, **settings).
    """

    families: tuple[str, ...]
    function: Callable


def _family(family, function, ibsi_ids):
    return tuple(Feature(name, family, ibsi_id, function) for name, ibsi_id in ibsi_ids.items())


_SPICULATION = (
    "ConvexityDeficit",
    "LargestConcavityDepth",
    "MeanConcavityDepth",
    "NumberOfConcavities",
    "RelativeConcavityDepth",
    "NumberOfProtrusions",
    "RadialAreaRatio",
    "RadialEntropy",
    "RadialRoughness",
    "RadialVariation",
    "RelativeProtrusionHeight",
)

FEATURES = (
    *_family(
        "shape",
        shape_features,
        {
            "Elongation": "Q3CK",
            "Flatness": "N17B",
            "LeastAxisLength": "7J51",
            "MajorAxisLength": "TDIC",
            "Maximum2DDiameterColumn": None,
            "Maximum2DDiameterRow": None,
            "Maximum2DDiameterSlice": None,
            "Maximum3DDiameter": "L0JK",
            "MeshVolume": "RNU0",
            "MinorAxisLength": "P9VJ",
            "Sphericity": "QCFX",
            "SurfaceArea": "C0JK",
            "SurfaceVolumeRatio": "2PR5",
            "VoxelVolume": "YEKZ",
        },
    ),
    *_family(
        "shape2D",
        shape_2d_features,
        {
            "Elongation": None,
            "MajorAxisLength": None,
            "MaximumDiameter": None,
            "MeshSurface": None,
            "MinorAxisLength": None,
            "Perimeter": None,
            "PerimeterSurfaceRatio": None,
            "PixelSurface": None,
            "Sphericity": None,
        },
    ),
    *_family(
        "spiculation",
        spiculation_features,
        {
            "HullAreaDensity": "7T7F",
            "HullVolumeDensity": "R3ER",
            **dict.fromkeys(_SPICULATION),
        },
    ),
    *_family("spiculation2D", spiculation_2d_features, dict.fromkeys(("FourierFactor", *_SPICULATION))),
    *_family(
        "firstorder",
        first_order_features,
        {
            "10Percentile": "QG58",
            "90Percentile": "8DWT",
            "Energy": "N8CA",  # with a voxel_array_shift of 0
            "Entropy": "TLU2",
            "InterquartileRange": "SALO",
            "Kurtosis": None,  # IBSI's IPH6 is the excess: this value less 3
            "Maximum": "84IY",
            "MeanAbsoluteDeviation": "4FUA",
            "Mean": "Q4LE",
            "Median": "Y12H",
            "Minimum": "1GSF",
            "Range": "2OJQ",
            "RobustMeanAbsoluteDeviation": "1128",
            "RootMeanSquared": "5ZWQ",  # with a voxel_array_shift of 0
            "Skewness": "KE2A",
            "TotalEnergy": None,
            "Uniformity": "BJ5W",
            "Variance": "ECT3",
        },
    ),
    *_family(
        "glcm",
        glcm_features,
        {
            "Autocorrelation": "QWB0",
            "ClusterProminence": "AE86",
            "ClusterShade": "7NFM",
            "ClusterTendency": "DG8W",
            "Contrast": "ACUI",
            "Correlation": "NI2N",
            "DifferenceAverage": "TF7R",
            "DifferenceEntropy": "NTRS",
            "DifferenceVariance": "D3YU",
            "Id": "IB1Z",
            "Idm": "WF0Z",
            "Idmn": "1QCO",
            "Idn": "NDRX",
            "Imc1": "R8DG",
            "Imc2": "JN9H",
            "InverseVariance": "E8JP",
            "JointAverage": "60VM",
            "JointEnergy": "8ZQL",
            "JointEntropy": "TU9B",
            "MCC": None,
            "MaximumProbability": "GYBY",
            "SumAverage": "ZGXS",
            "SumEntropy": "P6QZ",
            "SumSquares": "UR99",
        },
    ),
    *_family(
        "glrlm",
        glrlm_features,
        {
            "GrayLevelNonUniformity": "R5YN",
            "GrayLevelNonUniformityNormalized": "OVBL",
            "GrayLevelVariance": "8CE5",
            "HighGrayLevelRunEmphasis": "G3QZ",
            "LongRunEmphasis": "W4KF",
            "LongRunHighGrayLevelEmphasis": "3KUM",
            "LongRunLowGrayLevelEmphasis": "IVPO",
            "LowGrayLevelRunEmphasis": "V3SW",
            "RunEntropy": "HJ9O",
            "RunLengthNonUniformity": "W92Y",
            "RunLengthNonUniformityNormalized": "IC23",
            "RunPercentage": "9ZK5",
            "RunVariance": "SXLW",
            "ShortRunEmphasis": "22OV",
            "ShortRunHighGrayLevelEmphasis": "GD3A",
            "ShortRunLowGrayLevelEmphasis": "HTZT",
        },
    ),
    *_family(
        "glszm",
        glszm_features,
        {
            "GrayLevelNonUniformity": "JNSA",
            "GrayLevelNonUniformityNormalized": "Y1RO",
            "GrayLevelVariance": "BYLV",
            "HighGrayLevelZoneEmphasis": "5GN9",
            "LargeAreaEmphasis": "48P8",
            "LargeAreaHighGrayLevelEmphasis": "J17V",
            "LargeAreaLowGrayLevelEmphasis": "YH51",
            "LowGrayLevelZoneEmphasis": "XMSY",
            "SizeZoneNonUniformity": "4JP3",
            "SizeZoneNonUniformityNormalized": "VB3A",
            "SmallAreaEmphasis": "5QRC",
            "SmallAreaHighGrayLevelEmphasis": "HW1V",
            "SmallAreaLowGrayLevelEmphasis": "5RAI",
            "ZoneEntropy": "GU8N",
            "ZonePercentage": "P30P",
            "ZoneVariance": "3NSA",
        },
    ),
    *_family(
        "gldm",
        gldm_features,
        {
            "DependenceEntropy": "FCBV",
            "DependenceNonUniformity": "Z87G",
            "DependenceNonUniformityNormalized": "OKJI",
            "DependenceVariance": "DNX2",
            "GrayLevelNonUniformity": "FP8K",
            "GrayLevelVariance": "1PFV",
            "HighGrayLevelEmphasis": "OAE7",
            "LargeDependenceEmphasis": "IMOQ",
            "LargeDependenceHighGrayLevelEmphasis": "9QMG",
            "LargeDependenceLowGrayLevelEmphasis": "NBZI",
            "LowGrayLevelEmphasis": "TL9H",
            "SmallDependenceEmphasis": "SODN",
            "SmallDependenceHighGrayLevelEmphasis": "JA6D",
            "SmallDependenceLowGrayLevelEmphasis": "EQ3F",
        },
    ),
    *_family(
        "ngtdm",
        ngtdm_features,
        {
            "Busyness": "NQ30",
            "Coarseness": "QCDE",
            "Complexity": "HDEZ",
            "Contrast": "65HE",
            "Strength": "1X9X",
        },
    ),
    *_family("laws", laws_features, dict.fromkeys(LAWS_NAMES)),
    *_family("laws2D", laws_2d_features, dict.fromkeys(LAWS_2D_NAMES)),
    *_family("lbp2D", lbp_2d_features, dict.fromkeys(LBP_2D_NAMES)),
    *_family("lbp3D", lbp_3d_features, dict.fromkeys(LBP_3D_NAMES)),
    *_family(
        "margin",
        margin_features,
        dict.fromkeys(
            (
                "Contrast",
                "DeviationShare",
                "Gradient10Percentile",
                "Gradient90Percentile",
                "GradientMean",
                "GradientStandardDeviation",
                "RelativeContrast",
                "RelativeGradient",
                "SigmoidContrast",
                "SigmoidExplainedVariance",
                "SigmoidOffset",
                "SigmoidWidth",
            )
        ),
    ),
)

FAMILIES = tuple(dict.fromkeys(feature.family for feature in FEATURES))
TEXTURE_GROUP = FamilyGroup(("glcm", "glrlm", "glszm", "gldm", "ngtdm"), texture_features)
DEFAULT_FAMILIES = ("shape", "firstorder", *TEXTURE_GROUP.families)
PYRADIOMICS_FAMILIES = ("shape", "shape2D", "firstorder", *TEXTURE_GROUP.families)
SHAPE_FAMILIES = ("shape", "shape2D", "spiculation", "spiculation2D")  # of the mask alone, measured once for all images
LEVEL_FAMILIES = ("firstorder", *TEXTURE_GROUP.families)  # which count grey levels
REGION_FAMILIES = (*SHAPE_FAMILIES, "firstorder", "laws", "laws2D", "lbp2D", "lbp3D")  # of nothing but the region
SLICE_FAMILIES = ("spiculation2D", "laws2D", "lbp2D")  # of single slices: their functions take the `slice_axis`
UNITLESS_FAMILIES = ("lbp2D", "lbp3D")  # of intensities, but the same if these are multiplied by a constant
# Families that look at the image about the region, and how far in mm: their functions take image, mask and spacing in a
# box of this margin, cut at the border of the image, where intensities outside the region may be NaN or infinite.
REACH_MM = {"margin": MARGIN_MM}
ORIGINAL_FAMILIES = ("margin",)  # which say nothing of derived images
FUNCTION_OF = {feature.family: feature.function for feature in FEATURES}


def feature_names(families=DEFAULT_FAMILIES):
    """Return the names of the features of some families, as "glcm_Contrast", in the order of the catalogue.

    >>> len(feature_names()), feature_names(["glcm", "firstorder"])[0]
    (107, 'firstorder_10Percentile')
    """
    chosen = in_catalogue_order(families)
    return [f"{feature.family}_{feature.name}" for feature in FEATURES if feature.family in chosen]


def default_families(n_dimensions):
    """Return pyradiomics' families without the shape of the other dimension; None stands for three dimensions."""
    return ["shape2D" if n_dimensions == 2 and family == "shape" else family for family in DEFAULT_FAMILIES]


def reach_mm(families):
    """Return how far beyond the region some families look at the image, in mm."""
    return max((REACH_MM.get(family, 0.0) for family in families), default=0.0)


def in_catalogue_order(families):
    """Return the families in the order of the catalogue; raise InputError unless all of them are in it."""
    is_listed = isinstance(families, Collection) and not isinstance(families, str)
    if not is_listed or not families or not all(family in FAMILIES for family in families):
        allowed = f"a sequence of names from {FAMILIES}"
        raise invalid("region_features", "families", allowed, families, did_you_mean(families, FAMILIES))
    return [family for family in FAMILIES if family in families]
