"""The cubes that networks for volumes are shown, against scipy's interpolation at the same places."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from radiodeep import Case, make_phantom_cohort
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.imaging.cube import cube_about, lesion_cube, share_in_cube

CUTS = pytest.mark.filterwarnings("ignore:.*the window shows")


def case(corner=(4, 5, 6), spacing_mm=(2.5, 0.7, 0.9), dtype=float):
    """A region of 3 x 4 x 5 voxels in an image of noise."""
    image = np.random.default_rng(0).normal(0, 300, (14, 20, 22)).astype(dtype)
    roi = np.zeros(image.shape, bool)
    roi[tuple(slice(first, first + length) for first, length in zip(corner, (3, 4, 5), strict=True))] = True
    return Case(image, roi, "box", spacing_mm=spacing_mm)


def by_scipy(lesion, corner, size, spacing_mm):
    centre = [first + (length - 1) / 2 for first, length in zip(corner, (3, 4, 5), strict=True)]
    axes = [
        middle + (np.arange(size) - (size - 1) / 2) * spacing_mm / step
        for middle, step in zip(centre, lesion.spacing_mm, strict=True)
    ]
    places = np.meshgrid(*axes, indexing="ij")
    return map_coordinates(lesion.voxels.astype(float), places, order=1, mode="nearest")


@CUTS
@pytest.mark.parametrize("size", [7, 8, 50])
@pytest.mark.parametrize("spacing_mm", [1.0, 0.6, 3.0])
@pytest.mark.parametrize("corner", [(4, 5, 6), (0, 0, 0), (11, 16, 17)])
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_a_cube_has_the_intensities_at_its_places(size, spacing_mm, corner, dtype):
    lesion = case(corner, dtype=dtype)
    cube = cube_about(lesion, size, spacing_mm)
    assert cube.dtype == np.float32
    np.testing.assert_allclose(cube, by_scipy(lesion, corner, size, spacing_mm), rtol=1e-5, atol=1e-3)


def test_a_cube_of_the_spacing_of_the_image_holds_its_very_voxels():
    lesion = case(spacing_mm=(1, 1, 1))
    roi = np.zeros_like(lesion.roi)
    roi[4:7, 5:8, 6:9] = True
    cube = cube_about(lesion.replace(mask=roi), 3)
    np.testing.assert_array_equal(cube, lesion.voxels[4:7, 5:8, 6:9].astype(np.float32))


def test_a_region_of_one_voxel_has_a_cube_of_the_same_size():
    roi = np.zeros((14, 20, 22), bool)
    roi[7, 8, 9] = True
    lesion = case().replace(mask=roi)
    cube = cube_about(lesion, 5, 0.5)
    assert cube.shape == (5, 5, 5)
    assert cube[2, 2, 2] == np.float32(lesion.voxels[7, 8, 9])


def test_an_image_of_one_slice_has_no_cube():
    flat = Case(case().voxels[5], case().roi[5], "flat", spacing_mm=(1, 1))
    with pytest.raises(InputError, match="flat: an image of one slice has no cube"):
        cube_about(flat, 8)


@CUTS
def test_a_crop_has_the_smaller_step_of_the_plane_along_every_axis():
    cube = lesion_cube(case(), "crop", 9, intensity_range=(-2000, 2000)) * 4000 - 2000
    np.testing.assert_allclose(cube, cube_about(case(), 9, 0.7), rtol=1e-4, atol=1e-2)


def test_the_exact_window_is_the_box_warped_to_the_cube():
    z, y, x = np.mgrid[:14, :20, :22].astype(float)  # linear in each axis, as the interpolation is
    lesion = case().replace(image=10 * z + 3 * y + x)
    cube = lesion_cube(lesion, "exact", 24, intensity_range=(0, 1000)) * 1000
    z, y, x = (np.clip((np.arange(24) + 0.5) * n / 24 - 0.5, 0, n - 1) for n in (3, 4, 5))
    expected = 10 * (4 + z[:, None, None]) + 3 * (5 + y[:, None]) + 6 + x
    np.testing.assert_allclose(cube, expected, rtol=1e-5)


def test_a_margin_widens_the_exact_window_by_a_share_of_each_side_within_the_image():
    z, y, x = np.mgrid[:14, :20, :22].astype(float)
    lesion = case().replace(image=10 * z + 3 * y + x)  # box of 3 x 4 x 5 voxels from (4, 5, 6)
    wider = np.zeros_like(lesion.roi)
    wider[3:8, 4:10, 4:13] = True
    wide = lesion.replace(mask=wider)
    np.testing.assert_allclose(
        lesion_cube(lesion, "exact", 24, (0, 1000), margin=0.25), lesion_cube(wide, "exact", 24, (0, 1000)), rtol=1e-5
    )
    ends = lesion_cube(lesion, "exact", 24, (0, 1000), margin=9)[[0, -1], [0, -1], [0, -1]] * 1000
    np.testing.assert_allclose(ends, [0, 10 * 13 + 3 * 19 + 21], rtol=1e-5)


@CUTS
def test_all_windows_give_cubes_of_zero_to_one():
    lesion, flat = make_phantom_cohort(1, random_state=0)[0], Case(np.eye(9), np.eye(9) > 0, "flat", spacing_mm=(1, 1))
    for cube in (lesion_cube(lesion, size=16), lesion_cube(lesion, "crop", 16), lesion_cube(flat, size=16)):
        assert cube.dtype == np.float32
        assert cube.shape == (16, 16, 16)
        assert (cube.min(), cube.max()) == (0, 1)


@pytest.mark.filterwarnings("ignore:.*voxels outside the region")
@pytest.mark.parametrize("window", ["exact", "crop"])
@pytest.mark.parametrize("intensity_range", [None, (-1000, 1000)])
def test_what_is_missing_outside_the_region_is_filled_before_it_spreads(window, intensity_range):
    lesion = make_phantom_cohort(1, random_state=0)[0]
    low = lesion.voxels[lesion.roi].min() if intensity_range is None else intensity_range[0]
    seen = [
        lesion_cube(lesion.replace(image=np.where(lesion.roi, lesion.voxels, beyond)), window, 24, intensity_range)
        for beyond in (np.nan, low)
    ]
    np.testing.assert_array_equal(*seen)


def test_a_cube_that_cuts_the_region_is_warned_of():
    with pytest.warns(RadiodeepWarning, match="^box: the window shows 33% of the region.*a larger 'size', or window"):
        cube_about(case(spacing_mm=(1, 1, 1)), 3, 0.9)
    assert share_in_cube(case(spacing_mm=(1, 1, 1)), 3, 0.9) == pytest.approx(2.7**3 / 60)
    assert share_in_cube(case(spacing_mm=(1, 0.5, 2)), 20) == 1


def test_a_cube_between_two_far_parts_is_moved_to_the_larger_one():
    roi = np.zeros((14, 20, 22), bool)
    roi[1:4, 1:4, 1:4] = roi[12, 18, 18] = True
    parts = case(spacing_mm=(1, 1, 1)).replace(mask=roi)
    np.testing.assert_array_equal(cube_about(parts, 3), parts.voxels[1:4, 1:4, 1:4].astype(np.float32))
