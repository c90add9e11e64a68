"""The path of a folder, a series or a file in DICOM leads to the image that is meant, or to an error that lists all."""

import numpy as np
import pytest

from radiodeep.cases.dicom import series as dicom
from radiodeep.cases.dicom.choice import image_series
from radiodeep.cases.readers import read_volume
from radiodeep.cases.reading import Reading
from radiodeep.exceptions import (
    DicomSeriesError,
    FileUnreadableError,
    RadiodeepWarning,
    TruncatedFileError,
    UnsupportedImageError,
)

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 8))
OTHER = VOXELS[:3] + 7
LOCALIZER = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


@pytest.fixture
def two_series(dicom_files, tmp_path):
    """A folder with two image series and a structure set."""
    dicom_files.series(tmp_path / "a" / "b", VOXELS, series="thin", description="Thorax 1.0 B30f")
    dicom_files.series(tmp_path / "c", OTHER, series="late", description="Thorax late", modality="MR")
    dicom_files.structure_set(tmp_path / "c" / "RS.dcm", {"GTV": []}, series="late")
    return tmp_path


def test_row_36_an_empty_folder_is_a_dicom_series_error(tmp_path):
    with pytest.raises(DicomSeriesError, match="holds no DICOM file of an image. Check the folder"):
        read_volume(tmp_path)


def test_row_37_two_series_in_a_folder_are_listed_with_the_ways_to_choose(dicom_files, two_series):
    with pytest.raises(DicomSeriesError, match="holds 2 image series") as caught:
        read_volume(two_series)
    message = str(caught.value)
    assert f"CT 'Thorax 1.0 B30f', 5 images of 8x6, {dicom_files.uid('P1', 'thin')}" in message
    assert f"MR 'Thorax late', 3 images of 8x6, {dicom_files.uid('P1', 'late')}" in message
    assert "series=..." in message
    assert f"{two_series.name}/UID" in message
    assert "Secret" not in message


def test_at_most_20_series_are_listed(dicom_files, tmp_path):
    for number in range(22):
        dicom_files.series(tmp_path / str(number), VOXELS[:1], series=str(number))
    with pytest.raises(DicomSeriesError, match="holds 22 image series: (CT '', 1 image of 8x6, [^;]*; ){20}and 2 more"):
        read_volume(tmp_path)


def test_row_38_a_missing_slice_is_a_dicom_series_error(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS)
    (tmp_path / "2.dcm").unlink()
    with pytest.raises(DicomSeriesError, match=r"\(-20, 10, 32.5\) and \(-20, 10, 37.5\) lie 5 mm .*missing: 1"):
        read_volume(tmp_path)


def test_row_39_a_doubled_position_is_a_dicom_series_error(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS, changes={2: {"ImagePositionPatient": [-20, 10, 32.5]}})
    with pytest.raises(DicomSeriesError, match="'1.dcm' and '2.dcm' lie at the same place"):
        read_volume(tmp_path)


@pytest.mark.parametrize("n_bytes", [0, 100, 200, 400, 600, 690])
def test_row_40_a_truncated_slice_is_named(dicom_files, tmp_path, n_bytes):
    dicom_files.series(tmp_path, VOXELS)
    path = tmp_path / "4.dcm"
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises((DicomSeriesError, TruncatedFileError, FileUnreadableError), match="'4.dcm'"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({level: {"ImagePositionPatient": [-20, 10 + level, 30 + 2.5 * level]} for level in range(5)}, "gantry tilt"),
        ({2: {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}}, "'2.dcm' has another ImageOrientationPatient"),
    ],
)
def test_row_41_tilt_and_mixed_orientations_are_dicom_series_errors(dicom_files, tmp_path, changes, match):
    dicom_files.series(tmp_path, VOXELS, changes=changes)
    with pytest.raises(DicomSeriesError, match=match):
        read_volume(tmp_path)


def test_a_folder_with_one_image_series_is_that_series(dicom_files, two_series):
    volume = read_volume(two_series / "c")
    np.testing.assert_array_equal(volume.voxels, OTHER)
    assert volume.spacing_mm == pytest.approx((2.5, 0.8, 0.7))
    np.testing.assert_allclose(volume.origin_mm, [-20, 10, 30])


def test_a_series_is_chosen_by_its_uid_in_the_path(dicom_files, two_series):
    np.testing.assert_array_equal(read_volume(two_series / dicom_files.uid("P1", "thin")).voxels, VOXELS)
    with pytest.raises(DicomSeriesError, match="holds no image series with the UID 1.2.3. Its series are: CT 'Thor"):
        read_volume(two_series / "1.2.3")
    structures = dicom_files.uid("P1", "RS.dcm")
    with pytest.raises(DicomSeriesError, match=f"no image series with the UID {structures}"):
        read_volume(two_series / structures)


