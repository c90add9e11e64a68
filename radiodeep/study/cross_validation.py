"""Estimator, cases or table, labels in; out-of-fold predictions with AUC and interval out.

Extractors that learn nothing run once for all folds; every step that learns is fitted in each fold
on that fold's training cases alone. Nothing that is known to mislead comes alone: repeated folds stand
beside leave-one-out, and the size of the region beside every model.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone

from radiodeep.exceptions import LeakageError, RadiodeepWarning, SingleClassError, StudyError
from radiodeep.progress import with_progress
from radiodeep.study.auc import auc_with_confidence
from radiodeep.study.comparison import compare_auc
from radiodeep.study.description import describe
from radiodeep.study.evidence import Evidence
from radiodeep.study.folds import Outcome, fit_folds, given_scores, outcome_of
from radiodeep.study.shared_extraction import over_positions
from radiodeep.study.shared_selection import shared_scores
from radiodeep.study.splits import Plan, check_folds, checked_groups, companion_plan, plan_of

SIZE_ALONE = "size alone"
_SIZE_COLUMNS = ("original_shape_VoxelVolume", "original_shape_MeshVolume", "original_shape2D_PixelSurface")
_MUCH_LIKE_SIZE = 0.9
_MOST_FITS_AT_ONCE = 16


def cross_validated_auc(
    estimator,
    X,
    y,
    cv="leave-one-out",
    groups=None,
    n_jobs=None,
    *,
    n_repeats=5,
    size="auto",
    random_state=0,
    confidence_level=0.95,
):
    """Say how well an estimator predicts cases that it has not seen.

    Parameters
    ----------
    estimator : classifier or pipeline of scikit-learn or imbalanced-learn
        Extractors at its head that learn nothing run once for all folds; selectors, scalers, samplers
        and classifiers are fitted in every fold.
    X : Cohort, sequence of Case, DataFrame or ndarray
    y : array-like of shape (n_cases,)
        Two classes; the one that sorts last is the positive one.
    cv : "leave-one-out", "leave-pair-out", int, or a splitter of scikit-learn, default="leave-one-out"
        An int means that many stratified, shuffled folds, repeated `n_repeats` times. Leave-pair-out
        fits once for every pair of cases of different classes. With `groups`, leave-one-out leaves out
        one group (patient) and folds keep groups together.
    groups : array-like of shape (n_cases,), optional
        Cases of one group are never on both sides, e.g. ``cohort.patients``.
    n_jobs : int, optional
        Processes; -1 for all cores.
    n_repeats : int, default=5
        Of folds by number, and of those that stand beside leave-one-out.
    size : "auto", None or array-like of shape (n_cases,), default="auto"
        Sizes of the regions, for the model of size alone: found in cases and in columns of volume or
        area by themselves.
    random_state : int, default=0
        Shuffles the folds.
    confidence_level : float, default=0.95

    Returns
    -------
    StudyResult
        With `beside`, the same model under repeated stratified folds, where `cv` leaves one out, and
        with `size_alone`, the size itself as a score.

    Raises
    ------
    SingleClassError
        `y`, or the training part of a fold, holds one class only.
    LeakageError
        A patient would be on both sides of a fold.
    StudyError
        More than two classes, sizes that differ, or a split that does not test all cases equally often.

    Warns
    -----
    RadiodeepWarning
        The features selected in most folds go up and down with the size of the region.

    Notes
    -----
    Under leave-one-out the scores of all folds are pooled before the AUC is computed, as the older
    studies did. That AUC is biased low (a model that has learned nothing scores below 0.5, since
    leaving a case out tilts the training set towards the other class); repeated folds are not. Their AUC
    is the mean over the repeats, with the interval of `radiodeep.study.auc.auc_of_repeats`. Cases are
    ranked by decision values or log-odds where a model has them: probabilities of 1.0 are ties.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(12, random_state=1)
    >>> texture = rd.RadiomicsExtractor(families=["glcm"])
    >>> model = make_pipeline(texture, rd.ReliefF(n_features_to_select=2), GaussianNB())
    >>> result = rd.cross_validated_auc(model, cohort, cohort.labels)
    >>> len(result.predictions), len(result.folds), result.beside.cv
    (12, 12, '6-fold, 5 repeats')
    >>> rd.cross_validated_auc(model, cohort, [1] * 12)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.SingleClassError: All 12 cases have the label 1. ...
    """
    name = type(estimator).__name__
    results = cross_validate_models(
        {name: estimator},
        X,
        y,
        cv,
        groups,
        n_jobs,
        n_repeats=n_repeats,
        size=size,
        random_state=random_state,
        confidence_level=confidence_level,
    )
    return results[name]


def cross_validate_models(
    models,
    X,
    y,
    cv="leave-one-out",
    groups=None,
    n_jobs=None,
    *,
    n_repeats=5,
    size="auto",
    random_state=0,
    confidence_level=0.95,
):
    """Study several models on the same cases and folds, each extraction run once for all of them.

    Parameters
    ----------
    models : dict from name to estimator
    X, y, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level
        As in `cross_validated_auc`.

    Returns
    -------
    dict from name to StudyResult
        Results are paired case by case, as `compare_auc` and `compare_all` need.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(12, random_state=1)
    >>> shape = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())
    >>> texture = make_pipeline(rd.RadiomicsExtractor(families=["glcm"]), GaussianNB())
    >>> list(rd.cross_validate_models({"shape": shape, "texture": texture}, cohort, cohort.labels, cv=3))
    ['shape', 'texture']
    """
    if not isinstance(models, dict) or not models:
        raise StudyError(f"The 'models' parameter must be a dict from names to estimators. Got {models!r:.80}.")
    settings = (cv, groups, n_jobs, n_repeats, size, random_state, confidence_level)
    return cross_validate_tables([(models, X)], y, *settings)


def cross_validate_tables(parts, y, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level):
    """Study models over several tables of the same cases in one go, as `cross_validate_models` does over one.

    Parameters
    ----------
    parts : list of (models, X)
    y, cv, groups, n_jobs, n_repeats, size, random_state, confidence_level
        As in `cross_validated_auc`.
    """
    first = parts[0][1]
    y, classes = checked_labels(first, y)
    ids, groups = _ids(first), checked_groups(groups, len(y))
    plan = plan_of(cv, y, groups, n_repeats, random_state)
    plans = [plan]
    if plan.leaves_one_out or plan.name == "leave-one-group-out":
        plans += [beside for beside in [companion_plan(y, groups, n_repeats, random_state)] if beside is not None]
    for one in plans:
        check_folds(one, y, ids, groups if groups is not None else getattr(first, "patients", None))

    sizes = next((found for found in (_sizes(size, X) for _, X in parts) if found is not None), None)
    subjects = {}
    for models, X in parts:
        shared, rows = over_positions(models, X, n_jobs)
        known = {}
        for name, model in models.items():
            scores = shared_scores(shared[name], rows, y, n_jobs, known) if plan.leaves_one_out else {}
            subjects[name] = _Subject(shared[name], rows, describe(model), scores)
    outcomes = _run(subjects, plans, y, sizes, n_jobs)

    settle = Evidence(y, ids, classes, confidence_level)
    alone = None if sizes is None else [_size_alone(sizes, one, settle) for one in plans]
    if alone and len(alone) > 1:
        alone[0] = replace(alone[0], beside=alone[1])
    results = {}
    for name, subject in subjects.items():
        found = [settle.result(name, outcomes[name, which], one, subject.settings) for which, one in enumerate(plans)]
        if alone is not None:
            found = [_against(one, size_alone) for one, size_alone in zip(found, alone, strict=True)]
        results[name] = replace(found[0], beside=found[1] if len(found) > 1 else None)
        _warn_of_size(results[name])
    return results


def holdout_auc(estimator, X_train, y_train, X_test, y_test, *, confidence_level=0.95):
    """Train on one cohort, test on another; a patient in both is refused.

    Parameters
    ----------
    estimator : classifier or pipeline of scikit-learn
    X_train, X_test : Cohort, sequence of Case, DataFrame or ndarray
    y_train, y_test : array-like
        Two classes.
    confidence_level : float, default=0.95

    Returns
    -------
    StudyResult
        Its predictions are those of the test cases, in one fold. DeLong's interval holds here, since the
        model is one and the test cases are others.

    Raises
    ------
    LeakageError
        A patient (or, for tables, a row name) is in both cohorts.
    SingleClassError
        Either side holds one class only.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(16, random_state=1)
    >>> model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())
    >>> len(rd.holdout_auc(model, cohort[:8], cohort.labels[:8], cohort[8:], cohort.labels[8:]).predictions)
    8
    >>> rd.holdout_auc(model, cohort[:8], cohort.labels[:8], cohort[7:], cohort.labels[7:])
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.LeakageError: 1 patient is in both cohorts: 'phantom-007'. ...
    """
    y_train, classes = checked_labels(X_train, y_train)
    y_test, test_classes = checked_labels(X_test, y_test)
    if list(classes) != list(test_classes):
        raise StudyError(f"The training labels are {list(classes)}, the test labels {list(test_classes)}.")
    both = sorted(_people(X_train) & _people(X_test))
    if both:
        raise LeakageError(
            f"{len(both)} patient{'s are' if len(both) > 1 else ' is'} in both cohorts: "
            f"{', '.join(repr(one) for one in both[:5])}. Take them out of one side."
        )
    outcome = outcome_of(clone(estimator).fit(X_train, y_train), X_test, None, None)
    plan = Plan("holdout", "pooled", [(np.arange(len(y_train)), np.arange(len(y_test)))], [0])
    settle = Evidence(y_test, _ids(X_test), classes, confidence_level)
    return settle.result(type(estimator).__name__, [outcome], plan, describe(estimator))


@dataclass
class _Subject:
    """A model over rows, and its selectors' scores without each row where they were computed together."""

    model: object
    rows: object
    settings: dict
    scores: dict


