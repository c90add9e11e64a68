"""Classical segmenters, beside slow plain versions; none looks at the mask of a case."""

from collections import deque

import numpy as np
import pytest
from sklearn.base import clone

import radiodeep as rd
from radiodeep.exceptions import ImageTooLargeError, InputError

ALL = [rd.ThresholdSegmenter, rd.RegionGrowingSegmenter, rd.ChanVeseSegmenter, rd.RandomWalkerSegmenter]
FACES = [offset for offset in np.ndindex(3, 3, 3) if sum(abs(step - 1) for step in offset) == 1]
TOUCHING = list(np.ndindex(3, 3, 3))


def case_of(image, spacing_mm=(1.0, 1.0, 1.0), id="n-7"):
    return rd.Case(image, "whole", id, spacing_mm=spacing_mm)


def flooded(allowed, seed, offsets):
    """Return the allowed voxels that are connected with a seed, one at a time."""
    found = np.zeros_like(allowed)
    waiting = deque([seed])
    while waiting:
        voxel = waiting.popleft()
        is_inside = all(0 <= place < size for place, size in zip(voxel, allowed.shape, strict=True))
        if is_inside and allowed[voxel] and not found[voxel]:
            found[voxel] = True
            waiting.extend(tuple(np.add(voxel, offset) - 1) for offset in offsets)
    return found


def rough(shape=(7, 9, 8), seed=0):
    return np.random.default_rng(seed).gamma(2, 1, shape)


@pytest.mark.parametrize("share", [0.41, 0.2])
def test_a_threshold_keeps_what_is_connected_with_the_maximum(share):
    image = rough()
    (mask,) = rd.ThresholdSegmenter(share).predict([case_of(image)])
    brightest = np.unravel_index(image.argmax(), image.shape)
    np.testing.assert_array_equal(mask, flooded(image >= share * image.max(), brightest, TOUCHING))
    assert 0 < mask.sum() < (image >= share * image.max()).sum() or share == 0.2


def test_the_maximum_near_a_click_replaces_that_of_the_image():
    image = np.full((5, 20, 20), 1.0)
    image[2, 2:5, 2:5] = 40  # an organ
    image[2, 14:17, 14:17] = 10
    image[2, 15, 16] = 12
    clicked = rd.ThresholdSegmenter(seed={"n-7": (2, 14, 14)}, reach_mm=4).predict([case_of(image)])[0]
    assert clicked.sum() == 9
    assert clicked[2, 14:17, 14:17].all()
    assert rd.ThresholdSegmenter().predict([case_of(image)])[0][2, 3, 3]
    too_near = rd.ThresholdSegmenter(seed={"n-7": (2, 14, 14)}, reach_mm=0.5, share=0.9).predict([case_of(image)])[0]
    assert too_near.sum() == 9


def test_a_share_of_an_image_below_zero_means_nothing():
    with pytest.raises(InputError, match=r"n-7: the highest intensity is -3\. A share of it needs .* above 0"):
        rd.ThresholdSegmenter().predict([case_of(np.full((3, 3, 3), -3.0))])


@pytest.mark.parametrize("n_iterations", [0, 3])
def test_region_growing_is_that_of_the_guide(n_iterations):
    seed = (3, 6, 5)
    away = np.linalg.norm(np.moveaxis(np.indices((6, 12, 11)), 0, -1) - seed, axis=-1)
    image = 100 - 8 * away + 4 * rough((6, 12, 11), 3)
    near = image[2:5, 5:8, 4:7]
    mean, deviation = near.mean(), near.std(ddof=1)
    for _ in range(n_iterations + 1):
        low, high = mean - 2.2 * deviation, mean + 2.2 * deviation
        low, high = min(low, image[seed]), max(high, image[seed])
        expected = flooded((image >= low) & (image <= high), seed, FACES)
        mean, deviation = image[expected].mean(), image[expected].std(ddof=1)
    grower = rd.RegionGrowingSegmenter(2.2, n_iterations, radius=1, n_smoothing=0, seed="centre")
    (mask,) = grower.predict([case_of(image)])
    np.testing.assert_array_equal(mask, expected)
    assert 10 < mask.sum() < 700


def test_a_random_walker_solves_its_equations():
    image = rough((5, 7, 7), 1)
    image[1:4, 2:5, 1:5] += 4
    seed = (2, 3, 3)
    scaled = np.clip((image - np.percentile(image, 1)) / np.subtract(*np.percentile(image, [99, 1])), 0, 1)
    places = list(np.ndindex(*image.shape))
    number = {place: index for index, place in enumerate(places)}
    laplacian = np.zeros((len(places), len(places)))
    for place in places:
        for offset in FACES:
            other = tuple(np.add(place, offset) - 1)
            if other in number:
                difference = scaled[place] - scaled[other]
                weight = np.exp(-60 * difference**2 / (10 * scaled.std())) + 1e-10
                laplacian[number[place], number[other]] -= weight
                laplacian[number[place], number[place]] += weight
    at_border = [any(at in (0, size - 1) for at, size in zip(place, image.shape, strict=True)) for place in places]
    is_known = np.array(at_border) | np.array([place == seed for place in places])
    truth = np.array([float(place == seed) for place in places])
    unknown = laplacian[np.ix_(~is_known, ~is_known)]
    truth[~is_known] = np.linalg.solve(unknown, -laplacian[np.ix_(~is_known, is_known)] @ truth[is_known])
    (mask,) = rd.RandomWalkerSegmenter(60, radius_mm=0.5, seed="centre").predict([case_of(image)])
    expected = flooded((truth > 0.5).reshape(image.shape), seed, TOUCHING)
    np.testing.assert_array_equal(mask, expected)
    assert mask.sum() > 1


