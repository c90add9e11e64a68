"""Saves a fitted model to one file, and loads it."""

import platform
import re
import warnings
from pathlib import Path

import sklearn
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from radiodeep import __version__
from radiodeep.exceptions import ModelError, ModelVersionError, RadiodeepWarning, UntrustedModelError
from radiodeep.extras import version_of
from radiodeep.files import replacing
from radiodeep.persistence.canary import TOLERANCE, canary_of, difference_of
from radiodeep.persistence.containers import named_damage, read_joblib, read_skops, write_joblib, write_skops
from radiodeep.persistence.weights import with_paths, without_paths

_LIBRARIES = ("numpy", "scipy", "imbalanced-learn", "numba", "SimpleITK", "PyWavelets", "scikit-image", "torch", "timm")


def save_model(model, path):
    """Save a fitted model to one file, whole or not at all.

    Parameters
    ----------
    model : estimator
        Fitted. Extractors are saved as their settings. Weights files that they were given are copied into
        the model's file; packaged and published weights are not.
    path : path-like
        `.skops` (opens without running code) or `.joblib` (any Python object, opens by trust only).

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ModelError
        The file name ends otherwise, or the model is not fitted.
    UntrustedModelError
        A .skops file of this model could not be opened again, because it holds types that are not
        known to be safe.
    WeightsError
        A weights file of the model is missing, or has changed since the model was fitted.
    OutputError
        The disk is full, or the folder cannot be written.

    Notes
    -----
    The file also holds the versions of radiodeep and of the libraries that compute, and a canary: two small
    synthetic lesions (three rows of random numbers for a model over tables) with the model's predictions
    for them. `load_model` predicts them again where a version differs. A model that cannot predict them is saved
    without.

    Examples
    --------
    >>> import tempfile
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> model = GaussianNB().fit([[0.0], [1.0]], [0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rd.load_model(rd.save_model(model, f"{folder}/model.skops"))
    GaussianNB()
    >>> rd.save_model(model, "model.pkl")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.ModelError: A model is saved as .skops or .joblib. Got 'model.pkl' instead.
    """
    path = Path(path)
    _check_suffix(path)
    _check_fitted(model)
    canary, canary_extras = canary_of(model)
    saved, recorded, weights_extras = without_paths(model)
    metadata = _versions() | {"canary": canary, "weights": recorded}
    extras = canary_extras | weights_extras
    with replacing(path) as part:
        if path.suffix == ".joblib":
            write_joblib(saved, metadata, extras, part)
        else:
            write_skops(saved, metadata, extras, part, path.name)
    return path


def load_model(path, trusted=False, allow_other_versions=False, weights=None):
    """Load a model that `save_model` wrote.

    Parameters
    ----------
    path : path-like
    trusted : bool, default=False
        Needed for `.joblib`, which can run any code when it is opened: True only for files from
        people you trust.
    allow_other_versions : bool, default=False
        Open a model of another version of scikit-learn or of a newer radiodeep, or one whose predictions differ
        here, with a warning in the latter case.
    weights : path-like or dict from file name to path-like, optional
        Weights file to use instead of the copy inside the model's file; its content must be the same. By default the
        copy is unpacked to the user's cache folder. Models of older versions, which hold no copy, look for the file
        beside their own and at its former path.

    Returns
    -------
    estimator

    Raises
    ------
    ModelError
        The file is missing, damaged or no model.
    UntrustedModelError
        A .joblib file without `trusted=True`, or types in a .skops file that are not known to be safe.
    ModelVersionError
        It was saved with another version of scikit-learn or a newer one of radiodeep; or any version differs,
        and the predictions for the canary by more than 0.001.
    WeightsError
        A weights file that it needs is not found, or has another content.

    Warns
    -----
    RadiodeepWarning
        If the predictions for the canary differ, with `allow_other_versions`; or if versions differ and there is no
        canary.
    """
    path = Path(path)
    _check_suffix(path)
    if not path.is_file():
        raise ModelError(f"The model '{path}' does not exist. Check the path, or make it with save_model.")
    if path.suffix == ".joblib" and not trusted:
        raise UntrustedModelError(
            f"'{path.name}' is a pickle, which can run any code when it is opened. If it comes from somebody "
            "you trust, use load_model(path, trusted=True); better, save models as .skops."
        )
    container = (read_joblib if path.suffix == ".joblib" else read_skops)(path)
    if not allow_other_versions:
        _check_versions(container.metadata, path.name)
    model = container.build()
    with named_damage(path.name):
        check_is_fitted(model)
        with_paths(model, container.metadata.get("weights", []), container.extras, path.parent, weights)
    _check_canary(model, container, path.name, allow_other_versions)
    return model


