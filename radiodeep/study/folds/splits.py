"""An endpoint and a scheme -> folds, checked so that no model is tested on cases that it was fitted to."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)

from radiodeep.checks import invalid, is_count, is_option, require
from radiodeep.exceptions import LeakageError, StudyError
from radiodeep.study.folds.estimator_tree import offers
from radiodeep.study.folds.origins import check_sources

_SCHEMES = "'leave-one-out', 'leave-pair-out', 'leave-one-centre-out', an int >= 2 or a splitter"
BY_CENTRE = "leave-one-centre-out"

HALVES_PER_REPEAT = 10  # 100 halves of 50 repeats by default, where other folds are repeated 5 times


@dataclass(frozen=True)
class Plan:
    """How the cases are split, and how their predictions are put together.

    Attributes
    ----------
    name : str
    kind : {"pooled", "repeated", "pairs", "centres", "holdout"}
        One measure of all predictions; the mean over the repeats, which may be one, of folds drawn at random; the
        fraction of pairs in the right order; the mean over the centres, each tested by one fold; or the measure of one
        model tested on another cohort.
    folds : list of (train, test), int ndarrays of positions
    repeats : list of int
        The repeat that each fold belongs to.
    centres : tuple of str
        The centre that each fold tests, if they are those of centres.
    """

    name: str
    kind: str
    folds: list
    repeats: list
    centres: tuple = ()

    @property
    def leaves_one_out(self):
        n_cases = len(self.folds[0][0]) + 1
        return all(len(test) == 1 and len(train) == n_cases - 1 for train, test in self.folds)


def plan_of(cv, endpoint, groups, n_repeats, random_state, centres=None):
    """Return the Plan of a scheme: "leave-one-out", "leave-pair-out", of centres, a number of folds or a splitter.

    Folds are stratified by the `strata` of the endpoint. `groups` and `centres` are (n_cases,) or None;
    `n_repeats` and `random_state` apply to a number of folds.

    Raises
    ------
    StudyError
        The scheme is unknown, or the cases cannot be split by it.
    """
    if is_option(cv, ("leave-one-out",)):
        return _leave_one_out(len(endpoint.y), groups)
    if is_option(cv, (BY_CENTRE,)):
        return _leave_centre_out(centres, groups)
    if centres is not None:
        raise StudyError(f"The 'centres' are those of cv='{BY_CENTRE}'. Got cv={cv!r:.80}.")
    if is_count(cv):
        return _repeated_folds(int(cv), endpoint, groups, n_repeats, random_state)
    if is_option(cv, ("leave-pair-out",)):
        return _leave_pair_out(endpoint, groups)
    if type(cv) is not str and offers(cv, "split"):
        return _of_splitter(cv, _strata(endpoint), groups)
    raise invalid("a study", "cv", _SCHEMES, cv, error=StudyError)


def companion_plan(endpoint, groups, n_repeats, random_state):
    """Return repeated halves, `HALVES_PER_REPEAT` times as often as other folds, as a companion of other splits.

    Their models are trained on half of the cases, and each case is tested so often that the variance over training sets
    can be told. With fewer than four cases or groups of a stratum, there are as many folds as the smallest stratum has,
    and None if these are fewer than two.
    """
    smallest = _smallest_stratum(endpoint)
    if groups is not None:
        strata = _strata(endpoint)
        smallest = min(smallest, *(len(set(groups[strata == stratum])) for stratum in np.unique(strata)))
    if smallest < 2:
        return None
    n_folds = 2 if smallest >= 4 else smallest
    return _repeated_folds(n_folds, endpoint, groups, HALVES_PER_REPEAT * n_repeats, random_state)


def check_folds(plan, endpoint, ids, groups, patients=None, sources=None):
    """Raise an error if a training part cannot be learned from, or a case, group or patient is on both sides.

    `sources` are those of `sources_of_rows`: a generated case must not be learned from patients of the other side.
    """
    for number, (train, test) in enumerate(plan.folds):
        in_both = np.intersect1d(train, test)
        if len(in_both):
            raise LeakageError(f"Case {ids[in_both[0]]!r} is on both sides of fold {number}. Correct the splitter.")
        tested = plan.centres[number] if plan.centres else ", ".join(str(ids[row]) for row in test[:3])
        endpoint.check_training(train, f"The training part of fold {number} (tested: {tested})")
        for members in (groups, patients):
            if members is None:
                continue
            shared = {members[row] for row in train} & {members[row] for row in test}
            if shared:
                raise LeakageError(
                    f"Patient {sorted(map(str, shared))[0]!r} has cases on both sides of fold {number}. Pass "
                    "groups=cohort.patients, and as 'cv' a splitter that keeps groups together, such as GroupKFold, or "
                    "a number of folds."
                )
        if sources is not None:
            check_sources([sources[row] for row in train], [sources[row] for row in test], f"fold {number}")


def _strata(endpoint):
    """Return the classes by which folds are stratified, one for all cases if the endpoint has none."""
    return np.zeros(len(endpoint.y), dtype=int) if endpoint.strata is None else endpoint.strata


def _smallest_stratum(endpoint):
    return int(np.unique(_strata(endpoint), return_counts=True)[1].min())


def _leave_one_out(n_cases, groups):
    if groups is not None and len(set(groups)) < 2:
        raise StudyError(f"All {n_cases} cases are of one patient or group, {str(groups[0])!r}: none can be left out.")
    splitter, name = (LeaveOneOut(), "leave-one-out") if groups is None else (LeaveOneGroupOut(), "leave-one-group-out")
    folds = list(splitter.split(np.zeros(n_cases), groups=groups))
    return Plan(name, "pooled", folds, [0] * len(folds))


def _leave_centre_out(centres, groups):
    """Test each centre once; the cases of a patient or group must be of one centre."""
    if centres is None:
        raise StudyError(
            f"cv='{BY_CENTRE}' needs 'centres': the name of a column of the cases, or the centre of each row."
        )
    names = np.unique(centres)
    if len(names) < 2:
        raise StudyError(
            f"Leave-one-centre-out needs two centres or more. Got {str(names[0])!r} for all {len(centres)} cases. Use "
            "repeated folds, e.g. cv=5."
        )
    centre_of = {}
    for group, centre in zip([] if groups is None else groups, centres, strict=False):
        if centre_of.setdefault(group, centre) != centre:
            raise LeakageError(
                f"Patient {str(group)!r} has cases in two centres, {str(centre_of[group])!r} and {str(centre)!r}, and "
                "would be on both sides of a fold. Give all cases of a patient one centre, or leave one of them out."
            )
    folds = [(np.flatnonzero(centres != name), np.flatnonzero(centres == name)) for name in names]
    return Plan(BY_CENTRE, "centres", folds, [0] * len(folds), tuple(names.tolist()))


def _leave_pair_out(endpoint, groups):
    """Leave out every pair of cases that the endpoint compares; with groups, all cases of both groups."""
    groups = np.arange(len(endpoint.y)) if groups is None else groups
    folds = []
    for lower, higher in endpoint.pairs():
        train = np.flatnonzero((groups != groups[lower]) & (groups != groups[higher]))
        folds.append((train, np.array([lower, higher])))
    return Plan("leave-pair-out", "pairs", folds, [0] * len(folds))


def _repeated_folds(n_folds, endpoint, groups, n_repeats, random_state):
    largest = _smallest_stratum(endpoint)
    if largest < 2:
        raise StudyError("There is only one case of the rarest outcome, so it cannot be in training and test folds.")
    if not 2 <= n_folds <= largest:
        size = "the number of cases" if endpoint.strata is None else "the number of cases of the rarest outcome"
        raise StudyError(f"The number of folds must be between 2 and {largest}, {size}. Got {n_folds}.")
    require(is_count(n_repeats, 1), "a study", "n_repeats", "an int >= 1", n_repeats, error=StudyError)
    allowed = "an int >= 0, so that folds can be repeated"
    require(is_count(random_state), "a study", "random_state", allowed, random_state, error=StudyError)
    if groups is not None and n_folds > len(set(groups)):
        raise StudyError(f"{n_folds} folds need as many patients. Got {len(set(groups))}.")
    if endpoint.strata is None:
        splitter = KFold if groups is None else GroupKFold
    else:
        splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds, repeats = [], []
    for repeat in range(n_repeats):
        shuffled = splitter(n_folds, shuffle=True, random_state=random_state + repeat)
        folds += shuffled.split(np.zeros(len(endpoint.y)), endpoint.strata, groups)
        repeats += [repeat] * (len(folds) - len(repeats))
    name = f"{n_folds}-fold" if n_repeats == 1 else f"{n_folds}-fold, {n_repeats} repeats"
    return Plan(name, "repeated", folds, repeats)


def _of_splitter(splitter, strata, groups):
    """Return the folds of a scikit-learn splitter, which may test all cases several times, one pass after the other."""
    rows = np.arange(len(strata))
    with warnings.catch_warnings():  # check_folds refuses a splitter that ignores groups and takes one apart
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        try:
            splits = list(splitter.split(np.zeros((len(rows), 1)), strata, groups))
        except ValueError as error:
            ungrouped = " Pass 'groups' if it needs them." if groups is None else ""
            raise StudyError(f"{splitter!r} cannot split these {len(rows)} cases: {error}{ungrouped}") from error
    folds = [(rows[train], rows[test]) for train, test in splits]
    repeats = []
    repeat = 0
    tested = np.zeros(len(rows), dtype=int)
    for _, test in folds:
        repeats.append(repeat)
        tested[test] += 1
        if tested.max() > repeat + 1:
            break
        if tested.min() == repeat + 1:
            repeat += 1
    if len(repeats) < len(folds) or not (tested == repeat).all() or repeat == 0:
        raise StudyError(
            f"{splitter!r} does not test every case equally often, one pass after the other, so its predictions "
            "cannot be pooled. Use 'leave-one-out', an int, or a splitter whose repeats are complete."
        )
    return Plan(repr(splitter), "pooled" if repeat == 1 else "repeated", folds, repeats)
