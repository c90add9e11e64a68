"""Parts of a table that are computed apart and merged: the table of one run, or an error that names what differs."""

import json

import pandas as pd
import pytest

from radiodeep.exceptions import InputError
from radiodeep.rows import Shard

QUICK = ["--features", "handcrafted", "--bin-width", 25, "--jobs", 1]


@pytest.fixture
def shards(folder, cache, tmp_path, radiodeep):
    """Extract some shards of the 8 new cases, of which 3 are broken, into part-<k>.csv."""

    def extract(*numbers, count=3, options=(), suffix=".csv"):
        for number in numbers:
            part = tmp_path / f"part-{number}{suffix}"
            manifest = folder / "new" / "manifest.csv"
            chosen = [*QUICK, "--cache", cache, "--shard", f"{number}/{count}", *options]
            assert radiodeep("extract", manifest, "-o", part, *chosen).code in (0, 2)
        return [tmp_path / f"part-{number}{suffix}" for number in sorted(numbers)]

    return extract


@pytest.mark.parametrize("suffix", [".csv", pytest.param(".parquet", marks=pytest.mark.slow)])
def test_merged_shards_are_the_table_of_one_run(folder, cache, shards, tmp_path, radiodeep, suffix):
    whole, merged = tmp_path / f"whole{suffix}", tmp_path / f"merged{suffix}"
    radiodeep("extract", folder / "new" / "manifest.csv", "-o", whole, "--cache", cache, *QUICK)
    parts = shards(3, 1, 2, suffix=suffix)
    done = radiodeep("merge", *reversed(parts), *tmp_path.glob("part-*.errors.csv"), "-o", merged)
    assert done.code == 2
    assert "3 cases could not be used" in done.err
    if suffix == ".csv":
        assert merged.read_bytes() == whole.read_bytes()
    else:
        pd.testing.assert_frame_equal(pd.read_parquet(merged), pd.read_parquet(whole))
    errors = [path.with_suffix(".errors.csv").read_bytes() for path in (merged, whole)]
    assert errors[0] == errors[1]


def test_shards_that_are_no_whole_are_refused(shards, tmp_path, radiodeep):
    def message(*parts, suffix=".csv"):
        done = radiodeep("merge", *parts, "-o", tmp_path / f"merged{suffix}")
        assert done.code == 1
        assert not (tmp_path / f"merged{suffix}").exists()
        return done.err

    first, third = shards(1, 3)
    assert "1 of 3 shards missing: 2/3" in message(first, third)
    assert "are both shard 1/3" in message(first, first)
    assert "must be .parquet files" in message(first, suffix=".parquet")
    assert "is one of the parts, and would be overwritten" in radiodeep("merge", first, "-o", first).err
    shards(2, options=["--bin-width", 20])
    assert "--bin-width is 25.0 in the first and 20.0 in the second" in message(
        *shards(1), tmp_path / "part-2.csv", third
    )
    shards(2, count=4)
    assert "is one of 3 shards, 'part-2.csv' one of 4" in message(first, tmp_path / "part-2.csv")
    shards(2)
    record = json.loads((tmp_path / "part-2.csv.shard.json").read_text())
    record["same"]["version of numpy"] = "1.0"
    (tmp_path / "part-2.csv.shard.json").write_text(json.dumps(record))
    assert "version of numpy is" in message(first, tmp_path / "part-2.csv")
    (tmp_path / "part-2.csv").write_text("id\n")
    assert "'part-2.csv' has changed since it was written" in message(first, tmp_path / "part-2.csv")
    (tmp_path / "part-2.csv.shard.json").unlink()
    assert "'part-2.csv' has no 'part-2.csv.shard.json' beside it" in message(first, tmp_path / "part-2.csv")


def test_shards_divide_the_cases_into_blocks_that_begin_with_a_chunk():
    for n_items in (1, 7, 8, 9, 20, 1000):
        for count in range(1, min(n_items, 30) + 1):
            blocks = [Shard(number, count).positions(n_items) for number in range(1, count + 1)]
            assert [position for block in blocks for position in block] == list(range(n_items))
            assert all(blocks)
            if 8 * count <= n_items:
                assert all(block.start % 8 == 0 for block in blocks)
    with pytest.raises(InputError, match=r"7 cases cannot be divided into 8 shards. Use fewer shards"):
        Shard(1, 8).positions(7)


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/", "-1/3", "a/b", "1/3/4"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(InputError, match="written as k/n, with k from 1 to n, e.g. 3/20. Got"):
        Shard.parsed(text)


@pytest.mark.slow
def test_merged_scores_are_those_of_one_run(folder, known, cache, tmp_path, radiodeep):
    manifest = folder / "new" / "manifest.csv"
    radiodeep("train", known, "-o", tmp_path / "m.skops", "--model", "naive-bayes", "--cache", cache, *QUICK)
    for name, options in (("whole", []), ("1", ["--shard", "1/2"]), ("2", ["--shard", "2/2"])):
        radiodeep("score", tmp_path / "m.skops", manifest, "-o", tmp_path / f"{name}.csv", "--jobs", 1, *options)
    assert radiodeep("merge", tmp_path / "2.csv", tmp_path / "1.csv", "-o", tmp_path / "merged.csv").code == 2
    assert (tmp_path / "merged.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    errors = [tmp_path / f"{name}.errors.csv" for name in ("merged", "whole")]
    assert errors[0].read_bytes() == errors[1].read_bytes()
