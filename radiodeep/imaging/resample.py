"""Case -> Case: another voxel size, interpolated by SimpleITK near the region only."""

import numpy as np
import SimpleITK as sitk

from radiodeep.exceptions import InputError, RoiTooSmallError
from radiodeep.imaging.crop import bounding_box

_INTERPOLATORS = {"linear": sitk.sitkLinear, "bspline": sitk.sitkBSpline, "nearest": sitk.sitkNearestNeighbor}
_SPLINE_REACH = 16  # voxels beyond which a cubic B-spline coefficient weighs under 1e-9


def resample(case, spacing_mm, interpolator="bspline", margin_voxels=5):
    """Resample the box about the region to a new voxel size.

    The new grid is aligned with the corner of the old image, the mask takes the nearest voxel.

    Parameters
    ----------
    case : Case
    spacing_mm : float or three floats
        New voxel size in (z, y, x) order; 0 keeps the size of that axis.
    interpolator : {"bspline", "linear", "nearest"}, default="bspline"
        Cubic B-spline overshoots at sharp edges; linear never does.
    margin_voxels : int, default=5
        New voxels kept around the region's box, as far as the image goes.

    Returns
    -------
    Case
        In memory, cropped to the box and margin.

    Raises
    ------
    RoiTooSmallError
        No voxel centre of the new grid lies in the region.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.resample import resample
    >>> resample(make_phantom_cohort(1, random_state=0)[0], 2.0).spacing_mm
    (2.0, 2.0, 2.0)
    """
    if interpolator not in _INTERPOLATORS:
        raise InputError(
            f"The 'interpolator' parameter must be one of {', '.join(_INTERPOLATORS)}. Got {interpolator!r} instead."
        )
    loaded = case.in_memory()
    old, new = np.array(loaded.spacing_mm), _new_spacing(spacing_mm, loaded.spacing_mm)
    ratio = new / old
    box = bounding_box(loaded.roi)
    first = np.floor(np.array([span.start for span in box]) / ratio) - margin_voxels
    last = np.ceil(np.array([span.stop for span in box]) / ratio) + margin_voxels
    first = np.maximum(first, 0)
    last = np.minimum(last, np.maximum(np.round(np.array(loaded.voxels.shape) / ratio), 1))
    near = bounding_box(loaded.roi, [int(np.ceil(margin_voxels * step)) + _SPLINE_REACH for step in ratio])
    image = _resampled(loaded.voxels, near, old, new, first, last, _INTERPOLATORS[interpolator])
    mask = _resampled(loaded.roi.astype(np.uint8), near, old, new, first, last, sitk.sitkNearestNeighbor) > 0
    if not mask.any():
        raise RoiTooSmallError(
            f"{case.id}: no voxel is left of the region at a spacing of {tuple(new.tolist())} mm. Use a smaller one."
        )
    return loaded.replace(image=image, mask=mask, spacing_mm=tuple(new.tolist()))


def _new_spacing(spacing_mm, old):
    values = np.broadcast_to(np.asarray(spacing_mm, dtype=float), 3)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise InputError(f"The 'spacing_mm' of resample must be one or three floats >= 0. Got {spacing_mm!r} instead.")
    return np.where(values > 0, values, old)


def _resampled(array, near, old, new, first, last, interpolator):
    """Interpolate the new voxels `first`..`last` (z, y, x) of the grid whose corner is the old array's."""
    start = np.array([span.start for span in near])
    source = sitk.GetImageFromArray(array[near].astype(np.float64) if array.dtype != np.uint8 else array[near])
    source.SetSpacing(old[::-1].tolist())
    source.SetOrigin((start * old)[::-1].tolist())
    origin = first * new + (new - old) / 2
    return sitk.GetArrayFromImage(
        sitk.Resample(
            source,
            [int(size) for size in (last - first)[::-1]],
            sitk.Transform(),
            interpolator,
            origin[::-1].tolist(),
            new[::-1].tolist(),
            (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
            0.0,
            source.GetPixelID(),
        )
    )
