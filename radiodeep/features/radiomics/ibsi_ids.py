"""`RadiomicsSettings` -> the identifiers of the IBSI reference manual, by column."""

from radiodeep.handcrafted.catalogue import FEATURES, TEXTURE_GROUP
from radiodeep.handcrafted.ibsi.catalogue import AGGREGATIONS, DIRECTED_FAMILIES, ibsi_column

_ID_OF = {(feature.family, feature.name): feature.ibsi_id for feature in FEATURES}
_SHIFTED = ("Energy", "RootMeanSquared")  # under a voxel_array_shift


def ids_of_columns(settings):
    """Return the ids of all columns, a list of str or None.

    An id is that of the feature, and of texture after a colon that of the aggregation: "ACUI:IAZD". None if the
    reference manual does not define the feature, or defines it otherwise.
    """
    return [_id(column, settings) for column in settings.columns]


def _id(column, settings):
    if settings.is_standard:
        known = ibsi_column(column.name)
        return _joined(known.feature.ibsi_id, known.aggregation_id)
    own = {} if column.image_type is None else column.image_type.texture
    values = {**settings.texture_settings(), **own}
    feature_id = _ID_OF[column.family, column.name]
    is_shifted = column.family == "firstorder" and column.name in _SHIFTED and values["voxel_array_shift"] != 0
    is_one_sided = column.family == "glcm" and not values["symmetrical_glcm"]
    if feature_id is None or is_shifted or is_one_sided:
        return None
    if column.family not in TEXTURE_GROUP.families:
        return feature_id
    return _joined(feature_id, _aggregation_id(column.family, values, settings.force_2d))


def _aggregation_id(family, values, is_flat):
    """Return the id of how pyradiomics aggregates, or None if the standard has no such aggregation.

    In slices it counts the pairs of all slices in one matrix for each direction.
    """
    if family == "glcm" and len(values["distances"]) > 1:
        return None  # which averages over distances, too
    is_merged = values["weighting_norm"] is not None
    if is_flat:
        aggregation = AGGREGATIONS["2.5D_merged" if is_merged else "2.5D_direction_merged"]
    else:
        aggregation = AGGREGATIONS["3D_merged" if is_merged else "3D_averaged"]
    return aggregation.ibsi_id if family in DIRECTED_FAMILIES else aggregation.plain_id


def _joined(feature_id, aggregation_id):
    return feature_id if aggregation_id is None else f"{feature_id}:{aggregation_id}"
