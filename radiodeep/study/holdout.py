"""Two cohorts in, a model of the first tested on the second out; what is in both is refused or pointed out."""

import warnings

import numpy as np
from sklearn.base import clone

from radiodeep.exceptions import LeakageError, RadiodeepWarning, StudyError
from radiodeep.rows import remembered_patients
from radiodeep.study.cross_validation import check_models
from radiodeep.study.description import describe
from radiodeep.study.evidence import Evidence
from radiodeep.study.folds.fitting import outcome_of
from radiodeep.study.folds.splits import Plan
from radiodeep.study.inputs import row_names, rows_in_both, study_input
from radiodeep.study.size import against_size, found_sizes, given_sizes, size_result, warn_of_size


def holdout_auc(estimator, X_train, y_train, X_test, y_test, *, size="auto", confidence_level=0.95, positive=None):
    """Train on one cohort, test on another; a patient in both is refused.

    Parameters
    ----------
    estimator : classifier or pipeline of scikit-learn
    X_train, X_test : Cohort, sequence of Case, DataFrame or ndarray
    y_train, y_test : array-like
        Two classes.
    size : "auto", None or array-like of shape (n_test_cases,), default="auto"
        Sizes of the regions of the test cases, as in `cross_validated_auc`.
    confidence_level : float, default=0.95
    positive : optional
        The class that the AUC is about; the one that sorts last if not given.

    Returns
    -------
    StudyResult
        Its predictions are those of the test cases, in one fold. DeLong's interval holds here, since the
        model is one and the test cases are others. With `size_alone`, the size itself as a score.

    Raises
    ------
    LeakageError
        A patient (or, for tables, a row name) is in both cohorts.
    SingleClassError
        Either side holds one class only.
    StudyError
        The tables have different columns.

    Warns
    -----
    RadiodeepWarning
        Test cases have the same features as training cases, or the scores go up and down with the size.

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
    # Rows of one name may be on one side: there is one fold.
    train = study_input(X_train, y_train, row_names(X_train), positive)
    test = study_input(X_test, y_test, row_names(X_test), positive)
    sizes = given_sizes(size, test)
    if list(train.classes) != list(test.classes):
        raise StudyError(f"The training labels are {list(train.classes)}, the test labels {list(test.classes)}.")
    both = sorted(_people(train, test) & _people(test, train))
    if both:
        raise LeakageError(
            f"{len(both)} patient{'s are' if len(both) > 1 else ' is'} in both cohorts: "
            f"{', '.join(repr(one) for one in both[:5])}. Take them out of one side."
        )
    check_models({type(estimator).__name__: estimator})
    X_test = _with_columns_of(X_train, X_test)
    remarks = _equal_in_both(X_train, X_test, train.ids, test.ids)
    for remark in remarks:
        warnings.warn(remark, RadiodeepWarning, stacklevel=2)
    fitted = clone(estimator).fit(X_train, train.y)
    measured = None if train.has_cases else X_train  # cases would be measured once more
    outcome = outcome_of(fitted, X_test, test.positive_column, measured)
    if sizes is None and size is not None:
        sizes = found_sizes(test, np.arange(len(test.y)))
    plan = Plan("holdout", "pooled", [(np.arange(len(train.y)), np.arange(len(test.y)))], [0])
    settle = Evidence(test, confidence_level, remarks=remarks, sizes=sizes)
    result = settle.result(type(estimator).__name__, [outcome], plan, describe(estimator))
    if sizes is not None:
        result = against_size(result, size_result(sizes, plan, settle))
    warn_of_size(result, stacklevel=3)
    return result


def _with_columns_of(X_train, X_test):
    """Return the test table with its columns in the order of the training table."""
    if not (hasattr(X_train, "columns") and hasattr(X_test, "columns")) or X_train.columns.equals(X_test.columns):
        return X_test
    missing, added = (list(a.columns.difference(b.columns)) for a, b in ((X_train, X_test), (X_test, X_train)))
    if missing or added:
        wrong = f"no column {missing[0]!r}" if missing else f"the column {added[0]!r}, which is new"
        raise StudyError(f"The tables have different columns: the test table has {wrong}. Give both the same ones.")
    return X_test[list(X_train.columns)]


def _equal_in_both(X_train, X_test, train_ids, test_ids):
    """Return a remark if cases of the test table have the features of training cases."""
    tables = [X for X in (X_train, X_test) if hasattr(X, "shape")]
    if len(tables) < 2 or not all(_is_numeric(X) for X in tables):
        return ()
    pairs = rows_in_both(*tables)
    if not pairs:
        return ()
    first, second = pairs[0]
    return (
        f"{len(pairs)} of {len(test_ids)} test cases have the same features as a training case, e.g. "
        f"{test_ids[second]!r} as {train_ids[first]!r}. If they are the same lesions, take them out of one side.",
    )


def _is_numeric(X):
    kinds = [dtype.kind for dtype in X.dtypes] if hasattr(X, "dtypes") else [X.dtype.kind]
    return all(kind in "fiub" for kind in kinds)


def _people(study, other):
    """Return who the rows belong to: patients if both sides know theirs, or row names that are not mere numbers."""
    names = study.patients or remembered_patients(study.ids) or []
    if study.patients is None or other.patients is None:
        names = [*names, *study.ids]
    return {name for name in names if isinstance(name, str)}
