"""The settings of `RadiomicsExtractor` in, functions that measure regions with them out."""

from collections.abc import Mapping

from radiodeep.features.radiomics.settings import TEXTURE_SETTINGS, image_types_of
from radiodeep.handcrafted.catalogue import SHAPE_FAMILIES, feature_names
from radiodeep.handcrafted.measurement import region_measurer
from radiodeep.imaging.filters import filter_names


class MeasurementPlan:
    """What is the same for all cases: checked settings, and a function per image type that measures a region.

    Parameters
    ----------
    extractor : RadiomicsExtractor
    slice_axis : {0, 1, 2}
        The axis across the slices, for texture slice by slice and the shape in the plane.

    Attributes
    ----------
    shape : callable or None
        Measures the families of shape.
    together : callable or None
        Measures shape and the texture of the first image, if that is the original, in one go.
    image_types : list of (image type, settings of its filter, dict from image name to callable)
    """

    def __init__(self, extractor, slice_axis):
        families = extractor.chosen_families()
        chosen = set(extractor.chosen_names()) if isinstance(extractor.families, dict) else None
        shape = [family for family in families if family in SHAPE_FAMILIES]
        texture = [family for family in families if family not in SHAPE_FAMILIES]
        types = image_types_of(extractor.image_types)
        plane = slice_axis if extractor.force_2d else None
        plane_of_shape = slice_axis if "shape2D" in shape else plane

        def measurer(wanted, overrides, flat_axis=plane):
            settings = {name: overrides.get(name, getattr(extractor, name)) for name in TEXTURE_SETTINGS}
            if settings["bin_width"] is None:
                settings["bin_width"] = 25.0  # not used: there is a bin_count
            measure = region_measurer(families=wanted, flat_axis=flat_axis, **settings)
            return measure if chosen is None else _selected(measure, [name in chosen for name in feature_names(wanted)])

        self.shape = measurer(shape, {}, plane_of_shape) if shape else None
        self.image_types = [
            (image_type, filter_settings, _by_image(measurer, texture, image_type, filter_settings, overrides, plane))
            for image_type, (filter_settings, overrides) in types.items()
            if texture
        ]
        overrides_of_original = None
        if next(iter(types)) == "Original":
            overrides_of_original = _overrides_of("original", types["Original"][1])
        both = shape and texture and overrides_of_original is not None and plane_of_shape == plane
        self.together = measurer(families, overrides_of_original) if both else None


def _by_image(measurer, texture, image_type, filter_settings, overrides, flat_axis):
    """Return image name -> callable; the same for all images of a type unless their bin widths differ."""
    names = filter_names(image_type, filter_settings, flat_axis)
    if isinstance(overrides.get("bin_width"), Mapping):
        return {name: measurer(texture, _overrides_of(name, overrides)) for name in names}
    return dict.fromkeys(names, measurer(texture, overrides))


def _overrides_of(name, overrides):
    width = overrides.get("bin_width")
    return {**overrides, "bin_width": width[name]} if isinstance(width, Mapping) else overrides


def _selected(measure, kept):
    def measure_selected(image, mask, spacing_mm):
        values, n_levels = measure(image, mask, spacing_mm)
        return values[kept], n_levels

    return measure_selected
