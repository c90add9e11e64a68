"""The commands as a person runs them: files, exit codes, one sentence for an error."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

import radiodeep as rd
from radiodeep.cli import main
from radiodeep.cli.terminal import aligned
from radiodeep.cli.words import in_command_words
from radiodeep.exceptions import RadiodeepWarning

MODULE = [sys.executable, "-m", "radiodeep"]
COMMANDS = ["validate", "extract", "study", "train", "score", "demo"]
QUICK = ["--features", "handcrafted", "--jobs", 1]


@dataclass
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def radiodeep(capfd, monkeypatch):
    """Run a command in this process, which has torch loaded already."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["radiodeep", *map(str, arguments)])
        previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in jobs in the background
        try:
            with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGINT, previous)
        return Done(ended.value.code, *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 phantoms in two cohorts: 16 to learn from, 8 of which 3 are broken."""
    folder = tmp_path_factory.mktemp("cli")
    cohort = rd.make_phantom_cohort(24, random_state=10)
    rd.write_cohort(cohort[:16], folder / "known")
    rd.write_cohort(cohort[16:], folder / "new")
    (folder / "new" / "phantom-017_image.nii.gz").unlink()
    write_mask(folder / "new" / "phantom-019_mask.nii.gz", cohort[19].mask * 0, cohort[19].spacing_mm)
    write_mask(folder / "new" / "phantom-021_mask.nii.gz", cohort[21].mask[:-2], cohort[21].spacing_mm)
    return folder


@pytest.fixture(scope="module")
def known(folder):
    return folder / "known" / "manifest.csv"


@pytest.fixture(scope="module")
def cache(folder):
    """Features of all tests of this file, so that each is computed once."""
    return folder / "cache"


@pytest.fixture
def features_csv(known, cache, tmp_path, radiodeep):
    assert radiodeep("extract", known, "-o", tmp_path / "t.csv", "--cache", cache, "--jobs", 1).code == 0
    return tmp_path / "t.csv"


def write_mask(path, array, spacing_mm):
    mask = sitk.GetImageFromArray(array)
    mask.SetSpacing(spacing_mm[::-1])
    sitk.WriteImage(mask, str(path))


def manifest_of_both(folder, path):
    """Write a manifest of the 16 usable cases and the 8 of which 3 are broken, two of them of label 1."""
    parts = [pd.read_csv(folder / name / "manifest.csv") for name in ("known", "new")]
    for part, name in zip(parts, ("known", "new"), strict=True):
        for column in ("image", "mask"):
            part[column] = [str(folder / name / file) for file in part[column]]
    pd.concat(parts).to_csv(path, index=False)
    return path


# the way of the data


def test_study_train_and_score(folder, known, cache, tmp_path, radiodeep):
    done = radiodeep("study", known, "-o", tmp_path / "report", "--jobs", 1, "--cache", cache)
    assert done.code == 0, done.err
    for name in ("handcrafted", "deep", "combined"):
        assert name in done.out
        predictions = pd.read_csv(tmp_path / "report" / f"predictions_{name}.csv")
        assert len(predictions) == 16
        assert "probability_1" in predictions.columns
        selected = pd.read_csv(tmp_path / "report" / f"selected_features_{name}.csv")
        assert selected["fold"].nunique() == 16
    assert "AUC of label 1" in done.out
    assert (tmp_path / "report" / "report.html").is_file()
    models = pd.read_csv(tmp_path / "report" / "models.csv", index_col="model")
    assert list(models.index) == ["handcrafted", "deep", "combined", "size alone"]
    for name, row in models.iterrows():
        assert re.search(rf"^{name} +(-|{row.equal_size_auc:.3f}) +{row.score_size_correlation:.3f}$", done.out, re.M)
        if name != "size alone":
            assert f"as many as {row.effective_n_features:.1f} uncorrelated" in done.out
    assert not (tmp_path / "report" / "errors.csv").exists()

    model = tmp_path / "model.skops"
    done = radiodeep("train", known, "-o", model, "--cache", cache, "--jobs", 1)
    assert done.code == 0, done.err
    assert "Trained on 16 cases with the labels 0, 1" in done.out
    done = radiodeep("score", model, folder / "new" / "manifest.csv", "-o", tmp_path / "s.csv", "--jobs", 1)
    assert done.code == 2, done.err
    scores = pd.read_csv(tmp_path / "s.csv")
    assert scores["error"].notna().tolist() == [False, True, False, True, False, True, False, False]
    assert scores["probability_1"].between(0, 1).sum() == 5
    for error in ("FileUnreadableError", "EmptyMaskError", "GeometryMismatchError"):
        assert error in done.err
    assert "Scored 5 of 8 cases for the labels 0, 1" in done.out
    assert pd.read_csv(tmp_path / "s.errors.csv")["error"].tolist() == [
        "FileUnreadableError",
        "EmptyMaskError",
        "GeometryMismatchError",
    ]


def test_validate_shows_the_cases_and_names_the_broken_ones(folder, tmp_path, radiodeep):
    done = radiodeep("validate", folder / "new" / "manifest.csv", "-o", tmp_path / "v.csv", "--jobs", 1)
    assert done.code == 2
    assert "5 of 8 cases can be used" in done.out
    assert "3 cases could not be used" in done.err
    assert "phantom-019: the mask outlines no voxel" in done.err
    table = pd.read_csv(tmp_path / "v.csv", index_col="id")
    assert table["error"].notna().sum() == 3
    assert table.loc["phantom-016", "volume_mm3"] > 0


def test_extract_leaves_empty_rows_and_a_list_of_errors(folder, tmp_path, radiodeep):
    manifest, output = folder / "new" / "manifest.csv", tmp_path / "table.csv"
    done = radiodeep("extract", manifest, "-o", output, *QUICK)
    assert done.code == 2
    assert f"Wrote 5 cases x 107 features, and 3 empty rows to {output}" in done.out
    table = pd.read_csv(output, index_col="id")
    assert table.notna().all(axis=1).sum() == 5
    assert table["label"].notna().all()
    errors = pd.read_csv(tmp_path / "table.errors.csv")
    assert errors["id"].tolist() == ["phantom-017", "phantom-019", "phantom-021"]
    assert errors["error"].tolist() == ["FileUnreadableError", "EmptyMaskError", "GeometryMismatchError"]
    assert errors["message"].str.startswith("phantom-0").all()


def test_a_list_of_errors_of_an_earlier_run_does_not_stay(known, cache, tmp_path, radiodeep):
    (tmp_path / "t.errors.csv").write_text("id,error,message\n")
    assert radiodeep("extract", known, "-o", tmp_path / "t.csv", "--cache", cache, *QUICK).code == 0
    assert not (tmp_path / "t.errors.csv").exists()


def test_study_and_train_go_on_without_the_cases_that_fail(folder, cache, tmp_path, radiodeep):
    manifest = manifest_of_both(folder, tmp_path / "m.csv")
    done = radiodeep("study", manifest, "-o", tmp_path / "out", "--cv", 2, "--cache", cache, *QUICK)
    assert done.code == 2, done.err
    assert "phantom-017" in done.err
    failed = ["phantom-017", "phantom-019", "phantom-021"]
    assert pd.read_csv(tmp_path / "out" / "errors.csv")["id"].tolist() == failed
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert list(settings["excluded"]) == failed
    assert (settings["n_cases_given"], settings["n_cases_used"]) == (24, 21)
    assert "phantom-019" in (tmp_path / "out" / "report.html").read_text()
    assert len(pd.read_csv(tmp_path / "out" / "predictions_handcrafted.csv")) == 21

    done = radiodeep("train", manifest, "-o", tmp_path / "m.skops", "--cache", cache, *QUICK)
    assert done.code == 2, done.err
    assert "Trained on 21 cases" in done.out
    assert pd.read_csv(tmp_path / "m.errors.csv")["id"].tolist() == failed


@pytest.mark.parametrize("command", ["study", "train"])
def test_a_cohort_of_which_no_case_can_be_read_is_an_error(command, tmp_path, radiodeep):
    rows = "".join(f"c{number},none.nii,none.nii,{number % 2}\n" for number in range(8))
    (tmp_path / "m.csv").write_text(f"id,image,mask,label\n{rows}")
    done = radiodeep(command, tmp_path / "m.csv", "-o", tmp_path / "x.skops", *QUICK)
    assert done.code == 1
    assert "FileUnreadableError: c0: " in done.err
    assert done.err.count("\n") == 1


def test_a_case_without_a_label_is_left_out_by_name(folder, known, cache, tmp_path, radiodeep):
    manifest = manifest_of_both(folder, tmp_path / "m.csv")
    table = pd.read_csv(manifest, dtype=str)[:16]
    table.loc[3, "label"] = ""
    table.to_csv(manifest, index=False)
    done = radiodeep("study", manifest, "-o", tmp_path / "out", "--cv", 2, "--cache", cache, *QUICK)
    assert done.code == 2
    assert "phantom-003: it has no label" in done.err
    assert len(pd.read_csv(tmp_path / "out" / "predictions_handcrafted.csv")) == 15


def test_positive_chooses_the_label_that_outputs_name(folder, cache, tmp_path, radiodeep):
    manifest = manifest_of_both(folder, tmp_path / "m.csv")
    table = pd.read_csv(manifest)[:16]
    table["label"] = table["label"].map({0: "normal", 1: "malignant"})
    table.to_csv(manifest, index=False)
    shared = ["study", manifest, "-o", tmp_path / "out", "--cv", 2, "--cache", cache, *QUICK]
    aucs = {}
    for positive in ("normal", "malignant"):
        done = radiodeep(*shared, "--positive", positive)
        assert done.code == 0, done.err
        assert f"AUC of label {positive}" in done.out
        assert f"probability_{positive}" in pd.read_csv(tmp_path / "out" / "predictions_handcrafted.csv").columns
        assert json.loads((tmp_path / "out" / "settings.json").read_text())["positive"] == positive
        aucs[positive] = re.search(r"^handcrafted +(\d\.\d{3})", done.out, re.MULTILINE)[1]
    assert float(aucs["normal"]) == pytest.approx(float(aucs["malignant"]), abs=2e-3)  # the same question
    done = radiodeep(*shared, "--positive", "benign")
    assert done.code == 1
    assert "--positive must be one of the labels malignant, normal. Got 'benign'" in done.err


def test_settings_say_what_was_studied_and_are_the_same_when_repeated(known, cache, tmp_path, radiodeep):
    for name in ("first", "second"):
        assert radiodeep("study", known, "-o", tmp_path / name, "--cv", 2, "--cache", cache, *QUICK).code == 0
    texts = [(tmp_path / name / "settings.json").read_text() for name in ("first", "second")]
    assert texts[0] == texts[1]
    settings = json.loads(texts[0])
    assert settings["source"]["name"] == "manifest.csv"
    assert len(settings["source"]["sha256"]) == 64
    assert {"python", "numpy", "scikit-learn", "torch"} <= set(settings["versions"])
    assert settings["excluded"] == {}
    assert str(tmp_path) not in texts[0]


def test_seed_and_features_reach_the_study(known, cache, tmp_path, radiodeep):
    for seed in (0, 1):
        arguments = ["--cv", 2, "--seed", seed, "--cache", cache, "--jobs", 1, "--features", "handcrafted"]
        assert radiodeep("study", known, "-o", tmp_path / str(seed), *arguments).code == 0
    scores = [pd.read_csv(tmp_path / seed / "predictions_handcrafted.csv")["score"] for seed in "01"]
    assert not np.allclose(*scores)


def test_tables_of_an_earlier_study_do_not_stay_in_its_folder(table, tmp_path, radiodeep):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out" / "predictions_deep.csv").write_text("of another study")
    assert study_of(radiodeep, table, tmp_path / "t.csv").code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "models.csv",
        "notes.txt",
        "predictions_all_features.csv",
        "selected_features_all_features.csv",
        "settings.json",
        "report.html",
    }


def test_image_types_and_parameter_files_reach_extract_and_study(known, tmp_path, radiodeep):
    table = pd.read_csv(known)[:4]
    for column in ("image", "mask"):
        table[column] = [str(known.parent / file) for file in table[column]]
    table.to_csv(tmp_path / "m.csv", index=False)
    done = radiodeep(
        "extract",
        tmp_path / "m.csv",
        "-o",
        tmp_path / "t.csv",
        "--image-types",
        "original, LOG",
        "--sigma",
        "2",
        *QUICK,
    )
    assert done.code == 0, done.err
    columns = pd.read_csv(tmp_path / "t.csv").columns
    assert {"original_glcm_Contrast", "log-sigma-2-0-mm-3D_glcm_Contrast"} <= set(columns)
    (tmp_path / "p.yaml").write_text("featureClass: {shape: [VoxelVolume, Sphericity]}")
    shared = ["study", tmp_path / "m.csv", "-o", tmp_path / "out", "--cv", 2, *QUICK]
    assert radiodeep(*shared, "--params", tmp_path / "p.yaml").code == 0
    selected = pd.read_csv(tmp_path / "out" / "selected_features_handcrafted.csv")["feature"]
    assert set(selected) == {"original_shape_VoxelVolume", "original_shape_Sphericity"}


def test_extract_takes_a_parameter_file_and_every_label_of_a_mask(tmp_path, radiodeep):
    mask = np.zeros((4, 12, 12), np.uint8)
    mask[:, 1:5, 1:5], mask[:, 7:11, 7:11] = 1, 2
    image = np.random.default_rng(0).normal(0, 80, mask.shape).astype(np.int16)
    for name, array in (("image", image), ("mask", mask)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{name}.nrrd"))
    (tmp_path / "m.csv").write_text("id,image,mask\npair,image.nrrd,mask.nrrd\n")
    (tmp_path / "p.yaml").write_text("featureClass: {shape: [VoxelVolume]}")
    shared = ["extract", tmp_path / "m.csv", "-o", tmp_path / "t.csv", "--params", tmp_path / "p.yaml", *QUICK]
    assert "several labels" in radiodeep(*shared).err
    for labels, volumes in (("each", {"pair-label1": 64, "pair-label2": 64}), ("any", {"pair": 128})):
        assert radiodeep(*shared, "--labels", labels).code == 0
        table = pd.read_csv(tmp_path / "t.csv", index_col="id")
        assert table["original_shape_VoxelVolume"].to_dict() == volumes
    assert "patient" not in table  # it is the id
    radiodeep(*shared, "--labels", "each")
    assert pd.read_csv(tmp_path / "t.csv")["patient"].tolist() == ["pair", "pair"]


# tables of features


def test_a_table_that_extract_wrote_can_be_studied_at_once(known, cache, features_csv, tmp_path, radiodeep):
    shared = ["--cv", 2, "--jobs", 1]
    of_images = radiodeep("study", known, "-o", tmp_path / "out", "--cache", cache, *shared)
    of_table = radiodeep("study", features_csv, "--label", "label", "-o", tmp_path / "out", *shared)
    assert of_table.code == 0, of_table.err
    assert "Studying 16 cases x 235 features (not features: id, label)" in of_table.out
    assert of_table.out.split("\n", 1)[1] == of_images.out  # the same figures


@pytest.fixture
def table(tmp_path):
    """A table of 3 numbers for 12 cases, whose labels go with the first."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(12, 3)).round(3), columns=["age", "volume", "contrast"])
    frame.insert(0, "case", [f"c{number}" for number in range(12)])
    frame["outcome"] = np.arange(12) % 2
    frame["age"] += frame["outcome"]
    return frame


def study_of(radiodeep, frame, path, *options, **settings):
    frame.to_csv(path, index=False, **settings)
    named = ["--label", "outcome", "--id", "case", "--cv", 2, "--jobs", 1]
    return radiodeep("study", path, "-o", path.parent / "out", *named, *options)


def test_columns_of_ids_and_outcome_are_no_features(table, tmp_path, radiodeep):
    done = study_of(radiodeep, table, tmp_path / "t.csv")
    assert done.code == 0, done.err
    assert "Studying 12 cases x 3 features (not features: case, outcome)" in done.out
    assert "all features" in done.out
    assert pd.read_csv(tmp_path / "out" / "predictions_all_features.csv")["id"].tolist() == table["case"].tolist()


def test_a_table_of_parquet_is_studied_like_a_csv(table, tmp_path, radiodeep):
    of_csv = study_of(radiodeep, table, tmp_path / "t.csv")
    table.set_index("case").to_parquet(tmp_path / "t.parquet")
    shared = ["--label", "outcome", "--id", "case", "--cv", 2, "--jobs", 1]
    of_parquet = radiodeep("study", tmp_path / "t.parquet", "-o", tmp_path / "out", *shared)
    assert of_parquet.code == 0, of_parquet.err
    assert of_parquet == of_csv


def test_cases_of_one_patient_stay_together(table, tmp_path, radiodeep):
    table["who"] = [f"p{number // 4}" for number in range(12)]
    table["volume"] = table["outcome"].astype(float)
    done = study_of(radiodeep, table, tmp_path / "t.csv", "--patient", "who", "--cv", "leave-one-out")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "out" / "settings.json").read_text())["cv"] == "leave-one-group-out"


