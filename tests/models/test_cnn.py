"""Networks from scratch: they learn, keep patients apart, are the same for a seed, and are saved and resumed."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepWarning, SingleClassError, TrainingError
from radiodeep.imaging.crop import resize_planes
from radiodeep.imaging.planes import lesion_planes
from radiodeep.models.examples import auxiliary_targets, validation_cases
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.training.augmentation import Augmentation

COHORT = rd.make_phantom_cohort(12, random_state=4)
QUICK = {"epochs": 1, "n_views": 1, "batch_size": 8, "n_threads": 1}


def discs(n=24, seed=0):
    """Noise with a bright disc in every second image, and whether it is there."""
    rng = np.random.default_rng(seed)
    labels, (y, x) = np.arange(n) % 2, np.mgrid[:100, :100] - 49.5
    images = rng.normal(0.3, 0.05, (n, 100, 100))
    images[labels == 1] += 0.5 * (np.hypot(y, x) < 30)
    return images, labels


def same(one, other):
    return all(np.array_equal(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("arch1", "arch2", "radiodeep-mini")]


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
    assert same(model.networks_, again.networks_)
    members = model.predict_members(images)
    assert members.shape == (2, 12, 2)
    assert not np.allclose(members[0], members[1])
    np.testing.assert_allclose(model.predict_proba(images), members.mean(axis=0))
    second = rd.CNNClassifier(**QUICK, random_state=1).fit(images, labels)
    np.testing.assert_allclose(second.predict_proba(images), members[1], rtol=1e-6)


def test_the_validation_part_holds_whole_patients_of_every_class():
    strata, groups = np.repeat([0, 1], [60, 20]), np.arange(80) // 2
    kept = validation_cases(strata, groups, 0.3, seed=0).numpy()
    assert (kept[::2] == kept[1::2]).all()
    assert kept[:60].sum() == 18
    assert kept[60:].sum() == 6
    assert not np.array_equal(kept, validation_cases(strata, groups, 0.3, seed=1).numpy())
    assert not validation_cases(strata, groups, 0.0, seed=0).any()
    kept = validation_cases(strata, groups, 0.99, seed=0).numpy()
    assert [int((~kept)[part].sum()) for part in (slice(60), slice(60, 80))] == [2, 2]  # each class can be learned


def test_cases_of_one_patient_stay_together(monkeypatch):
    seen = {}

    def watch(strata, groups, fraction, seed):
        seen["groups"] = groups
        return validation_cases(strata, groups, fraction, seed)

    monkeypatch.setattr("radiodeep.models.network_estimator.validation_cases", watch)
    twins = [case.replace(patient=f"P{number // 2}") for number, case in enumerate(COHORT)]
    rd.CNNClassifier(**QUICK).fit(twins, COHORT.labels)
    assert seen["groups"].tolist() == [f"P{number // 2}" for number in range(12)]
    rd.CNNClassifier(**QUICK).fit(twins, COHORT.labels, groups=range(12))
    assert seen["groups"].tolist() == list(range(12))


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


def test_pretrained_weights_may_keep_all_but_the_last_layers(tmp_path):
    images, labels = discs(12)
    start = build_network("radiodeep-mini", in_channels=1, n_classes=0).state_dict()
    save_file(start, tmp_path / "start.safetensors")
    model = rd.CNNClassifier("radiodeep-mini", weights=tmp_path / "start.safetensors", n_layers=0, **QUICK)
    learned = model.fit(images, labels).networks_[0]
    assert all(np.array_equal(learned[name], start[name].numpy()) for name in start if "num_batches" not in name)
    whole = clone(model).set_params(n_layers=None).fit(images, labels).networks_[0]
    assert not np.array_equal(whole["stem.0.weight"], start["stem.0.weight"].numpy())


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


def test_a_regressor_of_one_number_takes_an_auxiliary_one():
    images, _ = discs(12)
    tones = images.mean(axis=(1, 2))
    model = rd.CNNRegressor("arch3", auxiliary=pd.DataFrame({"tone": tones}), **QUICK).fit(images, tones)
    assert model.networks_[0]["head.weight"].shape[0] == 2
    assert model.predict(images).shape == (12,)


def test_auxiliary_numbers_are_those_of_the_case_and_of_no_other():
    images, labels = discs(12)
    numbers = pd.DataFrame({"number": np.arange(12.0)})
    with pytest.raises(InputError, match="as many rows as there are images, 6. Got 12. In the folds"):
        rd.CNNClassifier(auxiliary=numbers, **QUICK).fit(images[6:], labels[6:])
    twice = pd.concat([numbers.set_axis(COHORT.ids)] * 2)
    with pytest.raises(InputError, match="a row for every case id of fit, one each"):
        rd.CNNClassifier(auxiliary=twice, **QUICK).fit(COHORT, COHORT.labels)
    targets = auxiliary_targets(
        pd.DataFrame({"a": [3.0, 1.0, np.nan], "b": [np.nan] * 3}, index=list("xyz")), ["y", "x"]
    )
    np.testing.assert_array_equal(targets.numpy(), [[-1, np.nan], [1, np.nan]])


def test_predicting_leaves_the_random_numbers_of_torch_alone():
    images, labels = discs(12)
    model = rd.CNNClassifier(**QUICK)
    before = torch.get_rng_state()
    model.fit(images, labels).predict(images)
    assert torch.equal(torch.get_rng_state(), before)


def test_images_that_hold_no_numbers_are_refused():
    images, labels = discs(12)
    model = rd.CNNClassifier(**QUICK).fit(images, labels)
    images[[3, 5], 0, 0] = np.nan
    with pytest.raises(InputError, match="2 of 12 images hold NaN or infinite pixels, the first being number 3"):
        model.predict(images)
    with pytest.raises(InputError, match="n > 0. Got float64 of shape"):
        model.predict(images[:0])


def test_a_killed_training_goes_on_from_its_folder(tmp_path):
    images, labels = discs(12)
    options = {**QUICK, "epochs": 3, "n_seeds": 2}
    whole = rd.CNNClassifier(**options).fit(images, labels)
    first = rd.CNNClassifier(**options, checkpoint_dir=tmp_path).fit(images, labels)
    names = sorted(path.name.rpartition("-")[0] for path in tmp_path.iterdir())
    assert names == ["arch3-0", "arch3-1"]
    again = rd.CNNClassifier(**options, checkpoint_dir=tmp_path).fit(images, labels)
    assert same(whole.networks_, first.networks_)
    assert same(whole.networks_, again.networks_)


@pytest.mark.slow
def test_folds_and_settings_leave_their_checkpoints_in_one_folder(tmp_path):
    model = rd.CNNClassifier(**QUICK)
    kept = clone(model).set_params(checkpoint_dir=tmp_path)
    plain = rd.cross_validated_auc(model, COHORT, COHORT.labels, cv=3, n_repeats=1).predictions
    for n_jobs in (1, 2):
        again = rd.cross_validated_auc(kept, COHORT, COHORT.labels, cv=3, n_repeats=1, n_jobs=n_jobs).predictions
        pd.testing.assert_frame_equal(again, plain)
    assert len(list(tmp_path.iterdir())) == 3
    numbers = pd.DataFrame({"number": np.linspace(0, 1, 12)}, index=COHORT.ids)
    for weight in (0.3, 30.0):
        told = {"auxiliary": numbers, "auxiliary_weight": weight}
        first, fresh = (clone(one).set_params(**told).fit(COHORT, COHORT.labels) for one in (kept, model))
        assert same(first.networks_, fresh.networks_)


def test_numbers_of_numpy_are_numbers():
    images, labels = discs(12)
    whole = {"epochs": 2, "n_views": 1, "batch_size": 8, "n_threads": 1, "n_seeds": 2, "random_state": 3}
    plain = rd.CNNClassifier(**whole, weights="random").fit(images, labels)
    numpy = rd.CNNClassifier(**{name: np.int64(value) for name, value in whole.items()}, weights="random")
    assert same(plain.networks_, numpy.fit(images, labels).networks_)


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "'epochs' parameter of CNNClassifier must be an int >= 1. Got 0"),
        ({"n_snapshots": 1}, "'n_snapshots' parameter of CNNClassifier must be an int >= 2"),
        ({"window": "box"}, "'window' parameter of CNNClassifier must be one of exact, crop"),
        ({"class_weight": {0: 1}}, "class_weight must hold a weight for each of the classes \\[0, 1\\]. Got {0: 1}"),
        (
            {"class_weight": {0: 1, 1: 0}},
            "'class_weight' parameter of CNNClassifier must be None, 'balanced' or a dict",
        ),
        ({"class_weight": "even"}, "'class_weight' parameter of CNNClassifier must be None, 'balanced' or a dict"),
        ({"validation_fraction": 1}, "'validation_fraction' parameter"),
        ({"scoring_views": "all"}, "'scoring_views' parameter of CNNClassifier must be None, 'dihedral' or 'study'"),
        ({"augmentation": True}, "'augmentation' parameter of CNNClassifier must be None or an Augmentation"),
        (
            {"intensity_range": 5},
            "'intensity_range' parameter of CNNClassifier must be None, 'minmax' or \\(low, high\\)",
        ),
        (
            {"slice_axis": "oblique"},
            "'slice_axis' parameter of CNNClassifier must be None or one of axial, coronal, sagi",
        ),
        ({"pixel_mm": 0}, "'pixel_mm' parameter of CNNClassifier must be None or a float > 0. Got 0"),
        ({"architecture": "arch3d", "pixel_mm": 1.0}, "'arch3d' is shown a cube, so pixel_mm=1.0 has no meaning"),
        ({"architecture": "arch3d", "slice_axis": "axial"}, "'arch3d' is shown a cube, so slice_axis='axial' has no"),
        ({"penalty": -1}, "'penalty' parameter of CNNClassifier must be a float >= 0. Got -1"),
        ({"weight_decay": -1}, "'weight_decay' parameter of CNNClassifier must be a float >= 0"),
        ({"architecture": "arch9"}, "There is no network 'arch9'"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        rd.CNNClassifier(**{**QUICK, **changes}).fit(COHORT, COHORT.labels)


def test_an_axis_of_orthogonal_slices_is_refused_before_images_are_read():
    cases = [rd.Case(f"none-{number}.nii", f"none-{number}-mask.nii", f"{number}") for number in range(4)]
    with pytest.raises(InputError, match="slice='three-orthogonal' cuts across every axis. Leave out slice_axis='axi"):
        rd.CNNClassifier(slice="three-orthogonal", slice_axis="axial", **QUICK).fit(cases, [0, 1, 0, 1])


class Watched(torch.nn.Module):
    """A network of four weights that keeps the images that it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = {True: [], False: []}
        self.fc = torch.nn.Linear(1, 2)

    def forward(self, images):
        self.seen[self.training].append(images.detach().clone())
        return self.fc(images.flatten(1).mean(dim=1, keepdim=True))


