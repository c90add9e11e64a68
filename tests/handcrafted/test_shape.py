"""Shape features, by hand and from slow plain geometry."""

from itertools import product

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.measurement import region_features


def shape_of(mask, spacing_mm=(1, 1, 1)):
    values = region_features(np.zeros(mask.shape), mask, spacing_mm, families=["shape"])
    return dict(zip([name.split("_")[1] for name in feature_names(["shape"])], values, strict=True))


def mesh_vertices(mask, spacing_mm):
    """Midpoints between a voxel inside and its neighbour outside, one by one."""
    points = []
    for voxel in np.argwhere(mask):
        for axis, sign in product(range(3), (-1, 1)):
            neighbour = voxel.copy()
            neighbour[axis] += sign
            outside = neighbour.min() < 0 or (neighbour >= mask.shape).any()
            if outside or not mask[tuple(neighbour)]:
                points.append((voxel + neighbour) / 2)
    return np.array(points) * spacing_mm


@pytest.mark.parametrize("size", [(1, 1, 2), (1, 2, 2), (2, 3, 4), (5, 5, 5)])
def test_a_block_of_voxels_has_the_volume_of_its_bevelled_box(size):
    spacing_mm = (2.0, 0.5, 1.5)
    a, b, c = np.array(size) - 1  # the inner box, between the centres of the outermost voxels
    volume = 1 / 6 + (a + b + c) / 2 + (a * b + b * c + c * a) + a * b * c
    values = shape_of(np.ones(size, bool), spacing_mm)
    assert values["MeshVolume"] == pytest.approx(volume * 1.5)
    assert values["VoxelVolume"] == pytest.approx(np.prod(size) * 1.5)


def test_a_line_of_two_voxels_has_the_surface_of_a_prism_with_two_pyramids():
    values = shape_of(np.ones((1, 1, 2), bool))
    area = 4 * np.sqrt(0.5) + 8 * np.sqrt(3) / 8  # four rectangles, eight triangles of side sqrt(1/2)
    assert values["SurfaceArea"] == pytest.approx(area)
    assert values["SurfaceVolumeRatio"] == pytest.approx(area / (2 / 3))
    assert values["Sphericity"] == pytest.approx((36 * np.pi * (2 / 3) ** 2) ** (1 / 3) / area)


def test_a_large_ball_comes_near_the_true_ball():
    grid = np.indices((61, 61, 61)) - 30
    values = shape_of((grid**2).sum(axis=0) <= 28**2, (0.5, 0.5, 0.5))
    assert values["MeshVolume"] == pytest.approx(4 / 3 * np.pi * 14**3, rel=0.01)
    assert values["Maximum3DDiameter"] == pytest.approx(28, rel=0.03)
    assert values["MajorAxisLength"] == pytest.approx(4 * 14 / np.sqrt(5), rel=0.01)
    assert values["Elongation"] == pytest.approx(1)
    assert values["Flatness"] == pytest.approx(1)


def test_axes_of_a_rod_are_four_standard_deviations():
    values = shape_of(np.ones((1, 2, 9), bool), (1, 1, 2))
    assert values["MajorAxisLength"] == pytest.approx(4 * 2 * np.arange(9).std())
    assert values["MinorAxisLength"] == pytest.approx(4 * 0.5)
    assert values["LeastAxisLength"] == 0
    assert values["Elongation"] == pytest.approx(0.5 / (2 * np.arange(9).std()))


def test_an_oblique_line_has_no_width():
    mask = np.zeros((6, 11, 16), bool)
    mask[range(6), range(0, 11, 2), range(0, 16, 3)] = True
    values = shape_of(mask, (3, 0.7, 0.9))
    assert values["MinorAxisLength"] == values["LeastAxisLength"] == values["Flatness"] == 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["lesion", "scattered"])
def test_diameters_are_the_largest_of_all_distances_between_vertices(make_lesion, seed, kind):
    if kind == "lesion":
        _, mask = make_lesion(seed, (7, 13, 15), (2.5, 4.5, 6))
    else:
        mask = np.random.default_rng(seed).random((6, 5, 7)) < 0.15
    spacing_mm = np.random.default_rng(seed).uniform(0.3, 3, size=3)
    vertices = mesh_vertices(mask, spacing_mm)
    values = shape_of(mask, spacing_mm)
    assert values["Maximum3DDiameter"] == pytest.approx(pdist(vertices).max())
    for axis, name in enumerate(["Slice", "Column", "Row"]):
        planes = [vertices[vertices[:, axis] == place] for place in np.unique(vertices[:, axis])]
        largest = max(pdist(plane).max() for plane in planes if len(plane) > 1)
        assert values[f"Maximum2DDiameter{name}"] == pytest.approx(largest)


def test_a_wider_border_around_the_region_changes_nothing():
    mask = np.random.default_rng(0).random((6, 7, 8)) < 0.6
    image = np.zeros(mask.shape)
    near = region_features(image, mask, (1, 2, 3), families=["shape", "glcm"])
    far = region_features(image, mask, (1, 2, 3), families=["shape", "glcm"], distances=(2,))
    np.testing.assert_array_equal(near[:14], far[:14])
