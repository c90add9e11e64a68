import math

import numpy as np
import pytest
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.synthetic.procedural import TARGETS, make_lesions
from radiodeep.networks.synthetic.scanner import DESCRIPTORS, describe, scan


def lesions(n_images, seed):
    return make_lesions(n_images, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def many():
    images, targets = lesions(2000, 0)
    return images, dict(zip(TARGETS, targets.T, strict=True))


def correlation(a, b):
    return np.corrcoef(a.numpy(), b.numpy())[0, 1]


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    first, again, other = lesions(16, 3), lesions(16, 3), lesions(16, 4)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_a_generator_never_gives_the_same_images_twice():
    generator = torch.Generator().manual_seed(0)
    assert not torch.equal(make_lesions(4, generator)[0], make_lesions(4, generator)[0])


def test_images_are_finite_and_within_0_and_1(many):
    images, _ = many
    assert images.shape == (2000, 1, 64, 64)
    assert images.dtype == torch.float32
    assert images.min() == 0
    assert images.max() == 1


def test_targets_are_finite_and_all_of_them_vary(many):
    _, targets = many
    for name, values in targets.items():
        assert values.isfinite().all(), name
        assert 0.05 < values.std() < 2, name


def test_in_half_of_the_images_all_outside_the_mask_is_zero(many):
    images, targets = many
    cut = targets["background"] == -1
    assert 0.46 < cut.float().mean() < 0.54
    filled = (images[:, 0] > 0).float().mean(dim=(1, 2))
    assert correlation(filled[cut], targets["area_fraction"][cut]) > 0.9
    whole = (targets["extent"] < 0.9) & ~cut
    assert filled[whole].mean() > 0.9
    assert (targets["surroundings"][cut] == 0).all()


def test_the_targets_can_be_seen_in_the_images(many):
    images, targets = many
    rows, columns = ((images[:, 0].diff(dim=axis).abs().mean(dim=(1, 2)) + 1e-4).log() for axis in (1, 2))
    assert correlation(rows - columns, targets["height"] - targets["width"]) > 0.3
    cut = targets["background"] == -1
    assert correlation(images.mean(dim=(1, 2, 3))[cut], (targets["mean"] * targets["area_fraction"])[cut]) > 0.6
    layered = targets["vessel"] + targets["wall"] == 0
    below = images[:, 0, 48:, 24:40].mean(dim=(1, 2)) - images[:, 0, 48:].mean(dim=(1, 2))
    assert correlation(below[layered], targets["shadow"][layered]) > 0.3


def rectangle(height, width, brightness=1.0):
    mask = torch.zeros(1, 64, 64)
    mask[:, 2 : 2 + height, 1 : 1 + width] = 1
    return brightness * mask, mask


def described(seen, mask, height, width):
    sizes = torch.tensor([float(height)]), torch.tensor([float(width)])
    return dict(zip(DESCRIPTORS, describe(seen, mask, *sizes)[0].tolist(), strict=True))


def test_a_rectangle_is_described_as_by_hand():
    found = described(*rectangle(6, 4), 12, 10)
    expected = {
        "area_fraction": 24 / 120,
        "area": math.log(24),
        "jaggedness": math.log(16 / math.sqrt(24)),  # 24 pixels less the 4 x 2 inner ones
        "mean": 1,
        "deviation": 0,
        "peak": 1,
        "neighbour_difference": math.log(1e-4),
        "edge_slope": 0,
        "entropy": 0,
        "surroundings": 0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_two_halves_of_different_brightness_are_described_as_by_hand():
    seen, mask = rectangle(4, 6)
    seen[:, :, 4:] *= 0.5
    seen[:, 0, 0] = 0.25  # outside, and no neighbour
    found = described(seen, mask, 8, 8)
    expected = {
        "mean": 0.75,
        "deviation": 0.25,
        "skewness": 0,
        "neighbour_difference": math.log(4 * 0.25 / (3 * 6 + 4 * 5) + 1e-4),
        "coarse_difference": math.log(12 * 0.25 / (6 + 12) + 1e-4),
        "entropy": math.log(2),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_a_scanner_of_few_pixels_keeps_a_plain_scene_and_shows_nothing_beyond_its_frame():
    numbers = {"noise": torch.tensor([-20.0]), "blur": torch.zeros(1)}  # hardly any noise
    whole = torch.full((1, 64, 64), 0.5), torch.ones(1, 64, 64), torch.tensor([8.0]), torch.tensor([20.0])
    seen, mask = scan(*whole, numbers, torch.tensor([True]), torch.Generator().manual_seed(0))
    assert torch.allclose(seen[0, :8, :20], torch.tensor(0.5), atol=1e-3)
    assert seen[0, 8:].abs().max() == seen[0, :, 20:].abs().max() == 0
    assert mask.sum() == 160


@pytest.mark.parametrize("n_images", [0, -1, 2.0])
def test_a_number_of_images_that_is_none_is_refused(n_images):
    with pytest.raises(InputError, match=f"'n_images' parameter of make_lesions must be an int > 0. Got {n_images!r}"):
        lesions(n_images, 0)


def test_a_single_image_can_be_made():
    images, targets = lesions(1, 0)
    assert images.shape == (1, 1, 64, 64)
    assert targets.shape == (1, len(TARGETS))
