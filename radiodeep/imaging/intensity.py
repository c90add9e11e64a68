"""Lesion -> lesion and array -> array: intensity ranges, normalisation, resegmentation."""

import warnings

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from radiodeep.exceptions import RadiodeepWarning, RoiTooSmallError
from radiodeep.imaging.crop import bounding_box

_ROBUST_PERCENTILES = (1, 99)
RESEGMENT_MODES = ("absolute", "relative", "sigma")


def scale_linearly(image, low, high):
    """Map `low`..`high` linearly to 0..1 and clip values outside, as float32; `high` is larger than `low`."""
    scaled = (np.asarray(image, dtype=np.float64) - low) / (high - low)
    return np.clip(scaled, 0.0, 1.0).astype(np.float32)


def are_limits(value):
    """Return whether a value is two finite numbers, the lower one first."""
    try:
        low, high = value
        return bool(np.isfinite([low, high]).all() and low < high)
    except (TypeError, ValueError):
        return False


def is_intensity_range(value):
    """Return whether a value is an intensity range of networks: None, "minmax" or (low, high)."""
    return value is None or (isinstance(value, str) and value == "minmax") or are_limits(value)


def scale_to_unit(image):
    """Map the minimum to 0 and the maximum to 1, NaN to 0 and infinities to 0 or 1; a constant image becomes 0."""
    finite = image[np.isfinite(image)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    if not high > low:
        return np.zeros(np.shape(image), np.float32)
    return scale_linearly(np.nan_to_num(image, nan=low, posinf=high, neginf=low), float(low), float(high))


def scale_intensities(image, intensity_range=None, region=None):
    """Map a range of intensities to 0..1 and clip values outside, as float32; an empty range becomes 0.

    The range is (low, high), "minmax" for the extremes of the image, or None for its 1st and 99th percentile, or those
    of its region (a mask of the same shape) if they reach further: a few bright pixels outside a lesion change
    nothing, and a small bright lesion is not clipped.
    """
    if intensity_range is None:
        intensity_range = _robust_range(image, region)
        if not intensity_range[1] > intensity_range[0]:
            intensity_range = "minmax"
    if isinstance(intensity_range, str):
        return scale_to_unit(image.astype(np.float64))
    return scale_linearly(image, *intensity_range)


def _robust_range(image, region):
    """Return the range of percentiles that `scale_intensities` has by default."""
    low, high = _percentiles(image.ravel())
    if region is not None and region.any():
        inner_low, inner_high = _percentiles(image[region])
        low, high = min(low, inner_low), max(high, inner_high)
    return low, high


def _percentiles(values):
    """Return the values of numpy.percentile at `_ROBUST_PERCENTILES`, faster for small images."""
    ordered = np.sort(values)
    places = np.array(_ROBUST_PERCENTILES) / 100 * (len(ordered) - 1)
    return np.interp(places, np.arange(len(ordered)), ordered).tolist()


def fill_gaps(lesion, intensity_range, margins=(0, 0, 0)):
    """Replace non-finite voxels outside the region so that interpolation cannot carry them into it.

    NaN and -inf become the lower limit of the range, inf the upper one; without limits the extremes of the region. Warn
    if such a voxel lies within the bounding box of the region, widened by `margins` voxels along z, y and x, where a
    network sees its replacement.
    """
    if lesion.voxels.dtype.kind != "f":
        return lesion
    is_finite = np.isfinite(lesion.voxels)
    if is_finite.all():
        return lesion
    n_gaps = int((~is_finite[bounding_box(lesion.roi, margins)]).sum())
    if n_gaps:
        warnings.warn(
            f"{lesion.id}: {n_gaps} voxels outside the region, in the part of the image that networks see, are NaN or "
            "infinite. They are replaced by the lowest intensity (inf by the highest), and features depend on that. "
            "Repair the image.",
            RadiodeepWarning,
            stacklevel=6,
        )
    values = lesion.voxels[lesion.roi]
    low, high = intensity_range if are_limits(intensity_range) else (values.min(), values.max())
    return lesion.replace(image=np.nan_to_num(lesion.voxels, nan=low, posinf=high, neginf=low))


def normalize_intensities(case, scale=1.0, outlier_sd=None, over="image", ring_mm=10.0):
    """Shift and scale an image so that one part of it has mean 0 and standard deviation `scale`.

    The part, `over`, is one of:

    - "image": all voxels. Depends on the amount of air, couch and other anatomy in the field of view.
    - "percentiles": voxels from the 1st to the 99th percentile of the image. Robust to single bright voxels (metal,
      bladder), but depends on the field of view.
    - "body": voxels brighter than the background, except the brightest 0.5 %. Background is below the midpoint
      between the means of the two classes of Otsu's threshold. Robust to the amount of air, but depends on the anatomy
      in the field of view; an image without air has no background.
    - "ring": voxels outside the region with centres within `ring_mm` of it; in an image of one slice, of that slice.
      Independent of the field of view, except that a ring cut by the border of the image causes a warning.
    - "region": voxels of the region, which then loses its own brightness and contrast. Independent of everything
      outside the region.

    With `outlier_sd`, values further than this many standard deviations from the mean are clipped before scaling. The
    standard deviation is that of a sample (divided by n - 1), as in pyradiomics and ITK, which take all voxels. If the
    part is constant, the image is only shifted. Raise `RoiTooSmallError` if the part has fewer than two voxels.
    """
    lesion = case.in_memory()
    image = lesion.voxels.astype(np.float64)
    part = image
    if over != "image":
        part = _PARTS[over](lesion, image, ring_mm)
        part = part[np.isfinite(part)]
    if part.size < 2 and over != "image":
        raise RoiTooSmallError(
            f"{case.id}: the {over} that normalises the image has {part.size} voxels. Expected at least 2; normalise "
            f"over another part of the image{' or use a larger ring_mm' if over == 'ring' else ''}."
        )
    deviation = part.std(ddof=1) if part.size > 1 else 0.0
    image = (image - part.mean()) / (deviation if deviation > 0 else 1.0)
    if outlier_sd is not None:
        image = np.clip(image, -outlier_sd, outlier_sd)
    return lesion.replace(image=image * scale)


# Each of these functions returns the intensities of one part of a lesion's image, given in double precision.
def _inside_percentiles(lesion, image, ring_mm):
    low, high = np.nanpercentile(image, [1, 99])
    return image[(image >= low) & (image <= high)]


def _body(lesion, image, ring_mm):
    values = image[np.isfinite(image)]
    body = values[values > background_limit(values)]
    return body[body <= np.percentile(body, 99.5)] if body.size else body


def background_limit(values):
    """Return the intensity up to which voxels are background: the midpoint between the means of Otsu's two classes.

    Otsu's threshold itself may lie within the noise of air. Values (n,) beyond their 0.5th and 99.5th percentile count
    as these. Infinite if all values are equal, and wrong in an image without air, whose darker tissue is cut off.
    """
    clipped = np.clip(values, *np.percentile(values, [0.5, 99.5])) if values.size else values
    is_bright = clipped > threshold_otsu(clipped) if values.size else np.zeros(0, bool)
    if not is_bright.any():
        return np.inf
    return (clipped[~is_bright].mean() + clipped[is_bright].mean()) / 2


def _ring(lesion, image, ring_mm):
    spacing_mm = np.array(lesion.spacing_mm)
    margins = [int(step) for step in np.floor(ring_mm / spacing_mm)]
    box = bounding_box(lesion.roi)
    for side, margin, size, step in zip(box, margins, image.shape, spacing_mm, strict=True):
        voxels_left = min(side.start, size - side.stop)
        if size > 1 and voxels_left < margin:
            warnings.warn(
                f"{lesion.id}: the image ends {voxels_left * step:.4g} mm from the region, within the ring of "
                f"{ring_mm:g} mm that normalises it, so its features depend on how it was cropped. Use a smaller "
                "ring_mm, or a larger image.",
                RadiodeepWarning,
                stacklevel=7,
            )
            break
    near = bounding_box(lesion.roi, margins)
    distance = ndimage.distance_transform_edt(~lesion.roi[near], sampling=spacing_mm)
    return image[near][(distance > 0) & (distance <= ring_mm)]


def _region(lesion, image, ring_mm):
    return image[lesion.roi]


_PARTS = {"percentiles": _inside_percentiles, "body": _body, "ring": _ring, "region": _region}
NORMALIZATION_PARTS = ("image", *_PARTS)


def resegment(image, roi, limits, mode="absolute", *, parameter="resegment_range"):
    """Return the voxels of a region whose intensities lie within limits, both included, as a bool array.

    `limits` are the lower limit and, optionally, the upper one: in the unit of the image ("absolute"), as fractions of
    the region's maximum ("relative"), or in standard deviations from the region's mean ("sigma"). Raise
    `RoiTooSmallError` if fewer than two voxels remain; its message names the `parameter` to widen.
    """
    values = image[roi]
    low, *high = sorted(limits)
    if mode == "relative":
        low, *high = (limit * values.max() for limit in (low, *high))
    elif mode == "sigma":
        mean, deviation = values.mean(), values.std()
        low, *high = (mean + deviation * limit for limit in (low, *high))
    kept = roi.copy()
    kept[roi] = (values >= low) & (values <= high[0] if high else True)
    n_left = np.count_nonzero(kept)
    if n_left < 2:
        raise RoiTooSmallError(
            f"Resegmentation leaves {n_left} of the region's {values.size} voxels. Expected at least 2; the region's "
            f"intensities lie from {float(values.min()):.4g} to {float(values.max()):.4g}, so widen {parameter}."
        )
    return kept
