"""Network and source of weights -> network with exactly those weights, or an error.

Weights that cannot be loaded are never replaced by random numbers.
"""

import importlib.resources
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from radiodeep.checks import is_count
from radiodeep.exceptions import RadiodeepWarning, WeightsError
from radiodeep.files import WEIGHTS_SUFFIXES
from radiodeep.networks.architectures.registry import (
    build_network,
    first_channels,
    first_convolution,
    input_specification,
    is_own,
)
from radiodeep.networks.published import PUBLISHED
from radiodeep.networks.weights.files import StoredWeights, hash_of_state, read_weights_file, unwrap_state
from radiodeep.networks.weights.forms import renamed_for
from radiodeep.networks.weights.hub import find_hub_weights

_PACKAGED = {
    "radiodeep-mini": "radiodeep_mini.safetensors",
    "radiodeep-mini-3d": "radiodeep_mini_3d.safetensors",
}
_SHARE_NEEDED = 0.95
_KERAS_HINT = (
    " A bias in convolutions before a normalization points to a network converted from Keras, as some copies of "
    "RadImageNet are. Use the authors' PyTorch file (its names begin with 'backbone.')."
)


@dataclass(frozen=True)
class WeightsRecord:
    """Where the weights of a network came from.

    Attributes
    ----------
    form : {"packaged", "pretrained", "safetensors", "pytorch", "matconvnet", "state dict", "random"}
    sha256 : str
        Hash of the file, or of names, shapes and values without one.
    n_matched, n_expected : int
        Number of weights and buffers that were set and that the network has, without its classifier.
    classifier_loaded : bool
        Whether the last layer came from the source as well.
    seed : int or None
        Seed of random weights.
    origin : {"radimagenet", "open_clip", "torchvision", "transformers", "matconvnet", "timm"} or None
        The program whose names were translated; None if the names matched.
    mean, std : tuple of float, or None
        Normalization of images in 0..1 that belongs to the weights, if they define one; see `input_with`.
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
    """Return the `NetworkInput` of a network with the normalization that belongs to its weights, a `WeightsRecord`."""
    specification = input_specification(name)
    return specification if record.mean is None else replace(specification, mean=record.mean, std=record.std)


def load_weights(network, source, name, seed=None):
    """Load weights into a network, or raise and leave it unchanged.

    Parameters
    ----------
    network : torch.nn.Module
        From `build_network(name)`; modified in place.
    source : None, str, path-like or mapping of str to tensor
        - None or "packaged": the weights that come with the package.
        - "pretrained": the published weights of a timm model, from the local cache of the Hugging Face hub or from
          the hub.
        - "random": initialized from `seed`. Features of such a network mean little.
        - path of a `.safetensors`, `.pth`, `.pt`, `.ckpt`, `.bin`, `.torch` or `.mat` file in a form of the table
          below.
        - a state dict in such a form.
    name : str
        Name of the network.
    seed : int, optional
        Required for "random" and refused otherwise.

    Returns
    -------
    WeightsRecord

    Raises
    ------
    WeightsError
        If the source is missing, unreadable or unsafe, or does not belong to the network: a weight has another shape,
        a filter or matrix is missing, fewer than 95 % of all names match, or a part of the network has no place for
        some weights.

    Notes
    -----
    Forms are recognized by the names of the weights:

    ============================  =========================================  ====================================
    form                          names in the file                          networks
    ============================  =========================================  ====================================
    timm or radiodeep             those of the network                       all
    torchvision                   torchvision's                              resnet, densenet, inception_v3, vgg,
                                                                             convnext
    RadImageNet, PyTorch          `backbone.0.weight` ...                    resnet50, densenet121, inception_v3
    BiomedCLIP, open_clip         `visual.trunk.` ... beside those for text  vit_base_patch16_224, others of timm
    DINOv2                        Meta's own                                 vit_..._patch14_dinov2; position
                                                                             embedding resized to the network's
    MedicalNet                    `module.` ... in `state_dict`              medicalnet_resnet10, 18, 34, 50
    FCIB                          those of MONAI in `trunk_state_dict`       fcib_resnet50
    transformers                  `encoder.layer.0.` ...                     rad-dino, curia, vit_..._patch14_dinov2
    part of a larger network      those of the network after a prefix, e.g.  all, e.g. ct-fm, vista3d, suprem-unet,
                                  `image_encoder.encoder.`                   models-genesis, brainiac, voco-b
    MatConvNet (.mat)             `conv1` to `fc8`                           cnn_f, cnn_m, cnn_s
    MatConvNet (.mat)             `conv1_1` to `fc8`                         vgg16, vgg19
    ============================  =========================================  ====================================

    RadImageNet and BiomedCLIP need another normalization than timm's weights of the same network, and a `.mat` file
    defines its mean colour; `input_with(name, record)` returns them. A ResNet50 of RadImageNet converted from Keras is
    a different network (biases in convolutions, other strides) and is refused.

    Warns
    -----
    RadiodeepWarning
        If up to 5 % of the names, none of them a filter or a matrix, are missing in the source. Those biases and
        scales keep their values.

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
    radiodeep.exceptions.WeightsError: There are no packaged weights of 'cnn_f'. ...
    """
    if isinstance(source, str) and source == "random":
        return _draw_weights(network, name, seed)
    if seed is not None:
        raise WeightsError(f'A seed is only valid with weights="random". Got seed={seed!r} with {source!r} instead.')
    stored = _read(source, name)
    state, origin, normalization = renamed_for(network, name, stored, _expected_shapes(network))
    n_matched, n_expected = _require_match(network, state, name, stored.form)
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    fitting = {key for key, shape in shapes.items() if key in state and state[key].shape == shape}
    classifier = {key for key in shapes if key.startswith(classifier_prefixes(network))}
    has_classifier = bool(classifier) and classifier <= fitting
    chosen = fitting if has_classifier else fitting - classifier
    network.load_state_dict({key: state[key] for key in chosen}, strict=False)
    # timm itself describes the normalization of weights on the hub.
    mean, std = (None, None) if normalization is None or stored.form == "pretrained" else normalization
    return WeightsRecord(
        stored.form, stored.sha256, n_matched, n_expected, has_classifier, origin=origin, mean=mean, std=std
    )


def _read(source, name):
    """Return the `StoredWeights` of any source but "random"."""
    if source is None or (isinstance(source, str) and source == "packaged"):
        if name not in _PACKAGED:
            raise WeightsError(f"There are no packaged weights of '{name}'. {_choices(name)}")
        resource = importlib.resources.files("radiodeep.networks.weights").joinpath(_PACKAGED[name])
        with importlib.resources.as_file(resource) as path:
            return read_weights_file(path)._replace(form="packaged")
    if isinstance(source, str) and source == "pretrained":
        if is_own(name):
            raise WeightsError(f"'{name}' is not a timm model, so no weights can be fetched for it. {_choices(name)}")
        return read_weights_file(find_hub_weights(name))._replace(form="pretrained")
    if isinstance(source, Mapping):
        state = unwrap_state(source, "state dict")
        return StoredWeights(state, "state dict", hash_of_state(state))
    if not isinstance(source, str | os.PathLike) or Path(source).suffix.lower() not in WEIGHTS_SUFFIXES:
        raise WeightsError(f"Cannot load weights from {str(source)!r:.200} ({type(source).__name__}). {_choices(name)}")
    return read_weights_file(source)


def _choices(name):
    choices = ['weights="packaged"'] if name in _PACKAGED else []
    choices += [] if is_own(name) else ['weights="pretrained" (published weights of timm)']
    page = f" from {PUBLISHED[name].page}" if name in PUBLISHED else ""
    file = f"the path of a {', '.join(WEIGHTS_SUFFIXES)} file{page}"
    choices += [file, "a state dict", 'weights="random" with a seed']
    return f"Use {', or '.join(choices)}."


def classifier_prefixes(network):
    """Return how the names of the weights begin that map features to classes, such as ("fc.",)."""
    names = getattr(network, "classifier_name", None) or getattr(network, "pretrained_cfg", {}).get("classifier")
    if not names:
        linear = [name for name, module in network.named_modules() if isinstance(module, torch.nn.Linear)]
        names = linear[-1:]
    names = (names,) if isinstance(names, str) else tuple(names)
    return tuple(f"{name}." for name in names)


def _expected_shapes(network):
    """Return name -> shape of the weights that a source must hold: all but classifier and batch counters."""
    prefixes = classifier_prefixes(network)
    return {
        key: tuple(value.shape)
        for key, value in network.state_dict().items()
        if not key.startswith(prefixes) and not key.endswith("num_batches_tracked")
    }


def _require_match(network, state, name, form):
    """Return the numbers of matched and expected keys; raise if the weights do not belong to the network."""
    expected = _expected_shapes(network)
    misshapen = [
        f"{key} (expected {shape}, got {tuple(state[key].shape)})"
        for key, shape in expected.items()
        if key in state and tuple(state[key].shape) != shape
    ]
    missing = [key for key in expected if key not in state]
    n_matched = len(expected) - len(misshapen) - len(missing)
    problem = f"The {form} weights do not belong to '{name}'"
    filters = {key for key, weights in network.named_parameters() if weights.ndim > 1}
    if misshapen or filters.intersection(missing) or n_matched < _SHARE_NEEDED * len(expected):
        known_keys = network.state_dict().keys()
        foreign = [key for key in state if key not in known_keys]
        raise WeightsError(
            f"{problem}: {n_matched} of its {len(expected)} weights match. At least 95 % must match, and all "
            "filters and matrices."
            + _listing("Wrong shape", misshapen)
            + _listing("Missing", missing)
            + _listing("In the source but not in the network", foreign)
            + _channel_hint(network, state)
        )
    _check_values(network, state, expected, problem)
    unexpected = _unexpected(network, state)
    if unexpected:
        are_biases = all(key.endswith(".bias") for key in unexpected)
        raise WeightsError(
            f"{problem}: it has no place for {len(unexpected)} of them, so its features would differ from those of "
            "the network that was trained." + _listing("Unexpected", unexpected) + (_KERAS_HINT if are_biases else "")
        )
    if missing:
        warnings.warn(
            f"{len(missing)} of {len(expected)} weights of '{name}' are not in the source and keep their values."
            + _listing("Missing", missing),
            RadiodeepWarning,
            stacklevel=3,
        )
    return n_matched, len(expected)


def _check_values(network, state, expected, problem):
    """Raise unless floating-point weights are floating-point in the source and some filters are not zero."""
    real = [key for key, value in network.state_dict().items() if key in expected and value.is_floating_point()]
    other = [f"{key} ({state[key].dtype})" for key in real if key in state and not state[key].is_floating_point()]
    if other:
        raise WeightsError(
            f"{problem}: weights must be floating-point numbers (float16, bfloat16, float32 or float64)."
            + _listing("Other types", other)
        )
    filters = [key for key, weights in network.named_parameters() if weights.ndim > 1 and key in expected]
    if filters and not any(state[key].any() for key in filters if key in state):
        raise WeightsError(f"{problem}: all filters and matrices are zero. Use trained weights.")


def _unexpected(network, state):
    """Return the weights whose names begin with a module of the network that has no such weight."""
    parts = {name for name, _ in network.named_children()}
    parts -= {name.partition(".")[0] for name in classifier_prefixes(network)}
    known_keys = network.state_dict().keys()
    foreign = (key for key in state if key not in known_keys and key.endswith((".weight", ".bias")))
    return [key for key in foreign if key.partition(".")[0] in parts]


def _listing(title, names, most=6):
    if not names:
        return ""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f" {title}: {', '.join(names[:most])}{more}."


def _channel_hint(network, state):
    """Return a hint if the network was built for another number of image channels."""
    name, convolution = first_convolution(network)
    filters = state.get(f"{name}.weight")
    if filters is None or filters.ndim != convolution.weight.ndim or filters.shape[1] == convolution.in_channels:
        return ""
    n_channels = filters.shape[1]
    return f" These weights are for images of {n_channels} channels: build_network(..., in_channels={n_channels})."


def _draw_weights(network, name, seed):
    """Initialize all weights as a new network of this name would be, from a seed."""
    if not is_count(seed, 0):
        raise WeightsError(f'weights="random" needs a seed, an int >= 0, to be reproducible. Got {seed!r} instead.')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        side = getattr(getattr(network, "patch_embed", None), "img_size", None)  # of a transformer
        side = side[0] if isinstance(side, tuple) else side
        reference = build_network(name, first_channels(network) or 3, 0, image_size=side).state_dict()
        expected = _expected_shapes(network)
        if any(key not in reference or tuple(reference[key].shape) != shape for key, shape in expected.items()):
            raise WeightsError(f"The network is not a '{name}', so its weights cannot be drawn. Pass its own name.")
        network.load_state_dict({key: reference[key] for key in network.state_dict() if key in expected}, strict=False)
        for prefix in classifier_prefixes(network):
            module = dict(network.named_modules()).get(prefix.rstrip("."))
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    digest = hash_of_state({key: network.state_dict()[key] for key in expected})
    return WeightsRecord("random", digest, len(expected), len(expected), False, seed)
