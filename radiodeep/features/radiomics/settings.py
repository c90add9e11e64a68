"""What the settings of `RadiomicsExtractor` may be."""

import difflib
import json
from collections.abc import Collection, Mapping
from numbers import Integral, Real

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.catalogue import FAMILIES
from radiodeep.handcrafted.neighbours import WEIGHTING_NORMS
from radiodeep.imaging.filters import IMAGE_TYPES, check_filter_settings, filter_names
from radiodeep.imaging.intensity import NORMALIZATION_PARTS, RESEGMENT_MODES
from radiodeep.imaging.resample import GRIDS, INTERPOLATORS
from radiodeep.rows.cache import canonical

# Settings that go to every image as they are, and that an image type may have for itself.
TEXTURE_SETTINGS = (
    "bin_width",
    "bin_count",
    "max_gray_levels",
    "voxel_array_shift",
    "distances",
    "symmetrical_glcm",
    "weighting_norm",
    "gldm_alpha",
)

AXES = ("anatomical", "stored")
ENGINES = ("radiodeep", "pyradiomics")
# What extractors did that were saved before these settings existed.
_BEFORE = {
    "axes": "stored",
    "normalize_over": "image",
    "ring_mm": 10.0,
    "anti_alias": False,
    "resample_grid": "corner",
}


def _real(value):
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_) and bool(np.isfinite(value))


def _positive(value):
    return _real(value) and value > 0


def _whole(value, low, high=None):
    whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    return whole and value >= low and (high is None or value <= high)


def _truth(value, _):
    return isinstance(value, bool | np.bool_)


def _listed(value):
    return isinstance(value, list | tuple | np.ndarray) and len(value) > 0


def _spacing(value):
    values = value if _listed(value) else [value]
    return len(values) in (1, 3) and all(_real(step) and step >= 0 for step in values)


# Parameter -> (whether a value is allowed, given the extractor; what is allowed, in words).
RULES = {
    "bin_width": (
        lambda value, self: _positive(value) or (value is None and self.bin_count is not None),
        "a float > 0",
    ),
    "bin_count": (lambda value, _: value is None or _whole(value, 1), "None or an int >= 1"),
    "force_2d": (_truth, "True or False"),
    "force_2d_dimension": (lambda value, _: value is None or _whole(value, 0, 2), "None, 0, 1 or 2 (z, y, x)"),
    "distances": (
        lambda value, _: _listed(value) and all(_whole(step, 1, 20) for step in value),
        "a sequence of ints from 1 to 20, as (1,)",
    ),
    "symmetrical_glcm": (_truth, "True or False"),
    "weighting_norm": (
        lambda value, _: value is None or value in WEIGHTING_NORMS,
        f"None or one of {', '.join(WEIGHTING_NORMS)}",
    ),
    "gldm_alpha": (lambda value, _: _whole(value, 0), "an int >= 0"),
    "voxel_array_shift": (lambda value, _: _real(value), "a finite float"),
    "max_gray_levels": (lambda value, _: _whole(value, 1, 65534), "an int from 1 to 65534"),
    "normalize": (_truth, "True or False"),
    "normalize_over": (lambda value, _: value in NORMALIZATION_PARTS, f"one of {', '.join(NORMALIZATION_PARTS)}"),
    "ring_mm": (lambda value, _: _positive(value), "a float > 0"),
    "normalize_scale": (lambda value, _: _positive(value), "a float > 0"),
    "remove_outliers": (lambda value, _: value is None or _positive(value), "None or a float > 0"),
    "resample_mm": (
        lambda value, _: value is None or _spacing(value),
        "None, a float >= 0, or three (z, y, x)",
    ),
    "interpolator": (lambda value, _: value in INTERPOLATORS, f"one of {', '.join(INTERPOLATORS)}"),
    "anti_alias": (_truth, "True or False"),
    "resample_grid": (lambda value, _: value in GRIDS, f"one of {', '.join(GRIDS)}"),
    "pre_crop": (_truth, "True or False"),
    "pad_distance": (lambda value, _: _whole(value, 0), "an int >= 0"),
    "resegment_range": (
        lambda value, _: value is None or (_listed(value) and len(value) <= 2 and all(map(_real, value))),
        "None or a sequence of one or two floats",
    ),
    "resegment_mode": (lambda value, _: value in RESEGMENT_MODES, f"one of {', '.join(RESEGMENT_MODES)}"),
    "resegment_shape": (_truth, "True or False"),
    "label": (lambda value, _: value is None or _whole(value, 1), "None or an int >= 1"),
    "minimum_roi_dimensions": (lambda value, _: _whole(value, 1, 3), "1, 2 or 3"),
    "minimum_roi_size": (lambda value, _: value is None or _whole(value, 1), "None or an int >= 1"),
    "axes": (lambda value, _: value in AXES, f"one of {', '.join(AXES)}"),
    "engine": (lambda value, _: value in ENGINES, f"one of {', '.join(ENGINES)}"),
}


