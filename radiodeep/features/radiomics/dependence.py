"""`RadiomicsSettings` in; what the features depend on besides the lesion out."""

import numpy as np

from radiodeep.handcrafted.catalogue import SHAPE_FAMILIES
from radiodeep.imaging.filters import SCALED_IMAGE_TYPES

_WITHOUT_UNIT = ("Kurtosis", "Skewness")  # of first order; entropy and uniformity are those of grey levels
_OF_GREY_LEVELS = ("Entropy", "Uniformity")
_OF_THE_FIELD = ("image", "percentiles", "body")


def acquisition_needs(settings):
    """Return what images must have in common for the features of an extractor to be comparable.

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
    steps = np.broadcast_to(0 if settings.resample_mm is None else settings.resample_mm, 3)
    as_stored = [letter for letter, step in zip("zyx", steps, strict=True) if step == 0]
    if len(as_stored) == 3:
        needs.add("spacing")
    else:
        needs |= {f"{'stored' if settings.axes == 'stored' else 'spacing'}_{letter}" for letter in as_stored}
    if settings.force_2d_dimension is None and _looks_at_slices(settings):
        needs.add("plane")
    if looks_at_whole_image(settings):
        needs.add("field")
    if settings.axes == "stored":
        needs.add("orientation")
    bound = [causes for column, causes in _unit_bound(settings) if column.family != "firstorder"]
    return needs.union(*bound)


def _looks_at_slices(settings):
    is_in_plane = [image_type.name == "LBP2D" or image_type.filters.get("in_plane") for image_type in settings.types]
    return settings.force_2d or any(is_in_plane) or "shape2D" in settings.chosen_families


def looks_at_whole_image(settings):
    """Return whether some features change with the field of view, however far it reaches beyond the lesion."""
    is_scaled = [
        image_type.filters.get("scale_by", "image") == "image"
        for image_type in settings.types
        if image_type.name in SCALED_IMAGE_TYPES
    ]
    return any(is_scaled) or bool(settings.normalize and settings.normalize_over in _OF_THE_FIELD)


def unit_bound_features(settings):
    """Return the names of the features that change if the image is multiplied by a constant, in column order."""
    return [column.title for column, _ in _unit_bound(settings)]


def _unit_bound(settings):
    """Return pairs of column and causes, which are needs of intensity, for the columns that are bound to the unit."""
    if settings.normalize:
        return []
    is_absolute = settings.resegment_range is not None and settings.resegment_mode == "absolute"
    bound = []
    for column in settings.columns:
        causes = {"intensity_range"} if is_absolute else set()
        if column.family not in SHAPE_FAMILIES:
            causes |= _causes(column, settings.bin_count)
        if causes:
            bound.append((column, causes))
    return bound


def _causes(column, bin_count):
    """Return why a feature of a derived image is bound to the unit of the image, if it is."""
    image_type = column.image_type
    # Binary patterns compare voxels only.
    if image_type.name in ("LBP2D", "LBP3D") and image_type.filters.get("lbp2DMethod") != "var":
        return set()
    is_of_levels = column.family != "firstorder" or column.name in _OF_GREY_LEVELS
    if is_of_levels:
        is_bound = image_type.texture.get("bin_count", bin_count) is None
    else:
        is_bound = column.name not in _WITHOUT_UNIT
    causes = {"intensity"} if is_bound else set()
    if image_type.name in ("Logarithm", "Exponential"):  # no longer proportional to the image
        causes.add("intensity_function")
    return causes
