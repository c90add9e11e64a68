"""IBSI local intensity peaks, against a plain version."""

import numpy as np
import pytest

from radiodeep.handcrafted.ibsi.local_intensity import local_intensity_features
from radiodeep.handcrafted.ibsi.region import ibsi_region

RADIUS_MM = 6.2035


def plain_peaks(image, mask, spacing):
    """Visit every voxel, and measure the distance to every other one."""
    places = np.argwhere(np.isfinite(image))
    intensities = image[tuple(places.T)]
    centres = np.argwhere(mask)
    means = []
    for centre in centres:
        distance = np.sqrt((((places - centre) * spacing) ** 2).sum(axis=1))
        means.append(intensities[distance <= RADIUS_MM].mean())
    means, own = np.array(means), image[mask]
    return means[own == own.max()].max(), means.max()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.98, 0.98), (0.9, 1.7, 2.3), (7.0, 8.0, 9.0)])
@pytest.mark.parametrize("where", ["inside", "at the border", "one slice"])
def test_peaks_are_those_of_a_plain_version(spacing, where, rng):
    image = np.rint(rng.normal(0, 30, (1 if where == "one slice" else 17, 19, 21)))
    mask = np.zeros(image.shape, bool)
    part = (
        mask[:, 0:4, 0:4] if where == "one slice" else mask[7:10, 7:10, 7:10] if where == "inside" else mask[:4, :4, :4]
    )
    part[:] = rng.random(part.shape) < 0.8
    part[0, 0, 0] = True
    region = ibsi_region(image, mask, spacing_mm=spacing)
    np.testing.assert_allclose(local_intensity_features(region), plain_peaks(image, mask, spacing), rtol=1e-9)


def test_of_several_highest_voxels_the_highest_peak_counts():
    image = np.zeros((5, 5, 60))
    image[2, 2, [10, 50]] = 9.0
    image[2, 2, 52] = 5.0  # raises the peak of the second
    mask = image == 9.0
    region = ibsi_region(image, mask, spacing_mm=(2.0, 2.0, 2.0))
    local, _ = local_intensity_features(region)
    assert local == pytest.approx(plain_peaks(image, mask, (2.0, 2.0, 2.0))[0])
    assert local > 9.0 / 123


def test_voxels_outside_the_region_count_unless_they_are_not_finite(rng):
    image = rng.normal(size=(13, 13, 13))
    mask = np.zeros(image.shape, bool)
    mask[5:8, 5:8, 5:8] = True
    image[3, 4:9, 6] = np.nan
    image[9, 6, 6] = np.inf
    region = ibsi_region(image, mask, spacing_mm=(1.5, 1.0, 1.0))
    np.testing.assert_allclose(local_intensity_features(region), plain_peaks(image, mask, (1.5, 1.0, 1.0)), rtol=1e-9)


@pytest.mark.parametrize("mark", [-1e10, 1e15, -3.4e38])
def test_marks_of_what_was_not_measured_cost_other_spheres_no_digits(mark, rng):
    image, mask = rng.normal(100, 10, (5, 5, 60)), np.zeros((5, 5, 60), bool)
    image[2, 2, 16] = mark
    mask[2, 2, 8:12] = mask[2, 2, 30:] = True
    image[2, 2, 40], image[2, 3, 40] = 200, np.nan
    region = ibsi_region(image, mask, spacing_mm=(1.0, 1.0, 1.0))
    np.testing.assert_allclose(local_intensity_features(region), plain_peaks(image, mask, (1, 1, 1)), rtol=1e-12)


def test_only_voxels_of_the_intensity_mask_are_centres():
    image = np.zeros((9, 9, 9))
    image[4, 4, 4] = 100.0
    outline = np.ones(image.shape, bool)
    region = ibsi_region(image, outline, image == 0, spacing_mm=(20.0, 20.0, 20.0))
    np.testing.assert_array_equal(local_intensity_features(region), [0.0, 0.0])


def test_a_voxel_larger_than_the_sphere_is_its_own_peak():
    image = np.array([[[1.0, 2.0]], [[4.0, 3.0]]])
    region = ibsi_region(image, np.ones(image.shape, bool), spacing_mm=(10.0, 10.0, 10.0))
    np.testing.assert_array_equal(local_intensity_features(region), [4.0, 4.0])
