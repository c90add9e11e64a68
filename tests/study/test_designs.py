"""Repeated folds, pairs, what stands beside, and the size of the region."""

import numpy as np
import pandas as pd
import pytest
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from imblearn.under_sampling import RandomUnderSampler
from scipy.sparse import csr_array
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneOut,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from radiodeep import (
    RadiomicsExtractor,
    ReliefF,
    SymmetricUncertainty,
    WekaNaiveBayes,
    compare_auc,
    cross_validate_models,
    cross_validated_auc,
    make_phantom_cohort,
)
from radiodeep.exceptions import LeakageError, StudyError
from radiodeep.study.description import without_prefixes
from radiodeep.study.folds.shared_extraction import over_positions
from radiodeep.study.folds.shared_selection import GivenScores, shared_scores, with_given_scores


def table(n_cases=40, n_features=30, effect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    X = rng.normal(size=(n_cases, n_features)) + effect * y[:, None] * (np.arange(n_features) < 3)
    return pd.DataFrame(X, columns=[f"f{n}" for n in range(n_features)], index=[f"case {n}" for n in range(n_cases)]), y


def models_over_rows(model, X):
    shared = over_positions({"model": model}, X)
    return shared.models, shared.rows


def test_repeated_folds_give_the_mean_auc_of_the_repeats():
    X, y = table()
    result = cross_validated_auc(LogisticRegression(), X, y, cv=5, n_repeats=3, random_state=4)
    aucs = []
    for repeat in range(3):
        folds = StratifiedKFold(5, shuffle=True, random_state=4 + repeat)
        scores = cross_val_predict(LogisticRegression(), X, y, cv=folds, method="decision_function")
        np.testing.assert_allclose(result.scores[repeat], scores, rtol=1e-6)
        aucs.append(roc_auc_score(y, scores))
    np.testing.assert_allclose(result.auc, np.mean(aucs))
    assert (result.cv, result.estimate) == ("5-fold, 3 repeats", "mean of 3 repeats")
    assert result.folds["repeat"].tolist() == [0] * 5 + [1] * 5 + [2] * 5


def test_a_splitter_of_scikit_learn_may_repeat():
    X, y = table()
    splitter = RepeatedStratifiedKFold(n_splits=4, n_repeats=2, random_state=0)
    result = cross_validated_auc(GaussianNB(), X, y, cv=splitter)
    assert (result.estimate, len(result.folds)) == ("mean of 2 repeats", 8)


def test_repeated_folds_stand_beside_leave_one_out():
    X, y = table()
    result = cross_validated_auc(LogisticRegression(), X, y)
    assert (result.cv, result.beside.cv) == ("leave-one-out", "10-fold, 5 repeats")
    alone = cross_validated_auc(LogisticRegression(), X, y, cv=10)
    np.testing.assert_allclose(result.beside.auc, alone.auc)
    assert alone.beside is None
    assert "leave-one-out is biased low; 10-fold, 5 repeats: AUC" in str(result)


def test_leave_one_out_is_biased_low_where_nothing_is_learned_and_the_others_are_not():
    X, y = table(effect=0)
    prior = DummyClassifier(strategy="prior")
    result = cross_validated_auc(prior, X, y)
    assert result.auc == 0.0
    assert result.beside.auc == 0.5
    assert cross_validated_auc(prior, X, y, cv="leave-pair-out").auc == 0.5


def test_leave_pair_out_is_the_fraction_of_pairs_in_the_right_order():
    X, y = table(16)
    result = cross_validated_auc(GaussianNB(), X, y, cv="leave-pair-out")
    wins = []
    for negative in np.flatnonzero(y == 0):
        for positive in np.flatnonzero(y == 1):
            left = [case for case in range(16) if case not in (negative, positive)]
            model = GaussianNB().fit(X.iloc[left], y[left])
            joint = model.predict_joint_log_proba(X.iloc[[negative, positive]])
            low, high = joint[:, 1] - joint[:, 0]
            wins.append(high > low)
    np.testing.assert_allclose(result.auc, np.mean(wins))
    assert len(result.folds) == 64
    assert result.estimate == "mean over pairs"
    other = cross_validated_auc(LogisticRegression(), X, y, cv="leave-pair-out")
    assert 0 < compare_auc(result, other).p_value <= 1
    with pytest.raises(StudyError, match="Compare results of the same split"):
        compare_auc(cross_validated_auc(GaussianNB(), X, y, cv=4), cross_validated_auc(GaussianNB(), X, y))


def test_pairs_of_patients_leave_all_their_cases_out():
    X, y = table(12)
    patients = np.array([f"P{number // 4}" for number in range(12)])
    result = cross_validated_auc(GaussianNB(), X, y, cv="leave-pair-out", groups=patients)
    for fold in result.folds.itertuples():
        tested = {patients[int(name.split()[1])] for name in fold.test_ids}
        assert fold.n_train == 12 - 4 * len(tested)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(ReliefF(5), GaussianNB()),
        make_pipeline(StandardScaler(), ReliefF(5), SVC()),
        make_pipeline(SymmetricUncertainty(5, threshold=None), GaussianNB()),
        make_pipeline(make_union(make_pipeline(StandardScaler(), ReliefF(4)), ReliefF(3)), GaussianNB()),
        make_pipeline(make_pipeline("passthrough", ReliefF(4), StandardScaler()), LogisticRegression()),
    ],
    ids=["plain", "scaled", "uncertainty", "union", "nested"],
)
def test_shared_selection_gives_the_predictions_of_separate_fits(model):
    X, y = table(30, 60)
    shared, rows = models_over_rows(model, X)
    assert shared_scores(shared["model"], rows, y, None, {})
    result = cross_validated_auc(model, X, y)
    method = "decision_function" if hasattr(model[-1], "decision_function") else "predict_proba"
    plainly = cross_val_predict(model, X, y, cv=LeaveOneOut(), method=method)
    found = result.predictions["score" if plainly.ndim == 1 else "probability"]
    np.testing.assert_allclose(found, plainly if plainly.ndim == 1 else plainly[:, 1], rtol=1e-6, atol=1e-12)
    for fold, names in enumerate(result.folds["selected_features"]):
        fitted = model.fit(X.drop(index=X.index[fold]), np.delete(y, fold))
        expected = [name.rsplit("__", 1)[-1] for name in fitted[:-1].get_feature_names_out()]
        assert [name.rsplit("__", 1)[-1] for name in names] == expected


