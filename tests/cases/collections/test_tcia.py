"""A small TCIA collection that the tests write becomes a manifest of images, masks and clinical columns."""

import numpy as np
import pandas as pd
import pytest

import radiodeep as rd
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.exceptions import (
    AmbiguousMaskError,
    DicomSeriesError,
    InputError,
    LabelNotFoundError,
    ManifestError,
    RadiodeepWarning,
)

CT = np.random.default_rng(0).integers(-1000, 1000, (5, 12, 14))
PT = np.random.default_rng(1).integers(0, 1000, (4, 8, 9))
SQUARE = np.array([(2.5, 3.5), (7.5, 3.5), (7.5, 8.5), (2.5, 8.5)])  # voxels 3 to 7 and 4 to 8


def grids(folder):
    return {each.uid: grid_of(each) for each in find_series(folder).values() if each.modality in ("CT", "PT", "MR")}


def square(grid, level, points=SQUARE):
    steps = np.column_stack([points, np.full(len(points), level)]) * grid.spacing_mm[::-1]
    return grid.origin_mm + steps @ grid.direction.T


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "manifest-1" / "COLLECTION"


@pytest.fixture
def add_patient(dicom_files, folder):
    """A function that writes a patient with a CT and a structure set, and the PET with its own if it is asked for."""

    def add(patient, names=("GTV-1", "Heart"), pet=False, **changes):
        home = folder / patient / "study"
        ct = dicom_files.series(home / "CT", CT, patient=patient, series="ct", description="thorax", **changes)
        contours = [square(grids(home)[ct], 2)]
        dicom_files.structure_set(home / "RS" / "1-1.dcm", dict.fromkeys(names, contours), patient, "ct")
        if pet:
            spacing, slopes = (2.5, 3.0, 3.0), [0.5, 1, 2, 3]
            pt = dicom_files.series(
                home / "PT", PT, spacing, patient=patient, series="pt", modality="PT", slopes=slopes, description="fdg"
            )
            drawn = [square(grids(home)[pt], 1, SQUARE - 1)]
            dicom_files.structure_set(home / "RS" / "1-2.dcm", {"GTV-1": drawn}, patient, "pt")

    return add


def test_images_and_masks_of_every_outlined_series_are_written(add_patient, folder, tmp_path):
    for patient in ("P2", "P1"):
        add_patient(patient, pet=True)
    cohort = rd.read_cohort(rd.tcia_manifest(folder, tmp_path / "out", roi="gtv-1"))
    assert (cohort.ids, cohort[1].patient) == (["P1", "P2"], "P2")
    ct, pt = (cohort[1].single_images()[name] for name in ("CT", "PT"))
    np.testing.assert_array_equal(ct.voxels, CT)
    np.testing.assert_allclose(pt.voxels, PT * np.array([0.5, 1, 2, 3])[:, None, None])
    assert ct.spacing_mm == pytest.approx((2.5, 0.8, 0.7))
    expected = np.zeros(CT.shape, bool)
    expected[2, 4:9, 3:8] = True
    np.testing.assert_array_equal(ct.roi, expected)
    expected = np.zeros(PT.shape, bool)
    expected[1, 3:8, 2:7] = True
    np.testing.assert_array_equal(pt.roi, expected)


def test_one_image_is_called_image_and_may_be_cropped(add_patient, folder, tmp_path):
    add_patient("P1")
    manifest = rd.tcia_manifest(folder, tmp_path / "out", roi="GTV*", margin_mm=1.5)
    assert manifest.read_text().splitlines()[0] == "id,patient,image,mask"
    case = rd.read_cohort(manifest)[0]
    box = (slice(1, 4), slice(2, 11), slice(0, 11))  # 1, 2 and 3 voxels are 1.5 mm and more
    np.testing.assert_array_equal(case.voxels, CT[box])
    assert np.argwhere(case.roi).min(axis=0).tolist() == [1, 2, 3]


def test_a_region_that_is_not_there_is_an_error_with_the_names(add_patient, folder, tmp_path):
    add_patient("P1")
    with pytest.raises(LabelNotFoundError, match=r"P1: '1-1.dcm': no region matches 'lung'.*'GTV-1', 'Heart'"):
        rd.tcia_manifest(folder, tmp_path / "out", roi="lung")
    with pytest.raises(AmbiguousMaskError, match=r"P1: several regions were outlined: 'GTV-1', 'Heart'"):
        rd.tcia_manifest(folder, tmp_path / "out")
    add_patient("P2", names=("lung",))
    with pytest.warns(
        RadiodeepWarning, match=r"left out of 1 patient;.*P1: '1-1.dcm': no region matches 'lung' or 'x'"
    ):
        cohort = rd.read_cohort(rd.tcia_manifest(folder, tmp_path / "out", roi=["lung", "x"]))
    assert cohort.ids == ["P2"]
    with pytest.raises(LabelNotFoundError, match="P1: "):
        rd.tcia_manifest(folder, tmp_path / "out", roi="lung", on_error="raise")


