"""The models of the commands: the best features of each kind, then the classifier."""

import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC

import radiodeep as rd
from radiodeep.exceptions import InputError
from radiodeep.recipes import SELECTORS, Recipe


@pytest.fixture
def extractors():
    return {family: rd.RadiomicsExtractor(families=[family]) for family in ("shape", "firstorder")}


@pytest.mark.parametrize("name", ["relieff", "symmetric-uncertainty", "fast-correlation-filter"])
def test_the_selector_keeps_the_features_of_each_kind(extractors, name):
    model = Recipe(selector=name, n_features=3, predictor="naive-bayes").over_cases(extractors)
    for _, part in model[0].transformer_list:
        assert [type(step).__name__ for step in part] == ["RadiomicsExtractor", "StandardScaler", SELECTORS[name]]
        assert part[-1].n_features_to_select == 3


def test_one_extractor_needs_no_union(extractors):
    model = Recipe().over_cases({"shape": extractors["shape"]})
    assert model[0][0] is extractors["shape"]


@pytest.mark.parametrize(
    ("name", "kind"), [("naive-bayes", "GaussianNB"), ("random-forest", "RandomForestClassifier"), ("svm", "Pipeline")]
)
def test_the_classifier_is_the_last_step(extractors, name, kind):
    assert type(Recipe(predictor=name).over_cases(extractors)[-1]).__name__ == kind


def test_a_support_vector_machine_is_calibrated_where_probabilities_are_asked_for(extractors):
    recipe = Recipe(predictor="svm", seed=7)
    assert isinstance(recipe.over_cases(extractors)[-1][-1], SVC)
    calibrated = recipe.over_cases(extractors, probabilities=True)[-1][-1]
    assert isinstance(calibrated, CalibratedClassifierCV)
    assert calibrated.estimator.random_state == 7


def test_columns_of_a_table_are_selected_by_kind():
    bayes = Recipe(predictor="naive-bayes")
    model = bayes.over_columns({"handcrafted": ["a", "b"], "deep": ["c"]})
    assert [(name, columns) for name, _, columns in model[0].transformers] == [
        ("handcrafted", ["a", "b"]),
        ("deep", ["c"]),
    ]
    assert [type(step).__name__ for step in bayes.over_columns(None)] == ["StandardScaler", "ReliefF", "GaussianNB"]


def test_by_default_all_features_are_given_to_a_model_that_chooses_by_itself(extractors):
    model = Recipe(seed=3).over_cases(extractors)
    assert [[type(step).__name__ for step in part] for _, part in model[0].transformer_list] == 2 * [
        ["RadiomicsExtractor"]
    ]
    assert type(model[-1]).__name__ == "AutoClassifier"
    assert (model[-1].n_trees, model[-1].random_state) == (0, 3)
    for outcome, name in (("several classes", "Classifier"), ("numbers", "Regressor"), ("survival", "Survival")):
        assert type(Recipe(outcome=outcome).over_columns(None)[-1]).__name__ == f"Auto{name}"
    frame = pd.DataFrame({"a": [1.0], "b": [2.0], "c": [3.0], "d": [4.0]})
    columns = Recipe().over_columns({"handcrafted": ["c", "a"], "deep": ["d"]})[0]
    assert columns.fit_transform(frame).tolist() == [[3.0, 1.0, 4.0]]
    for asked in ({"selector": "relieff"}, {"n_features": 5}):
        with pytest.raises(InputError, match="The model auto takes all features: leave out --selector"):
            Recipe(**asked).over_columns(None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ridge", "Ridge"), ("random-forest", "RandomForestRegressor"), ("svm", "TransformedTargetRegressor")],
)
def test_numbers_are_predicted_by_a_regressor(name, kind):
    assert type(Recipe(predictor=name, outcome="numbers").over_columns(None)[-1]).__name__ == kind


def test_a_selector_or_predictor_of_another_outcome_is_refused():
    with pytest.raises(InputError, match="A model of numbers must be one of auto, ridge, random-forest, svm. Got cox"):
        Recipe(predictor="cox", outcome="numbers").over_columns(None)
    with pytest.raises(InputError, match="A model of two classes must be one of auto, naive-bayes, random-forest, svm"):
        Recipe(predictor="ridge").over_columns(None)
    with pytest.raises(InputError, match="univariate-cox is for survival. Got outcomes of the kind several classes"):
        Recipe("univariate-cox", predictor="svm", outcome="several classes").over_columns(None)
    for of_classes in ({"selector": "relieff", "predictor": "cox"}, {"predictor": "svm"}):
        with pytest.raises(InputError, match="For survival, .* needs the time until which events count"):
            Recipe(**of_classes, outcome="survival").over_columns(None)
