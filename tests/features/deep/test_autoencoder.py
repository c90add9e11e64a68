"""Autoencoders learn what lesions look like, without labels, inside the fold, and the same for a seed."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

import radiodeep as rd
from radiodeep.exceptions import FeatureSchemaError, InputError, RadiodeepWarning
from radiodeep.networks.training.checkpoints import TrainingState

# trainings of two epochs learn little, and say so
pytestmark = pytest.mark.filterwarnings("ignore:AutoencoderFeatures. the reconstructions are no better")
COHORT = rd.make_phantom_cohort(8, random_state=4)
QUICK = rd.Training(2, 1, 4, validation_fraction=0, augmentation=None)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small networks are slower on several threads of a busy machine."""
    torch = pytest.importorskip("torch")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def autoencoder(kind="plain", training=QUICK, **settings):
    return rd.AutoencoderFeatures(kind, 3, training=training, **settings)


@pytest.fixture(scope="module")
def fitted():
    return autoencoder().fit(COHORT)


def test_reconstructions_are_the_decoded_features(fitted):
    features = fitted.transform(COHORT)
    assert features.shape == (8, 3)
    pairs = fitted.reconstruct(COHORT)
    np.testing.assert_allclose(
        np.concatenate([again for _, again in pairs]), fitted.inverse_transform(features), atol=1e-5
    )
    images = np.concatenate([shown for shown, _ in pairs])
    np.testing.assert_allclose(autoencoder().fit(images).transform(images), features, atol=1e-5)
    left = sum(np.square(again - shown).sum() for shown, again in pairs) / np.square(images - images.mean(axis=0)).sum()
    assert fitted.variance_explained_ == pytest.approx(1 - left, rel=1e-4)
    names = fitted.get_feature_names_out().tolist()
    assert names == ["autoencoder_plain_0000", "autoencoder_plain_0001", "autoencoder_plain_0002"]


def test_the_features_of_a_case_do_not_depend_on_labels_or_on_the_other_cases(fitted):
    labelled = autoencoder().fit(COHORT, COHORT.labels)
    np.testing.assert_array_equal(labelled.transform(COHORT), fitted.transform(COHORT))
    np.testing.assert_array_equal(fitted.transform(COHORT[2:3]), fitted.transform(COHORT)[2:3])
    tags = get_tags(rd.AutoencoderFeatures())
    assert (tags.requires_fit, tags.target_tags.required) == (True, False)
    with pytest.raises(NotFittedError, match="AutoencoderFeatures instance is not fitted"):
        rd.AutoencoderFeatures().transform(COHORT)


@pytest.mark.parametrize("kind", ["denoising", "variational"])
def test_the_seed_determines_noise_and_features(kind):
    first, same, other = (autoencoder(kind, random_state=seed).fit(COHORT) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.transform(COHORT), same.transform(COHORT))
    assert first.weights_sha256_ == same.weights_sha256_ != other.weights_sha256_
    plain = autoencoder().fit(COHORT)
    assert plain.transform(COHORT).tolist() != first.transform(COHORT).tolist()


def test_noise_and_beta_change_their_own_kinds_alone(fitted):
    assert autoencoder(noise=0.5, beta=9.0).fit(COHORT).weights_sha256_ == fitted.weights_sha256_
    for kind, settings in (("denoising", {"noise": 0.5}), ("variational", {"beta": 9.0})):
        assert (
            autoencoder(kind, **settings).fit(COHORT).weights_sha256_ != autoencoder(kind).fit(COHORT).weights_sha256_
        )


def test_cases_of_several_slices_have_the_mean_of_their_features():
    model = autoencoder(slice="all").fit(COHORT[:3])
    slices = model.reconstruct(COHORT[:1])[0][0]
    assert len(slices) == COHORT[0].roi.any(axis=(1, 2)).sum()
    of_slices = copy.copy(model).set_params(slice="largest").transform(slices)
    np.testing.assert_allclose(model.transform(COHORT[:1])[0], of_slices.mean(axis=0), atol=1e-5)


