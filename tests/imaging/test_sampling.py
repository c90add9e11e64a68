"""Values between pixels, boxes below the precision of pixels, and shares of regions, by hand or from theory."""

import numpy as np
import pytest

from radiodeep.imaging.sampling import box_mm, centred_region, sample_planes, sampling_weights, share_within


def sampled(values, step_mm, places_mm, pixel_mm):
    index, weights = sampling_weights(len(values), step_mm, np.asarray(places_mm, float), pixel_mm)
    return weights @ np.asarray(values, float)[index]


def test_values_are_linear_between_the_centres_of_pixels_and_constant_beyond_them():
    values, places = np.array([3.0, 7.0, -2.0, 4.0]), np.linspace(-2, 10, 49)
    expected = np.interp(places, (np.arange(4) + 0.5) * 2, values)
    np.testing.assert_allclose(sampled(values, 2.0, places, 0.5), expected, atol=1e-12)


@pytest.mark.parametrize("pixel_mm", [0.5, 1.0, 1.1, 3.0, 40.0])
def test_weights_add_up_to_one(pixel_mm):
    places = np.linspace(-3, 14, 50)
    np.testing.assert_allclose(sampled(np.ones(10), 1.0, places, pixel_mm), 1, rtol=1e-12)


def test_white_noise_falls_as_with_pixels_of_that_size():
    noise = np.random.default_rng(0).normal(0, 100, (4, 400, 400))  # at 0.25 mm
    centres = np.arange(2, 98) + 0.125
    (seen,) = sample_planes([noise], (0.25, 0.25), (centres, centres), (1.0, 1.0))
    assert seen.std() == pytest.approx(100 / 4, rel=0.03)


def test_an_image_in_two_resolutions_becomes_the_same():
    """A wave of 12 mm, whose averages over pixels of 0.5 and 1.5 mm are known, brought to 3 mm."""
    seen = []
    for step in (0.5, 1.5):
        centres = (np.arange(round(120 / step)) + 0.5) * step
        wave = np.sinc(step / 12) * np.sin(2 * np.pi * centres / 12)
        seen.append(sampled(wave, step, np.linspace(30, 90, 41), 3.0))
    assert np.abs(seen[0]).max() > 0.8
    np.testing.assert_allclose(*seen, atol=0.08)


@pytest.mark.parametrize("step", [0.25, 0.5, 1.0, 2.0])
def test_the_box_of_a_disc_does_not_depend_on_its_pixels(step):
    centres = (np.arange(round(60 / step)) + 0.5) * step
    mask = np.hypot(centres[:, np.newaxis] - 31.7, centres - 25.2) < 14.3
    box = np.array(box_mm(mask, (step, step), 2.0))
    np.testing.assert_allclose(box, [[17.4, 46.0], [10.9, 39.5]], atol=step / 2)


def test_the_box_is_that_of_the_pixels_where_they_are_not_finer():
    mask = np.zeros((7, 9), bool)
    mask[0:2, 3:9] = True  # up to two borders of the image
    for pixel_mm in (0.0, 0.5):
        assert box_mm(mask, (0.5, 2.0), pixel_mm) == [(0.0, 1.0), (6.0, 18.0)]


def test_a_region_much_smaller_than_a_pixel_keeps_a_box():
    mask = np.zeros((40, 40), bool)
    mask[20, 10] = True
    for (first, last), centre in zip(box_mm(mask, (0.5, 0.5), 4.0), (10.25, 5.25), strict=True):
        assert (first + last) / 2 == pytest.approx(centre)
        assert 0.5 < last - first < 4.5


def test_a_share_counts_parts_of_pixels():
    counts = np.array([[1, 2], [3, 4]])
    assert share_within(counts, (2.0, 1.0), [(0, 4), (0, 2)]) == 1
    assert share_within(counts, (2.0, 1.0), [(1, 3), (0.5, 9)]) == pytest.approx((0.25 + 1 + 0.75 + 2) / 10)
    assert share_within(counts, (2.0, 1.0), [(5, 9), (0, 2)]) == 0


def test_the_largest_part_is_shown_only_where_a_window_about_all_shows_less_than_half():
    counts = np.zeros((1, 40), int)
    counts[0, 2:5], counts[0, 30:36] = 2, 1  # six of one, half a dozen of the other
    counts[0, 35] = 2

    def ends_about(length):
        def ends(mask):
            columns = np.flatnonzero(mask[0])
            centre = (columns[0] + columns[-1] + 1) / 2
            return [(0, 1), (centre - length / 2, centre + length / 2)]

        return ends

    mask, share = centred_region(counts, (1.0, 1.0), ends_about(8))
    assert (np.flatnonzero(mask[0]).tolist(), share) == ([30, 31, 32, 33, 34, 35], pytest.approx(7 / 13))
    mask, share = centred_region(counts, (1.0, 1.0), ends_about(40))
    assert (mask.sum(), share) == (9, 1)
