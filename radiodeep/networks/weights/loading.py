"""A network and the source of its weights go in; the network leaves with exactly those weights, or an error is raised.

Nothing here ever puts random numbers in the place of weights that could not be loaded.
"""

import importlib.resources
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from radiodeep.exceptions import RadiodeepWarning, WeightsError
from radiodeep.networks.architectures.registry import (
    build_network,
    first_channels,
    first_convolution,
    input_specification,
    is_own,
)
from radiodeep.networks.weights.files import SUFFIXES, hash_of_state, read_weights_file, unwrap_state
from radiodeep.networks.weights.forms import renamed_for
from radiodeep.networks.weights.hub import find_hub_weights

_PACKAGED = {"radiodeep-mini": "radiodeep_mini.safetensors"}
_SHARE_NEEDED = 0.95
_KERAS = (
    " Offsets of convolutions before a normalisation are those of a network converted from Keras, as some copies of "
    "RadImageNet are. Take the authors' PyTorch file (its names begin with 'backbone.')."
)


@dataclass(frozen=True)
class WeightsRecord:
    """Which weights a network got.

    Attributes
    ----------
    form : {"packaged", "pretrained", "safetensors", "pytorch", "matconvnet", "state dict", "random"}
    sha256 : str
        Of the file; of names, shapes and values where there was none.
    n_matched, n_expected : int
        Weights and buffers of the network without its classifier: set, and in all.
    classifier_loaded : bool
        The last layer, too, came from the source.
    seed : int or None
        Of random weights.
    origin : {"radimagenet", "open_clip", "torchvision", "matconvnet", "timm"} or None
        The program whose names were replaced by those of the network; None if they fitted as they were.
    mean, std : tuple of float, or None
        Normalisation of images of 0..1 that these weights want, where they settle it; `input_with` makes use of it.
    """

    form: str
    sha256: str
    n_matched: int
    n_expected: int
    classifier_loaded: bool
    seed: int | None = None
    origin: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def input_with(name, record):
    """Return what a network wants to be given when it has certain weights.

    Parameters
    ----------
    name : str
        Of the network.
    record : WeightsRecord
        From `load_weights`.

    Returns
    -------
    NetworkInput
        As `input_specification(name)`, with the normalisation that belongs to the weights.

    Examples
    --------
    >>> from radiodeep.networks.architectures.registry import build_network
    >>> from radiodeep.networks.weights.loading import input_with, load_weights
    >>> network = build_network("resnet18", n_classes=0)
    >>> parts = dict(enumerate(("conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4")))
    >>> radimagenet = {
    ...     f"backbone.{number}.{key.partition('.')[2]}": weights
    ...     for number, part in parts.items()
    ...     for key, weights in network.state_dict().items()
    ...     if part and key.startswith(f"{part}.")
    ... }
    >>> record = load_weights(network, radimagenet, "resnet18")
    >>> record.origin, input_with("resnet18", record).mean
    ('radimagenet', (0.5, 0.5, 0.5))
    """
    specification = input_specification(name)
    return specification if record.mean is None else replace(specification, mean=record.mean, std=record.std)


def has_packaged_weights(name):
    """Say whether trained weights of this network come with the package."""
    return name in _PACKAGED


