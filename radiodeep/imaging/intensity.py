"""Case -> Case and array -> array: intensity ranges, normalisation, resegmentation."""

import warnings

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from radiodeep.exceptions import InputError, RadiodeepWarning, RoiTooSmallError
from radiodeep.imaging.crop import bounding_box

_ROBUST_PERCENTILES = (1, 99)
RESEGMENT_MODES = ("absolute", "relative", "sigma")


def window_intensities(image, low, high):
    """Map `low`..`high` linearly to 0..1 and clip values outside.

    Parameters
    ----------
    image : ndarray
    low, high : float
        In the unit of the image, e.g. -1000 and 400 HU for the lung.

    Returns
    -------
    float32 ndarray of the same shape

    Raises
    ------
    InputError
        If `high` is not larger than `low`.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.intensity import window_intensities
    >>> window_intensities(np.array([-2000, -300, 900]), low=-1000, high=400).tolist()
    [0.0, 0.5, 1.0]
    """
    if not high > low:
        raise InputError(f"An intensity window must have high > low. Got low={low!r} and high={high!r} instead.")
    scaled = (np.asarray(image, dtype=np.float64) - low) / (high - low)
    return np.clip(scaled, 0.0, 1.0).astype(np.float32)


def is_window(limits):
    """Return whether limits are two finite numbers, the lower one first."""
    try:
        low, high = limits
        return bool(np.isfinite([low, high]).all() and low < high)
    except (TypeError, ValueError):
        return False


def is_intensity_range(limits):
    """Return whether limits are an intensity range of networks: None, "minmax" or (low, high)."""
    return limits is None or (isinstance(limits, str) and limits == "minmax") or is_window(limits)


