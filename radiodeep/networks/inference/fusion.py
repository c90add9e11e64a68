"""Network -> a graph that computes the same pooled features with fewer passes over the feature maps.

Inference of small convolutional networks on a processor is limited by memory: every layer reads and writes maps that
are larger than the caches. So the network is traced into a graph of its operations (torch.fx), and each chain

    convolution -> batch normalization -> (+ shortcut) -> activation function

becomes a single convolution. The normalization y = g (x - m) / sqrt(v + eps) + b is linear in evaluation mode, so it
goes into the weights of the convolution before it. The sum and the activation are done by oneDNN on each part of a map
that it has just computed, before that part leaves the cache. Both are exact but for rounding.

A node is folded only if nothing else uses its value and if its module is called once; a shortcut is folded only if it
is computed before the convolution, because the convolution keeps its place in the graph.
"""

import operator

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from radiodeep.networks.inference.activations import pooled_features

_PIXELS_AT_ONCE = 8 * 224 * 224  # maps of larger batches do not stay in the caches
_ADDITIONS = (operator.add, operator.iadd, torch.add)
_ACTIVATIONS = {
    nn.ReLU: "relu",
    nn.SiLU: "swish",
    functional.relu: "relu",
    torch.relu: "relu",
    functional.silu: "swish",
}


