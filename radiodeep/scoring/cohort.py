"""Model and cohort -> a row per case, including the cases that failed."""

import warnings
from collections import Counter

import numpy as np
import pandas as pd

from radiodeep.cases.cohort import Cohort, as_cases, as_items
from radiodeep.cases.patient import Patient
from radiodeep.cases.training_range import noted_parts
from radiodeep.exceptions import InputError, ModelError, RadiodeepWarning
from radiodeep.features.patients import as_patients
from radiodeep.features.stateless import StatelessExtractor
from radiodeep.model_parts import parts_of
from radiodeep.rows import check_on_error, rows_by_case
from radiodeep.scoring.outputs import outputs_of, takes_patients
from radiodeep.scoring.scorer import Scorer


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
    check_model(model)
    _check_ids(cases)
    scorer = Scorer(model, outputs, cache_dir)
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


def _items_of(model, cohort):
    """Return cases, or the patients of a model of patients, whatever labels their lesions have."""
    items = as_items(cohort)
    if not takes_patients(model):
        return as_cases(cohort)
    if any(isinstance(item, Patient) for item in items):
        return as_patients(items)
    return list(Cohort([case.replace(label=None, time=None, event=None) for case in as_cases(cohort)]).by_patient())


def check_model(model):
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
