"""A folder of DICOM files as a PACS exports them becomes a manifest; voxels are read only by the cases."""

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.exceptions import (
    AmbiguousMaskError,
    InputError,
    LabelNotFoundError,
    ManifestError,
    OutputError,
    RadiodeepWarning,
)

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (4, 12, 14))
SQUARE = np.array([(2.5, 3.5, 2), (7.5, 3.5, 2), (7.5, 8.5, 2), (2.5, 8.5, 2)])  # voxels 3 to 7 and 4 to 8 of slice 2
PLACE = np.array([-20.0, 10.0, 30.0]) + SQUARE * (0.7, 0.8, 2.5)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "export"


@pytest.fixture
def add_patient(dicom_files, folder):
    """A function that writes a CT with a structure set and an MR without one, nested or flat."""

    def add(patient, names=("GTV", "Heart"), nested=True, outlined="ct"):
        home = folder / patient / "study" if nested else folder
        for series, modality in (("ct", "CT"), ("mr", "MR")):
            place = home / series if nested else home
            files = [f"{patient}{series}{level}" for level in range(len(VOXELS))]
            dicom_files.series(
                place,
                VOXELS,
                patient=patient,
                series=series,
                modality=modality,
                description=f"{series} axial",
                names=files,
            )
        dicom_files.structure_set(home / f"RS{patient}", {name: [PLACE] for name in names}, patient, outlined)
        return home

    return add


@pytest.fixture
def manifest_of(folder, tmp_path):
    """A function that returns the tables of the folder."""

    def tables(**options):
        manifest = rd.folder_manifest(folder, tmp_path / "manifest.csv", **options)
        return [pd.read_csv(path, dtype=str, keep_default_na=False) for path in (manifest, tmp_path / "left_out.csv")]

    return tables


def test_every_outlined_series_is_a_case_of_a_nested_export(add_patient, manifest_of, tmp_path):
    for patient in ("B", "A"):
        add_patient(patient)
    manifest, left_out = manifest_of(roi="gtv")
    assert manifest.to_dict("records") == [
        {
            "id": f"patient-00{number}",
            "patient": f"patient-00{number}",
            "image": f"export/{patient}/study/ct",
            "mask": f"export/{patient}/study/RS{patient}",
            "roi_name": "GTV",
            "label": "",
        }
        for number, patient in ((1, "A"), (2, "B"))
    ]
    assert left_out.to_dict("records")[0] == {
        "patient": "patient-001",
        "series": "MR series 'mr axial'",
        "files": "4",
        "path": "export/A/study/mr",
        "reason": "no RTSTRUCT or SEG file refers to it",
    }
    cohort = rd.read_cohort(tmp_path / "manifest.csv")
    expected = np.zeros(VOXELS.shape, bool)
    expected[2, 4:9, 3:8] = True
    for case in cohort:
        np.testing.assert_array_equal(case.voxels, VOXELS)
        np.testing.assert_array_equal(case.roi, expected)


def test_series_that_share_a_folder_are_told_apart_by_their_uid(
    add_patient, dicom_files, manifest_of, folder, tmp_path
):
    for patient in ("A", "B"):
        add_patient(patient, nested=False)
    (folder / "README.TXT").write_text("viewer")
    (folder / "DICOMDIR").write_text("index")
    manifest, left_out = manifest_of(roi="GTV")
    assert manifest["image"].tolist() == [f"export/{dicom_files.uid(patient, 'ct')}" for patient in ("A", "B")]
    assert manifest["mask"].tolist() == ["export/RSA", "export/RSB"]
    assert left_out["reason"].tolist()[-1] == "not a DICOM image or outline"
    assert left_out["files"].tolist()[-1] == "2"
    np.testing.assert_array_equal(rd.read_cohort(tmp_path / "manifest.csv")[1].voxels, VOXELS)


def test_several_names_of_regions_need_a_choice(add_patient, manifest_of):
    add_patient("A")
    add_patient("B", names=("GTV",))
    with pytest.raises(
        AmbiguousMaskError, match=r"have 2 names: 'GTV' \(2 patients\), 'Heart' \(1 patient\). Name.*roi='GTV'"
    ):
        manifest_of()
    with pytest.raises(LabelNotFoundError, match=r"No region is called 'GTW'.*Did you mean 'GTV'\?"):
        manifest_of(roi="GTW")
    manifest, left_out = manifest_of(roi="heart")
    assert manifest["roi_name"].tolist() == ["Heart"]
    assert "'RSB' outlines other regions on it: 'GTV'" in left_out["reason"].tolist()
    assert "it has no region that was asked for, but 'GTV'" in left_out["reason"].tolist()
    assert manifest_of(roi=["PTV", "heart", "GTV"])[0]["roi_name"].tolist() == ["Heart", "GTV"]


