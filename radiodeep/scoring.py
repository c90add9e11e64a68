"""Model and cohort -> a row per case, including the cases that failed."""

import warnings
from collections import Counter
from dataclasses import dataclass
from os import PathLike

import numpy as np
import pandas as pd
from sklearn.base import is_regressor
from sklearn.utils import get_tags

from radiodeep.cases.cohort import Cohort, as_cases, as_items
from radiodeep.cases.patient import Patient
from radiodeep.cases.training_range import (
    acquisition_outside,
    facts_of_images,
    features_outside,
    merged_range,
    noted_parts,
)
from radiodeep.checks import is_positive, require
from radiodeep.exceptions import InputError, MissingImageError, ModelError, RadiodeepWarning
from radiodeep.features.clinical import ClinicalColumns, clinical_outside
from radiodeep.features.patients import as_patients
from radiodeep.features.stateless import StatelessExtractor, observed_rows, with_label
from radiodeep.model_parts import parts_of
from radiodeep.models.horizon import HorizonClassifier
from radiodeep.models.shared_outputs import outputs_computed_once
from radiodeep.rows import CHUNK, check_on_error, extract_rows, parameters_key, rows_by_case
from radiodeep.study.description import selected_features
from radiodeep.study.folds.estimator_tree import best_of, final_step, kind_of

_KINDS = {2: "2-D image", 3: "volume"}


def score_cohort(model, cohort, on_error="record", n_jobs=None, cache_dir=None, horizon=None):
    """Score new cases with a fitted model.

    Parameters
    ----------
    model : fitted estimator or pipeline over cases
        A classifier with `predict_proba`, a regressor, or a model of survival.
    cohort : Cohort or sequence of Case
        For a model of patients, which holds a `LesionAggregator`, their lesions, or a cohort by patient.
    on_error : {"record", "raise"}, default="record"
        "record" gives a case that cannot be read or measured a row with its error.
    n_jobs : int, optional
        Processes; -1 for as many as cores, where that pays (see `extract_table`).
    cache_dir : path-like, optional
        Features are kept here, as in `extract_table`, so that a run that was killed can continue. Predictions of
        networks (`CNNClassifier`) are not kept.
    horizon : float, optional
        The time until which a model of survival predicts the probability of no event. A `HorizonClassifier` has its
        own.

    Returns
    -------
    DataFrame
        In the order of the cohort, with a row per patient for a model of patients: `id`, one column
        `probability_<class>` per class, `prediction`, `outside_training_range` and `error` (empty if there is none).
        `prediction` is that of ``model.predict``; it need not be the most probable class, e.g. with the class weights
        of `CNNClassifier`. A regressor has only `prediction`; a model of survival has `risk`, higher for earlier
        events, and `survival_<horizon>`, NaN beyond the times of its training, in place of the probabilities and
        `prediction`. `outside_training_range` begins remarks on a lesion of a patient with the id of the lesion; it
        names the properties of a case that lie outside the range of the training cases: its spacing, the intensities
        of its region, more than 5 % of the features that reach the classifier, clinical values, and its field of view
        if features depend on it. For a network trained by an older version, which took images as stored, it also names
        files that store their axes in another order than LPS.

    Raises
    ------
    InputError
        The cases are not cases, an id is repeated, or the model has no use for the horizon.
    ModelError
        The model gives no probabilities, or takes a table of features instead of cases. A 2-D image for a model that
        was trained on volumes, or the reverse, is an error of that case.

    Warns
    -----
    RadiodeepWarning
        If the model, saved by an older version, has no record of its training cases.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(20, random_state=0)
    >>> model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB()).fit(cohort, cohort.labels)
    >>> coarse = cohort[1].replace(spacing_mm=(4.5, 3.0, 3.0), id="coarse")
    >>> scores = rd.score_cohort(model, [cohort[0], coarse])
    >>> scores.columns.tolist()
    ['id', 'probability_0', 'probability_1', 'prediction', 'outside_training_range', 'error']
    >>> scores["outside_training_range"].tolist()
    ['', 'spacing 4.5 mm (trained on 1.5); 10 of 14 features, e.g. original_shape_VoxelVolume']
    """
    check_on_error(on_error)
    outputs = outputs_of(model, horizon)
    cases = _items_of(model, cohort)
    _check_model(model)
    _check_ids(cases)
    scorer = _Scorer(model, outputs, cache_dir)
    scored, errors = rows_by_case(scorer, cases, n_jobs=n_jobs, on_error=on_error, description="Scoring")
    numbers = np.full((len(cases), len(outputs.names)), np.nan)
    labels = np.full(len(cases), None, dtype=object)
    outside = [""] * len(cases)
    for position, (row, label, remark) in scored.items():
        numbers[position] = row
        labels[position] = label
        outside[position] = remark
    columns = {"id": [case.id for case in cases], **dict(zip(outputs.names, numbers.T, strict=True))}
    columns |= {"prediction": labels} if outputs.has_labels else {}
    columns |= {"outside_training_range": outside}
    return pd.DataFrame(columns | {"error": [errors.get(position, "") for position in range(len(cases))]})


