import pytest
import torch

from radiodeep.networks.synthetic.outlines import SIZE, between, make_outlines

N_IMAGES = 8


def smooth_outlines(elongation=-1.0, is_exact=True):
    """Outlines without lobes, roughness and spicules: circles, or ellipses where elongation is above -1."""
    names = ("lobes", "roughness", "spicules", "extent", "height")
    numbers = {name: torch.full((N_IMAGES,), -1.0) for name in names}
    numbers["height"] = torch.ones(N_IMAGES)
    numbers["elongation"] = torch.full((N_IMAGES,), elongation)
    flags = [torch.full((N_IMAGES,), flag) for flag in (is_exact, False, False)]
    return numbers, make_outlines(numbers, *flags, torch.Generator().manual_seed(0))


def test_a_smooth_outline_without_elongation_is_a_circle_of_depth_1_at_its_centre():
    _, (depth, mask_depth, heights, widths) = smooth_outlines()
    line = torch.linspace(-1, 1, SIZE)
    expected = 1 - torch.hypot(line.view(-1, 1), line.view(1, -1))
    assert torch.allclose(depth, expected.expand_as(depth), atol=1e-3)
    assert torch.equal(depth, mask_depth)
    assert (heights == SIZE).all()
    assert (widths == SIZE).all()


def test_an_elongated_outline_has_the_aspect_ratio_and_direction_of_its_targets():
    numbers, (depth, _, _, _) = smooth_outlines(elongation=1.0, is_exact=False)
    inside = (depth > 0).double()
    line = torch.arange(SIZE, dtype=torch.float64)
    total = inside.sum(dim=(1, 2))
    centred_y = line.view(1, -1, 1) - ((inside * line.view(1, -1, 1)).sum(dim=(1, 2)) / total).view(-1, 1, 1)
    centred_x = line.view(1, 1, -1) - ((inside * line.view(1, 1, -1)).sum(dim=(1, 2)) / total).view(-1, 1, 1)
    variance_x, variance_y, covariance = (
        (inside * product).sum(dim=(1, 2)) / total for product in (centred_x**2, centred_y**2, centred_x * centred_y)
    )
    spread = torch.hypot((variance_x - variance_y) / 2, covariance)
    mean = (variance_x + variance_y) / 2
    ratio = ((mean + spread) / (mean - spread)).sqrt()
    assert torch.allclose(ratio, torch.tensor(0.8).exp().double(), rtol=0.06)  # the axes differ by exp(elongation)
    assert torch.allclose((variance_x - variance_y) / 2 / spread, numbers["elongation_cos"].double(), atol=0.06)
    assert torch.allclose(covariance / spread, numbers["elongation_sin"].double(), atol=0.06)


@pytest.mark.parametrize(("value", "expected"), [(-1.0, 2.0), (0.0, 3.0), (1.0, 4.0)])
def test_between_maps_minus_1_to_1_linearly(value, expected):
    mapped = between(torch.tensor([value]), 2.0, 4.0, 2)
    assert mapped.shape == (1, 1, 1)
    assert mapped.item() == expected