def _check_suffix(path):
    if path.suffix not in (".skops", ".joblib"):
        raise ModelError(f"A model is saved as .skops or .joblib. Got '{path.name}' instead.")


def _check_fitted(model):
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise ModelError(f"The {type(model).__name__} is not fitted. Call fit before save_model.") from error
    except TypeError as error:
        kind = "the class" if isinstance(model, type) else "an object of type"
        name = model.__name__ if isinstance(model, type) else type(model).__name__
        raise ModelError(f"save_model saves fitted estimators. Got {kind} {name} instead.") from error


def _versions():
    versions = {"radiodeep": __version__, "scikit-learn": sklearn.__version__, "python": platform.python_version()}
    installed = {library: version_of(library) for library in _LIBRARIES}
    return versions | {library: version for library, version in installed.items() if version is not None}


def _changed(metadata):
    """Return name -> (version then, version now) of the libraries whose version differs here."""
    now = _versions()
    then = {name: metadata[name] for name in now if isinstance(metadata.get(name), str)}
    return {name: (version, now[name]) for name, version in then.items() if version != now[name]}


def _check_versions(metadata, name):
    changed = _changed(metadata)
    then, now = changed.get("scikit-learn", ("", ""))
    if _numbers(then)[:2] != _numbers(now)[:2]:
        raise ModelVersionError(
            f"'{name}' was saved with scikit-learn {then}, here is {now}: its predictions may differ. "
            f"Install scikit-learn {then}, train it again, or use load_model(path, allow_other_versions=True)."
        )
    then, now = changed.get("radiodeep", ("", ""))
    if _numbers(then) > _numbers(now):
        raise ModelVersionError(
            f"'{name}' was saved with radiodeep {then}, which is newer than {now}, the version here. Install "
            f"radiodeep {then}, or use load_model(path, allow_other_versions=True)."
        )


def _check_canary(model, container, name, allow_other_versions):
    changed = _changed(container.metadata)
    if not changed:
        return
    listed = ", ".join(f"{library} {then} (here {now})" for library, (then, now) in changed.items())
    try:
        difference = difference_of(model, container.metadata.get("canary"), container.extras)
    except Exception as error:
        finding = f"it cannot predict its canary here ({type(error).__name__}: {error})"
    else:
        if difference is None:
            if any(_numbers(then)[:2] != _numbers(now)[:2] for then, now in changed.values()):
                text = f"'{name}' was saved with {listed}, and holds no canary: its predictions may differ here."
                warnings.warn(text, RadiodeepWarning, stacklevel=3)
            return
        if difference <= TOLERANCE:
            return
        finding = f"its predictions for the canary differ by up to {difference:.3g} (allowed are {TOLERANCE:g})"
    message = f"'{name}' was saved with {listed}, and {finding}."
    if allow_other_versions:
        warnings.warn(message, RadiodeepWarning, stacklevel=3)
        return
    raise ModelVersionError(
        f"{message} Install those versions, train it again, or use load_model(path, allow_other_versions=True)."
    )


def _numbers(version):
    return tuple(int(number) for number in re.findall(r"\d+", version))
