"""Image type and settings -> checked settings of each filter, and the names of the derived images.

A setting that may be given as a list makes a derived image of each of its values, and of each combination of values
if there are several lists.
"""

from collections.abc import Callable
from functools import partial
from itertools import product

import pywt

from radiodeep.checks import (
    did_you_mean,
    in_words,
    is_count,
    is_finite,
    is_flag,
    is_option,
    is_positive,
    require,
    require_option,
)
from radiodeep.exceptions import InputError
from radiodeep.imaging.ibsi_filters.boundary import BOUNDARIES
from radiodeep.imaging.ibsi_filters.laws import LAWS_KERNELS, kernel_names
from radiodeep.imaging.ibsi_filters.rotations import POOLINGS

_MOST_LEVELS = 10


def check_ibsi_filter_settings(image_type, settings):
    """Raise an InputError for an unknown image type, a setting that it does not have or needs, or one out of range.

    Examples
    --------
    >>> check_ibsi_filter_settings("laws", {"kernels": "L5E5E4"})
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'kernels' parameter of the image type laws must be two or three of L3, E3, \
S3, L5, E5, S5, W5, R5, as 'L5E5E5', or a list of such that all differ. Got 'L5E5E4' instead.
    """
    require_option(image_type, IBSI_IMAGE_TYPES, "ibsi_filtered_images", "image_type")
    rules = IBSI_FILTER_SETTINGS[image_type]
    for name, value in settings.items():
        if name not in rules:
            known = ", ".join(rules) or "none"
            hint = did_you_mean(name, rules)
            raise InputError(f"The image type {image_type} has no setting '{name}'. It has: {known}.{hint}")
        allows, allowed = rules[name]
        require(allows(value), f"the image type {image_type}", name, allowed, value)
    for name, example in _REQUIRED.get(image_type, {}).items():
        if name not in settings:
            _, allowed = rules[name]
            raise InputError(
                f"The image type {image_type} needs '{name}', {allowed}: {{'{image_type}': {{'{name}': {example!r}}}}}."
            )


def ibsi_filter_names(image_type, settings, flat_axis=None):
    """Return the names of the derived images that `ibsi_filtered_images` yields, in its order.

    They name the settings, but those that are defaults of every image (cutoff, gamma, boundary) only if they differ.

    Examples
    --------
    >>> ibsi_filter_names("laplacian_of_gaussian", {"sigma_mm": [1.5, 3]})
    ['log_sigma-1.5mm', 'log_sigma-3mm']
    >>> ibsi_filter_names("laws", {"kernels": "L5E5E5", "pooling": "max", "energy_distance": 7})
    ['laws_L5E5E5_max_energy-7']
    >>> ibsi_filter_names("separable_wavelet", {"wavelet": "db3", "subbands": ["LLH", "HHH"], "pooling": "average"})
    ['wavelet_db3_LLH_level-1_average', 'wavelet_db3_HHH_level-1_average']
    """
    check_ibsi_filter_settings(image_type, settings)
    return [_name(image_type, variant, flat_axis) for variant in ibsi_filter_variants(image_type, settings)]


def ibsi_filter_variants(image_type, settings):
    """Return the settings of each derived image, complete with defaults: a list of dicts without lists."""
    values = {name: [default] for name, default in _DEFAULTS[image_type].items()}
    for name, value in settings.items():
        is_several = isinstance(value, list | tuple) and not (name == "order" and _is_order(value))
        values[name] = list(value) if is_several else [value]
    order = [name for name in IBSI_FILTER_SETTINGS[image_type] if name in values]
    return [dict(zip(order, combination, strict=True)) for combination in product(*(values[name] for name in order))]


def is_in_plane(variant, flat_axis):
    """Return whether a filter is two-dimensional: by its settings, and else if features are."""
    if "kernels" in variant:
        return len(kernel_names(variant["kernels"])) == 2
    for name in ("subbands", "order"):
        if name in variant:
            return len(variant[name]) == 2
    chosen = variant.get("in_plane")
    return flat_axis is not None if chosen is None else bool(chosen)


