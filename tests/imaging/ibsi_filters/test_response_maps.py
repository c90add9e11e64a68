"""The published response maps of the IBSI, and what all filters have in common."""

import warnings

import nibabel as nib
import numpy as np
import pytest

from radiodeep.exceptions import ImageTooLargeError, InputError, NonFiniteIntensityError, RadiodeepWarning
from radiodeep.imaging.ibsi_filters import (
    IBSI_IMAGE_TYPES,
    ibsi_filter_names,
    ibsi_filter_reach,
    ibsi_filtered_images,
    response_map,
)

BOUNDARIES = ["mirror", "nearest", "periodic", "zero"]
CHECKERBOARD, IMPULSE, SPHERE, PATTERN = "checkerboard", "impulse", "sphere", "pattern_1"
MEAN_3D = {"support": 15}
LOG, LAWS, GABOR, WAVELET = "laplacian_of_gaussian", "laws", "gabor", "separable_wavelet"
LAWS_A = {"kernels": "E5L5S5", "boundary": "zero"}
LAWS_B = {"kernels": "E3W5R5"}
LAWS_C = {"kernels": "L5S5"}
GABOR_A = {"sigma_mm": 10, "wavelength_mm": 4, "gamma": 0.5, "boundary": "zero"}
GABOR_B = {"sigma_mm": 20, "wavelength_mm": 8, "gamma": 2.5}
HAAR = {"wavelet": "haar", "level": 2, "pooling": "average"}
DB2 = {"wavelet": "db2", "subbands": "LHL", "boundary": "zero"}
COIF1 = {"wavelet": "coif1", "subbands": "HHL", "boundary": "periodic"}
RIESZ_LOG = {"sigma_mm": 3, "boundary": "zero"}

# Test of the IBSI -> phantom, image type, settings.
TESTS = {
    **{
        f"1_a_{number}": (CHECKERBOARD, "mean", {**MEAN_3D, "boundary": boundary})
        for number, boundary in enumerate(["zero", "nearest", "periodic", "mirror"], 1)
    },
    "1_b_1": (IMPULSE, "mean", {**MEAN_3D, "in_plane": True, "boundary": "zero"}),
    "2_a": (IMPULSE, LOG, {"sigma_mm": 3, "boundary": "zero"}),
    "2_b": (CHECKERBOARD, LOG, {"sigma_mm": 5}),
    "2_c": (CHECKERBOARD, LOG, {"sigma_mm": 5, "in_plane": True}),
    "3_a_1": (IMPULSE, LAWS, LAWS_A),
    "3_a_2": (IMPULSE, LAWS, {**LAWS_A, "pooling": "max"}),
    "3_a_3": (IMPULSE, LAWS, {**LAWS_A, "pooling": "max", "energy_distance": 7}),
    "3_b_1": (CHECKERBOARD, LAWS, LAWS_B),
    "3_b_2": (CHECKERBOARD, LAWS, {**LAWS_B, "pooling": "max"}),
    "3_b_3": (CHECKERBOARD, LAWS, {**LAWS_B, "pooling": "max", "energy_distance": 7}),
    "3_c_1": (CHECKERBOARD, LAWS, LAWS_C),
    "3_c_2": (CHECKERBOARD, LAWS, {**LAWS_C, "pooling": "max"}),
    "3_c_3": (CHECKERBOARD, LAWS, {**LAWS_C, "pooling": "max", "energy_distance": 7}),
    "4_a_1": (IMPULSE, GABOR, {**GABOR_A, "theta_degrees": 60}),
    "4_a_2": (IMPULSE, GABOR, {**GABOR_A, "theta_step_degrees": 45, "orthogonal_planes": True}),
    "4_b_1": (SPHERE, GABOR, {**GABOR_B, "theta_degrees": 225}),
    "4_b_2": (SPHERE, GABOR, {**GABOR_B, "theta_step_degrees": 22.5, "orthogonal_planes": True}),
    "5_a_1": (IMPULSE, WAVELET, DB2),
    "5_a_2": (IMPULSE, WAVELET, {**DB2, "pooling": "average"}),
    "6_a_1": (SPHERE, WAVELET, COIF1),
    "6_a_2": (SPHERE, WAVELET, {**COIF1, "pooling": "average"}),
    "7_a_1": (CHECKERBOARD, WAVELET, {**HAAR, "subbands": "LLL"}),
    "7_a_2": (CHECKERBOARD, WAVELET, {**HAAR, "subbands": "HHH"}),
    **{f"8_a_{level}": (CHECKERBOARD, "simoncelli", {"level": level}) for level in (1, 2, 3)},
    "9_a": (IMPULSE, "riesz_laplacian_of_gaussian", {**RIESZ_LOG, "order": (1, 0, 0)}),
    "9_b_1": (SPHERE, "riesz_laplacian_of_gaussian", {**RIESZ_LOG, "order": (0, 2, 0)}),
    "10_b_1": (PATTERN, "riesz_simoncelli", {"order": (0, 2, 0), "level": 1}),
}
# One of each kind of filter, for what holds for all.
EXAMPLES = {
    "mean": {"support": 4},
    LOG: {"sigma_mm": 1.1},
    LAWS: {"kernels": "L5E3S5", "pooling": "max", "energy_distance": 2},
    GABOR: {"sigma_mm": 1.2, "wavelength_mm": 3, "gamma": 0.8, "theta_step_degrees": 60, "orthogonal_planes": True},
    WAVELET: {"wavelet": "db2", "subbands": "LHH", "level": 2, "pooling": "average"},
    "simoncelli": {"level": 2},
    "riesz_laplacian_of_gaussian": {"order": (0, 1, 0), "sigma_mm": 1.1},
    "riesz_simoncelli": {"order": (1, 1, 0)},
}
FLAT_EXAMPLES = {
    "mean": {"support": 4, "in_plane": True},
    LOG: {"sigma_mm": 1.1, "in_plane": True},
    LAWS: {"kernels": "L5E3", "pooling": "min", "energy_distance": 1},
    GABOR: {"sigma_mm": 1.2, "wavelength_mm": 3, "theta_degrees": 20},
    WAVELET: {"wavelet": "db2", "subbands": "LH", "pooling": "max"},
    "simoncelli": {"level": 2, "in_plane": True},
    "riesz_laplacian_of_gaussian": {"order": (0, 1), "sigma_mm": 1.1},
    "riesz_simoncelli": {"order": (1, 1)},
}

