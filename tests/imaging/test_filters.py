"""Derived images inside a box against the same filters over the whole image."""

import numpy as np
import pytest
import SimpleITK as sitk
from skimage.feature import local_binary_pattern

from radiodeep.exceptions import InputError
from radiodeep.imaging.filters import IMAGE_TYPES, check_filter_settings, filter_names, filtered_images

SCALED = ["Square", "SquareRoot", "Logarithm", "Exponential"]


def test_intensity_functions_use_the_extreme_of_the_whole_image(image, box, derived):
    real = image.astype(float)
    largest = np.abs(real).max()
    sign = np.sign(real)
    logarithm = sign * np.log(np.abs(real) + 1)
    expected = {
        "Square": (real / np.sqrt(largest)) ** 2,
        "SquareRoot": sign * np.sqrt(np.abs(real) * largest),
        "Logarithm": logarithm * largest / np.abs(logarithm).max(),
        "Exponential": largest ** (real / largest),
    }
    for image_type, values in expected.items():
        (ours,) = derived(image, box, image_type).values()
        np.testing.assert_allclose(ours, values[box], rtol=1e-12, err_msg=image_type)


@pytest.mark.parametrize("image_type", SCALED)
def test_an_image_of_zeros_has_no_such_function(image_type, spacing_mm, inner_box):
    with pytest.raises(InputError, match="image is 0 everywhere"):
        list(filtered_images(np.zeros((4, 4, 4)), inner_box, spacing_mm, image_type, {}))


@pytest.mark.parametrize("image_type", SCALED)
def test_a_scale_of_the_region_or_a_number_is_mapped_to_itself_whatever_lies_elsewhere(
    image, image_type, spacing_mm, inner_box
):
    box = inner_box
    roi = np.zeros([side.stop - side.start for side in box], bool)
    roi[1:3, 2:6, 3:9] = True
    bright = image.copy()
    bright[0, 0, 0] = 30_000
    largest = float(np.abs(image[box][roi]).max())
    for scale_by, scale in (("region", largest), (1500.0, 1500.0)):
        settings = {"scale_by": scale_by}
        values, other = (
            next(filtered_images(whole, box, spacing_mm, image_type, settings, roi=roi))[1] for whole in (image, bright)
        )
        np.testing.assert_array_equal(values, other)
        if scale_by == "region":
            assert values[roi].max() == pytest.approx(largest)
        flat = np.full(image.shape, scale)
        ((_, mapped),) = filtered_images(flat, box, spacing_mm, image_type, {"scale_by": scale}, roi=roi)
        np.testing.assert_allclose(mapped, scale)
    if image_type == "Square":
        np.testing.assert_allclose(values, image[box].astype(float) ** 2 / 1500, rtol=1e-9)


def test_a_scale_that_is_too_small_for_the_exponential_of_the_region_is_an_error_with_the_way_out(
    image, spacing_mm, inner_box
):
    box, roi = inner_box, np.ones((4, 9, 12), bool)
    with pytest.raises(InputError, match=r"With scale_by=2 the exponential .* Give .* Exponential a larger scale_by"):
        list(filtered_images(image, box, spacing_mm, "Exponential", {"scale_by": 2}, roi=roi))
    roi[image[box] > 200] = False  # what lies beside the region may overflow
    assert roi.any()
    ((_, values),) = filtered_images(
        image.astype(float) * 10, box, spacing_mm, "Exponential", {"scale_by": 300}, roi=roi
    )
    assert np.isfinite(values[roi]).all()


@pytest.mark.parametrize("use_spacing", [True, False])
def test_the_gradient_is_that_of_the_whole_image(image, box, use_spacing, derived, spacing_mm):
    whole = sitk.GetImageFromArray(image)
    whole.SetSpacing(spacing_mm[::-1])
    expected = sitk.GetArrayFromImage(sitk.GradientMagnitude(whole, use_spacing))[box]
    (values,) = derived(image, box, "Gradient", gradientUseSpacing=use_spacing).values()
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("axes", [{}, {"flat_axis": 1}, {"slice_axis": 2}, {"flat_axis": 1, "slice_axis": 2}])
@pytest.mark.parametrize("method", ["uniform", "default"])
def test_two_dimensional_patterns_are_those_of_every_slice(box, axes, method, derived):
    image = np.random.default_rng(4).integers(0, 50, (15, 31, 26))
    axis = axes.get("flat_axis", axes.get("slice_axis", 0))
    planes = np.swapaxes(image, 0, axis)
    expected = np.stack([local_binary_pattern(plane, 8, 1, method) for plane in planes])
    (values,) = derived(image, box, "LBP2D", **axes, lbp2DMethod=method).values()
    np.testing.assert_array_equal(values, np.swapaxes(expected, 0, axis)[box])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_filters_in_the_plane_are_those_of_itk_on_every_slice(image, box, axis, derived, spacing_mm):
    in_plane_mm = [step for number, step in enumerate(spacing_mm) if number != axis]
    planes = []
    for plane in np.moveaxis(image, axis, 0):
        planes.append(sitk.GetImageFromArray(np.ascontiguousarray(plane)))
        planes[-1].SetSpacing(in_plane_mm[::-1])
    laplacians = [sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(plane, 1.5, True)) for plane in planes]
    gradients = [sitk.GetArrayFromImage(sitk.GradientMagnitude(plane)) for plane in planes]
    (values,) = derived(image, box, "LoG", sigma=[1.5], in_plane=True, slice_axis=axis).values()
    expected = np.stack(laplacians, axis)[box]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    (values,) = derived(image, box, "Gradient", in_plane=True, slice_axis=axis).values()
    np.testing.assert_array_equal(values, np.stack(gradients, axis)[box])


