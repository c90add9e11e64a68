"""Weights under the names that they were published with go in, the same under the names of the network come out."""

import re
import sys

import torch

from radiodeep.exceptions import WeightsError
from radiodeep.networks.weights.files import GEOMETRY, MEAN_COLOUR

_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_HALVES = ((0.5,) * 3, (0.5,) * 3)
_VGG_COLOUR = (123.68, 116.779, 103.939)  # of ImageNet, where a file of VGG does not say it
# The numbers that the parts of a torchvision network get when they are put in a row; those without weights left out.
_INCEPTION = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "")
_INCEPTION += tuple(f"Mixed_{part}" for part in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e"))
_ROWS = {
    "resnet": ("conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4"),
    "densenet": ("features",),
    "inception_v3": _INCEPTION,
}
_TORCHVISION = {
    # Files of densenet that are older than torchvision 0.3 have a point in "norm.1".
    "densenet": ((r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2"),),
    "vgg": (
        (r"^classifier\.0\.", "pre_logits.fc1."),
        (r"^classifier\.3\.", "pre_logits.fc2."),
        (r"^classifier\.6\.", "head.fc."),
    ),
    "convnext": (
        (r"^features\.0\.", "stem."),
        (r"^features\.([1357])\.(\d+)\.", lambda found: f"stages.{int(found[1]) // 2}.blocks.{found[2]}."),
        (r"^features\.([246])\.", lambda found: f"stages.{int(found[1]) // 2}.downsample."),
        (r"\.layer_scale$", ".gamma"),
        (r"\.block\.0\.", ".conv_dw."),
        (r"\.block\.2\.", ".norm."),
        (r"\.block\.3\.", ".mlp.fc1."),
        (r"\.block\.5\.", ".mlp.fc2."),
        (r"^classifier\.0\.", "head.norm."),
        (r"^classifier\.2\.", "head.fc."),
    ),
}


def renamed_for(network, name, state, form, expected):
    """Give published weights the names and shapes that a network expects.

    Parameters
    ----------
    network : torch.nn.Module
    name : str
        Its name.
    state : dict of str to tensor
    form : str
        Of their file, "matconvnet" or any other.
    expected : dict of str to tuple of int
        The names and shapes that the network wants.

    Returns
    -------
    state : dict of str to tensor
        As it came if no known form fits it.
    origin : str or None
        The program whose names were replaced.
    normalization : (mean, std) or None
        What these weights want of images of 0..1, where their file or form settles it.
    """
    if form == "matconvnet":
        state, normalization = _of_matconvnet(network, name, state)
        return _shaped(state, expected), "matconvnet", normalization
    for origin, rename, normalization in (
        ("radimagenet", _of_radimagenet, _HALVES),
        ("open_clip", _of_open_clip, None if "siglip" in name or "mci" in name else _CLIP),
        ("torchvision", _of_torchvision, None),
    ):
        renamed = _shaped(rename(name, state), expected)
        if _fitting(renamed, expected) > _fitting(state, expected):
            return renamed, origin, normalization
    renamed = _by_timm(network, state)
    return (renamed, "timm", None) if _fitting(renamed, expected) > _fitting(state, expected) else (state, None, None)


def _fitting(state, expected):
    return sum(key in state and tuple(state[key].shape) == shape for key, shape in expected.items())


def _shaped(state, expected):
    """Let full layers be filters as large as their input, and scales have an axis for each of the image's."""
    shaped = {}
    for key, value in state.items():
        shape = torch.Size(expected.get(key, value.shape))
        # Never two matrices into each other: those of one could be the other's, turned.
        alike = value.ndim not in (0, len(shape)) and value.shape[0] == shape[0] and value.numel() == shape.numel()
        shaped[key] = value.reshape(shape) if alike else value
    return shaped


def _of_radimagenet(name, state):
    """Names of the authors' PyTorch files: the parts of torchvision's network in a row, `backbone.N.`."""
    row = next((row for family, row in _ROWS.items() if name.startswith(family)), ())
    if row is _INCEPTION:  # may have a part for training alone before the last three
        auxiliary = any(re.match(r"(backbone\.)?15\.conv0\.", key) for key in state)
        row = (*row, *(("AuxLogits",) if auxiliary else ()), "Mixed_7a", "Mixed_7b", "Mixed_7c")
    places = {str(number): part for number, part in enumerate(row) if part}
    renamed = {}
    for key, value in state.items():
        number, _, rest = key.removeprefix("backbone.").partition(".")
        renamed[f"{places[number]}.{rest}" if number in places else key] = value
    return renamed


def _of_open_clip(name, state):
    """Names of a model for images and text (BiomedCLIP): the network of timm is its `visual.trunk.`."""
    trunk = "visual.trunk."
    return {key.removeprefix(trunk): value for key, value in state.items() if key.startswith(trunk)}


def _of_torchvision(name, state):
    rules = next((rules for family, rules in _TORCHVISION.items() if name.startswith(family)), ())
    renamed = {}
    for key, value in state.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    return renamed


def _of_matconvnet(network, name, state):
    """Names of the very deep networks (`conv1_1` to `fc8`) as those of timm; all were trained on 0..255, undivided."""
    places, colour = {}, state.get(MEAN_COLOUR)
    if name.startswith("vgg"):
        places, block, place = {"fc6": "pre_logits.fc1", "fc7": "pre_logits.fc2", "fc8": "head.fc"}, 1, 0
        for number, module in network.features.named_children():
            if isinstance(module, torch.nn.MaxPool2d):
                block, place = block + 1, 0
            elif isinstance(module, torch.nn.Conv2d):
                place += 1
                places[f"conv{block}_{place}"] = f"features.{number}"
        colour = _VGG_COLOUR if colour is None else colour
    modules, renamed = dict(network.named_modules()), {}
    for key, value in state.items():
        layer, _, part = key.rpartition(".")
        if part in GEOMETRY:
            _check_geometry(modules.get(places.get(layer, layer)), key, value)
        elif key != MEAN_COLOUR:
            renamed[f"{places.get(layer, layer)}.{part}"] = value
    return renamed, colour if colour is None else (tuple(float(value) / 255 for value in colour), (1 / 255,) * 3)


def _check_geometry(module, key, values):
    """Raise if a layer moves or pads otherwise than that of the network: its weights would fit all the same."""
    part, convolution = key.rpartition(".")[2], isinstance(module, torch.nn.Conv2d)
    if not convolution and (part == "pad" or not isinstance(module, torch.nn.MaxPool2d)):
        return  # the paddings of poolings at their end are what ceil_mode does
    here = getattr(module, {"stride": "stride", "pad": "padding", "pool": "kernel_size"}[part])
    here = here if isinstance(here, int) else here[0]
    if any(value != here for value in values.tolist()):
        raise WeightsError(
            f"The file is of another network: '{key}' is {values.tolist()} there and {here} here. Give the published "
            "file of this network."
        )


def _by_timm(network, state):
    """Let timm rename what it can, but not load: it would go on without the names that it does not find."""
    rename = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if rename is None:
        return state
    try:
        renamed = rename(dict(state), network)
    except (RuntimeError, LookupError, ValueError, AttributeError, TypeError, AssertionError):
        return state  # no form that timm knows either
    return {key: value for key, value in renamed.items() if isinstance(value, torch.Tensor)}
