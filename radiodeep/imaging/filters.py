"""An image and a box in; the derived images of pyradiomics, inside that box, out.

Every filter gives what it would give over the whole image, at the cost of the box and of its own reach.
"""

import warnings
from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
import pywt
import SimpleITK as sitk
from skimage.feature import local_binary_pattern

from radiodeep.exceptions import InputError
from radiodeep.imaging.laplacian import laplacians_of_gaussian
from radiodeep.imaging.spherical_patterns import spherical_patterns
from radiodeep.imaging.wavelets import subband_letters, wavelet_subbands

# pywt.dwt_max_level of 1024 voxels for the shortest filter; every level widens what is filtered by a filter's length.
_MOST_LEVELS = 10
_SMALLEST, _LARGEST = 1e-30, 1e30
_LBP_METHODS = ("default", "ror", "uniform", "var")


def filtered_images(image, box, spacing_mm, image_type, settings, flat_axis=None, roi=None):
    """Calculate the derived images of one image type inside a box.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        The whole image: filters look beyond the box, and some at the extremes of all intensities.
    box : tuple of three slices
        (z, y, x); each `start` and `stop` given, inside the image.
    spacing_mm : sequence of three floats
        (z, y, x).
    image_type : str
        One of `IMAGE_TYPES`, pyradiomics' names.
    settings : dict
        pyradiomics' settings of that image type; see `FILTER_SETTINGS`.
    flat_axis : {None, 0, 1, 2}, default=None
        Wavelets leave this axis alone. Two-dimensional binary patterns lie across it (0 if None).
    roi : bool ndarray of the box's shape, optional
        The region; needed by "LBP3D", which is 0 elsewhere.

    Yields
    ------
    name : str
        "original", "wavelet-LLH", "log-sigma-1-0-mm-3D", ...
    derived : ndarray of the box's shape

    Raises
    ------
    InputError
        If a setting is wrong, or the image too small for the filter or 0 everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(-30.0, 30.0).reshape(3, 4, 5)
    >>> box = (slice(0, 1), slice(0, 1), slice(0, 3))
    >>> [(name, derived.round(2).tolist()) for name, derived in filtered_images(image, box, (1, 1, 1), "Square", {})]
    [('square', [[[30.0, 28.03, 26.13]]])]
    """
    check_filter_settings(image_type, settings)
    yield from _FILTERS[image_type](image, box, np.asarray(spacing_mm, float), settings, flat_axis, roi)


def filter_names(image_type, settings, flat_axis=None):
    """Names of the derived images that `filtered_images` yields, in its order.

    Examples
    --------
    >>> filter_names("LoG", {"sigma": [1.0, 2.5]})
    ['log-sigma-1-0-mm-3D', 'log-sigma-2-5-mm-3D']
    >>> filter_names("Wavelet", {}, flat_axis=0)
    ['wavelet-LH', 'wavelet-HL', 'wavelet-HH', 'wavelet-LL']
    """
    check_filter_settings(image_type, settings)
    if image_type == "Wavelet":
        return _wavelet_names(settings, flat_axis)
    if image_type == "LoG":
        return [_log_name(sigma) for sigma in settings["sigma"]]
    if image_type == "LBP3D":
        return [f"lbp-3D-m{level + 1}" for level in range(settings.get("lbp3DLevels", 2))] + ["lbp-3D-k"]
    return ["lbp-2D" if image_type == "LBP2D" else image_type.lower()]


def check_filter_settings(image_type, settings):
    """Refuse an image type that is unknown, a setting that it does not have, or one out of range."""
    if image_type not in FILTER_SETTINGS:
        raise InputError(f"The image type must be one of {', '.join(IMAGE_TYPES)}. Got {image_type!r} instead.")
    rules = FILTER_SETTINGS[image_type]
    for name, value in settings.items():
        if name not in rules:
            known = ", ".join(rules) or "none"
            raise InputError(f"The image type {image_type} has no setting '{name}'. It has: {known}.")
        holds, allowed = rules[name]
        if not holds(value):
            raise InputError(f"The '{name}' of the image type {image_type} must be {allowed}. Got {value!r} instead.")
    if image_type == "LoG" and "sigma" not in settings:
        raise InputError("The image type LoG needs 'sigma', a list of lengths in mm: {'LoG': {'sigma': [1.0, 3.0]}}.")


