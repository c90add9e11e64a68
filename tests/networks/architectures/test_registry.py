import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.cnn_f import CnnF
from radiodeep.networks.architectures.registry import build_network, first_channels, input_specification
from radiodeep.networks.architectures.study_networks import Arch1, OneBiasLSTM


def count(network):
    return sum(weights.numel() for weights in network.parameters())


@pytest.fixture(scope="module")
def cnn_f():
    torch.manual_seed(0)
    return build_network("cnn_f", n_classes=1000).eval()


@pytest.mark.parametrize(("name", "expected"), [("arch1", 841_681), ("arch2", 845_033), ("arch3", 39_553)])
def test_the_studies_networks_have_the_published_number_of_weights(name, expected):
    assert count(build_network(name)) == expected


@pytest.mark.parametrize(("in_channels", "expected"), [(1, 838_481), (2, 840_081)])
def test_architecture_1_has_fewer_weights_for_fewer_channels(in_channels, expected):
    assert count(build_network("arch1", in_channels=in_channels)) == expected


def test_architecture_3_has_fewer_weights_for_one_channel():
    assert count(build_network("arch3", in_channels=1)) == 35_841


@pytest.mark.parametrize(("name", "expected"), [("mnist", 289_630), ("mnist-contest", 3_274_634)])
def test_the_networks_for_digits_have_the_number_of_weights_of_the_lectures(name, expected):
    network = build_network(name, in_channels=1, n_classes=10)
    assert count(network) == expected
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    specification = input_specification(name)
    assert (specification.size, specification.channels, specification.fixed_size) == (28, 1, True)
    with pytest.raises(InputError, match=f"{name} takes images of 28 x 28 pixels. Got 32 x 32"):
        network(torch.rand(2, 1, 32, 32))


def test_the_lectures_leave_out_the_biases_of_the_full_layers():
    network = build_network("mnist", in_channels=1, n_classes=10)
    biases = sum(layer.bias.numel() for layer in network.modules() if isinstance(layer, nn.Linear))
    assert count(network) - biases == 289_520


@pytest.mark.parametrize("name", ["mnist", "mnist-contest"])
def test_the_networks_for_digits_are_the_layers_of_the_lectures(name):
    torch.manual_seed(0)
    network, images = build_network(name, in_channels=1, n_classes=10).eval(), torch.rand(2, 1, 28, 28)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    padding, activation = (0, torch.sigmoid) if name == "mnist" else (2, torch.relu)
    values = images
    for layer in layers[:-1]:  # activation before the pooling, as it is told
        if isinstance(layer, nn.Conv2d):
            maps = functional.conv2d(values, layer.weight, layer.bias, padding=padding)
            values = functional.max_pool2d(activation(maps), 2)
        else:
            values = activation(layer(values.flatten(1)))
    torch.testing.assert_close(network(images), layers[-1](values), rtol=1e-4, atol=1e-6)


def test_the_network_for_cubes_takes_them_of_any_size():
    network = build_network("arch3d", in_channels=1)
    assert count(network) == 69_793
    assert input_specification("arch3d").dimensions == 3
    for side in (32, 20, 8):
        assert network(torch.rand(2, 1, side, side, side)).shape == (2, 1)
    for shape in ((2, 1, 32, 32), (2, 1, 4, 32, 32)):
        with pytest.raises(InputError, match=r"arch3d takes cubes of shape \(n, channels, depth, height, width\)"):
            network(torch.rand(shape))


def test_the_network_for_cubes_sees_the_third_axis():
    network = build_network("arch3d", in_channels=1).eval()
    cube = torch.rand(1, 1, 32, 32, 32)
    mixed = cube[:, :, torch.randperm(32, generator=torch.Generator().manual_seed(0))]
    assert not torch.allclose(network(cube), network(mixed), atol=1e-5)


def test_cnn_f_has_the_published_number_of_weights(cnn_f):
    assert count(cnn_f) == 60_834_536


def sizes_of_maps(network):
    sizes = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: sizes.update({name: tuple(output.shape[2:])})
        )
        for name in ("conv1", "pool1", "conv2", "pool2", "conv5", "pool5")
    ]
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
    for hook in hooks:
        hook.remove()
    assert all(height == width for height, width in sizes.values())
    return [height for height, _ in sizes.values()]


def test_the_maps_of_cnn_f_have_the_published_sizes(cnn_f):
    assert sizes_of_maps(cnn_f) == [54, 27, 27, 13, 13, 6]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cnn_m", [109, 54, 26, 13, 13, 6]), ("cnn_s", [109, 37, 33, 17, 17, 6])],
)
def test_cnn_m_and_cnn_s_have_maps_and_weights_of_the_published_number(name, expected):
    with torch.device("meta"):  # names and shapes alone
        network = build_network(name, n_classes=1000)
        assert sizes_of_maps(network) == expected
    # filters x (inputs + offset), layer by layer
    convolutions = 96 * (3 * 49 + 1) + 256 * (96 * 25 + 1) + 512 * (256 * 9 + 1) + 2 * 512 * (512 * 9 + 1)
    assert count(network) == convolutions + 4096 * (512 * 36 + 1) + 4096 * 4097 + 1000 * 4097
    assert isinstance(network.norm2, nn.LocalResponseNorm) is (name == "cnn_m")
    with pytest.raises(InputError, match=f"{name} takes images of 224 x 224 pixels"):
        network(torch.zeros(1, 3, 56, 56))


