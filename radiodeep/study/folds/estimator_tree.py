"""An estimator -> the estimators inside it, or a copy with others in their places.

This is the one place that knows how scikit-learn composes estimators: `COMPOSITES` lists the classes, and whatever a
study asks of the inside of a model goes through the functions here. An estimator that is not listed but has estimators
among its parameters (an ensemble of networks, a user's own meta-estimator) is a "wrapper": nothing is assumed about
what it passes to them.
"""

import copy
from typing import NamedTuple

from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    BaseEnsemble,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import Bunch


class Composite(NamedTuple):
    """How a class of estimators uses the estimators inside it.

    Attributes
    ----------
    kind : str
        "chain": the first step is given the rows, each later one what the step before returns. "union": all parts are
        fitted to all rows. "columns": each part is fitted to some columns of all rows. "ensemble": members are fitted
        to the rows or to some of them, taken out by their positions. "bag": the same of a two-dimensional table.
        "resampling": members are fitted to rows that the estimator makes. "frozen": nothing is fitted.
    parameter : str or None
        The parameter that holds what is given the rows.
    """

    kind: str
    parameter: str | None = None


COMPOSITES = {
    Pipeline: Composite("chain", "steps"),  # also of imbalanced-learn, a subclass
    FeatureUnion: Composite("union", "transformer_list"),
    ColumnTransformer: Composite("columns", "transformers"),
    VotingClassifier: Composite("ensemble", "estimators"),
    VotingRegressor: Composite("ensemble", "estimators"),
    StackingClassifier: Composite("ensemble", "estimators"),
    StackingRegressor: Composite("ensemble", "estimators"),
    CalibratedClassifierCV: Composite("ensemble", "estimator"),
    GridSearchCV.__base__: Composite("ensemble", "estimator"),  # of all searches, the experimental halving ones too
    BaggingClassifier: Composite("bag", "estimator"),
    BaggingRegressor: Composite("bag", "estimator"),
    BaseEnsemble: Composite("resampling"),  # boosting and forests
    FrozenEstimator: Composite("frozen"),
}


def kind_of(estimator):
    """Return the kind of a composite, "wrapper" or "single"."""
    composite = _composite_of(estimator)
    if composite is not None:
        return composite.kind
    return "wrapper" if children(estimator) else "single"


def is_estimator(value):
    """Return whether a value is an estimator, and not a class, "passthrough", "drop" or None."""
    return isinstance(value, BaseEstimator)


def offers(value, method):
    """Return whether a value has a method: the protocol by which steps show what they can do."""
    return hasattr(value, method)


def type_of(estimator):
    """Return "classifier", "regressor" or what else scikit-learn knows an estimator as, None if it does not."""
    return estimator.__sklearn_tags__().estimator_type if offers(estimator, "__sklearn_tags__") else None


def is_sampler(estimator):
    """Return whether a step changes the rows themselves, as those of imbalanced-learn do."""
    return offers(estimator, "fit_resample")


def children(estimator):
    """Return the estimators that are parameters of an estimator, by themselves, in lists or as values of a dict."""
    inside = []
    for value in estimator.get_params(deep=False).values():
        _mapped(value, lambda child: inside.append(child) or child)
    return inside


def descendants(estimator):
    """Yield an estimator and all estimators inside it."""
    yield estimator
    for child in children(estimator):
        yield from descendants(child)


def with_target(model, target):
    """Return a model whose selectors with ``target="auto"`` take y as `target`, "classes" or "numeric".

    A fold may hold fewer different values of y than all cases, so that its selectors would decide otherwise.
    """
    parts = {"": model} | {f"{path}__": part for path, part in model.get_params().items() if is_estimator(part)}
    undecided = [
        f"{prefix}target"
        for prefix, part in parts.items()
        if offers(part, "scores_without_each") and getattr(part, "target", None) == "auto"
    ]
    return clone(model).set_params(**dict.fromkeys(undecided, target)) if undecided else model


def with_input_children(estimator, replace):
    """Return a clone in which ``replace(child)`` stands for each child that is given rows of the estimator's own input.

    For the children of a `ColumnTransformer` it is ``replace(child, columns)``.
    """
    composite = _composite_of(estimator) or Composite("wrapper")
    parameters = estimator.get_params(deep=False)
    if composite.parameter is None:
        return clone(estimator).set_params(**{name: _mapped(value, replace) for name, value in parameters.items()})
    if composite.parameter == "estimator":
        return clone(estimator).set_params(estimator=replace(parameters["estimator"]))
    parts = list(parameters[composite.parameter])
    for place, (name, child, *columns) in enumerate(parts):
        if is_estimator(child):
            parts[place] = (name, replace(child, *columns), *columns)
            if composite.kind == "chain":
                break
    return clone(estimator).set_params(**{composite.parameter: parts})


def rebuilt(fitted, replace):
    """Return a fitted estimator with others in the places of some inside it, at any depth.

    ``replace(estimator)`` returns the one in its place, or None to look inside it. The result is a shallow copy
    wherever something inside was replaced, and holds the same objects elsewhere.
    """
    replaced = replace(fitted)
    if replaced is not None:
        return replaced
    changed = {}
    for name, value in vars(fitted).items():
        mapped = _mapped(value, lambda inside: rebuilt(inside, replace))
        if mapped is not value:
            changed[name] = mapped
    if not changed:
        return fitted
    copied = copy.copy(fitted)
    vars(copied).update(changed)
    return copied


def best_of(fitted):
    """Return the refitted estimator of a fitted search, and any other estimator as it is."""
    return getattr(fitted, "best_estimator_", fitted)


def final_step(fitted, rows):
    """Return the last step of a fitted model, and the rows as the steps before transform them.

    Searches and pipelines are opened; samplers are skipped, as they are in predictions.
    """
    fitted = best_of(fitted)
    if kind_of(fitted) != "chain":
        return fitted, rows
    for _, step in fitted.steps[:-1]:
        if is_estimator(step) and not is_sampler(step):
            rows = step.transform(rows)
    return final_step(fitted[-1], rows)


def _composite_of(estimator):
    """Return the entry of the table for the most derived class of an estimator, or None."""
    return next((COMPOSITES[base] for base in type(estimator).__mro__ if base in COMPOSITES), None)


def _mapped(value, replace):
    """Return a value with `replace` applied to the estimators in it; the value itself if none of them changes."""
    if is_estimator(value) or offers(value, "calibrators"):  # what CalibratedClassifierCV keeps of each fold
        return replace(value)
    if type(value) in (dict, Bunch):
        items = {key: _mapped(item, replace) for key, item in value.items()}
        if all(items[key] is item for key, item in value.items()):
            return value
        mapped = copy.copy(value)
        mapped.update(items)
        return mapped
    if type(value) in (list, tuple):
        items = [_mapped(item, replace) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else type(value)(items)
    return value
