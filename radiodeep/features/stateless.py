"""`StatelessExtractor`, the base of all extractors that learn nothing from the cases they are fitted to.

It records the range of the training cases and features of a model, and lets scoring observe the rows of new cases.
"""

import json
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from radiodeep.cases.acquisition import warn_of_mixed_acquisition
from radiodeep.cases.cohort import as_items
from radiodeep.cases.training_range import CaseFacts, facts_of_images, training_range
from radiodeep.exceptions import FeatureSchemaError
from radiodeep.features.several_images import MeasuredImages
from radiodeep.rows import canonical

# Parameters of where and how fast an extractor runs, which may change after training.
_FREE_TO_CHANGE = ("weights", "device", "n_threads", "batch_size", "precision", "backend", "engine")
_OBSERVER = ContextVar("_OBSERVER", default=None)


class StatelessExtractor(TransformerMixin, BaseEstimator):
    """A transformer of cases that learns nothing: its scikit-learn tag `requires_fit` is False.

    Attributes
    ----------
    feature_version : int
        Part of the key of cached rows. A class raises it when its numbers change for equal settings.
    training_range_ : dict
        Range of the cases and features that `fit_transform` was given, from `training_range`. scikit-learn's
        pipelines and unions call `fit_transform` when they are fitted; `fit` and `transform` record nothing.
    training_settings_ : str
        The parameters at that time as JSON, without those of where and how fast the extractor runs.
    """

    feature_version = 1

    def __init_subclass__(cls, **kwargs):
        if "transform" in cls.__dict__:
            cls.transform = _observable(cls.transform)
        super().__init_subclass__(**kwargs)
        if "transform" in cls.__dict__:
            cls.transform = with_ids(cls.transform)

    def fit_transform(self, X, y=None, **fit_params):
        """Fit, compute the features of the training cases, and record their range.

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
            cases = as_items(X)
            facts = self.facts_of_cases(cases)
            ids = [case.id for case in cases]
            self.warn_of_mixed_acquisition(dict(zip(ids, facts, strict=True)))
            self.note_training_range(facts, rows)
        return rows

    def acquisition_needs(self):
        """Return the properties of the acquisition that the features depend on, in the terms of `mixtures`.

        "spacing" or "spacing_z" (or y, x): the size of stored voxels, along all axes or one. "pixels": the size of the
        pixels of slices. "plane": the plane of slices. "orientation": the order of the axes in the file. "field": what
        the image shows beyond the region. "intensity": the unit of the image. A cohort that mixes them causes a
        warning.
        """
        return set()

    def warn_of_mixed_acquisition(self, facts):
        """Warn if a cohort mixes acquisitions that the features depend on.

        Parameters
        ----------
        facts : dict from case id to Acquisition or CaseFacts
            Of cases with several images: to a dict of them by the name of the image.
        """
        by_image = {}
        for case_id, known in facts.items():
            for name, fact in known.items() if isinstance(known, dict) else [("", known)]:
                by_image.setdefault(name, {})[case_id] = fact
        for name in MeasuredImages.of(self).names:
            owner = f"{type(self).__name__}, {name}" if name else type(self).__name__
            warn_of_mixed_acquisition(by_image.get(name, {}), self.acquisition_needs(), owner)

    def missing_images(self, cases):
        """Return "MissingImageError: ..." of the cases that lack an image, by position; their columns are NaN."""
        images = MeasuredImages.of(self, cases)
        texts = {position: images.missing(case) for position, case in enumerate(cases)}
        return {position: text for position, text in texts.items() if text}

    def note_training_range(self, cases, rows):
        """Record the range of training cases whose features were computed elsewhere.

        Parameters
        ----------
        cases : sequence of Case
            Or the result of `facts_of_cases` for them, perhaps from another process.
        rows : array of shape (n_cases, n_features)
            Their features.

        Returns
        -------
        self
        """
        facts = cases if isinstance(cases[0], CaseFacts | dict) else self.facts_of_cases(cases)
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
                f"{type(self).__name__} was changed after the model was trained: {listed}. Its features have another "
                "meaning now; set the parameters back, or train the model again."
            )

    def _compared_settings(self):
        parameters = self.get_params(deep=False)
        return {name: canonical(value) for name, value in parameters.items() if name not in _FREE_TO_CHANGE}

    def facts_of_cases(self, cases):
        """Return the `CaseFacts` of each case, which `note_training_range` needs; of several images a dict by name."""
        names = MeasuredImages.of(self, cases).names
        return [facts_of_images(with_label(case, getattr(self, "label", None)), names) for case in cases]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def __sklearn_is_fitted__(self):
        return True


def with_label(case, label):
    """Return a case whose region has a label in its mask, unless the case names its own or the label is None."""
    names_own = case.mask_label is not None or case.roi_name is not None
    return case if label is None or names_own else case.replace(mask_label=label)


@contextmanager
def observed_rows(known=()):
    """Collect pairs (extractor, rows) of every extractor that computes features in this block, in the yielded list.

    `known` is a sequence of pairs (extractor, dict from case id to row): rows that are looked up instead of computed.
    """
    observed = []
    token = _OBSERVER.set((observed, known))
    try:
        yield observed
    finally:
        _OBSERVER.reset(token)


def _observable(transform):
    """Return a `transform` that reports its rows within a block of `observed_rows`."""

    @wraps(transform)
    def observable(self, cases, *args, **kwargs):
        # It refers to a module-level name only, so that an extractor of a script can be pickled for other processes.
        return _observed(transform, self, cases, *args, **kwargs)

    return observable


def _observed(transform, extractor, cases, *args, **kwargs):
    if _OBSERVER.get() is None:
        return transform(extractor, cases, *args, **kwargs)
    observed, known = _OBSERVER.get()
    rows_by_id = next((rows for known_extractor, rows in known if known_extractor is extractor), None)
    if rows_by_id is None:
        rows = transform(extractor, cases, *args, **kwargs)
    else:
        rows = np.stack([rows_by_id[case.id] for case in as_items(cases)])
    observed.append((extractor, rows))
    return rows


def with_ids(transform):
    """Return a `transform` that puts case ids in the index of its table under ``set_output(transform="pandas")``."""

    @wraps(transform)
    def indexed(self, cases, *args, **kwargs):
        rows = transform(self, cases, *args, **kwargs)
        if isinstance(rows, pd.DataFrame) and all(hasattr(item, "id") for item in as_items(cases)):
            rows.index = pd.Index([case.id for case in as_items(cases)], name="id")
        return rows

    return indexed
