"""Case -> Case and array -> array: intensity windows and normalisation."""

import numpy as np

from radiodeep.exceptions import InputError


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


def scale_to_unit(image):
    """Map the smallest value to 0 and the largest to 1; a constant image becomes 0.

    For images without a physical scale (MR), where a fixed window has no meaning.
    """
    finite = image[np.isfinite(image)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    if not high > low:
        return np.zeros(np.shape(image), np.float32)
    return window_intensities(np.nan_to_num(image, nan=low, posinf=high, neginf=low), float(low), float(high))


def normalize_intensities(case, scale=1.0, outlier_sd=None):
    """Shift and scale the whole image to mean 0 and standard deviation `scale`.

    Parameters
    ----------
    case : Case
    scale : float, default=1
    outlier_sd : float, optional
        Afterwards values beyond this many standard deviations are set to that bound.

    Returns
    -------
    Case
        In memory, float64. A constant image becomes 0.
    """
    loaded = case.in_memory()
    image = loaded.voxels.astype(np.float64)
    deviation = image.std()
    image = (image - image.mean()) / (deviation if deviation > 0 else 1.0)
    if outlier_sd is not None:
        image = np.clip(image, -outlier_sd, outlier_sd)
    return loaded.replace(image=image * scale)