def load_weights(network, source, name, seed=None):
    """Give a network its weights, or raise and leave it as it was.

    Parameters
    ----------
    network : torch.nn.Module
        From `build_network(name)`; changed in place.
    source : None, str, path-like or mapping of str to tensor
        - None: the weights that come with the package, if there are any.
        - "packaged": the same, written out.
        - "pretrained": as published for a model of timm; looked for in the local cache of the Hugging Face hub
          before the hub itself.
        - "random": drawn from `seed`; features of such a network mean little.
        - the path of a `.safetensors`, `.pth`, `.pt`, `.bin`, `.torch` or `.mat` file, in a form of the table below.
        - a state dict in such a form.
    name : str
        The network's name.
    seed : int, optional
        Needed for "random", and for nothing else.

    Returns
    -------
    WeightsRecord

    Raises
    ------
    WeightsError
        The source is missing, unreadable, unsafe, or does not belong to the network: a weight of another shape, a
        filter or matrix missing, fewer than 95 % of all names matched, or weights inside a part of the network that
        has no place for them.

    Notes
    -----
    Forms that are known by the names of the weights, for a network from `build_network`:

    ============================  =========================================  ====================================
    form                          names in the file                          networks
    ============================  =========================================  ====================================
    timm, or a network from here  those of the network                       all
    torchvision                   torchvision's                              resnet, densenet, inception_v3, vgg,
                                                                             convnext
    RadImageNet, PyTorch          `backbone.0.weight` ...                    resnet50, densenet121, inception_v3
    BiomedCLIP, open_clip         `visual.trunk.` ... beside those for text  vit_base_patch16_224, others of timm
    DINOv2                        Meta's own                                 vit_..._patch14_dinov2; position
                                                                             embedding resized to the network's
    MedicalNet                    `module.` ... in `state_dict`              medicalnet_resnet10, 18, 34, 50
    FCIB                          those of MONAI in `trunk_state_dict`       fcib_resnet50
    MatConvNet (.mat)             `conv1` to `fc8`                           cnn_f, cnn_m, cnn_s
    MatConvNet (.mat)             `conv1_1` to `fc8`                         vgg16, vgg19
    ============================  =========================================  ====================================

    RadImageNet and BiomedCLIP want another normalisation than timm's weights of the same network, and a `.mat` file
    has its own mean colour: `input_with(name, record)` knows. ResNet50 of RadImageNet converted from Keras is another
    network (offsets in its convolutions, another stride) and is refused.

    Warns
    -----
    RadiodeepWarning
        Up to 5 % of the names, none of them a filter or a matrix, are missing in the source; those offsets and
        scales stay as they were.

    Examples
    --------
    >>> from radiodeep.networks.architectures.registry import build_network
    >>> from radiodeep.networks.weights.loading import load_weights
    >>> network = build_network("radiodeep-mini", in_channels=1, n_classes=0)
    >>> record = load_weights(network, "packaged", "radiodeep-mini")
    >>> record.n_matched == record.n_expected
    True
    >>> load_weights(build_network("cnn_f"), None, "cnn_f")
    Traceback (most recent call last):
    radiodeep.exceptions.WeightsError: No weights of 'cnn_f' come with the package. ...
    """
    if isinstance(source, str) and source == "random":
        return _draw(network, name, seed)
    if seed is not None:
        raise WeightsError(f'A seed belongs to weights="random" alone. Got seed={seed!r} with {source!r} instead.')
    state, form, digest = _read(source, name)
    state, origin, normalization = renamed_for(network, name, state, form, _expected(network))
    n_matched, n_expected = _check(network, state, name, form)
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    present = {key for key, shape in shapes.items() if key in state and state[key].shape == shape}
    classifier = {key for key in shapes if key.startswith(classifier_names(network))}
    whole = bool(classifier) and classifier <= present
    chosen = present if whole else present - classifier
    network.load_state_dict({key: state[key] for key in chosen}, strict=False)
    # What a hub publishes, timm describes itself.
    mean, std = (None, None) if normalization is None or form == "pretrained" else normalization
    return WeightsRecord(form, digest, n_matched, n_expected, whole, origin=origin, mean=mean, std=std)


def _read(source, name):
    """Return (state, form, sha256) of any source but "random"."""
    if source is None or (isinstance(source, str) and source == "packaged"):
        if name not in _PACKAGED:
            raise WeightsError(f"No weights of '{name}' come with the package. {_choices(name)}")
        resource = importlib.resources.files("radiodeep.networks.weights").joinpath(_PACKAGED[name])
        with importlib.resources.as_file(resource) as path:
            state, _, digest = read_weights_file(path)
        return state, "packaged", digest
    if isinstance(source, str) and source == "pretrained":
        if is_own(name):
            raise WeightsError(
                f"'{name}' is no model of timm, so none of its hubs has weights for it. {_choices(name)}"
            )
        state, _, digest = read_weights_file(find_hub_weights(name))
        return state, "pretrained", digest
    if isinstance(source, Mapping):
        state = unwrap_state(source, "state dict")
        return state, "state dict", hash_of_state(state)
    if not isinstance(source, str | os.PathLike) or Path(source).suffix.lower() not in SUFFIXES:
        raise WeightsError(
            f"No weights can be had from {str(source)!r:.200} ({type(source).__name__}). {_choices(name)}"
        )
    return read_weights_file(source)


def _choices(name):
    choices = ['weights="packaged"'] if name in _PACKAGED else []
    choices += [] if is_own(name) else ['weights="pretrained" (published weights of timm)']
    choices += [f"the path of a {', '.join(SUFFIXES)} file", "a state dict", 'weights="random" with a seed']
    return f"Give {', or '.join(choices)}."


def classifier_names(network):
    """Return the names of the modules that turn features into classes."""
    names = getattr(network, "classifier_name", None) or getattr(network, "pretrained_cfg", {}).get("classifier")
    if not names:
        linear = [name for name, module in network.named_modules() if isinstance(module, torch.nn.Linear)]
        names = linear[-1:]
    names = (names,) if isinstance(names, str) else tuple(names)
    return tuple(f"{name}." for name in names)


