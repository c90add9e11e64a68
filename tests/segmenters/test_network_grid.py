"""Images and masks on the grid of a network."""

import numpy as np
import pytest

import radiodeep as rd
from radiodeep.exceptions import InputError
from radiodeep.segmenters.network_grid import NetworkGrid, interpolated


def case_of(image, mask=None, spacing_mm=(2.0, 1.0, 1.0)):
    return rd.Case(image, np.ones(image.shape, np.uint8) if mask is None else mask, "n-7", spacing_mm=spacing_mm)


def test_images_are_resampled_over_the_same_field_of_view():
    z, y, x = np.meshgrid(
        *[(np.arange(size) + 0.5) * step for size, step in zip((10, 16, 12), (2, 1, 1), strict=True)], indexing="ij"
    )
    grid = NetworkGrid((1.0, 2.0, 0.0), (0, 100), True)
    lesions, axis = grid.lesions(case_of(2 * z + y + 0.5 * x), None)
    image = grid.image(lesions)
    assert (axis, image.shape) == (0, (1, 20, 8, 12))
    z, y, x = np.meshgrid(
        *[(np.arange(size) + 0.5) * step for size, step in zip((20, 8, 12), (1, 2, 1), strict=True)], indexing="ij"
    )
    inner = (slice(3, -3), slice(3, -3), slice(3, -3))
    np.testing.assert_allclose(100 * image[0].numpy()[inner], (2 * z + y + 0.5 * x)[inner], rtol=1e-4)


def test_larger_voxels_hold_the_mean_of_smaller_ones_rather_than_noise():
    image = np.random.default_rng(0).normal(50, 10, (4, 60, 60))
    grid = NetworkGrid((0, 4.0, 4.0), (0, 100), True)
    shown = 100 * grid.image(grid.lesions(case_of(image), None)[0]).numpy()
    assert shown.shape == (1, 4, 15, 15)
    assert 1.5 < shown.std() < 4  # a mean of 16 pixels has 2.5


def test_a_mask_takes_the_voxels_that_mostly_belong_to_it():
    mask = np.zeros((1, 12, 12), np.uint8)
    mask[0, 3:9, 3:9] = 1
    grid = NetworkGrid((0, 3.0, 3.0), "z-score", False)
    found = grid.mask(grid.lesions(case_of(np.ones((1, 12, 12)), mask), None)[0][0]).numpy()
    assert found.astype(int).tolist() == [[[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]]


def test_z_scores_have_mean_0_and_standard_deviation_1_and_ignore_gaps():
    image = np.random.default_rng(0).normal(300, 40, (6, 10, 10))
    image[0, 0, 0] = image.min()
    with_gap = image.copy()
    with_gap[0, 0, 0] = np.nan
    mask = np.zeros(image.shape, np.uint8)
    mask[3] = 1
    grid = NetworkGrid((0, 0, 0), "z-score", True)
    shown = grid.image(grid.lesions(case_of(image, mask), None)[0])
    assert (shown.mean().item(), shown.std(correction=0).item()) == (pytest.approx(0, abs=1e-5), pytest.approx(1))
    filled = grid.image(grid.lesions(case_of(with_gap, mask), None)[0])
    np.testing.assert_allclose(filled, shown, atol=1e-5)
    constant = grid.image(grid.lesions(case_of(np.full((2, 3, 3), 5.0)), None)[0])
    assert (constant == 0).all()


def test_slices_of_an_image_are_those_of_its_acquisition():
    grid = NetworkGrid((0, 0, 0), (0, 1), False)
    image = np.zeros((8, 9, 3))
    lesions, axis = grid.lesions(case_of(image, spacing_mm=(1.0, 1.0, 5.0)), None)
    assert axis == 2
    assert grid.image(lesions).shape == (1, 3, 8, 9)


def test_images_of_a_case_are_channels_if_they_share_a_grid():
    images = {"T1": np.zeros((4, 5, 6)), "T2": np.ones((4, 5, 6))}
    case = rd.Case(images, np.ones((4, 5, 6)), "n-7", spacing_mm={"T1": (3, 1, 1), "T2": (3, 1, 1)})
    grid = NetworkGrid((0, 0, 0), (0, 1), True)
    shown = grid.image(grid.lesions(case, ["T2", "T1"])[0])
    assert shown.mean(dim=(1, 2, 3)).tolist() == [1, 0]
    other = case.replace(spacing_mm={"T1": (3, 1, 1), "T2": (3, 2, 2)})
    with pytest.raises(InputError, match=r"n-7: the images T1, T2 lie on different grids.*rd\.on_one_grid"):
        grid.lesions(other, ["T1", "T2"])


def test_an_image_of_one_slice_is_no_volume():
    with pytest.raises(InputError, match=r"n-7: the image has shape \(1, 5, 6\), one slice. Take dimensions=2"):
        NetworkGrid((0, 0, 0), "z-score", True).lesions(case_of(np.ones((5, 6)), spacing_mm=(1.0, 1.0)), None)


def test_interpolation_back_to_the_same_grid_changes_nothing():
    values = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(interpolated(values, (3, 4, 5))[0], values)


def test_a_mask_keeps_most_of_its_volume_on_coarser_voxels():
    places = np.indices((32, 32, 32)) - 15.5
    ball = rd.Case(np.zeros((32, 32, 32)), (places**2).sum(axis=0) <= 100, "ball", spacing_mm=(1, 1, 1))
    mask = NetworkGrid((2, 2, 2), "z-score", True).mask(ball.lesion())
    assert 8 * int(mask.sum()) == pytest.approx(ball.roi.sum(), rel=0.1)  # smoothing rounds it off
