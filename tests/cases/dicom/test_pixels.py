"""The voxels of DICOM files are those that other readers decode, whatever their type and compression."""

import numpy as np
import pytest
import SimpleITK as sitk

from radiodeep.cases.dicom.headers import read_slice_header
from radiodeep.cases.dicom.pixels import read_frame
from radiodeep.cases.readers import read_volume
from radiodeep.exceptions import (
    DicomSeriesError,
    FileUnreadableError,
    ImageTooLargeError,
    RadiodeepWarning,
    TruncatedFileError,
    UnsupportedImageError,
)

SMOOTH = np.cumsum(np.random.default_rng(0).integers(-20, 21, (3, 16, 12)), axis=1) + 100


@pytest.fixture
def folder(dicom_files, tmp_path):
    """Three slices, with functions of pydicom to edit them by."""
    dicom_files.series(tmp_path, SMOOTH)
    return tmp_path


def edit(folder, change):
    import pydicom

    for path in sorted(folder.iterdir()):
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path, enforce_file_format=True)
    return folder


@pytest.mark.parametrize(
    ("kind", "n_stored"),
    [("uint8", 8), ("int8", 8), ("uint16", 16), ("uint16", 12), ("int16", 12), ("int16", 16), ("int32", 32)],
)
def test_integers_of_every_type_are_those_of_pydicom(folder, kind, n_stored):
    import pydicom

    info, rng = np.iinfo(kind), np.random.default_rng(1)
    n_unused = info.bits - n_stored

    def change(dataset):
        pixels = rng.integers(info.min, info.max, SMOOTH.shape[1:], dtype=kind, endpoint=True) >> n_unused
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = info.bits, n_stored, n_stored - 1
        dataset.PixelRepresentation, dataset.PixelData = int(info.min < 0), pixels.tobytes()
        dataset["PixelData"].VR = "OW"

    edit(folder, change)
    expected = np.stack([pydicom.dcmread(path).pixel_array for path in sorted(folder.iterdir())])
    voxels = read_volume(folder).voxels
    np.testing.assert_array_equal(voxels, expected)
    assert voxels.dtype.kind == "i" or kind == "uint16"


def test_bits_above_the_stored_ones_do_not_count(folder):
    def change(dataset):
        dataset.BitsStored, dataset.HighBit = 12, 11
        pixels = np.frombuffer(dataset.PixelData, np.uint16) & 0x0FFF
        dataset.PixelData = (pixels | 0x4000).astype(np.uint16).tobytes()

    np.testing.assert_array_equal(read_volume(edit(folder, change)).voxels, SMOOTH)


@pytest.mark.parametrize(
    ("slope", "intercept", "kind"),
    [(1, -1024, "int32"), (1, 0, "int16"), (0.5, 3, "float64"), (1, 0.25, "float64"), (2, 0, "int32")],
)
def test_values_are_rescaled_without_overflow(folder, slope, intercept, kind):
    pixels = np.full(SMOOTH.shape[1:], -32768)

    def change(dataset):
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        dataset.PixelData = pixels.astype(np.int16).tobytes()

    voxels = read_volume(edit(folder, change)).voxels
    np.testing.assert_array_equal(voxels, np.stack([pixels * slope + intercept] * 3))
    assert voxels.dtype == kind


def test_inverted_values_are_rescaled_without_overflow(folder):
    """Their range is that of uint16, the slope is not."""

    def change(dataset):
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.PixelRepresentation = -1, 65535, 0
        dataset.PixelData = np.full(SMOOTH.shape[1:], 65000, np.uint16).tobytes()

    np.testing.assert_array_equal(read_volume(edit(folder, change)).voxels, np.full(SMOOTH.shape, 535))


