"""A model and cases -> numbers, labels and remarks on the training range, for chunks of cases."""

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from sklearn.utils import get_tags

from radiodeep.cases.training_range import (
    acquisition_outside,
    facts_of_images,
    features_outside,
    merged_range,
    noted_parts,
)
from radiodeep.exceptions import MissingImageError, ModelError, RadiodeepWarning
from radiodeep.features.clinical import ClinicalColumns, clinical_outside
from radiodeep.features.stateless import StatelessExtractor, observed_rows, with_label
from radiodeep.model_parts import parts_of
from radiodeep.models.shared_outputs import outputs_computed_once
from radiodeep.rows import BATCH_BYTES, CHUNK, extract_rows, parameters_key
from radiodeep.scoring.outputs import takes_patients
from radiodeep.study.description import selected_features

_KINDS = {2: "2-D image", 3: "volume"}


@dataclass
class _ComparedFeatures:
    """Extractors of the same features, and the range of those features in training."""

    extractors: list
    names: np.ndarray
    columns: np.ndarray
    trained: dict


class Scorer:
    """A function of cases, for `rows_by_case`: (numbers, label, remark on the training range) of each.

    Every case is read once, and every extractor computes its rows once for all predictions and the remark.
    """

    def __init__(self, model, outputs, cache_dir):
        self.model = model
        self.outputs = outputs
        self.cache_dir = cache_dir
        noted = noted_parts(model)
        self.trained = merged_range([part.training_range_ for part in noted]) if noted else None
        self.extractors = [part for part in noted if isinstance(part, StatelessExtractor)]
        for extractor in self.extractors:
            extractor.check_training_settings()
        self.compared = _compared_features(model, self.extractors)
        fitted = [part for part in parts_of(model) if hasattr(part, "kinds_")]  # not those that an estimator clones
        self.clinical = [part for part in fitted if isinstance(part, ClinicalColumns)]
        self.needs = set().union(*(part.acquisition_needs() for part in noted if hasattr(part, "acquisition_needs")))
        self.is_of_stored_order = any(
            hasattr(part, "slice_axis") and not {"orientations", "by_image"} & set(part.training_range_)
            for part in noted
        )
        self.at_once = 1 if takes_patients(model) else CHUNK  # all lesions of a patient are in memory
        self.in_memory = all(getattr(part, "label", None) is None for part in self.extractors)
        # Rows of the cache are those of the cases as they are, not as a step before the extractor changes them.
        is_changed = any(getattr(part, "changes_cases", False) for part in parts_of(model))
        self.cached = {} if cache_dir is None or is_changed else _by_settings(noted or parts_of(model))

    def __call__(self, cases):
        if self.trained is None or not self.in_memory:
            return self._scored(cases)
        scored, held, n_bytes = [], [], 0
        for case in cases:  # each is read once for all extractors
            held.append(self._held(case))
            n_bytes += sum(part.voxels.nbytes for part in getattr(held[-1], "single_images", dict)().values())
            if n_bytes > BATCH_BYTES:
                scored += self._scored(held)
                held, n_bytes = [], 0
        return scored + (self._scored(held) if held else [])

    def _scored(self, cases):
        if self.trained is None:
            numbers, labels, _ = self._predicted(cases)
            return list(zip(numbers, labels, map("; ".join, clinical_outside(self.clinical, cases)), strict=True))
        facts = self._facts(cases)
        facts = [_by_lesion(case, known) for case, known in zip(cases, facts, strict=True)]
        for lesions in facts:
            for lesion, lesion_facts, _ in lesions:
                self._check_dimension(lesion, lesion_facts)
        try:
            numbers, labels, observed = self._predicted(cases)
        except ValueError as error:
            self._explain_missing_images(facts, cases, error)
            raise
        remarks = [
            [
                f"{prefix}{remark}"
                for _, lesion_facts, prefix in lesions
                for remark in acquisition_outside(lesion_facts, self.trained, self.needs)
                + self._reoriented(lesion_facts)
            ]
            for lesions in facts
        ]
        for features in self.compared:
            rows = next((rows for extractor, rows in observed if extractor in features.extractors), [])
            for remarks_of_case, row in zip(remarks, np.asarray(rows, dtype=np.float64), strict=False):
                remarks_of_case += features_outside(row[features.columns], features.names, features.trained)
        remarks = [[*known, *more] for known, more in zip(remarks, clinical_outside(self.clinical, cases), strict=True)]
        return list(zip(numbers, labels, map("; ".join, remarks), strict=True))

    def _held(self, case):
        """Return a case in memory; of several images those that the model was trained on."""
        names = self.trained.get("by_image")
        if hasattr(case, "lesions"):
            return case.in_memory(names)
        if names is None or not getattr(case, "image_names", ()):
            return case.in_memory()
        there = [name for name in names if case.image.get(name) is not None]
        return case.in_memory(there) if there else case.of_image(next(iter(names)))  # which raises

    def _explain_missing_images(self, facts, cases, error):
        """Raise a MissingImageError if a model that cannot use NaN was given a case that lacks an image."""
        for case, known in zip(cases, facts, strict=True):
            lacking = [name for name in self.trained.get("by_image", ()) for _, each, _ in known if name not in each]
            if lacking and "NaN" in str(error):
                raise MissingImageError(
                    f"{case.id}: there is no image {lacking[0]!r}, and the model has no step for it. Train it with "
                    "sklearn.impute.SimpleImputer after the extractor."
                ) from error

    def _facts(self, cases):
        extractor = self.extractors[0] if self.extractors else None
        names = self.trained.get("by_image")
        if extractor is not None and (names is None or takes_patients(self.model)):
            return extractor.facts_of_cases(cases)
        return [facts_of_images(with_label(case, getattr(extractor, "label", None)), names) for case in cases]

    def _predicted(self, cases):
        """Return numbers, labels (None if the model predicts none), and the rows that extractors computed for them."""
        known = []
        if self.cached:
            fitted = {key: equal[0] for key, equal in self.cached.items()}
            sizes = [len(extractor.get_feature_names_out()) for extractor in fitted.values()]
            values, _ = extract_rows(fitted, cases, cache_dir=self.cache_dir, compare=False, n_features=sizes)
            for key, equal in self.cached.items():
                rows = dict(zip([case.id for case in cases], values[key], strict=True))
                known += [(extractor, rows) for extractor in equal]
        with outputs_computed_once():
            with observed_rows(known) as observed:
                numbers = self.outputs.numbers(self.model, cases)
            if not self.outputs.has_labels:
                return numbers, [None] * len(cases), observed
            with observed_rows(_seen_once(observed, cases)), warnings.catch_warnings():
                warnings.simplefilter("ignore", RadiodeepWarning)  # given with the numbers
                return numbers, self.model.predict(cases), observed

    def _reoriented(self, facts):
        """Return a remark if a network of an older version sees a file in another order of axes than in training."""
        if not self.is_of_stored_order or facts.orientation in ("", "LPS"):
            return []
        return [f"axes stored as {facts.orientation} (this model was trained before images were reoriented)"]

    def _check_dimension(self, case, facts, trained=None):
        if isinstance(facts, dict):
            for name, of_image in facts.items():
                self._check_dimension(case, of_image, self.trained["by_image"].get(name))
            return
        if trained is None and "by_image" in self.trained:
            case.of_image(next(iter(self.trained["by_image"])))  # which raises
        trained = (trained or self.trained)["n_dimensions"]
        if facts.n_dimensions not in trained:
            raise ModelError(
                f"{case.id}: the model was trained on {_KINDS[trained[0]]}s, and this case is a "
                f"{_KINDS[facts.n_dimensions]}. Score it with a model that was trained on such cases."
            )


