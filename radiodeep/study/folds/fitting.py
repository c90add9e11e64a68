"""A model and folds -> its predictions for the test cases of each fold, and the features that it selected."""

import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.utils import _safe_indexing
from threadpoolctl import threadpool_limits

from radiodeep.exceptions import RadiodeepWarning
from radiodeep.processes import may_record_warnings
from radiodeep.selection.effective_number import effective_number_of_features
from radiodeep.study.description import n_inputs, selected_features
from radiodeep.study.folds.estimator_tree import descendants
from radiodeep.study.folds.inner_folds import keep_groups_together
from radiodeep.study.folds.shared_selection import selectors_of_folds, selectors_without_each, with_fitted_selectors

_SELECTION_MEASURED_EVERY = 8  # folds: they differ little, and measuring takes a pass over the table


@dataclass(frozen=True)
class Selection:
    """What the selectors of a fitted model kept.

    Attributes
    ----------
    names : list of str
    n_candidates : int
        The number of features that they selected from.
    effective_n_features : float or None
        The number of uncorrelated features that the selected ones are worth; None if it was not measured.
    size_correlations : list of float or None
        Absolute rank correlation of each selected feature with the size of the region, NaN for constant features.
    """

    names: list
    n_candidates: int
    effective_n_features: float | None = None
    size_correlations: list | None = None


@dataclass(frozen=True)
class FoldOutcome:
    """The prediction of one fold (what the endpoint's `score` returned for the test cases) and its selection.

    `selection` is None for a model without selector; `warnings` are the texts of radiodeep's warnings of the fold;
    `chosen` says what a search or an automatic model inside the model chose; `n_features` is the number of features
    that the last step of a pipeline learned from, 0 if that is unknown.
    """

    predicted: object
    selection: Selection | None = None
    warnings: tuple = ()
    chosen: str | None = None
    n_features: int = 0


def fit_folds(model, rows, endpoint, folds, *, groups=None, selectors=None, sizes=None, first=0):
    """Fit a model in each fold, and return a list of `FoldOutcome`.

    Parameters
    ----------
    model, rows
        As `as_row_indices` returns them.
    endpoint : Endpoint
        Of all rows.
    folds : list of (train, test), int ndarrays of positions
    groups : ndarray of shape (n_cases,), optional
        Kept together by the folds of searches inside the model.
    selectors : list of dict, optional
        What `selectors_of_folds` returned for these folds.
    sizes : ndarray of shape (n_cases,), optional
        Of the regions.
    first : int or None, default=0
        Number of the first fold in its plan. None if only predictions are needed: then no selected feature is measured
        and warnings are shown at once. Otherwise warnings of radiodeep are kept for `warn_of_folds`.
    """
    outcomes = []
    with threadpool_limits(1, user_api="blas"):  # threads of BLAS wait for each other with matrices of this size
        for number, (train, test) in enumerate(folds):
            fitted_selectors = selectors[number] if selectors else {}
            fitted = with_fitted_selectors(model, fitted_selectors)
            if groups is not None:
                strata = None if endpoint.strata is None else endpoint.strata[train]
                keep_groups_together(fitted, strata, groups[train])
            train_rows = _safe_indexing(rows, train)
            with _kept_warnings(first is not None) as kept:
                for selector in fitted_selectors.values():
                    selector.warn_if_none_passed()
                fitted.fit(train_rows, endpoint.y[train])
                is_measured = first is not None and (first + number) % _SELECTION_MEASURED_EVERY == 0
                outcome = fold_outcome(
                    fitted,
                    _safe_indexing(rows, test),
                    endpoint,
                    train_rows if is_measured else None,
                    None if sizes is None else sizes[train],
                    scored_rows=train_rows,
                )
            outcomes.append(replace(outcome, warnings=tuple(str(message) for message, *_ in kept)))
    return outcomes