def test_every_region_of_a_pattern_is_a_case(add_patient, manifest_of):
    add_patient("A", names=("GTV-1", "GTV-2", "Heart"))
    manifest, _ = manifest_of(roi="GTV*")
    assert manifest["id"].tolist() == ["patient-001-1", "patient-001-2"]
    assert manifest["patient"].tolist() == ["patient-001", "patient-001"]
    assert manifest["roi_name"].tolist() == ["GTV-1", "GTV-2"]


def test_one_name_in_all_files_needs_no_choice(add_patient, manifest_of):
    for patient, name in (("A", "GTV"), ("B", "gtv")):
        add_patient(patient, names=(name,))
    assert manifest_of()[0]["roi_name"].tolist() == ["GTV", "gtv"]


def test_several_files_with_the_region_are_not_chosen_from(add_patient, dicom_files, manifest_of):
    home = add_patient("A")
    add_patient("B")
    dicom_files.structure_set(home / "RS99", {"GTV": [PLACE + 0.1]}, "A", "ct")
    (home / "copy").write_bytes((home / "RSA").read_bytes())
    manifest, left_out = manifest_of(roi="GTV")
    assert "a copy of 'A/study/RSA'" in left_out["reason"].tolist()
    assert manifest["patient"].tolist() == ["patient-002"]
    expected = "2 files outline 'GTV' on it: 'A/study/RS99', 'A/study/RSA'. Move those away"
    assert left_out["reason"].str.startswith(expected).sum() == 1


def test_regions_of_one_name_in_a_file_are_not_chosen_from(dicom_files, add_patient, manifest_of):
    add_patient("A", names=("GTV", "gtv"))
    assert manifest_of(roi="GTV")[0]["roi_name"].tolist() == ["GTV"]
    with pytest.raises(InputError, match=r"gives no case.*'RSA' has 2 regions called 'GTV'"):
        manifest_of(roi="G*")


def test_segmentations_count_where_no_structure_set_has_the_region(add_patient, dicom_files, manifest_of, folder):
    home = add_patient("A", names=("Heart",))
    grid = grid_of(find_series(home / "ct")[dicom_files.uid("A", "ct")])
    pixels = np.ones(VOXELS.shape[1:], bool)
    dicom_files.segmentation(home / "SEG", [(1, 2, pixels), (2, 2, pixels)], ["GTV", "Heart"], grid, "A", "ct")
    assert manifest_of(roi="GTV")[0]["mask"].tolist() == ["export/A/study/SEG"]
    manifest, left_out = manifest_of(roi="Heart")
    assert manifest["mask"].tolist() == ["export/A/study/RSA"]
    reasons = dict(zip(left_out["path"], left_out["reason"], strict=True))
    assert reasons["export/A/study/SEG"] == "an RTSTRUCT outlines the same image, and counts"


def test_outlined_series_of_a_study_are_images_of_a_case(add_patient, dicom_files, manifest_of, tmp_path):
    home = add_patient("A")
    dicom_files.structure_set(home / "RSmr", {"gtv": [PLACE]}, "A", "mr")
    add_patient("B")
    manifest, _ = manifest_of(roi="GTV")
    assert manifest["image_MR"].tolist() == ["export/A/study/mr", ""]
    assert manifest["mask_MR"].tolist() == ["export/A/study/RSmr", ""]
    assert manifest["image_CT"].tolist() == ["export/A/study/ct", "export/B/study/ct"]
    case = rd.read_cohort(tmp_path / "manifest.csv")[0]
    assert [image.roi.sum() for image in case.single_images().values()] == [25, 25]


def test_chosen_series_take_the_outline_of_the_same_voxels(add_patient, manifest_of, tmp_path):
    add_patient("A")
    manifest, left_out = manifest_of(roi="GTV", series={"thorax": "CT AX", "T1": "mr"})
    assert manifest["mask_T1"].tolist() == manifest["mask_thorax"].tolist() == ["export/A/study/RSA"]
    assert len(left_out) == 0
    manifest, left_out = manifest_of(roi="GTV", series={"T1": "ct"})
    assert manifest["image"].tolist() == ["export/A/study/ct"]
    assert left_out["reason"].tolist() == ["its description is none of those asked for"]
    with pytest.raises(InputError, match="2 outlined series are called T1"):
        manifest_of(roi="GTV", series={"T1": "axial"})


