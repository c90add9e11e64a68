"""Cases -> deep features, the activations of a pretrained network that is shown their lesions."""

from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from radiodeep.cases.cohort import as_cases
from radiodeep.exceptions import InputError
from radiodeep.features.deep.fine_tuning import tuned_state
from radiodeep.features.deep.image_channels import measured_images
from radiodeep.features.deep.image_rows import ShowsCases
from radiodeep.features.deep.loaded_networks import (
    Engine,
    inference_network,
    read_ahead,
    trainable_network,
)
from radiodeep.features.deep.reader import FeatureReader
from radiodeep.features.deep.settings import checked_view, complete_state, computed_features, resolved_settings
from radiodeep.features.several_images import by_image, learn_images
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.imaging.intensity import scale_to_unit
from radiodeep.networks.architectures.registry import input_specification
from radiodeep.networks.devices import chosen_device, chosen_precision, torch_threads
from radiodeep.networks.training.losses import numbered_classes


class DeepFeatureExtractor(ShowsCases, StatelessExtractor):
    """Extract features of lesions with a pretrained network.

    A stateless transformer: `fit` loads the network and remembers the hash of its weights. With `fine_tune` it learns,
    as `FineTunedFeatureExtractor` does.

    Parameters
    ----------
    network : str, default="radiodeep-mini"
        The packaged network (64 x 64 grey, 128 features), "cnn_f", "cnn_m", "cnn_s", any model of timm, or a network
        for cubes: "radiodeep-mini-3d" (packaged; 24 voxels per side, 128 features), "medicalnet_resnet10", "..18",
        "..34", "..50", "fcib_resnet50"; or one of `published_networks`, such
        as "ct-fm", whose weights are a file of the page named there.
    weights : None, "pretrained", "random", path or state dict, default=None
        None loads the packaged weights, and raises an error if the network has none: a network is never random by
        accident. "pretrained" loads weights from the hub of timm. "random" needs a `seed`.
    window : {"auto", "exact", "crop"}, default="auto"
        "exact" warps the bounding box of the region to the square. "crop" cuts `size` pixels about its centre, so that
        size and surroundings remain visible; `share_shown` tells how much of the region is. "exact" hides size only in
        part: a small lesion is enlarged more and looks smoother. For cubes: the box warped to a cube, or a cube of
        `size` voxels. "auto": "crop" if the network has a spacing of its own, which its cubes then have, else "exact".
    size : int, optional
        Side of the window in pixels, by default that of the network. Windows are resized linearly to the side of the
        network; cubes with the spacing of the network are not resized.
    slice : {"largest", "all", "three-orthogonal", "2.5d"}, default="largest"
        "largest": the slice with the largest area of the region. "all": every slice of the region. "three-orthogonal":
        the largest slice along each axis. "2.5d": the largest slice and its two neighbours as three channels.
    slice_pool : {"mean", "max"}, default="mean"
        How the features of several slices are combined.
    channel : {"all", "red", "green", "blue", "images"}, default="all"
        Input channels that get the image; the others are exactly 0 after normalization. "images": up to three images on
        one grid, with one mask, are the channels, each scaled for itself; of two images the third is their mean. Their
        columns begin with all names, ``T1+T2_``; a missing image makes the row NaN.
    layer : str, optional
        Name of a layer, e.g. "fc7" of "cnn_f"; by default the features customary for the network, or the pooled ones.
    activation : {"auto", "post", "pre"}, default="auto"
        Whether values are read after or before the activation function that follows the layer. "auto": "pre" for the
        pooled features of the packaged networks, none of which is constant then, else "post".
    pool : {"avg", "max", "flatten"}, default="avg"
        How each map of a named layer becomes one feature; "flatten" keeps all values.
    intensity_range : None, "minmax" or (low, high), default=None
        Intensities mapped to black and white, e.g. (-1000, 400) HU. None: the 1st and the 99th percentile of the
        windows of each case, or of the region in them if that reaches further; or the range of the network, if it has
        one (`published_networks`). "minmax": the minimum and maximum, which one bright pixel can move. Networks of
        cubes with a spacing keep intensities, clipped to (low, high).
    seed : int, optional
        For `weights="random"`.
    precision : {"float32", "tf32", "bfloat16", "auto"}, default="float32"
        "bfloat16" is three to six times as fast on hardware with instructions for it; features then have about three
        significant digits (cosine similarity above 0.999). "auto" uses it there. "tf32" is "float32" except on a GPU.
    device : str, default="auto"
        "auto" is a GPU if torch finds one, else the processor; or a name such as "cpu" or "cuda:1".
    n_threads : int, optional
        Threads of the processor while features are computed; by default as many as torch uses.
    backend : {"torch", "openvino"}, default="torch"
        "openvino" (extra `speed`) computes pooled features on the processor in about half the time of a plain loop in
        torch; "torch", with the optimizations made here, in two thirds of that time.
    fine_tune : FineTuning, optional
        Train the network on the cases and labels given to `fit` first. The same as `FineTunedFeatureExtractor`.
    slice_axis : {"axial", "coronal", "sagittal"}, optional
        Plane of the slices; by default the plane of acquisition, whose pixels are square.
    pixel_mm : "auto", None or float, default="auto"
        Side in mm of the square pixels that windows are cut from, so that features depend on the lesion rather than on
        the pixels of the scanner. Finer pixels are averaged, coarser ones interpolated. "auto": 1 mm for
        "radiodeep-mini", else None. None keeps the pixels of the image; if these are not square, "crop" uses the
        shorter side.
    margin : "auto" or float, default="auto"
        Added on every side of the box of the exact window, as a share. "auto": 0.25 for the packaged networks, else 0.
    n_boxes : "auto" or int, default="auto"
        Number of windows per slice whose features are averaged, that of the region first (see `lesion_planes`), so that
        features depend less on the outline; 3 to 5 are enough. "auto": 1. Fine-tuning uses the first.
    image : str or tuple of str, optional
        As in `RadiomicsExtractor`. Fine-tuning takes cases of one image, see `Cohort.of_image`.

    Attributes
    ----------
    weights_sha256_ : str
        Hash of the weights file, or of the weights themselves.
    tuned_weights_ : dict of str to ndarray
        Only with `fine_tune`; no other weights are needed then.
    normalization_ : ndarray of shape (2, channels)
        Only with `fine_tune`: mean and standard deviation that images are normalized with.

    Raises
    ------
    InputError
        If a setting is out of range or the network cannot use it, or for any problem of an image; that message begins
        with the case id.
    WeightsError
        If the weights are missing, do not belong to the network, or differ from those of `fit`.

    Warns
    -----
    RadiodeepWarning
        If everything the network sees of a case has one intensity, or less than 95 % of the region is visible.

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
    radiodeep.exceptions.WeightsError: There are no packaged weights of 'resnet18'. ...
    """

    libraries = ("numpy", "scipy", "SimpleITK", "torch", "timm", "openvino")  # the numbers depend on them
    needs_batches = True  # many images at once are faster than one after the other

    def __init__(
        self,
        network="radiodeep-mini",
        weights=None,
        window="auto",
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
        image=None,
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
        self.image = image

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "_loaded_tuned"}

    def __setstate__(self, state):
        super().__setstate__(complete_state(state))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = tags.target_tags.required = self._plan() is not None
        return tags

    def __sklearn_is_fitted__(self):
        return self._plan() is None or hasattr(self, "tuned_weights_")

    def fit(self, cases, y=None):
        """Check the settings and load the network; with `fine_tune`, train it.

        Parameters
        ----------
        cases : Cohort or sequence of Case
        y : sequence of class labels
            Only used with `fine_tune`.
        """
        view = checked_view(self)
        if self._plan() is None:
            learn_images(self, as_cases(cases))
        else:
            self._learn(replace(view, n_boxes=1), cases, y)
        self.weights_sha256_ = self._inference_network().sha256
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
        cases = as_cases(cases)
        return self.rows_of(cases, measured_images(self, cases))

    def get_feature_names_out(self, input_features=None):
        """Return names such as ``radiodeep-mini_pool_0012``, as an object array."""
        checked_view(self)
        specification = input_specification(self.network)
        images = np.zeros((1, 1, *[specification.size] * specification.dimensions), np.float32)
        n_features = self._reader().values(self._current_network(), images).shape[1]
        stem = f"{self.network}_{self.layer or specification.layer or 'pool'}"
        titles = measured_images(self).titles([f"{stem}_{number:04d}" for number in range(n_features)])
        return np.array(titles, dtype=object)

    def saliency(self, cases, name):
        """Return what the network sees of cases, and how a feature depends on each pixel.

        Parameters
        ----------
        cases : Cohort or sequence of Case
        name : str
            One of `get_feature_names_out()`.

        Returns
        -------
        list of (images, maps), one pair per case
            Float32 arrays of shape (n_images, size, size): the images of the first window, of 0..1, and the absolute
            gradient of the feature in each pixel. For "2.5d" the middle slice, with the sum of all three gradients;
            for a cube its slices.

        Raises
        ------
        InputError
            If there is no such feature, or the network sees several images as channels.
        """
        view = checked_view(self)
        names = self.get_feature_names_out().tolist()
        if name not in names:
            raise InputError(f"There is no feature {name!r}. They are called {names[0]} to {names[-1]}.")
        is_rectified = computed_features(self).is_rectified
        loaded = self._as_tuned(trainable_network(self.network, *self._weights(), is_rectified))
        reader = self._reader()
        measured = measured_images(self, as_cases(cases))
        place, number = divmod(names.index(name), len(names) // len(measured.names))
        pairs = []
        for case in as_cases(cases):
            images = view.images(measured.part(case, place))
            images = images[: len(images) // view.n_windows]
            gradients = reader.gradients(loaded, images, number).abs().sum(dim=1).numpy()
            planes = images[:, images.shape[1] // 2]
            pairs.append((scale_to_unit(planes[0]), gradients[0]) if planes.ndim == 4 else (planes, gradients))
        return pairs

    def share_shown(self, cases):
        """Return the share of the region that the network sees, of the slices that it sees.

        Parameters
        ----------
        cases : Cohort or sequence of Case

        Returns
        -------
        ndarray of shape (n_cases,)
            1 for window="exact"; of several images the smallest share, NaN if all are missing.
        """
        view = checked_view(self)
        shown = measured_images(self, as_cases(cases)).parts
        return np.array([min(map(view.share_shown, shown(case).values()), default=np.nan) for case in as_cases(cases)])

    def acquisition_needs(self):
        """Return what cases must have in common for features to be comparable, as for `mixtures`."""
        return checked_view(self).acquisition_needs()

    def by_image(self):
        """Return extractors of one image each, or this one if images are the channels."""
        return [self] if self.channel == "images" else by_image(self)

    def settings(self):
        """Return everything that the features depend on, for reports and caches."""
        is_path = isinstance(self.weights, str | PathLike) and self.weights not in ("", "packaged")
        values = self.get_params(deep=False) | resolved_settings(self)
        values["weights"] = Path(self.weights).name if is_path else None
        values["precision"] = self._engine().precision
        values = {name: value for name, value in values.items() if name not in ("device", "n_threads")}
        values |= measured_images(self).settings()
        return {"extractor": type(self).__name__, **values, "weights_sha256": self._current_network().sha256}

    def _plan(self):
        """Return the `FineTuning` of an extractor that learns, else None."""
        return self.fine_tune

    def _weights(self):
        """Return weights and seed: those that the network was tuned to, or those that the extractor is given."""
        if self._plan() is None:
            return self.weights, self.seed
        check_is_fitted(self)
        return {name: torch.from_numpy(np.array(value)) for name, value in self.tuned_weights_.items()}, None

    def _as_tuned(self, loaded):
        """Return a loaded network that normalizes images as in training, which tuned weights do not record."""
        if self._plan() is None:
            return loaded
        return loaded._replace(specification=loaded.specification.with_normalization(self.normalization_))

    def _inference_network(self):
        """Return the network that features are computed by.

        A tuned network stays with the extractor, outside of its pickles and clones, until settings change.
        """
        if self._plan() is None:
            return self._pretrained_network()
        check_is_fitted(self)
        key = self.network, computed_features(self).is_rectified, self._engine()
        if getattr(self, "_loaded_tuned", (None, None))[0] != key:
            self._loaded_tuned = key, self._as_tuned(inference_network(self.network, *self._weights(), *key[1:]))
        return self._loaded_tuned[1]

    def _current_network(self):
        """Return the network that features are computed by; before learning, the one that it starts from."""
        return self._inference_network() if self.__sklearn_is_fitted__() else self._pretrained_network()

    def _pretrained_network(self):
        """Return the network with the weights that the extractor is given."""
        is_rectified = computed_features(self).is_rectified
        return inference_network(self.network, self.weights, self.seed, is_rectified, self._engine())

    def _engine(self):
        """Return the `Engine` of the settings; only pooled features can be computed by folded convolutions."""
        device = chosen_device("cpu" if (self.backend, self.device) == ("openvino", "auto") else self.device)
        is_pooled = computed_features(self).layer is None
        return Engine(chosen_precision(self.precision, device), str(device), is_pooled, self.backend)

    def _reader(self):
        given = self.pool, self.channel, self.slice_pool, self.n_threads, self.precision
        return FeatureReader(computed_features(self), *given)

    def _learn(self, view, cases, y):
        """Train the network on cases and labels, and keep its weights."""
        cases = as_cases(cases)
        if y is None or len(y) != len(cases) or not cases:
            raise InputError(
                f"fine_tune learns from the label of each of {len(cases)} cases. Got "
                f"{'none' if y is None else f'{len(y)} labels'}: call fit(cases, labels), or make the extractor the "
                "first step of a pipeline, which a study trains in every fold. extract_table cannot train it."
            )
        numbered_classes(y)  # raises before images are read
        specification = trainable_network(self.network, self.weights, self.seed).specification
        images = list(read_ahead(view.images, cases))
        with torch_threads(self.n_threads):
            self.tuned_weights_ = tuned_state(
                self._plan(),
                self.network,
                self.weights,
                self.seed,
                specification.on_channels(np.concatenate(images)),
                y,
                str(chosen_device(self.device)),
                self.precision,
                [len(images_of_case) for images_of_case in images],
                partial(self._reader().normalized, specification),
            )
        self.normalization_ = np.array([specification.mean, specification.std])
        self._loaded_tuned = None, None
