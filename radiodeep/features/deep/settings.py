"""Settings of `DeepFeatureExtractor` in, what is wrong with them out; settings of models saved before they existed."""

import json
from typing import NamedTuple

import numpy as np

from radiodeep.cases.slice_plane import SLICE_AXES
from radiodeep.exceptions import InputError
from radiodeep.features.deep.fine_tuning import FineTuning
from radiodeep.imaging.crop import WINDOWS
from radiodeep.imaging.intensity import is_intensity_range
from radiodeep.imaging.network_view import NetworkView, suitable
from radiodeep.imaging.planes import SLICES, window_rules
from radiodeep.networks.architectures.registry import input_specification
from radiodeep.networks.devices import PRECISIONS
from radiodeep.networks.inference.activations import POOLS
from radiodeep.networks.inference.engines import BACKENDS

CHANNELS = ("all", "red", "green", "blue")
ACTIVATIONS = ("auto", "post", "pre")
SLICE_POOLS = {"mean": np.mean, "max": np.max}
_BEFORE = {"slice_axis": "axial", "pixel_mm": None, "margin": 0.0, "n_boxes": 1}
_NOT_OF_CUBES = {  # settings and what they are where nobody set them
    "slice": ("largest",),
    "slice_axis": (None,),
    "pixel_mm": ("auto", None),
    "margin": ("auto", 0),
    "n_boxes": ("auto", 1),
}
_WINDOWS = ("pixel_mm", "margin", "n_boxes")


def setting_rules(extractor):
    """Return for each setting whether it can be used, and what can: name -> (bool, text)."""
    one = extractor
    boxes = window_rules(*(suitable(one.network, name, getattr(one, name)) for name in _WINDOWS))
    return {
        "window": (one.window in WINDOWS, f"one of {', '.join(WINDOWS)}"),
        "size": (one.size is None or _is_count(one.size), "an int >= 1"),
        "slice": (one.slice in SLICES, f"one of {', '.join(SLICES)}"),
        "slice_pool": (one.slice_pool in SLICE_POOLS, f"one of {', '.join(SLICE_POOLS)}"),
        "slice_axis": (
            one.slice_axis is None or one.slice_axis in SLICE_AXES,
            f"None or one of {', '.join(SLICE_AXES)}",
        ),
        **{name: (is_usable, f"'auto', {usable}") for name, (is_usable, usable) in boxes.items()},
        "activation": (one.activation in ACTIVATIONS, f"one of {', '.join(ACTIVATIONS)}"),
        "channel": (one.channel in CHANNELS, f"one of {', '.join(CHANNELS)}"),
        "pool": (one.pool in POOLS, f"one of {', '.join(POOLS)}"),
        "precision": (one.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
        "backend": (one.backend in BACKENDS, f"one of {', '.join(BACKENDS)}"),
        "n_threads": (one.n_threads is None or _is_count(one.n_threads), "an int >= 1 or None"),
        "intensity_range": (
            is_intensity_range(one.intensity_range),
            "None, 'minmax' or (low, high) with low < high",
        ),
        "fine_tune": (one.fine_tune is None or isinstance(one.fine_tune, FineTuning), "None or a FineTuning"),
    }


def check_input_of(extractor):
    """Raise InputError for settings that mean nothing to the extractor's network."""
    network, channel = extractor.network, extractor.channel
    specification = input_specification(network)
    if channel != "all" and specification.channels != 3:
        raise InputError(f"'{network}' takes {specification.channels} channel, so channel='{channel}' has no meaning.")
    if specification.sequence:
        raise InputError(f"'{network}' reads all slices of a lesion at once. It is for CNNClassifier.")
    if specification.dimensions == 3:
        for name, unset in _NOT_OF_CUBES.items():
            if getattr(extractor, name) not in unset:
                raise InputError(
                    f"'{network}' is shown a cube, so {name}={getattr(extractor, name)!r} has no meaning. Leave it out."
                )
    if extractor.slice == "three-orthogonal" and extractor.slice_axis is not None:
        raise InputError(
            f"slice='three-orthogonal' cuts across every axis. Leave out slice_axis={extractor.slice_axis!r}."
        )
    if extractor.window == "crop" and extractor.margin not in ("auto", 0):
        raise InputError(f"window='crop' has a size, so margin={extractor.margin!r} has no meaning. Leave it out.")
    if extractor.slice == "2.5d" and (specification.channels != 3 or channel != "all"):
        raise InputError(
            f"slice='2.5d' gives one slice to each of three channels. Got channel='{channel}' and "
            f"'{network}' with {specification.channels} of them; take another slice or a network for colour images."
        )


def view_of(extractor):
    """Return the `NetworkView` of an extractor's settings."""
    specification = input_specification(extractor.network)
    return NetworkView(
        specification.size,
        specification.dimensions,
        specification.spacing_mm,
        extractor.size,
        extractor.window,
        extractor.slice,
        extractor.intensity_range,
        extractor.slice_axis,
        *(suitable(extractor.network, name, getattr(extractor, name)) for name in _WINDOWS),
    )


class ComputedFeatures(NamedTuple):
    """Where features are read: a layer (None: the pooled features), before or after its activation function.

    `is_rectified` is False where the network is to be built without the last one; nothing is looked up before it then.
    """

    layer: str | None
    activation: str
    is_rectified: bool


def computed_features(extractor):
    """Return the `ComputedFeatures` of an extractor's settings."""
    specification = input_specification(extractor.network)
    layer, activation = extractor.layer or specification.layer, activation_of(extractor)
    is_customary = layer == specification.layer and extractor.pool == "avg"
    if is_customary and activation == "post":
        return ComputedFeatures(None, "post", True)
    if is_customary and specification.last_activation is not None:
        return ComputedFeatures(None, "post", False)
    return ComputedFeatures(layer, activation, True)


def activation_of(extractor):
    """Return "post" or "pre"; "auto" knows only what suits pooled features."""
    if extractor.activation == "auto" and extractor.layer is not None:
        return "post"
    return suitable(extractor.network, "activation", extractor.activation)


def with_settings_of_before(state):
    """Complete the state of an extractor that was saved without the settings of windows, which then computes as it did.

    Slices were axial in files stored as usual, pixels were those of the image, the window was the region's box, and
    intensities went from the smallest to the largest. Cubes and orthogonal slices have no axis to choose. Fine-tuning
    had one learning rate for all layers.
    """
    if "pixel_mm" in state:
        return state
    added = dict(_BEFORE)
    if state.get("slice") == "three-orthogonal" or input_specification(state["network"]).dimensions == 3:
        added["slice_axis"] = None
    if state.get("intensity_range") is None:
        added["intensity_range"] = "minmax"
    if "training_settings_" in state:
        trained = json.loads(state["training_settings_"]) | added | {"margin": 0}
        if trained.get("fine_tune") is not None:  # the text of a FineTuning
            trained["fine_tune"] = trained["fine_tune"].removesuffix(")") + ", head_learning_rate=None)"
        added["training_settings_"] = json.dumps(trained, sort_keys=True)
    return state | added


def _is_count(value):
    return isinstance(value, int | np.integer) and value >= 1
