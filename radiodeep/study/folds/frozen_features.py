"""A fitted model and rows -> its predictions for rows whose features are taken from others, without images.

In a model over cases, the first steps (extractors, clinical columns) are replaced by tables of what they give for these
cases; for a model over a table, the features are its columns.
"""

import copy
from functools import partial

import joblib
import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import check_is_fitted

from radiodeep.exceptions import StudyError
from radiodeep.rows import extract_rows
from radiodeep.study.description import selected_features
from radiodeep.study.folds.changed_cases import RowLookup, changes_cases
from radiodeep.study.folds.estimator_tree import best_of, is_estimator, is_sampler, kind_of, offers, rebuilt


class FrozenFeatures:
    """The features of rows as they reach a fitted model.

    Attributes
    ----------
    model : fitted estimator
        For what `taken` returns.
    names : list of str
        All features; those of the same name are numbered.
    used : int ndarray
        Positions of the features that the selectors of the model kept, or of all without selector. Others do not
        change a prediction.
    """

    def __init__(self, fitted, rows, n_jobs=None, cache_dir=None):
        self.rows = rows
        self.tables = {}
        if rows.are_cases:
            cases = list(rows.data)
            self.model = _with_tables(best_of(fitted), lambda step: self._table_of(step, cases, n_jobs, cache_dir))
            names = [name for table in self.tables.values() for name in table.names]
        else:
            self.model = fitted
            names = rows.column_names() or [f"x{column}" for column in range(rows.data.shape[1])]
        if not names:
            raise StudyError(
                f"{type(fitted).__name__} has no features: it learns from the images themselves. For deep features see "
                "explain_deep_feature."
            )
        self.used = _used(self.model, names)
        self.names = _numbered(names)

    def taken(self, sources, rows):
        """Return X for the `model`: rows (n,) whose features are taken from the rows `sources`, (n, n_features)."""
        if not self.tables:
            return _taken(self.rows.data, sources, rows)
        ends = np.cumsum([len(table.names) for table in self.tables.values()])
        for table, part in zip(self.tables.values(), np.split(sources, ends[:-1], axis=1), strict=True):
            table.shown = table.values[part, np.arange(len(table.names))]
            table.shown_ids = None if table.ids is None else table.ids[rows]
        return np.arange(len(rows))

    def values(self):
        """Return all features (n_rows, n_features), text as NaN."""
        if self.tables:
            return np.hstack([table.values for table in self.tables.values()])
        frame = pd.DataFrame(self.rows.data)
        return frame.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)

    def _table_of(self, step, cases, n_jobs, cache_dir):
        """Return the table of a fitted first step, one for equal steps that learn nothing; an unfitted step itself."""
        try:
            check_is_fitted(step)
        except NotFittedError:
            return step
        learns = get_tags(step).requires_fit
        key = id(step) if learns else joblib.hash(step.get_params())
        if key not in self.tables:
            has_names = offers(step, "get_feature_names_out")  # a transformer of the user's own may have none
            names = [str(name) for name in step.get_feature_names_out()] if has_names else None
            if learns or names is None:
                values = step.transform(cases)
            else:
                options = {"n_jobs": n_jobs, "cache_dir": cache_dir, "n_features": [len(names)]}
                values = extract_rows({"": step}, cases, **options)[0][""]
            values = np.asarray(values, dtype=np.float64)
            names = names or [f"x{column}" for column in range(values.shape[1])]
            is_frame = _get_output_config("transform", step)["dense"] == "pandas"
            ids = np.array([case.id for case in cases], dtype=object) if is_frame else None
            self.tables[key] = FrozenTable(values, names, ids)
        return self.tables[key]


class FrozenTable(RowLookup):
    """Row numbers -> the rows `shown`, in place of a first step whose features were `values` (n_rows, n_features).

    They are a DataFrame if there are `ids` (n_rows,), of a step that is set to pandas.
    """

    def __init__(self, values, names, ids=None):
        self.values = self.shown = values
        self.names = names
        self.ids = self.shown_ids = ids

    def transform(self, rows):
        if self.ids is None:
            return self.shown[rows]
        return pd.DataFrame(self.shown[rows], pd.Index(self.shown_ids[rows], name="id"), self.names)

    def get_feature_names_out(self, input_features=None):
        return np.asarray(self.names, dtype=object)


def _with_tables(fitted, table_of):
    """Return a fitted model with tables in the places of the steps that are given its rows, at any depth."""
    kind = kind_of(fitted)
    if kind in ("chain", "union"):
        name = "steps" if kind == "chain" else "transformer_list"
        parts = list(getattr(fitted, name))
        for place, (title, part, *others) in enumerate(parts):
            if kind == "chain" and changes_cases(part):
                parts[place] = (title, "passthrough")
                table_of = partial(_table_of_changed, part, table_of)
            elif is_estimator(part) and not is_sampler(part):  # which predictions leave out
                parts[place] = (title, _with_tables(part, table_of), *others)
                if kind == "chain":
                    break
        copied = copy.copy(fitted)
        setattr(copied, name, parts)
        return copied
    is_of_labels = is_estimator(fitted) and get_tags(fitted).target_tags.one_d_labels  # inside a vote
    if offers(fitted, "transform") and kind != "ensemble" and not is_of_labels:
        return table_of(fitted)
    return rebuilt(fitted, lambda part: None if part is fitted else _with_tables(part, table_of))


def _table_of_changed(change, table_of, step):
    return table_of(Pipeline([("change", change), ("step", step)]))


def _used(model, names):
    """Return the positions of the names that a model selected; of all if it selects none or others."""
    selected = selected_features(model)
    kept = None if selected is None else {_short(name) for name in selected[0]}
    short = [_short(name) for name in names]
    if kept is None or not kept <= set(short):
        return np.arange(len(names))
    return np.flatnonzero([name in kept for name in short])


def _short(name):
    """Return a name without those of the parts of a union."""
    return str(name).rsplit("__", 1)[-1]


def _numbered(names):
    """Return names of which those that come again have a number."""
    seen, numbered = {}, []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        numbered.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return numbered


def _taken(table, sources, rows):
    """Return rows of a DataFrame or array whose columns are taken from the rows `sources`."""
    columns = np.arange(sources.shape[1])
    if not isinstance(table, pd.DataFrame):
        return np.asarray(table)[sources, columns]
    if len({*table.dtypes}) == 1 and table.dtypes.iloc[0].kind in "fiub":
        return pd.DataFrame(table.to_numpy()[sources, columns], table.index[rows], table.columns)
    taken = {name: table[name].array.take(sources[:, column]) for column, name in enumerate(table.columns)}
    return pd.DataFrame(taken, table.index[rows])
