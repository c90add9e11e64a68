"""Estimator, cases and outcomes -> the measure with the outcomes, and with shuffled ones."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from joblib import delayed

from radiodeep.checks import is_count, require
from radiodeep.exceptions import StudyError
from radiodeep.processes import results_of
from radiodeep.progress import with_progress
from radiodeep.study.centres import measured_by_centre
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.evidence import collect, selections_of, stability_of
from radiodeep.study.folds.fitting import out_of_fold
from radiodeep.study.folds.origins import sources_of_rows
from radiodeep.study.folds.shared_extraction import as_row_indices
from radiodeep.study.folds.splits import check_folds, plan_of
from radiodeep.study.inputs import study_input
from radiodeep.study.statistics.stability import SelectionStability


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """The AUC of a study compared with shuffled outcomes; `print` gives the sentence for the paper.

    Attributes
    ----------
    auc : float
        With the true outcomes; the value of `measure`, if these are not two classes.
    p_value : float
        (1 + permutations with a value at least as large) / (1 + permutations).
    null_aucs : ndarray of shape (n_permutations,)
        With shuffled outcomes; under leave-one-out AUCs lie below 0.5, where a model without information does.
    measure : str, default="AUC"
        Name of the measure, as the endpoint of the study has it.
    stability : SelectionStability or None
        Of the features that the folds selected; None for a model without selector.
    null_stabilities : ndarray of shape (n_permutations,)
        Kuncheva's index with shuffled outcomes: what folds that share their training cases agree on in noise.
    other_p_values : dict from str to float
        The same for other statistics of the outcomes, e.g. "log-rank" of the risk groups of survival.
    """

    auc: float
    p_value: float
    null_aucs: np.ndarray = field(repr=False)
    measure: str = field(default="AUC", repr=False)
    stability: SelectionStability | None = field(default=None, repr=False)
    null_stabilities: np.ndarray | None = field(default=None, repr=False)
    other_p_values: dict = field(default_factory=dict, repr=False)

    def __str__(self):
        sentence = (
            f"{self.measure} {self.auc:.2f}, by chance {self.null_aucs.mean():.2f} (largest "
            f"{self.null_aucs.max():.2f}), p = {self.p_value:.3g} ({len(self.null_aucs)} permutations)"
        )
        sentence += "".join(f"; {name} p = {p_value:.3g}" for name, p_value in self.other_p_values.items())
        if self.stability is None:
            return sentence
        return (
            f"{sentence}; Kuncheva's index of the selected features {self.stability.kuncheva:.2f}, by chance "
            f"{self.null_stabilities.mean():.2f} (largest {self.null_stabilities.max():.2f})"
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
    centres=None,
):
    """Test whether an estimator predicts better than it does with shuffled outcomes.

    The whole study is repeated for each permutation, selection included. (Under leave-one-out,
    `permutation_test_score` of scikit-learn returns NaN for the AUC and the smallest possible p.)

    Parameters
    ----------
    estimator, X, y, cv, groups, n_jobs, n_repeats, cache_dir, positive, outcome, horizon, centres
        As in `cross_validated_score`. With groups, or several cases of a patient, outcomes are shuffled between whole
        groups: between all, if the cases of each group have the same one, or else between groups of as many cases.
        With centres they are shuffled within each centre, so that what tells the centres apart predicts nothing.
    n_permutations : int, default=200
    random_state : int, default=0

    Returns
    -------
    PermutationTest

    Raises
    ------
    StudyError
        Cases of a group have different outcomes, and no two groups have as many cases.

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
    >>> permutation_test(GaussianNB(), X, y, cv=5, n_permutations=99).p_value
    0.01
    """
    require(
        is_count(n_permutations, 1), permutation_test, "n_permutations", "an int >= 1", n_permutations, error=StudyError
    )
    study = study_input(X, groups, centres=centres)
    settings = {"outcome": outcome, "patients": study.clusters, "horizon": horizon}
    endpoint = endpoint_for(study.aligned(y, "y"), len(study.ids), positive, **settings)

    def check(endpoint):
        plan = plan_of(cv, endpoint, study.groups, 1, random_state, study.centres)
        check_folds(plan, endpoint, study.ids, study.groups, study.patients, sources_of_rows(study))

    check(endpoint)
    _check_exchangeable(endpoint.y, study.groups)
    model = endpoint.prepared(estimator)
    shared = as_row_indices({"model": model}, study.rows, n_jobs, cache_dir=cache_dir)
    shuffled = _shuffled(endpoint, study.groups, n_permutations, random_state, check, study.centres)
    settings = (study.groups, study.ids, cv, n_repeats, random_state, study.centres)
    value_of = partial(_value_of_study, shared.models["model"], shared.rows)
    tasks = (delayed(value_of)(labels, *settings) for labels in [endpoint, *shuffled])
    finished = results_of(tasks, n_jobs, n_permutations + 1)
    values, stabilities, others = zip(*with_progress(finished, "Permutations", n_permutations + 1), strict=True)
    null = np.array(values[1:])
    null_stabilities = None
    if None not in stabilities:
        null_stabilities = np.array([stability.kuncheva for stability in stabilities[1:]])
    stability = None if null_stabilities is None else stabilities[0]
    other_p_values = {name: _p_value([other[name] for other in others]) for name in others[0]}
    return PermutationTest(
        values[0], _p_value(values), null, endpoint.measure, stability, null_stabilities, other_p_values
    )


def _p_value(values):
    """Return the p value of the first value among those with shuffled outcomes."""
    null = np.array(values[1:])
    return float((1 + (null >= values[0] - 1e-12).sum()) / (1 + len(null)))


def _value_of_study(model, rows, endpoint, groups, ids, cv, n_repeats, random_state, centres):
    """Return the measure of a model under cross-validation, the stability of its selection and other statistics."""
    plan = plan_of(cv, endpoint, groups, n_repeats, random_state, centres)
    outcomes = out_of_fold(model, rows, endpoint, groups, plan)
    collected = collect("The model", outcomes, plan, ids, endpoint.y)
    if plan.centres:
        value = measured_by_centre(endpoint, collected, plan.centres, 0.95)[0].value
    else:
        value = endpoint.measured(collected, 0.95).value
    return value, stability_of(selections_of(outcomes), plan.repeats), endpoint.other_statistics(collected)


def _shuffled(endpoint, groups, n_permutations, random_state, check, centres=None):
    """Return endpoints with shuffled outcomes; permutations that `check` refuses with a StudyError are drawn again."""
    rng = np.random.default_rng(random_state)
    shuffled = []
    for _ in range(100 * n_permutations):
        try:
            candidate = endpoint.with_outcomes(endpoint.y[_permuted_in_centres(endpoint.y, groups, centres, rng)])
            check(candidate)
        except StudyError as error:
            refusal = error
            continue
        shuffled.append(candidate)
        if len(shuffled) == n_permutations:
            return shuffled
    raise StudyError(f"Hardly any permutation of the outcomes can be studied. Use fewer folds. The last was: {refusal}")


def _check_exchangeable(y, groups):
    """Raise StudyError if outcomes differ within groups and no two groups have as many cases."""
    if groups is None:
        return
    _, first, group_of_case, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    if (y[first][group_of_case] != y).any() and len(np.unique(sizes)) == len(sizes):
        raise StudyError(
            "Cases of a group or patient have different outcomes, and no two groups have as many cases, so outcomes "
            "cannot be shuffled between groups. Leave those groups out."
        )


def _permuted_in_centres(y, groups, centres, rng):
    """Return the case that each case takes its outcome from, (n_cases,): one of its own centre if there are several."""
    centres = np.zeros(len(y)) if centres is None else centres
    sources = np.arange(len(y))
    for centre in np.unique(centres):
        cases = np.flatnonzero(centres == centre)
        sources[cases] = cases[_permuted_cases(y[cases], None if groups is None else groups[cases], rng)]
    return sources


def _permuted_cases(y, groups, rng):
    """Return the case that each case takes its outcome from, (n_cases,)."""
    if groups is None:
        return rng.permutation(len(y))
    _, first, group_of_case, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    if (y[first][group_of_case] == y).all():
        return rng.permutation(first)[group_of_case]
    order = np.argsort(group_of_case, kind="stable")
    sources = np.empty(len(y), dtype=int)
    for size in np.unique(sizes):  # exchange groups of as many cases
        cases = order[sizes[group_of_case[order]] == size].reshape(-1, size)
        sources[cases] = rng.permutation(cases)
    return sources