def test_no_rectifier_of_cnn_f_works_in_place(cnn_f):
    rectifiers = [module for module in cnn_f.modules() if isinstance(module, nn.ReLU)]
    assert len(rectifiers) == 7
    assert not any(rectifier.inplace for rectifier in rectifiers)


def test_normalization_of_cnn_f_is_that_of_matconvnet(cnn_f):
    maps = torch.rand(1, 8, 2, 2, generator=torch.Generator().manual_seed(1)) * 40
    squares = maps.numpy() ** 2
    for channel in range(8):  # MatConvNet's vl_nnnormalize with [5 2 1e-4 0.75], written out
        total = squares[0, max(0, channel - 2) : channel + 3].sum(0)
        expected = maps[0, channel].numpy() / (2 + 1e-4 * total) ** 0.75
        np.testing.assert_allclose(cnn_f.norm1(maps)[0, channel].numpy(), expected, rtol=1e-5)


def test_cnn_f_refuses_images_of_another_size(cnn_f):
    with pytest.raises(InputError, match=r"224 x 224 pixels\. Got 56 x 56 instead. Resize"):
        cnn_f(torch.zeros(1, 3, 56, 56))


@pytest.mark.parametrize("name", ["arch1", "arch2", "arch3"])
def test_the_studies_networks_tell_two_classes_by_one_output(name):
    images = torch.rand(2, 3, 100, 100)
    assert build_network(name)(images).shape == (2, 1)
    assert build_network(name, n_classes=3)(images).shape == (2, 3)
    with pytest.raises(InputError, match=f"{name} takes images of 100 x 100 pixels. Got 64 x 64"):
        build_network(name)(images[..., :64, :64])


def test_pooling_before_the_rectifier_changes_no_value_of_the_stem():
    torch.manual_seed(0)
    stem = Arch1().eval().stem
    maps = images = torch.randn(2, 3, 100, 100)
    with torch.inference_mode():
        for layer in (stem[0], stem[2]):
            maps = functional.leaky_relu(functional.conv2d(maps, layer.weight, layer.bias), 0.01)
            maps = functional.max_pool2d(maps, 3)
        torch.testing.assert_close(stem(images), maps, rtol=1e-5, atol=1e-6)


def test_the_lstm_with_one_bias_does_what_its_equations_say():
    torch.manual_seed(0)
    layer = OneBiasLSTM(5, 3)
    sequence = torch.randn(2, 4, 5)
    weight, recurrent, bias = (tensor.detach().double().numpy() for tensor in layer.parameters())
    hidden = cell = np.zeros((2, 3))
    for step in sequence.double().numpy().transpose(1, 0, 2):
        entry, forget, candidate, output = np.split(step @ weight.T + hidden @ recurrent.T + bias, 4, axis=1)
        gate = {name: 1 / (1 + np.exp(-value)) for name, value in (("i", entry), ("f", forget), ("o", output))}
        cell = gate["f"] * cell + gate["i"] * np.maximum(candidate, 0)
        hidden = gate["o"] * np.maximum(cell, 0)
    np.testing.assert_allclose(layer(sequence).detach().numpy(), hidden, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer(sequence[:, 0]).detach().numpy(), layer(sequence[:, :1]).detach().numpy())
    assert layer.bias[3:6].tolist() == [1, 1, 1]  # the forget gates start open


def test_the_l2_penalty_lies_on_the_second_full_layer_or_its_memory():
    assert [tuple(weights.shape) for weights in build_network("arch1").penalized_weights()] == [(8, 128)]
    assert [tuple(weights.shape) for weights in build_network("arch2").penalized_weights()] == [(32, 128)]
    assert build_network("arch3").penalized_weights() == []


def test_radiodeep_mini_is_small_and_takes_other_sizes():
    network = build_network("radiodeep-mini", in_channels=1, n_classes=0)
    assert 900_000 < count(network) < 930_000
    assert network(torch.rand(2, 1, 64, 64)).shape == network(torch.rand(2, 1, 100, 80)).shape == (2, 128)


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
        ("resnet17", "Unknown network 'resnet17'. Expected radiodeep-mini, cnn_f, .*Did you mean .*resnet18"),
        ("cnn-f", "Did you mean 'cnn_f'"),
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
    assert torch.equal(wanted.images(planes), wanted.normalize(images))
    other = wanted.with_normalization(np.array([[0.1, 0.2, 0.3], [1, 2, 4]]))
    expected = (images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([1, 2, 4]).view(3, 1, 1)
    torch.testing.assert_close(other.normalize(images), expected)


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
