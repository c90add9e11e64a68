"""`radiodeep compare-masks` writes a table, a summary and a montage."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

import radiodeep as rd


@pytest.fixture
def manifests(tmp_path):
    """Five phantoms as an expert outlines them, and four of them as something else does: one mask is empty."""
    cohort = rd.make_phantom_cohort(5, random_state=0)
    masks = [np.roll(case.roi, shift, axis=2) for case, shift in zip(cohort, range(5), strict=True)]
    others = [case.replace(mask=mask) for case, mask in zip(cohort, masks, strict=True)][:4]
    rd.write_cohort(cohort, tmp_path / "expert")
    rd.write_cohort(rd.Cohort(others), tmp_path / "automatic")
    empty = rd.write_cohort(rd.Cohort([others[2]]), tmp_path / "empty").with_name("phantom-002_mask.nii.gz")
    blank(empty)
    empty.replace(tmp_path / "automatic" / empty.name)
    return [tmp_path / name / "manifest.csv" for name in ("expert", "automatic")]


def blank(path):
    import SimpleITK as sitk

    sitk.WriteImage(sitk.ReadImage(str(path)) * 0, str(path))


def test_masks_of_two_manifests_are_compared(manifests, tmp_path, radiodeep):
    done = radiodeep("compare-masks", *manifests, "-o", tmp_path / "out", "--tolerance", 2, "--jobs", 1)
    assert done.code == 2
    assert "phantom-004: " in done.err
    assert "has no such case; the means leave it out" in done.err
    cases = pd.read_csv(tmp_path / "out" / "cases.csv", index_col="id")
    assert cases["dice"].to_dict() == pytest.approx(
        {"phantom-000": 1, "phantom-001": cases.loc["phantom-001", "dice"], "phantom-002": 0}
        | {"phantom-003": cases.loc["phantom-003", "dice"]}
    )
    assert 0.3 < cases.loc["phantom-003", "dice"] < cases.loc["phantom-001", "dice"] < 1
    assert cases.loc["phantom-002", "hd95_mm"] == np.inf
    summary = pd.read_csv(tmp_path / "out" / "summary.csv", index_col="measure")
    assert summary.loc["dice", "value"] == pytest.approx(cases["dice"].mean())
    assert "surface Dice, 2 mm" in done.out
    assert "4 cases of 4 patients" in done.out
    assert imread(tmp_path / "out" / "montage.png").shape[1] > 500
    assert pd.read_csv(tmp_path / "out" / "cases.errors.csv")["id"].tolist() == ["phantom-004"]


def test_one_of_several_images_is_compared(tmp_path, radiodeep):
    cohort = rd.make_study_cohort("sarcoma", 1)
    several = rd.write_cohort(cohort, tmp_path / "expert")
    one = rd.write_cohort(cohort.of_image("PET"), tmp_path / "automatic")
    for automatic in (one, several):
        done = radiodeep("compare-masks", several, automatic, "-o", tmp_path / "out", "--image", "PET", "--jobs", 1)
        assert (done.code, done.err) == (0, "")
        assert pd.read_csv(tmp_path / "out" / "cases.csv")["dice"].tolist() == [1]


def test_manifests_without_a_common_case_are_an_error(manifests, tmp_path, radiodeep):
    frame = pd.read_csv(manifests[1])
    other = manifests[1].with_name("other.csv")
    frame.assign(id="x" + frame["id"]).to_csv(other, index=False)
    done = radiodeep("compare-masks", manifests[0], other, "-o", tmp_path / "out")
    assert done.code == 1
    assert "The same case must have the same id in both" in " ".join(done.err.split())
    assert not (tmp_path / "out").exists()
    done = radiodeep("compare-masks", *manifests, "-o", tmp_path / "out", "--tolerance", -1)
    assert done.code == 1
    assert "--tolerance" in done.err
