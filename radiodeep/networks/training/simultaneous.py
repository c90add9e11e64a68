"""Networks of one architecture and one stream of batches go in; each comes out as if it had been trained alone."""

import math
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from radiodeep.exceptions import InputError
from radiodeep.networks.devices import chosen_precision

OPTIMIZERS = {"rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
METHODS = ("auto", "threads", "stacked")


def train_together(networks, batches, **options):
    """Train networks of one architecture on the same batches.

    Parameters
    ----------
    networks : list of torch.nn.Module
        Changed in place, on the device where they are; left in evaluation mode.
    batches : iterable of (images, targets, weights)
        As `SimultaneousTraining.step` takes them.
    **options
        Those of `SimultaneousTraining`.

    Returns
    -------
    torch.Tensor
        Losses, shape (n_steps, n_networks).

    Examples
    --------
    Two folds of one study: what has weight 0 in a network is never learned from.

    >>> import torch
    >>> from radiodeep.networks.architectures.registry import build_network
    >>> from radiodeep.networks.training.simultaneous import train_together
    >>> networks = [build_network("arch3", in_channels=1, n_classes=2) for _ in range(2)]
    >>> images, targets = torch.rand(4, 1, 100, 100), torch.tensor([0, 1, 0, 1])
    >>> weights = torch.tensor([[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    >>> train_together(networks, [(images, targets, weights)] * 3, seeds=[0, 1]).shape
    torch.Size([3, 2])
    """
    training = SimultaneousTraining(networks, **options)
    losses = [training.step(*batch) for batch in batches]
    training.write_back()
    for network in networks:
        network.eval()
    return torch.stack(losses) if losses else torch.empty(0, len(networks))


class SimultaneousTraining:
    """Many trainings of one small architecture that go through the same batches, step by step.

    Members of an ensemble, folds of a study, or both: each network has its own start, its own dropout and its own
    weights of the examples, and the batches are read and augmented once for all. Every network ends as it would
    alone on the same batches, within rounding; `step` with one network is that training. An example of weight 0
    leaves no trace in a network because no layer looks across examples: batch normalisation is refused.

    Parameters
    ----------
    networks : list of torch.nn.Module
        Of one architecture and on one device; put into training mode. Parameters that require no gradient stay.
    optimizer : {"rmsprop", "adam", "sgd"}, default="rmsprop"
    learning_rate : float or callable, default=1e-4
        A callable gets the number of the step, from 0, and returns its rate.
    l2_penalty : float, default=0.0
        Times the sum of squares of `network.penalized_weights()`, added to the loss.
    seeds : list of int, optional
        Of the dropout of each network; by default 0, 1, ...
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Of the layers; weights, losses and steps stay in float32.
    method : {"auto", "threads", "stacked"}, default="auto"
        "threads" shares the networks out to as many threads as torch has; "stacked" computes all in one, each layer
        with the weights of all networks stacked. "auto" takes threads on a CPU and for networks of sequences, whose
        number of slices differs, and stacks elsewhere.

    Raises
    ------
    InputError
        Networks that differ in their parameters, batch normalisation, networks of sequences stacked, or unknown
        options.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.architectures.registry import build_network
    >>> from radiodeep.networks.training.simultaneous import SimultaneousTraining
    >>> networks = [build_network("arch1", in_channels=1, n_classes=2) for _ in range(3)]
    >>> training = SimultaneousTraining(networks, l2_penalty=0.01)
    >>> training.step(torch.rand(2, 1, 100, 100), torch.tensor([0, 1])).shape
    torch.Size([3])
    """

    def __init__(
        self,
        networks,
        *,
        optimizer="rmsprop",
        learning_rate=1e-4,
        l2_penalty=0.0,
        seeds=None,
        precision="float32",
        method="auto",
    ):
        self.networks, self.learning_rate, self.l2_penalty = list(networks), learning_rate, l2_penalty
        _check(self.networks, optimizer, method, seeds)
        if l2_penalty and not hasattr(self.networks[0], "penalized_weights"):
            raise InputError(
                f"The 'l2_penalty' parameter of SimultaneousTraining must be 0 for a {type(networks[0]).__name__}, "
                f"which names no penalized_weights(). Got {l2_penalty!r} instead."
            )
        first = next(self.networks[0].parameters())
        self._device = first.device
        self._quick = chosen_precision(precision, self._device) == "bfloat16"
        seeds = range(len(self.networks)) if seeds is None else seeds
        self._generators = [torch.Generator(self._device).manual_seed(int(seed)) for seed in seeds]
        self._n_steps = 0
        for network in self.networks:
            network.train()
        of_sequences = hasattr(self.networks[0], "values_of_slices")
        if method == "stacked" and of_sequences:
            raise InputError(
                "Networks of sequences cannot be stacked: lesions differ in slices. Take method='threads'."
            )
        stacked = method == "stacked" or (method == "auto" and self._device.type != "cpu" and not of_sequences)
        self._members = _Stack(self) if stacked else _Threads(self)
        self._optimizers = [OPTIMIZERS[optimizer](group, lr=1.0) for group in self._members.parameter_groups()]

    def step(self, images, targets, weights=None):
        """Let every network learn from one batch.

        Parameters
        ----------
        images : torch.Tensor
            Shape (n, channels, height, width), on the device of the networks.
        targets : torch.Tensor
            Shape (n,): 0 and 1 for networks of one output (binary cross entropy), class numbers for those of several
            (cross entropy).
        weights : torch.Tensor, optional
            Of each example in each network, shape (n_networks, n). The loss of a network is the weighted mean of the
            losses of its examples; a batch without weight has loss 0.

        Returns
        -------
        torch.Tensor
            The loss of each network before the step, with its penalty; on the CPU, shape (n_networks,).

        Raises
        ------
        InputError
            Weights of another shape.
        FloatingPointError
            A loss is no longer finite; a lower learning rate is the way out.
        """
        shape = len(self.networks), len(images)
        weights = torch.ones(shape, device=self._device) if weights is None else weights.to(self._device)
        if weights.shape != shape:
            raise InputError(f"The weights must have shape {shape}, networks x images. Got {tuple(weights.shape)}.")
        rate = self.learning_rate(self._n_steps) if callable(self.learning_rate) else self.learning_rate
        for optimizer in self._optimizers:
            optimizer.param_groups[0]["lr"] = rate
        losses = self._members.step(images, targets, weights, self._optimizers)
        self._n_steps += 1
        for member, loss in enumerate(losses.tolist()):
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"The loss of network {member} in step {self._n_steps} is {loss}. Take a lower learning rate."
                )
        return losses

    def write_back(self):
        """Put the present weights into the networks; they are there already unless the method is "stacked"."""
        self._members.write_back()

    def state_dict(self):
        """Return all that a later `load_state_dict` needs to go on as if there had been no break."""
        self.write_back()
        return {
            "networks": [network.state_dict() for network in self.networks],
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "generators": [generator.get_state() for generator in self._generators],
            "n_steps": self._n_steps,
        }

    def load_state_dict(self, state):
        """Go on from a `state_dict` of a training with the same options."""
        for network, one in zip(self.networks, state["networks"], strict=True):
            network.load_state_dict(one)
        self._members.read()
        for optimizer, one in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(one)
        for generator, one in zip(self._generators, state["generators"], strict=True):
            generator.set_state(one.cpu())
        self._n_steps = state["n_steps"]

    def _autocast(self):
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._quick)

    def _loss(self, network, parameters, images, targets, weights):
        outputs = functional_call(network, parameters, (images,)) if parameters else network(images)
        outputs = outputs if outputs.dtype is torch.float64 else outputs.float()
        if outputs.shape[1] == 1:
            losses = functional.binary_cross_entropy_with_logits(
                outputs[:, 0], targets.to(outputs.dtype), reduction="none"
            )
        else:
            losses = functional.cross_entropy(outputs, targets, reduction="none")
        weights = weights.to(losses.dtype)
        return (weights * losses).sum() / weights.sum().clamp(min=torch.finfo(losses.dtype).tiny)


