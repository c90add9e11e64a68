"""Structured reports in DICOM."""

import json
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from radiodeep import Case, RadiomicsExtractor, extract_table, write_structured_report
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.cases.dicom.writing import write_segmentation
from radiodeep.exceptions import AmbiguousMaskError, FileUnreadableError, InputError, LabelNotFoundError, OutputError

hd = pytest.importorskip("highdicom")
PERSONAL = {
    "PatientBirthDate": "19410203",
    "StudyDate": "20190711",
    "AccessionNumber": "ACC-77",
    "InstitutionName": "Saint Elsewhere",
    "ReferringPhysicianName": "Who^Doctor",
    "PatientAge": "077Y",
    "SeriesDescription": "Chest of Mr Secret",
}
LUNG = ("39607008", "SCT", "Lung structure")


@pytest.fixture
def outlined(dicom_files, tmp_path):
    """Return a function that writes a series and a SEG on it, and gives the case and the path of the SEG."""

    def write(patient_id="p-1", modality="CT", **described):
        pytest.importorskip("pydicom")
        voxels = np.random.default_rng(0).integers(-100, 100, (6, 12, 14))
        folder = tmp_path / "series"
        changes = {level: PERSONAL | {"Modality": modality} for level in range(6)}
        dicom_files.series(folder, voxels, changes=changes)
        series = next(iter(find_series(folder).values()))
        grid = grid_of(series)
        mask = np.zeros(voxels.shape, bool)
        mask[1:5, 2:9, 3:11] = True
        path = tmp_path / "region.dcm"
        write_segmentation(grid.volume_of(mask), series.paths, path, patient_id, "n-7", "GTV-1", **described)
        return SimpleNamespace(case=Case(voxels, mask, "n-7", spacing_mm=grid.spacing_mm), region=path, mask=mask)

    return write


def written(features, region, **options):
    path = write_structured_report(features, region, region.with_name("report.dcm"), **options)
    return hd.sr.srread(path)


def groups_of(report):
    return report.content.get_volumetric_roi_measurement_groups()


def measured(report):
    """Return value, code, scheme and unit of each measurement, by the image and name of its feature."""
    return {
        f"{group.method.value}_{item.name.meaning}": (
            item.value,
            item.name.value,
            item.name.scheme_designator,
            item.unit.value,
        )
        for group in groups_of(report)
        for item in group.get_measurements()
    }


@pytest.fixture(scope="module")
def extractor():
    families = ["shape", "firstorder", "glcm"]
    return RadiomicsExtractor(bin_width=20, families=families, image_types={"Original": {}, "Gradient": {}})


def test_every_feature_of_a_row_is_in_the_report_with_the_code_of_ibsi(outlined, extractor):
    lesion = outlined()
    row = extract_table(extractor, [lesion.case]).loc["n-7"]
    report = written(row, lesion.region, extractor=extractor)
    values = measured(report)
    assert {name: value for name, (value, *_) in values.items()} == row.to_dict()
    own = {name for name, (_, _, scheme, _) in values.items() if scheme == "99RADIODEEP"}
    assert len(own) == 6 + 3  # diameters, kurtosis, total energy and MCC; of the gradient no shape
    assert {scheme for _, _, scheme, _ in values.values()} == {"IBSI", "99RADIODEEP"}
    assert values["original_glcm_Contrast"][1:] == ("ACUI", "IBSI", "1")
    assert values["original_shape_SurfaceArea"][1:] == ("C0JK", "IBSI", "mm2")
    assert values["gradient_firstorder_Mean"][1:] == ("Q4LE", "IBSI", "[hnsf'U]/mm")
    assert values["original_shape_Maximum2DDiameterSlice"][1:3] == ("shape_Maximum2DDiameterSlice", "99RADIODEEP")


def test_the_report_says_how_and_of_what_it_was_measured(outlined, extractor):
    lesion = outlined(site=LUNG)
    report = written({"original_shape_Sphericity": 0.5}, lesion.region, extractor=extractor)
    group = groups_of(report)[0]
    segment = hd.seg.segread(lesion.region)
    assert group.tracking_identifier == "n-7"
    assert group.tracking_uid == segment.SegmentSequence[0].TrackingUID
    assert group.finding_type.value == "52988006"
    assert [site.value.meaning for site in group.finding_sites] == ["Lung structure"]
    assert group.referenced_segment.referenced_sop_instance_uid == segment.SOPInstanceUID
    assert (report.PatientID, report.StudyInstanceUID) == (segment.PatientID, segment.StudyInstanceUID)
    texts = " ".join(str(item.TextValue) for item in group[0].ContentSequence if item.ValueType == "TEXT")
    assert [word for word in ("bin_width=20", "Gradient", "SimpleITK") if word not in texts] == []
    assert report.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99RADIODEEP"
    assert "families" not in texts  # they are the features
    referenced = {evidence[2] for evidence in report.get_evidence()}
    assert len(referenced) == 1 + 6  # the SEG and the images


