"""Models over cases in, the same models over row numbers out: each stateless extraction runs once.

The first steps of a model that learn nothing (`requires_fit` is False in their scikit-learn tags) are
replaced by a look-up in a table that was computed once; first steps that learn get the cases as before.
"""

from dataclasses import dataclass

import joblib
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch, get_tags

from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.rows import extract_rows, rows_by_case
from radiodeep.study.folds.inner_folds import keep_groups_together
from radiodeep.study.inputs import aligned

_SEARCHES = (GridSearchCV, RandomizedSearchCV)


def over_positions(models, X, n_jobs=None, *, on_error="raise", cache_dir=None):
    """Return models that take row numbers in place of cases, and those numbers.

    Parameters
    ----------
    models : dict from name to estimator
    X : sequence of cases, DataFrame or ndarray
    n_jobs : int, optional
    on_error : {"raise", "exclude"}, default="raise"
        "exclude" leaves cases that cannot be read or measured out of the row numbers.
    cache_dir : path-like, optional
        Keeps the extracted rows.

    Returns
    -------
    shared : SharedRows
    """
    if hasattr(X, "shape"):
        return _over_rows(models, X)
    tables = ExtractedTables(list(X), cache_dir, on_error)
    shared = {name: _with_shared_head(model, tables) for name, model in models.items()}
    heads = list(_heads(shared.values()))
    tables.fill({head.key(): head.extractor for head in heads if isinstance(head, SharedExtraction)}, n_jobs)
    if on_error == "exclude" and any(isinstance(head, CaseLookup) for head in heads):
        tables.read_all(n_jobs)
    tables.on_error = "raise"  # of settings that a search tries later: no case can be left out any more
    rows = np.array([row for row in range(len(X)) if row not in tables.errors], dtype=int)
    return SharedRows(shared, rows, tables.errors, tables.numbers())


@dataclass(frozen=True, eq=False)
class SharedRows:
    """Models over row numbers.

    Attributes
    ----------
    models : dict from name to estimator
    rows : X, or int ndarray of shape (n_rows,)
        Row numbers for cases, and for a table of numbers that every model may take as a plain array: checking and
        cutting up a DataFrame of thousands of columns takes longer than fitting a model to it.
    errors : dict from position to str
        Of the cases that are left out of `rows`.
    tables : list of (ndarray of shape (n_cases, n_features), names)
        The numbers that the models see, of all cases.
    """

    models: dict
    rows: object
    errors: dict
    tables: list

    @property
    def by_position(self):
        """Whether `rows` are row numbers."""
        return isinstance(self.rows, np.ndarray) and self.rows.ndim == 1


class ExtractedTables:
    """The tables of all extractors of a study, by their settings, and the cases that could not be measured."""

    def __init__(self, cases, cache_dir=None, on_error="raise"):
        self.cases = cases
        self.cache_dir = cache_dir
        self.on_error = on_error
        self.errors = {}
        self._tables = {}

    def fill(self, extractors, n_jobs=None):
        """Compute the tables of extractors (by their keys) that are missing; each case is read once for all."""
        missing = {key: one for key, one in extractors.items() if key not in self._tables}
        if not missing:
            return
        kept = [row for row in range(len(self.cases)) if row not in self.errors]
        cases = [self.cases[row] for row in kept]
        for extractor in missing.values():
            extractor.fit(cases)
        how = {"n_jobs": n_jobs, "on_error": "raise" if self.on_error == "raise" else "record"}
        if all(hasattr(case, "in_memory") for case in cases):
            how |= {"cache_dir": self.cache_dir, "description": "Extracting features"}
            tables, errors = extract_rows(missing, cases, **how)
        else:
            tables, errors = _rows_of_other_inputs(missing, cases, how)
        self.errors |= {kept[place]: message for place, message in errors.items()}
        for key, extractor in missing.items():
            values = np.full((len(self.cases), tables[key].shape[1]), np.nan)
            values[kept] = tables[key]
            named = hasattr(extractor, "get_feature_names_out")
            names = extractor.get_feature_names_out() if named else [f"x{n}" for n in range(values.shape[1])]
            self._tables[key] = values, list(names)

    def read_all(self, n_jobs=None):
        """Note the cases that cannot be read, for models that learn from the images themselves."""
        _, errors = rows_by_case(_read, self.cases, n_jobs=n_jobs, on_error="record", description="Reading cases")
        self.errors |= errors

    def of(self, key, extractor):
        """Return the table of an extractor and the names of its columns."""
        self.fill({key: extractor})
        return self._tables[key]

    def numbers(self):
        return list(self._tables.values())


