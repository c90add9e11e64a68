"""Enhanced multi-frame files are read frame by frame; frames without a place, or of several stacks, are refused."""

import numpy as np
import pytest

from radiodeep.cases.readers import read_volume
from radiodeep.exceptions import DicomSeriesError, FileUnreadableError, RadiodeepWarning, TruncatedFileError

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 8))
OBLIQUE = (0.0, 0.8, 0.6, 0.0, -0.6, 0.8)


@pytest.fixture
def enhanced(dicom_files, tmp_path):
    """Write classic slices, have highdicom convert them to one enhanced file, and edit its frames."""
    highdicom = pytest.importorskip("highdicom")
    import pydicom

    def write(edit=None):
        dicom_files.series(tmp_path / "classic", VOXELS, orientation=OBLIQUE, names=list("dbeac"))
        slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "classic").iterdir())]
        unknown = ("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "PatientBirthDate", "PatientSex")
        for number, each in enumerate(slices, 1):
            for name in (*unknown, "ReferringPhysicianName", "Manufacturer", "PositionReferenceIndicator"):
                setattr(each, name, "")
            each.InstanceNumber, each.ImageType = number, ["ORIGINAL", "PRIMARY", "AXIAL"]
        image = highdicom.legacy.LegacyConvertedEnhancedCTImage(slices, "1.2.3.4", 1, "1.2.3.4.5", 1)
        if edit is not None:
            edit(image, list(image.PerFrameFunctionalGroupsSequence), image.SharedFunctionalGroupsSequence[0])
        (tmp_path / "enhanced").mkdir()
        image.save_as(tmp_path / "enhanced" / "image.dcm")
        return tmp_path / "enhanced"

    return write


def item(**elements):
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return [dataset]


def move_frames(frames, positions):
    for frame, position in zip(frames, positions, strict=True):
        frame.PlanePositionSequence = item(ImagePositionPatient=list(position))


def test_an_enhanced_file_is_the_volume_of_its_classic_slices(enhanced, tmp_path):
    folder = enhanced()
    classic = read_volume(tmp_path / "classic")
    np.testing.assert_array_equal(classic.voxels, VOXELS)
    for path in (folder, folder / "image.dcm"):
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.voxels, VOXELS)
        np.testing.assert_allclose(volume.corners(), classic.corners())


def test_every_frame_has_a_rescaling_of_its_own(enhanced):
    slopes = np.array([0.5, 1, 2, 0.25, 3])

    def edit(image, frames, shared):
        del shared.PixelValueTransformationSequence
        positions = [frame.PlanePositionSequence[0].ImagePositionPatient[0] for frame in frames]
        assert len(set(positions)) == 5
        for frame in frames:
            level = sorted(positions, reverse=True).index(frame.PlanePositionSequence[0].ImagePositionPatient[0])
            scale = item(RescaleSlope=slopes[level], RescaleIntercept=-5, RescaleType="HU")
            frame.PixelValueTransformationSequence = scale

    with pytest.warns(RadiodeepWarning, match=r"4 of 5 images, e.g. 'image.dcm', frame \d,.* another RescaleSlope"):
        volume = read_volume(enhanced(edit))
    axis = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    order = 1 if axis[0] < 0 else -1
    np.testing.assert_allclose(volume.voxels, VOXELS * slopes[::order, None, None] - 5)


def test_several_stacks_are_named_by_what_tells_them_apart(enhanced):
    def edit(image, frames, shared):
        move_frames(frames[:4], [frame.PlanePositionSequence[0].ImagePositionPatient for frame in frames[:2] * 2])
        image.NumberOfFrames = 4
        del image.PerFrameFunctionalGroupsSequence[4]
        image.PixelData = image.PixelData[: 4 * 6 * 8 * 2]
        for frame, b_value in zip(frames, (0, 0, 800, 800), strict=False):
            frame.MRDiffusionSequence = item(DiffusionBValue=float(b_value))

    with pytest.raises(
        DicomSeriesError, match=r"holds 2 images at each of 2 positions; they differ in DiffusionBValue"
    ):
        read_volume(enhanced(edit))


def test_frames_of_two_orientations_are_refused(enhanced):
    def edit(image, frames, shared):
        shared_group = shared.PlaneOrientationSequence
        for frame in frames:
            frame.PlaneOrientationSequence = shared_group
        del shared.PlaneOrientationSequence
        frames[3].PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])

    with pytest.raises(DicomSeriesError, match="'image.dcm', frame 4, has another ImageOrientationPatient than"):
        read_volume(enhanced(edit))


def test_frames_that_are_cut_short_are_an_error(enhanced):
    folder = enhanced()
    data = (folder / "image.dcm").read_bytes()
    (folder / "image.dcm").write_bytes(data[:-100])
    with pytest.raises(
        TruncatedFileError, match="'image.dcm' is cut short: it holds 3[0-9]* bytes of voxels. Expected 480"
    ):
        read_volume(folder)


def test_frames_that_are_not_described_are_an_error(enhanced):
    def edit(image, frames, shared):
        del image.PerFrameFunctionalGroupsSequence[4]

    with pytest.raises(FileUnreadableError, match="announces 5 frames and describes 4"):
        read_volume(enhanced(edit))


def test_a_position_that_is_not_a_number_is_an_error(enhanced):
    def edit(image, frames, shared):
        frames[2].PlanePositionSequence = item(ImagePositionPatient=[0, float("inf"), 0])

    with pytest.raises(FileUnreadableError, match="has frames that cannot be placed"):
        read_volume(enhanced(edit))


def test_a_damaged_description_of_a_frame_is_an_error(enhanced):
    folder = enhanced()
    data = (folder / "image.dcm").read_bytes()
    at = data.index(b" \0\x13\x91SQ")  # PlanePositionSequence of the first frame
    (folder / "image.dcm").write_bytes(data[: at + 8] + b"\4\0\0\0" + data[at + 12 :])
    with pytest.raises(FileUnreadableError, match="'image.dcm' has frames that cannot be placed"):
        read_volume(folder)


def test_classic_frames_without_a_place_are_refused(dicom_files, tmp_path):
    several = {"NumberOfFrames": 3, "PixelData": VOXELS[:3].astype(np.int16).tobytes(), "ImagePositionPatient": None}
    dicom_files.series(tmp_path, VOXELS[:1], modality="NM", changes={0: several})
    for path in (tmp_path, tmp_path / "0.dcm"):
        with pytest.raises(DicomSeriesError, match="several frames that do not say where they lie .*dcm2niix"):
            read_volume(path)


def test_elements_of_the_file_count_where_its_frames_do_not_tell(enhanced):
    def edit(image, frames, shared):
        for group in (*frames, shared):
            if "PixelValueTransformationSequence" in group:
                del group.PixelValueTransformationSequence
        image.RescaleSlope, image.RescaleIntercept = 2, -7

    np.testing.assert_array_equal(read_volume(enhanced(edit)).voxels, VOXELS * 2 - 7)