def test_a_report_has_nothing_of_the_patient_but_what_the_manifest_says(outlined):
    lesion = outlined(patient_id="p-1")
    written({"original_shape_Sphericity": 0.5}, lesion.region)
    for file in (lesion.region, lesion.region.with_name("report.dcm")):
        content = file.read_bytes()
        assert not [value for value in (*PERSONAL.values(), "Secret") if value.encode() in content]
        assert b"p-1" in content


def test_on_request_a_report_can_be_filed_with_its_image(outlined):
    lesion = outlined(patient_id=None)
    report = written({"original_shape_Sphericity": 0.5}, lesion.region)
    assert (report.PatientID, report.PatientBirthDate, report.AccessionNumber) == ("P1", "19410203", "ACC-77")
    assert str(report.PatientName) == "Secret^Name"
    assert {evidence[0] for evidence in report.get_evidence(current_procedure_only=True)} == {report.StudyInstanceUID}


def test_what_is_not_finite_is_reported_without_a_value(outlined):
    features = {"original_firstorder_Mean": np.nan, "original_firstorder_Range": np.inf, "original_glcm_MCC": 0.25}
    group = groups_of(written(features, outlined().region))[0]
    assert {item.name.meaning: item.value for item in group.get_measurements()} == {"glcm_MCC": 0.25}
    texts = {
        item.name.value: item.value.meaning
        for item in group.get_qualitative_evaluations()
        if item.value.scheme_designator == "DCM"
    }
    assert texts == {"Q4LE": "Not a number", "2OJQ": "Positive Infinity"}


@pytest.mark.parametrize(
    ("options", "unit"),
    [
        ({}, "[hnsf'U]2"),
        ({"intensity_unit": "SUV"}, "g2/ml2{SUVbw}"),
        ({"intensity_unit": "none"}, "1"),
        ({"extractor": RadiomicsExtractor(normalize=True)}, "1"),
    ],
)
def test_the_unit_is_that_of_the_image(outlined, options, unit):
    report = written({"original_firstorder_Energy": 2.0}, outlined().region, **options)
    assert measured(report)["original_firstorder_Energy"][3] == unit


@pytest.mark.parametrize(("sop_class", "unit"), [("128", "g/ml{SUVbw}"), ("4", "1"), ("2.1", "[hnsf'U]")])
def test_the_unit_of_pet_is_suv_and_mr_has_none(outlined, sop_class, unit):
    import pydicom

    region = outlined(patient_id=None).region
    header = pydicom.dcmread(region)
    for image in header.ReferencedSeriesSequence[0].ReferencedInstanceSequence:
        image.ReferencedSOPClassUID = f"1.2.840.10008.5.1.4.1.1.{sop_class}"
    header.save_as(region)
    report = written({"original_firstorder_Mean": 2.0}, region)
    assert measured(report)["original_firstorder_Mean"][3] == unit


def test_a_shift_of_intensities_is_not_energy_as_ibsi_defines_it(outlined):
    shifted = RadiomicsExtractor(voxel_array_shift=1000)
    report = written({"original_firstorder_Energy": 2.0}, outlined().region, extractor=shifted)
    assert measured(report)["original_firstorder_Energy"][1:3] == ("firstorder_Energy", "99RADIODEEP")


def test_deep_features_are_reported_by_their_names(outlined):
    name = "T1_radiodeep-mini_pool_0012"
    group = groups_of(written({name: 0.5}, outlined().region))[0]
    (item,) = group.get_measurements()
    assert (item.name.value, item.name.scheme_designator, item.unit.value) == (name, "99RADIODEEP", "1")
    assert group.method is None


def test_names_in_any_alphabet_come_back(outlined):
    lesion = outlined(patient_id="пациент-7")
    assert written({"original_shape_Sphericity": 0.5}, lesion.region).PatientID == "пациент-7"


def test_images_in_any_alphabet_come_back_in_the_report_of_a_region_without_one(outlined):
    region = outlined(patient_id=None).region
    header = hd.imread(region)
    header.SpecificCharacterSet = "ISO_IR 100"
    header.PatientName = "Müller^Jörg"
    header.save_as(region)
    image = "снимок" * 12
    report = written({f"{image}_shape_Sphericity": 0.5}, region)
    assert (groups_of(report)[0].method.value, str(report.PatientName)) == (image, "Müller^Jörg")


