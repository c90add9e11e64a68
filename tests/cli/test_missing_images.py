"""Cases that lack one of several images, and tables with gaps, from the command line."""

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd

QUICK = ["--features", "handcrafted", "--model", "naive-bayes", "--n-features", 2, "--jobs", 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve phantoms of two images, of which one lacks PET, and a parameter file of few features."""
    folder = tmp_path_factory.mktemp("missing")
    cohort = rd.make_phantom_cohort(12, random_state=2, images=("T1", "PET"))
    lacking = [case.replace(image={**case.image, "PET": None}) if case.id.endswith("004") else case for case in cohort]
    rd.write_cohort(rd.Cohort(lacking), folder)
    (folder / "p.yaml").write_text("featureClass: {shape: [VoxelVolume], firstorder: [Mean, Entropy]}")
    return folder


def test_missing_images_are_imputed_in_the_folds(folder, tmp_path, radiodeep):
    params = ["--params", folder / "p.yaml"]
    done = radiodeep("study", folder / "manifest.csv", "-o", tmp_path, "--cv", 2, *QUICK, *params)
    assert done.code == 0, done.err
    assert "Cases that lack an image: 1 of 12, e.g. phantom-004. The medians of the training" in done.out
    assert len(pd.read_csv(tmp_path / "predictions_handcrafted.csv")) == 12

    model = tmp_path / "model.skops"
    assert radiodeep("train", folder / "manifest.csv", "-o", model, *QUICK, *params).code == 0
    done = radiodeep("score", model, folder / "manifest.csv", "-o", tmp_path / "scores.csv", "--jobs", 1)
    assert done.code == 0, done.err
    scores = pd.read_csv(tmp_path / "scores.csv", index_col="id")
    assert scores["probability_1"].notna().all()
    assert "PET: no image" in scores.loc["phantom-004", "outside_training_range"]


def test_gaps_of_a_table_are_imputed_in_the_folds(tmp_path, radiodeep):
    values = np.random.default_rng(0).normal(size=(20, 3))
    values[3, 1] = np.nan
    table = pd.DataFrame(values, columns=["a", "b", "c"]).assign(label=[0, 1] * 10)
    table.to_csv(tmp_path / "table.csv", index=False)
    done = radiodeep("study", tmp_path / "table.csv", "-o", tmp_path / "out", "--cv", 2, *QUICK[2:])
    assert done.code == 0, done.err
    assert "Empty cells of the table: 1. The medians of the training cases take their place" in done.out
