"""A case and `RadiomicsSettings` in; the row of its features out."""

import warnings
from collections.abc import Mapping

import numpy as np

from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.features.radiomics.preparation import check_region_size, derived_images, prepare
from radiodeep.handcrafted.catalogue import SHAPE_FAMILIES, feature_names
from radiodeep.handcrafted.measurement import region_measurer


class Measurement:
    """Features of cases with the same settings; what does not depend on the case is prepared once.

    Parameters
    ----------
    settings : RadiomicsSettings
    """

    def __init__(self, settings):
        self.settings = settings
        self._plans = {}

    def row_of(self, case):
        """Return the features of a case, float64 of shape (n_features,).

        Raises
        ------
        InputError
            The case cannot be used; the message may lack its id.
        """
        prepared = prepare(case, self.settings)
        check_region_size(prepared, self.settings)
        parts, levels = self._measured(prepared, self._plan_across(prepared.slice_axis))
        self._warn_of_few_levels(case, prepared, levels)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _plan_across(self, slice_axis):
        if slice_axis not in self._plans:
            self._plans[slice_axis] = _Plan(self.settings, slice_axis)
        return self._plans[slice_axis]

    def _measured(self, prepared, plan):
        """Return the parts of the row in order, and the number of grey levels by image."""
        box, spacing_mm = prepared.box, prepared.spacing_mm
        roi, levels, parts = prepared.roi[box], {}, []
        # One crop serves shape and the first image.
        is_joint = plan.joint is not None and prepared.shape_roi is prepared.roi
        if plan.shape is not None and not is_joint:
            parts.append(plan.shape(prepared.voxels[box], prepared.shape_roi[box], spacing_mm)[0])
        for image_type, measurers in plan.image_types:
            for name, image in derived_images(prepared, image_type, self.settings.force_2d):
                measure = plan.joint if is_joint and not levels else measurers[name]
                try:
                    values, levels[name] = measure(image, roi, spacing_mm)
                except InputError as error:
                    if name == "original":
                        raise
                    raise type(error)(f"in the derived image '{name}': {error}") from error
                parts.append(values)
        return parts, levels

    def _warn_of_few_levels(self, case, prepared, levels):
        flat_images = [name for name, n_levels in levels.items() if n_levels == 1]
        if levels.get("original") == 2 and self.settings.bin_count is None:
            _warn_of_two_levels(case, prepared)
        if flat_images:
            _warn_of_flat_region(case, prepared, flat_images)


class _Plan:
    """Functions that measure regions, for one axis across the slices.

    Every measurer checks its settings when it is made, so it is made once for all cases.

    Attributes
    ----------
    shape : callable or None
        Measures the families of shape.
    joint : callable or None
        Measures shape and texture of the first image, if that is the original, from one crop of the region.
    image_types : list of (ImageType, dict from image name to callable)
    """

    def __init__(self, settings, slice_axis):
        shape = [family for family in settings.chosen_families if family in SHAPE_FAMILIES]
        others = [family for family in settings.chosen_families if family not in SHAPE_FAMILIES]
        plane = slice_axis if settings.force_2d else None
        plane_of_shape = slice_axis if "shape2D" in shape else plane
        self._settings = settings
        self.shape = self._measurer(shape, plane_of_shape) if shape else None
        self.image_types = []
        if others:
            self.image_types = [
                (image_type, self._by_image(others, plane, image_type)) for image_type in settings.types
            ]
        self.joint = None
        first = settings.types[0]
        if shape and others and first.name == "Original" and plane_of_shape == plane:
            self.joint = self._measurer(settings.chosen_families, plane, first, "original")

    def _by_image(self, families, plane, image_type):
        """Return a measurer by image name, the same for all images of a type unless their bin widths differ."""
        if image_type.has_widths_by_image:
            return {name: self._measurer(families, plane, image_type, name) for name in image_type.images}
        return dict.fromkeys(image_type.images, self._measurer(families, plane, image_type))

    def _measurer(self, families, flat_axis, image_type=None, image=None):
        texture = self._settings.texture_settings(image_type, image)
        measure = region_measurer(
            families=families, flat_axis=flat_axis, convention=self._settings.definitions, **texture
        )
        if not isinstance(self._settings.families, Mapping):
            return measure
        chosen = set(self._settings.names)
        return _selected(measure, [name in chosen for name in feature_names(families)])


def _selected(measure, is_kept):
    def measure_selected(image, mask, spacing_mm):
        values, n_levels = measure(image, mask, spacing_mm)
        return values[is_kept], n_levels

    return measure_selected


def intensity_ranges(case, settings):
    """Return the lowest and the highest intensity of a region in all images whose texture is measured.

    Returns
    -------
    dict from image type to dict from image name to (lowest, highest)
        After all that is done before binning, in the order of the columns.
    """
    prepared = prepare(case, settings)
    roi = prepared.roi[prepared.box]
    ranges = {}
    for image_type in settings.types:
        images = derived_images(prepared, image_type, settings.force_2d)
        ranges[image_type.name] = {name: (float(image[roi].min()), float(image[roi].max())) for name, image in images}
    return ranges


def _warn_of_flat_region(case, prepared, images):
    if images[0] == "original":
        others = f"; so do the images {', '.join(images[1:])}" if images[1:] else ""
        sentence = f"all intensities ({_extremes(prepared)}) fall into one grey level{others}"
    else:
        sentence = f"all intensities of the images {', '.join(images)} fall into one grey level"
    _warn(f"{case.id}: {sentence}, so that texture says nothing.")


def _warn_of_two_levels(case, prepared):
    extremes = _extremes(prepared)
    _warn(f"{case.id}: all intensities ({extremes}) fall into two grey levels, so that texture says little.")


def _extremes(prepared):
    values = prepared.voxels[prepared.box][prepared.roi[prepared.box]]
    return f"{float(values.min()):.4g} to {float(values.max()):.4g}"


def _warn(sentence):
    way_out = "Use a smaller bin_width (suggest_bin_width finds one), or bin_count=32."
    warnings.warn(f"{sentence} {way_out}", RadiodeepWarning, stacklevel=9)
