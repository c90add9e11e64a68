"""Ensembles: the mean, the median and the vote, their theorem, and every kind of member."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import radiodeep as rd
from radiodeep.exceptions import InputError
from radiodeep.models.ensemble import combine_probabilities

COHORT = rd.make_phantom_cohort(10, random_state=4)
QUICK = rd.CNNClassifier(epochs=1, n_views=1, batch_size=8, n_threads=1)


@pytest.mark.parametrize("n_members", [1, 3, 5, 21])
def test_of_an_odd_number_of_members_the_median_and_the_vote_choose_the_same_class(n_members):
    second = np.random.default_rng(n_members).random((n_members, 500))
    probabilities = np.stack([1 - second, second], axis=2)
    median, vote = (combine_probabilities(probabilities, combine) for combine in ("median", "vote"))
    np.testing.assert_array_equal(median.argmax(axis=1), vote.argmax(axis=1))
    assert len(np.unique(vote[:, 1])) <= n_members + 1  # why the vote's AUC is low


def test_combinations_are_probabilities():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), size=(5, 30))
    for combine in ("mean", "median", "vote"):
        np.testing.assert_allclose(combine_probabilities(probabilities, combine).sum(axis=1), 1)
    np.testing.assert_allclose(combine_probabilities(probabilities, "mean"), probabilities.mean(axis=0))


def test_architectures_and_seeds_become_members():
    ensemble = rd.CNNEnsemble(["arch1", "arch3"], n_seeds=2, template=QUICK).fit(COHORT, COHORT.labels)
    assert ensemble.member_names_ == ["arch1-0", "arch1-1", "arch3-0", "arch3-1"]
    members = ensemble.predict_members(COHORT)
    alone = clone(QUICK).set_params(architecture="arch3", random_state=1).fit(COHORT, COHORT.labels)
    np.testing.assert_allclose(members[3], alone.predict_proba(COHORT), rtol=1e-6)
    np.testing.assert_allclose(ensemble.predict_proba(COHORT), members.mean(axis=0))
    for combine in ("median", "vote"):
        expected = combine_probabilities(members, combine)
        np.testing.assert_allclose(ensemble.set_params(combine=combine).predict_proba(COHORT), expected)


def test_snapshots_are_members_of_one_training():
    template = clone(QUICK).set_params(epochs=4)
    ensemble = rd.CNNEnsemble("snapshots", n_snapshots=2, template=template).fit(COHORT, COHORT.labels)
    assert ensemble.member_names_ == ["snapshot-0", "snapshot-1"]
    assert ensemble.predict_members(COHORT).shape == (2, 10, 2)


def test_any_classifiers_decide_together_in_a_study():
    X = np.random.default_rng(0).normal(size=(40, 3)) + np.repeat([[0.0], [1.0]], 20, axis=0)
    y = np.repeat([0, 1], 20)
    members = [GaussianNB(), LogisticRegression(), RandomForestClassifier(20, random_state=0)]
    ensemble = rd.CNNEnsemble(members, combine="median")
    assert rd.cross_validated_auc(ensemble, X, y, cv=5).auc > 0.7
    names = ensemble.fit(X, y).member_names_
    assert names == ["GaussianNB-0", "LogisticRegression-1", "RandomForestClassifier-2"]
    assert not hasattr(members[0], "classes_")  # clones learn


def test_networks_and_radiomics_decide_together_and_are_saved(tmp_path):
    radiomics = make_pipeline(rd.RadiomicsExtractor(families=["firstorder"]), GaussianNB())
    ensemble = rd.CNNEnsemble(["arch3", radiomics], template=QUICK).fit(COHORT, COHORT.labels)
    assert ensemble.member_names_ == ["arch3", "Pipeline-1"]
    rd.save_model(ensemble, tmp_path / "ensemble.skops")
    loaded = rd.load_model(tmp_path / "ensemble.skops")
    np.testing.assert_array_equal(loaded.predict_proba(COHORT), ensemble.predict_proba(COHORT))


def test_members_are_averaged_as_risks_and_vote_by_their_choices():
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(0, 1, (20, 28, 28)), (np.arange(20) % 5 == 0).astype(int)
    template = clone(QUICK).set_params(architecture="mnist", augmentation=None, n_seeds=3)
    flat = make_pipeline(FunctionTransformer(_flattened), GaussianNB())
    ensemble = rd.CNNEnsemble([template, rd.CNNEnsemble([template]), flat]).fit(images, labels)
    np.testing.assert_allclose(ensemble.decision_weights(), [[0.625, 2.5]] * 6 + [[1, 1]])
    names = [f"{name}-{number}" for name in ("CNNClassifier-0", "CNNEnsemble-1-CNNClassifier-0") for number in range(3)]
    assert ensemble.member_names_ == [*names, "Pipeline-2"]
    members = ensemble.predict_members(images)
    np.testing.assert_allclose(members[:3], ensemble.members_[0].predict_members(images))
    np.testing.assert_allclose(ensemble.predict_proba(images), members.mean(axis=0))
    chosen = [member[:, 1] > 0.2 for member in members[:6]] + [members[6, :, 1] > 0.5]
    vote = ensemble.set_params(combine="vote")
    np.testing.assert_allclose(vote.predict_proba(images)[:, 1], np.mean(chosen, axis=0))
    median = clone(ensemble).set_params(combine="median").fit(images, labels)
    assert median.predict(images).tolist() == vote.predict(images).tolist()


def test_a_network_at_the_end_of_a_pipeline_decides_with_its_class_weights():
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(0, 1, (20, 28, 28)), (np.arange(20) % 5 == 0).astype(int)
    network = clone(QUICK).set_params(architecture="mnist", augmentation=None)
    ends = [network, make_pipeline("passthrough", network), rd.CNNEnsemble([network] * 2)]
    ends.append(rd.CNNEnsemble([network], combine="vote"))
    members = [make_pipeline(FunctionTransformer(), end) for end in ends]
    ensemble = rd.CNNEnsemble(members, combine="vote").fit(images, labels)
    np.testing.assert_allclose(ensemble.decision_weights(), [[0.625, 2.5]] * 3 + [[1, 1]])
    chosen = [member.predict(images) for member in ensemble.members_]
    assert chosen[0].tolist() != ensemble.predict_members(images)[0].argmax(axis=1).tolist()
    np.testing.assert_allclose(ensemble.predict_proba(images)[:, 1], np.mean(chosen, axis=0))


def _flattened(images):
    return np.reshape(images, (len(images), -1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"combine": "max"}, "'combine' parameter of CNNEnsemble must be one of mean, median, vote. Got 'max'"),
        ({"members": "arch1"}, "must be a list of members or 'snapshots'. Got 'arch1'"),
        ({"members": None}, "must be a list of members or 'snapshots'. Got None"),
        ({"members": []}, "An ensemble needs members"),
        ({"members": [3]}, "the name of an architecture or a classifier with probabilities. Got 3"),
        (
            {"template": DummyClassifier()},
            "'template' parameter of CNNEnsemble must be a CNNClassifier. Got Dummy",
        ),
    ],
)
def test_what_is_no_ensemble_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        rd.CNNEnsemble(**{"template": QUICK, **changes}).fit(COHORT, COHORT.labels)


def test_the_median_of_members_who_are_each_sure_of_another_class_is_their_mean():
    probabilities = np.stack([np.eye(3)[[0, 0]], np.eye(3)[[1, 0]], np.eye(3)[[2, 1]]])
    np.testing.assert_allclose(combine_probabilities(probabilities, "median"), [[1 / 3, 1 / 3, 1 / 3], [1, 0, 0]])


def test_groups_reach_the_networks_of_ensembles_within():
    images, seen = np.random.default_rng(0).uniform(size=(8, 100, 100)), []

    class Watched(rd.CNNClassifier):
        def fit(self, X, y, groups=None):
            seen.append(groups)
            return super().fit(X, y, groups)

    inner = rd.CNNEnsemble([Watched(epochs=1, n_views=1, n_threads=1)])
    rd.CNNEnsemble([inner]).fit(images, np.arange(8) % 2, groups=[0, 0, 1, 1, 2, 2, 3, 3])
    assert seen == [[0, 0, 1, 1, 2, 2, 3, 3]]
