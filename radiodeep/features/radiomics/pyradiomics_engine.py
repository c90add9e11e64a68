"""A case and `RadiomicsSettings` -> the row that pyradiomics itself calculates, for cross-checking."""

import logging

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.preparation import ordered_lesion
from radiodeep.features.radiomics.settings import SETTINGS
from radiodeep.handcrafted.catalogue import PYRADIOMICS_FAMILIES

# The fixed values in pyradiomics of settings of filters that it does not have.
_FILTER_VALUES = {"in_plane": False, "scale_by": "image"}
# Parameters that pyradiomics does not have, with the parameter without which they have no effect.
_EFFECTIVE_WITH = {"normalize_over": "normalize", "anti_alias": "resample_mm", "resample_grid": "resample_mm"}


def pyradiomics_row(settings, case):
    """Run pyradiomics on a case; return its row, float64 of shape (n_features,).

    Raises an InputError if pyradiomics is not installed, lacks a setting or a feature, or refuses the case.
    """
    import SimpleITK as sitk  # late: radiodeep's own engine needs none of its 100 MB

    _check_supported(settings)
    featureextractor, logger = _pyradiomics()
    lesion, slice_axis = ordered_lesion(case, settings)
    image = sitk.GetImageFromArray(lesion.voxels)
    mask = sitk.GetImageFromArray(lesion.roi.astype(np.uint8))
    for volume in (image, mask):
        volume.SetSpacing([float(step) for step in lesion.spacing_mm[::-1]])
    level = logger.level
    logger.setLevel(logging.ERROR)  # pyradiomics warns of many choices that the settings make on purpose
    try:
        values = _calculator(featureextractor, settings, slice_axis).execute(image, mask)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"pyradiomics refuses the case: {error}") from error
    finally:
        logger.setLevel(level)
    names = [column.title for column in settings.columns]
    missing = [name for name in names if name not in values]
    if missing:
        raise InputError(f"pyradiomics gives no value for {len(missing)} features, the first of them {missing[0]}.")
    return np.array([float(values[name]) for name in names])


def _pyradiomics():
    try:
        from radiomics import featureextractor, logger  # optional, and slow to import
    except ImportError as error:
        raise InputError(
            "engine='pyradiomics' needs pyradiomics, which is not installed. Install it with 'pip install numpy "
            "setuptools wheel' and 'pip install --no-build-isolation pyradiomics==3.0.1', or use engine='radiodeep'."
        ) from error
    return featureextractor, logger


def _check_supported(settings):
    """Raise an InputError for families and settings that pyradiomics does not have."""
    for family in settings.chosen_families:
        if family not in PYRADIOMICS_FAMILIES:
            raise InputError(f"pyradiomics has no family '{family}'. Use engine='radiodeep', or leave it out.")
    for name, needed in _EFFECTIVE_WITH.items():
        if getattr(settings, needed):
            value = settings.grid if name == "resample_grid" else getattr(settings, name)
            _check_value(name, value, SETTINGS[name].pyradiomics_value)
    for image_type in settings.types:
        for name, fixed in _FILTER_VALUES.items():
            _check_value(name, image_type.filters.get(name, fixed), fixed)
        if image_type.has_widths_by_image:
            raise InputError("pyradiomics has one bin_width for each image type. Use engine='radiodeep', or a number.")


def _check_value(name, value, fixed):
    if value != fixed:
        raise InputError(f"pyradiomics has no {name}={value!r}. Use engine='radiodeep', or {name}={fixed!r}.")


def _calculator(featureextractor, settings, slice_axis):
    """Return pyradiomics' own extractor with the same image types and features."""
    calculator = featureextractor.RadiomicsFeatureExtractor(**_translated(settings, slice_axis))
    calculator.disableAllImageTypes()
    for image_type in settings.types:
        filters = {name: value for name, value in image_type.filters.items() if name not in _FILTER_VALUES}
        texture = {SETTINGS[name].key or name: value for name, value in image_type.texture.items()}
        calculator.enableImageTypeByName(image_type.name, customArgs={**filters, **texture})
    calculator.disableAllFeatures()
    for family, names in settings.names_by_family.items():
        calculator.enabledFeatures[family] = list(names or [])
    return calculator


def _translated(settings, slice_axis):
    """Return the keyword arguments of pyradiomics' extractor, without those that are None, its default for them."""
    translated = {"additionalInfo": False}
    for name, setting in SETTINGS.items():
        value = getattr(settings, name)
        if setting.key and value is not None:
            translated[setting.key] = setting.write(value)
    translated["force2Ddimension"] = slice_axis
    translated["label"] = 1  # of the mask that is handed over
    if "shape2D" in settings.chosen_families:
        translated["force2D"] = True  # pyradiomics asks for it; on one slice texture is the same
    return translated
