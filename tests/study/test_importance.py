"""Importance of features: scikit-learn's numbers, equal for cases and tables; Shapley values by their definition."""

from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from radiodeep import (
    BatchHarmonizer,
    ClinicalColumns,
    CoxRegression,
    RadiomicsExtractor,
    ReliefF,
    RepeatableFeatures,
    extract_table,
    feature_importance,
    make_phantom_cohort,
    shapley_values,
    survival_outcomes,
)
from radiodeep.exceptions import InputError, LeakageError, StudyError

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(60, 5)), columns=list("abcde"), index=[f"c{row}" for row in range(60)])
Y = (X["b"] + 0.5 * X["d"] + 0.3 * RNG.normal(size=60) > 0).astype(int).to_numpy()
COHORT = make_phantom_cohort(20, random_state=0)
SHAPE = RadiomicsExtractor(families=["shape"])


def selecting():
    return make_pipeline(StandardScaler(), ReliefF(4), GaussianNB())


def test_it_is_the_permutation_importance_of_scikit_learn():
    model = LogisticRegression().fit(X[:30], Y[:30])
    own = feature_importance(model, X[30:], Y[30:], n_repeats=7, random_state=3)
    theirs = permutation_importance(model, X[30:], Y[30:], scoring="roc_auc", n_repeats=7, random_state=3)
    np.testing.assert_allclose(own.loc[X.columns, "importance"], theirs.importances_mean, atol=1e-12)
    np.testing.assert_allclose(own.loc[X.columns, "sd"], theirs.importances_std, atol=1e-12)
    assert own.index[0] == "b"
    assert own.attrs["measure"] == "AUC"
    of_array = feature_importance(LogisticRegression().fit(X[:30].to_numpy(), Y[:30]), X[30:].to_numpy(), Y[30:])
    assert set(of_array.index) == {"x0", "x1", "x2", "x3", "x4"}


def test_in_folds_it_is_the_mean_over_the_test_parts():
    splitter = StratifiedKFold(4, shuffle=True, random_state=0)
    own = feature_importance(LogisticRegression(), X, Y, splitter)
    folds = [
        permutation_importance(
            LogisticRegression().fit(X.iloc[train], Y[train]),
            X.iloc[test],
            Y[test],
            scoring="roc_auc",
            n_repeats=10,
            random_state=0,
        ).importances_mean
        for train, test in splitter.split(X, Y)
    ]
    np.testing.assert_allclose(own.loc[X.columns, "importance"], np.mean(folds, axis=0), atol=1e-12)
    np.testing.assert_allclose(own.loc[X.columns, "sd"], np.std(folds, axis=0, ddof=1), atol=1e-12)


def test_cases_give_what_their_table_gives():
    splitter = StratifiedKFold(4, shuffle=True, random_state=0)
    of_cases = feature_importance(make_pipeline(SHAPE, *selecting()), COHORT, COHORT.labels, splitter)
    of_table = feature_importance(selecting(), extract_table(SHAPE, COHORT), COHORT.labels, splitter)
    pd.testing.assert_frame_equal(of_cases, of_table)
    assert (of_cases.loc[of_cases["used"] == 0, "importance"] == 0).all()
    assert of_cases["used"].sum() == pytest.approx(4)
    assert of_cases.attrs["value"] == of_table.attrs["value"]


@pytest.mark.parametrize("wrap", ["search", "vote", "none"])
def test_a_fitted_model_over_cases_is_opened_wherever_its_extractor_is(wrap):
    model = make_pipeline(SHAPE, *selecting())
    if wrap == "search":
        model = GridSearchCV(model, {"relieff__n_features_to_select": [4]}, cv=2)
    if wrap == "vote":
        model = VotingClassifier([("a", model)], voting="soft")
    model.fit(COHORT[:12], COHORT.labels[:12])
    importance = feature_importance(model, COHORT[12:], COHORT.labels[12:])
    table = extract_table(SHAPE, COHORT)
    plain = selecting().fit(table[:12], COHORT.labels[:12])
    expected = feature_importance(plain, table[12:], COHORT.labels[12:])
    is_used = expected["used"] > 0
    if wrap == "vote":  # which names no features, so all are shuffled
        assert (importance["used"] == 1).all()
    else:
        np.testing.assert_allclose(importance.loc[expected.index, "importance"], expected["importance"], atol=1e-12)
    assert set(importance.index[importance["importance"] != 0]) <= set(expected.index[is_used])


