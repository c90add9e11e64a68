"""Local binary patterns."""

from itertools import product

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull
from skimage.feature import local_binary_pattern

from radiodeep.exceptions import RoiTooSmallError
from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.measurement import region_features


def shares(image, mask, family, **settings):
    names = [name.split("_")[1] for name in feature_names([family])]
    values = region_features(image, mask, (1, 1, 1), families=[family], **settings)
    return dict(zip(names, values, strict=True))


def circle(n_points, radius, slice_axis):
    angles = 2 * np.pi * np.arange(n_points) / n_points
    return np.insert(radius * np.stack([np.sin(angles), np.cos(angles)], axis=1), slice_axis, 0, axis=1)


def plain_shares(image, mask, places, points, is_uniform):
    """Compare each voxel with the points about it; voxels outside the region equal that in the centre."""
    image, mask = np.pad(image, 3), np.pad(mask, 3)
    counts = np.zeros(len(points) + 2)
    for place in places + 3:
        near = tuple(slice(c - 3, c + 4) for c in place)
        filled = np.where(mask[near], image[near], image[tuple(place)])
        bits = map_coordinates(filled, (points + 3).T, order=1) >= image[tuple(place)] - 1e-9
        counts[bits.sum() if is_uniform(bits) else -1] += 1
    return counts / counts.sum()


def changes_at_most_twice(bits):
    return np.abs(np.diff(np.append(bits, bits[0]).astype(int))).sum() <= 2


def are_connected_on_the_hull(points):
    """Return the function that tells whether the set and the unset points are connected by edges of the hull."""
    edges = np.zeros((len(points), len(points)), bool)
    for face in ConvexHull(points).simplices:
        for a, b in product(face, face):
            edges[a, b] = True  # of 24 triangles: a face of the cube and two of its corners

    def is_uniform(bits):
        parts = [connected_components(edges[part][:, part])[0] for part in (bits, ~bits) if part.any()]
        return max(parts) == 1

    return is_uniform


@pytest.mark.parametrize("slice_axis", [0, 1])
def test_shares_of_slices_are_those_of_the_plain_definition(texture, plain_interior, slice_axis):
    image, mask = texture
    axes = tuple(axis for axis in range(3) if axis != slice_axis)
    expected = [
        plain_shares(
            image,
            mask,
            plain_interior(mask, radius, axes),
            circle(n_points, radius, slice_axis),
            changes_at_most_twice,
        )
        for n_points, radius in ((8, 1), (16, 2))
    ]
    values = shares(image, mask, "lbp2D", slice_axis=slice_axis)
    np.testing.assert_allclose(list(values.values()), np.concatenate(expected), atol=1e-12)
    assert list(values)[8:12] == ["P8R1Uniform8", "P8R1NonUniform", "P16R2Uniform00", "P16R2Uniform01"]


def test_shares_of_space_are_those_of_the_plain_definition(texture, plain_interior):
    image, mask = texture
    corners = np.array(list(product((-1, 1), repeat=3))) / 3**0.5
    points = np.concatenate([corners, np.eye(3), -np.eye(3)])
    places = plain_interior(mask, 1, (0, 1, 2))
    expected = plain_shares(image, mask, places, points, are_connected_on_the_hull(points))
    values = shares(image, mask, "lbp3D")
    np.testing.assert_allclose(list(values.values()), expected, atol=1e-12)
    assert list(values)[-2:] == ["P14R1Uniform14", "P14R1NonUniform"]


@pytest.mark.parametrize(("n_points", "radius"), [(8, 1), (16, 2)])
def test_patterns_of_slices_are_those_of_scikit_image(n_points, radius):
    image = np.random.default_rng(0).integers(0, 4000, (3, 24, 26)).astype(np.int16)
    inner = (slice(radius, -radius), slice(radius, -radius))
    patterns = [local_binary_pattern(plane, n_points, radius, "uniform")[inner] for plane in image]
    counts = np.bincount(np.ravel(patterns).astype(int), minlength=n_points + 2)
    values = shares(image, image > -1, "lbp2D")
    found = [value for name, value in values.items() if name.startswith(f"P{n_points}R{radius}")]
    np.testing.assert_allclose(found, counts / counts.sum(), atol=1e-12)


@pytest.mark.parametrize(
    ("pixels", "name"),
    [
        ([[0, 5, 9], [0, 5, 9], [0, 5, 9]], "Uniform5"),  # up, down, and three to the right
        ([[9, 9, 9], [9, 5, 9], [9, 9, 9]], "Uniform8"),
        ([[0, 0, 0], [0, 5, 0], [0, 0, 0]], "Uniform0"),
        ([[0, 9, 0], [0, 5, 0], [0, 9, 0]], "NonUniform"),  # up and down alone
        ([[5, 5, 5], [5, 5, 5], [5, 5, 5]], "Uniform8"),  # equal is not below
    ],
)
def test_a_single_pixel_surrounded_has_the_pattern_by_hand(pixels, name):
    image = np.array([pixels])
    values = shares(image, image > -1, "lbp2D")
    assert values[f"P8R1{name}"] == 1
    assert sum(value for key, value in values.items() if key.startswith("P8R1")) == 1


def test_a_ramp_in_space_has_the_pattern_by_hand():
    image = np.broadcast_to(np.arange(5.0), (5, 5, 5))
    values = shares(image, image == image, "lbp3D")
    assert values["P14R1Uniform09"] == 1  # four corners and a face to one side, and four faces of equal intensity


@pytest.mark.parametrize("plane", [(0, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize("noise", [0, 1])
def test_shares_do_not_change_with_turns_and_mirrors(texture, plane, noise):
    image, mask = texture
    image = image if noise else np.round(image / 20) * 0.1  # many ties, inexact in binary numbers
    for family, other in (("lbp3D", 0), ("lbp2D", ({0, 1, 2} - set(plane)).pop())):
        expected = shares(image, mask, family, slice_axis=other)
        assert shares(np.rot90(image, 1, plane), np.rot90(mask, 1, plane), family, slice_axis=other) == expected
        mirrored = np.flip(image, plane[0]), np.flip(mask, plane[0])
        assert shares(*mirrored, family, slice_axis=other) == expected


@pytest.mark.parametrize("family", ["lbp2D", "lbp3D"])
def test_shares_do_not_change_with_the_unit(texture, family):
    image, mask = texture
    image = np.round(image / 20)
    expected = shares(image, mask, family)
    assert shares(0.1 * image - 7.3, mask, family) == expected
    assert shares((image + 100).astype(np.uint8), mask, family) == expected
    assert shares(-image, mask, family) != expected


def test_a_single_slice_has_patterns_of_slices_only():
    image = np.random.default_rng(0).normal(size=(8, 1, 9))
    with pytest.raises(RoiTooSmallError, match="spans 8 x 1 x 9 voxels .*'lbp3D' need two or more .* family 'lbp2D'"):
        shares(image, image == image, "lbp3D")
    assert sum(shares(image, image == image, "lbp2D", slice_axis=1).values()) == pytest.approx(2)