@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian"])
def test_every_plain_transfer_syntax_is_read(folder, syntax):
    import pydicom

    for path in sorted(folder.iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
        if syntax.endswith("BigEndian"):
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
        dataset["PixelData"].VR = "OW"
        little = not syntax.endswith("BigEndian")
        pydicom.dcmwrite(path, dataset, implicit_vr=syntax.startswith("Impl"), little_endian=little)
    np.testing.assert_array_equal(read_volume(folder).voxels, SMOOTH)


@pytest.mark.parametrize(("n_rows", "error"), [(17, TruncatedFileError), (15, DicomSeriesError)])
def test_deflated_voxels_are_counted(folder, n_rows, error):
    import pydicom

    def change(dataset):
        dataset.Rows, dataset.file_meta.TransferSyntaxUID = n_rows, pydicom.uid.DeflatedExplicitVRLittleEndian

    with pytest.raises(error, match=f"'0.dcm' .* 384 bytes of voxels. Expected {n_rows * 24}"):
        read_volume(edit(folder, change))


@pytest.mark.parametrize("first", ["SpecificCharacterSet", "ImageType", "InstanceCreationDate", "SOPClassUID"])
def test_files_without_a_preamble_are_read(folder, first):
    import pydicom

    for path in sorted(folder.iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.SpecificCharacterSet, dataset.ImageType, dataset.InstanceCreationDate = "ISO_IR 100", "A", "20240301"
        for element in list(dataset):
            if element.tag < dataset[first].tag:
                del dataset[element.tag]
        del dataset.file_meta
        dataset.preamble = None
        pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_volume(folder).voxels, SMOOTH)


def test_run_lengths_are_decoded(folder):
    import pydicom

    edit(folder, lambda dataset: dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False))
    np.testing.assert_array_equal(read_volume(folder).voxels, SMOOTH)


@pytest.fixture
def compress(folder):
    """Compress slices by JPEG-LS of pydicom, or lossless JPEG or JPEG 2000 of ITK, and set the rows of the header."""
    import pydicom

    def apply(dataset, kind, n_rows=16):
        if kind == "JPEGLS":
            dataset.compress(pydicom.uid.JPEGLSLossless, generate_instance_uid=False)
        else:
            writer, path = sitk.ImageFileWriter(), folder.parent / "packed.dcm"
            writer.SetUseCompression(True)
            writer.SetCompressor(kind)
            writer.SetFileName(str(path))
            writer.Execute(sitk.GetImageFromArray(dataset.pixel_array))
            packed = pydicom.dcmread(path)
            assert packed.file_meta.TransferSyntaxUID.is_compressed
            dataset.PixelData = packed.PixelData
            dataset.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID
            dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        dataset.Rows = n_rows

    return lambda *choices: edit(folder, lambda dataset: apply(dataset, *choices))


@pytest.mark.parametrize("kind", ["JPEGLS", "JPEG", "JPEG2000"])
def test_every_kind_of_jpeg_is_decoded(compress, kind):
    np.testing.assert_array_equal(read_volume(compress(kind)).voxels, SMOOTH)


@pytest.mark.parametrize("n_rows", [8, 17])
@pytest.mark.parametrize("kind", ["JPEGLS", "JPEG", "JPEG2000"])
def test_a_jpeg_of_another_size_than_in_the_header_is_an_error(compress, kind, n_rows):
    match = f"'0.dcm' holds compressed voxels of 12x16 .x, y.. Expected 12x{n_rows} by its header"
    with pytest.raises(DicomSeriesError, match=match):
        read_volume(compress(kind, n_rows))


