"""Slices are cut across the plane of acquisition, or across the axis that is asked for."""

import numpy as np
import pytest

from radiodeep import Case
from radiodeep.cases.slice_plane import acquisition_axis, across, slice_axis_of
from radiodeep.exceptions import InputError


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "axis"),
    [
        ((9, 9, 9), (1, 1, 1), 0),
        ((9, 9, 9), (5, 1, 1), 0),
        ((9, 9, 9), (1, 1.04, 1.05), 0),
        ((9, 9, 9), (1, 1.06, 1), 1),
        ((9, 9, 9), (1, 1, 1.06), 2),
        ((9, 9, 9), (1, 2, 3), 2),
        ((9, 9, 9), (3.3, 5.5, 5.5), 0),
        ((9, 9, 9), (2, 1, 2), 1),
        ((9, 9, 9), (1, 1.04, 1.08), 0),
        ((1, 9, 9), (1, 9, 9), 0),
        ((9, 1, 9), (9, 1, 1), 1),
        ((9, 9, 1), (9, 1, 1), 2),
        ((1, 1, 9), (1, 1, 9), 0),
    ],
)
def test_the_plane_of_acquisition_has_square_pixels_or_else_the_thickest_slices(shape, spacing_mm, axis):
    assert acquisition_axis(shape, spacing_mm) == axis


def case(shape=(4, 5, 6), spacing_mm=(1.0, 2.0, 3.0)):
    image = np.arange(np.prod(shape)).reshape(shape)
    return Case(image, image % 7 == 1, "n-7", spacing_mm=spacing_mm)


def test_a_slice_axis_can_be_asked_for():
    assert [slice_axis_of(case(), name) for name in (None, "axial", "coronal", "sagittal")] == [2, 0, 1, 2]
    assert [slice_axis_of(case((1, 5, 6)), name) for name in (None, "sagittal")] == [0, 0]
    with pytest.raises(InputError, match="'slice_axis' parameter of .* must be None or one of axial, .* Got 'z'"):
        slice_axis_of(case(), "z")


@pytest.mark.parametrize(("axis", "order"), [(0, (0, 1, 2)), (1, (1, 0, 2)), (2, (2, 0, 1))])
def test_a_case_across_an_axis_has_its_slices_in_front(axis, order):
    turned = across(case(), axis)
    np.testing.assert_array_equal(turned.voxels, case().voxels.transpose(order))
    np.testing.assert_array_equal(turned.roi, case().roi.transpose(order))
    assert turned.spacing_mm == tuple(case().spacing_mm[place] for place in order)
    assert turned.voxels.flags.c_contiguous
    assert turned.roi.flags.c_contiguous
