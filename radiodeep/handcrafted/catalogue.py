"""Names of families in; the list of features and their values for one region out.

`FEATURES` is the one list of handcrafted features: names, order and IBSI ids are decided here, and
each family's function returns its values in this order.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.first_order import first_order_features
from radiodeep.handcrafted.glcm import glcm_features
from radiodeep.handcrafted.gldm import gldm_features
from radiodeep.handcrafted.glrlm import glrlm_features
from radiodeep.handcrafted.glszm import glszm_features
from radiodeep.handcrafted.gray_levels import check_bins, discretise
from radiodeep.handcrafted.neighbours import check_neighbour_settings
from radiodeep.handcrafted.ngtdm import ngtdm_features
from radiodeep.handcrafted.region import crop_region
from radiodeep.handcrafted.shape import shape_features
from radiodeep.handcrafted.shape_2d import shape_2d_features
from radiodeep.handcrafted.texture import TEXTURE_FAMILIES, texture_features


@dataclass(frozen=True)
class Feature:
    """One handcrafted feature.

    Attributes
    ----------
    name : str
        pyradiomics' name, without image type and family: "Contrast".
    family : str
        pyradiomics' feature class: "glcm".
    ibsi_id : str or None
        Id of the same definition in the IBSI reference manual; None where IBSI has none.
    function : callable
        Calculates the whole family at once: (region, levels, **settings) -> float64 (n_features,).
    """

    name: str
    family: str
    ibsi_id: str | None
    function: Callable


def _family(family, function, ibsi_ids):
    return tuple(Feature(name, family, ibsi_id, function) for name, ibsi_id in ibsi_ids.items())


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
            "GrayLevelVariance": "1PR1",
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
)

FAMILIES = tuple(dict.fromkeys(feature.family for feature in FEATURES))
DEFAULT_FAMILIES = tuple(family for family in FAMILIES if family != "shape2D")
SHAPE_FAMILIES = ("shape", "shape2D")

_FUNCTION_OF = {feature.family: feature.function for feature in FEATURES}


def feature_names(families=DEFAULT_FAMILIES):
    """Names of the features of some families, as "glcm_Contrast", in the order of the catalogue.

    Parameters
    ----------
    families : sequence of str, default=all but "shape2D"
        Names of `FAMILIES`, in any order.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If a family is not in the catalogue.

    Examples
    --------
    >>> len(feature_names()), feature_names(["glcm", "firstorder"])[0]
    (107, 'firstorder_10Percentile')
    """
    chosen = _in_catalogue_order(families)
    return [f"{feature.family}_{feature.name}" for feature in FEATURES if feature.family in chosen]


def region_features(
    image,
    mask,
    spacing_mm,
    *,
    families=DEFAULT_FAMILIES,
    bin_width=25.0,
    bin_count=None,
    max_gray_levels=1024,
    voxel_array_shift=0,
    distances=(1,),
    symmetrical_glcm=True,
    weighting_norm=None,
    gldm_alpha=0,
    flat_axis=None,
):
    """Handcrafted features of one region, with pyradiomics' definitions.

    Parameters
    ----------
    image : array (z, y, x)
        Intensities of any real type; a 2-D image is one slice, (1, y, x). Bin edges are calculated in
        this type, so float32 and float64 may differ for values that lie on an edge.
    mask : array of bool or integer (z, y, x)
        The region is where it is not 0. It may touch the border and have several parts.
    spacing_mm : sequence of 3 floats
        Voxel size, (z, y, x).
    families : sequence of str, default=all but "shape2D"
        "shape", "shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm".
    bin_width : float, default=25.0
        Width of the grey-level bins, in the image's units.
    bin_count : int or None, default=None
        Number of bins over the region's range; goes before `bin_width`.
    max_gray_levels : int, default=1024
        More grey levels than this are an error, not a full memory.
    voxel_array_shift : float, default=0
        Added to the intensities for Energy, TotalEnergy and RootMeanSquared.
    distances : sequence of int from 1 to 20, default=(1,)
        Distances of the neighbours in GLCM, GLDM and NGTDM, in voxels.
    symmetrical_glcm : bool, default=True
        Count each pair of the GLCM in both orders.
    weighting_norm : {None, "infinity", "euclidean", "manhattan", "no_weighting"}, default=None
        Weights for adding up the directions of GLCM and GLRLM; None averages the features instead.
    gldm_alpha : int, default=0
        Largest difference of grey levels that the GLDM counts as dependent.
    flat_axis : {None, 0, 1, 2}, default=None
        Look at texture slice by slice across this axis (0 = z); "shape2D" is the shape in this slice.

    Returns
    -------
    ndarray of float64 (n_features,)
        In the order of ``feature_names(families)``.

    Raises
    ------
    GeometryMismatchError, EmptyMaskError, RoiTooSmallError, NonFiniteIntensityError
        If the region cannot be used; see `crop_region` and `glcm_features`.
    TooManyGrayLevelsError
        If the bins make more than `max_gray_levels` levels.
    InputError
        If a setting is not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).normal(100, 30, size=(8, 20, 20))
    >>> mask = np.zeros(image.shape, bool)
    >>> mask[2:6, 5:15, 5:15] = True
    >>> values = region_features(image, mask, (3.0, 1.0, 1.0))
    >>> float(values[feature_names().index("shape_VoxelVolume")])
    1200.0
    >>> region_features(image, mask, (3.0, 1.0, 1.0), bin_width=0)
    Traceback (most recent call last):
    radiodeep.exceptions.InputError: The 'bin_width' parameter must be a float > 0. Got 0 instead.
    """
    measure = region_measurer(
        families=families,
        bin_width=bin_width,
        bin_count=bin_count,
        max_gray_levels=max_gray_levels,
        voxel_array_shift=voxel_array_shift,
        distances=distances,
        symmetrical_glcm=symmetrical_glcm,
        weighting_norm=weighting_norm,
        gldm_alpha=gldm_alpha,
        flat_axis=flat_axis,
    )
    return measure(image, mask, spacing_mm)[0]


def region_measurer(
    *,
    families,
    bin_width,
    bin_count,
    max_gray_levels,
    voxel_array_shift,
    distances,
    symmetrical_glcm,
    weighting_norm,
    gldm_alpha,
    flat_axis,
):
    """Check settings once for many regions; they are those of `region_features`, which has the defaults.

    Returns
    -------
    callable
        From (image, mask, spacing_mm) to (values, n_levels): the features, and the number of grey levels
        that occur in the region, 0 if only shape is asked for.

    Raises
    ------
    InputError
        If a setting is not allowed.
    """
    chosen = _in_catalogue_order(families)
    check_neighbour_settings(distances, weighting_norm)
    _check_texture_settings(symmetrical_glcm, gldm_alpha)
    neighbours = {"distances": tuple(distances), "alpha": gldm_alpha}
    settings = {
        "firstorder": {"voxel_array_shift": voxel_array_shift},
        "glcm": {
            "distances": tuple(distances),
            "symmetrical": bool(symmetrical_glcm),
            "weighting_norm": weighting_norm,
        },
        "glrlm": {"weighting_norm": weighting_norm},
        "gldm": neighbours,
        "ngtdm": neighbours,
    }
    bins = {"bin_width": bin_width, "bin_count": bin_count, "max_gray_levels": max_gray_levels}
    margin = int(max(distances))
    has_texture = not set(chosen) <= set(SHAPE_FAMILIES)
    if has_texture:
        check_bins(**bins)
    calculations = [(_FUNCTION_OF[family], settings.get(family, {})) for family in chosen]
    if chosen[-len(TEXTURE_FAMILIES) :] == list(TEXTURE_FAMILIES):
        everything = {**settings["glcm"], "alpha": gldm_alpha}
        calculations[-len(TEXTURE_FAMILIES) :] = [(texture_features, everything)]

    def measure(image, mask, spacing_mm):
        region = crop_region(image, mask, spacing_mm, margin=margin, flat_axis=flat_axis)
        levels = discretise(region, **bins) if has_texture else None
        values = [function(region, levels, **own) for function, own in calculations]
        return np.concatenate(values), 0 if levels is None else levels.values.size

    return measure


def _check_texture_settings(symmetrical_glcm, gldm_alpha):
    if not isinstance(symmetrical_glcm, bool | np.bool_):
        raise InputError(f"The 'symmetrical_glcm' parameter must be True or False. Got {symmetrical_glcm!r} instead.")
    if not isinstance(gldm_alpha, Integral) or isinstance(gldm_alpha, bool) or gldm_alpha < 0:
        raise InputError(f"The 'gldm_alpha' parameter must be an int >= 0. Got {gldm_alpha!r} instead.")


def _in_catalogue_order(families):
    listed = isinstance(families, Collection) and not isinstance(families, str)
    if not listed or not families or not all(family in FAMILIES for family in families):
        raise InputError(
            f"The 'families' parameter must be a sequence of names from {FAMILIES}. Got {families!r} instead."
        )
    return [family for family in FAMILIES if family in families]
