"""Weka's naive Bayes against its own probabilities; its forest and SMO by name."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from radiodeep import (
    MDLDiscretizer,
    ReliefF,
    SymmetricUncertainty,
    WekaNaiveBayes,
    weka_random_forest,
    weka_smo,
)
from radiodeep.exceptions import InputError, SingleClassError

RELIEFF = ReliefF(10, tie_order="weka")
UNCERTAINTY = SymmetricUncertainty(10, threshold=None, tie_order="weka")


@parametrize_with_checks([WekaNaiveBayes(), WekaNaiveBayes(MDLDiscretizer("cases"))])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("table", "golden", "model"),
    [
        ("b80_wdbc", "nb", WekaNaiveBayes()),
        ("b80_wdbc", "nb_D", WekaNaiveBayes(MDLDiscretizer("cases"))),
        ("b80_wdbc", "relieff10_nb", make_pipeline(RELIEFF, WekaNaiveBayes())),
        ("b80_wdbc", "su10_nb", make_pipeline(UNCERTAINTY, WekaNaiveBayes())),
        ("c_synth2", "c_nb", WekaNaiveBayes()),
        ("c_synth2", "c_relieff10_nb", make_pipeline(RELIEFF, WekaNaiveBayes())),
        ("c_synth2", "c_su10_nb", make_pipeline(UNCERTAINTY, WekaNaiveBayes())),
    ],
)
def test_leave_one_out_probabilities_are_wekas(reference_data, table, golden, model):
    frame = pd.read_csv(reference_data / "weka_golden" / f"{table}.csv", na_values="?")
    golden = pd.read_csv(reference_data / "weka_golden" / "loo" / f"weka39_{golden}.csv")
    X, y = frame.iloc[:, :-1].to_numpy(float), frame.iloc[:, -1].to_numpy()
    first = golden["actual"][golden["p_class0"] > 0.5].mode()[0]
    probabilities = np.empty(len(y))
    for case in range(len(y)):
        fitted = model.fit(np.delete(X, case, 0), np.delete(y, case))
        probabilities[case] = fitted.predict_proba(X[[case]])[0, list(fitted.classes_).index(first)]
    np.testing.assert_allclose(probabilities, golden["p_class0"], rtol=0, atol=1e-12)


def test_log_odds_tell_cases_apart_whose_probability_is_one():
    X = np.array([[0.0], [1.0], [2.0], [1000.0], [1001.0], [1002.0]])
    model = WekaNaiveBayes().fit(X, [0, 0, 0, 1, 1, 1])
    tested = [[700.0], [1001.0]]
    assert model.predict_proba(tested)[:, 1].tolist() == [1.0, 1.0]
    assert model.decision_function(tested)[0] != model.decision_function(tested)[1]


def test_missing_values_are_left_out():
    X = np.array([[0.0, np.nan], [1.0, np.nan], [8.0, 5.0], [9.0, 6.0]])
    for discretizer in (None, MDLDiscretizer()):
        model = WekaNaiveBayes(discretizer).fit(X, [0, 0, 1, 1])
        np.testing.assert_allclose(model.predict_proba([[np.nan, np.nan]]), [[0.5, 0.5]])
    assert WekaNaiveBayes().fit(X, [0, 0, 1, 1]).predict([[0.5, np.nan]]) == [0]


def test_one_class_is_refused():
    with pytest.raises(SingleClassError, match="Got one class, 7, in all 3 training cases"):
        WekaNaiveBayes().fit(np.zeros((3, 1)), [7, 7, 7])


def test_the_forest_looks_at_as_many_features_as_wekas():
    assert [weka_random_forest(n).max_features for n in (1, 2, 7, 8, 4096)] == [1, 2, 3, 4, 13]
    assert weka_random_forest(10).n_estimators == 200
    with pytest.raises(InputError, match="must be an int >= 1. Got 0"):
        weka_random_forest(0)


def test_smo_gives_the_labels_of_weka(reference_data):
    frame = pd.read_csv(reference_data / "weka_golden" / "b80_wdbc.csv")
    golden = pd.read_csv(reference_data / "weka_golden" / "loo" / "weka39_smo_logistic.csv")
    X, y = frame.iloc[:, :-1].to_numpy(float), frame.iloc[:, -1].to_numpy()
    first = golden["actual"][golden["p_class0"] > 0.5].mode()[0]
    said_first = [weka_smo().fit(np.delete(X, n, 0), np.delete(y, n)).predict(X[[n]])[0] == first for n in range(80)]
    assert np.mean(said_first == (golden["p_class0"] > 0.5)) > 0.97  # -M fits a logistic curve over the labels
