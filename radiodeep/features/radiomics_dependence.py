"""The settings of `RadiomicsExtractor` in; what its features depend on besides the lesion out."""

from radiodeep.features.radiomics_settings import image_types_of
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
        "spacing" unless resampling brings all axes to stated sizes; "field" if normalisation or an image type looks
        at the whole image; "orientation" if axes are taken as they are stored; "intensity" if features are bound to
        the unit of the images.
    """
    needs = set()
    steps = extractor.resample_mm
    steps = [0] if steps is None else [steps] if not hasattr(steps, "__len__") else steps
    if not all(step > 0 for step in steps):
        needs.add("spacing")
    if looks_at_whole_image(extractor):
        needs.add("field")
    if extractor.axes == "stored":
        needs.add("orientation")
    if any(name.split("_")[1] != "firstorder" for name in unit_bound_features(extractor)):
        needs.add("intensity")
    return needs


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
        if family in SHAPE_FAMILIES:
            is_bound = absolute
        else:
            image_type, filters, overrides = image_type_of[image]
            count = overrides.get("bin_count", extractor.bin_count)
            is_bound = absolute or _is_bound(image_type, filters, family, name, count)
        if is_bound:
            bound.append(str(column))
    return bound


def _is_bound(image_type, filters, family, name, bin_count):
    """Say whether a feature of a derived image is bound to the unit of the image."""
    if image_type in ("LBP2D", "LBP3D") and filters.get("lbp2DMethod") != "var":  # compare voxels only
        return False
    if image_type in ("Logarithm", "Exponential"):  # no longer proportional to the image
        return True
    if family != "firstorder" or name in _OF_GREY_LEVELS:
        return bin_count is None
    return name not in _WITHOUT_UNIT
