"""Networks that are trained here learn, give risks, and are the same for a seed."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import radiodeep as rd
from radiodeep.exceptions import InputError, SingleClassError, TrainingError
from radiodeep.networks.architectures.registry import build_network

COHORT = rd.make_phantom_cohort(12, random_state=4)
QUICK = {"epochs": 1, "n_views": 1, "batch_size": 8, "n_threads": 1}


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("arch1", "arch2", "radiodeep-mini")]


def discs(n=24, seed=0):
    """Noise with a bright disc in every second image, and whether it is there."""
    rng = np.random.default_rng(seed)
    labels, (y, x) = np.arange(n) % 2, np.mgrid[:100, :100] - 49.5
    images = rng.normal(0.3, 0.05, (n, 100, 100))
    images[labels == 1] += 0.5 * (np.hypot(y, x) < 30)
    return images, labels


def are_equal(networks, others):
    return all(np.array_equal(a[name], b[name]) for a, b in zip(networks, others, strict=True) for name in a)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["arch3", *SLOW])  # seconds each
def test_a_network_learns_what_can_be_seen(architecture):
    images, labels = discs()
    model = rd.CNNClassifier(
        architecture, epochs=8, n_views=6, learning_rate=1e-3, batch_size=8, validation_fraction=0, n_threads=1
    ).fit(images, np.array(["disc", "even"])[labels])
    assert model.history_[0][-1]["loss"] < 0.5 * model.history_[0][0]["loss"]
    assert model.classes_.tolist() == ["disc", "even"]
    new, of_new = discs(seed=1)
    probabilities = model.predict_proba(new)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert (model.predict(new) == np.array(["disc", "even"])[of_new]).mean() > 0.9


def test_the_same_seed_gives_the_same_networks_and_seeds_are_averaged():
    images, labels = discs(12)
    model = rd.CNNClassifier(**QUICK, n_seeds=2).fit(images, labels)
    again = clone(model).fit(images, labels)
    assert are_equal(model.networks_, again.networks_)
    members = model.predict_members(images)
    assert members.shape == (2, 12, 2)
    assert not np.allclose(members[0], members[1])
    np.testing.assert_allclose(model.predict_proba(images), members.mean(axis=0))
    second = rd.CNNClassifier(**QUICK, random_state=1).fit(images, labels)
    np.testing.assert_allclose(second.predict_proba(images), members[1], rtol=1e-6)


def test_several_slices_are_examples_and_their_probabilities_are_averaged():
    model = rd.CNNClassifier(**QUICK, slice="all", n_layers=None).fit(COHORT, COHORT.labels)
    probabilities = model.predict_proba(COHORT[:2])
    assert probabilities.shape == (2, 2)
    images, counts, *_ = model._images(COHORT[:2])
    assert counts == [int(case.roi.any(axis=(1, 2)).sum()) for case in COHORT[:2]]
    network = build_network("arch3")
    network.load_state_dict({name: torch.from_numpy(value) for name, value in model.networks_[0].items()})
    with torch.inference_mode():
        of_slices = torch.sigmoid(network.eval()(images))[:, 0].numpy()
    expected = [part.mean() for part in np.split(of_slices, [counts[0]])]
    np.testing.assert_allclose(probabilities[:, 1], expected, rtol=1e-5)


def test_a_study_trains_it_in_every_fold_and_it_scores_new_cases(tmp_path):
    model = rd.CNNClassifier(**QUICK)
    result = rd.cross_validated_auc(model, COHORT, COHORT.labels, cv=3)
    assert 0 <= result.auc <= 1
    fitted = clone(model).fit(COHORT, COHORT.labels)
    rd.save_model(fitted, tmp_path / "cnn.skops")
    loaded = rd.load_model(tmp_path / "cnn.skops")
    np.testing.assert_array_equal(loaded.predict_proba(COHORT[:3]), fitted.predict_proba(COHORT[:3]))
    assert rd.score_cohort(loaded, COHORT[:3])["probability_1"].notna().all()
    with pytest.raises(NotFittedError):
        model.predict(COHORT)


def test_snapshots_are_the_ends_of_the_cycles_of_one_training():
    images, labels = discs(12)
    model = rd.CNNClassifier(**{**QUICK, "epochs": 6}, n_snapshots=3).fit(images, labels)
    rates = [epoch["learning_rate"] for epoch in model.history_[0]]
    assert rates == pytest.approx([1e-3, 5e-4] * 3)
    assert "validation_loss" not in model.history_[0][0]
    assert model.predict_members(images).shape == (3, 12, 2)


def test_auxiliary_numbers_are_learned_beside_the_class():
    images, labels = discs(24)
    table = pd.DataFrame({"tone": images.mean(axis=(1, 2)), "other": np.linspace(0, 1, 24)})
    table.iloc[3, 1] = np.nan
    options = {**QUICK, "epochs": 3, "n_views": 4}
    model = rd.CNNClassifier("arch3", auxiliary=table, **options).fit(images, labels)
    assert model.networks_[0]["head.weight"].shape[0] == 4
    assert model.predict_proba(images).shape == (24, 2)
    assert np.isfinite([epoch["loss"] for epoch in model.history_[0]]).all()
    with pytest.raises(InputError, match="'auxiliary' parameter must be a DataFrame with a row for every case"):
        rd.CNNClassifier(auxiliary=table[:5], **QUICK).fit(images, labels)


def test_three_classes_and_views_when_scoring():
    images, _ = discs(12)
    model = rd.CNNClassifier(**QUICK, scoring_views="dihedral").fit(images, np.arange(12) % 3)
    probabilities = model.predict_proba(images)
    assert probabilities.shape == (12, 3)
    turned = model.predict_proba(np.rot90(images, axes=(1, 2)).copy())
    np.testing.assert_allclose(probabilities, turned, atol=1e-5)


@pytest.mark.slow
def test_a_regressor_tells_numbers_on_their_own_scale():
    rng = np.random.default_rng(0)
    tones = rng.uniform(0, 1, 40)
    images = tones[:, None, None] + rng.normal(0, 0.05, (40, 100, 100))
    options = {"epochs": 12, "n_views": 4, "learning_rate": 3e-3, "batch_size": 8, "n_threads": 1}
    model = rd.CNNRegressor("arch3", **options, validation_fraction=0).fit(images, 100 + 20 * tones)
    assert np.corrcoef(model.predict(images), tones)[0, 1] > 0.95
    assert model.predict(images).mean() == pytest.approx(100 + 20 * tones.mean(), abs=3)
    both = rd.CNNRegressor("arch3", **options, validation_fraction=0).fit(images, np.stack([tones, 3 - tones], axis=1))
    assert np.corrcoef(both.predict(images)[:, 0], tones)[0, 1] > 0.95
    assert np.corrcoef(both.predict(images)[:, 1], tones)[0, 1] < -0.95
    with pytest.raises(InputError, match="numbers to learn must be finite"):
        rd.CNNRegressor(**QUICK).fit(images, np.full(40, np.nan))


@pytest.mark.filterwarnings("ignore:CNNRegressor. the training loss")
def test_a_regressor_is_studied_as_any_model_of_numbers():
    y = np.arange(12) + 0.5
    model = rd.CNNRegressor("mnist", **QUICK, validation_fraction=0)
    result = rd.cross_validated_score(model, COHORT, y, cv=2, n_repeats=1)
    assert result.outcome == "numbers"
    is_test = np.isin(COHORT.ids, result.folds["test_ids"][0])
    train, test = ([case for case, chosen in zip(COHORT, is_test == side, strict=True) if chosen] for side in (0, 1))
    expected = clone(model).fit(train, y[~is_test]).predict(test)
    np.testing.assert_allclose(result.predictions["prediction"][is_test], expected, rtol=1e-6)
    assert np.isfinite(result.measures()["value"]).all()
    assert np.isfinite(rd.holdout_auc(model, train, y[~is_test], test, y[is_test]).value)


def test_a_regressor_of_one_number_takes_an_auxiliary_one():
    images, _ = discs(12)
    tones = images.mean(axis=(1, 2))
    model = rd.CNNRegressor("arch3", auxiliary=pd.DataFrame({"tone": tones}), **QUICK).fit(images, tones)
    assert model.networks_[0]["head.weight"].shape[0] == 2
    assert model.predict(images).shape == (12,)


def test_what_cannot_be_learned_from_is_refused():
    images, labels = discs(12)
    with pytest.raises(SingleClassError, match="needs cases of two classes"):
        rd.CNNClassifier(**QUICK).fit(images, labels * 0)
    with pytest.raises(TrainingError, match="Take a lower learning rate than 1e"):
        rd.CNNClassifier(**{**QUICK, "epochs": 9}, learning_rate=1e30).fit(images, labels)
    with pytest.raises(InputError, match="array of numbers of shape"):
        rd.CNNClassifier(**QUICK).fit(images[0], labels)
    with pytest.raises(InputError, match="a label and a group for each of 12 cases. Got 3"):
        rd.CNNClassifier(**QUICK).fit(images, labels[:3])
    with pytest.raises(InputError, match="Got 12 labels and 2 groups"):
        rd.CNNClassifier(**QUICK).fit(images, labels, groups=["a", "b"])
    with pytest.raises(InputError, match="12 of 12 groups are missing"):
        rd.CNNClassifier(**QUICK).fit(images, labels, groups=[None] * 12)
    for missing in (None, np.nan):
        with pytest.raises(InputError, match="1 of 12 labels are missing"):
            rd.CNNClassifier(**QUICK).fit(images, [missing, *labels[1:].tolist()])
    with pytest.raises(InputError, match="one label per case. Got labels of shape"):
        rd.CNNClassifier(**QUICK).fit(images, labels[:, np.newaxis])


def rare(n=24):
    """Noise in which nothing can be learned, and a class that one in four has."""
    return np.random.default_rng(0).uniform(0, 1, (n, 100, 100)), (np.arange(n) % 4 == 0).astype(int)


@pytest.mark.filterwarnings("ignore:CNNClassifier. the training loss")
def test_probabilities_are_risks_at_the_share_of_the_classes_in_training(watched):
    images, labels = rare()
    options = {**QUICK, "epochs": 40, "learning_rate": 0.05, "augmentation": None, "validation_fraction": 0}
    model = rd.CNNClassifier(**options).fit(images, labels)
    np.testing.assert_allclose(model.class_weights_, [2 / 3, 2])
    assert model.predict_proba(images)[:, 1].mean() == pytest.approx(0.25, abs=0.05)
    alike = rd.CNNClassifier(**options, class_weight=None).fit(images, labels)
    np.testing.assert_array_equal(alike.class_weights_, [1, 1])
    assert alike.predict_proba(images)[:, 1].mean() == pytest.approx(0.25, abs=0.05)
    same_weights = rd.CNNClassifier(**options, class_weight={0: 2 / 3, 1: 2.0}).fit(images, labels)
    assert are_equal(same_weights.networks_, model.networks_)


@pytest.mark.parametrize("architecture", ["mnist", "arch3"])  # an output per class, and one for two
@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_weights_are_taken_out_of_probabilities_and_stay_in_the_choice(architecture, n_classes, tmp_path):
    images, _ = rare(12)
    labels = np.repeat(np.arange(n_classes), [9, 3] if n_classes == 2 else [7, 3, 2])
    model = rd.CNNClassifier(architecture, **QUICK).fit(images, labels)
    rd.save_model(model, tmp_path / "model.skops")
    before = rd.load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(before.predict_proba(images), model.predict_proba(images))
    del before.class_weights_  # as it was saved before
    weighted = before.predict_proba(images)
    expected = weighted / model.class_weights_
    np.testing.assert_allclose(
        model.predict_proba(images), expected / expected.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-7
    )
    assert model.predict(images).tolist() == before.predict(images).tolist() == weighted.argmax(axis=1).tolist()
    assert (model.predict_proba(images)[:, -1] < weighted[:, -1]).all()
