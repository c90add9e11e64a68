"""Resampled images against values by hand; smoothing before shrinking; grids that do not depend on the crop."""

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from radiodeep import Case, make_phantom_cohort
from radiodeep.exceptions import ImageTooLargeError, InputError, RoiTooSmallError
from radiodeep.imaging.crop import crop_to_roi
from radiodeep.imaging.resample import resample


@pytest.fixture
def noise():
    image = np.random.default_rng(0).normal(0, 100, (3, 240, 240))
    mask = np.zeros(image.shape, bool)
    mask[1, 20:220, 20:220] = True
    return Case(image, mask, "noise", spacing_mm=(3.0, 0.25, 0.25))


@pytest.fixture
def lesion():
    generator = np.random.default_rng(1)
    image = gaussian_filter(generator.normal(size=(60, 110, 120)), 1.5)
    places = np.indices(image.shape) - np.array([28.3, 51.7, 60.2])[:, None, None, None]
    mask = (places**2 / np.array([6.0, 11, 13])[:, None, None, None] ** 2).sum(axis=0) < 1
    return Case(image / image.std() * 100, mask, "lesion", spacing_mm=(2.5, 0.8, 0.8))


@pytest.mark.parametrize(("interpolator", "aliased"), [("bspline", 75), ("linear", 50)])
def test_noise_shrinks_as_in_pixels_of_that_size(noise, interpolator, aliased):
    def deviation(**settings):
        new = resample(noise, (0, 1, 1), interpolator, **settings)
        return new.voxels[new.roi].std()

    assert deviation() == pytest.approx(aliased, rel=0.06)
    assert deviation(anti_alias=True) == pytest.approx(25, rel=0.12)  # the mean of 4 x 4 pixels


def low_pass(voxels, old_mm, new_mm):
    """Smooth an image by a Gaussian of the variance that larger voxels add, (new² - old²) / 12 along each axis."""
    variances = [max(new**2 - old**2, 0) / 12 for old, new in zip(old_mm, new_mm, strict=True)]
    deviations = [np.sqrt(variance) / old for variance, old in zip(variances, old_mm, strict=True)]
    return gaussian_filter(voxels, deviations, mode="nearest")


@pytest.mark.parametrize("spacing_mm", [(3.0, 3.2, 2.4), (1.0, 2.4, 0.5)])
def test_smoothing_has_the_variance_of_the_larger_voxel_and_leaves_other_axes_alone(lesion, spacing_mm):
    smooth = lesion.replace(image=low_pass(lesion.voxels, lesion.spacing_mm, spacing_mm))
    expected = resample(smooth, spacing_mm, "linear")
    new = resample(lesion, spacing_mm, "linear", anti_alias=True)
    np.testing.assert_allclose(new.voxels, expected.voxels, atol=1e-9)
    assert np.abs(resample(lesion, spacing_mm, "linear").voxels - new.voxels).max() > 20


@pytest.mark.parametrize("spacing_mm", [1.0, (1.0, 2.0, 2.0), (5.0, 0.4, 0)])
def test_intensities_stay_in_the_range_of_the_source(spacing_mm):
    mask = np.zeros((30, 40, 40), bool)
    mask[8:20, 10:30, 12:31] = True
    sharp = Case(np.where(mask, 7.0, 0.0), mask, "sharp", spacing_mm=(2, 1, 1))
    overshot = resample(sharp, spacing_mm).voxels
    assert overshot.min() < 0
    cut_off = resample(sharp, spacing_mm, anti_alias=True).voxels
    assert cut_off.min() >= 0
    assert cut_off.max() <= 7


def test_a_scan_of_small_pixels_becomes_like_one_of_large_pixels(lesion):
    anatomy = lesion.voxels[:40, :40, :40].repeat(4, axis=1).repeat(4, axis=2)
    fine = anatomy / 100 + np.random.default_rng(2).normal(0, 1, (40, 160, 160))
    coarse = fine.reshape(40, 40, 4, 40, 4).mean(axis=(2, 4))
    mask = np.zeros((40, 40, 40), bool)
    mask[8:30, 8:30, 8:30] = True
    fine_mask = mask.repeat(4, axis=1).repeat(4, axis=2)
    case = Case(fine, fine_mask, "fine", spacing_mm=(1, 0.25, 0.25))
    expected = coarse[8:30, 8:30, 8:30].std()
    deviations = [
        new.voxels[new.roi].std() for new in (resample(case, (0, 1, 1), anti_alias=anti) for anti in (False, True))
    ]
    assert abs(deviations[1] / expected - 1) < 0.05 < 0.2 < abs(deviations[0] / expected - 1)