def test_selection_of_cases_is_shared_after_extraction():
    cohort = make_phantom_cohort(14, random_state=3)
    model = make_pipeline(RadiomicsExtractor(families=["glcm"]), StandardScaler(), ReliefF(3), GaussianNB())
    shared, rows = models_over_rows(model, cohort)
    scores = shared_scores(shared["model"], rows, cohort.labels, None, {})
    assert [rows.shape for rows in scores.values()] == [(14, 24)]
    given = with_given_scores(shared["model"], {path: rows[0] for path, rows in scores.items()})
    assert isinstance(given[0], GivenScores)


def test_nothing_is_shared_after_a_step_that_learns():
    X, y = table()
    sampling = make_sampling_pipeline(SMOTE(random_state=0), ReliefF(5), GaussianNB())
    selected_twice = make_pipeline(SymmetricUncertainty(20, threshold=None), ReliefF(5), GaussianNB())
    for model, n_shared in ((sampling, 0), (selected_twice, 1)):
        shared, rows = models_over_rows(model, X)
        assert len(shared_scores(shared["model"], rows, y, None, {})) == n_shared


def test_tuning_inside_the_folds_keeps_the_log_odds_and_names():
    X, y = table(60)
    search = GridSearchCV(make_pipeline(ReliefF(), GaussianNB()), {"relieff__n_features_to_select": [2, 5]}, cv=3)
    result = cross_validated_auc(search, X, y, cv=3, n_repeats=1)
    assert {len(names) for names in result.folds["selected_features"]} <= {2, 5}
    assert result.scores.to_numpy().min() < 0


