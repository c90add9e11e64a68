"""Children of estimators, and estimators with others in their places."""

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from radiodeep import CNNEnsemble, CoarseFromFine
from radiodeep.study.folds.estimator_tree import (
    children,
    descendants,
    final_step,
    kind_of,
    rebuilt,
    with_input_children,
)

X = np.random.default_rng(0).normal(size=(40, 3)) + np.arange(40)[:, None] % 2
Y = np.arange(40) % 2


@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        (make_pipeline(GaussianNB()), "chain"),
        (make_sampling_pipeline(SMOTE(), GaussianNB()), "chain"),
        (FeatureUnion([("a", StandardScaler())]), "union"),
        (ColumnTransformer([("a", StandardScaler(), [0])]), "columns"),
        (VotingClassifier([("a", GaussianNB())]), "ensemble"),
        (StackingClassifier([("a", GaussianNB())]), "ensemble"),
        (CalibratedClassifierCV(GaussianNB()), "ensemble"),
        (RandomizedSearchCV(GaussianNB(), {}), "ensemble"),
        (BaggingClassifier(GaussianNB()), "bag"),
        (AdaBoostClassifier(GaussianNB()), "resampling"),
        (RandomForestClassifier(), "resampling"),
        (FrozenEstimator(GaussianNB()), "frozen"),
        (CNNEnsemble([GaussianNB()]), "wrapper"),
        (CoarseFromFine(GaussianNB(), {}), "wrapper"),
        (OneVsRestClassifier(GaussianNB()), "wrapper"),
        (GaussianNB(), "single"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_each_composite_has_its_kind(estimator, kind):
    assert kind_of(estimator) == kind


def test_children_are_found_in_lists_and_as_parameters_and_not_in_grids():
    bayes, forest = GaussianNB(), RandomForestClassifier()
    assert children(CNNEnsemble(["arch1", bayes, forest])) == [bayes, forest]
    assert children(make_pipeline("passthrough", bayes)) == [bayes]
    search = GridSearchCV(make_pipeline(StandardScaler(), bayes), {"gaussiannb__var_smoothing": [1e-9]})
    assert [type(part).__name__ for part in descendants(search)] == [
        "GridSearchCV",
        "Pipeline",
        "StandardScaler",
        "GaussianNB",
    ]


def test_only_what_is_given_the_rows_is_replaced():
    replaced = []

    def replace(child, *columns):
        replaced.append((type(child).__name__, *columns))
        return LogisticRegression()

    stack = StackingClassifier([("a", GaussianNB()), ("b", "drop")], final_estimator=RandomForestClassifier())
    new = with_input_children(stack, replace)
    assert [type(part).__name__ for part in children(new)] == ["LogisticRegression", "RandomForestClassifier"]
    assert type(stack.estimators[0][1]) is GaussianNB
    with_input_children(Pipeline([("none", "passthrough"), ("scale", MinMaxScaler()), ("last", GaussianNB())]), replace)
    with_input_children(ColumnTransformer([("c", StandardScaler(), ["age"]), ("d", "drop", ["sex"])]), replace)
    grid = GridSearchCV(GaussianNB(), {"model": [RandomForestClassifier()]})
    assert with_input_children(grid, replace).param_grid["model"][0].__class__ is RandomForestClassifier
    assert replaced == [("GaussianNB",), ("MinMaxScaler",), ("StandardScaler", ["age"]), ("GaussianNB",)]


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), GaussianNB()),
        FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())]),
        ColumnTransformer([("a", StandardScaler(), [0]), ("b", MinMaxScaler(), [1])]),
        VotingClassifier([("a", make_pipeline(StandardScaler(), GaussianNB()))]),
        StackingClassifier([("a", make_pipeline(StandardScaler(), GaussianNB()))], cv=2),
        CalibratedClassifierCV(make_pipeline(StandardScaler(), GaussianNB()), cv=2),
        GridSearchCV(make_pipeline(StandardScaler(), GaussianNB()), {}, cv=2),
        CoarseFromFine(make_pipeline(StandardScaler(), GaussianNB()), {0: 0, 1: 1}),
        CNNEnsemble([make_pipeline(StandardScaler(), GaussianNB())]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_fitted_parts_are_replaced_at_any_depth_and_the_model_is_left_alone(model):
    class Renamed(StandardScaler):
        pass

    def replace(part):
        if type(part) is not StandardScaler:
            return None
        renamed = Renamed()
        vars(renamed).update(vars(part))
        return renamed

    model.fit(X, Y)
    before = getattr(model, "predict_proba", getattr(model, "transform", None))(X)
    changed = rebuilt(model, replace)
    texts = [str(vars(each)) for each in (changed, model)]
    assert "Renamed" in texts[0]
    assert "Renamed" not in texts[1]
    seen = []

    def scalers(part):
        seen.append(type(part).__name__)

    rebuilt(changed, scalers)
    assert "Renamed" in seen
    assert "StandardScaler" not in seen
    after = getattr(changed, "predict_proba", getattr(changed, "transform", None))(X)
    np.testing.assert_array_equal(after, before)


def test_a_model_without_the_part_is_returned_itself():
    model = VotingClassifier([("a", make_pipeline(GaussianNB()))]).fit(X, Y)
    assert rebuilt(model, lambda part: None) is model


def test_the_last_step_sees_rows_as_the_steps_before_transform_them():
    model = make_sampling_pipeline(StandardScaler(), SMOTE(random_state=0), make_pipeline(MinMaxScaler(), GaussianNB()))
    search = GridSearchCV(model, {}, cv=2).fit(X, Y)
    estimator, rows = final_step(search, X[:4])
    assert type(estimator) is GaussianNB
    np.testing.assert_allclose(estimator.predict_proba(rows), search.predict_proba(X[:4]))
