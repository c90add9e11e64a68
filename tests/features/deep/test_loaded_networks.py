"""Networks are loaded once, and again if their file has changed; cases are read ahead of them."""

import os

import numpy as np
import safetensors.torch
import torch

import radiodeep as rd
from radiodeep.features.deep.loaded_networks import Engine, inference_network, read_ahead, trainable_network
from radiodeep.networks.architectures.registry import build_network

COHORT = rd.make_phantom_cohort(1, random_state=0)


def write_weights(path, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        safetensors.torch.save_file(build_network("radiodeep-mini", 1, 0).state_dict(), path)


def test_a_weights_file_replaced_with_the_same_size_and_time_is_read_again(tmp_path):
    path = tmp_path / "own.safetensors"
    write_weights(path, seed=0)
    status = path.stat()
    extractor = rd.DeepFeatureExtractor(weights=str(path))
    first = extractor.transform(COHORT)
    write_weights(path, seed=1)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert not np.allclose(extractor.transform(COHORT), first)


def test_the_same_network_is_loaded_once_for_all_clones():
    engine = Engine("float32", "cpu", True, "torch")
    loaded = inference_network("radiodeep-mini", None, None, False, engine)
    assert inference_network("radiodeep-mini", None, None, False, engine) is loaded
    assert inference_network("radiodeep-mini", None, None, True, engine) is not loaded
    rd.DeepFeatureExtractor(device="cpu").transform(COHORT)
    assert inference_network("radiodeep-mini", None, None, False, engine) is loaded


def test_a_network_without_its_last_activation_has_negative_features_and_can_be_trained():
    before = torch.get_rng_state()
    plain, open_ended = (trainable_network("radiodeep-mini", None, None, rectified) for rectified in (True, False))
    assert torch.equal(torch.get_rng_state(), before)
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    values = open_ended.network.eval().forward_features(images)
    assert values.requires_grad
    assert values.min() < 0
    torch.testing.assert_close(values.clamp(min=0), plain.network.eval().forward_features(images))


def test_items_are_read_in_order_and_no_more_than_a_few_ahead():
    started = []

    def read(item):
        started.append(item)
        return item**2

    results = read_ahead(read, range(20))
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert len(started) <= 8
    assert list(results) == [number**2 for number in range(3, 20)]
