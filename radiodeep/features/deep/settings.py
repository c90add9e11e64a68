"""Settings of `DeepFeatureExtractor` -> what its network is shown and which features are read."""

import json
from typing import NamedTuple

import numpy as np

from radiodeep.checks import is_count, require, require_option
from radiodeep.exceptions import InputError
from radiodeep.features.deep.fine_tuning import FineTuning
from radiodeep.imaging.network_view import VIEW_SETTINGS, NetworkView
from radiodeep.networks.architectures.registry import input_specification
from radiodeep.networks.devices import PRECISIONS
from radiodeep.networks.inference.activations import POOLS
from radiodeep.networks.inference.engines import BACKENDS

CHANNELS = ("all", "red", "green", "blue")
SLICE_POOLS = {"mean": np.mean, "max": np.max}
# "auto" of "radiodeep-mini" was chosen by how little its features depend on a voxel more or less of the outline, and by
# the AUC on real lesions; see data/README.md.
_AUTO = {"pixel_mm": None, "margin": 0.0, "n_boxes": 1, "activation": "post"}
_AUTO_OF = {
    "radiodeep-mini": {"pixel_mm": 1.0, "margin": 0.25, "n_boxes": 1, "activation": "pre"},
    "radiodeep-mini-3d": {"pixel_mm": None, "margin": 0.25, "n_boxes": 1, "activation": "pre"},
}
_AUTO_VIEW = ("window", "pixel_mm", "margin", "n_boxes")
_OPTIONS = {
    "slice_pool": tuple(SLICE_POOLS),
    "activation": ("auto", "post", "pre"),
    "channel": (*CHANNELS, "images"),
    "pool": POOLS,
    "precision": PRECISIONS,
    "backend": BACKENDS,
}


def resolve_auto(network, name, value):
    """Return the value of a setting of `_AUTO` or of the window, or for "auto" what that stands for with a network."""
    if not (isinstance(value, str) and value == "auto"):
        return value
    if name == "window":
        return "exact" if input_specification(network).spacing_mm is None else "crop"
    return _AUTO_OF.get(network, _AUTO)[name]


def checked_view(extractor):
    """Return the `NetworkView` of an extractor's network; raise InputError for settings that it cannot use."""
    network = extractor.network
    for name, options in _OPTIONS.items():
        require_option(getattr(extractor, name), options, extractor, name)
    n_threads = extractor.n_threads
    fine_tune = extractor.fine_tune
    require(n_threads is None or is_count(n_threads, 1), extractor, "n_threads", "an int >= 1 or None")
    require(fine_tune is None or isinstance(fine_tune, FineTuning), extractor, "fine_tune", "None or a FineTuning")
    specification = input_specification(network)
    if extractor.channel != "all" and specification.channels != 3:
        raise InputError(
            f"'{network}' takes {specification.channels} channel, so channel={extractor.channel!r} has no meaning. "
            "Leave channel out."
        )
    if fine_tune is not None and (extractor.image is not None or extractor.channel == "images"):
        raise InputError(
            f"fine_tune learns from cases of one image, so image={extractor.image!r} with channel="
            f"{extractor.channel!r} has no meaning. Fit to cohort.of_image(...) instead."
        )
    if specification.sequence:
        raise InputError(f"'{network}' reads all slices of a lesion at once. Use it in CNNClassifier.")
    if extractor.slice == "2.5d" and extractor.channel != "all":
        raise InputError(
            f"slice='2.5d' gives one slice to each of three channels, so channel={extractor.channel!r} has no meaning. "
            "Leave channel out."
        )
    settings = {name: getattr(extractor, name) for name in (*VIEW_SETTINGS, "margin", "n_boxes")}
    auto = {name: resolve_auto(network, name, "auto") for name in _AUTO_VIEW}
    return NetworkView.for_network(extractor, network, specification, settings, auto)


class ComputedFeatures(NamedTuple):
    """Which values of a network are the features."""

    layer: str | None  # None for the pooled features
    activation: str  # "post" or "pre"
    is_rectified: bool  # False if the network has to be built without its last activation, to read values before it


def computed_features(extractor):
    """Return the `ComputedFeatures` of an extractor's settings."""
    specification = input_specification(extractor.network)
    layer = extractor.layer or specification.layer
    activation = resolved_activation(extractor)
    is_customary = layer == specification.layer and extractor.pool == "avg"
    if is_customary and activation == "post":
        return ComputedFeatures(None, "post", True)
    if is_customary and specification.last_activation is not None:
        return ComputedFeatures(None, "post", False)
    return ComputedFeatures(layer, activation, True)


def resolved_activation(extractor):
    """Return "post" or "pre"; "auto" is "post" for named layers."""
    if extractor.activation == "auto" and extractor.layer is not None:
        return "post"
    return resolve_auto(extractor.network, "activation", extractor.activation)


def resolved_settings(extractor):
    """Return the settings of which "auto" was resolved, by name."""
    values = {name: resolve_auto(extractor.network, name, getattr(extractor, name)) for name in _AUTO_VIEW}
    return values | {"activation": resolved_activation(extractor)}


def complete_state(state):
    """Return the state of a saved extractor with the settings that it lacks, at the values that it was computed by.

    Early versions had axial slices, the pixels of the image and the bounding box of the region, and scaled intensities
    from their minimum to their maximum; fine-tuning had one learning rate for all layers. Later ones ignored
    intensity_range="minmax" for cubes in the intensities of the image.
    """
    used = {}
    if "pixel_mm" not in state:
        is_cube = input_specification(state["network"]).dimensions == 3
        used = {"slice_axis": "axial", "pixel_mm": None, "margin": 0, "n_boxes": 1}
        if is_cube or state.get("slice") == "three-orthogonal":
            used["slice_axis"] = None
        if state.get("intensity_range") is None:
            used["intensity_range"] = "minmax"
    is_minmax = str((state | used).get("intensity_range")) == "minmax"
    if is_minmax and input_specification(state["network"]).own_units:
        used["intensity_range"] = None
    if used and "training_settings_" in state:
        trained = json.loads(state["training_settings_"]) | used
        if "pixel_mm" in used and trained.get("fine_tune") is not None:  # the text of a FineTuning
            trained["fine_tune"] = trained["fine_tune"].removesuffix(")") + ", head_learning_rate=None)"
        used["training_settings_"] = json.dumps(trained, sort_keys=True)
    return {"image": None} | state | used