def _run(subjects, plans, y, sizes, n_jobs):
    """Return the outcomes of all folds by (subject, number of the plan), computed in one go."""
    n_fits = sum(len(plan.folds) for plan in plans) * len(subjects)
    at_once = max(1, min(_MOST_FITS_AT_ONCE, n_fits // (8 * effective_n_jobs(n_jobs))))
    tasks = [
        (name, which, first)
        for name in subjects
        for which, plan in enumerate(plans)
        for first in range(0, len(plan.folds), at_once)
    ]

    def task(name, which, first):
        subject, folds = subjects[name], plans[which].folds[first : first + at_once]
        given = given_scores(subject.scores, plans[which], folds)
        return delayed(fit_folds)(subject.model, subject.rows, y, folds, given, sizes, first)

    finished = Parallel(n_jobs=n_jobs, return_as="generator")(task(*one) for one in tasks)
    outcomes = {(name, which): [] for name in subjects for which in range(len(plans))}
    for (name, which, _), part in zip(tasks, with_progress(finished, "Cross-validation", len(tasks)), strict=True):
        outcomes[name, which] += part
    return outcomes


def _size_alone(sizes, plan, settle):
    """Return the result of the size itself, which no fold has to learn.

    Whether larger or smaller speaks for the last class is taken from all cases, which makes it look a
    little better than it is; learned in the folds, a size that says nothing would have an AUC near 0.
    """
    sign = 1.0 if auc_with_confidence(settle.positive, sizes).auc >= 0.5 else -1.0
    is_beyond = sign * (sizes - np.median(sizes)) > 0
    outcomes = [
        Outcome(
            score=sign * sizes[test],
            probability=np.full(len(test), np.nan),
            prediction=settle.classes[is_beyond[test].astype(int)],
        )
        for _, test in plan.folds
    ]
    larger = "larger" if sign > 0 else "smaller"
    return settle.result(SIZE_ALONE, outcomes, plan, {"class": SIZE_ALONE, str(settle.classes[1]): f"{larger} regions"})


def _against(result, size_alone):
    return replace(result, size_alone=size_alone, against_size=compare_auc(result, size_alone))


def _warn_of_size(result):
    like = {name: value for name, value in result.size_correlations.items() if value > _MUCH_LIKE_SIZE}
    if like:
        named = ", ".join(
            f"{name} ({value:.2f})" for name, value in sorted(like.items(), key=lambda item: -item[1])[:3]
        )
        warnings.warn(
            f"{len(like)} of the {len(result.size_correlations)} features that {result.name} selects in most folds go "
            f"up and down with the size of the region (rank correlation above {_MUCH_LIKE_SIZE}): {named}. Read the "
            "AUC beside that of size alone, result.size_alone.",
            RadiodeepWarning,
            stacklevel=5,
        )


def _sizes(size, X):
    """Return the sizes of the regions (n_cases,), or None where nobody knows them."""
    if size is None:
        return None
    if not isinstance(size, str):
        sizes = np.asarray(size, dtype=float)
        if sizes.shape != (len(X),) or not (np.isfinite(sizes) & (sizes > 0)).all():
            raise StudyError(f"The 'size' parameter must hold a number > 0 for each of the {len(X)} cases.")
        return sizes
    if size != "auto":
        raise StudyError(f"The 'size' parameter must be 'auto', None or one size per case. Got {size!r}.")
    if hasattr(X, "columns"):
        column = next((name for name in _SIZE_COLUMNS if name in X.columns), None)
        sizes = None if column is None else X[column].to_numpy(dtype=float)
    elif hasattr(X, "shape"):
        return None
    else:
        sizes = np.array([getattr(case, "roi_size_mm", np.nan) for case in X], dtype=float)
    if sizes is None or np.isnan(sizes).all() or (np.isfinite(sizes) & (sizes > 0)).all():
        return None if sizes is None or np.isnan(sizes).all() else sizes
    n_unusable = int((~(np.isfinite(sizes) & (sizes > 0))).sum())
    warnings.warn(
        f"{n_unusable} of {len(sizes)} sizes are missing or not above 0, so no model of size alone stands beside. "
        "Give sizes of all cases as 'size', or size=None.",
        RadiodeepWarning,
        stacklevel=4,
    )
    return None


def checked_labels(X, y):
    """Return the labels (n_cases,) and the two classes; anything that is no table or no labels of it is an error."""
    shape = getattr(X, "shape", (0, 0))
    if len(shape) != 2 or (hasattr(X, "toarray") and not hasattr(X, "columns")):
        raise StudyError(
            f"Expected a dense table of cases x features. Got {type(X).__name__} of shape {shape}; of one feature "
            "take X.reshape(-1, 1) or frame[[name]], of a sparse matrix X.toarray()."
        )
    y = np.asarray(y)
    if y.ndim != 1 or len(y) != len(X):
        raise StudyError(f"Expected one label per case: there are {len(X)} cases and labels of shape {y.shape}.")
    if pd.isna(y).any():
        raise StudyError(f"{int(pd.isna(y).sum())} of {len(y)} labels are missing. Leave those cases out.")
    try:
        classes = np.unique(y)
    except TypeError as error:
        raise StudyError("The labels are of several types, such as text and numbers. Make them all of one.") from error
    if len(classes) == 1:
        raise SingleClassError(f"All {len(y)} cases have the label {classes[0]}. An AUC needs two classes.")
    if len(classes) > 2:
        raise StudyError(
            f"An AUC is defined for two classes. Got {len(classes)}: {', '.join(map(str, classes[:6]))}. "
            "Study one class against the others, e.g. y == 'large'."
        )
    return y, classes


def _ids(X):
    if hasattr(X, "ids"):
        return list(X.ids)
    return list(X.index) if hasattr(X, "index") and hasattr(X, "iloc") else list(range(len(X)))


def _people(X):
    """Return who the rows belong to: patients, or row names that are not mere numbers."""
    names = X.patients if hasattr(X, "patients") else _ids(X)
    return {name for name in names if isinstance(name, str)}