@pytest.mark.parametrize(("text", "shape"), [("THORAX LATE", 3), ("b30", 5)])
def test_a_series_is_chosen_by_its_description_or_a_part_of_it(two_series, text, shape):
    assert len(read_volume(two_series, Reading(series=text)).voxels) == shape


@pytest.mark.parametrize("text", ["thorax", "liver"])
def test_a_description_that_fits_several_series_or_none_chooses_none(two_series, text):
    with pytest.raises(DicomSeriesError, match="holds 2 image series"):
        read_volume(two_series, Reading(series=text))


def test_a_whole_description_goes_before_a_part(dicom_files, two_series):
    dicom_files.series(two_series / "d", VOXELS, series="sub", description="Thorax late, subtracted")
    assert len(read_volume(two_series, Reading(series="Thorax late")).voxels) == 3


def test_what_a_mask_refers_to_goes_before_the_description(dicom_files, two_series):
    reading = Reading(series="late")
    with pytest.warns(RadiodeepWarning, match="CT series .* is read, .* mask .*does not contain 'late'"):
        assert image_series(two_series, reading, [dicom_files.uid("P1", "thin")]).modality == "CT"
    dicom_files.series(two_series / "d", VOXELS, patient="P2", series="other")
    with pytest.warns(RadiodeepWarning, match="its description does not contain 'late'"):
        assert image_series(two_series, reading, [dicom_files.uid("P2", "frame")]).patient == "P2"
    assert image_series(two_series, reading, ["1.2.3"]).modality == "MR"


def test_localizers_and_captures_count_if_there_is_nothing_else(dicom_files, tmp_path):
    scout = {0: {"ImageType": LOCALIZER}}
    dicom_files.series(tmp_path / "scout", VOXELS[:1], series="scout", changes=scout)
    assert len(read_volume(tmp_path).voxels) == 1
    dicom_files.series(tmp_path / "ct", VOXELS)
    dicom_files.series(tmp_path / "report", VOXELS[:1], series="report", modality="OT")
    assert len(read_volume(tmp_path).voxels) == 5


def test_localizers_within_a_series_are_left_out(dicom_files, tmp_path):
    scout = {"ImageType": LOCALIZER, "ImageOrientationPatient": [0, 1, 0, 0, 0, 1], "InstanceNumber": 1}
    dicom_files.series(tmp_path, VOXELS, changes={4: scout})
    np.testing.assert_array_equal(read_volume(tmp_path).voxels, VOXELS[:4])


def test_a_folder_of_structure_sets_holds_no_image(dicom_files, tmp_path):
    dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": []})
    with pytest.raises(DicomSeriesError, match="holds no image, only DICOM files of the modality RTSTRUCT"):
        read_volume(tmp_path)


def test_a_file_of_one_slice_is_a_flat_image_unless_it_is_one_of_many(dicom_files, tmp_path):
    dicom_files.series(tmp_path / "alone", VOXELS[:1])
    (tmp_path / "alone" / "notes.txt").write_text("none")
    (tmp_path / "alone" / "copy.dcm").write_bytes((tmp_path / "alone" / "0.dcm").read_bytes())
    np.testing.assert_array_equal(read_volume(tmp_path / "alone" / "0.dcm").voxels, VOXELS[:1])
    dicom_files.series(tmp_path / "many", VOXELS)
    with pytest.raises(
        DicomSeriesError, match=r"'2.dcm' is one slice of a series: '0.dcm' is another. Give the folder"
    ):
        read_volume(tmp_path / "many" / "2.dcm")


@pytest.mark.parametrize(("size", "expected"), [("PixelSpacing", True), ("ImagerPixelSpacing", True), (None, False)])
def test_a_radiograph_without_a_place_is_a_flat_image(dicom_files, tmp_path, size, expected):
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None}
    nowhere |= {size: [0.2, 0.3]} if size else {}
    dicom_files.series(tmp_path, VOXELS[:1], modality="DX", changes={0: nowhere})
    volume = read_volume(tmp_path / "0.dcm")
    np.testing.assert_array_equal(volume.voxels, VOXELS[:1])
    assert (volume.has_spacing, volume.has_position) == (expected, False)
    assert volume.spacing_mm == ((1.0, 0.2, 0.3) if size else (1.0, 1.0, 1.0))


def test_pet_without_a_place_is_refused_as_it_would_stay_without_suv(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS[:1], modality="PT", changes={0: {"ImagePositionPatient": None}})
    with pytest.raises(DicomSeriesError, match="'0.dcm' has no ImagePositionPatient"):
        read_volume(tmp_path / "0.dcm")


