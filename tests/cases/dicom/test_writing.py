"""DICOM segmentations of the region of a case."""

import shutil
import subprocess

import numpy as np
import pytest

from radiodeep import Case, write_map, write_region
from radiodeep.exceptions import DicomSeriesError, InputError

hd = pytest.importorskip("highdicom")
ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "turned": (-1, 0, 0, 0, -1, 0),
    "oblique": (0.6, 0.64, 0.48, -0.8, 0.48, 0.36),
}
PERSONAL = {"PatientBirthDate": "19410203", "StudyDate": "20190711", "InstitutionName": "Saint Elsewhere"}


@pytest.fixture
def dicom_case(dicom_files, tmp_path):
    """Return a function that writes a series, with its files in disorder, and its case with a mask in NIfTI."""

    def write(orientation=ORIENTATIONS["axial"], id="n-7", **changes):
        import SimpleITK as sitk

        voxels = np.random.default_rng(1).integers(0, 100, (5, 9, 7))
        names = [f"IM{number}" for number in (3, 0, 4, 1, 2)]
        edits = dict.fromkeys(range(5), PERSONAL | changes)
        dicom_files.series(tmp_path / "ct", voxels, orientation=orientation, names=names, changes=edits)
        along_x, along_y = np.reshape(orientation, (2, 3)).astype(float)
        mask = np.zeros(voxels.shape, np.uint8)
        mask[1:4, 2:6, 1:5] = voxels[1:4, 2:6, 1:5] > 20
        image = sitk.GetImageFromArray(mask)
        image.SetSpacing((0.7, 0.8, 2.5))
        image.SetOrigin((-20.0, 10.0, 30.0))
        image.SetDirection(np.column_stack([along_x, along_y, np.cross(along_x, along_y)]).ravel())
        sitk.WriteImage(image, str(tmp_path / "mask.nrrd"))
        return Case(tmp_path / "ct", tmp_path / "mask.nrrd", id), mask

    return write


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_a_segmentation_comes_back_as_the_region_of_its_case(dicom_case, tmp_path, orientation):
    case, mask = dicom_case(orientation)
    written = write_region(case, tmp_path / "region.dcm")
    again = case.replace(mask=written)
    np.testing.assert_array_equal(again.roi, case.roi)
    read = hd.seg.segread(written)
    assert read.get_segment_description(1).tracking_id == "n-7"
    assert read.NumberOfFrames == 3
    volume = read.get_volume(combine_segments=True)
    inside = np.argwhere(volume.array) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    along_x, along_y = np.reshape(orientation, (2, 3))
    steps = np.argwhere(mask)[:, ::-1] * (0.7, 0.8, 2.5)
    expected = steps @ [along_x, along_y, np.cross(along_x, along_y)] + (-20.0, 10.0, 30.0)
    np.testing.assert_allclose(sorted(inside.tolist()), sorted(expected.tolist()), atol=1e-5)


def test_a_segmentation_in_a_study_of_its_own_is_that_of_its_series(dicom_case, dicom_files, tmp_path):
    case, mask = dicom_case()
    folder = tmp_path / "ct"
    dicom_files.series(folder / "other", np.zeros(mask.shape), series="t")  # in the same frame of reference
    case = case.replace(image=folder / dicom_files.uid("P1", "s"))
    again = Case(folder, write_region(case, tmp_path / "region.dcm"), "n-7")
    np.testing.assert_array_equal(again.voxels, case.voxels)


def test_a_map_of_a_dicom_series_lies_on_it_in_another_program(dicom_case, tmp_path):
    import SimpleITK as sitk

    case, _ = dicom_case(ORIENTATIONS["oblique"])
    written = sitk.ReadImage(str(write_map(case, case.voxels, tmp_path / "map.nii.gz")))
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(case.image))
    series = sitk.ReadImage(names)
    for index in ([0, 0, 0], [6, 8, 4], [6, 0, 2]):
        positions = [each.TransformIndexToPhysicalPoint(index) for each in (written, series)]
        np.testing.assert_allclose(*positions, atol=1e-4)
        assert written[index] == series[index]


@pytest.mark.skipif(shutil.which("segimage2itkimage") is None, reason="needs dcmqi: pip install dcmqi")
def test_another_program_reads_the_same_region(dicom_case, tmp_path):
    import SimpleITK as sitk

    case, mask = dicom_case(ORIENTATIONS["oblique"])
    write_region(case, tmp_path / "region.dcm")
    command = ["segimage2itkimage", "--inputDICOM", "region.dcm", "--outputDirectory", ".", "-t", "nrrd"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    read, image = sitk.ReadImage(str(tmp_path / "1.nrrd")), sitk.ReadImage(str(tmp_path / "mask.nrrd"))
    on_image = sitk.Resample(read, image, sitk.Transform(), sitk.sitkNearestNeighbor)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(on_image) != 0, mask != 0)
    assert (sitk.GetArrayFromImage(read) != 0).sum() == mask.sum()


def test_a_segmentation_tells_of_the_patient_only_on_request(dicom_case, tmp_path):
    case, _ = dicom_case()
    texts = [b"Secret", *(value.encode() for value in PERSONAL.values())]
    content = write_region(case.replace(patient="p-1"), tmp_path / "region.dcm").read_bytes()
    assert [text for text in texts if text in content] == []
    filed = hd.seg.segread(write_region(case, tmp_path / "filed.dcm", patient="image"))
    own = hd.seg.segread(tmp_path / "region.dcm")
    assert (own.PatientID, filed.PatientID, filed.PatientName) == ("p-1", "P1", "Secret^Name")
    image = hd.imread(next(case.image.iterdir()))
    assert filed.StudyInstanceUID == image.StudyInstanceUID != own.StudyInstanceUID
    second = hd.seg.segread(write_region(case.replace(patient="p-1"), tmp_path / "second.dcm"))
    assert second.StudyInstanceUID == own.StudyInstanceUID
    assert second.SOPInstanceUID != own.SOPInstanceUID


