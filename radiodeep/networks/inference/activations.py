"""Network and images -> features: pooled ones, or the activations of any named layer."""

from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from radiodeep.checks import did_you_mean, is_count, require, require_option
from radiodeep.exceptions import InputError
from radiodeep.networks.architectures.registry import first_convolution
from radiodeep.networks.devices import ImagesAtOnce, to_device

POOLS = ("avg", "max", "flatten")
# Activation functions; the modules of torch call these, too.
_ACTIVATION_FUNCTIONS = {
    getattr(namespace, name)
    for namespace, names in (
        (
            functional,
            ("relu", "relu6", "leaky_relu", "gelu", "silu", "elu", "celu", "selu", "mish", "prelu", "hardswish"),
        ),
        (functional, ("hardtanh", "hardsigmoid", "softplus", "rrelu", "relu_", "leaky_relu_", "elu_", "hardtanh_")),
        (torch, ("relu", "relu_", "sigmoid", "tanh", "selu_", "celu_")),
        (torch.Tensor, ("relu", "relu_", "sigmoid", "sigmoid_", "tanh", "tanh_")),
    )
    for name in names
}


def forward_features(network, images, layer=None, activation="post", pool="avg", batch_size=32):
    """Return the features of each image, float32 of shape (n, n_features) on the processor.

    They are computed in evaluation mode and without gradients, whatever the mode of the network, which is not changed.

    Parameters
    ----------
    network : torch.nn.Module
        From `build_network`, or any other network for images.
    images : float tensor of shape (n, channels, height, width), or (n, channels, z, y, x) for a network for cubes
        Normalized as the network expects (`NetworkInput.normalize`).
    layer : str, optional
        Name of a module. By default the pooled features before the classifier.
    activation : {"post", "pre"}, default="post"
        "post": values after the activation function that directly follows the layer, or the output of the layer if
        none follows. "pre": values before that function, even if it works in place.
    pool : {"avg", "max", "flatten"}, default="avg"
        How maps (and tokens) of a named layer become one feature per channel; "flatten" keeps all values.
    batch_size : int, default=32
        Number of images computed at once, fewer if the memory of a GPU does not suffice; features do not depend on it.

    Raises
    ------
    InputError
        If images have another shape than the network takes, there is no such layer (the message lists similar names),
        no activation function follows a layer of which the values before it are asked for, or an option is unknown.
    """
    _check_options(network, images, layer, activation, pool, batch_size)
    weights = next(network.parameters(), images)
    rows = []
    at_once = ImagesAtOnce()

    def values(images):
        images = to_device(images, weights.device).to(weights.dtype)
        return _pooled_values(network, images, layer, activation, pool).float()

    with _evaluation(network), torch.inference_mode():
        for batch in images.split(batch_size):
            rows += at_once.run(lambda n, batch=batch: [values(part) for part in batch.split(n)], len(batch))
    return torch.cat(rows).cpu()  # once, so that the processor prepares images while a GPU computes


def feature_gradients(network, images, number, layer=None, activation="post", pool="avg"):
    """Return the gradient of feature `number` of each image with respect to its pixels, of the shape of `images`.

    The other arguments are those of `forward_features`, but a network from `optimize_for_inference` has no gradients.
    K. Simonyan, A. Vedaldi, A. Zisserman, Deep inside convolutional networks, arXiv:1312.6034 (2013), section 3.
    """
    _check_options(network, images, layer, activation, pool, 1)
    with _evaluation(network), torch.enable_grad():
        images = images.detach().clone().requires_grad_(True)
        values = _pooled_values(network, images, layer, activation, pool)[:, number]
        return torch.autograd.grad(values.sum(), images)[0]


def layer_names(network):
    """Return the names of all layers of a network, of which `forward_features` takes one."""
    return [name for name, _ in network.named_modules() if name]


