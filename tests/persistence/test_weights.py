"""A model with weights of one's own works on another machine, and names no path of the first."""

import json
import shutil
import zipfile

import numpy as np
import pytest
import safetensors.torch
import sklearn
import skops.io
import torch
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union

import radiodeep as rd
from radiodeep.exceptions import ModelError, OutputError, WeightsError
from radiodeep.networks.architectures.registry import build_network

COHORT = rd.make_phantom_cohort(6, random_state=8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_weights(path, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network("radiodeep-mini", in_channels=1, n_classes=0)
    path.parent.mkdir(exist_ok=True)
    safetensors.torch.save_file(network.state_dict(), path)
    return path


@pytest.fixture
def fitted(tmp_path):
    weights = write_weights(tmp_path / "here" / "own.safetensors")
    return make_pipeline(rd.DeepFeatureExtractor(weights=str(weights)), GaussianNB()).fit(COHORT, COHORT.labels)


@pytest.mark.parametrize("name", ["model.skops", "model.joblib"])
def test_weights_travel_inside_the_file(fitted, name, tmp_path, cache):
    expected = fitted.predict_proba(COHORT)
    path = rd.save_model(fitted, tmp_path / "there" / name)
    assert fitted[0].weights == str(tmp_path / "here" / "own.safetensors")  # the model itself is as it was
    shutil.rmtree(tmp_path / "here")
    assert str(tmp_path).encode() not in path.read_bytes()
    loaded = rd.load_model(path, trusted=True)
    np.testing.assert_array_equal(loaded.predict_proba(COHORT), expected)
    assert loaded[0].settings()["weights"] == "own.safetensors"
    (unpacked,) = cache.rglob("own.safetensors")
    unpacked.write_bytes(b"changed")
    assert loaded[0].weights == str(unpacked)
    np.testing.assert_array_equal(rd.load_model(path, trusted=True).predict_proba(COHORT), expected)


def test_two_files_of_one_name_are_kept_apart(tmp_path):
    files = [write_weights(tmp_path / folder / "own.safetensors", seed) for seed, folder in enumerate("ab")]
    model = make_pipeline(make_union(*[rd.DeepFeatureExtractor(weights=str(file)) for file in files]), GaussianNB())
    expected = model.fit(COHORT, COHORT.labels).predict_proba(COHORT)
    path = rd.save_model(model, tmp_path / "model.skops")
    for file in files:
        file.unlink()
    np.testing.assert_array_equal(rd.load_model(path).predict_proba(COHORT), expected)


def test_a_file_can_be_given_and_must_be_the_one_of_the_training(fitted, tmp_path):
    path = rd.save_model(fitted, tmp_path / "model.skops")
    copied = str(shutil.copy(tmp_path / "here" / "own.safetensors", tmp_path / "copy.safetensors"))
    other = write_weights(tmp_path / "other.safetensors", seed=1)
    assert rd.load_model(path, weights=copied)[0].weights == copied
    assert rd.load_model(path, weights={"own.safetensors": copied})[0].weights == copied
    with pytest.raises(WeightsError, match="is not the weights file of the model: its sha256 begins with"):
        rd.load_model(path, weights=other)
    with pytest.raises(WeightsError, match="There is no weights file"):
        rd.load_model(path, weights=tmp_path / "none.safetensors")


def test_a_file_that_the_model_does_not_need_is_refused(fitted, tmp_path):
    path = rd.save_model(fitted, tmp_path / "model.skops")
    with pytest.raises(WeightsError, match=r"does not need\. It needs own\.safetensors"):
        rd.load_model(path, weights={"other.safetensors": "other.safetensors"})
    path = rd.save_model(GaussianNB().fit([[0.0], [1.0]], [0, 1]), tmp_path / "table.skops")
    with pytest.raises(WeightsError, match=r"does not need\. It needs none"):
        rd.load_model(path, weights="own.safetensors")


def save_as_before(model, path):
    """Write a .skops file as earlier versions did, with the path of the weights as it was given."""
    skops.io.dump(model, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("radiodeep.json", json.dumps({"scikit-learn": sklearn.__version__}))


def test_weights_of_an_earlier_model_are_found_where_they_were_or_beside_it(fitted, tmp_path):
    path = tmp_path / "model.skops"
    save_as_before(fitted, path)
    stored = tmp_path / "here" / "own.safetensors"
    assert rd.load_model(path)[0].weights == str(stored)
    beside = str(shutil.move(stored, tmp_path / "own.safetensors"))
    assert rd.load_model(path)[0].weights == beside
    write_weights(tmp_path / "own.safetensors", seed=1)
    with pytest.raises(WeightsError, match=r"needs the weights file 'own\.safetensors' \(its sha256 begins with"):
        rd.load_model(path)


def test_weights_that_are_missing_or_have_changed_are_not_saved(fitted, tmp_path):
    write_weights(tmp_path / "here" / "own.safetensors", seed=1)
    with pytest.raises(WeightsError, match="has changed since the model was fitted"):
        rd.save_model(fitted, tmp_path / "model.skops")
    (tmp_path / "here" / "own.safetensors").unlink()
    with pytest.raises(WeightsError, match="There is no weights file"):
        rd.save_model(fitted, tmp_path / "model.skops")


def test_a_cache_folder_that_cannot_be_written_is_named_with_a_way_out(fitted, tmp_path, cache):
    path = rd.save_model(fitted, tmp_path / "model.skops")
    cache.write_text("")
    with pytest.raises(OutputError, match=r"cannot be unpacked: .* XDG_CACHE_HOME, or use load_model\(path, weights"):
        rd.load_model(path)


@pytest.mark.parametrize("name", ["../../evil.safetensors", "/etc/evil.safetensors"])
def test_a_name_that_leads_elsewhere_is_refused(fitted, name, tmp_path):
    path = rd.save_model(fitted, tmp_path / "model.skops")
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    metadata = json.loads(members["radiodeep.json"])
    metadata["weights"][0]["name"] = name
    members["radiodeep.json"] = json.dumps(metadata).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(ModelError, match="list of weights files inside the model's file is damaged"):
        rd.load_model(path)


def test_a_network_that_was_trained_needs_no_file_and_keeps_no_path(tmp_path):
    weights = write_weights(tmp_path / "here" / "own.safetensors")
    model = rd.CNNClassifier(
        "radiodeep-mini", weights=str(weights), epochs=1, n_views=1, checkpoint_dir=str(tmp_path / "checkpoints")
    ).fit(COHORT, COHORT.labels)
    path = rd.save_model(model, tmp_path / "model.skops")
    weights.unlink()
    assert str(tmp_path).encode() not in path.read_bytes()
    loaded = rd.load_model(path)
    np.testing.assert_array_equal(loaded.predict_proba(COHORT), model.predict_proba(COHORT))
    assert (loaded.weights, loaded.checkpoint_dir) == ("own.safetensors", None)
    assert loaded.training_range_["n_dimensions"] == [3]
