"""A network and examples go in; the network fitted to them, epoch by epoch, and its history come out."""

import hashlib
import math
import warnings
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from os import fspath

import torch
from torch import nn

from radiodeep.exceptions import InputError, RadiodeepWarning, TrainingError
from radiodeep.networks.devices import chosen_device, chosen_precision
from radiodeep.networks.training.checkpoints import Checkpoint, TrainingState
from radiodeep.networks.weights.files import hash_of_state
from radiodeep.progress import with_progress

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")


@dataclass
class Examples:
    """Images and the targets that a network learns from them.

    Attributes
    ----------
    images : float32 tensor of shape (n, channels, height, width)
        Or (n, length, channels, height, width), sequences of slices; or (n, channels, depth, height, width), cubes.
    targets : tensor of shape (n, ...)
    weights : float32 tensor of shape (n,), optional
        Of each example in the loss; 1 by default.
    """

    images: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor | None = None

    def __post_init__(self):
        if self.weights is None:
            self.weights = torch.ones(len(self.images))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, chosen):
        images = first_plane(self.images)[chosen].expand(-1, *self.images.shape[1:])
        return Examples(images, self.targets[chosen], self.weights[chosen])

    def to(self, device):
        return Examples(self.images.to(device), self.targets.to(device), self.weights.to(device))


@dataclass
class Fitted:
    """What a training leaves beside the network.

    Attributes
    ----------
    history : list of dict
        Of each epoch `epoch` (from 1), `learning_rate`, `loss` and, where there are examples for it,
        `validation_loss`.
    snapshots : list of dict from str to tensor
        The network's state after each of the epochs that were asked for.
    """

    history: list
    snapshots: list


def warn_of_flat_loss(histories, name, advice):
    """Warn if the loss of a training rose by 1 % from its first epoch to its last, or did not fall by 1 %.

    Parameters
    ----------
    histories : list of lists of dict
        As in `Fitted`. A training of one epoch cannot be judged.
    name : str
        Who trained.
    advice : str
        What to try if it did not fall; if it rose, it is a lower learning rate.

    Returns
    -------
    bool
        Whether it warned.

    Warns
    -----
    RadiodeepWarning
    """
    ends = [(history[0]["loss"], history[-1]["loss"]) for history in histories if len(history) > 1]
    rose = [(first, last) for first, last in ends if last > 1.01 * first]
    flat = [(first, last) for first, last in ends if 0.99 * first < last <= 1.01 * first]
    lower = "Take a lower learning_rate, and look for images with extreme intensities."
    for unlearned, what, way_out in ((rose, "rose", lower), (flat, "did not fall by 1 %", advice)):
        if unlearned:
            first, last = unlearned[0]
            count = "" if len(histories) == 1 else f" of {len(unlearned)} of {len(histories)} networks"
            warnings.warn(
                f"{name}: the training loss{count} {what} (from {first:.5g} in the first epoch to {last:.5g} in the "
                f"last). {way_out}",
                RadiodeepWarning,
                stacklevel=4,
            )
    return bool(rose or flat)


