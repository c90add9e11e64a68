"""A network goes in; the same network, quicker at looking at images and unable to learn, comes out."""

import copy

import torch
from torch import nn
from torch.nn import functional

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import first_channels
from radiodeep.networks.devices import chosen_precision
from radiodeep.networks.inference.activations import forward_features, pooled_features
from radiodeep.networks.inference.fusion import Pooled, PooledGraph
from radiodeep.networks.inference.openvino import OpenvinoNetwork, import_openvino

BACKENDS = ("torch", "openvino")
_TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 0.05}  # of the largest feature


def prepared(network, precision="float32", device="cpu", fold=True, backend="torch"):
    """Return a copy of a network for looking at images only.

    Batch normalisations are folded into the convolutions before them, weights lie channels last, and in
    bfloat16 where that is asked for. On a processor, convolutions also add short cuts and rectify as they write.
    Features in float32 differ by rounding alone (1e-6 of the largest); that is tried on one small image, and a
    network for which it is not so, or whose way through its layers depends on the image, keeps its layers as
    they are. Setting up has paid after 3 to 70 images, for OpenVINO after 8 to 80.

    Parameters
    ----------
    network : torch.nn.Module
        With trained weights; stays as it is.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
    device : str or torch.device, default="cpu"
    fold : bool, default=True
        Whether the result needs to know no more than pooled features, the way from images to which it then is.
        False keeps every layer with its own values, for those who ask for layers by name.
    backend : {"torch", "openvino"}, default="torch"
        "openvino" is for pooled features on the processor; it needs the extra `speed`.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, without gradients.

    Raises
    ------
    InputError
        Another backend; OpenVINO is not installed, or is to give named layers or to work on a GPU.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.inference.activations import forward_features
    >>> from radiodeep.networks.architectures.registry import build_network
    >>> from radiodeep.networks.inference.engines import prepared
    >>> network, images = build_network("resnet10t", n_classes=0), torch.rand(2, 3, 64, 64)
    >>> plain, quick = (forward_features(one, images) for one in (network, prepared(network)))
    >>> bool((plain - quick).abs().max() < 1e-5 * plain.abs().max())
    True
    """
    _check_backend(backend, device, fold)
    precision = chosen_precision(precision, device)
    device, dtype = torch.device(device), torch.bfloat16 if precision == "bfloat16" else torch.float32
    plain = copy.deepcopy(network).eval().requires_grad_(False)
    for name, module in list(plain.named_modules()):
        if isinstance(module, nn.LocalResponseNorm):
            parent, _, last = name.rpartition(".")
            setattr(plain.get_submodule(parent), last, _ResponseNorm(module))
    if backend == "openvino":
        quick = _graph(plain, device, torch.float32, pack=False)
        return OpenvinoNetwork(quick.graph if quick else Pooled(plain, pooled_features), dtype, _TOLERANCES[dtype])
    pack = device.type == "cpu" and torch.backends.mkldnn.is_available()
    quick = _graph(plain, device, dtype, pack) if fold else None
    return quick or _laid(plain, device, dtype)


def _check_backend(backend, device, fold):
    if backend not in BACKENDS:
        raise InputError(f"The backend must be one of {', '.join(BACKENDS)}. Got {backend!r} instead.")
    if backend == "torch":
        return
    if not fold:
        raise InputError("backend='openvino' gives pooled features alone. Take backend='torch' for a named layer.")
    if torch.device(device).type != "cpu":
        raise InputError(f"backend='openvino' works on the processor. Got device={str(device)!r}; take device='cpu'.")
    import_openvino()


class _ResponseNorm(nn.Module):
    """Local response normalisation in a quarter of torch's time, and in single precision whatever comes in."""

    def __init__(self, norm):
        super().__init__()
        self.size, self.alpha, self.beta, self.k = norm.size, norm.alpha, norm.beta, norm.k

    def forward(self, values):
        padding = (0, 0, 0, 0, self.size // 2, (self.size - 1) // 2)
        squares = functional.pad(values.float().square(), padding)
        windows = [squares.narrow(1, first, values.shape[1]) for first in range(self.size)]
        divisor = sum(windows[1:], windows[0]) * (self.alpha / self.size) + self.k
        return (values / divisor**self.beta).to(values.dtype)


def _laid(network, device, dtype):
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return network.to(device, dtype)


def _graph(plain, device, dtype, pack):
    """Return the network as a graph of fewer passes, or None if there is none that gives the same features."""
    shared = {id(tensor): tensor for tensor in (*plain.parameters(), *plain.buffers())}
    try:
        expected, images = _tried(plain)
        graph = _laid(PooledGraph(copy.deepcopy(plain, shared), pooled_features, pack), device, dtype)
        error = (forward_features(graph, images) - expected).abs().max() / expected.abs().max()
    except Exception:  # tracing runs code of others, which may raise anything
        return None
    # A GPU convolves single precision in fewer bits by default.
    return graph if error <= _TOLERANCES[dtype if device.type == "cpu" else torch.bfloat16] else None


def _tried(network):
    """Return the features of an image of noise, as small as the network takes it, and that image."""
    noise = torch.randn(1, first_channels(network) or 3, 224, 224, generator=torch.Generator().manual_seed(0))
    small = noise[..., :64, :64]
    try:
        return forward_features(network, small), small
    except Exception:  # each network has its own way to refuse a size
        return forward_features(network, noise), noise
