"""Settings of the filters of the IBSI, their errors, and the names of derived images."""

import numpy as np
import pytest

from radiodeep.exceptions import InputError
from radiodeep.imaging.ibsi_filters import IBSI_IMAGE_TYPES, check_ibsi_filter_settings, ibsi_filter_names
from radiodeep.imaging.ibsi_filters.boundary import BOUNDARIES
from radiodeep.imaging.ibsi_filters.rotations import POOLINGS


@pytest.mark.parametrize(
    ("image_type", "settings", "names"),
    [
        ("Original", {}, ["original"]),
        ("mean", {"support": [3, 5]}, ["mean_support-3", "mean_support-5"]),
        ("mean", {"support": 5, "in_plane": True, "boundary": "zero"}, ["mean_support-5_2D_zero"]),
        ("laplacian_of_gaussian", {"sigma_mm": 1.5}, ["log_sigma-1.5mm"]),
        ("laplacian_of_gaussian", {"sigma_mm": 3, "cutoff": 3.5}, ["log_sigma-3mm_cutoff-3.5"]),
        ("laws", {"kernels": ["L5E5", "E5S5"]}, ["laws_L5E5", "laws_E5S5"]),
        ("laws", {"kernels": "L5E5E5", "pooling": "max", "energy_distance": 7}, ["laws_L5E5E5_max_energy-7"]),
        (
            "gabor",
            {"sigma_mm": 5, "wavelength_mm": [2, 4], "theta_degrees": 60},
            ["gabor_sigma-5mm_wavelength-2mm_theta-60_2D", "gabor_sigma-5mm_wavelength-4mm_theta-60_2D"],
        ),
        (
            "gabor",
            {"sigma_mm": 5, "wavelength_mm": 2, "gamma": 1.5, "theta_step_degrees": 22.5, "orthogonal_planes": True},
            ["gabor_sigma-5mm_wavelength-2mm_gamma-1.5_step-22.5_average_3D"],
        ),
        ("gabor", {"sigma_mm": 5.0, "wavelength_mm": 2.5, "theta_degrees": -0.0},
         ["gabor_sigma-5mm_wavelength-2.5mm_theta-0_2D"]),
        ("separable_wavelet", {"wavelet": "db3", "subbands": "LLH", "level": [1, 2]},
         ["wavelet_db3_LLH_level-1", "wavelet_db3_LLH_level-2"]),
        ("simoncelli", {}, ["simoncelli_level-1"]),
        ("simoncelli", {"boundary": "mirror"}, ["simoncelli_level-1_mirror"]),
        ("riesz_simoncelli", {"order": (0, 2, 0)}, ["riesz-0-2-0_simoncelli_level-1"]),
        (
            "riesz_laplacian_of_gaussian",
            {"order": [(1, 0, 0), (0, 1, 0)], "sigma_mm": 3},
            ["riesz-1-0-0_log_sigma-3mm", "riesz-0-1-0_log_sigma-3mm"],
        ),
    ],
)  # fmt: skip
def test_names_tell_the_settings(image_type, settings, names):
    assert ibsi_filter_names(image_type, settings) == names


@pytest.mark.parametrize(
    ("image_type", "settings", "name", "values"),
    [
        ("laplacian_of_gaussian", {}, "sigma_mm", [1, 1.0000001, 1.1, np.float32(1.1), 1e-6, 10, 1234567, 1234568]),
        ("laplacian_of_gaussian", {"sigma_mm": 2}, "cutoff", [4, 4.0000001, 3.9999999, 2]),
        ("gabor", {"wavelength_mm": 2}, "sigma_mm", [1, 1.0000001]),
        ("gabor", {"sigma_mm": 2}, "wavelength_mm", [1, 1.0000001]),
        ("gabor", {"sigma_mm": 2, "wavelength_mm": 3}, "gamma", [1, 1.0000001, 0.5]),
        ("gabor", {"sigma_mm": 2, "wavelength_mm": 3}, "theta_degrees", [0, 1e-7, 45, 45.0000001, -45, 360]),
        ("gabor", {"sigma_mm": 2, "wavelength_mm": 3}, "theta_step_degrees", [None, 45, 360 / 7, 51.42857142857, 1]),
        ("gabor", {"sigma_mm": 2, "wavelength_mm": 3, "theta_step_degrees": 45}, "theta_degrees", [0, 5]),
        ("gabor", {"sigma_mm": 2, "wavelength_mm": 3}, "orthogonal_planes", [False, True]),
        ("gabor", {"sigma_mm": 2, "wavelength_mm": 3, "theta_step_degrees": 45}, "pooling", list(POOLINGS)),
        ("gabor", {"sigma_mm": 2, "wavelength_mm": 3, "orthogonal_planes": True}, "pooling", list(POOLINGS)),
        ("laws", {"kernels": "L5E5"}, "pooling", [None, *POOLINGS]),
        ("laws", {"kernels": "L5E5"}, "energy_distance", [None, 1, 7]),
        ("separable_wavelet", {"wavelet": "db2", "subbands": "LH"}, "pooling", [None, *POOLINGS]),
        ("riesz_laplacian_of_gaussian", {"order": (1, 0), "sigma_mm": 2}, "cutoff", [4, 3]),
        ("riesz_simoncelli", {}, "order", [(1, 0), (1, 0, 0), (10, 1, 0), (1, 10, 0)]),
        ("simoncelli", {}, "in_plane", [False, True]),
        ("mean", {"support": 3}, "boundary", BOUNDARIES),
        ("simoncelli", {}, "boundary", BOUNDARIES),
    ],
)
def test_settings_that_differ_have_names_that_differ(image_type, settings, name, values):
    names = [ibsi_filter_names(image_type, {**settings, name: value})[0] for value in values]
    assert len(set(names)) == len(values), names


