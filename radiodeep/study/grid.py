"""Tables, selectors and classifiers -> a result for each combination, on the same folds."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from radiodeep.checks import is_count, require
from radiodeep.exceptions import StudyError
from radiodeep.study.design import StudyDesign
from radiodeep.study.execution import cross_validate_tables
from radiodeep.study.folds.estimator_tree import offers


def cross_validate_grid(
    tables,
    selectors,
    classifiers,
    y,
    X=None,
    cv="leave-one-out",
    groups=None,
    n_jobs=None,
    *,
    n_repeats=5,
    size="auto",
    random_state=0,
    confidence_level=0.95,
    positive=None,
    on_error="raise",
    cache_dir=None,
    outcome="auto",
    horizon=None,
    centres=None,
):
    """Study each combination of tables, selectors and classifiers on the same folds, with each extraction run once.

    Parameters
    ----------
    tables : dict from name to extractor, DataFrame, or list of names of others
        Extractors are given the cases `X`; DataFrames have the same rows. A list joins tables, each with its own
        selector.
    selectors : dict from name to selector, or None for all features
        Features are standardised before selection.
    classifiers : dict from name to classifier
    y : array-like of shape (n_cases,)
    X : Cohort or sequence of Case, optional
        Needed by extractors.
    cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir, centres
        As in `cross_validated_auc`.
    outcome, horizon
        As in `cross_validated_score`.

    Returns
    -------
    dict from "table, selector, classifier" to StudyResult
        The best of many results is biased high: `compare_all` corrects for their number.

    Raises
    ------
    StudyError
        Extractors without `X`, extractors together with DataFrames, tables of different rows, or an unknown name.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 15)
    >>> shape, texture = (pd.DataFrame(rng.normal(size=(30, 8)) + y[:, None]).add_prefix(name) for name in "st")
    >>> tables = {"shape": shape, "texture": texture, "both": ["shape", "texture"]}
    >>> selectors = {"ReliefF": rd.ReliefF(3), "all": None}
    >>> list(rd.cross_validate_grid(tables, selectors, {"naive Bayes": GaussianNB()}, y, cv=5, n_repeats=1))[:2]
    ['shape, ReliefF, naive Bayes', 'shape, all, naive Bayes']
    """
    if not (tables and selectors and classifiers):
        raise StudyError("Expected at least one table, one selector and one classifier.")
    frames, extractors, members = _by_kind(tables)
    _check(tables, frames, extractors, members, X)
    parts = []
    for table_name, names in members.items():
        models = {
            f"{table_name}, {selector_name}, {classifier_name}": make_pipeline(
                _head(names, frames, extractors, selector), clone(classifier)
            )
            for selector_name, selector in selectors.items()
            for classifier_name, classifier in classifiers.items()
        }
        if extractors and parts:
            parts[0][0].update(models)  # one extraction for all
        else:
            parts.append((models, X if extractors else _joined(names, frames)))
    model_names = {name for models, _ in parts for name in models}
    if len(model_names) < len(tables) * len(selectors) * len(classifiers):
        raise StudyError("Two combinations have the same name. Leave commas out of the names of tables and selectors.")
    design = StudyDesign(
        cv,
        groups,
        n_jobs,
        n_repeats,
        size,
        random_state,
        confidence_level,
        positive,
        on_error,
        cache_dir,
        outcome,
        horizon,
        centres,
    )
    return cross_validate_tables(parts, y, design)


def with_seeds(models, n_seeds=5):
    """Return each random model several times, with different seeds.

    A forest trained on 40 patients has another AUC with each seed; a study should not depend on one of them.

    Parameters
    ----------
    models : dict from name to estimator
    n_seeds : int, default=5

    Returns
    -------
    dict from "name, seed k" to estimator
        Models without randomness are returned once, under their name.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from radiodeep import with_seeds
    >>> list(with_seeds({"forest": RandomForestClassifier(), "naive Bayes": GaussianNB()}, n_seeds=2))
    ['forest, seed 0', 'forest, seed 1', 'naive Bayes']
    """
    require(is_count(n_seeds, 1), with_seeds, "n_seeds", "an int >= 1", n_seeds, error=StudyError)
    seeded = {}
    for name, model in models.items():
        parameters = model.get_params()
        paths = [path for path in parameters if path.rpartition("__")[2] == "random_state"]
        owners = {path: parameters.get(path.rpartition("__")[0], model) for path in paths}
        paths = [path for path in paths if getattr(owners[path], "uses_random_state", True)]
        if not paths:
            seeded[name] = model
        for seed in range(n_seeds if paths else 0):
            seeded[f"{name}, seed {seed}"] = clone(model).set_params(**dict.fromkeys(paths, seed))
    return seeded


def spread_over_seeds(results):
    """Return the mean and the spread of the AUC over the seeds of each model of `with_seeds`.

    Parameters
    ----------
    results : dict from name to StudyResult

    Returns
    -------
    DataFrame
        Index = model; `auc`, `standard_deviation`, `lowest`, `highest`, `n_seeds`.
    """
    frame = pd.DataFrame(
        [(name.partition(", seed ")[0], result.auc) for name, result in results.items()], columns=["model", "auc"]
    )
    grouped = frame.groupby("model", sort=False)["auc"]
    return pd.DataFrame(
        {
            "auc": grouped.mean(),
            "standard_deviation": grouped.std(),
            "lowest": grouped.min(),
            "highest": grouped.max(),
            "n_seeds": grouped.size(),
        }
    )


def _by_kind(tables):
    """Return the DataFrames and the extractors by name, and for each table the names of the tables that it joins."""
    frames = {name: table for name, table in tables.items() if offers(table, "columns")}
    extractors = {name: table for name, table in tables.items() if name not in frames and offers(table, "transform")}
    members = {name: [name] if name in frames or name in extractors else table for name, table in tables.items()}
    return frames, extractors, members


def _check(tables, frames, extractors, members, X):
    if extractors and (frames or X is None):
        raise StudyError(
            "Extractors need the cases, X=cohort, and cannot be combined with DataFrames; extract_table makes "
            "DataFrames of cases."
        )
    rows = {name: list(frame.index) for name, frame in frames.items()}
    if rows and any(index != next(iter(rows.values())) for index in rows.values()):
        raise StudyError("The tables must have the same rows in the same order. Got different indexes.")
    for name, names in members.items():
        is_list = type(names) in (list, tuple) and len(names) > 0
        if not is_list or not all(member in frames or member in extractors for member in names):
            raise StudyError(
                f"The table {name!r} must be an extractor, a DataFrame, or a list of names of other tables. "
                f"Got {tables[name]!r}."
            )


def _head(names, frames, extractors, selector):
    """Return the steps before the classifier: extraction, scaling and selection of each joined table."""

    def steps(*first):
        return make_pipeline(*first, StandardScaler(), *([] if selector is None else [clone(selector)]))

    if extractors:
        heads = [steps(clone(extractors[name])) for name in names]
        return heads[0] if len(heads) == 1 else make_union(*heads)
    if len(names) == 1:
        return steps()
    stops = np.cumsum([frames[name].shape[1] for name in names]).tolist()
    starts = [0, *stops[:-1]]
    return ColumnTransformer(
        [(name, steps(), slice(start, stop)) for name, start, stop in zip(names, starts, stops, strict=True)]
    )


def _joined(names, frames):
    if len(names) == 1:
        return frames[names[0]]
    return pd.concat([frames[name].add_prefix(f"{name}_") for name in names], axis=1)