@pytest.mark.parametrize("interpolator", ["bspline", "linear", "nearest"])
@pytest.mark.parametrize("anti_alias", [False, True])
def test_a_grid_of_the_region_does_not_hang_on_the_crop(lesion, interpolator, anti_alias):
    settings = {"interpolator": interpolator, "anti_alias": anti_alias}
    whole, wide, tight = (
        resample(image, (2.3, 1.5, 1.5), grid="region", **settings)
        for image in (lesion, crop_to_roi(lesion, 64.0), crop_to_roi(lesion, 40.0))
    )
    np.testing.assert_array_equal(wide.voxels, whole.voxels)
    np.testing.assert_allclose(tight.voxels, whole.voxels, atol=1e-4)  # splines look further than this crop goes
    np.testing.assert_array_equal(wide.roi, whole.roi)
    np.testing.assert_array_equal(tight.roi, whole.roi)
    corners = [resample(image, (2.3, 1.5, 1.5), **settings) for image in (lesion, crop_to_roi(lesion, 40.0))]
    assert corners[0].roi.sum() != corners[1].roi.sum()


@pytest.mark.parametrize("spacing_mm", [1.0, (2.3, 1.7, 0.3), (0, 1.3, 4.0)])
def test_a_grid_of_the_region_is_centred_on_its_box_and_stays_inside_the_image(lesion, spacing_mm):
    new = resample(lesion, spacing_mm, "linear", grid="region")
    mirrored = lesion.replace(image=lesion.voxels[::-1, ::-1, ::-1], mask=lesion.roi[::-1, ::-1, ::-1])
    other = resample(mirrored, spacing_mm, "linear", grid="region")
    np.testing.assert_allclose(other.voxels, new.voxels[::-1, ::-1, ::-1], atol=1e-9 * 100)
    tight = resample(crop_to_roi(lesion), spacing_mm, "linear", grid="region")
    assert all(size <= wide for size, wide in zip(tight.roi.shape, new.roi.shape, strict=True))
    assert tight.roi.sum() == new.roi.sum()
    volumes = [image.roi.sum() * np.prod(image.spacing_mm) for image in (lesion, new)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.12)


def test_a_ramp_keeps_its_places_on_a_grid_of_the_region():
    z, y, x = np.indices((20, 24, 26)).astype(float)
    mask = np.zeros(z.shape, bool)
    mask[5:10, 6:13, 7:17] = True
    ramp = Case(2 * z + 3 * y - x, mask, "ramp", spacing_mm=(1, 1, 1))
    new = resample(ramp, (1, 1.6, 0.7), "linear", pad_distance=0, grid="region")
    assert new.roi.shape == (5, 5, 15)  # ceil(7 / 1.6), ceil(10 / 0.7)
    y_places, x_places = 9 + 1.6 * (np.arange(5) - 2), 11.5 + 0.7 * (np.arange(15) - 7)
    expected = 2 * np.arange(5, 10)[:, None, None] + 3 * y_places[:, None] - x_places
    np.testing.assert_allclose(new.voxels, expected, atol=1e-9)


def test_a_region_that_fills_the_image_has_a_grid_inside_it():
    full = Case(np.ones((4, 5, 6)), np.ones((4, 5, 6), bool), "full", spacing_mm=(1, 1, 1))
    new = resample(full, (1.5, 1.5, 0.7), "linear", grid="region")
    assert new.voxels.shape == (3, 4, 9)
    assert (new.voxels == 1).all()
    assert new.roi.all()


def test_an_unknown_grid_is_an_error(lesion):
    with pytest.raises(
        InputError, match="The 'grid' parameter of resample must be one of corner, region, center. Got 'centre' instead"
    ):
        resample(lesion, 2.0, grid="centre")


def box_case(shape=(6, 10, 12), box=(slice(1, 4), slice(2, 6), slice(3, 9)), spacing_mm=(2.0, 1.0, 0.5)):
    image = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    mask = np.zeros(shape, bool)
    mask[box] = True
    return Case(image, mask, "box", spacing_mm)


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
    old_volume, new_volume = (image.roi.sum() * np.prod(image.spacing_mm) for image in (case, new))
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
    with pytest.raises(InputError, match="'interpolator' parameter of resample must be one of"):
        resample(box_case(), 1.0, "cubic")
    with pytest.raises(InputError, match="'spacing_mm' parameter of resample must be one or three floats >= 0"):
        resample(box_case(), -1.0)


