"""Models and cases or a table -> how much each feature contributes to the performance, or to a prediction."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.utils.validation import check_is_fitted

from radiodeep.checks import is_count, is_fraction, require
from radiodeep.exceptions import StudyError
from radiodeep.progress import counted
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.folds.estimator_tree import best_of, descendants, offers
from radiodeep.study.folds.frozen_features import FrozenFeatures
from radiodeep.study.folds.origins import sources_of_rows
from radiodeep.study.folds.shared_extraction import over_shared_cases
from radiodeep.study.folds.splits import check_folds, plan_of
from radiodeep.study.inputs import rows_of, study_input

_MOST_BACKGROUND = 50  # cases
_MOST_AT_ONCE = 4_000_000  # numbers of a table that is predicted


def feature_importance(
    model,
    X,
    y,
    cv=None,
    groups=None,
    *,
    n_repeats=10,
    together=None,
    outcome="auto",
    positive=None,
    horizon=None,
    n_jobs=None,
    random_state=0,
    cache_dir=None,
):
    """Measure how much worse a model predicts unseen cases when one of its features is shuffled among them.

    Parameters
    ----------
    model : estimator of cases or of a table
    X : Cohort, sequence of Case, DataFrame or ndarray
    y : array-like of shape (n_cases,)
        As in `cross_validate_models`.
    cv : None, int or splitter, default=None
        None: the model is fitted, and X are cases that it has not seen. Otherwise it is fitted in each fold, and
        features are shuffled among the test cases of the fold; these folds must hold several cases.
    groups : array-like of shape (n_cases,), optional
        Kept on one side of a fold; the patients by default.
    n_repeats : int, default=10
        How often each feature is shuffled.
    together : float, optional
        Shuffle with each feature those whose absolute rank correlation with it is at least this, e.g. 0.9. One of two
        features that say the same seems unimportant by itself, since the other one stays.
    outcome, positive, horizon
        As in `cross_validate_models`.
    n_jobs, cache_dir
        Of the extraction, as in `extract_table`.
    random_state : int, default=0

    Returns
    -------
    DataFrame
        A row per feature, the most important one first: `importance`, the mean loss of the measure (AUC, C, R², ...);
        `sd`, its standard deviation over the folds, or over the shuffles for a fitted model, which is no standard
        error; `used`, the fraction of the folds whose model uses the feature. The importance of a feature that no model
        uses is 0. ``attrs["measure"]`` and ``attrs["value"]`` tell what is lost from which value.

    Raises
    ------
    StudyError
        The model is not fitted and `cv` is None, a fold tests a single case, or the model has no features.

    Notes
    -----
    Importance is that for this model: it is not an effect, and a model without performance has no important features.

    References
    ----------
    L. Breiman, Random forests, Machine Learning 45 (2001) 5. `sklearn.inspection.permutation_importance`.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> importance = rd.feature_importance(GaussianNB(), X, (X[:, 1] > 0).astype(int), cv=5)
    >>> importance.index[0], bool(importance.loc["x1", "importance"] > 0.3)
    ('x1', True)
    """
    require(is_count(n_repeats, 1), feature_importance, "n_repeats", "an int >= 1", n_repeats)
    require(together is None or is_fraction(together), feature_importance, "together", "None or 0 to 1", together)
    study = study_input(X, groups)
    settings = {"outcome": outcome, "positive": positive, "horizon": horizon}
    endpoint = endpoint_for(study.aligned(y, "y"), len(study), patients=study.clusters, **settings)
    options = {"n_repeats": n_repeats, "random_state": random_state}
    everything = np.arange(len(study))
    if cv is None:
        _require_fitted(model, "or pass cv=5 to fit it in folds")
        features = FrozenFeatures(model, study.rows, n_jobs, cache_dir)
        losses, value = _losses(features, everything, endpoint, together, options)
        table = pd.DataFrame({"importance": losses.mean(axis=1), "sd": losses.std(axis=1), "used": 0.0}, features.names)
        table.loc[[features.names[feature] for feature in features.used], "used"] = 1.0
        return _sorted(table, endpoint, value)
    plan = plan_of(cv, endpoint, study.groups, 1, random_state)
    check_folds(plan, endpoint, study.ids, study.groups, study.patients, sources_of_rows(study))
    if min(len(test) for _, test in plan.folds) < 2:
        raise StudyError("Features are shuffled among the test cases of a fold, which must be several: e.g. cv=5.")
    model = endpoint.prepared(model)
    if study.rows.are_cases:
        model = over_shared_cases(model, study.rows.data, n_jobs, cache_dir)
    by_fold, used, values = [], [], []
    with counted("Shuffling features", len(plan.folds), "folds") as advance:
        for train, test in plan.folds:
            fitted = clone(model).fit(study.rows.take(train).data, endpoint.y[train])
            features = FrozenFeatures(fitted, study.rows)
            losses, value = _losses(features, test, endpoint, together, options)
            by_fold.append(pd.Series(losses.mean(axis=1), features.names))
            used.append(pd.Series(1.0, [features.names[feature] for feature in features.used]))
            values.append(value)
            advance()
    by_fold = pd.concat(by_fold, axis=1).fillna(0.0)
    fraction = pd.concat(used, axis=1).fillna(0.0).mean(axis=1).reindex(by_fold.index, fill_value=0.0)
    table = pd.DataFrame({"importance": by_fold.mean(axis=1), "sd": by_fold.std(axis=1), "used": fraction})
    return _sorted(table, endpoint, np.mean(values))


def shapley_values(
    model, X, background=None, *, positive=None, n_permutations=10, n_jobs=None, random_state=0, cache_dir=None
):
    """Divide each prediction of a fitted model among its features, by their Shapley values.

    Parameters
    ----------
    model : fitted estimator of cases or of a table
        Its probability of the positive class is explained; of a model without probabilities its decision value or its
        prediction (a number, or a risk).
    X : Cohort, sequence of Case, DataFrame or ndarray
        The cases to explain.
    background : as X, optional
        Typical cases, e.g. those of the training: a feature that is absent takes their values. By default X. Of more
        than 50 cases 50 are drawn.
    positive : optional
        The class whose probability is explained, by default the last one in order.
    n_permutations : int, default=10
        Orders of the features in which each prediction is taken apart, each also in reverse. Where at most pairs of
        features act together one is exact; otherwise more are more exact. The time grows with it, with the number of
        features that the model uses: select features first.
    n_jobs, cache_dir
        Of the extraction, as in `extract_table`.
    random_state : int, default=0

    Returns
    -------
    DataFrame of shape (n_cases, n_features)
        Of the features that the model uses; those that its selectors dropped contribute nothing. A row and
        ``attrs["base"]``, the mean prediction of the background, add up to the prediction of the case.
        ``attrs["features"]`` is a DataFrame of the values of the features, ``attrs["output"]`` says what is explained.

    Raises
    ------
    StudyError
        The model is not fitted or has no features, or harmonizes the batches of its cases.

    Notes
    -----
    These are interventional values: an absent feature takes the values of the background whatever the others are, so
    that combinations occur that no patient has, and correlated features share what they say in any proportion. They
    are those of the permutation explainer of the package shap.

    References
    ----------
    S. M. Lundberg, S.-I. Lee, A unified approach to interpreting model predictions, NeurIPS 2017. E. Strumbelj,
    I. Kononenko, Explaining prediction models and individual predictions with feature contributions, Knowledge and
    Information Systems 41 (2014) 647.

    See Also
    --------
    feature_importance : What features contribute to the performance, not to a prediction.

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.random.default_rng(0).normal(size=(30, 3))
    >>> values = rd.shapley_values(LinearRegression().fit(X, 5 * X[:, 0] - X[:, 2]), X)
    >>> bool(np.allclose(values["x0"], 5 * (X[:, 0] - X[:, 0].mean())))
    True
    """
    require(is_count(n_permutations, 1), shapley_values, "n_permutations", "an int >= 1", n_permutations)
    _require_fitted(model)
    _require_features_alone(model)
    explained = rows_of(X)
    rows = explained if background is None else _joined(explained, rows_of(background))
    features = FrozenFeatures(model, rows, n_jobs, cache_dir)
    predict, output = _output_of(features.model, positive)
    rng = np.random.default_rng(random_state)
    typical = np.arange(0 if background is None else len(explained), len(rows))
    drawn = np.sort(rng.permutation(typical)[:_MOST_BACKGROUND])

    def predicted(sources):
        n_parts = -(-len(sources) * len(features.names) // _MOST_AT_ONCE)
        return np.concatenate([of_sources(part) for part in np.array_split(sources, n_parts)])

    def of_sources(sources):
        every = np.zeros((len(sources), len(features.names)), dtype=int)
        every[:, features.used] = sources
        return predict(features.taken(every, every[:, 0]))

    orders = [rng.permutation(len(features.used)) for _ in range(n_permutations)]
    contributions = []
    with counted("Dividing predictions", len(explained), "cases") as advance:
        for row in range(len(explained)):
            contributions.append(_contributions(predicted, row, drawn, orders))
            advance()
    columns = [features.names[feature] for feature in features.used]
    ids = pd.Index(explained.names, name="id")
    table = pd.DataFrame(contributions, ids, columns)
    table.attrs = {
        "base": float(predicted(np.repeat(drawn[:, np.newaxis], len(columns), axis=1)).mean()),
        "output": output,
        "features": pd.DataFrame(features.values()[: len(explained), features.used], ids, columns),
    }
    return table


def _contributions(predicted, row, background, orders):
    """Return the contributions (n_features,) to the prediction of a row.

    Absent features are taken from each row of the background. Along an order, and back along its reverse, features are
    taken from the row one after the other; what a feature changes then is its contribution, whose mean is returned.
    """
    n_features = len(orders[0])
    orders = np.array([order for forward in orders for order in (forward, forward[::-1])])
    steps = np.arange(n_features + 1)[:, np.newaxis]
    is_present = np.argsort(orders, axis=1)[:, np.newaxis] < steps  # (n_orders, n_features + 1, n_features)
    coalitions, number = np.unique(is_present.reshape(-1, n_features), axis=0, return_inverse=True)
    sources = np.where(coalitions[:, np.newaxis], row, background[:, np.newaxis])
    outputs = predicted(sources.reshape(-1, n_features)).reshape(len(coalitions), -1).mean(axis=1)
    total = np.zeros(n_features)
    np.add.at(total, orders, np.diff(outputs[number].reshape(is_present.shape[:2]), axis=1))
    return total / len(orders)


def _joined(explained, typical):
    """Return the rows of both, in this order."""
    if explained.are_cases:
        return rows_of([*explained.data, *typical.data])
    typical = typical.with_columns_of(explained).data
    is_frame = isinstance(typical, pd.DataFrame)
    return rows_of(pd.concat([explained.data, typical]) if is_frame else np.vstack([explained.data, typical]))


def _output_of(model, positive):
    """Return a function of X that gives the output of a fitted model to explain, (n_rows,), and its name."""
    if hasattr(model, "predict_proba"):
        classes = list(model.classes_)
        label = classes[-1] if positive is None else positive
        require(label in classes, shapley_values, "positive", f"one of {', '.join(map(str, classes))}", positive)
        return lambda X: model.predict_proba(X)[:, classes.index(label)], f"probability of {label}"
    method = "decision_function" if hasattr(model, "decision_function") else "predict"
    return lambda X: np.asarray(getattr(model, method)(X), dtype=float), method.replace("_function", " value")


def _require_fitted(model, way_out="first"):
    try:
        check_is_fitted(best_of(model))
    except NotFittedError:
        raise StudyError(f"The {type(model).__name__} is not fitted. Fit it{' ' * bool(way_out)}{way_out}.") from None


def _require_features_alone(model):
    """Raise StudyError for a model whose prediction depends on the batch of a case besides its features."""
    if any(offers(part, "check_split") for part in descendants(model)):
        raise StudyError(
            "Shapley values are of features, but a BatchHarmonizer makes its own of the batch of a case. Explain what "
            "comes after it: shapley_values(model[n:], model[:n].transform(X)) with its n first steps."
        )


def _losses(features, test, endpoint, together, options):
    """Return the losses (n_features, n_repeats) of the measure of the test rows by shuffling, and the measure itself.

    scikit-learn shuffles the columns of a table. Here the column of a feature that the model uses holds the numbers of
    the rows that it is taken from, together with its companions.
    """
    companions = _companions(features, together)
    tested = endpoint.take(test)
    unchanged = np.repeat(test[:, np.newaxis], len(features.names), axis=1)

    def measure(_, orders, y):
        sources = unchanged.copy()
        for column in np.flatnonzero((orders != test[:, np.newaxis]).any(axis=0)):
            sources[:, companions[column]] = orders[:, [column]]
        return tested.value(endpoint.score(features.model, features.taken(sources, test)).score)

    orders = unchanged[:, : len(companions)]
    losses = np.zeros((len(features.names), options["n_repeats"]))
    shuffled = permutation_importance(features.model, orders, tested.y, scoring=measure, n_jobs=1, **options)
    losses[features.used] = shuffled.importances
    return losses, measure(None, orders, None)


def _companions(features, together):
    """Return for each used feature the positions of the used features that are shuffled with it, itself included."""
    used = features.used
    if together is None:
        return list(used[:, np.newaxis])
    ranks = rankdata(features.values()[:, used], axis=0, nan_policy="omit")
    ranks = np.nan_to_num(ranks - np.nanmean(ranks, axis=0))
    norms = np.sqrt((ranks**2).sum(axis=0))
    ranks /= np.where(norms > 0, norms, 1)
    is_companion = np.abs(ranks.T @ ranks) >= together - 1e-12
    return [used[row] for row in is_companion]


def _sorted(table, endpoint, value):
    table = table.rename_axis("feature").sort_values(["importance", "used"], ascending=False, kind="stable")
    table.attrs = {"measure": endpoint.measure, "value": float(value)}
    return table
