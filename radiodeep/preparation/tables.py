"""X and y of `fit` -> a validated table, class numbers and the mask of nominal columns."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length, validate_data

from radiodeep.checks import invalid, is_count, is_flag, require_option
from radiodeep.exceptions import InputError, SingleClassError
from radiodeep.preparation.survival import event_and_time

TARGETS = ("auto", "classes", "numeric")
_MOST_CLASSES = 10  # of whole numbers


def checked_table(estimator, X, y, way_out="cut it into classes first, e.g. y > np.median(y)"):
    """Return the table as float64 (n_cases, n_features), class numbers (n_cases,) and the number of classes.

    NaN is a missing value. Sets `n_features_in_` and `feature_names_in_` of the estimator. `way_out` is the advice for
    a continuous target.
    """
    X, y = validate_data(estimator, X, y, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
    name = type(estimator).__name__
    _refuse_empty_rows(X, name)
    if y.dtype.kind == "f" and np.any(y != np.floor(y)):
        raise InputError(
            f"The 'y' of {name} must hold classes. Got a continuous target (e.g. {y[y != np.floor(y)][0]:g}) "
            f"instead; {way_out}."
        )
    classes, y = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise SingleClassError(
            f"{name} must be fitted to cases of at least two classes. Got one class, {classes[0]}, in all "
            f"{len(y)} training cases; use folds that keep both classes in the training part."
        )
    return X, y, len(classes)


def checked_target(estimator, X, y, target):
    """Return the table as float64, and class numbers with the number of classes, or a numeric target and 0.

    `target` is one of `TARGETS`. With "auto", y is numeric if it holds fractions or more than 10 different numbers.
    """
    require_option(target, TARGETS, estimator, "target")
    values = np.asarray(y)
    if values.dtype.names is not None:
        name, fields = type(estimator).__name__, ", ".join(values.dtype.names)
        raise InputError(
            f"The 'y' of {name} must hold classes or numbers. Got a structured array of {fields}; select for times to "
            f"an event with HorizonSelector({name}(...), horizon)."
        )
    if target == "numeric" or (target == "auto" and _is_numeric(values)):
        return *checked_numeric_table(estimator, X, y), 0
    return checked_table(estimator, X, y, "cut it into classes first, e.g. y > np.median(y), or set target='numeric'")


def _is_numeric(values):
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():  # validate_data refuses NaN
        return False
    return bool((values != np.floor(values)).any()) or len(np.unique(values)) > _MOST_CLASSES


def checked_numeric_table(estimator, X, y):
    """Return the table as float64 (n_cases, n_features) and the numeric target (n_cases,)."""
    X, y = validate_data(
        estimator, X, y, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2, y_numeric=True
    )
    _refuse_empty_rows(X, type(estimator).__name__)
    if not y.max() > y.min():
        raise InputError(
            f"{type(estimator).__name__} must be fitted to a target that varies. Got {y[0]:g} in all {len(y)} cases."
        )
    return X, np.asarray(y, dtype=np.float64)


def checked_survival_table(estimator, X, y, allows_nan=False):
    """Return the table as float64 (n_cases, n_features), and the events and times of the cases, (n_cases,) each."""
    finite = "allow-nan" if allows_nan else True
    given = None if y is None else "no_validation"
    X = validate_data(estimator, X, given, dtype=np.float64, ensure_all_finite=finite, ensure_min_samples=2)
    _refuse_empty_rows(X, type(estimator).__name__)
    event, time = event_and_time(y)
    check_consistent_length(X, event)
    return X, event, time


def check_names_cases(estimator, X):
    """Raise InputError unless a table is a DataFrame, whose index names the cases."""
    if not isinstance(X, pd.DataFrame):
        raise InputError(
            f"{type(estimator).__name__} needs a DataFrame whose index names the cases, and must come before steps "
            f"that make arrays. Got {type(X).__name__} instead; extract_table makes such a table, as do the extractors "
            "of a pipeline after pipeline.set_output(transform='pandas')."
        )


def _refuse_empty_rows(X, name):
    suspects = np.flatnonzero(np.isnan(X[:, 0]))  # nearly all rows are ruled out by one column
    empty = suspects[np.isnan(X[suspects]).all(axis=1)]
    if len(empty):
        raise InputError(
            f"{name} must be fitted to rows that hold numbers. Row {empty[0]} is NaN in all {X.shape[1]} features "
            f"({len(empty)} such row{'s' if len(empty) > 1 else ''}); leave out cases that could not be measured."
        )


def nominal_mask(estimator, nominal_features):
    """Return which columns hold categories, as bool (n_features,), from positions, names or a mask."""
    n_features = estimator.n_features_in_
    mask = np.zeros(n_features, dtype=bool)
    if nominal_features is None:
        return mask
    names = list(getattr(estimator, "feature_names_in_", []))
    wanted = [nominal_features] if isinstance(nominal_features, str | Integral) else list(nominal_features)
    if len(wanted) == n_features and all(is_flag(item) for item in wanted):
        return np.array(wanted, dtype=bool)
    for item in wanted:
        is_name = isinstance(item, str) and item in names
        if not is_name and not is_count(item, 0, n_features - 1):
            allowed = f"names of columns, positions from 0 to {n_features - 1}, or a bool for each column"
            raise invalid(estimator, "nominal_features", allowed, item)
        mask[names.index(item) if is_name else item] = True
    return mask
