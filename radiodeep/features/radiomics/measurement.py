"""A case and the settings of `RadiomicsExtractor` in; the row of its features out."""

import numpy as np

from radiodeep.exceptions import InputError
from radiodeep.features.radiomics.plan import MeasurementPlan
from radiodeep.features.radiomics.preparation import check_size, derived_images, prepare
from radiodeep.features.radiomics.settings import image_types_of
from radiodeep.features.radiomics.warnings import warn_of_flat_region, warn_of_two_levels
from radiodeep.handcrafted.region import bounding_box


def measured_row(case, extractor, plans):
    """Compute the features of one case.

    Parameters
    ----------
    case : Case
    extractor : RadiomicsExtractor
    plans : dict from slice axis to MeasurementPlan
        Completed as needed; the same for all cases.

    Returns
    -------
    float64 ndarray of shape (n_features,)

    Raises
    ------
    InputError
        The case cannot be used; the message may lack its id.
    """
    prepared = prepare(case, extractor)
    box = bounding_box(prepared.roi)
    check_size(extractor, box, prepared.roi)
    if prepared.slice_axis not in plans:
        plans[prepared.slice_axis] = MeasurementPlan(extractor, prepared.slice_axis)
    plan = plans[prepared.slice_axis]
    roi, spacing_mm, parts, flat_images = prepared.roi[box], prepared.spacing_mm, [], []
    # One crop serves shape and the first image.
    together = plan.together is not None and prepared.shape_roi is prepared.roi
    if plan.shape is not None and not together:
        parts.append(plan.shape(prepared.voxels[box], prepared.shape_roi[box], spacing_mm)[0])
    first = together
    for image_type, filter_settings, measures in plan.image_types:
        for name, image in derived_images(prepared, box, image_type, filter_settings, extractor.force_2d):
            try:
                values, n_levels = (plan.together if first else measures[name])(image, roi, spacing_mm)
            except InputError as error:
                if name == "original":
                    raise
                raise type(error)(f"in the derived image '{name}': {error}") from error
            first = False
            parts.append(values)
            if n_levels == 1:
                flat_images.append(name)
            elif n_levels == 2 and name == "original" and extractor.bin_count is None:
                warn_of_two_levels(case, image[roi])
    if flat_images:
        warn_of_flat_region(case, flat_images, prepared.voxels[box][roi])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def intensity_ranges(case, extractor):
    """Return the lowest and the highest intensity of a region in all images whose texture is measured.

    Returns
    -------
    dict from image type to dict from image name to (lowest, highest)
        After all that is done before binning, in the order of the columns.
    """
    prepared = prepare(case, extractor)
    box = bounding_box(prepared.roi)
    roi, ranges = prepared.roi[box], {}
    for image_type, (filter_settings, _) in image_types_of(extractor.image_types).items():
        images = derived_images(prepared, box, image_type, filter_settings, extractor.force_2d)
        ranges[image_type] = {name: (float(image[roi].min()), float(image[roi].max())) for name, image in images}
    return ranges