FINITE = ("mean", LOG, LAWS, GABOR, WAVELET)


def voxels(path):
    return np.asarray(nib.load(path).dataobj).astype(float).transpose(2, 1, 0)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(8, 11, 9)) * 100


@pytest.mark.parametrize("test", TESTS)
def test_the_response_map_is_the_published_one_of(test, reference_data):
    phantom, image_type, settings = TESTS[test]
    folder = reference_data / "ibsi2"
    image = voxels(folder / "digital_phantoms" / "nifti" / phantom / "image" / f"{phantom}.nii.gz")
    expected = voxels(folder / "reference" / f"{test}-ValidCRM.nii.gz")
    response = response_map(image, (2.0, 2.0, 2.0), image_type, settings)
    np.testing.assert_allclose(response, expected, rtol=0, atol=0.01 * np.ptp(expected))


def test_all_published_response_maps_are_tested(reference_data):
    published = {path.name.partition("-")[0] for path in (reference_data / "ibsi2" / "reference").glob("*.nii.gz")}
    assert published == set(TESTS)
    assert len(TESTS) == 33


def test_the_examples_are_of_all_image_types():
    assert {"Original", *EXAMPLES} == {"Original", *FLAT_EXAMPLES} == set(IBSI_IMAGE_TYPES)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("box", [(slice(2, 5), slice(0, 3), slice(8, 9)), (slice(5, 8), slice(3, 8), slice(0, 9))])
@pytest.mark.parametrize(
    ("image_type", "settings"), [*EXAMPLES.items(), *FLAT_EXAMPLES.items()], ids=lambda value: str(value)[:12]
)
def test_a_box_has_the_values_of_the_whole_image(image, boundary, box, image_type, settings):
    settings = {**settings, "boundary": boundary}
    whole = response_map(image, (1, 1, 1), image_type, settings)
    ((name, inside),) = ibsi_filtered_images(image, box, (1, 1, 1), image_type, settings)
    assert [name] == ibsi_filter_names(image_type, settings)
    tolerance = 1e-5 if image_type == GABOR else 1e-11  # of the largest value
    np.testing.assert_allclose(inside, whole[box], rtol=0, atol=tolerance * np.abs(whole).max())


@pytest.mark.parametrize("image_type", [name for name in EXAMPLES if name not in (GABOR, LAWS)])
def test_linear_filters_are_linear(image, image_type):
    other = np.random.default_rng(1).normal(size=image.shape)
    settings = EXAMPLES[image_type]
    maps = [response_map(each, (1, 1, 1), image_type, settings) for each in (image, other, 2 * image - 3 * other)]
    np.testing.assert_allclose(maps[2], 2 * maps[0] - 3 * maps[1], atol=1e-9)


