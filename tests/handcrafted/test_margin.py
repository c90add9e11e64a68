"""The margin of a lesion, from theory and from a slow plain version."""

from itertools import product

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.optimize import least_squares
from scipy.spatial.distance import cdist

from radiodeep import Case, RadiomicsExtractor
from radiodeep.exceptions import InputError
from radiodeep.handcrafted.catalogue import feature_names
from radiodeep.handcrafted.measurement import region_features

NAMES = [name.split("_")[1] for name in feature_names(["margin"])]
TEN_TO_NINETY = 2 * np.log(9)


def measured(image, mask, spacing_mm=(1, 1, 1)):
    return dict(zip(NAMES, region_features(image, mask, spacing_mm, families=["margin"]), strict=True))


def blurred_ball(width_mm, spacing_mm=(1, 1, 1), offset_mm=0.0, noise=0.0, radius_mm=9):
    """A ball of intensity 100 on 0 that fades by a sigmoid, and its mask."""
    axes = [np.arange(-np.ceil(17 / step), np.ceil(17 / step) + 1) * step for step in spacing_mm]
    distances = np.linalg.norm(np.stack(np.meshgrid(*axes, indexing="ij")), axis=0)
    scale = width_mm / TEN_TO_NINETY
    image = 100 / (1 + np.exp(np.clip((distances - radius_mm - offset_mm) / scale, -50, 50)))
    return image + noise * np.random.default_rng(0).normal(size=image.shape), distances <= radius_mm


def ragged_case(seed, shape=(6, 13, 12)):
    generator = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    mask[1:5, 4:10, 3:10] = generator.random((4, 6, 7)) < 0.8
    image = generator.normal(0, 5, shape) + gaussian_filter(60.0 * mask, 1)
    image[~mask & (generator.random(shape) < 0.1)] = np.nan
    return image, mask


def plain_margin(image, mask, spacing_mm):
    """The features face by face, with the profile fitted by another method from many starts."""
    spacing_mm = np.asarray(spacing_mm, float)
    faces, touching, border = [], np.zeros(mask.shape, bool), {}
    for voxel in np.argwhere(mask):
        for axis, sign in product(range(3), (-1, 1)):
            other = voxel.copy()
            other[axis] += sign
            if other.min() < 0 or (other >= mask.shape).any() or mask[tuple(other)]:
                continue
            faces.append((voxel + other) / 2 * spacing_mm)
            touching[tuple(voxel)] = touching[tuple(other)] = True
            border[tuple(voxel)] = True
    places = np.argwhere(mask | ~mask) * spacing_mm
    distances = cdist(places, faces).min(axis=1).reshape(mask.shape)
    counted = ((distances <= 5) | touching) & np.isfinite(image)
    within, beyond = image[counted & mask], image[counted & ~mask]
    gradients = []
    for voxel in border:
        square = 0
        for axis in range(3):
            ends = [voxel, voxel]
            for side, sign in enumerate((-1, 1)):
                other = tuple(np.add(voxel, sign * np.eye(3, dtype=int)[axis]))
                if 0 <= other[axis] < mask.shape[axis] and np.isfinite(image[other]):
                    ends[side] = other
            steps = ends[1][axis] - ends[0][axis]
            if steps:
                square += ((image[ends[1]] - image[ends[0]]) / (steps * spacing_mm[axis])) ** 2
        gradients.append(np.sqrt(square))
    contrast = within.mean() - beyond.mean()
    height, offset, scale, explained = plain_sigmoid(np.where(mask, -distances, distances)[counted], image[counted])
    return {
        "Contrast": contrast,
        "DeviationShare": within.std() / (within.std() + beyond.std()),
        "Gradient10Percentile": np.percentile(gradients, 10),
        "Gradient90Percentile": np.percentile(gradients, 90),
        "GradientMean": np.mean(gradients),
        "GradientStandardDeviation": np.std(gradients),
        "RelativeContrast": contrast / 2 / np.sqrt(contrast**2 / 4 + (within.var() + beyond.var()) / 2),
        "RelativeGradient": np.mean(gradients) / abs(height),
        "SigmoidContrast": height,
        "SigmoidExplainedVariance": explained,
        "SigmoidOffset": offset,
        "SigmoidWidth": TEN_TO_NINETY * scale,
    }


