"""Checks of parameters of `RadiomicsExtractor` that only one of the conventions has."""

from radiodeep.checks import is_sequence
from radiodeep.exceptions import InputError
from radiodeep.handcrafted.conventions import IBSI


def check_convention(settings, rules):
    """Raise an InputError for a parameter that the convention does not have; the message says the way out.

    `rules` are the `Setting` of each parameter by name.
    """
    if settings.convention != IBSI.name:
        _refuse_parameters_of_ibsi(settings, rules)
        return
    for name, setting in rules.items():
        if not setting.applies_to(IBSI.name):
            _require_standard(name, getattr(settings, name), setting, "")
    for image_type in settings.types:
        for name, value in image_type.texture.items():
            if not rules[name].applies_to(IBSI.name):
                _require_standard(name, value, rules[name], f" of the image type {image_type.name}")
    _check_histogram(settings, "RadiomicsExtractor")
    if settings.n_dimensions == 2:
        check_aggregation_of_slices(settings)


def check_aggregation_of_slices(settings):
    """Raise an InputError if texture is to be computed in space, of images that have one slice.

    Zones would lie at the border wherever they are, and averages over directions would miss most of them.
    """
    has_texture = not set(settings.feature_set.texture_families).isdisjoint(settings.chosen_families)
    if has_texture and any(name.startswith("3D") for name in settings.aggregations):
        raise InputError(
            f"aggregation={settings.aggregation!r} looks at neighbours in space, but the images have one slice. Use "
            "aggregation='2.5D_merged', or None."
        )


def _refuse_parameters_of_ibsi(settings, rules):
    given = [name for name, setting in rules.items() if setting.only_ibsi and getattr(settings, name) is not None]
    own = [name for kind in settings.types for name in kind.texture if rules[name].only_ibsi]
    for name in (*given, *own):
        raise InputError(
            f"'{name}' belongs to the IBSI's definitions, but convention='{settings.convention}'. "
            f"Use convention='{IBSI.name}', or leave '{name}' out."
        )


def _require_standard(name, value, setting, where):
    value = tuple(value) if is_sequence(value) else value
    if value != setting.ibsi_value:
        instead = f"; {setting.instead}" if setting.instead else ""
        raise InputError(
            f"The IBSI has no {name}={value!r}{where}. Use {name}={setting.ibsi_value!r}{instead}, or "
            "convention='pyradiomics'."
        )


def _check_histogram(settings, owner):
    if settings.ivh_bin_width is not None and settings.ivh_bin_count is not None:
        raise InputError(
            f"'ivh_bin_width' and 'ivh_bin_count' of {owner} exclude each other. Give one of them, or neither: then "
            "whole numbers are counted one by one, and other intensities in 1000 bins."
        )