@pytest.mark.filterwarnings("ignore:The image type .* counts in voxels")
@pytest.mark.parametrize("across", [0, 1, 2])
@pytest.mark.parametrize("image_type", FLAT_EXAMPLES)
def test_in_the_plane_every_slice_is_filtered_by_itself(image, image_type, across):
    settings = FLAT_EXAMPLES[image_type]
    spacing = np.delete([1.0, 0.8, 0.9], across)
    response = response_map(image, (1.0, 0.8, 0.9), image_type, settings, slice_axis=across)
    for number in range(image.shape[across]):
        one_slice = np.moveaxis(image.take([number], across), across, 0)
        alone = response_map(one_slice, (5.0, *spacing), image_type, settings)[0]
        np.testing.assert_allclose(response.take(number, across), alone, rtol=0, atol=1e-4 * np.abs(response).max())


@pytest.mark.parametrize("image_type", ["mean", LOG, "simoncelli"])
def test_filters_of_two_dimensional_features_are_in_their_plane(image, image_type):
    settings = {name: value for name, value in FLAT_EXAMPLES[image_type].items() if name != "in_plane"}
    box = tuple(slice(0, n) for n in image.shape)
    ((name, flat),) = ibsi_filtered_images(image, box, (1, 1, 1), image_type, settings, flat_axis=1)
    assert name.endswith("_2D")
    assert [name] == ibsi_filter_names(image_type, settings, flat_axis=1)
    expected = response_map(image, (1, 1, 1), image_type, {**settings, "in_plane": True}, slice_axis=1)
    np.testing.assert_array_equal(flat, expected)
    ((name, solid),) = ibsi_filtered_images(image, box, (1, 1, 1), image_type, {**settings, "in_plane": False}, 1)
    assert not name.endswith("_2D")
    np.testing.assert_array_equal(solid, response_map(image, (1, 1, 1), image_type, settings))


def test_lists_of_values_give_an_image_of_each_combination(image):
    settings = {"wavelet": ["haar", "db2"], "subbands": ["LLH", "HHH"], "level": 2}
    box = tuple(slice(0, n) for n in image.shape)
    images = dict(ibsi_filtered_images(image, box, (1, 1, 1), WAVELET, settings))
    assert list(images) == ibsi_filter_names(WAVELET, settings)
    alone = response_map(image, (1, 1, 1), WAVELET, {"wavelet": "db2", "subbands": "LLH", "level": 2})
    np.testing.assert_array_equal(images["wavelet_db2_LLH_level-2"], alone)


@pytest.mark.filterwarnings("ignore:The image type .* counts in voxels")
@pytest.mark.parametrize(
    ("image_type", "settings"),
    [(name, settings) for name, settings in [*EXAMPLES.items(), *FLAT_EXAMPLES.items()] if name in FINITE],
    ids=lambda value: str(value)[:12],
)
def test_an_image_cropped_to_the_reach_has_the_same_values(image_type, settings):
    image = np.random.default_rng(2).normal(size=(50, 51, 52))
    spacing = (1.0, 0.9, 0.8)
    reach = ibsi_filter_reach(image_type, settings, spacing)
    box = (slice(23, 26), slice(25, 27), slice(24, 29))
    around = tuple(slice(side.start - reach, side.stop + reach) for side in box)
    assert all(side.start > 0 and side.stop < n for side, n in zip(around, image.shape, strict=True))
    inner = tuple(slice(reach, reach + side.stop - side.start) for side in box)
    ((_, cropped),) = ibsi_filtered_images(image[around], inner, spacing, image_type, settings)
    ((_, expected),) = ibsi_filtered_images(image, box, spacing, image_type, settings)
    np.testing.assert_allclose(cropped, expected, rtol=0, atol=(1e-5 if image_type == GABOR else 1e-12))


@pytest.mark.parametrize(
    ("image_type", "settings"),
    [
        ("mean", {"support": 10**12}),
        (LOG, {"sigma_mm": 1e7}),
        (LAWS, {"kernels": "L5E5E5", "energy_distance": 10**9}),
        (GABOR, {"sigma_mm": 1e5, "wavelength_mm": 2}),
        (GABOR, {"sigma_mm": 2, "wavelength_mm": 2, "gamma": 1e-4}),
        (WAVELET, {"wavelet": "db38", "subbands": "LLL", "level": 10}),
        ("riesz_laplacian_of_gaussian", {"order": (1, 0, 0), "sigma_mm": 1e7}),
    ],
)
def test_a_filter_that_reaches_across_many_images_is_an_error(image, image_type, settings):
    with pytest.raises(InputError, match=rf"{image_type} reaches \d+ voxels with .* 1 x 1 x 1 mm .* Expected at most"):
        response_map(image, (1, 1, 1), image_type, settings)


@pytest.mark.parametrize(
    ("image_type", "settings"),
    [("mean", {"support": 3001, "boundary": "periodic"}), (GABOR, {"sigma_mm": 3000, "wavelength_mm": 2})],
)
def test_a_reach_that_memory_cannot_hold_is_an_error_with_the_way_out(image, image_type, settings):
    with pytest.raises(ImageTooLargeError, match=r"that a filter reads, .* Use a filter that reaches less far"):
        response_map(image, (1, 1, 1), image_type, settings)


