"""One view of a lesion for all networks: settings are used or refused, never ignored."""

from dataclasses import dataclass

import numpy as np
import pytest

from radiodeep import Case, make_phantom_cohort
from radiodeep.exceptions import ImageTooLargeError, InputError, RadiodeepWarning
from radiodeep.imaging.crop import crop_to_roi, resize_planes
from radiodeep.imaging.cube import cube_about, lesion_cube, resize_cube
from radiodeep.imaging.network_view import NetworkView, warn_of_constant_image
from radiodeep.imaging.planes import lesion_planes

CASE = make_phantom_cohort(1, random_state=3)[0]
DEFAULTS = {
    "window": "exact",
    "size": None,
    "slice": "largest",
    "intensity_range": None,
    "slice_axis": None,
    "pixel_mm": None,
    "margin": 0,
    "n_boxes": 1,
}


@dataclass
class Input:
    """The parts of a description of a network's input that a view depends on."""

    size: int = 48
    channels: int = 3
    dimensions: int = 2
    spacing_mm: float | None = None
    sequence: bool = False
    fixed_size: bool = False
    intensity_range: tuple | None = None

    @property
    def own_units(self):
        return self.spacing_mm is not None and self.intensity_range is None


SQUARES, SLICES, CUBE = Input(), Input(sequence=True), Input(dimensions=3, channels=1, size=20)
CUBE_OF_1_MM = Input(dimensions=3, channels=1, size=20, spacing_mm=1.0)


def view_of(specification=SQUARES, auto=None, **changes):
    return NetworkView.for_network("Extractor", "net", specification, DEFAULTS | changes, auto)


@pytest.mark.parametrize("window", ["exact", "crop"])
@pytest.mark.parametrize("slice", ["largest", "all", "three-orthogonal", "2.5d"])
def test_squares_are_the_planes_of_a_lesion_resized_to_the_network(window, slice):
    images = view_of(window=window, slice=slice, size=32, n_boxes=2, pixel_mm=1.2).images(CASE)
    planes = lesion_planes(CASE, slice, window, 32, n_boxes=2, pixel_mm=1.2)
    np.testing.assert_array_equal(images, [resize_planes(plane, 48) for plane in planes])


def test_all_settings_reach_the_planes():
    chosen = {"slice_axis": "coronal", "pixel_mm": 3.0, "margin": 0.3, "n_boxes": 2, "intensity_range": (-50, 200)}
    planes = lesion_planes(CASE, "largest", "exact", 48, **chosen)
    np.testing.assert_array_equal(view_of(**chosen).images(CASE), planes)
    for name in chosen:
        fewer = view_of(**{key: value for key, value in chosen.items() if key != name}).images(CASE)
        assert fewer.shape != planes.shape or not np.array_equal(fewer, planes)


@pytest.mark.parametrize("slice", ["largest", "all"])
def test_a_network_of_sequences_sees_all_slices(slice):
    view = view_of(SLICES, slice=slice, window="crop", size=40)
    np.testing.assert_array_equal(view.images(CASE), view_of(slice="all", window="crop", size=40).images(CASE))
    assert view.share_shown(CASE) == view_of(slice="all", window="crop", size=40).share_shown(CASE)
    assert view.acquisition_needs() == {"plane", "pixels", "spacing_across"}


@pytest.mark.parametrize("window", ["exact", "crop"])
@pytest.mark.parametrize("intensity_range", [None, "minmax", (-50, 200)])
def test_a_cube_without_a_spacing_is_resized_to_the_network(window, intensity_range):
    view = view_of(CUBE, window=window, size=28, intensity_range=intensity_range)
    expected = resize_cube(lesion_cube(CASE, window, 28, intensity_range), 20)
    np.testing.assert_array_equal(view.images(CASE), expected[np.newaxis, np.newaxis])


def test_a_cube_with_a_spacing_keeps_its_size_and_intensities_and_is_clipped_to_a_range():
    cropped = cube_about(CASE, 28, 1.0)
    warped = resize_cube(crop_to_roi(CASE).voxels, 28)
    for window, expected in (("crop", cropped), ("exact", warped)):
        view = view_of(CUBE_OF_1_MM, window=window, size=28)
        np.testing.assert_array_equal(view.images(CASE)[0, 0], expected)
        clipped = view_of(CUBE_OF_1_MM, window=window, size=28, intensity_range=(0, 50)).images(CASE)[0, 0]
        np.testing.assert_array_equal(clipped, expected.clip(0, 50))


