"""Estimator, cases and outcomes -> the measure by the number of training patients, and whether it still rises."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from joblib import delayed

from radiodeep.checks import is_count, is_finite, is_sequence, require, require_n_jobs
from radiodeep.exceptions import StudyError
from radiodeep.processes import results_of
from radiodeep.progress import with_progress
from radiodeep.study.description import describe
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.evidence import Evidence
from radiodeep.study.execution import check_models
from radiodeep.study.folds.fitting import fit_folds, warn_of_folds
from radiodeep.study.folds.origins import sources_of_rows
from radiodeep.study.folds.shared_extraction import as_row_indices
from radiodeep.study.folds.splits import Plan, check_folds, plan_of
from radiodeep.study.inputs import study_input
from radiodeep.study.statistics.pairing import folds_to_compare_within
from radiodeep.study.statistics.uncertainty import ConfidenceInterval, interval

_NEGLIGIBLE = 0.02  # gain of the measure


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """The measure of a model by the number of its training patients; `print` gives the sentence for the paper.

    Attributes
    ----------
    table : DataFrame
        By the mean number of training patients: `n_cases`, and `value`, `low` and `high` of the measure.
    gain : float
        By how much the measure of all training patients of the folds exceeds that of the fewer of `gain_from`.
    gain_interval : ConfidenceInterval
    gain_from : int
        The number of training patients next to half of all of them.
    verdict : {"rises", "flat", "unknown"}
        "rises" if the interval of the gain lies above 0, "flat" if it lies below 0.02, and "unknown" if this study
        cannot tell.
    results : dict from int to StudyResult
        By the number of training patients.
    measure, cv : str
    """

    table: pd.DataFrame
    gain: float
    gain_interval: ConfidenceInterval
    gain_from: int
    verdict: str
    results: dict = field(repr=False)
    measure: str
    cv: str

    def __str__(self):
        last, bounds = int(self.table.index[-1]), self.gain_interval
        values = ", ".join(f"{value:.2f} with {n}" for n, value in self.table["value"].items())
        gain = f"{self.gain:+.2f} ({bounds.level:.0%} CI {bounds.low:+.2f} to {bounds.high:+.2f})"
        words = {
            "rises": "it still rises, so more patients would help",
            "flat": "it is flat: more patients of this kind would hardly help",
            "unknown": "whether it still rises cannot be told from these patients",
        }
        return (
            f"{self.measure} by training patients: {values} ({self.cv}). From {self.gain_from} to {last} it changes by "
            f"{gain}: {words[self.verdict]}."
        )


def learning_curve(
    estimator,
    X,
    y,
    fractions=(0.25, 0.4, 0.6, 0.8, 1.0),
    groups=None,
    n_jobs=None,
    *,
    n_folds=5,
    n_repeats=5,
    random_state=0,
    confidence_level=0.95,
    positive=None,
    outcome="auto",
    horizon=None,
    cache_dir=None,
):
    """Measure how well an estimator predicts unseen cases when it learns from fewer patients.

    Parameters
    ----------
    estimator, X, y, groups, n_jobs, random_state, confidence_level, positive, outcome, horizon, cache_dir
        As in `cross_validated_score`. Extractors that learn nothing run once for all sizes.
    fractions : sequence of float, default=(0.25, 0.4, 0.6, 0.8, 1.0)
        Of the training patients of a fold, in ascending order. Smaller sets are part of larger ones, and stratified as
        the folds are. The last must be 1.
    n_folds, n_repeats : int, default=5
        All sizes are tested on the same folds.

    Returns
    -------
    LearningCurve

    Raises
    ------
    StudyError
        A fraction holds too few patients to learn from, or settings out of range.

    Notes
    -----
    The intervals are those of repeated folds (`radiodeep.study.statistics.uncertainty`). The variance of the gain is
    the mean of those within the repeats, which take the models as fixed. That is enough, since the models of two sizes
    share their patients: in 10 designs of simulated studies (40 to 200 patients, 2 to 1,000 features, with and without
    signal) it was 0.2 to 0.7 of that, and nominal 95 % intervals missed the expected gain in 0 to 1 %.

    References
    ----------
    Figueroa et al., Predicting sample size required for classification performance, BMC Medical Informatics and
    Decision Making 12 (2012) 8.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from radiodeep import learning_curve
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(120) % 2
    >>> curve = learning_curve(GaussianNB(), rng.normal(size=(120, 20)) + 0.5 * y[:, None], y, n_repeats=2)
    >>> curve.table.index.tolist(), curve.verdict
    ([24, 38, 58, 76, 96], 'rises')
    """
    _check(fractions, n_folds, n_repeats, n_jobs)
    check_models({"model": estimator})
    study = study_input(X, groups)
    settings = {"outcome": outcome, "patients": study.clusters, "horizon": horizon}
    endpoint = endpoint_for(study.aligned(y, "y"), len(study.ids), positive, **settings)
    full = plan_of(n_folds, endpoint, study.groups, n_repeats, random_state)
    plans = _plans(full, fractions, endpoint, study, random_state)
    shared = as_row_indices({"model": endpoint.prepared(estimator)}, study.rows, n_jobs, cache_dir=cache_dir)
    outcomes = _outcomes(shared.models["model"], shared.rows, endpoint, study.groups, plans, n_jobs)
    evidence = Evidence(study, endpoint, confidence_level)
    results = {}
    for (n_patients, plan), of_plan in zip(plans, outcomes, strict=True):
        name = f"{n_patients} training patients"
        results[n_patients] = evidence.result(name, of_plan, plan, describe(estimator))
    return _curve(results, full.name, endpoint.measure, confidence_level)


def _curve(results, cv, measure, confidence_level):
    """Return the LearningCurve of results by number of patients."""
    rows = {}
    for n_patients, result in results.items():
        interval = result.confidence_interval
        rows[n_patients] = [result.folds["n_train"].mean(), result.value, interval.low, interval.high]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["n_cases", "value", "low", "high"])
    *fewer, last = results
    gain_from = min(fewer, key=lambda n: abs(n - last / 2))
    gain, bounds = _gain(results[last], results[gain_from], confidence_level)
    verdict = "rises" if bounds.low > 0 else "flat" if bounds.high < _NEGLIGIBLE else "unknown"
    return LearningCurve(table.rename_axis("n_patients"), gain, bounds, gain_from, verdict, results, measure, cv)


def _gain(more, fewer, confidence_level):
    """Return the difference of two results of the same folds, and its ConfidenceInterval."""
    differences, within = [], []
    folds = folds_to_compare_within(more, fewer)
    for *scores, fold in zip(more.score_array, fewer.score_array, folds, strict=True):
        values, covariance = more.endpoint.covariance(np.stack(scores), fold)
        differences.append(values[0] - values[1])
        within.append(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    gain = float(np.mean(differences))
    return gain, interval(gain, float(np.mean(within)), confidence_level, (-np.inf, np.inf))


def _check(fractions, n_folds, n_repeats, n_jobs):
    """Raise StudyError for settings of `learning_curve` out of range."""
    are_several = is_sequence(fractions) and len(fractions) > 1 and all(map(is_finite, fractions))
    is_ascending = are_several and bool(np.all(np.diff(fractions) > 0))
    is_valid = is_ascending and fractions[0] > 0 and fractions[-1] == 1
    allowed = "two or more ascending fractions > 0, the last of which is 1"
    require(is_valid, learning_curve, "fractions", allowed, fractions, error=StudyError)
    for name, value, least in (("n_folds", n_folds, 2), ("n_repeats", n_repeats, 1)):
        require(is_count(value, least), learning_curve, name, f"an int >= {least}", value, error=StudyError)
    require_n_jobs(n_jobs, learning_curve, StudyError)


def _plans(full, fractions, endpoint, study, random_state):
    """Return for each fraction the mean number of training patients and the Plan; raise StudyError for too few."""
    rng = np.random.default_rng(random_state)
    patients = np.arange(len(study.ids)) if study.groups is None else np.unique(study.groups, return_inverse=True)[1]
    strata = np.zeros(len(patients), dtype=int) if endpoint.strata is None else endpoint.strata
    ranks = [_rank_in_stratum(patients[train], strata[train], rng) for train, _ in full.folds]
    plans = []
    for fraction in fractions:
        pairs = list(zip(full.folds, ranks, strict=True))
        folds = [(train[rank < fraction], test) for (train, test), rank in pairs]
        n_patients = round(np.mean([len(np.unique(patients[train])) for train, _ in folds]))
        plan = Plan(full.name, full.kind, folds, full.repeats)
        try:
            check_folds(plan, endpoint, study.ids, study.groups, study.patients, sources_of_rows(study))
        except StudyError as error:
            raise StudyError(f"{fraction:g} of the training patients are too few: {error}") from error
        plans.append((n_patients, plan))
    numbers = [n_patients for n_patients, _ in plans]
    require(len(set(numbers)) == len(numbers), learning_curve, "fractions", "of different numbers of patients", numbers)
    return plans


def _rank_in_stratum(patients, strata, rng):
    """Return for each case the rank of its patient among those of its stratum in random order, as a fraction < 1.

    The stratum of a patient is that of its first case.
    """
    _, first, codes = np.unique(patients, return_index=True, return_inverse=True)
    of_patient = strata[first]
    ranks = np.empty(len(first))
    for stratum in np.unique(of_patient):
        members = np.flatnonzero(of_patient == stratum)
        ranks[members] = (rng.permutation(len(members)) + 0.5) / len(members)
    return ranks[codes]


def _outcomes(model, rows, endpoint, groups, plans, n_jobs):
    """Return the outcomes of the folds of each plan."""
    fit = partial(fit_folds, model, rows, endpoint, groups=groups)
    tasks = (delayed(fit)([fold], first=number) for _, plan in plans for number, fold in enumerate(plan.folds))
    n_folds = len(plans[0][1].folds)
    finished = results_of(tasks, n_jobs, n_folds * len(plans))
    outcomes = [found for (found,) in with_progress(finished, "Learning curve", n_folds * len(plans))]
    warn_of_folds(outcomes)
    return [outcomes[start : start + n_folds] for start in range(0, len(outcomes), n_folds)]