class _Threads:
    """Each network in one piece, several at a time."""

    def __init__(self, training):
        self.training = training

    def parameter_groups(self):
        return [[one for one in network.parameters() if one.requires_grad] for network in self.training.networks]

    def step(self, images, targets, weights, optimizers):
        def train(member):
            network, optimizer = self.training.networks[member], optimizers[member]
            optimizer.zero_grad(set_to_none=True)
            with self.training._autocast(), _DrawnDropout(self.training._generators[member]):
                loss = self.training._loss(network, None, images, targets, weights[member])
            if self.training.l2_penalty:
                loss = loss + self.training.l2_penalty * sum(one.square().sum() for one in network.penalized_weights())
            loss.backward()
            optimizer.step()
            return loss.detach()

        n_networks, n_threads = len(optimizers), torch.get_num_threads()
        if images.device.type != "cpu" or min(n_networks, n_threads) == 1:
            return torch.stack([train(member) for member in range(n_networks)]).cpu()
        try:
            with ThreadPoolExecutor(
                min(n_networks, n_threads), initializer=torch.set_num_threads, initargs=(1,)
            ) as pool:
                return torch.stack(list(pool.map(train, range(n_networks))))
        finally:
            torch.set_num_threads(n_threads)

    def write_back(self):
        pass

    def read(self):
        pass


