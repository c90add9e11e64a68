"""`radiodeep manifest` turns a folder into a manifest, and says what to do next."""

import numpy as np
import pandas as pd
import pytest
from skimage.measure import find_contours

import radiodeep as rd

ORIGIN = np.array([-100.0, -120.0, 50.0])


def contours_of(mask, spacing_mm):
    """Return the outlines of a mask in mm, half-way between the voxels inside and outside."""
    contours = []
    for level, plane in enumerate(mask):
        for ring in find_contours(np.pad(plane, 1).astype(float), 0.5):
            y, x = ring.T - 1
            steps = np.column_stack([x * spacing_mm[2], y * spacing_mm[1], np.full(len(x), level * spacing_mm[0])])
            contours.append(ORIGIN + steps)
    return contours


@pytest.fixture
def write_export(dicom_files, tmp_path):
    """A function that writes a PACS export: a CT and an MR of each patient, and a structure set of two regions.

    All files lie in one folder, as on a disk with a viewer. Returns the cases, whose ids are the PatientIDs.
    """

    def write(n_patients, n_slices=None):
        cohort = rd.make_phantom_cohort(n_patients, random_state=3)
        folder = tmp_path / "export"
        for number, case in enumerate(cohort):
            voxels, mask = (each[:n_slices] for each in (case.voxels, case.roi))
            for series, modality in (("thorax", "CT"), ("t2 tse", "MR")):
                names = [f"IM{number:03}{modality}{level:04}" for level in range(len(voxels))]
                dicom_files.series(
                    folder,
                    voxels,
                    case.spacing_mm,
                    ORIGIN,
                    patient=case.id,
                    series=series,
                    modality=modality,
                    description=series,
                    names=names,
                )
            body = np.zeros_like(mask)
            body[:, 2:-2, 2:-2] = True
            regions = {name: contours_of(each, case.spacing_mm) for name, each in (("GTV-1", mask), ("Body", body))}
            dicom_files.structure_set(folder / f"RS{number}", regions, case.id, "thorax")
        (folder / "DICOMDIR").write_bytes(b"index")
        return cohort

    return write


def test_a_folder_becomes_a_manifest_once_the_region_is_named(radiodeep, write_export, tmp_path, monkeypatch):
    cohort = write_export(2, n_slices=14)
    monkeypatch.chdir(tmp_path)
    done = radiodeep("manifest", "export", "-o", "manifest.csv")
    assert done.code == 1
    assert "The regions have 2 names: 'Body' (2 patients), 'GTV-1' (2 patients). Name the one" in done.err
    assert "--roi 'GTV-1'" in done.err
    done = radiodeep("manifest", "export", "-o", "manifest.csv", "--roi", "gtv-2")
    assert (done.code, "Did you mean 'GTV-1'?" in done.err) == (1, True)
    done = radiodeep("manifest", "export", "-o", "manifest.csv", "--roi", "gtv-1", "--key", "key.csv")
    assert (done.code, done.err) == (0, "")
    assert "2 cases of 2 patients in manifest.csv. Left out, see left_out.csv:\n     2 x no RTSTRUCT or SEG" in done.out
    assert "Patients are called patient-001" in done.out
    assert "radiodeep validate manifest.csv --montage lesions.png" in done.out
    assert pd.read_csv("key.csv", dtype=str)["PatientID"].tolist() == list(cohort.ids)
    case = rd.read_cohort("manifest.csv")[1]
    np.testing.assert_array_equal(case.roi, cohort[1].roi[:14])
    done = radiodeep("study", "manifest.csv", "-o", "report", "--features", "handcrafted")
    assert done.code == 1
    assert "2 of 2 cases have no label, the first is 'patient-001'" in done.err
    assert "fill it in in the manifest" in done.err