def fold_outcome(fitted, rows, endpoint, train_rows=None, train_sizes=None, *, scored_rows=None):
    """Return the `FoldOutcome` of a fitted model for its test rows.

    With training rows, the selection includes the effective number of features; with the training sizes as well, their
    size correlations. `scored_rows` are the training rows for endpoints that need them.
    """
    predicted = endpoint.score(fitted, rows, scored_rows if endpoint.needs_training_rows else None)
    selection = _selection(fitted, train_rows, train_sizes)
    return FoldOutcome(predicted, selection, chosen=_choice(fitted), n_features=n_inputs(fitted))


def out_of_fold(model, rows, endpoint, groups, plan):
    """Return the outcomes of all folds of a plan, computed in this process and without measuring the selection."""
    selectors = selectors_without_each(model, rows, endpoint.y, None, {}) if plan.leaves_one_out else {}
    given = selectors_of_folds(selectors, plan, plan.folds)
    return fit_folds(model, rows, endpoint, plan.folds, groups=groups, selectors=given, first=None)


def _choice(fitted):
    """Return what the first automatic model or search inside a model chose, or None."""
    for part in descendants(fitted):
        if isinstance(getattr(part, "chosen_", None), str):
            return part.chosen_
        if isinstance(getattr(part, "best_params_", None), dict):
            return ", ".join(f"{name.split('__')[-1]}={value}" for name, value in part.best_params_.items())
    return None


def warn_of_folds(outcomes):
    """Warn once for several folds with the same warning, even if each names other cases or numbers."""
    folds_of_kind, first_text = {}, {}
    for number, outcome in enumerate(outcomes):
        for text in outcome.warnings:
            kind = _kind_of_warning(text)
            first_text.setdefault(kind, text)
            folds_of_kind.setdefault(kind, set()).add(number)
    for kind, text in first_text.items():
        # The number of folds is unknown: Python itself may have left out a text that it has shown before.
        others = " Other folds of this study warn of the same." if len(folds_of_kind[kind]) > 1 else ""
        warnings.warn(f"{text}{others}", RadiodeepWarning, stacklevel=5)


@contextmanager
def _kept_warnings(is_study):
    """Yield a list that collects the warnings of radiodeep in this block; they are shown if the block raises."""
    kept, show = [], warnings.showwarning
    if not is_study or not may_record_warnings():  # showwarning is global
        yield kept
        return

    def keep(message, category, *args, **kwargs):
        if issubclass(category, RadiodeepWarning):
            kept.append((message, category, *args))
        else:
            show(message, category, *args, **kwargs)

    warnings.showwarning = keep
    try:
        yield kept
    except BaseException:
        for arguments in kept:
            show(*arguments)
        raise
    finally:
        warnings.showwarning = show


def _kind_of_warning(text):
    """Return a warning without the ids and numbers that differ between folds."""
    source, _, content = text.partition(": ")
    return source, re.sub(r"\([^()]*\)|\d\S*", "", content.partition(": ")[0])


def _selection(fitted, train_rows, train_sizes):
    selected = selected_features(fitted)
    if selected is None:
        return None
    names, values_of, n_candidates = selected
    if train_rows is None:
        return Selection(names, n_candidates)
    values = _as_numbers(values_of(train_rows))
    correlations = None if train_sizes is None else _size_correlations(values, train_sizes)
    return Selection(names, n_candidates, effective_number_of_features(values), correlations)


def _as_numbers(values):
    """Return selected features as float64, text as NaN."""
    try:
        values = values.toarray()  # of a sparse matrix
    except AttributeError:
        values = np.asarray(values)
    if values.dtype == object:
        values = pd.DataFrame(values).apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return values.astype(np.float64)


def _size_correlations(values, sizes):
    """Return the absolute rank correlation of each selected feature with the size, NaN for constant features."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant columns have no correlation
        return [float(abs(spearmanr(column, sizes, nan_policy="omit").statistic)) for column in values.T]
