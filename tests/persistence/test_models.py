"""Saved models come back with the same predictions, and hostile or foreign files do not open."""

import json
import pickle
import platform
import threading
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import skops.io
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import radiodeep as rd
from radiodeep.exceptions import ModelError, ModelVersionError, OutputError, RadiodeepWarning, UntrustedModelError
from radiodeep.networks.architectures.registry import build_network

COHORT = rd.make_phantom_cohort(10, random_state=8)


class Attack:
    """A pickle of this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def fitted():
    head = make_union(
        make_pipeline(rd.RadiomicsExtractor(bin_count=16), StandardScaler(), rd.ReliefF(n_features_to_select=4)),
        make_pipeline(rd.DeepFeatureExtractor(), rd.SymmetricUncertainty(n_features_to_select=4, threshold=None)),
    )
    return make_pipeline(head, RandomForestClassifier(20, random_state=0)).fit(COHORT, COHORT.labels)


@pytest.mark.parametrize("name", ["model.skops", "model.joblib"])
def test_a_model_comes_back_with_the_same_predictions(tmp_path, name):
    model = fitted()
    path = rd.save_model(model, tmp_path / "new" / name)
    loaded = rd.load_model(path, trusted=name.endswith("joblib"))
    np.testing.assert_array_equal(loaded.predict_proba(COHORT), model.predict_proba(COHORT))
    assert path.stat().st_size < 700_000  # the network's weights are not in it
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_a_pickle_does_not_open_without_trust(tmp_path):
    path = tmp_path / "model.joblib"
    joblib.dump(Attack(tmp_path / "ran"), path)
    with pytest.raises(UntrustedModelError, match=r"run any code .*trusted=True"):
        rd.load_model(path)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_named_skops_does_not_run(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(pickle.dumps(Attack(tmp_path / "ran")))
    with pytest.raises(ModelError, match="is damaged or was not written by save_model"):
        rd.load_model(path)
    assert not (tmp_path / "ran").exists()


def test_unknown_types_are_refused_when_saving_and_when_loading(tmp_path):
    model = FunctionTransformer(np.linalg.norm).fit([[0.0]])
    with pytest.raises(UntrustedModelError, match=r"not known to be safe: .*norm"):
        rd.save_model(model, tmp_path / "model.skops")
    assert list(tmp_path.iterdir()) == []
    skops.io.dump(model, tmp_path / "model.skops")
    with zipfile.ZipFile(tmp_path / "model.skops", "a") as archive:
        archive.writestr("radiodeep.json", json.dumps({"scikit-learn": sklearn.__version__}))
    with pytest.raises(UntrustedModelError, match=r"not known to be safe: .*norm"):
        rd.load_model(tmp_path / "model.skops")


def test_another_version_of_scikit_learn_is_refused_unless_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn.__version__", "1.2.0")
    path = rd.save_model(GaussianNB().fit([[0.0], [1.0]], [0, 1]), tmp_path / "model.skops")
    monkeypatch.undo()
    with pytest.raises(ModelVersionError, match=r"saved with scikit-learn 1\.2\.0"):
        rd.load_model(path)
    assert rd.load_model(path, allow_other_versions=True).predict([[1.0]]) == 1


def test_a_truncated_or_missing_model_is_named(tmp_path):
    path = rd.save_model(GaussianNB().fit([[0.0], [1.0]], [0, 1]), tmp_path / "model.skops")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match=r"'model\.skops' is damaged"):
        rd.load_model(path)
    with pytest.raises(ModelError, match="does not exist"):
        rd.load_model(tmp_path / "none.skops")
    with pytest.raises(ModelError, match=r"saved as \.skops or \.joblib"):
        rd.save_model(GaussianNB(), tmp_path / "model.pkl")


@pytest.mark.parametrize("name", ["fcbf", "weka", "weka -D", "smo", "forest", "harmonized", "sampling"])
def test_models_of_tables_come_back_from_skops(name, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = pd.DataFrame(rng.normal(size=(40, 6)) + y[:, None], index=[f"c{n}" for n in range(40)], columns=list("abcdef"))
    site = {case: "AB"[number % 3 == 0] for number, case in enumerate(X.index)}
    model = {
        "fcbf": make_pipeline(rd.FastCorrelationFilter(), rd.WekaNaiveBayes()),
        "weka": make_pipeline(rd.ReliefF(2), rd.WekaNaiveBayes()),
        "weka -D": rd.WekaNaiveBayes(rd.MDLDiscretizer("cases")),
        "smo": rd.weka_smo(),
        "forest": rd.weka_random_forest(6, 10),
        "harmonized": make_pipeline(rd.BatchHarmonizer(site), rd.WekaNaiveBayes()),
        "sampling": make_sampling_pipeline(SMOTE(random_state=0), rd.ReliefF(2), rd.WekaNaiveBayes()),
    }[name].fit(X, y)
    again = rd.load_model(rd.save_model(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_table_inside_a_model_is_refused_with_a_way_out(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = pd.DataFrame(rng.normal(size=(40, 3)) + y[:, None], columns=list("abc"))
    model = make_pipeline(rd.StabilitySelector(X), rd.WekaNaiveBayes()).fit(X, y)
    with pytest.raises(ModelError, match="stabilityselector__perturbed=None.*save as .joblib"):
        rd.save_model(model, tmp_path / "model.skops")
    assert not list(tmp_path.iterdir())
    model.set_params(stabilityselector__perturbed=None)
    again = rd.load_model(rd.save_model(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_weights_in_memory_are_refused_with_a_way_out(tmp_path):
    weights = build_network("radiodeep-mini", in_channels=1, n_classes=0).state_dict()
    with pytest.raises(ModelError, match="a tensor. Set such parameters to None .* give weights as a path"):
        rd.save_model(rd.DeepFeatureExtractor(weights=weights), tmp_path / "model.skops")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model.skops", "model.joblib"])
@pytest.mark.parametrize("classifier", [RandomForestClassifier(5, random_state=0), GaussianNB()])
def test_a_model_that_an_earlier_version_saved_still_loads(name, classifier, tmp_path):
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape", "firstorder"]), StandardScaler(), classifier)
    model.fit(COHORT, COHORT.labels)
    expected = model.predict_proba(COHORT)
    del model[0].training_range_
    metadata = {"radiodeep": "0.1.0", "scikit-learn": sklearn.__version__, "python": platform.python_version()}
    if name.endswith("joblib"):
        joblib.dump({"metadata": metadata, "model": model}, tmp_path / name)
    else:
        skops.io.dump(model, tmp_path / name)
        with zipfile.ZipFile(tmp_path / name, "a") as archive:
            archive.writestr("radiodeep.json", json.dumps(metadata))
    loaded = rd.load_model(tmp_path / name, trusted=True)
    np.testing.assert_array_equal(loaded.predict_proba(COHORT), expected)


def test_what_the_model_was_trained_on_is_kept_in_its_file(tmp_path):
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape"]), GaussianNB()).fit(COHORT, COHORT.labels)
    again = rd.load_model(rd.save_model(model, tmp_path / "model.skops"))
    scores = rd.score_cohort(again, [COHORT[0].replace(image=COHORT[0].voxels + 1000)])
    assert (
        scores["outside_training_range"].tolist()
        == rd.score_cohort(model, [COHORT[0].replace(image=COHORT[0].voxels + 1000)])["outside_training_range"].tolist()
    )
    assert scores["outside_training_range"][0].startswith("intensities")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (GaussianNB(), "The GaussianNB is not fitted. Call fit before save_model"),
        (make_pipeline(rd.RadiomicsExtractor(), GaussianNB()), "The Pipeline is not fitted"),
        (rd.DeepFeatureExtractor(fine_tune=rd.FineTuning()), "The DeepFeatureExtractor is not fitted"),
        (GaussianNB, "Got the class GaussianNB instead"),
        ({}, "Got an object of type dict instead"),
    ],
)
def test_what_is_not_fitted_is_not_saved(model, message, tmp_path):
    with pytest.raises(ModelError, match=message):
        rd.save_model(model, tmp_path / "model.skops")
    assert not list(tmp_path.iterdir())


def test_an_extractor_by_itself_is_saved(tmp_path):
    extractor = rd.RadiomicsExtractor(bin_width=10.0)
    assert rd.load_model(rd.save_model(extractor, tmp_path / "extractor.skops")).bin_width == 10.0


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        rd.save_model(GaussianNB().fit([[0.0], [1.0]], [0, 1]), tmp_path / "file" / "model.skops")


def test_threads_that_save_to_one_path_leave_a_whole_file(tmp_path):
    model, path, errors = GaussianNB().fit([[0.0], [1.0]], [0, 1]), tmp_path / "model.skops", []

    def save():
        try:
            for _ in range(4):
                rd.save_model(model, path)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=save) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert rd.load_model(path).predict([[1.0]]) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["model.skops"]


def with_metadata(path, **changes):
    """Rewrite some of the metadata of a .skops file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["radiodeep.json"] = json.dumps(json.loads(members["radiodeep.json"]) | changes).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.fixture
