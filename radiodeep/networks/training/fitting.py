"""Network, examples and plan of a training -> the fitted network and its history: the only training loop."""

import hashlib
import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from os import fspath

import torch
from torch import nn

from radiodeep.exceptions import InputError, RadiodeepWarning, TrainingError
from radiodeep.networks.devices import ImagesAtOnce, chosen_device, chosen_precision, to_device, torch_precision
from radiodeep.networks.training.checkpoints import Checkpoint, TrainingState
from radiodeep.networks.weights.files import hash_of_state
from radiodeep.progress import with_progress


@dataclass
class Fitted:
    """What a training leaves besides the network.

    `history` has for each epoch `epoch` (from 1), `learning_rate`, `loss` and, with validation examples,
    `validation_loss`; `snapshots` has the state of the network after each epoch in `Rates.snapshots`.
    """

    history: list
    snapshots: list


def warn_of_flat_loss(histories, name, advice):
    """Warn if the loss of a training rose, or fell by less than 1 %, from first to last epoch; return whether it did.

    `histories` are those of `Fitted`, `name` is the estimator, and `advice` what to try if the loss did not fall.
    Trainings of one epoch are not judged.
    """
    ends = [(history[0]["loss"], history[-1]["loss"]) for history in histories if len(history) > 1]
    rose = [(first, last) for first, last in ends if last > 1.01 * first]
    flat = [(first, last) for first, last in ends if 0.99 * first < last <= 1.01 * first]
    lower = "Take a lower learning_rate, and look for images with extreme intensities."
    for unlearned, verb, way_out in ((rose, "rose", lower), (flat, "did not fall by 1 %", advice)):
        if unlearned:
            first, last = unlearned[0]
            count = "" if len(histories) == 1 else f" of {len(unlearned)} of {len(histories)} networks"
            warnings.warn(
                f"{name}: the training loss{count} {verb} (from {first:.5g} in the first epoch to {last:.5g} in the "
                f"last). {way_out}",
                RadiodeepWarning,
                stacklevel=4,
            )
    return bool(rose or flat)


def last_layers(network, head, n_layers):
    """Return the weights of the classifier and of the last `n_layers` layers before it; None stands for all layers.

    `head` is what `classifier_prefixes` returns. A layer is a module that holds weights itself.
    """
    if n_layers is None:
        return list(network.parameters())
    layers = [(f"{name}.", list(module.parameters(recurse=False))) for name, module in network.named_modules()]
    head_weights = [weights for name, parameters in layers if name.startswith(head) for weights in parameters]
    before = [parameters for name, parameters in layers if parameters and not name.startswith(head)]
    return head_weights + [weights for parameters in before[max(0, len(before) - n_layers) :] for weights in parameters]


def to_channels_last(network, device):
    """Move a network to a device, with its filters in the channels-last format, which is convolved fastest."""
    network.to(device)
    for weights in network.parameters():
        if weights.ndim == 4:
            weights.data = weights.data.contiguous(memory_format=torch.channels_last)
    return network