def test_filters_in_the_plane_do_not_see_other_slices_and_take_a_single_one(image, derived):
    box = (slice(5, 6), slice(8, 17), slice(7, 19))
    noise = np.random.default_rng(1).normal(0, 1000, image.shape).astype(image.dtype)
    noise[5] = image[5]
    for image_type, settings in (("LoG", {"sigma": [1.0, 3.0]}), ("Gradient", {})):
        in_slices, other = (derived(whole, box, image_type, in_plane=True, **settings) for whole in (image, noise))
        in_space = derived(noise, box, image_type, **settings)
        single = derived(image[5:6], (slice(0, 1), *box[1:]), image_type, in_plane=True, **settings)
        assert not set(in_slices) & set(in_space)
        for name, values in in_slices.items():
            np.testing.assert_array_equal(values, other[name])
            np.testing.assert_array_equal(values, single[name])
            assert not np.allclose(values, in_space[name.replace("2D", "3D") if image_type == "LoG" else "gradient"])


def test_a_real_image_gives_its_patterns_without_a_warning(image, derived, inner_box):
    (values,) = derived(image, inner_box, "LBP2D", lbp2DRadius=2.0, lbp2DSamples=12).values()
    assert len(np.unique(values)) > 3


def test_a_box_far_from_everything_else_does_not_change_with_what_is_there():
    near = np.random.default_rng(6).normal(size=(20, 90, 90)) * 50
    far = near.copy()
    far[:, :, 70:] += 500
    box = (slice(8, 12), slice(40, 46), slice(4, 10))
    for image_type, settings in (("Wavelet", {}), ("LoG", {"sigma": [1.0]}), ("Gradient", {}), ("LBP2D", {})):
        for (_, values), (_, other) in zip(
            filtered_images(near, box, (1, 1, 1), image_type, settings),
            filtered_images(far, box, (1, 1, 1), image_type, settings),
            strict=True,
        ):
            np.testing.assert_allclose(values, other, rtol=0, atol=1e-4 * np.abs(values).max())


@pytest.mark.parametrize(
    ("image_type", "settings", "message"),
    [
        ("Sobel", {}, "'image_type' parameter of filtered_images must be one of Original, Wavelet"),
        ("LoG", {}, "needs 'sigma', a list of lengths"),
        ("LoG", {"sigma": 2.0}, "'sigma' parameter of the image type LoG must be a list of lengths"),
        ("LoG", {"sigma": [0.0]}, "'sigma' parameter of the image type LoG must be a list of lengths"),
        ("LoG", {"sigmas": [1.0]}, "has no setting 'sigmas'. It has: sigma"),
        ("Wavelet", {"wavelet": "coif99"}, "must be a discrete wavelet of pywt"),
        ("Wavelet", {"level": 0}, "'level' parameter of the image type Wavelet must be an int from 1 to 10"),
        ("Square", {"sigma": [1.0]}, "has no setting 'sigma'. It has: scale_by"),
        ("Original", {"sigma": [1.0]}, "has no setting 'sigma'. It has: none"),
        ("LoG", {"sigma": [1.0], "in_plane": 1}, "'in_plane' parameter of the image type LoG must be True or False"),
        (
            "Square",
            {"scale_by": 0},
            "'scale_by' parameter of .* Square must be 'image', 'region' or a number > 0. Got 0",
        ),
        ("Logarithm", {"scale_by": "body"}, "'image', 'region' or a number > 0. Got 'body'"),
        ("Exponential", {"scale_by": 1.0}, "'image', 'region' or a number > 1. Got 1.0"),
        ("LBP2D", {"lbp2DMethod": "nri"}, "must be one of default, ror"),
        ("Gradient", {"gradientUseSpacing": 1}, "must be True or False"),
    ],
)
def test_a_setting_that_a_filter_does_not_have_is_an_error(image_type, settings, message):
    with pytest.raises(InputError, match=message):
        check_filter_settings(image_type, settings)


def test_every_image_type_has_a_name_without_settings_but_the_laplacian():
    for image_type in IMAGE_TYPES:
        assert filter_names(image_type, {"sigma": [1]} if image_type == "LoG" else {})


@pytest.mark.parametrize(
    ("image_type", "factors"),
    [
        ("LoG", (1e-60, 1e60)),
        ("Gradient", (1e-60, 1e60)),
        ("LBP3D", (1e-60, 1e60)),
        ("Square", (1e-100, 1e100)),
        ("SquareRoot", (1e-200, 1e100)),
        ("Logarithm", (1e-100, 1e100)),
        ("Exponential", (1e-100, 1e100)),
    ],
)
def test_intensities_beyond_the_precision_of_a_filter_are_refused(counts, image_type, factors, derived):
    settings = {"sigma": [1.0]} if image_type == "LoG" else {}
    for factor in factors:
        with pytest.raises(InputError, match="The largest intensity .* is .*multiply the image by a constant"):
            derived(counts * factor, (slice(3, 8),) * 3, image_type, **settings)