def test_a_series_on_another_grid_needs_an_outline_of_its_own(add_patient, dicom_files, manifest_of):
    home = add_patient("A")
    dicom_files.series(home / "pt", VOXELS, (2.5, 1.6, 1.4), patient="A", series="pt", modality="PT", description="fdg")
    manifest, left_out = manifest_of(roi="GTV", series={"CT": "ct axial", "PET": "fdg"})
    assert manifest["image"].tolist() == ["export/A/study/ct"]
    reasons = dict(zip(left_out["series"], left_out["reason"], strict=True))
    expected = "it has no outline of its own, and the outlined series has not its size, voxels and place"
    assert reasons["PT series 'fdg'"] == f"{expected}. resample_mask=True takes it nevertheless"
    manifest, _ = manifest_of(roi="GTV", series={"CT": "ct axial", "PET": "fdg"}, resample_mask=True)
    assert manifest["mask_CT"].tolist() == manifest["mask_PET"].tolist() == ["export/A/study/RSA"]
    dicom_files.structure_set(home / "RSpt", {"GTV": [PLACE]}, "A", "pt")
    manifest, _ = manifest_of(roi="GTV", series={"CT": "ct axial", "PET": "fdg"})
    assert manifest["mask_PET"].tolist() == ["export/A/study/RSpt"]


def test_broken_series_and_files_without_image_are_left_out(add_patient, dicom_files, manifest_of, folder):
    for patient in ("A", "B"):
        add_patient(patient)
    (folder / "B" / "study" / "ct" / "Bct1").unlink()
    dicom_files.structure_set(folder / "RSX", {"GTV": [PLACE]}, "C", "gone")
    report = {0: {"Modality": "SR"}}
    dicom_files.series(folder / "SR", VOXELS[:1], patient="C", series="sr", changes=report, description="dose")
    manifest, left_out = manifest_of(roi="GTV")
    assert manifest["patient"].tolist() == ["patient-001"]
    reasons = dict(zip(left_out["series"], left_out["reason"], strict=True))
    assert "lie 5 mm apart" in reasons["CT series 'ct axial'"]
    assert reasons["SR series 'dose'"] == "SR is neither an image nor an outline"
    assert "it outlines no image in the folder. Add the series that it was drawn on" in reasons.values()


def test_patient_ids_come_out_on_request_only(add_patient, manifest_of, tmp_path):
    for patient in ("007", "B"):
        add_patient(patient, nested=False)
    assert manifest_of(roi="GTV")[0]["patient"].tolist() == ["patient-001", "patient-002"]
    assert manifest_of(roi="GTV", keep_patient_ids=True)[0]["id"].tolist() == ["007", "B"]
    manifest_of(roi="GTV", key=tmp_path / "key.csv")
    assert (tmp_path / "key.csv").read_text().splitlines() == ["patient,PatientID", "patient-001,007", "patient-002,B"]


def test_studies_without_a_patient_id_are_patients(dicom_files, add_patient, manifest_of, folder):
    for number in (1, 2):
        changes = {level: {"StudyInstanceUID": f"1.2.{number}"} for level in range(4)}
        place = folder / str(number)
        dicom_files.series(place, VOXELS, patient="", series=f"ct{number}", changes=changes)
        dicom_files.structure_set(place / f"RS{number}", {"GTV": [PLACE]}, "", f"ct{number}")
    assert manifest_of()[0]["patient"].tolist() == ["patient-001", "patient-002"]


def test_a_manifest_with_labels_is_not_overwritten(add_patient, manifest_of, tmp_path):
    add_patient("A")
    manifest_of(roi="GTV")
    manifest, _ = manifest_of(roi="GTV")
    manifest.assign(label="1").to_csv(tmp_path / "manifest.csv", index=False)
    with pytest.raises(OutputError, match="exists and has labels, which would be lost"):
        manifest_of(roi="GTV")
    manifest.assign(time="3", event="1").to_csv(tmp_path / "manifest.csv", index=False)
    with pytest.raises(OutputError, match="exists and has the columns 'time', 'event', which would be lost"):
        manifest_of(roi="GTV")
    (tmp_path / "manifest.csv").write_bytes(b"")
    with pytest.raises(OutputError, match="exists and is not a manifest"):
        manifest_of(roi="GTV")