def fit_network(
    network,
    examples,
    loss,
    training,
    *,
    rates=None,
    parameter_groups=None,
    freeze_batch_norm=False,
    normalize=None,
    prepare_batch=None,
    validation=None,
    seed=0,
    device="cpu",
    checkpoint=None,
    description="Training",
):
    """Fit a network to examples, and return its history and snapshots, `Fitted`.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place; left in evaluation mode on the processor.
    examples : Examples or ExampleStream
    loss : callable
        Takes outputs (n, n_outputs) and targets; returns the loss of each example, shape (n,).
    training : Training
        Its `validation_fraction` and `n_snapshots` have no effect here, see `validation` and `rates`. All slices of a
        sequence and all planes of a cube are augmented alike: they are passed to `augmentation` as channels.
    rates : Rates, optional
        By default `training.rates()`. The training has an epoch for each learning rate.
    parameter_groups : list of dict, optional
        ``{"params": list of parameters, "factor": factor of the learning rate}``. Parameters in no group keep their
        values. By default all parameters are trained, with factor 1.
    freeze_batch_norm : bool, default=False
        Keep the means and variances of batch normalization layers.
    normalize : callable, optional
        Brings images to the scale of the network, for example `NetworkInput.normalize`; applied after the
        augmentation, and to the images of `validation`.
    prepare_batch : callable, optional
        Takes the augmented images, the targets and a `torch.Generator`; returns images and targets. It separates masks
        from the images that they were augmented with, or adds the noise that the network learns to remove. Images of
        `validation` are prepared with the same random numbers after every epoch.
    validation : Examples, optional
        The network is left as it was after the epoch with the lowest loss on these.
    seed : int, default=0
        Determines the order of the examples, their augmentation and dropout.
    checkpoint : path-like, optional
        File written after every epoch, from which a killed training is resumed, on a processor with the same result as
        without a break; a finished training is not repeated. "{training}" in its name is replaced by a hash of
        everything that the result depends on, so that the folds of a study can share a folder.

    Raises
    ------
    InputError
        If there is nothing to train on, a setting is out of range, or the checkpoint belongs to another training.
    TrainingError
        If the loss is not finite.
    """
    rates = training.rates() if rates is None else rates
    _check(training, rates, validation)
    device = chosen_device(device)
    to_channels_last(network, device)
    groups = parameter_groups or [{"params": list(network.parameters()), "factor": 1.0}]
    trained = {id(weights) for group in groups for weights in group["params"]}
    frozen = [weights for weights in network.parameters() if weights.requires_grad and id(weights) not in trained]
    forked = torch.random.fork_rng(devices=[] if device.type == "cpu" else None)
    with forked, torch_precision(training.precision, device):
        torch.manual_seed(int(seed))
        state = TrainingState(network, training.make_optimizer(groups, rates.learning_rates[0]), int(seed))
        steps = _Steps(state, loss, training, normalize, prepare_batch, device)
        file = None
        if checkpoint is not None:
            settings = [steps.settings(), rates, freeze_batch_norm, int(seed), [group["factor"] for group in groups]]
            fingerprint = _fingerprint(settings, network, groups, examples, validation)
            file = Checkpoint(fspath(checkpoint).replace("{training}", fingerprint[:16]))
            state.load(file, fingerprint)
        with _without_gradients(frozen):
            epochs = range(len(state.history), len(rates.learning_rates))
            for epoch in with_progress(epochs, description, len(epochs)):
                if training.patience is not None and state.epochs_since_best >= training.patience:
                    break
                network.train()
                if freeze_batch_norm:
                    _freeze_batch_norm(network)
                steps.set_rates(rates, epoch)
                record = {"epoch": epoch + 1, "learning_rate": steps.learning_rate, "loss": steps.train(examples)}
                if validation is not None:
                    record["validation_loss"] = steps.validate(validation)
                state.add(record, keep=epoch + 1 in rates.snapshots)
                if file is not None:
                    state.save(file, fingerprint)
    if state.best:
        network.load_state_dict(state.best)
    network.eval().to("cpu")
    return Fitted(state.history, state.snapshots)


def network_outputs(network, images, batch_size=64, is_bfloat16=False, normalize=None):
    """Return the outputs of a network in evaluation mode, float32 of shape (n, n_outputs).

    `is_bfloat16` says whether its layers compute in bfloat16; `normalize` is that of `fit_network`. Outputs are on the
    device of the network, to which a batch after the other is moved.
    """
    network.eval()
    device = next(network.parameters(), images).device
    at_once = ImagesAtOnce()
    outputs = []

    def compute(images):
        images = to_device(images, device)
        images = images if normalize is None else normalize(images)
        with torch.autocast(device.type, torch.bfloat16, enabled=is_bfloat16):
            return network(_to_channels_last(images)).float()

    with torch.inference_mode():
        for batch in images.split(batch_size):
            outputs += at_once.run(lambda n, batch=batch: [compute(part) for part in batch.split(n)], len(batch))
    return torch.cat(outputs)


