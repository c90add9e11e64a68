"""Estimator, cases or table, labels in; pooled out-of-fold predictions with AUC and interval out.

Extractors that learn nothing run once for all folds; every step that learns is fitted in each fold
on that fold's training cases alone.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut, StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import _safe_indexing

from radiodeep.exceptions import LeakageError, SingleClassError, StudyError
from radiodeep.progress import with_progress
from radiodeep.study.auc import ConfidenceInterval, auc_with_confidence
from radiodeep.study.description import describe, selected_features
from radiodeep.study.shared_extraction import over_positions


@dataclass(frozen=True, eq=False)
class StudyResult:
    """Evidence of one model; its `print` is the sentence for the paper.

    Attributes
    ----------
    name : str
        What the model was called.
    auc : float
        Area under the ROC curve of the pooled out-of-fold scores.
    confidence_interval : ConfidenceInterval
        `.low` and `.high` (DeLong).
    accuracy : float
        Fraction of cases whose predicted label is right.
    predictions : DataFrame of shape (n_cases, 4)
        `label`, `fold`, `score` (for the class that sorts last), `prediction`; index = case id.
    folds : DataFrame
        A row per fold: `n_train`, `n_test`, `test_ids` and `selected_features`, the names that the
        selectors of this fold kept (None for a model without selector).
    cv : str
        How the cases were split.
    settings : dict
        Classes and parameters of the model, ready for json.
    """

    name: str
    auc: float
    confidence_interval: ConfidenceInterval
    accuracy: float
    predictions: pd.DataFrame = field(repr=False)
    folds: pd.DataFrame = field(repr=False)
    cv: str
    settings: dict = field(repr=False)

    def __str__(self):
        interval = self.confidence_interval
        return (
            f"AUC {self.auc:.2f} ({interval.level:.0%} CI {interval.low:.2f}-{interval.high:.2f}), "
            f"accuracy {self.accuracy:.2f}, n={len(self.predictions)}"
        )


def cross_validated_auc(
    estimator, X, y, cv="leave-one-out", groups=None, n_jobs=None, *, random_state=0, confidence_level=0.95
):
    """Say how well an estimator predicts cases that it has not seen.

    Parameters
    ----------
    estimator : classifier or pipeline of scikit-learn
        Extractors at its head that learn nothing run once for all folds; selectors, scalers and
        classifiers are fitted in every fold.
    X : Cohort, sequence of Case, DataFrame or ndarray
    y : array-like of shape (n_cases,)
        Two classes; the one that sorts last is the positive one.
    cv : "leave-one-out", int, or a splitter of scikit-learn, default="leave-one-out"
        An int means that many stratified, shuffled folds. With `groups`, leave-one-out leaves out
        one group (patient) and folds keep groups together.
    groups : array-like of shape (n_cases,), optional
        Cases of one group are never on both sides, e.g. ``cohort.patients``.
    n_jobs : int, optional
        Processes; -1 for all cores.
    random_state : int, default=0
        Shuffles the folds.
    confidence_level : float, default=0.95

    Returns
    -------
    StudyResult

    Raises
    ------
    SingleClassError
        `y`, or the training part of a fold, holds one class only.
    LeakageError
        A patient would be on both sides of a fold.
    StudyError
        More than two classes, sizes that differ, or a split that does not test every case once.

    Notes
    -----
    Scores are pooled over the folds before the AUC is computed. Under leave-one-out that AUC is
    biased low (a model that has learned nothing scores below 0.5, since leaving a case out tilts
    the training set towards the other class); repeated folds are not.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(12, random_state=1)
    >>> model = make_pipeline(rd.RadiomicsExtractor(), rd.ReliefF(n_features_to_select=2), GaussianNB())
    >>> result = rd.cross_validated_auc(model, cohort, cohort.labels)
    >>> len(result.predictions), len(result.folds)
    (12, 12)
    >>> rd.cross_validated_auc(model, cohort, [1] * 12)
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.SingleClassError: All 12 cases have the label 1. ...
    """
    name = type(estimator).__name__
    results = cross_validate_models(
        {name: estimator}, X, y, cv, groups, n_jobs, random_state=random_state, confidence_level=confidence_level
    )
    return results[name]


def cross_validate_models(
    models, X, y, cv="leave-one-out", groups=None, n_jobs=None, *, random_state=0, confidence_level=0.95
):
    """Study several models on the same cases and folds, each extraction run once for all of them.

    Parameters
    ----------
    models : dict from name to estimator
    X, y, cv, groups, n_jobs, random_state, confidence_level
        As in `cross_validated_auc`.

    Returns
    -------
    dict from name to StudyResult
        Results are paired case by case, as `compare_auc` needs.

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
    y, classes = _checked_labels(X, y)
    splits, cv_name = _splits(cv, X, y, groups, random_state)
    ids = _ids(X)
    _check_folds(splits, y, ids, groups if groups is not None else getattr(X, "patients", None))

    shared, rows = over_positions(models, X, n_jobs)
    tasks = [(name, number) for name in models for number in range(len(splits))]
    finished = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_fold)(shared[name], rows, y, *splits[number]) for name, number in tasks
    )
    done = dict(zip(tasks, with_progress(finished, "Cross-validation", len(tasks)), strict=True))
    return {
        name: _result(
            name,
            [done[name, number] for number in range(len(splits))],
            splits=splits,
            y=y,
            ids=ids,
            classes=classes,
            cv_name=cv_name,
            settings=describe(model),
            confidence_level=confidence_level,
        )
        for name, model in models.items()
    }


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
        Its predictions are those of the test cases, in one fold.

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
    y_train, classes = _checked_labels(X_train, y_train)
    y_test, test_classes = _checked_labels(X_test, y_test)
    if list(classes) != list(test_classes):
        raise StudyError(f"The training labels are {list(classes)}, the test labels {list(test_classes)}.")
    both = sorted(_people(X_train) & _people(X_test))
    if both:
        raise LeakageError(
            f"{len(both)} patient{'s are' if len(both) > 1 else ' is'} in both cohorts: "
            f"{', '.join(repr(one) for one in both[:5])}. Take them out of one side."
        )
    outcome = _predict(clone(estimator).fit(X_train, y_train), X_test)
    return _result(
        type(estimator).__name__,
        [outcome],
        splits=[(np.arange(len(y_train)), np.arange(len(y_test)))],
        y=y_test,
        ids=_ids(X_test),
        classes=classes,
        cv_name="holdout",
        settings=describe(estimator),
        confidence_level=confidence_level,
    )


