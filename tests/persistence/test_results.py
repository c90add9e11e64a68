"""Results come back from a file as they were, and a file that is none is refused without running anything."""

import json
import zipfile
from enum import StrEnum

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import (
    CoxRegression,
    ReliefF,
    compare_feature_sets,
    cross_validate_models,
    cross_validated_score,
    load_results,
    save_results,
    survival_outcomes,
    write_report,
)
from radiodeep.exceptions import InputError


class _Kind(StrEnum):
    deep = "deep"


RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(30, 3)), columns=["a", "b", "c"], index=[f"case {number}" for number in range(30)])
TIME = RNG.exponential(np.exp(-X["a"])) + 0.1
SIZE = np.exp(RNG.normal(size=30))
STUDIES = {
    "two classes": (make_pipeline(ReliefF(2), GaussianNB()), np.arange(30) % 2, "leave-one-out"),
    "texts": (GaussianNB(), np.where(np.arange(30) % 2, "benign", "malignant"), 3),
    "several classes": (GaussianNB(), np.arange(30) % 3, 3),
    "numbers": (Ridge(), X["a"].to_numpy() + RNG.normal(size=30), 3),
    "survival": (CoxRegression(alpha=1.0), survival_outcomes(TIME < 2, np.minimum(TIME, 2)), 3),
}


@pytest.mark.parametrize("kind", STUDIES)
def test_results_of_every_kind_come_back_as_they_were(kind, tmp_path):
    model, y, cv = STUDIES[kind]
    result = cross_validated_score(model, X, y, cv=cv, n_repeats=2, size=SIZE)
    loaded = load_results(save_results([result], tmp_path / "r.zip"))[0]
    assert str(loaded) == str(result)
    pd.testing.assert_frame_equal(loaded.predictions, result.predictions)
    pd.testing.assert_frame_equal(loaded.folds, result.folds)
    pd.testing.assert_frame_equal(loaded.primary.scores, result.primary.scores)
    pd.testing.assert_frame_equal(loaded.measures(), result.measures())
    assert loaded.settings == result.settings
    assert loaded.positive == result.positive
    again = save_results([loaded], tmp_path / "again.zip")
    assert again.read_bytes() == (tmp_path / "r.zip").read_bytes()


@pytest.mark.slow
def test_a_report_of_loaded_results_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    sets = {"a": ["a"], "both": ["a", "b"]}
    model = LogisticRegression()
    compared = compare_feature_sets(X, sets, np.arange(30) % 2, model, cv=2, n_repeats=2, size=SIZE)
    loaded = load_results(save_results({"results": compared, "table": X}, tmp_path / "r.zip"))
    assert loaded["results"].reference == "a"
    assert loaded["results"].results["a"].size_baseline is loaded["results"].results["both"].size_baseline
    first = write_report(compared, tmp_path / "a.html", table=X).read_text()
    assert write_report(loaded["results"], tmp_path / "b.html", table=loaded["table"]).read_text() == first
    assert "1970-01-01" in first


def test_tables_and_plain_values_keep_their_types(tmp_path):
    frame = pd.DataFrame({"n": [1, 2], "x": [np.nan, 0.5], "flag": [True, False], "sets": [("a", "b"), None]})
    frame.columns = pd.Index([*frame.columns], name="columns")
    wide = pd.DataFrame(np.eye(2), columns=pd.MultiIndex.from_product([[0], [1, 2]], names=["repeat", None]))
    values = {
        1: frame,
        ("a", 2): wide,
        "empty": pd.DataFrame(),
        "series": pd.Series([1, 2], index=["x", "y"], name="s"),
        "scalar": np.float32(0.1),
        "array": np.array([(True, 2.0)], [("event", bool), ("time", float)]),
        "objects": np.array([None, "a", 3], dtype=object),
        "set": frozenset({"a"}),
        "nothing": None,
        "kind": {_Kind.deep: _Kind.deep},
    }
    loaded = load_results(save_results(values, tmp_path / "r.zip"))
    assert list(loaded) == list(values)
    pd.testing.assert_frame_equal(loaded[1], frame)
    pd.testing.assert_frame_equal(loaded[("a", 2)], wide)
    pd.testing.assert_frame_equal(loaded["empty"], values["empty"], check_column_type=False, check_index_type=False)
    pd.testing.assert_series_equal(loaded["series"], values["series"])
    assert type(loaded["scalar"]) is np.float32
    assert loaded["array"].dtype == values["array"].dtype
    assert loaded["objects"].tolist() == [None, "a", 3]
    assert loaded["set"] == frozenset({"a"})
    assert loaded["kind"] == {"deep": "deep"}


def test_what_cannot_be_saved_or_is_no_such_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Results are saved as \.zip\. Got 'r\.pkl'"):
        save_results({}, tmp_path / "r.pkl")
    with pytest.raises(InputError, match="Results hold GaussianNB, which cannot be saved"):
        save_results({"model": GaussianNB()}, tmp_path / "r.zip")
    assert not (tmp_path / "r.zip").exists()
    with pytest.raises(InputError, match="do not exist"):
        load_results(tmp_path / "r.zip")
    (tmp_path / "r.zip").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"'r\.zip' is damaged or was not written by save_results"):
        load_results(tmp_path / "r.zip")


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "object", "number": 0},
        {"kind": "_archive"},
        {"kind": "array", "array": "arrays/0.npy"},
        {"kind": "frame"},
    ],
)
def test_a_file_cannot_name_other_classes_or_pickled_arrays(value, tmp_path):
    content = {"radiodeep": "1", "format": 1, "value": value, "objects": [{"class": "Popen", "fields": {"args": "ls"}}]}
    pickled = np.array([print], dtype=object)
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("results.json", json.dumps(content))
        with archive.open("arrays/0.npy", "w") as file:
            np.save(file, pickled, allow_pickle=True)
    with pytest.raises(InputError, match="is damaged or was not written by save_results"):
        load_results(tmp_path / "r.zip")


def test_files_of_newer_versions_and_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("radiodeep.persistence.results._MOST_UNPACKED", 2**20)
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("results.json", json.dumps({"radiodeep": "99", "format": 99}))
    with pytest.raises(InputError, match="saved by radiodeep 99, which is newer"):
        load_results(tmp_path / "r.zip")
    with zipfile.ZipFile(tmp_path / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results.json", b" " * 2**21)
    with pytest.raises(InputError, match="would unpack to 2 MiB"):
        load_results(tmp_path / "r.zip")


def test_results_of_models_share_what_they_share(tmp_path):
    results = cross_validate_models(
        {"a": GaussianNB(), "b": GaussianNB()}, X, np.arange(30) % 2, cv=3, n_repeats=2, size=SIZE
    )
    loaded = load_results(save_results(results, tmp_path / "r.zip"))
    assert loaded["a"].size_baseline is loaded["b"].size_baseline