def is_filter_of_slices(image_type, settings, flat_axis=None):
    """Return whether filters of an image type see single slices, so that responses depend on the axis across them.

    Examples
    --------
    >>> is_filter_of_slices("laws", {"kernels": "L5E5"}), is_filter_of_slices("laws", {"kernels": "L5E5E5"})
    (True, False)
    >>> gabor = {"sigma_mm": 5, "wavelength_mm": 2}
    >>> is_filter_of_slices("gabor", gabor), is_filter_of_slices("gabor", {**gabor, "orthogonal_planes": True})
    (True, False)
    """
    variants = ibsi_filter_variants(image_type, settings)
    if image_type == "gabor":
        return not all(variant["orthogonal_planes"] for variant in variants)
    return image_type != "Original" and any(is_in_plane(variant, flat_axis) for variant in variants)


def _name(image_type, variant, flat_axis):
    parts = _NAMES[image_type](variant)
    if "in_plane" in variant and is_in_plane(variant, flat_axis):
        parts.append("2D")
    default = _DEFAULTS[image_type].get("boundary")
    if variant.get("boundary") != default:
        parts.append(variant["boundary"])
    return "_".join(parts)


def _name_of_log(variant):
    cutoff = [] if variant["cutoff"] == _CUTOFF else [f"cutoff-{_shortest(variant['cutoff'])}"]
    return ["log", f"sigma-{_shortest(variant['sigma_mm'])}mm", *cutoff]


def _name_of_laws(variant):
    pooling = [] if variant["pooling"] is None else [variant["pooling"]]
    energy = [] if variant["energy_distance"] is None else [f"energy-{variant['energy_distance']}"]
    return ["laws", variant["kernels"], *pooling, *energy]


def _name_of_gabor(variant):
    lengths = [f"{length}-{_shortest(variant[f'{length}_mm'])}mm" for length in ("sigma", "wavelength")]
    parts = ["gabor", *lengths]
    if variant["gamma"] != 1:
        parts.append(f"gamma-{_shortest(variant['gamma'])}")
    if variant["theta_step_degrees"] is not None:
        parts.append(f"step-{_shortest(variant['theta_step_degrees'])}")
    if variant["theta_degrees"] or variant["theta_step_degrees"] is None:
        parts.append(f"theta-{_shortest(variant['theta_degrees'])}")
    if variant["theta_step_degrees"] is not None or variant["orthogonal_planes"]:
        parts.append(variant["pooling"])
    return [*parts, "3D" if variant["orthogonal_planes"] else "2D"]


def _name_of_wavelet(variant):
    pooling = [] if variant["pooling"] is None else [variant["pooling"]]
    return ["wavelet", variant["wavelet"], variant["subbands"], f"level-{variant['level']}", *pooling]


def _name_of_riesz(variant):
    return f"riesz-{'-'.join(map(str, variant['order']))}"


def _shortest(number):
    """Return the shortest text of a number that differs from that of every other: 2.0 -> "2", -0.0 -> "0"."""
    return repr(float(number) + 0.0).removesuffix(".0")


def _several(allows, allowed):
    """Return the rule of a setting that may be one value or a list of different ones."""

    def allows_all(value):
        if allows(value):
            return True
        is_list = isinstance(value, list | tuple) and len(value) > 0
        if not is_list or not all(map(allows, value)):
            return False
        return len({tuple(each) if isinstance(each, list) else each for each in value}) == len(value)

    return allows_all, f"{allowed}, or a list of such that all differ"


def _are_kernels(value):
    return isinstance(value, str) and len(value) in (4, 6) and all(name in LAWS_KERNELS for name in kernel_names(value))


def _are_letters(value):
    return isinstance(value, str) and len(value) in (2, 3) and set(value) <= {"L", "H"}


def _is_order(value):
    is_listed = isinstance(value, list | tuple) and len(value) in (2, 3)
    return is_listed and all(is_count(each, 0, 10) for each in value) and sum(value) > 0


def _is_step(value):
    return value is None or (is_positive(value) and 1 <= value <= 180 and abs(360 / value - round(360 / value)) < 1e-9)


_CUTOFF = 4.0
_FLAG = (is_flag, "True or False")
_LENGTH = _several(is_positive, "a length > 0 in mm")
_LEVEL = _several(partial(is_count, least=1, most=_MOST_LEVELS), f"an int from 1 to {_MOST_LEVELS}")
_BOUNDARY = (partial(is_option, options=BOUNDARIES), in_words(BOUNDARIES))
_POOLING = (partial(is_option, options=(None, *POOLINGS)), in_words((None, *POOLINGS)))
_ORDER = _several(_is_order, "two or three ints from 0 to 10 that are not all 0")

