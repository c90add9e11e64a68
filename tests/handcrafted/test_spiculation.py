"""Spicules and concavities, by IBSI's published values, from theory, and from a slow plain version."""

from itertools import product

import nibabel
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import dblquad
from scipy.spatial import ConvexHull, Delaunay
from scipy.special import sph_harm_y
from skimage.measure import find_contours, label

from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.measurement import region_features

IN_SPACE = ["HullAreaDensity", "HullVolumeDensity"]  # of IBSI


def measured(mask, spacing_mm=(1, 1, 1), family="spiculation", slice_axis=0):
    values = region_features(np.zeros(mask.shape), mask, spacing_mm, families=[family], slice_axis=slice_axis)
    return dict(zip([name.split("_")[1] for name in feature_names([family])], values, strict=True))


def drawn(radius, size_mm, spacing_mm, seed=0):
    """The voxels (z, y, x) with their centres in a body: `radius` is a function of directions (..., 3), of about 1."""
    offsets = np.random.default_rng(seed).uniform(-0.5, 0.5, 3)
    halves = [int(np.ceil(1.7 * size_mm / step)) for step in spacing_mm]
    axes = [
        (np.arange(-half, half + 1) + offset) * step
        for half, step, offset in zip(halves, spacing_mm, offsets, strict=True)
    ]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distances = np.linalg.norm(places, axis=-1)
    return distances <= size_mm * radius(places / np.maximum(distances, 1e-9)[..., None])


def ball(directions):
    return np.ones(directions.shape[:-1])


def ellipsoid(directions):
    return 1 / np.linalg.norm(directions / [1.0, 0.8, 0.6], axis=-1)


def with_spicules(height):
    """A ball with six cones along the axes."""
    tips = np.concatenate([np.eye(3), -np.eye(3)])

    def radius(directions):
        nearest = (directions @ tips.T).max(axis=-1)
        return 1 + height * np.clip(1 - np.arccos(np.clip(nearest, -1, 1)) / 0.35, 0, 1)

    return radius


def flower(height, n_petals=8):
    """A cylinder along z with r = 1 + height * cos(n * angle) in the plane."""

    def radius(directions):
        angles = np.arctan2(directions[..., 1], directions[..., 2])
        return 1 + height * np.cos(n_petals * angles)

    return radius


def flower_plane(height, size, n_petals=8):
    grid = np.stack(np.indices((1, 4 * size, 4 * size))[1:], axis=-1) - 2 * size + 0.3
    angles = np.arctan2(grid[..., 0], grid[..., 1])
    return np.linalg.norm(grid, axis=-1) <= size * (1 + height * np.cos(n_petals * angles))


def ragged_part(seed, shape):
    """The largest part, without holes, of noise that grows denser towards the middle."""
    generator = np.random.default_rng(seed)
    distance = np.linalg.norm(np.indices(shape).T - (np.array(shape) - 1) / 2, axis=-1).T / np.mean(shape) * 2
    parts = label(np.pad(generator.random(shape) < 1.6 - 1.5 * distance, 1), connectivity=len(shape))
    part = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    outside = label(~part, connectivity=1)
    return outside != outside.flat[0]


