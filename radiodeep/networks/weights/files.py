"""Path of a weights file -> state dict; code in the file is never run."""

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors
import safetensors.torch
import scipy.io
import torch

from radiodeep.exceptions import WeightsError
from radiodeep.files import WEIGHTS_SUFFIXES

MEAN_COLOUR = "normalization.averageImage"
GEOMETRY = ("stride", "pad", "pool")
_KEYS_OF_STATE = ("state_dict", "trunk_state_dict", "model_state_dict", "model", "network", "net")
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "backbone.", "trunk.")


class StoredWeights(NamedTuple):
    """Tensors by name, the form of their source ("safetensors", "pytorch", "matconvnet", ...), and its sha256.

    A MatConvNet file also holds the mean colour (three values in 0..255) under `MEAN_COLOUR`, and for example the
    strides of a layer under `conv1.stride` (`GEOMETRY`).
    """

    state: dict
    form: str
    sha256: str


def read_weights_file(path):
    """Return the `StoredWeights` of a `.safetensors`, `.pth`/`.pt`/`.ckpt`/`.bin`/`.torch` or MatConvNet `.mat` file.

    Raise WeightsError if the file is missing, has an unknown suffix, is damaged, holds no tensors, or holds Python
    objects that could only be loaded by running code from the file.
    """
    path = Path(path)
    if path.suffix.lower() not in WEIGHTS_SUFFIXES:
        raise WeightsError(f"Weights must be a file of type {', '.join(WEIGHTS_SUFFIXES)}. Got '{path}' instead.")
    if not path.is_file():
        raise WeightsError(f"The weights file '{path}' does not exist. Check the path.")
    readers = {".safetensors": (_read_safetensors, "safetensors"), ".mat": (_read_matconvnet, "matconvnet")}
    read, form = readers.get(path.suffix.lower(), (_read_pytorch, "pytorch"))
    state = unwrap_state(read(path), f"file '{path}'")
    with path.open("rb") as stream:
        return StoredWeights(state, form, hashlib.file_digest(stream, "sha256").hexdigest())


def unwrap_state(state, origin):
    """Return the tensors of a checkpoint by name, without the wrappers of training programs.

    `state` is a state dict, or a checkpoint with one under one of `_KEYS_OF_STATE`; `origin` describes it in messages.
    Raise WeightsError if it holds no tensors, or some contain NaN or infinity, are not dense, or have no name.
    """
    while isinstance(state, Mapping):
        nest = next((name for name in _KEYS_OF_STATE if isinstance(state.get(name), Mapping)), None)
        if nest is None:
            break
        state = state[nest]
    if not isinstance(state, Mapping) or not any(isinstance(value, torch.Tensor) for value in state.values()):
        kind = f"keys {', '.join(map(repr, list(state)[:4]))}" if isinstance(state, Mapping) else type(state).__name__
        raise WeightsError(
            f"The {origin} contains no weights. Expected a mapping of names to tensors, possibly under "
            f"{', '.join(_KEYS_OF_STATE)}. Got {kind} instead."
        )
    tensors = {name: value.detach() for name, value in state.items() if isinstance(value, torch.Tensor)}
    unusual = [f"{name!r:.60}" for name, value in tensors.items() if not isinstance(name, str) or not _is_plain(value)]
    if unusual:
        raise WeightsError(
            f"The {origin} contains entries that are not dense tensors with a name: {', '.join(unusual[:4])}. "
            "In the program that wrote it, save `model.state_dict()` with safetensors."
        )
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise WeightsError(
            f"The {origin} contains NaN or infinite weights: {', '.join(broken[:4])}. Download it again."
        )
    while prefix := _common_prefix(tensors):
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _common_prefix(names):
    """Return the prefix of a training program that all names have, or None."""
    return next((prefix for prefix in _PREFIXES if all(name.startswith(prefix) for name in names)), None)