def fit_over_cases(model, X, y, n_jobs=None, cache_dir=None, on_error="raise"):
    """Fit a model to cases, with extraction in parallel and cached.

    Parameters
    ----------
    model : classifier or pipeline of scikit-learn
    X : Cohort or sequence of Case
    y : array-like of shape (n_cases,)
    n_jobs : int, optional
    cache_dir : path-like, optional
    on_error : {"raise", "exclude"}, default="raise"
        "exclude" trains without the cases that cannot be read or measured.

    Returns
    -------
    model : estimator
        Fitted, and over cases as the one given.
    excluded : dict from case id to str
        Why cases were left out.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from radiodeep.study.folds.shared_extraction import fit_over_cases
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(8, random_state=0)
    >>> model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())
    >>> fitted, excluded = fit_over_cases(model, cohort, cohort.labels)
    >>> fitted.predict_proba(cohort[:3]).shape, excluded
    ((3, 2), {})
    """
    cases = list(X)
    shared = over_positions({"model": model}, cases, n_jobs, on_error=on_error, cache_dir=cache_dir)
    over_rows = shared.models["model"]
    excluded = {cases[row].id: message for row, message in shared.errors.items()}
    labels = np.asarray(aligned(y, cases, "y"))[shared.rows]
    if not len(labels):
        raise StudyError(f"None of the {len(cases)} cases can be used. {next(iter(excluded.values()), '')}")
    if len(np.unique(labels)) < 2:
        raise SingleClassError(
            f"The {len(labels)} cases that could be measured hold one class only. {next(iter(excluded.values()), '')}"
        )
    patients = np.array([str(cases[row].patient) for row in shared.rows])
    repeated = len(set(patients)) < len(patients)
    inner = keep_groups_together(over_rows, labels, patients) if repeated else {}
    over_rows.fit(shared.rows, labels).set_params(**inner)
    return _over_cases(over_rows, shared.rows), excluded


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

    def fill(self):
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

    def __init__(self, extractor, tables, key=None):
        self.extractor = extractor
        self.tables = tables
        self._key = key

    def __sklearn_clone__(self):
        return SharedExtraction(clone(self.extractor), self.tables, self._key)

    def get_params(self, deep=True):
        return self.extractor.get_params(deep=deep)

    def set_params(self, **params):
        self.extractor.set_params(**params)
        self._key = None
        return self

    def fit(self, rows, y=None):
        self.fill()
        return self

    def fill(self):
        """Return the table of all cases, computed unless it is there already."""
        return self.tables.of(self.key(), self.extractor)[0]

    def get_feature_names_out(self, input_features=None):
        return np.asarray(self.tables.of(self.key(), self.extractor)[1], dtype=object)

    def key(self):
        """Return what tells the tables of different settings apart."""
        if self._key is None:
            kind = type(self.extractor)
            self._key = f"{kind.__module__}.{kind.__qualname__} {joblib.hash(self.extractor.get_params())}"
        return self._key

    def over_cases(self, rows):
        """Return the extractor, which knows the training cases that are in `rows`."""
        cases = [self.tables.cases[row] for row in rows]
        extractor = clone(self.extractor).fit(cases)
        if hasattr(extractor, "note_training_range"):
            extractor.note_training_range(cases, self.fill()[rows])
        return extractor


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
    if hasattr(X, "columns"):
        numbers = X if numeric else X.select_dtypes(["number", "bool"])
        plain, names = numbers.to_numpy(dtype=np.float64, na_value=np.nan), [str(name) for name in numbers.columns]
    else:
        names = [f"x{column}" for column in range(X.shape[1])]
        try:
            plain = np.asarray(X, dtype=np.float64)
        except ValueError:  # text among the numbers
            return SharedRows(models, X, {}, [])
    if not (numeric and all(_takes_arrays(model, columns) for model in models.values())):
        return SharedRows(models, X, {}, [(plain, names)])
    table = SharedTable(plain, np.asarray(names, dtype=str))
    over_rows = {}
    for name, model in models.items():
        kind, steps = (type(model), model.steps) if isinstance(model, Pipeline) else (Pipeline, [("model", model)])
        over_rows[name] = kind([("shared_table", table), *steps])
    return SharedRows(over_rows, np.arange(len(X)), {}, [(plain, names)])


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