def test_models_that_resample_do_so_inside_the_folds():
    X, y = table(60, 10)
    keep = np.flatnonzero((y == 0) | (np.arange(60) % 6 == 1))
    X, y = X.iloc[keep], y[keep]  # 30 against 10
    models = {
        "smote": make_sampling_pipeline(
            StandardScaler(), SMOTE(k_neighbors=3, random_state=0), ReliefF(3), GaussianNB()
        ),
        "under": make_sampling_pipeline(RandomUnderSampler(random_state=0), LogisticRegression()),
        "balanced forest": BalancedRandomForestClassifier(20, random_state=0),
    }
    for name, result in cross_validate_models(models, X, y, cv=5, n_repeats=2).items():
        assert result.auc > 0.6, name
    outside, labels = SMOTE(k_neighbors=3, random_state=0).fit_resample(X, y)
    assert len(outside) > len(X)
    assert (np.bincount(labels) == 30).all()


def test_how_much_alike_the_folds_selected_is_told():
    X, y = table(40, 200, effect=2.0)
    steady = cross_validated_auc(make_pipeline(ReliefF(3), GaussianNB()), X, y)
    assert steady.stability.kuncheva > 0.8
    noise = cross_validated_auc(make_pipeline(ReliefF(3), GaussianNB()), *table(40, 200, effect=0), cv=4)
    assert noise.stability.kuncheva < 0.6
    assert noise.stability.n_candidates == 200
    assert cross_validated_auc(GaussianNB(), X, y, cv=4).stability is None


def test_processes_and_the_way_of_the_table_do_not_change_a_study():
    X, y = table(30, 60)
    model = make_pipeline(StandardScaler(), ReliefF(5), GaussianNB())
    one, two = (cross_validated_auc(model, X, y, n_jobs=n_jobs) for n_jobs in (None, 2))
    array = cross_validated_auc(model, X.to_numpy(), y)
    pd.testing.assert_frame_equal(one.predictions, two.predictions)
    np.testing.assert_array_equal(one.scores, array.scores)
    np.testing.assert_array_equal(one.beside.scores, two.beside.scores)


def test_models_with_and_without_a_scaler_do_not_share_scores():
    X, y = table(30, 20)
    X["f0"] *= 1e-8  # constant for ReliefF as it is, and not after scaling
    plain, scaled = make_pipeline(ReliefF(1), GaussianNB()), make_pipeline(StandardScaler(), ReliefF(1), GaussianNB())
    results = cross_validate_models({"plain": plain, "scaled": scaled}, X, y)
    for name, model in (("plain", plain), ("scaled", scaled)):
        alone = cross_validated_auc(model, X, y)
        np.testing.assert_array_equal(results[name].scores, alone.scores)
        for fold, names in enumerate(results[name].folds["selected_features"]):
            fitted = model.fit(X.drop(index=X.index[fold]), np.delete(y, fold))
            assert names == list(fitted[:-1].get_feature_names_out())


def test_scores_that_leave_the_choice_open_are_not_used():
    X, y = table(20, 6)
    X["copy"] = 1 - X["f0"]  # the same score to the last digits
    model = make_pipeline(ReliefF(1), GaussianNB())
    shared, rows = models_over_rows(model, X)
    scores = {path: rows[0] for path, rows in shared_scores(shared["model"], rows, y, None, {}).items()}
    ((path, row),) = scores.items()
    row[[0, 6]] = 1.0, 1.0 - 1e-14
    assert not any(
        isinstance(step, GivenScores) for step in with_given_scores(shared["model"], {path: row}).named_steps.values()
    )


