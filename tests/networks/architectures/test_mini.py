import torch

from radiodeep.networks.architectures.registry import build_network


def test_radiodeep_mini_is_small_and_takes_other_sizes():
    network = build_network("radiodeep-mini", in_channels=1, n_classes=0)
    assert 900_000 < sum(weights.numel() for weights in network.parameters()) < 930_000
    assert network(torch.rand(2, 1, 64, 64)).shape == network(torch.rand(2, 1, 100, 80)).shape == (2, 128)


def test_radiodeep_mini_3d_takes_cubes_and_pools_means_and_maxima():
    network = build_network("radiodeep-mini-3d", in_channels=1, n_classes=0).eval()
    assert 670_000 < sum(weights.numel() for weights in network.parameters()) < 690_000
    cubes = torch.rand(2, 1, 24, 24, 24)
    assert network(cubes).shape == network(torch.rand(2, 1, 16, 20, 24)).shape == (2, 128)
    pooled = network.pooled(cubes)
    maps = network.stem(cubes)
    assert pooled.shape == (2, 432)
    assert torch.equal(pooled[:, :24], maps.mean(dim=(2, 3, 4)))
    assert torch.equal(pooled[:, 24:48], maps.flatten(2).max(dim=2).values)
    maps = network.blocks[0](maps)
    assert torch.equal(pooled[:, 48:88], maps.mean(dim=(2, 3, 4)))
