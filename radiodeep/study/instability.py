"""Estimator, cases and outcomes -> how much the prediction of each case depends on which patients were learned from."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from joblib import delayed

from radiodeep.checks import is_count, require, require_n_jobs, require_probability
from radiodeep.exceptions import StudyError
from radiodeep.processes import results_of
from radiodeep.progress import with_progress
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.execution import check_models
from radiodeep.study.folds.fitting import fit_folds
from radiodeep.study.folds.shared_extraction import as_row_indices
from radiodeep.study.inputs import study_input
from radiodeep.study.resampling import draw_patients, patients_by_stratum
from radiodeep.study.result import require_results

_QUANTITIES = {
    "two classes": "probability",
    "survival": "probability of the event by the horizon",
    "numbers": "prediction",
}


@dataclass(frozen=True, eq=False)
class Instability:
    """Predictions of the same cases by models of other samples; `print` gives the sentence for the paper.

    Attributes
    ----------
    cases : DataFrame
        By case id: the `prediction` of the model itself (the mean of all, for repeats of folds), `low` and `high`,
        between which 95 % of the other models' lie, `mape`, their mean absolute difference from it, and for
        probabilities `flipped`, the share of the models on the other side of the threshold.
    mape : float
        Mean over the cases: 0 for a model that does not depend on the sample.
    flipped : float or None
        Mean over the cases of the share of models that classify them differently; None for numbers.
    predictions : ndarray of shape (n_models, n_cases)
        Of the other models.
    quantity : str
        What is predicted.
    threshold : float or None
    source : str
        Which other models they are.
    """

    cases: pd.DataFrame
    mape: float
    flipped: float | None
    predictions: np.ndarray = field(repr=False)
    quantity: str
    threshold: float | None
    source: str

    def __str__(self):
        width = (self.cases["high"] - self.cases["low"]).median()
        sentence = (
            f"The {self.quantity} of a case differs between {self.source} by {self.mape:.2g} on average (mean absolute "
            f"prediction error); 95 % of them lie within a range of {width:.2g} for the median case"
        )
        if self.flipped is None:
            return f"{sentence}."
        n_doubtful = int((self.cases["flipped"] > 0.25).sum())
        return (
            f"{sentence}. At a threshold of {self.threshold:g}, {self.flipped:.0%} of the models classify a case "
            f"differently on average, more than a quarter of them for {n_doubtful} of {len(self.cases)} cases."
        )


def instability(
    estimator,
    X,
    y,
    groups=None,
    n_jobs=None,
    *,
    n_resamples=200,
    threshold=0.5,
    random_state=0,
    positive=None,
    outcome="auto",
    horizon=None,
    cache_dir=None,
):
    """Fit an estimator to bootstrap samples of the patients, and compare its predictions for the same cases.

    Parameters
    ----------
    estimator, X, y, groups, n_jobs, positive, outcome, horizon, cache_dir
        As in `bootstrap_auc`. Extractors that learn nothing run once for all samples; selection, scaling and
        the model are repeated in each.
    n_resamples : int, default=200
    threshold : float, default=0.5
        From which probability a case counts as positive.
    random_state : int, default=0

    Returns
    -------
    Instability

    Raises
    ------
    StudyError
        The model predicts no probabilities, or the outcome is of several classes.

    Notes
    -----
    The predictions are of cases that the models have partly seen: they tell how stable a model is, not how good.

    References
    ----------
    Riley, Collins, Stability of clinical prediction models developed using statistical or machine learning methods,
    Biometrical Journal 65 (2023) 2200302.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import instability
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(40) % 2
    >>> measured = instability(LogisticRegression(), rng.normal(size=(40, 10)) + 0.5 * y[:, None], y, n_resamples=50)
    >>> round(measured.mape, 2), measured.cases.columns.tolist()
    (0.12, ['prediction', 'low', 'high', 'mape', 'flipped'])
    """
    require(is_count(n_resamples, 2), instability, "n_resamples", "an int >= 2", n_resamples, error=StudyError)
    require(is_count(random_state), instability, "random_state", "an int >= 0", random_state, error=StudyError)
    require_probability(threshold, instability, "threshold", StudyError)
    require_n_jobs(n_jobs, instability, StudyError)
    check_models({"model": estimator})
    study = study_input(X, groups)
    settings = {"outcome": outcome, "patients": study.clusters, "horizon": horizon}
    endpoint = endpoint_for(study.aligned(y, "y"), len(study.ids), positive, **settings)
    _require_quantity(endpoint.kind)
    shared = as_row_indices({"model": endpoint.prepared(estimator)}, study.rows, n_jobs, cache_dir=cache_dir)
    all_rows = np.arange(len(study.ids))
    patients = all_rows if study.groups is None else np.unique(study.groups, return_inverse=True)[1]
    members = patients_by_stratum(patients, endpoint)
    rng = np.random.default_rng(random_state)
    samples = [all_rows, *(draw_patients(members, rng) for _ in range(n_resamples))]
    model, rows = shared.models["model"], shared.rows
    predicted = partial(_predicted, model, rows, endpoint, patients)
    tasks = (delayed(predicted)(drawn) for drawn in samples)
    finished = results_of(tasks, n_jobs, n_resamples + 1)
    original, *others = with_progress(finished, "Instability", n_resamples + 1)
    source = f"{n_resamples} models of bootstrap samples and the model of all patients"
    return _measured(endpoint.kind, study.ids, original, np.array(others), threshold, source)


def instability_of_repeats(result, threshold=0.5):
    """Compare the out-of-fold predictions of the same cases by the models of different repeats of the folds.

    No model is fitted: it is what a result holds already. The models learn from fewer patients than all, so they differ
    more than those of `instability`; all predictions are of cases that their model has not seen.

    Parameters
    ----------
    result : StudyResult
        Of several repeats; its companion is taken if it has none.
    threshold : float, default=0.5
        From which probability a case counts as positive.

    Returns
    -------
    Instability

    Raises
    ------
    StudyError
        There are fewer than two repeats, no probabilities, or the outcome is of several classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from radiodeep import cross_validated_auc, instability_of_repeats
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(40) % 2
    >>> result = cross_validated_auc(LogisticRegression(), rng.normal(size=(40, 5)) + y[:, None], y, cv=2, n_repeats=20)
    >>> print(instability_of_repeats(result))
    The probability ...
    """
    require_results(result)
    require_probability(threshold, instability_of_repeats, "threshold", StudyError)
    result = result.primary
    _require_quantity(result.outcome)
    if result.probabilities is None or len(result.probability_array) < 2:
        raise StudyError(f"Results of {result.cv} test each case by one model. Take repeated folds, e.g. cv=2.")
    predictions = _quantity(result.outcome, result.probability_array, result.score_array)
    source = f"models of {len(predictions)} repeats ({result.cv}), each trained without the case,"
    ids = result.predictions.index
    return _measured(result.outcome, ids, predictions.mean(axis=0), predictions, threshold, source)


def _require_quantity(kind):
    if kind not in _QUANTITIES:
        known = ", ".join(_QUANTITIES)
        raise StudyError(f"Instability is measured of {known}. Got {kind}: study one class against the others.")


def _predicted(model, rows, endpoint, patients, drawn):
    """Return the predictions for all rows of a model of the drawn rows.

    Patients are the groups of the inner folds as well, so that copies of a case stay together.
    """
    all_rows = np.arange(len(patients))
    predicted = fit_folds(model, rows, endpoint, [(drawn, all_rows)], groups=patients, first=None)[0].predicted
    return _quantity(endpoint.kind, predicted.probability, predicted.score)


def _quantity(kind, probability, score):
    """Return what is compared, of probabilities and scores (..., n_cases[, n_times])."""
    values = {"two classes": probability, "numbers": score}.get(kind)
    values = 1 - probability[..., -1] if values is None else values
    if np.isnan(values).any():
        raise StudyError(
            "The model gives no probabilities. Wrap its classifier in sklearn.calibration.CalibratedClassifierCV."
        )
    return values


def _measured(kind, ids, original, predictions, threshold, source):
    """Return the Instability of predictions (n_models, n_cases) about those of the original model (n_cases,)."""
    low, high = np.quantile(predictions, [0.025, 0.975], axis=0)
    columns = {"prediction": original, "low": low, "high": high, "mape": np.abs(predictions - original).mean(axis=0)}
    if kind != "numbers":
        columns["flipped"] = ((predictions >= threshold) != (original >= threshold)).mean(axis=0)
    cases = pd.DataFrame(columns, index=pd.Index(ids, name="id"))
    return Instability(
        cases=cases,
        mape=float(cases["mape"].mean()),
        flipped=float(cases["flipped"].mean()) if "flipped" in cases else None,
        predictions=predictions,
        quantity=_QUANTITIES[kind],
        threshold=None if kind == "numbers" else threshold,
        source=source,
    )