def _check_options(network, images, layer, activation, pool, batch_size):
    _, convolution = first_convolution(network)
    n_axes = 4 if convolution is None else convolution.weight.ndim
    if not isinstance(images, torch.Tensor) or images.ndim != n_axes or not len(images):
        shape = tuple(images.shape) if hasattr(images, "shape") else type(images).__name__
        space = "height, width" if n_axes == 4 else "z, y, x"
        raise InputError(f"Images must be a tensor of shape (n, channels, {space}), n > 0. Got {shape} instead.")
    if convolution is not None and images.shape[1] != convolution.in_channels:
        raise InputError(
            f"The network takes images of {convolution.in_channels} channels. Got {images.shape[1]} instead."
        )
    require_option(activation, ("post", "pre"), "forward_features", "activation")
    require_option(pool, POOLS, "forward_features", "pool")
    require(is_count(batch_size, 1), "forward_features", "batch_size", "an int >= 1", batch_size)
    if layer is None and (activation, pool) != ("post", "avg"):
        raise InputError(
            f"activation={activation!r} and pool={pool!r} need a named layer; pooled features are computed by the "
            "network itself. Give layer=..."
        )
    names = layer_names(network)
    if layer is not None and layer not in names:
        hint = did_you_mean(layer, names, n=6) or f" It has: {', '.join(names[:6])}, ..."
        raise InputError(f"The network has no layer {layer!r}.{hint}")


@contextmanager
def _evaluation(network):
    """Put all modules in evaluation mode within the block."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _pooled_values(network, batch, layer, activation, pool):
    values = pooled_features(network, batch) if layer is None else _values_of_layer(network, batch, layer, activation)
    return _pool(values, network, pool)


def pooled_features(network, batch):
    """Return the pooled features before the classifier, shape (n, n_features)."""
    if hasattr(network, "forward_head"):  # timm
        return network.forward_head(network.forward_features(batch), pre_logits=True)
    if hasattr(network, "forward_features"):  # our own
        return network.forward_features(batch)
    return _input_of_last_linear(network, batch)


def _input_of_last_linear(network, batch):
    """Return the input of the fully connected layer that is called last, as networks of torchvision end in one."""
    features = None

    def keep(module, inputs):
        nonlocal features
        features = inputs[0].clone()

    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_pre_hook(keep) for module in linear]
    try:
        output = network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return output if features is None else features


class _ActivationWatch(TorchFunctionMode):
    """Record the values of a tensor before and after the first activation function that it is passed to.

    Hooks would see modules only; torch's function mode sees `functional.relu` and methods of tensors as well.
    """

    def __init__(self):
        super().__init__()
        self.watched, self.before, self.after = None, None, None

    def watch(self, tensor):
        # Cloned, since an activation function may overwrite the values in place.
        self.watched, self.before, self.after = tensor, tensor.clone(), None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        is_watched = bool(args) and args[0] is not None and args[0] is self.watched
        if is_watched and self.after is None and function in _ACTIVATION_FUNCTIONS:
            self.after = result.clone()
        return result


def _values_of_layer(network, batch, layer, activation):
    """Return the values of a named layer, before or after the activation function that follows it."""
    module = network.get_submodule(layer)
    watch = _ActivationWatch()
    is_activation = _is_activation(module)

    def watch_input(_module, inputs):
        watch.watch(inputs[0])

    def watch_output(_module, _inputs, output):
        if not isinstance(output, torch.Tensor):
            raise InputError(f"Layer '{layer}' returns {type(output).__name__}, not a tensor. Name a layer inside it.")
        if is_activation:
            watch.after = output.clone()
        else:
            watch.watch(output)

    hooks = [module.register_forward_pre_hook(watch_input)] if is_activation else []
    hooks.append(module.register_forward_hook(watch_output))
    try:
        with watch:
            network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    if watch.before is None:
        raise InputError(f"Layer '{layer}' is not used when the network computes an image. Name another.")
    if activation == "pre" and watch.after is None:
        raise InputError(
            f"No activation function directly follows layer '{layer}', so there are no values before it. "
            'Use activation="post", which gives the output of the layer, or name a layer that is followed by one.'
        )
    return watch.before if activation == "pre" or watch.after is None else watch.after


def _is_activation(module):
    """Return whether a module is an activation function of torch or timm."""
    origin = type(module).__module__
    return origin == "torch.nn.modules.activation" or origin.startswith("timm.layers.activations")


def _pool(values, network, pool):
    """Pool values of shape (n, d), (n, tokens, d) or (n, channels, height, width), or channels last, to (n, d)."""
    if values.ndim == 3:
        values = values[:, getattr(network, "num_prefix_tokens", 0) :]
    channels_last = values.ndim == 3 or getattr(network, "output_fmt", "NCHW") == "NHWC"
    space = tuple(range(1, values.ndim - 1)) if channels_last else tuple(range(2, values.ndim))
    if not space or pool == "flatten":
        return values.flatten(1)
    return values.mean(dim=space) if pool == "avg" else values.amax(dim=space)
