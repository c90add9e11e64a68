"""A model and cases -> the model fitted to them, with extraction in parallel and cached."""

import numpy as np

from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.study.folds.estimator_tree import rebuilt
from radiodeep.study.folds.inner_folds import keep_groups_together
from radiodeep.study.folds.shared_extraction import (
    OverRowNumbers,
    SharedExtraction,
    SharedExtractionOfCases,
    as_row_indices,
)
from radiodeep.study.inputs import rows_of


def fit_over_cases(model, X, y, n_jobs=None, cache_dir=None, on_error="raise"):
    """Fit a model to cases, with extraction in parallel and cached.

    Parameters
    ----------
    model : classifier or pipeline of scikit-learn
    X : Cohort or sequence of Case
    y : array-like of shape (n_cases,)
    n_jobs : int, optional
    cache_dir : path-like, optional
    on_error : {"raise", "exclude"}, default="raise"
        "exclude" trains without the cases that cannot be read or measured.

    Returns
    -------
    model : estimator
        Fitted, and over cases like the one given.
    excluded : dict from case id to str
        Why cases were left out.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from radiodeep.study.training import fit_over_cases
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> cohort = rd.make_phantom_cohort(8, random_state=0)
    >>> model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB())
    >>> fitted, excluded = fit_over_cases(model, cohort, cohort.labels)
    >>> fitted.predict_proba(cohort[:3]).shape, excluded
    ((3, 2), {})
    """
    rows = rows_of(X)
    shared = as_row_indices({"model": model}, rows, n_jobs, on_error=on_error, cache_dir=cache_dir)
    over_rows = shared.models["model"]
    excluded = {rows.names[row]: message for row, message in shared.errors.items()}
    first_error = next(iter(excluded.values()), "")
    labels = np.asarray(rows.aligned(y, "y"))[shared.rows]
    if not len(labels):
        raise StudyError(f"None of the {len(rows)} cases can be used. {first_error}")
    if len(np.unique(labels)) < 2:
        raise SingleClassError(f"The {len(labels)} cases that could be measured hold one class only. {first_error}")
    patients = np.array([str(rows.patients[row]) for row in shared.rows])
    is_repeated = len(set(patients)) < len(patients)
    inner = keep_groups_together(over_rows, labels, patients) if is_repeated else {}
    over_rows.fit(shared.rows, labels).set_params(**inner)
    return rebuilt(over_rows, lambda part: _over_cases(part, shared.rows)), excluded


def _over_cases(part, rows):
    """Return what takes the place of a part over row numbers in a fitted model, or None for other parts."""
    if type(part) in (SharedExtraction, SharedExtractionOfCases):
        return part.over_cases(rows)
    if type(part) is not OverRowNumbers:
        return None
    if part.reads_cases:
        return rebuilt(part.estimator, lambda inside: _over_cases(inside, rows))
    raise StudyError(
        f"A {type(part.estimator).__name__} accepts tables only, so it cannot be trained to score cases. Put the "
        "extractor before it in a pipeline."
    )
