"""Predictions of centres by models of all others -> a row per centre, and their mean over a population of centres.

Scores of different folds are those of different models, so they are compared within a centre only. There, one model
was tested on other patients, as in a holdout: the value and its interval take it as fixed.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from radiodeep.checks import invalid
from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.meta_analysis import pool_bounded, pool_random_effects


def checked_centres(centres, rows):
    """Return the centre of each row as text (n_rows,), or None; StudyError if some are missing."""
    if centres is None:
        return None
    known = rows.facts(centres) if type(centres) is str else rows.aligned(centres, "centres")
    if np.ndim(known) != 1 or len(known) != len(rows):
        raise invalid("a study", "centres", f"the centre of each of the {len(rows)} rows", centres, error=StudyError)
    texts = ["" if pd.isna(centre) else str(centre).strip() for centre in known]
    missing = [name for name, text in zip(rows.names, texts, strict=True) if not text]
    if missing:
        several = ", or lesions of different ones" if rows.are_cases and hasattr(rows.data[0], "lesions") else ""
        raise StudyError(
            f"{len(missing)} of {len(rows)} cases have no centre{several}, e.g. {missing[0]!r}. Leave them out."
        )
    return np.array(texts)


def measured_by_centre(endpoint, out_of_fold, names, confidence_level):
    """Return the Measurement of a study that tests one centre per fold, its `centres` and their RandomEffects.

    `names` are those of the centres, in the order of the folds. The Measurement has no variance: that of the random
    effects is on another scale.
    """
    rows = [_of_centre(endpoint, out_of_fold, number, confidence_level) for number in range(len(names))]
    centres = pd.DataFrame(rows, index=pd.Index(names, name="centre"))
    pooled = centres[np.isfinite(centres[["value", "low", "high"]]).all(axis=1)]
    if pooled.empty:
        raise StudyError(
            f"The {endpoint.measure} can be measured in no centre: {endpoint.composition()} in {len(names)} centres. "
            "Join centres that hold one class only to others, or use repeated folds, e.g. cv=5."
        )
    effects = pool_bounded(*(pooled[name] for name in ("value", "low", "high")), endpoint.bounds, confidence_level)
    centres["weight"] = pd.Series(effects.weights, index=pooled.index).reindex(centres.index, fill_value=0.0)
    whole = endpoint.measured(replace(out_of_fold, kind="pooled"), confidence_level)
    measurement = replace(
        whole,
        value=effects.value,
        variance=float("nan"),
        confidence_interval=effects.confidence_interval,
        estimate="mean of the centres, random effects on the logit scale, REML",
        interval_method="Hartung-Knapp-Sidik-Jonkman",
        accuracy_interval=None,
    )
    return measurement, centres, effects


def _of_centre(endpoint, out_of_fold, number, confidence_level):
    """Return a row of the table of centres; value and interval are NaN if the endpoint cannot measure the centre."""
    chosen = out_of_fold.fold == number
    cases = out_of_fold.case[chosen]
    row = {"n": len(cases), **endpoint.counts(cases)}
    own = replace(
        out_of_fold,
        kind="holdout",
        n_cases=len(cases),
        case=np.arange(len(cases)),
        fold=np.zeros(len(cases), dtype=int),
        repeat=np.zeros(len(cases), dtype=int),
        score=out_of_fold.score[chosen],
        probability=out_of_fold.probability[chosen],
        prediction=out_of_fold.prediction[chosen],
        training=out_of_fold.training[number : number + 1],
        scales=out_of_fold.scales[:1],
    )
    try:
        measured = endpoint.take(cases).measured(own, confidence_level)
    except StudyError:  # e.g. one class only
        return {**row, "value": np.nan, "low": np.nan, "high": np.nan}
    interval = measured.confidence_interval
    return {**row, "value": measured.value, "low": interval.low, "high": interval.high}


def difference_by_centre(endpoint, scores, folds):
    """Return the RandomEffects of the difference of two models, on the scale of the measure.

    `scores` are (2, n_cases[, n_outputs]) and `folds` (n_cases,). None if no difference varies, as of equal
    models. A centre whose difference has no variance, as of two perfect models, counts as the one with the largest.
    """
    differences, variances = [], []
    for number in np.unique(folds):
        cases = np.flatnonzero(folds == number)
        try:
            values, covariance = endpoint.take(cases).covariance(scores[:, cases])
        except StudyError:
            continue
        differences.append(values[0] - values[1])
        variances.append(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    variances = np.array(variances)
    is_known = np.isfinite(differences) & np.isfinite(variances)
    variances = np.where(variances > 1e-15, variances, variances[is_known].max(initial=0.0))[is_known]
    if not variances.max(initial=0.0) > 0:
        return None
    return pool_random_effects(np.array(differences)[is_known], np.sqrt(variances))
