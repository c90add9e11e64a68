"""Estimator, cases and labels -> the measure under shuffled labels and in resamples of the patients."""

from dataclasses import dataclass, field

import numpy as np
from joblib import delayed

from radiodeep.checks import is_count, require, require_probability
from radiodeep.exceptions import StudyError
from radiodeep.processes import results_of
from radiodeep.progress import with_progress
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.evidence import collect
from radiodeep.study.folds.fitting import fit_folds, out_of_fold
from radiodeep.study.folds.shared_extraction import as_row_indices
from radiodeep.study.folds.splits import check_folds, plan_of
from radiodeep.study.inputs import checked_groups, rows_of, study_input
from radiodeep.study.result import require_results
from radiodeep.study.statistics.auc import ConfidenceInterval


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """The AUC of a study compared with shuffled labels; `print` gives the sentence for the paper.

    Attributes
    ----------
    auc : float
        With the true labels; more generally the value of `measure`.
    p_value : float
        (1 + permutations with an AUC at least as large) / (1 + permutations).
    null_aucs : ndarray of shape (n_permutations,)
        With shuffled labels; under leave-one-out they lie below 0.5, where a model without information does.
    measure : str, default="AUC"
        Name of the measure, as the endpoint of the study has it.
    """

    auc: float
    p_value: float
    null_aucs: np.ndarray = field(repr=False)
    measure: str = field(default="AUC", repr=False)

    def __str__(self):
        return (
            f"{self.measure} {self.auc:.2f}, by chance {self.null_aucs.mean():.2f} (largest "
            f"{self.null_aucs.max():.2f}), p = {self.p_value:.3g} ({len(self.null_aucs)} permutations)"
        )


def permutation_test(
    estimator,
    X,
    y,
    cv="leave-one-out",
    groups=None,
    n_jobs=None,
    *,
    n_permutations=200,
    n_repeats=1,
    random_state=0,
    cache_dir=None,
    positive=None,
    outcome="auto",
    horizon=None,
):
    """Test whether an estimator predicts better than it does with shuffled labels.

    The whole study is repeated for each permutation, selection included. (Under leave-one-out,
    `permutation_test_score` of scikit-learn returns NaN for the AUC and the smallest possible p.)

    Parameters
    ----------
    estimator, X, y, cv, groups, n_jobs, n_repeats, cache_dir, positive, outcome, horizon
        As in `cross_validated_score`. With groups, or several cases of a patient, labels are shuffled between whole
        groups.
    n_permutations : int, default=200
    random_state : int, default=0

    Returns
    -------
    PermutationTest

    Raises
    ------
    StudyError
        A group or patient has cases of both labels, so labels cannot be shuffled between groups.

    References
    ----------
    Ojala, Garriga, Permutation Tests for Studying Classifier Performance, JMLR 11 (2010) 1833. Phipson,
    Smyth, Permutation P-values Should Never Be Zero, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from radiodeep import permutation_test
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 15)
    >>> X = rng.normal(size=(30, 3)) + 1.5 * y[:, None]
    >>> permutation_test(GaussianNB(), X, y, n_permutations=99).p_value
    0.01
    """
    require(
        is_count(n_permutations, 1), permutation_test, "n_permutations", "an int >= 1", n_permutations, error=StudyError
    )
    study = study_input(X, groups)
    settings = {"outcome": outcome, "patients": study.clusters, "horizon": horizon}
    endpoint = endpoint_for(study.aligned(y, "y"), len(study.ids), positive, **settings)

    def check(endpoint):
        plan = plan_of(cv, endpoint, study.groups, 1, random_state)
        check_folds(plan, endpoint, study.ids, study.groups, study.patients)

    check(endpoint)
    shared = as_row_indices({"model": estimator}, study.rows, n_jobs, cache_dir=cache_dir)
    shuffled = _shuffled(endpoint, study.groups, n_permutations, random_state, check)
    settings = (study.groups, study.ids, cv, n_repeats, random_state)
    tasks = (
        delayed(_value_of_study)(shared.models["model"], shared.rows, labels, *settings)
        for labels in [endpoint, *shuffled]
    )
    finished = results_of(tasks, n_jobs, n_permutations + 1)
    value, *null = with_progress(finished, "Permutations", n_permutations + 1)
    null = np.array(null)
    p_value = float((1 + (null >= value - 1e-12).sum()) / (1 + len(null)))
    return PermutationTest(value, p_value, null, endpoint.measure)


def _value_of_study(model, rows, endpoint, groups, ids, cv, n_repeats, random_state):
    """Return the measure of a model under cross-validation in this process."""
    plan = plan_of(cv, endpoint, groups, n_repeats, random_state)
    outcomes = out_of_fold(model, rows, endpoint, groups, plan)
    return endpoint.measured(collect("The model", outcomes, plan, ids, endpoint.y), 0.95).value


