import hashlib
import importlib.resources
import json
import re

import numpy as np
import pytest
import safetensors.torch
import scipy.io
import torch

from radiodeep.exceptions import RadiodeepWarning, WeightsError
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.weights.loading import load_weights

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
WEIGHTS = importlib.resources.files("radiodeep.networks").joinpath("weights")


def resnet(n_classes=2, in_channels=3):
    return build_network("resnet10t", in_channels, n_classes)


def renamed(state, share, choose=lambda key: True):
    """Rename a share of the keys, spread over the network."""
    candidates = [key for key in state if choose(key) and "num_batches" not in key]
    chosen = set(candidates[:: round(len(candidates) / (share * len(state)))])
    return {f"{key}x" if key in chosen else key: value for key, value in state.items()}


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(5)
    return resnet(n_classes=7)


def state_of(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


def equal(state, other):
    return state.keys() == other.keys() and all(torch.equal(state[key], other[key]) for key in state)


@pytest.mark.parametrize("name", ["net.safetensors", "net.pth"])
def test_features_are_equal_after_a_file_has_been_loaded(tmp_path, trained, name):
    if name.endswith(".pth"):
        torch.save(
            {"state_dict": {f"module.{key}": value for key, value in trained.state_dict().items()}}, tmp_path / name
        )
    else:
        safetensors.torch.save_file(trained.state_dict(), tmp_path / name)
    network = resnet(n_classes=0)
    record = load_weights(network, tmp_path / name, "resnet10t")
    assert torch.equal(forward_features(network, IMAGES), forward_features(trained, IMAGES))
    assert record.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert record.n_matched == record.n_expected > 50


def test_a_state_dict_is_loaded_with_its_classifier_where_that_fits(trained):
    same, other, uncounted = resnet(n_classes=7), resnet(n_classes=2), resnet(n_classes=7)
    before = other.fc.weight.clone()
    state = {key: value for key, value in trained.state_dict().items() if "num_batches_tracked" not in key}
    assert load_weights(uncounted, state, "resnet10t").classifier_loaded
    assert load_weights(same, trained.state_dict(), "resnet10t").classifier_loaded
    assert equal(same.state_dict(), trained.state_dict())
    assert not load_weights(other, trained.state_dict(), "resnet10t").classifier_loaded
    assert torch.equal(other.fc.weight, before)
    assert torch.equal(other.conv1[0].weight, trained.conv1[0].weight)


def test_weights_of_half_precision_are_loaded(trained):
    network = resnet()
    load_weights(network, {key: value.half() for key, value in trained.state_dict().items()}, "resnet10t")
    assert network.conv1[0].weight.dtype == torch.float32
    torch.testing.assert_close(
        forward_features(network, IMAGES), forward_features(trained, IMAGES), rtol=1e-2, atol=1e-2
    )


def test_a_source_with_a_tenth_of_its_names_changed_is_refused_and_changes_nothing(trained):
    network = resnet()
    before = state_of(network)
    state = renamed(trained.state_dict(), 0.1)
    with pytest.raises(WeightsError, match=r"do not belong to 'resnet10t': \d+ of its \d+ weights match.*Missing: .*x"):
        load_weights(network, state, "resnet10t")
    assert equal(before, network.state_dict())


def test_a_single_filter_that_is_missing_is_refused(trained):
    state = trained.state_dict()
    del state["layer2.0.conv1.weight"]
    with pytest.raises(WeightsError, match=r"all filters and matrices. Missing: layer2.0.conv1.weight\."):
        load_weights(resnet(), state, "resnet10t")


def test_a_few_scales_that_are_missing_give_a_warning_that_names_them(trained):
    state = trained.state_dict()
    del state["layer2.0.bn1.weight"]
    with pytest.warns(
        RadiodeepWarning, match=r"1 of \d+ weights of 'resnet10t' are not .* Missing: layer2.0.bn1.weight"
    ):
        record = load_weights(resnet(), state, "resnet10t")
    assert record.n_matched == record.n_expected - 1


def test_many_scales_that_are_missing_are_refused(trained):
    state = renamed(trained.state_dict(), 0.08, lambda key: "bn" in key)
    with pytest.raises(WeightsError, match="At least 95 % must"):
        load_weights(resnet(), state, "resnet10t")


def test_weights_for_another_number_of_channels_are_refused_with_the_remedy(trained):
    with pytest.raises(WeightsError, match=r"for images of 3 channels: build_network\(\.\.\., in_channels=3\)"):
        load_weights(resnet(in_channels=1), trained.state_dict(), "resnet10t")


def test_weights_of_another_network_are_refused(trained):
    with pytest.raises(WeightsError, match=r"In the source but not in the network: conv1\.0\.weight"):
        load_weights(build_network("arch3"), trained.state_dict(), "arch3")


def test_names_that_timm_knows_to_translate_are_translated():
    torch.manual_seed(0)
    original = build_network("convnext_atto")

    def as_published(key):  # the names of ConvNeXt's authors
        key = re.sub(r"^stem\.", "downsample_layers.0.", key)
        key = re.sub(r"^stages\.(\d)\.downsample", r"downsample_layers.\1", key)
        key = re.sub(r"\.blocks\.(\d+)\.", r".\1.", key).replace("conv_dw", "dwconv")
        return key.replace("mlp.fc", "pwconv").replace("head.norm", "norm").replace("head.fc", "head")

    network = build_network("convnext_atto")
    load_weights(network, {as_published(key): value for key, value in original.state_dict().items()}, "convnext_atto")
    assert torch.equal(forward_features(network, IMAGES), forward_features(original, IMAGES))


def matconvnet_layers(generator):
    """Return random weights of CNN-F as MatConvNet keeps them: (height, width, in, out)."""
    shapes = {"conv1": (11, 11, 3, 64), "conv2": (5, 5, 64, 256), "conv3": (3, 3, 256, 256)}
    shapes |= {"conv4": (3, 3, 256, 256), "conv5": (3, 3, 256, 256)}
    shapes |= {"fc6": (6, 6, 256, 4096), "fc7": (1, 1, 4096, 4096), "fc8": (1, 1, 4096, 10)}
    layers = []
    for name, shape in shapes.items():
        filters = generator.standard_normal(shape, np.float32) / np.float32(np.sqrt(np.prod(shape[:3])))
        bias = generator.standard_normal((1, shape[3]), np.float32)
        cell = np.empty((1, 2), object)
        cell[0, 0], cell[0, 1] = filters, bias
        layers.append({"name": name, "type": "conv", "weights": cell})
        layers.append({"name": f"relu{name[-1]}", "type": "relu"})
    cells = np.empty((1, len(layers)), object)
    cells[0] = layers
    return cells


@pytest.mark.slow
def test_a_matconvnet_file_gives_the_sums_that_its_filters_define(tmp_path):
    layers = matconvnet_layers(np.random.default_rng(0))
    path = tmp_path / "imagenet-vgg-f.mat"
    scipy.io.savemat(path, {"layers": layers})
    network = build_network("cnn_f", n_classes=10)
    record = load_weights(network, path, "cnn_f")
    path.unlink()  # it is large
    assert (record.form, record.n_matched, record.classifier_loaded) == ("matconvnet", 14, True)

    image = np.random.default_rng(1).standard_normal((224, 224, 3)).astype(np.float32)
    tensor = torch.from_numpy(image.transpose(2, 0, 1))[None]
    pairs = {layer["name"]: layer["weights"][0] for layer in layers[0] if "weights" in layer}

    filters, bias = pairs["conv1"]
    first = forward_features(network, tensor, "conv1", "pre", "flatten").view(64, 54, 54)
    for row, column in ((0, 0), (7, 30), (53, 53)):
        patch = image[4 * row : 4 * row + 11, 4 * column : 4 * column + 11]
        expected = np.einsum("hwc,hwck->k", patch, filters) + bias[0]
        np.testing.assert_allclose(first[:, row, column], expected, rtol=1e-4, atol=1e-4)

    maps = forward_features(network, tensor, "pool5", pool="flatten").view(256, 6, 6).numpy()
    filters, bias = pairs["fc6"]
    expected = np.einsum("chw,hwck->k", maps, filters) + bias[0]
    np.testing.assert_allclose(forward_features(network, tensor, "fc6", "pre")[0], expected, rtol=1e-4, atol=1e-4)

    filters, bias = pairs["fc8"]
    expected = forward_features(network, tensor)[0].numpy() @ filters[0, 0] + bias[0]
    np.testing.assert_allclose(forward_features(network, tensor, "fc8")[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("source", [None, "packaged"])
def test_the_packaged_weights_are_loaded_whole(source):
    network = build_network("radiodeep-mini", in_channels=1, n_classes=0)
    record = load_weights(network, source, "radiodeep-mini")
    assert record.form == "packaged"
    assert record.n_matched == record.n_expected
    state = safetensors.torch.load(WEIGHTS.joinpath("radiodeep_mini.safetensors").read_bytes())
    assert torch.equal(network.stem[0].weight, state["stem.0.weight"].float())  # stored in half precision
    assert not record.classifier_loaded  # the network has none


def test_the_packaged_file_is_small_and_the_one_of_its_card():
    content = WEIGHTS.joinpath("radiodeep_mini.safetensors").read_bytes()
    card = json.loads(WEIGHTS.joinpath("radiodeep_mini.json").read_text())
    assert len(content) < 2_000_000
    assert hashlib.sha256(content).hexdigest() == card["sha256"]
    assert card["licence"] == "BSD-3-Clause"


def test_random_weights_come_back_for_the_same_seed_and_leave_the_global_state_alone():
    networks = [resnet() for _ in range(3)]
    state = torch.random.get_rng_state()
    records = [
        load_weights(network, "random", "resnet10t", seed=seed)
        for network, seed in zip(networks, (1, 1, 2), strict=True)
    ]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert equal(networks[0].state_dict(), networks[1].state_dict())
    assert records[0] == records[1]
    assert records[0].sha256 != records[2].sha256
    assert (records[0].form, records[0].seed) == ("random", 1)


def test_random_weights_can_be_drawn_for_a_transformer_of_another_size():
    network = build_network("vit_tiny_patch16_224", n_classes=0, image_size=64)
    record = load_weights(network, "random", "vit_tiny_patch16_224", seed=1)
    assert record.n_matched == record.n_expected


@pytest.mark.parametrize("seed", [None, -1, True, 0.5])
def test_random_weights_need_a_seed(seed):
    with pytest.raises(WeightsError, match=f'weights="random" needs a seed, an int >= 0, .*Got {seed!r}'):
        load_weights(resnet(), "random", "resnet10t", seed=seed)


def test_a_seed_for_weights_that_are_not_random_is_refused():
    with pytest.raises(WeightsError, match=r'A seed is only valid with weights="random"\. Got seed=1'):
        load_weights(resnet(), "packaged", "resnet10t", seed=1)


def test_random_weights_of_another_network_are_refused():
    with pytest.raises(WeightsError, match="The network is not a 'arch1'"):
        load_weights(resnet(), "random", "arch1", seed=0)


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (None, "cnn_f", "no packaged weights of 'cnn_f'. Use the path of a .safetensors"),
        (
            None,
            "resnet10t",
            'no packaged weights of \'resnet10t\'.*Use weights="pretrained".*weights="random" with a seed',
        ),
        ("packaged", "arch1", "no packaged weights of 'arch1'"),
        ("pretrained", "cnn_f", "'cnn_f' is not a timm model"),
        ("imagenet", "resnet10t", r"Cannot load weights from 'imagenet' \(str\). Use weights=\"pretrained\""),
        (3, "radiodeep-mini", r"Cannot load weights from '3' \(int\). Use weights=\"packaged\""),
    ],
)
def test_a_source_that_has_no_weights_is_refused_with_the_choices(source, name, message):
    with pytest.raises(WeightsError, match=message):
        load_weights(torch.nn.Linear(1, 1), source, name)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_weights_that_are_not_floating_point_numbers_are_refused(trained, dtype):
    state = state_of(trained) | {"conv1.0.weight": trained.state_dict()["conv1.0.weight"].to(dtype)}
    with pytest.raises(WeightsError, match=rf"must be floating-point numbers .*conv1\.0\.weight \({dtype}\)"):
        load_weights(resnet(n_classes=0), state, "resnet10t")


def test_weights_that_are_all_zero_are_refused(trained):
    state = {key: torch.zeros_like(value) for key, value in trained.state_dict().items()}
    with pytest.raises(WeightsError, match="all filters and matrices are zero"):
        load_weights(resnet(n_classes=0), state, "resnet10t")
