"""Derived images inside a box against the same filters over the whole image."""

import numpy as np
import pytest
import pywt
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from skimage.feature import local_binary_pattern

from radiodeep.exceptions import ImageTooLargeError, InputError, RoiTooSmallError
from radiodeep.imaging.filters import IMAGE_TYPES, check_filter_settings, filter_names, filtered_images
from radiodeep.imaging.spherical_patterns import icosphere

SPACING = (2.5, 0.8, 0.9)
BOXES = {
    "inside": (slice(5, 9), slice(8, 17), slice(7, 19)),
    "in a corner": (slice(0, 4), slice(0, 9), slice(0, 11)),
    "at the far end": (slice(9, 15), slice(20, 31), slice(14, 26)),
    "everything": (slice(0, 15), slice(0, 31), slice(0, 26)),
}


@pytest.fixture(params=[np.int16, np.float32, np.float64])
def image(request):
    noise = gaussian_filter(np.random.default_rng(3).normal(size=(15, 31, 26)), 1)
    return (noise / noise.std() * 200 + 300).astype(request.param)


@pytest.fixture(params=BOXES)
def box(request):
    return BOXES[request.param]


def derived(image, box, image_type, **settings):
    flat_axis, slice_axis = settings.pop("flat_axis", None), settings.pop("slice_axis", 0)
    roi = np.ones([side.stop - side.start for side in box], bool)
    images = dict(filtered_images(image, box, SPACING, image_type, settings, flat_axis, roi, slice_axis))
    assert list(images) == filter_names(image_type, settings, flat_axis)
    assert all(values.shape == roi.shape for values in images.values())
    return images


def whole_wavelet(image, wavelet, axes, levels, skipped):
    """pywt over the whole image, filled up to even sizes, as pyradiomics calls it."""
    data = np.pad(image, [(0, size % 2) for size in image.shape], "wrap")
    bands = {}
    for level in range(skipped + levels):
        parts = pywt.swtn(data, wavelet, level=1, axes=axes)[0]
        data = parts["a" * len(axes)]
        if level >= skipped:
            number = "" if level == skipped else str(level - skipped + 1)
            for name, part in parts.items():
                bands[f"wavelet{number}-{name.replace('a', 'L').replace('d', 'H')}"] = part
    return {name: part[: image.shape[0], : image.shape[1], : image.shape[2]] for name, part in bands.items()}


@pytest.mark.parametrize(
    ("settings", "axes"),
    [
        ({}, (2, 1, 0)),
        ({"wavelet": "db4"}, (2, 1, 0)),
        ({"wavelet": "bior2.4", "flat_axis": 0}, (2, 1)),
        ({"wavelet": "haar", "level": 2, "start_level": 1}, (2, 1, 0)),
    ],
)
def test_wavelet_subbands_are_those_of_the_whole_image_going_on_periodically(image, box, settings, axes):
    expected = whole_wavelet(
        image, settings.get("wavelet", "coif1"), axes, settings.get("level", 1), settings.get("start_level", 0)
    )
    images = derived(image, box, "Wavelet", **settings)
    assert set(images) <= set(expected)
    for name, values in images.items():
        assert values.dtype == expected[name].dtype
        size = np.abs(expected[name]).max()
        np.testing.assert_allclose(values, expected[name][box], rtol=0, atol=size * (1e-5 if size < 20 else 1e-6))


def test_an_approximation_is_given_for_the_last_level_only():
    names = filter_names("Wavelet", {"level": 2})
    assert len(names) == 15
    assert names[0] == "wavelet-LLH"
    assert names[7] == "wavelet2-LLH"
    assert names[-1] == "wavelet2-LLL"


@pytest.mark.parametrize("sigma", [0.7, 1.0, 3.0, 5.0])
def test_the_laplacian_is_that_of_itk_over_the_whole_image(image, box, sigma):
    whole = sitk.GetImageFromArray(image)
    whole.SetSpacing(SPACING[::-1])
    expected = sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(whole, sigma, True))[box]
    (values,) = derived(image, box, "LoG", sigma=[sigma]).values()
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_the_laplacian_of_a_parabola_is_its_curvature_times_sigma_squared():
    z, y, x = np.indices((40, 40, 40)) * 0.5
    box = (slice(19, 21),) * 3
    image = 3 * x**2 + 2 * y**2 - z**2 + 1000
    ((_, values),) = filtered_images(image, box, (0.5, 0.5, 0.5), "LoG", {"sigma": [1.0]})
    np.testing.assert_allclose(values, 8, rtol=1e-3)  # 6 + 4 - 2, times 1²; the recursion approximates a Gaussian


