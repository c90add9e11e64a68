"""Estimator, cases, labels in; what chance alone would give, and what new samples of patients would give, out."""

from dataclasses import dataclass, field, replace

import numpy as np
from joblib import Parallel, delayed

from radiodeep.exceptions import StudyError
from radiodeep.progress import with_progress
from radiodeep.study.evidence import auc_of_outcomes
from radiodeep.study.folds.fitting import fit_folds, out_of_fold
from radiodeep.study.folds.shared_extraction import over_positions
from radiodeep.study.folds.shared_selection import shared_scores
from radiodeep.study.folds.splits import check_folds, plan_of
from radiodeep.study.inputs import aligned, checked_groups, study_input
from radiodeep.study.statistics.auc import ConfidenceInterval, delong_covariance, positive_labels


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """Whether a study found more than chance; `print` gives the sentence for the paper.

    Attributes
    ----------
    auc : float
        With the labels as they are.
    p_value : float
        (1 + permutations with an AUC at least as large) / (1 + permutations).
    null_aucs : ndarray of shape (n_permutations,)
        With labels shuffled; under leave-one-out they lie below 0.5, as chance does there.
    """

    auc: float
    p_value: float
    null_aucs: np.ndarray = field(repr=False)

    def __str__(self):
        return (
            f"AUC {self.auc:.2f}, by chance {self.null_aucs.mean():.2f} (largest {self.null_aucs.max():.2f}), "
            f"p = {self.p_value:.3g} ({len(self.null_aucs)} permutations)"
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
):
    """Test whether an estimator predicts better than it would with labels dealt out at random.

    The whole study is done anew for each permutation, selection included. (scikit-learn's
    `permutation_test_score` returns NaN and the smallest p there is for an AUC under leave-one-out.)

    Parameters
    ----------
    estimator, X, y, cv, groups, n_jobs, n_repeats
        As in `cross_validated_auc`. With groups, or several cases of one patient, whole groups change labels.
    n_permutations : int, default=200
    random_state : int, default=0

    Returns
    -------
    PermutationTest

    Raises
    ------
    StudyError
        A group or patient has cases of both labels: shuffling would take them apart.

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
    study = study_input(X, y, groups)
    if not isinstance(n_permutations, int | np.integer) or n_permutations < 1:
        raise StudyError(f"The 'n_permutations' parameter must be an int >= 1. Got {n_permutations!r}.")

    def check(labels):
        plan = plan_of(cv, labels, study.groups, 1, random_state)
        check_folds(plan, labels, study.ids, study.groups, study.patients)

    check(study.y)
    shared = over_positions({"model": estimator}, study.X, n_jobs)
    shuffled = _permuted(study.y, study.groups, n_permutations, random_state, check)
    studies = [replace(study, X=None, y=labels) for labels in [study.y, *shuffled]]
    settings = (cv, n_repeats, random_state)
    tasks = (delayed(_auc_of_study)(shared.models["model"], shared.rows, one, *settings) for one in studies)
    finished = Parallel(n_jobs=n_jobs, return_as="generator")(tasks)
    auc, *null = with_progress(finished, "Permutations", n_permutations + 1)
    null = np.array(null)
    return PermutationTest(auc, float((1 + (null >= auc - 1e-12).sum()) / (1 + len(null))), null)


@dataclass(frozen=True, eq=False)
class BootstrapEstimate:
    """The .632+ estimate of an AUC; `print` gives the sentence for the paper.

    Attributes
    ----------
    auc : float
        .632+: between the next two, the nearer to the second the more the model overfits.
    resubstitution_auc : float
        Of the cases that the model was trained on.
    out_of_bag_auc : float
        Mean over the resamples of the AUC of the patients that were not drawn.
    confidence_interval : ConfidenceInterval
        Percentiles over the resamples.
    out_of_bag_aucs : ndarray of shape (n_used,)
        Of the resamples that left out cases of both classes.
    n_resamples : int
        Resamples drawn.
    """

    auc: float
    resubstitution_auc: float
    out_of_bag_auc: float
    confidence_interval: ConfidenceInterval
    out_of_bag_aucs: np.ndarray = field(repr=False)
    n_resamples: int

    def __str__(self):
        interval, n_used = self.confidence_interval, len(self.out_of_bag_aucs)
        unused = f"; {self.n_resamples - n_used} others left out one class only" if n_used < self.n_resamples else ""
        return (
            f"AUC {self.auc:.2f} ({interval.level:.0%} CI {interval.low:.2f}-{interval.high:.2f}; .632+ bootstrap, "
            f"{n_used} resamples{unused})"
        )


def bootstrap_auc(estimator, X, y, groups=None, n_jobs=None, *, n_resamples=200, random_state=0, confidence_level=0.95):
    """Estimate the AUC from models trained on resamples of the patients (.632+ bootstrap).

    Parameters
    ----------
    estimator, X, y, groups, n_jobs
        As in `cross_validated_auc`. Groups (by default the patients of a cohort) are drawn, with
        replacement, from each class with their cases of it.
    n_resamples : int, default=200
    random_state : int, default=0
    confidence_level : float, default=0.95

    Returns
    -------
    BootstrapEstimate

    Notes
    -----
    The floor of 0.5 is in the weight alone, so that a model below chance is shown as that. The interval
    are percentiles of AUCs of the third of the patients that a resample leaves out, and so wide.

    A patient drawn twice is his own nearest neighbour, which selectors by distance take for a hit:
    with `ReliefF` repeated folds are the better choice.

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
    study = study_input(X, y, getattr(X, "patients", None) if groups is None else groups)
    shared = over_positions({"model": estimator}, study.X, n_jobs)
    model, rows, y, people = shared.models["model"], shared.rows, study.y, study.groups
    people = np.arange(len(y)) if people is None else np.unique(people, return_inverse=True)[1]
    study = replace(study, X=None, groups=people)  # copies of a drawn case stay in one inner fold
    rng = np.random.default_rng(random_state)
    draws = [_drawn(people, y, rng) for _ in range(n_resamples)]
    finished = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_auc_out_of_bag)(model, rows, study, people, draw) for draw in draws
    )
    found = np.array([auc for auc in with_progress(finished, "Bootstrap", n_resamples) if auc is not None])
    if len(found) < max(2, n_resamples / 2):
        raise StudyError(
            f"Only {len(found)} of {n_resamples} resamples left patients of both classes out: there are too few."
        )
    everyone = np.arange(len(y))
    outcome = fit_folds(model, rows, study, [(everyone, everyone)], first=None)[0]
    resubstitution = _auc(y == study.classes[1], outcome.score)
    weighted = _weighted(resubstitution, found.mean(), found)
    tails = np.quantile(weighted, [(1 - confidence_level) / 2, (1 + confidence_level) / 2])
    interval = ConfidenceInterval(float(tails[0]), float(tails[1]), confidence_level)
    estimate = float(_weighted(resubstitution, found.mean(), found.mean()))
    return BootstrapEstimate(estimate, resubstitution, float(found.mean()), interval, found, n_resamples)