def test_a_cube_without_a_spacing_has_a_margin():
    shown = view_of(CUBE, margin=0.3).images(CASE)[0, 0]
    np.testing.assert_array_equal(shown, lesion_cube(CASE, "exact", 20, margin=0.3))
    with pytest.raises(InputError, match="window='crop' has a fixed size, so margin=0.3 has no meaning"):
        view_of(CUBE, window="crop", margin=0.3)


def test_a_cube_with_a_spacing_is_scaled_for_a_network_with_a_range_of_its_own():
    cube = cube_about(CASE, 20, 1.0)
    windowed = Input(dimensions=3, channels=1, size=20, spacing_mm=1.0, intensity_range=(-100.0, 300.0))
    for given, (low, high) in ((None, (-100, 300)), ((0, 50), (0, 50)), ("minmax", (cube.min(), cube.max()))):
        shown = view_of(windowed, window="crop", intensity_range=given).images(CASE)[0, 0]
        np.testing.assert_allclose(shown, ((cube - low) / (high - low)).clip(0, 1), atol=1e-6)


def test_images_of_arrays_are_shown_whole_on_the_scale_of_the_network():
    planes = np.random.default_rng(0).normal(50, 100, (3, 30, 40)).astype(np.float32)
    scaled = ((planes + 50) / 150).clip(0, 1)
    limits = {"intensity_range": (-50, 100)}
    np.testing.assert_allclose(view_of(**limits).images_of_array(planes)[0], resize_planes(scaled, 48), atol=1e-6)
    np.testing.assert_allclose(
        view_of(CUBE, **limits).images_of_array(planes)[0, 0], resize_cube(scaled, 20), atol=1e-6
    )
    clipped = resize_cube(planes.clip(-50, 100), 20)
    np.testing.assert_array_equal(view_of(CUBE_OF_1_MM, **limits).images_of_array(planes)[0, 0], clipped)
    np.testing.assert_array_equal(view_of().images_of_array(planes)[0], resize_planes(planes, 48))
    minmax = view_of(intensity_range="minmax").images_of_array(planes)
    assert (minmax.min() >= 0, minmax.max() <= 1) == (True, True)


def test_padding_of_a_sequence_given_as_an_array_is_left_out():
    planes = np.random.default_rng(0).random((3, 48, 48)).astype(np.float32)
    padded = np.concatenate([planes, np.full((2, 48, 48), np.nan, np.float32)])
    np.testing.assert_array_equal(view_of(SLICES).images_of_array(padded)[:, 0], planes)
    assert view_of(SLICES, intensity_range="minmax").images_of_array(padded).shape == (3, 1, 48, 48)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": "box"}, r"'window' parameter of Extractor must be one of exact, crop. Got 'box'"),
        ({"window": "cropp"}, r"Got 'cropp' instead. Did you mean 'crop'\?"),
        ({"slice": "middle"}, r"'slice' parameter of Extractor must be one of largest, all, three-orthogonal, 2\.5d"),
        ({"slice_axis": "z"}, "must be None or one of axial, coronal, sagittal. Got 'z'"),
        ({"size": 0}, "'size' parameter of Extractor must be None or an int >= 1. Got 0"),
        ({"size": 2.5}, "'size' parameter of Extractor must be None or an int >= 1. Got 2.5"),
        ({"intensity_range": (5, 5)}, r"must be None, 'minmax' or \(low, high\) with low < high. Got \(5, 5\)"),
        ({"pixel_mm": 0}, "'pixel_mm' parameter of Extractor must be None or a float > 0. Got 0"),
        ({"pixel_mm": True}, "'pixel_mm' parameter of Extractor must be None or a float > 0. Got True"),
        ({"pixel_mm": "auto"}, "'pixel_mm' parameter of Extractor must be None or a float > 0. Got 'auto'"),
        ({"margin": -0.1}, "'margin' parameter of Extractor must be a float >= 0. Got -0.1"),
        ({"n_boxes": 1.5}, "'n_boxes' parameter of Extractor must be an int >= 1. Got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        view_of(**changes)


@pytest.mark.parametrize(
    ("specification", "changes", "message"),
    [
        (CUBE, {"slice": "all"}, "'net' is shown a cube, so slice='all' has no meaning. Leave slice out"),
        (CUBE, {"slice_axis": "axial"}, "is shown a cube, so slice_axis='axial' has no meaning"),
        (CUBE, {"pixel_mm": 1.0}, "is shown a cube, so pixel_mm=1.0 has no meaning"),
        (CUBE_OF_1_MM, {"margin": 0.2}, "is shown a cube, so margin=0.2 has no meaning"),
        (CUBE, {"n_boxes": 3}, "is shown a cube, so n_boxes=3 has no meaning"),
        (CUBE_OF_1_MM, {"intensity_range": "minmax"}, "cube in the intensities of the image, so intensity_range='minm"),
        (SLICES, {"slice": "2.5d"}, "'net' is shown all slices of a lesion in order, so slice='2.5d' has no meaning"),
        (
            SQUARES,
            {"slice": "three-orthogonal", "slice_axis": "axial"},
            "cuts across every axis, so slice_axis='axial'",
        ),
        (SQUARES, {"window": "crop", "margin": 0.1}, "window='crop' has a fixed size, so margin=0.1 has no meaning"),
        (
            Input(channels=1),
            {"slice": "2.5d"},
            r"slice='2\.5d' gives one slice to each of three channels. 'net' has 1;",
        ),
    ],
)
def test_settings_that_the_network_cannot_use_are_refused(specification, changes, message):
    with pytest.raises(InputError, match=message):
        view_of(specification, **changes)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        (SQUARES, "A window of size=100000 has 100000x100000 voxels"),
        (CUBE, "A cube of size=100000 has 100000x100000x1"),
    ],
)
def test_a_window_beyond_the_limit_of_memory_is_refused(specification, message):
    with pytest.raises(ImageTooLargeError, match=message):
        view_of(specification, size=100_000)


