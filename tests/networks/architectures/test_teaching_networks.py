import pytest
import torch
from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import build_network, input_specification


@pytest.mark.parametrize(("name", "expected"), [("mnist", 289_630), ("mnist-contest", 3_274_634)])
def test_the_networks_for_digits_have_the_number_of_weights_of_the_lectures(name, expected):
    network = build_network(name, in_channels=1, n_classes=10)
    assert sum(weights.numel() for weights in network.parameters()) == expected
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    specification = input_specification(name)
    assert (specification.size, specification.channels, specification.fixed_size) == (28, 1, True)
    with pytest.raises(InputError, match=f"{name} takes images of 28 x 28 pixels. Got 32 x 32"):
        network(torch.rand(2, 1, 32, 32))


def test_the_lectures_leave_out_the_biases_of_the_full_layers():
    network = build_network("mnist", in_channels=1, n_classes=10)
    biases = sum(layer.bias.numel() for layer in network.modules() if isinstance(layer, nn.Linear))
    assert sum(weights.numel() for weights in network.parameters()) - biases == 289_520


@pytest.mark.parametrize("name", ["mnist", "mnist-contest"])
def test_the_networks_for_digits_are_the_layers_of_the_lectures(name):
    torch.manual_seed(0)
    network, images = build_network(name, in_channels=1, n_classes=10).eval(), torch.rand(2, 1, 28, 28)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    padding, activation = (0, torch.sigmoid) if name == "mnist" else (2, torch.relu)
    values = images
    for layer in layers[:-1]:  # activation before the pooling, as it is told
        if isinstance(layer, nn.Conv2d):
            maps = functional.conv2d(values, layer.weight, layer.bias, padding=padding)
            values = functional.max_pool2d(activation(maps), 2)
        else:
            values = activation(layer(values.flatten(1)))
    torch.testing.assert_close(network(images), layers[-1](values), rtol=1e-4, atol=1e-6)