def test_an_unknown_image_type_is_an_error_with_the_nearest():
    with pytest.raises(InputError, match=r"one of Original, mean, .*Did you mean 'simoncelli'\?"):
        check_ibsi_filter_settings("simonceli", {})


def test_an_unknown_setting_is_an_error_with_the_nearest():
    with pytest.raises(InputError, match=r"no setting 'suport'\. It has: support, .*Did you mean 'support'\?"):
        check_ibsi_filter_settings("mean", {"suport": 5})
    with pytest.raises(InputError, match=r"Original has no setting 'sigma'\. It has: none\."):
        check_ibsi_filter_settings("Original", {"sigma": 5})


@pytest.mark.parametrize("image_type", [name for name in IBSI_IMAGE_TYPES if name not in ("Original", "simoncelli")])
def test_a_setting_that_is_needed_is_an_error_with_an_example(image_type):
    with pytest.raises(InputError, match=rf"The image type {image_type} needs '\w+', .*\{{'{image_type}': \{{'"):
        ibsi_filter_names(image_type, {})


@pytest.mark.parametrize(
    ("image_type", "settings"),
    [
        ("mean", {"support": 0}),
        ("mean", {"support": [3, 3]}),
        ("mean", {"support": []}),
        ("mean", {"support": 3, "in_plane": 1}),
        ("mean", {"support": 3, "boundary": "reflect"}),
        ("laplacian_of_gaussian", {"sigma_mm": -1}),
        ("laplacian_of_gaussian", {"sigma_mm": [1, 1.0]}),
        ("gabor", {"sigma_mm": 1, "wavelength_mm": 2, "theta_degrees": [0.0, -0.0]}),
        ("gabor", {"sigma_mm": 1, "wavelength_mm": 2, "theta_step_degrees": 0.5}),
        ("riesz_simoncelli", {"order": [(1, 0, 0), [1, 0, 0]]}),
        ("laplacian_of_gaussian", {"sigma_mm": 1, "cutoff": 0}),
        ("laws", {"kernels": "L5"}),
        ("laws", {"kernels": "L5L5L5L5"}),
        ("laws", {"kernels": "L5X5E5"}),
        ("laws", {"kernels": "L5E5", "pooling": "median"}),
        ("laws", {"kernels": "L5E5", "energy_distance": 0}),
        ("gabor", {"sigma_mm": 1, "wavelength_mm": 2, "gamma": 0}),
        ("gabor", {"sigma_mm": 1, "wavelength_mm": 2, "theta_degrees": float("nan")}),
        ("gabor", {"sigma_mm": 1, "wavelength_mm": 2, "theta_step_degrees": 50}),
        ("gabor", {"sigma_mm": 1, "wavelength_mm": 2, "theta_step_degrees": 360}),
        ("gabor", {"sigma_mm": 1, "wavelength_mm": 2, "orthogonal_planes": None}),
        ("gabor", {"sigma_mm": 1, "wavelength_mm": 2, "pooling": None}),
        ("separable_wavelet", {"wavelet": "morl", "subbands": "LL"}),
        ("separable_wavelet", {"wavelet": "haar", "subbands": "L"}),
        ("separable_wavelet", {"wavelet": "haar", "subbands": "LLX"}),
        ("separable_wavelet", {"wavelet": "haar", "subbands": "LL", "level": 11}),
        ("simoncelli", {"level": 0}),
        ("riesz_simoncelli", {"order": (0, 0, 0)}),
        ("riesz_simoncelli", {"order": (1,)}),
        ("riesz_simoncelli", {"order": (1, -1, 0)}),
    ],
)
def test_a_setting_out_of_range_is_an_error(image_type, settings):
    name = list(settings)[-1] if image_type != "separable_wavelet" else "wavelet|subbands|level"
    with pytest.raises(InputError, match=rf"The '({name})' parameter of the image type {image_type} must be .* Got "):
        check_ibsi_filter_settings(image_type, settings)