@pytest.fixture
def watched(monkeypatch):
    """The networks that are built, each a `Watched`."""
    built = []

    def build(*_, **__):
        torch.manual_seed(0)
        built.append(Watched())
        return built[-1]

    monkeypatch.setattr("radiodeep.models.network_estimator.build_network", build)
    return built


@pytest.mark.parametrize("name", ["resnet18", "cnn_f", "arch3", "medicalnet_resnet10", "fcib_resnet50"])
@pytest.mark.parametrize("outside", ["reflection", "zeros"])
def test_images_of_the_training_are_those_that_are_scored(watched, name, outside):
    """Augmentation works on 0..1; on normalised pixels it would take all below the mean for the mean."""
    ramps = np.linspace(0, 1, 60).reshape(1, 1, 60) * np.linspace(0.5, 1, 6).reshape(6, 1, 1) * np.ones((6, 60, 60))
    if name in ("medicalnet_resnet10", "fcib_resnet50"):  # in units of their own
        ramps = (2000 * ramps - 1000)[:, np.newaxis].repeat(3, axis=1)
    barely = Augmentation(rotation=None, flips=False, intensity=1e-6, noise=1e-6, outside=outside)
    model = rd.CNNClassifier(name, **QUICK, augmentation=barely, validation_fraction=0).fit(ramps, np.arange(6) % 2)
    model.predict_proba(ramps)
    trained, scored = (torch.cat(network.seen[part]) for network, part in zip(watched, (True, False), strict=True))
    low, high = scored.min(), scored.max()
    assert high > low + 0.5
    trained = trained[torch.cdist(scored.flatten(1), trained.flatten(1)).argmin(dim=1)]  # in the order of the scored
    assert (trained - scored).abs().max() < 1e-4 * (high - low)


