"""The optimized network sees what the trained one sees."""

import copy
import pickle
import sys

import pytest
import torch
from torch import nn

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import input_specification
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.inference.engines import optimize_for_inference
from radiodeep.networks.inference.fusion import PackedConvolution

NAMES = ["resnet18", "resnet50", "densenet121", "convnext_atto", "efficientnet_b0", "mobilenetv3_small_100"]
NAMES += ["vit_tiny_patch16_224", "radiodeep-mini", "cnn_f"]


@pytest.mark.parametrize("name", NAMES)
def test_features_differ_by_rounding_alone(used, name):
    network, images = used(name)
    plain = forward_features(network, images)
    optimized = forward_features(optimize_for_inference(network), images)
    assert (plain - optimized).abs().max() < 1e-5 * plain.abs().max()
    assert torch.equal(forward_features(network, images), plain)  # the network itself stays as it was


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_features_point_the_same_way(used, name):
    network, images = used(name)
    plain, optimized = (
        forward_features(network, images),
        forward_features(optimize_for_inference(network, "bfloat16"), images),
    )
    assert optimized.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(plain, optimized).min() > 0.999


@pytest.mark.parametrize("name", ["resnet18", "radiodeep-mini"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_features_do_not_depend_on_the_batch(used, name, precision):
    network, _ = used(name)
    images = torch.randn(32, input_specification(name).channels, 64, 64)
    optimized = optimize_for_inference(network, precision)
    single, together = (forward_features(optimized, images, batch_size=size) for size in (1, 32))
    assert (single - together).abs().max() < (1e-5 if precision == "float32" else 1e-2) * together.abs().max()


def test_images_may_change_their_size(used):
    network, _ = used("resnet18")
    optimized = optimize_for_inference(network)
    for side in (64, 96, 64):
        images = torch.randn(2, 3, side, side)
        plain = forward_features(network, images)
        assert (forward_features(optimized, images) - plain).abs().max() < 1e-5 * plain.abs().max()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_an_optimized_network_can_be_copied(used, copied):
    network, images = used("resnet18")
    optimized = optimize_for_inference(network)
    expected = forward_features(optimized, images)
    assert torch.equal(forward_features(copied(optimized), images), expected)


def count(network, kind):
    return sum(isinstance(module, kind) for module in network.modules())


def test_normalisations_are_folded_away_unless_layers_are_asked_for(used):
    network, images = used("resnet18")
    counted = [
        count(version, nn.BatchNorm2d)
        for version in (network, optimize_for_inference(network), optimize_for_inference(network, fold=False))
    ]
    assert counted == [20, 0, 20]
    for layer in ("bn1", "layer2.0.conv1"):
        expected = forward_features(network, images, layer)
        torch.testing.assert_close(
            forward_features(optimize_for_inference(network, fold=False), images, layer), expected
        )


def test_a_graph_with_other_features_is_not_taken(used, monkeypatch):
    network, images = used("resnet18")
    right = PackedConvolution.forward
    monkeypatch.setattr(PackedConvolution, "forward", lambda *args: right(*args) * 1.001)
    optimized = optimize_for_inference(network)
    assert type(optimized) is type(network)
    assert torch.equal(
        forward_features(optimized, images), forward_features(optimize_for_inference(network, fold=False), images)
    )


@pytest.mark.parametrize("size", [4, 5])
def test_response_normalisation_is_that_of_torch(size):
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(size, alpha=0.3, beta=0.6, k=1.5)).eval()
    images = torch.randn(2, 3, 8, 8)
    for layer in (None, "1"):
        expected = forward_features(network, images, layer)
        torch.testing.assert_close(
            forward_features(optimize_for_inference(network, fold=layer is None), images, layer), expected
        )


def test_a_backend_that_cannot_do_it_is_refused(used, monkeypatch):
    network, _ = used("radiodeep-mini")
    with pytest.raises(InputError, match="one of torch, openvino. Got 'onnx'"):
        optimize_for_inference(network, backend="onnx")
    with pytest.raises(InputError, match="computes pooled features only. Use backend='torch'"):
        optimize_for_inference(network, fold=False, backend="openvino")
    with pytest.raises(InputError, match="works on the processor. Got device='cuda:0'"):
        optimize_for_inference(network, device="cuda:0", backend="openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"`pip install radiodeep\[speed\]`"):
        optimize_for_inference(network, backend="openvino")


def test_an_optimized_network_cannot_learn_and_is_in_evaluation_mode(used):
    network, _ = used("resnet18")
    optimized = optimize_for_inference(network.train())
    assert not any(weights.requires_grad for weights in optimized.parameters())
    assert not any(module.training for module in optimized.modules())