def bootstrap_interval(result, groups=None, *, n_resamples=2000, random_state=0, confidence_level=0.95):
    """Return the percentile interval of a result's AUC over resamples of the patients.

    Parameters
    ----------
    result : StudyResult
    groups : array-like of shape (n_cases,), optional
        Patients, in the order of ``result.predictions`` or as a Series by case id; DeLong's interval takes cases as
        independent.
    n_resamples : int, default=2000
    random_state : int, default=0
    confidence_level : float, default=0.95

    Returns
    -------
    ConfidenceInterval
        The model is taken as given, as by DeLong.
    """
    if result.scores is None:
        raise StudyError("Pairs of leave-pair-out cannot be drawn as patients. Take repeated folds, e.g. cv=10.")
    y, scores = result.predictions["label"].to_numpy(), result.scores.to_numpy(dtype=float).T
    positive = positive_labels(y, getattr(result, "positive", None))
    people = checked_groups(aligned(groups, result.predictions, "groups"), len(y))
    people = np.arange(len(y)) if people is None else np.unique(people, return_inverse=True)[1]
    rng = np.random.default_rng(random_state)
    draws = (_drawn(people, y, rng) for _ in range(n_resamples))
    aucs = [np.mean([_auc(positive[draw], score[draw]) for score in scores]) for draw in draws]
    low, high = np.quantile(aucs, [(1 - confidence_level) / 2, (1 + confidence_level) / 2])
    return ConfidenceInterval(float(low), float(high), confidence_level)


def _auc_of_study(model, rows, study, cv, n_repeats, random_state):
    plan = plan_of(cv, study.y, study.groups, n_repeats, random_state)
    scores = shared_scores(model, rows, study.y, None, {}) if plan.leaves_one_out else {}
    return auc_of_outcomes(out_of_fold(model, rows, study, plan, scores), plan, study)


def _permuted(y, groups, n_permutations, random_state, can_be_studied=lambda labels: None):
    """Return labels dealt out anew; draws whose folds would lack a class are drawn again."""
    rng = np.random.default_rng(random_state)
    member_of, of_group = np.arange(len(y)), y
    if groups is not None:
        _, first, member_of = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
        of_group = y[first]
        if (of_group[member_of] != y).any():
            raise StudyError(
                "A group or patient has cases of both labels, so groups cannot change labels as a whole. Leave those "
                "groups out."
            )
    drawn = []
    for _ in range(100 * n_permutations):
        labels = rng.permutation(of_group)[member_of]
        try:
            can_be_studied(labels)
        except StudyError:
            continue
        drawn.append(labels)
        if len(drawn) == n_permutations:
            return drawn
    raise StudyError("Hardly any way to deal out the labels leaves both classes in every fold. Use fewer folds.")


def _drawn(people, y, rng):
    """Return the rows of people drawn with replacement, from each class as many as it has."""
    rows = []
    for label in np.unique(y):
        members = np.unique(people[y == label])
        for person in rng.choice(members, len(members)):
            rows.append(np.flatnonzero((people == person) & (y == label)))
    return np.concatenate(rows)


def _auc_out_of_bag(model, rows, study, people, draw):
    y = study.y
    test = np.flatnonzero(~np.isin(people, people[draw]))
    if len(np.unique(y[test])) < 2:
        return None
    from_model = fit_folds(model, rows, study, [(draw, test)], first=None)[0]
    return _auc(y[test] == study.classes[1], from_model.score)


def _auc(positive, score):
    return float(delong_covariance(positive, np.asarray(score, dtype=float)[np.newaxis])[0][0])


def _weighted(resubstitution, mean_out_of_bag, out_of_bag):
    """Return the .632+ estimate, with the weight that belongs to the mean."""
    floored = max(mean_out_of_bag, 0.5)
    overfit = (resubstitution - floored) / (resubstitution - 0.5) if resubstitution > 0.5 else 0.0
    weight = 0.632 / (1 - 0.368 * min(max(overfit, 0.0), 1.0))
    return (1 - weight) * resubstitution + weight * out_of_bag
