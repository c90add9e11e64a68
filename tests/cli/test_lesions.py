"""`--lesions`: the commands on patients with several lesions, from a manifest to scores."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

import radiodeep as rd
from radiodeep.cli.options import LESION_ROWS
from radiodeep.features.patients import AGGREGATIONS

QUICK = ["--jobs", 1]
BAYES = ["--model", "naive-bayes"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve patients with two lesions each, and a parameter file of few features."""
    folder = tmp_path_factory.mktemp("lesions")
    cohort = rd.make_phantom_cohort(24, random_state=2)
    lesions = [case.replace(patient=f"P{row // 2}", label=row // 2 % 2) for row, case in enumerate(cohort)]
    rd.write_cohort(rd.Cohort(lesions), folder)
    (folder / "p.yaml").write_text("featureClass: {shape: [Sphericity, VoxelVolume], firstorder: [Mean, Entropy]}")
    return folder


def handcrafted(folder):
    return ["--params", folder / "p.yaml", "--features", "handcrafted", *QUICK]


def test_the_names_of_the_command_line_are_those_of_the_aggregator():
    assert tuple(AGGREGATIONS) == LESION_ROWS


def test_extract_writes_a_row_per_patient(folder, tmp_path, radiodeep):
    asked = ["extract", folder / "manifest.csv", "-o", tmp_path / "t.csv", *handcrafted(folder)]
    done = radiodeep(*asked, "--lesions", "largest, volume-weighted mean,total-volume,count")
    assert done.code == 0, done.err
    assert f"Wrote 12 patients x 10 features to {tmp_path / 't.csv'}" in done.out
    table = pd.read_csv(tmp_path / "t.csv", index_col="id")
    assert table.index.tolist() == [f"P{number}" for number in range(12)]
    assert table["label"].tolist() == [0, 1] * 6
    assert "patient" not in table
    assert (table["count"] == 2).all()
    assert "volume_weighted_mean_original_firstorder_Mean" in table
    done = radiodeep("study", tmp_path / "t.csv", "-o", tmp_path / "study", "--cv", 2, *QUICK, *BAYES)
    assert done.code == 0, done.err
    assert "Studying 12 cases x 10 features" in done.out


def test_a_model_of_patients_is_studied_trained_and_scored(folder, tmp_path, radiodeep, record_of):
    manifest = folder / "manifest.csv"
    done = radiodeep(
        *(
            "study",
            manifest,
            "-o",
            tmp_path / "study",
            "--cv",
            3,
            "--lesions",
            "max,count",
            *handcrafted(folder),
            *BAYES,
        )
    )
    assert done.code == 0, done.err
    predictions = pd.read_csv(tmp_path / "study" / "predictions_handcrafted.csv")
    assert predictions["id"].tolist() == [f"P{number}" for number in range(12)]
    assert "'how': ['max', 'count']" in str(record_of(tmp_path / "study"))
    model = tmp_path / "model.skops"
    done = radiodeep("train", manifest, "-o", model, "--lesions", "max,count", *handcrafted(folder), *BAYES)
    assert "Trained on 12 patients with the labels 0, 1" in done.out, done.err
    done = radiodeep("score", model, manifest, "-o", tmp_path / "scores.csv", *QUICK)
    assert done.code == 0, done.err
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores["id"].tolist() == predictions["id"].tolist()


def test_what_cannot_be_grouped_is_a_sentence(folder, tmp_path, radiodeep):
    asked = ["extract", folder / "manifest.csv", "-o", tmp_path / "t.csv", *handcrafted(folder)]
    done = radiodeep(*asked, "--lesions", "bigest")
    assert done.code == 1
    assert "--lesions takes largest, mean, volume-weighted-mean" in " ".join(done.err.split())
    assert "Did you mean 'largest'?" in done.err
    frame = pd.read_csv(folder / "manifest.csv")
    frame.loc[1, "label"] = 1
    for column in ("image", "mask"):
        frame[column] = [str(folder / name) for name in frame[column]]
    frame.to_csv(tmp_path / "m.csv", index=False)
    done = radiodeep("extract", tmp_path / "m.csv", "-o", tmp_path / "t.csv", "--lesions", "mean", *handcrafted(folder))
    assert "The lesions of patient 'P0' must have the same label" in " ".join(done.err.split())
    (tmp_path / "t.csv").write_text("id,label,mean_original_glcm_Contrast\na,0,1.5\nb,1,2.5\n")
    done = radiodeep("study", tmp_path / "t.csv", "-o", tmp_path / "s", "--lesions", "mean")
    assert "holds features already: leave out the options that measure images" in " ".join(done.err.split())


def test_the_labels_of_a_mask_are_the_lesions_of_a_patient(tmp_path, radiodeep):
    mask = np.zeros((4, 12, 12), np.uint8)
    mask[:, 1:5, 1:5], mask[:, 7:11, 7:12] = 1, 2
    image = np.random.default_rng(0).normal(0, 80, mask.shape).astype(np.int16)
    for name, array in (("image", image), ("mask", mask), ("empty", mask * 0)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{name}.nrrd"))
    rows = ["a,image.nrrd,mask.nrrd,P", "b,image.nrrd,mask.nrrd,Q", "c,image.nrrd,empty.nrrd,Q"]
    (tmp_path / "m.csv").write_text("\n".join(["id,image,mask,patient", *rows]) + "\n")
    (tmp_path / "p.yaml").write_text("featureClass: {shape: [VoxelVolume]}")
    done = radiodeep(
        *("extract", tmp_path / "m.csv", "-o", tmp_path / "t.csv", "--labels", "each", "--lesions", "max,total volume"),
        *handcrafted(tmp_path),
    )
    assert done.code == 2
    table = pd.read_csv(tmp_path / "t.csv", index_col="id")
    assert table.loc["P"].tolist() == [80, 144]
    assert table.index.tolist() == ["P"]
    assert pd.read_csv(tmp_path / "t.errors.csv")["id"].tolist() == ["Q"]


@pytest.mark.slow
def test_deep_and_handcrafted_features_of_patients_share_one_count(folder, tmp_path, radiodeep):
    done = radiodeep(
        *("extract", folder / "manifest.csv", "-o", tmp_path / "t.csv", "--lesions", "mean,count", *QUICK),
        *("--features", "combined", "--params", folder / "p.yaml"),
    )
    assert done.code == 0, done.err
    assert pd.read_csv(tmp_path / "t.csv").columns.tolist().count("count") == 1
    done = radiodeep("study", tmp_path / "t.csv", "-o", tmp_path / "s", "--cv", 2, *QUICK, *BAYES)
    assert done.code == 0, done.err
    assert {"predictions_handcrafted.csv", "predictions_deep.csv"} <= {path.name for path in (tmp_path / "s").iterdir()}
