"""Networks computed by OpenVINO give the features of torch; what it cannot compute is refused."""

import copy
import pickle
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.inference.engines import optimize_for_inference
from radiodeep.networks.inference.openvino import OpenvinoNetwork, import_openvino


def test_openvino_that_is_not_installed_is_asked_for_and_telemetry_is_let_in_again(monkeypatch):
    telemetry = object()
    monkeypatch.setitem(sys.modules, "openvino_telemetry", telemetry)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        InputError, match=r"not installed. Run `pip install radiodeep\[speed\]`, or use backend='torch'"
    ):
        import_openvino()
    assert sys.modules["openvino_telemetry"] is telemetry


@pytest.fixture
def openvino():
    pytest.importorskip("openvino", reason="OpenVINO, the extra 'speed', is not installed")
    return import_openvino()


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("name", ["resnet18", "radiodeep-mini", "cnn_f", "vit_tiny_patch16_224"])
def test_openvino_gives_the_same_features(used, name):
    network, images = used(name)
    plain = forward_features(network, images)
    optimized = optimize_for_inference(network, backend="openvino")
    assert (plain - forward_features(optimized, images)).abs().max() < 1e-5 * plain.abs().max()
    torch.testing.assert_close(forward_features(copy.deepcopy(optimized), images), forward_features(optimized, images))
    half = forward_features(optimize_for_inference(network, "bfloat16", backend="openvino"), images)
    assert functional.cosine_similarity(plain, half).min() > 0.999
    assert "openvino_telemetry" not in sys.modules


@pytest.mark.usefixtures("openvino")
def test_a_network_that_was_compiled_is_pickled_without_that(used):
    network, images = used("radiodeep-mini")
    optimized = optimize_for_inference(network, backend="openvino")
    expected = forward_features(optimized, images)
    loaded = pickle.loads(pickle.dumps(optimized))
    assert loaded._compiled == (None, None)
    torch.testing.assert_close(forward_features(loaded, images), expected)


@pytest.mark.usefixtures("openvino")
def test_a_translation_with_other_features_is_refused():
    pooled = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    network = OpenvinoNetwork(pooled, torch.float32, tolerance=-1.0)  # which no translation meets
    with pytest.raises(InputError, match="features of this network differ from those of torch by .* at most -1;"):
        network(torch.rand(2, 3, 8, 8))


@pytest.mark.usefixtures("openvino")
def test_a_network_that_cannot_be_compiled_is_refused():
    network = OpenvinoNetwork(nn.Linear(3, 2).eval(), torch.float32, 1e-5)
    with pytest.raises(InputError, match=r"OpenVINO cannot compile this network \(RuntimeError: .*Use backend='torch'"):
        network(torch.rand(2, 4))