def test_several_images_and_patient_ids_are_options(radiodeep, write_export, tmp_path, monkeypatch):
    write_export(1, n_slices=14)
    monkeypatch.chdir(tmp_path)
    images = ("--image", "CT=thorax", "--image", "T2=T2 TSE")
    done = radiodeep("manifest", "export", "-o", "manifest.csv", "--roi", "GTV-1", "--patient-ids", *images)
    assert done.code == 0
    assert "Patients are called" not in done.out
    manifest = pd.read_csv("manifest.csv")
    assert manifest["id"].tolist() == ["phantom-000"]
    assert {"image_CT", "mask_CT", "image_T2", "mask_T2"} <= set(manifest)
    ages = pd.DataFrame({"number": ["phantom-000"], "age": [50], "mrn": ["phantom-000"]})
    ages.to_csv("ages.csv", index=False)
    given = ("-o", "ages_too.csv", "--roi", "GTV-1", "--clinical", "ages.csv", "--resample-mask")
    done = radiodeep("manifest", "export", *given)
    assert (done.code, "Name it with --clinical-patient." in done.err) == (1, True)
    done = radiodeep("manifest", "export", *given, "--clinical-patient", "mrn")
    assert "blank\n     in 1 of 1 (or give a table" in done.out
    assert "radiodeep study ages_too.csv -o report --cache cache --resample-mask" in done.out
    assert pd.read_csv("ages_too.csv")["age"].tolist() == [50]
    for wrong in ("T2", "T2=", "=t2"):
        done = radiodeep("manifest", "export", "-o", "manifest.csv", "--image", wrong)
        assert (done.code, "--image must be NAME=TEXT" in done.err) == (1, True)


def test_cases_of_one_patient_are_pointed_out(radiodeep, write_export, tmp_path, monkeypatch):
    write_export(1, n_slices=14)
    monkeypatch.chdir(tmp_path)
    done = radiodeep("manifest", "export", "-o", "manifest.csv", "--roi", "*")
    assert "2 cases of 1 patient in" in done.out
    assert "All cases have the same patient. If they are of several, correct the column 'patient'." in done.out


@pytest.mark.slow
def test_a_pacs_export_leads_to_a_report(radiodeep, write_export, tmp_path, monkeypatch):
    cohort = write_export(12)
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"number": cohort.ids, "label": cohort.labels}).to_csv("outcomes.csv", index=False)
    done = radiodeep("manifest", "export", "-o", "manifest.csv", "--roi", "GTV-1", "--clinical", "outcomes.csv")
    assert done.code == 0
    assert "Next:\n  1. radiodeep validate manifest.csv" in done.out
    done = radiodeep("validate", "manifest.csv", "--montage", "lesions.png")
    assert "12 of 12 cases can be used" in done.out
    done = radiodeep("extract", "manifest.csv", "-o", "features.csv", "--jobs", "1")
    assert done.code == 0
    from_dicom = pd.read_csv("features.csv")
    rd.write_cohort(cohort, "nifti")
    done = radiodeep("extract", "nifti/manifest.csv", "-o", "again.csv", "--jobs", "1")
    assert done.code == 0
    same = [name for name in from_dicom if name not in ("id", "patient")]
    pd.testing.assert_frame_equal(from_dicom[same], pd.read_csv("again.csv")[same], rtol=1e-6)
    done = radiodeep("study", "manifest.csv", "-o", "report", "--features", "handcrafted", "--jobs", "1")
    assert done.code == 0, done.err
    assert "AUC of label 1, two classes" in done.out
    assert "patient-012" in (tmp_path / "report" / "predictions_handcrafted.csv").read_text()
    assert (tmp_path / "report" / "report.html").is_file()


def test_cases_in_files_are_patients_by_their_names(radiodeep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.nii", "a_mask.nii", "b.nii", "b_mask.nii"):
        (tmp_path / name).write_bytes(b"")
    done = radiodeep("manifest", ".", "-o", "manifest.csv")
    assert "Each case is a patient of its own. If some are of one, correct the column 'patient'." in done.out
    assert "PatientID" not in done.out