def test_an_export_without_outlines_says_so(dicom_files, folder, manifest_of):
    dicom_files.series(folder, VOXELS)
    with pytest.raises(InputError, match="gives no case. 1 times: no RTSTRUCT or SEG file refers to it"):
        manifest_of()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("roi", [], "None, a name or a list of names"),
        ("series", {"reader2": "t1"}, "a dict from names of letters and digits to parts of descriptions"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path, name, value, allowed):
    with pytest.raises(InputError, match=f"'{name}' parameter of folder_manifest must be {allowed}"):
        rd.folder_manifest(tmp_path, tmp_path / "m.csv", **{name: value})
    with pytest.raises(InputError, match=r"must be the path of a .csv file. Got 'm.tsv'"):
        rd.folder_manifest(tmp_path, "m.tsv")


def test_a_few_dicom_files_do_not_hide_other_images(dicom_files, folder, manifest_of):
    dicom_files.series(folder / "dicom", VOXELS[:1])
    for name in ("a_image.nii", "a_mask.nii"):
        (folder / name).write_bytes(b"")
    manifest, left_out = manifest_of()
    assert manifest["image"].tolist() == ["export/a_image.nii"]
    assert left_out["reason"].tolist() == ["not an image, or DICOM beside more images in other formats"]


def test_a_file_without_a_series_outlines_an_image_of_its_own_patient(dicom_files, manifest_of, folder):
    for patient in ("A", "B"):
        frame = {level: {"FrameOfReferenceUID": dicom_files.uid("A", "frame")} for level in range(4)}
        dicom_files.series(folder / patient, VOXELS, patient=patient, changes=frame)
    dicom_files.structure_set(folder / "RS", {"GTV": [PLACE]}, "A", None)
    assert manifest_of()[0]["image"].tolist() == ["export/A"]


def test_a_series_in_another_place_takes_no_outline(add_patient, dicom_files, manifest_of):
    home = add_patient("A")
    frame = {level: {"FrameOfReferenceUID": "1.2.3"} for level in range(4)}
    dicom_files.series(home / "late", VOXELS, patient="A", series="late", description="late", changes=frame)
    manifest, _ = manifest_of(roi="GTV", series={"early": "ct", "late": "late"})
    assert manifest["image"].tolist() == ["export/A/study/ct"]


def test_a_pattern_names_the_region_that_each_image_calls_differently(add_patient, dicom_files, manifest_of, tmp_path):
    home = add_patient("A", names=("GTV_CT", "Heart"))
    dicom_files.structure_set(home / "RSmr", {"GTV_MR": [PLACE]}, "A", "mr")
    manifest, _ = manifest_of(roi="GTV*")
    assert manifest["roi_name"].tolist() == ["GTV*"]
    assert [image.roi.sum() for image in rd.read_cohort(tmp_path / "manifest.csv")[0].single_images().values()] == [
        25,
        25,
    ]


def test_damaged_files_are_left_out_with_the_reason(add_patient, manifest_of, folder):
    for patient in ("A", "B"):
        add_patient(patient)
    (folder / "A" / "study" / "ct" / "notes.dcm").write_text("no DICOM")
    structure_set = folder / "B" / "study" / "RSB"
    structure_set.write_bytes(structure_set.read_bytes().replace(b"-18.25", b"-18.x5"))
    manifest, left_out = manifest_of(roi="GTV")
    assert manifest["patient"].tolist() == ["patient-001"]
    reasons = dict(zip(left_out["path"], left_out["reason"], strict=True))
    assert "'notes.dcm' is not a DICOM file, as its name says" in reasons["export/A/study/ct/notes.dcm"]
    assert "'RSB' is a structure set that cannot be read" in reasons["export/B/study/RSB"]


def test_studies_of_a_patient_are_cases_in_the_order_of_their_dates(dicom_files, manifest_of, folder):
    for number, date in ((1, "20210304"), (2, "20190102")):
        header = {"StudyInstanceUID": f"1.2.{number}", "StudyDate": date}
        dicom_files.series(folder / f"s{number}", VOXELS, series=f"ct{number}", changes=dict.fromkeys(range(4), header))
        dicom_files.structure_set(folder / f"RS{number}", {"GTV": [PLACE]}, series=f"ct{number}")
    manifest, _ = manifest_of()
    assert manifest["id"].tolist() == ["patient-001-1", "patient-001-2"]
    assert manifest["image"].tolist() == ["export/s2", "export/s1"]
    assert "2019" not in manifest.to_csv()