def _wavelet_names(settings, flat_axis):
    letters = subband_letters(2 if flat_axis is not None else 3)
    last = settings.get("level", 1)
    levels = ["" if level == 1 else str(level) for level in range(1, last + 1)]
    names = [f"wavelet{level}-{letter}" for level in levels for letter in letters[1:]]
    return [*names, f"wavelet{levels[-1]}-{letters[0]}"]


def _log_name(sigma):
    return f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D"


def _original(image, box, spacing_mm, settings, flat_axis, roi):
    yield "original", image[box]


def _wavelet(image, box, spacing_mm, settings, flat_axis, roi):
    axes = [axis for axis in (2, 1, 0) if axis != flat_axis]
    wavelet = pywt.Wavelet(settings.get("wavelet", "coif1"))
    subbands = wavelet_subbands(image, box, wavelet, axes, settings.get("level", 1), settings.get("start_level", 0))
    yield from zip(_wavelet_names(settings, flat_axis), subbands, strict=True)


def _check_magnitude(image, box, name):
    """Refuse intensities that single precision, or their fourth powers in double precision, cannot hold."""
    largest = float(np.abs(image[box]).max()) if image.dtype.kind == "f" else 0.0
    if 0 < largest < _SMALLEST or largest > _LARGEST:  # NaN is left to the filter
        raise InputError(
            f"The largest intensity about the region is {largest:g}. The image type {name} takes {_SMALLEST:g} to "
            f"{_LARGEST:g}; multiply the image by a constant."
        )


def _laplacian(image, box, spacing_mm, settings, flat_axis, roi):
    _check_magnitude(image, box, "LoG")
    laplacians = laplacians_of_gaussian(image, box, spacing_mm, [float(sigma) for sigma in settings["sigma"]])
    yield from zip(filter_names("LoG", settings), laplacians, strict=True)


def _largest_magnitude(image):
    largest = max(abs(float(image.min())), abs(float(image.max())))
    if largest == 0:
        raise InputError("The image is 0 everywhere, so that its square, root, logarithm or exponential is undefined.")
    if largest < 1e-70 or 1e70 < largest < np.inf:
        raise InputError(
            f"The largest intensity of the image is {largest:g}, so that double precision may not hold its "
            "square, root, logarithm and exponential. Expected 1e-70 to 1e70; multiply the image by a constant."
        )
    return largest


def _square(image, box, spacing_mm, settings, flat_axis, roi):
    yield "square", (image[box].astype(np.float64) * (1 / np.sqrt(_largest_magnitude(image)))) ** 2


def _square_root(image, box, spacing_mm, settings, flat_axis, roi):
    values = image[box].astype(np.float64)
    yield "squareroot", np.sign(values) * np.sqrt(np.abs(values) * _largest_magnitude(image))


def _logarithm(image, box, spacing_mm, settings, flat_axis, roi):
    values = image[box].astype(np.float64)
    largest = _largest_magnitude(image)
    yield "logarithm", np.sign(values) * np.log(np.abs(values) + 1) * (largest / np.log(largest + 1))


def _exponential(image, box, spacing_mm, settings, flat_axis, roi):
    largest = _largest_magnitude(image)
    yield "exponential", np.exp(np.log(largest) / largest * image[box].astype(np.float64))


def _gradient(image, box, spacing_mm, settings, flat_axis, roi):
    _check_magnitude(image, box, "Gradient")
    around = tuple(slice(max(side.start - 2, 0), side.stop + 2) for side in box)
    near = sitk.GetImageFromArray(image[around])
    near.SetSpacing(spacing_mm[::-1].tolist())
    gradient = sitk.GradientMagnitude(near, settings.get("gradientUseSpacing", True))
    inner = tuple(
        slice(side.start - near.start, side.stop - near.start) for side, near in zip(box, around, strict=True)
    )
    yield "gradient", sitk.GetArrayFromImage(gradient)[inner]


