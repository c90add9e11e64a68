"""A network and the source of its weights go in; the network leaves with exactly those weights, or an error is raised.

Nothing here ever puts random numbers in the place of weights that could not be loaded.
"""

import importlib.resources
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from radiodeep.exceptions import RadiodeepWarning, WeightsError
from radiodeep.networks.architectures import build_network, first_channels, is_own
from radiodeep.networks.hub import find_hub_weights
from radiodeep.networks.weight_files import SUFFIXES, hash_of_state, read_weights_file, unwrap_state

_PACKAGED = {"radiodeep-mini": "radiodeep_mini.safetensors"}
_SHARE_NEEDED = 0.95


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
    """

    form: str
    sha256: str
    n_matched: int
    n_expected: int
    classifier_loaded: bool
    seed: int | None = None


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
        - the path of a `.safetensors`, `.pth`, `.pt` or `.bin` file, or of a MatConvNet `.mat` file for "cnn_f".
        - a state dict.
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
        filter or matrix missing, or fewer than 95 % of all names matched.

    Warns
    -----
    RadiodeepWarning
        Up to 5 % of the names, none of them a filter or a matrix, are missing in the source; those offsets and
        scales stay as they were.

    Examples
    --------
    >>> from radiodeep.networks.architectures import build_network
    >>> from radiodeep.networks.weights import load_weights
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
    state = _translated(network, state, name)
    n_matched, n_expected = _check(network, state, name, form)
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    present = {key for key, shape in shapes.items() if key in state and state[key].shape == shape}
    classifier = {key for key in shapes if key.startswith(classifier_names(network))}
    whole = bool(classifier) and classifier <= present
    chosen = present if whole else present - classifier
    network.load_state_dict({key: state[key] for key in chosen}, strict=False)
    return WeightsRecord(form, digest, n_matched, n_expected, whole)


def _read(source, name):
    """Return (state, form, sha256) of any source but "random"."""
    if source is None or (isinstance(source, str) and source == "packaged"):
        if name not in _PACKAGED:
            raise WeightsError(f"No weights of '{name}' come with the package. {_choices(name)}")
        resource = importlib.resources.files("radiodeep.networks").joinpath("weights", _PACKAGED[name])
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


def _translated(network, state, name):
    """Let timm rename the weights of other programs where the names do not fit as they are."""
    expected = _expected(network)
    fitting = sum(key in state and tuple(state[key].shape) == shape for key, shape in expected.items())
    # timm's own loading would go on without the names that it does not find, so only its renaming is used.
    rename = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if is_own(name) or rename is None or fitting >= _SHARE_NEEDED * len(expected):
        return state
    try:
        renamed = rename(dict(state), network)
        return unwrap_state(renamed, "state dict")
    except (RuntimeError, LookupError, ValueError, AttributeError, TypeError, AssertionError, WeightsError):
        return state  # no form that timm knows either: the check that follows says what does not fit


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
        foreign = [key for key in state if key not in network.state_dict()]
        raise WeightsError(
            f"The {origin}: {n_matched} of its {len(expected)} weights match; at least 95 % must, and all "
            "filters and matrices."
            + _listing("Of another shape", misshapen)
            + _listing("Missing", missing)
            + _listing("In the source, but not in the network", foreign)
            + _channel_hint(network, state)
        )
    if missing:
        warnings.warn(
            f"{len(missing)} of {len(expected)} weights of '{name}' are not in the source and stay as they were."
            + _listing("Missing", missing),
            RadiodeepWarning,
            stacklevel=3,
        )
    return n_matched, len(expected)


def _listing(title, names, most=6):
    if not names:
        return ""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f" {title}: {', '.join(names[:most])}{more}."


def _channel_hint(network, state):
    """Say so if the network was built for another number of image channels."""
    convolution = next(
        (key for key, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)),
        None,
    )
    wanted = state.get(f"{convolution}.weight")
    if wanted is None or wanted.ndim != 4 or wanted.shape[1] == first_channels(network):
        return ""
    n_channels = wanted.shape[1]
    return f" These weights are for images of {n_channels} channels: build_network(..., in_channels={n_channels})."


def _draw(network, name, seed):
    """Draw all weights as a new network of this name would, from a seed."""
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise WeightsError(f'weights="random" needs a seed, an int >= 0, so that they can be had again. Got {seed!r}.')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        twin = build_network(name, in_channels=first_channels(network) or 3, n_classes=0).state_dict()
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
