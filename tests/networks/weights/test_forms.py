"""Weights in the forms that others publish them: a file is written in each form, and loaded.

The originals are torchvision's networks where the form is theirs, and plain restatements of the publications elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import scipy.io
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional
from torchvision.models.convnext import CNBlockConfig

from radiodeep.exceptions import WeightsError
from radiodeep.networks.architectures.cnn_f import CnnM, CnnS
from radiodeep.networks.architectures.registry import input_specification
from radiodeep.networks.architectures.volumetric import VolumetricResNet
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.weights.loading import input_with, load_weights

IMAGES = torch.rand(2, 3, 75, 75, generator=torch.Generator().manual_seed(0))
LARGE = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
TOKENS = torch.rand(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))
CUBES = torch.rand(2, 1, 33, 30, 36, generator=torch.Generator().manual_seed(0))


@dataclass
class Published:
    """A file in a certain form, the network that it is for, and the features that the original makes of images."""

    name: str
    network: nn.Module
    images: torch.Tensor
    features: torch.Tensor
    state: dict
    origin: str | None
    file_name: str = "weights.pth"
    wrap: Callable = field(default=lambda state: state)
    backbone: Callable = field(default=lambda key: True)

    def write(self, folder, state):
        path = folder / self.file_name
        if path.suffix == ".mat":
            scipy.io.savemat(path, self.wrap(state))
        else:
            torch.save(self.wrap(dict(state)), path)
        return path


class Drawn(dict):
    """Weights drawn when a plain network first asks for them, by name and shape."""

    def __init__(self, seed=0):
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, name, *shape, fan_in=None):
        if name not in self:
            values = torch.randn(shape, generator=self.generator)
            if len(shape) > 1:
                values *= (2 / (fan_in or values[0].numel())) ** 0.5
            elif name.endswith("var"):
                values = values.abs() + 0.5
            else:
                values = values / 5 + (0 if name.endswith(("bias", "mean")) else 1)
            self[name] = values
        return self[name]


def unsettled(network, seed=0):
    """Give normalisations statistics and scales of their own, so that each of them counts."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0, 0.1)
    return network.eval()


@torch.inference_mode()
def torchvision_network(name):
    """Return torchvision's network, random, and the features that its classifier is given."""
    torch.manual_seed(0)
    if name == "convnext_tiny":
        settings = [
            CNBlockConfig(8, 16, 1),
            CNBlockConfig(16, 24, 2),
            CNBlockConfig(24, 32, 1),
            CNBlockConfig(32, None, 1),
        ]
        network = torchvision.models.ConvNeXt(settings, layer_scale=0.5)
    elif name == "inception_v3":
        network = torchvision.models.inception_v3(init_weights=False)
    else:
        network = getattr(torchvision.models, name)()
    if name.startswith("vgg"):
        full, narrow = nn.Linear(25088, 24), nn.Linear(24, 24)
        network.classifier = nn.Sequential(
            full, nn.ReLU(), nn.Dropout(), narrow, nn.ReLU(), nn.Dropout(), nn.Linear(24, 5)
        )
    network = unsettled(network)
    images = LARGE if name.startswith("vgg") else IMAGES
    seen = []
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    network(images)
    return network, images, seen[-1]


def timm_network(name):
    smaller = {"depths": (1, 2, 1, 1), "dims": (8, 16, 24, 32)} if name == "convnext_tiny" else {}
    network = timm.create_model(name, num_classes=0, **smaller)
    if name.startswith("vgg"):
        network.pre_logits = timm.models.vgg.ConvMlp(512, 24, 7)
    return network


def of_torchvision(name, origin=None):
    network, images, features = torchvision_network(name)
    return Published(name, timm_network(name), images, features, network.state_dict(), origin)


def old_densenet():
    published = of_torchvision("densenet121", "torchvision")
    for key in list(published.state):
        parts = key.split(".")
        if "denselayer" in key:
            parts[3] = f"{parts[3][:-1]}.{parts[3][-1]}"
        published.state[".".join(parts)] = published.state.pop(key)
    return published