def test_auto_stands_for_what_suits_the_network():
    auto = {"pixel_mm": 1.5, "margin": 0.25, "n_boxes": 3}
    view = view_of(auto=auto, pixel_mm="auto", margin="auto", n_boxes=2)
    assert (view.pixel_mm, view.margin, view.n_boxes) == (1.5, 0.25, 2)
    assert view_of(auto=auto, window="crop", margin="auto").margin == 0
    with pytest.raises(
        InputError, match="'pixel_mm' parameter of Extractor must be 'auto', None or a float > 0. Got 'a"
    ):
        view_of(auto=auto, pixel_mm="au")
    with pytest.raises(InputError, match="'window' parameter of Extractor must be one of auto, exact, crop"):
        view_of(auto={"window": "crop"}, window="box")


def test_the_share_shown_is_that_of_the_window():
    assert view_of(size=8).share_shown(CASE) == 1
    assert 0 < view_of(window="crop", size=8).share_shown(CASE) < view_of(window="crop", size=16).share_shown(CASE) <= 1
    volume_mm3 = CASE.roi.sum() * np.prod(CASE.spacing_mm)
    cube = view_of(CUBE_OF_1_MM, window="crop", size=6)
    assert cube.share_shown(CASE) == pytest.approx(6**3 / volume_mm3, rel=0.05)


@pytest.mark.parametrize(
    ("specification", "settings", "needs"),
    [
        (SQUARES, {}, {"plane", "pixels"}),
        (SQUARES, {"pixel_mm": 1.0}, {"plane"}),
        (SQUARES, {"slice_axis": "coronal"}, {"pixels_z", "pixels_x"}),
        (SQUARES, {"slice_axis": "coronal", "pixel_mm": 1.0}, set()),
        (SQUARES, {"slice": "three-orthogonal"}, {"pixels_z", "pixels_y", "pixels_x"}),
        (SQUARES, {"slice": "2.5d", "slice_axis": "sagittal", "pixel_mm": 1.0}, {"spacing_x"}),
        (CUBE, {"window": "crop"}, {"spacing"}),
        (CUBE_OF_1_MM, {}, {"spacing"}),
        (CUBE_OF_1_MM, {"window": "crop"}, set()),
    ],
)
def test_what_images_must_have_in_common(specification, settings, needs):
    assert view_of(specification, **settings).acquisition_needs() == needs


def test_a_constant_image_is_warned_of_with_the_range_that_may_be_the_cause():
    with pytest.warns(RadiodeepWarning, match="^a: everything the network sees has the same intensity.*one voxel.$"):
        warn_of_constant_image("a", None)
    with pytest.warns(RadiodeepWarning, match=r"and that intensity_range=\(5, 6\) fits the image.$"):
        warn_of_constant_image("a", (5, 6))


def test_gaps_do_not_spread_into_a_cube_with_a_spacing():
    image = np.where(CASE.roi, CASE.voxels, np.nan)
    hollow = Case(image, CASE.roi, "hollow", spacing_mm=CASE.spacing_mm)
    with pytest.warns(RadiodeepWarning, match="^hollow: .* voxels outside the region"):
        cube = view_of(CUBE_OF_1_MM, window="exact", intensity_range=(-500, 500)).images(hollow)
    assert np.isfinite(cube).all()
    assert cube.min() == -500
