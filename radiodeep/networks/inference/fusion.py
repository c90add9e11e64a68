"""A network goes in; a graph of the same sums, with fewer passes over the maps, comes out."""

import operator

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

_PASS_PIXELS = 8 * 224 * 224  # of larger passes the maps outgrow the caches, and each is fetched anew from the system
_ADDITIONS = (operator.add, operator.iadd, torch.add)
_RECTIFIERS = {nn.ReLU: "relu", nn.SiLU: "swish", functional.relu: "relu", torch.relu: "relu", functional.silu: "swish"}


class Pooled(nn.Module):
    """The way from images to the pooled features of a network, as it is."""

    def __init__(self, network, pooled_features):
        super().__init__()
        self.network, self.pooled_features = network, pooled_features

    def forward(self, images):
        return self.pooled_features(self.network, images)

    forward_features = forward


class PooledGraph(nn.Module):
    """The way from images to pooled features, as a graph of modules in which sums are folded into each other.

    Batch normalisations go into the weights of the convolutions before them. With `pack`, convolutions are done by
    oneDNN with weights in its own order, and rectify their output, and add a short cut to it, while they write it.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode; its modules are changed, so give a copy.
    pooled_features : function of (network, images)
    pack : bool
        For processors alone.

    Raises
    ------
    Exception
        Of any kind, where the way through the layers depends on the image.

    Notes
    -----
    (n, channels, height, width) -> (n, n_features), in passes of few images whose maps stay in the caches.
    """

    def __init__(self, network, pooled_features, pack):
        super().__init__()
        self.graph = _traced(network, pooled_features)
        _fold_normalisations(self.graph)
        if pack:
            _pack_convolutions(self.graph)
        self.graph.delete_all_unused_submodules()
        self.graph.recompile()
        self.eval()

    def forward(self, images):
        n_at_once = max(1, _PASS_PIXELS // (images.shape[-2] * images.shape[-1]))
        images = images.contiguous(memory_format=torch.channels_last)
        return torch.cat([self.graph(some) for some in images.split(n_at_once)])

    forward_features = forward


class PackedConvolution(nn.Conv2d):
    """A convolution whose weights lie as oneDNN wants them for the size of the maps at hand.

    It may rectify what it has computed, and before that add another map to it.
    """

    def __init__(self, convolution, rectifier):
        nn.Module.__init__(self)
        self.__dict__.update({name: value for name, value in vars(convolution).items() if name not in self.__dict__})
        self.weight, self.bias = convolution.weight, convolution.bias
        self.rectifier, self._packed = rectifier, (None, None)

    def __getstate__(self):
        return self.__dict__ | {"_packed": (None, None)}  # belongs to this processor

    def forward(self, maps, other=None):
        how = (list(self.padding), list(self.stride), list(self.dilation), self.groups)
        purpose = (maps.shape[1:], self.weight.dtype)
        if self._packed[0] != purpose:
            # A fixed number of images, so that the order of the weights does not depend on what was seen first.
            packed = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *how, [8, *maps.shape[1:]])
            self._packed = purpose, packed
        weight = self._packed[1]
        if other is None:
            rectifier = self.rectifier or "none"
            return torch.ops.mkldnn._convolution_pointwise(maps, weight, self.bias, *how, rectifier, [], "")
        return torch.ops.mkldnn._convolution_pointwise.binary(
            maps, other, weight, self.bias, *how, "add", None, self.rectifier, [], None
        )


class _Tracer(fx.Tracer):
    """Takes for one piece what cannot be looked into, and normalisations that bring their own activation."""

    def is_leaf_module(self, module, name):
        return isinstance(module, nn.BatchNorm2d) or super().is_leaf_module(module, name)

    def call_module(self, module, forward, args, kwargs):
        try:
            return super().call_module(module, forward, args, kwargs)
        except Exception:  # what was recorded of it leads nowhere, and is removed as dead code
            return self.create_proxy("call_module", self.path_of_module(module), args, kwargs)


def _traced(network, pooled_features):
    root, tracer = Pooled(network, pooled_features), _Tracer()
    graph = tracer.trace(root)
    if not hasattr(network, "forward_features"):  # its features are found by a hook, which tracing steps over
        linear = [node for node in graph.nodes if _module_of(root, node, nn.Linear)]
        if linear:
            graph.output_node().args = (linear[-1].args[0],)
    traced = fx.GraphModule(root, graph)
    traced.graph.eliminate_dead_code()
    return traced


def _module_of(graph_module, node, *kinds):
    """Return the module that a node calls if it is of exactly one of these kinds and called nowhere else."""
    if not isinstance(node, fx.Node) or node.op != "call_module":
        return None
    module = graph_module.get_submodule(node.target)
    once = sum(other.op == "call_module" and other.target == node.target for other in node.graph.nodes) == 1
    return module if type(module) in kinds and once else None


def _fold_normalisations(network):
    """Fold each batch normalisation that alone uses a convolution into it."""
    for node in list(network.graph.nodes):
        if node.op != "call_module":
            continue
        norm = network.get_submodule(node.target)
        if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None:
            continue
        convolution = _module_of(network, node.args[0], nn.Conv2d)
        activation = getattr(norm, "act", None)  # timm has both in one
        plain = type(norm) is nn.BatchNorm2d or (activation is not None and isinstance(norm.drop, nn.Identity))
        if convolution is None or len(node.args[0].users) > 1 or not plain or not _module_of(network, node, type(norm)):
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
    """Pack each convolution, together with the short cut that is added to it and the rectifier behind."""
    place = {node: number for number, node in enumerate(network.graph.nodes)}
    for node in list(network.graph.nodes):
        convolution = _module_of(network, node, nn.Conv2d)
        if convolution is None or convolution.padding_mode != "zeros" or isinstance(convolution.padding, str):
            continue
        last, other = _after_nothing(network, node), None
        sum_ = _only_user(last)
        added = _added(sum_, last)
        # Only where it is there already: the convolution must not be moved.
        if added is not None and place[added] < place[node]:
            last, other = _after_nothing(network, sum_), added
        rectified = _only_user(last)
        rectifier = _rectifier(network, rectified)
        if other is not None and rectifier not in (None, "relu"):
            rectifier = None
        if rectifier is not None:
            last = rectified
        parent, _, name = node.target.rpartition(".")
        setattr(network.get_submodule(parent), name, PackedConvolution(convolution, rectifier))
        if other is not None:
            node.args = (*node.args, other)
        if last is not node:
            last.replace_all_uses_with(node)
    network.graph.eliminate_dead_code()


def _added(sum_, to):
    """Return the node whose values a sum adds to those of another, or None."""
    if sum_ is None or sum_.target not in _ADDITIONS or sum_.kwargs or to not in sum_.args:
        return None
    if sum_.target is operator.iadd and _only_user(sum_.args[0]) is None:  # somebody may want to see the sum there
        return None
    other = sum_.args[1 if sum_.args[0] is to else 0]
    return other if isinstance(other, fx.Node) else None


def _only_user(node):
    return next(iter(node.users)) if len(node.users) == 1 else None


def _after_nothing(network, node):
    """Return the last of the nodes behind one that hand its values on as they are."""
    user = _only_user(node)
    while user is not None and user.op == "call_module":
        if not isinstance(network.get_submodule(user.target), nn.Identity | nn.Dropout):
            break
        node, user = user, _only_user(user)
    return node


def _rectifier(network, node):
    if node is None:
        return None
    if node.op == "call_module":
        return _RECTIFIERS.get(type(network.get_submodule(node.target)))
    return _RECTIFIERS.get(node.target) if node.op == "call_function" else None