@pytest.mark.parametrize("spacing_mm", [0.001, 1e-5, 1e-300, (0.001, 0.001, 0.001), (1e-9, 0, 0)])
def test_a_spacing_that_needs_too_much_memory_is_refused_before_it_is_tried(spacing_mm):
    message = r"box: the image resampled to .* mm .* GiB in double precision \(3 copies at once\).*Use a larger spacing"
    tracemalloc.start()
    with pytest.raises(ImageTooLargeError, match=message):
        resample(box_case(), spacing_mm)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()


def _ramp(shape, inside, spacing_mm):
    z, y, x = np.indices(shape)
    mask = np.zeros(shape, bool)
    mask[inside] = True
    return Case(4.0 * z + 2 * y - x, mask, "ramp", spacing_mm=spacing_mm)


def test_a_centred_grid_has_the_centre_of_the_image_and_covers_it():
    case = _ramp((7, 10, 12), (slice(2, 5), slice(3, 7), slice(4, 9)), (2.0, 1.0, 1.5))
    new = resample(case, (3.0, 0.8, 1.5), "linear", None, grid="center")
    assert new.voxels.shape == (5, 13, 12)  # 14 / 3 and 10 / 0.8, rounded up; 18 / 1.5
    z = 3 + 1.5 * (np.arange(5) - 2)  # places in old voxels
    y = 4.5 + 0.8 * (np.arange(13) - 6)
    expected = 4 * np.clip(z, 0, 6)[:, None, None] + 2 * np.clip(y, 0, 9)[:, None] - np.arange(12)
    np.testing.assert_allclose(new.voxels, expected, atol=1e-9)


def test_a_centred_grid_is_the_same_however_much_of_it_is_kept():
    case = _ramp((30, 40, 50), (slice(12, 18), slice(20, 24), slice(10, 19)), (2.0, 1.0, 1.5))
    whole = resample(case, 1.7, "bspline", None, grid="center")
    near = resample(case, 1.7, "bspline", 2, grid="center")
    box = tuple(slice(places.min(), places.max() + 1) for places in np.nonzero(near.roi))
    own = tuple(slice(places.min(), places.max() + 1) for places in np.nonzero(whole.roi))
    np.testing.assert_allclose(near.voxels[box], whole.voxels[own], atol=1e-6)
    np.testing.assert_array_equal(near.roi[box], whole.roi[own])
    assert near.roi.size < whole.roi.size / 4


def test_the_whole_image_is_kept_without_resampling_too():
    case = _ramp((9, 9, 9), (4, 4, slice(3, 6)), (1.0, 1.0, 1.0))
    assert resample(case, 1.0, pad_distance=None, grid="center").voxels.shape == (9, 9, 9)


def test_a_centred_grid_keeps_only_axes_of_which_the_image_has_one_voxel():
    case = _ramp((9, 8, 1), (4, slice(2, 5), 0), (3.0, 1.0, 5.0))
    assert resample(case, 1.0, "linear", None, grid="center").voxels.shape == (27, 8, 1)
    assert resample(case, 1.0, "linear", 50).voxels.shape == (9, 8, 1)  # the region has one along z


def test_a_mask_interpolated_linearly_has_the_voxels_of_at_least_one_half():
    case = _ramp((1, 1, 9), (0, 0, slice(3, 6)), (1.0, 1.0, 1.0))
    new = resample(case, (0, 0, 0.5), "linear", None, grid="center", mask_interpolation="linear")
    places = 4 + 0.5 * (np.arange(18) - 8.5)
    share = np.clip(2 - abs(places - 4), 0, 1)
    assert new.roi.ravel().tolist() == (share >= 0.5).tolist()
    case = _ramp((1, 1, 10), (0, 0, slice(3, 6)), (1.0, 1.0, 1.0))
    halves = resample(case, (0, 0, 2), "linear", None, grid="center", mask_interpolation="linear")
    assert halves.roi.ravel().tolist() == [False, True, True, False, False]  # at 2.5, one half, and at 4.5
    with pytest.raises(InputError, match="'mask_interpolation' parameter of resample must be one of nearest, linear"):
        resample(case, 2.0, mask_interpolation="cubic")


def test_intensities_of_integers_may_be_rounded_whatever_their_type():
    case = _ramp((1, 1, 9), (0, 0, slice(3, 6)), (1.0, 1.0, 1.0))
    settings = {"interpolator": "linear", "pad_distance": None, "grid": "center", "to_integers": np.rint}
    free = resample(case, (0, 0, 0.8), **settings).voxels
    rounded = resample(case, (0, 0, 0.8), holds_integers=True, **settings).voxels
    assert not (free == np.rint(free)).all()
    np.testing.assert_array_equal(rounded, np.rint(free))
    integers = resample(case.replace(image=case.image.astype(np.int16)), (0, 0, 0.8), **settings).voxels
    np.testing.assert_array_equal(integers, rounded)