def test_clinical_columns_and_filtered_features_are_features_as_well():
    cases = [
        case.replace(
            clinical={"age": 60 + 9 * case.label + row % 3, "sex": "fm"[row // 2 % 2]},
            repeats={"reader2": case.replace(mask=np.roll(case.roi, 1, axis=2))},
        )
        for row, case in enumerate(COHORT)
    ]
    extractor = RadiomicsExtractor(families=["shape", "firstorder"])
    model = make_pipeline(
        make_union(ClinicalColumns(["age", "sex"]), RepeatableFeatures(extractor)), StandardScaler(), Ridge()
    )
    grade = np.array(COHORT.labels) * 3 + np.arange(20) / 20
    importance = feature_importance(model, cases, grade, cv=4, outcome="numbers")
    assert importance.index[0] == "age"
    assert "sex_m" in importance.index
    assert "original_firstorder_10Percentile" not in importance.index  # never repeatable
    in_some_folds = importance[importance["used"].between(0.1, 0.9)]
    assert len(in_some_folds)
    assert (in_some_folds["importance"].abs() < 0.1).all()
    values = shapley_values(model.fit(cases, grade), cases[:3], cases)
    np.testing.assert_allclose(values.sum(axis=1) + values.attrs["base"], model.predict(cases[:3]))
    assert values.attrs["features"].loc[cases[0].id, "age"] == cases[0].clinical["age"]


def test_harmonized_features_of_cases_are_shuffled_with_the_batches_of_the_cases_kept():
    batches = pd.Series(np.repeat(["A", "B"], 10), index=[case.id for case in COHORT])
    model = make_pipeline(SHAPE, BatchHarmonizer(batches), StandardScaler(), LogisticRegression())
    table = extract_table(SHAPE, COHORT)
    of_table = feature_importance(model[1:].fit(table, COHORT.labels), table, COHORT.labels)
    model.set_output(transform="pandas").fit(COHORT, COHORT.labels)
    pd.testing.assert_frame_equal(feature_importance(model, COHORT, COHORT.labels), of_table)
    assert of_table["importance"].max() > 0.1


def test_shapley_values_of_harmonized_features_are_those_of_the_steps_that_follow():
    batches = pd.Series(np.repeat(["A", "B"], 30), index=X.index)
    model = make_pipeline(BatchHarmonizer(batches), SelectKBest(k=1), LogisticRegression()).fit(X, Y)
    with pytest.raises(StudyError, match="a BatchHarmonizer makes its own of the batch .* shapley_values.model.n:."):
        shapley_values(model, X)
    values = shapley_values(model[1:], model[:1].transform(X), n_permutations=1)
    np.testing.assert_allclose(values.sum(axis=1) + values.attrs["base"], model.predict_proba(X)[:, 1], rtol=1e-12)


def test_features_that_say_the_same_are_shuffled_together():
    table = X.assign(copy=2 * X["b"] + 1e-3 * X["a"])
    model = LogisticRegression().fit(table, Y)
    alone = feature_importance(model, table, Y)
    together = feature_importance(model, table, Y, together=0.95)
    assert alone.loc["b", "importance"] < 0.6 * together.loc["b", "importance"]
    assert together.loc["b", "importance"] == pytest.approx(together.loc["copy", "importance"], abs=0.05)
    assert together.loc["a", "importance"] == alone.loc["a", "importance"]


def test_numbers_and_survival_have_the_importance_of_their_measure():
    number = 2 * X["c"] + X["a"]
    model = LinearRegression().fit(X, number)
    importance = feature_importance(model, X, number.to_numpy())
    assert importance.index[:2].tolist() == ["c", "a"]
    assert importance.attrs["value"] == pytest.approx(spearmanr(number, model.predict(X)).statistic)
    outcomes = survival_outcomes(RNG.random(60) < 0.8, np.exp(-X["e"] + 0.1 * RNG.normal(size=60)))
    by_risk = feature_importance(CoxRegression(), X, outcomes, cv=4)
    assert by_risk.index[0] == "e"
    assert by_risk.attrs["measure"] == "C"
    risk = CoxRegression().fit(X, outcomes)
    values = shapley_values(risk, X)
    np.testing.assert_allclose(values.sum(axis=1) + values.attrs["base"], risk.predict(X))


def test_a_table_of_text_keeps_its_types():
    table = X[["a"]].assign(stage=pd.Categorical(np.where(Y, "II", "I")))

    def of_same_types(frame):
        assert frame.dtypes.equals(table.dtypes)
        return frame

    encoder = make_column_transformer((OneHotEncoder(), ["stage"]), ("passthrough", ["a"]))
    model = make_pipeline(FunctionTransformer(of_same_types), encoder, GaussianNB())
    assert feature_importance(model, table, Y, cv=3).index.tolist() == ["stage", "a"]
    values = shapley_values(model.fit(table, Y), table)
    assert ((values["stage"] > 0) == Y.astype(bool)).all()


def test_features_of_the_same_name_are_numbered():
    coarse, fine = (RadiomicsExtractor(families=["firstorder"], bin_count=count) for count in (4, 64))
    model = make_pipeline(make_union(coarse, fine), StandardScaler(), GaussianNB()).fit(COHORT, COHORT.labels)
    importance = feature_importance(model, COHORT, COHORT.labels, n_repeats=1)
    assert importance.index.is_unique
    assert {"original_firstorder_Entropy", "original_firstorder_Entropy (2)"} <= set(importance.index)


class OfVoxels(ClassifierMixin, BaseEstimator):
    """A classifier of cases without features."""

    def fit(self, cases, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, cases):
        return np.tile([0.5, 0.5], (len(cases), 1))


def test_what_has_no_importance_is_refused():
    with pytest.raises(StudyError, match="The GaussianNB is not fitted. Fit it or pass cv=5"):
        feature_importance(GaussianNB(), X, Y)
    with pytest.raises(StudyError, match="The GaussianNB is not fitted. Fit it first"):
        shapley_values(GaussianNB(), X)
    with pytest.raises(StudyError, match="shuffled among the test cases of a fold, which must be several"):
        feature_importance(GaussianNB(), X, Y, cv="leave-one-out")
    with pytest.raises(StudyError, match="OfVoxels has no features: it learns from the images themselves"):
        feature_importance(OfVoxels(), COHORT, COHORT.labels, cv=2)
    paired = [case.replace(patient=f"P{row // 2}") for row, case in enumerate(COHORT)]
    with pytest.raises(LeakageError, match="has cases on both sides of fold 0"):
        feature_importance(make_pipeline(SHAPE, GaussianNB()), paired, COHORT.labels, StratifiedKFold(4))
    with pytest.raises(InputError, match="'n_repeats' parameter of feature_importance must be an int >= 1. Got 0"):
        feature_importance(GaussianNB(), X, Y, cv=2, n_repeats=0)
    with pytest.raises(InputError, match="'together' parameter of feature_importance must be"):
        feature_importance(GaussianNB(), X, Y, cv=2, together=2)
    with pytest.raises(InputError, match="'n_permutations' parameter of shapley_values must be an int >= 1. Got 0"):
        shapley_values(GaussianNB(), X, n_permutations=0)
    with pytest.raises(InputError, match="'positive' parameter of shapley_values must be one of 0, 1. Got 2"):
        shapley_values(GaussianNB().fit(X, Y), X, positive=2)


def shapley_by_definition(predict, row, background):
    """Return the Shapley values of a row: a loop over all subsets of its features."""
    n = len(row)

    def value(present):
        changed = background.copy()
        changed[:, list(present)] = row[list(present)]
        return predict(changed).mean()

    values = np.zeros(n)
    for feature in range(n):
        others = [other for other in range(n) if other != feature]
        for size in range(n):
            for subset in combinations(others, size):
                values[feature] += (value((*subset, feature)) - value(subset)) / (n * comb(n - 1, size))
    return values


class Formula(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        probability = 0.5 + 0.02 * (2 * X[:, 0] + X[:, 1] * X[:, 2] - np.abs(X[:, 3]) * X[:, 0])
        return np.column_stack([1 - probability, probability])


def test_shapley_values_are_those_of_the_definition():
    values = X.to_numpy()
    formula = Formula().fit(values, Y)
    exact = shapley_values(formula, values[:3], values[20:40], n_permutations=1)  # pairs of features act together
    forest = RandomForestClassifier(10, random_state=0).fit(values, Y)
    sampled = shapley_values(forest, values[:3], values[20:40], n_permutations=300, positive=0)
    for row in range(3):
        expected = shapley_by_definition(lambda at: formula.predict_proba(at)[:, 1], values[row], values[20:40])
        np.testing.assert_allclose(exact.iloc[row], expected, atol=1e-12)
        expected = shapley_by_definition(lambda at: forest.predict_proba(at)[:, 0], values[row], values[20:40])
        np.testing.assert_allclose(sampled.iloc[row], expected, atol=0.005)
    assert exact.attrs["output"] == "probability of 1"
    assert sampled.attrs["output"] == "probability of 0"
    assert exact.attrs["base"] == pytest.approx(formula.predict_proba(values[20:40])[:, 1].mean())


def test_few_rows_at_once_change_no_value(monkeypatch):
    model = RandomForestClassifier(10, random_state=0).fit(X, Y)
    whole = shapley_values(model, X[:4])
    monkeypatch.setattr("radiodeep.study.importance._MOST_AT_ONCE", 999)
    pd.testing.assert_frame_equal(shapley_values(model, X[:4]), whole)


def test_only_used_features_have_shapley_values_and_add_up_to_the_prediction():
    model = make_pipeline(SHAPE, *selecting()).fit(COHORT, COHORT.labels)
    values = shapley_values(model, COHORT[:5], COHORT)
    assert values.columns.tolist() == [str(name) for name in model[:-1].get_feature_names_out()]
    assert values.index.tolist() == COHORT.ids[:5]
    expected = model.predict_proba(COHORT[:5])[:, 1]
    np.testing.assert_allclose(values.sum(axis=1) + values.attrs["base"], expected)