def _shuffled(endpoint, groups, n_permutations, random_state, check):
    """Return endpoints with shuffled outcomes; permutations that `check` refuses with a StudyError are drawn again."""
    rng = np.random.default_rng(random_state)
    group_of_case = np.arange(len(endpoint.y))
    outcomes = endpoint.y  # of the groups
    if groups is not None:
        _, first, group_of_case = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
        outcomes = endpoint.y[first]
        if (outcomes[group_of_case] != endpoint.y).any():
            raise StudyError(
                "A group or patient has cases of both labels, so labels cannot be shuffled between groups. Leave those "
                "groups out."
            )
    shuffled = []
    for _ in range(100 * n_permutations):
        candidate = endpoint.with_outcomes(rng.permutation(outcomes)[group_of_case])
        try:
            check(candidate)
        except StudyError:
            continue
        shuffled.append(candidate)
        if len(shuffled) == n_permutations:
            return shuffled
    raise StudyError("Hardly any permutation of the labels leaves both classes in every fold. Use fewer folds.")


@dataclass(frozen=True, eq=False)
class BootstrapEstimate:
    """The .632+ estimate of an AUC; `print` gives the sentence for the paper.

    Attributes
    ----------
    auc : float
        .632+ estimate of `measure`: between the following two, the nearer to the second the more the model overfits.
    resubstitution_auc : float
        Of the training cases.
    out_of_bag_auc : float
        Mean over the resamples of the AUC of the patients that were not drawn.
    confidence_interval : ConfidenceInterval
        Percentiles over the resamples.
    out_of_bag_aucs : ndarray of shape (n_used,)
        Of the resamples that left out cases of both classes.
    n_resamples : int
        Number of resamples drawn.
    measure : str, default="AUC"
        Name of the measure, as the endpoint of the study has it.
    """

    auc: float
    resubstitution_auc: float
    out_of_bag_auc: float
    confidence_interval: ConfidenceInterval
    out_of_bag_aucs: np.ndarray = field(repr=False)
    n_resamples: int
    measure: str = field(default="AUC", repr=False)

    def __str__(self):
        interval = self.confidence_interval
        n_used = len(self.out_of_bag_aucs)
        unused = f"; {self.n_resamples - n_used} others left out one class only" if n_used < self.n_resamples else ""
        return (
            f"{self.measure} {self.auc:.2f} ({interval.level:.0%} CI {interval.low:.2f}-{interval.high:.2f}; "
            f".632+ bootstrap, {n_used} resamples{unused})"
        )


def bootstrap_auc(
    estimator,
    X,
    y,
    groups=None,
    n_jobs=None,
    *,
    n_resamples=200,
    random_state=0,
    confidence_level=0.95,
    cache_dir=None,
    positive=None,
    outcome="auto",
    horizon=None,
):
    """Estimate the AUC from models trained on resamples of the patients (.632+ bootstrap).

    Parameters
    ----------
    estimator, X, y, groups, n_jobs, cache_dir, positive, outcome, horizon
        As in `cross_validated_score`. Groups (by default the patients of a cohort) are drawn with replacement
        from each class, with all their cases of it.
    n_resamples : int, default=200
    random_state : int, default=0
    confidence_level : float, default=0.95

    Returns
    -------
    BootstrapEstimate

    Notes
    -----
    The floor of 0.5 applies to the weight alone, so that a model below chance is shown as such. The interval is
    made of percentiles of the AUC of the third of the patients that a resample leaves out, and is therefore wide.

    A patient drawn twice is his own nearest neighbour, which misleads selectors by distance: with `ReliefF`
    repeated folds are the better choice.

    References
    ----------
    Efron, Tibshirani, Improvements on Cross-Validation: The .632+ Bootstrap Method, JASA 92 (1997) 548,
    with 0.5 as the AUC of no information.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from radiodeep import bootstrap_auc
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 20)
    >>> print(bootstrap_auc(GaussianNB(), rng.normal(size=(40, 3)) + y[:, None], y))
    AUC 0.90 (95% CI 0.79-0.97; .632+ bootstrap, 200 resamples)
    """
    _check_settings(bootstrap_auc, n_resamples, confidence_level)
    if groups is None and rows_of(X).are_cases:
        groups = getattr(X, "patients", None)  # of a cohort
    study = study_input(X, groups)
    settings = {"outcome": outcome, "patients": study.clusters, "horizon": horizon}
    endpoint = endpoint_for(study.aligned(y, "y"), len(study.ids), positive, **settings)
    shared = as_row_indices({"model": estimator}, study.rows, n_jobs, cache_dir=cache_dir)
    patients = _as_numbers(study.groups, len(study.ids))
    rng = np.random.default_rng(random_state)
    resamples = [_drawn(patients, endpoint.strata, rng) for _ in range(n_resamples)]
    model, rows = shared.models["model"], shared.rows
    tasks = (delayed(_value_out_of_bag)(model, rows, endpoint, patients, drawn) for drawn in resamples)
    finished = results_of(tasks, n_jobs, n_resamples)
    values = np.array([value for value in with_progress(finished, "Bootstrap", n_resamples) if value is not None])
    if len(values) < max(2, n_resamples / 2):
        raise StudyError(
            f"Only {len(values)} of {n_resamples} resamples left out patients of both classes: there are too few."
        )
    all_rows = np.arange(len(study.ids))
    outcome = fit_folds(model, rows, endpoint, [(all_rows, all_rows)], groups=patients, first=None)[0]
    resubstitution = endpoint.value(outcome.predicted.score)
    mean = values.mean()
    return BootstrapEstimate(
        auc=float(_weighted(resubstitution, mean, mean, endpoint.chance)),
        resubstitution_auc=resubstitution,
        out_of_bag_auc=float(mean),
        confidence_interval=_percentiles(_weighted(resubstitution, mean, values, endpoint.chance), confidence_level),
        out_of_bag_aucs=values,
        n_resamples=n_resamples,
        measure=endpoint.measure,
    )


