"""`radiodeep extract --sr`."""

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd

hd = pytest.importorskip("highdicom")


@pytest.fixture
def mixed(dicom_files, tmp_path):
    """The manifest of two cases from DICOM, one from NIfTI, and one whose image is lost."""
    manifest = rd.write_cohort(rd.make_phantom_cohort(1, random_state=0), tmp_path)
    rows = pd.read_csv(manifest, dtype=str)[["id", "image", "mask"]]
    voxels = np.random.default_rng(0).integers(-100, 100, (5, 12, 14))
    square = [(-18, 12.1), (-13, 12.1), (-13, 17.1), (-18, 17.1)]
    for number in (1, 2):
        name = f"p/{number}"
        folder = tmp_path / f"ct{number}"
        dicom_files.series(folder, voxels, patient=name)
        contours = [[(x, y, 30 + 2.5 * level) for x, y in square] for level in (1, 2, 3)]
        dicom_files.structure_set(tmp_path / f"rs{number}.dcm", {"GTV": contours}, patient=name)
        rows.loc[len(rows)] = [name, folder.name, f"rs{number}.dcm"]
    rows.loc[len(rows)] = ["lost", "lost.nii.gz", "rs1.dcm"]
    rows.to_csv(manifest, index=False)
    return manifest


def run(radiodeep, manifest, *options):
    arguments = ["--features", "handcrafted", "--bin-width", "25", "--jobs", "1", "-o", manifest.parent / "table.csv"]
    return radiodeep("extract", manifest, *arguments, *options)


def test_each_case_from_dicom_gets_a_report_of_its_row_and_others_are_named(radiodeep, mixed, tmp_path):
    done = run(radiodeep, mixed, "--sr", tmp_path / "sr")
    assert done.code == 2
    assert "Wrote 3 cases x 107 features" in done.out
    assert "Wrote 2 structured reports (SR) with segmentations (SEG) to" in done.out
    assert "No report: phantom-000: the image is not in DICOM" in done.err
    assert done.err.count("No report") == 1
    names = sorted(path.name for path in (tmp_path / "sr").iterdir())
    assert names == ["p_1.seg.dcm", "p_1.sr.dcm", "p_2.seg.dcm", "p_2.sr.dcm"]
    report = hd.sr.srread(tmp_path / "sr" / "p_2.sr.dcm")
    assert (report.PatientID, report.PatientName) == ("p/2", "")
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    row = pd.read_csv(tmp_path / "table.csv", index_col="id").loc["p/2"]
    reported = {f"original_{item.name.meaning}": item.value for item in group.get_measurements()}
    np.testing.assert_allclose(pd.Series(reported)[row.index], row, rtol=1e-12)


def test_a_report_takes_the_patient_of_its_image_on_request(radiodeep, mixed, tmp_path):
    run(radiodeep, mixed, "--sr", tmp_path / "sr", "--sr-patient", "image", "--pet-unit", "stored")
    report = hd.sr.srread(tmp_path / "sr" / "p_1.sr.dcm")
    assert report.PatientName == "Secret^Name"
    items = report.content.get_volumetric_roi_measurement_groups()[0].get_measurements()
    assert {item.unit.value for item in items if item.name.meaning == "firstorder_Mean"} == {"1"}


def test_what_reports_are_not_made_for_is_an_error_before_the_work(radiodeep, mixed, tmp_path):
    done = run(radiodeep, mixed, "--sr", mixed)
    assert (done.code, "is a file. Give the name of a folder" in done.err) == (1, True)
    done = run(radiodeep, mixed, "--sr", tmp_path / "sr", "--lesions", "mean")
    assert (done.code, "--sr writes a report of each case with one image" in done.err) == (1, True)
    rows = pd.read_csv(mixed, dtype=str).assign(id=["a", "p/1", "p?1", "b"])
    rows.to_csv(mixed, index=False)
    done = run(radiodeep, mixed, "--sr", tmp_path / "sr")
    assert (done.code, "--sr: several ids give the file name 'p_1'" in done.err) == (1, True)
    done = run(radiodeep, mixed, "--sr", tmp_path / "sr", "--shard", "2/3")  # one of them
    assert (done.code, "--sr: several ids give the file name 'p_1'" in done.err) == (1, True)
    assert not (tmp_path / "table.csv").exists()
