"""A model and the groups of its training rows in; the same model with inner folds that keep groups together out."""

import warnings

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from radiodeep.checks import is_count
from radiodeep.study.folds.estimator_tree import is_estimator, is_sampler, kind_of, offers


def keep_groups_together(model, strata, groups):
    """Replace the inner folds of a model, such as those of a grid search, by folds that keep groups together.

    Only the outermost `cv` parameters are replaced: estimators inside a search, inside a pipeline with a sampler or
    inside an ensemble of resamples are fitted to other rows. Splitters other than those of k folds are kept.

    Parameters
    ----------
    model : estimator
        Is changed.
    strata : ndarray of shape (n_cases,) or None
        Classes of the training rows by which folds are stratified.
    groups : ndarray of shape (n_cases,)

    Returns
    -------
    dict
        The `cv` parameters that were replaced, for `set_params` after fitting.
    """
    originals = {}
    parameters = model.get_params()
    parts = {"": model} | {f"{path}__": part for path, part in parameters.items() if is_estimator(part)}
    with_other_rows = [prefix for prefix, part in parts.items() if _changes_rows(part)]
    for path in sorted((path for path in parameters if path.rpartition("__")[2] == "cv"), key=len):
        owner = path[: -len("cv")]
        if any(owner.startswith(prefix) for prefix in with_other_rows):
            continue
        with_other_rows.append(owner)
        folds = _grouped_folds(parameters[path], strata, groups)
        if folds is not None:
            originals[path] = parameters[path]
            model.set_params(**{path: folds})
    return originals


def _changes_rows(estimator):
    """Return whether estimators inside an estimator are fitted to other rows than it."""
    kind = kind_of(estimator)
    return kind in ("bag", "resampling") or (kind == "chain" and any(is_sampler(step) for _, step in estimator.steps))


def _grouped_folds(cv, strata, groups):
    """Return folds in place of a `cv` parameter, or None to keep it."""
    table, shuffling = np.zeros((len(groups), 1)), {}
    if type(cv) in (KFold, StratifiedKFold):
        shuffling = {"shuffle": cv.shuffle, "random_state": cv.random_state}
        cv = cv.n_splits
    if offers(cv, "split"):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The groups parameter is ignored")
            return list(cv.split(table, strata, groups))
    if not (cv is None or is_count(cv)):
        return None  # folds made by the user, or "prefit"
    n_folds = 5 if cv is None else int(cv)
    if strata is None:
        n_folds = min(n_folds, len(set(groups)))
        splitter = GroupKFold
    else:
        n_folds = min(n_folds, *(len(set(groups[strata == stratum])) for stratum in np.unique(strata)))
        splitter = StratifiedGroupKFold
    return list(splitter(n_folds, **shuffling).split(table, strata, groups)) if n_folds >= 2 else None
