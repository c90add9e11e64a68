"""Settings of a training -> learning rates of its epochs and its optimizer."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from sklearn.base import BaseEstimator, clone

from radiodeep.checks import is_count, is_flag, is_fraction, is_non_negative, is_positive, require, require_option
from radiodeep.exceptions import InputError
from radiodeep.networks.devices import PRECISIONS
from radiodeep.networks.training.augmentation import Augmentation, OwnRangeAugmentation

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES = ("constant", "one-cycle")
STUDY_AUGMENTATION = Augmentation()


class Rates(NamedTuple):
    """What changes from epoch to epoch: a learning rate for each, and a momentum (of Adam, its first beta) or None.

    After the epochs `snapshots`, counted from 1, a copy of the network is kept.
    """

    learning_rates: list
    momenta: list | None = None
    snapshots: tuple = ()


@dataclass(repr=False, eq=False)
class Training(BaseEstimator):
    """The plan of a training, for `CNNClassifier`, `CNNRegressor` and `fit_network`.

    A grid search reaches its settings as ``training__epochs`` and so on.

    Parameters
    ----------
    epochs : int, default=20
    n_views : int, default=12
        How often an epoch shows each image, augmented anew each time. The nodule studies used 72.
    batch_size : int, default=32
        The largest batch. The batches of an epoch differ in size by at most one image.
    learning_rate : float, default=1e-3
        The largest rate of the schedule.
    schedule : {"constant", "one-cycle"}, default="constant"
        "one-cycle" raises the rate over the first 30 % of the epochs and then lowers it to nearly 0, while the
        momentum falls and rises again (Smith and Topin, 2019).
    n_snapshots : int, optional
        Split the epochs into this number of cycles, in each of which the rate falls from `learning_rate` along half a
        cosine, and keep the network at the end of each cycle (Huang et al., 2017). No cases are held out then.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"}, default="adam"
    momentum : float, default=0.9
        Of "sgd".
    weight_decay : float, default=0
    penalty : float, default=0.01
        Factor of the squared weights that the network names in `penalized_weights()`, added to the loss. Networks
        without that method, all but "arch1" and "arch2", have no penalty.
    augmentation : Augmentation, optional
        By default the rotations and flips of the nodule studies.
    validation_fraction : float, default=0.3
        Share of the patients that is held out. The network of the epoch with the lowest loss on them is kept. With 0
        all patients are trained on, and the network of the last epoch is kept.
    patience : int, optional
        Stop after this number of epochs without a lower validation loss.
    precision : {"float32", "tf32", "bfloat16", "auto"}, default="float32"
        Precision of the layers; weights and losses are float32. "auto" is "bfloat16" if the hardware supports it.
        "tf32" multiplies numbers of three digits on a GPU, and is "float32" on a processor.

    References
    ----------
    L. N. Smith, N. Topin, Super-convergence, Proc. SPIE 11006, 2019.
    G. Huang et al., Snapshot ensembles: train 1, get M for free, ICLR 2017.

    Examples
    --------
    >>> from radiodeep import Training
    >>> Training(epochs=3, schedule="one-cycle").rates().learning_rates[-1] < 1e-7
    True
    >>> Training(epochs=0).check()
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'epochs' parameter of Training must be an int >= 1. Got 0 instead.
    """

    epochs: int = 20
    n_views: int = 12
    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: str = "constant"
    n_snapshots: int | None = None
    optimizer: str = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.0
    penalty: float = 0.01
    augmentation: object = STUDY_AUGMENTATION
    validation_fraction: float = 0.3
    patience: int | None = None
    precision: str = "float32"

    def check(self, owner="Training"):
        """Raise InputError for a setting out of range; `owner` is named in the message."""
        for name, allowed, is_allowed in (
            ("epochs", "an int >= 1", is_count(self.epochs, 1)),
            ("n_views", "an int >= 1", is_count(self.n_views, 1)),
            ("batch_size", "an int >= 1", is_count(self.batch_size, 1)),
            ("learning_rate", "a float > 0", is_positive(self.learning_rate)),
            ("momentum", "a float >= 0 and < 1", is_fraction(self.momentum)),
            ("weight_decay", "a float >= 0", is_non_negative(self.weight_decay)),
            ("penalty", "a float >= 0", is_non_negative(self.penalty)),
            ("validation_fraction", "a float >= 0 and < 1", is_fraction(self.validation_fraction)),
            ("n_snapshots", "an int >= 2", self.n_snapshots is None or is_count(self.n_snapshots, 2)),
            ("patience", "an int >= 1", self.patience is None or is_count(self.patience, 1)),
            ("augmentation", "None or an Augmentation", _is_augmentation(self.augmentation)),
        ):
            require(is_allowed, owner, name, allowed, getattr(self, name))
        require_option(self.schedule, SCHEDULES, owner, "schedule")
        require_option(self.optimizer, OPTIMIZERS, owner, "optimizer")
        require_option(self.precision, PRECISIONS, owner, "precision")

    def rates(self):
        """Return the `Rates` of the epochs."""
        if self.n_snapshots is not None:
            learning_rates, ends = cyclic_learning_rates(self.learning_rate, self.epochs, self.n_snapshots)
            return Rates(learning_rates, snapshots=tuple(ends))
        if self.schedule == "one-cycle":
            return Rates(*one_cycle(self.learning_rate, self.epochs))
        return Rates([self.learning_rate] * self.epochs)

    @property
    def held_out_fraction(self):
        """Share of the patients that is held out, which is 0 if snapshots are taken."""
        return self.validation_fraction if self.n_snapshots is None else 0.0

    def for_input(self, specification):
        """Return the plan for a network with a given `NetworkInput`.

        Images in units of their own, such as HU, are augmented on a scale of 0..1.
        """
        if self.augmentation is None or not specification.own_units:
            return self
        return clone(self).set_params(augmentation=OwnRangeAugmentation(self.augmentation))

    def make_optimizer(self, parameter_groups, learning_rate):
        """Return the optimizer of parameter groups that carry a `factor` of the learning rate."""
        settings = {"lr": learning_rate, "weight_decay": self.weight_decay}
        if self.optimizer == "sgd":
            return torch.optim.SGD(parameter_groups, momentum=self.momentum, **settings)
        classes = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
        return classes[self.optimizer](parameter_groups, **settings)


def cyclic_learning_rates(peak, n_epochs, n_cycles):
    """Return rates that fall from `peak` along half a cosine in each cycle, and the last epoch of each, counted from 1.

    G. Huang et al., Snapshot ensembles: train 1, get M for free, ICLR 2017, equation 2.
    """
    if not 1 <= n_cycles <= n_epochs:
        raise InputError(f"There must be 1 to {n_epochs} cycles, no more than epochs. Got {n_cycles!r} instead.")
    learning_rates, ends = [], []
    for cycle in range(n_cycles):
        length = n_epochs * (cycle + 1) // n_cycles - n_epochs * cycle // n_cycles
        for epoch in range(length):
            learning_rates.append(round(peak / 2 * (math.cos(math.pi * epoch / length) + 1), 12))
        ends.append(len(learning_rates))
    return learning_rates, ends


def one_cycle(peak, n_epochs):
    """Return the learning rates and the momenta of `torch.optim.lr_scheduler.OneCycleLR`, one of each per epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=n_epochs)
    learning_rates, momenta = [], []
    for epoch in range(n_epochs):
        learning_rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if epoch + 1 < n_epochs:
            scheduler.step()
    return learning_rates, momenta


def _is_augmentation(value):
    return value is None or (hasattr(value, "apply") and not is_flag(value))