def saved(tmp_path):
    model = make_pipeline(rd.RadiomicsExtractor(families=["shape", "firstorder"]), StandardScaler(), GaussianNB())
    return rd.save_model(model.fit(COHORT, COHORT.labels), tmp_path / "model.skops")


def test_a_newer_version_of_radiodeep_is_refused_unless_allowed(saved):
    with_metadata(saved, radiodeep="99.0")
    with pytest.raises(ModelVersionError, match=r"saved with radiodeep 99\.0, which is newer than"):
        rd.load_model(saved)
    assert rd.load_model(saved, allow_other_versions=True).predict(COHORT[:1]) in (0, 1)


def test_a_version_that_changes_nothing_is_accepted_without_a_word(saved):
    with_metadata(saved, radiodeep="0.0.1", numpy="1.0.0")
    assert rd.load_model(saved).predict(COHORT[:1]) in (0, 1)


def test_predictions_that_differ_after_a_change_of_versions_are_an_error_with_numbers(saved):
    with zipfile.ZipFile(saved) as archive:
        canary = json.loads(archive.read("radiodeep.json"))["canary"]
    assert (canary["kind"], np.shape(canary["predictions"])) == ("cases", (2, 2))
    canary["predictions"][0] = [value + 0.25 for value in canary["predictions"][0]]
    with_metadata(saved, canary=canary)
    assert rd.load_model(saved) is not None  # the same versions: the canary is not asked
    with_metadata(saved, numpy="1.0.0")
    with pytest.raises(ModelVersionError, match=r"numpy 1\.0\.0 \(here .*differ by up to 0\.25 .*allow_other_versions"):
        rd.load_model(saved)
    with pytest.warns(RadiodeepWarning, match=r"differ by up to 0\.25"):
        rd.load_model(saved, allow_other_versions=True)


def test_a_model_that_cannot_predict_its_canary_here_is_refused(saved):
    with_metadata(saved, numpy="1.0.0", canary={"kind": "rows", "predictions": [[0.5, 0.5]]})
    with pytest.raises(ModelVersionError, match="cannot predict its canary here"):
        rd.load_model(saved)


def test_other_versions_without_a_canary_give_a_warning(saved):
    with_metadata(saved, numpy="1.0.0", canary={"kind": None, "reason": "KeyError"})
    with pytest.warns(RadiodeepWarning, match="holds no canary"):
        rd.load_model(saved)
