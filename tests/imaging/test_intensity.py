"""Intensity ranges and normalisation, on images small enough to check by hand."""

import numpy as np
import pytest

from radiodeep import Case
from radiodeep.exceptions import RadiodeepWarning, RoiTooSmallError
from radiodeep.imaging.intensity import (
    fill_gaps,
    is_intensity_range,
    normalize_intensities,
    resegment,
    scale_intensities,
    scale_linearly,
    scale_to_unit,
)


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


def test_intensities_beyond_the_limits_are_clipped():
    np.testing.assert_allclose(scale_linearly(np.array([-10, 0, 5, 20]), 0, 10), [0, 0, 0.5, 1])


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (None, True),
        ("minmax", True),
        ((-5, 5.5), True),
        ("maxmin", False),
        ((5, 5), False),
        ((0, np.inf), False),
        ((1, 2, 3), False),
        (5, False),
        (("a", "b"), False),
    ],
)
def test_a_range_is_none_minmax_or_two_finite_numbers_in_order(limits, expected):
    assert is_intensity_range(limits) is expected


def test_scaling_to_the_unit_range_handles_constants_and_what_is_not_finite():
    np.testing.assert_allclose(scale_to_unit(np.array([2.0, 4.0, np.nan, np.inf, -np.inf])), [0, 1, 0, 1, 0])
    np.testing.assert_allclose(scale_to_unit(np.full(3, 7.0)), 0)
    np.testing.assert_allclose(scale_to_unit(np.full(3, np.nan)), 0)


def test_the_default_range_reaches_from_percentile_to_percentile_and_takes_the_region_in():
    image = np.append(np.linspace(0, 100, 1001), 5000.0)
    low, high = np.percentile(image, [1, 99])
    np.testing.assert_allclose(scale_intensities(image), ((image - low) / (high - low)).clip(0, 1), atol=1e-6)
    region = image >= 5000
    assert scale_intensities(image, region=region)[-2] == pytest.approx((100 - low) / (5000 - low), rel=1e-5)


def test_a_range_of_percentiles_that_is_empty_falls_back_on_the_extremes():
    image = np.zeros(1000)
    image[0] = 8
    assert scale_intensities(image).tolist()[:2] == [1, 0]


def test_gaps_outside_the_region_are_filled_and_warned_of_where_they_are_seen():
    image = np.arange(60.0).reshape(3, 4, 5)
    mask = np.zeros(image.shape, bool)
    mask[1, 1:3, 1:3] = True
    image[0, 0, 0], image[1, 0, 0], image[2, 3, 4] = np.nan, np.inf, -np.inf
    case = Case(image, mask, "gaps", spacing_mm=(1, 1, 1))
    values = image[mask]
    filled = fill_gaps(case, None).voxels
    expected = (values.min(), values.max(), values.min())
    assert (filled[0, 0, 0], filled[1, 0, 0], filled[2, 3, 4]) == expected
    np.testing.assert_array_equal(filled[np.isfinite(image)], image[np.isfinite(image)])
    with pytest.warns(RadiodeepWarning, match="^gaps: 2 voxels outside the region, in the part of the image that netw"):
        filled = fill_gaps(case, (5.0, 50.0), (1, 1, 1)).voxels
    assert (filled[0, 0, 0], filled[1, 0, 0], filled[2, 3, 4]) == (5, 50, 5)


@pytest.mark.parametrize(
    ("mode", "limits", "expected"),
    [
        ("absolute", [4, 10], [4, 10]),
        ("absolute", [10, 4], [4, 10]),
        ("absolute", [4], [4, 10, 20, 40]),
        ("relative", [0.2, 0.5], [10, 20]),
        ("sigma", [-0.5, 2], [10, 20, 40]),
    ],
)
def test_resegmentation_keeps_the_voxels_within_limits(mode, limits, expected):
    image = np.array([[[1.0, 4.0, 10.0, 20.0, 40.0, 12.0]]])
    roi = image != 12
    assert image[resegment(image, roi, limits, mode)].tolist() == expected


def test_a_region_of_which_resegmentation_leaves_one_voxel_is_refused():
    image = np.array([[[1.0, 4.0, 10.0]]])
    with pytest.raises(
        RoiTooSmallError, match="leaves 1 of the region's 3 voxels. Expected at least 2; .* from 1 to 10"
    ):
        resegment(image, image > 0, [5, 20])


def test_normalising_gives_mean_0_and_the_deviation_asked_for():
    image = np.random.default_rng(0).normal(7, 3, (4, 5, 6))
    case = Case(image, image > 7, "noise", spacing_mm=(1, 1, 1))
    normalized = normalize_intensities(case, scale=100).voxels
    np.testing.assert_allclose([normalized.mean(), normalized.std(ddof=1)], [0, 100], atol=1e-9)
    assert normalize_intensities(case, outlier_sd=1.0).voxels.max() == 1.0


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
