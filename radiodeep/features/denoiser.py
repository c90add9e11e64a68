"""Cases -> cases whose images are denoised when they are read: a step before an extractor, which learns nothing."""

import warnings
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from radiodeep.cases.case import Case
from radiodeep.cases.changed import ChangedCase
from radiodeep.cases.cohort import as_items
from radiodeep.cases.patient import Patient
from radiodeep.cases.slice_plane import SLICE_AXES
from radiodeep.checks import is_count, is_non_negative, is_positive, require, require_option
from radiodeep.exceptions import InputError, RadiodeepWarning, WeightsError
from radiodeep.extras import named_extra
from radiodeep.imaging.denoise import (
    TV_WEIGHT,
    admm,
    admm_total_variation,
    denoised,
    total_variation,
    wiener,
)

METHODS = ("wiener", "tv", "admm-tv", "admm-dncnn", "dncnn", "autoencoder")
_NETWORKS = {"admm-dncnn": "dncnn", "dncnn": "dncnn", "autoencoder": "autoencoder"}
# Of plug-and-play ADMM: with a penalty of 1 it would be the network itself; with 2 it rests after some ten iterations.
_PLUG_AND_PLAY = {"penalty": 2.0, "tolerance": 2e-3, "n_iterations": 50}


class Denoiser(TransformerMixin, BaseEstimator):
    """Denoise the images of cases before they are measured.

    A stateless step for the beginning of a pipeline: it returns cases that hold no voxels of their own and whose images
    are denoised each time they are read, as they are stored, before any crop or resampling. Regions stay as they are.

    Parameters
    ----------
    method : {"dncnn", "autoencoder", "wiener", "tv", "admm-tv", "admm-dncnn"}, default="dncnn"
        "wiener": local Wiener filter. "tv": total variation by scikit-image, which stops early. "admm-tv": the same
        objective by ADMM to its minimum. "dncnn": a network that predicts the noise, given its level. "admm-dncnn":
        plug-and-play ADMM with that network as the prior. "autoencoder": a network without a path past its code.
    sigma : float, optional
        Standard deviation of the noise, in the unit of the image, e.g. HU. By default it is estimated in each image
        (see `radiodeep.imaging.denoise.noise_level`).
    strength : float, default=1
        Factor of sigma: less than 1 keeps more of the texture, and of the noise.
    dimensions : {2, 3}, default=2
        2 denoises slice by slice. 3 denoises volumes by "wiener", "tv" or "admm-tv".
    slice_axis : {"axial", "coronal", "sagittal"}, optional
        Plane of the slices; by default the plane of acquisition.
    weights : path-like, optional
        File of weights of the networks; by default the packaged ones, trained on synthetic pictures.
    device : str, default="cpu"
        Where networks compute: "cpu", "auto" or a name such as "cuda:0".

    Attributes
    ----------
    weights_sha256_ : str
        Hash of the weights file, of methods with a network.

    Raises
    ------
    InputError
        A setting is out of range, or the method cannot use it.
    WeightsError
        The weights cannot be loaded, or have changed since `fit`.

    Warns
    -----
    RadiodeepWarning
        ADMM has not converged.

    Notes
    -----
    Denoising removes fine texture with the noise. Measure what it does to your features, by `repeatability` or
    benchmarks/denoising.py, before you use it.

    References
    ----------
    Lee, IEEE Trans. Pattern Analysis 2 (1980) 165 (wiener). Rudin, Osher, Fatemi, Physica D 60 (1992) 259 (tv). Zhang
    et al., IEEE Trans. Image Processing 26 (2017) 3142 (dncnn). Vincent et al., J. Machine Learning Research 11 (2010)
    3371 (autoencoder). Chan, Wang, Elgendy, IEEE Trans. Computational Imaging 3 (2017) 84 (admm-dncnn).

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(2, random_state=0)
    >>> model = make_pipeline(rd.Denoiser("wiener"), rd.RadiomicsExtractor(families=["firstorder"]))
    >>> rd.extract_table(model, cohort).shape
    (2, 18)
    >>> rd.Denoiser("median").fit(cohort)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'method' parameter of Denoiser must be one of ...
    """

    changes_cases = True  # studies measure what it returns once for all folds, with the step that follows
    feature_version = 1
    libraries = ("numpy", "scipy", "scikit-image", "PyWavelets", "torch")  # the numbers depend on them

    def __init__(
        self, method="dncnn", sigma=None, strength=1.0, dimensions=2, slice_axis=None, weights=None, device="cpu"
    ):
        self.method = method
        self.sigma = sigma
        self.strength = strength
        self.dimensions = dimensions
        self.slice_axis = slice_axis
        self.weights = weights
        self.device = device

    def fit(self, X=None, y=None):
        """Check the settings, and remember the hash of the weights; nothing is learned from the cases.

        Parameters
        ----------
        X : Cohort or sequence of Case or Patient
        y : ignored
        """
        self._check()
        if self.method in _NETWORKS:
            self.weights_sha256_ = _network(self.method, *_version_of(self._path()))[1]
        return self

    def transform(self, X):
        """Return the cases, or patients, with images that are denoised when they are read.

        Parameters
        ----------
        X : Cohort or sequence of Case or Patient

        Returns
        -------
        list of Case or Patient
        """
        self._check()
        change = partial(_denoised_lesion, settings=self._settings())
        change.keeps_acquisition = True
        return [_changed(item, change) for item in as_items(X)]

    def settings(self):
        """Return what the images depend on besides the cases; part of the key of cached rows."""
        named = {name: value for name, value in self.get_params().items() if name not in ("weights", "device")}
        settings = self._settings()
        return named | {"weights": settings.sha256}

    def get_feature_names_out(self, input_features=None):
        """Return ["case"], the one column that a list of cases has."""
        return np.array(["case"], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def __sklearn_is_fitted__(self):
        return True

    def _path(self):
        return None if self.weights is None else Path(self.weights)

    def _settings(self):
        sha256 = _network(self.method, *_version_of(self._path()))[1] if self.method in _NETWORKS else None
        if sha256 != getattr(self, "weights_sha256_", sha256) and sha256 is not None:
            raise WeightsError(
                f"'{getattr(self._path(), 'name', 'denoisers.safetensors')}' is not the weights file that Denoiser was "
                "fitted with. Restore the former file, or fit the model again."
            )
        return _Settings(
            self.method, self.sigma, float(self.strength), self.dimensions, self.slice_axis, self._path(), sha256,
            self.device,
        )  # fmt: skip

    def _check(self):
        require_option(self.method, METHODS, self, "method")
        require(self.sigma is None or is_non_negative(self.sigma), self, "sigma", "None or a float >= 0")
        require(is_positive(self.strength), self, "strength", "a float > 0")
        require(is_count(self.dimensions, 2, 3), self, "dimensions", "2 or 3")
        require_option(self.slice_axis, (None, *SLICE_AXES), self, "slice_axis")
        if self.method in _NETWORKS:
            _networks().chosen_device(self.device)
        if self.dimensions == 3 and self.method in _NETWORKS:
            raise InputError(f"method={self.method!r} denoises slices. Use dimensions=2, or 'wiener', 'tv', 'admm-tv'.")
        if self.weights is not None and self.method not in _NETWORKS:
            raise InputError(f"method={self.method!r} has no weights. Leave weights out.")


@dataclass(frozen=True)
class _Settings:
    """What a case needs to denoise its image when it is read, in any process."""

    method: str
    sigma: float | None
    strength: float
    dimensions: int
    slice_axis: str | None
    weights: Path | None
    sha256: str | None
    device: str


def _changed(item, change):
    if isinstance(item, Patient):
        return Patient([ChangedCase.of(lesion, change) for lesion in item.lesions])
    if not isinstance(item, Case):
        raise InputError(
            f"Denoiser changes cases or patients. Got {type(item).__name__} instead. read_cohort(manifest) makes a "
            "Cohort. In a search within a study, 'passthrough' may take the place of the step; other settings are set "
            "by its parameters, e.g. denoiser__method."
        )
    return ChangedCase.of(item, change)


def _denoised_lesion(lesion, settings):
    return denoised(
        lesion, partial(_denoised_image, lesion.id, settings), settings.sigma, settings.dimensions, settings.slice_axis
    )


def _denoised_image(case_id, settings, image, sigma):
    """Return a slice or volume without noise."""
    sigma = settings.strength * sigma
    if settings.method == "wiener":
        return wiener(image, sigma)
    if settings.method == "tv":
        return total_variation(image, TV_WEIGHT * sigma)
    if settings.method == "admm-tv":
        return _converged(case_id, admm_total_variation(image, TV_WEIGHT * sigma))
    network, _ = _network(settings.method, *_version_of(settings.weights))
    network.to(_networks().chosen_device(settings.device))
    denoised_slice = _networks().denoised_slice
    if settings.method == "admm-dncnn":
        return _converged(
            case_id,
            admm(image, lambda noisy, share: denoised_slice(network, noisy, sigma * share**0.5), **_PLUG_AND_PLAY),
        )
    return denoised_slice(network, image, sigma)


def _converged(case_id, solution):
    if not solution.is_converged:
        warnings.warn(
            f"{case_id}: ADMM has not converged in {solution.n_iterations} iterations.", RadiodeepWarning, stacklevel=5
        )
    return solution.image


@lru_cache(maxsize=4)
def _network(method, path, version):
    """Return the network of a method and the hash of its weights; a file that has changed is read again."""
    return _networks().load_denoiser(_NETWORKS[method], path)


def _networks():
    """Return the module of the networks, imported late: the other methods need no torch."""
    with named_extra():
        return import_module("radiodeep.networks.inference.denoising")


def _version_of(path):
    """Return a path, None for the packaged weights, and what differs when the file has changed."""
    try:
        status = path.stat()
    except (AttributeError, OSError):
        return path, None
    return path, (status.st_size, status.st_mtime_ns, status.st_ino)
