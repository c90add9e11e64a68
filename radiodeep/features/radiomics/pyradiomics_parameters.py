"""A parameter file of pyradiomics in, settings of `RadiomicsExtractor` out."""

from pathlib import Path

import yaml

from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.settings import TEXTURE_SETTINGS
from radiodeep.handcrafted.catalogue import FAMILIES, feature_names
from radiodeep.imaging.filters import IMAGE_TYPES
from radiodeep.imaging.resample import INTERPOLATORS

_SECTIONS = ("setting", "imageType", "featureClass", "voxelSetting")

SITK_NAMES = {
    "sitkNearestNeighbor": "nearest",
    "sitkLinear": "linear",
    "sitkBSpline": "bspline",
    "sitkGaussian": "gaussian",
    "sitkLabelGaussian": "label_gaussian",
    "sitkHammingWindowedSinc": "hamming",
    "sitkCosineWindowedSinc": "cosine",
    "sitkWelchWindowedSinc": "welch",
    "sitkLanczosWindowedSinc": "lanczos",
    "sitkBlackmanWindowedSinc": "blackman",
}


def _truth(value):
    if not isinstance(value, bool):
        raise TypeError("true or false")
    return value


def _whole(value):
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an int")
    return value


def _number(value):
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number (YAML reads 1e-3 as text: write 0.001 or 1.0e-3)")
    return float(value)


def _numbers(value):
    if not isinstance(value, list):
        raise TypeError("a list of numbers")
    return tuple(_number(entry) for entry in value)


def _wholes(value):
    if not isinstance(value, list):
        raise TypeError("a list of ints")
    return tuple(_whole(entry) for entry in value)


def _spacing(value):
    steps = _numbers(value)
    if len(steps) not in (2, 3):
        raise TypeError("a list of two or three numbers (x, y, z)")
    return (0.0, *steps[::-1]) if len(steps) == 2 else steps[::-1]  # here (z, y, x)


def _interpolator(value):
    name = SITK_NAMES.get(value) if isinstance(value, str) else _interpolator_of_number(value)
    if name is None:
        raise TypeError(f"one of {', '.join(SITK_NAMES)}")
    return name


def _interpolator_of_number(number):
    import SimpleITK as sitk  # late: it takes 100 MB, and numbers are rare

    by_number = {getattr(sitk, constant): name for name, constant in INTERPOLATORS.items()}
    return by_number.get(number)


def _text(value):
    if value is not None and not isinstance(value, str):
        raise TypeError("a name")
    return value


# pyradiomics' setting -> (our parameter, how its value is read).
_SETTINGS = {
    "binWidth": ("bin_width", _number),
    "binCount": ("bin_count", _whole),
    "force2D": ("force_2d", _truth),
    "force2Ddimension": ("force_2d_dimension", _whole),
    "distances": ("distances", _wholes),
    "symmetricalGLCM": ("symmetrical_glcm", _truth),
    "weightingNorm": ("weighting_norm", _text),
    "gldm_a": ("gldm_alpha", _whole),
    "voxelArrayShift": ("voxel_array_shift", _number),
    "normalize": ("normalize", _truth),
    "normalizeScale": ("normalize_scale", _number),
    "removeOutliers": ("remove_outliers", _number),
    "resampledPixelSpacing": ("resample_mm", _spacing),
    "interpolator": ("interpolator", _interpolator),
    "preCrop": ("pre_crop", _truth),
    "padDistance": ("pad_distance", _whole),
    "resegmentRange": ("resegment_range", _numbers),
    "resegmentMode": ("resegment_mode", _text),
    "resegmentShape": ("resegment_shape", _truth),
    "label": ("label", _whole),
    "minimumROIDimensions": ("minimum_roi_dimensions", _whole),
    "minimumROISize": ("minimum_roi_size", _whole),
}
_WITHOUT_EFFECT = ("additionalInfo", "geometryTolerance")  # no diagnostics; grids are compared to 1/1000 of a voxel
_OF_FILTERS = {
    "LoG": ("sigma",),
    "Wavelet": ("wavelet", "level", "start_level"),
    "Gradient": ("gradientUseSpacing",),
    "LBP2D": ("lbp2DRadius", "lbp2DSamples", "lbp2DMethod"),
    "LBP3D": ("lbp3DLevels", "lbp3DIcosphereRadius", "lbp3DIcosphereSubdivision"),
}


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML would silently take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise InputError(f"line {node.start_mark.line + 1}: the key '{twice[0]}' is given twice. Keep one of them.")
        return super().construct_mapping(node, deep=deep)


