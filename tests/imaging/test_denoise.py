"""Noise is added as it is named, and each method finds the image that its theory promises."""

from itertools import cycle

import numpy as np
import pytest
from scipy.signal import wiener as scipy_wiener

import radiodeep as rd
from radiodeep.exceptions import InputError
from radiodeep.imaging.denoise import (
    admm,
    admm_total_variation,
    denoised,
    noise_level,
    total_variation,
    wiener,
    with_normal_noise,
    with_photon_noise,
)


def picture(*shape):
    """A bright disc on a ramp."""
    places = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    return 80.0 * (sum(place**2 for place in places) < 0.4) + 20 * places[-1]


def objective(image, noisy, weight):
    """0.5 ||x - y||² + weight TV(x), by its definition."""
    padded = np.pad(image, [(0, 1)] * image.ndim, mode="edge")
    whole = tuple(slice(0, size) for size in image.shape)
    steps = [np.diff(padded, axis=axis)[whole] for axis in range(image.ndim)]
    return 0.5 * ((image - noisy) ** 2).sum() + weight * np.sqrt(sum(step**2 for step in steps)).sum()


@pytest.mark.parametrize("shape", [(24, 31), (9, 10, 8)])
def test_admm_with_total_variation_finds_the_minimum_that_chambolles_algorithm_finds(shape):
    noisy = with_normal_noise(picture(*shape), 10)
    chambolle = total_variation(noisy, 10, tolerance=1e-12, n_iterations=3000)
    solution = admm_total_variation(noisy, 10, tolerance=1e-5, n_iterations=2000)
    assert solution.is_converged
    assert objective(solution.image, noisy, 10) == pytest.approx(objective(chambolle, noisy, 10), rel=1e-5)
    np.testing.assert_allclose(solution.image, chambolle, atol=0.2)
    quick = objective(admm_total_variation(noisy, 10).image, noisy, 10)
    assert quick == pytest.approx(objective(chambolle, noisy, 10), rel=2e-3)


def test_the_objective_falls_with_the_iterations_of_admm():
    noisy = with_normal_noise(picture(24, 24), 10)
    values = [objective(noisy, noisy, 10)]
    for n_iterations in (1, 4, 16, 64):
        values.append(objective(admm_total_variation(noisy, 10, 1e-9, n_iterations).image, noisy, 10))
    assert (np.diff(values) < 0).all()


def test_images_without_contrast_and_weights_of_0_change_nothing():
    flat = np.full((8, 8), 3.0)
    assert admm_total_variation(flat, 5).image is flat
    assert total_variation(picture(8, 8), 0) == pytest.approx(picture(8, 8))
    np.testing.assert_allclose(wiener(flat, 2), flat)


@pytest.mark.parametrize("penalty", [0.5, 1.0, 4.0])
def test_admm_with_a_quadratic_prior_finds_the_closed_form_whatever_the_penalty(penalty):
    noisy = picture(12, 12)
    solution = admm(noisy, lambda v, share: v / (1 + 3 * share), penalty, tolerance=1e-8)
    assert solution.is_converged
    np.testing.assert_allclose(solution.image, noisy / 4, atol=1e-5)


def test_with_a_penalty_of_1_plug_and_play_admm_applies_its_prior_once():
    noisy = with_normal_noise(picture(12, 12), 10)
    solution = admm(noisy, lambda v, share: wiener(v, 10 * share**0.5))
    np.testing.assert_allclose(solution.image, wiener(noisy, 10))
    assert solution.n_iterations == 2


def test_admm_with_a_proximal_prior_of_total_variation_finds_its_minimum():
    noisy = with_normal_noise(picture(16, 16), 10)
    solution = admm(noisy, lambda v, share: total_variation(v, 8 * share, 1e-8, 500), 2.0, tolerance=1e-4)
    minimum = admm_total_variation(noisy, 8, tolerance=1e-5, n_iterations=2000).image
    assert objective(solution.image, noisy, 8) == pytest.approx(objective(minimum, noisy, 8), rel=1e-5)


def test_a_growing_penalty_brings_any_bounded_prior_to_rest():
    noisy = picture(12, 12)
    jumps = cycle([1.0, -1.0])

    def restless(v, share):
        return v + next(jumps) * 20 * share**0.5

    assert not admm(noisy, restless, n_iterations=60).is_converged
    assert admm(noisy, restless, growth=1.5, n_iterations=60).is_converged


