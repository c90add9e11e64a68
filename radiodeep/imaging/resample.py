"""Lesion -> the lesion with another voxel size, interpolated by SimpleITK near the region only."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from radiodeep.cases.memory import check_image_size
from radiodeep.checks import require, require_option
from radiodeep.exceptions import RoiTooSmallError
from radiodeep.imaging.crop import bounding_box

INTERPOLATORS = {  # by their names in SimpleITK
    "bspline": "sitkBSpline",
    "linear": "sitkLinear",
    "nearest": "sitkNearestNeighbor",
    "gaussian": "sitkGaussian",
    "label_gaussian": "sitkLabelGaussian",
    "hamming": "sitkHammingWindowedSinc",
    "cosine": "sitkCosineWindowedSinc",
    "welch": "sitkWelchWindowedSinc",
    "lanczos": "sitkLanczosWindowedSinc",
    "blackman": "sitkBlackmanWindowedSinc",
}
GRIDS = ("corner", "region", "center")
MASK_INTERPOLATIONS = ("nearest", "linear")
_REACH = 16  # voxels beyond which a cubic B-spline coefficient is below 1e-9; other interpolators reach less far
_BLUR_REACH = 4.0  # standard deviations
_ROUNDING = 1e-6  # of a unit: an interpolated value this close to an integer counts as that integer


def resample(
    case,
    spacing_mm,
    interpolator="bspline",
    pad_distance=5,
    *,
    anti_alias=False,
    grid="corner",
    to_integers=np.trunc,
    holds_integers=False,
    mask_interpolation="nearest",
):
    """Resample the box about the region to a new voxel size.

    An axis along which the region has one voxel keeps its size; on the grid "center", only one along which the image
    has one voxel.

    Parameters
    ----------
    case : Lesion or Case
    spacing_mm : float or three floats
        New voxel size in (z, y, x) order; 0 keeps the size of that axis.
    interpolator : str, default="bspline"
        One of `INTERPOLATORS`. Cubic B-spline overshoots at sharp edges; linear never does.
    pad_distance : int or None, default=5
        New voxels kept around the box of the region, within the image; None keeps the whole image.
    anti_alias : bool, default=False
        Along axes where the new voxels are larger than the old ones, smooth the image before interpolation as larger
        voxels would have done, and clip the result to the lowest and highest intensity of the box and
        what is kept around it, which splines overshoot. Otherwise, noise and detail finer than the new voxels stay in
        the image (as in pyradiomics).
    grid : {"corner", "region", "center"}, default="corner"
        "corner" aligns the new grid with the corner of the image, as pyradiomics does, so that it depends on how the
        image was cropped. "region" centres it on the box of the region, whatever the crop. "center" aligns the centres
        of both grids, as the IBSI does; the new one has the smallest number of voxels that covers the image.
    to_integers : callable, default=np.trunc
        Makes whole numbers of the intensities of an integer image; cutting off is what ITK does.
    holds_integers : bool, default=False
        Treat the image as one of integers, although its type is one of floats.
    mask_interpolation : {"nearest", "linear"}, default="nearest"
        Whether a new voxel belongs to the region if the nearest old one does, or if linear interpolation of the mask
        (1 inside, 0 outside) is at least one half.

    Returns
    -------
    Lesion or Case
        As given, in memory, cropped to the box and what is kept around it. Intensities keep their type.

    Raises
    ------
    RoiTooSmallError
        No voxel centre of the new grid lies in the region.
    ImageTooLargeError
        The new grid needs more memory than is allowed.

    References
    ----------
    pyradiomics `imageoperations.resampleImage`. IBSI 3WE3 (aligned centres), 026Q and QCY4 (dimensions and positions
    of the grid).
    """
    require_option(interpolator, INTERPOLATORS, "resample", "interpolator")
    require_option(grid, GRIDS, "resample", "grid")
    require_option(mask_interpolation, MASK_INTERPOLATIONS, "resample", "mask_interpolation")
    loaded = case.in_memory()
    box = bounding_box(loaded.roi)
    first, stop = (np.array(side) for side in zip(*((span.start, span.stop) for span in box), strict=True))
    old = np.array(loaded.spacing_mm)
    shape = np.array(loaded.roi.shape)
    is_kept = (shape if grid == "center" else stop - first) == 1
    new = np.where(is_kept, old, _new_spacing(spacing_mm, loaded.spacing_mm))
    if pad_distance is None:
        pad_distance = int(np.ceil((shape * old / new).max()))
    if np.allclose(old, new):
        near = bounding_box(loaded.roi, [pad_distance] * 3)
        return loaded.replace(image=loaded.voxels[near], mask=loaded.roi[near])
    target = _GRIDS_ABOUT[grid](first, stop, shape, old, new, pad_distance)
    _check_new_size(target.size, new, case.id)
    blur = blur_in_voxels(old, new) if anti_alias else np.zeros(3)
    # Two more new voxels than are kept, since smoothing reaches 1.2 of them.
    near = bounding_box(loaded.roi, [int(np.ceil((pad_distance + 2) / step)) + _REACH for step in old / new])
    image = _interpolated(smoothed(loaded.voxels[near], blur), near, target, interpolator)
    if anti_alias:
        kept = loaded.voxels[bounding_box(loaded.roi, [int(step) for step in np.ceil(pad_distance * new / old)])]
        image = np.clip(image, kept.min(), kept.max())
    if holds_integers and loaded.voxels.dtype.kind == "f":
        image = to_integers(image)
    image = _as_type(image, loaded.voxels.dtype, to_integers)
    if mask_interpolation == "linear":
        mask = _interpolated(loaded.roi[near].astype(np.float64), near, target, "linear") >= 0.5 - _ROUNDING
    else:
        mask = _nearest(loaded.roi, near, target)
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
    is_spacing = np.isfinite(values).all() and (values >= 0).all()
    require(is_spacing, "resample", "spacing_mm", "one or three floats >= 0", spacing_mm)
    return np.where(values > 0, values, old)


def blur_in_voxels(old, new):
    """Return the standard deviations, in old voxels, of the Gaussian that smooths as voxels of a new size would have.

    The intensity of a voxel is about the mean over its box, whose variance is width² / 12 along each axis. So along the
    axes that grow, the Gaussian has the variance (new² - old²) / 12. It passes 66 % at the highest frequency that the
    new voxels can show; a box passes 64 %.
    """
    return np.sqrt(np.maximum(new**2 - old**2, 0) / 12) / old


def smoothed(voxels, blur):
    """Return an image in double precision, smoothed along each axis by a Gaussian of `blur` voxels."""
    voxels = voxels.astype(np.float64)
    for axis in np.flatnonzero(blur):
        voxels = ndimage.gaussian_filter1d(voxels, blur[axis], axis, mode="nearest", truncate=_BLUR_REACH)
    return voxels


class _Grid(NamedTuple):
    """New voxels; arrays are in (z, y, x) order."""

    anchor: np.ndarray | None  # the old voxel that is the origin of coordinates; None for the first of the image
    origin: np.ndarray  # centre of the first new voxel in mm from that of the anchor
    size: np.ndarray  # number of new voxels
    old: np.ndarray  # size of the old voxels in mm
    new: np.ndarray  # size of the new voxels in mm


def _corner_grid(first, stop, shape, old, new, pad_distance):
    """Return the voxels of a grid aligned with the corner of the image that lie about the box `first` to `stop`."""
    ratio = old / new
    low = np.maximum(np.floor((first - 0.5) * ratio - pad_distance), 0)
    high = np.minimum(np.ceil((stop - 0.5) * ratio + pad_distance), np.ceil(shape * ratio) - 1)
    return _Grid(None, low * new + (new - old) / 2, high - low + 1, old, new)


def _region_grid(first, stop, shape, old, new, pad_distance):
    """Return a grid centred on the box of the region: the voxels that cover it, and around it those inside the image.

    Coordinates are relative to the first voxel of the region, so that their rounding does not depend on the crop.
    """
    extent = (stop - first) * old
    n_inside = np.ceil(extent / new - _ROUNDING)
    begin = (extent - old - (n_inside - 1) * new) / 2
    end = begin + (n_inside - 1) * new
    image_begin, image_end = -(first + 0.5) * old, (shape - first - 0.5) * old
    before = np.floor((begin - image_begin) / new - 0.5 + _ROUNDING)
    after = np.floor((image_end - end) / new - 0.5 + _ROUNDING)
    before, after = (np.clip(n_voxels, 0, pad_distance) for n_voxels in (before, after))
    return _Grid(first, begin - before * new, before + n_inside + after, old, new)


def _center_grid(first, stop, shape, old, new, pad_distance):
    """Return the voxels about the box `first` to `stop` of the grid that has its centre where the image has it."""
    n_voxels = np.ceil(shape * old / new - _ROUNDING)
    origin = ((shape - 1) * old - (n_voxels - 1) * new) / 2
    low = np.maximum(np.floor(((first - 0.5) * old - origin) / new - pad_distance), 0)
    high = np.minimum(np.ceil(((stop - 0.5) * old - origin) / new + pad_distance), n_voxels - 1)
    return _Grid(None, origin + low * new, high - low + 1, old, new)


_GRIDS_ABOUT = {"corner": _corner_grid, "region": _region_grid, "center": _center_grid}


def _interpolated(source, near, target, interpolator):
    """Interpolate the part `near` of the old image on the new grid."""
    import SimpleITK as sitk  # late: without resampling nothing needs its 100 MB

    flat = source.shape[0] == 1  # a 2-D image, which B-splines could not take as a volume
    axes = slice(1, None) if flat else slice(None)
    image = sitk.GetImageFromArray(source[0] if flat else source)
    image.SetSpacing(target.old[axes][::-1].tolist())
    anchor = 0 if target.anchor is None else target.anchor
    start = (np.array([span.start for span in near]) - anchor) * target.old
    image.SetOrigin(start[axes][::-1].tolist())
    size = target.size.astype(int)[axes]
    grid = sitk.Image(size[::-1].tolist(), image.GetPixelID())
    grid.SetSpacing(target.new[axes][::-1].tolist())
    grid.SetOrigin(target.origin[axes][::-1].tolist())
    identity = sitk.Transform(len(size), sitk.sitkIdentity)
    constant = getattr(sitk, INTERPOLATORS[interpolator])
    result = sitk.GetArrayFromImage(sitk.Resample(image, grid, identity, constant, 0.0))
    return result[np.newaxis] if flat else result


def _nearest(roi, near, target):
    """Return a mask on the new grid, each voxel with the value of the nearest old one."""
    if target.anchor is None:
        return _interpolated(roi[near].astype(np.uint8), near, target, "nearest") > 0
    places = []
    for anchor, origin, size, old, new, most in zip(*target, roi.shape, strict=True):
        steps = (origin + np.arange(int(size)) * new) / old
        places.append(np.clip(anchor + np.floor(steps + 0.5 + _ROUNDING), 0, most - 1).astype(int))  # ties: the later
    return roi[np.ix_(*places)]


def _as_type(values, dtype, to_integers):
    """Intensities of the type that the image had; those of integers by `to_integers`, but for rounding."""
    if dtype.kind not in "iu" or values.dtype == dtype:
        return values.astype(dtype, copy=False)
    nearest = np.round(values)
    whole = np.where(np.abs(values - nearest) < _ROUNDING, nearest, to_integers(values))
    limits = np.iinfo(dtype)
    return np.clip(whole, limits.min, limits.max).astype(dtype)
