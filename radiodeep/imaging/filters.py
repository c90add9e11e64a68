"""Image and box -> the derived images of pyradiomics inside the box.

Every filter has the values that it has over the whole image, at the cost of the box and the reach of the filter.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pywt
from skimage.feature import local_binary_pattern

from radiodeep.checks import did_you_mean, in_words, is_count, is_flag, is_option, is_positive, require, require_option
from radiodeep.exceptions import InputError
from radiodeep.imaging.laplacian import laplacians_of_gaussian
from radiodeep.imaging.spherical_patterns import spherical_patterns
from radiodeep.imaging.wavelets import subband_letters, wavelet_subbands

# pywt.dwt_max_level of 1024 voxels for the shortest filter; every level widens what is filtered by a filter's length.
_MOST_LEVELS = 10
_SMALLEST, _LARGEST = 1e-30, 1e30
_LARGEST_POWER = 165.0  # of e: 1e71, just above the largest intensity, which by default no exponential exceeds
_LBP_METHODS = ("default", "ror", "uniform", "var")


def filtered_images(image, box, spacing_mm, image_type, settings, flat_axis=None, roi=None, slice_axis=0):
    """Yield (name, derived image inside the box) for each derived image of one image type.

    Names are pyradiomics': "original", "wavelet-LLH", "log-sigma-1-0-mm-3D", ...

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        The whole image: filters depend on voxels outside the box, and some on the extremes of all intensities.
    box : tuple of three slices
        (z, y, x); each `start` and `stop` given, inside the image.
    spacing_mm : sequence of three floats
        (z, y, x).
    image_type : str
        One of `IMAGE_TYPES`, pyradiomics' names.
    settings : dict
        pyradiomics' settings of that image type and two more; see `FILTER_SETTINGS`.

        - "in_plane" of "LoG" and "Gradient": filter each slice by itself. By default both are three-dimensional,
          whatever `flat_axis` is, as in pyradiomics.
        - "scale_by" of "Square", "SquareRoot", "Logarithm" and "Exponential": the intensity that is mapped to itself,
          so that the range of the image is kept. "image" (the default, and pyradiomics' definition) is the largest
          magnitude in the whole image, so that a bright voxel anywhere, or another field of view, changes all values.
          "region" is the largest magnitude in the region; a number is that intensity.
    flat_axis : {None, 0, 1, 2}, default=None
        Wavelets do not filter along this axis.
    roi : bool ndarray of the box's shape, optional
        The region; needed by "LBP3D", which is 0 outside it, and by "scale_by": "region".
    slice_axis : {0, 1, 2}, default=0
        Filters of single slices ("LBP2D", and those with "in_plane") use the slices across this axis, or across
        `flat_axis` if that is given.

    Raises
    ------
    InputError
        If a setting is wrong, or the image too small for the filter or 0 everywhere.
    """
    check_filter_settings(image_type, settings)
    slice_axis = slice_axis if flat_axis is None else flat_axis
    view = _View(image, box, np.asarray(spacing_mm, float), roi, flat_axis, slice_axis)
    yield from _FILTERS[image_type](view, settings)


@dataclass(frozen=True)
class _View:
    """The input of a filter: the image, the box to compute, the region in the box, and the axes of slices."""

    image: np.ndarray
    box: tuple
    spacing_mm: np.ndarray
    roi: np.ndarray | None
    flat_axis: int | None
    slice_axis: int

    @property
    def values(self):
        return self.image[self.box]


def filter_names(image_type, settings, flat_axis=None):
    """Return the names of the derived images that `filtered_images` yields, in its order.

    Examples
    --------
    >>> filter_names("LoG", {"sigma": [1.0, 2.5]})
    ['log-sigma-1-0-mm-3D', 'log-sigma-2-5-mm-3D']
    >>> filter_names("LoG", {"sigma": [1.0], "in_plane": True})
    ['log-sigma-1-0-mm-2D']
    >>> filter_names("Wavelet", {}, flat_axis=0)
    ['wavelet-LH', 'wavelet-HL', 'wavelet-HH', 'wavelet-LL']
    """
    check_filter_settings(image_type, settings)
    if image_type == "Wavelet":
        return _wavelet_names(settings, flat_axis)
    is_in_plane = settings.get("in_plane", False)
    if image_type == "LoG":
        lengths = [str(sigma).replace(".", "-") for sigma in settings["sigma"]]
        return [f"log-sigma-{length}-mm-{2 if is_in_plane else 3}D" for length in lengths]
    if image_type == "Gradient":
        return ["gradient-2D" if is_in_plane else "gradient"]
    if image_type == "LBP3D":
        return [f"lbp-3D-m{level + 1}" for level in range(settings.get("lbp3DLevels", 2))] + ["lbp-3D-k"]
    return ["lbp-2D" if image_type == "LBP2D" else image_type.lower()]


def check_filter_settings(image_type, settings):
    """Raise an InputError for an unknown image type, a setting that it does not have, or one out of range."""
    require_option(image_type, IMAGE_TYPES, "filtered_images", "image_type")
    rules = FILTER_SETTINGS[image_type]
    for name, value in settings.items():
        if name not in rules:
            known = ", ".join(rules) or "none"
            hint = did_you_mean(name, rules)
            raise InputError(f"The image type {image_type} has no setting '{name}'. It has: {known}.{hint}")
        allows, allowed = rules[name]
        require(allows(value), f"the image type {image_type}", name, allowed, value)
    if image_type == "LoG" and "sigma" not in settings:
        raise InputError("The image type LoG needs 'sigma', a list of lengths in mm: {'LoG': {'sigma': [1.0, 3.0]}}.")


def _wavelet_names(settings, flat_axis):
    letters = subband_letters(2 if flat_axis is not None else 3)
    levels = ["" if level == 1 else str(level) for level in range(1, settings.get("level", 1) + 1)]
    names = [f"wavelet{level}-{letter}" for level in levels for letter in letters[1:]]
    return [*names, f"wavelet{levels[-1]}-{letters[0]}"]


# Each of the filters below yields (name, derived image in the box) from a `_View` and the settings.
def _original(view, settings):
    yield "original", view.values


def _wavelet(view, settings):
    axes = [axis for axis in (2, 1, 0) if axis != view.flat_axis]
    wavelet = pywt.Wavelet(settings.get("wavelet", "coif1"))
    n_levels = settings.get("level", 1)
    n_skipped = settings.get("start_level", 0)
    subbands = wavelet_subbands(view.image, view.box, wavelet, axes, n_levels, n_skipped)
    yield from zip(_wavelet_names(settings, view.flat_axis), subbands, strict=True)


def _check_magnitude(values, name):
    """Raise an error if single precision cannot hold intensities, or double precision their fourth powers."""
    largest = float(np.abs(values).max()) if values.dtype.kind == "f" else 0.0
    if 0 < largest < _SMALLEST or largest > _LARGEST:  # NaN passes
        raise InputError(
            f"The largest intensity about the region is {largest:g}. The image type {name} takes {_SMALLEST:g} to "
            f"{_LARGEST:g}; multiply the image by a constant."
        )


def _laplacian(view, settings):
    _check_magnitude(view.values, "LoG")
    sigmas = [float(sigma) for sigma in settings["sigma"]]
    axis = view.slice_axis if settings.get("in_plane", False) else None
    laplacians = laplacians_of_gaussian(view.image, view.box, view.spacing_mm, sigmas, axis)
    yield from zip(filter_names("LoG", settings), laplacians, strict=True)


def _scale(view, settings):
    """Return the intensity that a function of intensities maps to itself."""
    scale_by = settings.get("scale_by", "image")
    if not isinstance(scale_by, str):
        return float(scale_by)
    values = view.values[view.roi] if scale_by == "region" else view.image
    largest = max(abs(float(values.min())), abs(float(values.max())))
    if largest == 0:
        raise InputError(
            f"The {scale_by} is 0 everywhere, so that its square, root, logarithm or exponential is undefined."
        )
    if largest < 1e-70 or 1e70 < largest < np.inf:
        raise InputError(
            f"The largest intensity of the {scale_by} is {largest:g}, so that double precision may not hold its "
            "square, root, logarithm and exponential. Expected 1e-70 to 1e70; multiply the image by a constant."
        )
    return largest


def _square(view, settings):
    yield "square", (view.values.astype(np.float64) * (1 / np.sqrt(_scale(view, settings)))) ** 2


def _square_root(view, settings):
    values = view.values.astype(np.float64)
    yield "squareroot", np.sign(values) * np.sqrt(np.abs(values) * _scale(view, settings))


def _logarithm(view, settings):
    values = view.values.astype(np.float64)
    scale = _scale(view, settings)
    yield "logarithm", np.sign(values) * np.log(np.abs(values) + 1) * (scale / np.log(scale + 1))


def _exponential(view, settings):
    scale = _scale(view, settings)
    powers = np.log(scale) / scale * view.values.astype(np.float64)
    largest = float((powers if view.roi is None else powers[view.roi]).max())
    if largest > _LARGEST_POWER:
        raise InputError(
            f"With scale_by={scale:g} the exponential of the region's largest intensity is e to the power of "
            f"{largest:.4g}, which double precision may not hold. Give the image type Exponential a larger scale_by."
        )
    with np.errstate(over="ignore"):  # outside the region
        yield "exponential", np.exp(powers)


def _gradient(view, settings):
    _check_magnitude(view.values, "Gradient")
    around = tuple(slice(max(side.start - 2, 0), side.stop + 2) for side in view.box)
    inner = tuple(
        slice(side.start - near.start, side.stop - near.start) for side, near in zip(view.box, around, strict=True)
    )
    use_spacing = settings.get("gradientUseSpacing", True)
    if not settings.get("in_plane", False):
        yield "gradient", _gradient_magnitude(view.image[around], view.spacing_mm, use_spacing)[inner]
        return
    axis = view.slice_axis
    planes = np.moveaxis(view.image[around], axis, 0)
    magnitudes = [_gradient_magnitude(plane, np.delete(view.spacing_mm, axis), use_spacing) for plane in planes]
    yield "gradient-2D", np.stack(magnitudes, axis)[inner]


def _gradient_magnitude(array, spacing_mm, use_spacing):
    import SimpleITK as sitk  # late: no other filter needs its 100 MB

    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(spacing_mm[::-1].tolist())
    return sitk.GetArrayFromImage(sitk.GradientMagnitude(image, use_spacing))


def _binary_patterns(view, settings):
    axis = view.slice_axis
    box = list(view.box)  # with the axis of slices and the first one swapped as in pyradiomics, which patterns feel
    box[0], box[axis] = view.box[axis], view.box[0]
    planes = np.swapaxes(view.image, 0, axis)[box[0]]
    in_plane = tuple(box[1:])
    # Rounded coordinates decide ties, so that whole planes are needed.
    derived = np.empty((len(planes), *(side.stop - side.start for side in in_plane)), view.image.dtype)
    n_samples = settings.get("lbp2DSamples", 8)
    radius = settings.get("lbp2DRadius", 1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Applying `local_binary_pattern` to floating-point", UserWarning)
        for target, plane in zip(derived, planes, strict=True):
            pattern = local_binary_pattern(plane, n_samples, radius, settings.get("lbp2DMethod", "uniform"))
            target[...] = pattern[in_plane]
    yield "lbp-2D", np.ascontiguousarray(np.swapaxes(derived, 0, axis))


def _spherical(view, settings):
    _check_magnitude(view.values, "LBP3D")
    maps = spherical_patterns(
        view.image,
        view.box,
        view.roi,
        settings.get("lbp3DLevels", 2),
        settings.get("lbp3DIcosphereRadius", 1),
        settings.get("lbp3DIcosphereSubdivision", 1),
    )
    yield from zip(filter_names("LBP3D", settings), maps, strict=True)


def _count(low, high=None):
    allowed = f"an int >= {low}" if high is None else f"an int from {low} to {high}"
    return partial(is_count, least=low, most=high), allowed


def _scale_above(low):
    """Return the rule of a "scale_by" whose numbers are larger than `low`, as in `FILTER_SETTINGS`."""

    def is_scale(value):
        return value in ("image", "region") if isinstance(value, str) else is_positive(value) and value > low

    return is_scale, f"'image', 'region' or a number > {low}"


_FLAG = (is_flag, "True or False")
_SCALE = _scale_above(0)

# Image type -> {setting: (whether a value is allowed, what is allowed)}; pyradiomics' names, "in_plane" and "scale_by".
FILTER_SETTINGS: dict[str, dict[str, tuple[Callable, str]]] = {
    "Original": {},
    "Wavelet": {
        "wavelet": (lambda value: value in pywt.wavelist(kind="discrete"), "a discrete wavelet of pywt, as 'coif1'"),
        "level": _count(1, _MOST_LEVELS),
        "start_level": _count(0, _MOST_LEVELS),
    },
    "LoG": {
        "sigma": (
            lambda value: isinstance(value, list | tuple) and len(value) > 0 and all(map(is_positive, value)),
            "a list of lengths > 0 in mm",
        ),
        "in_plane": _FLAG,
    },
    "Square": {"scale_by": _SCALE},
    "SquareRoot": {"scale_by": _SCALE},
    "Logarithm": {"scale_by": _SCALE},
    "Exponential": {"scale_by": _scale_above(1)},
    "Gradient": {"gradientUseSpacing": _FLAG, "in_plane": _FLAG},
    "LBP2D": {
        "lbp2DRadius": (is_positive, "a length > 0 in voxels"),
        "lbp2DSamples": _count(1),
        "lbp2DMethod": (partial(is_option, options=_LBP_METHODS), in_words(_LBP_METHODS)),
    },
    "LBP3D": {
        "lbp3DLevels": _count(1),
        "lbp3DIcosphereRadius": (is_positive, "a length > 0 in voxels"),
        "lbp3DIcosphereSubdivision": _count(0),
    },
}
IMAGE_TYPES = tuple(FILTER_SETTINGS)
SCALED_IMAGE_TYPES = tuple(name for name, settings in FILTER_SETTINGS.items() if "scale_by" in settings)

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
