"""A model and the groups of its training rows -> the model with inner folds that keep groups together."""

import warnings

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from radiodeep.checks import is_count
from radiodeep.study.folds.estimator_tree import is_estimator, is_sampler, kind_of, offers
from radiodeep.study.folds.shared_extraction import OverRowNumbers


def keep_groups_together(model, strata, groups):
    """Replace the inner folds of a model, such as those of a grid search, by folds that keep groups together.

    The model itself is changed; returned are the `cv` parameters that it had, for `set_params` after fitting. Only the
    outermost `cv` parameters are replaced: estimators inside a search, inside a pipeline with a sampler or inside an
    ensemble of resamples are fitted to other rows. `strata` (n_cases,) are the classes of the training rows by which
    folds are stratified, or None.
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
    if type(estimator) is OverRowNumbers:
        return _changes_rows(estimator.estimator)
    kind = kind_of(estimator)
    if kind == "wrapper" and offers(estimator, "horizon"):  # which leaves out cases that were censored before it
        return True
    return kind in ("bag", "resampling") or (kind == "chain" and any(is_sampler(step) for _, step in estimator.steps))


def _grouped_folds(cv, strata, groups):
    """Return folds in place of a `cv` parameter, or None to keep it."""
    table, shuffling = np.zeros((len(groups), 1)), {}
    if type(cv) in (KFold, StratifiedKFold):
        shuffling = {"shuffle": cv.shuffle, "random_state": cv.random_state}
        cv = cv.n_splits
    if offers(cv, "split"):  # any other splitter: its folds are computed here, where the groups are known
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
