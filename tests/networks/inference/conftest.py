import pytest
import torch
from torch import nn

from radiodeep.networks.architectures.registry import build_network, input_specification


def _used(name):
    torch.manual_seed(0)
    specification = input_specification(name)
    network = build_network(name, in_channels=specification.channels, n_classes=0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
        if hasattr(module, "gamma"):  # layers that begin as next to nothing would hide errors in them
            nn.init.uniform_(module.gamma, 0.5, 1)
    side = 224 if name in ("cnn_f", "vit_tiny_patch16_224") else 64
    return network, torch.randn(3, specification.channels, side, side)


@pytest.fixture
def used():
    """Return a function: name -> a network whose batch normalization has seen images, and three images."""
    return _used
