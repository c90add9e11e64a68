"""The squares that networks are shown: which slices, on which scale, under which window."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from skimage.transform import resize

from radiodeep import Case, make_phantom_cohort
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.imaging.intensity import scale_to_unit
from radiodeep.imaging.planes import SLICES, lesion_planes, share_shown

CUTS = pytest.mark.filterwarnings("ignore:.*the window shows")


def case(spacing_mm=(2.0, 1.0, 1.0)):
    """A box of 4 x 6 x 8 voxels, each voxel with its own value, whose slices differ in area."""
    image = np.arange(10 * 14 * 16, dtype=float).reshape(10, 14, 16)
    roi = np.zeros(image.shape, bool)
    roi[3:7, 4:10, 5:13] = True
    roi[[3, 4, 6], 4:6] = False  # the largest slice is z = 5
    return Case(image, roi, "box", spacing_mm=spacing_mm)


def unscaled(planes, low, high):
    return planes * (high - low) + low


@CUTS
def test_all_slices_of_the_region_lie_under_one_window():
    planes = lesion_planes(case(), "all", "crop", 6, "minmax")
    voxels = case().voxels[3:7, 4:10, 6:12]  # six pixels about the centre of the box
    np.testing.assert_allclose(unscaled(planes[:, 0], voxels.min(), voxels.max()), voxels, rtol=1e-5)


def test_a_slice_without_region_between_two_others_is_left_out():
    roi = case().roi.copy()
    roi[4] = False
    assert lesion_planes(case().replace(mask=roi), "all").shape == (3, 1, 64, 64)


@CUTS
def test_two_and_a_half_dimensions_are_the_slice_between_its_neighbours():
    planes = lesion_planes(case(), "2.5d", "crop", 6, "minmax")
    voxels = case().voxels[4:7, 4:10, 6:12]
    assert planes.shape == (1, 3, 6, 6)
    np.testing.assert_allclose(unscaled(planes[0], voxels.min(), voxels.max()), voxels, rtol=1e-5)
    flat = Case(case().voxels[5], case().roi[5], "flat", spacing_mm=(1, 1))
    first, middle, last = lesion_planes(flat, "2.5d")[0]
    np.testing.assert_array_equal(first, middle)
    np.testing.assert_array_equal(middle, last)


def test_orthogonal_slices_are_the_largest_along_each_axis():
    seen = lesion_planes(case(), "three-orthogonal", "exact", 4, "minmax")
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


@CUTS
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
def test_all_choices_give_images_of_zero_to_one(slice, window):
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


@CUTS
@pytest.mark.filterwarnings("ignore:.*voxels outside the region")
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


def test_pixels_larger_than_the_image_are_refused():
    with pytest.raises(InputError, match=r"^box: pixel_mm=50 is more than the whole image, which is 20 mm"):
        lesion_planes(case(), pixel_mm=50)


def test_slices_lie_in_the_plane_of_acquisition_unless_another_is_named():
    box = case(spacing_mm=(1.0, 1.0, 4.0))  # acquired across x
    fixed = {"window": "crop", "size": 6, "intensity_range": (0, 3000)}
    x = int(np.argmax(box.roi.sum(axis=(0, 1))))
    np.testing.assert_allclose(lesion_planes(box, **fixed)[0, 0] * 3000, box.voxels[2:8, 4:10, x], rtol=1e-5)
    turned = case(spacing_mm=(1.0, 4.0, 1.0))
    np.testing.assert_array_equal(
        lesion_planes(turned, slice_axis="sagittal", **fixed | {"window": "exact"}),
        lesion_planes(box, **fixed | {"window": "exact"}),
    )


def disc(step_y, step_x, radius=9.0, field=64.0):
    """A bright disc with a smooth rim, sampled with any pixels of the same field."""
    y, x = (np.arange(round(field / step)) * step + step / 2 for step in (step_y, step_x))
    distance = np.hypot(y[:, np.newaxis] - 30.3, x - 33.8)
    image = 1000 / (1 + np.exp((distance - radius) / 2)) + 3 * y[:, np.newaxis]
    return Case(image, distance < radius, "disc", spacing_mm=(step_y, step_x))


@CUTS
@pytest.mark.parametrize("window", ["exact", "crop"])
@pytest.mark.parametrize("steps", [(0.5, 0.5), (0.25, 1.0), (1.5, 1.5)])
def test_a_lesion_on_other_pixels_looks_the_same(window, steps):
    fixed = {"window": window, "size": 32, "intensity_range": (0, 1200)}
    same, own = (
        np.abs(
            lesion_planes(disc(*steps), pixel_mm=pixel_mm, **fixed)
            - lesion_planes(disc(1.0, 1.0), pixel_mm=pixel_mm, **fixed)
        ).max()
        for pixel_mm in (1.5, None)
    )
    assert same < 0.08
    if window == "crop":
        assert own > 0.2


def test_pixels_that_are_not_square_are_never_shown_as_square():
    image = lesion_planes(disc(1.0, 2.0), window="crop", size=40, intensity_range=(500, 501))[0, 0] > 0.5
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1


def test_square_pixels_of_the_image_are_not_interpolated():
    lesion, fixed = disc(1.0, 1.0), {"window": "crop", "size": 32, "intensity_range": (0, 1200)}
    seen = lesion_planes(lesion, **fixed)[0, 0] * 1200
    rows, columns = (np.flatnonzero(lesion.roi[0].any(axis=axis)) for axis in (1, 0))
    top, left = ((index[0] + index[-1] + 1) // 2 - 16 for index in (rows, columns))
    np.testing.assert_allclose(seen, lesion.voxels[0, top : top + 32, left : left + 32], rtol=1e-5)
    nearly = lesion.replace(spacing_mm=(1.0, 1.005))
    np.testing.assert_array_equal(lesion_planes(nearly, **fixed), lesion_planes(lesion, **fixed))


def box_resized(image, region, size):
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    return resize(box, (size, size), order=1, mode="edge", anti_aliasing=size < max(box.shape))


def pixels_about_the_box(image, region, size):
    first_row, first_column = (
        (index[0] + index[-1] + 1) // 2 - size // 2
        for index in (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    )
    padded = np.pad(image, size, mode="edge")
    return padded[first_row + size :, first_column + size :][:size, :size]


@pytest.mark.parametrize(("window", "cut"), [("exact", box_resized), ("crop", pixels_about_the_box)])
def test_without_settings_of_pixels_and_boxes_the_windows_are_those_of_the_studies(window, cut):
    lesion = make_phantom_cohort(1, random_state=3)[0]
    z = int(np.argmax(lesion.roi.sum(axis=(1, 2))))
    expected = scale_to_unit(cut(lesion.voxels[z], lesion.roi[z], 48))
    np.testing.assert_array_equal(lesion_planes(lesion, "largest", window, 48, "minmax")[0, 0], expected)


def test_the_margin_is_a_share_of_the_sides_of_the_box():
    y, x = np.mgrid[:40, :40].astype(float)
    roi = np.zeros((40, 40), bool)
    roi[10:20, 16:24] = True
    ramp = Case(10 * y + x, roi, "ramp", spacing_mm=(1, 1))
    seen = lesion_planes(ramp, size=16, margin=0.25, intensity_range=(0, 500))[0, 0] * 500
    rows = 7.5 + (np.arange(16) + 0.5) * 15 / 16 - 0.5
    columns = 14 + (np.arange(16) + 0.5) * 12 / 16 - 0.5
    np.testing.assert_allclose(seen, 10 * rows[:, np.newaxis] + columns, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("window", ["exact", "crop"])
def test_several_boxes_begin_with_that_of_the_region(window):
    lesion = make_phantom_cohort(1, random_state=0)[0]
    fixed = {"window": window, "size": 32, "intensity_range": (-100, 300), "pixel_mm": 1.0, "margin": 0.1}
    first, several = (lesion_planes(lesion, "all", n_boxes=number, **fixed) for number in (1, 4))
    assert len(several) == 4 * len(first)
    np.testing.assert_array_equal(several[: len(first)], first)
    np.testing.assert_array_equal(several, lesion_planes(lesion, "all", n_boxes=4, **fixed))
    boxes = several.reshape(4, *first.shape)
    for number in range(1, 4):
        assert 0.2 < np.corrcoef(boxes[number].ravel(), first.ravel())[0, 1] < 0.99


def test_one_bright_voxel_beside_the_lesion_does_not_darken_it():
    lesion = disc(1.0, 1.0)
    image = lesion.voxels.copy()
    image[0, 22, 25] = 30_000  # in a corner of the box
    bright = lesion.replace(image=image)
    for window in ("exact", "crop"):
        before, after = (lesion_planes(case, window=window, size=64) for case in (lesion, bright))
        assert np.median(np.abs(after - before)) < 0.02
        before, after = (
            lesion_planes(case, window=window, size=64, intensity_range="minmax") for case in (lesion, bright)
        )
        assert np.median(np.abs(after - before)) > 0.05


def test_a_small_lesion_in_a_large_window_keeps_its_grey_levels():
    image, roi = np.zeros((1, 80, 80)), np.zeros((1, 80, 80), bool)
    roi[0, 38:42, 38:42] = True
    image[roi] = np.linspace(100, 200, 16)
    seen = lesion_planes(Case(image, roi, "spot", spacing_mm=(1, 1, 1)), window="crop", size=64)[0, 0]
    assert len(np.unique(seen)) > 12


def test_a_window_that_cuts_the_region_is_warned_of_and_says_how_much_it_shows():
    lesion = case()  # 6 x 8 pixels in its largest slice
    with pytest.warns(RadiodeepWarning, match=r"^box: the window shows 75% of the region.*larger 'size' or 'pixel_mm'"):
        lesion_planes(lesion, window="crop", size=6)
    assert share_shown(lesion, size=6) == pytest.approx(0.75)
    assert share_shown(lesion, size=8) == 1
    assert share_shown(lesion, size=6, pixel_mm=2.0) == 1
    assert share_shown(lesion, size=4, pixel_mm=0.5) == pytest.approx(2 * 2 / 48, rel=0.01)
    assert share_shown(lesion, "three-orthogonal", size=6) == pytest.approx(0.75**2)  # of 8 x 8 mm


def test_a_window_between_two_far_parts_is_moved_to_the_larger_one():
    roi = np.zeros((1, 60, 60), bool)
    roi[0, 5:15, 5:15] = roi[0, 48:54, 48:54] = True
    image = np.arange(3600.0).reshape(roi.shape)
    parts = Case(image, roi, "parts", spacing_mm=(1, 1, 1))
    with pytest.warns(RadiodeepWarning, match="^parts: the window shows 74% of the region"):
        seen = lesion_planes(parts, window="crop", size=12, intensity_range=(0, 3600))[0, 0]
    np.testing.assert_allclose(seen * 3600, image[0, 4:16, 4:16], rtol=1e-5)
    with pytest.warns(RadiodeepWarning, match="^parts: the window shows 74%"):
        lesion_planes(parts, window="crop", size=24, pixel_mm=0.5)


def test_voxels_that_are_not_finite_where_a_network_looks_are_warned_of():
    image = case().voxels.copy()
    image[5, 4, 5] = np.nan  # in the box of the region
    image[0, 0, 0] = np.inf
    hollow = case().replace(image=image, mask=case().roi & np.isfinite(image))
    with pytest.warns(
        RadiodeepWarning, match="^box: 1 voxels outside the region, in the part of the image that networks see"
    ):
        lesion_planes(hollow)


@pytest.mark.parametrize("shown", [{"margin": 0.3}, {"window": "crop", "size": 16}])
def test_gaps_in_what_is_shown_beside_the_box_are_warned_of_too(shown):
    roi = np.zeros((1, 40, 40), bool)
    roi[:, 15:25, 15:25] = True
    image = np.random.default_rng(0).normal(size=roi.shape)
    image[0, 13, 20] = np.nan  # two pixels beside the box
    lesion = Case(image, roi, "near", (1, 1, 1))
    lesion_planes(lesion, size=8)
    with pytest.warns(RadiodeepWarning, match="^near: 1 voxels outside the region"):
        lesion_planes(lesion, **{"size": 8} | shown)
