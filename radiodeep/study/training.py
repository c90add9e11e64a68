"""A model and cases -> the model fitted to them, with extraction in parallel and cached."""

import numpy as np

from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.folds.changed_cases import SharedChange
from radiodeep.study.folds.estimator_tree import rebuilt, with_target
from radiodeep.study.folds.inner_folds import keep_groups_together
from radiodeep.study.folds.shared_extraction import (
    OverRowNumbers,
    SharedExtraction,
    SharedExtractionOfCases,
    as_row_indices,
)
from radiodeep.study.inputs import rows_of


def fit_over_cases(model, X, y, n_jobs=None, cache_dir=None, on_error="raise", outcome="auto"):
    """Fit a model to cases, with extraction in parallel and cached; y and its `outcome` are as in studies.

    Returns the fitted model, which is over cases like the one given, and the `excluded` cases as a dict from case id to
    the reason: with ``on_error="exclude"``, the cases that cannot be read or measured.
    """
    rows = rows_of(X)
    shared = as_row_indices({"model": model}, rows, n_jobs, on_error=on_error, cache_dir=cache_dir)
    over_rows = shared.models["model"]
    excluded = {rows.names[row]: message for row, message in shared.errors.items()}
    first_error = next(iter(excluded.values()), "")
    if not len(shared.rows):
        raise StudyError(f"None of the {len(rows)} cases can be used. {first_error}")
    known = np.asarray(rows.aligned(y, "y"))[shared.rows]
    if len(np.unique(known)) < 2:
        raise SingleClassError(f"The {len(known)} cases that could be measured hold one class only. {first_error}")
    endpoint = endpoint_for(known, len(known), outcome=outcome)
    patients = np.array([str(rows.patients[row]) for row in shared.rows])
    is_repeated = len(set(patients)) < len(patients)
    over_rows = with_target(over_rows, endpoint.selector_target)
    inner = keep_groups_together(over_rows, endpoint.strata, patients) if is_repeated else {}
    over_rows.fit(shared.rows, endpoint.y).set_params(**inner)
    return rebuilt(over_rows, lambda part: _over_cases(part, shared.rows)), excluded


def _over_cases(part, rows):
    """Return what takes the place of a part over row numbers in a fitted model, or None for other parts."""
    if type(part) in (SharedExtraction, SharedExtractionOfCases):
        return part.over_cases(rows)
    if type(part) is SharedChange:
        return part.step.fit()
    if type(part) is not OverRowNumbers:
        return None
    if part.reads_cases:
        return rebuilt(part.estimator, lambda inside: _over_cases(inside, rows))
    raise StudyError(
        f"A {type(part.estimator).__name__} accepts tables only, so it cannot be trained to score cases. Put the "
        "extractor before it in a pipeline."
    )
