"""A case in; its voxels as filters may see them, its regions and the axis of its slices out."""

from typing import NamedTuple

import numpy as np

from radiodeep.cases.slice_plane import acquisition_axis
from radiodeep.exceptions import RoiTooSmallError
from radiodeep.features.radiomics.defaults import check_dimensions
from radiodeep.imaging.crop import bounding_box
from radiodeep.imaging.filters import filtered_images
from radiodeep.imaging.intensity import normalize_intensities, resegment
from radiodeep.imaging.resample import resample


class PreparedCase(NamedTuple):
    """What is measured of a case.

    Attributes
    ----------
    voxels : ndarray of shape (z, y, x)
        As far as filters may see.
    shape_roi, roi : bool ndarray of the same shape
        The regions of shape and of all else.
    spacing_mm : tuple of three floats
    slice_axis : {0, 1, 2}
        The axis across the slices.
    """

    voxels: np.ndarray
    shape_roi: np.ndarray
    roi: np.ndarray
    spacing_mm: tuple
    slice_axis: int


def prepare(case, extractor):
    """Do what the settings of an extractor ask for before the filters.

    Parameters
    ----------
    case : Case
    extractor : RadiomicsExtractor

    Returns
    -------
    PreparedCase

    Raises
    ------
    InputError
        The case cannot be used, or is two-dimensional where the default families are those of space, or the reverse.
    """
    turned = case.in_stored_order() if extractor.axes == "stored" else case
    changes = extractor.normalize or extractor.resample_mm is not None
    if changes:
        turned = turned.in_memory()
    voxels, roi, spacing_mm = turned.read()
    slice_axis = checked_slice_axis(case, voxels.shape, spacing_mm, extractor)
    if changes:
        voxels, roi, spacing_mm = _changed(turned, extractor).read()
    if extractor.pre_crop and extractor.resample_mm is None:
        around = bounding_box(roi, [extractor.pad_distance] * 3)
        voxels, roi = voxels[around], roi[around]
    kept = roi
    if extractor.resegment_range is not None:
        kept = resegment(voxels, roi, extractor.resegment_range, extractor.resegment_mode)
    return PreparedCase(voxels, kept if extractor.resegment_shape else roi, kept, spacing_mm, slice_axis)


def checked_slice_axis(case, shape, spacing_mm, extractor):
    """Return the axis across the slices of a case that was read, in the order of axes that an extractor asks for.

    Parameters
    ----------
    case : Case
    shape, spacing_mm : tuple
        Of its arrays in that order.
    extractor : RadiomicsExtractor

    Raises
    ------
    InputError
        As `prepare`.
    """
    if extractor.families is None and hasattr(extractor, "n_dimensions_"):
        check_dimensions(case.id, case.acquisition().n_dimensions, extractor.n_dimensions_)
    given = extractor.force_2d_dimension
    return acquisition_axis(shape, spacing_mm) if given is None else given


def _changed(case, extractor):
    """Return a case in memory normalised and resampled."""
    if extractor.normalize:
        how = {"scale": extractor.normalize_scale, "outlier_sd": extractor.remove_outliers}
        case = normalize_intensities(case, **how, over=extractor.normalize_over, ring_mm=extractor.ring_mm)
    if extractor.resample_mm is not None:
        how = {"interpolator": extractor.interpolator, "pad_distance": extractor.pad_distance}
        how |= {"anti_alias": extractor.anti_alias, "grid": extractor.resample_grid}
        case = resample(case, extractor.resample_mm, **how)
    return case


def derived_images(prepared, box, image_type, settings, force_2d):
    """Return the pairs of name and array, inside a box, that an image type makes of a prepared case."""
    if image_type == "Original":
        return (("original", prepared.voxels[box]),)
    return filtered_images(
        prepared.voxels,
        box,
        prepared.spacing_mm,
        image_type,
        settings,
        prepared.slice_axis if force_2d else None,
        prepared.roi[box],
        prepared.slice_axis,
    )


def check_size(extractor, box, roi):
    """Raise a RoiTooSmallError for a region that is smaller than the settings of an extractor allow."""
    sizes = [side.stop - side.start for side in box]
    if sum(size > 1 for size in sizes) < extractor.minimum_roi_dimensions and max(sizes) > 1:
        raise RoiTooSmallError(
            f"The region spans {' x '.join(map(str, sizes))} voxels (z, y, x). Expected more than one voxel along "
            f"{extractor.minimum_roi_dimensions} axes; outline more of the lesion or lower minimum_roi_dimensions."
        )
    least = extractor.minimum_roi_size
    if least is not None and np.count_nonzero(roi[box]) <= least:
        raise RoiTooSmallError(
            f"The region has {np.count_nonzero(roi[box])} voxels. Expected more than minimum_roi_size="
            f"{least}; outline more of the lesion or lower that parameter."
        )