def of_radimagenet(name, auxiliary=False):
    network, images, features = torchvision_network(name)
    if name == "inception_v3" and not auxiliary:
        del network.AuxLogits
    row = nn.Sequential(*list(network.children())[:-1])
    state = {f"backbone.{key}": value for key, value in row.state_dict().items()}
    return Published(
        name,
        timm_network(name),
        images,
        features,
        state,
        "radimagenet",
        f"{name}.pt",
        backbone=lambda key: ".15.conv" not in key,
    )


def of_biomedclip():
    torch.manual_seed(0)
    small = {"img_size": 56, "embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 0}
    trunk, network = (timm.create_model("vit_base_patch16_224", **small).eval() for _ in range(2))
    with torch.inference_mode():
        features = trunk(TOKENS)
    state = {f"visual.trunk.{key}": value for key, value in trunk.state_dict().items()}
    others = {"visual.head.proj.weight": (32, 48), "text.transformer.embeddings.word_embeddings.weight": (50, 32)}
    state |= {key: torch.randn(shape) for key, shape in others.items()} | {"logit_scale": torch.tensor(4.6)}
    return Published(
        "vit_base_patch16_224",
        network,
        TOKENS,
        features,
        state,
        "open_clip",
        "open_clip_pytorch_model.bin",
        backbone=lambda key: key.startswith("visual.trunk."),
    )


def plain_dinov2(weights, images, n_registers):
    """A vision transformer of two blocks, 48 numbers a patch of 14 x 14 and three heads, as Meta's files name it."""
    size = (48, 3, 14, 14)
    patches = functional.conv2d(
        images, weights("patch_embed.proj.weight", *size), weights("patch_embed.proj.bias", 48), 14
    )
    patches = patches.flatten(2).mT  # (n, patches, 48)
    weights("mask_token", 1, 48)
    tokens = torch.cat([weights("cls_token", 1, 1, 48).expand(len(images), -1, -1), patches], dim=1)
    tokens = tokens + weights("pos_embed", 1, 1 + patches.shape[1], 48)
    if n_registers:
        registers = weights("register_tokens", 1, n_registers, 48).expand(len(images), -1, -1)
        tokens = torch.cat([tokens[:, :1], registers, tokens[:, 1:]], dim=1)

    def norm(values, name):
        return functional.layer_norm(values, (48,), weights(f"{name}.weight", 48), weights(f"{name}.bias", 48), 1e-6)

    def full(values, name, width):
        return functional.linear(
            values, weights(f"{name}.weight", width, values.shape[-1]), weights(f"{name}.bias", width)
        )

    for number in range(2):
        block = f"blocks.{number}"
        triple = full(norm(tokens, f"{block}.norm1"), f"{block}.attn.qkv", 144)
        query, key, value = triple.unflatten(-1, (3, 3, 16)).permute(2, 0, 3, 1, 4)  # (n, heads, tokens, 16) each
        seen = (query @ key.mT / 4).softmax(-1) @ value
        seen = full(seen.transpose(1, 2).flatten(2), f"{block}.attn.proj", 48)
        tokens = tokens + weights(f"{block}.ls1.gamma", 48) * seen
        hidden = functional.gelu(full(norm(tokens, f"{block}.norm2"), f"{block}.mlp.fc1", 192))
        tokens = tokens + weights(f"{block}.ls2.gamma", 48) * full(hidden, f"{block}.mlp.fc2", 48)
    return norm(tokens, "norm")[:, 0]


def of_dinov2(n_registers=0):
    weights = Drawn()
    features = plain_dinov2(weights, TOKENS, n_registers)
    name = "vit_small_patch14_reg4_dinov2" if n_registers else "vit_small_patch14_dinov2"
    network = timm.create_model(name, img_size=56, embed_dim=48, depth=2, num_heads=3, num_classes=0)
    return Published(name, network, TOKENS, features, weights, "timm" if n_registers else None, "dinov2_vits14.pth")


def plain_resnet3d(weights, images, blocks, expansion, width, shortcut, offsets, steps):
    """The residual networks of MedicalNet and of MONAI, with one line for each thing that they do."""

    def convolve(maps, name, outer, size, stride=1, gap=1, offset=False):
        filters = weights(f"{name}.weight", outer, maps.shape[1], size, size, size)
        return functional.conv3d(
            maps, filters, weights(f"{name}.bias", outer) if offset else None, stride, gap * (size // 2), gap
        )

    def norm(maps, name):
        mean, var, scale, bias = (
            weights(f"{name}.{part}", maps.shape[1]) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(maps, mean, var, scale, bias)

    maps = norm(convolve(images, "conv1", width, 7, 2), "bn1").relu()
    maps = functional.max_pool3d(maps, 3, 2, 1)
    for stage, (count, (stride, gap)) in enumerate(zip(blocks, steps, strict=True), start=1):
        outer = width * 2 ** (stage - 1)
        for place in range(count):
            name, step = f"layer{stage}.{place}", stride if place == 0 else 1
            if expansion == 1:
                values = norm(convolve(maps, f"{name}.conv1", outer, 3, step, gap), f"{name}.bn1").relu()
                values = norm(convolve(values, f"{name}.conv2", outer, 3, 1, gap), f"{name}.bn2")
            else:
                values = norm(convolve(maps, f"{name}.conv1", outer, 1), f"{name}.bn1").relu()
                values = norm(convolve(values, f"{name}.conv2", outer, 3, step, gap), f"{name}.bn2").relu()
                values = norm(convolve(values, f"{name}.conv3", outer * 4, 1), f"{name}.bn3")
            if values.shape != maps.shape and shortcut == "A":
                kept = functional.avg_pool3d(maps, 1, step)
                missing = torch.zeros(len(kept), values.shape[1] - kept.shape[1], *kept.shape[2:])
                maps = torch.cat([kept, missing], dim=1)
            elif values.shape != maps.shape:
                maps = convolve(maps, f"{name}.downsample.0", values.shape[1], 1, step, offset=offsets)
                maps = norm(maps, f"{name}.downsample.1")
            maps = (values + maps).relu()
    return functional.adaptive_avg_pool3d(maps, 1).flatten(1)


def of_medicalnet(name, blocks, expansion, shortcut):
    weights, steps = Drawn(), ((1, 1), (2, 1), (1, 2), (1, 4))
    features = plain_resnet3d(weights, CUBES, blocks, expansion, 4, shortcut, False, steps)
    network = VolumetricResNet(1, 0, blocks, bottleneck=expansion == 4, width=4, shortcut=shortcut)

    def wrap(state):
        head = {"conv_seg.0.weight": torch.ones(32 * expansion, 32, 2, 2, 2)}  # of the segmentation
        return {"state_dict": {f"module.{key}": value for key, value in (state | head).items()}, "epoch": 0}

    return Published(name, network, CUBES, features, weights, None, f"{name[11:]}.pth", wrap)


def of_fcib():
    weights, steps = Drawn(), ((1, 1), (2, 1), (2, 1), (2, 1))
    features = plain_resnet3d(weights, CUBES, (3, 4, 6, 3), 4, 4, "B", True, steps)
    network = VolumetricResNet(1, 0, (3, 4, 6, 3), True, 4, shortcut_bias=True, dilated=False)

    def wrap(state):
        return {"trunk_state_dict": dict(state), "head_state_dict": {"0.weight": torch.ones(2, 2)}}

    return Published("fcib_resnet50", network, CUBES, features, weights, None, "fmcib.torch", wrap)


def plain_matconvnet(weights, image, layers):
    """MatConvNet's layers one by one, with its own paddings (top, bottom, left, right) and (height, width, in, out)."""
    maps = image
    for kind, name, *details in layers:
        if kind == "conv":
            outer, size, stride, pad = details
            shape = (size, size, maps.shape[1], outer)
            filters = weights(f"{name}.weight", *shape, fan_in=size**2 * maps.shape[1]).permute(3, 2, 0, 1)
            maps = functional.conv2d(maps, filters, weights(f"{name}.bias", outer), stride, pad).relu()
        elif kind == "norm":  # vl_nnnormalize with [5, 2, 1e-4, 0.75]
            squares = functional.pad(maps**2, (0, 0, 0, 0, 2, 2)).unfold(1, 5, 1).sum(-1)
            maps = maps / (2 + 1e-4 * squares) ** 0.75
        else:
            size, stride, end = details
            maps = functional.max_pool2d(functional.pad(maps, (0, end, 0, end), value=-torch.inf), size, stride)
    return maps.flatten(1)


TAIL = [("conv", f"conv{n}", 512, 3, 1, 1) for n in (3, 4, 5)]
FULL = [("conv", "fc6", 24, 6, 1, 0), ("conv", "fc7", 24, 1, 1, 0)]
CNN_M = [("conv", "conv1", 96, 7, 2, 0), ("norm", "norm1"), ("pool", "pool1", 3, 2, 0)]
CNN_M += [("conv", "conv2", 256, 5, 2, 1), ("norm", "norm2"), ("pool", "pool2", 3, 2, 1)]
CNN_M += [*TAIL, ("pool", "pool5", 3, 2, 0), *FULL]
CNN_S = [("conv", "conv1", 96, 7, 2, 0), ("norm", "norm1"), ("pool", "pool1", 3, 3, 2)]
CNN_S += [("conv", "conv2", 256, 5, 1, 0), ("pool", "pool2", 2, 2, 1), *TAIL, ("pool", "pool5", 3, 3, 1), *FULL]
VGG = []
for block, (count, width) in enumerate([(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)], start=1):
    VGG += [("conv", f"conv{block}_{place}", width, 3, 1, 1) for place in range(1, count + 1)]
    VGG += [("pool", f"pool{block}", 2, 2, 0)]
VGG += [("conv", "fc6", 24, 7, 1, 0), ("conv", "fc7", 24, 1, 1, 0)]


def matconvnet_layers(state, layers):
    """Return the layers as a file of MatConvNet has them."""
    cells = np.empty((1, len(layers)), object)
    for place, (kind, name, *details) in enumerate(layers):
        cells[0, place] = cell = {"name": name, "type": kind}
        if kind == "conv":
            cell["name"] = name if f"{name}.weight" in state else f"{name}x"  # a test may have changed it
            cell["weights"] = np.empty((1, 2), object)
            pair = (state[f"{cell['name']}.{part}"].numpy() for part in ("weight", "bias"))
            cell["weights"][0] = [values if values.ndim > 1 else values[:, None] for values in pair]
            cell |= {"stride": [details[2]] * 2, "pad": [details[3]] * 4}
        elif kind == "pool":
            size, stride, end = details
            cell |= {"pool": [size, size], "stride": [stride, stride], "pad": [0, end, 0, end]}
    return cells


def of_matconvnet(name, network, layers):
    weights = Drawn()
    features = plain_matconvnet(weights, LARGE, layers)
    colour = np.array([120.0, 110.0, 100.0], np.float32).reshape(1, 1, 3)

    def wrap(state):
        return {"layers": matconvnet_layers(state, layers), "meta": {"normalization": {"averageImage": colour}}}

    return Published(name, network(), LARGE, features, weights, "matconvnet", f"{name}.mat", wrap)


def narrow(network_class):
    return type("Narrow", (network_class,), {"n_features": 24})(n_classes=0)


FORMS = {
    "torchvision resnet": lambda: of_torchvision("resnet18"),
    "torchvision densenet": lambda: of_torchvision("densenet121"),
    "torchvision densenet, old": old_densenet,
    "torchvision vgg": lambda: of_torchvision("vgg11", "torchvision"),
    "torchvision convnext": lambda: of_torchvision("convnext_tiny", "torchvision"),
    "radimagenet resnet": lambda: of_radimagenet("resnet50"),
    "radimagenet densenet": lambda: of_radimagenet("densenet121"),
    "radimagenet inception": lambda: of_radimagenet("inception_v3"),
    "radimagenet inception with auxiliary part": lambda: of_radimagenet("inception_v3", auxiliary=True),
    "biomedclip": of_biomedclip,
    "dinov2": of_dinov2,
    "dinov2 with registers": lambda: of_dinov2(4),
    "medicalnet 10": lambda: of_medicalnet("medicalnet_resnet10", (1, 1, 1, 1), 1, "B"),
    "medicalnet 18": lambda: of_medicalnet("medicalnet_resnet18", (2, 2, 2, 2), 1, "A"),
    "medicalnet 34": lambda: of_medicalnet("medicalnet_resnet34", (3, 4, 6, 3), 1, "A"),
    "medicalnet 50": lambda: of_medicalnet("medicalnet_resnet50", (3, 4, 6, 3), 4, "B"),
    "fcib": of_fcib,
    "matconvnet cnn_m": lambda: of_matconvnet("cnn_m", lambda: narrow(CnnM), CNN_M),
    "matconvnet cnn_s": lambda: of_matconvnet("cnn_s", lambda: narrow(CnnS), CNN_S),
    "matconvnet vgg": lambda: of_matconvnet("vgg11", lambda: timm_network("vgg11"), VGG),
}


@pytest.fixture(scope="module", params=FORMS)
def published(request):
    return FORMS[request.param]()


def test_the_features_are_those_of_the_original(published, tmp_path):
    path = published.write(tmp_path, published.state)
    record = load_weights(published.network, path, published.name)
    features = forward_features(published.network, published.images)
    assert features.shape == published.features.shape
    scale = published.features.abs().max().item()
    assert published.features.std() > 0.01 * scale > 0
    torch.testing.assert_close(features, published.features, rtol=1e-5, atol=1e-5 * scale)
    assert record.n_matched == record.n_expected
    assert record.origin == published.origin


def test_a_file_with_a_tenth_of_its_names_changed_is_refused(published, tmp_path):
    state, before = {}, {key: value.clone() for key, value in published.network.state_dict().items()}
    layered = published.file_name.endswith(".mat")  # whose names are those of layers
    keys = [key for key in published.state if published.backbone(key) and "num_batches" not in key]
    names = list(dict.fromkeys(key.rpartition(".")[0] for key in keys)) if layered else keys
    chosen = set(names[4::10])
    for key, value in published.state.items():
        layer, _, last = key.rpartition(".")
        if layered and layer in chosen:
            state[f"{layer}x.{last}"] = value
        else:
            state[f"{key}x" if key in chosen else key] = value
    with pytest.raises(WeightsError, match=rf"do not belong to '{published.name}': .*Missing: "):
        load_weights(published.network, published.write(tmp_path, state), published.name)
    assert all(torch.equal(value, before[key]) for key, value in published.network.state_dict().items())


@pytest.mark.parametrize(
    ("form", "mean", "std"),
    [
        ("radimagenet resnet", (0.5,) * 3, (0.5,) * 3),
        ("biomedclip", (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        ("matconvnet cnn_m", (120 / 255, 110 / 255, 100 / 255), (1 / 255,) * 3),
        ("torchvision resnet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("dinov2", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_weights_bring_their_own_normalisation(tmp_path, form, mean, std):
    published = FORMS[form]()
    record = load_weights(published.network, published.write(tmp_path, published.state), published.name)
    wanted = input_with(published.name, record)
    assert wanted.mean == pytest.approx(mean)
    assert wanted.std == pytest.approx(std)
    assert wanted.size == input_specification(published.name).size


@pytest.mark.parametrize("form", ["one pixel", "an image", "none"])
def test_the_mean_colour_of_a_very_deep_network_is_that_of_its_file_or_of_imagenet(tmp_path, form):
    published = FORMS["matconvnet vgg"]()
    colours = {
        "one pixel": np.array([[[1, 2, 3]]]),
        "an image": np.stack([[[0, 2]] * 4, [[2, 2]] * 4, [[3, 3]] * 4], -1),
    }
    content = {"layers": matconvnet_layers(published.state, VGG)}
    if form != "none":  # as files of before 2016 have it, which know no `meta`
        content["normalization"] = {"averageImage": colours[form].astype(np.float32)}
    scipy.io.savemat(tmp_path / "net.mat", content)
    record = load_weights(published.network, tmp_path / "net.mat", "vgg11")
    expected = (123.68, 116.779, 103.939) if form == "none" else (1, 2, 3)
    assert [255 * value for value in record.mean] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (("conv", "conv2", 256, 5, 1, 1), r"expected 'conv2\.pad' to be 0\. Got \[1, 1, 1, 1\]"),
        (("conv", "conv2", 256, 5, 2, 0), r"expected 'conv2\.stride' to be 1\. Got \[2, 2\]"),
        (("pool", "pool2", 3, 2, 1), r"expected 'pool2\.pool' to be 2\. Got \[3, 3\]"),
        (("pool", "pool2", 2, 3, 1), r"expected 'pool2\.stride' to be 2\. Got \[3, 3\]"),
    ],
)
def test_a_file_whose_layers_move_or_pad_otherwise_is_refused(tmp_path, layer, message):
    published = FORMS["matconvnet cnn_s"]()
    layers = [layer if layer[1] == other[1] else other for other in CNN_S]
    scipy.io.savemat(tmp_path / "net.mat", {"layers": matconvnet_layers(published.state, layers)})
    with pytest.raises(WeightsError, match=f"belongs to another network: {message}"):
        load_weights(published.network, tmp_path / "net.mat", "cnn_s")


def test_radimagenet_converted_from_keras_is_refused_and_says_what_it_is():
    state = unsettled(torchvision.models.resnet18()).state_dict()
    for key in [key for key in state if "conv" in key]:
        state[key.replace("weight", "bias")] = torch.zeros(len(state[key]))
    network = timm_network("resnet18")
    before = network.conv1.weight.clone()
    with pytest.raises(WeightsError, match=r"no place for 17 .*Unexpected: conv1\.bias.*converted from Keras.*authors"):
        load_weights(network, state, "resnet18")
    assert torch.equal(network.conv1.weight, before)


def test_medicalnet_with_learned_short_cuts_is_refused_by_the_network_without():
    learned = VolumetricResNet(blocks=(2, 2, 2, 2), width=4, shortcut="B")
    plain = VolumetricResNet(blocks=(2, 2, 2, 2), width=4, shortcut="A")
    with pytest.raises(WeightsError, match=r"no place for 9 .*Unexpected: layer2\.0\.downsample\.0\.weight"):
        load_weights(plain, learned.state_dict(), "medicalnet_resnet18")
    with pytest.raises(WeightsError, match=r"Missing: layer2\.0\.downsample\.0\.weight"):
        load_weights(learned, plain.state_dict(), "medicalnet_resnet10")


def test_the_positions_of_dinov2_are_brought_to_the_size_of_the_network():
    published = of_dinov2()
    network = timm.create_model(published.name, img_size=84, embed_dim=48, depth=2, num_heads=3, num_classes=0)
    record = load_weights(network, published.state, published.name)
    assert record.n_matched == record.n_expected
    grid = published.state["pos_embed"][:, 1:].mT.unflatten(2, (4, 4))
    expected = functional.interpolate(grid, (6, 6), mode="bicubic", antialias=True).flatten(2).mT
    torch.testing.assert_close(network.pos_embed[:, 1:].detach(), expected)
    assert torch.equal(network.pos_embed[:, :1], published.state["pos_embed"][:, :1])


def test_a_turned_matrix_is_not_taken_for_the_right_one():
    published = of_biomedclip()
    key = "visual.trunk.blocks.0.mlp.fc1.weight"
    turned = published.state | {key: published.state[key].T.contiguous()}
    with pytest.raises(WeightsError, match=r"blocks\.0\.mlp\.fc1\.weight \(expected \(192, 48\), got \(48, 192\)\)"):
        load_weights(published.network, turned, published.name)
