"""Labels and the name of a scheme in; folds out, checked so that nothing is tested by what has seen it."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut, StratifiedGroupKFold, StratifiedKFold

from radiodeep.exceptions import LeakageError, SingleClassError, StudyError

_SCHEMES = "'leave-one-out', 'leave-pair-out', an int >= 2 or a splitter"


@dataclass(frozen=True)
class Plan:
    """How the cases are split, and what becomes of the predictions.

    Attributes
    ----------
    name : str
    kind : {"pooled", "repeated", "pairs"}
        One AUC of all predictions; the mean AUC of the repeats; or the fraction of pairs in the right order.
    folds : list of (train, test), int ndarrays of positions
    repeats : list of int
        The repeat that each fold belongs to.
    """

    name: str
    kind: str
    folds: list
    repeats: list

    @property
    def leaves_one_out(self):
        n_cases = len(self.folds[0][0]) + 1
        return all(len(test) == 1 and len(train) == n_cases - 1 for train, test in self.folds)


def plan_of(cv, y, groups, n_repeats, random_state, classes=None):
    """Return the Plan of a scheme.

    Parameters
    ----------
    cv : "leave-one-out", "leave-pair-out", int or splitter
    y : ndarray of shape (n_cases,)
        Two classes.
    groups : array-like of shape (n_cases,) or None
    n_repeats : int
        Of folds by number.
    random_state : int
    classes : ndarray of shape (2,), optional
        The negative and the positive class, which pairs are left out in order of.
    """
    if isinstance(cv, str):
        if cv == "leave-one-out":
            return _leave_one_out(y, groups)
        if cv == "leave-pair-out":
            return _leave_pair_out(y, groups, np.unique(y) if classes is None else classes)
        raise StudyError(f"The 'cv' parameter must be {_SCHEMES}. Got {cv!r}.")
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        return _repeated_folds(int(cv), y, groups, n_repeats, random_state)
    if hasattr(cv, "split"):
        return _of_splitter(cv, y, groups)
    raise StudyError(f"The 'cv' parameter must be {_SCHEMES}. Got {cv!r}.")


def companion_plan(y, groups, n_repeats, random_state):
    """Return the repeated stratified folds beside leave-one-out: ten, or as many as the smaller class has cases."""
    n_folds = min(10, int(np.unique(y, return_counts=True)[1].min()))
    if groups is not None:
        n_folds = min(n_folds, *(len(set(np.asarray(groups)[y == label])) for label in np.unique(y)))
    return _repeated_folds(n_folds, y, groups, n_repeats, random_state) if n_folds >= 2 else None


def check_folds(plan, y, ids, groups, patients=None):
    """Raise an error if a training part has one class only, or a case, group or patient is on both sides."""
    for number, (train, test) in enumerate(plan.folds):
        same = np.intersect1d(train, test)
        if len(same):
            raise LeakageError(f"Case {ids[same[0]]!r} is on both sides of fold {number}. Correct the splitter.")
        if len(np.unique(y[train])) < 2:
            holds = f"holds the label {y[train][0]} only" if len(train) else "is empty"
            raise SingleClassError(
                f"The training part of fold {number} (tested: {', '.join(map(str, [ids[row] for row in test][:3]))}) "
                f"{holds}. Use fewer folds or more cases of the other class."
            )
        for members in (groups, patients):
            both = set() if members is None else {members[row] for row in train} & {members[row] for row in test}
            if both:
                raise LeakageError(
                    f"Patient {sorted(map(str, both))[0]!r} has cases on both sides of fold {number}. Pass "
                    "groups=cohort.patients, and as 'cv' a splitter that keeps groups together, such as GroupKFold, or "
                    "a number of folds."
                )


def _leave_one_out(y, groups):
    if groups is not None and len(set(groups)) < 2:
        raise StudyError(f"All {len(y)} cases are of one patient or group, {str(groups[0])!r}: none can be left out.")
    splitter, name = (LeaveOneOut(), "leave-one-out") if groups is None else (LeaveOneGroupOut(), "leave-one-group-out")
    folds = list(splitter.split(np.zeros(len(y)), y, groups))
    return Plan(name, "pooled", folds, [0] * len(folds))


def _leave_pair_out(y, groups, classes):
    """Leave out every pair of a negative and a positive case; with groups, all cases of both patients."""
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    folds = []
    for one in np.flatnonzero(y == classes[0]):
        for other in np.flatnonzero(y == classes[1]):
            train = np.flatnonzero((groups != groups[one]) & (groups != groups[other]))
            folds.append((train, np.array([one, other])))
    return Plan("leave-pair-out", "pairs", folds, [0] * len(folds))


def _repeated_folds(n_folds, y, groups, n_repeats, random_state):
    smallest = int(np.unique(y, return_counts=True)[1].min())
    if not 2 <= n_folds <= smallest:
        raise StudyError(
            f"The number of folds must be between 2 and {smallest}, the size of the smaller class. Got {n_folds}."
        )
    if not isinstance(n_repeats, int | np.integer) or n_repeats < 1:
        raise StudyError(f"The 'n_repeats' parameter must be an int >= 1. Got {n_repeats!r}.")
    if not isinstance(random_state, int | np.integer) or random_state < 0:
        raise StudyError(
            f"The 'random_state' parameter must be an int >= 0, so that folds can be repeated. Got {random_state!r}."
        )
    if groups is not None and n_folds > len(set(groups)):
        raise StudyError(f"{n_folds} folds need as many patients. Got {len(set(groups))}.")
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds, repeats = [], []
    for repeat in range(n_repeats):
        shuffled = splitter(n_folds, shuffle=True, random_state=random_state + repeat)
        folds += shuffled.split(np.zeros(len(y)), y, groups)
        repeats += [repeat] * (len(folds) - len(repeats))
    if n_repeats == 1:
        return Plan(f"{n_folds}-fold", "pooled", folds, repeats)
    return Plan(f"{n_folds}-fold, {n_repeats} repeats", "repeated", folds, repeats)


def _of_splitter(splitter, y, groups):
    """Return the folds of a splitter of scikit-learn, which may go over all cases several times."""
    rows = np.arange(len(y))
    with warnings.catch_warnings():  # a splitter that ignores groups is refused if it takes one apart
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        folds = [(rows[train], rows[test]) for train, test in splitter.split(np.zeros((len(y), 1)), y, groups)]
    repeats, repeat, tested = [], 0, np.zeros(len(y), dtype=int)
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
