"""A case and settings in, the row that pyradiomics itself calculates out; for cross-checking."""

import logging

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.preparation import checked_slice_axis
from radiodeep.features.radiomics.pyradiomics_parameters import SITK_NAMES
from radiodeep.features.radiomics.settings import image_types_of

_OUR_SETTINGS = {
    "binWidth": "bin_width",
    "binCount": "bin_count",
    "force2D": "force_2d",
    "symmetricalGLCM": "symmetrical_glcm",
    "weightingNorm": "weighting_norm",
    "gldm_a": "gldm_alpha",
    "voxelArrayShift": "voxel_array_shift",
    "normalize": "normalize",
    "normalizeScale": "normalize_scale",
    "removeOutliers": "remove_outliers",
    "preCrop": "pre_crop",
    "padDistance": "pad_distance",
    "resegmentMode": "resegment_mode",
    "resegmentShape": "resegment_shape",
    "minimumROIDimensions": "minimum_roi_dimensions",
    "minimumROISize": "minimum_roi_size",
}
_ONLY_VALUES = {
    "normalize_over": "image",
    "anti_alias": False,
    "resample_grid": "corner",
    "in_plane": False,
    "scale_by": "image",
}


def pyradiomics_row(case, extractor, names):
    """Run pyradiomics on one case.

    Parameters
    ----------
    case : Case
    extractor : RadiomicsExtractor
        Its settings are translated.
    names : sequence of str
        Features in the order of the row.

    Returns
    -------
    float64 ndarray of shape (n_features,)

    Raises
    ------
    InputError
        If pyradiomics is not installed, does not have a setting, refuses the case, or leaves a feature out.
    """
    _check_that_it_has_the_settings(extractor)
    featureextractor, logger = _pyradiomics()
    turned = case.in_stored_order() if extractor.axes == "stored" else case
    voxels, roi, spacing_mm = turned.read()
    slice_axis = checked_slice_axis(case, voxels.shape, spacing_mm, extractor)
    import SimpleITK as sitk  # late: radiodeep's own engine needs none of its 100 MB

    image, mask = sitk.GetImageFromArray(voxels), sitk.GetImageFromArray(roi.astype(np.uint8))
    for volume in (image, mask):
        volume.SetSpacing([float(step) for step in spacing_mm[::-1]])
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of every choice that the settings make on purpose
    try:
        values = _calculator(featureextractor, extractor, slice_axis).execute(image, mask)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"pyradiomics refuses the case: {error}") from error
    finally:
        logger.setLevel(level)
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


def _check_that_it_has_the_settings(extractor):
    """Raise an InputError for settings that pyradiomics does not have."""
    chosen = {}
    if extractor.normalize:
        chosen["normalize_over"] = extractor.normalize_over
    if extractor.resample_mm is not None:
        chosen |= {"anti_alias": extractor.anti_alias, "resample_grid": extractor.resample_grid}
    for filter_settings, overrides in image_types_of(extractor.image_types).values():
        chosen |= {name: filter_settings[name] for name in ("in_plane", "scale_by") if name in filter_settings}
        own = [name for name, value in chosen.items() if value != _ONLY_VALUES[name]]
        if own:
            raise InputError(
                f"pyradiomics has no {own[0]}={chosen[own[0]]!r}. Use engine='radiodeep', or {own[0]}="
                f"{_ONLY_VALUES[own[0]]!r}."
            )
        if isinstance(overrides.get("bin_width"), dict):
            raise InputError("pyradiomics has one bin_width for each image type. Use engine='radiodeep', or a number.")


def _calculator(featureextractor, extractor, slice_axis):
    calculator = featureextractor.RadiomicsFeatureExtractor(**_translated(extractor, slice_axis))
    calculator.disableAllImageTypes()
    names = {ours: theirs for theirs, ours in _OUR_SETTINGS.items()}
    for image_type, (filter_settings, overrides) in image_types_of(extractor.image_types).items():
        own = {names.get(name, name): value for name, value in overrides.items()}
        filters = {name: value for name, value in filter_settings.items() if name not in _ONLY_VALUES}
        calculator.enableImageTypeByName(image_type, customArgs={**filters, **own})
    calculator.disableAllFeatures()
    families = (
        extractor.families if isinstance(extractor.families, dict) else dict.fromkeys(extractor.chosen_families())
    )
    for family, listed in families.items():
        calculator.enabledFeatures[family] = list(listed or [])
    return calculator


def _translated(extractor, slice_axis):
    settings = {theirs: getattr(extractor, ours) for theirs, ours in _OUR_SETTINGS.items()}
    settings["force2Ddimension"] = slice_axis
    settings["distances"] = [int(step) for step in extractor.distances]
    settings["additionalInfo"] = False
    if "shape2D" in extractor.chosen_families():
        settings["force2D"] = True  # pyradiomics asks for it; on one slice texture is the same
    settings["label"] = 1  # the mask that is handed over has this one
    if settings["binCount"] is None:
        del settings["binCount"]
    if settings["binWidth"] is None:
        del settings["binWidth"]
    if extractor.resegment_range is not None:
        settings["resegmentRange"] = [float(limit) for limit in extractor.resegment_range]
    if extractor.resample_mm is not None:
        steps = np.broadcast_to(np.asarray(extractor.resample_mm, dtype=float), 3)
        settings["resampledPixelSpacing"] = steps[::-1].tolist()
        settings["interpolator"] = {ours: theirs for theirs, ours in SITK_NAMES.items()}[extractor.interpolator]
    return settings
