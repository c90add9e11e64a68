"""An estimator goes in; its settings and the features that it selected come out."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import FeatureUnion, Pipeline


def describe(estimator):
    """Return class and parameters of an estimator and its parts, as a dict that json can write."""
    if hasattr(estimator, "settings"):
        return _plain(estimator.settings())
    parameters = {name: _plain(value) for name, value in estimator.get_params(deep=False).items()}
    return {"class": type(estimator).__name__, **parameters}


def selected_features(fitted):
    """Return what the selectors of a fitted model kept.

    Returns
    -------
    names : list of str
    values_of : callable
        From rows to the values of those features.
    n_candidates : int
        From how many they were selected.

    Or None for a model without selector, or with a step that names nothing.
    """
    return _selected(getattr(fitted, "best_estimator_", fitted), None, lambda rows: rows)


def _selected(fitted, names, values_of):
    if not isinstance(fitted, Pipeline):
        return None
    before, last = fitted[:-1], getattr(fitted[-1], "best_estimator_", fitted[-1])
    n_candidates = _n_candidates(before) if len(fitted) > 1 else 0
    try:
        names = before.get_feature_names_out(names) if len(fitted) > 1 else names
    except (AttributeError, ValueError):  # a step of the user's own that names nothing
        names = None

    def values(rows):
        return before.transform(values_of(rows)) if len(fitted) > 1 else values_of(rows)

    if not n_candidates:
        return _selected(last, names, values)
    if names is None:
        return None
    names = [str(name) for name in names]
    short = [name.rsplit("__", 1)[-1] for name in names]  # without the names of a union's parts
    return (short if len(set(short)) == len(names) else names), values, n_candidates


def _n_candidates(estimator):
    """Return from how many features the selectors of a fitted transformer chose; 0 without a selector."""
    if isinstance(estimator, Pipeline):
        return next((count for count in (_n_candidates(step) for _, step in estimator.steps) if count), 0)
    if isinstance(estimator, FeatureUnion):
        return sum(_n_candidates(part) for _, part in estimator.transformer_list)
    if isinstance(estimator, ColumnTransformer):
        return sum(_n_candidates(part) for _, part, _ in estimator.transformers_ if not isinstance(part, str))
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
