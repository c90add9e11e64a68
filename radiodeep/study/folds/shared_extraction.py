"""Models over cases -> the same models over row numbers, so that each extraction that learns nothing runs once.

The first steps of a model that learn nothing (`requires_fit` is False in their scikit-learn tags) are replaced by
look-ups in a table that was computed once; first steps that learn are given the cases. What an estimator passes to the
estimators inside it is known from `estimator_tree`:

=================  ==================================================================================
single             ``extractor``  ->  ``SharedExtraction(extractor)``, over row numbers
chain, union,      the estimators that are given the rows are replaced, each by these same rules
ensemble
bag                the same, after row numbers were made a column: it accepts two dimensions only
columns            of a DataFrame with a column of cases: extractors of that column look cases up
wrapper            extractors inside look cases up, since the wrapper itself may need cases
samplers of cases  a chain that begins with one is given cases, of which the next step looks up those that are known
others             ``CaseLookup`` turns row numbers into cases, and the estimator follows unchanged
=================  ==================================================================================

Whatever takes the place of an estimator has the parameters of that estimator, so that the parameter paths of a grid
search stay valid.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing
from sklearn.utils._set_output import _get_output_config

from radiodeep.exceptions import RadiodeepWarning, StudyError
from radiodeep.rows import parameters_key
from radiodeep.study.folds.changed_cases import (
    RowLookup,
    changed_cases,
    changes_alike,
    is_extractor,
    measured,
    replaces_steps_that_change_cases,
    samples_first,
    with_shared_change,
)
from radiodeep.study.folds.estimator_tree import (
    children,
    descendants,
    is_sampler,
    kind_of,
    offers,
    with_input_children,
)
from radiodeep.study.folds.extracted_tables import ExtractedTables

_TAKE_ARRAYS = ("sklearn", "imblearn", "radiodeep")  # packages whose estimators need no names of columns


def as_row_indices(models, rows, n_jobs=None, *, on_error="raise", cache_dir=None):
    """Return `SharedRows`: models (by name) that are given row numbers in place of cases, and those numbers.

    `rows` are `CaseRows`, `FrameRows` or `ArrayRows`. With ``on_error="exclude"``, cases that cannot be read or
    measured are left out of the row numbers. `cache_dir` keeps the extracted rows.
    """
    if not rows.are_cases:
        return _over_table(models, rows, n_jobs, cache_dir)
    tables = ExtractedTables(rows.data, cache_dir, on_error)
    shared = {name: _over_row_numbers(model, tables) for name, model in models.items()}
    inside = [part for model in shared.values() for part in descendants(model)]
    tables.fill({part.key(): part.extractor for part in inside if type(part) is SharedExtraction}, n_jobs)
    readers = [part.estimator for part in inside if type(part) is OverRowNumbers and part.reads_cases]
    repeating = [part for part in (*inside, *readers) if getattr(part, "measures_repeats", False)]
    tables.fill(_looked_up([*repeating, *filter(samples_first, readers)]), n_jobs)
    tables.repeats().fill(_looked_up(repeating), n_jobs)
    failed = tables.repeats().errors
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(tables.repeats().cases)} repeated measurements failed and are left out; the first: "
            f"{next(iter(failed.values()))}",
            RadiodeepWarning,
            stacklevel=5,
        )
    if on_error == "exclude" and any(getattr(reader, "reads_images", True) for reader in readers):
        tables.read_all(n_jobs)
    tables.on_error = "raise"  # for settings that a search tries later: no case can be left out any more
    numbers = np.array([row for row in range(len(rows)) if row not in tables.errors], dtype=int)
    facts = [reader.table_of(rows.data) for reader in readers if offers(reader, "table_of")]
    return SharedRows(shared, numbers, tables.errors, tables.computed(), facts)


def over_shared_cases(model, cases, n_jobs=None, cache_dir=None):
    """Return a model over these very cases whose extractors, which learn nothing, look their rows up."""
    tables = ExtractedTables(cases, cache_dir)
    shared = _over_known_cases(model, tables)
    tables.fill(_looked_up([shared]), n_jobs)
    return shared


def _looked_up(estimators):
    """Return the extractors inside estimators that look cases up, by their keys."""
    parts = [part for whole in estimators for part in descendants(whole) if type(part) is SharedExtractionOfCases]
    return {part.key(): part.extractor for part in parts}


@dataclass(frozen=True, eq=False)
class SharedRows:
    """Models over row numbers.

    Attributes
    ----------
    models : dict from name to estimator
    rows : int ndarray of shape (n_rows,), or DataFrame or ndarray
        Row numbers of cases, and of a table of numbers that every model accepts as an array: validating and splitting
        a DataFrame of thousands of columns takes longer than fitting a model to it. Other tables are as they were.
    errors : dict from position to str
        Why cases are left out of `rows`.
    tables : list of (ndarray of shape (n_cases, n_features), names)
        The numbers that the models are given, of all cases.
    facts : list of (ndarray of shape (n_cases, n_columns), names)
        What steps that learn know of the cases besides their images, to be searched for copies of the outcome.
    """

    models: dict
    rows: object
    errors: dict
    tables: list
    facts: list = field(default_factory=list)

    def at(self, positions):
        """Return the rows at some positions of X."""
        are_numbers = np.ndim(self.rows) == 1
        return positions if are_numbers else _safe_indexing(self.rows, positions)


class SharedTable(RowLookup):
    """Row numbers -> rows of a table `values` (n_cases, n_features) whose columns have `names`."""

    def __init__(self, values, names):
        self.values = values
        self.names = names

    def transform(self, rows):
        return self.all_rows()[self.positions(rows)]

    def positions(self, rows):
        """Return row numbers as a vector, also if they are a column."""
        return np.ravel(rows)

    def all_rows(self):
        """Return the whole table."""
        return self.values

    def key(self):
        """Return a text that differs between tables."""
        return "the table itself"

    def get_feature_names_out(self, input_features=None):
        return np.asarray(self.names, dtype=object)


class SharedExtraction(SharedTable):
    """A stateless extractor of cases over row numbers, with the parameters of the extractor.

    Clones share the `ExtractedTables`, so that a grid search over the extractor's parameters computes each setting once
    per process.
    """

    def __init__(self, extractor, tables, key=None):
        self.extractor = extractor
        self.tables = tables
        self._key = key

    def __sklearn_clone__(self):
        return type(self)(clone(self.extractor), self.tables, self._key)

    def get_params(self, deep=True):
        return self.extractor.get_params(deep=deep)

    def set_params(self, **params):
        self.extractor.set_params(**params)
        self._key = None
        return self

    def fit(self, rows, y=None):
        if offers(self.extractor, "of_changed"):
            self.set_params(change=getattr(rows, "change", None))
        self.all_rows()
        return self

    def transform(self, rows):
        """Return a DataFrame with case ids as index if the extractor is set to pandas, as steps after it may need."""
        values = super().transform(rows)
        if _get_output_config("transform", self.extractor)["dense"] != "pandas":
            return values
        ids = [self.tables.cases[row].id for row in self.positions(rows)]
        return pd.DataFrame(values, index=pd.Index(ids, name="id"), columns=self.get_feature_names_out())

    def all_rows(self):
        """Return the table of all cases; compute it if it is missing."""
        return self.tables.of(self.key(), self.extractor)[0]

    def get_feature_names_out(self, input_features=None):
        return np.asarray(self.tables.of(self.key(), self.extractor)[1], dtype=object)

    def key(self):
        if self._key is None:
            self._key = parameters_key(clone(self.extractor))  # whatever the steps inside have learned
        return self._key

    def over_cases(self, rows):
        """Return the extractor, which remembers the ranges of the training cases that are in `rows`."""
        cases = [self.tables.cases[row] for row in rows]
        extractor = clone(getattr(self.extractor, "of_changed", self.extractor)).fit(cases)
        if offers(extractor, "note_training_range"):
            extractor.note_training_range(cases, self.all_rows()[rows])
        return extractor


class SharedExtractionOfCases(SharedExtraction):
    """A stateless extractor over the cases of a study or their repeats, which it looks up by their identity.

    Cases that a sampler made in a fold are measured there.

    The list of all cases and the cases that are looked up reach a worker process in one message, so they are the same
    objects there.
    """

    def positions(self, rows):
        return _positions(rows, self.tables.cases)

    def transform(self, rows):
        cases = list(rows.to_numpy().ravel() if offers(rows, "to_numpy") else rows)  # of a column, or a sequence
        repeats = self.tables.repeats()
        if cases and any(cases[0] is repeat for repeat in repeats.cases):
            return repeats.of(self.key(), self.extractor)[0][_positions(cases, repeats.cases)]
        known = {id(case) for case in self.tables.cases}
        own = [case for case in cases if id(case) not in known]
        if not own:
            return super().transform(cases)
        shared = [case for case in cases if id(case) in known]
        tables = [super().transform(shared), clone(self.extractor).fit(self.tables.cases).transform(own)]
        order = _positions(cases, [*shared, *own])
        return pd.concat(tables).iloc[order] if offers(tables[0], "iloc") else np.vstack(tables)[order]


class CaseLookup(RowLookup):
    """Row numbers -> the cases themselves, which a first step that learns needs."""

    def __init__(self, cases):
        self.cases = cases

    def transform(self, rows):
        return changed_cases(rows, [self.cases[row] for row in np.ravel(rows)])

    def get_feature_names_out(self, input_features=None):
        return np.array(["case"], dtype=object)


class OverRowNumbers(Pipeline):
    """An estimator over row numbers, which `head` turns into its input; with the parameters of the estimator."""

    _parameter_constraints = {}  # noqa: RUF012  scikit-learn would check the estimator's parameters as a Pipeline's

    def __init__(self, head, estimator):
        super().__init__([("head_over_row_numbers", head), ("estimator_over_row_numbers", estimator)])

    def __sklearn_clone__(self):
        return OverRowNumbers(clone(self.steps[0][1]), clone(self.estimator))

    def __getitem__(self, position):
        return Pipeline(self.steps)[position]  # a slice is no longer one estimator behind a head

    @property
    def estimator(self):
        """The estimator behind the head."""
        return self.steps[1][1]

    @property
    def reads_cases(self):
        """Whether the estimator is given cases; otherwise it is given row numbers as a column."""
        return type(self.steps[0][1]) is CaseLookup

    def get_params(self, deep=True):
        return self.estimator.get_params(deep=deep)

    def set_params(self, **params):
        self.estimator.set_params(**params)
        return self


def _over_row_numbers(estimator, tables, change=None):
    """Return an estimator over cases as one over row numbers, by the rules of the module's docstring.

    `change` is what steps before it do to the cases.
    """
    kind = kind_of(estimator)
    if samples_first(estimator):  # predictions leave the sampler out, so that the next step is given both
        return OverRowNumbers(CaseLookup(tables.cases), _over_known_cases(estimator, tables))
    if kind == "chain" and len(estimator.steps) > 1 and changes_alike(estimator.steps[0][1]):
        return with_shared_change(estimator, change, lambda others, changed: _over_row_numbers(others, tables, changed))
    if replaces_steps_that_change_cases(estimator):
        return OverRowNumbers(CaseLookup(tables.cases), estimator)
    if kind in ("chain", "union", "ensemble") and children(estimator):
        return with_input_children(estimator, lambda child: _over_row_numbers(child, tables, change))
    if kind == "bag" and children(estimator):
        if change is not None:
            name = type(estimator).__name__
            raise StudyError(f"A {name} accepts tables only. Put the step that changes cases inside the {name}.")
        bag = with_input_children(estimator, lambda child: _over_row_numbers(child, tables))
        return OverRowNumbers(FunctionTransformer(_as_column), bag)
    if is_extractor(estimator):
        return SharedExtraction(measured(clone(estimator), change), tables)
    if kind == "wrapper" and change is None:  # changed cases are not those that the tables know
        estimator = _over_known_cases(estimator, tables)
    return OverRowNumbers(CaseLookup(tables.cases), estimator)


def _over_known_cases(estimator, tables):
    """Return an estimator over cases whose extractors at the head look cases up in the tables."""
    if is_extractor(estimator):
        return SharedExtractionOfCases(clone(estimator), tables)
    if samples_first(estimator) and is_sampler(estimator.steps[0][1]):
        (name, sampler), *others = clone(estimator).steps
        after = _over_known_cases(clone(estimator).set_params(steps=others), tables).steps
        return clone(estimator).set_params(steps=[(name, sampler), *after])
    if kind_of(estimator) in ("chain", "union", "ensemble", "wrapper") and children(estimator):
        return with_input_children(estimator, lambda child: _over_known_cases(child, tables))
    return estimator


def _positions(cases, known):
    row_of_case = {id(case): row for row, case in enumerate(known)}
    return np.array([row_of_case[id(case)] for case in cases], dtype=int)


def _as_column(rows):
    return np.reshape(rows, (-1, 1))


def _over_table(models, rows, n_jobs, cache_dir):
    """Return `SharedRows` of a table: over row numbers if every model takes plain arrays, else over the table."""
    table = rows.numbers()
    if table is None:
        return SharedRows(models, rows.data, {}, [])
    columns = set(rows.column_names())
    if rows.is_numeric and all(_takes_arrays(model, columns) for model in models.values()):
        values, names = table
        shared = SharedTable(values, np.asarray(names, dtype=str))
        over_rows = {name: _after(shared, model) for name, model in models.items()}
        return SharedRows(over_rows, np.arange(len(rows)), {}, [table])
    extracted = {name: ExtractedTables(cases, cache_dir) for name, cases in rows.columns_of_cases().items()}
    if extracted:
        models = {name: _over_columns_of_cases(model, extracted, n_jobs) for name, model in models.items()}
    return SharedRows(models, rows.data, {}, [table])


def _after(table, model):
    """Return a pipeline that looks rows up in a table and goes on with a model."""
    if kind_of(model) == "chain":
        return type(model)([("shared_table", table), *model.steps])
    return Pipeline([("shared_table", table), ("model", model)])


def _over_columns_of_cases(estimator, tables, n_jobs):
    """Return a model over a DataFrame whose extractors look the cases of a column up in the tables of that column."""

    def shared(child, columns):
        names = [columns] if np.ndim(columns) == 0 else list(columns)
        if len(names) != 1 or names[0] not in tables:
            return child
        child = _over_known_cases(child, tables[names[0]])
        for part in descendants(child):
            if type(part) is SharedExtractionOfCases:
                tables[names[0]].fill({part.key(): part.extractor}, n_jobs)
        return child

    if kind_of(estimator) == "columns":
        return with_input_children(estimator, shared)
    if kind_of(estimator) in ("chain", "union", "ensemble") and children(estimator):
        return with_input_children(estimator, lambda child: _over_columns_of_cases(child, tables, n_jobs))
    return estimator


def _takes_arrays(model, columns):
    """Return whether a model needs nothing of a table but its numbers, and names none of its columns."""
    return all(_takes_array(estimator, columns) for estimator in descendants(model))


def _takes_array(estimator, columns):
    package, *modules = type(estimator).__module__.split(".")
    if package not in _TAKE_ARRAYS or modules[:1] == ["compose"] or type(estimator) is FunctionTransformer:
        return False
    if getattr(estimator, "needs_names", False):
        return False
    for value in estimator.get_params(deep=False).values():
        values = value if type(value) in (list, tuple, set, dict, np.ndarray) else [value]  # of a dict, its keys
        if any(type(item) in (str, np.str_) and item in columns for item in values):
            return False
    return True
