"""Output files are whole or not there, and hold no formula."""

import os

import pandas as pd
import pytest

from radiodeep.exceptions import OutputError
from radiodeep.files import replacing, write_table


def _write_half(path):
    with replacing(path) as part:
        part.write_text("half")
        raise ValueError("neither .csv nor .parquet")


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="neither .csv nor"):
        _write_half(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["scores.csv"]


def test_a_full_disk_is_named_with_the_way_out(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"table\.csv' cannot be written: No space left on device\. Free space"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "table.csv")
    assert os.listdir(tmp_path) == []


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(OutputError, match="it is a folder"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path)


def test_files_have_the_usual_rights(tmp_path):
    (tmp_path / "usual").write_text("")
    with replacing(tmp_path / "replaced") as part:
        part.write_text("")
    assert (tmp_path / "replaced").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_texts_that_begin_like_formulas_are_guarded_and_numbers_are_not(tmp_path):
    texts = ["=cmd|' /C calc'!A0", "+x", "-x", "@SUM(A1)", "\t=1", "-1.5", "plain"]
    frame = pd.DataFrame({"=head": texts, "value": [-1.5] * 7}, index=pd.Index(texts, name="id"))
    write_table(frame, tmp_path / "table.csv")
    read = pd.read_csv(tmp_path / "table.csv", index_col=0, dtype={"value": float})
    assert read.index.tolist() == [*[f"'{text}" for text in texts[:5]], "-1.5", "plain"]
    assert read["'=head"].tolist() == read.index.tolist()
    assert (read["value"] == -1.5).all()
    write_table(frame, tmp_path / "table.parquet")
    assert pd.read_parquet(tmp_path / "table.parquet").index.tolist() == texts


def test_whole_numbers_beside_missing_ones_stay_whole(tmp_path):
    frame = pd.DataFrame({"label": pd.Series([1, None, 0], dtype=object), "name": ["=a", "b", None]})
    write_table(frame, tmp_path / "table.csv", index=False)
    assert (tmp_path / "table.csv").read_text() == "label,name\n1,'=a\n,b\n0,\n"
