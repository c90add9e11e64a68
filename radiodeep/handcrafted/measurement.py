"""In: image, mask, spacing and settings. Out: the values of the handcrafted features of one region."""

from functools import partial

import numpy as np

from radiodeep.checks import is_count, is_finite, is_flag, require
from radiodeep.handcrafted.catalogue import (
    DEFAULT_FAMILIES,
    FUNCTION_OF,
    LEVEL_FAMILIES,
    REACH_MM,
    REGION_FAMILIES,
    SLICE_FAMILIES,
    TEXTURE_GROUP,
    in_catalogue_order,
)
from radiodeep.handcrafted.conventions import PYRADIOMICS
from radiodeep.handcrafted.gray_levels import check_bins, discretise
from radiodeep.handcrafted.neighbours import Neighbourhoods, check_neighbour_settings
from radiodeep.handcrafted.region import bounding_box, check_flat_axis, cut_region, pad_region
from radiodeep.handcrafted.threads import run_together
from radiodeep.handcrafted.whole_region import WholeRegion, families_at_once

_MANY_VOXELS = 20_000  # from which on families are measured by themselves, in two threads where that is allowed
_LONGEST_FIRST = ("glszm", "glcm", "gldm", "shape", "glrlm")  # so that the last tasks to end are short


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
    slice_axis=0,
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
    families : sequence of str, default=those of pyradiomics but "shape2D"
        Of `FAMILIES` of the catalogue, e.g. "glcm".
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
    slice_axis : {0, 1, 2}, default=0
        The axis across the slices of families that always look at slices, as "laws2D".

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
    >>> from radiodeep.handcrafted.catalogue import feature_names
    >>> from radiodeep.handcrafted.measurement import region_features
    >>> image = np.random.default_rng(0).normal(100, 30, size=(8, 20, 20))
    >>> mask = np.zeros(image.shape, bool)
    >>> mask[2:6, 5:15, 5:15] = True
    >>> values = region_features(image, mask, (3.0, 1.0, 1.0))
    >>> float(values[feature_names().index("shape_VoxelVolume")])
    1200.0
    >>> region_features(image, mask, (3.0, 1.0, 1.0), bin_width=0)
    Traceback (most recent call last):
    radiodeep.exceptions.InputError: The 'bin_width' parameter of region_features must be a float > 0. Got 0 instead.
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
        slice_axis=slice_axis,
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
    slice_axis=0,
    convention=PYRADIOMICS,
):
    """Check settings once for many regions; they are those of `region_features`, which has the defaults.

    Returns a function (image, mask, spacing_mm) -> (values, n_levels): the features by the definitions of the
    convention, and the number of grey levels that occur in the region, 0 if only shape is asked for.
    """
    chosen = in_catalogue_order(families)
    check_neighbour_settings(distances, weighting_norm)
    _check_texture_settings(symmetrical_glcm, gldm_alpha)
    check_flat_axis(flat_axis)
    settings = {
        "firstorder": {"voxel_array_shift": voxel_array_shift, "convention": convention},
        "glcm": {"symmetrical": bool(symmetrical_glcm), "weighting_norm": weighting_norm},
        "glrlm": {"weighting_norm": weighting_norm},
        **{family: {"slice_axis": slice_axis} for family in SLICE_FAMILIES},
    }
    bins = {"bin_width": bin_width, "bin_count": bin_count, "max_gray_levels": max_gray_levels}
    if not set(chosen).isdisjoint(LEVEL_FAMILIES):
        check_bins(**bins)
    by_family = partial(_measured_by_family, bins, convention, tuple(distances), gldm_alpha, settings)
    is_usual = max(distances) == 1 and weighting_norm is None and is_finite(voxel_array_shift)
    at_once = families_at_once(chosen) if is_usual else []
    others = [family for family in chosen if family not in at_once]
    more = (convention, voxel_array_shift, symmetrical_glcm, gldm_alpha, flat_axis)
    whole = WholeRegion(at_once, bins, *more) if at_once else None

    def measure(image, mask, spacing_mm):
        cut = cut_region(image, mask, spacing_mm)
        measured = whole(cut) if whole and cut.values.size < _MANY_VOXELS else None
        if measured is not None and not others:
            return measured
        known, n_levels = ({}, 0) if measured is None else (whole.by_family(measured[0]), measured[1])
        rest = [family for family in chosen if family not in known]
        region = pad_region(cut, int(max(distances)), flat_axis)
        values, n_found = by_family(rest, region, image, mask)
        values |= known
        return np.concatenate([values[family] for family in chosen]), max(n_levels, n_found)

    return measure


def _measured_by_family(bins, convention, distances, gldm_alpha, settings, families, region, image, mask):
    """Return a dict from families to their values, and the number of grey levels that occur, 0 if none counts them."""
    needs_levels = not set(families).isdisjoint(LEVEL_FAMILIES)
    levels = discretise(region, **bins, convention=convention) if needs_levels else None
    neighbourhoods = Neighbourhoods(region, levels, distances, gldm_alpha)
    values = {}
    if region.values.size >= _MANY_VOXELS:
        values = run_together(_tasks(families, region, levels, neighbourhoods, settings), _LONGEST_FIRST)
        families = [family for family in families if family not in values]
    measures_group = set(TEXTURE_GROUP.families) <= set(families)
    for family in families:
        if family in REGION_FAMILIES:
            values[family] = FUNCTION_OF[family](region, levels, **settings.get(family, {}))
    for family in families:
        if family in REACH_MM:
            around = _surroundings(region, image, mask, REACH_MM[family])
            values[family] = FUNCTION_OF[family](*around, **settings.get(family, {}))
    if measures_group:
        values |= TEXTURE_GROUP.function(neighbourhoods, **settings["glcm"])
    for family in families:
        if family not in values:
            values[family] = FUNCTION_OF[family](neighbourhoods, **settings.get(family, {}))
    return values, 0 if levels is None else levels.values.size


def _tasks(families, region, levels, neighbourhoods, settings):
    """Return a dict from families, but for those that look about the region, to functions that measure them."""
    tasks = {}
    for family in families:
        if family not in REACH_MM:
            content = (region, levels) if family in REGION_FAMILIES else (neighbourhoods,)
            tasks[family] = partial(FUNCTION_OF[family], *content, **settings.get(family, {}))
    return tasks


def _surroundings(region, image, mask, reach_mm):
    """Return image, mask and spacing of a region in its bounding box and `reach_mm` about it."""
    mask = np.asarray(mask) != 0
    steps = np.ceil(reach_mm / region.spacing_mm).astype(int).tolist()
    sides = zip(bounding_box(mask), steps, strict=True)
    box = tuple(slice(max(side.start - step, 0), side.stop + step) for side, step in sides)
    return np.asarray(image)[box], mask[box], region.spacing_mm


def _check_texture_settings(symmetrical_glcm, gldm_alpha):
    require(is_flag(symmetrical_glcm), "region_features", "symmetrical_glcm", "True or False", symmetrical_glcm)
    require(is_count(gldm_alpha), "region_features", "gldm_alpha", "an int >= 0", gldm_alpha)
