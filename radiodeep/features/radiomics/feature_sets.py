"""Name of a convention -> what it measures: families, features, derived images, and their names."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from radiodeep.handcrafted.catalogue import (
    FAMILIES,
    ORIGINAL_FAMILIES,
    SHAPE_FAMILIES,
    default_families,
    feature_names,
)
from radiodeep.handcrafted.ibsi.catalogue import IBSI_FAMILIES, TEXTURE_FAMILIES, ibsi_columns
from radiodeep.imaging.filters import IMAGE_TYPES, filter_names, filtered_images
from radiodeep.imaging.ibsi_filters import IBSI_IMAGE_TYPES, ibsi_filter_names, ibsi_filtered_images


@dataclass(frozen=True)
class FeatureSet:
    """What one convention measures.

    Attributes
    ----------
    families : tuple of str
    once_families : tuple of str
        Families measured once, in the original image, whatever image types are chosen.
    original_families : tuple of str
        Families that say nothing of derived images.
    texture_families : tuple of str
        Families that have an aggregation.
    image_types : tuple of str
    default_families : callable
        (dimensions of the images, or None) -> list of families.
    pairs : callable
        (families, aggregations) -> list of (family, name, own names): the features in order, and the names by which
        `families` may choose each.
    filter_names, filtered_images : callable
        As in `radiodeep.imaging.filters`.
    catalogue : str
        The module that lists the features, for errors.
    """

    families: tuple
    once_families: tuple
    original_families: tuple
    texture_families: tuple
    image_types: tuple
    default_families: Callable
    pairs: Callable
    filter_names: Callable
    filtered_images: Callable
    catalogue: str


@lru_cache
def _pyradiomics_pairs(families, aggregations):
    pairs = [name.split("_", 1) for name in feature_names(families)]
    return [(family, name, (name,)) for family, name in pairs]


@lru_cache
def _ibsi_pairs(families, aggregations):
    columns = ibsi_columns(families, aggregations)
    return [(column.feature.family, column.tag, (column.tag, column.feature.tag)) for column in columns]


def _ibsi_default_families(n_dimensions):
    """Return all families, for images of one slice without morphology, which the standard defines in space."""
    return [family for family in IBSI_FAMILIES if n_dimensions != 2 or family != "morphology"]


FEATURE_SETS = {
    "pyradiomics": FeatureSet(
        families=FAMILIES,
        once_families=SHAPE_FAMILIES,
        original_families=ORIGINAL_FAMILIES,
        texture_families=(),
        image_types=IMAGE_TYPES,
        default_families=default_families,
        pairs=_pyradiomics_pairs,
        filter_names=filter_names,
        filtered_images=filtered_images,
        catalogue="feature_names() of radiodeep.handcrafted.catalogue",
    ),
    "ibsi": FeatureSet(
        families=IBSI_FAMILIES,
        once_families=("morphology",),
        original_families=(),
        texture_families=TEXTURE_FAMILIES,
        image_types=IBSI_IMAGE_TYPES,
        default_families=_ibsi_default_families,
        pairs=_ibsi_pairs,
        filter_names=ibsi_filter_names,
        filtered_images=ibsi_filtered_images,
        catalogue="ibsi_columns() of radiodeep.handcrafted.ibsi.catalogue",
    ),
}
