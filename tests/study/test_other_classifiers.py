"""Classifiers of scikit-learn that are not linear, and those that users write, in studies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import radiodeep as rd
from radiodeep.exceptions import StudyError


class NearestMean(BaseEstimator):
    """What a user writes: fit, predict and classes_, without a mixin."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.array([np.mean(X[y == label], axis=0) for label in self.classes_])
        return self

    def _distances(self, X):
        return ((X[:, np.newaxis] - self.means_) ** 2).sum(axis=2)

    def predict(self, X):
        return self.classes_[self._distances(X).argmin(axis=1)]


class NearestMeanWithScores(NearestMean):
    def decision_function(self, X):
        scores = -self._distances(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores


def table_of(n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, np.array(["a", "b", "c"])[np.digitize(X[:, 0], [0] if n_classes == 2 else [-0.5, 0.5])]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=5),
        GradientBoostingClassifier(n_estimators=10, random_state=0),
        NearestMeanWithScores(),
        make_pipeline(StandardScaler(), NearestMeanWithScores()),
    ],
)
def test_any_classifier_passes_through_a_study(model, n_classes):
    X, y = table_of(n_classes)
    result = rd.cross_validated_score(model, X, y, cv=3, n_repeats=2)
    assert result.value > 0.65
    assert result.confidence_interval.low < result.value
    has_probabilities = hasattr(model, "predict_proba")
    if n_classes == 2:
        assert result.predictions["probability"].notna().all() == has_probabilities
    assert set(result.predictions["prediction"]) <= set(y)


def test_classifiers_take_missing_values_if_they_can():
    X, y = table_of(2)
    X[::5, 1] = np.nan
    for model in (HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=5), rd.AutoClassifier(n_trees=0, cv=2)):
        assert rd.cross_validated_auc(model, X, y, cv=2, n_repeats=1).value > 0.8


def test_a_classifier_that_only_predicts_labels_has_no_auc():
    X, y = table_of(2)
    with pytest.raises(
        StudyError, match="NearestMean has neither predict_proba nor decision_function, so it has no AU"
    ):
        rd.cross_validated_auc(NearestMean(), X, y, cv=2, n_repeats=1)


def test_what_searches_and_automatic_models_chose_is_named_by_fold():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)), np.tile([0, 1], 20)
    X[:, 0] += y
    models = {
        "auto": rd.AutoClassifier(n_trees=0),
        "search": make_pipeline(StandardScaler(), GridSearchCV(SVC(), {"C": [0.1, 1]}, cv=3)),
        "plain": GaussianNB(),
    }
    results = rd.cross_validate_models(models, X, y, cv=2, n_repeats=2)
    assert set(results["search"].folds["chosen"]) <= {"C=0.1", "C=1"}
    assert len(results["auto"].folds["chosen"].dropna()) == 4
    assert "chosen in the folds: " in str(results["auto"])
    assert "chosen" not in results["plain"].folds
    assert results["plain"].choice_sentence is None
    counts = ["C=1"] * 5 + ["C=2"] * 4 + ["C=3"] * 3 + ["C=4", "C=5"]
    many = replace(results["search"], folds=pd.DataFrame({"chosen": counts}))
    assert many.choice_sentence == "chosen in the folds: C=1 (5), C=2 (4), C=3 (3), 2 others"
