"""How the network of deep features learns from the cases of a fold before its features are taken."""

from dataclasses import dataclass

import numpy as np
import torch

from radiodeep.exceptions import InputError
from radiodeep.networks.architectures import build_network
from radiodeep.networks.fitting import OPTIMIZERS, Examples, fit_network, last_layers
from radiodeep.networks.losses import classification_loss, numbered_classes
from radiodeep.networks.weights import classifier_names, load_weights


@dataclass(frozen=True)
class FineTuning:
    """Schedule and choices of fine-tuning, by default those of the glioblastoma studies.

    A full layer with one output per class takes the place of the network's classifier, and the whole learns to
    tell the training cases apart by stochastic gradient descent. Normalisations keep the statistics that came with
    the weights, since a few dozen cases are too few for new ones.

    Parameters
    ----------
    n_iterations : int, default=10
        Each shows every image once. The studies took 10 and 20.
    learning_rate : float, default=1e-5
    step : int, default=4
        Iterations after which the learning rate becomes `decay` of what it was.
    decay : float, default=0.1
    batch_size : int, default=16
    optimizer : {"sgd", "adam", "adamw", "rmsprop"}, default="sgd"
        "sgd" with a momentum of 0.9.
    weight_decay : float, default=5e-4
    n_layers : int, optional
        How many of the last layers with weights learn beside the new one; 0 for the new one alone. By default all.
        The rule of thumb: little data 0, some data a few, much data all.
    head_iterations : int, default=0
        So many of the iterations, at the beginning, train the new layer alone; then the others are unfrozen.
    augmentation : object, optional
        With ``apply(images, generator) -> images``, for example a `radiodeep.Augmentation`.
    balanced : bool, default=False
        Cases of rare classes weigh more, so that all classes weigh the same.
    seed : int, default=0
        Of the new layer and of the order of the images. The same gives the same features on a processor.

    Raises
    ------
    InputError
        A setting out of range.

    References
    ----------
    K. B. Ahmed, L. O. Hall, D. B. Goldgof, R. Liu, R. A. Gatenby, Fine-tuning convolutional deep features for MRI
    based brain tumor classification, Proc. SPIE 10134 (2017) 101342E.

    Examples
    --------
    >>> from radiodeep import DeepFeatureExtractor, FineTuning, make_phantom_cohort
    >>> [f"{rate:.0e}" for rate in FineTuning().learning_rates]
    ['1e-05', '1e-05', '1e-05', '1e-05', '1e-06', '1e-06', '1e-06', '1e-06', '1e-07', '1e-07']
    >>> cohort = make_phantom_cohort(8, random_state=0)
    >>> tuned = DeepFeatureExtractor(fine_tune=FineTuning(learning_rate=1e-2)).fit(cohort, cohort.labels)
    >>> tuned.transform(cohort).shape == DeepFeatureExtractor().transform(cohort).shape
    True
    """

    n_iterations: int = 10
    learning_rate: float = 1e-5
    step: int = 4
    decay: float = 0.1
    batch_size: int = 16
    optimizer: str = "sgd"
    weight_decay: float = 5e-4
    n_layers: int | None = None
    head_iterations: int = 0
    augmentation: object = None
    balanced: bool = False
    seed: int = 0

    def __post_init__(self):
        whole = {"n_iterations": 1, "step": 1, "batch_size": 1, "head_iterations": 0, "seed": 0}
        whole |= {} if self.n_layers is None else {"n_layers": 0}
        for name, lowest in whole.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < lowest:
                raise InputError(f"The '{name}' of FineTuning must be an int >= {lowest}. Got {value!r} instead.")
        for name, holds, allowed in (
            ("learning_rate", self.learning_rate > 0, "a float > 0"),
            ("decay", 0 < self.decay <= 1, "a float above 0 and up to 1"),
            ("weight_decay", self.weight_decay >= 0, "a float >= 0"),
            ("optimizer", self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
        ):
            if not holds:
                raise InputError(f"The '{name}' of FineTuning must be {allowed}. Got {getattr(self, name)!r} instead.")

    @property
    def learning_rates(self):
        """The learning rate of each iteration."""
        return [self.learning_rate * self.decay ** (iteration // self.step) for iteration in range(self.n_iterations)]


def tuned_state(plan, name, weights, seed, images, labels, device, precision):
    """Fine-tune a network and return its weights without the classifier.

    Parameters
    ----------
    plan : FineTuning
    name : str
        Of the network.
    weights, seed
        As in `load_weights`.
    images : float32 tensor of shape (n_images, channels, height, width)
        On the scale of the network.
    labels : sequence of n_images class labels
    device, precision : str

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    InputError
        There are fewer than two classes, or labels are missing.
    WeightsError
        As `load_weights`.
    TrainingError
        The loss is no longer finite.
    """
    classes, numbers = numbered_classes(labels)
    if len(classes) < 2:
        raise InputError(f"Fine-tuning needs cases of two classes or more. Got {len(classes)}: {classes.tolist()}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = build_network(name, in_channels=images.shape[1], n_classes=len(classes))
    head = classifier_names(network)
    drawn = {key: value.clone() for key, value in network.state_dict().items() if key.startswith(head)}
    load_weights(network, weights, name, seed=seed)
    network.load_state_dict(drawn, strict=False)  # a classifier that came with the weights is of other classes
    shares = np.bincount(numbers) * len(classes) / len(numbers)
    case_weights = torch.from_numpy((1 / shares[numbers]).astype(np.float32)) if plan.balanced else None
    examples = Examples(images, torch.from_numpy(numbers), case_weights)
    rates = plan.learning_rates
    for n_layers, stage in ((0, rates[: plan.head_iterations]), (plan.n_layers, rates[plan.head_iterations :])):
        if stage:
            fit_network(
                network,
                examples,
                classification_loss,
                stage,
                optimizer=plan.optimizer,
                weight_decay=plan.weight_decay,
                batch_size=plan.batch_size,
                trained=last_layers(network, head, n_layers),
                keep_norms=True,
                augmentation=plan.augmentation,
                seed=plan.seed,
                device=device,
                precision=precision,
                description="Fine-tuning",
            )
    return {key: value.numpy() for key, value in network.state_dict().items() if not key.startswith(head)}
