"""Crops, windows, resampling and intensities on images small enough to check by hand."""

import tracemalloc

import numpy as np
import pytest

from radiodeep import Case, make_phantom_cohort
from radiodeep.exceptions import ImageTooLargeError, InputError, RoiTooSmallError
from radiodeep.imaging.crop import crop_to_roi, crop_window, exact_window, largest_slice
from radiodeep.imaging.intensity import normalize_intensities, scale_to_unit, window_intensities
from radiodeep.imaging.resample import resample


def box_case(shape=(6, 10, 12), box=(slice(1, 4), slice(2, 6), slice(3, 9)), spacing_mm=(2.0, 1.0, 0.5)):
    image = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    mask = np.zeros(shape, bool)
    mask[box] = True
    return Case(image, mask, "box", spacing_mm)


def test_the_crop_is_the_box_with_its_margin_in_mm():
    case = box_case()
    np.testing.assert_array_equal(crop_to_roi(case).voxels, case.voxels[1:4, 2:6, 3:9])
    assert crop_to_roi(case, margin_mm=1.0).voxels.shape == (5, 6, 10)
    with pytest.raises(InputError, match="'margin_mm' parameter must be a float >= 0"):
        crop_to_roi(case, margin_mm=-1)


def test_the_largest_slice_is_the_first_of_equal_ones():
    case = box_case()
    np.testing.assert_array_equal(largest_slice(case).voxels, case.voxels[1:2])
    mask = case.roi.copy()
    mask[3, 0, 0] = True
    np.testing.assert_array_equal(largest_slice(case.replace(mask=mask)).voxels, case.voxels[3:4])


def test_the_exact_window_holds_the_region_and_nothing_else():
    case = box_case()
    window = exact_window(case, 8)
    assert window.voxels.shape == (3, 8, 8)
    assert window.roi.all()
    inside = case.voxels[1:4, 2:6, 3:9]
    assert inside.min() <= window.voxels.min()
    assert window.voxels.max() <= inside.max()
    np.testing.assert_allclose(window.spacing_mm, (2.0, 0.5, 0.375))


def test_the_exact_window_takes_size_out():
    small, large = (np.indices((n, n)).sum(0) / (2 * n - 2) for n in (16, 32))
    squares = [exact_window(Case(image, np.ones_like(image), "a", (1, 1)), 16).voxels for image in (small, large)]
    assert np.abs(squares[0] - squares[1]).max() < 0.05


def test_the_cropped_window_keeps_the_scale_and_is_centred():
    case = box_case()
    window = crop_window(case, 4)
    np.testing.assert_array_equal(window.voxels, case.voxels[:, 2:6, 4:8])


def test_beyond_the_border_pixels_repeat_but_the_region_does_not():
    case = box_case(shape=(1, 4, 4), box=(slice(0, 1), slice(0, 2), slice(0, 2)))
    window = crop_window(case, 6)
    assert window.voxels.shape == (1, 6, 6)
    np.testing.assert_array_equal(window.voxels[0, 0], window.voxels[0, 2])
    assert window.roi.sum() == 4


@pytest.mark.parametrize("window", [exact_window, crop_window])
def test_a_window_of_no_size_is_refused(window):
    with pytest.raises(InputError, match="'size' of a window must be an int >= 1"):
        window(box_case(), 0)


@pytest.mark.parametrize("window", [exact_window, crop_window])
def test_a_window_beyond_the_limit_of_memory_is_refused(window):
    with pytest.raises(ImageTooLargeError, match="A window of size=100000 has 100000x100000 voxels"):
        window(box_case(), 100_000)


def test_an_intensity_window_clips():
    np.testing.assert_allclose(window_intensities(np.array([-10, 0, 5, 20]), 0, 10), [0, 0, 0.5, 1])
    with pytest.raises(InputError, match="high > low"):
        window_intensities(np.zeros(3), 1, 1)


def test_scaling_to_unit_range_survives_constants_and_nan():
    np.testing.assert_allclose(scale_to_unit(np.array([2.0, 4.0, np.nan])), [0, 1, 0])
    np.testing.assert_allclose(scale_to_unit(np.full(3, 7.0)), 0)


