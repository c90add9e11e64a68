"""A case in; its voxels as filters may see them, its regions and the axis across its slices out."""

import warnings
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from radiodeep.cases.slice_plane import acquisition_axis
from radiodeep.exceptions import InputError, RadiodeepWarning, RoiTooSmallError
from radiodeep.features.radiomics.settings import default_families
from radiodeep.handcrafted.catalogue import DEFAULT_FAMILIES
from radiodeep.imaging.crop import bounding_box
from radiodeep.imaging.filters import filtered_images
from radiodeep.imaging.intensity import normalize_intensities, resegment
from radiodeep.imaging.resample import resample

_DIMENSIONS = WeakKeyDictionary()  # a Case never changes, and extractors are fitted to the same cases many times


class PreparedCase(NamedTuple):
    """What is measured of a case.

    Attributes
    ----------
    voxels : ndarray of shape (z, y, x)
        As far as filters may see.
    shape_roi, roi : bool ndarray of the same shape
        The regions of shape and of all else.
    box : tuple of three slices
        The bounding box of `roi`.
    spacing_mm : tuple of three floats
    slice_axis : {0, 1, 2}
        The axis across the slices.
    """

    voxels: np.ndarray
    shape_roi: np.ndarray
    roi: np.ndarray
    box: tuple
    spacing_mm: tuple
    slice_axis: int


def prepare(case, settings):
    """Normalise, resample, crop and resegment a case as the settings ask; return a `PreparedCase`.

    Raises an InputError if the case cannot be used, or its image has not the dimensions of the default families.
    """
    lesion = ordered_lesion(case, settings)
    slice_axis = checked_slice_axis(case, lesion, settings)
    voxels, roi, spacing_mm = _normalized_and_resampled(lesion, settings).read()
    if settings.pre_crop and settings.resample_mm is None:
        around = bounding_box(roi, [settings.pad_distance] * 3)
        voxels, roi = voxels[around], roi[around]
    kept = roi
    if settings.resegment_range is not None:
        kept = resegment(voxels, roi, settings.resegment_range, settings.resegment_mode)
    shape_roi = kept if settings.resegment_shape else roi
    return PreparedCase(voxels, shape_roi, kept, bounding_box(kept), spacing_mm, slice_axis)


def ordered_lesion(case, settings):
    """Return the lesion of a case in the order of axes that the settings ask for."""
    lesion = case.lesion()
    return lesion.in_stored_order() if settings.axes == "stored" else lesion


def checked_slice_axis(case, lesion, settings):
    """Return the axis across the slices of a lesion whose image has the dimensions of the default families."""
    if settings.families is None and settings.n_dimensions is not None:
        _check_dimensions(case.acquisition().n_dimensions, settings.n_dimensions)
    if settings.force_2d_dimension is not None:
        return settings.force_2d_dimension
    return acquisition_axis(lesion.voxels.shape, lesion.spacing_mm)


def _check_dimensions(n_dimensions, expected):
    """Raise an InputError for a 2-D image where the families are those for 3-D images, or the reverse."""
    if n_dimensions == expected:
        return
    without_shape = [family for family in DEFAULT_FAMILIES if family != "shape"]
    raise InputError(
        f"the image has {n_dimensions} dimensions, but the first of the cases, which decided for the family "
        f"'{default_families(expected)[0]}', has {expected}. Split the cohort, or name the families, for both those "
        f"without shape: families={without_shape}."
    )


def _normalized_and_resampled(lesion, settings):
    """Return the lesion normalised and resampled, as far as the settings ask for it."""
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
            settings.pad_distance,
            anti_alias=settings.anti_alias,
            grid=settings.resample_grid,
            to_integers=settings.definitions.to_integers,
        )
    return lesion


def derived_images(prepared, image_type, force_2d):
    """Return pairs of name and array, inside the box of the region, of the images that an `ImageType` makes."""
    if image_type.name == "Original":
        return (("original", prepared.voxels[prepared.box]),)
    return filtered_images(
        prepared.voxels,
        prepared.box,
        prepared.spacing_mm,
        image_type.name,
        image_type.filters,
        prepared.slice_axis if force_2d else None,
        prepared.roi[prepared.box],
        prepared.slice_axis,
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
    n_voxels = 0 if least is None else np.count_nonzero(prepared.roi[prepared.box])
    if least is not None and n_voxels <= least:
        raise RoiTooSmallError(
            f"The region has {n_voxels} voxels. Expected more than minimum_roi_size={least}; "
            "outline more of the lesion or lower that parameter."
        )


def first_n_dimensions(cases, with_label):
    """Return 2 or 3 for the first case that can be read, or None; warn if it is 2.

    A case that cannot be read is left out: `prepare` reports it, whatever the error is. `with_label` returns a case
    with the label of its region.
    """
    for case in cases:
        try:
            n_dimensions, spacing_mm = _dimensions_and_spacing(case, with_label(case))
        except Exception:
            continue
        if n_dimensions == 2:
            _warn_of_flat_images(case, spacing_mm)
        return n_dimensions
    return None


def _dimensions_and_spacing(case, labelled):
    """Return 2 for an image of one slice, else 3, and the spacing; a case is read once for it."""
    if case not in _DIMENSIONS:
        voxels, _, spacing_mm = labelled.read()
        _DIMENSIONS[case] = 2 if voxels.shape[0] == 1 else 3, spacing_mm
    return _DIMENSIONS[case]


def _warn_of_flat_images(case, spacing_mm):
    is_png = isinstance(case.image, Path) and case.image.suffix.lower() == ".png"
    is_assumed = is_png and spacing_mm == (1.0, 1.0, 1.0)
    size = " A PNG has no voxel size, so 1 mm is assumed; give spacing_mm for sizes in mm." if is_assumed else ""
    warnings.warn(
        f"{case.id}: the image has one slice, so for all cases the shape in the plane (family 'shape2D') takes the "
        "place of the shape in space ('shape'). Name the families to choose yourself, and to silence this: "
        f"families={default_families(2)}.{size}",
        RadiodeepWarning,
        stacklevel=4,
    )