def cyclic_learning_rates(peak, n_epochs, n_cycles):
    """Return a learning rate per epoch that falls from `peak` along half a cosine, again and again.

    Parameters
    ----------
    peak : float
    n_epochs, n_cycles : int

    Returns
    -------
    rates : list of float
    ends : list of int
        The last epoch of each cycle, counted from 1: when a snapshot is taken.

    References
    ----------
    G. Huang et al., Snapshot ensembles: train 1, get M for free, ICLR 2017, equation 2.

    Examples
    --------
    >>> from radiodeep.networks.training.fitting import cyclic_learning_rates
    >>> cyclic_learning_rates(0.1, 6, 2)
    ([0.1, 0.075, 0.025, 0.1, 0.075, 0.025], [3, 6])
    """
    if not 1 <= n_cycles <= n_epochs:
        raise InputError(f"There must be 1 to {n_epochs} cycles, no more than epochs. Got {n_cycles!r}.")
    rates, ends = [], []
    for length in (n_epochs * (cycle + 1) // n_cycles - n_epochs * cycle // n_cycles for cycle in range(n_cycles)):
        rates += [round(peak / 2 * (math.cos(math.pi * epoch / length) + 1), 12) for epoch in range(length)]
        ends.append(len(rates))
    return rates, ends


def last_layers(network, head, n_layers):
    """Return the weights of the classifier and of the last layers before it.

    Parameters
    ----------
    network : torch.nn.Module
    head : tuple of str
        `classifier_names(network)`.
    n_layers : int or None
        Layers with weights beside the classifier; None for all.

    Returns
    -------
    list of parameters
    """
    if n_layers is None:
        return list(network.parameters())
    layers = [(f"{name}.", list(module.parameters(recurse=False))) for name, module in network.named_modules()]
    of_head = [weights for name, held in layers if name.startswith(head) for weights in held]
    before = [held for name, held in layers if held and not name.startswith(head)]
    return of_head + [weights for held in before[max(0, len(before) - n_layers) :] for weights in held]


def first_plane(images):
    """Return the plane (..., 1, height, width) that all channels share in memory; all of them if they do not."""
    return images.narrow(-3, 0, 1) if images.stride(-3) == 0 else images


def moved(network, device):
    """Move a network to a device, with the channels of its filters last, where they are convolved quickest."""
    network.to(device)
    for weights in network.parameters():
        if weights.ndim == 4:
            weights.data = weights.data.contiguous(memory_format=torch.channels_last)
    return network


def fit_network(
    network,
    examples,
    loss,
    learning_rates,
    *,
    optimizer="adam",
    weight_decay=0.0,
    penalty=0.0,
    batch_size=32,
    repeats=1,
    trained=None,
    head=(),
    head_factor=1.0,
    freeze_batch_norm=False,
    augmentation=None,
    normalize=None,
    validation=None,
    patience=None,
    snapshots=(),
    seed=0,
    device="cpu",
    precision="float32",
    checkpoint=None,
    description="Training",
):
    """Fit a network to examples that lie in memory.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place; left in evaluation mode on the processor.
    examples : Examples
    loss : callable
        Of outputs (n, n_outputs) and targets; gives a loss per example, shape (n,).
    learning_rates : sequence of float
        One for each epoch.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"}, default="adam"
        "sgd" with a momentum of 0.9.
    weight_decay : float, default=0
        Of the optimiser.
    penalty : float, default=0
        Times the sum of squares of `network.penalized_weights()`, added to the loss.
    batch_size : int, default=32
        At most; the batches of an epoch are of equal size but for one.
    repeats : int, default=1
        How often an epoch shows each example, changed anew each time by `augmentation`.
    trained : list of parameters, optional
        Those that learn; by default all.
    head : list of parameters, optional
        Those of `trained` that learn at `head_factor` times the learning rate.
    head_factor : float, default=1
    freeze_batch_norm : bool, default=False
        Batch normalisation keeps the mean and variance that it came with.
    augmentation : object, optional
        With ``apply(images, generator) -> images``. All slices of a sequence or a cube are changed alike: they are
        given to it as the channels of one image.
    normalize : callable, optional
        Brings images to the scale of the network, for example `NetworkInput.normalize`. Applied after `augmentation`,
        so that this works on pixels of 0..1, and to the images of `validation`.
    validation : Examples, optional
        The network is left as it was after the epoch with the lowest loss on these.
    patience : int, optional
        Epochs without a lower loss on `validation` after which the training ends.
    snapshots : collection of int
        Epochs (from 1) whose network is kept.
    seed : int, default=0
        The same on a processor gives the same network.
    device, precision : str
        As in `prepared`.
    checkpoint : path-like, optional
        Written after every epoch. A training that was killed goes on from it and ends in the same network; one
        that was finished is not repeated. "{training}" in its name becomes a hash of all that decides what the
        training ends in, so that several, as of the folds of a study, leave theirs in one folder.
    description : str
        Beside the progress bar.

    Returns
    -------
    Fitted

    Raises
    ------
    InputError
        A setting that trains nothing, or a checkpoint of another training.
    TrainingError
        The loss is no longer finite.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.architectures.registry import build_network
    >>> from radiodeep.networks.training.fitting import Examples, fit_network
    >>> from radiodeep.networks.training.losses import classification_loss
    >>> examples = Examples(torch.rand(8, 3, 100, 100), torch.arange(8) % 2)
    >>> fitted = fit_network(build_network("arch3"), examples, classification_loss, [1e-3, 1e-4])
    >>> [epoch["learning_rate"] for epoch in fitted.history]
    [0.001, 0.0001]
    """
    _check(examples, learning_rates, optimizer, batch_size, validation, patience)
    batch_size, seed = int(batch_size), int(seed)
    device = chosen_device(device)
    half = chosen_precision(precision, device) == "bfloat16"
    moved(network, device)
    examples = examples.to(device)
    validation = None if validation is None else validation.to(device)
    learning, head = list(network.parameters() if trained is None else trained), list(head)
    frozen = [weights for weights in network.parameters() if weights.requires_grad and not _among(weights, learning)]
    with torch.random.fork_rng(devices=[] if device.type == "cpu" else None):
        torch.manual_seed(seed)
        steps = _optimizer(optimizer, learning, head, head_factor, learning_rates[0], weight_decay)
        state = TrainingState(network, steps, seed)
        file = None
        if checkpoint is not None:
            settings = (optimizer, weight_decay, penalty, batch_size, repeats, freeze_batch_norm, patience, half)
            settings += (len(head), head_factor, repr(normalize))
            settings += (sorted(snapshots), seed, [float(rate) for rate in learning_rates], repr(augmentation))
            settings += (getattr(loss, "__qualname__", type(loss).__qualname__),)
            training = _fingerprint(settings, network, learning, examples, validation)
            file = Checkpoint(fspath(checkpoint).replace("{training}", training[:16]))
            state.load(file, training)
        for weights in frozen:
            weights.requires_grad_(False)
        try:
            epochs = range(len(state.history), len(learning_rates))
            for epoch in with_progress(epochs, description, len(epochs)):
                if _is_over(state.history, patience):
                    break
                network.train()
                if freeze_batch_norm:
                    _freeze_batch_norm(network)
                order = torch.randperm(len(examples) * repeats, generator=state.generator) % len(examples)
                batches = order.tensor_split(-(-len(order) // batch_size))
                prepare = partial(_prepare, state.generator, augmentation, normalize)
                mean = _one_epoch(state, examples, loss, learning_rates[epoch], batches, penalty, prepare, half)
                record = {"epoch": epoch + 1, "learning_rate": float(learning_rates[epoch]), "loss": mean}
                if validation is not None:
                    outputs = network_outputs(network, validation.images, batch_size, half, normalize)
                    losses = loss(outputs, validation.targets)
                    record["validation_loss"] = float((losses * validation.weights).sum() / validation.weights.sum())
                state.add(record, keep=epoch + 1 in snapshots)
                if file is not None:
                    state.save(file)
        finally:
            for weights in frozen:
                weights.requires_grad_(True)
    if state.best:
        network.load_state_dict(state.best)
    network.eval().to("cpu")
    return Fitted(state.history, state.snapshots)


def network_outputs(network, images, batch_size=64, half=False, normalize=None):
    """Return the outputs of a network in evaluation mode, float32 of shape (n, n_outputs); `normalize` as above."""
    network.eval()
    rows = []
    with torch.inference_mode():
        for batch in images.split(batch_size):
            batch = batch if normalize is None else normalize(batch)
            with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
                rows.append(network(_laid_out(batch)).float())
    return torch.cat(rows)


def _prepare(generator, augmentation, normalize, images):
    """Augment images and bring them to the scale of the network."""
    if augmentation is not None:
        images = augmentation.apply(images.flatten(1, -3), generator).reshape(images.shape)
    return images if normalize is None else normalize(images)


def _one_epoch(state, examples, loss, learning_rate, batches, penalty, prepare, half):
    """Show the examples batch by batch and return the mean loss."""
    network, total, weight = state.network, 0.0, 0.0
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate * group["factor"]
    device = examples.images.device
    for chosen in batches:
        chosen = chosen.to(device)
        images, weights = prepare(examples.images[chosen]), examples.weights[chosen]
        state.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            outputs = network(_laid_out(images))
        losses = loss(outputs.float(), examples.targets[chosen])
        mean = (losses * weights).sum() / weights.sum().clamp(min=1e-12)
        if not torch.isfinite(mean):
            raise TrainingError(
                f"The loss of epoch {len(state.history) + 1} is {mean.item()}. Take a lower learning rate than "
                f"{learning_rate:g}, or look for images with extreme intensities."
            )
        if penalty:
            mean = mean + penalty * sum(weights.square().sum() for weights in network.penalized_weights())
        mean.backward()
        state.optimizer.step()
        total, weight = total + float((losses.detach() * weights).sum()), weight + float(weights.sum())
    return total / max(weight, 1e-12)


def _fingerprint(settings, network, learning, examples, validation):
    """Return a digest of all that decides what a training ends in."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for name, some in (("examples", examples), ("validation", validation)):
        if some is not None:
            tensors |= {f"{name}.{part}": getattr(some, part) for part in ("images", "targets", "weights")}
    shapes = [tuple(weights.shape) for weights in learning]
    return hashlib.sha256(f"{settings}{shapes}{hash_of_state(tensors)}".encode()).hexdigest()


def _laid_out(images):
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images


def _optimizer(name, learning, head, head_factor, learning_rate, weight_decay):
    """Return an optimiser whose groups carry the `factor` that the learning rate of an epoch is multiplied by."""
    body = [weights for weights in learning if not _among(weights, head)]
    parameters = [
        {"params": weights, "factor": factor} for weights, factor in ((body, 1.0), (head, head_factor)) if weights
    ]
    settings = {"lr": learning_rate, "weight_decay": weight_decay}
    if name == "sgd":
        return torch.optim.SGD(parameters, momentum=0.9, **settings)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
    return kinds[name](parameters, **settings)


def _freeze_batch_norm(network):
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _is_over(history, patience):
    losses = [record.get("validation_loss") for record in history]
    return patience is not None and bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience


def _among(tensor, tensors):
    return any(tensor is one for one in tensors)


def _check(examples, learning_rates, optimizer, batch_size, validation, patience):
    if not len(examples):
        raise InputError("A network cannot be fitted to no examples. Give at least one.")
    if optimizer not in OPTIMIZERS:
        raise InputError(f"The optimizer must be one of {', '.join(OPTIMIZERS)}. Got {optimizer!r} instead.")
    if not len(learning_rates) or not all(rate > 0 for rate in learning_rates):
        raise InputError(f"The learning rates must be numbers > 0, one per epoch. Got {learning_rates!r} instead.")
    if not isinstance(batch_size, Integral) or batch_size < 1:
        raise InputError(f"The batch size must be an int > 0. Got {batch_size!r} instead.")
    if patience is not None and validation is None:
        raise InputError("A patience needs examples for validation, whose loss it watches.")