def test_a_german_table_is_read_rightly(table, tmp_path, radiodeep):
    expected = study_of(radiodeep, table, tmp_path / "t.csv")
    assert study_of(radiodeep, table, tmp_path / "t.csv", sep=";", decimal=",", encoding="latin-1") == expected


def test_rows_of_failed_cases_are_left_out_by_name(table, tmp_path, radiodeep):
    table.loc[5, ["age", "volume", "contrast"]] = np.nan
    table["outcome"] = table["outcome"].astype(object)
    table.loc[7, "outcome"] = ""
    done = study_of(radiodeep, table, tmp_path / "t.csv")
    assert done.code == 2
    assert "c5: InputError: all of its features are empty" in done.err
    assert "c7: InputError: it has no value in the column 'outcome'" in done.err
    assert "c5" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t.assign(sex="f"), [], "1 column holds text, which is no feature: 'sex' ('f'). Turn text into"),
        (lambda t: t.assign(number=range(1, 13)), [], "the column 'number' counts the rows"),
        (lambda t: t.assign(case="c"), [], "the case 'c' comes twice"),
        (lambda t: t.assign(age=[np.nan, *t["age"][1:]]), [], "1 cells are empty, the first is 'age' of 'c0'"),
        (
            lambda t: t,
            ["--drop", "agee"],
            "has no column 'agee' (--drop). It has case, age, volume, contrast, outcome.",
        ),
        (lambda t: t, ["--label", "outcom"], "Did you mean 'outcome'?"),
        (lambda t: t[["case", "outcome"]], [], "has no column of features"),
        (lambda t: t, ["--bin-width", "5"], "'t.csv' holds features already"),
        (lambda t: t.assign(outcome=range(12)), [], "Got 12"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(change, options, message, table, tmp_path, radiodeep):
    done = study_of(radiodeep, change(table), tmp_path / "t.csv", *options)
    assert done.code == 1
    assert message in done.err


def test_drop_leaves_columns_out(table, tmp_path, radiodeep):
    done = study_of(radiodeep, table.assign(sex="f"), tmp_path / "t.csv", "--drop", "sex", "--drop", "volume")
    assert done.code == 0, done.err
    assert "x 2 features (not features: case, volume, outcome, sex)" in done.out


def test_a_row_with_a_field_too_many_is_refused(table, tmp_path, radiodeep):
    table.loc[2, "case"] = "Doe, John"
    table.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text().replace('"', ""))
    done = radiodeep("study", tmp_path / "t.csv", "-o", tmp_path / "out", "--label", "outcome")
    assert done.code == 1
    assert "row 3 has 6 fields, the header has 5" in done.err