def test_cubes_are_learned_as_squares_are():
    model = autoencoder("variational", dimensions=3, window="crop").fit(COHORT)
    assert model.transform(COHORT).shape == (8, 3)
    cube, again = model.reconstruct(COHORT[:1])[0]
    assert cube.shape == again.shape == (1, 32, 32, 32)
    assert model.inverse_transform(np.zeros((2, 3))).shape == (2, 32, 32, 32)
    expected = model.transform(COHORT[:1])
    np.testing.assert_allclose(model.set_params(window="exact").transform(cube), expected, atol=1e-5)


def test_a_reconstruction_that_is_the_mean_image_is_named():
    noise = np.random.default_rng(0).random((20, 64, 64))
    still = rd.Training(1, 1, learning_rate=1e-9, validation_fraction=0.3, augmentation=None)
    with pytest.warns(
        RadiodeepWarning, match=r"no better than the mean image .*Take more epochs or another learning_rat"
    ):
        autoencoder(training=still).fit(noise)
    with pytest.warns(RadiodeepWarning, match="or a lower beta"):
        autoencoder("variational", still).fit(noise)


def test_patients_are_held_out_whole_and_judge_the_reconstruction():
    plan = clone(QUICK).set_params(validation_fraction=0.5)
    model = autoencoder(training=plan).fit(COHORT, groups=[0, 0, 1, 1, 2, 2, 3, 3])
    assert all("validation_loss" in record for record in model.history_)
    kept = [group for group in range(4) if group not in np.random.default_rng(0).permutation(4)[:2]]
    training_cases = [COHORT[2 * group + number] for group in kept for number in (0, 1)]
    shown = np.concatenate([images for images, _ in model.reconstruct(training_cases)])
    np.testing.assert_allclose(model.network_["mean_image"][0], shown.mean(axis=0), atol=1e-6)
    best = min(record["validation_loss"] for record in model.history_)
    held_out = [case for case in COHORT if case not in training_cases]
    pairs = model.reconstruct(held_out)
    error = np.mean([np.square(again - images).mean() for images, again in pairs])
    assert best == pytest.approx(error / model.network_["scale"] ** 2, rel=1e-3)


def test_a_killed_training_goes_on_with_the_same_result(tmp_path, monkeypatch):
    expected = autoencoder("variational").fit(COHORT)
    model = autoencoder("variational", checkpoint_dir=tmp_path)
    with monkeypatch.context() as patched:
        save = TrainingState.save
        patched.setattr(
            "radiodeep.networks.training.checkpoints.TrainingState.save", lambda *args: (save(*args), 1 / 0)
        )
        with pytest.raises(ZeroDivisionError, match="division"):
            model.fit(COHORT)
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("autoencoder-variational-0-")
    assert model.fit(COHORT).weights_sha256_ == expected.weights_sha256_
    assert len(model.history_) == 2


