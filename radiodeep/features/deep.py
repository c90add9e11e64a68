"""Cases in, deep features out: what a pretrained network makes of the lesion's largest slice."""

from contextlib import contextmanager
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path

import numpy as np
import torch

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError, WeightsError
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.imaging.crop import WINDOWS, crop_window, exact_window, largest_slice, resize_planes
from radiodeep.imaging.intensity import scale_to_unit, window_intensities
from radiodeep.networks.activations import forward_features
from radiodeep.networks.architectures import build_network, input_specification
from radiodeep.networks.inference import PRECISIONS, chosen_device, chosen_precision, prepared
from radiodeep.networks.weights import load_weights

CHANNELS = ("all", "red", "green", "blue")


class DeepFeatureExtractor(StatelessExtractor):
    """Features of a pretrained network, from a square about the lesion in its largest slice.

    A stateless transformer: `fit` loads the network and remembers which weights those were, no more.

    Parameters
    ----------
    network : str, default="radiodeep-mini"
        The packaged network (64 x 64 grey, 192 features), "cnn_f", or any model of timm.
    weights : None, "pretrained", "random", path or state dict, default=None
        None takes the packaged weights where there are any, and is an error elsewhere: there is no
        silent random network. "pretrained" is timm's hub, "random" needs a `seed`.
    window : {"exact", "crop"}, default="exact"
        "exact" warps the region's bounding box to the square, "crop" cuts `size` pixels about its
        centre (its size and surroundings stay visible). Even "exact" hides size in part only: a
        small lesion is enlarged more and looks smoother, which a network can see.
    size : int, optional
        Side of the square in pixels; by default the network's own. It is then resized linearly to
        the network's own size.
    channel : {"all", "red", "green", "blue"}, default="all"
        Which input channels get the image; the others are 0 after normalisation.
    layer : str, optional
        A named layer, e.g. "fc7" of "cnn_f"; by default the customary or pooled features.
    activation : {"post", "pre"}, default="post"
        Values of the named layer after or before the activation function that follows it.
    intensity_range : (low, high), optional
        Intensities mapped to black and white, e.g. (-1000, 400) HU; by default each square's own
        minimum and maximum.
    seed : int, optional
        For `weights="random"` alone.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        "bfloat16" is two to five times as fast on processors that compute in it, with features that point
        in the same direction (cosine above 0.999) but have three digits; "auto" takes it there.
    device : str, default="auto"
        A GPU where torch finds one, else the processor; or "cpu", "cuda:1" ...
    n_threads : int, optional
        Of the processor, while features are computed; torch's own number if not given. On shared
        machines fewer can be faster.

    Raises
    ------
    InputError
        For a setting out of range, or any image problem; its message begins with the case id.
    WeightsError
        The weights are missing, do not belong to the network, or are not those of `fit`.

    References
    ----------
    Paul et al., Deep Feature Transfer Learning in Combination with Traditional Features Predicts
    Survival Among Patients with Lung Adenocarcinoma, Tomography 2 (2016) 388.

    Examples
    --------
    >>> from radiodeep import DeepFeatureExtractor, make_phantom_cohort
    >>> deep = DeepFeatureExtractor("radiodeep-mini", window="crop", size=64)
    >>> deep.fit_transform(make_phantom_cohort(2, random_state=0)).shape
    (2, 192)
    >>> DeepFeatureExtractor("resnet18").fit(make_phantom_cohort(1))
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.WeightsError: No weights of 'resnet18' come with the package. ...
    """

    def __init__(
        self,
        network="radiodeep-mini",
        weights=None,
        window="exact",
        size=None,
        channel="all",
        layer=None,
        activation="post",
        intensity_range=None,
        seed=None,
        precision="float32",
        device="auto",
        n_threads=None,
    ):
        self.network = network
        self.weights = weights
        self.window = window
        self.size = size
        self.channel = channel
        self.layer = layer
        self.activation = activation
        self.intensity_range = intensity_range
        self.seed = seed
        self.precision = precision
        self.device = device
        self.n_threads = n_threads

    def fit(self, cases, y=None):
        """Check the settings and load the network; nothing is learned from the cases."""
        self._check_settings()
        self.weights_sha256_ = self._load()[1]
        return self

    def transform(self, cases):
        """Compute the features of cases.

        Parameters
        ----------
        cases : Cohort or sequence of Case

        Returns
        -------
        float64 ndarray of shape (n_cases, n_features)
        """
        self._check_settings()
        listed = as_cases(cases)
        network, digest = self._load()
        if getattr(self, "weights_sha256_", digest) != digest:
            raise WeightsError(
                f"The weights of '{self.network}' have changed since the model was fitted (sha256 "
                f"{self.weights_sha256_[:12]} then, {digest[:12]} now). Give the file that it was fitted with."
            )
        if not listed:
            return np.empty((0, len(self.get_feature_names_out())))
        squares = np.stack([self._square(case) for case in listed])
        return self._features(network, squares).astype(np.float64)

    def get_feature_names_out(self, input_features=None):
        """Return names such as ``radiodeep-mini_pool_0012``, as an object array."""
        self._check_settings()
        side = input_specification(self.network).size
        count = self._features(self._load()[0], np.zeros((1, side, side), np.float32)).shape[1]
        stem = f"{self.network}_{self._layer() or 'pool'}"
        return np.array([f"{stem}_{number:04d}" for number in range(count)], dtype=object)

    def settings(self):
        """Return everything that the numbers depend on, for reports and caches."""
        named = isinstance(self.weights, str | PathLike | None)
        shown = self.get_params() | {"weights": Path(self.weights).name if named and self.weights else None}
        shown |= {"precision": chosen_precision(self.precision, chosen_device(self.device))}
        shown = {name: value for name, value in shown.items() if name not in ("device", "n_threads")}
        return {"extractor": type(self).__name__, **shown, "weights_sha256": self._load()[1]}

    def _layer(self):
        return self.layer or input_specification(self.network).layer

    def _load(self):
        if isinstance(self.weights, str | PathLike | None):
            weights = None if self.weights is None else fspath(self.weights)
            changed = Path(weights).stat().st_mtime_ns if weights and Path(weights).is_file() else None
            return _cached_network(self.network, weights, self.seed, changed, *self._how())
        return _loaded_network(self.network, self.weights, self.seed, *self._how())

    def _how(self):
        """Return precision, device and whether layers may be folded into each other."""
        device = chosen_device(self.device)
        return chosen_precision(self.precision, device), str(device), self._layer() is None

    def _square(self, case):
        specification = input_specification(self.network)
        side = self.size or specification.size
        window = exact_window if self.window == "exact" else crop_window
        pixels = window(largest_slice(case), side).voxels.astype(np.float64)
        if self.intensity_range is None:
            scaled = scale_to_unit(pixels)
        else:
            low, high = self.intensity_range
            scaled = window_intensities(np.nan_to_num(pixels, nan=low), low, high)
        return resize_planes(scaled, specification.size)[0]

    def _features(self, network, squares):
        specification = input_specification(self.network)
        images = torch.from_numpy(squares).unsqueeze(1).expand(-1, specification.channels, -1, -1)
        images = specification.normalize(images)
        if self.channel != "all":
            kept = torch.zeros(specification.channels).index_fill_(0, torch.tensor(CHANNELS.index(self.channel) - 1), 1)
            images = images * kept.view(1, -1, 1, 1)
        with _threads(self.n_threads):
            return forward_features(network, images, layer=self._layer(), activation=self.activation).numpy()

    def _check_settings(self):
        rules = {
            "window": (self.window in WINDOWS, f"one of {', '.join(WINDOWS)}"),
            "size": (self.size is None or (isinstance(self.size, int | np.integer) and self.size >= 1), "an int >= 1"),
            "channel": (self.channel in CHANNELS, f"one of {', '.join(CHANNELS)}"),
            "precision": (self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
            "n_threads": (
                self.n_threads is None or (isinstance(self.n_threads, int | np.integer) and self.n_threads >= 1),
                "an int >= 1 or None",
            ),
            "intensity_range": (
                self.intensity_range is None or self.intensity_range[0] < self.intensity_range[1],
                "None or (low, high) with low < high",
            ),
        }
        self._require(rules)
        channels = input_specification(self.network).channels
        if self.channel != "all" and channels != 3:
            raise InputError(f"'{self.network}' takes {channels} channel, so channel='{self.channel}' has no meaning.")


@lru_cache(maxsize=2)  # a worker process sees the same extractor many times
def _cached_network(name, weights, seed, changed, precision, device, fold):
    return _loaded_network(name, weights, seed, precision, device, fold)


def _loaded_network(name, weights, seed, precision, device, fold):
    """Return the network without classifier, ready to look at images, and the sha256 of its weights."""
    network = build_network(name, in_channels=input_specification(name).channels, n_classes=0)
    record = load_weights(network, weights, name, seed=seed)
    return prepared(network, precision, device, fold), record.sha256


@contextmanager
def _threads(n_threads):
    """Let torch use that many threads of the processor for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
