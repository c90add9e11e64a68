"""The squares that networks are shown: which slices, on which scale, under which window."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from radiodeep import Case, make_phantom_cohort
from radiodeep.exceptions import ImageTooLargeError, InputError, RadiodeepWarning
from radiodeep.imaging.planes import SLICES, lesion_planes


def case(spacing_mm=(2.0, 1.0, 1.0)):
    """A box of 4 x 6 x 8 voxels, each voxel with its own value, whose slices differ in area."""
    image = np.arange(10 * 14 * 16, dtype=float).reshape(10, 14, 16)
    roi = np.zeros(image.shape, bool)
    roi[3:7, 4:10, 5:13] = True
    roi[[3, 4, 6], 4:6] = False  # the largest slice is z = 5
    return Case(image, roi, "box", spacing_mm=spacing_mm)


def unscaled(planes, low, high):
    return planes * (high - low) + low


def test_all_slices_of_the_region_lie_under_one_window():
    planes = lesion_planes(case(), "all", "crop", 6)
    voxels = case().voxels[3:7, 4:10, 6:12]  # six pixels about the centre of the box
    np.testing.assert_allclose(unscaled(planes[:, 0], voxels.min(), voxels.max()), voxels, rtol=1e-5)


def test_a_slice_without_region_between_two_others_is_left_out():
    roi = case().roi.copy()
    roi[4] = False
    assert lesion_planes(case().replace(mask=roi), "all").shape == (3, 1, 64, 64)


def test_two_and_a_half_dimensions_are_the_slice_between_its_neighbours():
    planes = lesion_planes(case(), "2.5d", "crop", 6)
    voxels = case().voxels[4:7, 4:10, 6:12]
    assert planes.shape == (1, 3, 6, 6)
    np.testing.assert_allclose(unscaled(planes[0], voxels.min(), voxels.max()), voxels, rtol=1e-5)
    flat = Case(case().voxels[5], case().roi[5], "flat", spacing_mm=(1, 1))
    first, middle, last = lesion_planes(flat, "2.5d")[0]
    np.testing.assert_array_equal(first, middle)
    np.testing.assert_array_equal(middle, last)


def test_orthogonal_slices_are_the_largest_along_each_axis():
    seen = lesion_planes(case(), "three-orthogonal", "exact", 4)
    boxes = [case().voxels[5, 4:10, 5:13], case().voxels[3:7, 6, 5:13], case().voxels[3:7, 4:10, 5]]
    low, high = min(box.min() for box in boxes), max(box.max() for box in boxes)
    for square, box in zip(seen[:, 0], boxes, strict=True):
        # a plane of values is linear in its coordinates, so that smoothing and interpolation keep its middle
        middle = unscaled(square, low, high).mean()
        assert middle == pytest.approx(box.mean(), rel=0.02)


def test_orthogonal_slices_are_cut_from_square_pixels():
    """A sphere in slices of 3 mm is a disc in all three cuts."""
    z, y, x = np.mgrid[:14, :40, :40]
    radius = np.sqrt((3.0 * (z - 6.5)) ** 2 + (y - 19.5) ** 2 + (x - 19.5) ** 2)
    sphere = Case(np.where(radius < 12, 1.0, 0.0), radius < 12, "sphere", spacing_mm=(3.0, 1.0, 1.0))
    discs = lesion_planes(sphere, "three-orthogonal", "crop", 32)[:, 0]
    np.testing.assert_allclose(discs.sum(axis=(1, 2)), np.pi * 12**2, rtol=0.08)
    for disc in discs:
        assert np.ptp(np.flatnonzero(disc.any(axis=0))) == pytest.approx(
            np.ptp(np.flatnonzero(disc.any(axis=1))), abs=3
        )


def test_square_pixels_are_interpolated_linearly():
    lesion = case(spacing_mm=(2.0, 1.0, 1.0))
    seen = lesion_planes(lesion, "three-orthogonal", "crop", 4, intensity_range=(0, lesion.voxels.max()))[1, 0]
    # rows are z in steps of 1 mm: between voxel centres at (new + 0.5) / 2 - 0.5
    rows = (np.arange(6 + 4 - 2, 6 + 4 + 2) + 0.5) / 2 - 0.5
    columns = np.arange(9 - 2, 9 + 2)
    expected = map_coordinates(lesion.voxels[:, 6], np.meshgrid(rows, columns, indexing="ij"), order=1)
    np.testing.assert_allclose(seen * lesion.voxels.max(), expected, rtol=1e-5)


def test_a_thin_region_stays_a_region():
    roi = np.zeros((6, 9, 9), bool)
    roi[1:5, 4, 2] = True
    thin = Case(np.random.default_rng(0).random(roi.shape), roi, "thin", spacing_mm=(0.2, 1.0, 1.0))
    assert lesion_planes(thin, "three-orthogonal", "crop", 8).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("slice", SLICES)
@pytest.mark.parametrize("window", ["exact", "crop"])
def test_every_choice_gives_images_of_zero_to_one(slice, window):
    lesion = make_phantom_cohort(1, random_state=0)[0]
    planes = lesion_planes(lesion, slice, window, 24)
    assert planes.dtype == np.float32
    assert (planes.min(), planes.max()) == (0, 1)
    low, high = lesion.voxels.min(), lesion.voxels.max()
    fixed = lesion_planes(lesion, slice, window, 24, intensity_range=(low - 1, high + 1))
    assert 0 < fixed.min() < fixed.max() < 1


def test_what_cannot_be_cut_is_refused():
    flat = Case(np.eye(8), np.ones((8, 8), bool), "flat", spacing_mm=(1, 1))
    with pytest.raises(InputError, match="flat: an image of one slice has no orthogonal slices"):
        lesion_planes(flat, "three-orthogonal")
    with pytest.raises(InputError, match=r"must be one of largest, all, three-orthogonal, 2\.5d\. Got 'middle'"):
        lesion_planes(flat, "middle")


@pytest.mark.filterwarnings("ignore:.*voxels beside the region, within its box")
@pytest.mark.parametrize("slice", SLICES)
@pytest.mark.parametrize("window", ["exact", "crop"])
@pytest.mark.parametrize("intensity_range", [None, (500.0, 1500.0)])
def test_what_is_no_number_outside_the_region_does_not_spread_into_it(slice, window, intensity_range):
    whole = case()
    inside = whole.voxels[whole.roi]
    lowest = inside.min() if intensity_range is None else intensity_range[0]
    gaps, filled = (whole.replace(image=np.where(whole.roi, whole.voxels, outside)) for outside in (np.nan, lowest))
    for size in (5, 32):
        expected = lesion_planes(filled, slice, window, size, intensity_range)
        np.testing.assert_array_equal(lesion_planes(gaps, slice, window, size, intensity_range), expected)


def test_an_unknown_window_is_refused():
    with pytest.raises(InputError, match="'window' must be one of exact, crop. Got 'exakt'"):
        lesion_planes(case(), window="exakt")


def test_square_pixels_beyond_the_limit_of_memory_are_refused():
    with pytest.raises(
        ImageTooLargeError, match=r"box: a slice brought to pixels of 1e-07 mm has .* Use window='exact'"
    ):
        lesion_planes(case(spacing_mm=(2.0, 1.0, 1e-7)), "three-orthogonal", "crop", 8)


def test_voxels_that_are_not_finite_where_a_network_looks_are_warned_of():
    image = case().voxels.copy()
    image[5, 4, 5] = np.nan  # in the box of the region
    image[0, 0, 0] = np.inf
    hollow = case().replace(image=image, mask=case().roi & np.isfinite(image))
    with pytest.warns(RadiodeepWarning, match="box: 1 voxels beside the region, within its box, are NaN or infinite"):
        lesion_planes(hollow)
