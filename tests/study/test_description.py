"""Settings of a model, and the features that it selected."""

import json

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep import ReliefF, cross_validated_auc
from radiodeep.study.description import describe, n_inputs, selected_features, without_prefixes


def table(n_cases=40, n_features=30, effect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    X = rng.normal(size=(n_cases, n_features)) + effect * y[:, None] * (np.arange(n_features) < 3)
    return pd.DataFrame(X, columns=[f"f{n}" for n in range(n_features)], index=[f"case {n}" for n in range(n_cases)]), y


def test_what_a_selector_kept_is_named_and_not_what_was_made_of_it():
    X, y = table(40, 8)
    made = cross_validated_auc(make_pipeline(ReliefF(4), PCA(2), GaussianNB()), X, y, cv=4)
    assert all(len(names) == 4 and set(names) <= set(X.columns) for names in made.folds["selected_features"])
    assert without_prefixes([["u__a", "v__b"], None, ["u__a"]]) == [["a", "b"], None, ["a"]]
    assert without_prefixes([["CT__mean"], ["PET__mean"]]) == [["CT__mean"], ["PET__mean"]]


def test_selectors_in_all_composites_of_transformers_are_counted():
    X, y = table(40, 6)
    parts = [("first", SelectKBest(k=2), slice(0, 3)), ("second", SelectKBest(k=1), slice(3, 6)), ("third", "drop", [])]
    union = FeatureUnion([("all", "passthrough"), ("best", SelectKBest(k=1))])
    for transformer, n_names, n_candidates in ((ColumnTransformer(parts), 3, 6), (union, 7, 6)):
        names, values_of, n_found = selected_features(make_pipeline(transformer, GaussianNB()).fit(X, y))
        assert (len(names), n_found) == (n_names, n_candidates)
        assert values_of(X).shape == (40, n_names)
    assert selected_features(GaussianNB().fit(X, y)) is None


def test_a_description_can_be_written_as_json():
    model = make_pipeline(SelectKBest(k=np.int64(3)), GridSearchCV(GaussianNB(), {"var_smoothing": np.array([0.5])}))
    settings = json.loads(json.dumps(describe(model)))
    assert settings["steps"][0][1]["k"] == 3
    assert settings["steps"][1][1]["param_grid"] == {"var_smoothing": [0.5]}
    assert settings["steps"][0][1]["score_func"] == "f_classif"


def test_a_model_without_selector_learns_from_all_columns_and_a_network_from_none_that_are_known():
    X, y = np.random.default_rng(0).normal(size=(20, 7)), np.arange(20) % 2
    assert n_inputs(make_pipeline(StandardScaler(), GaussianNB()).fit(X, y)) == 7
    nested = make_pipeline(StandardScaler(), make_pipeline(SelectKBest(k=3), GaussianNB())).fit(X, y)
    assert n_inputs(nested) == 3
    assert n_inputs(make_pipeline(StandardScaler(), GaussianNB()).fit(X[:, :1], y)) == 0  # as a column of cases
    assert n_inputs(GaussianNB().fit(X, y)) == 0