def with_settings_of_before(state):
    """Complete the state of an extractor that was saved without some settings, which then computes as it did.

    Its axes are those of the files, which was all that there was; the axis across the slices was named.
    """
    missing = {name: value for name, value in _BEFORE.items() if name not in state}
    if missing and "training_settings_" in state:
        trained = {**canonical(missing), **json.loads(state["training_settings_"])}
        missing["training_settings_"] = json.dumps(trained, sort_keys=True)
    return {**state, **missing}


def check_bin_widths(image_types, force_2d):
    """Raise an InputError for a 'bin_width' of an image type that is a dict and not from all names of its images."""
    for image_type, (filter_settings, overrides) in image_types_of(image_types).items():
        given = overrides.get("bin_width")
        names = filter_names(image_type, filter_settings, 0 if force_2d else None)
        if isinstance(given, Mapping) and set(given) != set(names):
            raise InputError(
                f"The 'bin_width' of {image_type}, as a dict, must be from all names of its images: "
                f"{', '.join(names)}. Got {given!r} instead.{did_you_mean(given, names)}"
            )


def check_families(families):
    """Raise an InputError unless `families` is None, or some families or a dict from them."""
    listed = isinstance(families, Collection) and not isinstance(families, str)
    if families is None or (listed and len(families) > 0 and all(family in FAMILIES for family in families)):
        return
    raise InputError(
        f"The 'families' parameter of RadiomicsExtractor must be None, a sequence of {', '.join(FAMILIES)}, or a dict "
        f"from them to lists of names. Got {families!r} instead.{did_you_mean(families, FAMILIES)}"
    )


def did_you_mean(given, allowed):
    """Return " Did you mean ...?" for names that are near to allowed ones, else "".

    Parameters
    ----------
    given : object
        What a parameter got; a str in place of a list is put into one.
    allowed : sequence of str
    """
    if not isinstance(given, Collection):
        return ""
    by_lower_case = {name.casefold(): name for name in allowed}
    names = [given] if isinstance(given, str) else [name for name in given if name not in allowed]
    close = [difflib.get_close_matches(str(name).casefold(), by_lower_case, 1) for name in names]
    meant = [by_lower_case[found[0]] for found in close if found]
    if not meant:
        return ""
    return f" Did you mean {meant if isinstance(given, str) else ', '.join(map(repr, meant))}?"


def image_types_of(image_types):
    """Read the 'image_types' parameter.

    Returns
    -------
    dict from image type to (settings of its filter, settings of texture that differ for it)

    Raises
    ------
    InputError
        For an unknown image type, or a setting that it does not have or that is out of range.
    """
    if image_types is None:
        return {"Original": ({}, {})}
    listed = image_types if isinstance(image_types, Mapping) else None
    if listed is None and isinstance(image_types, list | tuple):
        listed = dict.fromkeys(image_types)
    if not listed or not all(image_type in IMAGE_TYPES for image_type in listed):
        raise InputError(
            "The 'image_types' parameter of RadiomicsExtractor must be None, or a sequence or dict of "
            f"{', '.join(IMAGE_TYPES)}. Got {image_types!r} instead.{did_you_mean(image_types, IMAGE_TYPES)}"
        )
    types = {}
    for image_type, settings in listed.items():
        settings = settings or {}
        overrides = {name: value for name, value in settings.items() if name in TEXTURE_SETTINGS}
        filter_settings = {name: value for name, value in settings.items() if name not in overrides}
        check_filter_settings(image_type, filter_settings)
        for name, value in overrides.items():
            holds, allowed = RULES[name]
            if name == "bin_width" and isinstance(value, Mapping) and value:
                if all(map(_positive, value.values())):
                    continue
                allowed = "a float > 0, or a dict of them from the names of its images"
            if value is not None and not holds(value, None):
                raise InputError(f"The '{name}' of {image_type} must be {allowed}. Got {value!r} instead.")
        types[image_type] = filter_settings, overrides
    return types