def test_an_image_whose_file_lacks_the_region_is_named(add_patient, folder, tmp_path):
    add_patient("P1", names=("Heart",), pet=True)
    with pytest.warns(RadiodeepWarning, match=r"P1: '1-1.dcm': no region matches 'GTV-1'. The regions are 'Heart'"):
        manifest = rd.tcia_manifest(folder, tmp_path / "out", roi="GTV-1")
    assert rd.read_cohort(manifest)[0].voxels.shape == PT.shape


def test_segmentations_count_where_no_structure_set_has_the_region(add_patient, dicom_files, folder, tmp_path):
    add_patient("P1")
    (grid,) = grids(folder).values()
    pixels = np.random.default_rng(2).random(CT.shape[1:]) > 0.5
    dicom_files.segmentation(folder / "P1" / "SEG.dcm", [(1, 3, pixels)], ["GTV-1"], grid, "P1", "ct")

    def roi(**options):
        return rd.read_cohort(rd.tcia_manifest(folder, tmp_path / "out", roi="GTV-1", **options))[0].roi

    assert roi()[2].sum() == roi(regions="RTSTRUCT").sum() == 25
    np.testing.assert_array_equal(roi(regions="SEG")[3], pixels)
    (folder / "P1" / "study" / "RS" / "1-1.dcm").unlink()
    np.testing.assert_array_equal(roi()[3], pixels)
    with pytest.raises(LabelNotFoundError, match="P1: no RTSTRUCT file was downloaded"):
        roi(regions="RTSTRUCT")


def test_a_structure_set_without_a_series_goes_with_its_frame_of_reference(add_patient, dicom_files, folder, tmp_path):
    add_patient("P1")
    (grid,) = grids(folder).values()
    path = folder / "P1" / "study" / "RS" / "1-1.dcm"
    dicom_files.structure_set(path, {"GTV-1": [square(grid, 1)]}, "P1", None)
    assert rd.read_cohort(rd.tcia_manifest(folder, tmp_path / "out"))[0].roi[1].sum() == 25
    dicom_files.structure_set(path, {"GTV-1": [square(grid, 1)]}, "P1", None, frame="another")
    with pytest.raises(LabelNotFoundError, match=r"'1-1.dcm' outlines no series of the download"):
        rd.tcia_manifest(folder, tmp_path / "out")


def test_series_of_one_modality_are_named_by_their_description(add_patient, dicom_files, folder, tmp_path):
    add_patient("P1", pet=True)
    late = dicom_files.series(folder / "P1" / "late", CT, patient="P1", series="late", description="Thorax late")
    contours = [square(grids(folder)[late], 3)]
    path = dicom_files.structure_set(folder / "P1" / "RS.dcm", {"GTV-1": contours}, "P1", "late")

    def manifest(**options):
        return rd.tcia_manifest(folder, tmp_path / "out", roi="GTV-1", **options)

    with pytest.raises(InputError, match=r"P1: 2 outlined series are called CT: 'Thorax late' and 'thorax'. Give each"):
        manifest()
    with pytest.raises(InputError, match=r"The CT series 'Thorax late' is early and late. Name more"):
        manifest(series={"early": "thor", "late": "late"})
    with pytest.raises(LabelNotFoundError, match="no outlined series is one of MR"):
        manifest(series={"MR": "t1"})
    cohort = rd.read_cohort(manifest(series={"early": "thorax", "late": "thorax late"}))  # all of the descriptions
    assert cohort[0].image_names == ("early", "late")
    cohort = rd.read_cohort(manifest(series={"FDG": "FDG", "late": "x late"}))
    assert cohort[0].image_names == ("FDG", "late")
    assert cohort[0].single_images()["late"].roi[3].sum() == 25
    dicom_files.structure_set(path.with_name("again.dcm"), {"GTV-1": contours}, "P1", "late")
    with pytest.raises(
        InputError, match=r"2 files outline the region on the CT series 'Thorax late': 'RS.dcm', 'again"
    ):
        manifest(series={"FDG": "FDG", "late": "x late"})


