"""A case and `RadiomicsSettings` -> the row of its features."""

import warnings
from functools import cache, lru_cache

import numpy as np

from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.features.radiomics.ibsi_measurement import IbsiMeasurement
from radiodeep.features.radiomics.preparation import check_region_size, derived_images, prepare
from radiodeep.features.radiomics.pyradiomics_engine import pyradiomics_row
from radiodeep.handcrafted.catalogue import DEFAULT_FAMILIES, SHAPE_FAMILIES, feature_names, reach_mm
from radiodeep.handcrafted.measurement import region_features, region_measurer
from radiodeep.imaging.crop import bounding_box
from radiodeep.progress import announced_if_slow


@cache
def _load_kernels(families):
    """Load the compiled loops of families; tell a terminal if they must be compiled, the first time on a machine."""
    image = np.arange(60.0).reshape(3, 4, 5)
    message = "Compiling the loops of the handcrafted features, once on this machine; it takes about a minute."
    with announced_if_slow(message):
        region_features(image, image >= 0, (1.0, 1.0, 1.0), families=families)


def n_shared_features(settings, images):
    """Return the number of features of shape that are the same for all `MeasuredImages` of a case."""
    is_shared = images.share_mask and settings.resegment_range is None
    return sum(column.family in SHAPE_FAMILIES for column in settings.columns) if is_shared else 0


def image_measures(settings, n_shared):
    """Return functions of a case and the name of its image: for the first image, and for others less shared shape."""
    others = settings.without_shape() if n_shared else settings
    return _measure(settings), _measure(others)


@lru_cache(maxsize=32)
def _measure(settings):
    if settings is None:  # nothing but shape is asked for
        return lambda case, image: np.empty(0)
    if settings.engine == "pyradiomics":
        return lambda case, image: pyradiomics_row(settings, case)
    if settings.is_standard:
        standard = IbsiMeasurement(settings)
        return lambda case, image: standard.row_of(case, image)
    usual = tuple(family for family in DEFAULT_FAMILIES if family in settings.chosen_families)
    _load_kernels(usual or DEFAULT_FAMILIES)
    measurement = Measurement(settings)
    return lambda case, image: measurement.row_of(case, image)  # not the bound method: tests replace it


class Measurement:
    """Features of cases with the same `RadiomicsSettings`; what does not depend on the case is prepared once."""

    def __init__(self, settings):
        self.settings = settings
        self._reach_mm = reach_mm(settings.chosen_families)
        self._measurers = {}  # by the axis across the slices

    def row_of(self, case, image=""):
        """Return the features of a case, float64 of shape (n_features,); messages of errors may lack its id.

        `image` is the name of its image if that is one of several.
        """
        prepared = prepare(case, self.settings)
        check_region_size(prepared, self.settings)
        if prepared.slice_axis not in self._measurers:
            self._measurers[prepared.slice_axis] = _Measurers(self.settings, prepared.slice_axis)
        parts, n_levels = self._measured(prepared, self._measurers[prepared.slice_axis])
        for sentence in _sentences_on_few_levels(prepared, n_levels, self.settings.bin_count):
            way_out = "Use a smaller bin_width (suggest_bin_width finds one), or bin_count=32."
            where = f"{case.id}: {image}" if image else case.id
            warnings.warn(f"{where}: {sentence}. {way_out}", RadiodeepWarning, stacklevel=9)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _measured(self, prepared, measurers):
        """Return the parts of the row in order, and the number of grey levels by image."""
        box = prepared.box
        parts = []
        n_levels = {}
        is_joint = measurers.joint is not None and prepared.shape_roi is prepared.roi
        if measurers.shape is not None and not is_joint:
            values, _ = measurers.shape(prepared.voxels[box], prepared.shape_roi[box], prepared.spacing_mm)
            parts.append(values)
        by_image = measurers.joint if is_joint else measurers.by_image
        if self._reach_mm:
            prepared = _with_surroundings(prepared, self._reach_mm)
            box = prepared.box
        for image_type in self.settings.types:
            if image_type.images[0] not in by_image:
                continue
            for name, image in derived_images(prepared, image_type, self.settings.force_2d):
                try:
                    values, n_levels[name] = by_image[name](image, prepared.roi[box], prepared.spacing_mm)
                except InputError as error:
                    if name == "original":
                        raise
                    raise type(error)(f"in the derived image '{name}': {error}") from error
                parts.append(values)
        return parts, n_levels


