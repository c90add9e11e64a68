"""Cases or an array of images -> what an autoencoder is shown of each, with the patients."""

import numpy as np

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError
from radiodeep.features.deep.loaded_networks import read_ahead
from radiodeep.imaging.network_view import warn_of_constant_image

_UNUSED_BY_ARRAYS = {"window": "exact", "size": None, "slice": "largest", "slice_axis": None, "pixel_mm": None}
_WIDEST_FLOATS = (-1, 2)  # of images on a scale of 0..1, which new ones and reconstructions may exceed


def is_array_of_images(X):
    """Return whether X is an array of images rather than cases."""
    return isinstance(X, np.ndarray) and X.dtype != object


def patients_of(X):
    """Return the patient of each case; each image of an array is one."""
    return np.arange(len(X)) if is_array_of_images(X) else np.array([str(case.patient) for case in as_cases(X)])


def shown_images(view, X):
    """Yield what a `NetworkView` shows of each case or image, float32 of shape (n_images, 1, side, side) or of a cube.

    Raise InputError for an array with settings that say how cases are cut, of another shape, not finite, or far beyond
    0..1 without a range.
    """
    if not is_array_of_images(X):
        for case, images in zip(as_cases(X), read_ahead(view.images, as_cases(X)), strict=True):
            if images.min() == images.max():
                warn_of_constant_image(case.id, view.intensity_range, stacklevel=6)
            yield images
        return
    for name, unset in _UNUSED_BY_ARRAYS.items():
        value = getattr(view, name)
        if value != unset:
            raise InputError(f"Images of an array are shown whole, so {name}={value!r} has no meaning. Leave it out.")
    shape = "(n, height, width)" if view.dimensions == 2 else "(n, slices, height, width)"
    if X.ndim != view.dimensions + 1 or X.dtype.kind not in "biuf" or not X.size or not np.isfinite(X).all():
        raise InputError(f"Images must be finite numbers of shape {shape}. Got {X.dtype} of shape {X.shape}.")
    low, high = (0, 1) if X.dtype.kind != "f" else _WIDEST_FLOATS
    if view.intensity_range is None and (X.min() < low or X.max() > high):
        raise InputError(
            f"Images with intensities of {X.min():.4g} to {X.max():.4g} need an intensity_range that is scaled to "
            "0..1, e.g. (0, 255)."
        )
    for image in X:
        yield view.images_of_array(np.float32(image).reshape(-1, *X.shape[-2:]))
