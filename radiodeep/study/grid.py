"""Tables, selectors and classifiers in; a result for every combination out, on the same folds."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from radiodeep.exceptions import StudyError
from radiodeep.selection.relieff import ReliefF
from radiodeep.study.cross_validation import cross_validate_tables
from radiodeep.study.design import StudyDesign


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
):
    """Study every combination of tables, selectors and classifiers in one go, each extraction run once.

    Parameters
    ----------
    tables : dict from name to extractor, DataFrame, or list of names of others
        Extractors see the cases `X`; DataFrames have the same rows. A list puts tables side by side,
        each with a selector of its own.
    selectors : dict from name to selector, or None for all features
        Features are standardised before.
    classifiers : dict from name to classifier
    y : array-like of shape (n_cases,)
    X : Cohort or sequence of Case, optional
        For extractors.
    cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir
        As in `cross_validated_auc`.

    Returns
    -------
    dict from "table, selector, classifier" to StudyResult
        The best of many looks better than it is: `compare_all` corrects for their number.

    Raises
    ------
    StudyError
        Extractors without `X`, extractors beside DataFrames, tables of different rows, or an unknown name.

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
    frames = {name: table for name, table in tables.items() if isinstance(table, pd.DataFrame)}
    extractors = {name: one for name, one in tables.items() if name not in frames and hasattr(one, "transform")}
    _check(tables, frames, extractors, X)
    parts = []
    for table_name, table in tables.items():
        members = table if isinstance(table, list | tuple) else [table_name]
        models = {
            f"{table_name}, {selector_name}, {classifier_name}": make_pipeline(
                _head(members, frames, extractors, selector), clone(classifier)
            )
            for selector_name, selector in selectors.items()
            for classifier_name, classifier in classifiers.items()
        }
        if extractors and parts:
            parts[0][0].update(models)  # one extraction for all
        else:
            parts.append((models, X if extractors else _beside(members, frames)))
    named = {name for models, _ in parts for name in models}
    if len(named) < len(tables) * len(selectors) * len(classifiers):
        raise StudyError("Two combinations have the same name. Leave commas out of the names of tables and selectors.")
    design = StudyDesign(
        cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir
    )
    return cross_validate_tables(parts, y, design)


def with_seeds(models, n_seeds=5):
    """Return each random model several times, with different seeds.

    A forest on 40 patients has another AUC with each seed; what a study reports should not hang on one.

    Parameters
    ----------
    models : dict from name to estimator
    n_seeds : int, default=5

    Returns
    -------
    dict from "name, seed k" to estimator
        Models without randomness stay once, under their name.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from radiodeep import with_seeds
    >>> list(with_seeds({"forest": RandomForestClassifier(), "naive Bayes": GaussianNB()}, n_seeds=2))
    ['forest, seed 0', 'forest, seed 1', 'naive Bayes']
    """
    seeded = {}
    for name, model in models.items():
        parameters = model.get_params()
        paths = [path for path in parameters if path.rpartition("__")[2] == "random_state"]
        owners = {path: parameters.get(path.rpartition("__")[0], model) for path in paths}
        paths = [path for path in paths if not (isinstance(owners[path], ReliefF) and owners[path].n_samples is None)]
        if not paths:
            seeded[name] = model
        for seed in range(n_seeds if paths else 0):
            seeded[f"{name}, seed {seed}"] = clone(model).set_params(**dict.fromkeys(paths, seed))
    return seeded


def spread_over_seeds(results):
    """Return the mean AUC over the seeds of each model of `with_seeds`, and how far they lie apart.

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


def _check(tables, frames, extractors, X):
    if extractors and (frames or X is None):
        raise StudyError(
            "Extractors need the cases, X=cohort, and no DataFrames beside them; extract_table makes those."
        )
    rows = {name: list(frame.index) for name, frame in frames.items()}
    if rows and any(index != next(iter(rows.values())) for index in rows.values()):
        raise StudyError("The tables must have the same rows in the same order. Got different indexes.")
    for name, table in tables.items():
        if name in frames or name in extractors:
            continue
        if not isinstance(table, list | tuple) or not all(one in frames or one in extractors for one in table):
            raise StudyError(
                f"The table {name!r} must be an extractor, a DataFrame, or a list of names of other tables. "
                f"Got {table!r}."
            )


def _head(members, frames, extractors, selector):
    """Return what comes before the classifier: extraction, scaling and selection of each member."""

    def steps(*first):
        return make_pipeline(*first, StandardScaler(), *([] if selector is None else [clone(selector)]))

    if extractors:
        heads = [steps(clone(extractors[name])) for name in members]
        return heads[0] if len(heads) == 1 else make_union(*heads)
    if len(members) == 1:
        return steps()
    ends = np.cumsum([frames[name].shape[1] for name in members])
    starts = [0, *ends[:-1]]
    return ColumnTransformer(
        [(name, steps(), slice(int(a), int(b))) for name, a, b in zip(members, starts, ends, strict=True)]
    )


def _beside(members, frames):
    if len(members) == 1:
        return frames[members[0]]
    return pd.concat([frames[name].add_prefix(f"{name}_") for name in members], axis=1)
