import math

import pytest
import torch

from radiodeep.networks.synthetic.solids import SIDE, make_solids, rotations

N_SOLIDS = 6


def smooth_solids(is_exact=True, **changes):
    """Solids without lobes and spicules: balls, or ellipsoids of a given elongation; box without a margin."""
    names = ("lobes", "spicules", "margin", "extent", "elongation", "flatness")
    numbers = {name: torch.full((N_SOLIDS,), changes.get(name, -1.0)) for name in names}
    flags = torch.full((N_SOLIDS,), is_exact)
    return numbers, *make_solids(numbers, flags, torch.Generator().manual_seed(0))


def test_rotations_are_orthogonal_and_do_not_mirror():
    turn = rotations(5, torch.Generator().manual_seed(0))
    assert torch.allclose(turn @ turn.mT, torch.eye(3).expand(5, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(turn), torch.ones(5), atol=1e-5)


def test_a_smooth_solid_without_elongation_is_a_ball_whose_box_is_the_window():
    _, depth, _, places, half = smooth_solids()
    expected = 1 - sum(place * place for place in places).sqrt()
    assert torch.allclose(depth, expected, atol=1e-4)
    assert torch.allclose(half, torch.ones_like(half), atol=0.02)
    share = (depth > 0).float().mean(dim=(1, 2, 3))
    assert torch.allclose(share, torch.full((N_SOLIDS,), math.pi / 6), atol=0.02)


def test_an_ellipsoid_has_the_axes_of_its_targets():
    _, depth, _, places, half = smooth_solids(is_exact=False, elongation=1.0, flatness=1.0, extent=0.5)
    inside = (depth > 0).float()
    total = inside.sum(dim=(1, 2, 3))
    grid = torch.stack([place.expand_as(inside) for place in places], dim=1).flatten(2)
    centre = (grid * inside.flatten(1).unsqueeze(1)).sum(2) / total.unsqueeze(1)
    centred = grid - centre.unsqueeze(2)
    second = (centred * inside.flatten(1).unsqueeze(1)) @ centred.mT / total.view(-1, 1, 1)
    axes = torch.linalg.eigvalsh(second).sqrt() * math.sqrt(5)  # of a solid ellipsoid
    assert torch.allclose(axes[:, 2] / axes[:, 1], torch.tensor(0.8).exp().expand(N_SOLIDS), rtol=0.06)
    assert torch.allclose(axes[:, 1] / axes[:, 0], torch.tensor(0.5).exp().expand(N_SOLIDS), rtol=0.06)
    assert torch.equal(half, half[:, :1].expand(-1, 3))  # a cube


@pytest.mark.parametrize("margin", [-1.0, 1.0])
def test_a_window_with_a_margin_holds_a_smaller_solid(margin):
    numbers, depth, *_ = smooth_solids(margin=margin, elongation=0.5)
    occupied = (depth > 0).any(dim=3).any(dim=2).sum(dim=1)
    expected = SIDE * numbers["extent"].exp()  # uneven margins change it by up to a half
    assert ((occupied - expected).abs() < (2 if margin < 0 else 6)).all()
