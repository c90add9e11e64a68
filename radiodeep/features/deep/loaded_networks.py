"""What an extractor's settings name goes in, a network that is ready to look at images comes out; cases read ahead."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

import torch

from radiodeep.networks.architectures.registry import NetworkInput, build_network, input_specification
from radiodeep.networks.inference.engines import prepared
from radiodeep.networks.weights.loading import input_with, load_weights

_AHEAD = 4  # cases that are read while the network looks at those before them


class LoadedNetwork(NamedTuple):
    """A network without classifier, the images that its weights want, and the sha256 of those."""

    network: torch.nn.Module
    specification: NetworkInput
    sha256: str


def plain_network(name, weights, seed, rectified=True):
    """Return a `LoadedNetwork` as it was built, which gradients can go through.

    Its pooled features end before the `last_activation` of the `NetworkInput` if they are not to be `rectified`.
    """
    with torch.random.fork_rng(devices=[]):  # its first weights are drawn
        network = build_network(name, in_channels=input_specification(name).channels, n_classes=0)
    record = load_weights(network, weights, name, seed=seed)
    if not rectified:
        network.set_submodule(input_specification(name).last_activation, torch.nn.Identity())
    return LoadedNetwork(network, input_with(name, record), record.sha256)


def quick_network(name, weights, seed, rectified, *how):
    """Return the same prepared for speed; how: precision, device, fold and backend of `prepared`.

    The last ones of files are kept, unless the file has changed.
    """
    if isinstance(weights, str | PathLike | None):
        path = None if weights is None else fspath(weights)
        return _cached(name, path, seed, _state_of(path), rectified, *how)
    return _quick(name, weights, seed, rectified, *how)


def read_ahead(function, items):
    """Yield function(item) for each item, computed in a thread a few items ahead."""
    with ThreadPoolExecutor(1) as thread:
        coming, left = deque(), iter(items)
        try:
            for item in left:
                coming.append(thread.submit(function, item))
                if len(coming) > _AHEAD:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for one in coming:
                one.cancel()


def _state_of(path):
    """Return what changes if a file does: also its change time, which cannot be set back as mtime can."""
    if path is None or not Path(path).is_file():
        return None
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


@lru_cache(maxsize=2)  # a worker process sees the same extractor many times
def _cached(name, weights, seed, changed, rectified, *how):
    return _quick(name, weights, seed, rectified, *how)


def _quick(name, weights, seed, rectified, *how):
    loaded = plain_network(name, weights, seed, rectified)
    return loaded._replace(network=prepared(loaded.network, *how))
