"""In: a mask and the label of the region. Out: the region of interest."""

import numpy as np

from radiodeep.exceptions import (
    AmbiguousMaskError,
    EmptyMaskError,
    LabelNotFoundError,
    UnsupportedImageError,
)

NO_VOXEL = "the mask outlines no voxel. Draw the region or leave the case out."


def region_of(mask, mask_label=None):
    """Return the region of interest as a bool array of the shape of the mask; `mask_label` as in `Case`.

    Raises EmptyMaskError, AmbiguousMaskError, LabelNotFoundError or UnsupportedImageError.
    """
    if mask.dtype == bool and mask_label in (None, 1):
        labels = {1: int(mask.sum())} if mask.any() else {}
    elif mask_label in (None, "any"):
        labels = positive_labels(mask)
    else:
        labels = label_counts(mask)
    if not labels:
        raise EmptyMaskError(NO_VOXEL)
    if mask_label in (None, "any"):
        if mask_label is None and len(labels) > 1:
            raise AmbiguousMaskError(
                f"the mask holds several labels: {_listed(labels)}. Choose one with mask_label, "
                "in the call or as a column of the manifest; 'any' takes all of them as one region."
            )
        return mask != 0
    if mask_label not in labels:
        hint = " (255 is what PNG and SEG exports write for 1)" if 255 in labels else ""
        raise LabelNotFoundError(
            f"the mask has no voxel of label {mask_label}. It holds {_listed(labels)}{hint}. Change mask_label."
        )
    return mask == mask_label


def positive_labels(mask):
    """Return a dict from the labels of a mask to their voxel counts; raise an error for negative labels."""
    labels = label_counts(mask)
    negative = {label: count for label, count in labels.items() if label < 0}
    if negative:
        raise UnsupportedImageError(
            f"the mask holds negative values: {_listed(negative)}. Expected 0 outside the region and "
            "positive labels; check that image and mask are not swapped, or choose one value with mask_label, "
            f"e.g. mask_label={max(negative)}."
        )
    return labels


def _listed(labels):
    """Return the first ten labels and their voxel counts as text."""
    shown = [f"{label} ({count} voxels)" for label, count in sorted(labels.items())[:10]]
    return ", ".join(shown) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")


def label_counts(mask):
    """Return a dict from the values of a mask, 0 left out, to their voxel counts; raise an error for a soft mask."""
    marked = mask[mask != 0]
    if marked.size and marked.min() == marked.max():  # one label: no need to sort
        values, counts = marked[:1], np.array([marked.size])
    else:
        values, counts = np.unique(marked, return_counts=True)
    if mask.dtype.kind == "f" and (not np.isfinite(values).all() or (values != np.round(values)).any()):
        raise UnsupportedImageError(
            f"the mask holds values that are not whole numbers (a soft mask, up to {values.max():.4g}). "
            "Threshold it first, e.g. mask >= 0.5."
        )
    return {int(value): int(count) for value, count in zip(values, counts, strict=True)}