def _by_lesion(case, facts):
    """Return the case, its facts and "", or for each lesion of a patient these and what a remark on it begins with."""
    if not hasattr(case, "lesions"):
        return [(case, facts, "")]
    return [(lesion, known, f"{lesion.id}: ") for lesion, known in zip(case.lesions, facts, strict=True)]


def _seen_once(observed, cases):
    """Return the rows of extractors that measured each case once, as `observed_rows` takes them."""
    ids = [case.id for case in cases]
    times = Counter(id(extractor) for extractor, _ in observed)
    return [
        (extractor, dict(zip(ids, rows, strict=True)))
        for extractor, rows in observed
        if times[id(extractor)] == 1 and len(rows) == len(ids)
    ]


def _by_settings(parts):
    """Return lists of extractors with equal settings, of those that learn nothing, by a hash of the settings."""
    parts = list(parts)
    by_settings = {}
    for extractor in [part for part in parts if hasattr(part, "lesion_extractors")] or parts:
        if isinstance(extractor, StatelessExtractor) and not get_tags(extractor).requires_fit:
            for part in parts_of(extractor):
                if hasattr(part, "weights_sha256_"):
                    part.transform([])  # raises if its weights file has changed since it was fitted
            by_settings.setdefault(parameters_key(extractor, deep=False), []).append(extractor)
    return by_settings


def _compared_features(model, extractors):
    """Return a `_ComparedFeatures` for each set of features that reach the classifier, if they have names."""
    groups = {}
    for extractor in extractors:
        names = tuple(str(name) for name in extractor.get_feature_names_out())
        if np.shape(extractor.training_range_.get("features")) == (2, len(names)):
            groups.setdefault(names, []).append(extractor)
    selected = selected_features(model)
    kept = {name.rsplit("__", 1)[-1] for name in selected[0]} if selected else set()
    all_names = {name for names in groups for name in names}
    if not kept or not kept <= all_names:  # no selector, or features derived from others
        kept = all_names
    compared = []
    for names, equal in groups.items():
        columns = np.flatnonzero([name in kept for name in names])
        trained = merged_range([extractor.training_range_ for extractor in equal])
        trained["features"] = trained["features"][:, columns]
        compared.append(_ComparedFeatures(equal, np.array(names, dtype=object)[columns], columns, trained))
    return compared
