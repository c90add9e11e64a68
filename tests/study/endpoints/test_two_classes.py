"""Labels of two classes: what is accepted, scored and measured."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from radiodeep import auc_with_confidence, bootstrap_auc, compare_auc, cross_validated_auc, permutation_test
from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.study.endpoints.endpoint import OutOfFold
from radiodeep.study.endpoints.two_classes import TwoClasses
from radiodeep.study.statistics.auc import auc_of_repeats
from radiodeep.study.statistics.uncertainty import interval_of_proportion


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


@pytest.mark.parametrize("cv", ["leave-one-out", 4, "leave-pair-out"])
@pytest.mark.parametrize("model", [GaussianNB(), RandomForestClassifier(3, random_state=0), SVC()])
def test_the_other_class_as_the_positive_one_turns_scores_round(model, cv):
    X, y = table(20)
    labels = np.where(y == 1, "malignant", "normal")
    last, first = (
        cross_validated_auc(model, X, labels, cv, n_repeats=1, positive=name) for name in (None, "malignant")
    )
    assert (last.positive, first.positive) == ("normal", "malignant")
    np.testing.assert_allclose(first.auc, last.auc)
    np.testing.assert_allclose(first.confidence_interval.low, last.confidence_interval.low)
    np.testing.assert_allclose(first.predictions["probability"], 1 - last.predictions["probability"])
    np.testing.assert_allclose(
        roc_auc_score(labels == "malignant", first.predictions["score"].round(9)),
        roc_auc_score(labels == "normal", last.predictions["score"].round(9)),
    )
    assert str(first).endswith("  positive class: malignant")
    with pytest.raises(StudyError, match="One result is about class 'normal', the other about 'malignant'"):
        compare_auc(last, first)
    assert compare_auc(first, first).p_value == 1


def test_labels_in_a_column_of_objects_are_taken_as_what_they_are():
    X, y = table()
    plain = cross_validated_auc(GaussianNB(), X, y, cv=5)
    for labels in (y.astype(object), y.astype(bool).astype(object), y.map({0: "a", 1: "b"}).astype(object)):
        np.testing.assert_array_equal(cross_validated_auc(GaussianNB(), X, labels, cv=5).scores, plain.scores)


def fitted(model, X, y):
    return model.fit(X, y)


@pytest.mark.parametrize("positive", [0, 1])
def test_scores_are_decision_values_or_log_odds_or_probabilities_of_the_positive_class(positive):
    X, y = table(30)
    endpoint = TwoClasses(y, positive)
    sign = 1 if positive == 1 else -1
    svc = SVC().fit(X, y)
    scored = endpoint.score(svc, X)
    np.testing.assert_array_equal(scored.score, sign * svc.decision_function(X))
    assert np.isnan(scored.probability).all()
    np.testing.assert_array_equal(scored.prediction, svc.predict(X))
    bayes = GaussianNB().fit(X, y)
    joint = bayes.predict_joint_log_proba(X)
    np.testing.assert_array_equal(endpoint.score(bayes, X).score, sign * (joint[:, 1] - joint[:, 0]))
    np.testing.assert_array_equal(endpoint.score(bayes, X).probability, bayes.predict_proba(X)[:, positive])
    forest = RandomForestClassifier(3, random_state=0).fit(X, y)
    np.testing.assert_array_equal(endpoint.score(forest, X).score, forest.predict_proba(X)[:, positive])
    with pytest.raises(StudyError, match="Ridge has neither predict_proba nor decision_function, so it has no AUC"):
        endpoint.score(Ridge().fit(X, y), X)


class Reversed(GaussianNB):
    """A classifier whose classes are not in the order in which they sort."""

    def fit(self, X, y):
        super().fit(X, y)
        self.classes_, *parts = (part[::-1] for part in (self.classes_, self.theta_, self.var_, self.class_prior_))
        self.theta_, self.var_, self.class_prior_ = parts
        return self


def test_columns_of_probabilities_are_those_of_the_classes_of_the_model():
    X, y = table(30)
    usual, turned = (TwoClasses(y).score(model.fit(X, y), X) for model in (GaussianNB(), Reversed()))
    np.testing.assert_allclose(turned.score, usual.score)
    np.testing.assert_allclose(turned.probability, usual.probability)
    with pytest.raises(StudyError, match=r"GaussianNB must score the classes \['a', 'b'\]. Got \[0, 1\]. Fit it"):
        TwoClasses(np.where(y, "a", "b")).score(GaussianNB().fit(X, y), X)


@pytest.mark.parametrize("study", [cross_validated_auc, permutation_test, bootstrap_auc])
def test_a_regressor_is_refused_before_it_is_fitted(study):
    X, y = table(30)
    with pytest.raises(StudyError, match="Ridge is a regressor, and the outcomes are two classes: 15 of label 0, .*"):
        study(Ridge(), X, y)


def test_the_higher_of_two_ordered_categories_is_positive():
    X, y = table(30)
    grades = pd.Series(np.where(y, "high", "low"), index=y.index)
    ordered = grades.astype(pd.CategoricalDtype(["none", "low", "high"], ordered=True))
    found = [cross_validated_auc(GaussianNB(), X, labels, cv=2).positive for labels in (ordered, grades)]
    assert found == ["high", "low"]


@pytest.mark.parametrize(
    ("y", "positive", "message"),
    [
        (np.array([b"a", b"b"]), None, "The labels must be text, numbers or bools. Got [|]S1"),
        (np.array([0, 1j]), None, "The labels must be text, numbers or bools. Got complex128"),
        (np.array([0, 1]), (0, 1), r"must be one of the labels \[0, 1\]. Got \(0, 1\)"),
    ],
)
def test_labels_that_cannot_be_studied_are_named(y, positive, message):
    with pytest.raises(StudyError, match=message):
        TwoClasses(y, positive)


def test_the_class_that_sorts_last_is_positive_by_default():
    endpoint = TwoClasses(np.array(["small", "large", "small"]))
    assert (endpoint.positive, endpoint.classes.tolist()) == ("small", ["large", "small"])
    assert TwoClasses(endpoint.y, "large").as_numbers.tolist() == [0, 1, 0]
    assert TwoClasses(endpoint.y, "large").take([0, 1]).positive == "large"
    assert type(TwoClasses(np.array([0, 1])).positive) is int
    with pytest.raises(StudyError, match=r"must be one of the labels \['large', 'small'\]. Got 'big'"):
        TwoClasses(endpoint.y, "big")


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([1, 1, 1], SingleClassError, "All 3 cases have the label 1. An AUC needs two classes"),
        ([0, 1, 2], StudyError, "two classes. Got 3: 0, 1, 2. Study one class against the others"),
        ([0, None, 1], StudyError, "1 of 3 labels are missing"),
        ([0, np.inf, 1], StudyError, "1 of 3 labels are missing"),
        (np.array(["a", 1], dtype=object), StudyError, "The labels are of several types"),
    ],
)
def test_labels_that_cannot_be_studied_are_refused(labels, error, message):
    with pytest.raises(error, match=message):
        TwoClasses(np.asarray(labels))


def test_training_cases_of_one_class_are_refused():
    endpoint = TwoClasses(np.array([0, 0, 1, 1]))
    endpoint.check_training([0, 2], "Fold 3")
    with pytest.raises(SingleClassError, match="Fold 3 holds the label 0 only. Use fewer folds"):
        endpoint.check_training([0, 1], "Fold 3")
    with pytest.raises(SingleClassError, match="Fold 3 is empty"):
        endpoint.check_training([], "Fold 3")


def test_a_marker_scores_higher_in_the_better_direction():
    endpoint = TwoClasses(np.array([0, 0, 1, 1]))
    marker, words = endpoint.marker(np.array([4.0, 3.0, 2.0, 1.0]), "regions")
    assert words == {"1": "smaller regions"}
    assert marker.score.tolist() == [-4, -3, -2, -1]
    assert marker.prediction.tolist() == [0, 0, 1, 1]
    assert endpoint.marker(np.array([1.0, 2.0, 2.0, 1.0]), "tumours")[1] == {"1": "larger tumours"}  # an AUC of 0.5


def out_of_fold(kind, case, repeat, score, prediction, fold=None, scales=("",)):
    """Return entries of two folds per repeat."""
    fold = np.arange(len(case)) if fold is None else fold
    arrays = map(np.array, (case, fold, repeat, score, np.full(len(case), 0.5), prediction))
    n_folds = 1 if kind == "holdout" else 2
    return OutOfFold(kind, 4, max(repeat) + 1, *arrays, [[]] * n_folds * (max(repeat) + 1), scales)


def test_repeats_are_measured_each_and_predictions_decided_by_majority():
    endpoint = TwoClasses(np.array([0, 0, 1, 1]))
    case, repeat = [0, 1, 2, 3] * 3, [0] * 4 + [1] * 4 + [2] * 4
    score = [1, 2, 3, 4, 1, 3, 2, 4, 4, 3, 2, 1]
    measured = endpoint.measured(
        out_of_fold("repeated", case, repeat, score, [0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0]), 0.95
    )
    np.testing.assert_allclose(measured.value, np.mean([1, 0.75, 0]))
    assert measured.estimate == "mean of 3 repeats"
    assert measured.columns["prediction"].tolist() == [0, 1, 1, 1]
    np.testing.assert_allclose(measured.columns["correct"], [2 / 3, 1 / 3, 2 / 3, 2 / 3])
    np.testing.assert_allclose(measured.accuracy, 7 / 12)
    right = [[1, 1, 1, 1], [1, 0, 0, 1], [0, 0, 1, 0]]
    assert measured.accuracy_interval == interval_of_proportion(right, 0.95, n_folds=2)
    estimate = auc_of_repeats(endpoint.is_positive, np.reshape(score, (3, 4)), 0.95, n_folds=2)
    assert (measured.variance, measured.confidence_interval) == (estimate.variance, estimate.confidence_interval)
    assert measured.interval_method == "Newcombe, DeLong's variance of repeated folds"
    np.testing.assert_allclose(measured.columns["score"], (np.array([6, 8, 7, 9]) / 3 - 0.5) / 4)


def test_pairs_are_won_tied_or_lost():
    endpoint = TwoClasses(np.array([0, 1, 0, 1]))
    case, score = [0, 1, 0, 3, 2, 1, 2, 3], [1, 2, 2, 2, 3, 1, 0, 5]
    assert endpoint.pairs() == [(0, 1), (0, 3), (2, 1), (2, 3)]
    measured = endpoint.measured(out_of_fold("pairs", case, [0] * 8, score, [0, 1, 0, 1, 1, 1, 0, 1]), 0.95)
    np.testing.assert_array_equal(measured.pairs, [[1, 0.5], [0, 1]])
    assert (measured.value, measured.estimate, measured.accuracy) == (0.625, "mean over pairs", 0.875)
    assert np.isnan([measured.variance, measured.confidence_interval.low, measured.confidence_interval.high]).all()
    assert (measured.accuracy_interval, measured.interval_method) == (None, "none")
    np.testing.assert_array_equal(measured.columns["score"], [0.25, 0.5, 0.5, 0.75])
    np.testing.assert_array_equal(endpoint.reordered_pairs(measured.pairs, [2, 1, 0, 3]), [[0, 1], [1, 0.5]])


def test_one_pass_of_folds_has_no_interval_and_one_model_for_other_cases_has_that_of_fixed_scores():
    endpoint = TwoClasses(np.array([0, 0, 1, 1]))
    entries = [0, 1, 2, 3], [0] * 4, [1, 3, 2, 4], [0, 1, 0, 1]
    pooled = endpoint.measured(out_of_fold("pooled", *entries), 0.9)
    assert (pooled.value, pooled.accuracy, pooled.estimate) == (0.75, 0.5, "pooled over folds")
    assert np.isnan([pooled.variance, pooled.confidence_interval.low]).all()
    assert (pooled.confidence_interval.level, pooled.accuracy_interval) == (0.9, None)
    holdout = endpoint.measured(out_of_fold("holdout", *entries), 0.9)
    fixed = auc_with_confidence(endpoint.y, [1, 3, 2, 4], 0.9)
    assert (holdout.value, holdout.variance, holdout.confidence_interval) == (
        fixed.auc,
        fixed.variance,
        fixed.confidence_interval,
    )
    assert holdout.accuracy_interval == interval_of_proportion([[1, 0, 0, 1]], 0.9)
    assert holdout.estimate == "one model"


def test_patients_with_several_cases_widen_the_intervals():
    y = np.repeat([0, 1, 0, 1], 5)
    X = np.random.default_rng(0).normal(size=(20, 2)) + y[:, None]
    patients = np.repeat(np.arange(4), 5)
    endpoint = TwoClasses(y, patients=patients)
    assert (endpoint.test, TwoClasses(y).test) == ("Obuchowski", "DeLong")
    result = cross_validated_auc(GaussianNB(), X, y, cv=2, n_repeats=3, groups=patients)
    alone = replace(result, patients=None).endpoint
    variances = [each.covariance(result.score_array)[1].diagonal().mean() for each in (result.endpoint, alone)]
    np.testing.assert_allclose(result.variance, variances[0] * (1.65 + 1 / 3))
    assert variances[0] != variances[1]
    assert result.interval_method == "Newcombe, Obuchowski's variance of repeated folds"
    right = result.prediction_array == y
    by_patient, by_case = (interval_of_proportion(right, 0.95, 2, units) for units in (patients, None))
    assert result.accuracy_interval == by_patient != by_case
    assert "n=20 of 4 patients (10 positive)" in str(result)


def test_scores_of_several_scales_are_compared_within_the_folds():
    endpoint = TwoClasses(np.array([0, 0, 1, 1]))
    entries = [0, 2, 1, 3], [0] * 4, [1, 2, 30, 20], [0, 1, 1, 1], [0, 0, 1, 1]
    for kind, words in (("pooled", ""), ("repeated", "pooled over folds, ")):
        one = endpoint.measured(out_of_fold(kind, *entries, scales=("a",)), 0.95)
        assert (one.value, one.estimate) == (0.5, "pooled over folds")
        several = endpoint.measured(out_of_fold(kind, *entries, scales=("a", "b")), 0.95)
        assert (several.value, several.estimate) == (0.5, f"{words}over pairs of the same test fold")
    entries = [0, 2, 1, 3], [0] * 4, [1, 2, 20, 30], [0, 1, 1, 1], [0, 0, 1, 1]
    assert endpoint.measured(out_of_fold("pooled", *entries, scales=("a", "b")), 0.95).value == 1
    left_one_out = out_of_fold("pooled", *entries[:4], fold=np.arange(4), scales=("a", "b"))
    assert endpoint.measured(left_one_out, 0.95).estimate == "pooled over folds"  # there are no pairs within folds


def test_the_scale_of_scores_names_the_model_and_the_method_that_gave_them():
    X, y = table(30)
    endpoint = TwoClasses(y)
    models = {
        "SVC.decision_function": make_pipeline(StandardScaler(), SVC()),
        "GaussianNB.predict_joint_log_proba": GridSearchCV(GaussianNB(), {}, cv=2),
        "RandomForestClassifier.predict_proba": RandomForestClassifier(3, random_state=0),
    }
    for scale, model in models.items():
        assert endpoint.score(model.fit(X.to_numpy(), y), X.to_numpy()).scale == scale


def test_the_note_on_a_companion_says_what_is_wrong_with_the_split():
    endpoint = TwoClasses(np.array([0, 1]))
    assert "down to 0. It has no valid interval" in endpoint.companion_note("leave-one-out", "2-fold")
    assert "put in the right order. It has no valid interval" in endpoint.companion_note("leave-pair-out", "2-fold")
    assert "under KFold(3) is that of a single split. It has" in endpoint.companion_note("KFold(3)", "2-fold")