# Image type -> {setting: (whether a value is allowed, what is allowed)}.
IBSI_FILTER_SETTINGS: dict[str, dict[str, tuple[Callable, str]]] = {
    "Original": {},
    "mean": {"support": _several(partial(is_count, least=1), "an int >= 1"), "in_plane": _FLAG, "boundary": _BOUNDARY},
    "laplacian_of_gaussian": {
        "sigma_mm": _LENGTH,
        "cutoff": (is_positive, "a number > 0"),
        "in_plane": _FLAG,
        "boundary": _BOUNDARY,
    },
    "laws": {
        "kernels": _several(_are_kernels, f"two or three of {', '.join(LAWS_KERNELS)}, as 'L5E5E5'"),
        "pooling": _POOLING,
        "energy_distance": (lambda value: value is None or is_count(value, 1), "None or an int >= 1"),
        "boundary": _BOUNDARY,
    },
    "gabor": {
        "sigma_mm": _LENGTH,
        "wavelength_mm": _LENGTH,
        "gamma": _several(is_positive, "a number > 0"),
        "theta_degrees": _several(is_finite, "a number of degrees"),
        "theta_step_degrees": (_is_step, "None or a number of degrees from 1 to 180 that divides 360"),
        "orthogonal_planes": _FLAG,
        "pooling": (partial(is_option, options=POOLINGS), in_words(POOLINGS)),
        "boundary": _BOUNDARY,
    },
    "separable_wavelet": {
        "wavelet": _several(
            lambda value: value in pywt.wavelist(kind="discrete"), "a discrete wavelet of pywt, as 'db3'"
        ),
        "subbands": _several(_are_letters, "two or three letters L and H, as 'LLH'"),
        "level": _LEVEL,
        "pooling": _POOLING,
        "boundary": _BOUNDARY,
    },
    "simoncelli": {"level": _LEVEL, "in_plane": _FLAG, "boundary": _BOUNDARY},
    "riesz_laplacian_of_gaussian": {
        "order": _ORDER,
        "sigma_mm": _LENGTH,
        "cutoff": (is_positive, "a number > 0"),
        "boundary": _BOUNDARY,
    },
    "riesz_simoncelli": {"order": _ORDER, "level": _LEVEL, "boundary": _BOUNDARY},
}
IBSI_IMAGE_TYPES = tuple(IBSI_FILTER_SETTINGS)

_DEFAULTS = {
    "Original": {},
    "mean": {"in_plane": None, "boundary": "mirror"},
    "laplacian_of_gaussian": {"cutoff": _CUTOFF, "in_plane": None, "boundary": "mirror"},
    "laws": {"pooling": None, "energy_distance": None, "boundary": "mirror"},
    "gabor": {
        "gamma": 1.0,
        "theta_degrees": 0.0,
        "theta_step_degrees": None,
        "orthogonal_planes": False,
        "pooling": "average",
        "boundary": "mirror",
    },
    "separable_wavelet": {"level": 1, "pooling": None, "boundary": "mirror"},
    "simoncelli": {"level": 1, "in_plane": None, "boundary": "periodic"},
    "riesz_laplacian_of_gaussian": {"cutoff": _CUTOFF, "boundary": "periodic"},
    "riesz_simoncelli": {"level": 1, "boundary": "periodic"},
}
_REQUIRED = {
    "mean": {"support": 5},
    "laplacian_of_gaussian": {"sigma_mm": [1.5, 3.0]},
    "laws": {"kernels": "L5E5E5"},
    "gabor": {"sigma_mm": 5.0, "wavelength_mm": 2.0},
    "separable_wavelet": {"wavelet": "db3", "subbands": ["LLH", "HHH"]},
    "riesz_laplacian_of_gaussian": {"order": (1, 0, 0), "sigma_mm": 3.0},
    "riesz_simoncelli": {"order": (1, 0, 0)},
}
_NAMES = {
    "Original": lambda variant: ["original"],
    "mean": lambda variant: [f"mean_support-{variant['support']}"],
    "laplacian_of_gaussian": _name_of_log,
    "laws": _name_of_laws,
    "gabor": _name_of_gabor,
    "separable_wavelet": _name_of_wavelet,
    "simoncelli": lambda variant: [f"simoncelli_level-{variant['level']}"],
    "riesz_laplacian_of_gaussian": lambda variant: [_name_of_riesz(variant), *_name_of_log(variant)],
    "riesz_simoncelli": lambda variant: [_name_of_riesz(variant), f"simoncelli_level-{variant['level']}"],
}
