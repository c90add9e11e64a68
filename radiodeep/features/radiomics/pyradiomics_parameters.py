"""A parameter file of pyradiomics -> parameters of `RadiomicsExtractor`."""

from radiodeep.checks import did_you_mean
from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.settings import SETTINGS, TEXTURE_SETTINGS
from radiodeep.handcrafted.catalogue import PYRADIOMICS_FAMILIES, feature_names
from radiodeep.imaging.filters import FILTER_SETTINGS, IMAGE_TYPES
from radiodeep.yaml_files import parsed_yaml

_SECTIONS = ("setting", "imageType", "featureClass")
_DEFAULTS = {"axes": "stored", "force_2d_dimension": 0, "normalize_scale": 1.0}  # of pyradiomics, other than ours
_PARAMETERS = {setting.key: (name, setting) for name, setting in SETTINGS.items() if setting.key}
_WITHOUT_EFFECT = ("additionalInfo", "geometryTolerance")  # no diagnostics; grids are compared to 1/1000 of a voxel
_UNSUPPORTED = ("correctMask", "label_channel")
_NOT_OF_PYRADIOMICS = ("in_plane", "scale_by")  # settings of filters; the others have pyradiomics' names
_FILTER_SETTINGS = {
    image_type: [name for name in names if name not in _NOT_OF_PYRADIOMICS]
    for image_type, names in FILTER_SETTINGS.items()
}


def read_parameters(path):
    """Return the arguments of `RadiomicsExtractor` that a file gives, and those with another default in pyradiomics.

    An unknown key or a value of the wrong kind is an InputError, which names the file and the key.
    """
    return parsed_yaml(path, "parameter file", _read)


def _read(content):
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise InputError(f"it holds {type(content).__name__}. Expected the sections {', '.join(_SECTIONS)}.")
    for section, value in content.items():
        _check_known(section, (*_SECTIONS, "voxelSetting"), "the section ", _SECTIONS)
        _check_kind(value, dict, f"the section '{section}'", "keys with values")
    if content.get("voxelSetting"):
        raise InputError(
            "'voxelSetting' asks for feature maps. Take this section out, and give kernelRadius and maskedKernel to "
            "feature_map as radius and masked, or to 'radiodeep map' as --radius and --unmasked."
        )
    settings = content.get("setting") or {}
    of_filters = [name for names in _FILTER_SETTINGS.values() for name in names]
    parameters = {**_DEFAULTS, **_read_settings(settings, "setting", of_filters)}
    if settings.get("interpolator", True) is None:  # pyradiomics then resamples nothing
        parameters.pop("resample_mm", None)
    image_types = _read_image_types(content.get("imageType") or {"Original": {}}, settings)
    if image_types != {"Original": {}}:
        parameters["image_types"] = image_types
    if content.get("featureClass"):
        parameters["families"] = _read_families(content["featureClass"])
    return parameters


def _check_kind(value, kind, subject, expected):
    if value is not None and not isinstance(value, kind):
        raise InputError(f"{subject} holds {value!r}. Expected {expected}.")


def _check_known(name, known, subject, expected=None):
    """Raise an InputError unless a name is known; the message lists the expected names, by default all known ones."""
    if name not in known:
        listed = f"Expected {', '.join(expected)}" if expected else f"Known are {', '.join(known)}"
        raise InputError(f"{subject}'{name}' is unknown. {listed}.{did_you_mean(name, known)}")


def _read_settings(settings, place, of_filters):
    """Return parameters from keys and values; settings of filters are left to `_read_image_types`."""
    parameters = {}
    for key, value in settings.items():
        if key in of_filters or key in _WITHOUT_EFFECT or (key in _UNSUPPORTED and not value):
            continue
        if key in _UNSUPPORTED:
            raise InputError(f"{place}: '{key}' is not supported. Correct the masks first, and take it out.")
        _check_known(key, _PARAMETERS, f"{place}: the key ")
        if value is not None:  # null switches something off, as the default does
            parameter, setting = _PARAMETERS[key]
            parameters[parameter] = _read_value(setting, value, f"{place}: '{key}'")
    return parameters


def _read_value(setting, value, subject):
    allowed = setting.allowed
    hint = did_you_mean(value, setting.options)
    try:
        converted = setting.read(value)
        if setting.allows(converted):
            return converted
    except ValueError as error:
        allowed = str(error)
        hint = ""
    if _is_number_as_text(value):
        hint = " YAML reads 1e-3 and '1' as text: write 0.001, or leave the quotation marks out."
    raise InputError(f"{subject} must be {allowed}. Got {value!r} instead.{hint}")


def _is_number_as_text(value):
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


def _read_image_types(image_types, settings):
    types = {}
    for image_type, own in image_types.items():
        _check_known(image_type, IMAGE_TYPES, "imageType: ")
        _check_kind(own, dict, f"imageType {image_type}", "keys with values")
        own = own or {}
        of_filter = _FILTER_SETTINGS[image_type]
        texture = _read_settings(own, f"imageType {image_type}", of_filter)
        for parameter in texture:
            if parameter not in TEXTURE_SETTINGS:
                raise InputError(
                    f"imageType {image_type}: a setting for '{parameter}' of this image type alone is not supported. "
                    "Move it to the section 'setting'."
                )
        filters = {**settings, **own}
        types[image_type] = {**{name: filters[name] for name in of_filter if name in filters}, **texture}
    return types


def _read_families(classes):
    families = {}
    for family, names in classes.items():
        _check_known(family, PYRADIOMICS_FAMILIES, "featureClass: ")
        _check_kind(names, list, f"featureClass {family}", "a list of names")
        known = [name.split("_", 1)[1] for name in feature_names([family])]
        for name in names or []:
            _check_known(name, known, f"featureClass {family}: ")
        families[family] = list(names) if names else None
    return families if any(families.values()) else list(families)
