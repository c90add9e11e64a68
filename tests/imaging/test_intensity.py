"""Normalisation over stated parts of an image, on images small enough to check by hand."""

import numpy as np
import pytest

from radiodeep import Case
from radiodeep.imaging.intensity import normalize_intensities


@pytest.fixture
def head():
    """Return noise about 0 with a body of about 100 to 200 in it and a lesion of 300, and one bright voxel."""
    generator = np.random.default_rng(0)
    image = generator.normal(0, 5, (20, 60, 60))
    image[:, 15:45, 15:45] = generator.normal(150, 20, (20, 30, 30))
    mask = np.zeros(image.shape, bool)
    mask[8:12, 25:32, 25:32] = True
    image[mask] = generator.normal(300, 10, mask.sum())
    image[0, 0, 0] = 30_000
    return Case(image, mask, "head", spacing_mm=(2, 1, 1))


def part_of(case, over, **settings):
    """Return mean and deviation that an image was normalised with."""
    normalized = normalize_intensities(case, over=over, **settings).voxels
    slope, offset = np.polyfit(case.voxels[case.roi], normalized[case.roi], 1)
    return -offset / slope, 1 / slope


def test_the_mean_and_deviation_are_those_of_the_part(head):
    z, y, x = np.indices(head.voxels.shape)
    beside = [
        np.maximum(low - places, places - high).clip(0) for places, low, high in ((z, 8, 11), (y, 25, 31), (x, 25, 31))
    ]
    distance = np.sqrt((2 * beside[0]) ** 2 + beside[1] ** 2 + beside[2] ** 2)
    parts = {
        "image": np.ones(head.roi.shape, bool),
        "region": head.roi,
        "ring": (distance > 0) & (distance <= 4),
        "percentiles": (head.voxels >= np.percentile(head.voxels, 1)) & (head.voxels <= np.percentile(head.voxels, 99)),
    }
    for over, part in parts.items():
        values = head.voxels[part]
        assert part_of(head, over, ring_mm=4.0) == pytest.approx((values.mean(), values.std(ddof=1)), rel=1e-6)


def test_the_body_is_what_is_brighter_than_the_background_whatever_its_amount(head):
    body = head.voxels[:, 15:45, 15:45]
    tight = head.replace(image=head.voxels[:, 12:48, 12:48], mask=head.roi[:, 12:48, 12:48])
    for case in (head, tight):
        mean, deviation = part_of(case, "body")
        assert mean == pytest.approx(body.mean(), rel=0.02)
        assert deviation == pytest.approx(body.std(), rel=0.25)  # the lesion, under 1 % of the image, is cut off
    assert part_of(head, "body") == pytest.approx(part_of(tight, "body"), rel=2e-3)  # one bright voxel aside
    assert abs(head.voxels.mean() / tight.voxels.mean() - 1) > 0.5


def test_one_bright_voxel_moves_the_image_only(head):
    dull = head.voxels.copy()
    dull[0, 0, 0] = 0
    for over in ("image", "percentiles", "body", "ring", "region"):
        changes = np.abs(np.subtract(part_of(head, over), part_of(head.replace(image=dull), over)))
        assert (changes[1] > 20) == (over == "image")
        assert over == "image" or changes.max() < 0.5


def test_outliers_are_cut_off_in_deviations_of_the_part(head):
    normalized = normalize_intensities(head, scale=10, outlier_sd=2.0, over="region").voxels
    assert normalized.min() == -20
    assert normalized.max() == 20
    assert abs(normalized[head.roi].mean()) < 0.5


def test_a_constant_part_shifts_the_image_only(head):
    image = head.voxels.copy()
    image[head.roi] = 300.0
    normalized = normalize_intensities(head.replace(image=image), over="region").voxels
    np.testing.assert_allclose(normalized, image - 300)


def test_voxels_that_are_not_finite_do_not_count(head):
    image = head.voxels.copy()
    image[:7] = np.nan  # and within the ring
    gap = head.replace(image=image)
    for over in ("ring", "region", "body", "percentiles"):
        assert part_of(gap, over, ring_mm=5.0) == pytest.approx(part_of(head, over, ring_mm=5.0), rel=0.15)