def scale_to_unit(image):
    """Map the minimum to 0 and the maximum to 1; a constant image becomes 0.

    For images without a physical scale, such as MR.
    """
    finite = image[np.isfinite(image)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    if not high > low:
        return np.zeros(np.shape(image), np.float32)
    return window_intensities(np.nan_to_num(image, nan=low, posinf=high, neginf=low), float(low), float(high))


def scale_to_range(image, intensity_range=None, region=None):
    """Map a range of intensities to 0..1 and clip values outside.

    Parameters
    ----------
    image : ndarray
    intensity_range : None, "minmax" or (low, high)
        None: the 1st and the 99th percentile of the image, or of its region if that reaches further. So a few bright
        pixels outside a lesion change nothing, and a small bright lesion is not clipped. "minmax": the minimum and the
        maximum.
    region : bool ndarray of the same shape, optional

    Returns
    -------
    float32 ndarray of the same shape
        0 if the range is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.intensity import scale_to_range
    >>> image = np.append(np.linspace(0, 100, 999), 9000)
    >>> [round(float(scale_to_range(image, limits)[499]), 3) for limits in (None, "minmax", (0, 200))]
    [0.499, 0.006, 0.25]
    """
    if intensity_range is None:
        intensity_range = _robust_range(image, region)
        if not intensity_range[1] > intensity_range[0]:
            return scale_to_unit(image.astype(np.float64))
    if isinstance(intensity_range, str):
        return scale_to_unit(image.astype(np.float64))
    return window_intensities(image, *intensity_range)


def _robust_range(image, region):
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


def fill_gaps(case, intensity_range, margins=(0, 0, 0)):
    """Replace non-finite voxels outside the region so that interpolation cannot carry them into it.

    Warns
    -----
    RadiodeepWarning
        If such a voxel lies within the bounding box of the region, widened by `margins` voxels along z, y and x, where
        a network sees its replacement.
    """
    if case.voxels.dtype.kind != "f":
        return case
    is_finite = np.isfinite(case.voxels)
    if is_finite.all():
        return case
    n_gaps = int((~is_finite[bounding_box(case.roi, margins)]).sum())
    if n_gaps:
        warnings.warn(
            f"{case.id}: {n_gaps} voxels outside the region, in the part of the image that networks see, are NaN or "
            "infinite. They are replaced by the lowest intensity (inf by the highest), and features depend on that. "
            "Repair the image.",
            RadiodeepWarning,
            stacklevel=6,
        )
    values = case.voxels[case.roi]
    low, high = intensity_range if is_window(intensity_range) else (values.min(), values.max())
    return case.replace(image=np.nan_to_num(case.voxels, nan=low, posinf=high, neginf=low))


def normalize_intensities(case, scale=1.0, outlier_sd=None, over="image", ring_mm=10.0):
    """Shift and scale an image so that one part of it has mean 0 and standard deviation `scale`.

    Parameters
    ----------
    case : Case
    scale : float, default=1
    outlier_sd : float, optional
        Values further than this many standard deviations from the mean are clipped before scaling.
    over : {"image", "percentiles", "body", "ring", "region"}, default="image"
        The voxels from which the mean and the standard deviation are calculated.

        - "image": all voxels. Depends on the amount of air, couch and other anatomy in the field of view.
        - "percentiles": voxels from the 1st to the 99th percentile of the image. Robust to single bright voxels (metal,
          bladder), but depends on the field of view.
        - "body": voxels brighter than the background, except the brightest 0.5 %. Background is below the midpoint
          between the means of the two classes of Otsu's threshold. Robust to the amount of air, but depends on the
          anatomy in the field of view; an image without air has no background.
        - "ring": voxels outside the region and within `ring_mm` of it. Independent of the field of view.
        - "region": voxels of the region, which then loses its own brightness and contrast. Independent of everything
          outside the region.
    ring_mm : float, default=10
        Measured between the centres of voxels. In an image of one slice the ring lies in the slice.

    Returns
    -------
    Case
        In memory, float64. If the part is constant, the image is only shifted.

    Raises
    ------
    RoiTooSmallError
        If the part has fewer than two voxels.

    Warns
    -----
    RadiodeepWarning
        If the image ends within the ring, so that intensities depend on how the image was cropped.

    Notes
    -----
    The standard deviation is that of a sample (divided by n - 1), as in pyradiomics and ITK, which take all voxels.

    Examples
    --------
    >>> from radiodeep import make_phantom_cohort
    >>> from radiodeep.imaging.intensity import normalize_intensities
    >>> case = make_phantom_cohort(1, random_state=0)[0]
    >>> normalized = normalize_intensities(case, scale=100, over="region")
    >>> float(normalized.voxels[case.roi].std(ddof=1).round(9))
    100.0
    """
    loaded = case.in_memory()
    image = loaded.voxels.astype(np.float64)
    part = image
    if over != "image":
        part = _PARTS[over](loaded, image, ring_mm)
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
    return loaded.replace(image=image * scale)


def _inside_percentiles(case, image, ring_mm):
    low, high = np.nanpercentile(image, [1, 99])
    return image[(image >= low) & (image <= high)]


def _body(case, image, ring_mm):
    values = image[np.isfinite(image)]
    clipped = np.clip(values, *np.percentile(values, [0.5, 99.5]))
    is_bright = clipped > threshold_otsu(clipped)  # which may lie within the noise of air, so the midpoint is used
    if not is_bright.any():
        return values[is_bright]
    body = values[clipped > (clipped[~is_bright].mean() + clipped[is_bright].mean()) / 2]
    return body[body <= np.percentile(body, 99.5)]


def _ring(case, image, ring_mm):
    spacing_mm = np.array(case.spacing_mm)
    margins = [int(step) for step in np.floor(ring_mm / spacing_mm)]
    box = bounding_box(case.roi)
    for side, margin, size, step in zip(box, margins, image.shape, spacing_mm, strict=True):
        voxels_left = min(side.start, size - side.stop)
        if size > 1 and voxels_left < margin:
            warnings.warn(
                f"{case.id}: the image ends {voxels_left * step:.4g} mm from the region, within the ring of "
                f"{ring_mm:g} mm that normalises it, so its features depend on how it was cropped. Use a smaller "
                "ring_mm, or a larger image.",
                RadiodeepWarning,
                stacklevel=7,
            )
            break
    near = bounding_box(case.roi, margins)
    roi = case.roi[near]
    distance = ndimage.distance_transform_edt(~roi, sampling=spacing_mm)
    return image[near][(distance > 0) & (distance <= ring_mm)]


def _region(case, image, ring_mm):
    return image[case.roi]


_PARTS = {"percentiles": _inside_percentiles, "body": _body, "ring": _ring, "region": _region}
NORMALIZATION_PARTS = ("image", *_PARTS)


def resegment(image, roi, limits, mode="absolute"):
    """Restrict a region to voxels whose intensities lie within limits.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
    roi : bool ndarray of the same shape
    limits : sequence of one or two floats
        The lower limit and, if given, the upper limit; both are part of the range.
    mode : {"absolute", "relative", "sigma"}, default="absolute"
        "absolute": limits in the unit of the image. "relative": as fractions of the region's maximum. "sigma": in
        standard deviations from the region's mean.

    Returns
    -------
    bool ndarray of the same shape

    Raises
    ------
    RoiTooSmallError
        If fewer than two voxels remain.

    Examples
    --------
    >>> import numpy as np
    >>> from radiodeep.imaging.intensity import resegment
    >>> image = np.array([[[-900, 10, 40, 2000]]])
    >>> resegment(image, image > -5000, [-50, 400]).tolist()
    [[[False, True, True, False]]]
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
            f"intensities lie from {float(values.min()):.4g} to {float(values.max()):.4g}, so widen resegment_range."
        )
    return kept