def plain_outline(mask, spacing_mm):
    """The 11 features of the outline of a solid part with an empty border, face by face."""
    n_axes = mask.ndim
    spacing_mm = np.asarray(spacing_mm, float)
    voxels = np.argwhere(mask)
    center = voxels.mean(axis=0) * spacing_mm
    radius = {2: lambda size: np.sqrt(size / np.pi), 3: lambda size: np.cbrt(0.75 * size / np.pi)}[n_axes](
        len(voxels) * spacing_mm.prod()
    )
    hull = Delaunay(voxels * spacing_mm)
    is_hull = (hull.find_simplex(np.argwhere(mask | ~mask) * spacing_mm, tol=1e-9) >= 0).reshape(mask.shape)
    surface = ConvexHull(voxels * spacing_mm)
    faces = []
    for voxel in voxels:
        for axis, sign in product(range(n_axes), (-1, 1)):
            other = voxel.copy()
            other[axis] += sign
            if mask[tuple(other)]:
                continue
            offset = (voxel + other) / 2 * spacing_mm - center
            area = spacing_mm.prod() / spacing_mm[axis]
            angle = area * max(sign * offset[axis], 0) / np.linalg.norm(offset) ** n_axes
            depth = 0.0
            if is_hull[tuple(other)]:
                depth = min(-(normal @ (voxel * spacing_mm) + end) for *normal, end in surface.equations)
            faces.append((tuple(voxel), offset, area, min(angle, np.pi * (n_axes - 1)), depth))
    offsets = np.array([face[1] for face in faces])
    areas, angles, depths = np.array([face[2:] for face in faces]).T
    weights = angles / angles.sum()
    distances = np.linalg.norm(offsets, axis=1)
    mean = np.average(distances, weights=angles)
    histogram = np.zeros(20)
    for distance, weight in zip(distances / distances.max(), weights, strict=True):
        histogram[min(int(distance * 20 + 1e-9), 19)] += weight
    histogram = histogram[histogram > 0]
    deep, far, reach = np.zeros(mask.shape, int), np.zeros(mask.shape, int), np.zeros(mask.shape)
    for voxel, _, _, _, depth in faces:
        reach[voxel] = np.linalg.norm(voxel * spacing_mm - center)
        deep[voxel] |= depth > 0.05 * radius
        far[voxel] = reach[voxel] > mean
    parts = label(far, connectivity=n_axes)
    return {
        "ConvexityDeficit": (is_hull & ~mask).sum() / is_hull.sum(),
        "LargestConcavityDepth": max(depths),
        "MeanConcavityDepth": np.average(depths, weights=areas) / radius,
        "NumberOfConcavities": label(deep, connectivity=n_axes).max(),
        "NumberOfProtrusions": sum(reach[parts == part].max() > 1.05 * mean for part in range(1, parts.max() + 1)),
        "RadialAreaRatio": sum(w * (d - mean) for w, d in zip(weights, distances, strict=True) if d > mean) / mean,
        "RadialEntropy": -(histogram * np.log2(histogram)).sum(),
        "RadialRoughness": residual_sd(offsets, distances, weights) / mean,
        "RadialVariation": np.sqrt(np.average((distances - mean) ** 2, weights=weights)) / mean,
        "RelativeConcavityDepth": max(depths) / radius,
        "RelativeProtrusionHeight": max(distances) / mean - 1,
    }


def residual_sd(offsets, distances, weights):
    """What harmonics of the angle, or of the sphere, up to the fourth leave over."""
    if offsets.shape[1] == 2:
        angle = np.arctan2(*offsets.T)
        waves = [wave(k * angle) for k in range(5) for wave in (np.cos, np.sin)]
    else:
        z, y, x = offsets.T
        polar, azimuth = np.arccos(z / distances), np.arctan2(y, x)
        orders = [(n, m) for n in range(5) for m in range(n + 1)]
        waves = [part(sph_harm_y(n, m, polar, azimuth)) for n, m in orders for part in (np.real, np.imag)]
    waves = np.stack(waves, axis=1)
    roots = np.sqrt(weights)[:, None]
    fit = waves @ np.linalg.lstsq(waves * roots, distances * roots[:, 0], rcond=1e-9)[0]
    return np.sqrt(np.average((distances - fit) ** 2, weights=weights))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (2.5, 0.7, 0.9)])
def test_the_outline_in_space_equals_a_plain_version(seed, spacing_mm):
    mask = ragged_part(seed, (9, 12, 11))
    values = measured(mask, spacing_mm)
    expected = plain_outline(mask, spacing_mm)
    assert values["NumberOfConcavities"] > 0
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_outline_of_a_slice_equals_a_plain_version(seed):
    plane = ragged_part(seed, (17, 15))
    values = measured(np.stack([plane, np.zeros_like(plane)], axis=1), (0.8, 3, 1.1), "spiculation2D", slice_axis=1)
    expected = plain_outline(plane, (0.8, 1.1))
    outline = max(find_contours(plane, 0.5, fully_connected="high"), key=len) * [0.8, 1.1]
    ends = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(outline, axis=0), axis=1))])
    places = np.linspace(0, ends[-1], 2**16, endpoint=False)
    y, x = (np.interp(places, ends, corners) for corners in outline.T)
    sizes = np.abs(np.fft.fft(x + 1j * y))
    weighted = total = 0
    for order in range(1, 33):
        total += sizes[order] + sizes[-order]
        weighted += (sizes[order] + sizes[-order]) / order
    assert values == pytest.approx({"FourierFactor": 1 - weighted / total, **expected}, abs=1e-5)


@pytest.mark.parametrize(("phantom", "table"), [("digital", "dig_phantom"), ("ct", "chest_config_a")])
def test_hull_densities_are_those_that_ibsi_publishes(reference_data, phantom, table):
    path = reference_data / "ibsi1" / f"{phantom}_phantom" / "nifti" / "mask" / "mask.nii.gz"
    file = nibabel.load(path)
    mask = np.asarray(file.dataobj).transpose() > 0
    values = measured(mask, file.header.get_zooms()[:3][::-1])
    published = pd.read_csv(
        reference_data / "ibsi1" / "reference_values_mirp" / f"ibsi_1_{table}.csv", sep=";", index_col=2
    )
    for name, tag in zip(IN_SPACE, ["morph_area_dens_conv_hull", "morph_vol_dens_conv_hull"], strict=True):
        value, tolerance = published.loc[tag]
        assert values[name] == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (3, 0.7, 0.9)])