def test_it_is_saved_with_its_weights(fitted, tmp_path):
    model = make_pipeline(clone(fitted), GaussianNB()).fit(COHORT, COHORT.labels)
    expected = model.predict_proba(COHORT[:2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(COHORT[:2]), expected)
    rd.save_model(model, tmp_path / "model.skops")
    loaded = rd.load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(COHORT[:2]), expected)
    assert loaded[0].training_range_["features"].shape == (2, 3)
    assert not hasattr(clone(loaded[0]), "network_")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "sparse"}, "'kind' parameter of AutoencoderFeatures must be .*Got 'sparse'"),
        ({"dimensions": 1}, "'dimensions' parameter of AutoencoderFeatures must be .*Got 1"),
        ({"n_features": 0}, "'n_features' parameter of AutoencoderFeatures must be an int >= 1. Got 0"),
        ({"noise": 0}, "'noise' parameter of AutoencoderFeatures must be a float > 0. Got 0"),
        ({"beta": -1}, "'beta' parameter of AutoencoderFeatures must be a float >= 0. Got -1"),
        ({"random_state": None}, "'random_state' parameter of AutoencoderFeatures must be an int >= 0. Got None"),
        ({"training": 5}, "'training' parameter of AutoencoderFeatures must be None or a Training. Got 5"),
        ({"training": rd.Training(epochs=0)}, "'epochs' parameter of Training must be an int >= 1"),
        ({"window": "box"}, "'window' parameter of AutoencoderFeatures must be"),
        ({"slice": "2.5d"}, "slice='2.5d' gives one slice to each of three channels"),
        ({"dimensions": 3, "slice": "all"}, "the autoencoder' is shown a cube, so slice='all' has no meaning"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        rd.AutoencoderFeatures(**settings).fit(COHORT)


def test_images_that_cannot_be_learned_are_refused(fitted):
    images = np.zeros((4, 64, 64))
    for X, settings, message in (
        (images, {}, "All images that the autoencoder is shown are equal"),
        (images[:, None], {}, r"shape \(n, height, width\). Got float64 of shape \(4, 1, 64, 64\)"),
        (images, {"dimensions": 3}, r"shape \(n, slices, height, width\)"),
        (images + np.nan, {}, "Images must be finite numbers"),
        (np.full((4, 64, 64), 9, np.uint8), {}, r"of 9 to 9 need an intensity_range .* \(0, 255\)"),
        (images - 1000, {}, "of -1000 to -1000 need an intensity_range"),
        (images + 255, {}, "of 255 to 255 need an intensity_range"),
        (images, {"window": "crop"}, "Images of an array are shown whole, so window='crop' has no meaning"),
        ([], {}, "'X' parameter of AutoencoderFeatures must be at least one case"),
    ):
        with pytest.raises(InputError, match=message):
            autoencoder(**settings).fit(X)
    with pytest.raises(InputError, match="must be a group for each of 8 cases. Got 1"):
        autoencoder().fit(COHORT, groups=[1])
    with pytest.raises(InputError, match=r"shape \(n, 3\). Got shape \(3,\)"):
        fitted.inverse_transform(np.zeros(3))


def test_settings_of_another_network_are_named(fitted):
    for settings in ({"n_features": 4}, {"kind": "variational"}):
        changed = copy.copy(fitted).set_params(**settings)
        with pytest.raises(FeatureSchemaError, match="was changed after it was fitted: kind, n_features or dimensions"):
            changed.transform(COHORT[:1])


def test_a_case_of_one_intensity_is_named(fitted):
    flat = rd.Case(np.full((9, 9), 5.0), np.ones((9, 9)), "flat", (1, 1))
    with pytest.warns(RadiodeepWarning, match="flat: everything the network sees has the same intensity"):
        fitted.transform([flat])


def test_a_table_of_all_cases_is_warned_of(fitted):
    with pytest.warns(RadiodeepWarning, match="AutoencoderFeatures learns from all cases of the table"):
        table = rd.extract_table(fitted, COHORT[:2])
    np.testing.assert_allclose(table.to_numpy(), fitted.transform(COHORT[:2]))


@pytest.mark.slow
def test_studies_train_it_in_every_fold_and_it_knows_nothing_of_the_case_that_is_left_out():
    model = make_pipeline(autoencoder(), GaussianNB())
    result = rd.cross_validated_auc(model, COHORT, COHORT.labels)
    rest = COHORT[:7]
    alone = clone(model).fit(rest, rest.labels).predict_proba(COHORT[7:])[0, 1]
    assert result.predictions.loc[COHORT[7].id, "probability"] == pytest.approx(alone, abs=1e-9)


@pytest.mark.slow
def test_two_numbers_suffice_for_images_that_have_two_where_pca_needs_many():
    places = np.random.default_rng(0).uniform(16, 48, (400, 2))
    grid = np.arange(64)
    images = np.exp(-np.square(grid[None, :, None] - places[:, :1, None]) / 72) * np.exp(
        -np.square(grid[None, None] - places[:, 1:, None]) / 72
    )
    train, test = images[:300], images[300:]
    plan = rd.Training(60, 1, 16, learning_rate=2e-3, schedule="one-cycle", validation_fraction=0, augmentation=None)
    model = rd.AutoencoderFeatures(n_features=2, training=plan).fit(train)
    total = np.square(test - train.mean(axis=0)).sum()
    again = np.concatenate([made for _, made in model.reconstruct(test)])
    pca = PCA(2).fit(train.reshape(300, -1))
    flat = test.reshape(100, -1)
    of_pca = 1 - np.square(pca.inverse_transform(pca.transform(flat)) - flat).sum() / total
    explained = 1 - np.square(again - test).sum() / total
    assert explained > 0.9
    assert of_pca < 0.6
