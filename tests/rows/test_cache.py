"""Rows on disk: what is read is what was written under that key, and only one process at a time computes a row."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from radiodeep import DeepFeatureExtractor, RadiomicsExtractor
from radiodeep.exceptions import OutputError
from radiodeep.rows import cache as module
from radiodeep.rows.cache import RowCache, settings_text

VALUES = np.array([1.5, -0.0, np.nan, 1e300, np.inf])


def test_a_row_comes_back_bit_for_bit(tmp_path):
    RowCache(tmp_path).write("k", VALUES, ["a remark"])
    values, texts = RowCache(tmp_path).read("k", 5)
    assert values.tobytes() == VALUES.tobytes()
    assert texts == ["a remark"]
    assert [path.name for path in tmp_path.iterdir()] == ["k.row"]


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path):
    cache = RowCache(tmp_path)
    cache.write("k", VALUES, ["a remark"])
    path = tmp_path / "k.row"
    whole = path.read_bytes()
    for position in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        assert cache.read("k", 5) is None
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert cache.read("k", 5) is None


def test_a_row_of_another_key_or_size_is_not_taken(tmp_path):
    cache = RowCache(tmp_path)
    cache.write("k", VALUES)
    (tmp_path / "other.row").write_bytes((tmp_path / "k.row").read_bytes())
    assert cache.read("other", 5) is None
    assert cache.read("k", 4) is None
    assert cache.read("missing", 5) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"The cache folder '.*file' cannot be created: File exists"):
        RowCache(tmp_path / "file")


def test_a_row_is_claimed_once_until_it_is_released(tmp_path):
    cache = RowCache(tmp_path)
    assert cache.claim("k")
    assert not cache.claim("k")
    assert cache.claim("another")
    cache.release("k")
    assert cache.claim("k")


def test_the_claim_of_a_dead_process_and_an_old_one_are_taken_over(tmp_path):
    cache = RowCache(tmp_path)
    claim = f"from radiodeep.rows.cache import RowCache; RowCache({str(tmp_path)!r}).claim('k')"
    subprocess.run([sys.executable, "-c", claim], check=True)
    assert (tmp_path / "k.claim").exists()
    assert cache.claim("k")
    long_ago = time.time() - 400
    os.utime(tmp_path / "k.claim", (long_ago, long_ago))
    assert cache.claim("k")
    assert not cache.claim("k")


def test_what_killed_runs_left_is_removed_and_what_is_in_work_is_not(tmp_path):
    cache = RowCache(tmp_path)
    cache.claim("mine")
    cache.write("k", VALUES)
    for name in ("old.claim", ".part-old.row", ".part-new.row"):
        (tmp_path / name).touch()
        if "old" in name:
            os.utime(tmp_path / name, (0, 0))
    cache.tidy()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".part-new.row", "k.row", "mine.claim"]


def test_a_folder_is_listed_once_in_five_minutes(tmp_path, monkeypatch):
    path = tmp_path / "old.claim"
    for clock, is_left in ((1000.0, False), (1299.0, True), (1301.0, False)):
        path.touch()
        os.utime(path, (0, 0))
        monkeypatch.setattr(module.time, "monotonic", lambda clock=clock: clock)
        RowCache(tmp_path).tidy()
        assert path.exists() is is_left


def settings_of(**parameters):
    return settings_text(RadiomicsExtractor(**parameters))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"bin_width": 25}, {"bin_width": np.float32(25.0)}),
        ({"distances": (1, 2)}, {"distances": np.array([1, 2])}),
        ({"distances": [1, 2]}, {"distances": [1.0, 2.0]}),
        ({"bin_count": 32, "bin_width": 10}, {"bin_count": 32.0, "bin_width": 20}),
        ({"image_types": {"LoG": {"sigma": [1, 3]}}}, {"image_types": {"LoG": {"sigma": (1.0, 3.0)}}}),
        ({"families": ["glcm", "firstorder"]}, {"families": ("glcm", "firstorder")}),
    ],
)
def test_equal_settings_in_another_spelling_are_equal(first, second):
    assert settings_of(**first) == settings_of(**second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"bin_width": 25}, {"bin_width": 25.1}),
        ({"bin_width": 25}, {"bin_width": 25, "bin_count": 25}),
        ({"image_types": ["Original", "Square"]}, {"image_types": ["Square", "Original"]}),
        (
            {"bin_count": 32, "bin_width": 10, "image_types": {"Square": {"bin_count": None}}},
            {"bin_count": 32, "bin_width": 20, "image_types": {"Square": {"bin_count": None}}},
        ),
    ],
)
def test_other_settings_are_other_settings(first, second):
    assert settings_of(**first) != settings_of(**second)


def test_packaged_weights_are_the_same_by_default_and_by_name():
    assert settings_text(DeepFeatureExtractor()) == settings_text(DeepFeatureExtractor(weights="packaged"))
    assert settings_text(DeepFeatureExtractor()) != settings_text(DeepFeatureExtractor(weights="random", seed=0))


@pytest.mark.parametrize("library", ["numpy", "SimpleITK", "PyWavelets", "numba"])
def test_other_versions_of_what_computes_are_other_settings(monkeypatch, library):
    before = settings_of()
    version_of = module._version_of
    monkeypatch.setattr(module, "_version_of", lambda name: "99.0" if name == library else version_of(name))
    assert settings_of() != before


def test_another_version_of_radiodeep_is_other_settings(monkeypatch):
    before = settings_of()
    monkeypatch.setattr(module, "__version__", "99.0")
    assert settings_of() != before


def test_two_classes_of_one_name_are_two():
    class RadiomicsExtractor(globals()["RadiomicsExtractor"]):
        pass

    assert settings_text(RadiomicsExtractor()) != settings_of()


def test_a_claim_whose_process_was_killed_before_it_signed_is_taken_over_soon(tmp_path):
    cache = RowCache(tmp_path)
    assert cache.claim("abc")
    claim = next(tmp_path.glob("*.claim"))
    claim.write_text("")
    assert not cache.claim("abc")
    os.utime(claim, (time.time() - 6,) * 2)
    assert cache.claim("abc")
