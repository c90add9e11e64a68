"""`RadiomicsSettings` -> what the features depend on besides the lesion, e.g. on the voxel size."""

import numpy as np

from radiodeep.handcrafted.catalogue import LEVEL_FAMILIES, SHAPE_FAMILIES, SLICE_FAMILIES, UNITLESS_FAMILIES
from radiodeep.handcrafted.ibsi.catalogue import TEXTURE_FAMILIES
from radiodeep.imaging.filters import SCALED_IMAGE_TYPES
from radiodeep.imaging.ibsi_filters import is_filter_of_slices

_PURE_NUMBERS = (  # which have no unit, or mm
    *("Kurtosis", "Skewness"),  # of first order
    *("DeviationShare", "RelativeContrast", "RelativeGradient"),  # of the margin
    *("SigmoidExplainedVariance", "SigmoidOffset", "SigmoidWidth"),
)
_OF_GREY_LEVELS = ("Entropy", "Uniformity")  # of first order, but computed from the histogram of grey levels
_FEW_OF_UNITS = ("firstorder", "intensity_statistics", "local_intensity", "morphology")  # where units are obvious
_IBSI_PURE_NUMBERS = ("stat_skew", "stat_kurt", "stat_cov", "stat_qcod")
_IBSI_OF_INTENSITY_MASK = ("morph_com", "morph_integ_int", "morph_moran_i", "morph_geary_c")  # others: the outline
_IBSI_OF_WHOLE_IMAGES = ("simoncelli", "riesz_simoncelli", "riesz_laplacian_of_gaussian")  # filters by frequencies
_NORMALIZED_BY_FIELD = ("image", "percentiles", "body")


def acquisition_needs(settings):
    """Return what images must have in common for their features to be comparable, in the terms of `mixtures`."""
    needs = set()
    steps = np.broadcast_to(0 if settings.resample_mm is None else settings.resample_mm, 3)
    as_stored = [letter for letter, step in zip("zyx", steps, strict=True) if step == 0]
    if len(as_stored) == 3:
        needs.add("spacing")
    else:
        needs |= {f"spacing{'_stored' if settings.axes == 'stored' else ''}_{letter}" for letter in as_stored}
    if settings.force_2d_dimension is None and _looks_at_slices(settings):
        needs.add("plane")
    if looks_at_whole_image(settings):
        needs.add("field")
    if settings.axes == "stored":
        needs.add("orientation")
    return needs.union(*(causes for column, causes in _unit_bound(settings) if column.family not in _FEW_OF_UNITS))


def _looks_at_slices(settings):
    if settings.is_standard:
        flat_axis = 0 if settings.is_flat else None
        is_in_plane = [is_filter_of_slices(kind.name, kind.filters, flat_axis) for kind in settings.types]
        has_texture = not set(TEXTURE_FAMILIES).isdisjoint(settings.chosen_families)
        return any(is_in_plane) or (has_texture and not all(name.startswith("3D") for name in settings.aggregations))
    is_in_plane = [image_type.name == "LBP2D" or image_type.filters.get("in_plane") for image_type in settings.types]
    of_slices = {"shape2D", *SLICE_FAMILIES}
    return settings.force_2d or any(is_in_plane) or not of_slices.isdisjoint(settings.chosen_families)


def looks_at_whole_image(settings):
    """Return whether some features change with the field of view, however far it reaches beyond the lesion."""
    is_scaled_by_image = [
        image_type.filters.get("scale_by", "image") == "image"
        for image_type in settings.types
        if image_type.name in SCALED_IMAGE_TYPES
    ]
    is_of_whole_image = [image_type.name in _IBSI_OF_WHOLE_IMAGES for image_type in settings.types]
    return any(is_scaled_by_image + is_of_whole_image) or bool(
        settings.normalize and settings.normalize_over in _NORMALIZED_BY_FIELD
    )


def unit_bound_features(settings):
    """Return the names of the features that change if the image is multiplied by a constant, in column order."""
    return [column.title for column, _ in _unit_bound(settings)]


def _unit_bound(settings):
    """Return pairs (column, needs of intensity) of the columns that depend on the unit of the image."""
    if settings.normalize:
        return []
    is_absolute = settings.resegment_range is not None and settings.resegment_mode == "absolute"
    causes_of_region = {"intensity_range"} if is_absolute else set()
    causes_of = _causes_of_standard if settings.is_standard else _causes
    pairs = []
    for column in settings.columns:
        keeps_outline = settings.is_standard and column.family == "morphology"
        is_of_outline = keeps_outline and column.name not in _IBSI_OF_INTENSITY_MASK
        pairs.append((column, (set() if is_of_outline else causes_of_region) | causes_of(column, settings)))
    return [(column, causes) for column, causes in pairs if causes]


def _causes_of_standard(column, settings):
    """Return `_causes` of a column of the IBSI."""
    own = {} if column.image_type is None else column.image_type.texture
    if column.family == "morphology":
        return {"intensity_unit"} if column.name == "morph_integ_int" else set()
    if column.family in ("local_intensity", "intensity_statistics"):
        return set() if column.name in _IBSI_PURE_NUMBERS else {"intensity_unit"}
    bins = "ivh_bin_count" if column.family == "intensity_volume_histogram" else "bin_count"
    return {"intensity"} if own.get(bins, getattr(settings, bins)) is None else set()


def _causes(column, settings):
    """Return why the values of a column depend on the unit of the image, whatever the region."""
    image_type = column.image_type
    if column.family in SHAPE_FAMILIES:
        return set()
    # Binary patterns compare voxels only.
    if image_type.name in ("LBP2D", "LBP3D") and image_type.filters.get("lbp2DMethod") != "var":
        return set()
    cause = "intensity"
    if column.family not in LEVEL_FAMILIES:
        cause = "intensity_unit"
        is_bound = column.family not in UNITLESS_FAMILIES and column.name not in _PURE_NUMBERS
    elif column.family != "firstorder" or column.name in _OF_GREY_LEVELS:
        is_bound = image_type.texture.get("bin_count", settings.bin_count) is None
    else:
        is_bound = column.name not in _PURE_NUMBERS
    causes = {cause} if is_bound else set()
    if image_type.name in ("Logarithm", "Exponential"):  # no longer proportional to the image
        causes.add("intensity_function")
    return causes
