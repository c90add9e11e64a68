"""Repeated folds, pairs, what stands beside, and the size of the region."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.stats import rankdata
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneOut,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import (
    RadiomicsExtractor,
    ReliefF,
    WekaNaiveBayes,
    compare_auc,
    cross_validate_models,
    cross_validated_auc,
    make_phantom_cohort,
)
from radiodeep.exceptions import LeakageError, StudyError


def table(n_cases=40, n_features=30, effect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    X = rng.normal(size=(n_cases, n_features)) + effect * y[:, None] * (np.arange(n_features) < 3)
    return pd.DataFrame(X, columns=[f"f{n}" for n in range(n_features)], index=[f"case {n}" for n in range(n_cases)]), y


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


def test_repeated_folds_stand_beside_leave_one_out():
    X, y = table()
    result = cross_validated_auc(LogisticRegression(), X, y)
    assert (result.cv, result.beside.cv) == ("leave-one-out", "2-fold, 50 repeats")
    alone = cross_validated_auc(LogisticRegression(), X, y, cv=2, n_repeats=50)
    np.testing.assert_allclose(result.beside.auc, alone.auc)
    assert alone.beside is None
    assert "leave-one-out: AUC" in str(result)


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
    serial, parallel = (cross_validated_auc(model, X, y, n_jobs=n_jobs) for n_jobs in (None, 2))
    array = cross_validated_auc(model, X.to_numpy(), y)
    pd.testing.assert_frame_equal(serial.predictions, parallel.predictions)
    np.testing.assert_array_equal(serial.scores, array.scores)
    np.testing.assert_array_equal(serial.beside.scores, parallel.beside.scores)


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
    assert cross_validated_auc(GaussianNB(), X, y, cv=LeaveOneOut()).beside.cv == "2-fold, 50 repeats"
    with pytest.raises(StudyError, match="'random_state' parameter of a study must be an int >= 0"):
        cross_validated_auc(GaussianNB(), X, y, cv=4, random_state=None)
    with pytest.raises(StudyError, match="4 folds need as many patients. Got 3"):
        cross_validated_auc(GaussianNB(), X, y, cv=4, groups=np.arange(20) % 3)


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
        (np.zeros(6), [0, 1] * 3, "Got ndarray of shape .6,.; take X.reshape"),
        (pd.Series(np.zeros(6)), [0, 1] * 3, "Got Series of shape .6,."),
        (csr_array(np.eye(6)), [0, 1] * 3, "X.toarray.. of a sparse matrix"),
        (np.zeros((6, 2)), np.array(["a", 1] * 3, dtype=object), "The labels are of several types"),
    ],
)
def test_inputs_that_are_not_tables_or_labels_are_refused(X, y, message):
    with pytest.raises(StudyError, match=message):
        cross_validated_auc(GaussianNB(), X, y, cv=2)
    with pytest.raises(StudyError, match="must be a dict from names to estimators"):
        cross_validate_models([GaussianNB()], np.zeros((6, 2)), [0, 1] * 3)
