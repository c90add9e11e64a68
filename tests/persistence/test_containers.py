"""Every kind of damage is a `ModelError`, and nothing in a file can use up the memory."""

import json
import zipfile

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier

import radiodeep as rd
from radiodeep.exceptions import ModelError, RadiodeepError

X = np.random.default_rng(0).normal(size=(20, 3))
MODEL = RandomForestClassifier(2, random_state=0).fit(X, np.arange(20) % 2)


@pytest.fixture(params=["model.skops", "model.joblib"])
def saved(request, tmp_path):
    return rd.save_model(MODEL, tmp_path / request.param)


def rewritten(path, changes):
    """Replace members of a .skops file; None leaves them out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | changes).items():
            if content is not None:
                archive.writestr(name, content)


def test_a_flipped_bit_anywhere_is_named_or_harmless(saved):
    content, rng = saved.read_bytes(), np.random.default_rng(0)
    expected, n_named = MODEL.predict_proba(X), 0
    for position in rng.integers(len(content), size=60):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        saved.write_bytes(damaged)
        try:
            model = rd.load_model(saved, trusted=True)
        except RadiodeepError:
            n_named += 1
        else:
            np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert n_named > 40


def test_a_file_cut_short_is_named(saved):
    content = saved.read_bytes()
    for share in (0, 0.1, 0.5, 0.9, 0.999):
        saved.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ModelError, match="is damaged or was not written by save_model"):
            rd.load_model(saved, trusted=True)


def schema(**changes):
    return lambda read: json.dumps(json.loads(read("schema.json")) | changes)


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("schema.json", None),
        ("schema.json", "[]"),
        ("schema.json", '{"__class__": '),
        ("schema.json", "[" * 100_000),
        ("schema.json", schema(protocol="two")),
        ("schema.json", schema(__loader__="UnknownNode")),
        ("schema.json", schema(content=None)),
        ("radiodeep.json", None),
        ("radiodeep.json", "[]"),
        ("radiodeep.json", "{}"),
        ("radiodeep.json", '{"scikit-learn": null}'),
        ("radiodeep.json", '{"scikit-learn": 1}'),
        ("radiodeep.json", json.dumps({"scikit-learn": sklearn.__version__, "weights": [1]})),
    ],
)
def test_a_part_that_is_missing_or_of_another_form_is_named(member, content, tmp_path):
    path = rd.save_model(MODEL, tmp_path / "model.skops")
    if callable(content):
        with zipfile.ZipFile(path) as archive:
            content = content(archive.read)
    rewritten(path, {member: content})
    with pytest.raises(ModelError, match="damaged"):
        rd.load_model(path)


def test_an_array_that_is_missing_is_named(tmp_path):
    path = rd.save_model(MODEL, tmp_path / "model.skops")
    with zipfile.ZipFile(path) as archive:
        first = next(name for name in archive.namelist() if name.endswith(".npy"))
    rewritten(path, {first: None})
    with pytest.raises(ModelError, match="is damaged or was not written by save_model"):
        rd.load_model(path)


@pytest.mark.parametrize("content", [[1], {"metadata": {}}, {"metadata": {"scikit-learn": sklearn.__version__}}])
def test_a_pickle_of_something_else_is_named(content, tmp_path):
    joblib.dump(content, tmp_path / "model.joblib")
    with pytest.raises(ModelError, match="was not written by save_model"):
        rd.load_model(tmp_path / "model.joblib", trusted=True)


def test_a_file_that_would_grow_is_refused_before_it_is_unpacked(tmp_path):
    path = rd.save_model(MODEL, tmp_path / "model.skops")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.npy", bytes(100 * 2**20))
    with pytest.raises(ModelError, match=r"would unpack to 100 MiB, more than 10 times its size"):
        rd.load_model(path)