class PooledNetwork(nn.Module):
    """A network that returns its pooled features; its layers are unchanged."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return pooled_features(self.network, images)

    forward_features = forward


class PooledGraph(nn.Module):
    """A network that returns its pooled features, as a graph with folded layers.

    The given network is in evaluation mode, and its modules are changed, so pass a copy. With `pack`, for processors
    only, oneDNN computes the convolutions, with weights in an order that suits it. Images pass a few at a time, so that
    their maps stay in the caches. Tracing raises an error of any type if the control flow depends on the image.
    """

    def __init__(self, network, pack):
        super().__init__()
        self.graph = _trace(network)
        _fold_normalizations(self.graph)
        if pack:
            _pack_convolutions(self.graph)
        self.graph.delete_all_unused_submodules()
        self.graph.recompile()
        self.eval()

    def forward(self, images):
        n_at_once = max(1, _PIXELS_AT_ONCE // (images.shape[-2] * images.shape[-1]))
        images = images.contiguous(memory_format=torch.channels_last)
        return torch.cat([self.graph(batch) for batch in images.split(n_at_once)])

    forward_features = forward


class PackedConvolution(nn.Conv2d):
    """A convolution with weights in the order that oneDNN prefers for the size of its input.

    The `activation`, "relu", "swish" or None, is applied to the output, after another map of the same shape has been
    added if `forward` is given one.
    """

    def __init__(self, convolution, activation):
        nn.Module.__init__(self)
        self.__dict__.update({name: value for name, value in vars(convolution).items() if name not in self.__dict__})
        self.weight, self.bias = convolution.weight, convolution.bias
        self.activation = activation
        self._packed = (None, None)  # shape and type that weights are packed for, packed weights

    def __getstate__(self):
        return self.__dict__ | {"_packed": (None, None)}  # packed for this processor

    def forward(self, maps, other=None):
        geometry = (list(self.padding), list(self.stride), list(self.dilation), self.groups)
        purpose = (maps.shape[1:], self.weight.dtype)
        if self._packed[0] != purpose:
            # For a fixed number of images, so that the order of the weights does not depend on the first batch.
            packed = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *geometry, [8, *maps.shape[1:]])
            self._packed = purpose, packed
        weight = self._packed[1]
        if other is None:
            activation = self.activation or "none"
            return torch.ops.mkldnn._convolution_pointwise(maps, weight, self.bias, *geometry, activation, [], "")
        return torch.ops.mkldnn._convolution_pointwise.binary(
            maps, other, weight, self.bias, *geometry, "add", None, self.activation, [], None
        )


class _Tracer(fx.Tracer):
    """Keep batch normalization, and modules that cannot be traced, as single nodes."""

    def is_leaf_module(self, module, name):
        return isinstance(module, nn.BatchNorm2d) or super().is_leaf_module(module, name)

    def call_module(self, module, forward, args, kwargs):
        try:
            return super().call_module(module, forward, args, kwargs)
        except Exception:  # nodes recorded so far are unused, and removed as dead code
            return self.create_proxy("call_module", self.path_of_module(module), args, kwargs)


def _trace(network):
    root = PooledNetwork(network)
    graph = _Tracer().trace(root)
    if not hasattr(network, "forward_features"):  # its features are read by a hook, which tracing does not see
        linear = [node for node in graph.nodes if _module_of(root, node, nn.Linear)]
        if linear:
            graph.output_node().args = (linear[-1].args[0],)
    traced = fx.GraphModule(root, graph)
    traced.graph.eliminate_dead_code()
    return traced


def _module_of(graph_module, node, *kinds):
    """Return the module that a node calls if it is of exactly one of these types and called nowhere else, or None."""
    if not isinstance(node, fx.Node) or node.op != "call_module":
        return None
    module = graph_module.get_submodule(node.target)
    n_calls = sum(other.op == "call_module" and other.target == node.target for other in node.graph.nodes)
    return module if type(module) in kinds and n_calls == 1 else None


def _fold_normalizations(network):
    """Fold each batch normalization into the convolution before it, if nothing else uses the convolution."""
    for node in list(network.graph.nodes):
        if node.op != "call_module":
            continue
        norm = network.get_submodule(node.target)
        if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None:
            continue
        convolution = _module_of(network, node.args[0], nn.Conv2d)
        activation = getattr(norm, "act", None)  # BatchNormAct2d of timm
        is_known = type(norm) is nn.BatchNorm2d or (activation is not None and isinstance(norm.drop, nn.Identity))
        is_only_user = convolution is not None and len(node.args[0].users) == 1
        if not (is_known and is_only_user and _module_of(network, node, type(norm))):
            continue
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        if activation is None:
            node.replace_all_uses_with(node.args[0])
            network.graph.erase_node(node)
        else:
            parent, _, name = node.target.rpartition(".")
            setattr(network.get_submodule(parent), name, activation)


def _pack_convolutions(network):
    """Pack each convolution together with the shortcut that is added to it and the activation that follows."""
    position = {node: number for number, node in enumerate(network.graph.nodes)}
    for node in list(network.graph.nodes):
        convolution = _module_of(network, node, nn.Conv2d)
        if convolution is None or convolution.padding_mode != "zeros" or isinstance(convolution.padding, str):
            continue
        last = _skip_identities(network, node)
        shortcut = None
        addition = _only_user(last)
        summand = _other_summand(addition, last)
        if summand is not None and position[summand] < position[node]:
            shortcut = summand
            last = _skip_identities(network, addition)
        follower = _only_user(last)
        activation = _activation_of(network, follower)
        if shortcut is not None and activation != "relu":  # oneDNN adds and applies no other
            activation = None
        if activation is not None:
            last = follower
        parent, _, name = node.target.rpartition(".")
        setattr(network.get_submodule(parent), name, PackedConvolution(convolution, activation))
        if shortcut is not None:
            node.args = (*node.args, shortcut)
        if last is not node:
            last.replace_all_uses_with(node)
    network.graph.eliminate_dead_code()


def _other_summand(addition, summand):
    """Return the node that an addition adds to a given one; None if it does not just add two maps."""
    if addition is None or addition.target not in _ADDITIONS or addition.kwargs or summand not in addition.args:
        return None
    if addition.target is operator.iadd and _only_user(addition.args[0]) is None:  # the changed map is used elsewhere
        return None
    other = addition.args[1 if addition.args[0] is summand else 0]
    return other if isinstance(other, fx.Node) else None


def _only_user(node):
    return next(iter(node.users)) if len(node.users) == 1 else None


def _skip_identities(network, node):
    """Return the last node of a chain that passes the values of a node on unchanged."""
    user = _only_user(node)
    while user is not None and user.op == "call_module":
        if not isinstance(network.get_submodule(user.target), nn.Identity | nn.Dropout):
            break
        node, user = user, _only_user(user)
    return node


def _activation_of(network, node):
    """Return oneDNN's name of the activation function that a node computes, or None."""
    if node is None:
        return None
    if node.op == "call_module":
        return _ACTIVATIONS.get(type(network.get_submodule(node.target)))
    return _ACTIVATIONS.get(node.target) if node.op == "call_function" else None
