"""Outputs that cannot be written are named before the work."""

import pytest

import radiodeep as rd

QUICK = ["--features", "handcrafted", "--jobs", 1]


@pytest.mark.parametrize(
    ("command", "output", "message"),
    [
        ("extract", "x.xls", "--output must end in .csv or .parquet. Got 'x.xls'"),
        ("extract", "a_folder.csv", "is a folder. Give the name of a file."),
        ("extract", "a_file/t.csv", "is a file. Give the name of a folder."),
        ("study", "a_file", "is a file. Give the name of a folder."),
        ("study", "a_file/inside", "Not a directory"),
        ("train", "m.pkl", "--output must end in .skops or .joblib"),
    ],
)
def test_an_output_that_cannot_be_written_is_named_before_the_work(
    command, output, message, known, tmp_path, radiodeep, monkeypatch
):
    (tmp_path / "a_file").touch()
    (tmp_path / "a_folder.csv").mkdir()
    for name in ("extract_tables", "cross_validate_models", "save_model"):
        monkeypatch.setattr(rd, name, None, raising=False)  # the work: None cannot be called
    done = radiodeep(command, known, "-o", tmp_path / output, "--features", "handcrafted", "--jobs", 1)
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_cache_that_cannot_be_written_is_named_before_the_work(known, tmp_path, radiodeep):
    (tmp_path / "file").touch()
    done = radiodeep("extract", known, "-o", tmp_path / "t.csv", "--cache", tmp_path / "file", *QUICK)
    assert done.code == 1
    assert f"--cache '{tmp_path / 'file'}' is a file" in done.err


@pytest.mark.parametrize("command", ["validate", "extract"])
def test_the_file_that_is_read_is_not_overwritten(command, known, tmp_path, radiodeep):
    manifest = tmp_path / "m.csv"
    manifest.write_text(known.read_text())
    done = radiodeep(command, manifest, "-o", manifest)
    assert done.code == 1
    assert "is the file that is read, and would be overwritten. Give another name." in done.err
    assert manifest.read_text() == known.read_text()