def radimagenet_file(folder):
    """Write weights in the form of RadImageNet's, which want a mean and a deviation of .5."""
    torch.manual_seed(0)
    parts = dict(enumerate(("conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4")))
    state = build_network("resnet18", n_classes=0).state_dict()
    renamed = {
        f"backbone.{number}.{key.partition('.')[2]}": weights
        for number, part in parts.items()
        for key, weights in state.items()
        if part and key.startswith(f"{part}.")
    }
    torch.save(renamed, folder / "radimagenet.pth")
    return str(folder / "radimagenet.pth")


def test_images_are_normalised_as_the_weights_want_it_also_after_saving(tmp_path):
    images, labels = discs(4)
    model = rd.CNNClassifier("resnet18", weights=radimagenet_file(tmp_path), n_layers=0, **QUICK, validation_fraction=0)
    model.fit(images.clip(0, 1), labels)
    np.testing.assert_array_equal(model.normalization_, np.full((2, 3), 0.5))
    extractor = rd.DeepFeatureExtractor("resnet18", weights=model.weights)
    assert model._specification() == extractor._plain().specification
    shown, *_ = model._images(images[:2].clip(0, 1))
    network = build_network("resnet18", n_classes=2).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in model.networks_[0].items()})
    with torch.inference_mode():
        expected = torch.softmax(network((shown - 0.5) / 0.5), dim=1).numpy()
    np.testing.assert_allclose(model.predict_proba(images[:2].clip(0, 1)), expected, atol=1e-5)
    rd.save_model(model, tmp_path / "model.skops")
    loaded = rd.load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.normalization_, model.normalization_)
    del loaded.normalization_  # as it was saved before
    assert loaded._specification().mean == (0.485, 0.456, 0.406)


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
    assert same(same_weights.networks_, model.networks_)


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


