"""Name and weights -> a network that can be trained, or one optimized for inference; cases read ahead of it."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

import torch

from radiodeep.networks.architectures.registry import NetworkInput, build_network, input_specification
from radiodeep.networks.inference.engines import optimize_for_inference
from radiodeep.networks.weights.loading import input_with, load_weights

_CASES_AHEAD = 4  # read while the network computes


class LoadedNetwork(NamedTuple):
    """A network without classifier, the input that its weights expect, and the sha256 of the weights."""

    network: torch.nn.Module
    specification: NetworkInput
    sha256: str

    @property
    def device(self):
        """The `torch.device` of the network."""
        return next((weights.device for weights in self.network.parameters()), torch.device("cpu"))


class Engine(NamedTuple):
    """How inference computes: the arguments of `optimize_for_inference`."""

    precision: str
    device: str
    fold: bool
    backend: str


def trainable_network(name, weights, seed, rectified=True):
    """Return the `LoadedNetwork` of a name, weights and a seed as in `DeepFeatureExtractor`; gradients flow through it.

    Unless `rectified`, it lacks the `last_activation` of its `NetworkInput`, so that pooled features end before it.
    """
    with torch.random.fork_rng(devices=[]):  # building draws weights
        network = build_network(name, in_channels=input_specification(name).channels, n_classes=0)
    record = load_weights(network, weights, name, seed=seed)
    if not rectified:
        network.set_submodule(input_specification(name).last_activation, torch.nn.Identity())
    return LoadedNetwork(network, input_with(name, record), record.sha256)


def inference_network(name, weights, seed, rectified, engine):
    """Return the same `LoadedNetwork`, optimized for inference by an `Engine`.

    The last two networks loaded from files or by name are kept in memory, as a worker process or the clones of a grid
    search ask for the same one many times. A file that has changed is read again.
    """
    if isinstance(weights, str | PathLike | None):
        path = None if weights is None else fspath(weights)
        return _kept_network(name, path, seed, _version_of(path), rectified, engine)
    return _optimized(name, weights, seed, rectified, engine)


def read_ahead(function, items):
    """Yield function(item) for each item, computed in a thread a few items ahead."""
    with ThreadPoolExecutor(1) as thread:
        pending = deque()
        try:
            for item in items:
                pending.append(thread.submit(function, item))
                if len(pending) > _CASES_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for result in pending:
                result.cancel()


def _version_of(path):
    """Return what differs when a file has changed: also its ctime, which cannot be set back as mtime can."""
    if path is None or not Path(path).is_file():
        return None
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


@lru_cache(maxsize=2)
def _kept_network(name, path, seed, version, rectified, engine):
    return _optimized(name, path, seed, rectified, engine)


def _optimized(name, weights, seed, rectified, engine):
    loaded = trainable_network(name, weights, seed, rectified)
    return loaded._replace(network=optimize_for_inference(loaded.network, *engine))
