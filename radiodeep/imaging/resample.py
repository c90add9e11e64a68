"""Case -> Case: another voxel size, interpolated by SimpleITK near the region only."""

import numpy as np
import SimpleITK as sitk

from radiodeep.cases.memory import check_image_size
from radiodeep.exceptions import InputError, RoiTooSmallError
from radiodeep.imaging.crop import bounding_box

INTERPOLATORS = {
    "bspline": sitk.sitkBSpline,
    "linear": sitk.sitkLinear,
    "nearest": sitk.sitkNearestNeighbor,
    "gaussian": sitk.sitkGaussian,
    "label_gaussian": sitk.sitkLabelGaussian,
    "hamming": sitk.sitkHammingWindowedSinc,
    "cosine": sitk.sitkCosineWindowedSinc,
    "welch": sitk.sitkWelchWindowedSinc,
    "lanczos": sitk.sitkLanczosWindowedSinc,
    "blackman": sitk.sitkBlackmanWindowedSinc,
}
_REACH = 16  # voxels beyond which a cubic B-spline coefficient weighs under 1e-9; the others reach less far
_ROUNDING = 1e-6  # of a unit: an interpolated integer this close to the next is taken for it


def resample(case, spacing_mm, interpolator="bspline", pad_distance=5):
    """Resample the box about the region to a new voxel size.

    The new grid is aligned with the corner of the old image; the mask takes the nearest voxel. An axis
    along which the region has one voxel keeps its size.

    Parameters
    ----------
    case : Case
    spacing_mm : float or three floats
        New voxel size in (z, y, x) order; 0 keeps the size of that axis.
    interpolator : str, default="bspline"
        One of `INTERPOLATORS`. Cubic B-spline overshoots at sharp edges; linear never does.
    pad_distance : int, default=5
        New voxels kept around the region's box, as far as the image goes.

    Returns
    -------
    Case
        In memory, cropped to the box and what is kept around it; intensities of the type that they
        had, integers cut off towards 0 (as ITK does it).

    Raises
    ------
    RoiTooSmallError
        No voxel centre of the new grid lies in the region.
    ImageTooLargeError
        The new grid needs more memory than is allowed.

    References
    ----------
    pyradiomics `imageoperations.resampleImage`.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.resample import resample
    >>> resample(make_phantom_cohort(1, random_state=0)[0], 2.0).spacing_mm
    (2.0, 2.0, 2.0)
    """
    if interpolator not in INTERPOLATORS:
        raise InputError(
            f"The 'interpolator' parameter must be one of {', '.join(INTERPOLATORS)}. Got {interpolator!r} instead."
        )
    loaded = case.in_memory()
    box = bounding_box(loaded.roi)
    first, stop = (np.array(side) for side in zip(*((span.start, span.stop) for span in box), strict=True))
    old = np.array(loaded.spacing_mm)
    new = np.where(stop - first > 1, _new_spacing(spacing_mm, loaded.spacing_mm), old)
    if np.allclose(old, new):
        near = bounding_box(loaded.roi, [pad_distance] * 3)
        return loaded.replace(image=loaded.voxels[near], mask=loaded.roi[near])
    ratio = old / new
    low = np.maximum(np.floor((first - 0.5) * ratio - pad_distance), 0)
    high = np.minimum(np.ceil((stop - 0.5) * ratio + pad_distance), np.ceil(np.array(loaded.voxels.shape) * ratio) - 1)
    _check_new_size(high - low + 1, new, case.id)
    near = bounding_box(loaded.roi, [int(np.ceil((pad_distance + 2) / step)) + _REACH for step in ratio])
    image = _resampled(loaded.voxels, near, old, new, low, high, INTERPOLATORS[interpolator])
    mask = _resampled(loaded.roi.astype(np.uint8), near, old, new, low, high, sitk.sitkNearestNeighbor) > 0
    if not mask.any():
        raise RoiTooSmallError(
            f"{case.id}: no voxel is left of the region at a spacing of {tuple(new.tolist())} mm. Use a smaller one."
        )
    return loaded.replace(image=image, mask=mask, spacing_mm=tuple(new.tolist()))


def _check_new_size(shape, spacing_mm, case_id):
    check_image_size(
        shape,
        f"{case_id}: the image resampled to {', '.join(f'{step:.4g}' for step in spacing_mm)} mm (z, y, x)",
        "Use a larger spacing.",
        copies=3,  # what ITK makes, its copy, and the same with the type of the image
    )


def _new_spacing(spacing_mm, old):
    values = np.broadcast_to(np.asarray(spacing_mm, dtype=float), 3)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise InputError(f"The 'spacing_mm' of resample must be one or three floats >= 0. Got {spacing_mm!r} instead.")
    return np.where(values > 0, values, old)


def _resampled(array, near, old, new, low, high, interpolator):
    """Interpolate the new voxels `low`..`high` (z, y, x) of the grid whose corner is the old array's."""
    source = array[near] if interpolator == sitk.sitkNearestNeighbor else array[near].astype(np.float64)
    start = np.array([span.start for span in near]) * old
    origin = low * new + (new - old) / 2
    flat = array.shape[0] == 1  # a 2-D image, which B-splines could not take as a volume
    axes = slice(1, None) if flat else slice(None)
    image = sitk.GetImageFromArray(source[0] if flat else source)
    image.SetSpacing(old[axes][::-1].tolist())
    image.SetOrigin(start[axes][::-1].tolist())
    size = (high - low + 1).astype(int)[axes]
    grid = sitk.Image(size[::-1].tolist(), image.GetPixelID())
    grid.SetSpacing(new[axes][::-1].tolist())
    grid.SetOrigin(origin[axes][::-1].tolist())
    identity = sitk.Transform(len(size), sitk.sitkIdentity)
    result = sitk.GetArrayFromImage(sitk.Resample(image, grid, identity, interpolator, 0.0))
    result = result[np.newaxis] if flat else result
    return _as_type(result, array.dtype)


def _as_type(values, dtype):
    """Intensities of the type that the image had; integers lose their fraction but for rounding."""
    if dtype.kind not in "iu" or values.dtype == dtype:
        return values.astype(dtype, copy=False)
    nearest = np.round(values)
    whole = np.where(np.abs(values - nearest) < _ROUNDING, nearest, np.trunc(values))
    limits = np.iinfo(dtype)
    return np.clip(whole, limits.min, limits.max).astype(dtype)
