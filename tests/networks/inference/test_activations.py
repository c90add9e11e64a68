import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.inference.activations import forward_features, layer_names

IMAGES = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Plain(nn.Module):
    """conv -> rectifier (module or function, in place or not) -> mean -> linear."""

    def __init__(self, rectify):
        super().__init__()
        self.conv, self.rectify, self.fc = nn.Conv2d(3, 5, 3), rectify, nn.Linear(5, 2)
        self.norm, self.unused = nn.BatchNorm2d(5), nn.Linear(5, 2)

    def forward(self, images):
        return self.fc(self.rectify(self.norm(self.conv(images))).mean(dim=(2, 3)))


def in_place(maps):
    return functional.relu(maps, inplace=True)


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(0)
    network = build_network("resnet10t")
    with torch.no_grad():  # running statistics that are not those of the images
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean += 0.3
                module.running_var *= 2
    return network


@pytest.mark.parametrize(
    "rectify",
    [nn.ReLU(), nn.ReLU(inplace=True), functional.relu, in_place, torch.relu, torch.relu_],
    ids=lambda rectify: getattr(rectify, "__name__", repr(rectify)),
)
def test_values_before_and_after_a_rectifier_are_told_apart_however_it_works(rectify):
    torch.manual_seed(0)
    network = Plain(rectify).eval()
    with torch.inference_mode():
        expected = network.norm(network.conv(IMAGES)).flatten(1)
    before = forward_features(network, IMAGES, "norm", activation="pre", pool="flatten")
    after = forward_features(network, IMAGES, "norm", activation="post", pool="flatten")
    torch.testing.assert_close(before, expected)
    torch.testing.assert_close(after, expected.clamp(min=0))
    assert before.min() < 0


def test_features_are_the_same_if_the_memory_of_a_gpu_makes_batches_smaller(resnet, monkeypatch):
    expected = forward_features(resnet, IMAGES)
    forward = nn.Conv2d.forward
    sizes = []

    def limited(convolution, images):
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(convolution, images)

    monkeypatch.setattr(nn.Conv2d, "forward", limited)
    with pytest.warns(RadiodeepWarning, match="memory of the GPU does not suffice for . images at once"):
        torch.testing.assert_close(forward_features(resnet, IMAGES), expected, rtol=1e-4, atol=1e-5)
    assert list(dict.fromkeys(sizes)) == [8, 4, 2]


@pytest.mark.parametrize(
    ("network", "layer"),
    [(lambda: build_network("vgg11"), "pre_logits.fc2"), (torchvision.models.alexnet, "classifier.4")],
    ids=["timm", "torchvision"],
)
def test_layer_7_of_a_known_network_can_be_had_before_its_in_place_rectifier(network, layer):
    torch.manual_seed(0)
    network, images = network(), torch.randn(1, 3, 64, 64)
    before = forward_features(network, images, layer, activation="pre")
    after = forward_features(network, images, layer)
    assert before.shape == (1, 4096)
    assert (before < 0).float().mean() > 0.2
    torch.testing.assert_close(after, before.clamp(min=0))


def test_layer_7_of_cnn_f_before_and_after_its_rectifier_differ():
    torch.manual_seed(0)
    network = build_network("cnn_f")
    images = torch.randn(1, 3, 224, 224)
    before, after = (forward_features(network, images, "fc7", activation=when) for when in ("pre", "post"))
    assert before.min() < 0
    torch.testing.assert_close(after, before.clamp(min=0))
    torch.testing.assert_close(after, forward_features(network, images))


def test_the_input_and_output_of_an_activation_layer_can_be_had(resnet):
    before, after = (forward_features(resnet, IMAGES, "act1", when, "flatten") for when in ("pre", "post"))
    torch.testing.assert_close(after, before.clamp(min=0))
    torch.testing.assert_close(before, forward_features(resnet, IMAGES, "bn1", "pre", "flatten"))


def test_a_smooth_activation_of_timm_is_recognised():
    torch.manual_seed(0)
    network = build_network("convnext_atto")
    before, after = (
        forward_features(network, IMAGES, "stages.0.blocks.0.mlp.fc1", when, "flatten") for when in ("pre", "post")
    )
    torch.testing.assert_close(after, functional.gelu(before))