@pytest.mark.parametrize("sigma", [1.0, 30.0])
def test_an_image_too_small_for_the_laplacian_is_an_error_with_the_way_out(sigma):
    image = np.zeros((3 if sigma == 1 else 12, 40, 40))
    box = (slice(0, 2), slice(4, 9), slice(4, 9))
    with pytest.raises(RoiTooSmallError, match=r"needs at least .* use a smaller sigma"):
        list(filtered_images(image, box, SPACING, "LoG", {"sigma": [sigma]}))


def test_intensity_functions_use_the_extreme_of_the_whole_image(image, box):
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


SCALED = ["Square", "SquareRoot", "Logarithm", "Exponential"]


@pytest.mark.parametrize("image_type", SCALED)
def test_an_image_of_zeros_has_no_such_function(image_type):
    with pytest.raises(InputError, match="image is 0 everywhere"):
        list(filtered_images(np.zeros((4, 4, 4)), BOXES["inside"], SPACING, image_type, {}))


@pytest.mark.parametrize("image_type", SCALED)
def test_a_scale_of_the_region_or_a_number_is_mapped_to_itself_whatever_lies_elsewhere(image, image_type):
    box = BOXES["inside"]
    roi = np.zeros([side.stop - side.start for side in box], bool)
    roi[1:3, 2:6, 3:9] = True
    bright = image.copy()
    bright[0, 0, 0] = 30_000
    largest = float(np.abs(image[box][roi]).max())
    for scale_by, scale in (("region", largest), (1500.0, 1500.0)):
        settings = {"scale_by": scale_by}
        one, other = (
            next(filtered_images(whole, box, SPACING, image_type, settings, roi=roi))[1] for whole in (image, bright)
        )
        np.testing.assert_array_equal(one, other)
        if scale_by == "region":
            assert one[roi].max() == pytest.approx(largest)
        flat = np.full(image.shape, scale)
        ((_, mapped),) = filtered_images(flat, box, SPACING, image_type, {"scale_by": scale}, roi=roi)
        np.testing.assert_allclose(mapped, scale)
    if image_type == "Square":
        np.testing.assert_allclose(one, image[box].astype(float) ** 2 / 1500, rtol=1e-9)


def test_a_scale_that_is_too_small_for_the_exponential_of_the_region_is_an_error_with_the_way_out(image):
    box, roi = BOXES["inside"], np.ones((4, 9, 12), bool)
    with pytest.raises(InputError, match=r"With scale_by=2 the exponential .* Give .* Exponential a larger scale_by"):
        list(filtered_images(image, box, SPACING, "Exponential", {"scale_by": 2}, roi=roi))
    roi[image[box] > 200] = False  # what lies beside the region may overflow
    assert roi.any()
    ((_, values),) = filtered_images(image.astype(float) * 10, box, SPACING, "Exponential", {"scale_by": 300}, roi=roi)
    assert np.isfinite(values[roi]).all()


@pytest.mark.parametrize("use_spacing", [True, False])
def test_the_gradient_is_that_of_the_whole_image(image, box, use_spacing):
    whole = sitk.GetImageFromArray(image)
    whole.SetSpacing(SPACING[::-1])
    expected = sitk.GetArrayFromImage(sitk.GradientMagnitude(whole, use_spacing))[box]
    (values,) = derived(image, box, "Gradient", gradientUseSpacing=use_spacing).values()
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("axes", [{}, {"flat_axis": 1}, {"slice_axis": 2}, {"flat_axis": 1, "slice_axis": 2}])
@pytest.mark.parametrize("method", ["uniform", "default"])
def test_two_dimensional_patterns_are_those_of_every_slice(box, axes, method):
    image = np.random.default_rng(4).integers(0, 50, (15, 31, 26))
    axis = axes.get("flat_axis", axes.get("slice_axis", 0))
    planes = np.swapaxes(image, 0, axis)
    expected = np.stack([local_binary_pattern(plane, 8, 1, method) for plane in planes])
    (values,) = derived(image, box, "LBP2D", **axes, lbp2DMethod=method).values()
    np.testing.assert_array_equal(values, np.swapaxes(expected, 0, axis)[box])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_filters_in_the_plane_are_those_of_itk_on_every_slice(image, box, axis):
    spacing_mm = [step for number, step in enumerate(SPACING) if number != axis]
    planes = []
    for plane in np.moveaxis(image, axis, 0):
        planes.append(sitk.GetImageFromArray(np.ascontiguousarray(plane)))
        planes[-1].SetSpacing(spacing_mm[::-1])
    laplacians = [sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(plane, 1.5, True)) for plane in planes]
    gradients = [sitk.GetArrayFromImage(sitk.GradientMagnitude(plane)) for plane in planes]
    (values,) = derived(image, box, "LoG", sigma=[1.5], in_plane=True, slice_axis=axis).values()
    expected = np.stack(laplacians, axis)[box]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    (values,) = derived(image, box, "Gradient", in_plane=True, slice_axis=axis).values()
    np.testing.assert_array_equal(values, np.stack(gradients, axis)[box])


