import pytest
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import build_network, input_specification


def test_the_network_for_cubes_takes_them_of_any_size():
    network = build_network("arch3d", in_channels=1)
    assert sum(weights.numel() for weights in network.parameters()) == 69_793
    assert input_specification("arch3d").dimensions == 3
    for side in (32, 20, 8):
        assert network(torch.rand(2, 1, side, side, side)).shape == (2, 1)
    for shape in ((2, 1, 32, 32), (2, 1, 4, 32, 32)):
        with pytest.raises(InputError, match=r"arch3d takes cubes of shape \(n, channels, depth, height, width\)"):
            network(torch.rand(shape))


def test_the_network_for_cubes_sees_the_third_axis():
    network = build_network("arch3d", in_channels=1).eval()
    cube = torch.rand(1, 1, 32, 32, 32)
    mixed = cube[:, :, torch.randperm(32, generator=torch.Generator().manual_seed(0))]
    assert not torch.allclose(network(cube), network(mixed), atol=1e-5)