def test_batch_norm_uses_its_running_statistics_and_leaves_them_alone(resnet):
    before = {key: value.clone() for key, value in resnet.state_dict().items()}
    alone = torch.cat([forward_features(resnet, image[None]) for image in IMAGES])
    together = forward_features(resnet, IMAGES)
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-5)
    assert all(torch.equal(before[key], value) for key, value in resnet.state_dict().items())
    with torch.inference_mode():
        torch.testing.assert_close(
            together, resnet.eval().forward_head(resnet.forward_features(IMAGES), pre_logits=True)
        )


def test_a_network_in_training_mode_stays_in_it_and_gets_no_gradients(resnet):
    resnet.train()
    resnet.layer1.eval()
    modes = []
    hook = resnet.layer2.register_forward_hook(
        lambda module, inputs, output: modes.append((module.training, torch.is_inference_mode_enabled()))
    )
    features = forward_features(resnet, IMAGES)
    hook.remove()
    assert modes == [(False, True)]
    assert not features.requires_grad
    assert resnet.training
    assert not resnet.layer1.training


def test_features_do_not_depend_on_the_batch_size(resnet):
    for layer in (None, "layer2"):
        small, large = (forward_features(resnet, IMAGES, layer, batch_size=size) for size in (3, 32))
        torch.testing.assert_close(small, large, rtol=1e-5, atol=1e-5)


def test_maps_are_pooled_over_space(resnet):
    flat = forward_features(resnet, IMAGES, "layer2", pool="flatten").view(8, 128, -1)
    torch.testing.assert_close(forward_features(resnet, IMAGES, "layer2"), flat.mean(dim=2))
    torch.testing.assert_close(forward_features(resnet, IMAGES, "layer2", pool="max"), flat.amax(dim=2))


def test_maps_with_channels_last_are_pooled_over_space_too():
    network = build_network("swin_tiny_patch4_window7_224", n_classes=0)
    images = torch.randn(1, 3, 224, 224)
    assert forward_features(network, images, "layers.1").shape == (1, 192)


def test_tokens_are_pooled_without_the_class_token():
    network = build_network("vit_tiny_patch16_224", n_classes=0)
    images = torch.randn(1, 3, 224, 224)
    tokens = forward_features(network, images, "norm", pool="flatten").view(1, 196, 192)
    torch.testing.assert_close(forward_features(network, images, "norm"), tokens.mean(dim=1))
    with torch.inference_mode():
        torch.testing.assert_close(tokens, network.eval().forward_features(images)[:, 1:])


def test_the_features_of_a_network_of_torchvision_are_what_its_classifier_is_given():
    torch.manual_seed(0)
    network = torchvision.models.resnet18().eval()
    features = forward_features(network, IMAGES)
    network.fc = nn.Identity()
    with torch.inference_mode():
        torch.testing.assert_close(features, network(IMAGES))


def test_layers_have_their_modules_names(resnet):
    assert {"conv1", "layer1.0.bn1", "fc"} <= set(layer_names(resnet))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "layer22"}, "no layer 'layer22'. Did you mean 'layer2"),
        (
            {"layer": "conv1", "activation": "before"},
            "'activation' parameter .* must be one of post, pre. Got 'before'",
        ),
        ({"layer": "conv1", "pool": "median"}, "'pool' parameter .* must be one of avg, max, flatten. Got 'median'"),
        ({"activation": "pre"}, "need a named layer"),
        ({"batch_size": 0}, "'batch_size' parameter .* must be an int >= 1. Got 0"),
        ({"layer": "layer2", "activation": "pre"}, "No activation function directly follows layer 'layer2'"),
        ({"images": torch.zeros(3, 32, 32)}, r"shape \(n, channels, height, width\), n > 0. Got \(3, 32, 32\)"),
        ({"images": torch.zeros(2, 1, 32, 32)}, "takes images of 3 channels. Got 1"),
    ],
)
def test_what_a_network_cannot_give_is_refused(resnet, options, message):
    with pytest.raises(InputError, match=message):
        forward_features(resnet, **({"images": IMAGES} | options))


def test_a_layer_that_takes_no_part_is_refused():
    with pytest.raises(InputError, match="Layer 'unused' is not used when the network computes"):
        forward_features(Plain(nn.ReLU()), IMAGES, "unused")


def test_hooks_are_gone_afterwards(resnet):
    forward_features(resnet, IMAGES, "layer2")
    with pytest.raises(InputError, match="directly follows"):
        forward_features(resnet, IMAGES, "layer2", "pre")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in resnet.modules())
