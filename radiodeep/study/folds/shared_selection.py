"""A model and all rows in; the scores of its selectors in every leave-one-out fold out, computed together.

Only selectors that see the rows as they are, or moved and stretched by a scaler, can share: nothing
before them may learn anything else.
"""

import json

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from radiodeep.selection.relieff import ReliefF
from radiodeep.selection.symmetric_uncertainty import SymmetricUncertainty
from radiodeep.study.description import describe
from radiodeep.study.folds.shared_extraction import SharedTable

_RANKING_ONLY = ("n_features_to_select", "threshold", "tie_order", "n_jobs")


def shared_scores(model, rows, y, n_jobs, known):
    """Return, for each selector of a model that can share, its scores without each of the rows.

    Parameters
    ----------
    model : estimator
    rows : table or int ndarray, as `over_positions` returns them
    y : ndarray of shape (n_cases,)
    n_jobs : int or None
    known : dict
        What was computed for other models already; is added to.

    Returns
    -------
    dict from parameter path of the selector to ndarray of shape (n_cases, n_features)
    """
    found = {}
    for path, selector, extraction, rescaled in _selectors(model, "", None, False):
        settings = {key: value for key, value in describe(selector).items() if key not in _RANKING_ONLY}
        source = "the table itself" if extraction is None else extraction.key()
        key = json.dumps([settings, source, rescaled], sort_keys=True)
        if key not in known:
            table = rows if extraction is None else extraction.transform(rows)
            known[key] = clone(selector).set_params(n_jobs=n_jobs).scores_without_each(table, y, rescaled=rescaled)
        if known[key] is not None:
            found[path] = known[key]
    return found


def with_given_scores(model, scores):
    """Return a clone of a model whose selectors have the scores given for their path.

    Such a selector moves before the scalers, which then see few columns and do to each what they did
    before, and reads those columns from the shared table where that comes right before it. Where the
    scores leave open what is kept, the selector stays as it is.
    """
    model = clone(model)
    for path, row in scores.items():
        *above, name = path.split("__")
        pipeline = model.get_params()["__".join(above)] if above else model
        place = [step for step, _ in pipeline.steps].index(name)
        selector = pipeline.steps.pop(place)[1]
        if not selector._is_decided(row):
            pipeline.steps.insert(place, (name, selector))
            continue
        first = next((at for at in range(place) if _only_moves_and_stretches(pipeline.steps[at][1])), place)
        table = None
        if first == 1 and isinstance(pipeline.steps[0][1], SharedTable):
            table, first = pipeline.steps.pop(0)[1], 0
        pipeline.steps.insert(first, (name, GivenScores(selector, row, table)))
    return model


class GivenScores(SelectorMixin, BaseEstimator):
    """A selector whose scores are known already; `fit` only ranks them.

    Parameters
    ----------
    selector : ReliefF or SymmetricUncertainty
    scores : ndarray of shape (n_features,)
        A row of `leave_one_out_scores`.
    table : SharedTable, optional
        Where the features are; X then holds row numbers.
    """

    def __init__(self, selector, scores, table=None):
        self.selector = selector
        self.scores = scores
        self.table = table

    def fit(self, X, y=None):
        """Rank by the scores; of X only the names matter."""
        if self.table is None:
            validate_data(self, X, skip_check_array=True)
        self.n_features_in_ = len(self.scores)
        self.selector_ = clone(self.selector)
        self.selector_._keep_best(np.array(self.scores))
        self.selector_.warn_if_none_passed()
        return self

    def transform(self, X):
        if self.table is None:
            return super().transform(X)
        return self.table.fill()[np.ix_(X, np.flatnonzero(self.selector_.support_))]

    def get_feature_names_out(self, input_features=None):
        if self.table is None:
            return super().get_feature_names_out(input_features)
        return np.asarray(self.table.get_feature_names_out(), dtype=object)[self.selector_.support_]

    def __sklearn_tags__(self):
        return self.selector.__sklearn_tags__()

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.selector_.support_


def _selectors(estimator, prefix, extraction, rescaled):
    if isinstance(estimator, FeatureUnion):
        for name, part in estimator.transformer_list:
            if isinstance(part, Pipeline | FeatureUnion):
                yield from _selectors(part, f"{prefix}{name}__", extraction, rescaled)
        return
    if not isinstance(estimator, Pipeline):
        return
    for name, step in estimator.steps:
        if type(step) in (ReliefF, SymmetricUncertainty):
            yield prefix + name, step, extraction, rescaled
            return
        if isinstance(step, Pipeline | FeatureUnion):
            yield from _selectors(step, f"{prefix}{name}__", extraction, rescaled)
            return
        if isinstance(step, SharedTable) and extraction is None and not rescaled:
            extraction = step
        elif _only_moves_and_stretches(step):
            rescaled = True
        elif step not in (None, "passthrough"):
            return


def _only_moves_and_stretches(step):
    if type(step) is StandardScaler:
        return step.with_mean and step.with_std
    return type(step) is MinMaxScaler and not step.clip and 1e-3 <= np.ptp(step.feature_range) <= 1e3