@pytest.mark.parametrize(
    "scaler",
    [MinMaxScaler(clip=True), MinMaxScaler((0, 1e-8)), StandardScaler(with_std=False), StandardScaler(with_mean=False)],
)
def test_scalers_that_do_more_or_less_are_not_shared(scaler):
    X, y = table(20, 6)
    shared, rows = models_over_rows(make_pipeline(scaler, ReliefF(1), GaussianNB()), X)
    assert not shared_scores(shared["model"], rows, y, None, {})


def test_of_repeats_and_pairs_one_row_stands_for_each_case():
    X, y = table(24, 5, effect=0.7)
    repeated = cross_validated_auc(GaussianNB(), X, y, cv=4, n_repeats=3)
    ranks = (rankdata(repeated.scores, axis=0).mean(axis=1) - 0.5) / 24
    np.testing.assert_allclose(repeated.predictions["score"], ranks)
    votes = (repeated.scores > 0).mean(axis=1)
    np.testing.assert_array_equal(repeated.predictions["prediction"], (votes > 0.5).astype(int))
    np.testing.assert_allclose(repeated.accuracy, ((repeated.scores > 0).to_numpy() == (y == 1)[:, None]).mean())
    few = X.iloc[:18], np.repeat([0, 1], [12, 6])
    pairs = cross_validated_auc(GaussianNB(), *few, cv="leave-pair-out")
    np.testing.assert_allclose(pairs.predictions["score"][12:], pairs.pairs.mean(axis=0))
    np.testing.assert_allclose(pairs.predictions["score"][:12], 1 - pairs.pairs.mean(axis=1))


def test_a_model_that_names_columns_gets_the_table():
    X, y = table(60, 4)
    X["f3"] = np.arange(60) % 3
    model = HistGradientBoostingClassifier(categorical_features=["f3"], max_iter=5)
    assert cross_validated_auc(model, X, y, cv=3, n_repeats=1).auc > 0.5


def test_a_search_over_tables_has_no_stability_and_does_not_end_the_study():
    cohort = make_phantom_cohort(16, random_state=5)
    model = make_pipeline(RadiomicsExtractor(families=["glcm"]), ReliefF(12), GaussianNB())
    search = GridSearchCV(model, {"radiomicsextractor__families": [["glcm"], ["firstorder"]]}, cv=2)
    result = cross_validated_auc(search, cohort, cohort.labels, cv=4, n_repeats=2, size=None)
    families = {name.split("_")[1] for names in result.folds["selected_features"] for name in names}
    assert result.stability is None or len(families) == 1


def test_a_splitter_that_leaves_one_out_has_folds_beside_too():
    X, y = table(20)
    assert cross_validated_auc(GaussianNB(), X, y, cv=LeaveOneOut()).beside.cv == "10-fold, 5 repeats"
    with pytest.raises(StudyError, match="'random_state' parameter must be an int >= 0"):
        cross_validated_auc(GaussianNB(), X, y, cv=4, random_state=None)
    with pytest.raises(StudyError, match="4 folds need as many patients. Got 3"):
        cross_validated_auc(GaussianNB(), X, y, cv=4, groups=np.arange(20) % 3)


def test_a_case_on_both_sides_and_a_missing_patient_are_refused():
    class Leaky:
        def split(self, X, y=None, groups=None):
            for first in range(4):
                yield np.arange(len(y)), np.arange(first, len(y), 4)

    X, y = table(20)
    with pytest.raises(LeakageError, match="Case 'case 0' is on both sides of fold 0"):
        cross_validated_auc(GaussianNB(), X, y, cv=Leaky())
    with pytest.raises(StudyError, match="20 of 20 groups are missing"):
        cross_validated_auc(GaussianNB(), X, y, cv="leave-pair-out", groups=np.full(20, np.nan))
    with pytest.raises(StudyError, match="20 cases and 3 groups"):
        cross_validated_auc(GaussianNB(), X, y, groups=["a", "b", "c"])


