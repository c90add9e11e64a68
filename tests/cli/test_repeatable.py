"""`--repeatable`: only features that a second outline hardly changes, from a manifest to the report."""

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd

SETTINGS = ["--features", "handcrafted", "--jobs", 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fourteen phantoms, twelve of them outlined twice; the second outline is one voxel beside."""
    folder = tmp_path_factory.mktemp("repeatable")
    cohort = rd.make_phantom_cohort(14, random_state=2)
    rd.write_cohort(cohort, folder)
    second = [case.replace(mask=np.roll(case.roi, 1, axis=2)) for case in cohort]
    rd.write_cohort(rd.Cohort(second), folder / "second")
    frame = pd.read_csv(folder / "manifest.csv")
    frame["mask_reader2"] = [f"second/{name}" if row < 12 else "" for row, name in enumerate(frame["mask"])]
    frame.to_csv(folder / "twice.csv", index=False)
    (folder / "p.yaml").write_text("featureClass: {shape: [Sphericity, VoxelVolume], firstorder: [Mean, 10Percentile]}")
    return folder


def test_a_study_keeps_repeatable_features_and_reports_all(folder, tmp_path, radiodeep):
    asked = ["study", folder / "twice.csv", "-o", tmp_path, "--cv", 2, "--model", "naive-bayes", "--n-features", 4]
    done = radiodeep(*asked, "--params", folder / "p.yaml", "--repeatable", 0.75, *SETTINGS)
    assert done.code == 0, done.err
    table = pd.read_csv(tmp_path / "repeatability.csv", index_col="feature")
    assert table["repeat"].unique().tolist() == ["reader2"]
    assert (table["n"] == 12).all()
    selected = pd.read_csv(tmp_path / "selected_features_handcrafted.csv")["feature"]
    assert set(selected) == {"original_shape_Sphericity", "original_shape_VoxelVolume"}
    assert table.loc["original_firstorder_Mean", "icc"] < 0.75
    report = (tmp_path / "report.html").read_text()
    assert "Of 4 features measured again in 12 cases (reader2), 2 have an ICC of at least 0.75" in report
    assert "2 cases were not measured again." in report
    radiodeep(*asked, "--params", folder / "p.yaml", *SETTINGS)
    assert not (tmp_path / "repeatability.csv").exists()


def test_what_cannot_be_judged_is_refused(folder, tmp_path, radiodeep):
    asked = ["-o", tmp_path / "study", "--repeatable", 0.75, *SETTINGS]
    done = radiodeep("study", folder / "manifest.csv", *asked)
    assert done.code != 0
    assert "--repeatable needs cases measured again: a column mask_reader2 or image_retest." in done.err
    done = radiodeep("study", folder / "twice.csv", "--lesions", "max", *asked)
    assert "Leave out --lesions" in done.err