class _Steps:
    """The steps of one epoch, all with the same loss, plan and normalization."""

    def __init__(self, state, loss, training, normalize, prepare_batch, device):
        self.state = state
        self.loss = loss
        self.training = training
        self.normalize = normalize
        self.prepare_batch = prepare_batch
        self.device = device
        self.precision = chosen_precision(training.precision, device)
        self.is_bfloat16 = self.precision == "bfloat16"
        self.at_once = ImagesAtOnce()
        is_penalized = training.penalty and hasattr(state.network, "penalized_weights")
        self.penalty = training.penalty if is_penalized else 0.0

    def settings(self):
        """Return everything here that the result depends on, as text."""
        plan = self.training.get_params(deep=False) | {"penalty": self.penalty, "precision": self.precision}
        settings = f"{sorted(plan.items())} {_name(self.loss)} {self.normalize!r}"
        return settings if self.prepare_batch is None else f"{settings} {_name(self.prepare_batch)}"

    def set_rates(self, rates, epoch):
        """Give the optimizer the learning rate and the momentum of an epoch."""
        self.learning_rate = float(rates.learning_rates[epoch])
        for group in self.state.optimizer.param_groups:
            group["lr"] = rates.learning_rates[epoch] * group["factor"]
            if rates.momenta is None:
                continue
            if "betas" in group:
                group["betas"] = (rates.momenta[epoch], group["betas"][1])
            else:
                group["momentum"] = rates.momenta[epoch]

    def train(self, examples):
        """Take a step per batch and return the mean loss of the epoch.

        Losses are read at its end, so that a GPU does not wait for the processor after every step.
        """
        steps = []
        for images, targets, weights in examples.epoch(self.training, self.state.generator, self.device):
            images, targets = self._prepared(self._augmented(images), targets, self.state.generator)
            batch = self._normalized(images), targets, weights
            loss = self.at_once.run(lambda n, batch=batch: self._gradients(*batch, n), len(images))
            self.state.optimizer.step()
            steps.append(torch.stack([loss, weights.sum()]))
        total = 0.0
        total_weight = 0.0
        for loss, weight in torch.stack(steps).tolist():
            if not math.isfinite(loss):
                raise TrainingError(
                    f"The loss of epoch {len(self.state.history) + 1} is {loss}. Take a lower learning rate "
                    f"than {self.learning_rate:g}, or look for images with extreme intensities."
                )
            total += loss
            total_weight += weight
        return total / max(total_weight, 1e-12)

    def _gradients(self, images, targets, weights, n_at_once):
        """Compute the gradients of the mean loss of a batch, `n_at_once` images at a time; return the weighted sum.

        The gradients of parts add up to those of the batch, unless batch normalization sees the parts only.
        """
        network = self.state.network
        self.state.optimizer.zero_grad(set_to_none=True)
        total_weight = weights.sum().clamp(min=1e-12)
        total = 0.0
        for number, part in enumerate(images.split(n_at_once)):
            chosen = slice(number * n_at_once, number * n_at_once + len(part))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_bfloat16):
                outputs = network(_to_channels_last(part))
            loss = (self.loss(outputs.float(), targets[chosen]) * weights[chosen]).sum()
            mean = loss / total_weight
            if self.penalty and number == 0:
                mean = mean + self.penalty * sum(kernel.square().sum() for kernel in network.penalized_weights())
            mean.backward()
            total = total + loss.detach()
        return total

    def validate(self, examples):
        """Return the mean loss on examples that are not trained on."""
        images, targets = self._prepared(examples.images, examples.targets, torch.Generator().manual_seed(0))
        outputs = network_outputs(
            self.state.network, images, int(self.training.batch_size), self.is_bfloat16, self.normalize
        )
        losses = self.loss(outputs, targets.to(self.device))
        weights = examples.weights.to(self.device)
        return float((losses * weights).sum() / weights.sum())

    def _augmented(self, images):
        if self.training.augmentation is None:
            return images
        channels = images.flatten(1, -3)
        return self.training.augmentation.apply(channels, self.state.generator).reshape(images.shape)

    def _prepared(self, images, targets, generator):
        return (images, targets) if self.prepare_batch is None else self.prepare_batch(images, targets, generator)

    def _normalized(self, images):
        return images if self.normalize is None else self.normalize(images)


@contextmanager
def _without_gradients(parameters):
    for weights in parameters:
        weights.requires_grad_(False)
    try:
        yield
    finally:
        for weights in parameters:
            weights.requires_grad_(True)


def _fingerprint(settings, network, groups, examples, validation):
    """Return a digest of everything that the result of a training depends on."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for name, part in (("examples", examples), ("validation", validation)):
        if part is not None:
            tensors |= {f"{name}.{key}": tensor for key, tensor in part.tensors().items()}
    shapes = [tuple(weights.shape) for group in groups for weights in group["params"]]
    return hashlib.sha256(f"{settings}{shapes}{hash_of_state(tensors)}".encode()).hexdigest()


def _name(function):
    """Return what identifies a function in a fingerprint; of a callable dataclass, its settings too."""
    if is_dataclass(function):
        return repr(function)
    return getattr(function, "__qualname__", type(function).__qualname__)


def _to_channels_last(images):
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images


def _freeze_batch_norm(network):
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _check(training, rates, validation):
    training.check()
    if not len(rates.learning_rates) or not all(rate > 0 for rate in rates.learning_rates):
        raise InputError(
            f"The learning rates must be numbers > 0, one per epoch. Got {rates.learning_rates!r} instead."
        )
    if training.patience is not None and validation is None:
        raise InputError("The 'patience' parameter of Training needs validation examples, whose loss it watches.")
