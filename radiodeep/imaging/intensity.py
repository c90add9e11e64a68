"""Case -> Case and array -> array: intensity windows, normalisation, resegmentation."""

import warnings

import numpy as np

from radiodeep.exceptions import InputError, RadiodeepWarning, RoiTooSmallError
from radiodeep.imaging.crop import bounding_box

RESEGMENT_MODES = ("absolute", "relative", "sigma")


def window_intensities(image, low, high):
    """Map `low`..`high` linearly to 0..1 and clip what lies outside.

    Parameters
    ----------
    image : ndarray
    low, high : float
        In units of the image, e.g. -1000 and 400 Hounsfield units for a lung window.

    Returns
    -------
    float32 ndarray of the same shape

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
    """Say whether limits are two finite numbers, the lower one first."""
    try:
        low, high = limits
        return bool(np.isfinite([low, high]).all() and low < high)
    except (TypeError, ValueError):
        return False


def scale_to_unit(image):
    """Map the smallest value to 0 and the largest to 1; a constant image becomes 0.

    For images without a physical scale (MR), where a fixed window has no meaning.
    """
    finite = image[np.isfinite(image)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    if not high > low:
        return np.zeros(np.shape(image), np.float32)
    return window_intensities(np.nan_to_num(image, nan=low, posinf=high, neginf=low), float(low), float(high))


def scale_to_range(image, intensity_range=None):
    """Map (low, high) to 0 and 1, as `window_intensities`; by default the smallest and the largest value."""
    if intensity_range is None:
        return scale_to_unit(image.astype(np.float64))
    return window_intensities(image, *intensity_range)


def without_gaps(case, intensity_range):
    """Replace non-finite voxels outside the region so that interpolation cannot carry them into it.

    Warns
    -----
    RadiodeepWarning
        Such a voxel lies within the box of the region, where a network is shown its replacement.
    """
    is_finite = np.isfinite(case.voxels)
    if is_finite.all():
        return case
    n_gaps = int((~is_finite[bounding_box(case.roi)]).sum())
    if n_gaps:
        warnings.warn(
            f"{case.id}: {n_gaps} voxels beside the region, within its box, are NaN or infinite. Networks are shown "
            "the lowest intensity there (the highest for inf), so that their features depend on it. Repair the image.",
            RadiodeepWarning,
            stacklevel=6,
        )
    values = case.voxels[case.roi]
    low, high = (values.min(), values.max()) if intensity_range is None else intensity_range
    return case.replace(image=np.nan_to_num(case.voxels, nan=low, posinf=high, neginf=low))


def normalize_intensities(case, scale=1.0, outlier_sd=None):
    """Shift and scale the whole image to mean 0 and standard deviation `scale`.

    Parameters
    ----------
    case : Case
    scale : float, default=1
    outlier_sd : float, optional
        Before scaling, values beyond this many standard deviations are set to that bound.

    Returns
    -------
    Case
        In memory, float64. A constant image becomes 0.

    Notes
    -----
    The standard deviation is that of a sample (n - 1), as pyradiomics and ITK have it.
    """
    loaded = case.in_memory()
    image = loaded.voxels.astype(np.float64)
    deviation = image.std(ddof=1) if image.size > 1 else 0.0
    image = (image - image.mean()) / (deviation if deviation > 0 else 1.0)
    if outlier_sd is not None:
        image = np.clip(image, -outlier_sd, outlier_sd)
    return loaded.replace(image=image * scale)


def resegment(image, roi, limits, mode="absolute"):
    """Keep the voxels of a region whose intensities lie within limits.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
    roi : bool ndarray of the same shape
    limits : sequence of one or two floats
        The lower limit and, if there is a second, the upper one; both belong to the range.
    mode : {"absolute", "relative", "sigma"}, default="absolute"
        Limits in units of the image, as parts of the region's maximum, or as standard deviations from
        the region's mean.

    Returns
    -------
    bool ndarray of the same shape

    Raises
    ------
    RoiTooSmallError
        If fewer than two voxels are left.

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
