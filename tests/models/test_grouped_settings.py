"""Settings in groups are found by both of their names, by constructors, searches, copies and files."""

import copy
from dataclasses import dataclass

import cloudpickle
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GridSearchCV

import radiodeep as rd
from radiodeep.models.case_view import CaseView
from radiodeep.models.grouped_settings import GroupedSettings
from radiodeep.networks.training.plan import Training
from radiodeep.study.description import describe


@dataclass(repr=False, eq=False)
class Pace(BaseEstimator):
    speed: int = 1
    limit: int | None = None


class Runner(ClassifierMixin, GroupedSettings):
    """Predicts the second class if its speed is above 2."""

    setting_groups = {"pace": Pace}  # noqa: RUF012

    def __init__(self, shoes="red", *, pace=None, **settings):
        self.shoes = shoes
        self.pace = pace
        self._set_by_name(settings)

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[int(self.speed > 2)])


def test_a_setting_is_given_by_its_own_name_or_in_its_group():
    runner = Runner(speed=3)
    assert (runner.speed, runner.pace.speed) == (3, 3)
    assert Runner(pace=Pace(speed=3)).speed == 3
    assert runner.set_params(speed=4).pace.speed == 4
    assert runner.set_params(pace__limit=5).limit == 5
    runner.speed = 6
    assert runner.get_params()["pace__speed"] == runner.get_params()["speed"] == 6


def test_a_group_that_is_not_given_has_default_settings():
    runner = Runner()
    assert runner.pace is None
    assert (runner.speed, runner.get_params()["pace__limit"]) == (1, None)
    assert clone(runner).pace is None
    assert Runner().set_params(pace__speed=2).speed == 2


def test_settings_are_changed_without_those_of_estimators_that_share_the_group():
    first = Runner(speed=3)
    second = Runner().set_params(**first.get_params())
    third = copy.copy(first)
    second.set_params(speed=9)
    third.speed = 5
    assert (first.speed, second.speed, third.speed) == (3, 9, 5)
    second.set_params(pace=first.pace, speed=4, pace__limit=2)
    assert (first.speed, first.limit, second.speed, second.limit) == (3, None, 4, 2)


def test_an_estimator_is_built_from_all_parameters_of_another():
    assert Runner(**Runner("blue", speed=3, limit=4).get_params()).get_params() | {"pace": None} == (
        Runner("blue", speed=3, limit=4).get_params() | {"pace": None}
    )
    built = rd.CNNClassifier(**rd.CNNClassifier(epochs=3, window="crop").get_params())
    assert (built.epochs, built.window) == (3, "crop")


def test_a_subclass_that_names_settings_itself_can_be_described():
    class Sprinter(Runner):
        def __init__(self, shoes="red", speed=5):
            super().__init__(shoes, speed=speed)

    assert Sprinter().settings() == {"class": "Sprinter", "limit": None, "shoes": "red", "speed": 5}
    assert clone(Sprinter(speed=7)).speed == 7


def test_a_group_of_the_user_is_not_changed_by_a_constructor():
    pace = Pace(speed=2, limit=9)
    runner = Runner(pace=pace, speed=3)
    assert (runner.speed, runner.limit, pace.speed) == (3, 9, 2)
    assert Runner(pace=pace).pace is pace


def test_copies_are_independent():
    runner = Runner(speed=3)
    copy = clone(runner).set_params(speed=4)
    assert (runner.speed, copy.speed) == (3, 4)


def test_unknown_settings_are_refused():
    with pytest.raises(TypeError, match="Runner got an unexpected keyword argument 'sped'"):
        Runner(sped=3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'fit'"):
        Runner(fit=3)
    with pytest.raises(ValueError, match="Invalid parameter 'sped'"):
        Runner().set_params(sped=3)
    with pytest.raises(ValueError, match="Invalid parameter 'sped'"):
        Runner().set_params(pace__sped=3)


@pytest.mark.parametrize("name", ["speed", "pace__speed"])
def test_a_grid_search_finds_settings_by_both_names(name):
    search = GridSearchCV(Runner(), {name: [1, 3]}, cv=2).fit(np.zeros((6, 1)), list("aabbbb"))
    assert search.best_params_ == {name: 3}
    assert search.best_estimator_.speed == 3


def test_states_with_settings_by_their_own_names_are_restored_in_groups():
    restored = Runner.__new__(Runner)
    restored.__setstate__({"shoes": "blue", "speed": 3, "classes_": [0, 1]})
    assert vars(restored).keys() == {"shoes", "pace", "classes_"}
    assert (restored.speed, restored.limit) == (3, None)
    assert cloudpickle.loads(cloudpickle.dumps(restored)).speed == 3


def test_reports_name_every_setting_whatever_its_group():
    description = describe(rd.CNNClassifier(epochs=3))
    assert description["class"] == "CNNClassifier"
    assert (description["epochs"], description["window"], description["n_views"]) == (3, "auto", 12)
    assert not {"training", "view"} & description.keys()


@pytest.mark.filterwarnings("ignore:CNNRegressor. the training loss")
def test_networks_take_both_spellings_and_are_searched_by_both():
    grouped = rd.CNNClassifier("arch1", training=Training(epochs=3, n_views=2), view=CaseView(window="crop"))
    plain = rd.CNNClassifier("arch1", epochs=3, n_views=2, window="crop")
    assert repr(grouped) == repr(plain)
    images = np.random.default_rng(0).uniform(size=(8, 28, 28))
    model = rd.CNNRegressor("mnist", n_views=1, batch_size=4, augmentation=None, n_threads=1, validation_fraction=0)
    search = GridSearchCV(
        model, {"training__epochs": [1, 2], "learning_rate": [1e-5]}, cv=2, refit=False, error_score="raise"
    )
    search.fit(images, images.mean(axis=(1, 2)))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_constructors_of_networks_have_fewer_than_15_parameters():
    for network in (rd.CNNClassifier, rd.CNNRegressor):
        assert len(network().get_params(deep=False)) < 15