def test_an_incomplete_download_is_an_error(add_patient, dicom_files, folder, tmp_path):
    add_patient("P1", names=("GTV-1",))
    table = pd.DataFrame({"Series UID": [dicom_files.uid("P1", "ct")], "Number of Images": [5]})
    table.to_csv(folder / "metadata.csv", index=False)
    assert len(rd.read_cohort(rd.tcia_manifest(folder, tmp_path / "out"))) == 1
    (folder / "P1" / "study" / "CT" / "4.dcm").unlink()  # the last one leaves no gap
    with pytest.raises(DicomSeriesError, match=r"metadata.csv announces 5 files, the folder holds 4. Download"):
        rd.tcia_manifest(folder, tmp_path / "out")
    (folder / "metadata.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ManifestError, match=r"metadata.csv' is not the table.*'Series UID'"):
        rd.tcia_manifest(folder, tmp_path / "out")


def test_names_of_patients_lead_to_no_other_folder(dicom_files, folder, tmp_path):
    dicom_files.series(folder / "CT", CT, patient="../../A b")
    (grid,) = grids(folder).values()
    dicom_files.structure_set(folder / "RS.dcm", {"GTV-1": [square(grid, 1)]}, "../../A b")
    case = rd.read_cohort(rd.tcia_manifest(folder, tmp_path / "out"))[0]
    assert case.id == "../../A b"
    assert {path.parent for path in tmp_path.rglob("*.nii.gz")} == {tmp_path / "out" / "images"}


def test_patients_need_names_that_differ_as_files(dicom_files, folder, tmp_path):
    for patient in ("A b", "A_b"):
        dicom_files.series(folder / patient, CT, patient=patient)
    with pytest.raises(InputError, match="The patients 'A b', 'A_b' give the same file name"):
        rd.tcia_manifest(folder, tmp_path / "out")
    dicom_files.series(tmp_path / "nameless", CT, patient="")
    with pytest.raises(InputError, match="files without a PatientID"):
        rd.tcia_manifest(tmp_path / "nameless", tmp_path / "out")


@pytest.fixture
def two_patients(add_patient, folder):
    for patient in ("P1", "P2"):
        add_patient(patient, names=("GTV-1",))
    return folder


def test_clinical_columns_are_joined_by_patient(two_patients, tmp_path):
    table = tmp_path / "clinical.csv"
    table.write_text("Case ID;label;age;image\nP2;1;60;=cmd\nP9;0;70;b\nP1;0;007;c\n")
    manifest = rd.tcia_manifest(two_patients, tmp_path / "out", clinical=table)
    frame = pd.read_csv(manifest, dtype=str)
    assert frame["patient"].tolist() == ["P1", "P2"]
    assert frame["label"].tolist() == ["0", "1"]
    assert frame["age"].tolist() == ["007", "60"]
    assert frame["clinical_image"].tolist() == ["c", "'=cmd"]
    assert list(rd.read_cohort(manifest).labels) == [0, 1]


def test_patients_without_a_clinical_row_have_blank_cells(two_patients, tmp_path):
    table = pd.DataFrame({"subject": ["P2"], "age": [60.0]})
    with pytest.warns(RadiodeepWarning, match="no row of 1 of 2 patients, first 'P1'"):
        manifest = rd.tcia_manifest(two_patients, tmp_path / "out", clinical=table)
    assert pd.read_csv(manifest, keep_default_na=False)["age"].tolist() == ["", "60.0"]


@pytest.mark.parametrize(
    ("columns", "name", "match"),
    [
        ({"a": ["P1", "P1"]}, None, "several rows of 1 patients, first 'P1'"),
        ({"a": ["p1", "x"], "b": [1, 2]}, None, "such as 'P1', is none of a, b. Name it with 'clinical_patient'"),
        ({"a": ["P1", "P2"], "b": ["P2", "P1"]}, None, "could be a and b. Name it"),
        ({"a": ["P1", "P2"]}, "c", "has no column 'c'. Its columns are a"),
    ],
)
def test_clinical_tables_that_do_not_fit_are_refused(two_patients, tmp_path, columns, name, match):
    table = pd.DataFrame(columns)
    with pytest.raises(ManifestError, match=match):
        rd.tcia_manifest(two_patients, tmp_path / "out", clinical=table, clinical_patient=name)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("roi", [], "None, a name or a list of names"),
        ("series", {"reader2": "t1"}, "a dict from names of letters and digits to parts of descriptions"),
        ("regions", "SR", "None or one of RTSTRUCT, SEG"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path, name, value, allowed):
    with pytest.raises(InputError, match=f"'{name}' parameter of tcia_manifest must be {allowed}"):
        rd.tcia_manifest(tmp_path, tmp_path, **{name: value})


def test_the_images_of_a_patient_are_those_of_the_published_cohort(dicom_files, reference_data, tmp_path):
    manifest = rd.tcia_manifest(reference_data / "sts_pet" / "dicom_example", tmp_path, roi="GTV_*", margin_mm=10)
    (case,) = rd.read_cohort(manifest)
    for name, published in (("PT", "sts_pet"), ("MR", "sts_mr")):
        own = case.single_images()[name]
        other = rd.Case(*(reference_data / published / f"STS_002_{kind}.nii.gz" for kind in ("image", "mask")), "other")
        np.testing.assert_allclose(own.voxels[own.roi], other.voxels[other.roi], rtol=1e-6)
        np.testing.assert_allclose(own.spacing_mm, other.spacing_mm, rtol=1e-6)
