"""Plan of fine-tuning and labelled images -> the weights of a network that has learned from them."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.base import BaseEstimator

from radiodeep.checks import is_count, is_finite, is_non_negative, is_positive, require, require_option
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.networks.architectures.registry import build_network, input_specification
from radiodeep.networks.inference.activations import forward_features
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.fitting import fit_network, last_layers, warn_of_flat_loss
from radiodeep.networks.training.losses import class_weights, classification_loss, numbered_classes
from radiodeep.networks.training.plan import OPTIMIZERS, Rates, Training
from radiodeep.networks.weights.loading import classifier_prefixes, load_weights

_N_COMPARED = 32  # images whose features are compared before and after
_LEAST_CHANGE = 0.01  # of a feature, in standard deviations between those images


@dataclass
class FineTuning(BaseEstimator):
    """Schedule and choices of fine-tuning, after the glioblastoma studies.

    A new fully connected layer with one output per class replaces the classifier of the network, and the network is
    trained to classify the training cases by stochastic gradient descent. Batch normalization keeps the statistics
    that came with the weights, since a few dozen cases are too few to estimate new ones. All cases have the same
    weight, however many slices of them are shown.

    The learning rate of the studies, 1e-5 for all layers, is ``learning_rate=1e-5, head_learning_rate=None``. It hardly
    changes a network: on PET of 51 sarcomas the features of the packaged network change by 0.0007 of their standard
    deviation, and by 0.03 at the default rates.

    Parameters
    ----------
    n_iterations : int, default=10
        Each shows every image once. The studies used 10 and 20.
    learning_rate : float, default=3e-4
    head_learning_rate : float or None, default=1e-2
        Initial rate of the new layer, which starts from random weights; it decays as `learning_rate` does. With None it
        is that of the other layers.
    step : int, default=4
        Number of iterations after which the learning rates are multiplied by `decay`.
    decay : float, default=0.1
    batch_size : int, default=16
    optimizer : {"sgd", "adam", "adamw", "rmsprop"}, default="sgd"
        "sgd" has a momentum of 0.9.
    weight_decay : float, default=5e-4
    n_layers : int, optional
        Number of the last layers with weights that are trained besides the new one; 0 trains the new one alone. By
        default all layers. As a rule of thumb, train few layers if there are few cases.
    head_iterations : int, default=0
        Number of initial iterations that train the new layer alone.
    augmentation : object, optional
        With ``apply(images, generator) -> images``, for example a `radiodeep.Augmentation`.
    balanced : bool, default=False
        Weight cases so that all classes have the same weight.
    seed : int, default=0
        Determines the weights of the new layer and the order of the images. On a processor, the same seed gives the
        same features.

    Raises
    ------
    InputError
        If a setting is out of range.

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
        super().__setstate__({"head_learning_rate": None} | state)  # plans of version 0.1 may lack it

    def __post_init__(self):
        self.check()

    def check(self):
        """Raise InputError for a setting out of range."""
        counts = {"n_iterations": 1, "step": 1, "batch_size": 1, "head_iterations": 0, "seed": 0}
        for name, least in counts.items():
            require(is_count(getattr(self, name), least), self, name, f"an int >= {least}")
        for name, allowed, is_allowed in (
            ("n_layers", "an int >= 0 or None", self.n_layers is None or is_count(self.n_layers, 0)),
            ("learning_rate", "a float > 0", is_positive(self.learning_rate)),
            (
                "head_learning_rate",
                "a float > 0 or None",
                self.head_learning_rate is None or is_positive(self.head_learning_rate),
            ),
            ("decay", "a float > 0 and <= 1", is_finite(self.decay) and 0 < self.decay <= 1),
            ("weight_decay", "a float >= 0", is_non_negative(self.weight_decay)),
        ):
            require(is_allowed, self, name, allowed)
        require_option(self.optimizer, OPTIMIZERS, self, "optimizer")

    @property
    def learning_rates(self):
        """The learning rate of each iteration, for all layers but the new one."""
        return [self.learning_rate * self.decay ** (iteration // self.step) for iteration in range(self.n_iterations)]

    @property
    def head_factor(self):
        """Learning rate of the new layer as a multiple of that of the others."""
        return 1.0 if self.head_learning_rate is None else self.head_learning_rate / self.learning_rate

    def training(self, specification, precision):
        """Return the `Training` of a network with a given `NetworkInput`."""
        training = Training(
            n_views=1,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            weight_decay=self.weight_decay,
            penalty=0.0,
            augmentation=self.augmentation,
            precision=precision,
        )
        return training.for_input(specification)


def tuned_state(plan, name, weights, seed, images, labels, device, precision, counts=None, normalize=None):
    """Fine-tune the network `name` and return its weights without the classifier, ndarrays by name.

    `weights` and `seed` are those of `load_weights`. `images` (n_images, channels, height, width) are in the range
    0..1, or on the scale of the network if there is no `normalize`. There is a label per case, and `counts` is the
    number of images of each case, by default 1; all cases have the same weight. Warn if the training loss rose or did
    not fall by 1 %, or if the features changed by less than 1 % of their standard deviation; training for one iteration
    is not judged.
    """
    plan.check()
    classes, numbers = numbered_classes(labels)
    if len(classes) < 2:
        raise InputError(f"Fine-tuning needs cases of two classes or more. Got {len(classes)}: {classes.tolist()}.")
    network = _network_with_new_head(plan, name, weights, seed, images.shape[1], len(classes))
    head = classifier_prefixes(network)
    weights_of_classes = class_weights(classes, numbers, "balanced" if plan.balanced else None)
    examples = _examples(images, numbers, counts, weights_of_classes)
    compared = images[torch.linspace(0, len(images) - 1, min(len(images), _N_COMPARED)).long()]
    before = _features(network, compared, normalize)
    rates = plan.learning_rates
    stages = ((0, rates[: plan.head_iterations]), (plan.n_layers, rates[plan.head_iterations :]))
    history = []
    for n_layers, rates_of_stage in stages:
        if rates_of_stage:
            fitted = fit_network(
                network,
                examples,
                classification_loss,
                plan.training(input_specification(name), precision),
                rates=Rates(rates_of_stage),
                parameter_groups=_parameter_groups(network, head, n_layers, plan.head_factor),
                freeze_batch_norm=not (isinstance(weights, str) and weights == "random"),
                normalize=normalize,
                seed=plan.seed,
                device=device,
                description="Fine-tuning",
            )
            history += fitted.history
    _warn_if_unchanged(history, before, _features(network, compared, normalize))
    return {key: value.numpy() for key, value in network.state_dict().items() if not key.startswith(head)}


def _network_with_new_head(plan, name, weights, seed, n_channels, n_classes):
    """Return a network with the given weights and a classifier drawn from the seed of the plan."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = build_network(name, in_channels=n_channels, n_classes=n_classes)
    head = classifier_prefixes(network)
    drawn = {key: value.clone() for key, value in network.state_dict().items() if key.startswith(head)}
    load_weights(network, weights, name, seed=seed)
    network.load_state_dict(drawn, strict=False)  # a classifier that came with the weights knows other classes
    return network


def _parameter_groups(network, head, n_layers, head_factor):
    """Return the groups of `fit_network`: the last layers, and the head with its own learning rate."""
    head_weights = last_layers(network, head, 0)
    head_ids = {id(weights) for weights in head_weights}
    body = [weights for weights in last_layers(network, head, n_layers) if id(weights) not in head_ids]
    groups = [{"params": body, "factor": 1.0}, {"params": head_weights, "factor": head_factor}]
    return [group for group in groups if group["params"]]


def _examples(images, numbers, counts, weights_of_classes):
    """Give each image the class of its case and its share of the weight of that case."""
    counts = np.ones(len(numbers), dtype=int) if counts is None else np.asarray(counts)
    case_of_image = np.repeat(np.arange(len(numbers)), counts)
    weights = (weights_of_classes[numbers] / counts)[case_of_image]
    return Examples(images, torch.from_numpy(numbers[case_of_image]), torch.from_numpy(weights.astype(np.float32)))


def _features(network, images, normalize):
    return forward_features(network, images if normalize is None else normalize(images), batch_size=8)


def _warn_if_unchanged(history, before, after):
    """Warn if the loss did not fall, or the features (n_images, n_features) hardly changed."""
    spread = before.std(dim=0, correction=0)
    varies = spread > 0
    change = ((after - before).square().mean(dim=0).sqrt() / spread)[varies].median() if varies.any() else None
    is_unchanged = change is not None and change < _LEAST_CHANGE
    advice = "Take a higher learning_rate or more n_iterations"
    if is_unchanged:
        advice = f"The features are nearly those of the network as it came. {advice}"
    if not warn_of_flat_loss([history], "FineTuning", f"{advice}.") and len(history) > 1 and is_unchanged:
        warnings.warn(
            f"FineTuning: features moved by {change:.2g} of their standard deviation (median). {advice}, or let more "
            "layers learn (n_layers).",
            RadiodeepWarning,
            stacklevel=4,
        )