def test_a_training_that_learns_nothing_says_so(watched):
    images, labels = discs(12)
    options = {**QUICK, "epochs": 2, "validation_fraction": 0}
    with pytest.warns(
        RadiodeepWarning, match=r"CNNClassifier: the training loss did not fall by 1 % \(from 0\..*higher"
    ):
        rd.CNNClassifier(**options, learning_rate=1e-12, augmentation=None).fit(images, labels)
    with pytest.warns(RadiodeepWarning, match="CNNRegressor: the training loss of 2 of 2 networks did not fall by 1 %"):
        rd.CNNRegressor(**options, learning_rate=1e-12, n_seeds=2).fit(images, np.stack([labels, 1.0 - labels], axis=1))
    rd.CNNClassifier(**options, learning_rate=0.1, augmentation=None).fit(images, labels)


@pytest.mark.parametrize("random", [True, False])
def test_random_weights_learn_the_statistics_of_normalisations_and_given_ones_keep_theirs(tmp_path, random):
    images, labels = discs(8)
    start = build_network("radiodeep-mini", in_channels=1, n_classes=0).state_dict()
    save_file(start, tmp_path / "start.safetensors")
    weights = "random" if random else tmp_path / "start.safetensors"
    learned = rd.CNNClassifier("radiodeep-mini", weights=weights, **QUICK).fit(images, labels).networks_[0]
    means = [name for name in learned if name.endswith("running_mean")]
    assert means
    assert all(random == bool(learned[name].any()) for name in means)


def test_arrays_may_be_brought_to_their_own_range():
    images, labels = discs(12)
    scaled = images - images.min(axis=(1, 2), keepdims=True)
    scaled /= scaled.max(axis=(1, 2), keepdims=True)
    own = rd.CNNClassifier(**QUICK, intensity_range="minmax").fit(300 * images - 50, labels)
    np.testing.assert_allclose(own._images(300 * images - 50)[0][:, 0], scaled, atol=1e-5)
    sequence = np.stack([images, np.full_like(images, np.nan)], axis=1)
    shown, *_ = rd.CNNClassifier("arch3-gru", intensity_range="minmax")._images(sequence)
    np.testing.assert_allclose(shown[:, 0, 0], scaled, atol=1e-5)


