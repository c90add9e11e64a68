"""The settings of `RadiomicsExtractor` in, functions that measure regions with them out."""

from radiodeep.features.radiomics_settings import TEXTURE_SETTINGS, image_types_of
from radiodeep.handcrafted.catalogue import SHAPE_FAMILIES, feature_names, region_measurer


class MeasurementPlan:
    """What is the same for all cases: checked settings, and a function per image type that measures a region.

    Attributes
    ----------
    shape : callable or None
        Measures the families of shape.
    together : callable or None
        Measures shape and the texture of the first image, if that is the original, in one go.
    image_types : list of (image type, settings of its filter, callable)
    """

    def __init__(self, extractor):
        families = extractor.chosen_families()
        chosen = set(extractor.chosen_names()) if isinstance(extractor.families, dict) else None
        shape = [family for family in families if family in SHAPE_FAMILIES]
        texture = [family for family in families if family not in SHAPE_FAMILIES]
        types = image_types_of(extractor.image_types)
        plane = extractor.flat_axis()
        plane_of_shape = 0 if plane is None and "shape2D" in shape else plane

        def measurer(wanted, overrides, flat_axis=plane):
            settings = {name: overrides.get(name, getattr(extractor, name)) for name in TEXTURE_SETTINGS}
            if settings["bin_width"] is None:
                settings["bin_width"] = 25.0  # not used: there is a bin_count
            measure = region_measurer(families=wanted, flat_axis=flat_axis, **settings)
            return measure if chosen is None else _selected(measure, [name in chosen for name in feature_names(wanted)])

        self.shape = measurer(shape, {}, plane_of_shape) if shape else None
        self.image_types = [
            (image_type, filter_settings, measurer(texture, overrides))
            for image_type, (filter_settings, overrides) in types.items()
            if texture
        ]
        overrides_of_original = types["Original"][1] if next(iter(types)) == "Original" else None
        both = shape and texture and overrides_of_original is not None and plane_of_shape == plane
        self.together = measurer(families, overrides_of_original) if both else None


def _selected(measure, kept):
    def measure_selected(image, mask, spacing_mm):
        values, n_levels = measure(image, mask, spacing_mm)
        return values[kept], n_levels

    return measure_selected