def test_filters_in_the_plane_do_not_see_other_slices_and_take_a_single_one(image):
    box = (slice(5, 6), slice(8, 17), slice(7, 19))
    noise = np.random.default_rng(1).normal(0, 1000, image.shape).astype(image.dtype)
    noise[5] = image[5]
    for image_type, settings in (("LoG", {"sigma": [1.0, 3.0]}), ("Gradient", {})):
        one, other = (derived(whole, box, image_type, in_plane=True, **settings) for whole in (image, noise))
        in_space = derived(noise, box, image_type, **settings)
        single = derived(image[5:6], (slice(0, 1), *box[1:]), image_type, in_plane=True, **settings)
        assert not set(one) & set(in_space)
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])
            np.testing.assert_array_equal(values, single[name])
            assert not np.allclose(values, in_space[name.replace("2D", "3D") if image_type == "LoG" else "gradient"])


def test_a_slice_too_small_for_the_laplacian_is_named():
    box = (slice(0, 2), slice(0, 3), slice(4, 9))
    with pytest.raises(
        RoiTooSmallError, match=r"^A slice has 3 x 40 pixels.* needs at least 4 x 4; use a smaller sigma"
    ):
        list(filtered_images(np.zeros((5, 3, 40)), box, SPACING, "LoG", {"sigma": [1.0], "in_plane": True}))
    with pytest.raises(RoiTooSmallError, match="in_plane=True for single slices"):
        list(filtered_images(np.zeros((3, 40, 40)), box, SPACING, "LoG", {"sigma": [1.0]}))


def test_a_real_image_gives_its_patterns_without_a_warning(image):
    (values,) = derived(image, BOXES["inside"], "LBP2D", lbp2DRadius=2.0, lbp2DSamples=12).values()
    assert len(np.unique(values)) > 3


def test_spherical_patterns_are_those_of_the_whole_image(image, box):
    whole = tuple(slice(0, size) for size in image.shape)
    settings = {"lbp3DLevels": 3, "lbp3DIcosphereRadius": 2, "lbp3DIcosphereSubdivision": 2}
    expected = derived(image, whole, "LBP3D", **settings)
    values = derived(image, box, "LBP3D", **settings)
    assert list(values) == ["lbp-3D-m1", "lbp-3D-m2", "lbp-3D-m3", "lbp-3D-k"]
    for name, part in values.items():
        np.testing.assert_allclose(part, expected[name][box], rtol=0, atol=1e-5)


def test_the_strength_of_degree_zero_counts_the_places_that_are_not_darker():
    image = np.zeros((9, 9, 9))
    image[4, 4, 4] = -1.0
    box = (slice(4, 5),) * 3
    strength = derived(image, box, "LBP3D")["lbp-3D-m1"]
    places = len(icosphere(1))
    assert strength.item() == pytest.approx(places * np.sqrt(places) / (4 * np.pi), rel=1e-12)
    assert derived(-image, box, "LBP3D")["lbp-3D-m1"].item() == 0


def test_a_box_far_from_everything_else_does_not_change_with_what_is_there():
    near = np.random.default_rng(6).normal(size=(20, 90, 90)) * 50
    far = near.copy()
    far[:, :, 70:] += 500
    box = (slice(8, 12), slice(40, 46), slice(4, 10))
    for image_type, settings in (("Wavelet", {}), ("LoG", {"sigma": [1.0]}), ("Gradient", {}), ("LBP2D", {})):
        for (_, one), (_, other) in zip(
            filtered_images(near, box, (1, 1, 1), image_type, settings),
            filtered_images(far, box, (1, 1, 1), image_type, settings),
            strict=True,
        ):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(one).max())


