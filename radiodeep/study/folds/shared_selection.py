"""A model and all rows -> its selectors, fitted to the training cases of all leave-one-out folds together.

Selectors that offer `fit_without_each` can share their work (see `radiodeep.selection.ranking`). That holds as long as
they are given the rows as they are, or shifted and scaled by a scaler: nothing before them may learn anything else.
"""

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from radiodeep.study.folds.estimator_tree import is_estimator, kind_of, offers
from radiodeep.study.folds.shared_extraction import RowLookup, SharedExtraction, SharedTable

# Scalers that shift and scale each column by itself, and do nothing else with these settings.
_RESCALES = {
    StandardScaler: lambda scaler: scaler.with_mean and scaler.with_std,
    MinMaxScaler: lambda scaler: not scaler.clip and 1e-3 <= np.ptp(scaler.feature_range) <= 1e3,
}


def selectors_without_each(model, rows, y, n_jobs, known):
    """Return, for each selector of a model that can share its work, those fitted without each of the rows.

    The result is a dict from the selector's parameter path to a list of n_cases fitted selectors, None where a fold has
    to be fitted separately. `known` holds the scores that were computed for other models already, and is added to.
    """
    fitted = {}
    for path, selector, table, rescaled in _selectors(model, "", None, False):
        source = "the rows" if table is None else table.key()
        key = selector.ranking_settings(), source, rescaled
        X = rows if table is None else table.transform(rows)
        if key not in known:
            known[key] = clone(selector).set_params(n_jobs=n_jobs).scores_without_each(X, y, rescaled=rescaled)
        if known[key] is not None:
            fitted[path] = selector.fit_without_each(X, y, rescaled=rescaled, scores=known[key])
    return fitted


def selectors_of_folds(selectors, plan, folds):
    """Return the fitted selectors of each of some folds of a plan, by their paths; None if the plan shares none."""
    if not selectors or not plan.leaves_one_out:
        return None
    return [{path: fitted[test[0]] for path, fitted in selectors.items() if fitted[test[0]]} for _, test in folds]


def with_fitted_selectors(model, selectors):
    """Return a clone of a model in which the selectors (by parameter path) are fitted already.

    A selector moves before the scalers, which then are given few columns and rescale each as before. Where the shared
    table comes right before it, it reads only the selected columns from there.
    """
    model = clone(model)
    for path, selector in selectors.items():
        *above, name = path.split("__")
        pipeline = model.get_params()["__".join(above)] if above else model
        place = [step for step, _ in pipeline.steps].index(name)
        del pipeline.steps[place]
        first = next((at for at in range(place) if _only_rescales(pipeline.steps[at][1])), place)
        step = FrozenEstimator(selector)
        if first == 1 and _is_shared_table(pipeline.steps[0][1]):
            step = SelectedColumns(pipeline.steps.pop(0)[1], selector)
            first = 0
        pipeline.steps.insert(first, (name, step))
    return model


class SelectedColumns(RowLookup):
    """Row numbers -> the columns of a `SharedTable` that a fitted selector keeps."""

    def __init__(self, table, selector):
        self.table = table
        self.selector = selector

    @property
    def n_features_in_(self):
        return self.selector.n_features_in_

    def transform(self, rows):
        return self.table.all_rows()[np.ix_(self.table.positions(rows), self.selector.get_support(indices=True))]

    def get_support(self, indices=False):
        return self.selector.get_support(indices=indices)

    def get_feature_names_out(self, input_features=None):
        return self.table.get_feature_names_out()[self.selector.get_support()]


def _selectors(estimator, prefix, table, rescaled):
    """Yield (path, selector, shared table before it or None, whether a scaler is between) of selectors that can share.

    Only steps that rescale may come before such a selector.
    """
    if kind_of(estimator) == "union":
        for name, part in estimator.transformer_list:
            if is_estimator(part):
                yield from _selectors(part, f"{prefix}{name}__", table, rescaled)
        return
    if kind_of(estimator) != "chain":
        return
    for name, step in estimator.steps:
        if offers(step, "fit_without_each"):
            yield prefix + name, step, table, rescaled
            return
        if is_estimator(step) and kind_of(step) in ("chain", "union"):
            yield from _selectors(step, f"{prefix}{name}__", table, rescaled)
            return
        if _is_shared_table(step) and table is None and not rescaled:
            table = step
        elif _only_rescales(step):
            rescaled = True
        elif is_estimator(step):
            return


def _is_shared_table(step):
    return type(step) in (SharedTable, SharedExtraction)


def _only_rescales(step):
    return type(step) in _RESCALES and _RESCALES[type(step)](step)
