import math

import pytest
import torch

from radiodeep.networks.synthetic.scanner import DESCRIPTORS, describe, scan


def rectangle(height, width, brightness=1.0):
    mask = torch.zeros(1, 64, 64)
    mask[:, 2 : 2 + height, 1 : 1 + width] = 1
    return brightness * mask, mask


def described(seen, mask, height, width):
    sizes = torch.tensor([float(height)]), torch.tensor([float(width)])
    return dict(zip(DESCRIPTORS, describe(seen, mask, *sizes)[0].tolist(), strict=True))


def test_a_rectangle_is_described_as_by_hand():
    measured = described(*rectangle(6, 4), 12, 10)
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
    assert {name: measured[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_two_halves_of_different_brightness_are_described_as_by_hand():
    seen, mask = rectangle(4, 6)
    seen[:, :, 4:] *= 0.5
    seen[:, 0, 0] = 0.25  # outside, and no neighbour
    measured = described(seen, mask, 8, 8)
    expected = {
        "mean": 0.75,
        "deviation": 0.25,
        "skewness": 0,
        "neighbour_difference": math.log(4 * 0.25 / (3 * 6 + 4 * 5) + 1e-4),
        "coarse_difference": math.log(12 * 0.25 / (6 + 12) + 1e-4),
        "entropy": math.log(2),
    }
    assert {name: measured[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_a_scanner_of_few_pixels_keeps_a_plain_scene_and_shows_nothing_beyond_its_frame():
    numbers = {"noise": torch.tensor([-20.0]), "blur": torch.zeros(1)}  # hardly any noise
    whole = torch.full((1, 64, 64), 0.5), torch.ones(1, 64, 64), torch.tensor([8.0]), torch.tensor([20.0])
    seen, mask = scan(*whole, numbers, torch.tensor([True]), torch.Generator().manual_seed(0))
    assert torch.allclose(seen[0, :8, :20], torch.tensor(0.5), atol=1e-3)
    assert seen[0, 8:].abs().max() == seen[0, :, 20:].abs().max() == 0
    assert mask.sum() == 160
