"""IBSI morphology: closed forms, other families of the library, invariances, and regions without extent."""

import math

import numpy as np
import pytest

from radiodeep.handcrafted.ibsi.morphology import morphology_features
from radiodeep.handcrafted.ibsi.region import ibsi_region
from radiodeep.handcrafted.region import crop_region
from radiodeep.handcrafted.shape import shape_features

SIZES = ["volume", "vol_approx", "area", "av"]
ROUNDNESS = ["comp_1", "comp_2", "sph_dispr", "sphericity", "asphericity"]
LENGTHS = ["com", "diam", "maj", "min", "least", "elongation", "flatness"]
DENSITIES = [f"{kind}_{body}" for body in ("aabb", "ombb", "aee", "mvee", "hull") for kind in "va"]
NAMES = [*SIZES, *ROUNDNESS, *LENGTHS, *DENSITIES, "integ_int", "moran", "geary"]


def measure(image, mask, inside=None, spacing=(1.0, 1.0, 1.0)):
    return dict(zip(NAMES, morphology_features(ibsi_region(image, mask, inside, spacing_mm=spacing)), strict=True))


def ball(diameter):
    offsets = np.indices((diameter + 4,) * 3) - (diameter + 3) / 2
    return (offsets**2).sum(axis=0) <= (diameter / 2) ** 2


def test_a_large_ball_is_a_sphere():
    mask = ball(40)
    found = measure(np.ones(mask.shape), mask)
    assert found["volume"] == pytest.approx(math.pi / 6 * 40**3, rel=5e-3)
    assert found["v_hull"] == pytest.approx(1, abs=0.05)
    assert found["v_aabb"] == pytest.approx(math.pi / 6, rel=0.02)
    assert found["v_ombb"] == pytest.approx(math.pi / 6, rel=0.02)
    assert found["v_mvee"] == pytest.approx(1, abs=0.08)
    assert found["maj"] == pytest.approx(40 * math.sqrt(4 / 5), rel=5e-3)
    assert found["v_aee"] == pytest.approx(math.sqrt(5 / 4) ** 3, rel=0.01)
    assert found["diam"] == pytest.approx(40, rel=0.03)
    assert found["elongation"] == pytest.approx(1)
    assert found["com"] == pytest.approx(0, abs=1e-9)


def test_a_block_fills_its_boxes():
    mask = np.zeros((24, 34, 44), bool)
    mask[2:22, 2:32, 2:42] = True
    found = measure(np.full(mask.shape, 5.0), mask, spacing=(2.0, 1.0, 1.0))
    for name in ("v_aabb", "a_aabb", "v_ombb", "a_ombb", "v_hull", "a_hull"):
        assert found[name] == pytest.approx(1, abs=0.03)
    assert found["vol_approx"] == 40 * 30 * 40
    assert found["volume"] < found["vol_approx"]
    assert found["integ_int"] == pytest.approx(5 * found["volume"])
    # Of the ellipsoids through the corners of a box, that with its proportions is the smallest.
    assert found["v_mvee"] == pytest.approx(2 / (math.sqrt(3) * math.pi), rel=0.08)


def test_ratios_of_area_and_volume_are_those_of_the_manual():
    mask = ball(9)
    found = measure(np.ones(mask.shape), mask)
    area, volume = found["area"], found["volume"]
    assert found["av"] == pytest.approx(area / volume)
    assert found["comp_1"] == pytest.approx(volume / (math.sqrt(math.pi) * area**1.5))
    assert found["comp_2"] == pytest.approx(36 * math.pi * volume**2 / area**3)
    assert found["sph_dispr"] == pytest.approx(area / (36 * math.pi * volume**2) ** (1 / 3))
    assert found["sphericity"] == pytest.approx(1 / found["sph_dispr"])
    assert found["asphericity"] == pytest.approx(found["sph_dispr"] - 1)


def test_mesh_and_axes_are_those_of_the_shape_family(rng):
    image = rng.normal(size=(9, 10, 11))
    mask = rng.random(image.shape) < 0.5
    spacing = (2.5, 0.7, 1.2)
    shape = shape_features(crop_region(image, mask, spacing))
    found = measure(image, mask, spacing=spacing)
    names = ("elongation", "flatness", "least", "maj", "diam", "volume", "min", "sphericity", "area", "av")
    expected = shape[[0, 1, 2, 3, 7, 8, 9, 10, 11, 12]]
    n = mask.sum()
    expected[[2, 3, 6]] *= math.sqrt(n / (n - 1))  # of a sample, as in the reference tables
    np.testing.assert_allclose([found[name] for name in names], expected, rtol=1e-9)