def test_the_wiener_filter_is_that_of_scipy_away_from_the_border():
    noisy = with_normal_noise(picture(24, 24), 10) - 1000
    inner = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(wiener(noisy, 10)[inner], scipy_wiener(noisy, 5, noise=100.0)[inner], rtol=1e-6)
    assert abs(wiener(noisy, 10)[0] - noisy[0]).max() < 60  # no dark frame, as padding with 0 makes


def test_the_wiener_filter_keeps_the_digits_of_float32_far_from_0():
    noisy = with_normal_noise(picture(24, 24), 10)
    shifted = wiener((noisy + 1e5).astype(np.float32), 10)
    np.testing.assert_allclose(shifted - 1e5, wiener(noisy, 10), atol=0.5)


def test_noise_has_the_mean_and_deviation_of_its_name():
    image = np.full((200, 200), 64.0)
    normal = with_normal_noise(image, 10, random_state=1)
    assert (normal.mean(), normal.std()) == pytest.approx((64, 10), abs=0.2)
    photons = with_photon_noise(image, 50, random_state=1, intensity_range=(0, 256))
    counted = 50 * 64 / 256
    assert (photons.mean(), photons.std()) == pytest.approx((64, counted**0.5 * 256 / 50), rel=0.01)
    assert np.array_equal(with_normal_noise(image, 10, 1), normal)
    assert not np.array_equal(with_normal_noise(image, 10, 2), normal)


def test_the_noise_is_estimated_in_the_plane_of_the_slices_and_without_an_empty_background():
    volume = np.zeros((64, 5, 64))
    volume[:, :, 32:] = with_normal_noise(picture(64, 5, 32), 8)
    volume[:, 0] = 0
    assert noise_level(volume, axis=1) == pytest.approx(8, rel=0.15)
    assert noise_level(np.zeros((2, 16, 16))) == 0


def case_of(image, **others):
    return rd.Case(image, np.ones(image.shape, bool), "n-1", spacing_mm=(1, 1, 3)[: image.ndim], **others)


def test_slices_are_denoised_in_the_plane_of_acquisition_one_at_a_time():
    image = picture(12, 14, 3)
    shapes = []
    lesion = denoised(case_of(image), lambda part, sigma: shapes.append((part.shape, sigma)) or part + sigma, 2.0)
    assert shapes == [((12, 14), 2.0)] * 3
    np.testing.assert_array_equal(lesion.voxels, image + 2)
    shapes.clear()
    denoised(case_of(image), lambda part, sigma: shapes.append(part.shape) or part, 2.0, dimensions=3)
    denoised(case_of(image), lambda part, sigma: shapes.append(part.shape) or part, 2.0, slice_axis="axial")
    assert shapes == [(12, 14, 3), *[(14, 3)] * 12]


def test_integers_become_floats_and_an_image_without_noise_stays():
    image = np.random.default_rng(0).integers(0, 99, (16, 16)).astype(np.int16)
    assert denoised(case_of(image), lambda part, sigma: part, 1).voxels.dtype == np.float32
    case = case_of(np.ones((16, 16)))
    assert denoised(case, lambda part, sigma: part + 1).voxels is case.lesion().voxels


def test_one_slice_is_a_slice_also_for_methods_of_volumes():
    shapes = []
    denoised(case_of(picture(12, 14)), lambda part, sigma: shapes.append(part.shape) or part, 2.0, dimensions=3)
    assert shapes == [(12, 14)]


def test_gaps_outside_the_region_stay_and_do_not_spread():
    image = picture(16, 16)
    image[0, :4] = np.nan
    case = rd.Case(image, picture(16, 16) > 60, "n-1", spacing_mm=(1, 1))
    voxels = denoised(case, wiener, sigma=5).voxels[0]
    np.testing.assert_array_equal(np.isnan(voxels), np.isnan(image))


def test_settings_out_of_range_are_named():
    with pytest.raises(InputError, match="'sigma' parameter of denoised must be None or a float >= 0. Got -1"):
        denoised(case_of(picture(8, 8)), wiener, sigma=-1)
    with pytest.raises(InputError, match="'dimensions' parameter of denoised must be 2 or 3. Got 1"):
        denoised(case_of(picture(8, 8)), wiener, 1, dimensions=1)
    with pytest.raises(InputError, match=r"n-1: the denoised image has shape \(7, 8\). Expected \(8, 8\)"):
        denoised(case_of(picture(8, 8)), lambda part, sigma: part[1:], 1)
    with pytest.raises(InputError, match="'growth' parameter of admm must be a float >= 1. Got 0.5"):
        admm(picture(8, 8), wiener, growth=0.5)
    with pytest.raises(InputError, match="'counts' parameter of with_photon_noise must be a float > 0. Got 0"):
        with_photon_noise(picture(8, 8), 0)
