"""The shape of a region of one slice, by hand."""

import numpy as np
import pytest

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.region import crop_region
from radiodeep.handcrafted.shape_2d import shape_2d_features


def shape_of(mask, spacing_mm=(1, 1, 1), flat_axis=0, margin=1):
    region = crop_region(np.zeros(mask.shape), mask, spacing_mm, flat_axis=flat_axis, margin=margin)
    names = [name.split("_")[1] for name in feature_names(["shape2D"])]
    return dict(zip(names, shape_2d_features(region), strict=True))


@pytest.mark.parametrize("flat_axis", [0, 1, 2])
@pytest.mark.parametrize("margin", [1, 3])
def test_a_rectangle_has_cut_corners(flat_axis, margin):
    mask = np.expand_dims(np.ones((3, 5), bool), flat_axis)
    spacing_mm = np.insert([2.0, 0.5], flat_axis, 9.0)
    values = shape_of(mask, spacing_mm, flat_axis, margin)
    corner_mm = np.hypot(2.0, 0.5) / 2
    assert values["PixelSurface"] == pytest.approx(15)
    assert values["MeshSurface"] == pytest.approx(15 - 4 / 8)
    assert values["Perimeter"] == pytest.approx(2 * 4 * 0.5 + 2 * 2 * 2.0 + 4 * corner_mm)
    assert values["PerimeterSurfaceRatio"] == pytest.approx(values["Perimeter"] / values["MeshSurface"])
    assert values["Sphericity"] == pytest.approx(2 * np.sqrt(np.pi * 14.5) / values["Perimeter"])
    assert values["MaximumDiameter"] == pytest.approx(np.hypot(6.0, 4 * 0.5))
    assert values["MajorAxisLength"] == pytest.approx(4 * 2 * np.std([0, 1, 2]))
    assert values["MinorAxisLength"] == pytest.approx(4 * 0.5 * np.std(range(5)))
    assert values["Elongation"] == pytest.approx(values["MinorAxisLength"] / values["MajorAxisLength"])


def test_pixels_that_touch_at_a_corner_are_apart():
    diagonal = shape_of(np.eye(2, dtype=bool)[np.newaxis])
    assert diagonal["MeshSurface"] == pytest.approx(2 * 0.5)
    assert diagonal["Perimeter"] == pytest.approx(2 * 4 * np.sqrt(0.5))


def test_a_hole_has_an_outline():
    mask = np.ones((1, 3, 3), bool)
    mask[0, 1, 1] = False
    values = shape_of(mask)
    assert values["Perimeter"] == pytest.approx(8 + 4 * np.sqrt(0.5) + 4 * np.sqrt(0.5))
    assert values["MeshSurface"] == pytest.approx(9 - 0.5 - 0.5)


def test_a_region_needs_a_plane_and_one_slice_across_it():
    mask = np.ones((2, 2, 2), bool)
    with pytest.raises(InputError, match="'shape2D' need to know the plane of the region"):
        shape_of(mask, flat_axis=None)
    with pytest.raises(InputError, match="The region has 2 slices across axis 1"):
        shape_of(mask, flat_axis=1)
