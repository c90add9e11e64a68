"""Classifiers at a horizon: whom the weights stand for, and how they reach the classifier."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import radiodeep as rd
from radiodeep import HorizonClassifier
from radiodeep.exceptions import InputError, SingleClassError
from radiodeep.preparation.survival import horizon_labels, kaplan_meier


def simulated(n_cases, random_state=0):
    """Cases whose risk by the time 1 is 1 - exp(-exp(x0)); about a third is censored before."""
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_cases, 3))
    time, end = rng.exponential(np.exp(-X[:, 0])), rng.uniform(0, 3, size=n_cases)
    return X, rd.survival_outcomes(time <= end, np.minimum(time, end))


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it is given."""

    def fit(self, X, y, sample_weight=None):
        self.X_, self.y_, self.weight_ = X, y, sample_weight
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.tile([0.4, 0.6], (len(X), 1))


class WithoutWeights(Recorder):
    def fit(self, X, y):
        return super().fit(X, y)


class WithGroups(Recorder):
    def fit(self, X, y, groups=None):
        self.groups_ = groups
        return super().fit(X, y)


def test_the_mean_risk_is_that_of_kaplan_and_meier():
    _, y = simulated(80)
    constant = np.zeros((80, 1))
    expected = 1 - kaplan_meier(y["event"], y["time"]).at(1.0)
    model = HorizonClassifier(LogisticRegression(C=np.inf), 1.0).fit(constant, y)
    np.testing.assert_allclose(model.predict(constant), expected, rtol=1e-4)
    is_event, _ = horizon_labels(y, 1.0)
    assert abs(is_event.mean() - expected) > 0.05  # which cases censored before the horizon would hide


def test_risks_are_those_of_the_population():
    X, y = simulated(4000)
    true = 1 - np.exp(-np.exp([-1, 0, 1]))
    forest = RandomForestClassifier(min_samples_leaf=100, random_state=0)
    for classifier in (LogisticRegression(), forest, KNeighborsClassifier(300)):
        model = HorizonClassifier(classifier, 1.0).fit(X[:, :1], y)
        np.testing.assert_allclose(model.predict([[-1], [0], [1]]), true, atol=0.07)


def test_weights_and_classes_are_given_to_the_classifier_without_the_cases_censored_before():
    X, y = simulated(50)
    is_event, weight = horizon_labels(y, 1.0)
    known = weight > 0
    model = HorizonClassifier(Recorder(), 1.0).fit(X, y)
    np.testing.assert_array_equal(model.classifier_.X_, X[known])
    np.testing.assert_array_equal(model.classifier_.y_, is_event[known])
    np.testing.assert_array_equal(model.classifier_.weight_, weight[known])
    assert model.n_cases_ == known.sum() < 50
    np.testing.assert_array_equal(model.predict(X[:2]), [0.6, 0.6])
    assert model.classes_.tolist() == [False, True]


def test_weights_reach_the_last_step_of_pipelines_and_searches():
    X, y = simulated(60)
    plain = HorizonClassifier(GaussianNB(), 1.0).fit(StandardScaler().fit(X).transform(X), y)
    pipeline = make_pipeline("passthrough", make_pipeline(StandardScaler(), GaussianNB()))
    nested = HorizonClassifier(pipeline, 1.0).fit(X, y)
    np.testing.assert_allclose(nested.classifier_[-1][-1].class_prior_, plain.classifier_.class_prior_)
    search = GridSearchCV(make_pipeline(GaussianNB()), {"gaussiannb__var_smoothing": [1e-9]}, cv=2)
    searched = HorizonClassifier(search, 1.0).fit(X, y)
    fitted = searched.classifier_.best_estimator_[-1]
    np.testing.assert_allclose(fitted.class_prior_, plain.classifier_.class_prior_)


