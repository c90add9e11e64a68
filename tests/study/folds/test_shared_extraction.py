"""Every composite of scikit-learn shares extraction, and predicts what it predicts without sharing."""

import sys

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from radiodeep import CNNEnsemble, CoarseFromFine, cross_validate_models, cross_validated_auc, make_phantom_cohort
from radiodeep.exceptions import StudyError
from radiodeep.study.folds.shared_extraction import as_row_indices
from radiodeep.study.inputs import rows_of

cloudpickle.register_pickle_by_value(sys.modules[__name__])

COHORT = make_phantom_cohort(16, random_state=2)
LABELS = np.asarray(COHORT.labels)


class MeanIntensity(TransformerMixin, BaseEstimator):
    """Two features of each case, and a count of the cases that were measured."""

    measured = 0

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        cases = np.asarray(X, dtype=object).ravel()
        MeanIntensity.measured += len(cases)
        voxels = [case.voxels[case.roi] for case in cases]
        return np.array([[self.scale * values.mean(), values.std()] for values in voxels])

    def get_feature_names_out(self, input_features=None):
        return np.array(["mean", "spread"], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class OwnWrapper(ClassifierMixin, BaseEstimator):
    """A meta-estimator that reads the ids of its cases."""

    def __init__(self, inner=None):
        self.inner = inner

    def fit(self, X, y):
        self.ids_ = [case.id for case in X]
        self.inner_ = clone(self.inner).fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)

    def predict(self, X):
        return self.inner_.predict(X)


class Learner(OwnWrapper):
    """A classifier of cases by their mean intensity, with a parameter."""

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        self.inner_ = LogisticRegression(C=self.C).fit([[case.voxels.mean()] for case in X], y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba([[case.voxels.mean()] for case in X])

    def predict(self, X):
        return self.inner_.predict([[case.voxels.mean()] for case in X])


def pipeline():
    return make_pipeline(MeanIntensity(), StandardScaler(), LogisticRegression())


FINE = pd.Series([f"{label}{number % 2}" for number, label in enumerate(LABELS)], index=COHORT.ids)
COMPOSITES = {
    "pipeline": pipeline(),
    "nested pipeline": make_pipeline("passthrough", make_pipeline(MeanIntensity()), GaussianNB()),
    "union": make_pipeline(FeatureUnion([("a", MeanIntensity()), ("b", MeanIntensity())]), GaussianNB()),
    "voting": VotingClassifier([("a", pipeline()), ("b", pipeline())], voting="soft"),
    "stacking": StackingClassifier([("a", pipeline())], LogisticRegression(), cv=2),
    "calibrated": CalibratedClassifierCV(pipeline(), cv=2),
    "grid search": GridSearchCV(pipeline(), {"logisticregression__C": [0.1, 1.0]}, cv=2),
    "random search": RandomizedSearchCV(
        pipeline(), {"logisticregression__C": [0.1, 1.0]}, n_iter=1, cv=2, random_state=0
    ),
    "halving search": HalvingGridSearchCV(
        pipeline(), {"logisticregression__C": [0.1, 1.0]}, cv=2, min_resources="exhaust", random_state=0
    ),
    "imbalanced-learn": make_sampling_pipeline(MeanIntensity(), RandomUnderSampler(random_state=0), GaussianNB()),
    "ensemble of networks": CNNEnsemble([pipeline(), pipeline()]),
    "coarse from fine": CoarseFromFine(pipeline(), {"00": 0, "01": 0, "10": 1, "11": 1}, fine=FINE),
    "own wrapper": OwnWrapper(pipeline()),
    "calibrated wrapper": CalibratedClassifierCV(OwnWrapper(pipeline()), cv=2),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_each_case_is_measured_once_whatever_holds_the_extractor(name):
    MeanIntensity.measured = 0
    result = cross_validated_auc(COMPOSITES[name], COHORT, LABELS, cv=3, n_repeats=1, random_state=0)
    assert MeanIntensity.measured == len(COHORT)
    folds = [
        (np.flatnonzero(result.predictions["fold"] != fold), np.flatnonzero(result.predictions["fold"] == fold))
        for fold in range(3)
    ]
    plain = cross_val_predict(COMPOSITES[name], list(COHORT), LABELS, cv=folds, method="predict_proba")
    np.testing.assert_allclose(result.predictions["probability"], plain[:, 1], rtol=1e-9)


def test_processes_look_up_the_same_cases():
    for name in ("own wrapper", "coarse from fine"):
        serial, parallel = (
            cross_validated_auc(COMPOSITES[name], COHORT, LABELS, cv=3, n_repeats=1, n_jobs=n_jobs)
            for n_jobs in (None, 2)
        )
        pd.testing.assert_frame_equal(serial.predictions, parallel.predictions)


@pytest.mark.parametrize("columns", ["case", ["case"]], ids=["name", "list"])
def test_a_column_of_cases_is_measured_once(columns):
    table = pd.DataFrame({"case": list(COHORT), "age": np.arange(16.0)}, index=COHORT.ids)
    parts = [("image", make_pipeline(MeanIntensity()), columns), ("age", "passthrough", ["age"])]
    model = make_pipeline(ColumnTransformer(parts), StandardScaler(), LogisticRegression())
    MeanIntensity.measured = 0
    result = cross_validated_auc(model, table, LABELS, cv=3, n_repeats=1)
    assert MeanIntensity.measured == len(COHORT)
    extracted = np.column_stack([MeanIntensity().transform(list(COHORT)), table["age"]])
    plain = cross_validated_auc(make_pipeline(StandardScaler(), LogisticRegression()), extracted, LABELS, cv=3)
    np.testing.assert_allclose(result.scores[0], plain.scores[0], rtol=1e-9)


def test_bagging_draws_cases_of_a_shared_extraction():
    bagging = BaggingClassifier(pipeline(), n_estimators=3, random_state=0)
    MeanIntensity.measured = 0
    result = cross_validated_auc(bagging, COHORT, LABELS, cv=3, n_repeats=1)
    assert MeanIntensity.measured == len(COHORT)
    of_table = BaggingClassifier(make_pipeline(StandardScaler(), LogisticRegression()), n_estimators=3, random_state=0)
    plain = cross_validated_auc(of_table, MeanIntensity().transform(list(COHORT)), LABELS, cv=3, n_repeats=1)
    np.testing.assert_allclose(result.scores, plain.scores, rtol=1e-9)


def test_settings_that_a_search_tries_are_measured_once_each():
    search = GridSearchCV(pipeline(), {"meanintensity__scale": [1.0, 2.0, 4.0]}, cv=2)
    MeanIntensity.measured = 0
    cross_validated_auc(search, COHORT, LABELS, cv=3, n_repeats=1)
    assert MeanIntensity.measured == 3 * len(COHORT)


@pytest.mark.parametrize(
    ("search", "parameter"),
    [
        (Learner(), "C"),
        (OwnWrapper(Learner()), "inner__C"),
        (BaggingClassifier(Learner(), 2, bootstrap=False), "estimator__C"),
    ],
    ids=["learner of cases", "wrapper", "bag"],
)
def test_a_search_sets_the_parameters_of_models_that_are_given_the_cases(search, parameter):
    search = GridSearchCV(search, {parameter: [1e-12]}, cv=2)
    predictions = cross_validated_auc(search, COHORT, LABELS, cv=3, n_repeats=1).predictions
    assert predictions.groupby("fold")["probability"].std().max() < 1e-3  # so strong a penalty predicts the prior


@pytest.mark.filterwarnings("ignore:Some fits failed")
@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(GaussianNB()),
        CalibratedClassifierCV(),
        BaggingClassifier(GaussianNB()),
        BaggingClassifier(),
        RandomForestClassifier(),
        GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}),
    ],
    ids=repr,
)
def test_a_model_without_extractor_is_refused_for_cases(model):
    with pytest.raises(StudyError, match="The model takes a table, not cases"):
        cross_validated_auc(model, COHORT, LABELS, cv=3)