def _fit_fold(estimator, rows, y, train, test):
    fitted = clone(estimator).fit(_safe_indexing(rows, train), y[train])
    return _predict(fitted, _safe_indexing(rows, test))


def _predict(fitted, X):
    """Return score of the class that sorts last, prediction, and the names of the selected features."""
    if hasattr(fitted, "predict_proba"):
        score = fitted.predict_proba(X)[:, 1]
    elif hasattr(fitted, "decision_function"):
        score = fitted.decision_function(X)
    else:
        raise StudyError(
            f"{type(fitted).__name__} gives neither probabilities nor decision values, so it has no AUC. "
            "Use a classifier."
        )
    return np.asarray(score, dtype=float), np.asarray(fitted.predict(X)), selected_features(fitted)


def _result(name, outcomes, *, splits, y, ids, classes, cv_name, settings, confidence_level):
    predictions = pd.DataFrame({"label": y, "fold": 0, "score": np.nan}, index=pd.Index(ids, name="id"))
    predicted = np.empty(len(y), dtype=y.dtype)
    folds = []
    for number, ((train, test), (score, prediction, selected)) in enumerate(zip(splits, outcomes, strict=True)):
        predictions.iloc[test, predictions.columns.get_loc("fold")] = number
        predictions.iloc[test, predictions.columns.get_loc("score")] = score
        predicted[test] = prediction
        folds.append((len(train), len(test), [ids[row] for row in test], selected))
    predictions["prediction"] = predicted
    estimate = auc_with_confidence(y == classes[1], predictions["score"].to_numpy(), confidence_level)
    columns = ["n_train", "n_test", "test_ids", "selected_features"]
    return StudyResult(
        name=name,
        auc=estimate.auc,
        confidence_interval=estimate.confidence_interval,
        accuracy=float(np.mean(predicted == y)),
        predictions=predictions,
        folds=pd.DataFrame(folds, columns=columns, index=pd.RangeIndex(len(folds), name="fold")),
        cv=cv_name,
        settings=settings,
    )