def test_files_that_are_no_images_are_refused_as_images(dicom_files, tmp_path):
    path = dicom_files.structure_set(tmp_path / "RS.dcm", {"GTV": []})
    with pytest.raises(UnsupportedImageError, match="'RS.dcm' is not an image, but a DICOM file of the modality RTSTR"):
        read_volume(path)
    dicom_files.series(tmp_path, VOXELS[:1], names=["DICOMDIR"])
    path = tmp_path / "DICOMDIR"
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.840.10008.1.3.10\0\0\0\0\0\0"))
    with pytest.raises(UnsupportedImageError, match=r"table of contents \(DICOMDIR\). Give the folder"):
        read_volume(path)


def test_headers_are_read_once_and_again_if_a_file_changes(dicom_files, tmp_path, monkeypatch):
    read = []
    original = dicom.read_slice_header
    monkeypatch.setattr(dicom, "read_slice_header", lambda path: read.append(path.name) or original(path))
    dicom_files.series(tmp_path, VOXELS)
    for _ in range(2):
        read_volume(tmp_path)
        read_volume(tmp_path / dicom_files.uid("P1", "s"))
    assert sorted(read) == [f"{level}.dcm" for level in range(5)]
    dicom_files.series(tmp_path, VOXELS + 1, description="corrected")
    np.testing.assert_array_equal(read_volume(tmp_path).voxels, VOXELS + 1)


def test_of_large_folders_the_series_are_kept_without_their_headers(two_series, dicom_files, monkeypatch):
    monkeypatch.setattr(dicom, "_MOST_KEPT", 2)
    found = dicom.find_series(two_series)
    with monkeypatch.context() as kept:
        kept.setattr(dicom, "_header_in_series", None)  # not called again
        assert dicom.find_series(two_series) == found
    assert not any(series.headers for series in found.values())
    np.testing.assert_array_equal(read_volume(two_series, Reading(series="late")).voxels, OTHER)
    np.testing.assert_array_equal(read_volume(two_series / dicom_files.uid("P1", "thin")).voxels, VOXELS)


def test_a_series_whose_headers_are_cut_short_is_not_passed_over(dicom_files, tmp_path):
    dicom_files.series(tmp_path / "whole", VOXELS)
    dicom_files.series(tmp_path / "cut", VOXELS[:1], series="cut")
    path = tmp_path / "cut" / "0.dcm"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"(\0\x10\0US")])
    with pytest.raises(DicomSeriesError, match=r"holds 2 image series: CT '', 1 image of \?x\?"):
        read_volume(tmp_path)


def test_files_named_dicom_that_are_not_are_errors_and_copies_by_macos_are_not(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS)
    (tmp_path / "._0.dcm").write_bytes(b"\0\5\26\7")
    read_volume(tmp_path)
    (tmp_path / "5.dcm").write_bytes(b"")
    with pytest.raises(FileUnreadableError, match="'5.dcm' is not a DICOM file, as its name says"):
        read_volume(tmp_path)


def test_the_ct_phantom_in_dicom_is_that_in_nifti(reference_data):
    pytest.importorskip("pydicom")
    phantom = reference_data / "ibsi1" / "ct_phantom"
    own, expected = read_volume(phantom / "dicom"), read_volume(phantom / "nifti" / "image" / "phantom.nii.gz")
    own, expected = own.turned(own.stored_axes()), expected.turned(expected.stored_axes())
    np.testing.assert_array_equal(own.voxels, expected.voxels)
    np.testing.assert_allclose(own.corners(), expected.corners(), atol=1e-4)


def test_the_pet_in_dicom_is_that_in_nifti_in_suv(reference_data):
    pytest.importorskip("pydicom")
    own = read_volume(reference_data / "sts_pet" / "dicom_example", Reading(series="PET"))
    cropped = read_volume(reference_data / "sts_pet" / "STS_002_image.nii.gz")
    own, cropped = own.turned(own.stored_axes()), cropped.turned(cropped.stored_axes())
    corner = np.round((cropped.origin_mm - own.origin_mm) / own.spacing_mm[::-1]).astype(int)[::-1]
    np.testing.assert_allclose(own.origin_mm + corner[::-1] * own.spacing_mm[::-1], cropped.origin_mm, atol=1e-4)
    box = tuple(slice(start, start + size) for start, size in zip(corner, cropped.voxels.shape, strict=True))
    np.testing.assert_allclose(own.voxels[box], cropped.voxels, rtol=1e-6)


def test_the_distance_of_slices_may_be_negative_in_a_file_of_one(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS[:1], changes={0: {"SpacingBetweenSlices": -3}})
    assert read_volume(tmp_path).spacing_mm == (3.0, 0.8, 0.7)