def test_a_function_that_cannot_name_its_features_is_given_the_cases():
    function = FunctionTransformer(lambda cases: MeanIntensity().transform(cases))
    models = {"function": make_pipeline(function, StandardScaler(), LogisticRegression()), "class": pipeline()}
    results = cross_validate_models(models, COHORT, LABELS, cv=3, n_repeats=1)
    np.testing.assert_array_equal(*(result.score_array for result in results.values()))


def test_extractors_that_differ_in_a_long_array_are_told_apart():
    class Weighted(MeanIntensity):
        def __init__(self, weights=None):
            self.weights = weights

        def transform(self, X):
            return np.asarray(X, float) @ self.weights[:, None]

        def get_feature_names_out(self, input_features=None):
            raise AttributeError

    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    inputs = rng.normal(size=(30, 3000))
    inputs[:, 1500] += 5 * y
    models = {
        name: make_pipeline(Weighted(np.eye(3000)[column]), GaussianNB())
        for name, column in (("good", 1500), ("bad", 1600))
    }
    results = cross_validate_models(models, list(inputs), y, cv=5, n_repeats=1)
    assert results["good"].auc == 1 > results["bad"].auc


def test_numbers_become_arrays_unless_a_model_asks_for_names():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 2)), columns=["a", "b"])
    rows = rows_of(table)
    shared = as_row_indices({"forest": RandomForestClassifier()}, rows)
    assert shared.rows.tolist() == list(range(6))
    np.testing.assert_array_equal(shared.models["forest"][0].transform(np.array([4, 2])), table.to_numpy()[[4, 2]])
    by_name = ColumnTransformer([("a", StandardScaler(), ["a"])])
    assert as_row_indices({"named": make_pipeline(by_name, GaussianNB())}, rows).rows is table
    np.testing.assert_array_equal(shared.at(np.array([1, 3])), [1, 3])


def test_cases_that_cannot_be_read_are_left_out_for_models_that_learn_from_images():
    cases = [*COHORT, COHORT[0].replace(image="nowhere.nii.gz", mask="nowhere.nii.gz", id="gone")]
    result = cross_validated_auc(Learner(), cases, [*LABELS, 0], cv=3, n_repeats=1, on_error="exclude", size=None)
    assert list(result.excluded) == ["gone"]