def _with_surroundings(prepared, reach_mm):
    """Return a prepared case whose box is wider by the reach of families that look at the image about the region."""
    margins = np.ceil(reach_mm / np.asarray(prepared.spacing_mm)).astype(int).tolist()
    return prepared._replace(box=bounding_box(prepared.roi, margins))


class _Measurers:
    """Functions (image, mask, spacing_mm) -> (values, number of grey levels), for one axis across the slices.

    `shape` measures the shape families, or is None; `by_image` is a dict from the names of images to functions for all
    other families. `joint` is a dict like `by_image`, of which the function for the original image measures shape too:
    it saves a second crop of the region. It is None unless the original image comes first, which puts shape in front.
    Functions check their settings when they are made, so they are made once for all cases.
    """

    def __init__(self, settings, slice_axis):
        shape = [family for family in settings.chosen_families if family in SHAPE_FAMILIES]
        others = [family for family in settings.chosen_families if family not in SHAPE_FAMILIES]
        plane = slice_axis if settings.force_2d else None
        plane_of_shape = slice_axis if "shape2D" in shape else plane
        first = settings.types[0]
        self.shape = _measurer(settings, shape, plane_of_shape, slice_axis) if shape else None
        self.by_image = {}
        self.joint = None
        if others:
            self.by_image = {
                name: _measurer(settings, measured, plane, slice_axis, image_type, name)
                for image_type in settings.types
                if (measured := [family for family in others if image_type.measures(family)])
                for name in image_type.images
            }
        if shape and others and first.name == "Original" and plane_of_shape == plane:
            measure_all = _measurer(settings, settings.chosen_families, plane, slice_axis, first, "original")
            self.joint = {**self.by_image, "original": measure_all}


def _measurer(settings, families, flat_axis, slice_axis, image_type=None, image=None):
    """Return a function that measures the chosen features of some families in one image."""
    texture = settings.texture_settings(image_type, image)
    measure = region_measurer(
        families=families, flat_axis=flat_axis, slice_axis=slice_axis, convention=settings.definitions, **texture
    )
    if settings.chooses_whole_families:
        return measure
    chosen = set(settings.names)
    is_chosen = [name in chosen for name in feature_names(families)]

    def measure_chosen(image, mask, spacing_mm):
        values, n_levels = measure(image, mask, spacing_mm)
        return values[is_chosen], n_levels

    return measure_chosen


def intensity_ranges(case, settings):
    """Return the (lowest, highest) intensity of a region before binning, by image type and, in it, by image."""
    prepared = prepare(case, settings)
    roi = prepared.roi[prepared.box]
    ranges = {}
    for image_type in settings.types:
        images = derived_images(prepared, image_type, settings.is_flat)
        ranges[image_type.name] = {name: (float(image[roi].min()), float(image[roi].max())) for name, image in images}
    return ranges


def _sentences_on_few_levels(prepared, n_levels, bin_count):
    """Return what to warn of if the original region falls into two grey levels, or that of any image into one."""
    flat = [name for name, n_levels_of_image in n_levels.items() if n_levels_of_image == 1]
    is_of_two_levels = n_levels.get("original") == 2 and bin_count is None
    if not flat and not is_of_two_levels:
        return []
    values = prepared.voxels[prepared.box][prepared.roi[prepared.box]]
    intensities = f"all intensities ({float(values.min()):.4g} to {float(values.max()):.4g})"
    if flat[:1] == ["original"]:
        derived = f"; so do the images {', '.join(flat[1:])}" if flat[1:] else ""
        return [f"{intensities} fall into one grey level{derived}, so that texture says nothing"]
    sentences = []
    if is_of_two_levels:
        sentences.append(f"{intensities} fall into two grey levels, so that texture says little")
    if flat:
        images = ", ".join(flat)
        sentences.append(
            f"all intensities of the images {images} fall into one grey level, so that texture says nothing"
        )
    return sentences
