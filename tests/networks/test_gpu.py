"""A GPU computes the same as the processor: float32 to rounding, TF32 and bfloat16 to about three digits.

These tests need a GPU and are skipped without one; what they run is tested on the processor elsewhere.
"""

import numpy as np
import pytest
import torch
from torch import nn

from radiodeep import DeepFeatureExtractor, Training, make_phantom_cohort
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.inference.engines import optimize_for_inference
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.fitting import fit_network, network_outputs
from radiodeep.networks.training.losses import classification_loss

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU"),
]
TOLERANCES = {"float32": 1e-4, "tf32": 1e-2, "bfloat16": 5e-2}  # of the largest number


def largest_difference(first, second):
    return np.abs(np.asarray(first) - np.asarray(second)).max() / np.abs(np.asarray(second)).max()


@pytest.mark.parametrize("precision", TOLERANCES)
def test_features_of_a_gpu_are_those_of_the_processor(precision):
    cohort = make_phantom_cohort(20, random_state=0)
    expected = DeepFeatureExtractor(device="cpu").fit_transform(cohort)
    values = DeepFeatureExtractor(device="cuda", precision=precision).fit_transform(cohort)
    assert largest_difference(values, expected) < TOLERANCES[precision]


@pytest.mark.parametrize("precision", TOLERANCES)
def test_a_large_network_has_the_same_features_on_a_gpu(precision):
    torch.manual_seed(0)
    network = build_network("resnet18", n_classes=0)
    images = torch.randn(300, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected = forward_features(network, images)
    values = forward_features(optimize_for_inference(network, precision, "cuda"), images, batch_size=256)
    assert values.device.type == "cpu"
    if precision == "bfloat16":
        assert nn.functional.cosine_similarity(values, expected).min() > 0.999
    else:
        assert largest_difference(values, expected) < TOLERANCES[precision]


@pytest.mark.parametrize("precision", TOLERANCES)
def test_a_network_trained_on_a_gpu_has_the_outputs_of_one_of_the_processor(precision):
    labels = torch.arange(40) % 2
    images = labels.view(-1, 1, 1, 1) + torch.randn(40, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    training = {"epochs": 3, "n_views": 2, "batch_size": 8}  # augmented by draws of the processor on either device
    outputs = []
    for device, used in (("cpu", "float32"), ("cuda", precision)):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
        plan = Training(**training, precision=used)
        fit_network(network, Examples(images, labels), classification_loss, plan, device=device)
        outputs.append(network_outputs(network, images))
    assert largest_difference(*outputs) < 10 * TOLERANCES[precision]  # after 30 steps
