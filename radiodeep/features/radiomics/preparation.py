"""A case and `RadiomicsSettings` -> voxels as filters may see them, regions, and the axis across the slices."""

import math
import warnings
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from radiodeep.cases.slice_plane import acquisition_axis
from radiodeep.exceptions import InputError, RadiodeepWarning, RoiTooSmallError
from radiodeep.features.stateless import with_label
from radiodeep.handcrafted.catalogue import DEFAULT_FAMILIES, default_families, reach_mm
from radiodeep.handcrafted.ibsi.region import REACH_MM
from radiodeep.handcrafted.region import bounding_box as box_of_region  # compiled, as masks are large
from radiodeep.imaging.crop import bounding_box
from radiodeep.imaging.ibsi_filters import ibsi_filter_reach
from radiodeep.imaging.intensity import normalize_intensities, resegment
from radiodeep.imaging.resample import resample

_ACQUISITIONS = WeakKeyDictionary()  # a Case never changes, and extractors are fitted to the same cases many times


class PreparedCase(NamedTuple):
    """What is measured of a case; arrays are (z, y, x).

    `shape_roi` is the region of shape and `roi` that of all else. `box`, three slices, is the bounding box of `roi`: it
    cuts the region of shape too, as in pyradiomics. `slice_axis` is the axis across the slices. `has_integers` says
    whether the intensities are whole numbers.
    """

    voxels: np.ndarray
    shape_roi: np.ndarray
    roi: np.ndarray
    box: tuple
    spacing_mm: tuple
    slice_axis: int
    has_integers: bool = False


def prepare(case, settings, *, keeps_image=False):
    """Normalise, resample, crop and resegment a case as the settings ask; return a `PreparedCase`.

    With `keeps_image` the resampled image is not cropped.
    """
    lesion, slice_axis = ordered_lesion(case, settings)
    has_integers = not settings.normalize and _has_integers(lesion)
    if settings.normalize:
        lesion = normalize_intensities(
            lesion,
            scale=settings.normalize_scale,
            outlier_sd=settings.remove_outliers,
            over=settings.normalize_over,
            ring_mm=settings.ring_mm,
        )
    if settings.resample_mm is not None:
        lesion = resample(
            lesion,
            settings.resample_mm,
            settings.interpolator,
            None if keeps_image else _pad_distance(settings, lesion),
            anti_alias=settings.anti_alias,
            grid=settings.grid,
            to_integers=settings.definitions.to_integers,
            holds_integers=settings.is_standard and has_integers,
            mask_interpolation=settings.definitions.mask_interpolation,
        )
    voxels, roi, spacing_mm = lesion.read()
    if settings.pre_crop and settings.resample_mm is None and not keeps_image:
        around = bounding_box(roi, [_pad_distance(settings, lesion)] * 3)
        voxels = voxels[around]
        roi = roi[around]
    kept = _resegmented(voxels, roi, settings)
    shape_roi = kept if settings.resegment_shape else roi
    return PreparedCase(voxels, shape_roi, kept, box_of_region(kept), spacing_mm, slice_axis, has_integers)


def _resegmented(voxels, roi, settings):
    """Return the voxels of a region within `resegment_range` and within `resegment_outliers`.

    Mean and standard deviation are those of the whole region, so that the order of the two does not matter.
    """
    kept = roi
    if settings.resegment_range is not None:
        kept = resegment(voxels, roi, settings.resegment_range, settings.resegment_mode)
    if settings.resegment_outliers is None:
        return kept
    farthest = settings.resegment_outliers
    kept = kept & resegment(voxels, roi, (-farthest, farthest), "sigma", parameter="resegment_outliers")
    if np.count_nonzero(kept) < 2:
        raise RoiTooSmallError(
            f"Resegmentation leaves {np.count_nonzero(kept)} of the region's {np.count_nonzero(roi)} voxels. Expected "
            "at least 2; widen resegment_range or resegment_outliers."
        )
    return kept


def _has_integers(lesion):
    """Return whether the region has whole numbers, whatever the type of the file: CT is often stored as floats."""
    if lesion.voxels.dtype.kind in "iu":
        return True
    values = lesion.voxels[lesion.roi]
    return bool((values == np.rint(values)).all())


def _pad_distance(settings, lesion):
    """Return the voxels to keep around the region: `pad_distance`, or more for families and filters that look farther.

    None, the whole image, if a filter of the IBSI depends on all of it. With `pre_crop` filters see no farther.
    """
    steps = np.broadcast_to(0 if settings.resample_mm is None else settings.resample_mm, 3)
    spacing_mm = np.where(steps > 0, steps, lesion.spacing_mm)
    reach = math.ceil((REACH_MM if settings.is_standard else reach_mm(settings.chosen_families)) / spacing_mm.min())
    if settings.is_standard and not settings.pre_crop:
        if settings.grid != "center":  # these do not resample an axis along which the region has one voxel
            spacing_mm = np.minimum(spacing_mm, lesion.spacing_mm)
        reaches = [ibsi_filter_reach(kind.name, kind.filters, spacing_mm) for kind in settings.types]
        if None in reaches:
            return None
        reach = max(reach, *reaches)
    return max(settings.pad_distance, reach + 1 if reach else 0)  # one more, as new voxels may end between old ones