def test_groups_may_be_a_series_in_any_order_and_folds_may_be_masks():
    X, y = table(20)
    patients = pd.Series(np.arange(20) // 2, index=X.index)
    plain = cross_validated_auc(GaussianNB(), X, y, cv=3, groups=patients.to_numpy())
    series = cross_validated_auc(GaussianNB(), X, y, cv=3, groups=patients[::-1])
    np.testing.assert_array_equal(series.scores, plain.scores)

    class Masks:
        def split(self, X, y=None, groups=None):
            for first in range(4):
                test = np.arange(len(X)) % 4 == first
                yield ~test, test

    assert cross_validated_auc(GaussianNB(), X, y, cv=Masks()).folds["n_test"].tolist() == [5] * 4


def test_extractors_that_differ_in_a_long_array_are_told_apart():
    class Weighted(TransformerMixin, BaseEstimator):
        def __init__(self, weights=None):
            self.weights = weights

        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return np.asarray(X, float) @ self.weights[:, None]

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.requires_fit = False
            return tags

    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    cases = rng.normal(size=(30, 3000))
    cases[:, 1500] += 5 * y
    models = {
        name: make_pipeline(Weighted(np.eye(3000)[column]), GaussianNB())
        for name, column in (("good", 1500), ("bad", 1600))
    }
    results = cross_validate_models(models, list(cases), y, cv=5, n_repeats=1)
    assert results["good"].auc == 1 > results["bad"].auc


def test_what_a_selector_kept_is_named_and_not_what_was_made_of_it():
    X, y = table(40, 8)
    made = cross_validated_auc(make_pipeline(ReliefF(4), PCA(2), GaussianNB()), X, y, cv=4)
    assert all(len(names) == 4 and set(names) <= set(X.columns) for names in made.folds["selected_features"])
    assert without_prefixes([["u__a", "v__b"], None, ["u__a"]]) == [["a", "b"], None, ["a"]]
    assert without_prefixes([["CT__mean"], ["PET__mean"]]) == [["CT__mean"], ["PET__mean"]]


def test_samplers_before_a_classifier_without_decision_values():
    X, y = table(40)
    model = make_sampling_pipeline(StandardScaler(), SMOTE(random_state=0), GaussianNB())
    assert cross_validated_auc(model, X, y, cv=4, n_repeats=1).auc > 0.6


def test_rows_of_one_name_need_one_group_and_may_have_a_size():
    X, y = table(20)
    X.index = [f"case {number // 2}" for number in range(20)]
    with pytest.raises(LeakageError, match="Case 'case 0' comes twice, in rows 0 and 1"):
        cross_validated_auc(GaussianNB(), X, y, cv=4)
    result = cross_validated_auc(GaussianNB(), X, y, cv=4, groups=X.index, size=np.arange(1, 21))
    assert result.size_alone is not None


def test_missing_values_of_pandas_own_kind():
    X, y = table(30, 4)
    X.iloc[3, 2] = np.nan
    model = make_pipeline(ReliefF(2), WekaNaiveBayes())
    plain = cross_validated_auc(model, X, y, cv=4, n_repeats=1)
    nullable = cross_validated_auc(model, X.astype("Float64"), y, cv=4, n_repeats=1)
    np.testing.assert_array_equal(nullable.scores, plain.scores)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros(6), [0, 1] * 3, "Got ndarray of shape .6,.; of one feature take"),
        (pd.Series(np.zeros(6)), [0, 1] * 3, "Got Series of shape .6,."),
        (csr_array(np.eye(6)), [0, 1] * 3, "of a sparse matrix X.toarray"),
        (np.zeros((6, 2)), np.array(["a", 1] * 3, dtype=object), "The labels are of several types"),
    ],
)
def test_inputs_that_are_not_tables_or_labels_are_refused(X, y, message):
    with pytest.raises(StudyError, match=message):
        cross_validated_auc(GaussianNB(), X, y, cv=2)
    with pytest.raises(StudyError, match="must be a dict from names to estimators"):
        cross_validate_models([GaussianNB()], np.zeros((6, 2)), [0, 1] * 3)
