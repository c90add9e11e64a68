"""The commands as a person runs them: files, exit codes, one sentence for an error."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

import radiodeep as rd

COMMAND = [sys.executable, "-c", "from radiodeep.cli import main; main()"]


def radiodeep(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 phantoms in two cohorts: 16 to learn from, 8 of which 3 are broken."""
    folder = tmp_path_factory.mktemp("cli")
    cohort = rd.make_phantom_cohort(24, random_state=10)
    rd.write_cohort(cohort[:16], folder / "known")
    rd.write_cohort(cohort[16:], folder / "new")
    (folder / "new" / "phantom-017_image.nii.gz").unlink()
    for number, array in ((19, cohort[19].mask * 0), (21, cohort[21].mask[:-2])):
        part = rd.write_cohort(
            rd.Cohort([cohort[number].replace(image=cohort[number].image[: len(array)], mask=array + 0)])
            if array.any()
            else rd.Cohort([cohort[number]]),
            folder / "part",
        ).parent
        target = folder / "new" / f"phantom-0{number}_mask.nii.gz"
        if array.any():
            target.write_bytes((part / target.name).read_bytes())
        else:
            write_empty(target, cohort[number])
    return folder


def write_empty(path, case):
    import SimpleITK as sitk

    mask = sitk.GetImageFromArray(case.mask * 0)
    mask.SetSpacing(case.spacing_mm[::-1])
    sitk.WriteImage(mask, str(path))


def test_study_train_and_score(folder):
    done = radiodeep("study", folder / "known" / "manifest.csv", "--output", folder / "report", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    for name in ("handcrafted", "deep", "combined"):
        assert name in done.stdout
        assert len(pd.read_csv(folder / "report" / f"predictions_{name}.csv")) == 16
        selected = pd.read_csv(folder / "report" / f"selected_features_{name}.csv")
        assert selected["fold"].nunique() == 16
    settings = json.loads((folder / "report" / "settings.json").read_text())
    assert settings["cv"] == "leave-one-out"
    assert (folder / "report" / "report.html").is_file()

    done = radiodeep("train", folder / "known" / "manifest.csv", "--output", folder / "model.skops")
    assert done.returncode == 0, done.stderr
    done = radiodeep(
        "score", folder / "model.skops", folder / "new" / "manifest.csv", "--output", folder / "s.csv", "--jobs", 1
    )
    assert done.returncode == 2, done.stderr
    scores = pd.read_csv(folder / "s.csv")
    assert scores["error"].notna().tolist() == [False, True, False, True, False, True, False, False]
    assert scores["probability_1"].between(0, 1).sum() == 5
    for error in ("FileUnreadableError", "EmptyMaskError", "GeometryMismatchError"):
        assert error in done.stderr
    assert "Scored 5 of 8 cases" in done.stdout


def test_validate_and_extract_name_the_broken_cases(folder):
    manifest = folder / "new" / "manifest.csv"
    done = radiodeep("validate", manifest)
    assert (done.returncode, done.stdout.strip()) == (2, "5 of 8 cases can be used.")
    done = radiodeep("extract", manifest, "--output", folder / "table.csv", "--features", "handcrafted", "--jobs", 1)
    assert done.returncode == 2
    assert pd.read_csv(folder / "table.csv", index_col="id").notna().all(axis=1).sum() == 5


def test_extract_takes_a_parameter_file_and_every_label_of_a_mask(tmp_path):
    mask = np.zeros((4, 12, 12), np.uint8)
    mask[:, 1:5, 1:5], mask[:, 7:11, 7:11] = 1, 2
    image = np.random.default_rng(0).normal(0, 80, mask.shape).astype(np.int16)
    for name, array in (("image", image), ("mask", mask)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{name}.nrrd"))
    (tmp_path / "m.csv").write_text("id,image,mask\npair,image.nrrd,mask.nrrd\n")
    (tmp_path / "p.yaml").write_text("featureClass: {shape: [VoxelVolume]}")
    shared = ["extract", tmp_path / "m.csv", "--output", tmp_path / "t.csv", "--params", tmp_path / "p.yaml"]
    shared += ["--features", "handcrafted", "--jobs", 1]
    assert "several labels" in radiodeep(*shared).stderr
    for labels, volumes in (("each", {"pair-label1": 64, "pair-label2": 64}), ("any", {"pair": 128})):
        assert radiodeep(*shared, "--labels", labels).returncode == 0
        table = pd.read_csv(tmp_path / "t.csv", index_col="id")
        assert table["original_shape_VoxelVolume"].to_dict() == volumes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "none.csv", "--output", "x"], "Error: The manifest 'none.csv' does not exist"),
        (["extract", "m.csv", "--output", "x.xls"], "Error: --output must end in .csv or .parquet"),
        (["study", "m.csv"], "Missing option '--output'"),
        (["train", "m.csv", "--output", "m.skops", "--selector", "best"], "'best' is not one of"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_1(arguments, message):
    done = radiodeep(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_demo_shows_the_whole_main_job(tmp_path):
    done = radiodeep("demo", "--output", tmp_path / "demo", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert {"report.html", "model.skops", "scores.csv", "settings.json"} <= {
        path.name for path in (tmp_path / "demo").iterdir()
    }
    assert len(pd.read_csv(tmp_path / "demo" / "scores.csv")) == 20
