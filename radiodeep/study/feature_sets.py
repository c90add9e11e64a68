"""Sets of features and one kind of model -> what each set predicts, and whether it is better than a reference set."""

import json
from dataclasses import dataclass, field

import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep.checks import did_you_mean, is_sequence
from radiodeep.exceptions import StudyError
from radiodeep.models.cox import CoxRegression
from radiodeep.study.description import describe
from radiodeep.study.design import StudyDesign
from radiodeep.study.endpoints.registry import kind_of_outcomes
from radiodeep.study.execution import cross_validate_tables
from radiodeep.study.folds.estimator_tree import is_estimator, kind_of, offers
from radiodeep.study.statistics.added_value import added_value_test
from radiodeep.study.statistics.comparison import compare_auc, holm

_SCORED = ("predict", "decision_function", "predict_proba")
_LISTED = ("columns", "families", "image_types", "image", "how")  # settings that list what is measured


@dataclass(frozen=True, eq=False)
class FeatureSetComparison:
    """What several sets of features predict, against one of them; `print` gives the sentences for the paper.

    Attributes
    ----------
    results : dict from name to StudyResult
    reference : str
    table : DataFrame
        A row per set: `value`, `low` and `high` of the measure, and against the reference `difference`,
        `difference_low` and `difference_high` (95 %), `p_value`, `p_holm` (corrected for the number of sets) and the
        `test`. The p value of nested sets is that of `added_value_test`; NaN where there is no valid test, and `test`
        says why.
    added_value : dict from name to AddedValue
        Of the nested sets.
    """

    results: dict = field(repr=False)
    reference: str
    table: pd.DataFrame
    added_value: dict = field(default_factory=dict, repr=False)

    @property
    def cv(self):
        """The split of the table: that of the companions if the results have no valid interval."""
        return next(iter(self.results.values())).primary.cv

    def differences(self):
        """Return the columns of the `table` about the reference with the names of a report."""
        measure = f"difference in {self.results[self.reference].endpoint.measure}"
        names = {"difference": measure, "difference_low": f"{measure} low", "difference_high": f"{measure} high"}
        names |= {"p_value": "p", "p_holm": "p, Holm", "test": "test"}
        return self.table.drop(self.reference)[list(names)].rename(columns=names).rename_axis("set")

    def __str__(self):
        lines = [f"{name}: {result.primary.sentence}" for name, result in self.results.items()]
        for name, row in self.table.drop(self.reference).iterrows():
            p = f"no p value: {row['test']}" if pd.isna(row["p_value"]) else f"p = {row['p_value']:.2g} ({row['test']})"
            lines.append(
                f"{name} against {self.reference}: difference {row['difference']:+.2f} (95% CI "
                f"{row['difference_low']:+.2f} to {row['difference_high']:+.2f}), {p}"
            )
        corrected = self.table["p_holm"].notna().sum() > 1
        return "\n  ".join([*lines, self.cv + (", p values before Holm's correction" if corrected else "")])


