"""An estimator goes in; its settings and the features that it selected come out, ready for json and csv."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import FeatureUnion, Pipeline


def describe(estimator):
    """Return class and parameters of an estimator and its parts, as a dict that json can write."""
    if hasattr(estimator, "settings"):
        return _plain(estimator.settings())
    parameters = {name: _plain(value) for name, value in estimator.get_params(deep=False).items()}
    return {"class": type(estimator).__name__, **parameters}


def selected_features(fitted):
    """Return the names that reach the classifier of a fitted model, or None without selector or names."""
    fitted = getattr(fitted, "best_estimator_", fitted)
    if not isinstance(fitted, Pipeline):
        return None
    if isinstance(fitted[-1], Pipeline):
        return selected_features(fitted[-1])
    if not _has_selector(fitted[:-1]):
        return None
    try:
        names = [str(name) for name in fitted[:-1].get_feature_names_out()]
    except AttributeError:  # a step of the user's own that names nothing
        return None
    short = [name.rsplit("__", 1)[-1] for name in names]  # without the names of a union's parts
    return short if len(set(short)) == len(names) else names


def _has_selector(estimator):
    if isinstance(estimator, Pipeline):
        return any(_has_selector(step) for _, step in estimator.steps)
    if isinstance(estimator, FeatureUnion):
        return any(_has_selector(part) for _, part in estimator.transformer_list)
    return isinstance(estimator, SelectorMixin)


def _plain(value):
    if isinstance(value, BaseEstimator):
        return describe(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