class _Stack:
    """All networks in one, each parameter with a first axis for the networks."""

    def __init__(self, training):
        self.training = training
        self.network = training.networks[0]
        names = {id(one): name for name, one in self.network.named_parameters()}
        penalized = self.network.penalized_weights() if training.l2_penalty else []
        self.penalized = [names[id(one)] for one in penalized]
        self.parameters = {}
        self.read()

    def read(self):
        parameters, self.buffers = stack_module_state(self.training.networks)
        for name, one in parameters.items():
            if name in self.parameters:
                self.parameters[name].data.copy_(one.detach())
            else:
                self.parameters[name] = one.detach()
        self.learned = [name for name, one in self.network.named_parameters() if one.requires_grad]

    def parameter_groups(self):
        return [[self.parameters[name] for name in self.learned]]

    def step(self, images, targets, weights, optimizers):
        def loss(learned, others, masks, weights):
            with self.training._autocast(), _GivenDropout(masks):
                loss = self.training._loss(self.network, {**learned, **others}, images, targets, weights)
            if self.penalized:
                loss = loss + self.training.l2_penalty * sum(learned[name].square().sum() for name in self.penalized)
            return loss

        learned = {name: self.parameters[name] for name in self.learned}
        others = {name: one for name, one in self.parameters.items() if name not in learned} | self.buffers
        gradients, losses = vmap(grad_and_value(loss))(learned, others, self._masks(images), weights)
        for name, one in learned.items():
            one.grad = gradients[name]
        optimizers[0].step()
        return losses.detach().cpu()

    def _masks(self, images):
        """Draw the masks of each network as it would alone, (n_networks, n_images, ...) for each dropout layer."""
        shapes = _RecordedDropout()
        with torch.no_grad(), shapes:
            self.network(images[:1])
        drawn = [
            [_mask((len(images), *shape), p, images, generator) for shape, p in shapes.seen]
            for generator in self.training._generators
        ]
        return [torch.stack(masks) for masks in zip(*drawn, strict=True)]

    def write_back(self):
        for member, network in enumerate(self.training.networks):
            with torch.no_grad():
                for name, one in network.named_parameters():
                    one.copy_(self.parameters[name][member])


class _Dropout(TorchFunctionMode):
    """Dropout of torch with masks that this object gives."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is not functional.dropout:
            return function(*args, **kwargs)
        given = dict(zip(("input", "p", "training", "inplace"), args, strict=False)) | kwargs
        return self.drop(given["input"], given.get("p", 0.5)) if given.get("training", True) else given["input"]


class _DrawnDropout(_Dropout):
    def __init__(self, generator):
        self.generator = generator

    def drop(self, values, p):
        return values * _mask(values.shape, p, values, self.generator)


class _GivenDropout(_Dropout):
    def __init__(self, masks):
        self.masks = iter(masks)

    def drop(self, values, p):
        return values * next(self.masks).to(values.dtype)


class _RecordedDropout(_Dropout):
    def __init__(self):
        self.seen = []

    def drop(self, values, p):
        self.seen.append((values.shape[1:], p))
        return values


def _mask(shape, p, like, generator):
    """Return 0 with probability p, else 1 / (1 - p)."""
    kept = torch.rand(shape, generator=generator, device=like.device) >= p
    return kept.to(like.dtype) / (1 - p)


def _check(networks, optimizer, method, seeds):
    for name, value, allowed in (("optimizer", optimizer, tuple(OPTIMIZERS)), ("method", method, METHODS)):
        if value not in allowed:
            raise InputError(
                f"The {name!r} parameter of SimultaneousTraining must be one of {', '.join(allowed)}. "
                f"Got {value!r} instead."
            )
    kinds = {
        (type(network), tuple((name, one.shape, one.device) for name, one in network.named_parameters()))
        for network in networks
    }
    if len(kinds) != 1:
        raise InputError(
            "SimultaneousTraining takes one or more networks of one architecture and on one device. "
            f"Got {len(networks)} of {len(kinds)} kinds instead."
        )
    if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in networks[0].modules()):
        raise InputError(
            "SimultaneousTraining takes no batch normalisation: examples of weight 0 would take part in its means. "
            "Train such networks one by one, each on its own examples."
        )
    if seeds is not None and len(seeds) != len(networks):
        raise InputError(f"SimultaneousTraining needs a seed for each of {len(networks)} networks. Got {len(seeds)}.")
