"""A radiomics extractor and a case -> what the IBSI asks to report of the steps before the features."""

from dataclasses import replace

import numpy as np
import pandas as pd

from radiodeep.cases.naming import naming
from radiodeep.features.radiomics.preparation import ordered_lesion, prepare
from radiodeep.features.radiomics.settings import RadiomicsSettings
from radiodeep.features.stateless import with_label
from radiodeep.imaging.crop import bounding_box

_AXES = ("z", "y", "x")


def ibsi_diagnostics(extractor, case):
    """Describe image and region before and after interpolation and resegmentation, under the tags of the IBSI.

    Two programs that differ in a feature often differ in one of these numbers already, which tells where to look.

    Parameters
    ----------
    extractor : RadiomicsExtractor
        Of any convention.
    case : Case
        Of one image.

    Returns
    -------
    Series of float64 (60,)
        The index has the tags of the tables of reference values. Of the image (``_init_img``, ``_interp_img``):
        dimensions in voxels, voxel size in mm, mean, lowest and highest intensity. Of the region (``_init_roi``,
        ``_interp_roi``, ``_reseg_roi``): dimensions of the mask and of its bounding box, number of voxels, and
        intensities, of the intensity mask (``int_mask``) and the morphological one (``morph_mask``).

    Raises
    ------
    InputError
        If the case cannot be used.

    References
    ----------
    IBSI reference manual, section on reference data sets: diagnostic features.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from radiodeep.features.radiomics.diagnostics import ibsi_diagnostics
    >>> extractor = rd.RadiomicsExtractor(convention="ibsi", resample_mm=2, interpolator="linear")
    >>> described = ibsi_diagnostics(extractor, rd.make_phantom_cohort(1, random_state=0)[0])
    >>> described[["img_dim_x_init_img", "img_dim_x_interp_img", "vox_dim_x_interp_img"]].tolist()
    [44.0, 22.0, 2.0]
    """
    settings = RadiomicsSettings.of(extractor)
    case = with_label(case, settings.label)
    with naming(case):
        lesion, _ = ordered_lesion(case, settings)
        prepared = prepare(case, settings, keeps_image=True)
    values = _of_image(lesion.voxels, lesion.spacing_mm, "init_img")
    values |= _of_image(prepared.voxels, prepared.spacing_mm, "interp_img")
    outline = prepared.shape_roi
    if settings.resegment_shape:  # then the outline before is not kept
        outline = prepare(case, replace(settings, resegment_range=None), keeps_image=True).roi
    values |= _of_region(lesion.voxels, lesion.roi, lesion.roi, "init_roi")
    values |= _of_region(prepared.voxels, outline, outline, "interp_roi")
    values |= _of_region(prepared.voxels, prepared.shape_roi, prepared.roi, "reseg_roi")
    return pd.Series(values, dtype=np.float64)


def _of_image(voxels, spacing_mm, suffix):
    sizes = {f"img_dim_{axis}_{suffix}": size for axis, size in zip(_AXES, voxels.shape, strict=True)}
    steps = {f"vox_dim_{axis}_{suffix}": step for axis, step in zip(_AXES, spacing_mm, strict=True)}
    voxels = voxels[np.isfinite(voxels)].astype(np.float64)
    return {**_reversed(sizes), **_reversed(steps), **_intensities(voxels, "", suffix)}


def _of_region(voxels, outline, mask, suffix):
    values = {f"int_mask_dim_{axis}_{suffix}": size for axis, size in zip(_AXES, mask.shape, strict=True)}
    values = _reversed(values)
    for name, region in (("int_mask", mask), ("morph_mask", outline)):
        sides = [side.stop - side.start for side in bounding_box(region)]
        values |= _reversed({f"{name}_bb_dim_{axis}_{suffix}": size for axis, size in zip(_AXES, sides, strict=True)})
    for name, region in (("int_mask", mask), ("morph_mask", outline)):
        values[f"{name}_vox_count_{suffix}"] = np.count_nonzero(region)
    return {**values, **_intensities(voxels[mask].astype(np.float64), "int_mask_", suffix)}


def _intensities(values, prefix, suffix):
    described = {"mean": values.mean(), "min": values.min(), "max": values.max()}
    return {f"{prefix}{name}_int_{suffix}": value for name, value in described.items()}


def _reversed(values):
    """Return a dict in the order x, y, z."""
    return dict(reversed(values.items()))