def test_what_cannot_be_reported_is_an_error(outlined, tmp_path):
    region = outlined().region
    features = {"original_shape_Sphericity": 0.5}
    for wrong in ({}, {"original_shape_Sphericity": "round"}, {7: 0.5}, {"a\\b": 1}, {" ": 1}, None, [0.5]):
        with pytest.raises(InputError, match=r"'features' .* must be numbers by the name of their feature"):
            written(wrong, region)
    with pytest.raises(InputError, match=r"'intensity_unit' .* None or one of HU, SUV, none.*Did you mean 'HU'"):
        written(features, region, intensity_unit="Hu")
    with pytest.raises(InputError, match=r"'extractor' .* must be an extractor of images or a list of them"):
        written(features, region, extractor=RadiomicsExtractor)
    with pytest.raises(InputError, match=r"'path' .* must be a \.dcm file"):
        write_structured_report(features, region, tmp_path / "report.json")
    with pytest.raises(FileUnreadableError, match=r"'0\.dcm' is not a DICOM segmentation \(SEG\) that refers to"):
        written(features, tmp_path / "series" / "0.dcm")
    with pytest.raises(FileUnreadableError, match=r"'none\.dcm' is not a DICOM file that can be read: No such file"):
        written(features, tmp_path / "none.dcm")
    with pytest.raises(LabelNotFoundError, match=r"'region\.dcm' has no segment 3. Its segments are 1 'GTV-1'"):
        written(features, region, segment=3)
    with pytest.raises(OutputError, match="cannot be written"):
        write_structured_report(features, region, region / "report.dcm")


@pytest.mark.parametrize("name", ["SegmentSequence", "PatientName", "StudyInstanceUID"])
def test_a_damaged_segmentation_is_an_error_that_quotes_nothing(outlined, name):
    region = outlined(patient_id=None).region
    header = hd.imread(region)
    del header[name]
    header.PatientSex = "SECRET"
    header.save_as(region)
    with pytest.raises(FileUnreadableError, match=r"'region\.dcm' lacks what a report takes .*Write one") as raised:
        written({"original_shape_Sphericity": 0.5}, region)
    assert "SECRET" not in str(raised.value)


def test_one_of_several_segments_must_be_chosen(outlined):
    import pydicom

    region = outlined().region
    header = pydicom.dcmread(region)
    second = pydicom.Dataset()
    second.update(header.SegmentSequence[0])
    second.SegmentNumber = 2
    header.SegmentSequence.append(second)
    header.save_as(region)
    with pytest.raises(AmbiguousMaskError, match=r"has the segments 1 'GTV-1', 2 'GTV-1'. Choose one by segment="):
        written({"original_shape_Sphericity": 0.5}, region)
    report = written({"original_shape_Sphericity": 0.5}, region, segment=2)
    assert groups_of(report)[0].referenced_segment.referenced_segment_numbers == [2]


@pytest.mark.skipif(shutil.which("tid1500reader") is None, reason="needs dcmqi: pip install dcmqi")
def test_another_program_reads_the_same_numbers(outlined, extractor, tmp_path):
    lesion = outlined(site=LUNG)
    row = extract_table(extractor, [lesion.case]).loc["n-7"]
    own = measured(written(row, lesion.region, extractor=extractor))
    command = ["tid1500reader", "--inputDICOM", "report.dcm", "--outputMetadata", "report.json"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    groups = json.loads((tmp_path / "report.json").read_text())["Measurements"]
    assert [group["measurementMethod"]["CodeValue"] for group in groups] == ["original", "gradient"]
    assert {group["FindingSite"]["CodeMeaning"] for group in groups} == {"Lung structure"}
    read = {
        f"{group['measurementMethod']['CodeValue']}_{item['quantity']['CodeMeaning']}": (
            float(item["value"]), item["quantity"]["CodeValue"], item["quantity"]["CodingSchemeDesignator"],
            item["units"]["CodeValue"],
        )
        for group in groups
        for item in group["measurementItems"]
    }  # fmt: skip
    assert {name: each[1:] for name, each in read.items()} == {name: each[1:] for name, each in own.items()}
    values = pd.Series({name: each[0] for name, each in read.items()})
    np.testing.assert_allclose(values[row.index], row, rtol=1e-8)  # 16 characters for a number