def _expected(network):
    """Return name -> shape of all that a source must hold: all but the classifier and the counters."""
    prefixes = classifier_names(network)
    return {
        key: tuple(value.shape)
        for key, value in network.state_dict().items()
        if not key.startswith(prefixes) and not key.endswith("num_batches_tracked")
    }


def _check(network, state, name, form):
    """Return how many keys match and how many should; raise if they do not belong together."""
    expected = _expected(network)
    misshapen = [
        f"{key} (expected {shape}, got {tuple(state[key].shape)})"
        for key, shape in expected.items()
        if key in state and tuple(state[key].shape) != shape
    ]
    missing = [key for key in expected if key not in state]
    n_matched = len(expected) - len(misshapen) - len(missing)
    origin = f"{form} weights do not belong to '{name}'"
    drawn = {key for key, weights in network.named_parameters() if weights.ndim > 1}
    if misshapen or drawn.intersection(missing) or n_matched < _SHARE_NEEDED * len(expected):
        present = network.state_dict().keys()
        foreign = [key for key in state if key not in present]
        raise WeightsError(
            f"The {origin}: {n_matched} of its {len(expected)} weights match; at least 95 % must, and all "
            "filters and matrices."
            + _listing("Of another shape", misshapen)
            + _listing("Missing", missing)
            + _listing("In the source, but not in the network", foreign)
            + _channel_hint(network, state)
        )
    _check_values(network, state, expected, origin)
    homeless = _without_a_place(network, state)
    if homeless:
        offsets = all(key.endswith(".bias") for key in homeless)
        raise WeightsError(
            f"The {origin}: it has no place for {len(homeless)} of them, so it would compute something else than the "
            "network that they were learned in." + _listing("Without a place", homeless) + (_KERAS if offsets else "")
        )
    if missing:
        warnings.warn(
            f"{len(missing)} of {len(expected)} weights of '{name}' are not in the source and stay as they were."
            + _listing("Missing", missing),
            RadiodeepWarning,
            stacklevel=3,
        )
    return n_matched, len(expected)


def _check_values(network, state, expected, origin):
    """Raise unless what is a real number in the network is one in the source, and some filters are not zero."""
    real = [key for key, value in network.state_dict().items() if key in expected and value.is_floating_point()]
    other = [f"{key} ({state[key].dtype})" for key in real if key in state and not state[key].is_floating_point()]
    if other:
        raise WeightsError(
            f"The {origin}: weights must be floating-point numbers (float16, bfloat16, float32 or float64)."
            + _listing("Of another type", other)
        )
    filters = [key for key, weights in network.named_parameters() if weights.ndim > 1 and key in expected]
    if filters and not any(state[key].any() for key in filters if key in state):
        raise WeightsError(f"The {origin}: all of its filters and matrices are zero. Give weights that were trained.")


def _without_a_place(network, state):
    """Return the weights that belong inside a part of the network which has none of that name."""
    parts = {name for name, _ in network.named_children()}
    parts -= {name.partition(".")[0] for name in classifier_names(network)}
    present = network.state_dict().keys()
    foreign = (key for key in state if key not in present and key.endswith((".weight", ".bias")))
    return [key for key in foreign if key.partition(".")[0] in parts]


def _listing(title, names, most=6):
    if not names:
        return ""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f" {title}: {', '.join(names[:most])}{more}."


def _channel_hint(network, state):
    """Say so if the network was built for another number of image channels."""
    name, convolution = first_convolution(network)
    wanted = state.get(f"{name}.weight")
    if wanted is None or wanted.ndim != convolution.weight.ndim or wanted.shape[1] == convolution.in_channels:
        return ""
    n_channels = wanted.shape[1]
    return f" These weights are for images of {n_channels} channels: build_network(..., in_channels={n_channels})."


def _draw(network, name, seed):
    """Draw all weights as a new network of this name would, from a seed."""
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise WeightsError(f'weights="random" needs a seed, an int >= 0, so that they can be had again. Got {seed!r}.')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        side = getattr(getattr(network, "patch_embed", None), "img_size", None)  # of a transformer
        side = side[0] if isinstance(side, tuple) else side
        twin = build_network(name, first_channels(network) or 3, 0, image_size=side).state_dict()
        expected = _expected(network)
        if any(key not in twin or tuple(twin[key].shape) != shape for key, shape in expected.items()):
            raise WeightsError(f"The network is no '{name}', so no weights can be drawn for it. Give its own name.")
        network.load_state_dict({key: twin[key] for key in network.state_dict() if key in expected}, strict=False)
        for prefix in classifier_names(network):
            module = dict(network.named_modules()).get(prefix.rstrip("."))
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    digest = hash_of_state({key: network.state_dict()[key] for key in expected})
    return WeightsRecord("random", digest, len(expected), len(expected), False, seed)