def test_names_in_other_alphabets_come_back(dicom_case, tmp_path):
    names = {"PatientName": "Müller^Jörg", "StudyDescription": "Schädel"}
    case, _ = dicom_case(SpecificCharacterSet="ISO_IR 100", id="опухоль", **names)
    read = hd.seg.segread(write_region(case, tmp_path / "region.dcm", patient="image"))
    assert {name: read[name].value for name in names} == names
    own = hd.seg.segread(write_region(case.replace(patient="p-1"), tmp_path / "region.dcm"))
    for each in (read, own):
        assert each.get_segment_description(1).tracking_id == "опухоль"


def test_a_segmentation_refers_to_an_enhanced_file(dicom_case, tmp_path):
    unknown = dict.fromkeys(("StudyTime", "AccessionNumber", "StudyID", "PatientSex", "Manufacturer"), "")
    unknown |= {"ReferringPhysicianName": "", "PositionReferenceIndicator": "", "InstanceNumber": 1}
    case, _ = dicom_case(ORIENTATIONS["oblique"], ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], **unknown)
    slices = [hd.imread(path) for path in sorted(case.image.iterdir())]
    image = hd.legacy.LegacyConvertedEnhancedCTImage(slices, "1.2.3.4", 1, "1.2.3.4.5", 1)
    for group in (*image.SharedFunctionalGroupsSequence, *image.PerFrameFunctionalGroupsSequence):
        for items in [group, *(element.value[0] for element in group if element.VR == "SQ")]:
            items.AcquisitionDateTime, items.ImageComments = "20190711", "of Mr Secret"
    (tmp_path / "enhanced").mkdir()
    image.save_as(tmp_path / "enhanced" / "image.dcm")
    enhanced = case.replace(image=tmp_path / "enhanced")
    written = write_region(enhanced, tmp_path / "region.dcm")
    np.testing.assert_array_equal(enhanced.replace(mask=written).roi, case.roi)
    assert [text for text in (b"20190711", b"Secret") if text in written.read_bytes()] == []
    (reference,) = hd.seg.segread(written).SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == "1.2.3.4.5"


def test_what_dicom_cannot_hold_is_an_error_or_a_blank(dicom_case, tmp_path):
    case, _ = dicom_case()
    long = ("1", "99X", "a" * 65)
    for wrong in ({"finding": "Lung"}, {"finding": ("1", "99X")}, {"site": long}, {"site": ("1", "99X" * 6, "a")}):
        with pytest.raises(InputError, match=r"'(finding|site)' parameter of write_region must be code value, scheme"):
            write_region(case, tmp_path / "region.dcm", **wrong)
    mask = case.mask.rename(tmp_path / "m.nrrd")
    (tmp_path / "m.txt").write_text("1,GTV\\left", encoding="utf-8")
    named = case.replace(mask=mask, roi_name="GTV\\left", patient=7)
    site = ("1", "99X", "лёгкое")
    read = hd.seg.segread(write_region(named, tmp_path / "region.dcm", site=site))
    described = read.get_segment_description(1)
    assert (read.PatientID, described.segment_label) == ("7", "GTV left")
    assert described.anatomic_regions[0].meaning == "лёгкое"


def test_headers_that_no_segmentation_can_copy_are_an_error_that_quotes_nothing(dicom_case, tmp_path):
    case, _ = dicom_case(PatientSex="SECRET")
    with pytest.raises(DicomSeriesError, match=r"cannot refer to: its headers are incomplete or damaged\.$"):
        write_region(case, tmp_path / "region.dcm", patient="image")
    for path in case.image.iterdir():
        header = hd.imread(path)
        del header.SliceThickness
        header.save_as(path)
    assert hd.seg.segread(write_region(case, tmp_path / "region.dcm")).NumberOfFrames == 3
    for path in case.image.iterdir():
        header = hd.imread(path)
        del header.StudyInstanceUID
        header.save_as(path)
    with pytest.raises(DicomSeriesError, match=r"cannot refer to: its headers have no StudyInstanceUID\.$"):
        write_region(case, tmp_path / "region.dcm")


def test_a_segmentation_names_what_it_outlines(dicom_case, tmp_path):
    case, _ = dicom_case()
    codes = {"finding": ("108369006", "SCT", "Neoplasm"), "site": ("39607008", "SCT", "Lung structure")}
    described = hd.seg.segread(write_region(case, tmp_path / "region.dcm", **codes)).get_segment_description(1)
    assert described.segmented_property_type.meaning == described.segment_label == "Neoplasm"
    assert described.anatomic_regions[0].meaning == "Lung structure"


def test_a_series_that_cannot_be_referred_to_is_an_error(dicom_case, tmp_path):
    case, _ = dicom_case(FrameOfReferenceUID="")
    with pytest.raises(DicomSeriesError, match=r"n-7: 'IM\d' has no FrameOfReferenceUID"):
        write_region(case, tmp_path / "region.dcm")


@pytest.mark.parametrize("patient", ["a" * 65, "a\\b", " ", "a\nb"])
def test_a_patient_that_dicom_cannot_hold_is_an_error(dicom_case, tmp_path, patient):
    case, _ = dicom_case()
    with pytest.raises(InputError, match=r"n-7: .*'patient' .* must be 1 to 64 characters in one line without a back"):
        write_region(case.replace(patient=patient), tmp_path / "region.dcm")
