"""In: image, mask and spacing. Out: the voxels of one region, cropped and padded."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from radiodeep.checks import is_count, require
from radiodeep.exceptions import (
    EmptyMaskError,
    GeometryMismatchError,
    InputError,
    NonFiniteIntensityError,
    RoiTooSmallError,
)
from radiodeep.handcrafted.kernels.region import find_box, pad_and_list_into


@dataclass(frozen=True)
class Region:
    """A region of interest, from which all families are computed.

    Attributes
    ----------
    values : ndarray (n_voxels,)
        Intensities, in the order of the image (z, y, x), in the image's own precision.
    mask : ndarray of bool (z, y, x)
        The region in its bounding box, with `margin` voxels of False around it.
    positions : ndarray of int64 (n_voxels,)
        Indices of the voxels in the flattened `mask`.
    spacing_mm : ndarray of float64 (3,)
        Voxel size, (z, y, x).
    margin : int
        Width of the border.
    flat_axis : int or None
        The axis across the slices if texture is computed within slices; None in 3-D.
    """

    values: np.ndarray
    mask: np.ndarray
    positions: np.ndarray
    spacing_mm: np.ndarray
    margin: int
    flat_axis: int | None = None


def crop_region(image, mask, spacing_mm, *, margin=1, flat_axis=None):
    """Check an image and its mask, and return the `Region`; memory grows with the region only.

    `margin` is the width of the empty border: the longest step to a neighbour in voxels. With a `flat_axis` (0, 1 or 2)
    no neighbour lies along this axis (pyradiomics' force2D). The image may be NaN or infinite outside the mask.

    Raises
    ------
    GeometryMismatchError
        Image and mask differ in shape.
    EmptyMaskError, RoiTooSmallError
        The mask holds no voxel, or only one.
    NonFiniteIntensityError
        The image is NaN or infinite inside the mask.
    InputError
        An array is not 3-D or does not hold real numbers, the spacing is not three lengths > 0, or the axis is wrong.
    """
    check_flat_axis(flat_axis)
    return pad_region(cut_region(image, mask, spacing_mm), margin, flat_axis)


def check_flat_axis(flat_axis):
    """Raise InputError unless texture is to be computed in space, None, or across an axis, 0, 1 or 2."""
    is_axis = flat_axis is None or is_count(flat_axis, 0, 2)
    require(is_axis, "crop_region", "flat_axis", "None, 0, 1 or 2 (z, y, x)", flat_axis)


def pad_region(cut, margin, flat_axis=None):
    """Return the `Region` of a `CutRegion`; parameters as in `crop_region`."""
    # Allocated by numpy, which asks for large pages of memory: compiled functions do not, and take twice as long.
    padded = np.zeros([size + 2 * margin for size in cut.mask.shape], bool)
    positions = np.empty(cut.values.size + 1, np.int64)
    pad_and_list_into(cut.mask, margin, padded, positions)
    return Region(cut.values, padded, positions[:-1], cut.spacing_mm, margin, flat_axis)


class CutRegion(NamedTuple):
    """The voxels of a region: as in `Region`, but `mask` is uint8, 0 and 1, in its bounding box without a border."""

    values: np.ndarray
    mask: np.ndarray
    spacing_mm: np.ndarray


def cut_region(image, mask, spacing_mm):
    """Check an image and its mask, and return the `CutRegion`; parameters and errors as in `crop_region`."""
    image, mask = _checked_arrays(image, mask)
    spacing_mm = _checked_spacing(spacing_mm)
    box = bounding_box(mask)
    image, mask = image[box], mask[box]
    values = image[mask]
    if values.size < 2:
        raise RoiTooSmallError("The region has 1 voxel. Features need at least 2; outline more of the lesion.")
    if values.dtype.kind == "f":
        n_bad = values.size - np.count_nonzero(np.isfinite(values))
        if n_bad:
            raise NonFiniteIntensityError(
                f"The image is NaN or infinite in {n_bad} of the region's {values.size} voxels. "
                "Expected finite intensities; repair the image or take these voxels out of the mask."
            )
    return CutRegion(values, np.ascontiguousarray(mask).view(np.uint8), spacing_mm)


def _checked_arrays(image, mask):
    image, mask = np.asarray(image), np.asarray(mask)
    if image.ndim != 3:
        raise InputError(
            f"The image must be an array (z, y, x). Got {image.ndim} dimensions; "
            "give a 2-D image as one slice, image[np.newaxis]."
        )
    if image.shape != mask.shape:
        raise GeometryMismatchError(
            f"Image and mask must have one shape (z, y, x). Got {image.shape} and {mask.shape}; "
            "resample the mask to the image."
        )
    if image.dtype.kind not in "fiub":
        raise InputError(f"The image must hold real numbers. Got the type {image.dtype}.")
    if mask.dtype.kind not in "iub":
        raise InputError(f"The mask must hold booleans or integers. Got the type {mask.dtype}.")
    if image.dtype.kind == "b":
        image = image.view(np.uint8)
    elif image.dtype.kind == "f" and image.dtype.itemsize not in (4, 8):
        image = image.astype(np.float32 if image.dtype.itemsize == 2 else np.float64)
    return image, mask if mask.dtype.kind == "b" else mask != 0


def _checked_spacing(spacing_mm):
    try:
        steps = [float(step) for step in spacing_mm]
    except (TypeError, ValueError):
        steps = []
    are_lengths = len(steps) == 3 and all(0 < step < np.inf for step in steps)
    require(are_lengths, "crop_region", "spacing_mm", "three lengths > 0 in mm, (z, y, x)", spacing_mm)
    return np.array(steps)


def bounding_box(mask):
    """Return the slices (z, y, x) around the voxels of a boolean mask that are set, of which there must be one."""
    ends = find_box(np.ascontiguousarray(mask).view(np.uint8)).tolist()
    if ends[0][1] < 0:
        raise EmptyMaskError("The mask holds no voxel. Expected at least 2 that are not 0.")
    return tuple(slice(first, last + 1) for first, last in ends)
