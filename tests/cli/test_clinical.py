"""`--clinical`: columns of the manifest as features, from a study to scores."""

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.cli.cohorts import check_clinical

QUICK = ["--jobs", 1, "--model", "svm"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixteen phantoms with an age that tells of the label, a stage, and a parameter file of few features."""
    folder = tmp_path_factory.mktemp("clinical")
    rng = np.random.default_rng(0)
    cohort = rd.make_phantom_cohort(16, random_state=2)
    rd.write_cohort(cohort, folder)
    manifest = pd.read_csv(folder / "manifest.csv")
    manifest["age"] = (60 + 20 * manifest["label"] + rng.normal(0, 5, 16)).round(1)
    manifest["stage"] = ["I", "II", None, "III", "II", "I", "III", "II"] * 2
    manifest.to_csv(folder / "manifest.csv", index=False)
    (folder / "p.yaml").write_text("featureClass: {shape: [Sphericity, VoxelVolume], firstorder: [Mean, Entropy]}")
    return folder


def handcrafted(folder):
    return ["--params", folder / "p.yaml", "--features", "handcrafted", *QUICK]


def test_a_study_compares_the_features_with_clinical_columns(folder, tmp_path, radiodeep):
    asked = ["study", folder / "manifest.csv", "-o", tmp_path, "--cv", 2, "--clinical", "age, stage"]
    done = radiodeep(*asked, *handcrafted(folder))
    assert done.code == 0, done.err
    models = pd.read_csv(tmp_path / "models.csv", index_col="model")
    assert models.index.tolist() == ["clinical", "handcrafted", "images and clinical", "size alone"]
    assert models.loc["clinical", "auc"] > 0.7
    compared = pd.read_csv(tmp_path / "compared.csv", index_col="model")
    assert compared["test"].str.startswith("added value").tolist() == [False, False, True]
    assert "minus clinical (95%" in done.out
    for name, row in compared.drop("clinical").iterrows():
        line = next(
            line for line in done.out.splitlines() if line.startswith(name) and f"{row['difference']:.3f}" in line
        )
        assert f" {row['p_value']:.2g} " in line
        assert line.endswith("added value" if name == "images and clinical" else "difference")
    assert max(map(len, done.out.splitlines()[:-1])) < 80
    assert "Compared with clinical" in (tmp_path / "report.html").read_text()
    for name in models.index[:3]:
        assert len(pd.read_csv(tmp_path / f"predictions_{name.replace(' ', '_')}.csv")) == 16


@pytest.mark.slow
def test_a_study_without_clinical_columns_removes_the_tables_of_one_with_them(folder, tmp_path, radiodeep):
    asked = ["study", folder / "manifest.csv", "-o", tmp_path, "--cv", 2, *handcrafted(folder)]
    assert radiodeep(*asked, "--clinical", "age").code == 0
    assert (tmp_path / "compared.csv").exists()
    assert radiodeep(*asked).code == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert not {name for name in left if "clinical" in name or "compared" in name}


@pytest.mark.slow
def test_a_model_with_clinical_columns_scores_cases_that_have_them(folder, tmp_path, radiodeep):
    model = tmp_path / "model.skops"
    done = radiodeep("train", folder / "manifest.csv", "-o", model, "--clinical", "age,stage", *handcrafted(folder))
    assert done.code == 0, done.err
    scores = tmp_path / "scores.csv"
    assert radiodeep("score", model, folder / "manifest.csv", "-o", scores, "--jobs", 1).code == 0
    assert pd.read_csv(scores)["probability_1"].notna().all()
    lacking = pd.read_csv(folder / "manifest.csv").drop(columns="age")
    lacking.to_csv(folder / "lacking.csv", index=False)
    done = radiodeep("score", model, folder / "lacking.csv", "-o", scores, "--jobs", 1)
    assert done.code == 2
    assert "There is no clinical column 'age'" in done.err


def test_a_misspelt_column_is_an_error_before_images_are_read(folder, tmp_path, radiodeep):
    done = radiodeep("study", folder / "manifest.csv", "-o", tmp_path, "--clinical", "agee", *handcrafted(folder))
    assert done.code == 1
    assert "There is no clinical column 'agee'" in done.err
    assert "Did you mean 'age'?" in done.err


def test_tables_have_no_clinical_columns_of_their_own(tmp_path, radiodeep):
    table = pd.DataFrame({"id": list("abcd"), "label": [0, 1, 0, 1], "age": [1, 2, 3, 5], "x": [2, 1, 4, 3]})
    table.to_csv(tmp_path / "t.csv", index=False)
    done = radiodeep("study", tmp_path / "t.csv", "-o", tmp_path / "s", "--clinical", "age")
    assert done.code == 1
    assert "--clinical names columns of a manifest; all columns of a table" in " ".join(done.err.split())


def test_lesions_that_differ_in_a_clinical_column_are_named(capsys):
    facts = [{"age": 50, "stage": "I"}, {"age": None, "stage": "II"}, {"age": 60, "stage": "I"}]
    lesions = [
        case.replace(patient="A" if row < 2 else "B", label=0, clinical=facts[row])
        for row, case in enumerate(rd.make_phantom_cohort(3, random_state=0))
    ]
    check_clinical(rd.Cohort(lesions).by_patient(), ["age", "stage"])
    check_clinical(rd.Cohort(lesions), ["age", "stage"])
    text = "The lesions of 1 of 2 patients differ in 'stage', e.g. those of A: it is taken as unknown."
    assert " ".join(capsys.readouterr().out.split()) == text