def test_slices_and_pixels_are_those_that_were_asked_for():
    model = rd.CNNClassifier(window="crop", slice_axis="sagittal", pixel_mm=0.5, size=40, intensity_range="minmax")
    expected = lesion_planes(COHORT[0], "largest", "crop", 40, "minmax", slice_axis="sagittal", pixel_mm=0.5)
    np.testing.assert_allclose(model._images(COHORT[:1])[0][0, :1], resize_planes(expected[0], 100), atol=1e-6)


def test_cases_of_several_spacings_are_named(watched):
    coarse = COHORT[0].in_memory()
    coarse = coarse.replace(id="coarse", spacing_mm=tuple(2 * step for step in coarse.spacing_mm))
    cases, labels = [coarse, *COHORT[1:]], COHORT.labels
    with pytest.warns(RadiodeepWarning, match=r"CNNClassifier: Spacing differs by more than a tenth: .* \(coarse\)"):
        rd.CNNClassifier(**QUICK).fit(cases, labels)
    rd.CNNClassifier(**QUICK, pixel_mm=1.0).fit(cases, labels)
    assert rd.CNNClassifier("arch3d", window="crop").acquisition_needs() == {"spacing"}  # in the image's own steps
    assert rd.CNNClassifier("arch3-gru", pixel_mm=1.0).acquisition_needs() == {"plane", "spacing_across"}


def test_a_model_saved_before_slices_and_pixels_could_be_chosen_sees_what_it_saw(watched):
    for X, expected in ((COHORT, "minmax"), (rare(12)[0], None)):
        model = rd.CNNClassifier(**QUICK).fit(X, COHORT.labels)
        state = {name: value for name, value in vars(model).items() if name not in ("slice_axis", "pixel_mm")}
        before = rd.CNNClassifier.__new__(rd.CNNClassifier)
        before.__setstate__(state)
        assert (before.slice_axis, before.pixel_mm, before.intensity_range) == ("axial", None, expected)
        assert pickle.loads(pickle.dumps(model)).intensity_range is None


@pytest.mark.parametrize(
    ("settings", "axis"),
    [
        ({"slice": "three-orthogonal"}, None),
        ({"architecture": "arch3d"}, None),
        ({"architecture": "arch2-slices", "slice": "three-orthogonal"}, "axial"),
        ({"architecture": "arch2-slices", "slice": "all"}, "axial"),
    ],
)
def test_a_model_saved_before_axes_could_be_chosen_scores_and_can_be_trained_again(settings, axis):
    settings = settings | {"slice_axis": axis, "intensity_range": "minmax"}
    model = rd.CNNClassifier(**QUICK | settings).fit(COHORT[:4], [0, 1, 0, 1])
    state = {name: value for name, value in vars(model).items() if name not in ("slice_axis", "pixel_mm")}
    before = rd.CNNClassifier.__new__(rd.CNNClassifier)
    before.__setstate__(state)
    assert before.slice_axis == axis
    np.testing.assert_array_equal(before.predict_proba(COHORT[:4]), model.predict_proba(COHORT[:4]))
    clone(before).fit(COHORT[:4], [0, 1, 0, 1])


def test_cubes_in_their_own_units_need_no_range(watched):
    cubes = np.random.default_rng(0).integers(-1000, 400, (6, 4, 20, 20))
    model = rd.CNNClassifier("fcib_resnet50", **QUICK, intensity_range=(-200, 200)).fit(cubes, np.arange(6) % 2)
    shown = model._images(cubes)[0]
    assert shown.shape == (6, 1, 50, 50, 50)
    assert shown.max() > 200


def test_whole_numbers_need_their_range():
    images, labels = discs(12)
    grey = (images.clip(0, 1) * 255).round().astype(np.uint8)
    with pytest.raises(InputError, match="Images of whole numbers up to 255 need an intensity_range"):
        rd.CNNClassifier(**QUICK).fit(grey, labels)
    scaled = rd.CNNClassifier(**QUICK, intensity_range=(0, 255)).fit(grey, labels)
    assert same(scaled.networks_, rd.CNNClassifier(**QUICK).fit((grey / 255).astype(np.float32), labels).networks_)


def test_too_few_patients_for_a_validation_part_are_named():
    images, labels = discs(4)
    with pytest.warns(RadiodeepWarning, match="too few patients for a validation part"):
        model = rd.CNNClassifier(**QUICK, validation_fraction=0.1).fit(images, labels)
    assert "validation_loss" not in model.history_[0][0]
