"""Names of families in; the list of features and their values for one region out.

`FEATURES` is the one list of handcrafted features: names, order and IBSI ids are decided here, and
each family's function returns its values in this order.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.first_order import first_order_features
from radiodeep.handcrafted.glcm import check_glcm_settings, glcm_features
from radiodeep.handcrafted.gray_levels import discretise
from radiodeep.handcrafted.region import crop_region
from radiodeep.handcrafted.shape import shape_features


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
)

FAMILIES = tuple(dict.fromkeys(feature.family for feature in FEATURES))

_FUNCTION_OF = {feature.family: feature.function for feature in FEATURES}


def feature_names(families=FAMILIES):
    """Names of the features of some families, as "glcm_Contrast", in the order of the catalogue.

    Parameters
    ----------
    families : sequence of str, default=all
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
    (56, 'firstorder_10Percentile')
    """
    chosen = _in_catalogue_order(families)
    return [f"{feature.family}_{feature.name}" for feature in FEATURES if feature.family in chosen]


def region_features(
    image,
    mask,
    spacing_mm,
    *,
    families=FAMILIES,
    bin_width=25.0,
    bin_count=None,
    max_gray_levels=4096,
    voxel_array_shift=0,
    distances=(1,),
    symmetrical_glcm=True,
    weighting_norm=None,
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
    families : sequence of str, default=all
        "shape", "firstorder", "glcm".
    bin_width : float, default=25.0
        Width of the grey-level bins, in the image's units.
    bin_count : int or None, default=None
        Number of bins over the region's range; goes before `bin_width`.
    max_gray_levels : int, default=4096
        More grey levels than this are an error, not a full memory.
    voxel_array_shift : float, default=0
        Added to the intensities for Energy, TotalEnergy and RootMeanSquared.
    distances : sequence of int from 1 to 20, default=(1,)
        Distances of the GLCM, in voxels.
    symmetrical_glcm : bool, default=True
        Count each pair of the GLCM in both orders.
    weighting_norm : {None, "infinity", "euclidean", "manhattan", "no_weighting"}, default=None
        Weights for adding up the directions of the GLCM; None averages the features instead.

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
    chosen = _in_catalogue_order(families)
    check_glcm_settings(distances, symmetrical_glcm, weighting_norm)
    settings = {
        "shape": {},
        "firstorder": {"voxel_array_shift": voxel_array_shift},
        "glcm": {
            "distances": distances,
            "symmetrical": symmetrical_glcm,
            "weighting_norm": weighting_norm,
        },
    }
    region = crop_region(image, mask, spacing_mm, margin=int(max(distances)) if "glcm" in chosen else 1)
    levels = None
    if chosen != ["shape"]:
        levels = discretise(region, bin_width=bin_width, bin_count=bin_count, max_gray_levels=max_gray_levels)
    return np.concatenate([_FUNCTION_OF[family](region, levels, **settings[family]) for family in chosen])


def _in_catalogue_order(families):
    listed = isinstance(families, Collection) and not isinstance(families, str)
    if not listed or not families or not all(family in FAMILIES for family in families):
        raise InputError(
            f"The 'families' parameter must be a sequence of names from {FAMILIES}. Got {families!r} instead."
        )
    return [family for family in FAMILIES if family in families]
