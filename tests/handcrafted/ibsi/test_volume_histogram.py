"""IBSI intensity-volume histogram, by hand and against a plain version."""

import numpy as np
import pytest

from radiodeep.exceptions import InputError
from radiodeep.handcrafted.ibsi.region import ibsi_region
from radiodeep.handcrafted.ibsi.volume_histogram import intensity_volume_histogram


def region_of(values):
    image = np.asarray(values, float).reshape(1, 1, -1)
    return ibsi_region(image, np.ones(image.shape, bool), spacing_mm=(1.0, 1.0, 1.0))


def plain_features(values, steps):
    """Evaluate the definitions one intensity at a time."""
    steps = np.asarray(steps, float)
    volume = np.array([(values >= step - 1e-9).mean() for step in steps])
    fraction = (steps - steps[0]) / (steps[-1] - steps[0])
    at = [volume[fraction >= share - 1e-12].max() for share in (0.1, 0.9)]
    of = []
    for share in (0.1, 0.9):
        fits = steps[volume <= share + 1e-12]
        of.append(fits.min() if fits.size else steps[-1] + steps[1] - steps[0])
    area = sum((volume[i] + volume[i + 1]) / 2 * (fraction[i + 1] - fraction[i]) for i in range(steps.size - 1))
    return [*at, *of, at[0] - at[1], of[0] - of[1], area]


def test_the_digital_phantom_has_its_published_values():
    values = intensity_volume_histogram(region_of([1] * 50 + [3] + [4] * 16 + [6] * 7))
    np.testing.assert_allclose(values, [24 / 74, 7 / 74, 5, 2, 17 / 74, 3, 0.32027], rtol=1e-5)


def test_whole_intensities_are_taken_in_steps_of_one(rng):
    values = np.rint(rng.gamma(2, 9, 400))
    found = intensity_volume_histogram(region_of(values))
    expected = plain_features(values, np.arange(values.min(), values.max() + 1))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("bounds", [(-50, 200), (None, 200), (-50, None), (-200, 0)])
def test_bounds_of_resegmentation_are_the_range(bounds, rng):
    values = np.rint(rng.uniform(-40, 0, 300))
    found = intensity_volume_histogram(region_of(values), lowest=bounds[0], highest=bounds[1])
    low = values.min() if bounds[0] is None else bounds[0]
    high = values.max() if bounds[1] is None else bounds[1]
    np.testing.assert_allclose(found, plain_features(values, np.arange(low, high + 1)), rtol=1e-9)


def test_bins_of_a_width_are_named_by_their_centres(rng):
    values = rng.uniform(0.02, 9.97, 500)
    found = intensity_volume_histogram(region_of(values), bin_width=0.1, lowest=0, highest=10)
    centres = (np.floor(values / 0.1) + 0.5) * 0.1
    np.testing.assert_allclose(found, plain_features(centres, (np.arange(100) + 0.5) * 0.1), rtol=1e-9)


def test_a_number_of_bins_is_numbered_from_one(rng):
    values = rng.normal(0, 1, 500)
    found = intensity_volume_histogram(region_of(values), bin_count=1000, bin_width=0.5)
    numbers = np.minimum(np.floor(1000 * (values - values.min()) / np.ptp(values)) + 1, 1000)
    np.testing.assert_allclose(found, plain_features(numbers, np.arange(1, 1001)), rtol=1e-9)


def test_fractions_are_taken_in_steps_from_one_to_the_next(rng):
    values = rng.normal(0, 1, 50)
    found = intensity_volume_histogram(region_of(values))
    np.testing.assert_allclose(found, plain_features(values, np.sort(values)), rtol=1e-9)


@pytest.mark.parametrize("settings", [{}, {"bin_width": 0.1}, {"bin_count": 1}, {"bin_count": 1000}])
def test_one_intensity_fills_the_volume(settings):
    values = intensity_volume_histogram(region_of([2.0] * 9), **settings)
    assert values[[0, 1, 4, 6]].tolist() == [1, 1, 0, 0]


def test_one_voxel_has_a_histogram():
    assert np.isfinite(intensity_volume_histogram(region_of([2.5]))).all()


def test_intensities_that_differ_by_millions_do_not_fill_the_memory():
    values = np.array([0.0, 1.0, 1e15])
    np.testing.assert_allclose(intensity_volume_histogram(region_of(values))[:2], [1 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bin_width": 0}, "'bin_width' parameter of intensity_volume_histogram must be None or a float > 0. Got 0"),
        (
            {"bin_count": 0},
            "'bin_count' parameter of intensity_volume_histogram must be None or an int from 1 to 1000000",
        ),
        ({"bin_count": 10**7}, "must be None or an int from 1 to 1000000. Got 10000000"),
        (
            {"bin_width": 1e-9},
            "bin_width=1e-09 on intensities from 1 to 2 makes 1000000000 bins of the",
        ),
        ({"lowest": np.nan}, "'lowest' parameter of intensity_volume_histogram must be None or a finite float. Got"),
        ({"highest": "a"}, "'highest' parameter of intensity_volume_histogram must be None or a finite float. Got"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        intensity_volume_histogram(region_of([1.0, 2.0]), **settings)