def _is_plain(tensor):
    """Return whether a tensor is dense and its storage is as large as its shape claims."""
    if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def hash_of_state(state):
    """Return the sha256 of names, types, shapes and values of a state dict."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _read_safetensors(path):
    try:
        return safetensors.torch.load_file(path)
    except Exception as error:  # a damaged header can raise anything
        raise WeightsError(
            f"The file '{path}' is not a complete safetensors file ({error}). Download it again."
        ) from error


def _read_pytorch(path):
    try:
        if zipfile.is_zipfile(path):  # torch.load does not verify checksums
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(
                    f"the checksum of '{damaged}' is wrong, or was not written: torch.serialization.set_crc32_options"
                )
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"The file '{path}' was refused: it is damaged or contains more than tensors, so that loading it could run "
            "code. In the program that wrote it, save `model.state_dict()` with safetensors."
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise WeightsError(f"The file '{path}' is not a complete PyTorch file ({error}). Download it again.") from error


def _read_matconvnet(path):
    """Return the weights of a MatConvNet "simplenn" network; see `_tensors_of_layer` for the axes."""
    try:
        content = scipy.io.loadmat(path, struct_as_record=False)
    except NotImplementedError as error:
        raise WeightsError(f"The file '{path}' is a MATLAB 7.3 file. Save it in MATLAB with '-v7'.") from error
    except Exception as error:  # a damaged file can raise anything
        raise WeightsError(f"The file '{path}' is not a complete MATLAB file ({error}). Download it again.") from error
    try:
        return _tensors_of_network(content, path)
    except WeightsError:
        raise
    except Exception as error:  # layers of another program can have any type
        raise WeightsError(
            f"The file '{path}' is not a MatConvNet network: its layers are not named arrays of numbers ({error}). "
            "Use the published file."
        ) from error


def _tensors_of_network(content, path):
    layers = content.get("layers", getattr(_unwrap_cell(content.get("net")), "layers", None))
    if layers is None:
        raise WeightsError(
            f"The file '{path}' is not a MatConvNet network: expected a variable 'layers'. "
            f"Got {', '.join(name for name in content if not name.startswith('__')) or 'nothing'} instead."
        )
    state = {}
    for layer in np.ravel(layers):
        state.update(_tensors_of_layer(_unwrap_cell(layer), path))
    return state | _mean_colour(content)


def _mean_colour(content):
    """Return the mean colour to subtract from images, stored as one pixel or as a mean image."""
    node = content
    for name in ("net", "meta", "normalization", "averageImage"):
        child = node.get(name) if isinstance(node, dict) else getattr(node, name, None)
        node = node if name in ("net", "meta") and child is None else _unwrap_cell(child)  # early files have no `meta`
    image = np.asarray(node if node is not None else [], np.float32)
    colours = image.reshape(-1, 3) if image.ndim == 3 and image.shape[2] == 3 else image.reshape(1, -1)
    if colours.shape[1] != 3 or not np.isfinite(colours).all():
        return {}
    return {MEAN_COLOUR: torch.from_numpy(colours.mean(axis=0))}


def _tensors_of_layer(layer, path):
    """Return weight and bias of a layer, if any, and its stride, padding and pooling size.

    MatConvNet stores filters as (height, width, in, out), torch as (out, in, height, width). Dense layers are filters
    of the size of their input, which torch flattens in the same order (in, height, width).
    """
    name = str(_unwrap_cell(getattr(layer, "name", "")))
    sizes = {part: np.ravel(getattr(layer, part)) for part in GEOMETRY if hasattr(layer, part)}
    geometry = {f"{name}.{part}": torch.from_numpy(values.astype(np.int64)) for part, values in sizes.items()}
    before_2015 = hasattr(layer, "filters")
    pair = [layer.filters, layer.biases] if before_2015 else np.ravel(getattr(layer, "weights", []))
    if len(pair) == 0:
        return geometry
    filters, bias = np.asarray(pair[0], np.float32), np.asarray(pair[1], np.float32).ravel()
    filters = filters.reshape(filters.shape + (1,) * (4 - filters.ndim))  # MATLAB drops trailing axes of length 1
    if filters.ndim != 4 or filters.shape[3] != bias.size:
        raise WeightsError(
            f"Layer '{name}' of '{path}' is not a MatConvNet filter: expected shape (height, width, in, out) and "
            f"'out' biases. Got {filters.shape} with {bias.size} biases instead."
        )
    filters = filters.transpose(3, 2, 0, 1)
    if name.startswith("fc"):
        filters = filters.reshape(len(filters), -1)
    weights = {f"{name}.weight": torch.from_numpy(filters.copy()), f"{name}.bias": torch.from_numpy(bias.copy())}
    return weights | geometry


def _unwrap_cell(value):
    """Return the content of a MATLAB array that holds a single cell, struct or string."""
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