def compare_feature_sets(
    X,
    sets,
    y=None,
    model=None,
    cv=5,
    groups=None,
    n_jobs=None,
    *,
    reference=None,
    n_repeats=10,
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
    """Study one kind of model on several sets of features, and compare each set with a reference, e.g. clinical data.

    Parameters
    ----------
    X : Cohort, sequence of Case or DataFrame
    sets : dict from name to transformer, list of columns of a table, or model
        Transformers of cases, such as `ClinicalColumns`, `RadiomicsExtractor` or a `make_union` of both, are followed
        by `model`. What predicts by itself, such as a `Signature` or a whole pipeline, is studied as it is.
    y : array-like of shape (n_cases,), optional
        Outcomes of any kind; by default the labels of the cohort, or its survival if no case has a label.
    model : estimator, optional
        By default a `StandardScaler` and, for classes, ``LogisticRegression(C=0.1)``; for numbers
        ``Ridge(alpha=10)``; for survival ``CoxRegression(alpha=0.1)``: a ridge penalty that is the same for all sets.
    cv, groups, n_jobs, n_repeats, size, random_state, confidence_level, positive, on_error, cache_dir, centres
        As in `cross_validated_auc`.
    reference : str, optional
        The set that the others are compared with, chosen beforehand; the first by default.
    outcome, horizon
        As in `cross_validated_score`.

    Returns
    -------
    FeatureSetComparison

    Raises
    ------
    StudyError
        There are fewer than two sets, the reference is none of them, or as in `cross_validated_score`.

    Notes
    -----
    All sets have the same folds, and each image is read once for all of them. Sets without common features are compared
    by `compare_auc`. If one set is a part of the other (the same extractors, features or columns, in pipelines followed
    by the same steps), this test is invalid, and `added_value_test` takes its place, for two classes; of other outcomes
    only the difference and its interval are given.

    Examples
    --------
    >>> import radiodeep as rd
    >>> from sklearn.pipeline import make_union
    >>> cohort = rd.make_phantom_cohort(20, random_state=1)
    >>> cohort = rd.Cohort([case.replace(clinical={"age": 50 + n % 7}) for n, case in enumerate(cohort)])
    >>> clinical, shape = rd.ClinicalColumns(["age"]), rd.RadiomicsExtractor(families=["shape"])
    >>> sets = {"clinical": clinical, "shape": shape, "both": make_union(clinical, shape)}
    >>> compared = rd.compare_feature_sets(cohort, sets, cv=2, n_repeats=10)
    >>> compared.table.round(2)[["value", "difference", "p_value"]]
              value  difference  p_value
    clinical   0.41         NaN      NaN
    shape      0.83        0.41     0.08
    both       0.82        0.41     0.01
    """
    _check_sets(sets, reference, hasattr(X, "columns"))
    y = _outcomes(X, outcome) if y is None else y
    head = _head(kind_of_outcomes(y, outcome)) if model is None else model
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
    models = {name: _model_of(features, head) for name, features in sets.items()}
    results = cross_validate_tables([(models, X)], y, design)
    reference = reference or next(iter(sets))
    return compared_sets(results, reference, *nested_in(reference, sets))


def nested_in(reference, sets):
    """Return the names of the sets that contain the reference and more, and of those that it contains."""
    parts = {name: _parts(features) for name, features in sets.items()}
    larger = [name for name in sets if parts[name] > parts[reference]]
    return larger, [name for name in sets if parts[name] < parts[reference]]


def compared_sets(results, reference, larger=(), smaller=()):
    """Return the FeatureSetComparison of results with one of them.

    Nested sets are named: `larger` are those that contain the reference, `smaller` those that it contains.
    """
    rows, added_value = {}, {}
    for name, result in results.items():
        shown = result.primary
        bounds = shown.confidence_interval
        rows[name] = {"value": shown.value, "low": bounds.low, "high": bounds.high}
        if name == reference:
            continue
        comparison = compare_auc(result, results[reference])
        p_value, test = comparison.p_value, comparison.test
        if name in (*larger, *smaller):
            base, addition = (results[reference], result) if name in larger else (result, results[reference])
            added, test = _added_value(base, addition)
            p_value = float("nan") if added is None else added.p_value
            added_value |= {} if added is None else {name: added}
        bounds = comparison.confidence_interval
        rows[name] |= {
            "difference": comparison.difference,
            "difference_low": bounds.low,
            "difference_high": bounds.high,
        }
        rows[name] |= {"p_value": p_value, "test": test}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.insert(7, "p_holm", holm(table["p_value"]))
    return FeatureSetComparison(results, reference, table, added_value)


def _added_value(base, addition):
    """Return the AddedValue of nested sets and its test in words; None and the reason if there is no valid test."""
    if "added value" not in addition.endpoint.offers:
        return None, f"nested sets, and no test of added value for {addition.outcome}"
    if addition.centres is not None:
        return None, "nested sets, and no test of added value for centres"
    try:
        added = added_value_test(base, addition)
    except StudyError as error:  # of a base that separates the classes
        return None, f"nested sets, and no test of added value: {error}"
    return added, f"added value, {added.test}"


def _check_sets(sets, reference, is_table):
    if not isinstance(sets, dict) or len(sets) < 2:
        raise StudyError(f"The 'sets' must be a dict from names to two transformers or more. Got {sets!r:.200}.")
    for name, features in sets.items():
        if not is_estimator(features) and not _is_columns(features):
            raise StudyError(
                f"The set {name!r} must be a transformer of cases, a list of columns or a model. Got {features!r:.200}."
            )
        if _is_columns(features) and not is_table:
            raise StudyError(
                f"The set {name!r} lists columns, which only a DataFrame has. For cases take ClinicalColumns or an "
                "extractor, and join sets by make_union."
            )
    if reference is not None and reference not in sets:
        raise StudyError(
            f"The 'reference' must be one of {', '.join(map(str, sets))}. Got {reference!r}."
            f"{did_you_mean(reference, sets)}"
        )


def _outcomes(X, outcome):
    """Return the labels of a cohort, or its survival if that is asked for or no case has a label."""
    if not hasattr(type(X), "survival"):
        raise StudyError(f"The outcomes of a {type(X).__name__} are unknown. Pass y.")
    has_labels = any(case.label is not None for case in X)
    return X.labels if has_labels and outcome != "survival" else X.survival


def _head(kind):
    last = {"numbers": Ridge(alpha=10.0), "survival": CoxRegression(alpha=0.1)}
    return make_pipeline(StandardScaler(), last.get(kind, LogisticRegression(C=0.1, max_iter=1000)))


def _model_of(features, head):
    """Return a set of features as a model: followed by the head unless it predicts by itself."""
    if _is_columns(features):
        features = make_column_transformer(("passthrough", list(features)), verbose_feature_names_out=False)
    elif any(offers(features, method) for method in _SCORED):
        return features
    return make_pipeline(clone(features), clone(head))


def _is_columns(features):
    return is_sequence(features) and all(isinstance(name, str) for name in features)


def _parts(features):
    """Return what a set measures as texts: a text for each fact, feature and image; those of a model are in no other.

    A part of a pipeline names the steps that follow, so that only pipelines with equal ones are nested.
    """
    if _is_columns(features):
        return {_text(name) for name in features}
    kind = kind_of(features)
    if kind == "union":
        return set().union(*(_parts(part) for _, part in features.transformer_list if is_estimator(part)))
    if kind == "chain" and is_estimator(features[0]):
        following = _text([describe(step) if is_estimator(step) else step for _, step in features.steps[1:]])
        return {part + following for part in _parts(features[0])}
    if kind == "columns" and features.remainder == "drop":
        return set().union(*(_parts_of_columns(part, names) for _, part, names in features.transformers))
    if any(offers(features, method) for method in _SCORED):
        return {f"model {id(features)}"}
    settings = describe(features)
    settings.pop("kinds", None)  # how a fact is read, which makes it no other one
    extractor = getattr(features, "extractor", None)
    measured = _parts(extractor) if is_estimator(extractor) else {""}
    parts = [settings | {"extractor": inner} for inner in measured] if is_estimator(extractor) else [settings]
    for name in _LISTED:
        given = settings[name] if type(settings.get(name)) is list else [settings.get(name)]
        listed = [item for item in given if type(item) is not bool]  # which says how columns of images are called
        parts = [part | {name: item} for part in parts for item in listed]
    return {_text(part) for part in parts}


def _parts_of_columns(transformer, names):
    """Return the parts of a transformer of some columns of a table; those that are passed on are the columns."""
    names = list(names) if _is_columns(names) else [str(names)]
    if is_estimator(transformer):
        return {_text([describe(transformer), name]) for name in names}
    return _parts(names) if transformer == "passthrough" else set()


def _text(value):
    return json.dumps(value, sort_keys=True)
