import numpy as np
import pytest
import torch
from torch.nn import functional

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.architectures.study_networks import Arch1, OneBiasLSTM


@pytest.mark.parametrize(("name", "expected"), [("arch1", 841_681), ("arch2", 845_033), ("arch3", 39_553)])
def test_the_studies_networks_have_the_published_number_of_weights(name, expected):
    assert sum(weights.numel() for weights in build_network(name).parameters()) == expected


@pytest.mark.parametrize(("in_channels", "expected"), [(1, 838_481), (2, 840_081)])
def test_architecture_1_has_fewer_weights_for_fewer_channels(in_channels, expected):
    assert sum(weights.numel() for weights in build_network("arch1", in_channels=in_channels).parameters()) == expected


def test_architecture_3_has_fewer_weights_for_one_channel():
    assert sum(weights.numel() for weights in build_network("arch3", in_channels=1).parameters()) == 35_841


@pytest.mark.parametrize("name", ["arch1", "arch2", "arch3"])
def test_the_studies_networks_tell_two_classes_by_one_output(name):
    images = torch.rand(2, 3, 100, 100)
    assert build_network(name)(images).shape == (2, 1)
    assert build_network(name, n_classes=3)(images).shape == (2, 3)
    with pytest.raises(InputError, match=f"{name} takes images of 100 x 100 pixels. Got 64 x 64"):
        build_network(name)(images[..., :64, :64])


def test_pooling_before_the_rectifier_changes_no_value_of_the_stem():
    torch.manual_seed(0)
    stem = Arch1().eval().stem
    maps = images = torch.randn(2, 3, 100, 100)
    with torch.inference_mode():
        for layer in (stem[0], stem[2]):
            maps = functional.leaky_relu(functional.conv2d(maps, layer.weight, layer.bias), 0.01)
            maps = functional.max_pool2d(maps, 3)
        torch.testing.assert_close(stem(images), maps, rtol=1e-5, atol=1e-6)


def test_the_lstm_with_one_bias_does_what_its_equations_say():
    torch.manual_seed(0)
    layer = OneBiasLSTM(5, 3)
    sequence = torch.randn(2, 4, 5)
    weight, recurrent, bias = (tensor.detach().double().numpy() for tensor in layer.parameters())
    hidden = cell = np.zeros((2, 3))
    for step in sequence.double().numpy().transpose(1, 0, 2):
        entry, forget, candidate, output = np.split(step @ weight.T + hidden @ recurrent.T + bias, 4, axis=1)
        gate = {name: 1 / (1 + np.exp(-value)) for name, value in (("i", entry), ("f", forget), ("o", output))}
        cell = gate["f"] * cell + gate["i"] * np.maximum(candidate, 0)
        hidden = gate["o"] * np.maximum(cell, 0)
    np.testing.assert_allclose(layer(sequence).detach().numpy(), hidden, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer(sequence[:, 0]).detach().numpy(), layer(sequence[:, :1]).detach().numpy())
    assert layer.bias[3:6].tolist() == [1, 1, 1]  # the forget gates start open


def test_the_l2_penalty_lies_on_the_second_full_layer_or_its_memory():
    assert [tuple(weights.shape) for weights in build_network("arch1").penalized_weights()] == [(8, 128)]
    assert [tuple(weights.shape) for weights in build_network("arch2").penalized_weights()] == [(32, 128)]
    assert build_network("arch3").penalized_weights() == []