def ordered_lesion(case, settings):
    """Return the lesion of a case with its axes in the order that is asked for, and the axis across its slices.

    Raises an InputError if default families are chosen and the image has not the dimensions that they are for.
    """
    lesion = case.lesion().in_stored_order() if settings.axes == "stored" else case.lesion()
    expected = settings.n_dimensions if settings.learns_dimensions else None
    if expected is not None and case.acquisition().n_dimensions != expected:
        raise InputError(_sentences_on_dimensions(case.acquisition().n_dimensions, expected, settings))
    if settings.force_2d_dimension is not None:
        return lesion, settings.force_2d_dimension
    return lesion, acquisition_axis(lesion.voxels.shape, lesion.spacing_mm)


def _sentences_on_dimensions(found, expected, settings):
    """Return what is wrong with a case whose image has not the dimensions that the defaults are for."""
    if settings.is_standard:
        return (
            f"the image has {found} dimensions, but the first of the cases, which decided for "
            f"aggregation='{settings.aggregations[0]}', has {expected}. Split the cohort, or name the families without "
            "'morphology', and aggregation='2.5D_merged', which suits both."
        )
    without_shape = [family for family in DEFAULT_FAMILIES if family != "shape"]
    return (
        f"the image has {found} dimensions, but the first of the cases, which decided for the family "
        f"'{default_families(expected)[0]}', has {expected}. Split the cohort, or name the families, for both those "
        f"without shape: families={without_shape}."
    )


def derived_images(prepared, image_type, force_2d):
    """Return pairs of name and array, inside the box of the region, of the images that an `ImageType` makes."""
    if image_type.name == "Original":
        return (("original", prepared.voxels[prepared.box]),)
    return image_type.feature_set.filtered_images(
        prepared.voxels,
        prepared.box,
        prepared.spacing_mm,
        image_type.name,
        image_type.filters,
        flat_axis=prepared.slice_axis if force_2d else None,
        roi=prepared.roi[prepared.box],
        slice_axis=prepared.slice_axis,
    )


def check_region_size(prepared, settings):
    """Raise a RoiTooSmallError for a region smaller than the settings allow."""
    sizes = [side.stop - side.start for side in prepared.box]
    n_axes = sum(size > 1 for size in sizes)
    if n_axes < settings.minimum_roi_dimensions and max(sizes) > 1:
        raise RoiTooSmallError(
            f"The region spans {' x '.join(map(str, sizes))} voxels (z, y, x). Expected more than one voxel along "
            f"{settings.minimum_roi_dimensions} axes; outline more of the lesion or lower minimum_roi_dimensions."
        )
    least = settings.minimum_roi_size
    if least is not None and np.count_nonzero(prepared.roi) <= least:
        raise RoiTooSmallError(
            f"The region has {np.count_nonzero(prepared.roi)} voxels. Expected more than minimum_roi_size={least}; "
            "outline more of the lesion or lower that parameter."
        )


def read_first(cases, label):
    """Return a dict from the first case to the case in memory if it has one image, on disk; else an empty dict.

    Its dimensions are needed before it is measured, which would read it twice. `label` is that of the extractor.
    """
    case = cases[0] if cases else None
    if case is None or case in _ACQUISITIONS or not isinstance(case.image, Path):
        return {}
    try:
        return {case: with_label(case, label).in_memory()}
    except Exception:  # `prepare` raises its error
        return {}


def first_n_dimensions(cases, settings, in_memory=()):
    """Return 2 or 3 for the first case that can be read, or None; warn if it is 2 and default families depend on it.

    A case that cannot be read is skipped: `prepare` raises its error, whatever it is. `in_memory` is a dict from cases
    to the same in memory, from `read_first`.
    """
    for case in cases:
        try:
            if case not in _ACQUISITIONS:
                read = in_memory[case] if case in in_memory else with_label(case, settings.label)
                _ACQUISITIONS[case] = read.acquisition()
        except Exception:
            continue
        if _ACQUISITIONS[case].n_dimensions == 2 and settings.families is None:
            _warn_of_flat_images(case, _ACQUISITIONS[case].spacing_mm, settings.feature_set)
        return _ACQUISITIONS[case].n_dimensions
    return None


def _warn_of_flat_images(case, spacing_mm, feature_set):
    is_png = isinstance(case.image, Path) and case.image.suffix.lower() == ".png"
    is_assumed = is_png and spacing_mm == (1.0, 1.0, 1.0)
    size = " A PNG has no voxel size, so 1 mm is assumed; give spacing_mm for sizes in mm." if is_assumed else ""
    names = feature_set.default_families(2)
    if "shape2D" in names:
        change = "the shape in the plane (family 'shape2D') takes the place of the shape in space ('shape')"
    else:
        change = "the shape in space (family 'morphology') is left out"
    warnings.warn(
        f"{case.id}: the image has one slice, so for all cases {change}. Name the families to choose yourself, and to "
        f"silence this: families={names}.{size}",
        RadiodeepWarning,
        stacklevel=4,
    )
