"""The settings of `RadiomicsExtractor` in; what its features depend on besides the lesion out."""

import numpy as np

from radiodeep.features.radiomics.settings import image_types_of
from radiodeep.handcrafted.catalogue import SHAPE_FAMILIES
from radiodeep.imaging.filters import SCALED_IMAGE_TYPES, filter_names

_WITHOUT_UNIT = ("Kurtosis", "Skewness")  # of first order; entropy and uniformity are those of grey levels
_OF_GREY_LEVELS = ("Entropy", "Uniformity")
_OF_THE_FIELD = ("image", "percentiles", "body")


def acquisition_needs(extractor):
    """Return what images must have in common for the features of an extractor to be comparable.

    Parameters
    ----------
    extractor : RadiomicsExtractor

    Returns
    -------
    set of str
        "spacing", or "spacing_z" (or y, x; "stored_z" for axes as they are stored) along axes that are not resampled
        if some are; "plane" if slices are those of the plane of acquisition; "field" if normalisation or an image type
        looks at the whole image; "orientation" if axes are taken as they are stored; "intensity" if grey levels of
        texture, "intensity_range" if regions and "intensity_function" if derived images are bound to the unit of the
        images.
    """
    needs = set()
    steps = np.broadcast_to(0 if extractor.resample_mm is None else extractor.resample_mm, 3)
    as_stored = [letter for letter, step in zip("zyx", steps, strict=True) if step == 0]
    if len(as_stored) == 3:
        needs.add("spacing")
    else:
        needs |= {f"{'stored' if extractor.axes == 'stored' else 'spacing'}_{letter}" for letter in as_stored}
    if extractor.force_2d_dimension is None and _looks_at_slices(extractor):
        needs.add("plane")
    if looks_at_whole_image(extractor):
        needs.add("field")
    if extractor.axes == "stored":
        needs.add("orientation")
    bound = [causes for name, causes in _unit_bound(extractor) if name.split("_")[1] != "firstorder"]
    return needs.union(*bound)


def _looks_at_slices(extractor):
    in_plane = any(settings.get("in_plane") for settings, _ in image_types_of(extractor.image_types).values())
    is_2d = extractor.force_2d or in_plane or "LBP2D" in image_types_of(extractor.image_types)
    return is_2d or "shape2D" in extractor.chosen_families()


def looks_at_whole_image(extractor):
    """Return whether some features change with the field of view, however far it reaches beyond the lesion."""
    by_image = [
        settings.get("scale_by", "image") == "image"
        for image_type, (settings, _) in image_types_of(extractor.image_types).items()
        if image_type in SCALED_IMAGE_TYPES
    ]
    return any(by_image) or bool(extractor.normalize and extractor.normalize_over in _OF_THE_FIELD)


def unit_bound_features(extractor):
    """Return the names of the features that change if the image is multiplied by a constant.

    Parameters
    ----------
    extractor : RadiomicsExtractor

    Returns
    -------
    list of str
        In the order of the columns.
    """
    return [name for name, _ in _unit_bound(extractor)]


def _unit_bound(extractor):
    """Return pairs of name and causes, of the needs of intensity, for the features that are bound to the unit."""
    if extractor.normalize:
        return []
    absolute = extractor.resegment_range is not None and extractor.resegment_mode == "absolute"
    image_type_of = {
        name: (image_type, filters, overrides)
        for image_type, (filters, overrides) in image_types_of(extractor.image_types).items()
        for name in filter_names(image_type, filters, 0 if extractor.force_2d else None)
    }
    bound = []
    for column in extractor.get_feature_names_out():
        image, family, name = column.split("_", 2)
        causes = {"intensity_range"} if absolute else set()
        if family not in SHAPE_FAMILIES:
            image_type, filters, overrides = image_type_of[image]
            causes |= _causes(image_type, filters, family, name, overrides.get("bin_count", extractor.bin_count))
        if causes:
            bound.append((str(column), causes))
    return bound


def _causes(image_type, filters, family, name, bin_count):
    """Return why a feature of a derived image is bound to the unit of the image, if it is."""
    if image_type in ("LBP2D", "LBP3D") and filters.get("lbp2DMethod") != "var":  # compare voxels only
        return set()
    of_levels = family != "firstorder" or name in _OF_GREY_LEVELS
    is_bound = bin_count is None if of_levels else name not in _WITHOUT_UNIT
    causes = {"intensity"} if is_bound else set()
    if image_type in ("Logarithm", "Exponential"):  # no longer proportional to the image
        causes.add("intensity_function")
    return causes
