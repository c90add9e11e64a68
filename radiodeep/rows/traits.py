"""An extractor -> its traits: what extraction must know of any transformer of cases, asked in one place."""

import json
import numbers
from dataclasses import dataclass
from pickle import PicklingError

import joblib
import numpy as np

from radiodeep import __version__
from radiodeep.extras import version_of

_DEFAULT_LIBRARIES = ("numpy", "scipy", "SimpleITK")


@dataclass(frozen=True)
class Traits:
    """What `extract_rows` must know of an extractor.

    Attributes
    ----------
    settings : str
        What the numbers depend on besides the case: class, version of its features, parameters in one spelling, and
        the versions of radiodeep and of the libraries that compute them. Part of the key of a cached row.
    labels : tuple of int or None
        Labels that it takes of masks whose case names none.
    needs_batches : bool
        Whether several cases at once are faster than one at a time.
    sensitive_parts : tuple of extractor
        Itself, or extractors inside it, whose features depend on how images were acquired.
    images : tuple of str, or None for all
        The images that it reads of cases with several.
    """

    settings: str
    labels: tuple
    needs_batches: bool
    sensitive_parts: tuple
    images: tuple | None


def traits_of(extractor):
    """Return the traits of a transformer of cases.

    It may have `settings()`, or else `get_params()`, and the attributes `feature_version` (to be raised when its
    numbers change for equal settings), `libraries` (names of distributions that compute them) and `needs_batches`.
    """
    parameters = extractor.get_params() if hasattr(extractor, "get_params") else {}
    inside = [extractor, *parameters.values()]
    return Traits(
        settings=_settings_text(extractor, parameters),
        labels=_labels(parameters),
        needs_batches=getattr(extractor, "needs_batches", True),
        sensitive_parts=tuple(
            part for part in inside if hasattr(part, "warn_of_mixed_acquisition") and part.acquisition_needs()
        ),
        images=getattr(extractor, "image_names_", None) or None,
    )


def parameters_key(extractor, deep=True):
    """Return a text that differs between extractors of different classes or parameters."""
    parameters = extractor.get_params(deep=deep)
    try:
        digest = joblib.hash(parameters)
    except PicklingError:  # a function that was defined in another one is known by its address
        digest = joblib.hash(canonical(parameters))
    return f"{type(extractor).__module__}.{type(extractor).__qualname__} {digest}"


def canonical(value):
    """Return a value for JSON: 25, 25.0 and np.float32(25) become the same, and so do (1, 2) and np.array([1, 2])."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, numbers.Real):
        return int(value) if float(value).is_integer() else repr(float(value))
    if isinstance(value, dict):
        return {str(name): canonical(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(str, map(canonical, value)))
    return repr(value)


def _settings_text(extractor, parameters):
    if hasattr(extractor, "settings"):
        settings = extractor.settings()
    else:  # of estimators inside a pipeline or a union, their own settings, with the hashes of their weights
        inside = {name: value for name, value in parameters.items() if hasattr(value, "settings")}
        settings = parameters | {name: _settings_text(value, {}) for name, value in inside.items()}
    libraries = getattr(extractor, "libraries", ()) or _DEFAULT_LIBRARIES
    versions = {name: version_of(name) for name in libraries}
    feature_version = getattr(extractor, "feature_version", 0)
    return json.dumps([__version__, versions, _kind(extractor), feature_version, canonical(settings)], sort_keys=True)


def _kind(extractor):
    """Return the name of a class; those of radiodeep without their module, so that rows outlive a move."""
    kind = type(extractor)
    home = "radiodeep" if kind.__module__.startswith("radiodeep.") else kind.__module__
    return f"{home}.{kind.__qualname__}"


def _labels(parameters):
    values = [value for name, value in parameters.items() if name.split("__")[-1] == "label"]
    labels = {value for value in values if value is None or isinstance(value, numbers.Integral)}
    return tuple(sorted(labels, key=str)) or (None,)
