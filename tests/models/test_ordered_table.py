import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepWarning, SingleClassError
from radiodeep.networks.training.examples import Examples


def quick(*arguments, epochs=1, **parameters):
    return rd.OrderedTableCNN(*arguments, **parameters).set_params(epochs=epochs)


def table(n=24, n_columns=10, n_classes=2):
    rng = np.random.default_rng(0)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n, n_columns)) + np.where(np.arange(n_columns) < 4, y[:, None], 0)
    return X, y


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:OrderedTableCNN. the training loss")  # of tables of noise
@parametrize_with_checks([rd.OrderedTableCNN().set_params(epochs=12)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
def test_a_pattern_at_a_random_place_is_found_where_a_forest_is_not():
    rng = np.random.default_rng(0)
    y = np.arange(600) % 2
    X = rng.normal(size=(600, 48))
    for case in np.flatnonzero(y):
        place = rng.integers(0, 43)
        X[case, place : place + 6] += [2, -2, 2, 2, -2, 2]
    aucs = {}
    for model in (rd.OrderedTableCNN(), RandomForestClassifier(200, random_state=0)):
        scores = model.fit(X[:250], y[:250]).predict_proba(X[250:])[:, 1]
        aucs[type(model).__name__] = roc_auc_score(y[250:], scores)
    assert aucs["OrderedTableCNN"] > 0.9 > aucs["RandomForestClassifier"] + 0.1


def test_units_of_columns_do_not_matter():
    X, y = table()
    X[:, 7] = 3.0  # constant
    other = X * np.arange(1, 11) + 100
    first, second = quick().fit(X, y), quick().fit(other, y)
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(other), atol=1e-6)
    assert (first.mean_[7], first.scale_[7]) == (3.0, 1.0)


def test_the_spearman_order_does_not_depend_on_that_of_the_table():
    X, y = table()
    order = np.random.default_rng(1).permutation(X.shape[1])
    model = quick(order="spearman", n_clusters=1)
    straight, shuffled = model.fit(X, y).predict_proba(X), model.fit(X[:, order], y).predict_proba(X[:, order])
    np.testing.assert_allclose(straight, shuffled, atol=1e-6)
    given = quick()
    assert not np.allclose(given.fit(X, y).predict_proba(X), given.fit(X[:, order], y).predict_proba(X[:, order]))


def test_groups_keep_the_order_of_the_table():
    X, y = table()
    frame = pd.DataFrame(X, columns=[f"gene {number}" for number in range(10)])
    chromosomes = {name: "X" if number % 3 else "1" for number, name in enumerate(frame)}
    model = quick(chromosomes).fit(frame, y)
    assert [columns.tolist() for columns in model.column_groups_] == [[0, 3, 6, 9], [1, 2, 4, 5, 7, 8]]
    assert len(quick(chromosomes, combination="mean").fit(frame, y).networks_[0]) > len(model.networks_[0])


def test_seeds_are_networks_of_their_own_and_repeat():
    X, y = table(n_classes=3)
    labels = np.array(["a", "b", "c"])[y]
    both = quick(n_seeds=2, random_state=3).fit(X, labels)
    members = both.predict_members(X)
    assert members.shape == (2, 24, 3)
    assert both.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(members[1], quick(random_state=4).fit(X, labels).predict_proba(X))
    np.testing.assert_array_equal(both.predict_proba(X), members.mean(axis=0))
    assert set(both.predict(X)) <= set(labels)


def test_risks_are_those_at_the_frequencies_of_training():
    X, y = table()
    y[:12] = 0  # a quarter is of the second class
    model = quick().fit(X, y)
    np.testing.assert_allclose(model.class_weights_, [24 / 18 / 2, 24 / 6 / 2])
    risks = model.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(model.predict(X), risks > 0.25)
    model.class_weights_ = np.ones(2)
    weighted = model.predict_proba(X)[:, 1]
    np.testing.assert_allclose(risks / (1 - risks), weighted / (1 - weighted) * (2 / 3) / 2)


def test_a_saved_model_predicts_the_same(tmp_path):
    X, y = table()
    model = quick(list("aabbbccccc"), order="spearman", combination="mean").fit(X, y)
    rd.save_model(model, tmp_path / "model.skops")
    np.testing.assert_array_equal(rd.load_model(tmp_path / "model.skops").predict_proba(X), model.predict_proba(X))


@pytest.mark.filterwarnings("ignore:OrderedTableCNN. the training loss")
def test_a_killed_training_goes_on(tmp_path, monkeypatch):
    X, y = table()
    whole = quick(epochs=3).fit(X, y)
    epoch = Examples.epoch
    calls = []

    def killed_in_the_third_epoch(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return epoch(self, *arguments)

    model = quick(epochs=3, checkpoint_dir=tmp_path)
    monkeypatch.setattr(Examples, "epoch", killed_in_the_third_epoch)
    with pytest.raises(KeyboardInterrupt, match="^$"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), whole.predict_proba(X))
    assert len(calls) == 4  # one more epoch


def test_a_checkpoint_of_other_groups_of_columns_is_not_taken(tmp_path):
    X, y = table(n_columns=12)
    quick([0] * 3 + [1] * 9, checkpoint_dir=tmp_path).fit(X, y)
    others = [0] * 2 + [1] * 10  # whose network has weights of the same shapes
    resumed, alone = (quick(others, **settings).fit(X, y) for settings in ({"checkpoint_dir": tmp_path}, {}))
    np.testing.assert_array_equal(resumed.predict_proba(X), alone.predict_proba(X))


def test_patients_held_out_choose_the_epoch():
    X, y = table()
    model = quick().set_params(validation_fraction=0.3).fit(X, y, groups=np.arange(24) // 2)
    assert "validation_loss" in model.history_[0][0]
    with pytest.warns(RadiodeepWarning, match="too few patients to hold some out"):
        quick().set_params(validation_fraction=0.3).fit(X[:4], y[:4], groups=[0, 1, 0, 1])
    with pytest.raises(InputError, match="Got 24 labels and 3 groups"):
        quick().fit(X, y, groups=[1, 2, 3])


def test_missing_values_are_refused_with_the_column_and_the_way_out():
    X, y = table()
    frame = pd.DataFrame(X).add_prefix("gene ")
    model = quick().fit(frame, y)
    frame.loc[3, "gene 5"] = np.nan
    for refused in (model.fit, lambda X, y: model.predict(X)):
        with pytest.raises(InputError, match=r"in 1 of 10 columns, the first being 'gene 5'. Replace .*SimpleImputer"):
            refused(frame, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"order": "pearson"}, "'order' parameter of OrderedTableCNN must be one of given, spearman. Got 'pearson'"),
        ({"combination": "max"}, "'combination' parameter .* Got 'max'"),
        ({"global_pooling": "mean"}, "'global_pooling' parameter .* Got 'mean'"),
        ({"kernel_size": 4}, "'kernel_size' .* must be an odd int >= 1. Got 4"),
        ({"width": 0}, "'width' .* must be an int >= 1. Got 0"),
        ({"n_clusters": 0}, "'n_clusters' .* must be an int >= 1. Got 0"),
        ({"n_seeds": 0}, "'n_seeds' .* must be an int >= 1. Got 0"),
        ({"random_state": -1}, "'random_state' .* must be an int >= 0. Got -1"),
        ({"n_threads": 0}, "'n_threads' .* must be an int >= 1. Got 0"),
        ({"class_weight": "even"}, "'class_weight' .* Got 'even'"),
        ({"training": 3}, "'training' .* must be a Training or None. Got 3"),
        ({"training": rd.Training()}, "cannot turn the columns of a table.*augmentation=None"),
        ({"training": rd.Training(batch_size=2, augmentation=None)}, "'batch_size' .* must be an int >= 3.* Got 2"),
        ({"training": rd.Training(epochs=0, augmentation=None)}, "'epochs' .* must be an int >= 1. Got 0"),
        ({"column_groups": ["1"]}, "must hold a group for each of 10 columns"),
    ],
)
def test_settings_out_of_range_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        rd.OrderedTableCNN(**parameters).fit(*table())


def test_one_class_is_refused():
    X, y = table()
    with pytest.raises(SingleClassError, match="Got one class, 1"):
        quick().fit(X, np.ones_like(y))


@pytest.mark.slow
def test_a_study_finds_groups_by_the_names_of_columns():
    X, y = table(120)
    frame = pd.DataFrame(X, index=[f"case {number}" for number in range(120)]).add_prefix("gene ")
    model = quick({name: number // 5 for number, name in enumerate(frame)}, epochs=60)
    result = rd.cross_validated_auc(model, frame, y, cv=2, n_repeats=1)
    assert result.auc > 0.7
