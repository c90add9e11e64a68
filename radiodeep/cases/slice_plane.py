"""In: a case or a lesion. Out: the axis across its slices, and the lesion with that axis in front."""

import numpy as np

from radiodeep.checks import require_option

SLICE_AXES = {"axial": 0, "coronal": 1, "sagittal": 2}  # of arrays in anatomical order (z, y, x)
_ORDERS = ((0, 1, 2), (1, 0, 2), (2, 0, 1))
_EQUAL = 1.05  # the largest ratio of two spacings that count as equal


def acquisition_axis(shape, spacing_mm):
    """Return the axis across which an image was acquired in slices, from its shape and spacing.

    The axis of one voxel in an image of one slice. Otherwise, with spacings that differ by at most 5 % taken as equal:
    the axis across the only plane with square pixels, since scanners make those within slices, thin or thick; axis 0
    (axial) if all spacings are equal; the axis of the largest spacing if no two are.

    >>> from radiodeep.cases.slice_plane import acquisition_axis
    >>> acquisition_axis((24, 256, 256), (5.0, 0.7, 0.7)), acquisition_axis((256, 256, 24), (1.0, 1.0, 4.0))
    (0, 2)
    >>> acquisition_axis((90, 128, 128), (3.3, 5.5, 5.5))  # PET, whose pixels are larger than its slices are thick
    0
    """
    if shape[0] == 1:
        return 0
    if list(shape).count(1) == 1:
        return list(shape).index(1)
    across_squares = [axis for axis, row, column in _ORDERS if _are_equal(spacing_mm[row], spacing_mm[column])]
    if across_squares:
        return across_squares[0] if len(across_squares) == 1 else 0
    return int(np.argmax(spacing_mm))


def _are_equal(first_mm, second_mm):
    return max(first_mm, second_mm) <= _EQUAL * min(first_mm, second_mm)


def slice_axis_of(case, slice_axis=None):
    """Return the axis across which the slices of a case or lesion are cut.

    `slice_axis` is "axial", "coronal" or "sagittal", or None for the plane of acquisition, which an image of one slice
    always keeps.
    """
    require_option(slice_axis, (None, *SLICE_AXES), "slice_axis_of", "slice_axis")
    lesion = case.lesion()
    axis = acquisition_axis(lesion.roi.shape, lesion.spacing_mm)
    return axis if slice_axis is None or lesion.roi.shape[axis] == 1 else SLICE_AXES[slice_axis]


def across(case, axis):
    """Return the lesion of a case with the axis across its slices in front.

    The other two axes keep their order: the rows of coronal and sagittal slices are z.
    """
    lesion = case.lesion()
    return lesion if axis == 0 else lesion.transposed(_ORDERS[axis])