def plain_sigmoid(distances, intensities):
    bins = {}
    for distance, intensity in zip(distances, intensities, strict=True):
        bins.setdefault(np.floor(distance * 2 + 1e-9), []).append((distance, intensity))
    places, profile = np.array([np.mean(values, axis=0) for _, values in sorted(bins.items())]).T

    def left(parameters):
        base, height, offset, scale = parameters
        return base + height / (1 + np.exp(np.clip((places - offset) / scale, -300, 300))) - profile

    bounds = ([-np.inf, -np.inf, -2.5, 0.05 / TEN_TO_NINETY], [np.inf, np.inf, 2.5, 10 / TEN_TO_NINETY])
    starts = product([profile.mean()], [50], [-1, 0, 1], [0.2, 0.5, 1])
    fits = [least_squares(left, start, bounds=bounds, x_scale=[50, 50, 1, 0.5]) for start in starts]
    best = min(fits, key=lambda fit: fit.cost)
    _, height, offset, scale = best.x
    return height, offset, scale, 1 - 2 * best.cost / ((profile - profile.mean()) ** 2).sum()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (3, 0.8, 1.2)])
def test_the_margin_equals_a_plain_version(seed, spacing_mm):
    image, mask = ragged_case(seed)
    values = measured(image, mask, spacing_mm)
    expected = plain_margin(image, mask, spacing_mm)
    of_fit = [name for name in NAMES if name.startswith("Sigmoid")] + ["RelativeGradient"]
    assert {name: values.pop(name) for name in of_fit} == pytest.approx(
        {name: expected.pop(name) for name in of_fit}, rel=0.01, abs=0.01
    )
    assert values == pytest.approx(expected)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (2, 0.8, 0.8)])
@pytest.mark.parametrize("width_mm", [2, 4, 7])
def test_a_blurred_ball_has_the_width_and_height_of_its_sigmoid(width_mm, spacing_mm):
    values = measured(*blurred_ball(width_mm, spacing_mm, noise=5), spacing_mm)
    assert values["SigmoidWidth"] == pytest.approx(width_mm, abs=0.5)
    assert values["SigmoidContrast"] == pytest.approx(100, rel=0.05)
    assert values["SigmoidOffset"] == pytest.approx(0, abs=0.15)
    assert values["SigmoidExplainedVariance"] > 0.99


def test_blur_flattens_the_gradient_and_mixes_the_shells():
    sharp, blurred = (measured(*blurred_ball(width_mm)) for width_mm in (0.5, 6))
    assert blurred["GradientMean"] < 0.5 * sharp["GradientMean"]
    assert blurred["Contrast"] < 0.8 * sharp["Contrast"]
    assert sharp["RelativeContrast"] > 0.98 > blurred["RelativeContrast"]
    slope = 100 * TEN_TO_NINETY / 6 / 4  # of the sigmoid in the middle
    assert blurred["GradientMean"] == pytest.approx(slope, rel=0.1)


def test_an_outline_that_is_drawn_too_tight_shows_in_the_offset():
    image, mask = blurred_ball(2, offset_mm=1.5)
    assert measured(image, mask)["SigmoidOffset"] == pytest.approx(1.5, abs=0.2)
    dark = measured(-image, mask)
    assert dark["SigmoidOffset"] == pytest.approx(1.5, abs=0.2)
    assert dark["SigmoidContrast"] == pytest.approx(-100, rel=0.05)