def test_normalising_gives_mean_0_and_the_asked_deviation():
    image = normalize_intensities(box_case(), scale=100).voxels
    np.testing.assert_allclose([image.mean(), image.std(ddof=1)], [0, 100], atol=1e-9)
    assert normalize_intensities(box_case(), outlier_sd=1.0).voxels.max() == 1.0


@pytest.mark.parametrize("interpolator", ["linear", "bspline"])
def test_resampling_a_ramp_gives_the_same_ramp(interpolator):
    z, y, x = np.indices((12, 14, 16)).astype(float)
    mask = np.zeros((12, 14, 16), bool)
    mask[4:8, 4:9, 5:10] = True
    case = Case(2.0 * z + 3.0 * y - x, mask, "ramp", (1, 1, 1))
    new = resample(case, 0.5, interpolator, pad_distance=0)
    assert new.voxels.shape == (9, 11, 11)  # pyradiomics' bounds have one voxel more in front
    assert new.roi[1:, 1:, 1:].all()
    assert new.roi.sum() == 8 * 10 * 10
    centres = [(np.arange(size) + 0.5) * 0.5 - 0.5 + first for size, first in ((9, 3.5), (11, 3.5), (11, 4.5))]
    expected = 2 * centres[0][:, None, None] + 3 * centres[1][:, None] - centres[2]
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(new.voxels[inner], expected[inner], atol=0.02)


def test_the_volume_survives_resampling():
    case = make_phantom_cohort(1, random_state=0)[0]
    new = resample(case, (0, 0.8, 0.8))
    assert new.spacing_mm == (1.5, 0.8, 0.8)
    old_volume, new_volume = (one.roi.sum() * np.prod(one.spacing_mm) for one in (case, new))
    assert abs(new_volume / old_volume - 1) < 0.03


def test_a_region_that_vanishes_is_an_error():
    mask = np.zeros((9, 9, 9), bool)
    mask[3:5, 3:5, 3:5] = True
    with pytest.raises(RoiTooSmallError, match="dot: no voxel is left"):
        resample(Case(np.zeros((9, 9, 9)), mask, "dot", (1, 1, 1)), 5.0, "linear")


def test_an_axis_along_which_the_region_has_one_voxel_keeps_its_size():
    mask = np.zeros((5, 9, 9), bool)
    mask[2, 2:7, 2:7] = True
    case = Case(np.ones(mask.shape), mask, "disc", (3, 1, 1))
    assert resample(case, 2.0, "linear").spacing_mm == (3.0, 2.0, 2.0)


def test_integers_stay_integers_and_lose_their_fraction():
    ramp = np.tile(np.arange(0, 90, 10, dtype=np.int16), (9, 9, 1))
    case = Case(ramp, np.ones(ramp.shape, bool), "ramp", (1, 1, 1))
    new = resample(case, (1, 1, 0.4), "linear").voxels
    assert new.dtype == np.int16
    # the centres lie at -0.3, 0.1, 0.5, 0.9, 1.3 old voxels
    assert new[0, 0, 1:5].tolist() == [1, 5, 9, 13]


def test_a_two_dimensional_image_is_resampled_by_a_spline():
    image = np.add.outer(np.arange(12.0), np.arange(14.0))
    mask = np.zeros(image.shape, bool)
    mask[4:8, 4:9] = True
    new = resample(Case(image, mask, "slice", (1, 1)), 0.5)
    assert new.spacing_mm == (1.0, 0.5, 0.5)
    assert new.voxels.shape[0] == 1


def test_unknown_settings_of_resampling_are_refused():
    with pytest.raises(InputError, match="'interpolator' parameter must be one of"):
        resample(box_case(), 1.0, "cubic")
    with pytest.raises(InputError, match="'spacing_mm' of resample"):
        resample(box_case(), -1.0)


@pytest.mark.parametrize("spacing_mm", [0.001, 1e-5, 1e-300, (0.001, 0.001, 0.001), (1e-9, 0, 0)])
def test_a_spacing_that_needs_too_much_memory_is_refused_before_it_is_tried(spacing_mm):
    message = r"box: the image resampled to .* mm .* GiB in double precision \(3 copies at once\).*Use a larger spacing"
    tracemalloc.start()
    with pytest.raises(ImageTooLargeError, match=message):
        resample(box_case(), spacing_mm)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()
