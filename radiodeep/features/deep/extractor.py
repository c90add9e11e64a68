"""Cases in, deep features out: what a pretrained network makes of a lesion's slices."""

import weakref
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError, WeightsError
from radiodeep.features.deep.fine_tuning import tuned_state
from radiodeep.features.deep.loaded_networks import plain_network, quick_network, read_ahead
from radiodeep.features.deep.settings import (
    CHANNELS,
    SLICE_POOLS,
    activation_of,
    check_input_of,
    computed_features,
    setting_rules,
    view_of,
    with_settings_of_before,
)
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.imaging.intensity import scale_to_unit
from radiodeep.imaging.network_view import suitable, warn_of_one_intensity
from radiodeep.networks.architectures.registry import input_specification
from radiodeep.networks.devices import chosen_device, chosen_precision, torch_threads
from radiodeep.networks.inference.activations import feature_gradients, forward_features
from radiodeep.networks.training.losses import numbered_classes

_BATCH, _CUBES = 32, 2  # images, cubes at a time


class DeepFeatureExtractor(StatelessExtractor):
    """Features of a pretrained network, from squares about the lesion.

    A stateless transformer: `fit` loads the network and remembers which weights those were, no more. With
    `fine_tune` it is one that learns: `fit(cases, y)` trains the network first, so studies do so in every fold.

    Parameters
    ----------
    network : str, default="radiodeep-mini"
        The packaged network (64 x 64 grey, 128 features), "cnn_f", "cnn_m", "cnn_s", any model of timm, or one for
        cubes: "medicalnet_resnet10", "..18", "..34", "..50", "fcib_resnet50".
    weights : None, "pretrained", "random", path or state dict, default=None
        None takes the packaged weights where there are any, and is an error elsewhere: there is no
        silent random network. "pretrained" is timm's hub, "random" needs a `seed`.
    window : {"exact", "crop"}, default="exact"
        "exact" warps the region's bounding box to the square, "crop" cuts `size` pixels about its
        centre (its size and surroundings stay visible; `share_shown` says how much of the region does). Even "exact"
        hides size in part only: a small lesion is enlarged more and looks smoother, which a network can see. Networks
        for cubes get the box warped to a cube, or a cube of `size` voxels at their own spacing (1 mm), in the image's
        own intensities.
    size : int, optional
        Side of the square in pixels, which is then resized linearly to that of the network. Cubes stay as they are.
    slice : {"largest", "all", "three-orthogonal", "2.5d"}, default="largest"
        "largest": the slice with most of the region. "all": every slice of the region. "three-orthogonal": the
        largest one along each axis. "2.5d": the largest one and its two neighbours as the three channels.
    slice_pool : {"mean", "max"}, default="mean"
        How the features of several slices become those of the case.
    channel : {"all", "red", "green", "blue"}, default="all"
        Which input channels get the image; the others are exactly 0 after normalisation.
    layer : str, optional
        A named layer, e.g. "fc7" of "cnn_f"; by default the customary or pooled features.
    activation : {"auto", "post", "pre"}, default="auto"
        Values of the named layer after or before the activation function that follows it. "auto": "pre" for the pooled
        features of "radiodeep-mini", of which none is constant then, else "post".
    pool : {"avg", "max", "flatten"}, default="avg"
        How maps of a named layer become one number per channel; "flatten" keeps all of them.
    intensity_range : None, "minmax" or (low, high), default=None
        Intensities mapped to black and white, e.g. (-1000, 400) HU. None: the 1st and the 99th percentile of what
        the squares of each case show, or of the region in them if that reaches further. "minmax": the minimum and
        maximum, which one bright pixel beside the lesion can move. Cubes are cut off at (low, high) alone.
    seed : int, optional
        For `weights="random"` alone.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        "bfloat16" is three to six times as fast on processors that compute in it, with features of three digits
        (cosine above 0.999); "auto" takes it there.
    device : str, default="auto"
        A GPU where torch finds one, else the processor; or "cpu", "cuda:1" ...
    n_threads : int, optional
        Of the processor, while features are computed; torch's own number if not given.
    backend : {"torch", "openvino"}, default="torch"
        "openvino" (the extra `speed`) computes pooled features on the processor, about twice as fast as a plain loop
        of torch in float32; "torch", put together as it is here, takes two thirds of that loop.
    fine_tune : FineTuning, optional
        Train the network on the cases and labels of `fit` before its features are taken.
    slice_axis : {"axial", "coronal", "sagittal"}, optional
        The plane of slices; by default that of acquisition, whose pixels are square.
    pixel_mm : "auto", None or float, default="auto"
        Side in mm of the square pixels that windows are cut from, so that features are those of the lesion and not of
        the scanner's pixels. Finer pixels are averaged, coarser ones interpolated. "auto": 1 mm for "radiodeep-mini",
        else None. None keeps the image's own pixels, as the studies did; where not square, "crop" takes the smaller.
    margin : "auto" or float, default="auto"
        Of the exact window: added on every side of the box, as a share of the box's side, as far as the image goes
        (images cropped closer show less). "auto": 0.25 for "radiodeep-mini", else 0, as in the studies.
    n_boxes : "auto" or int, default="auto"
        Windows per slice, whose features are averaged: the region's, and others that are smaller, larger and moved
        (`lesion_planes` says by how much), so that features depend less on the outline: 3 to 5 are enough. "auto": 1.
        Cubes have neither margin nor boxes; `fine_tune` learns from the first window.

    Attributes
    ----------
    weights_sha256_ : str
        Of the weights' file, or of the weights themselves.
    tuned_weights_ : dict of str to ndarray
        With `fine_tune` alone; the fitted extractor needs no other weights.
    normalization_ : ndarray of shape (2, channels)
        With `fine_tune` alone: mean and standard deviation that images are brought to the network's scale by.

    Raises
    ------
    InputError
        For a setting out of range, or any image problem; its message begins with the case id.
    WeightsError
        The weights are missing, do not belong to the network, or are not those of `fit`.

    Warns
    -----
    RadiodeepWarning
        The network is shown a single intensity of a case, or less than 95 % of the region.

    References
    ----------
    Paul et al., Deep Feature Transfer Learning in Combination with Traditional Features Predicts
    Survival Among Patients with Lung Adenocarcinoma, Tomography 2 (2016) 388.

    Examples
    --------
    >>> from radiodeep import DeepFeatureExtractor, make_phantom_cohort
    >>> deep = DeepFeatureExtractor("radiodeep-mini", window="crop", size=64)
    >>> deep.fit_transform(make_phantom_cohort(2, random_state=0)).shape
    (2, 128)
    >>> DeepFeatureExtractor("resnet18").fit(make_phantom_cohort(1))
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.WeightsError: No weights of 'resnet18' come with the package. ...
    """

    libraries = ("numpy", "scipy", "SimpleITK", "torch", "timm", "openvino")  # the numbers depend on them
    needs_batches = True  # many images at once are faster than one after the other

    def __init__(
        self,
        network="radiodeep-mini",
        weights=None,
        window="exact",
        size=None,
        slice="largest",
        slice_pool="mean",
        channel="all",
        layer=None,
        activation="auto",
        pool="avg",
        intensity_range=None,
        seed=None,
        precision="float32",
        device="auto",
        n_threads=None,
        backend="torch",
        fine_tune=None,
        slice_axis=None,
        pixel_mm="auto",
        margin="auto",
        n_boxes="auto",
    ):
        self.network = network
        self.weights = weights
        self.window = window
        self.size = size
        self.slice = slice
        self.slice_pool = slice_pool
        self.channel = channel
        self.layer = layer
        self.activation = activation
        self.pool = pool
        self.intensity_range = intensity_range
        self.seed = seed
        self.precision = precision
        self.device = device
        self.n_threads = n_threads
        self.backend = backend
        self.fine_tune = fine_tune
        self.slice_axis = slice_axis
        self.pixel_mm = pixel_mm
        self.margin = margin
        self.n_boxes = n_boxes

    def __setstate__(self, state):
        super().__setstate__(with_settings_of_before(state))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = tags.target_tags.required = self.fine_tune is not None
        return tags

    def __sklearn_is_fitted__(self):
        return self.fine_tune is None or hasattr(self, "tuned_weights_")

    def fit(self, cases, y=None):
        """Check the settings and load the network; with `fine_tune`, train it.

        Parameters
        ----------
        cases : Cohort or sequence of Case
        y : sequence of class labels
            Needed for `fine_tune` alone.
        """
        self._check_settings()
        if self.fine_tune is not None:
            self.tuned_weights_ = self._tuned(cases, y)
            _TUNED.pop(self, None)
        self.weights_sha256_ = self._load().sha256
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
        loaded = self._load()
        if getattr(self, "weights_sha256_", loaded.sha256) != loaded.sha256:
            raise WeightsError(
                f"The weights of '{self.network}' have changed since the model was fitted (sha256 "
                f"{self.weights_sha256_[:12]} then, {loaded.sha256[:12]} now). Give the file that it was fitted with."
            )
        if not listed:
            return np.empty((0, len(self.get_feature_names_out())))
        rows, waiting = [], []
        for case, images in zip(listed, read_ahead(view_of(self).images, listed), strict=True):
            if images.min() == images.max():
                warn_of_one_intensity(case.id, self.intensity_range)
            waiting.append(images)
            if sum(map(len, waiting)) >= (_BATCH if images.ndim == 4 else _CUBES):
                rows += self._rows(loaded, waiting)
                waiting = []
        rows += self._rows(loaded, waiting)
        return np.stack(rows).astype(np.float64)

    def get_feature_names_out(self, input_features=None):
        """Return names such as ``radiodeep-mini_pool_0012``, as an object array."""
        self._check_settings()
        specification = input_specification(self.network)
        n_planes = 3 if self.slice == "2.5d" else 1
        images = np.zeros((1, n_planes, *[specification.size] * specification.dimensions), np.float32)
        count = self._values(self._any(), images).shape[1]
        stem = f"{self.network}_{self._layer() or 'pool'}"
        return np.array([f"{stem}_{number:04d}" for number in range(count)], dtype=object)

    def saliency(self, cases, name):
        """Return what the network is shown of cases, and where a feature depends on it.

        Parameters
        ----------
        cases : Cohort or sequence of Case
        name : str
            One of `get_feature_names_out()`.

        Returns
        -------
        list of (images, maps), one pair per case
            Float32 arrays of shape (n_images, size, size): the images, of 0..1, and the absolute gradient of the
            feature in each pixel. Of "2.5d" the middle slice, with the gradients of all three added; of a cube
            its slices.

        Raises
        ------
        InputError
            There is no such feature.
        """
        self._check_settings()
        names = self.get_feature_names_out().tolist()
        if name not in names:
            raise InputError(f"There is no feature {name!r}. They are called {names[0]} to {names[-1]}.")
        loaded = self._plain()
        layer, activation, _ = computed_features(self)
        per_unit = self._kept_channels() / torch.tensor(loaded.specification.std).view(1, -1, 1, 1)
        shown = []
        view = view_of(self)
        for images in map(view.images, as_cases(cases)):
            images = images[: len(images) // view.n_windows]  # of the first window, the region's
            gradients = per_unit * feature_gradients(
                loaded.network,
                self._on_channels(images, loaded.specification),
                names.index(name),
                layer,
                activation,
                self.pool,
            )
            if images.shape[1] == 1:  # one image in all channels, whose gradients may cancel each other out
                gradients = gradients.sum(dim=1, keepdim=True)
            planes, where = images[:, images.shape[1] // 2], gradients.abs().sum(dim=1).numpy()
            shown.append((scale_to_unit(planes[0]), where[0]) if planes.ndim == 4 else (planes, where))
        return shown

    def share_shown(self, cases):
        """Return which share of the region the network is shown, in the slices that it is shown.

        Parameters
        ----------
        cases : Cohort or sequence of Case

        Returns
        -------
        ndarray of shape (n_cases,)
            1 for window="exact".
        """
        self._check_settings()
        view = view_of(self)
        return np.array([view.share_shown(case) for case in as_cases(cases)])

    def acquisition_needs(self):
        """Return what cases have to have in common for features to be comparable, in the words of `mixtures`."""
        return view_of(self).acquisition_needs()

    def settings(self):
        """Return everything that the numbers depend on, for reports and caches."""
        named = isinstance(self.weights, str | PathLike) and self.weights not in ("", "packaged")
        shown = self.get_params() | {"weights": Path(self.weights).name if named else None}
        shown |= {"precision": chosen_precision(self.precision, chosen_device(self.device))}
        shown |= {name: suitable(self.network, name, shown[name]) for name in ("pixel_mm", "margin", "n_boxes")}
        shown |= {"activation": activation_of(self)}
        shown = {name: value for name, value in shown.items() if name not in ("device", "n_threads")}
        return {"extractor": type(self).__name__, **shown, "weights_sha256": self._any().sha256}

    def _layer(self):
        return self.layer or input_specification(self.network).layer

    def _load(self):
        """Return the network, ready to look at images, with its weights, those of `fit` if it trains them."""
        if self.fine_tune is None:
            return quick_network(self.network, self.weights, self.seed, *self._how())
        check_is_fitted(self)
        how = self._how()
        if self not in _TUNED or _TUNED[self][0] != how:
            loaded = quick_network(self.network, self._tuned_state(), None, *how)
            _TUNED[self] = how, self._with_normalization(loaded)
        return _TUNED[self][1]

    def _any(self):
        """Return what `_load` does, or before a `fit` that trains what it would start from."""
        if self.__sklearn_is_fitted__():
            return self._load()
        return quick_network(self.network, self.weights, self.seed, *self._how())

    def _plain(self):
        """Return the network that `_load` makes ready, as it was before."""
        is_rectified = computed_features(self).is_rectified
        if self.fine_tune is None:
            return plain_network(self.network, self.weights, self.seed, is_rectified)
        check_is_fitted(self)
        return self._with_normalization(plain_network(self.network, self._tuned_state(), None, is_rectified))

    def _tuned_state(self):
        return {name: torch.from_numpy(np.array(value)) for name, value in self.tuned_weights_.items()}

    def _with_normalization(self, loaded):
        """Return the network with the scale that its weights wanted before they were tuned."""
        return loaded._replace(specification=loaded.specification.with_normalization(self.normalization_))

    def _how(self):
        """Return how `quick_network` makes the network ready."""
        layer, _, is_rectified = computed_features(self)
        device = chosen_device("cpu" if (self.backend, self.device) == ("openvino", "auto") else self.device)
        return is_rectified, chosen_precision(self.precision, device), str(device), layer is None, self.backend

    def _tuned(self, cases, y):
        listed = as_cases(cases)
        if y is None or len(y) != len(listed) or not listed:
            raise InputError(
                f"fine_tune learns from the label of each of {len(listed)} cases. Got "
                f"{'none' if y is None else f'{len(y)} labels'}: call fit(cases, labels), or make the extractor the "
                "first step of a pipeline, whose study then trains it in every fold. It has no table of its own."
            )
        numbered_classes(y)  # before the images are read
        specification = plain_network(self.network, self.weights, self.seed).specification
        self.normalization_ = np.array([specification.mean, specification.std])
        images = list(read_ahead(replace(view_of(self), n_boxes=1).images, listed))  # more are for steady features
        with torch_threads(self.n_threads):
            return tuned_state(
                self.fine_tune,
                self.network,
                self.weights,
                self.seed,
                specification.on_channels(np.concatenate(images)),
                y,
                str(chosen_device(self.device)),
                self.precision,
                [len(some) for some in images],
                partial(self._normalized, specification),
            )

    def _rows(self, loaded, images):
        """Return the features of each of some cases; images: their arrays of images."""
        if not images:
            return []
        ends = np.cumsum([len(some) for some in images])
        of_cases = np.split(self._values(loaded, np.concatenate(images)), ends[:-1])
        n_windows = view_of(self).n_windows
        slices = [some.reshape(n_windows, -1, some.shape[1]).mean(axis=0) for some in of_cases]
        return [SLICE_POOLS[self.slice_pool](some, axis=0) for some in slices]

    def _values(self, loaded, images):
        """Return the features of images, float32 (n_images, n_features)."""
        layer, activation, _ = computed_features(self)
        with torch_threads(self.n_threads):
            return forward_features(
                loaded.network,
                self._on_channels(images, loaded.specification),
                layer=layer,
                activation=activation,
                pool=self.pool,
                batch_size=_BATCH if images.ndim == 4 else _CUBES,
            ).numpy()

    def _on_channels(self, images, specification):
        """Return images (n, n_planes, size, size) of 0..1 as a tensor on the scale and channels of the network."""
        return self._normalized(specification, specification.on_channels(images))

    def _normalized(self, specification, images):
        """Return images on the scale of the network, with 0 in the channels that get no image."""
        tensor = specification.normalize(images)
        return tensor if self.channel == "all" else tensor * self._kept_channels().to(tensor.device)

    def _kept_channels(self):
        """Return 1 for the channels that get the image and 0 for the others, (1, channels, 1, 1)."""
        n_channels = input_specification(self.network).channels
        if self.channel == "all":
            return torch.ones(1, n_channels, 1, 1)
        return (torch.arange(n_channels) == CHANNELS.index(self.channel) - 1).float().view(1, -1, 1, 1)

    def _check_settings(self):
        self._require(setting_rules(self))
        check_input_of(self)


_TUNED = weakref.WeakKeyDictionary()  # fine-tuned extractor -> its network, which no copy or file of it needs