def _binary_patterns(image, box, spacing_mm, settings, flat_axis, roi):
    axis = flat_axis or 0
    sides = list(box)
    sides[0], sides[axis] = box[axis], box[0]
    across, in_plane = sides[0], tuple(sides[1:])
    planes = np.swapaxes(image, 0, axis)[across]  # pyradiomics' way to turn a plane, which some patterns show
    # Ties are decided by the rounding of coordinates, so every plane is taken whole.
    derived = np.empty((len(planes), *(side.stop - side.start for side in in_plane)), image.dtype)
    samples, radius = settings.get("lbp2DSamples", 8), settings.get("lbp2DRadius", 1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Applying `local_binary_pattern` to floating-point", UserWarning)
        for target, plane in zip(derived, planes, strict=True):
            pattern = local_binary_pattern(plane, samples, radius, settings.get("lbp2DMethod", "uniform"))
            target[...] = pattern[in_plane]
    yield "lbp-2D", np.ascontiguousarray(np.swapaxes(derived, 0, axis))


def _spherical(image, box, spacing_mm, settings, flat_axis, roi):
    _check_magnitude(image, box, "LBP3D")
    maps = spherical_patterns(
        image,
        box,
        roi,
        settings.get("lbp3DLevels", 2),
        settings.get("lbp3DIcosphereRadius", 1),
        settings.get("lbp3DIcosphereSubdivision", 1),
    )
    yield from zip(filter_names("LBP3D", settings), maps, strict=True)


def _whole(low, high=np.inf):
    return lambda value: isinstance(value, Integral) and not isinstance(value, bool) and low <= value <= high


def _positive(value):
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < value < np.inf


# Image type -> {setting: (whether a value is allowed, what is allowed)}; pyradiomics' names.
FILTER_SETTINGS: dict[str, dict[str, tuple[Callable, str]]] = {
    "Original": {},
    "Wavelet": {
        "wavelet": (lambda value: value in pywt.wavelist(kind="discrete"), "a discrete wavelet of pywt, as 'coif1'"),
        "level": (_whole(1, _MOST_LEVELS), f"an int from 1 to {_MOST_LEVELS}"),
        "start_level": (_whole(0, _MOST_LEVELS), f"an int from 0 to {_MOST_LEVELS}"),
    },
    "LoG": {
        "sigma": (
            lambda value: isinstance(value, list | tuple) and len(value) > 0 and all(map(_positive, value)),
            "a list of lengths > 0 in mm",
        ),
    },
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Exponential": {},
    "Gradient": {"gradientUseSpacing": (lambda value: isinstance(value, bool), "True or False")},
    "LBP2D": {
        "lbp2DRadius": (_positive, "a length > 0 in voxels"),
        "lbp2DSamples": (_whole(1), "an int >= 1"),
        "lbp2DMethod": (lambda value: value in _LBP_METHODS, f"one of {', '.join(_LBP_METHODS)}"),
    },
    "LBP3D": {
        "lbp3DLevels": (_whole(1), "an int >= 1"),
        "lbp3DIcosphereRadius": (_positive, "a length > 0 in voxels"),
        "lbp3DIcosphereSubdivision": (_whole(0), "an int >= 0"),
    },
}
IMAGE_TYPES = tuple(FILTER_SETTINGS)

_FILTERS = {
    "Original": _original,
    "Wavelet": _wavelet,
    "LoG": _laplacian,
    "Square": _square,
    "SquareRoot": _square_root,
    "Logarithm": _logarithm,
    "Exponential": _exponential,
    "Gradient": _gradient,
    "LBP2D": _binary_patterns,
    "LBP3D": _spherical,
}
