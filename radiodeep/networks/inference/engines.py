"""Trained network -> a copy optimized for inference, which cannot be trained."""

import copy

import torch
from torch import nn
from torch.nn import functional

from radiodeep.checks import require_option
from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import first_channels
from radiodeep.networks.devices import chosen_precision
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.inference.fusion import PooledGraph, PooledNetwork
from radiodeep.networks.inference.openvino import OpenvinoNetwork, import_openvino

BACKENDS = ("torch", "openvino")
_TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 0.05}  # relative to the largest feature


def optimize_for_inference(network, precision="float32", device="cpu", fold=True, backend="torch"):
    """Return a copy of a network that is optimized for inference, in evaluation mode and without gradients.

    Batch normalization is folded into the preceding convolutions, and weights are stored channels last, in bfloat16 if
    asked for. On a processor, convolutions also add shortcuts and apply activation functions while they write their
    output. Features in float32 differ by rounding only (1e-6 of the largest). This is tested on one small image of
    noise; a network with other features, or whose control flow depends on the image, keeps its layers. The time to
    optimize is recovered after 3 to 70 images, with OpenVINO after 8 to 80.

    Parameters
    ----------
    network : torch.nn.Module
        With trained weights; it is not changed.
    precision, device
        As in `chosen_precision`.
    fold : bool, default=True
        Whether layers may be folded into one graph from images to pooled features. With False all layers keep their
        names and values.
    backend : {"torch", "openvino"}, default="torch"
        "openvino" computes pooled features on the processor only, and needs the extra `speed`.

    Raises
    ------
    InputError
        If the backend is unknown, or if OpenVINO is not installed or cannot do what is asked for.
    """
    _check_backend(backend, device, fold)
    dtype = torch.bfloat16 if chosen_precision(precision, device) == "bfloat16" else torch.float32
    device = torch.device(device)
    plain = copy.deepcopy(network).eval().requires_grad_(False)
    for name, module in list(plain.named_modules()):
        if isinstance(module, nn.LocalResponseNorm):
            parent, _, attribute = name.rpartition(".")
            setattr(plain.get_submodule(parent), attribute, _ResponseNorm(module))
    if backend == "openvino":
        folded = _folded_graph(plain, device, torch.float32, pack=False)
        return OpenvinoNetwork(folded.graph if folded else PooledNetwork(plain), dtype, _TOLERANCES[dtype])
    pack = device.type == "cpu" and torch.backends.mkldnn.is_available()
    folded = _folded_graph(plain, device, dtype, pack) if fold else None
    return folded or _to_channels_last(plain, device, dtype)


def _check_backend(backend, device, fold):
    require_option(backend, BACKENDS, "optimize_for_inference", "backend")
    if backend == "torch":
        return
    if not fold:
        raise InputError("backend='openvino' computes pooled features only. Use backend='torch' for a named layer.")
    if torch.device(device).type != "cpu":
        raise InputError(f"backend='openvino' works on the processor. Got device={str(device)!r}; use device='cpu'.")
    import_openvino()


class _ResponseNorm(nn.Module):
    """Local response normalization in a quarter of torch's time, computed in float32 for every type of input."""

    def __init__(self, norm):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = norm.size, norm.alpha, norm.beta, norm.k

    def forward(self, values):
        padding = (0, 0, 0, 0, self.size // 2, (self.size - 1) // 2)
        squares = functional.pad(values.float().square(), padding)
        windows = [squares.narrow(1, first, values.shape[1]) for first in range(self.size)]
        divisor = sum(windows[1:], windows[0]) * (self.alpha / self.size) + self.k
        return (values / divisor**self.beta).to(values.dtype)


def _to_channels_last(network, device, dtype):
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return network.to(device, dtype)


def _folded_graph(network, device, dtype, pack):
    """Return the network as a `PooledGraph`, or None if no graph gives the same features."""
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    try:
        expected, images = _features_of_noise(network)
        graph = PooledGraph(copy.deepcopy(network, shared), pack)
        graph = _to_channels_last(graph, device, dtype)
        error = (forward_features(graph, images) - expected).abs().max() / expected.abs().max()
    except Exception:  # tracing runs the code of any network, which may raise anything
        return None
    # By default a GPU convolves float32 with fewer bits.
    return graph if error <= _TOLERANCES[dtype if device.type == "cpu" else torch.bfloat16] else None


def _features_of_noise(network):
    """Return the features of a noise image, of 64 pixels if the network accepts that and else of 224, and the image."""
    noise = torch.randn(1, first_channels(network) or 3, 224, 224, generator=torch.Generator().manual_seed(0))
    small = noise[..., :64, :64]
    try:
        return forward_features(network, small), small
    except Exception:  # networks refuse a size in many ways
        return forward_features(network, noise), noise
