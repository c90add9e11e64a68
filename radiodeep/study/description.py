"""An estimator goes in; its settings and the features that it selected come out."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import FeatureUnion, Pipeline


def describe(estimator):
    """Return class and parameters of an estimator and its parts, as a dict that json can write."""
    if callable(getattr(estimator, "settings", None)):
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
    last = getattr(fitted[-1], "best_estimator_", fitted[-1])
    selecting = [place for place in range(len(fitted) - 1) if _n_candidates(fitted[place])]
    before = fitted[: selecting[-1] + 1] if selecting else fitted[:-1] if len(fitted) > 1 else None

    def values(rows):
        return values_of(rows) if before is None else before.transform(values_of(rows))

    try:
        names = names if before is None else before.get_feature_names_out(names)
    except (AttributeError, ValueError, TypeError, NotImplementedError):  # a step of the user's own that names nothing
        names = None
    if not selecting:
        return _selected(last, names, values)
    return None if names is None else ([str(name) for name in names], values, _n_candidates(before))


def without_prefixes(subsets):
    """Return names without those of a union's parts, in all folds or, where they would be ambiguous, in none."""
    short = [None if names is None else [name.rsplit("__", 1)[-1] for name in names] for names in subsets]
    meant = {}
    for names, cut in zip(subsets, short, strict=True):
        for name, brief in zip(names or [], cut or [], strict=True):
            meant.setdefault(brief, set()).add(name)
    return short if all(len(full) == 1 for full in meant.values()) else list(subsets)


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
