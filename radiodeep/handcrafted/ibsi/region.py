"""In: image, masks and spacing. Out: one region as the IBSI features take it, cut to its surroundings."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from radiodeep.checks import is_count, require
from radiodeep.exceptions import EmptyMaskError, GeometryMismatchError, InputError, NonFiniteIntensityError
from radiodeep.handcrafted.region import bounding_box

REACH_MM = 6.3  # local peaks are means over a sphere of 1 cm³, whose radius is 6.2 mm


@dataclass(frozen=True)
class IbsiRegion:
    """A region of interest with its two masks, from which all IBSI families are computed; make it with `ibsi_region`.

    Attributes
    ----------
    image : ndarray of float64 (z, y, x)
        Intensities in the box of the region and `REACH_MM` about it, cut at the border of the image.
    shape_mask : ndarray of bool (z, y, x)
        The morphological mask, in the same box: the region as outlined (and resampled).
    mask : ndarray of bool (z, y, x)
        The intensity mask, a subset of `shape_mask`: what resegmentation leaves.
    spacing_mm : ndarray of float64 (3,)
        Voxel size, (z, y, x).
    slice_axis : int
        The axis across the slices, along which 2-D and 2.5-D aggregations do not look.
    """

    image: np.ndarray
    shape_mask: np.ndarray
    mask: np.ndarray
    spacing_mm: np.ndarray
    slice_axis: int = 0

    @cached_property
    def values(self):
        """The intensities of the region, float64 (n_voxels,), in the order of the image."""
        return self.image[self.mask]

    @cached_property
    def box(self):
        """Three slices around the morphological mask, without the surroundings."""
        return bounding_box(self.shape_mask)


def ibsi_region(image, shape_mask, mask=None, *, spacing_mm, slice_axis=0):
    """Check an image and its masks, and return the `IbsiRegion`.

    Parameters
    ----------
    image : array (z, y, x) of real numbers
        May be NaN or infinite outside the intensity mask.
    shape_mask : array (z, y, x)
        The morphological mask; not 0 is inside.
    mask : array (z, y, x), optional
        The intensity mask, by default the morphological one; voxels outside that are left out.
    spacing_mm : three floats
        Voxel size, (z, y, x).
    slice_axis : {0, 1, 2}, default=0

    Raises
    ------
    GeometryMismatchError
        Image and masks differ in shape.
    EmptyMaskError
        A mask has no voxel.
    NonFiniteIntensityError
        The image is NaN or infinite inside the intensity mask.
    InputError
        An array is not 3-D, the spacing is not three lengths > 0, or the axis is wrong.

    References
    ----------
    IBSI reference manual, section on image processing: morphological mask and intensity mask.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.handcrafted.ibsi.region import ibsi_region
    >>> image = np.zeros((40, 40, 40))
    >>> outline = np.zeros(image.shape, bool)
    >>> outline[18:22, 18:22, 18:22] = True
    >>> ibsi_region(image, outline, spacing_mm=(3.0, 1.0, 1.0)).image.shape
    (10, 18, 18)
    >>> ibsi_region(image, np.zeros(image.shape, bool), spacing_mm=(3.0, 1.0, 1.0))
    Traceback (most recent call last):
    radiodeep.exceptions.EmptyMaskError: The mask holds no voxel. Expected at least 2 that are not 0.
    """
    image = np.asarray(image)
    shape_mask = _as_flags(shape_mask)
    mask = shape_mask if mask is None else _as_flags(mask)
    _check_arrays(image, shape_mask, mask)
    spacing_mm = _checked_spacing(spacing_mm)
    require(is_count(slice_axis, 0, 2), "ibsi_region", "slice_axis", "0, 1 or 2 (z, y, x)", slice_axis)
    steps = np.ceil(REACH_MM / spacing_mm).astype(int).tolist()
    sides = zip(bounding_box(shape_mask), steps, strict=True)
    box = tuple(slice(max(side.start - step, 0), side.stop + step) for side, step in sides)
    outline = np.ascontiguousarray(shape_mask[box])
    inside = outline if mask is shape_mask else np.ascontiguousarray(mask[box] & outline)
    near = image[box].astype(np.float64, order="C")  # loops are compiled for one order of axes
    n_voxels = np.count_nonzero(inside)
    if not n_voxels:
        raise EmptyMaskError("The intensity mask holds no voxel of the region. Widen the range of resegmentation.")
    n_bad = n_voxels - np.count_nonzero(np.isfinite(near[inside]))
    if n_bad:
        raise NonFiniteIntensityError(
            f"The image is NaN or infinite in {n_bad} of the region's {n_voxels} voxels. "
            "Expected finite intensities; repair the image or take these voxels out of the mask."
        )
    return IbsiRegion(near, outline, inside, spacing_mm, int(slice_axis))


def _as_flags(mask):
    mask = np.asarray(mask)
    return mask if mask.dtype.kind == "b" else mask != 0


def _check_arrays(image, shape_mask, mask):
    if image.ndim != 3:
        raise InputError(
            f"The image must be an array (z, y, x). Got {image.ndim} dimensions; "
            "give a 2-D image as one slice, image[np.newaxis]."
        )
    if not image.shape == shape_mask.shape == mask.shape:
        shapes = f"{image.shape}, {shape_mask.shape} and {mask.shape}"
        raise GeometryMismatchError(f"Image and masks must have one shape (z, y, x). Got {shapes}.")
    if image.dtype.kind not in "fiub":
        raise InputError(f"The image must hold real numbers. Got the type {image.dtype}.")


def _checked_spacing(spacing_mm):
    try:
        steps = [float(step) for step in spacing_mm]
    except (TypeError, ValueError):
        steps = []
    are_lengths = len(steps) == 3 and all(0 < step < np.inf for step in steps)
    require(are_lengths, "ibsi_region", "spacing_mm", "three lengths > 0 in mm, (z, y, x)", spacing_mm)
    return np.array(steps)