def test_a_manifest_without_masks_is_no_table_of_features(tmp_path, radiodeep):
    (tmp_path / "m.csv").write_text("id,image,msk,label\na,a.nii,b.nii,1\n")
    assert "missing column 'mask'" in radiodeep("study", tmp_path / "m.csv", "-o", tmp_path / "out").err


# usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "none.csv", "-o", "x"], "Error: 'none.csv' does not exist"),
        (["extract", "none.csv", "-o", "x.csv"], "Error: The manifest 'none.csv' does not exist"),
        (["study", "m.csv"], "Missing option '--output' / '-o'. See radiodeep study --help."),
        (["train", "m.csv", "-o", "m.skops", "--selector", "best"], "'best' is not one of"),
        (["score"], "Missing argument 'MODEL'. See radiodeep score --help."),
        (["studie"], "No such command 'studie'"),
        (["study", "--output-folder", "x"], "See radiodeep study --help."),
        (["study", "m.csv", "-o", "x", "--cv", "abc"], "--cv must be leave-one-out, leave-pair-out or a number of"),
        (["study", "m.csv", "-o", "x", "--cv", "1"], "Got '1'."),
        (["study", "m.csv", "-o", "x", "--seed", "-1"], "Invalid value for '--seed'"),
        (["study", "m.csv", "-o", "x", "--features", "all"], "--features takes handcrafted, deep, combined"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_1(arguments, message, radiodeep):
    done = radiodeep(*arguments)
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bin-width", -1], "Error: --bin-width must be a float > 0. Got -1.0 instead."),
        (["--bin-width", 5, "--bin-count", 9], "--bin-width and --bin-count exclude each other"),
        (["--params", "p.yaml", "--bin-count", 9], "--params sets all of the features. Leave out --bin-count"),
        (["--image-types", "Wavlet"], "Got 'Wavlet'. Did you mean Wavelet?"),
        (["--image-types", ","], "--image-types is empty"),
        (["--image-types", "LoG"], "LoG in --image-types and --sigma, its widths in mm, go together"),
        (["--sigma", "1"], "--sigma belongs to the LoG filter"),
        (["--image-types", "LoG", "--sigma", "a"], "--sigma takes numbers separated by commas"),
    ],
)
def test_wrong_settings_are_named_as_options(options, message, known, tmp_path, radiodeep):
    done = radiodeep("extract", known, "-o", tmp_path / "t.csv", *QUICK, *options)
    assert done.code == 1
    assert message in done.err


