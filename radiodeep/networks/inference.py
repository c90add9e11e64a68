"""A network goes in; the same network, quicker at looking at images and unable to learn, comes out."""

import copy
from contextlib import contextmanager

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from radiodeep.exceptions import InputError

PRECISIONS = ("float32", "bfloat16", "auto")


def chosen_precision(precision, device="cpu"):
    """Return "float32" or "bfloat16"; "auto" takes the second where the processor computes in it.

    Raises
    ------
    InputError
        Another word.
    """
    if precision not in PRECISIONS:
        raise InputError(f"The precision must be one of {', '.join(PRECISIONS)}. Got {precision!r} instead.")
    if precision != "auto":
        return precision
    if torch.device(device).type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"


def chosen_device(device):
    """Return the torch device of a name; "auto" takes a GPU where there is one.

    Raises
    ------
    InputError
        The name is none that torch knows, or there is no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"The device must be 'auto', 'cpu' or one of torch, e.g. 'cuda:0'. Got {device!r}.") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"Torch finds no GPU for device={device!r}. Take device='auto' or 'cpu'.")
    return chosen


@contextmanager
def threads(n_threads):
    """Let torch use that many threads of the processor for a while; None for as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def prepared(network, precision="float32", device="cpu", fold=True):
    """Return a copy of a network for looking at images only.

    Batch normalisations are folded into the convolutions before them, weights lie channels last, and in
    bfloat16 where that is asked for. Features in float32 differ by rounding alone (1e-6 of the largest).

    Parameters
    ----------
    network : torch.nn.Module
        With trained weights; stays as it is.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
    device : str or torch.device, default="cpu"
    fold : bool, default=True
        False keeps every layer with its own values, for those who ask for layers by name.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, without gradients.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.activations import forward_features
    >>> from radiodeep.networks.architectures import build_network
    >>> from radiodeep.networks.inference import prepared
    >>> network, images = build_network("resnet10t", n_classes=0), torch.rand(2, 3, 64, 64)
    >>> plain, quick = (forward_features(one, images) for one in (network, prepared(network)))
    >>> bool((plain - quick).abs().max() < 1e-5 * plain.abs().max())
    True
    """
    quick = copy.deepcopy(network).eval()
    if fold:
        _fold_normalisations(quick)
    dtype = torch.bfloat16 if chosen_precision(precision, device) == "bfloat16" else torch.float32
    for name, module in list(quick.named_modules()):
        if isinstance(module, nn.LocalResponseNorm):  # torch has it in single precision only
            parent, _, last = name.rpartition(".")
            setattr(quick.get_submodule(parent), last, _SingleResponseNorm(module))
    return quick.eval().requires_grad_(False).to(device=device, dtype=dtype, memory_format=torch.channels_last)


class _SingleResponseNorm(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.norm = norm

    def forward(self, values):
        return self.norm(values.float()).to(values.dtype)


def _fold_normalisations(network):
    """Fold each batch normalisation that alone uses a convolution into it; the network keeps its own forward."""
    try:
        graph = fx.symbolic_trace(network).graph
    except Exception:  # a network whose way through its layers depends on the image: stays as it is
        return
    modules = dict(network.named_modules())
    used = [node.target for node in graph.nodes if node.op == "call_module"]
    for node in graph.nodes:
        if node.op != "call_module" or type(modules[node.target]) is not nn.BatchNorm2d:
            continue
        before, norm = node.args[0], modules[node.target]
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        convolution = modules[before.target]
        once = used.count(before.target) == 1 and used.count(node.target) == 1
        if type(convolution) is not nn.Conv2d or not once or norm.running_mean is None:
            continue
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        parent, _, name = node.target.rpartition(".")
        setattr(network.get_submodule(parent), name, nn.Identity())