def read_parameters(path):
    """Read a parameter file strictly: what is not understood is an error, never left out.

    Parameters
    ----------
    path : path-like
        YAML or JSON.

    Returns
    -------
    dict
        Keyword arguments of `RadiomicsExtractor`, only those that differ from pyradiomics' defaults
        or whose default here is another.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"The parameter file '{path}' does not exist. Check the path.")
    try:
        return _read(yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader))
    except (InputError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"The parameter file '{path.name}' cannot be used: {error}") from error
    except RecursionError as error:
        raise InputError(f"The parameter file '{path.name}' is nested too deeply to be one of pyradiomics.") from error


def _read(content):
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise InputError(f"it holds {type(content).__name__}. Expected the sections {', '.join(_SECTIONS[:3])}.")
    for section, value in content.items():
        if section not in _SECTIONS:
            raise InputError(f"the section '{section}' is unknown. Expected {', '.join(_SECTIONS[:3])}.")
        if value is not None and not isinstance(value, dict):
            raise InputError(f"the section '{section}' holds {value!r}. Expected keys with values.")
    if content.get("voxelSetting"):
        raise InputError("'voxelSetting' asks for feature maps, which are not supported. Take this section out.")
    settings = content.get("setting") or {}
    own_defaults = {"axes": "stored", "force_2d_dimension": 0, "normalize_scale": 1.0}
    parameters = {**own_defaults, **_read_settings(settings, "setting", _all_filter_settings())}
    if settings.get("interpolator", True) is None:  # pyradiomics then resamples nothing
        parameters.pop("resample_mm", None)
    image_types = _read_image_types(content.get("imageType") or {"Original": {}}, settings)
    if image_types != {"Original": {}}:
        parameters["image_types"] = image_types
    if content.get("featureClass"):
        parameters["families"] = _read_families(content["featureClass"])
    return parameters


def _all_filter_settings():
    return [name for names in _OF_FILTERS.values() for name in names]


def _read_settings(settings, where, others=()):
    parameters = {}
    for name, value in settings.items():
        if name in others or name in _WITHOUT_EFFECT:
            continue
        if name in ("correctMask", "label_channel"):
            if value:
                raise InputError(f"{where}: '{name}' is not supported. Mend the masks first, and take it out.")
            continue
        if name not in _SETTINGS:
            raise InputError(f"{where}: the key '{name}' is unknown. Known are {', '.join(_SETTINGS)}.")
        parameter, read = _SETTINGS[name]
        if value is None:
            continue  # pyradiomics' way to say that something is off
        try:
            parameters[parameter] = read(value)
        except TypeError as error:
            raise InputError(f"{where}: '{name}' must be {error}. Got {value!r} instead.") from error
    return parameters


def _read_image_types(image_types, settings):
    types = {}
    for image_type, own in image_types.items():
        if image_type not in IMAGE_TYPES:
            raise InputError(f"imageType: '{image_type}' is unknown. Known are {', '.join(IMAGE_TYPES)}.")
        own = own or {}
        filters = _OF_FILTERS.get(image_type, ())
        overrides = _read_settings(own, f"imageType {image_type}", filters)
        for parameter in overrides:
            if parameter not in TEXTURE_SETTINGS:
                raise InputError(
                    f"imageType {image_type}: a setting for '{parameter}' of this image type alone is not supported. "
                    "Move it to the section 'setting'."
                )
        inherited = {name: settings[name] for name in filters if name in settings}
        types[image_type] = {**inherited, **{name: own[name] for name in filters if name in own}, **overrides}
    return types


def _read_families(classes):
    families = {}
    for family, names in classes.items():
        if family not in FAMILIES:
            raise InputError(f"featureClass: '{family}' is unknown. Known are {', '.join(FAMILIES)}.")
        known = [name.split("_", 1)[1] for name in feature_names([family])]
        for name in names or []:
            if name not in known:
                raise InputError(f"featureClass {family}: '{name}' is unknown. Known are {', '.join(known)}.")
        families[family] = list(names) if names else None
    return families if any(families.values()) else list(families)
