"""A model and the groups of its training rows in; the same model with inner folds that keep groups together out."""

import warnings

import numpy as np
from sklearn.ensemble import BaseEnsemble
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline


def keep_groups_together(model, y, groups):
    """Replace the inner folds of a model, such as those of a grid search, by folds that keep groups together.

    Only the outermost `cv` parameters are replaced: what stands inside a search, a pipeline with a sampler or an
    ensemble of resamples sees other rows. Splitters other than those of k folds are taken as they are.

    Returns
    -------
    dict
        The `cv` parameters that were replaced, for `set_params` after fitting.
    """
    originals = {}
    parameters = model.get_params()
    parts = {"": model} | {f"{path}__": part for path, part in parameters.items()}
    with_other_rows = [prefix for prefix, part in parts.items() if _resamples(part)]
    for path in sorted((path for path in parameters if path.rpartition("__")[2] == "cv"), key=len):
        owner = path[: -len("cv")]
        if any(owner.startswith(prefix) for prefix in with_other_rows):
            continue
        with_other_rows.append(owner)
        folds = _grouped_folds(parameters[path], y, groups)
        if folds is not None:
            originals[path] = parameters[path]
            model.set_params(**{path: folds})
    return originals


def _resamples(part):
    """Return whether what is inside an estimator is fitted to other rows than the estimator."""
    if isinstance(part, Pipeline):
        return any(hasattr(step, "fit_resample") for _, step in part.steps)
    return isinstance(part, BaseEnsemble)


def _grouped_folds(cv, y, groups):
    """Return folds in place of a `cv` parameter, or None to leave it."""
    table, how = np.zeros((len(y), 1)), {}
    if type(cv) in (KFold, StratifiedKFold):
        cv, how = cv.n_splits, {"shuffle": cv.shuffle, "random_state": cv.random_state}
    if hasattr(cv, "split"):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The groups parameter is ignored")
            return list(cv.split(table, y, groups))
    if not (cv is None or isinstance(cv, int | np.integer)):
        return None  # folds that the user has made, or "prefit"
    fewest = min(len(set(groups[y == label])) for label in np.unique(y))
    n_folds = min(5 if cv is None else int(cv), fewest)
    return list(StratifiedGroupKFold(n_folds, **how).split(table, y, groups)) if n_folds >= 2 else None