@pytest.mark.parametrize("spacing_mm", [(1, 1, 1), (2, 0.8, 0.8)])
def test_nothing_beyond_five_millimetres_matters(spacing_mm):
    image, mask = blurred_ball(3, spacing_mm, noise=5)
    sides = np.argwhere(mask).T
    margins = np.ceil(5 / np.array(spacing_mm)).astype(int)
    crop = tuple(slice(side.min() - n, side.max() + n + 1) for side, n in zip(sides, margins, strict=True))
    changed = np.full(image.shape, 9e9)
    changed[crop] = image[crop]
    whole = measured(image, mask, spacing_mm)
    assert measured(image[crop], mask[crop], spacing_mm) == whole
    assert measured(changed, mask, spacing_mm) == whole
    assert measured(image[1:], mask[1:], spacing_mm) == whole


def test_slices_thicker_than_ten_millimetres_have_a_margin_of_one_voxel_across_them():
    mask = np.zeros((5, 6, 6), bool)
    mask[1:4, 2:4, 2:4] = True
    image = np.where(mask, 4.0, 1.0)
    values = measured(image, mask, (12.0, 6.0, 6.0))
    assert values["Contrast"] == values["SigmoidContrast"] == pytest.approx(3.0)
    assert values["SigmoidExplainedVariance"] == pytest.approx(1.0)


def test_the_order_and_direction_of_axes_change_nothing():
    image, mask = ragged_case(3)
    turned = [array.transpose(2, 0, 1)[::-1, :, ::-1] for array in (image, mask)]
    assert measured(*turned, (1.2, 3, 0.8)) == pytest.approx(measured(image, mask, (3, 0.8, 1.2)), rel=1e-6, abs=1e-9)


def test_another_unit_of_intensity_changes_only_what_has_it():
    image, mask = ragged_case(4)
    case, twice = (Case(values, mask, "a", (1, 1, 1)) for values in (image, 2 * image))
    extractor = RadiomicsExtractor(families=["margin"])
    once, again = extractor.transform([case])[0], extractor.transform([twice])[0]
    bound = [f"original_margin_{name}" in extractor.unit_bound_features() for name in NAMES]
    np.testing.assert_allclose(again, np.where(bound, 2, 1) * once, rtol=1e-4)
    np.testing.assert_allclose(extractor.transform([Case(image + 500, mask, "a", (1, 1, 1))])[0], once, rtol=1e-4)


def test_one_slice_has_its_margin_in_the_plane():
    image, mask = blurred_ball(3, noise=5)
    middle = len(image) // 2
    values = measured(image[[middle]], mask[[middle]])
    assert values["SigmoidWidth"] == pytest.approx(3, abs=0.6)
    assert values["SigmoidContrast"] == pytest.approx(100, rel=0.05)


def test_a_flat_image_has_no_edge():
    _, mask = blurred_ball(3)
    values = measured(np.full(mask.shape, 0.1), mask)
    assert values.pop("SigmoidWidth") == 10
    assert values.pop("DeviationShare") == 0.5
    assert values == pytest.approx(dict.fromkeys(values, 0), abs=1e-12)


def test_an_image_that_shows_nothing_outside_is_refused():
    image, mask = ragged_case(0)
    full = np.ones((3, 4, 5))
    for case in [(np.where(mask, image, np.nan), mask), (full, full > 0)]:
        with pytest.raises(InputError, match="shows nothing outside the region.*wider image, or leave out.*'margin'"):
            measured(*case)


@pytest.mark.parametrize("settings", [{"resample_mm": 0.9}, {"pre_crop": True, "pad_distance": 1}])
def test_enough_is_kept_around_a_region_whatever_the_padding(settings):
    image, mask = blurred_ball(3, (2, 2, 2), noise=5)
    names = ["shape", "firstorder", "margin"]
    narrow, wide = (
        RadiomicsExtractor(families=names, **{**settings, "pad_distance": n}).transform(
            [Case(image, mask, "a", (2, 2, 2))]
        )
        for n in (1, 20)
    )
    np.testing.assert_allclose(narrow, wide, rtol=1e-4, atol=1e-9)
