"""`--config`: options of a command in a YAML file; `radiodeep study` writes all of them back."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import radiodeep as rd
from radiodeep.cli import settings

STUDY = """\
# a study
table: tables/t.csv
label: outcome
id: case
cv: 02
model: naive-bayes
jobs: 1
drop: [sex, volume]
"""


@pytest.fixture
def study_yaml(table, tmp_path, monkeypatch):
    """A file of options beside the folder of its table, and another folder to work in."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "work").mkdir()
    table.assign(sex="f").to_csv(tmp_path / "tables" / "t.csv", index=False)
    (tmp_path / "study.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "study.yaml"


def test_a_file_of_options_and_the_command_line_give_the_same_study(study_yaml, tmp_path, radiodeep):
    done = radiodeep("study", "--config", study_yaml, "-o", tmp_path / "a")
    assert done.code == 0, done.err
    options = ["--label", "outcome", "--id", "case", "--cv", 2, "--model", "naive-bayes", "--jobs", 1]
    options += ["--drop", "sex", "--drop", "volume"]
    assert radiodeep("study", tmp_path / "tables" / "t.csv", "-o", tmp_path / "b", *options).code == 0
    for name in ("predictions_all_features.csv", "measures.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    options, others = (yaml.safe_load((tmp_path / name / "settings.lock.yaml").read_text()) for name in "ab")
    assert (options.pop("cv"), others.pop("cv")) == ("02", "2")  # as given
    assert options == others


def test_a_lock_file_repeats_its_study_byte_for_byte(study_yaml, tmp_path, radiodeep, monkeypatch):
    """Also that of a study whose command line came before its file, which the lock file says."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    study_yaml.write_text(STUDY + "seed: 1\n")
    given = ["--config", study_yaml, "-o", tmp_path / "first", "--seed", 5, "--cv", 3]
    assert radiodeep("study", *given).code == 0
    lock = tmp_path / "first" / "settings.lock.yaml"
    content = yaml.safe_load(lock.read_text())
    assert (content["seed"], content["cv"], content["record"]["overridden"]) == (5, "3", ["cv", "seed"])
    done = radiodeep("study", "--config", lock, "-o", tmp_path / "second", "--jobs", 1)
    assert (done.code, done.err) == (0, "")
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert {"settings.lock.yaml", "report.html", "results.zip"} < set(names)
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_a_lock_file_holds_every_option_and_what_it_came_to(study_yaml, tmp_path, radiodeep):
    assert radiodeep("study", "--config", study_yaml, "-o", tmp_path / "out", "--seed", "3").code == 0
    text = (tmp_path / "out" / "settings.lock.yaml").read_text()
    lock = yaml.safe_load(text)
    help_text = radiodeep("study", "--help").out
    left_out = {"output", "cache", "jobs", "config", "dask", "help"}
    options = {word.rstrip(",")[2:] for word in help_text.split() if word.startswith("--")}
    assert {f"{name}" for name in lock} >= {"table", "record", "seed", "cv", "bin-width", "controls", "weights"}
    assert {name for name in options if f"--{name} " in help_text} - left_out - {"classifier"} <= set(lock)
    assert (lock["seed"], lock["controls"], lock["bin-width"], lock["drop"]) == (3, False, None, ["sex", "volume"])
    assert lock["table"] == "../tables/t.csv"
    record = lock["record"]
    assert record["sha256"] == {"table": settings.sha256_of(tmp_path / "tables" / "t.csv")}
    assert {"radiodeep", "python", "numpy", "scikit-learn", "torch"} <= set(record["versions"])
    assert (record["n_cases_given"], record["n_cases_used"], record["outcome"]) == (12, 12, "two classes")
    assert record["models"]["all features"]["steps"][-1][1]["var_smoothing"] == 1e-9  # a default of scikit-learn
    assert record["overridden"] == []
    assert str(tmp_path) not in text
    assert "# Seed of folds and forests\nseed: 3\n" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bin-with: 25", "'bin-with' is no option of 'radiodeep study'. Did you mean 'bin-width'?"),
        ("bin_width: 25", "Did you mean 'bin-width'?"),
        ("n-features: many", "Invalid value for '--n-features': "),
        ("n-features: many", "It is from the file 'study.yaml'. See radiodeep study --help."),
        ("seed: -1", "Invalid value for '--seed': "),
        ("controls: maybe", "Invalid value for '--controls': "),
        ("seed: 1\nseed: 2", "the key 'seed' is given twice"),
        ("classifier: svm", "model and classifier are the same"),
        ("seed: {a: 1}", "'seed' must be a value or a list of values"),
        ("seed: [[1]]", "'seed' must be a value or a list of values"),
        ("seed: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("seed: !!float x", "it has a date, a number or a tag that cannot be read: could not convert string to float"),
        ("selector: no", "Invalid value for '--selector': "),
        ("selector: no", "'no'"),  # not False
        ("horizon: 0x1F", "Invalid value for '--horizon': "),
        ("params: p.yaml", "'t.csv' holds features already"),
        ("record: [1]", "its 'record' is not as a study writes it"),
        ("record: {sha256: abc}", "its 'record' is not as a study writes it"),
        ("record: {sha256: {table: }}", "its 'record' is not as a study writes it"),
        ("record: {command: train}", "it holds the options of 'radiodeep train', not of 'radiodeep study'"),
        ("#" * 2**22, "at most 4194304 are read"),
    ],
)
def test_what_is_wrong_with_a_file_of_options_is_named(line, message, study_yaml, tmp_path, radiodeep):
    study_yaml.write_text(STUDY + line + "\n")
    done = radiodeep("study", "--config", study_yaml, "-o", tmp_path / "out")
    assert done.code == 1
    assert message in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "- seed", "seed"])
def test_a_file_without_options_is_refused(content, tmp_path, radiodeep):
    (tmp_path / "s.yaml").write_text(content)
    done = radiodeep("study", "--config", tmp_path / "s.yaml", "-o", tmp_path / "out")
    assert "it must hold a line 'option: value' for each option" in done.err
    assert "'none.yaml' does not exist" in radiodeep("study", "--config", "none.yaml", "-o", tmp_path / "out").err


def test_paths_are_relative_to_the_file_or_to_the_home_folder(study_yaml, tmp_path, radiodeep, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "tables"))
    study_yaml.write_text("table: ~/t.csv\ndask: none.json\n")
    done = radiodeep("study", "--config", study_yaml, "-o", tmp_path / "out")
    assert f"no Dask scheduler answers at '{tmp_path / 'none.json'}'" in done.err
    study_yaml.write_text("table: ~/t.csv\n")
    assert "'t.csv' has no column 'label'" in radiodeep("study", "--config", study_yaml, "-o", tmp_path / "out").err
    study_yaml.write_bytes("label: Größe".encode("latin1"))
    assert "it is not in UTF-8." in radiodeep("study", "--config", study_yaml, "-o", tmp_path / "out").err


def test_values_are_read_as_they_are_written(tmp_path, radiodeep):
    """YAML makes False of no, 10 of 012, a text of 1e-3 and a day of 2024-01-02."""
    rows = "".join(f"{name},{number},{number % 3}\n" for number, name in enumerate(["no", "yes"] * 6))
    (tmp_path / "t.csv").write_text(f"2024-01-02,012,1e-3\n{rows}")
    (tmp_path / "s.yaml").write_text(
        "manifest: t.csv\nlabel: 2024-01-02\nid: 012\npositive: no\nlearning-curve: no\nhorizon: ~\nweights:\n"
        "cv: 2\nmodel: naive-bayes\n"
    )
    done = radiodeep("study", "--config", tmp_path / "s.yaml", "-o", tmp_path / "out", "-j", 1)
    assert done.code == 0, done.err
    assert "AUC of label no" in done.out
    lock = yaml.safe_load((tmp_path / "out" / "settings.lock.yaml").read_text())
    assert (lock["label"], lock["id"], lock["positive"], lock["learning-curve"]) == ("2024-01-02", "012", "no", False)


def test_what_is_missing_in_the_file_is_asked_for(study_yaml, radiodeep):
    assert "Missing option '--output'" in radiodeep("study", "--config", study_yaml).err
    study_yaml.write_text("output: out")
    assert "Missing argument 'MANIFEST|TABLE'" in radiodeep("study", "--config", study_yaml).err


@pytest.fixture
def lock(study_yaml, tmp_path, radiodeep):
    assert radiodeep("study", "--config", study_yaml, "-o", tmp_path / "out").code == 0
    return tmp_path / "out" / "settings.lock.yaml"


def test_a_lock_file_refuses_a_table_that_has_changed(lock, tmp_path, radiodeep):
    table = tmp_path / "tables" / "t.csv"
    table.write_text(table.read_text().replace("c11", "c99"))
    done = radiodeep("study", "--config", lock, "-o", tmp_path / "new")
    assert done.code == 1
    assert "'t.csv' has changed since the lock file was written: its sha256 begins with " in done.err
    assert "that of the table then with " in done.err
    assert not (tmp_path / "new").exists()
    done = radiodeep("study", table, "--config", lock, "-o", tmp_path / "new", "--jobs", 1)
    assert (done.code, done.err) == (0, "")
    assert "overridden: [table]" in (tmp_path / "new" / lock.name).read_text()


def test_a_table_that_has_only_moved_is_the_same(lock, tmp_path, radiodeep):
    moved = (tmp_path / "tables" / "t.csv").rename(tmp_path / "moved.csv")
    assert radiodeep("study", moved, "--config", lock, "-o", tmp_path / "new", "--jobs", 1).code == 0
    text, before = ((tmp_path / name / lock.name).read_text() for name in ("new", "out"))
    assert text == before.replace("../tables/t.csv", "../moved.csv")


def test_a_lock_file_warns_of_other_versions(lock, tmp_path, radiodeep):
    text = lock.read_text()
    lock.write_text(text.replace(f"numpy: {np.__version__}", "numpy: 1.2.3"))
    assert lock.read_text() != text
    (tmp_path / "new").write_text("a file")  # the study ends here
    done = radiodeep("study", "--config", lock, "-o", tmp_path / "new", "--jobs", 1)
    assert f"Warning: The lock file was written with numpy 1.2.3 (now {np.__version__})." in done.err


@pytest.mark.slow
def test_a_lock_file_warns_of_images_that_have_changed(known, cache, tmp_path, radiodeep):
    shutil.copytree(known.parent, tmp_path / "known")
    quick = ["--cv", 2, "--features", "handcrafted", "--model", "naive-bayes"]
    shared = ["--jobs", 1, "--cache", cache]
    manifest = Path("known", "manifest.csv")
    assert radiodeep("study", tmp_path / manifest, "-o", tmp_path / "out", *quick, *shared).code == 0
    lock = tmp_path / "out" / "settings.lock.yaml"
    assert yaml.safe_load(lock.read_text())["manifest"] == "../known/manifest.csv"
    done = radiodeep("study", "--config", lock, "-o", tmp_path / "same", *shared)
    assert done.code == 0
    assert "differ" not in done.err
    assert lock.read_bytes() == (tmp_path / "same" / "settings.lock.yaml").read_bytes()
    other = rd.make_phantom_cohort(1, random_state=11)[0].replace(id="phantom-000")
    rd.write_cohort(rd.Cohort([other]), tmp_path / "other")
    for kind in ("image", "mask"):
        shutil.copy(tmp_path / "other" / f"phantom-000_{kind}.nii.gz", tmp_path / "known")
    done = radiodeep("study", "--config", lock, "-o", tmp_path / "new", *shared)
    assert done.code == 0, done.err
    assert "Warning: The features differ from those of the lock file, although the settings are the same" in done.err


@pytest.mark.slow
def test_extract_train_and_score_take_a_file_too(known, cache, tmp_path, radiodeep):
    shared = f"features: handcrafted\njobs: 1\ncache: {cache}\n"
    for command, lines in (
        ("extract", f"manifest: {known}\noutput: t.csv\n{shared}"),
        ("train", f"manifest: {known}\noutput: m.skops\nmodel: naive-bayes\n{shared}"),
        ("score", f"model: m.skops\nmanifest: {known}\noutput: s.csv\njobs: 1\ncache: {cache}\n"),
    ):
        (tmp_path / f"{command}.yaml").write_text(lines)
        done = radiodeep(command, "--config", tmp_path / f"{command}.yaml")
        assert done.code == 0, done.err
    assert len(pd.read_csv(tmp_path / "t.csv")) == len(pd.read_csv(tmp_path / "s.csv")) == 16
