"""Networks for cubes; that they compute what the published ones do is tested with the forms of weights."""

import numpy as np
import pytest
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import build_network, first_channels, input_specification
from radiodeep.networks.architectures.volumetric import VolumetricResNet
from radiodeep.networks.inference.activations import feature_gradients, forward_features, layer_names
from radiodeep.networks.weights.loading import load_weights

CUBES = torch.rand(5, 1, 20, 24, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return VolumetricResNet(width=4)


@pytest.mark.parametrize(
    ("name", "millions", "n_features"),
    [
        ("medicalnet_resnet10", 14.36, 512),
        ("medicalnet_resnet18", 32.99, 512),
        ("medicalnet_resnet34", 63.31, 512),
        ("medicalnet_resnet50", 46.21, 2048),
    ],
)
def test_the_networks_of_medicalnet_have_the_published_numbers_of_weights(name, millions, n_features):
    with torch.device("meta"):  # names and shapes alone
        network = build_network(name, in_channels=1, n_classes=3)
    # Its table counts the statistics of the normalisations, too.
    numbers = {key: value.numel() for key, value in network.state_dict().items() if not key.endswith("tracked")}
    assert (sum(numbers.values()) - 3 * n_features - 3) / 1e6 == pytest.approx(millions, abs=0.006)
    assert network.fc.weight.shape == (3, n_features)


def test_the_network_of_fcib_is_a_resnet_50_of_twice_the_width():
    with torch.device("meta"):
        network = build_network("fcib_resnet50", in_channels=1, n_classes=3)
    assert network.fc.weight.shape == (3, 4096)
    filters = {name: tuple(weights.shape) for name, weights in network.named_parameters() if weights.ndim == 5}
    assert filters["conv1.weight"] == (128, 1, 7, 7, 7)
    assert filters["layer4.2.conv2.weight"] == (1024, 1024, 3, 3, 3)
    assert len(filters) == 1 + 3 * 16 + 4
    assert sum(weights.numel() for weights in network.parameters()) - 3 * 4097 == 184_477_824


def test_stages_3_and_4_of_medicalnet_keep_their_size_and_those_of_fcib_do_not():
    sizes = {}
    for dilated in (True, False):
        small = VolumetricResNet(width=2, dilated=dilated)
        sizes[dilated] = [
            round(
                forward_features(small, torch.zeros(1, 1, 64, 64, 64), f"layer{stage}", pool="flatten").shape[1] / maps
            )
            for stage, maps in ((1, 2), (2, 4), (3, 8), (4, 16))
        ]
    assert sizes == {True: [16**3, 8**3, 8**3, 8**3], False: [16**3, 8**3, 4**3, 2**3]}


def test_features_of_cubes_do_not_depend_on_the_batch(network):
    features = forward_features(network, CUBES)
    assert features.shape == (5, 32)
    torch.testing.assert_close(forward_features(network, CUBES, batch_size=2), features, rtol=1e-5, atol=1e-6)
    with torch.inference_mode():
        torch.testing.assert_close(network.eval()(CUBES), features)


def test_named_layers_of_cubes_can_be_had_before_and_after_their_rectifier_and_pooled(network):
    before = forward_features(network, CUBES, "bn1", activation="pre", pool="flatten")
    after = forward_features(network, CUBES, "bn1", pool="flatten")
    assert before.shape == (5, 4 * 10 * 12 * 14)
    assert before.min() < 0
    torch.testing.assert_close(after, before.clamp(min=0))
    maps = after.view(5, 4, -1)
    torch.testing.assert_close(forward_features(network, CUBES, "bn1"), maps.mean(2))
    torch.testing.assert_close(forward_features(network, CUBES, "bn1", pool="max"), maps.amax(2))
    assert "layer4.0.conv2" in layer_names(network)


def test_a_feature_of_a_cube_has_a_gradient_in_each_voxel(network):
    assert feature_gradients(network, CUBES[:1], 3).shape == (1, 1, 20, 24, 28)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 1, 32, 32), r"\(n, channels, z, y, x\), n > 0\. Got \(1, 1, 32, 32\) instead"),
        (torch.zeros(1, 3, 32, 32, 32), "takes images of 1 channels. Got 3 instead"),
    ],
)
def test_images_that_are_no_cubes_are_refused(network, images, message):
    with pytest.raises(InputError, match=message):
        forward_features(network, images)
    flat = build_network("resnet10t", n_classes=0)
    with pytest.raises(InputError, match=r"\(n, channels, height, width\), n > 0\. Got \(1, 3, 32, 32, 32\) instead"):
        forward_features(flat, torch.zeros(1, 3, 32, 32, 32))


def test_cubes_for_medicalnet_are_standardised_each_for_itself():
    wanted = input_specification("medicalnet_resnet18")
    assert (wanted.dimensions, wanted.channels, wanted.size, wanted.spacing_mm) == (3, 1, 64, 1.0)
    cubes = torch.stack([CUBES[0] * 900 - 300, torch.full_like(CUBES[0], -1000)])
    first, constant = wanted.normalize(cubes).numpy()
    values = cubes[0].numpy().astype(float)
    np.testing.assert_allclose(first, (values - values.mean()) / values.std(), rtol=1e-4, atol=1e-5)
    assert (constant == 0).all()


def test_cubes_for_fcib_are_hounsfield_units_over_3072_from_air_on():
    wanted = input_specification("fcib_resnet50")
    assert (wanted.dimensions, wanted.channels, wanted.size, wanted.spacing_mm) == (3, 1, 50, 1.0)
    cube = torch.tensor([-3000.0, -1024.0, 0.0, 2048.0]).view(1, 1, 1, 1, 4)
    np.testing.assert_allclose(wanted.normalize(cube).flatten(), [0, 0, 1024 / 3072, 1])
    with pytest.raises(InputError, match=r"shape \(n, 1, z, y, x\)\. Got \(1, 1, 8, 8\) instead"):
        wanted.normalize(torch.zeros(1, 1, 8, 8))


def test_random_weights_can_be_drawn_for_cubes():
    networks = [build_network("medicalnet_resnet10", in_channels=1, n_classes=0) for _ in range(2)]
    records = [load_weights(network, "random", "medicalnet_resnet10", seed=1) for network in networks]
    assert records[0] == records[1]
    assert first_channels(networks[0]) == 1
    with torch.no_grad():
        assert torch.equal(networks[0].conv1.weight, networks[1].conv1.weight)
