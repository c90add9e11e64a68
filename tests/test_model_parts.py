"""All objects inside a model are found, each once."""

import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiodeep.model_parts import parts_of


def estimators_in(model):
    return [type(part).__name__ for part in parts_of(model) if hasattr(part, "fit")]


def test_steps_of_pipelines_within_ensembles_are_found():
    model = VotingClassifier([("a", make_pipeline(StandardScaler(), GaussianNB())), ("b", GaussianNB())])
    assert sorted(estimators_in(model)) == [
        "GaussianNB",
        "GaussianNB",
        "Pipeline",
        "StandardScaler",
        "VotingClassifier",
    ]


def test_an_object_is_yielded_once_even_in_a_circle():
    model = GaussianNB()
    model.itself = [model, {"again": model}]
    assert estimators_in(model) == ["GaussianNB"]


def test_members_in_an_array_of_objects_are_found():
    model = GaussianNB()
    model.members = np.array([StandardScaler(), None], dtype=object)
    assert sorted(estimators_in(model)) == ["GaussianNB", "StandardScaler"]


def test_classes_and_modules_are_left_out():
    model = GaussianNB()
    model.kind = StandardScaler
    model.library = np
    assert np not in list(parts_of(model))
    assert estimators_in(model) == ["GaussianNB"]