def test_without_a_command_the_help_is_shown_once(radiodeep):
    done = radiodeep()
    assert (done.code, done.err) == (0, "")
    assert done.out.count("Usage:") == 1
    for command in COMMANDS:
        assert f"  {command} " in done.out
    assert "..." not in done.out.split("Commands:")[1]  # every summary fits its line


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example_and_fits_80_columns(command, radiodeep):
    done = radiodeep(command, "-h")
    assert done.code == 0
    assert done.out == radiodeep(command, "--help").out
    assert f"radiodeep {command}" in done.out.split("Example:")[1]
    assert "<bool>" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_module_can_be_run_and_starts_without_heavy_libraries():
    done = subprocess.run([*MODULE, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"radiodeep {rd.__version__}\n"
    code = "import radiodeep.cli.application, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "sklearn", "matplotlib", "SimpleITK", "numba", "joblib"}.isdisjoint(done.stdout.split())


def test_shells_can_complete_commands():
    environment = {
        **os.environ,
        "_RADIODEEP_COMPLETE": "complete_bash",
        "COMP_WORDS": "radiodeep ex",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(MODULE, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["extract"]


def test_a_pickled_model_is_opened_by_an_option(known, cache, tmp_path, radiodeep):
    model = tmp_path / "m.joblib"
    assert radiodeep("train", known, "-o", model, "--cache", cache, *QUICK).code == 0
    shared = ["score", model, known, "-o", tmp_path / "s.csv", "--cache", cache, "--jobs", 1]
    done = radiodeep(*shared)
    assert done.code == 1
    assert "add --trusted" in done.err
    assert "load_model" not in done.err
    assert radiodeep(*shared, "--trusted").code == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.5 * number for number in range(16)], "which look like measurements"),
        (list(range(16)), "The labels are 16 different values (0, 1, 2, 3, 4 ...), which look like measurements"),
        ([1] * 16, "All 16 cases have the label 1. A model needs two classes."),
        ([1] * 15 + [0], "The label 0 has 1 of 16 cases. A model needs at least 2 of each"),
        ([""] * 16, "16 of 16 cases have no label"),
    ],
)
def test_train_refuses_labels_that_are_no_classes(labels, message, known, tmp_path, radiodeep):
    manifest = known.parent / f"{len(message)}.csv"
    pd.read_csv(known).assign(label=labels).to_csv(manifest, index=False)
    done = radiodeep("train", manifest, "-o", tmp_path / "m.skops", *QUICK)
    assert done.code == 1
    assert message in done.err
    assert not (tmp_path / "m.skops").exists()


