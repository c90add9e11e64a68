import torch

from radiodeep.networks.architectures.registry import build_network


def test_radiodeep_mini_is_small_and_takes_other_sizes():
    network = build_network("radiodeep-mini", in_channels=1, n_classes=0)
    assert 900_000 < sum(weights.numel() for weights in network.parameters()) < 930_000
    assert network(torch.rand(2, 1, 64, 64)).shape == network(torch.rand(2, 1, 100, 80)).shape == (2, 128)
