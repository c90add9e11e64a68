"""`StatelessExtractor`: what every extractor of cases that learns nothing has in common.

It notes which cases and features a model was trained on, and lets scoring see the features of new cases.
"""

import json
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from radiodeep.cases.acquisition import warn_of_mixed_acquisition
from radiodeep.cases.cohort import as_cases
from radiodeep.cases.training_range import CaseFacts, case_facts, training_range
from radiodeep.exceptions import FeatureSchemaError, InputError
from radiodeep.rows.cache import canonical

_FREE_TO_CHANGE = ("weights", "device", "n_threads", "batch_size", "precision", "backend", "engine")
_OBSERVER = ContextVar("_OBSERVER", default=None)


class StatelessExtractor(TransformerMixin, BaseEstimator):
    """A transformer of cases that scikit-learn and the studies know to learn nothing (`requires_fit` is False).

    Attributes
    ----------
    training_range_ : dict
        What `fit_transform` was given, as `training_range` returns it. scikit-learn's pipelines and unions
        call that when they are fitted; `fit` and `transform` by themselves note nothing.
    training_settings_ : str
        The parameters then, as JSON; those of where and how fast it runs aside.
    """

    def __init_subclass__(cls, **kwargs):
        if "transform" in cls.__dict__:
            cls.transform = _observable(cls.transform)
        super().__init_subclass__(**kwargs)
        if "transform" in cls.__dict__:
            cls.transform = _with_ids(cls.transform)

    def fit_transform(self, X, y=None, **fit_params):
        """Fit, compute the features of the training cases, and note their range.

        Parameters
        ----------
        X : Cohort or sequence of Case
        y : sequence of class labels, optional

        Returns
        -------
        float64 ndarray of shape (n_cases, n_features)
        """
        rows = super().fit_transform(X, y, **fit_params)
        if len(rows):
            cases = as_cases(X)
            facts = self.facts_of_cases(cases)
            self.warn_of_mixed_acquisition({case.id: one for case, one in zip(cases, facts, strict=True)})
            self.note_training_range(facts, rows)
        return rows

    def acquisition_needs(self):
        """Return what of the acquisition features depend on, in the words of `mixtures`.

        "spacing" or "spacing_z" (or y, x): the size of voxels as stored, along all axes or one. "pixels": that of the
        pixels of slices. "plane": the plane of slices. "orientation": the order in which a file stores its axes.
        "field": what the image shows beyond the region. "intensity": the unit of the image. A cohort that mixes them
        is warned of.
        """
        return set()

    def warn_of_mixed_acquisition(self, facts):
        """Warn of what differs within a cohort, of what the features depend on.

        Parameters
        ----------
        facts : dict from case id to Acquisition or CaseFacts
        """
        warn_of_mixed_acquisition(facts, self.acquisition_needs(), type(self).__name__)

    def note_training_range(self, cases, rows):
        """Note which cases a model is trained on, for those who compute their features elsewhere.

        Parameters
        ----------
        cases : sequence of Case
            Or what `facts_of_cases` returned for them, perhaps in other processes.
        rows : array of shape (n_cases, n_features)
            Their features.

        Returns
        -------
        self
        """
        facts = cases if isinstance(cases[0], CaseFacts) else self.facts_of_cases(cases)
        self.training_range_ = training_range(facts, rows)
        self.training_settings_ = json.dumps(self._compared_settings(), sort_keys=True)
        return self

    def check_training_settings(self):
        """Raise a FeatureSchemaError if parameters were changed after `note_training_range`."""
        trained = json.loads(getattr(self, "training_settings_", "null"))
        now = self._compared_settings()
        changed = [] if trained is None else [name for name in now if now[name] != trained.get(name)]
        if changed:
            listed = ", ".join(f"{name}={now[name]!r} (was {trained.get(name)!r})" for name in changed)
            raise FeatureSchemaError(
                f"{type(self).__name__} was changed after the model was trained: {listed}. Its features mean something "
                "else now; set the parameters back, or train the model again."
            )

    def _compared_settings(self):
        parameters = self.get_params(deep=False)
        return {name: canonical(value) for name, value in parameters.items() if name not in _FREE_TO_CHANGE}

    def facts_of_cases(self, cases):
        """Return what `note_training_range` has to know of each case, its `CaseFacts`."""
        label = getattr(self, "label", None)  # of masks whose case names none
        known = [label is None or case.mask_label is not None for case in cases]
        return [
            case_facts(case if is_known else case.replace(mask_label=label))
            for case, is_known in zip(cases, known, strict=True)
        ]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def __sklearn_is_fitted__(self):
        return True

    def _require(self, rules):
        """Raise an `InputError` for the first rule that is broken; rules: name -> (holds, what is allowed)."""
        for name, (holds, allowed) in rules.items():
            if not holds:
                raise InputError(
                    f"The '{name}' parameter of {type(self).__name__} must be {allowed}. "
                    f"Got {getattr(self, name)!r} instead."
                )


@contextmanager
def observed_rows(known=()):
    """Let every extractor that computes features in this block leave them here as well.

    Parameters
    ----------
    known : sequence of (extractor, dict from case id to row)
        Rows of these extractors are looked up instead of computed.

    Yields
    ------
    list of (extractor, rows)
    """
    observed = []
    token = _OBSERVER.set((observed, known))
    try:
        yield observed
    finally:
        _OBSERVER.reset(token)


def _observable(transform):
    """Return a `transform` that reports its rows while `observed_rows` is listening."""

    @wraps(transform)
    def observable(self, cases, *args, **kwargs):
        # Only a name of this module, so that an extractor defined in a script can be sent to other processes.
        return _observed(transform, self, cases, *args, **kwargs)

    return observable


def _observed(transform, extractor, cases, *args, **kwargs):
    if _OBSERVER.get() is None:
        return transform(extractor, cases, *args, **kwargs)
    observed, known = _OBSERVER.get()
    rows_by_id = next((rows for one, rows in known if one is extractor), None)
    if rows_by_id is None:
        rows = transform(extractor, cases, *args, **kwargs)
    else:
        rows = np.stack([rows_by_id[case.id] for case in as_cases(cases)])
    observed.append((extractor, rows))
    return rows


def _with_ids(transform):
    """Return a `transform` whose table, with ``set_output(transform="pandas")``, has the ids of the cases as index."""

    @wraps(transform)
    def indexed(self, cases, *args, **kwargs):
        rows = transform(self, cases, *args, **kwargs)
        if isinstance(rows, pd.DataFrame):
            rows.index = pd.Index([case.id for case in as_cases(cases)], name="id")
        return rows

    return indexed
