"""Weights under published names -> the same weights under the names of the network."""

import re
import sys

import torch

from radiodeep.exceptions import WeightsError
from radiodeep.networks.weights.files import GEOMETRY, MEAN_COLOUR

_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_HALVES = ((0.5,) * 3, (0.5,) * 3)
_VGG_COLOUR = (123.68, 116.779, 103.939)  # mean of ImageNet, for VGG files that do not define one
# Modules of torchvision networks by their number in an nn.Sequential; "" for modules without weights.
_INCEPTION = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "")
_INCEPTION += tuple(f"Mixed_{part}" for part in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e"))
_SEQUENCES = {
    "resnet": ("conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4"),
    "densenet": ("features",),
    "inception_v3": _INCEPTION,
}
_TORCHVISION = {
    # Densenet files older than torchvision 0.3 have a dot in "norm.1".
    "densenet": ((r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2"),),
    "vgg": (
        (r"^classifier\.0\.", "pre_logits.fc1."),
        (r"^classifier\.3\.", "pre_logits.fc2."),
        (r"^classifier\.6\.", "head.fc."),
    ),
    "convnext": (
        (r"^features\.0\.", "stem."),
        (r"^features\.([1357])\.(\d+)\.", lambda match: f"stages.{int(match[1]) // 2}.blocks.{match[2]}."),
        (r"^features\.([246])\.", lambda match: f"stages.{int(match[1]) // 2}.downsample."),
        (r"\.layer_scale$", ".gamma"),
        (r"\.block\.0\.", ".conv_dw."),
        (r"\.block\.2\.", ".norm."),
        (r"\.block\.3\.", ".mlp.fc1."),
        (r"\.block\.5\.", ".mlp.fc2."),
        (r"^classifier\.0\.", "head.norm."),
        (r"^classifier\.2\.", "head.fc."),
    ),
}
_TRANSFORMERS = (  # DINOv2; files of transformers 5 have names of their own for the parts of the attention
    (r"^(dinov2\.)?embeddings\.(cls_token|mask_token)$", r"\2"),
    (r"^(dinov2\.)?embeddings\.position_embeddings$", "pos_embed"),
    (r"^(dinov2\.)?embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^(dinov2\.)?layernorm\.", "norm."),
    (r"^(dinov2\.)?encoder\.layer\.", "blocks."),
    (r"\.attention\.(?:attention\.)?([qkv])(?:uery|ey|alue|_proj)\.", r".attn.\1."),
    (r"\.attention\.(?:output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
)


def renamed_for(network, name, stored, expected):
    """Translate `StoredWeights` to the names and shapes that the network of a name expects, a dict of shape by name.

    Return the weights by name, unchanged if no known form fits; the program whose names were translated, or None; and
    the (mean, std) of images in 0..1 that file or form define, or None.
    """
    state = stored.state
    if stored.form == "matconvnet":
        state, normalization = _rename_matconvnet(network, name, state)
        return _reshape(state, expected), "matconvnet", normalization
    n_fitting = _count_fitting(state, expected)
    for origin, rename, normalization in (
        ("radimagenet", _rename_radimagenet, _HALVES),
        ("open_clip", _rename_open_clip, None if "siglip" in name or "mci" in name else _CLIP),
        ("torchvision", _rename_torchvision, None),
        ("transformers", _rename_transformers, None),
    ):
        renamed = _reshape(rename(name, state), expected)
        if _count_fitting(renamed, expected) > n_fitting:
            return renamed, origin, normalization
    renamed = _rename_by_timm(network, state)
    if _count_fitting(renamed, expected) > n_fitting:
        return renamed, "timm", None
    return _part_with_names(state, expected), None, None


def _part_with_names(state, names):
    """Return the part of a larger network that has the given names after a common prefix, without the prefix.

    The part that has the most of the names is chosen; the state is returned as it is if there is no such part. Raise
    WeightsError if two parts, such as a student and a teacher, have all names.
    """
    n_names = {"": sum(name in state for name in names)}
    for key in state:
        parts = key.split(".")
        for end in range(1, len(parts)):
            if ".".join(parts[end:]) in names:
                prefix = ".".join(parts[:end]) + "."
                n_names[prefix] = n_names.get(prefix, 0) + 1
    best = max(n_names.values())
    prefixes = [prefix for prefix, number in n_names.items() if number == best]
    if "" in prefixes or (len(prefixes) > 1 and best < len(names)):
        return state
    if len(prefixes) > 1:
        raise WeightsError(
            f"The file holds the network {len(prefixes)} times: under {', '.join(map(repr, prefixes))}. Save the "
            "weights of one of them."
        )
    return {key.removeprefix(prefixes[0]): value for key, value in state.items() if key.startswith(prefixes[0])}


def _count_fitting(state, expected):
    return sum(key in state and tuple(state[key].shape) == shape for key, shape in expected.items())


def _reshape(state, expected):
    """Reshape dense layers to filters of the size of their input, and scales to one axis per image axis."""
    shaped = {}
    for key, value in state.items():
        shape = torch.Size(expected.get(key, value.shape))
        # Two matrices are never reshaped into each other, since one could be the transpose of the other.
        fits = value.ndim not in (0, len(shape)) and value.shape[0] == shape[0] and value.numel() == shape.numel()
        shaped[key] = value.reshape(shape) if fits else value
    return shaped


def _rename_radimagenet(name, state):
    """Translate names of the authors' PyTorch files: torchvision's modules in a sequence, `backbone.N.`."""
    modules = next((modules for family, modules in _SEQUENCES.items() if name.startswith(family)), ())
    if modules is _INCEPTION:  # the auxiliary classifier may stand before the last three modules
        has_auxiliary = any(re.match(r"(backbone\.)?15\.conv0\.", key) for key in state)
        modules = (*modules, *(("AuxLogits",) if has_auxiliary else ()), "Mixed_7a", "Mixed_7b", "Mixed_7c")
    module_of_number = {str(number): module for number, module in enumerate(modules) if module}
    renamed = {}
    for key, value in state.items():
        number, _, rest = key.removeprefix("backbone.").partition(".")
        renamed[f"{module_of_number[number]}.{rest}" if number in module_of_number else key] = value
    return renamed


def _rename_open_clip(name, state):
    """Return the timm network under `visual.trunk.` of an image-text model such as BiomedCLIP."""
    trunk = "visual.trunk."
    return {key.removeprefix(trunk): value for key, value in state.items() if key.startswith(trunk)}


def _rename_torchvision(name, state):
    rules = next((rules for family, rules in _TORCHVISION.items() if name.startswith(family)), ())
    renamed = {}
    for key, value in state.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    return renamed


def _rename_transformers(name, state):
    """Translate names of DINOv2 in transformers, where query, key and value are three matrices, to timm's."""
    renamed, parts = {}, {}
    for key, value in state.items():
        for pattern, replacement in _TRANSFORMERS:
            key = re.sub(pattern, replacement, key)
        third = re.search(r"\.attn\.([qkv])\.", key)
        if third:
            parts.setdefault(key.replace(third[0], ".attn.qkv."), {})[third[1]] = value
        else:
            renamed[key] = value
    whole = {key: torch.cat([part[each] for each in "qkv"]) for key, part in parts.items() if len(part) == 3}
    return renamed | whole


def _rename_matconvnet(network, name, state):
    """Translate MatConvNet names (`conv1_1` to `fc8` for VGG); all were trained on intensities 0..255, undivided."""
    colour = state.get(MEAN_COLOUR)
    timm_names = {}
    if name.startswith("vgg"):
        timm_names = _vgg_names(network)
        colour = _VGG_COLOUR if colour is None else colour
    modules = dict(network.named_modules())
    renamed = {}
    for key, value in state.items():
        layer, _, part = key.rpartition(".")
        layer = timm_names.get(layer, layer)
        if part in GEOMETRY:
            _check_geometry(modules.get(layer), key, value)
        elif key != MEAN_COLOUR:
            renamed[f"{layer}.{part}"] = value
    if colour is None:
        return renamed, None
    return renamed, (tuple(float(value) / 255 for value in colour), (1 / 255,) * 3)


def _vgg_names(network):
    """Return the names of timm's VGG by those of MatConvNet."""
    names = {"fc6": "pre_logits.fc1", "fc7": "pre_logits.fc2", "fc8": "head.fc"}
    block = 1
    convolution = 0
    for number, module in network.features.named_children():
        if isinstance(module, torch.nn.MaxPool2d):
            block += 1
            convolution = 0
        elif isinstance(module, torch.nn.Conv2d):
            convolution += 1
            names[f"conv{block}_{convolution}"] = f"features.{number}"
    return names


def _check_geometry(module, key, values):
    """Raise if stride, padding or pooling size differ from the network's, which shapes of weights do not reveal."""
    part = key.rpartition(".")[2]
    is_convolution = isinstance(module, torch.nn.Conv2d)
    if not is_convolution and (part == "pad" or not isinstance(module, torch.nn.MaxPool2d)):
        return  # ceil_mode replaces the padding of pooling layers
    expected = getattr(module, {"stride": "stride", "pad": "padding", "pool": "kernel_size"}[part])
    expected = expected if isinstance(expected, int) else expected[0]
    if any(value != expected for value in values.tolist()):
        raise WeightsError(
            f"The file belongs to another network: expected '{key}' to be {expected}. Got {values.tolist()} instead. "
            "Use the published file of this network."
        )


def _rename_by_timm(network, state):
    """Let timm translate names, but not load the weights, since it would ignore missing ones."""
    rename = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if rename is None:
        return state
    try:
        renamed = rename(dict(state), network)
    except (RuntimeError, LookupError, ValueError, AttributeError, TypeError, AssertionError):
        return state  # timm does not know the form either
    return {key: value for key, value in renamed.items() if isinstance(value, torch.Tensor)}
