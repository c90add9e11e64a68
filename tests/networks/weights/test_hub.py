import socket

import huggingface_hub
import huggingface_hub.constants
import pytest
import safetensors.torch
import torch

from radiodeep.exceptions import WeightsError
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.weights.hub import find_hub_weights
from radiodeep.networks.weights.loading import load_weights

REPOSITORY = "timm/resnet10t.c3_in1k"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def publish(cache, network):
    """Put weights where a download would have put them."""
    folder = cache / f"models--{REPOSITORY.replace('/', '--')}"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    safetensors.torch.save_file(network.state_dict(), folder / "snapshots" / "abc" / "model.safetensors")


def test_weights_in_the_local_cache_are_found_without_a_network(cache):
    torch.manual_seed(3)
    published, network = build_network("resnet10t", n_classes=1000), build_network("resnet10t")
    publish(cache, published)
    record = load_weights(network, "pretrained", "resnet10t")
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(forward_features(network, images), forward_features(published, images))
    assert (record.form, record.classifier_loaded) == ("pretrained", False)


def test_without_a_network_the_error_names_the_repository_and_the_way_out(cache):
    with pytest.raises(
        WeightsError, match=rf"Download '{REPOSITORY}' .*on another machine.*weights=\"resnet10t.safetensors\""
    ):
        load_weights(build_network("resnet10t"), "pretrained", "resnet10t")


def test_a_hub_that_never_answers_is_given_up_on(cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes the call and stays silent
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *args, **options: pytest.fail("asked the hub"))
        with pytest.raises(WeightsError, match="hub cannot be reached"):
            find_hub_weights("resnet10t")


def test_a_hub_that_refuses_is_quoted(cache, monkeypatch):
    def refuse(repository, file_name, revision):
        raise OSError(f"401 for {file_name}")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("radiodeep.networks.weights.hub._answers", lambda url: True)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(
        WeightsError, match=rf"could not be downloaded from '{REPOSITORY}' \(pytorch_model.safetensors: 401"
    ):
        find_hub_weights("resnet10t")


def test_a_model_that_nobody_has_published_is_refused(cache):
    with pytest.raises(WeightsError, match="No weights of 'resnetv2_50d' are published"):
        find_hub_weights("resnetv2_50d")
