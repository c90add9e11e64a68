"""A step that changes cases before the next one measures them -> steps over row numbers that share the measurement.

In ``make_pipeline(denoiser, extractor, model)`` the table that a study shares is that of denoiser and extractor
together. `SharedChange` takes the place of the first: it marks row numbers with the change, as its parameters are then,
and the extractor after it, an `ExtractorOfChanged`, measures the cases so changed. Both have the parameters of what
they stand for, so that a grid search reaches either.

Only the mark counts: row numbers without one are those of cases as they are, e.g. after a search that has put
"passthrough" in place of the step.

A step that changes cases by what it has learned from others is given the cases of each fold, and the extractor after it
measures them there. So are the steps of a search that tries one in place of another.
"""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from radiodeep.study.folds.estimator_tree import descendants, is_estimator, is_sampler, kind_of, offers


class RowLookup(TransformerMixin, BaseEstimator):
    """Base class of transformers of row numbers that learn nothing and never change."""

    def __sklearn_clone__(self):
        return self

    def fit(self, rows, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True


class ChangedRows(np.ndarray):
    """Row numbers of cases, and the step `change` that changes these cases; worker processes get both."""

    def __array_finalize__(self, origin):
        self.change = getattr(origin, "change", None)

    def __reduce__(self):
        return _marked, (np.array(self), self.change)


def _marked(rows, change):
    marked = np.array(rows).view(ChangedRows)
    marked.change = change
    return marked


class SharedChange(RowLookup):
    """A step that changes cases, over row numbers, which it marks."""

    def __init__(self, step):
        self.step = step

    def __sklearn_clone__(self):
        return SharedChange(clone(self.step))

    def get_params(self, deep=True):
        return self.step.get_params(deep=deep)

    def set_params(self, **params):
        self.step.set_params(**params)
        return self

    def transform(self, rows):
        return _marked(rows, in_turn(getattr(rows, "change", None), self.step))

    def get_feature_names_out(self, input_features=None):
        return np.array(["case"], dtype=object)


class ExtractorOfChanged(Pipeline):
    """An extractor of cases that are changed first, with the parameters of the extractor, and `change`.

    Without a change (None) it is the extractor alone.
    """

    _parameter_constraints = {}  # noqa: RUF012  scikit-learn would check the extractor's parameters as a Pipeline's

    def __init__(self, change, extractor):
        super().__init__([("changed_first", change or "passthrough"), ("measured_then", extractor)])

    def __sklearn_clone__(self):
        return ExtractorOfChanged(*(clone(step, safe=False) for _, step in self.steps))

    def __getitem__(self, position):
        return Pipeline(self.steps)[position]

    @property
    def of_changed(self):
        """The extractor by itself."""
        return self.steps[1][1]

    def get_params(self, deep=True):
        change = self.steps[0][1]
        inside = {} if change == "passthrough" else change.get_params()  # the steps of a change in several
        inside = {f"change__{name}": value for name, value in inside.items()}
        return self.of_changed.get_params(deep=deep) | {"change": change, "extractor": self.of_changed} | inside

    def set_params(self, **params):
        if "change" in params:
            self.steps[0] = ("changed_first", params.pop("change") or "passthrough")
        self.of_changed.set_params(**params)
        return self


def changed_cases(rows, cases):
    """Return cases as the step changes them that their row numbers are marked with, if any."""
    change = getattr(rows, "change", None)
    return cases if change is None else change.transform(cases)


def changes_cases(step):
    """Return whether a step returns cases for the next one to measure."""
    return getattr(step, "changes_cases", False)


def changes_alike(step):
    """Return whether a step returns cases that are the same in all folds, since it learns nothing."""
    return changes_cases(step) and not get_tags(step).requires_fit


def samples_first(estimator):
    """Return whether an estimator is a chain that samples cases, as they are or changed by steps before."""
    steps = estimator.steps if kind_of(estimator) == "chain" else []
    return is_sampler(next((step for _, step in steps if not changes_cases(step)), None))


def replaces_steps_that_change_cases(search):
    """Return whether a search tries steps that change cases as values of a parameter; they need the cases."""
    grids = getattr(search, "param_grid", getattr(search, "param_distributions", None))
    tried = [values for grid in ([grids] if isinstance(grids, dict) else grids or ()) for values in grid.values()]
    values = [value for listed in tried if isinstance(listed, list | tuple) for value in listed]
    return any(changes_cases(part) for value in values if is_estimator(value) for part in descendants(value))


def is_extractor(estimator):
    """Return whether a step measures cases and learns nothing; one that cannot name its features is given the cases."""
    measures = offers(estimator, "transform") and offers(estimator, "get_feature_names_out")
    return measures and not get_tags(estimator).requires_fit and not changes_cases(estimator)


def measured(extractor, change):
    """Return the extractor of cases that are changed first, unless the change is None."""
    return extractor if change is None else ExtractorOfChanged(clone(change), extractor)


def in_turn(first, then):
    """Return a step that changes cases by one after the other, of which the first may be None."""
    return then if first is None else Pipeline([("first", first), ("then", then)])


def with_shared_change(chain, before, over_row_numbers):
    """Return a chain whose first step changes cases over row numbers.

    ``over_row_numbers(others, change)`` is given the chain of the other steps, and all that changes their cases: the
    first step, after what `before` has changed (None for nothing).
    """
    (name, change), *others = clone(chain).steps
    after = over_row_numbers(clone(chain).set_params(steps=others), in_turn(before, change))
    return clone(chain).set_params(steps=[(name, SharedChange(change)), *after.steps])
