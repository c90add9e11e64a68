"""Models over cases in, the same models over row numbers out: each stateless extraction runs once.

The first steps of a model that learn nothing (`requires_fit` is False in their scikit-learn tags) are
replaced by a look-up in a table that was computed once; first steps that learn get the cases as before.
"""

import joblib
import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

from radiodeep.progress import with_progress

_CHUNK = 8
_SEARCHES = (GridSearchCV, RandomizedSearchCV)


def over_positions(models, X, n_jobs=None):
    """Return models that take row numbers in place of cases, and those numbers.

    Parameters
    ----------
    models : dict from name to estimator
    X : sequence of cases, DataFrame or ndarray
    n_jobs : int, optional

    Returns
    -------
    models : dict from name to estimator
    rows : X, or int ndarray of shape (n_cases,)
        Row numbers for a table of numbers that every model may take as a plain array: checking and cutting
        up a DataFrame of thousands of columns takes longer than fitting a model to it.
    """
    if hasattr(X, "shape"):
        return _over_rows(models, X)
    tables = {}
    shared = {name: _with_shared_head(model, list(X), tables) for name, model in models.items()}
    for head in _heads(shared.values()):
        head.fill(n_jobs)
    return shared, np.arange(len(X))


class SharedTable(TransformerMixin, BaseEstimator):
    """Row numbers in, rows of a table out.

    Parameters
    ----------
    values : ndarray of shape (n_cases, n_features)
    names : sequence of str
    """

    def __init__(self, values, names):
        self.values = values
        self.names = names

    def __sklearn_clone__(self):
        return self  # it never changes

    def fit(self, rows, y=None):
        return self

    def transform(self, rows):
        return self.fill()[rows]

    def fill(self, n_jobs=None):
        """Return the whole table."""
        return self.values

    def key(self):
        return "the table itself"

    def get_feature_names_out(self, input_features=None):
        return np.asarray(self.names, dtype=object)

    def __sklearn_is_fitted__(self):
        return True


class SharedExtraction(SharedTable):
    """A stateless extractor over row numbers; its parameters are the extractor's own.

    Clones share the tables, so that a grid search over the extractor's parameters computes each
    setting once per process.
    """

    def __init__(self, extractor, cases, tables):
        self.extractor = extractor
        self.cases = cases
        self.tables = tables

    def __sklearn_clone__(self):
        return SharedExtraction(clone(self.extractor), self.cases, self.tables)

    def get_params(self, deep=True):
        return self.extractor.get_params(deep=deep)

    def set_params(self, **params):
        self.extractor.set_params(**params)
        return self

    def fit(self, rows, y=None):
        self.fill()
        return self

    def fill(self, n_jobs=None):
        """Compute the table of all cases unless it is there already."""
        key = self.key()
        if key not in self.tables:
            self.extractor.fit(self.cases)
            chunks = [self.cases[start : start + _CHUNK] for start in range(0, len(self.cases), _CHUNK)]
            parts = Parallel(n_jobs=n_jobs, return_as="generator")(
                delayed(self.extractor.transform)(chunk) for chunk in chunks
            )
            self.tables[key] = np.vstack(list(with_progress(parts, type(self.extractor).__name__, len(chunks))))
        return self.tables[key]

    def get_feature_names_out(self, input_features=None):
        return self.extractor.get_feature_names_out()

    def key(self):
        kind = type(self.extractor)
        return f"{kind.__module__}.{kind.__qualname__} {joblib.hash(self.extractor.get_params())}"


class CaseLookup(TransformerMixin, BaseEstimator):
    """Row numbers in, the cases themselves out: what a first step that learns needs."""

    def __init__(self, cases):
        self.cases = cases

    def __sklearn_clone__(self):
        return CaseLookup(self.cases)

    def fit(self, rows, y=None):
        return self

    def transform(self, rows):
        return [self.cases[row] for row in rows]

    def get_feature_names_out(self, input_features=None):
        return np.array(["case"], dtype=object)

    def __sklearn_is_fitted__(self):
        return True


def _over_rows(models, X):
    numeric = not hasattr(X, "dtypes") or all(dtype.kind in "fiub" for dtype in X.dtypes)
    columns = {str(name) for name in getattr(X, "columns", [])}
    if not (numeric and all(_takes_arrays(model, columns) for model in models.values())):
        return models, X
    names = X.columns if hasattr(X, "columns") else [f"x{column}" for column in range(X.shape[1])]
    plain = X.to_numpy(dtype=np.float64, na_value=np.nan) if hasattr(X, "columns") else np.asarray(X, dtype=np.float64)
    table = SharedTable(plain, np.asarray(names, dtype=str))
    over_rows = {}
    for name, model in models.items():
        kind, steps = (type(model), model.steps) if isinstance(model, Pipeline) else (Pipeline, [("model", model)])
        over_rows[name] = kind([("shared_table", table), *steps])
    return over_rows, np.arange(len(X))


def _takes_arrays(estimator, columns):
    """Return whether an estimator asks a table for nothing but its numbers, and names no column of it."""
    if isinstance(estimator, str) or estimator is None:
        return True
    home = type(estimator).__module__.split(".")
    if home[0] not in ("sklearn", "imblearn", "radiodeep") or home[:2] == ["sklearn", "compose"]:
        return False
    if isinstance(estimator, FunctionTransformer) or getattr(estimator, "needs_names", False):
        return False
    for value in estimator.get_params(deep=False).values():
        listed = value if isinstance(value, list | tuple | set | dict | np.ndarray) else [value]
        if any(isinstance(item, str) and item in columns for item in listed):  # of a dict, its keys
            return False
    inside = [value for value in estimator.get_params().values() if isinstance(value, BaseEstimator)]
    return all(_takes_arrays(part, columns) for part in inside)


def _with_shared_head(estimator, cases, tables):
    if isinstance(estimator, Pipeline):
        (name, head), *rest = estimator.steps
        if not rest:
            return clone(estimator).set_params(steps=[(name, _with_shared_head(head, cases, tables))])
        return clone(estimator).set_params(steps=[(name, _with_shared_head(head, cases, tables)), *rest])
    for kind, parameter in (
        (FeatureUnion, "transformer_list"),
        (VotingClassifier, "estimators"),
        (StackingClassifier, "estimators"),
    ):
        if isinstance(estimator, kind):
            parts = [
                (name, part if part in ("drop", "passthrough") else _with_shared_head(part, cases, tables))
                for name, part in getattr(estimator, parameter)
            ]
            return clone(estimator).set_params(**{parameter: parts})
    if isinstance(estimator, _SEARCHES):
        return clone(estimator).set_params(estimator=_with_shared_head(estimator.estimator, cases, tables))
    if hasattr(estimator, "transform") and not get_tags(estimator).requires_fit:
        return SharedExtraction(estimator, cases, tables)
    return Pipeline([("cases", CaseLookup(cases)), ("estimator", estimator)])


def _heads(models):
    for model in models:
        if isinstance(model, SharedExtraction):
            yield model
        elif isinstance(model, Pipeline):
            yield from _heads([model.steps[0][1]])
        elif isinstance(model, FeatureUnion):
            yield from _heads([part for _, part in model.transformer_list])
        elif isinstance(model, VotingClassifier | StackingClassifier):
            yield from _heads([part for _, part in model.estimators])
        elif isinstance(model, _SEARCHES):
            yield from _heads([model.estimator])
