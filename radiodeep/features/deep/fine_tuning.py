"""How the network of deep features learns from the cases of a fold before its features are taken."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.networks.architectures.registry import build_network, input_specification
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.training.augmentation import OwnRangeAugmentation
from radiodeep.networks.training.fitting import OPTIMIZERS, Examples, fit_network, last_layers, warn_of_flat_loss
from radiodeep.networks.training.losses import class_weights, classification_loss, numbered_classes
from radiodeep.networks.weights.loading import classifier_names, load_weights

_JUDGED_BY, _LEAST_MOVED = 32, 0.01  # images; standard deviations between them


@dataclass(frozen=True)
class FineTuning:
    """Schedule and choices of fine-tuning, after those of the glioblastoma studies.

    A full layer with one output per class takes the place of the network's classifier, and the whole learns to
    tell the training cases apart by stochastic gradient descent. Normalisations keep the statistics that came with
    the weights, since a few dozen cases are too few for new ones. Every case weighs the same, however many slices
    of it are shown.

    The studies' learning rates, 1e-5 for all layers, are ``learning_rate=1e-5, head_learning_rate=None``. They hardly
    change a network: on PET of 51 sarcomas the features of the packaged one move by 0.0007 of their standard
    deviation, and by 0.03 at the rates of this class.

    Parameters
    ----------
    n_iterations : int, default=10
        Each shows every image once. The studies took 10 and 20.
    learning_rate : float, default=3e-4
    head_learning_rate : float or None, default=1e-2
        Of the new full layer, which starts from random weights; it falls as `learning_rate` does. None is that of the
        other layers.
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
    >>> [f"{rate:.0e}" for rate in FineTuning(learning_rate=1e-5).learning_rates]
    ['1e-05', '1e-05', '1e-05', '1e-05', '1e-06', '1e-06', '1e-06', '1e-06', '1e-07', '1e-07']
    >>> cohort = make_phantom_cohort(8, random_state=0)
    >>> tuned = DeepFeatureExtractor(fine_tune=FineTuning(learning_rate=1e-2)).fit(cohort, cohort.labels)
    >>> tuned.transform(cohort).shape == DeepFeatureExtractor().transform(cohort).shape
    True
    """

    n_iterations: int = 10
    learning_rate: float = 3e-4
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
    head_learning_rate: float | None = 1e-2

    def __setstate__(self, state):
        self.__dict__.update({"head_learning_rate": None} | state)  # which those saved before it lack

    def __post_init__(self):
        whole = {"n_iterations": 1, "step": 1, "batch_size": 1, "head_iterations": 0, "seed": 0}
        whole |= {} if self.n_layers is None else {"n_layers": 0}
        for name, lowest in whole.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < lowest:
                raise InputError(f"The '{name}' of FineTuning must be an int >= {lowest}. Got {value!r} instead.")
        for name, holds, allowed in (
            ("learning_rate", self.learning_rate > 0, "a float > 0"),
            (
                "head_learning_rate",
                self.head_learning_rate is None or self.head_learning_rate > 0,
                "a float > 0 or None",
            ),
            ("decay", 0 < self.decay <= 1, "a float above 0 and up to 1"),
            ("weight_decay", self.weight_decay >= 0, "a float >= 0"),
            ("optimizer", self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
        ):
            if not holds:
                raise InputError(f"The '{name}' of FineTuning must be {allowed}. Got {getattr(self, name)!r} instead.")

    @property
    def learning_rates(self):
        """The learning rate of each iteration, for all layers but the new one."""
        return [self.learning_rate * self.decay ** (iteration // self.step) for iteration in range(self.n_iterations)]


def tuned_state(plan, name, weights, seed, images, labels, device, precision, counts=None, normalize=None):
    """Fine-tune a network and return its weights without the classifier.

    Parameters
    ----------
    plan : FineTuning
    name : str
        Of the network.
    weights, seed
        As in `load_weights`.
    images : float32 tensor of shape (n_images, channels, height, width)
        Of 0..1, or on the scale of the network if there is no `normalize`.
    labels : sequence of n_cases class labels
    device, precision : str
    counts : list of n_cases int, optional
        How many of the images each case has, one after the other; by default one. All cases weigh the same.
    normalize : callable, optional
        As in `fit_network`.

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

    Warns
    -----
    RadiodeepWarning
        The training loss rose or did not fall by 1 %, or the features moved by less than 1 % of their standard
        deviation. A training of one iteration is not judged.
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
    examples = _examples(
        images, numbers, counts, class_weights(classes, numbers, "balanced" if plan.balanced else None)
    )
    augmentation = plan.augmentation
    if augmentation is not None and input_specification(name).own_units:
        augmentation = OwnRangeAugmentation(augmentation)
    shown = images[torch.linspace(0, len(images) - 1, min(len(images), _JUDGED_BY)).long()]
    before = _features(network, shown, normalize)
    rates, history = plan.learning_rates, []
    head_factor = 1.0 if plan.head_learning_rate is None else plan.head_learning_rate / plan.learning_rate
    for n_layers, stage in ((0, rates[: plan.head_iterations]), (plan.n_layers, rates[plan.head_iterations :])):
        if stage:
            fitted = fit_network(
                network,
                examples,
                classification_loss,
                stage,
                optimizer=plan.optimizer,
                weight_decay=plan.weight_decay,
                batch_size=plan.batch_size,
                trained=last_layers(network, head, n_layers),
                head=last_layers(network, head, 0),
                head_factor=head_factor,
                freeze_batch_norm=not (isinstance(weights, str) and weights == "random"),
                augmentation=augmentation,
                normalize=normalize,
                seed=plan.seed,
                device=device,
                precision=precision,
                description="Fine-tuning",
            )
            history += fitted.history
    _warn_if_nothing_changed(history, before, _features(network, shown, normalize))
    return {key: value.numpy() for key, value in network.state_dict().items() if not key.startswith(head)}


def _examples(images, numbers, counts, weights_of_classes):
    """Give each image the class of its case and its share of the weight of that case."""
    counts = np.ones(len(numbers), dtype=int) if counts is None else np.asarray(counts)
    of_case = np.repeat(np.arange(len(numbers)), counts)
    weights = (weights_of_classes[numbers] / counts)[of_case]
    return Examples(images, torch.from_numpy(numbers[of_case]), torch.from_numpy(weights.astype(np.float32)))


def _features(network, images, normalize):
    return forward_features(network, images if normalize is None else normalize(images), batch_size=8)


def _warn_if_nothing_changed(history, before, after):
    """Warn if the loss did not fall, or the features (n_images, n_features) hardly moved."""
    spread = before.std(dim=0, correction=0)
    varies = spread > 0
    moved = ((after - before).square().mean(dim=0).sqrt() / spread)[varies].median() if varies.any() else None
    is_same = moved is not None and moved < _LEAST_MOVED
    advice = "Take a higher learning_rate or more n_iterations"
    if is_same:
        advice = f"The features are nearly those of the network as it came. {advice}"
    if not warn_of_flat_loss([history], "FineTuning", f"{advice}.") and len(history) > 1 and is_same:
        warnings.warn(
            f"FineTuning: features moved by {moved:.2g} of their standard deviation (median). {advice}, or let more "
            "layers learn (n_layers).",
            RadiodeepWarning,
            stacklevel=4,
        )