def _with_shared_head(estimator, tables):
    if isinstance(estimator, Pipeline):
        (name, head), *rest = estimator.steps
        if not rest:
            return clone(estimator).set_params(steps=[(name, _with_shared_head(head, tables))])
        return clone(estimator).set_params(steps=[(name, _with_shared_head(head, tables)), *rest])
    for kind, parameter in (
        (FeatureUnion, "transformer_list"),
        (VotingClassifier, "estimators"),
        (StackingClassifier, "estimators"),
    ):
        if isinstance(estimator, kind):
            parts = [
                (name, part if part in ("drop", "passthrough") else _with_shared_head(part, tables))
                for name, part in getattr(estimator, parameter)
            ]
            return clone(estimator).set_params(**{parameter: parts})
    if isinstance(estimator, _SEARCHES):
        return clone(estimator).set_params(estimator=_with_shared_head(estimator.estimator, tables))
    if hasattr(estimator, "transform") and not get_tags(estimator).requires_fit:
        return SharedExtraction(clone(estimator), tables)
    return Pipeline([("cases", CaseLookup(tables.cases)), ("estimator", estimator)])


def _heads(models):
    """Yield the first steps that take row numbers: shared extractions and lookups of cases."""
    for model in models:
        if isinstance(model, SharedExtraction | CaseLookup):
            yield model
        elif isinstance(model, Pipeline):
            yield from _heads([model.steps[0][1]])
        elif isinstance(model, FeatureUnion):
            yield from _heads([part for _, part in model.transformer_list])
        elif isinstance(model, VotingClassifier | StackingClassifier):
            yield from _heads([part for _, part in model.estimators])
        elif isinstance(model, _SEARCHES):
            yield from _heads([model.estimator])


def _over_cases(fitted, rows):
    """Return a fitted model over row numbers as a model over cases, with the extractors in their places again."""
    if isinstance(fitted, SharedExtraction):
        return fitted.over_cases(rows)
    if isinstance(fitted, Pipeline):
        (name, head), *rest = fitted.steps
        if isinstance(head, CaseLookup):
            return rest[0][1]
        fitted.steps[0] = name, _over_cases(head, rows)
    elif isinstance(fitted, FeatureUnion):
        fitted.transformer_list = [(name, _over_cases(part, rows)) for name, part in fitted.transformer_list]
    elif isinstance(fitted, VotingClassifier | StackingClassifier):
        fitted.estimators = [(name, _over_cases(part, rows)) for name, part in fitted.estimators]
        fitted.estimators_ = [_over_cases(part, rows) for part in fitted.estimators_]
        fitted.named_estimators_ = Bunch(
            **dict(zip([name for name, part in fitted.estimators if part != "drop"], fitted.estimators_, strict=True))
        )
    elif isinstance(fitted, _SEARCHES):
        fitted.estimator = _over_cases(fitted.estimator, rows)
        fitted.best_estimator_ = _over_cases(fitted.best_estimator_, rows)
    return fitted


def _rows_of_other_inputs(extractors, inputs, how):
    """Return tables and errors of inputs that are not cases, for transformers of the user's own."""
    tables, errors = {}, {}
    for key, extractor in extractors.items():
        rows, failed = rows_by_case(extractor.transform, inputs, description="Extracting features", **how)
        width = len(next(iter(rows.values()), []))
        tables[key] = np.array([rows.get(place, np.full(width, np.nan)) for place in range(len(inputs))])
        errors |= failed
    return tables, errors


def _read(cases):
    return [case.read() and None for case in cases]