@pytest.mark.parametrize("size_mm", [2.5, 5, 11])
@pytest.mark.parametrize("body", [ball, ellipsoid])
def test_digitised_convex_bodies_have_no_concavity_at_any_size(body, size_mm, spacing_mm):
    for family in ("spiculation", "spiculation2D"):
        values = measured(drawn(body, size_mm, spacing_mm), spacing_mm, family)
        concave = ["ConvexityDeficit", "LargestConcavityDepth", "MeanConcavityDepth", "NumberOfConcavities"]
        assert [values[name] for name in concave] == [0, 0, 0, 0]
        assert values["NumberOfProtrusions"] == 0 or body is ellipsoid


def test_an_ellipsoid_has_the_radial_variation_of_theory():
    def moment(power):
        def integrand(azimuth, height):
            flat = np.sqrt(1 - height**2)
            direction = np.array([height, flat * np.cos(azimuth), flat * np.sin(azimuth)])
            return ellipsoid(direction) ** power / (4 * np.pi)

        return dblquad(integrand, -1, 1, 0, 2 * np.pi)[0]

    mean, square = moment(1), moment(2)
    values = measured(drawn(ellipsoid, 18, (1.5, 1, 1)), (1.5, 1, 1))
    assert values["RadialVariation"] == pytest.approx(np.sqrt(square - mean**2) / mean, rel=0.02)
    assert values["RelativeProtrusionHeight"] == pytest.approx(1 / mean - 1, abs=0.05)  # to half a voxel
    assert values["RadialRoughness"] < 0.2 * values["RadialVariation"]  # the axes are no roughness


@pytest.mark.parametrize("height", [0.1, 0.3])
def test_a_flower_has_the_petals_of_theory(height):
    values = measured(flower_plane(height, 40), family="spiculation2D")
    assert values["NumberOfProtrusions"] == values["NumberOfConcavities"] == 8
    # Rays along a steep flank cross it several times, on stairs.
    assert values["RadialVariation"] == pytest.approx(height / np.sqrt(2), rel=0.05)
    assert values["RadialRoughness"] == pytest.approx(height / np.sqrt(2), rel=0.05)  # 8 petals are no axes or lobes
    assert values["RadialAreaRatio"] == pytest.approx(height / np.pi, rel=0.05)
    assert values["RelativeProtrusionHeight"] == pytest.approx(height, abs=0.02)
    angles = np.linspace(0, np.pi / 8, 1000)
    tangent = ((1 + height * np.cos(8 * angles)) * np.cos(angles - np.pi / 8)).max()  # of two petals
    depth = 40 * (tangent - (1 - height))
    assert values["LargestConcavityDepth"] == pytest.approx(depth, abs=1)


def test_lobes_are_variation_but_no_roughness():
    lobes = measured(flower_plane(0.2, 40, n_petals=3), family="spiculation2D")
    spicules = measured(flower_plane(0.2, 40, n_petals=12), family="spiculation2D")
    assert lobes["RadialVariation"] == pytest.approx(spicules["RadialVariation"], rel=0.06)
    assert lobes["RadialRoughness"] < 0.1 * spicules["RadialRoughness"]
    assert lobes["FourierFactor"] < 0.8 * spicules["FourierFactor"]


@pytest.mark.parametrize("height", [0.25, 0.5])
def test_spicules_of_known_height_are_counted_and_measured(height):
    values = measured(drawn(with_spicules(height), 16, (1, 1, 1)))
    assert values["NumberOfProtrusions"] == 6
    directions = np.random.default_rng(0).normal(size=(100_000, 3))
    mean = with_spicules(height)(directions / np.linalg.norm(directions, axis=1, keepdims=True)).mean()
    assert values["RelativeProtrusionHeight"] == pytest.approx((1 + height) / mean - 1, abs=0.06)
    assert values["ConvexityDeficit"] > 0.015


def test_dents_are_counted_and_the_deepest_measured():
    mask = np.zeros((14, 24, 24), bool)
    mask[2:12, 2:22, 2:22] = True
    mask[2:6, 11:13, 11:13] = False
    mask[9:12, 8, 8] = False
    values = measured(mask, (1.5, 1, 1))
    assert values["LargestConcavityDepth"] == pytest.approx(4 * 1.5)
    assert values["NumberOfConcavities"] == 2
    assert values["ConvexityDeficit"] == pytest.approx((4 * 4 + 3) / 4000)
    radius = (3 * (4000 - 19) * 1.5 / (4 * np.pi)) ** (1 / 3)
    assert values["RelativeConcavityDepth"] == pytest.approx(6 / radius)