def test_some_filters_depend_on_the_whole_image():
    assert ibsi_filter_reach("riesz_simoncelli", {"order": (1, 0, 0)}, (1, 1, 1)) is None
    assert ibsi_filter_reach("mean", {"support": 3, "boundary": "periodic"}, (1, 1, 1)) is None
    assert ibsi_filter_reach("mean", {"support": [3, 7, 5]}, (1, 1, 1)) == 3
    assert ibsi_filter_reach("Original", {}, (1, 1, 1)) == 0
    wide = {"sigma_mm": 2, "wavelength_mm": 2, "gamma": 0.5}  # of 4 mm along the crests, to 6 standard deviations
    assert ibsi_filter_reach("gabor", wide, (2, 1, 1)) == 24


@pytest.mark.parametrize("image_type", EXAMPLES)
def test_voxels_of_unequal_sides_are_warned_of(image, image_type):
    thick = (2.0, 1.0, 1.005)  # the two in the plane differ by a rounding
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        response_map(image, thick, image_type, FLAT_EXAMPLES[image_type])
        response_map(image[:1], thick, image_type, EXAMPLES[image_type])  # nothing is filtered across one slice
        response_map(image, (1.0, 1.0, 1.005), image_type, EXAMPLES[image_type])
        if image_type == GABOR:
            response_map(image, thick, image_type, EXAMPLES[image_type])
            return
    with pytest.warns(RadiodeepWarning, match=rf"{image_type} counts in voxels.* Resample to one size .*two letters"):
        response_map(image, thick, image_type, EXAMPLES[image_type])
    with pytest.warns(RadiodeepWarning, match=r"voxels of unequal ones"):
        response_map(image, (1.0, 1.02, 1.0), image_type, FLAT_EXAMPLES[image_type])


def test_the_original_image_is_that_in_the_box(image):
    box = (slice(1, 3), slice(2, 5), slice(0, 9))
    ((name, inside),) = ibsi_filtered_images(image, box, (1, 1, 1), "Original", {})
    assert name == "original"
    np.testing.assert_array_equal(inside, image[box])


def test_a_response_map_is_of_one_filter(image):
    with pytest.raises(InputError, match=r"settings of laplacian_of_gaussian are those of 2\. Give one value"):
        response_map(image, (1, 1, 1), LOG, {"sigma_mm": [1, 2]})


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("image_type", EXAMPLES)
def test_a_gap_within_reach_is_an_error_and_one_beyond_has_no_effect(image_type, gap):
    image = np.random.default_rng(2).normal(size=(24, 24, 24))
    box = (slice(20, 22),) * 3
    settings = {**EXAMPLES[image_type], "boundary": "mirror"}
    ((_, expected),) = ibsi_filtered_images(image, box, (1, 1, 1), image_type, settings)
    image[0, 21, 21] = gap
    if image_type in FINITE:
        ((_, response),) = ibsi_filtered_images(image, box, (1, 1, 1), image_type, settings)
        np.testing.assert_array_equal(response, expected)
        image[19, 21, 21] = gap
    with pytest.raises(NonFiniteIntensityError, match=r"^\d of the \d+ voxels .* Replace them in the image"):
        list(ibsi_filtered_images(image, box, (1, 1, 1), image_type, settings))


def test_intensities_whose_sum_overflows_are_no_gaps():
    image = np.full((3, 3, 3), 1e308)
    response = response_map(image, (1, 1, 1), "mean", {"support": 3})
    np.testing.assert_allclose(response, image)


def test_an_image_of_one_voxel_is_filtered():
    for image_type, settings in EXAMPLES.items():
        response = response_map(np.ones((1, 1, 1)), (1, 1, 1), image_type, settings)
        assert response.shape == (1, 1, 1)
        assert np.isfinite(response).all(), image_type


def test_integers_are_filtered_as_numbers(image):
    for image_type, settings in EXAMPLES.items():
        counts = np.rint(image).astype(np.int16)
        expected = response_map(counts.astype(float), (1, 1, 1), image_type, settings)
        np.testing.assert_array_equal(response_map(counts, (1, 1, 1), image_type, settings), expected)


@pytest.mark.parametrize("image_type", EXAMPLES)
def test_single_precision_is_enough(image, image_type):
    expected = response_map(image, (1, 1, 1), image_type, EXAMPLES[image_type])
    response = response_map(image.astype(np.float32), (1, 1, 1), image_type, EXAMPLES[image_type])
    np.testing.assert_allclose(response, expected, rtol=0, atol=2e-6 * np.abs(image).max())
