"""A case in; the families that `RadiomicsExtractor` calculates for images of its dimension, if none are named, out."""

import warnings
from pathlib import Path
from weakref import WeakKeyDictionary

from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.handcrafted.catalogue import DEFAULT_FAMILIES

_KNOWN = WeakKeyDictionary()  # a Case never changes, and extractors are fitted to the same ones again and again


def n_dimensions_of(voxels):
    """Return 2 for an image of one slice, else 3, whatever the region is."""
    return 2 if voxels.shape[0] == 1 else 3


def dimensions_and_spacing(case, labelled):
    """Return 2 or 3 and the spacing of a case, which is read unless it was asked before.

    `labelled` is the case with the label of its region, which it may need to be read.
    """
    if case not in _KNOWN:
        voxels, _, spacing_mm = labelled.read()
        _KNOWN[case] = n_dimensions_of(voxels), spacing_mm
    return _KNOWN[case]


def default_families(n_dimensions):
    """Return all families but the shape of the other dimension."""
    return ["shape2D" if n_dimensions == 2 and family == "shape" else family for family in DEFAULT_FAMILIES]


def check_dimensions(case_id, n_dimensions, expected):
    """Raise an InputError for a 2-D image where the families are those for 3-D images, and the reverse."""
    if n_dimensions == expected:
        return
    without_shape = [family for family in DEFAULT_FAMILIES if family != "shape"]
    raise InputError(
        f"{case_id}: the image has {n_dimensions} dimensions, but the first of the cases, which decided for the family "
        f"'{default_families(expected)[0]}', has {expected}. Split the cohort, or name the families, for both those "
        f"without shape: families={without_shape}."
    )


def warn_of_flat_images(case, spacing_mm):
    """Warn that a cohort whose first case is 2-D gets the shape in the plane."""
    unknown = isinstance(case.image, Path) and case.image.suffix.lower() == ".png" and spacing_mm == (1.0, 1.0, 1.0)
    size = " A PNG knows no voxel size, so that 1 mm is assumed; give spacing_mm for sizes in mm." if unknown else ""
    warnings.warn(
        f"{case.id}: the image has one slice, so that for all cases the shape in the plane (family 'shape2D') takes "
        "the place of that in space ('shape'). Name the families to choose yourself, and to silence this: "
        f"families={default_families(2)}.{size}",
        RadiodeepWarning,
        stacklevel=4,
    )
