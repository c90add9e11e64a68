"""Networks are trained on whole patients, reproducibly, from checkpoints, and as they were before they were saved."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from sklearn.base import clone

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.models.case_view import CaseView
from radiodeep.models.examples import validation_cases
from radiodeep.networks.architectures.registry import build_network
from radiodeep.networks.training.augmentation import Augmentation
from radiodeep.networks.training.plan import Training

COHORT = rd.make_phantom_cohort(12, random_state=4)
QUICK = {"epochs": 1, "n_views": 1, "batch_size": 8, "n_threads": 1}


def discs(n=24, seed=0):
    """Noise with a bright disc in every second image, and whether it is there."""
    rng = np.random.default_rng(seed)
    labels, (y, x) = np.arange(n) % 2, np.mgrid[:100, :100] - 49.5
    images = rng.normal(0.3, 0.05, (n, 100, 100))
    images[labels == 1] += 0.5 * (np.hypot(y, x) < 30)
    return images, labels


def are_equal(networks, others):
    return all(np.array_equal(a[name], b[name]) for a, b in zip(networks, others, strict=True) for name in a)


def rare(n=24):
    """Noise in which nothing can be learned, and a class that one in four has."""
    return np.random.default_rng(0).uniform(0, 1, (n, 100, 100)), (np.arange(n) % 4 == 0).astype(int)


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


def test_pretrained_weights_may_keep_all_but_the_last_layers(tmp_path):
    images, labels = discs(12)
    start = build_network("radiodeep-mini", in_channels=1, n_classes=0).state_dict()
    save_file(start, tmp_path / "start.safetensors")
    model = rd.CNNClassifier("radiodeep-mini", weights=tmp_path / "start.safetensors", n_layers=0, **QUICK)
    learned = model.fit(images, labels).networks_[0]
    assert all(np.array_equal(learned[name], start[name].numpy()) for name in start if "num_batches" not in name)
    whole = clone(model).set_params(n_layers=None).fit(images, labels).networks_[0]
    assert not np.array_equal(whole["stem.0.weight"], start["stem.0.weight"].numpy())


def test_predicting_leaves_the_random_numbers_of_torch_alone():
    images, labels = discs(12)
    model = rd.CNNClassifier(**QUICK)
    before = torch.get_rng_state()
    model.fit(images, labels).predict(images)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_killed_training_goes_on_from_its_folder(tmp_path):
    images, labels = discs(12)
    options = {**QUICK, "epochs": 3, "n_seeds": 2}
    whole = rd.CNNClassifier(**options).fit(images, labels)
    first = rd.CNNClassifier(**options, checkpoint_dir=tmp_path).fit(images, labels)
    names = sorted(path.name.rpartition("-")[0] for path in tmp_path.iterdir())
    assert names == ["arch3-0", "arch3-1"]
    again = rd.CNNClassifier(**options, checkpoint_dir=tmp_path).fit(images, labels)
    assert are_equal(whole.networks_, first.networks_)
    assert are_equal(whole.networks_, again.networks_)


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
        settings = {"auxiliary": numbers, "auxiliary_weight": weight}
        first, fresh = (clone(model).set_params(**settings).fit(COHORT, COHORT.labels) for model in (kept, model))
        assert are_equal(first.networks_, fresh.networks_)


def test_numbers_of_numpy_are_numbers():
    images, labels = discs(12)
    whole = {"epochs": 2, "n_views": 1, "batch_size": 8, "n_threads": 1, "n_seeds": 2, "random_state": 3}
    plain = rd.CNNClassifier(**whole, weights="random").fit(images, labels)
    numpy = rd.CNNClassifier(**{name: np.int64(value) for name, value in whole.items()}, weights="random")
    assert are_equal(plain.networks_, numpy.fit(images, labels).networks_)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "'epochs' parameter of CNNClassifier must be an int >= 1. Got 0"),
        ({"n_snapshots": 1}, "'n_snapshots' parameter of CNNClassifier must be an int >= 2"),
        ({"window": "box"}, "'window' parameter of CNNClassifier must be one of auto, exact, crop"),
        ({"class_weight": {0: 1}}, "class_weight must hold a weight for each of the classes \\[0, 1\\]. Got {0: 1}"),
        (
            {"class_weight": {0: 1, 1: 0}},
            "'class_weight' parameter of CNNClassifier must be None, 'balanced' or a dict",
        ),
        ({"class_weight": "even"}, "'class_weight' parameter of CNNClassifier must be None, 'balanced' or a dict"),
        ({"validation_fraction": 1}, "'validation_fraction' parameter"),
        ({"scoring_views": "all"}, "'scoring_views' parameter of CNNClassifier must be None or one of dihedral, study"),
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
        ({"architecture": "arch9"}, "Unknown network 'arch9'"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        rd.CNNClassifier(**{**QUICK, **changes}).fit(COHORT, COHORT.labels)


def test_an_axis_of_orthogonal_slices_is_refused_before_images_are_read():
    cases = [rd.Case(f"none-{number}.nii", f"none-{number}-mask.nii", f"{number}") for number in range(4)]
    with pytest.raises(InputError, match="slice='three-orthogonal' cuts across every axis, so slice_axis='axial'"):
        rd.CNNClassifier(slice="three-orthogonal", slice_axis="axial", **QUICK).fit(cases, [0, 1, 0, 1])


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


def test_cases_of_several_spacings_are_named(watched):
    coarse = COHORT[0].in_memory()
    coarse = coarse.replace(id="coarse", spacing_mm=tuple(2 * step for step in coarse.spacing_mm))
    cases, labels = [coarse, *COHORT[1:]], COHORT.labels
    with pytest.warns(RadiodeepWarning, match=r"CNNClassifier: Spacing differs by more than a tenth: .* \(coarse\)"):
        rd.CNNClassifier(**QUICK).fit(cases, labels)
    rd.CNNClassifier(**QUICK, pixel_mm=1.0).fit(cases, labels)
    assert rd.CNNClassifier("arch3d", window="crop").acquisition_needs() == {"spacing"}  # in the image's own steps
    assert rd.CNNClassifier("arch3-gru", pixel_mm=1.0).acquisition_needs() == {"plane", "spacing_across"}


def as_saved_by_version_0_1(model, without=()):
    """Return a model restored from the state that an early version wrote: all settings are its own attributes."""
    state = {name: value for name, value in vars(model).items() if name not in ("view", "training")}
    settings = model.get_params()
    names = [name for group in (CaseView(), Training()) for name in group.get_params()]
    state |= {name: settings[name] for name in names if name not in ("schedule", "momentum", *without)}
    restored = type(model).__new__(type(model))
    restored.__setstate__(state)
    return restored


def test_a_model_saved_with_settings_of_its_own_has_them_in_groups(watched):
    model = rd.CNNClassifier(**QUICK, window="crop", size=40, optimizer="sgd").fit(COHORT, COHORT.labels)
    restored = as_saved_by_version_0_1(model)
    assert restored.get_params().keys() == model.get_params().keys()
    assert (restored.view.window, restored.view.size, restored.window) == ("crop", 40, "crop")
    assert (restored.training.optimizer, restored.training.momentum, restored.epochs) == ("sgd", 0.9, 1)
    assert not {"window", "epochs"} & vars(restored).keys()
    np.testing.assert_array_equal(restored.predict_proba(COHORT), model.predict_proba(COHORT))
    assert clone(restored).set_params(epochs=2).training.epochs == 2


def test_a_model_saved_before_slices_and_pixels_could_be_chosen_sees_what_it_saw(watched):
    for X, expected in ((COHORT, "minmax"), (rare(12)[0], None)):
        model = rd.CNNClassifier(**QUICK, window="exact").fit(X, COHORT.labels)
        before = as_saved_by_version_0_1(model, without=("slice_axis", "pixel_mm"))
        assert (before.slice_axis, before.pixel_mm, before.intensity_range) == ("axial", None, expected)
        assert pickle.loads(pickle.dumps(model)).intensity_range is None


@pytest.mark.parametrize(
    ("settings", "axis"),
    [
        ({"slice": "three-orthogonal"}, None),
        ({"architecture": "arch3d"}, None),
        ({"architecture": "arch2-slices"}, "axial"),
    ],
)
def test_a_model_saved_before_axes_could_be_chosen_scores_and_can_be_trained_again(settings, axis):
    settings = settings | {"window": "exact", "slice_axis": axis, "intensity_range": "minmax"}
    model = rd.CNNClassifier(**QUICK | settings).fit(COHORT[:4], [0, 1, 0, 1])
    before = as_saved_by_version_0_1(model, without=("slice_axis", "pixel_mm"))
    assert before.slice_axis == axis
    np.testing.assert_array_equal(before.predict_proba(COHORT[:4]), model.predict_proba(COHORT[:4]))
    clone(before).fit(COHORT[:4], [0, 1, 0, 1])


def test_too_few_patients_to_hold_some_out_give_a_warning():
    images, labels = discs(4)
    with pytest.warns(
        RadiodeepWarning, match="too few patients to hold some out, so the network of the last epoch is kept"
    ):
        model = rd.CNNClassifier(**QUICK, validation_fraction=0.1).fit(images, labels)
    assert "validation_loss" not in model.history_[0][0]