@pytest.mark.parametrize("n_cut", [5, 40])
@pytest.mark.parametrize("is_repaired", [False, True])
@pytest.mark.parametrize("syntax", ["RLELossless", "JPEGLSLossless"])
def test_compressed_voxels_that_are_cut_short_are_an_error(folder, syntax, is_repaired, n_cut):
    import pydicom
    from pydicom.encaps import encapsulate, generate_frames

    def change(dataset):
        dataset.compress(getattr(pydicom.uid, syntax), generate_instance_uid=False)
        if is_repaired and float(dataset.ImagePositionPatient[2]) > 31:
            (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
            dataset.PixelData = encapsulate([frame[:-n_cut]])

    edit(folder, change)
    if not is_repaired:
        path = folder / "1.dcm"
        path.write_bytes(path.read_bytes()[: -8 - n_cut])
    with pytest.raises(TruncatedFileError, match="'1.dcm'"):
        read_volume(folder)


@pytest.mark.parametrize("n_rows", [8, 15, 17])
def test_run_lengths_of_another_size_are_an_error(folder, n_rows):
    import pydicom

    def change(dataset):
        dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        dataset.Rows = n_rows

    with pytest.raises(TruncatedFileError, match="'0.dcm' has compressed voxels that cannot be decoded"):
        read_volume(edit(folder, change))


def test_a_file_that_is_cut_short_after_its_header_was_read_is_an_error(folder):
    header = read_slice_header(folder / "0.dcm")
    (folder / "0.dcm").write_bytes((folder / "0.dcm").read_bytes()[:-2])
    with pytest.raises(TruncatedFileError, match="'0.dcm' is cut short"):
        read_frame(header)


def test_compressed_frames_of_one_file_are_told_apart(folder):
    import pydicom
    from pydicom.encaps import encapsulate, generate_frames

    edit(folder, lambda dataset: dataset.compress(pydicom.uid.RLELossless, generate_instance_uid=False))
    slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    frames = [next(generate_frames(each.PixelData, number_of_frames=1)) for each in slices]
    whole, path = slices[0], folder / "0.dcm"
    whole.NumberOfFrames = 3
    for per_frame in (1, 2):
        whole.PixelData = encapsulate(frames, fragments_per_frame=per_frame)
        whole.save_as(path)
        header = read_slice_header(path)
        for index in range(3):
            np.testing.assert_array_equal(read_frame(header, index), SMOOTH[index])
    whole.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=False)
    whole.save_as(path)
    with pytest.raises(UnsupportedImageError, match="3 compressed frames without a table of where they start"):
        read_frame(read_slice_header(path))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, UnsupportedImageError, "colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, UnsupportedImageError, "colour"),
        ({"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63}, UnsupportedImageError, "voxels of 64 bits"),
        ({"HighBit": 14}, FileUnreadableError, "contradicts itself: 16 bits stored of 16, the highest bit is 14"),
        ({"PixelRepresentation": 2}, FileUnreadableError, "contradicts itself"),
        ({"ModalityLUTSequence": []}, UnsupportedImageError, r"table \(Modality LUT\)"),
        ({"Rows": 15}, DicomSeriesError, "384 bytes of voxels. Expected 360 for 12x15 voxels of 16 bits"),
        ({"Rows": 17}, TruncatedFileError, "384 bytes of voxels. Expected 408"),
        ({"Rows": None}, DicomSeriesError, "has no Rows"),
        ({"BitsStored": None}, TruncatedFileError, "'0.dcm' has no BitsStored"),
        ({"PixelData": None}, TruncatedFileError, "'0.dcm' (has no voxels|is cut short)"),
        ({"RescaleSlope": 0}, DicomSeriesError, "RescaleSlope 0"),
    ],
)
def test_voxels_that_do_not_fit_their_header_are_refused(folder, change, error, match):
    def apply(dataset):
        for name, value in change.items():
            setattr(dataset, name, value)
            if value is None:
                del dataset[name]

    with pytest.raises(error, match=match):
        read_volume(edit(folder, apply))


def test_a_series_of_more_voxels_than_are_allowed_is_refused(folder, monkeypatch):
    monkeypatch.setenv("RADIODEEP_MAX_IMAGE_GIB", "1e-6")
    with pytest.raises(ImageTooLargeError, match="The CT series .* has 12x16x3 voxels"):
        read_volume(folder)


def test_an_inverted_display_leaves_values_as_stored_with_a_warning(folder):
    def invert(dataset):
        dataset.PhotometricInterpretation = "MONOCHROME1"

    edit(folder, invert)
    with pytest.warns(RadiodeepWarning, match=r"inverted display \(MONOCHROME1\).* as stored, not inverted"):
        voxels = read_volume(folder).voxels
    np.testing.assert_array_equal(voxels, SMOOTH)
    for path in (folder / "1.dcm", folder / "2.dcm"):
        path.unlink()
    edit(folder, lambda dataset: dataset.__delattr__("ImagePositionPatient"))
    with pytest.warns(RadiodeepWarning, match="as stored, not inverted"):
        np.testing.assert_array_equal(read_volume(folder / "0.dcm").voxels, SMOOTH[:1])
