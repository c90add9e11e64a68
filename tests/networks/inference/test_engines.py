"""The quick network sees what the trained one sees."""

import copy
import pickle
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import build_network, input_specification
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.inference.engines import prepared
from radiodeep.networks.inference.fusion import PackedConvolution, PooledGraph


def used(name):
    """Return a network whose normalisations have seen images, and images."""
    torch.manual_seed(0)
    specification = input_specification(name)
    network = build_network(name, in_channels=specification.channels, n_classes=0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
        if hasattr(module, "gamma"):  # layers that begin as next to nothing would hide what is wrong with them
            nn.init.uniform_(module.gamma, 0.5, 1)
    side = 224 if name in ("cnn_f", "vit_tiny_patch16_224") else 64
    return network, torch.randn(3, specification.channels, side, side)


NAMES = ["resnet18", "resnet50", "densenet121", "convnext_atto", "efficientnet_b0", "mobilenetv3_small_100"]
NAMES += ["vit_tiny_patch16_224", "radiodeep-mini", "cnn_f"]


@pytest.mark.parametrize("name", NAMES)
def test_features_differ_by_rounding_alone(name):
    network, images = used(name)
    plain = forward_features(network, images)
    quick = forward_features(prepared(network), images)
    assert (plain - quick).abs().max() < 1e-5 * plain.abs().max()
    assert torch.equal(forward_features(network, images), plain)  # the network itself stays as it was


@pytest.mark.parametrize("name", NAMES)
def test_features_in_half_the_bits_point_the_same_way(name):
    network, images = used(name)
    plain, quick = forward_features(network, images), forward_features(prepared(network, "bfloat16"), images)
    assert quick.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(plain, quick).min() > 0.999


@pytest.mark.parametrize("name", ["resnet18", "radiodeep-mini"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_features_do_not_depend_on_the_batch(name, precision):
    network, _ = used(name)
    images = torch.randn(32, input_specification(name).channels, 64, 64)
    quick = prepared(network, precision)
    one, many = (forward_features(quick, images, batch_size=size) for size in (1, 32))
    assert (one - many).abs().max() < (1e-5 if precision == "float32" else 1e-2) * many.abs().max()


def test_large_images_pass_a_few_at_a_time():
    quick = prepared(used("radiodeep-mini")[0])
    passes = []
    quick.graph.register_forward_pre_hook(lambda _module, inputs: passes.append(len(inputs[0])))
    assert forward_features(quick, torch.randn(3, 1, 448, 448)).shape == (3, 128)
    assert passes == [2, 1]


def test_images_of_changing_size_are_seen_as_they_are():
    network, _ = used("resnet18")
    quick = prepared(network)
    for side in (64, 96, 64):
        images = torch.randn(2, 3, side, side)
        plain = forward_features(network, images)
        assert (forward_features(quick, images) - plain).abs().max() < 1e-5 * plain.abs().max()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_prepared_network_can_be_copied(copied):
    network, images = used("resnet18")
    quick = prepared(network)
    expected = forward_features(quick, images)
    assert torch.equal(forward_features(copied(quick), images), expected)


def count(network, kind):
    return sum(isinstance(module, kind) for module in network.modules())


def test_normalisations_are_folded_away_unless_layers_are_asked_for():
    network, images = used("resnet18")
    counted = [count(one, nn.BatchNorm2d) for one in (network, prepared(network), prepared(network, fold=False))]
    assert counted == [20, 0, 20]
    for layer in ("bn1", "layer2.0.conv1"):
        expected = forward_features(network, images, layer)
        torch.testing.assert_close(forward_features(prepared(network, fold=False), images, layer), expected)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN")
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "radiodeep-mini"])
def test_convolutions_do_what_follows_them(name):
    quick = prepared(used(name)[0])
    functions = [node.target.__name__ for node in quick.graph.graph.nodes if node.op == "call_function"]
    assert type(quick) is PooledGraph
    assert count(quick, PackedConvolution) == count(quick, nn.Conv2d) > 0
    assert count(quick, nn.ReLU) == (name == "radiodeep-mini")  # one follows its full layer
    assert not [name for name in functions if "add" in name]


class Awkward(nn.Module):
    """What a convolution gives is used twice, and a rectifier works in place on what a second way has yet to see."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.one, self.two = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))
        self.norm, self.other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(3, 2)

    def forward(self, images):
        return self.fc(getattr(self, self.way)(images).mean(dim=(2, 3)))

    def convolution_twice(self, images):
        return self.norm(self.one(images)) + self.other(self.one(images))

    def values_twice(self, images):
        values = self.one(images)
        return self.norm(values) * self.other(values)

    def norm_twice(self, images):
        return self.norm(self.one(images)) + self.norm(self.two(images))

    def rectified_in_place(self, images):
        values = self.one(images)
        self.relu(values)
        return self.two(values)

    def input_rectified_in_place(self, images):
        values = self.one(images) * 2
        second = self.two(values)
        self.relu(values)
        return self.relu(second + values)

    def added_in_place(self, images):
        shortcut = self.other(images)
        values = self.norm(self.one(shortcut))
        shortcut += values
        return self.relu(shortcut) + shortcut

    def added_and_seen(self, images):
        shortcut = self.other(images)
        values = self.relu(self.norm(self.one(shortcut)).add(shortcut))
        total = self.two(values) + shortcut
        return functional.relu(total) + shortcut

    def broadcast(self, images):
        shortcut = images.mean(dim=(2, 3), keepdim=True)
        return self.relu(self.one(images) + shortcut)

    def added_number(self, images):
        return functional.relu(self.one(images) + 0.5)

    def scaled_addition(self, images):
        shortcut = self.two(images)
        return functional.relu(torch.add(self.one(images), shortcut, alpha=0.3))

    def looks_at_the_images(self, images):
        return self.norm(self.one(images)) if images.mean() > 0 else self.other(self.two(images))


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
        torch.testing.assert_close(forward_features(prepared(network), images), expected)


def test_a_graph_with_other_features_is_not_taken(monkeypatch):
    network, images = used("resnet18")
    right = PackedConvolution.forward
    monkeypatch.setattr(PackedConvolution, "forward", lambda *given: right(*given) * 1.001)
    quick = prepared(network)
    assert type(quick) is type(network)
    assert torch.equal(forward_features(quick, images), forward_features(prepared(network, fold=False), images))


@pytest.mark.parametrize("size", [4, 5])
def test_response_normalisation_is_that_of_torch(size):
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(size, alpha=0.3, beta=0.6, k=1.5)).eval()
    images = torch.randn(2, 3, 8, 8)
    for layer in (None, "1"):
        expected = forward_features(network, images, layer)
        torch.testing.assert_close(forward_features(prepared(network, fold=layer is None), images, layer), expected)


@pytest.mark.parametrize("name", ["resnet18", "radiodeep-mini", "cnn_f", "vit_tiny_patch16_224"])
def test_openvino_gives_the_same_features(name):
    pytest.importorskip("openvino", reason="OpenVINO, the extra 'speed', is not installed")
    network, images = used(name)
    plain = forward_features(network, images)
    quick = prepared(network, backend="openvino")
    assert (plain - forward_features(quick, images)).abs().max() < 1e-5 * plain.abs().max()
    torch.testing.assert_close(forward_features(copy.deepcopy(quick), images), forward_features(quick, images))
    half = forward_features(prepared(network, "bfloat16", backend="openvino"), images)
    assert functional.cosine_similarity(plain, half).min() > 0.999
    assert "openvino_telemetry" not in sys.modules


def test_openvino_says_what_it_cannot_do(monkeypatch):
    network, _ = used("radiodeep-mini")
    with pytest.raises(InputError, match="one of torch, openvino. Got 'onnx'"):
        prepared(network, backend="onnx")
    with pytest.raises(InputError, match="pooled features alone. Take backend='torch'"):
        prepared(network, fold=False, backend="openvino")
    with pytest.raises(InputError, match="works on the processor. Got device='cuda:0'"):
        prepared(network, device="cuda:0", backend="openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"`pip install radiodeep\[speed\]`"):
        prepared(network, backend="openvino")


def test_it_cannot_learn_and_works_in_evaluation_mode():
    network, _ = used("resnet18")
    quick = prepared(network.train())
    assert not any(weights.requires_grad for weights in quick.parameters())
    assert not any(module.training for module in quick.modules())
