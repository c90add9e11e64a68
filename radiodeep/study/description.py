"""An estimator -> its settings, and the features that it selected."""

from functools import singledispatch
from types import FunctionType

import numpy as np
from sklearn.base import BaseEstimator

from radiodeep.study.folds.estimator_tree import best_of, is_estimator, kind_of, offers


def describe(estimator):
    """Return class and parameters of an estimator and of those inside it, as a dict that json can write."""
    if offers(estimator, "settings"):
        return _plain(estimator.settings())
    parameters = {name: _plain(value) for name, value in estimator.get_params(deep=False).items()}
    return {"class": type(estimator).__name__, **parameters}


def selected_features(fitted):
    """Return what the selectors of a fitted model kept, as (names, values_of, n_candidates).

    ``values_of(rows)`` returns the values of the selected features; `n_candidates` is the number of features that they
    were selected from. None for a model without selector, or with a step that does not name its features.
    """
    return _selected(best_of(fitted), None, lambda rows: rows)


def _selected(fitted, names, values_of):
    """Return the selection of a pipeline whose input has `names`, and for rows the values ``values_of(rows)``."""
    if kind_of(fitted) != "chain":
        return None
    selecting = [place for place in range(len(fitted) - 1) if _n_candidates(fitted[place])]
    n_before = selecting[-1] + 1 if selecting else len(fitted) - 1
    before = fitted[:n_before] if n_before else None

    def values(rows):
        return values_of(rows) if before is None else before.transform(values_of(rows))

    try:
        names = names if before is None else before.get_feature_names_out(names)
    except (AttributeError, ValueError, TypeError, NotImplementedError):  # a user's own step without names
        names = None
    if not selecting:
        return _selected(best_of(fitted[-1]), names, values)
    return None if names is None else ([str(name) for name in names], values, _n_candidates(before))


def n_inputs(fitted):
    """Return the number of features that the last step of a fitted pipeline learned from; 0 if that is unknown.

    A single one may be a column of cases, from which a network learns.
    """
    fitted = best_of(fitted)
    if kind_of(fitted) != "chain":
        return 0
    n_features = n_inputs(fitted[-1]) or getattr(best_of(fitted[-1]), "n_features_in_", 0)
    return n_features if n_features > 1 else 0


def without_prefixes(subsets):
    """Return feature names without those of a union's parts, in all folds or, if that is ambiguous, in none."""
    short = [None if names is None else [name.rsplit("__", 1)[-1] for name in names] for names in subsets]
    full_names = {}
    for names, short_names in zip(subsets, short, strict=True):
        for name, short_name in zip(names or [], short_names or [], strict=True):
            full_names.setdefault(short_name, set()).add(name)
    return short if all(len(names) == 1 for names in full_names.values()) else list(subsets)


def _n_candidates(fitted):
    """Return the number of features that the selectors of a fitted transformer selected from; 0 without a selector."""
    if not is_estimator(fitted):  # "passthrough" or "drop"
        return 0
    kind = kind_of(fitted)
    if kind == "chain":
        return next((count for count in (_n_candidates(step) for _, step in fitted.steps) if count), 0)
    if kind == "union":
        return sum(_n_candidates(part) for _, part in fitted.transformer_list)
    if kind == "columns":
        return sum(_n_candidates(part) for _, part, _ in fitted.transformers_)
    return fitted.n_features_in_ if offers(fitted, "get_support") else 0


@singledispatch
def _plain(value):
    """Return a value as json can write it: text for other objects."""
    return repr(value)


_plain.register(BaseEstimator, describe)
_plain.register(dict, lambda value: {str(key): _plain(item) for key, item in value.items()})
_plain.register(np.generic, lambda value: value.item())
_plain.register(FunctionType, lambda value: value.__qualname__)  # its repr holds an address
for kind in (list, tuple, np.ndarray):
    _plain.register(kind, lambda value: [_plain(item) for item in value])
for kind in (str, int, float, bool, type(None)):
    _plain.register(kind, lambda value: value)
