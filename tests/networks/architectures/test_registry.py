import numpy as np
import pytest
import timm
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.cnn_f import CnnF
from radiodeep.networks.architectures.registry import build_network, first_channels, input_specification


def test_any_model_of_timm_can_be_built():
    network = build_network("resnet10t", in_channels=1, n_classes=4)
    assert isinstance(network, timm.models.ResNet)
    assert first_channels(network) == 1
    assert network.eval()(torch.zeros(1, 1, 64, 64)).shape == (1, 4)


def test_a_transformer_can_be_built_for_another_size():
    network = build_network("vit_tiny_patch16_224", n_classes=0, image_size=64).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 192)
        assert build_network("resnet10t", n_classes=0, image_size=64).eval()(torch.zeros(1, 3, 32, 32)).shape == (
            1,
            512,
        )
    with pytest.raises(InputError, match=r"cannot be built for images of '64' x '64' pixels.* to 224 x 224"):
        build_network("vit_tiny_patch16_224", image_size="64")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet17", "Unknown network 'resnet17'. Expected radiodeep-mini, .*cnn_f, .*Did you mean .*resnet18"),
        ("cnn-f", "Did you mean 'cnn_f'"),
        ("ctfm", "Did you mean 'ct-fm'"),
        ("resnet18.a1_in1kk", "Did you mean 'resnet18.a1_in1k'"),
        (None, "Unknown network None"),
    ],
)
def test_an_unknown_name_is_refused_with_similar_names(name, message):
    with pytest.raises(InputError, match=message):
        build_network(name)
    with pytest.raises(InputError, match=message):
        input_specification(name)


@pytest.mark.parametrize(
    ("name", "value"), [("in_channels", 0), ("in_channels", 1.0), ("n_classes", -1), ("n_classes", True)]
)
def test_a_number_that_makes_no_network_is_refused(name, value):
    with pytest.raises(InputError, match=rf"'{name}' parameter of build_network must be an int >= \d\. Got {value!r}"):
        build_network("arch3", **{name: value})


def test_networks_say_which_images_they_want():
    assert (input_specification("radiodeep-mini").size, input_specification("radiodeep-mini").channels) == (64, 1)
    resnet, vit = input_specification("resnet18"), input_specification("vit_tiny_patch16_224")
    assert (resnet.size, resnet.mean, resnet.fixed_size) == (224, (0.485, 0.456, 0.406), False)
    assert (vit.mean, vit.fixed_size) == ((0.5, 0.5, 0.5), True)
    assert [input_specification(name).layer for name in ("cnn_f", "cnn_m", "cnn_s")] == ["fc7"] * 3


def test_cnn_f_gets_0_to_255_minus_the_mean_colour():
    images = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    normalized = input_specification("cnn_f").normalize(images)[0, :, 0, 0]
    np.testing.assert_allclose(normalized.numpy(), [-122.80, 127.5 - 114.89, 255 - 101.57], rtol=1e-6)


def test_one_plane_in_all_channels_stays_one_in_memory_where_the_channels_are_scaled_alike():
    wanted = input_specification("vit_tiny_patch16_224")
    planes = np.random.default_rng(0).uniform(size=(2, 1, 4, 4)).astype(np.float32)
    images = wanted.on_channels(planes)
    assert images.shape == (2, 3, 4, 4)
    assert images.stride(1) == wanted.normalize(images).stride(1) == 0
    assert torch.equal(wanted.normalize(images), wanted.normalize(images.clone()))
    other = wanted.with_normalization(np.array([[0.1, 0.2, 0.3], [1, 2, 4]]))
    expected = (images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([1, 2, 4]).view(3, 1, 1)
    torch.testing.assert_close(other.normalize(images), expected)


@pytest.mark.parametrize(("name", "lowest"), [("fcib_resnet50", 0), ("medicalnet_resnet10", None)])
def test_cubes_of_a_single_plane_in_memory_are_clipped_and_standardized_as_others_are(name, lowest):
    cubes = np.random.default_rng(0).uniform(-3000, 1000, size=(2, 4, 4, 4)).astype(np.float32)[:, np.newaxis]
    images = input_specification(name).on_channels(cubes)
    assert images.stride(1) == 0
    normalized = input_specification(name).normalize(images)
    torch.testing.assert_close(
        normalized, input_specification(name).normalize(torch.empty(2, 1, 4, 4, 4).copy_(images))
    )
    assert lowest is None or normalized.min() == lowest


def test_sequences_are_normalised_slice_by_slice():
    wanted = input_specification("arch3-gru").with_normalization(np.array([[0.5] * 3, [0.25] * 3]))
    images = torch.rand(2, 4, 3, 5, 5)
    images[1, 3] = torch.nan
    torch.testing.assert_close(wanted.normalize(images), (images - 0.5) / 0.25, equal_nan=True)


def test_normalizing_images_of_another_number_of_channels_is_refused():
    with pytest.raises(InputError, match=r"shape \(n, 3, height, width\). Got \(1, 1, 8, 8\) instead"):
        input_specification("cnn_f").normalize(torch.zeros(1, 1, 8, 8))


def test_without_classes_a_network_ends_in_its_features():
    network = CnnF(n_classes=0).eval()
    with torch.inference_mode():
        features = network(torch.zeros(1, 3, 224, 224))
    assert features.shape == (1, 4096)
    assert features.min() >= 0