@pytest.mark.parametrize("shape", [(12, 20, 20), (1, 20, 20)])
@pytest.mark.parametrize("segmenter", [rd.ChanVeseSegmenter(4), rd.RandomWalkerSegmenter(2000, radius_mm=2)])
def test_an_even_object_is_outlined_exactly(segmenter, shape):
    image = np.random.default_rng(0).normal(10, 0.1, shape)
    truth = np.zeros(shape, bool)
    truth[0 if shape[0] == 1 else slice(3, 9), 6:15, 5:14] = True
    image[truth] += 20
    (mask,) = clone(segmenter).set_params(seed="centre").predict([case_of(image)])
    np.testing.assert_array_equal(mask, truth)


def test_a_contour_that_leaves_the_seed_keeps_its_largest_part():
    image = np.zeros((1, 30, 30))
    image[0, 16:24, 8:22] = 10
    image[0, 9:12, 9:12] = 10
    (mask,) = rd.ChanVeseSegmenter(14, seed={"n-7": (0, 14, 14)}).predict([case_of(image)])
    image[0, 9:12] = 0
    np.testing.assert_array_equal(mask, image > 5)


@pytest.mark.parametrize("kind", ALL)
def test_masks_do_not_depend_on_the_mask_of_the_case(kind):
    case = rd.make_phantom_cohort(1, random_state=0)[0]
    other = case.replace(mask=np.roll(case.mask, 9, axis=2))
    first, second = kind().fit([case]).predict([case, other])
    assert first.shape == case.voxels.shape
    assert first.dtype == bool
    assert first.any()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ("middle", r"The 'seed' parameter of \w+ must be 'brightest', 'centre' or a dict .* Got 'middle'"),
        ({"n-8": (0, 0, 0)}, r"n-7: the 'seed' parameter of \w+ must hold three indices .* Got None"),
        ({"n-7": (0, 0, 9)}, r"n-7: .* within the image of shape \(7, 9, 8\)\. Got \(0, 0, 9\)"),
    ],
)
def test_a_wrong_seed_is_named(kind, seed, message):
    with pytest.raises(InputError, match=message):
        kind(seed=seed).predict([case_of(rough())])


@pytest.mark.parametrize(
    ("segmenter", "message"),
    [
        (rd.ThresholdSegmenter(1), "'share' parameter of ThresholdSegmenter must be a float > 0 and < 1. Got 1"),
        (rd.ThresholdSegmenter(reach_mm=0), "'reach_mm' parameter"),
        (rd.RegionGrowingSegmenter(radius=-1), "'radius' parameter of RegionGrowingSegmenter must be an int >= 0"),
        (rd.ChanVeseSegmenter(n_iterations=0), "'n_iterations' parameter of ChanVeseSegmenter must be an int >= 1"),
        (rd.ChanVeseSegmenter(smoothing=0.5), "'smoothing' parameter of ChanVeseSegmenter must be an int >= 0"),
        (rd.RandomWalkerSegmenter(radius_mm=-1), "'radius_mm' parameter of RandomWalkerSegmenter"),
    ],
)
def test_settings_out_of_range_are_named(segmenter, message):
    with pytest.raises(InputError, match=message):
        segmenter.fit([case_of(rough())])
    with pytest.raises(InputError, match=message):
        segmenter.predict([case_of(rough())])


def test_a_volume_too_large_for_the_equations_of_a_random_walker_is_refused(monkeypatch):
    monkeypatch.setenv("RADIODEEP_MAX_IMAGE_GIB", "0.0003")  # of 7 x 9 x 8 voxels
    message = r"n-7: the image has 8x9x7 voxels .* \(80 copies at once\)\. .* Crop it about the lesion"
    with pytest.raises(ImageTooLargeError, match=message):
        rd.RandomWalkerSegmenter().predict([case_of(rough())])


def test_a_classical_segmenter_is_saved_without_being_fitted(tmp_path):
    segmenter = rd.ThresholdSegmenter(0.5, seed={"n-7": (1, 1, 1)})
    loaded = rd.load_model(rd.save_model(segmenter, tmp_path / "threshold.skops"))
    assert loaded.get_params() == segmenter.get_params()