@pytest.mark.parametrize("family", ["spiculation", "spiculation2D"])
def test_size_alone_changes_nothing_but_the_depth_in_mm(family):
    small, large = (measured(drawn(with_spicules(0.5), size_mm, (1, 1, 1)), family=family) for size_mm in (12, 24))
    assert large.pop("LargestConcavityDepth") == pytest.approx(2 * small.pop("LargestConcavityDepth"), abs=1)
    assert large.pop("RadialEntropy") == pytest.approx(small.pop("RadialEntropy"), abs=0.5)  # of bins of 5 %
    assert large == pytest.approx(small, rel=0.05, abs=0.04)


def test_units_of_length_change_nothing_but_the_depth_in_mm():
    mask = drawn(with_spicules(0.5), 9, (1.5, 1, 1))
    once, twice = measured(mask, (1.5, 1, 1)), measured(mask, (3, 2, 2))
    assert twice.pop("LargestConcavityDepth") == pytest.approx(2 * once.pop("LargestConcavityDepth"))
    assert twice == pytest.approx(once)


def test_thick_slices_show_the_same_spicules():
    thin = measured(drawn(with_spicules(0.5), 16, (1, 1, 1)))
    thick = measured(drawn(with_spicules(0.5), 16, (2, 0.8, 0.8)), (2, 0.8, 0.8))
    for name in ("ConvexityDeficit", "RadialVariation", "RadialAreaRatio", "RelativeProtrusionHeight"):
        assert thick[name] == pytest.approx(thin[name], rel=0.15)
    assert thick["NumberOfProtrusions"] == 6


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 0, 2)])
def test_the_order_and_direction_of_axes_change_nothing(order):
    spacing_mm = np.array([2.5, 0.7, 0.9])
    mask = drawn(with_spicules(0.4), 7, spacing_mm)
    turned = mask.transpose(order)[::-1, :, ::-1]
    in_space = measured(mask, spacing_mm)
    again = measured(turned, spacing_mm[list(order)])
    for name in IN_SPACE:  # the table of marching cubes is not symmetric
        assert again.pop(name) == pytest.approx(in_space.pop(name), rel=0.01)
    assert again == pytest.approx(in_space, abs=1e-9)
    in_slice = measured(mask, spacing_mm, "spiculation2D", slice_axis=0)
    again = measured(turned, spacing_mm[list(order)], "spiculation2D", slice_axis=order.index(0))
    assert again == pytest.approx(in_slice, abs=1e-9)


def test_holes_and_small_parts_do_not_count():
    mask = np.pad(drawn(with_spicules(0.4), 8, (1, 1, 1)), 4)
    middle = tuple(np.argwhere(mask).mean(axis=0).astype(int))
    changed = mask.copy()
    changed[middle] = False
    changed[0, 0, 0] = True
    for family in ("spiculation", "spiculation2D"):
        before, after = measured(mask, family=family), measured(changed, family=family)
        for name in IN_SPACE if family == "spiculation" else []:
            assert after.pop(name) != before.pop(name)
        assert after == pytest.approx(before)


SMALL = {
    "two voxels": np.ones((1, 1, 2), bool),
    "a line": np.ones((1, 7, 1), bool),
    "an oblique line": np.eye(6, dtype=bool)[None],
    "a plate": np.ones((4, 1, 6), bool),
    "a block": np.ones((2, 2, 2), bool),
    "far apart": np.eye(6, dtype=bool)[None] & (np.arange(6) % 5 == 0),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_and_flat_regions_are_convex_and_have_values(name):
    for family in ("spiculation", "spiculation2D"):
        values = measured(SMALL[name], (2, 1, 0.5), family)
        assert np.isfinite(list(values.values())).all()
        assert values["LargestConcavityDepth"] == 0
        assert values["ConvexityDeficit"] == pytest.approx(2 / 3 if name == "far apart" else 0)


def test_a_flat_region_has_the_same_concavities_in_space_and_in_its_slice():
    plate = flower_plane(0.3, 12)
    in_space, in_slice = measured(plate), measured(plate, family="spiculation2D")
    assert in_slice["ConvexityDeficit"] > 0.1
    for name in ("ConvexityDeficit", "LargestConcavityDepth", "NumberOfConcavities"):
        assert in_space[name] == pytest.approx(in_slice[name])
