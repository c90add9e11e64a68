"""A folder of DICOM slices becomes one volume in its place, or an error says what is wrong with it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.exceptions import (
    DicomSeriesError,
    FileUnreadableError,
    MissingExtraError,
    RadiodeepWarning,
    TruncatedFileError,
)

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 8))


def only_grid(folder):
    (series,) = find_series(folder).values()
    return grid_of(series)


def test_slices_are_sorted_by_position_and_lie_where_the_headers_say(dicom_files, tmp_path):
    turned = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix()
    orientation = turned[:, :2].T.ravel()
    names = ["c", "e.dcm", "a", "d", "b.txt"]
    dicom_files.series(tmp_path / "deep" / "er", VOXELS, orientation=orientation, names=names)
    (tmp_path / "metadata.txt").write_text("not DICOM")
    grid = only_grid(tmp_path)
    volume = grid.read()
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    assert volume.spacing_mm == pytest.approx((2.5, 0.8, 0.7))
    np.testing.assert_allclose(volume.direction, turned, atol=1e-9)
    # A position by the equation of the standard: origin + column * dx * first axis + row * dy * second axis.
    z, y, x = 3, 2, 5
    normal = np.cross(orientation[:3], orientation[3:])
    place = np.array([-20.0, 10, 30]) + x * 0.7 * orientation[:3] + y * 0.8 * orientation[3:] + z * 2.5 * normal
    np.testing.assert_allclose(grid.indices_of(place), [x, y, z], atol=1e-7)


def test_a_box_is_read_with_its_own_origin(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS)
    box = (slice(1, 3), slice(2, 5), slice(4, 8))
    volume = only_grid(tmp_path).read(box)
    np.testing.assert_array_equal(volume.voxels, VOXELS[box])
    np.testing.assert_allclose(volume.origin_mm, [-20 + 4 * 0.7, 10 + 2 * 0.8, 30 + 2.5])


def test_every_slice_has_a_rescaling_of_its_own(dicom_files, tmp_path):
    slopes = np.array([0.5, 1, 2, 0.25, 3])
    dicom_files.series(tmp_path, VOXELS, slopes=slopes, modality="PT")
    np.testing.assert_allclose(only_grid(tmp_path).read().voxels, VOXELS * slopes[:, None, None])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({2: {"ImagePositionPatient": [-20, 10, 36]}}, r"\(-20, 10, 36\) lie 3.5 mm apart, others 2.5 mm"),
        (
            {2: {"ImagePositionPatient": [-20, 10, 32.5]}},
            r"'1.dcm' and '2.dcm' lie at the same place \(-20, 10, 32.5\).*remove doubled files",
        ),
        ({1: {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}}, "'1.dcm' has another ImageOrientationPatient than '0"),
        ({1: {"PixelSpacing": [0.8, 0.8]}}, "another PixelSpacing"),
        ({level: {"ImagePositionPatient": [-20, 10 + level, 30 + 2.5 * level]} for level in range(5)}, "gantry tilt"),
        ({0: {"NumberOfFrames": 4}}, "several frames.*dcm2niix"),
        ({0: {"ImagePositionPatient": None}}, "'0.dcm' has no ImagePositionPatient"),
    ],
)
def test_slices_that_are_not_one_even_stack_are_refused(dicom_files, tmp_path, changes, match):
    dicom_files.series(tmp_path, VOXELS, changes=changes)
    with pytest.raises(DicomSeriesError, match=f"CT series.*{match}"):
        only_grid(tmp_path)


def test_copies_of_a_file_count_once_and_other_files_of_its_uid_are_refused(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS)
    (tmp_path / "copy").mkdir()
    for level in range(5):
        (tmp_path / "copy" / f"{level}.dcm").write_bytes((tmp_path / f"{level}.dcm").read_bytes())
    np.testing.assert_array_equal(only_grid(tmp_path).read().voxels, VOXELS)
    dicom_files.series(tmp_path / "copy", VOXELS + 1)
    with pytest.raises(DicomSeriesError, match="'0.dcm' and '0.dcm' have the same SOP instance UID and differ"):
        only_grid(tmp_path)


@pytest.mark.parametrize(
    ("element", "values", "match"),
    [
        ("EchoTime", (2.3, 4.6), r"; they differ in EchoTime \(2.3, 4.6\): several acquisitions"),
        ("AcquisitionNumber", (1, 2), r"AcquisitionNumber \(1, 2\)"),
        ("DiffusionBValue", (0.0, 800.0), r"DiffusionBValue \(0, 800\)"),
        ("TemporalPositionIdentifier", (1, 2), "TemporalPositionIdentifier"),
        ("ImageType", (["DERIVED", "M"], ["DERIVED", "P"]), r"ImageType \(DERIVED.M, DERIVED.P\)"),
        ("ContentTime", ("101010", "202020"), ": several acquisitions"),
    ],
)
def test_several_stacks_in_one_series_are_named_by_what_tells_them_apart(dicom_files, tmp_path, element, values, match):
    stacks = np.concatenate([VOXELS[:3], VOXELS[:3]])
    places = [
        {"ImagePositionPatient": [-20, 10, 30 + 2.5 * (level % 3)], element: values[level // 3]} for level in range(6)
    ]
    dicom_files.series(tmp_path, stacks, changes=dict(enumerate(places)))
    with pytest.raises(DicomSeriesError, match=f"holds 2 images at each of 3 positions.*{match}"):
        only_grid(tmp_path)


def test_slices_with_another_scale_are_read_with_a_warning_except_in_pet(dicom_files, tmp_path):
    dicom_files.series(tmp_path / "ct", VOXELS, slopes=[1, 1, 1, 2, 1])
    with pytest.warns(RadiodeepWarning, match="1 of 5 images, e.g. '3.dcm', have another RescaleSlope"):
        voxels = only_grid(tmp_path / "ct").read().voxels
    np.testing.assert_array_equal(voxels[3], VOXELS[3] * 2)
    dicom_files.series(tmp_path / "ct", VOXELS + 1000, changes={1: {"PixelRepresentation": 0}})
    with pytest.warns(RadiodeepWarning, match="1 of 5 images, e.g. '1.dcm', .* or PixelRepresentation"):
        voxels = only_grid(tmp_path / "ct").read().voxels
    np.testing.assert_array_equal(voxels, VOXELS + 1000)
    dicom_files.series(tmp_path / "pt", VOXELS, slopes=[1, 1, 1, 2, 1], modality="PT")
    only_grid(tmp_path / "pt")
    dicom_files.series(tmp_path / "pt", VOXELS, modality="PT", changes={2: {"RescaleIntercept": 7}})
    with pytest.warns(RadiodeepWarning, match="e.g. '2.dcm', have another RescaleSlope, RescaleIntercept"):
        only_grid(tmp_path / "pt")


def test_ct_that_may_not_be_in_hu_is_read_with_a_warning(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS, changes={level: {"RescaleIntercept": None} for level in range(5)})
    with pytest.warns(RadiodeepWarning, match="CT series .* has no RescaleIntercept.* not HU as a rule"):
        np.testing.assert_array_equal(only_grid(tmp_path).read().voxels, VOXELS)


def test_pet_that_announces_more_slices_is_read_with_a_warning(dicom_files, tmp_path):
    announced = {level: {"NumberOfSlices": 7} for level in range(5)}
    dicom_files.series(tmp_path, VOXELS, modality="PT", changes=announced)
    with pytest.warns(RadiodeepWarning, match="holds 5 slices, but announces 7"):
        only_grid(tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"Modality": "PT"}, "'2.dcm' is of the modality PT, expected CT by its kind of file"),
        ({"FrameOfReferenceUID": "1.2.3"}, "'2.dcm' has another FrameOfReferenceUID than '0.dcm'"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "MOSAIC"]}, "'2.dcm' holds all slices of a volume as tiles"),
        ({"PatientID": "P2"}, "'2.dcm' has another PatientID than '0.dcm'. Expected"),
        ({"ImagePositionPatient": [-19, 10, 35]}, "'2.dcm' lies 1 mm beside the line of the other slices"),
    ],
)
def test_a_slice_of_another_image_is_refused(dicom_files, tmp_path, change, match):
    dicom_files.series(tmp_path, VOXELS, changes={2: change})
    with pytest.raises(DicomSeriesError, match=match):
        only_grid(tmp_path)


@pytest.mark.parametrize("damaged", [b"Doe^J.9", b"0.8\\nan", b"0\\8\\0.7", b"0.8....", b"\xff.8\\0.7"])
def test_values_of_a_damaged_header_are_not_quoted(dicom_files, tmp_path, damaged):
    dicom_files.series(tmp_path, VOXELS)
    path = tmp_path / "1.dcm"
    path.write_bytes(path.read_bytes().replace(b"0.8\\0.7", damaged))
    with pytest.raises(FileUnreadableError, match="'1.dcm' has a damaged header: the element PixelSpacing") as caught:
        only_grid(tmp_path)
    assert "Doe" not in str(caught.value)


def test_a_damaged_uid_is_an_error(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS)
    path = tmp_path / "1.dcm"
    uid = dicom_files.uid("P1", "s", 1).encode()
    path.write_bytes(path.read_bytes().replace(uid, b"Doe" + uid[3:]))
    with pytest.raises(FileUnreadableError, match="'1.dcm' has a damaged header: the element SOPInstanceUID"):
        only_grid(tmp_path)


def test_the_log_of_pydicom_quotes_nothing(dicom_files, tmp_path, caplog):
    dicom_files.series(tmp_path, VOXELS)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"Doe^John 10008.5.1.4.1.1.2", 1))
    np.testing.assert_array_equal(only_grid(tmp_path).read().voxels, VOXELS)
    assert not caplog.records


def test_rounded_positions_are_no_gap(dicom_files, tmp_path):
    heights = {0: 0.0, 1: 0.6, 2: 1.3, 3: 1.9, 4: 2.5}  # of slices of 0.625 mm
    changes = {level: {"ImagePositionPatient": [-20, 10, height]} for level, height in heights.items()}
    dicom_files.series(tmp_path, VOXELS, changes=changes)
    assert only_grid(tmp_path).spacing_mm[0] == pytest.approx(0.625)
    dicom_files.series(tmp_path, VOXELS, changes=changes | {4: {"ImagePositionPatient": [-20, 10, 2.8]}})
    with pytest.raises(DicomSeriesError, match="lie 0.9 mm apart, others 0.65 mm. Download"):
        only_grid(tmp_path)


def test_rounded_directions_are_unit_vectors_at_right_angles(dicom_files, tmp_path):
    angle = np.deg2rad(2.003)  # three decimals are 4e-4 too short
    exact = np.array([np.cos(angle), np.sin(angle), 0, -np.sin(angle), np.cos(angle), 0])
    rounded = {"ImageOrientationPatient": [0.999, 0.035, 0, -0.035, 0.999, 0.001]}
    dicom_files.series(tmp_path, VOXELS, orientation=exact, changes=dict.fromkeys(range(5), rounded))
    direction = only_grid(tmp_path).direction
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(direction[:, :2].T.ravel(), exact, atol=1.5e-3)


def test_a_missing_slice_is_counted(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS)
    (tmp_path / "2.dcm").unlink()
    with pytest.raises(DicomSeriesError, match=r"lie 5 mm apart, others 2.5 mm; slices missing: 1"):
        only_grid(tmp_path)


def test_a_slice_that_is_cut_short_is_an_error(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS)
    path = tmp_path / "2.dcm"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises((TruncatedFileError, FileUnreadableError), match="'2.dcm'"):
        only_grid(tmp_path).read()


def test_series_are_told_apart_by_their_uid(dicom_files, tmp_path):
    dicom_files.series(tmp_path, VOXELS, description="thin")
    dicom_files.series(tmp_path, VOXELS[:2], series="other", names=["x", "y"])
    series = find_series(tmp_path)
    assert [len(each.paths) for each in series.values()] == [5, 2]
    assert series[dicom_files.uid("P1", "s")].name == "CT series 'thin'"


def test_a_folder_without_dicom_is_an_error(dicom_files, tmp_path):
    with pytest.raises(DicomSeriesError, match="holds no DICOM file"):
        find_series(tmp_path)
    with pytest.raises(FileUnreadableError, match="'.*none' is not a folder"):
        find_series(tmp_path / "none")


def test_without_pydicom_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM")
    monkeypatch.setattr("radiodeep.extras.is_installed", lambda package: False)
    with pytest.raises(MissingExtraError, match=r"DICOM files need the package pydicom.*radiodeep\[dicom\]"):
        find_series(tmp_path)
