"""Cases and their classes -> a network that generates further cases of each class, as a sampler of imbalanced-learn."""

import hashlib
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch.nn import functional

from radiodeep.cases.cohort import as_cases
from radiodeep.checks import is_count, is_non_negative, require, require_option
from radiodeep.exceptions import InputError, RadiodeepWarning, TrainingError
from radiodeep.models.lesion_windows import case_of_window, windows_of
from radiodeep.networks.architectures.generators import LesionCritic, LesionNetwork
from radiodeep.networks.devices import torch_threads
from radiodeep.networks.training.adversarial import fit_adversarial
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.losses import numbered_classes
from radiodeep.networks.training.plan import Training
from radiodeep.rows import ORIGIN_FACT, origin_of_cases

_SIZES = (16, 32, 64, 128)
_MOST_TRIES = 20  # batches of latent vectors per batch of cases
_COLLAPSED = 0.5  # diversity relative to that of the real cases, below which a warning is given
_COMPARED_SIDE = 8  # pixels at which diversity is measured, so that noise does not count as diversity


class LesionGenerator(BaseEstimator):
    """A generative adversarial network, conditional on the class, that adds cases of small classes in training.

    It learns the largest slice of each lesion, its outline, its size and its intensities, and generates cases of one
    slice in the units and the spacing of the originals, so that radiomics and networks can follow. As a sampler of
    imbalanced-learn in ``imblearn.pipeline.make_pipeline(LesionGenerator(), ...)`` it is fitted to the training cases
    of every fold and adds nothing to the test cases. Generated cases know the patients they were learned from, and a
    study in which these are on the other side of a fold raises LeakageError.

    Parameters
    ----------
    n_per_class : int, optional
        Number of generated cases that `fit_resample` adds to every class. By default it fills the smaller classes up
        to the largest.
    size : {16, 32, 64, 128}, default=32
        Side of the network's images in pixels.
    margin : float, default=0.25
        Surroundings shown on each side of the region, as a share of its longer side.
    epochs : int, default=20
    n_views : int, default=12
        How often an epoch shows each case; those of smaller classes are shown as often as those of the largest class
        in total.
    batch_size : int, default=32
    learning_rate : float, default=1e-3
    width : int, default=16
        Feature maps at full resolution, a multiple of 4.
    random_state : int, default=0
        On a processor, the same number gives the same cases.
    device : str, default="auto"
    n_threads : int, optional
    checkpoint_dir : path-like, optional
        Folder in which each training saves its state after every epoch, so that a killed training is resumed.

    Attributes
    ----------
    classes_ : ndarray
    weights_ : dict from str to ndarray
        Weights of the generator.
    history_ : list of dict
        For each epoch `epoch`, `learning_rate`, `loss` and `critic_loss`.
    diversity_ : ndarray of shape (n_classes,)
        Mean distance between two generated images of a class, relative to that between two real ones; near 0 after a
        collapse to one image.
    origins_ : str
        Digests of the patients that it was fitted to.

    Raises
    ------
    InputError
        A parameter is out of range, or a class has one case.
    TrainingError
        The losses are not finite, or the generated masks outline no region.

    Warns
    -----
    RadiodeepWarning
        The generated cases of a class are much less diverse than the real ones, or cases are volumes, whose features of
        three dimensions cannot be compared with those of a generated slice.

    Notes
    -----
    Hinge losses, a projection discriminator with spectral normalisation, differentiable augmentation of real and
    generated images, and a moving average of the generator's weights keep the training stable with 100 cases.
    Generated cases are learned from the training cases, so they hold no new evidence: their number is not a sample
    size, and a network that holds some of them out validates on what it was trained on. They may resemble single
    training cases and carry digests of the patients, so treat them like the originals when data are shared.

    References
    ----------
    S. Zhao et al., Differentiable augmentation for data-efficient GAN training, NeurIPS 2020. T. Miyato, M. Koyama,
    cGANs with projection discriminator, ICLR 2018. M. Frid-Adar et al., GAN-based synthetic medical image augmentation
    for increased CNN performance in liver lesion classification, Neurocomputing 321 (2018) 321.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_study_cohort("nodules-1", 8)
    >>> generator = rd.LesionGenerator(size=16, width=4, epochs=1, n_views=1, random_state=1)
    >>> generator = generator.fit(cohort, cohort.labels)
    >>> generator.generate(label=1, n=2)[0].patient.startswith("generated-")
    True
    >>> generator.generate(label=5, n=2)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'label' parameter of generate must be one of 0, 1. Got 5 instead.
    """

    def __init__(
        self,
        n_per_class=None,
        *,
        size=32,
        margin=0.25,
        epochs=20,
        n_views=12,
        batch_size=32,
        learning_rate=1e-3,
        width=16,
        random_state=0,
        device="auto",
        n_threads=None,
        checkpoint_dir=None,
    ):
        self.n_per_class = n_per_class
        self.size = size
        self.margin = margin
        self.epochs = epochs
        self.n_views = n_views
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.width = width
        self.random_state = random_state
        self.device = device
        self.n_threads = n_threads
        self.checkpoint_dir = checkpoint_dir

    def fit(self, X, y):
        """Train the generator on a Cohort or sequence of Case, and a class for each."""
        training = self._checked_training()
        cases = as_cases(X)
        self.classes_, numbers = numbered_classes(y)
        if len(numbers) != len(cases):
            raise InputError(f"There must be a label for each of {len(cases)} cases. Got {len(numbers)} labels.")
        if not cases:
            raise InputError("LesionGenerator needs two cases of every class. Got no case.")
        counts = np.bincount(numbers)
        if counts.min() < 2:
            raise InputError(
                f"LesionGenerator needs two cases of every class. Got {counts.min()} of "
                f"{self.classes_.tolist()[counts.argmin()]!r}."
            )
        windows = windows_of(cases, self.size, self.margin)
        spread = windows.facts.std(axis=0)
        self.facts_ = np.array([windows.facts.mean(axis=0), np.where(spread > 0, spread, 1.0)])
        standardised = (windows.facts - self.facts_[0]) / self.facts_[1]
        self.fact_limits_ = np.array([standardised.min(axis=0), standardised.max(axis=0)])
        self.spacings_mm_ = windows.spacings_mm
        self.limits_ = windows.limits
        self.are_integers_ = windows.are_integers
        self.origins_ = origin_of_cases(cases)
        rows = np.concatenate([np.resize(np.flatnonzero(numbers == k), counts.max()) for k in range(len(counts))])
        targets = torch.from_numpy(np.column_stack([numbers, standardised])).float()
        self._train(Examples(torch.from_numpy(windows.images)[rows], targets[rows]), training)
        self.diversity_ = self._diversity(torch.from_numpy(windows.images), numbers)
        for label, diversity in zip(self.classes_, self.diversity_, strict=True):
            if diversity < _COLLAPSED:
                warnings.warn(
                    f"LesionGenerator: the generated cases of class {label} are alike: their diversity is "
                    f"{diversity:.0%} of that of the real ones. Take more epochs or a lower learning_rate, or leave "
                    "the generator out.",
                    RadiodeepWarning,
                    stacklevel=2,
                )
        return self

    def fit_resample(self, X, y):
        """Fit the generator; return the cases followed by generated ones, as a list, and the classes of all."""
        cases = as_cases(X)
        self.fit(cases, y)
        if any(case.lesion().roi.any(axis=(1, 2)).sum() > 1 for case in cases):
            warnings.warn(
                "LesionGenerator: the cases are volumes, and generated cases are single slices. Networks that see the "
                "largest slice can learn from both; for radiomics give cases of one slice.",
                RadiodeepWarning,
                stacklevel=2,
            )
        labels = np.asarray(y)
        counts = np.array([(labels == label).sum() for label in self.classes_])
        added = counts.max() - counts if self.n_per_class is None else np.full(len(counts), self.n_per_class)
        generated = [self.generate(label, int(n)) for label, n in zip(self.classes_, added, strict=True)]
        return [*cases, *(case for of_class in generated for case in of_class)], np.concatenate(
            [labels, np.repeat(self.classes_, added)]
        )

    def generate(self, label, n, random_state=None):
        """Generate cases of a class.

        Parameters
        ----------
        label : one of `classes_`
        n : int
        random_state : int, optional
            Another number gives other cases; by default that of the generator.

        Returns
        -------
        list of Case
            In memory, of one slice. Each is its own patient, ``generated-...``, and its clinical fact `generated_from`
            holds the digests of the patients that the generator was fitted to.
        """
        check_is_fitted(self, "weights_")
        require_option(label, self.classes_.tolist(), "generate", "label")
        require(is_count(n), "generate", "n", "an int >= 0", n)
        seed = self.random_state if random_state is None else random_state
        require(is_count(seed), "generate", "random_state", "an int >= 0", seed)
        number = self.classes_.tolist().index(label)
        label = self.classes_.tolist()[number]
        random = torch.Generator().manual_seed(int(seed) * len(self.classes_) + number)
        spacings_mm = np.random.default_rng([int(seed), number])
        digest = hashlib.sha256(f"{self.origins_} {seed} {label}".encode())
        digest.update(self.weights_["last.2.weight"].tobytes())
        name = f"generated-{digest.hexdigest()[:8]}"
        cases = []
        for _ in range(_MOST_TRIES * (1 + n // self.batch_size)):
            if len(cases) >= n:
                return cases[:n]
            images, facts = self._outputs(number, self.batch_size, random)
            for image, values in zip(images, facts, strict=True):
                case = case_of_window(
                    image,
                    np.clip(values, *self.fact_limits_) * self.facts_[1] + self.facts_[0],
                    spacings_mm.choice(self.spacings_mm_),
                    self.limits_,
                    self.are_integers_,
                    id=f"{name}-{len(cases)}",
                    label=label,
                    clinical={ORIGIN_FACT: self.origins_},
                )
                cases += [] if case is None else [case]
        if len(cases) < n:
            raise TrainingError(
                f"LesionGenerator: of {_MOST_TRIES} attempts per case of class {label}, too few have a mask that "
                "outlines a region of more than one intensity. Take more epochs, or check images and masks of the "
                "training cases."
            )
        return cases[:n]

    def _checked_training(self):
        """Return the plan of the training, or raise InputError for a parameter out of range."""
        require_option(self.size, _SIZES, self, "size")
        for name, allowed, is_allowed in (
            ("n_per_class", "None or an int >= 0", self.n_per_class is None or is_count(self.n_per_class)),
            ("margin", "a float >= 0", is_non_negative(self.margin)),
            ("width", "a multiple of 4", is_count(self.width, 4) and self.width % 4 == 0),
            ("random_state", "an int >= 0", is_count(self.random_state)),
            ("n_threads", "an int >= 1", self.n_threads is None or is_count(self.n_threads, 1)),
        ):
            require(is_allowed, self, name, allowed)
        training = Training(
            epochs=self.epochs, n_views=self.n_views, batch_size=self.batch_size, learning_rate=self.learning_rate
        )
        training.check(type(self).__name__)
        return training

    def _train(self, examples, training):
        """Train the networks on `examples` and store the weights of the generator."""
        checkpoint = None
        if self.checkpoint_dir is not None:
            checkpoint = Path(self.checkpoint_dir) / f"generator-{self.random_state}-{{training}}.safetensors"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self.random_state))
            network = self._network()
            critic = LesionCritic(len(self.classes_), self.facts_.shape[1], self.size, self.width)
        with torch_threads(self.n_threads):
            self.history_ = fit_adversarial(
                network,
                critic,
                examples,
                training,
                seed=int(self.random_state),
                device=self.device,
                checkpoint=checkpoint,
                description="Training a generator",
            )
        self.weights_ = {name: value.numpy().copy() for name, value in network.state_dict().items()}

    def _network(self):
        return LesionNetwork(len(self.classes_), self.facts_.shape[1], self.size, self.width)

    def _outputs(self, number, n, random):
        """Return `n` generated images (n, 2, size, size) and their facts (n, n_facts) of a class by its number."""
        with torch.random.fork_rng(devices=[]):
            network = self._network()
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in self.weights_.items()})
        latent = torch.randn(n, network.n_latent, generator=random)
        with torch.inference_mode():
            images, facts = network(latent, torch.full((n,), number))
        return images.double().numpy(), facts.double().numpy()

    def _diversity(self, images, numbers):
        """Return the mean distance of two generated images of each class relative to that of two real ones."""
        ratios = []
        for number in range(len(self.classes_)):
            real = images[numbers == number].double()
            random = torch.Generator().manual_seed(int(self.random_state))
            generated = torch.from_numpy(self._outputs(number, max(len(real), 16), random)[0])
            distances = [_mean_distance(part) for part in (generated, real)]
            ratios.append(distances[0] / distances[1] if distances[1] > 0 else 1.0)
        return np.array(ratios)


def _mean_distance(images):
    """Return the mean Euclidean distance of two different images (n, 2, size, size), without their fine detail."""
    coarse = functional.adaptive_avg_pool2d(images, _COMPARED_SIDE).flatten(1)
    return float(torch.pdist(coarse).mean())
