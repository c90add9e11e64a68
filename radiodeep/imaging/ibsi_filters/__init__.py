"""Image -> response maps of the convolutional filters that the IBSI defines."""

from radiodeep.imaging.ibsi_filters.image_types import (
    IBSI_IMAGE_TYPES,
    check_ibsi_filter_settings,
    ibsi_filter_names,
    is_filter_of_slices,
)
from radiodeep.imaging.ibsi_filters.response_maps import ibsi_filter_reach, ibsi_filtered_images, response_map

__all__ = [
    "IBSI_IMAGE_TYPES",
    "check_ibsi_filter_settings",
    "ibsi_filter_names",
    "ibsi_filter_reach",
    "ibsi_filtered_images",
    "is_filter_of_slices",
    "response_map",
]
