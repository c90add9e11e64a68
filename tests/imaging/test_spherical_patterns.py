"""Binary patterns on spheres, whatever lies around them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.stats import kurtosis

from radiodeep.imaging.spherical_patterns import icosphere, spherical_patterns


def test_spherical_patterns_are_those_of_the_whole_image(image, box, derived):
    whole = tuple(slice(0, size) for size in image.shape)
    settings = {"lbp3DLevels": 3, "lbp3DIcosphereRadius": 2, "lbp3DIcosphereSubdivision": 2}
    expected = derived(image, whole, "LBP3D", **settings)
    values = derived(image, box, "LBP3D", **settings)
    assert list(values) == ["lbp-3D-m1", "lbp-3D-m2", "lbp-3D-m3", "lbp-3D-k"]
    for name, part in values.items():
        np.testing.assert_allclose(part, expected[name][box], rtol=0, atol=1e-5)


def test_the_strength_of_degree_zero_counts_the_places_that_are_not_darker(derived):
    image = np.zeros((9, 9, 9))
    image[4, 4, 4] = -1.0
    box = (slice(4, 5),) * 3
    strength = derived(image, box, "LBP3D")["lbp-3D-m1"]
    places = len(icosphere(1))
    assert strength.item() == pytest.approx(places * np.sqrt(places) / (4 * np.pi), rel=1e-12)
    assert derived(-image, box, "LBP3D")["lbp-3D-m1"].item() == 0


@pytest.mark.parametrize("stored", [np.uint8, np.int16, np.uint16, np.int64, np.float32])
def test_spherical_patterns_do_not_depend_on_the_type_of_the_voxels(counts, stored, derived):
    box = (slice(3, 11), slice(4, 15), slice(5, 17))
    expected = derived(counts, box, "LBP3D")
    for name, values in derived(counts.astype(stored), box, "LBP3D").items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(-1, -1, -1), (-1,), (slice(None), slice(None), 0)])
def test_what_is_not_finite_away_from_the_region_leaves_spherical_patterns_alone(gap, place, derived):
    image = gaussian_filter(np.random.default_rng(5).normal(size=(14, 20, 22)), 1)
    box = (slice(2, 4), slice(5, 12), slice(9, 14))
    expected = derived(image, box, "LBP3D")
    image[place] = gap
    for name, values in derived(image, box, "LBP3D").items():
        # Interpolation looks at all voxels, at distant ones with a weight of 0.27 to the power of their distance.
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-3)


def test_a_gap_beside_the_region_counts_as_the_nearest_voxel(counts, derived):
    box = (slice(3, 8), slice(4, 12), slice(9, 14))
    gap, filled = counts.copy(), counts.copy()
    gap[8:] = np.nan
    filled[8:] = counts[7]
    expected = derived(filled, box, "LBP3D")
    for name, values in derived(gap, box, "LBP3D").items():
        np.testing.assert_array_equal(values, expected[name])


def test_places_lie_on_the_sphere_evenly():
    for subdivision, n_places in ((0, 12), (1, 42), (2, 162)):
        places = icosphere(subdivision, radius=2.5)
        assert len(np.unique(places.round(9), axis=0)) == n_places
        np.testing.assert_allclose(np.linalg.norm(places, axis=1), 2.5)
        np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-12)


def test_patterns_are_zero_outside_the_region_and_flat_images_have_no_kurtosis():
    box = (slice(2, 5),) * 3
    roi = np.zeros((3, 3, 3), bool)
    roi[1, 1, 1] = True
    strength, excess = spherical_patterns(np.zeros((7, 7, 7)), box, roi, n_levels=1)
    assert strength[1, 1, 1] > 0
    assert np.count_nonzero(strength) == 1
    assert not excess.any()


def test_the_kurtosis_is_that_of_the_samples_on_the_sphere():
    image = np.random.default_rng(0).normal(size=(21, 21, 21))
    samples = map_coordinates(image, (icosphere(1, 2.0) + 10).T, order=3)
    box = (slice(10, 11),) * 3
    maps = spherical_patterns(image, box, np.ones((1, 1, 1), bool), n_levels=1, radius=2.0)
    assert maps[-1].item() == pytest.approx(kurtosis(samples), abs=1e-3)
