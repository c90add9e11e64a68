"""A fused graph computes the features of the network, whatever the network does with its values."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.inference.engines import optimize_for_inference
from radiodeep.networks.inference.fusion import PackedConvolution, PooledGraph, PooledNetwork

NEEDS_ONEDNN = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN")


def count(network, kind):
    return sum(isinstance(module, kind) for module in network.modules())


@pytest.mark.parametrize("pack", [False, pytest.param(True, marks=NEEDS_ONEDNN)])
def test_a_graph_has_the_features_of_the_network_and_no_normalisation(used, pack):
    network, images = used("resnet18")
    expected = forward_features(network, images)
    graph = PooledGraph(network.eval(), pack)
    error = (forward_features(graph, images) - expected).abs().max()
    assert error < 1e-5 * expected.abs().max()
    assert count(graph, nn.BatchNorm2d) == 0
    assert count(graph, PackedConvolution) == (20 if pack else 0)


def test_a_network_is_pooled_as_it_is(used):
    network, images = used("resnet18")
    pooled = PooledNetwork(network.eval())
    assert torch.equal(forward_features(pooled, images), forward_features(network, images))


@NEEDS_ONEDNN
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "radiodeep-mini"])
def test_convolutions_take_in_the_normalisation_shortcut_and_activation_after_them(used, name):
    optimized = optimize_for_inference(used(name)[0])
    functions = [node.target.__name__ for node in optimized.graph.graph.nodes if node.op == "call_function"]
    assert type(optimized) is PooledGraph
    assert count(optimized, PackedConvolution) == count(optimized, nn.Conv2d) > 0
    assert count(optimized, nn.ReLU) == (name == "radiodeep-mini")  # one follows its full layer
    assert not [name for name in functions if "add" in name]


def test_large_images_pass_a_few_at_a_time(used):
    optimized = optimize_for_inference(used("radiodeep-mini")[0])
    passes = []
    optimized.graph.register_forward_pre_hook(lambda _module, inputs: passes.append(len(inputs[0])))
    assert forward_features(optimized, torch.randn(3, 1, 448, 448)).shape == (3, 128)
    assert passes == [2, 1]


class Awkward(nn.Module):
    """Networks that a careless fusion would break: values used twice, or changed in place before a second use."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.first, self.second = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))
        self.norm, self.other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(3, 2)

    def forward(self, images):
        return self.fc(getattr(self, self.way)(images).mean(dim=(2, 3)))

    def convolution_twice(self, images):
        return self.norm(self.first(images)) + self.other(self.first(images))

    def values_twice(self, images):
        values = self.first(images)
        return self.norm(values) * self.other(values)

    def norm_twice(self, images):
        return self.norm(self.first(images)) + self.norm(self.second(images))

    def rectified_in_place(self, images):
        values = self.first(images)
        self.relu(values)
        return self.second(values)

    def input_rectified_in_place(self, images):
        values = self.first(images) * 2
        second = self.second(values)
        self.relu(values)
        return self.relu(second + values)

    def added_in_place(self, images):
        shortcut = self.other(images)
        values = self.norm(self.first(shortcut))
        shortcut += values
        return self.relu(shortcut) + shortcut

    def added_and_seen(self, images):
        shortcut = self.other(images)
        values = self.relu(self.norm(self.first(shortcut)).add(shortcut))
        total = self.second(values) + shortcut
        return functional.relu(total) + shortcut

    def broadcast(self, images):
        shortcut = images.mean(dim=(2, 3), keepdim=True)
        return self.relu(self.first(images) + shortcut)

    def added_number(self, images):
        return functional.relu(self.first(images) + 0.5)

    def scaled_addition(self, images):
        shortcut = self.second(images)
        return functional.relu(torch.add(self.first(images), shortcut, alpha=0.3))

    def looks_at_the_images(self, images):
        return self.norm(self.first(images)) if images.mean() > 0 else self.other(self.second(images))


@pytest.mark.parametrize("way", [name for name in vars(Awkward) if not name.startswith("_") and name != "forward"])
def test_awkward_networks_keep_their_features(way):
    torch.manual_seed(0)
    network = Awkward(way).eval()
    for norm in (network.norm, network.other):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    for side in (64, 10):
        images = torch.randn(2, 3, side, side)
        expected = forward_features(network, images.clone())
        torch.testing.assert_close(forward_features(optimize_for_inference(network), images), expected)