# outputs and exceptions


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


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("odd\nthing"),
            "Error: RuntimeError: odd\nThis is a bug in radiodeep; run again with RADIODEEP_DEBUG=1",
        ),
        (MemoryError(), "Error: The memory ran out (MemoryError). Use fewer processes, --jobs 1"),
        (PermissionError(13, "Permission denied", "a.nii"), "Error: 'a.nii': Permission denied."),
    ],
)
def test_an_unexpected_exception_is_a_sentence(error, message, known, radiodeep, monkeypatch):
    def fail(path):
        raise error

    monkeypatch.setattr(rd, "read_cohort", fail, raising=False)
    done = radiodeep("validate", known)
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err
    monkeypatch.setenv("RADIODEEP_DEBUG", "1")
    assert "Traceback" in radiodeep("validate", known).err


def test_warnings_are_sentences_in_words_of_the_command_line(known, radiodeep, monkeypatch):
    def warn(path):
        warnings.warn("Use a smaller bin_width.", RadiodeepWarning, stacklevel=1)
        raise rd.exceptions.InputError("enough")

    monkeypatch.setattr(rd, "read_cohort", warn, raising=False)
    assert radiodeep("validate", known).err == "Warning: Use a smaller --bin-width.\nError: enough\n"


def test_a_reader_that_goes_away_stops_nothing(table, tmp_path):
    table.drop(columns="case").to_csv(tmp_path / "t.csv", index=False)
    command = [
        *MODULE,
        "study",
        tmp_path / "t.csv",
        "-o",
        tmp_path / "out",
        "--label",
        "outcome",
        "--cv",
        "2",
        "-j",
        "1",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        started.stdout.close()
        assert started.stderr.read() == ""
        assert started.wait() == 0
    assert (tmp_path / "out" / "report.html").is_file()


def test_tables_of_text_fit_80_columns():
    splits = ["leave-one-group-out", "grouped 10-fold, 5 repeats"]
    header = ["", *splits, "accuracy", "p against\nsize alone"]
    row = ["all features", "0.123 (0.123-0.123)", "0.123 (0.123-0.123)", "0.123", "0.0012"]
    lines = aligned(header, [row]).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("leave-one-group-out" in line for line in lines)
    assert lines[-1].split("  ")[0] == "all features"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("The 'n_jobs' parameter must be an int.", "--jobs must be an int."),
        (
            "Use a smaller bin_width (suggest_bin_width finds one), or bin_count=32.",
            "Use a smaller --bin-width, or --bin-count 32.",
        ),
        ("use load_model(path, allow_other_versions=True).", "use --other-versions."),
        ("Give it with load_model(path, weights='r18.pth').", "Give it with --weights FILE."),
        ("Read the AUC beside that of size alone, result.size_alone.", "Read the AUC beside that of size alone."),
        (
            "Study one class against the others, e.g. y == 'large'.",
            "Study one class against the others: write 1 and 0 into the column of the labels.",
        ),
        ("'my_bin_width.csv' and /data/bin_width/a stay", "'my_bin_width.csv' and /data/bin_width/a stay"),
    ],
)
def test_messages_speak_of_options(message, shown):
    assert in_command_words(message) == shown