def _checked_labels(X, y):
    y = np.asarray(y)
    if y.ndim != 1 or len(y) != len(X):
        raise StudyError(f"Expected one label per case: there are {len(X)} cases and labels of shape {y.shape}.")
    if pd.isna(y).any():
        raise StudyError(f"{int(pd.isna(y).sum())} of {len(y)} labels are missing. Leave those cases out.")
    classes = np.unique(y)
    if len(classes) == 1:
        raise SingleClassError(f"All {len(y)} cases have the label {classes[0]}. An AUC needs two classes.")
    if len(classes) > 2:
        raise StudyError(
            f"An AUC is defined for two classes. Got {len(classes)}: {', '.join(map(str, classes[:6]))}. "
            "Study one class against the others, e.g. y == 'large'."
        )
    return y, classes


def _splits(cv, X, y, groups, random_state):
    """Return the folds as pairs of positions, and what to call them."""
    grouped = groups is not None
    if isinstance(cv, str):
        if cv != "leave-one-out":
            raise StudyError(f"The 'cv' parameter must be 'leave-one-out', an int >= 2 or a splitter. Got {cv!r}.")
        splitter, name = (LeaveOneGroupOut(), "leave-one-group-out") if grouped else (LeaveOneOut(), cv)
    elif isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        smallest = int(np.unique(y, return_counts=True)[1].min())
        if not 2 <= cv <= smallest:
            raise StudyError(
                f"The number of folds must be between 2 and {smallest}, the size of the smaller class. Got {cv}."
            )
        folds = StratifiedGroupKFold if grouped else StratifiedKFold
        splitter, name = folds(cv, shuffle=True, random_state=random_state), f"{cv}-fold"
    elif hasattr(cv, "split"):
        splitter, name = cv, repr(cv)
    else:
        raise StudyError(f"The 'cv' parameter must be 'leave-one-out', an int >= 2 or a splitter. Got {cv!r}.")
    splits = list(splitter.split(np.zeros(len(y)), y, groups))
    tested = np.concatenate([test for _, test in splits])
    if not np.array_equal(np.sort(tested), np.arange(len(y))):
        raise StudyError(
            f"{name} does not test every case exactly once, so its predictions cannot be pooled. "
            "Use 'leave-one-out', an int, or a splitter without repeats."
        )
    return splits, name


def _check_folds(splits, y, ids, groups):
    for number, (train, test) in enumerate(splits):
        if len(np.unique(y[train])) < 2:
            raise SingleClassError(
                f"The training part of fold {number} (tested: {', '.join(map(str, [ids[row] for row in test][:3]))}) "
                f"holds the label {y[train][0]} only. Use fewer folds or more cases of the other class."
            )
        if groups is None:
            continue
        both = {groups[row] for row in train} & {groups[row] for row in test}
        if both:
            raise LeakageError(
                f"Patient {sorted(map(str, both))[0]!r} has cases on both sides of fold {number}. "
                "Pass groups=cohort.patients, so that a patient's cases stay together."
            )


def _ids(X):
    if hasattr(X, "ids"):
        return list(X.ids)
    return list(X.index) if hasattr(X, "index") and hasattr(X, "iloc") else list(range(len(X)))


def _people(X):
    """Return who the rows belong to: patients, or row names that are not mere numbers."""
    names = X.patients if hasattr(X, "patients") else _ids(X)
    return {name for name in names if isinstance(name, str)}