def test_one_patient_id_with_several_names_is_pointed_out(dicom_files, add_patient, manifest_of, folder):
    add_patient("A")
    changes = {level: {"PatientName": "Other^Name"} for level in range(4)}
    dicom_files.series(folder / "x", VOXELS, patient="A", series="x", changes=changes)
    with pytest.warns(RadiodeepWarning, match=r"different PatientNames: 1 \(patient-001\). If they are of several"):
        manifest_of(roi="GTV")


def test_links_and_what_is_no_file_are_left_out(add_patient, manifest_of, folder):
    add_patient("A")
    (folder / "gone").symlink_to(folder / "nothing")
    (folder / "loop").symlink_to(folder)
    manifest, left_out = manifest_of(roi="GTV")
    assert manifest["image"].tolist() == ["export/A/study/ct"]
    reasons = dict(zip(left_out["path"], left_out["reason"], strict=True))
    assert reasons["export/gone"] == "a link to a file that is not there, or no file"
    assert reasons["export/loop"] == "a link to a folder, which is not followed. Give that folder"


def test_a_file_that_refers_to_several_images_needs_a_choice(dicom_files, add_patient, manifest_of):
    import pydicom

    home = add_patient("A", names=("GTV",))
    header = pydicom.dcmread(home / "RSA")
    (frame,) = header.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    second = pydicom.Dataset()
    second.SeriesInstanceUID = dicom_files.uid("A", "mr")
    study.RTReferencedSeriesSequence.append(second)
    header.save_as(home / "RSA")
    with pytest.raises(InputError, match="gives no case"):
        manifest_of()
    manifest, _ = manifest_of(series={"T1": "mr"})
    assert manifest["image"].tolist() == ["export/A/study/mr"]
    header.PatientID = "B"
    header.save_as(home / "RSA")
    with pytest.raises(InputError, match="gives no case"):
        manifest_of()
    left_out = pd.read_csv(home.parents[2] / "left_out.csv")
    assert "it outlines an image of another PatientID. Give both the same" in left_out["reason"].tolist()


def test_outcomes_come_in_by_patient_ids_that_stay_out(add_patient, manifest_of, tmp_path):
    for patient in ("007", "Bx", "Cx"):
        add_patient(patient, nested=False)
    ids = ["Cx", "007", "Zx"]
    clinical = pd.DataFrame({"number": ids, "mrn": ids, "label": ["1", "0", "1"], "age": ["50", "60", "70"]})
    with pytest.raises(ManifestError, match=r"patients' names could be number and mrn. Name it"):
        manifest_of(roi="GTV", clinical=clinical)
    clinical.to_csv(tmp_path / "clinical.csv", index=False)
    for _ in range(2):
        with pytest.warns(RadiodeepWarning, match="no row of 1 of 3 patients, first 'patient-002'"):
            manifest, _ = manifest_of(roi="GTV", clinical=tmp_path / "clinical.csv", clinical_patient="number")
    assert manifest[["patient", "age", "label"]].to_numpy().tolist() == [
        ["patient-001", "60", "0"],
        ["patient-002", "", ""],
        ["patient-003", "50", "1"],
    ]
    assert list(manifest)[-3:] == ["roi_name", "age", "label"]
    with (
        pytest.warns(RadiodeepWarning, match="no row of 1"),
        pytest.raises(OutputError, match="has labels, which would be lost"),
    ):
        manifest_of(roi="GTV", clinical=clinical.assign(label="1"), clinical_patient="mrn")
    with pytest.raises(ManifestError, match="column 'age' of the clinical table holds none of the 3 patients"):
        manifest_of(roi="GTV", clinical=clinical, clinical_patient="age")
    with pytest.raises(ManifestError, match=r"patients' names is none of age. Name it with 'clinical_patient'.$"):
        manifest_of(roi="GTV", clinical=clinical[["age"]])


def test_times_and_events_are_outcomes(add_patient, manifest_of):
    add_patient("A")
    clinical = pd.DataFrame({"PatientID": ["A"], "time": [7], "event": [1]})
    manifest, _ = manifest_of(roi="GTV", clinical=clinical)
    assert list(manifest)[-3:] == ["roi_name", "time", "event"]
