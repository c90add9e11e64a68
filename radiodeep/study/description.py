"""An estimator goes in; its settings and the features that it selected come out."""

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
    """Return what the selectors of a fitted model kept: names, the step before the classifier, number of candidates.

    None for a model without selector, or with a step that names nothing.
    """
    fitted = getattr(fitted, "best_estimator_", fitted)
    if not isinstance(fitted, Pipeline):
        return None
    if isinstance(fitted[-1], Pipeline) and not _has_selector(fitted[:-1]):
        return selected_features(fitted[-1])
    n_candidates = _n_candidates(fitted[:-1])
    if not n_candidates:
        return None
    try:
        names = [str(name) for name in fitted[:-1].get_feature_names_out()]
    except AttributeError:  # a step of the user's own that names nothing
        return None
    short = [name.rsplit("__", 1)[-1] for name in names]  # without the names of a union's parts
    return (short if len(set(short)) == len(names) else names), fitted[:-1], n_candidates


def _has_selector(estimator):
    return _n_candidates(estimator) > 0


def _n_candidates(estimator):
    """Return from how many features the selectors of a fitted transformer chose; 0 without a selector."""
    if isinstance(estimator, Pipeline):
        return next((count for count in (_n_candidates(step) for _, step in estimator.steps) if count), 0)
    if isinstance(estimator, FeatureUnion):
        return sum(_n_candidates(part) for _, part in estimator.transformer_list)
    return estimator.n_features_in_ if isinstance(estimator, SelectorMixin) else 0


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
