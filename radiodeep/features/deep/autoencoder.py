"""Cases -> features of an autoencoder, a network that learns without labels to reconstruct what it sees of lesions."""

import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from radiodeep.checks import is_count, is_non_negative, is_positive, require, require_option
from radiodeep.exceptions import FeatureSchemaError, InputError, RadiodeepWarning
from radiodeep.features.deep.autoencoder_images import is_array_of_images, patients_of, shown_images
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.imaging.network_view import VIEW_SETTINGS, NetworkView
from radiodeep.networks.architectures.autoencoders import SIDES, Autoencoder
from radiodeep.networks.architectures.registry import NetworkInput
from radiodeep.networks.devices import chosen_device
from radiodeep.networks.training.examples import Examples
from radiodeep.networks.training.fitting import fit_network
from radiodeep.networks.training.plan import Training
from radiodeep.networks.training.reconstruction import NoisyImages, ReconstructionLoss
from radiodeep.networks.weights.files import hash_of_state

KINDS = ("plain", "denoising", "variational")
_LEAST_EXPLAINED = 0.01  # of the variance that the mean image leaves


class AutoencoderFeatures(StatelessExtractor):
    """Learn to reconstruct lesions from a few numbers, and give these numbers as features.

    `fit` trains the network on the images of cases, without their labels, so studies train it anew in every fold.

    Parameters
    ----------
    kind : {"plain", "denoising", "variational"}, default="plain"
        "denoising" reconstructs images from noisy ones. "variational" gives each feature of an image a normal
        distribution, and keeps all of them close to independent standard normal ones; features are the means.
    n_features : int, default=32
    dimensions : {2, 3}, default=2
        Whether the network sees squares of 64 x 64 pixels or cubes of 32 x 32 x 32 voxels.
    window, size, slice, intensity_range, slice_axis, pixel_mm
        What the network is shown of cases, as in `DeepFeatureExtractor`; intensities are scaled to 0..1. Of several
        slices each is an image, and the features of a case are their means. Cubes have no `slice`, `slice_axis` and
        `pixel_mm`.
    training : Training, optional
        Plan of the training. By default
        ``Training(epochs=60, n_views=1, learning_rate=3e-3, schedule="one-cycle", validation_fraction=0)``; a plan of
        your own should have few `n_views` too.
    noise : float, default=0.1
        Standard deviation of the noise of "denoising".
    beta : float, default=1.0
        Of "variational": weight of the divergence from standard normal numbers. With 1, the loss is the evidence lower
        bound for pixels with noise as large as their differences from the mean image; lower values keep more detail.
    random_state : int, default=0
        On a processor, the same number gives the same features.
    device : str, default="auto"
        "auto" is a GPU if torch finds one, else the processor.
    checkpoint_dir : path-like, optional
        Folder in which the training saves its state after every epoch, so that a killed training is resumed. Several
        seeds, folds and settings can share it. Files of finished trainings are not deleted.

    Attributes
    ----------
    network_ : dict of str to ndarray
        Weights of the network, the mean image of the training cases, and the standard deviation about it.
    variance_explained_ : float
        1 - (squared error of the reconstructions) / (that of the mean image), of the held-out cases; of the training
        cases if none are held out.
    history_ : list of dict
        For each epoch `epoch`, `learning_rate`, `loss` and `validation_loss`; a loss of 1 is that of the mean image.
    weights_sha256_ : str

    Raises
    ------
    InputError
        If a parameter is out of range, an image cannot be used, or all images are equal.
    TrainingError
        If the loss is not finite.

    Warns
    -----
    RadiodeepWarning
        If the reconstructions are no better than the mean image, so that features say nothing about the lesions.

    References
    ----------
    G. E. Hinton, R. R. Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313 (2006) 504.
    P. Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008.
    D. P. Kingma, M. Welling, Auto-encoding variational Bayes, ICLR 2014.
    I. Higgins et al., beta-VAE, ICLR 2017.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(8, random_state=0)
    >>> plan = rd.Training(20, 1, 4, learning_rate=3e-3, validation_fraction=0, augmentation=None)
    >>> features = rd.AutoencoderFeatures(n_features=4, training=plan).fit(cohort)
    >>> features.transform(cohort).shape
    (8, 4)
    >>> features.variance_explained_ > 0.1
    True
    >>> [(images.shape, again.shape) for images, again in features.reconstruct(cohort[:1])]
    [((1, 64, 64), (1, 64, 64))]
    """

    libraries = ("numpy", "scipy", "SimpleITK", "torch")  # the numbers depend on them

    def __init__(
        self,
        kind="plain",
        n_features=32,
        dimensions=2,
        window="exact",
        size=None,
        slice="largest",
        intensity_range=None,
        slice_axis=None,
        pixel_mm=None,
        training=None,
        noise=0.1,
        beta=1.0,
        random_state=0,
        device="auto",
        checkpoint_dir=None,
    ):
        self.kind = kind
        self.n_features = n_features
        self.dimensions = dimensions
        self.window = window
        self.size = size
        self.slice = slice
        self.intensity_range = intensity_range
        self.slice_axis = slice_axis
        self.pixel_mm = pixel_mm
        self.training = training
        self.noise = noise
        self.beta = beta
        self.random_state = random_state
        self.device = device
        self.checkpoint_dir = checkpoint_dir

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "network_")

    def fit(self, X, y=None, groups=None):
        """Train the network.

        Parameters
        ----------
        X : Cohort, sequence of Case, or array of shape (n, height, width)
            Images of an array must be in the range 0..1, or are scaled to it by `intensity_range`. For
            ``dimensions=3`` the shape is (n, slices, height, width).
        y : ignored
        groups : sequence, optional
            Group of each case, for the choice of held-out cases; by default the patients.
        """
        training = self._checked_plan()
        shown = list(shown_images(self._view(), X))
        require(len(shown) > 0, self, "X", "at least one case", X)
        groups = patients_of(X) if groups is None else np.asarray(groups)
        if len(groups) != len(shown):
            raise InputError(f"There must be a group for each of {len(shown)} cases. Got {len(groups)}.")
        counts = torch.tensor([len(images) for images in shown])
        is_held_out = self._held_out(groups, training.held_out_fraction).repeat_interleave(counts)
        examples = Examples(
            torch.from_numpy(np.concatenate(shown)),
            torch.zeros(len(is_held_out)),  # the images are the targets
            (1 / counts).repeat_interleave(counts),  # a case of many slices weighs no more than one of few
        )
        self._train(training, examples[~is_held_out], examples[is_held_out])
        return self

    def fit_transform(self, X, y=None, **fit_params):
        """Fit, compute the features of the training cases, and record the range of cases."""
        if is_array_of_images(X):
            return self.fit(X, y, **fit_params).transform(X)
        return super().fit_transform(X, y, **fit_params)

    def transform(self, X):
        """Compute the features of cases or images.

        Parameters
        ----------
        X : Cohort, sequence of Case, or array
            As in `fit`.

        Returns
        -------
        float64 ndarray of shape (n_cases, n_features)
        """
        network = self._network()
        rows = [_computed(network, network.encode, images).mean(axis=0) for images in shown_images(self._view(), X)]
        return np.array(rows, dtype=np.float64).reshape(-1, self.n_features)

    def inverse_transform(self, X):
        """Return images of features.

        Parameters
        ----------
        X : array of shape (n, n_features)

        Returns
        -------
        float32 ndarray of shape (n, 64, 64), or (n, 32, 32, 32) for cubes
            On the scale of 0..1, which they may exceed.
        """
        features = np.asarray(X, dtype=np.float32)
        if features.ndim != 2 or features.shape[1] != self.n_features:
            raise InputError(f"Features must have the shape (n, {self.n_features}). Got shape {features.shape}.")
        network = self._network()
        return _computed(network, network.decode, features)[:, 0]

    def reconstruct(self, X):
        """Return what the network sees of cases, and what it makes of it.

        Parameters
        ----------
        X : Cohort, sequence of Case, or array
            As in `fit`. "denoising" adds no noise here.

        Returns
        -------
        list of (images, reconstructions), one pair per case
            Float32 arrays of shape (n_images, 64, 64), of a cube (1, 32, 32, 32), on the scale of 0..1.
        """
        network = self._network()
        shown = shown_images(self._view(), X)
        return [(images[:, 0], _computed(network, network.reconstruct, images)[:, 0]) for images in shown]

    def get_feature_names_out(self, input_features=None):
        """Return names such as ``autoencoder_plain_0012``, as an object array."""
        return np.array([f"autoencoder_{self.kind}_{number:04d}" for number in range(self.n_features)], dtype=object)

    def acquisition_needs(self):
        """Return what cases must have in common for features to be comparable, as for `mixtures`."""
        return self._view().acquisition_needs()

    def settings(self):
        """Return everything that the features depend on, for reports and caches; the hash of the weights included."""
        parameters = self.get_params(deep=False)
        values = {name: value for name, value in parameters.items() if name not in ("device", "checkpoint_dir")}
        return {"extractor": type(self).__name__, **values, "weights_sha256": getattr(self, "weights_sha256_", None)}

    def _checked_plan(self):
        """Return the `Training`; raise InputError for a parameter out of range."""
        require_option(self.kind, KINDS, self, "kind")
        require_option(self.dimensions, tuple(SIDES), self, "dimensions")
        require(is_count(self.n_features, 1), self, "n_features", "an int >= 1")
        require(is_positive(self.noise), self, "noise", "a float > 0")
        require(is_non_negative(self.beta), self, "beta", "a float >= 0")
        require(is_count(self.random_state, 0), self, "random_state", "an int >= 0")
        is_plan = self.training is None or isinstance(self.training, Training)
        require(is_plan, self, "training", "None or a Training")
        if self.training is None:
            return Training(60, 1, learning_rate=3e-3, schedule="one-cycle", validation_fraction=0)
        self.training.check()
        return self.training

    def _view(self):
        specification = NetworkInput(SIDES[self.dimensions], 1, (0.0,), (1.0,), dimensions=self.dimensions)
        settings = {name: getattr(self, name) for name in VIEW_SETTINGS}
        return NetworkView.for_network(self, "the autoencoder", specification, settings)

    def _held_out(self, groups, fraction):
        """Return which cases are held out to choose the best epoch, a bool tensor; patients are not split."""
        names = np.unique(groups)
        n_held_out = min(round(fraction * len(names)), len(names) - 1)
        chosen = np.random.default_rng(self.random_state).permutation(names)[:n_held_out]
        return torch.from_numpy(np.isin(groups, chosen))

    def _train(self, training, examples, validation):
        """Train the network on examples, choose the epoch by others if there are any, and keep its weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            network = self._new_network().center_on(examples.images)
        variance = float(network.scale.square())
        if not variance:
            raise InputError("All images that the autoencoder is shown are equal. Give it images that differ.")
        file = f"autoencoder-{self.kind}-{self.random_state}-{{training}}.safetensors"
        fitted = fit_network(
            network,
            examples,
            ReconstructionLoss(variance, self.beta),
            training,
            prepare_batch=NoisyImages(self.noise if self.kind == "denoising" else 0.0),
            validation=validation if len(validation) else None,
            seed=self.random_state,
            device=self.device,
            checkpoint=None if self.checkpoint_dir is None else Path(self.checkpoint_dir) / file,
            description=f"Training {self.kind} autoencoder",
        )
        self.history_ = fitted.history
        self.weights_sha256_ = hash_of_state(network.state_dict())
        self.network_ = {name: value.numpy().copy() for name, value in network.state_dict().items()}
        judged = validation if len(validation) else examples
        self.variance_explained_ = _variance_explained(network, judged.images)
        if self.variance_explained_ < _LEAST_EXPLAINED:
            collapsed = ", or a lower beta, which lets features differ from standard normal numbers"
            warnings.warn(
                f"{type(self).__name__}: the reconstructions are no better than the mean image (variance explained "
                f"{self.variance_explained_:.2g}), so the features say nothing about the lesions. Take more epochs or "
                f"another learning_rate{collapsed if self.kind == 'variational' else ''}.",
                RadiodeepWarning,
                stacklevel=3,
            )

    def _new_network(self):
        return Autoencoder(self.n_features, self.dimensions, self.kind == "variational")

    def _network(self):
        """Return the fitted network, ready to compute."""
        check_is_fitted(self)
        with torch.random.fork_rng(devices=[]):
            network = self._new_network()
        if {name: value.shape for name, value in self.network_.items()} != _shapes(network):
            raise FeatureSchemaError(
                f"{type(self).__name__} was changed after it was fitted: kind, n_features or dimensions no longer are "
                "those of its network. Set them back, or fit it again."
            )
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in self.network_.items()})
        return network.eval().to(chosen_device(self.device))


def _shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def _computed(network, function, values):
    """Return a function of the images or features of one case, an ndarray, computed on the device of the network."""
    with torch.inference_mode():
        return function(torch.from_numpy(values).to(network.mean_image.device)).cpu().numpy()


def _variance_explained(network, images):
    """Return the share of the variance about the mean image that reconstructions explain."""
    left, total = 0.0, 0.0
    with torch.inference_mode():
        for part in images.split(64):
            left += float((network.reconstruct(part) - part).square().sum())
            total += float((network.mean_image - part).square().sum())
    return 1 - left / total
