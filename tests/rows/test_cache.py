"""Rows on disk: what is read is what was written under that key, and only one process at a time computes a row."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from radiodeep.exceptions import OutputError
from radiodeep.rows import cache as module
from radiodeep.rows.cache import RowCache

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


def test_a_claim_whose_process_was_killed_before_it_signed_is_taken_over_soon(tmp_path):
    cache = RowCache(tmp_path)
    assert cache.claim("abc")
    claim = next(tmp_path.glob("*.claim"))
    claim.write_text("")
    assert not cache.claim("abc")
    os.utime(claim, (time.time() - 6,) * 2)
    assert cache.claim("abc")