@pytest.mark.parametrize(
    ("image_type", "settings", "message"),
    [
        ("Sobel", {}, "image type must be one of Original, Wavelet"),
        ("LoG", {}, "needs 'sigma', a list of lengths"),
        ("LoG", {"sigma": 2.0}, "'sigma' of the image type LoG must be a list of lengths"),
        ("LoG", {"sigma": [0.0]}, "'sigma' of the image type LoG must be a list of lengths"),
        ("LoG", {"sigmas": [1.0]}, "has no setting 'sigmas'. It has: sigma"),
        ("Wavelet", {"wavelet": "coif99"}, "must be a discrete wavelet of pywt"),
        ("Wavelet", {"level": 0}, "'level' of the image type Wavelet must be an int from 1 to 10"),
        ("Square", {"sigma": [1.0]}, "has no setting 'sigma'. It has: scale_by"),
        ("Original", {"sigma": [1.0]}, "has no setting 'sigma'. It has: none"),
        ("LoG", {"sigma": [1.0], "in_plane": 1}, "'in_plane' of the image type LoG must be True or False"),
        ("Square", {"scale_by": 0}, "'scale_by' of .* Square must be 'image', 'region' or a number > 0. Got 0"),
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


@pytest.fixture
def counts():
    """Whole numbers that an unsigned byte holds."""
    noise = gaussian_filter(np.random.default_rng(5).normal(size=(14, 20, 22)), 1)
    return np.clip(np.round(noise / noise.std() * 40 + 120), 0, 255)


@pytest.mark.parametrize("stored", [np.uint8, np.int16, np.uint16, np.int64, np.float32])
def test_spherical_patterns_do_not_depend_on_the_type_of_the_voxels(counts, stored):
    box = (slice(3, 11), slice(4, 15), slice(5, 17))
    expected = derived(counts, box, "LBP3D")
    for name, values in derived(counts.astype(stored), box, "LBP3D").items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(-1, -1, -1), (-1,), (slice(None), slice(None), 0)])
def test_what_is_not_finite_away_from_the_region_leaves_spherical_patterns_alone(gap, place):
    image = gaussian_filter(np.random.default_rng(5).normal(size=(14, 20, 22)), 1)
    box = (slice(2, 4), slice(5, 12), slice(9, 14))
    expected = derived(image, box, "LBP3D")
    image[place] = gap
    for name, values in derived(image, box, "LBP3D").items():
        # Interpolation looks at all voxels, at distant ones with a weight of 0.27 to the power of their distance.
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-3)


def test_a_gap_beside_the_region_counts_as_the_nearest_voxel(counts):
    box = (slice(3, 8), slice(4, 12), slice(9, 14))
    gap, filled = counts.copy(), counts.copy()
    gap[8:] = np.nan
    filled[8:] = counts[7]
    expected = derived(filled, box, "LBP3D")
    for name, values in derived(gap, box, "LBP3D").items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.parametrize("name", ["level", "start_level"])
def test_more_wavelet_levels_than_an_image_has_scales_are_refused(name):
    check_filter_settings("Wavelet", {name: 10})
    for wrong in (11, 50):
        with pytest.raises(InputError, match=f"'{name}' of the image type Wavelet must be an int from . to 10. Got"):
            check_filter_settings("Wavelet", {name: wrong})


def test_a_wavelet_that_reaches_too_far_is_refused_before_it_is_tried(monkeypatch):
    monkeypatch.setenv("RADIODEEP_MAX_IMAGE_GIB", "1")
    image, box = np.zeros((40, 40, 40)), (slice(0, 40),) * 3
    with pytest.raises(ImageTooLargeError, match="20 levels of the wavelet db38 .* fewer levels or a shorter wavelet"):
        list(filtered_images(image, box, SPACING, "Wavelet", {"wavelet": "db38", "level": 10, "start_level": 10}))


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
def test_intensities_beyond_the_precision_of_a_filter_are_refused(counts, image_type, factors):
    settings = {"sigma": [1.0]} if image_type == "LoG" else {}
    for factor in factors:
        with pytest.raises(InputError, match="The largest intensity .* is .*multiply the image by a constant"):
            derived(counts * factor, (slice(3, 8),) * 3, image_type, **settings)
