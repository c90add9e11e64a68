"""A model -> what it predicts of cases: names of columns, and numbers."""

from dataclasses import dataclass
from os import PathLike

import numpy as np
from sklearn.base import is_regressor

from radiodeep.checks import is_positive, require
from radiodeep.exceptions import InputError, ModelError
from radiodeep.model_parts import parts_of
from radiodeep.models.horizon import HorizonClassifier
from radiodeep.study.folds.estimator_tree import best_of, final_step, kind_of


@dataclass
class Outputs:
    """What a model predicts of cases: the names of the columns, and ``numbers(model, cases)``, (n_cases, n_names).

    Classifiers have labels as well, those of their `predict`.
    """

    names: list
    numbers: object
    has_labels: bool = False


def outputs_of(model, horizon):
    """Return the `Outputs` of a model; raise ModelError if there are none, and InputError for an unusable horizon."""
    if isinstance(model, str | PathLike):
        raise ModelError(f"score_cohort takes a model. Got the path '{model}': load it with load_model first.")
    last = _last_step(model)
    if hasattr(last, "predict_survival_function"):
        require(horizon is None or is_positive(horizon), "score_cohort", "horizon", "None or a number > 0", horizon)
        names = ["risk", *([] if horizon is None else [f"survival_{horizon:g}"])]
        return Outputs(names, lambda model, cases: _survival(*final_step(model, cases), horizon))
    if horizon is not None:
        raise InputError(f"A horizon is for models of survival until any time. Got a {type(last).__name__}.")
    if isinstance(last, HorizonClassifier):
        names = ["risk", f"survival_{last.horizon:g}"]
        return Outputs(names, lambda model, cases: model.predict_proba(cases)[:, ::-1])
    if hasattr(last, "_predict_risk_score"):  # models of scikit-survival that predict no survival
        return Outputs(["risk"], lambda model, cases: _survival(*final_step(model, cases), None))
    if hasattr(model, "predict_proba"):
        names = [f"probability_{name}" for name in model.classes_]
        return Outputs(names, lambda model, cases: model.predict_proba(cases), has_labels=True)
    if is_regressor(model):
        return Outputs(["prediction"], lambda model, cases: np.reshape(model.predict(cases), (-1, 1)))
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