def _value_out_of_bag(model, rows, endpoint, patients, drawn):
    """Return the measure of the patients that were not drawn, or None if they cannot be measured.

    Patients are the groups of the inner folds as well, so that copies of a case stay together.
    """
    test = np.flatnonzero(~np.isin(patients, patients[drawn]))
    try:
        tested = endpoint.take(test)
    except StudyError:  # one class only
        return None
    outcome = fit_folds(model, rows, endpoint, [(drawn, test)], groups=patients, first=None)[0]
    return tested.value(outcome.predicted.score)


def _weighted(resubstitution, mean_out_of_bag, out_of_bag, chance):
    """Return the .632+ estimate, (1 - w) * resubstitution + w * out_of_bag.

    The weight w = 0.632 / (1 - 0.368 R) increases with the relative overfitting R of the mean: 0 if the value out of
    bag is that of resubstitution, 1 if it is that of chance.
    """
    floored = max(mean_out_of_bag, chance)
    overfit = (resubstitution - floored) / (resubstitution - chance) if resubstitution > chance else 0.0
    weight = 0.632 / (1 - 0.368 * min(max(overfit, 0.0), 1.0))
    return (1 - weight) * resubstitution + weight * out_of_bag


def bootstrap_interval(result, groups=None, *, n_resamples=2000, random_state=0, confidence_level=0.95):
    """Return the percentile interval of a result's AUC over resamples of the patients.

    Parameters
    ----------
    result : StudyResult
    groups : array-like of shape (n_cases,), optional
        Patients, in the order of ``result.predictions`` or as a Series by case id. (DeLong's interval assumes
        independent cases.)
    n_resamples : int, default=2000
    random_state : int, default=0
    confidence_level : float, default=0.95

    Returns
    -------
    ConfidenceInterval
        The model is treated as fixed, as by DeLong's interval.
    """
    _check_settings(bootstrap_interval, n_resamples, confidence_level)
    require_results(result)
    if result.scores is None:
        raise StudyError("Pairs of leave-pair-out cannot be resampled by patient. Take repeated folds, e.g. cv=10.")
    endpoint = result.endpoint
    scores = result.scores.to_numpy(dtype=float).T
    aligned = rows_of(result.predictions).aligned(groups, "groups")
    patients = _as_numbers(checked_groups(aligned, len(endpoint.y)), len(endpoint.y))
    rng = np.random.default_rng(random_state)
    values = []
    for _ in range(n_resamples):
        drawn = _drawn(patients, endpoint.strata, rng)
        tested = endpoint.take(drawn)
        values.append(np.mean([tested.value(score[drawn]) for score in scores]))
    return _percentiles(values, confidence_level)


def _check_settings(function, n_resamples, confidence_level):
    require(is_count(n_resamples, 1), function, "n_resamples", "an int >= 1", n_resamples, error=StudyError)
    require_probability(confidence_level, function, "confidence_level", StudyError)


def _as_numbers(groups, n_cases):
    """Return the groups as numbers (n_cases,); each case is its own if there are none."""
    return np.arange(n_cases) if groups is None else np.unique(groups, return_inverse=True)[1]


def _drawn(patients, strata, rng):
    """Return the rows of patients drawn with replacement, from each stratum as many as it has."""
    strata = np.zeros(len(patients)) if strata is None else strata
    rows = []
    for stratum in np.unique(strata):
        members = np.unique(patients[strata == stratum])
        for patient in rng.choice(members, len(members)):
            rows.append(np.flatnonzero((patients == patient) & (strata == stratum)))
    return np.concatenate(rows)


def _percentiles(values, level):
    """Return the interval between the percentiles that leave (1 - level) / 2 on either side."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return ConfidenceInterval(float(low), float(high), level)