# Ctrl-C


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cache", "kept"], "Finished cases are kept. This goes on where it was:\n  radiodeep extract "),
        ([], "Finished cases are not kept without --cache. With it, an interrupted run can go on:\n"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_ctrl_c_is_said_with_the_way_to_go_on(options, message, turned, known, tmp_path, radiodeep, monkeypatch):
    def interrupted(*_, **__):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            if turned:
                raise SystemError("returned a result with an exception set") from error
            raise

    monkeypatch.setattr(rd, "extract_tables", interrupted, raising=False)
    monkeypatch.chdir(tmp_path)
    done = radiodeep("extract", known, "-o", "t.csv", *QUICK, *options)
    assert done.code == 130
    assert done.err.startswith(f"Interrupted.\n{message}")
    assert done.err.count("\n") == 3
    assert done.err.endswith("--cache kept\n" if options else "--cache FOLDER\n")


@pytest.mark.slow  # starts worker processes and waits for them to end
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no process groups on Windows")
@pytest.mark.parametrize("after_s", [0.0, 0.3, 3.0])
def test_ctrl_c_of_a_terminal_leaves_no_worker_and_no_traceback(after_s, known, tmp_path):
    frame = pd.read_csv(known)
    for column in ("image", "mask"):
        frame[column] = [str(known.resolve().parent / name) for name in frame[column]]
    copies = [frame.assign(id=frame["id"] + f"-{number}") for number in range(6)]  # more than can be done in 3 s
    pd.concat(copies).to_csv(tmp_path / "many.csv", index=False)
    command = [*MODULE, "extract", tmp_path / "many.csv", "-o", tmp_path / "t.csv", "--features", "handcrafted"]
    command += ["--jobs", "2", "--image-types", "Original,Wavelet,LBP3D,Gradient"]
    started = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in jobs in the background
    )
    while started.poll() is None and n_in_group(started.pid) < 3:  # it, and two that track resources of workers
        time.sleep(0.02)
    time.sleep(after_s)
    os.killpg(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert err.startswith("Interrupted.\n")
    assert "Traceback" not in err
    for _ in range(50):
        if not n_in_group(started.pid):
            break
        time.sleep(0.1)
    assert n_in_group(started.pid) == 0


def n_in_group(group):
    """Return how many processes of a process group are running."""
    done = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return sum(int(number) == group and not state.startswith("Z") for number, state in rows)


@pytest.mark.slow
def test_the_demo_shows_the_whole_main_job(tmp_path, radiodeep):
    done = radiodeep("demo", "-o", tmp_path / "demo", "--jobs", 1)
    assert done.code == 0, done.err
    assert {"report.html", "model.skops", "scores.csv", "settings.json"} <= {
        path.name for path in (tmp_path / "demo").iterdir()
    }
    assert len(pd.read_csv(tmp_path / "demo" / "scores.csv")) == 40
    assert re.search(
        r"Combined features, new lesions: AUC 0\.\d\d \(95% CI 0\.\d\d-\d\.\d\d\), n=40; \d\d of 40 labels right",
        done.out,
    )
    assert "So few lesions say little" in done.out


@pytest.mark.parametrize("command", ["validate", "extract"])
def test_the_file_that_is_read_is_not_overwritten(command, known, tmp_path, radiodeep):
    manifest = tmp_path / "m.csv"
    manifest.write_text(known.read_text())
    done = radiodeep(command, manifest, "-o", manifest)
    assert done.code == 1
    assert "is the file that is read, and would be overwritten. Give another name." in done.err
    assert manifest.read_text() == known.read_text()