def test_cases_are_repeated_for_a_classifier_without_weights():
    X, y = simulated(50)
    _, weight = horizon_labels(y, 1.0)
    counts = np.zeros(50)
    for seed in range(200):
        model = HorizonClassifier(WithoutWeights(), 1.0, random_state=seed).fit(X, y)
        count = (model.classifier_.X_[:, np.newaxis] == X).all(axis=2).sum(axis=0)
        assert ((count == np.floor(weight)) | (count == np.ceil(weight))).all()
        counts += count / 200
    np.testing.assert_allclose(counts, weight, atol=0.15)
    again = HorizonClassifier(WithoutWeights(), 1.0, random_state=seed).fit(X, y)
    np.testing.assert_array_equal(again.classifier_.X_, model.classifier_.X_)


def test_repeated_cases_of_an_array_are_one_group():
    X, y = simulated(50)
    recorded = HorizonClassifier(WithGroups(), 1.0).fit(X, y).classifier_
    np.testing.assert_array_equal(X[recorded.groups_], recorded.X_)
    assert HorizonClassifier(WithGroups(), 1.0).fit(pd.DataFrame(X), y).classifier_.groups_ is None


def test_weights_are_not_mixed_up_by_a_sampler():
    X, y = simulated(60)
    classifier = make_sampling_pipeline(RandomOverSampler(random_state=0), GaussianNB())
    model = HorizonClassifier(classifier, 1.0).fit(X, y)
    np.testing.assert_allclose(model.classifier_[-1].class_prior_, [0.5, 0.5])


def test_cases_of_a_cohort_are_taken_as_they_are():
    cohort = rd.make_phantom_cohort(12, random_state=0)
    y = rd.survival_outcomes(np.arange(12) % 3 > 0, 1.0 + np.arange(12))
    recorded = HorizonClassifier(WithoutWeights(), 6.0).fit(cohort, y).classifier_
    assert {case.id for case in recorded.X_} == {cohort[i].id for i in np.flatnonzero(horizon_labels(y, 6.0)[1])}


def test_the_score_is_the_concordance_of_the_risks():
    X, y = simulated(200)
    model = HorizonClassifier(LogisticRegression(), 1.0).fit(X, y)
    metrics = pytest.importorskip("sksurv.metrics")
    expected = metrics.concordance_index_censored(y["event"], y["time"], model.predict(X))[0]
    np.testing.assert_allclose(model.score(X, y), expected)
    assert GridSearchCV(model, {"horizon": [0.5, 1.0]}, cv=2).fit(X, y).best_score_ > 0.6


def test_names_of_columns_are_those_of_the_classifier():
    X, y = simulated(50)
    model = HorizonClassifier(GaussianNB(), 1.0)
    assert not hasattr(model, "n_features_in_")
    model.fit(pd.DataFrame(X, columns=["a", "b", "c"]), y)
    assert model.n_features_in_ == 3
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]


def test_a_saved_model_predicts_the_same(tmp_path):
    X, y = simulated(50)
    model = HorizonClassifier(make_pipeline(StandardScaler(), LogisticRegression()), 1.0).fit(X, y)
    loaded = rd.load_model(rd.save_model(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("classifier", "horizon", "error", "message"),
    [
        (GaussianNB(), 0, InputError, "'horizon' parameter of HorizonClassifier must be a number > 0. Got 0"),
        (
            LinearSVC(),
            1.0,
            InputError,
            "'classifier' parameter of HorizonClassifier must be a classifier with predict_p",
        ),
        (GaussianNB(), 9.0, SingleClassError, "cases is followed beyond the horizon 9. Take a smaller one"),
    ],
)
def test_wrong_settings_are_refused(classifier, horizon, error, message):
    X, y = simulated(50)
    with pytest.raises(error, match=message):
        HorizonClassifier(classifier, horizon).fit(X, y)


def test_as_many_outcomes_as_cases_are_needed():
    X, y = simulated(50)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        HorizonClassifier(GaussianNB(), 1.0).fit(X[1:], y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        HorizonClassifier(GaussianNB(), 1.0).fit(X, y).score(X[1:], y)


def test_survival_is_known_at_the_horizon_only():
    X, y = simulated(50)
    model = HorizonClassifier(GaussianNB(), 1.0).fit(X, y)
    survival = model.predict_survival(X, [0.5, 1.0, 2.0])
    np.testing.assert_allclose(survival[:, 1], model.predict_proba(X)[:, 0])
    assert np.isnan(survival[:, [0, 2]]).all()