@dataclass
class _Outputs:
    """What a model predicts of cases: the names of the columns, and ``numbers(model, cases)``, (n_cases, n_names).

    Classifiers have labels as well, those of their `predict`.
    """

    names: list
    numbers: object
    has_labels: bool = False


def outputs_of(model, horizon):
    """Return the `_Outputs` of a model; raise ModelError if there are none, and InputError for an unusable horizon."""
    if isinstance(model, str | PathLike):
        raise ModelError(f"score_cohort takes a model. Got the path '{model}': load it with load_model first.")
    last = _last_step(model)
    if hasattr(last, "predict_survival_function"):
        require(horizon is None or is_positive(horizon), score_cohort, "horizon", "None or a number > 0", horizon)
        names = ["risk", *([] if horizon is None else [f"survival_{horizon:g}"])]
        return _Outputs(names, lambda model, cases: _survival(*final_step(model, cases), horizon))
    if horizon is not None:
        raise InputError(f"A horizon is for models of survival until any time. Got a {type(last).__name__}.")
    if isinstance(last, HorizonClassifier):
        names = ["risk", f"survival_{last.horizon:g}"]
        return _Outputs(names, lambda model, cases: model.predict_proba(cases)[:, ::-1])
    if hasattr(last, "_predict_risk_score"):  # models of scikit-survival that predict no survival
        return _Outputs(["risk"], lambda model, cases: _survival(*final_step(model, cases), None))
    if hasattr(model, "predict_proba"):
        names = [f"probability_{name}" for name in model.classes_]
        return _Outputs(names, lambda model, cases: model.predict_proba(cases), has_labels=True)
    if is_regressor(model):
        return _Outputs(["prediction"], lambda model, cases: np.reshape(model.predict(cases), (-1, 1)))
    raise ModelError(
        f"{type(model).__name__} gives no probabilities. Wrap its classifier in "
        "sklearn.calibration.CalibratedClassifierCV and fit it again."
    )


def _last_step(model):
    model = best_of(model)
    return _last_step(model[-1]) if kind_of(model) == "chain" else model


def _survival(model, rows, horizon):
    """Return the risk, and unless the horizon is None the survival until then, NaN beyond the times of the training."""
    risk = np.asarray(model.predict(rows), dtype=float)
    if not getattr(model, "_predict_risk_score", True):  # some of scikit-survival's predict times
        risk = -risk
    if horizon is None:
        return risk[:, np.newaxis]
    functions = model.predict_survival_function(rows)
    survival = [function(horizon) if horizon <= function.domain[1] else np.nan for function in functions]
    return np.column_stack([risk, np.array(survival, dtype=float)])


def takes_patients(model):
    """Return whether a model brings the lesions of patients to one row."""
    return any(hasattr(part, "lesion_extractors") for part in parts_of(model))


def _items_of(model, cohort):
    """Return cases, or the patients of a model of patients, whatever labels their lesions have."""
    items = as_items(cohort)
    if not takes_patients(model):
        return as_cases(cohort)
    if any(isinstance(item, Patient) for item in items):
        return as_patients(items)
    return list(Cohort([case.replace(label=None, time=None, event=None) for case in as_cases(cohort)]).by_patient())


def _check_model(model):
    """Raise a ModelError unless a model takes cases; warn if it has no record of its training."""
    over_cases = [
        part for part in parts_of(model) if isinstance(part, StatelessExtractor) or hasattr(part, "networks_")
    ]
    if not over_cases and hasattr(model, "n_features_in_"):
        raise ModelError(
            f"The model takes a table of {model.n_features_in_} features, not cases. Compute the table with "
            "extract_table(extractor, cohort) and the settings of its training, and call model.predict_proba(table)."
        )
    if over_cases and getattr(model, "learns_from_cases", True) and not noted_parts(model):
        warnings.warn(
            "The model has no record of its training cases, so the new cases cannot be compared with them: the column "
            "'outside_training_range' stays empty. Train it again with this version of radiodeep.",
            RadiodeepWarning,
            stacklevel=3,
        )


def _check_ids(cases):
    case_id, count = Counter(case.id for case in cases).most_common(1)[0] if cases else ("", 0)
    if count > 1:
        raise InputError(f"The ids of the cases must differ, or their scores could be confused. Repeated: '{case_id}'.")


@dataclass
class _ComparedFeatures:
    """Extractors of the same features, and the range of those features in training."""

    extractors: list
    names: np.ndarray
    columns: np.ndarray
    trained: dict


class _Scorer:
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
        self.cached = {} if cache_dir is None else _by_settings(noted or parts_of(model))

    def __call__(self, cases):
        if self.trained is None:
            numbers, labels, _ = self._predicted(cases)
            return list(zip(numbers, labels, map("; ".join, clinical_outside(self.clinical, cases)), strict=True))
        if self.in_memory:  # each case is read once for all extractors
            cases = [self._held(case) for case in cases]
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