def test_the_shift_is_between_the_centres_of_both_masks():
    mask = np.zeros((5, 6, 12), bool)
    mask[2, 3, 1:11] = True
    inside = mask.copy()
    inside[2, 3, 8:] = False
    image = np.broadcast_to(np.arange(12.0), mask.shape)
    x = np.arange(1, 8)
    expected = abs((x * x).sum() / x.sum() - 5.5) * 1.5
    assert measure(image, mask, inside, (1.0, 1.0, 1.5))["com"] == pytest.approx(expected)


def test_shape_is_that_of_the_outline_and_intensity_that_of_the_inside(rng):
    image, mask = rng.normal(50, 9, (9, 9, 9)), ball(5)
    inside = mask & (image > 48)
    whole, part = measure(image, mask), measure(image, mask, inside)
    assert [whole[name] for name in NAMES[:9]] == [part[name] for name in NAMES[:9]]
    assert part["integ_int"] == pytest.approx(part["volume"] * image[inside].mean())
    assert part["moran"] != whole["moran"]


def test_the_place_in_the_image_does_not_matter(rng):
    image, mask = rng.normal(50, 9, (9, 9, 9)), ball(5)
    moved = [np.pad(array, ((9, 0), (3, 8), (0, 20))) for array in (image, mask)]
    spacing = (2.0, 1.0, 0.5)
    np.testing.assert_allclose(
        list(measure(*moved, spacing=spacing).values()), list(measure(image, mask, spacing=spacing).values()), rtol=1e-9
    )


def test_turned_axes_leave_the_values(rng):
    image = rng.normal(50, 9, (9, 9, 9))
    mask = ball(5)
    mask[4, 4, :] = True
    found = measure(image, mask, spacing=(2.0, 1.0, 0.5))
    turned = measure(image.transpose(2, 0, 1), mask.transpose(2, 0, 1), spacing=(0.5, 2.0, 1.0))
    np.testing.assert_allclose(list(turned.values()), list(found.values()), rtol=1e-6)


FLAT = ("v_aee",)
LINEAR = ("v_aee", "a_aee")


@pytest.mark.parametrize(
    ("shape", "undefined"),
    [
        ((1, 6, 7), FLAT),
        ((6, 1, 7), FLAT),
        ((6, 7, 1), FLAT),
        ((1, 1, 9), LINEAR),
        ((9, 1, 1), LINEAR),
        ((1, 1, 2), LINEAR),
        ((2, 1, 1), LINEAR),
    ],
)
def test_flat_and_linear_regions_lack_only_the_ellipsoid_of_their_centres(shape, undefined, rng):
    found = measure(rng.normal(50, 9, shape), np.ones(shape, bool), spacing=(3.0, 0.7, 1.1))
    assert {name for name, value in found.items() if np.isnan(value)} == set(undefined)
    assert np.isfinite([value for name, value in found.items() if name not in undefined]).all()


def test_a_diagonal_line_is_a_line():
    mask = np.eye(6, dtype=bool)[None] & np.ones((1, 6, 6), bool)
    found = measure(np.arange(36.0).reshape(1, 6, 6), mask)
    assert found["elongation"] == 0
    assert np.isnan(found["v_aee"])


def test_one_voxel_is_an_octahedron():
    found = measure(np.full((3, 3, 3), 2.0), np.pad(np.ones((1, 1, 1), bool), 1))
    assert found["volume"] == pytest.approx(1 / 6)
    assert found["area"] == pytest.approx(math.sqrt(3))
    assert found["v_aabb"] == pytest.approx(1 / 6)
    # A box on one of its facets, about a hexagon there, has twice its volume.
    assert found["v_ombb"] >= 1 / 2
    assert found["v_mvee"] == pytest.approx(1 / math.pi, rel=1e-3)
    assert found["maj"] == found["com"] == 0
    names = ("elongation", "flatness", "v_aee", "a_aee", "moran", "geary")
    assert {name for name, value in found.items() if np.isnan(value)} == set(names)


def test_one_intensity_lacks_only_the_correlations():
    mask = ball(5)
    found = measure(np.full(mask.shape, 0.1), mask)
    assert {name for name, value in found.items() if np.isnan(value)} == {"moran", "geary"}


def test_intensities_that_add_up_to_zero_have_no_centre():
    image = np.array([[[-1.0, 1.0, 0.0]]])
    found = measure(image, np.ones(image.shape, bool))
    assert np.isnan(found["com"])
    assert found["integ_int"] == 0
