"""The quick network sees what the trained one sees."""

import pytest
import torch
from torch import nn

from radiodeep.exceptions import InputError
from radiodeep.networks.activations import forward_features
from radiodeep.networks.architectures import build_network, input_specification
from radiodeep.networks.inference import chosen_device, chosen_precision, prepared


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
    side = 64 if name != "cnn_f" else 224
    return network, torch.randn(3, specification.channels, side, side)


NAMES = ["resnet18", "resnet50", "densenet121", "convnext_atto", "efficientnet_b0", "radiodeep-mini", "cnn_f"]


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


def test_normalisations_are_folded_away_unless_layers_are_asked_for():
    network, images = used("resnet18")

    def count(one):
        return sum(isinstance(module, nn.BatchNorm2d) for module in one.modules())

    assert (count(network), count(prepared(network)), count(prepared(network, fold=False))) == (20, 0, 20)
    for layer in ("bn1", "layer2.0.conv1"):
        expected = forward_features(network, images, layer)
        torch.testing.assert_close(forward_features(prepared(network, fold=False), images, layer), expected)


def test_a_convolution_that_is_used_twice_is_left_alone():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.norm, self.other = (
                nn.Conv2d(3, 3, 3, padding=1),
                nn.BatchNorm2d(3),
                nn.BatchNorm2d(3),
            )
            self.fc = nn.Linear(3, 2)

        def forward(self, images):
            one, two = self.norm(self.convolution(images)), self.other(self.convolution(images))
            return self.fc((one + two).mean(dim=(2, 3)))

    torch.manual_seed(0)
    network, images = Twice().eval(), torch.randn(2, 3, 8, 8)
    network.norm.running_mean.normal_()
    torch.testing.assert_close(forward_features(prepared(network), images), forward_features(network, images))


def test_it_cannot_learn_and_works_in_evaluation_mode():
    network, _ = used("resnet18")
    quick = prepared(network.train())
    assert not any(weights.requires_grad for weights in quick.parameters())
    assert not any(module.training for module in quick.modules())


def test_words_that_mean_nothing_are_refused():
    with pytest.raises(InputError, match="float32, bfloat16, auto. Got 'half'"):
        chosen_precision("half")
    with pytest.raises(InputError, match="device must be 'auto', 'cpu' or one of torch"):
        chosen_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="Torch finds no GPU for device='cuda:0'"):
            chosen_device("cuda:0")
    assert chosen_precision("float32") == "float32"
    assert chosen_precision("auto") in ("float32", "bfloat16")
