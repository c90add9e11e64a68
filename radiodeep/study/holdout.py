"""Two cohorts -> a model of the first tested on the second; patients that are in both are refused."""

import warnings
from dataclasses import replace

import numpy as np
from sklearn.base import clone

from radiodeep.exceptions import LeakageError, RadiodeepWarning
from radiodeep.rows import remembered_patients
from radiodeep.study.description import describe
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.evidence import Evidence
from radiodeep.study.execution import check_models
from radiodeep.study.folds.fitting import fold_outcome
from radiodeep.study.folds.inner_folds import keep_groups_together
from radiodeep.study.folds.origins import check_sources, sources_of_rows
from radiodeep.study.folds.splits import Plan
from radiodeep.study.inputs import rows_of, study_input
from radiodeep.study.result import named_cases
from radiodeep.study.size import known_sizes, size_baseline, warn_of_size, with_size_baseline
from radiodeep.study.table_checks import rows_in_both


def holdout_auc(
    estimator,
    X_train,
    y_train,
    X_test,
    y_test,
    *,
    size="auto",
    confidence_level=0.95,
    positive=None,
    outcome="auto",
    horizon=None,
):
    """Train on one cohort and test on another; a patient in both is an error.

    Parameters
    ----------
    estimator : classifier or pipeline of scikit-learn
    X_train, X_test : Cohort, sequence of Case, DataFrame or ndarray
    y_train, y_test : array-like
        Outcomes of any kind, as in `cross_validated_score`; the AUC is that of two classes.
    size : "auto", None or array-like of shape (n_test_cases,), default="auto"
        Sizes of the regions of the test cases, as in `cross_validated_auc`.
    confidence_level : float, default=0.95
    positive : optional
        The class that scores, probabilities and the AUC refer to; the one that sorts last if not given.
    outcome, horizon
        As in `cross_validated_score`. The default horizon is no later than that of the training cohort.

    Returns
    -------
    StudyResult
        Its predictions are those of the test cases, in one fold. Intervals and tests take the model as fixed, which is
        valid here: there is one, tested on other patients. Its `size_baseline` is the size itself as the score.

    Raises
    ------
    LeakageError
        A patient (or, for tables, a row name) is in both cohorts.
    SingleClassError
        One of the cohorts holds one class only.
    StudyError
        The tables have different columns.

    Warns
    -----
    RadiodeepWarning
        Test cases have the same features as training cases, or the scores follow the size of the region.

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
    train_rows, test_rows = rows_of(X_train), rows_of(X_test)
    # Row names as groups: a name may occur several times in a cohort, since there is only one fold.
    train = study_input(train_rows, train_rows.names)
    test = study_input(test_rows, test_rows.names, size)
    settings = {"outcome": outcome, "horizon": horizon}
    train_endpoint = endpoint_for(train.aligned(y_train, "y"), len(train.ids), positive, **settings)
    if outcome == "auto":
        settings["outcome"] = train_endpoint.outcome
    endpoint = endpoint_for(
        test.aligned(y_test, "y"), len(test.ids), train_endpoint.positive, patients=test.clusters, **settings
    )
    endpoint.check_same_outcomes(train_endpoint)
    endpoint = endpoint.tested_after(train_endpoint)
    _refuse_common_patients(train, test)
    check_models({type(estimator).__name__: estimator})
    test_rows = test_rows.with_columns_of(train_rows)
    remarks = _equal_features(train_rows, test_rows)
    for remark in remarks:
        warnings.warn(remark, RadiodeepWarning, stacklevel=2)
    fitted = clone(endpoint.prepared(estimator))
    if train.clusters is not None:
        keep_groups_together(fitted, train_endpoint.strata, train.clusters)
    fitted.fit(train_rows.data, train_endpoint.y)
    measured = None if train_rows.are_cases else train_rows.data  # cases would be measured once more
    fold = fold_outcome(fitted, test_rows.data, endpoint, measured, scored_rows=train_rows.data)
    if test.sizes is None and size is not None:
        test = replace(test, sizes=known_sizes([test], np.arange(len(test.ids)), stacklevel=3))
    plan = Plan("holdout", "holdout", [(np.arange(len(train.ids)), np.arange(len(test.ids)))], [0])
    evidence = Evidence(test, endpoint, confidence_level, remarks=remarks, training_y=train_endpoint.y)
    result = evidence.result(type(estimator).__name__, [fold], plan, describe(estimator))
    if test.sizes is not None:
        result = with_size_baseline(result, size_baseline(plan, evidence))
    warn_of_size(result, stacklevel=3)
    return result


def _refuse_common_patients(train, test):
    """Raise LeakageError if a patient, or a row name where the patients are unknown, is in both cohorts."""
    common = sorted(_patients(train, test) & _patients(test, train))
    if common:
        raise LeakageError(
            f"{len(common)} patient{'s are' if len(common) > 1 else ' is'} in both cohorts: "
            f"{', '.join(repr(patient) for patient in common[:5])}. Leave them out of one cohort."
        )
    sources = sources_of_rows(train, test)
    if sources is not None:
        check_sources(sources[: len(train)], sources[len(train) :], "the two cohorts")


def _patients(study, other):
    """Return the patients of a cohort, and its row names unless both cohorts know their patients."""
    names = study.patients or remembered_patients(study.ids) or []
    if study.patients is None or other.patients is None:
        names = [*names, *study.ids]
    return named_cases(names)


def _equal_features(train_rows, test_rows):
    """Return a remark if test cases have the features of training cases."""
    pairs = rows_in_both(train_rows, test_rows)
    if not pairs:
        return ()
    first, second = pairs[0]
    return (
        f"{len(pairs)} of {len(test_rows)} test cases have the same features as a training case, e.g. "
        f"{test_rows.names[second]!r} as {train_rows.names[first]!r}. If they are the same lesions, leave them out of "
        "one cohort.",
    )
