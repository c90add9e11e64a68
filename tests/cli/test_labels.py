"""`radiodeep labels` shows what masks hold."""

import nibabel
import numpy as np
import pandas as pd
import pytest

import radiodeep as rd


@pytest.fixture
def cohort(tmp_path):
    """The manifest of three phantoms, the masks of which two hold a liver, and one a tumour."""
    rd.write_cohort(rd.make_phantom_cohort(3, random_state=0), tmp_path)
    mask = nibabel.load(tmp_path / "phantom-002_mask.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.asarray(mask.dataobj) * 2, mask.affine), tmp_path / "phantom-002_mask.nii.gz")
    (tmp_path / "labels.csv").write_text("1,liver\n2,tumour\n")
    return tmp_path / "manifest.csv"


def test_names_are_summarised_over_a_cohort(cohort, radiodeep):
    output = cohort.parent / "regions.csv"
    done = radiodeep("labels", cohort, "-o", output)
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == ["name", "n_cases", "labels", "volume_mm3", "lacking"]
    assert lines[1][:3] == ["liver", "2", "1"]
    assert lines[1][-1] == "phantom-002"
    assert lines[2][:3] == ["tumour", "1", "2"]
    table = pd.read_csv(output)
    assert table["name"].tolist() == ["liver", "liver", "tumour"]
    summary = pd.read_csv(output.with_name("regions.summary.csv"), index_col="name")
    assert summary.loc["tumour", "lacking"] == "phantom-000 | phantom-001"


def test_one_mask_shows_its_regions_and_a_broken_one_its_error(cohort, radiodeep):
    mask = cohort.parent / "phantom-002_mask.nii.gz"
    done = radiodeep("labels", mask)
    assert done.code == 0
    assert done.out.splitlines()[1].split()[:3] == [mask.name, "tumour", "2"]
    mask.write_bytes(mask.read_bytes()[:-9])
    done = radiodeep("labels", cohort)
    assert done.code == 2
    assert "TruncatedFileError: phantom-002: 'phantom-002_mask.nii.gz' is cut short" in done.err
    assert done.out.splitlines()[1].split()[0] == "liver"


def test_a_manifest_stands_alone(cohort, radiodeep):
    done = radiodeep("labels", cohort, cohort.parent / "a.nii.gz")
    assert done.code == 1
    assert "manifest.csv' is a table. Give one manifest, or masks" in done.err
