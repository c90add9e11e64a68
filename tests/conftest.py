"""Fixtures of all tests: the reference data, small DICOM files, and no skip where none is allowed."""

import os
from pathlib import Path
from types import SimpleNamespace
from zlib import crc32

if "PYTEST_XDIST_WORKER" in os.environ:  # each on a core of its own
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

_OWN_SKIPS = ("needs the reference data", "needs a browser")  # scikit-learn's checks have skips of their own
REPOSITORY = Path(__file__).resolve().parent.parent
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
IMAGES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4", "PT": "1.2.840.10008.5.1.4.1.1.128"}
SECONDARY_CAPTURE, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.481.3"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"


def _reference_folder():
    return Path(os.environ.get("RADIODEEP_REFERENCE_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    """No progress lines of work that a slow machine makes long; they would be in the way of what a test reads."""
    monkeypatch.setenv("RADIODEEP_PROGRESS", "0")


@pytest.fixture(scope="session")
def repository():
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def reference_data():
    """The folder of real images and golden numbers, which is not part of the repository."""
    folder = _reference_folder()
    if not folder.is_dir():
        pytest.skip(f"needs the reference data; set RADIODEEP_REFERENCE_DATA (looked in '{folder}')")
    return folder


@pytest.fixture(scope="session")
def phantoms(repository):
    """The manifest of the committed cohort of 40 phantoms."""
    return repository / "data" / "phantoms" / "manifest.csv"


@pytest.fixture
def dicom_files():
    """Functions that write DICOM files: `series`, `structure_set`, `segmentation`, and the `uid` of names."""
    pytest.importorskip("pydicom")
    return SimpleNamespace(
        series=write_series, structure_set=write_structure_set, segmentation=write_segmentation, uid=uid_of
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """A skipped test fails the run where the reference data exist and CI forbids skips."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    skipped = [each for each in reports if any(text in str(each.longrepr) for text in _OWN_SKIPS)]
    if skipped and os.environ.get("RADIODEEP_FORBID_SKIPS") and _reference_folder().is_dir():
        reporter.write_line(f"{len(skipped)} tests were skipped although the reference data exist", red=True)
        session.exitstatus = 1


def uid_of(*parts):
    """Return a UID that is the same in every run."""
    return "1.2.826.0.1.3680043.8.498." + ".".join(str(crc32(str(part).encode())) for part in parts)


def saved(dataset, path, sop_class, sop_uid):
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, sop_uid
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = sop_class, sop_uid
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder, voxels, spacing_mm=(2.5, 0.8, 0.7), origin_mm=(-20.0, 10.0, 30.0), orientation=AXIAL, patient="P1",
    series="s", modality="CT", description="", slopes=None, names=None, changes=None,
):  # fmt: skip
    """Write int16 voxels (z, y, x), a file per slice; `slopes` rescale them, `changes` edit a slice by its index."""
    from pydicom.dataset import Dataset

    axes = np.reshape(orientation, (2, 3))
    normal = np.cross(*axes)
    for level, pixels in enumerate(voxels.astype(np.int16)):
        header = Dataset()
        header.PatientID, header.PatientName, header.Modality = patient, "Secret^Name", modality
        header.SeriesInstanceUID, header.StudyInstanceUID = uid_of(patient, series), uid_of(patient, "study")
        header.FrameOfReferenceUID, header.SeriesDescription = uid_of(patient, "frame"), description
        header.ImagePositionPatient = [float(f"{x:.10g}") for x in origin_mm + level * spacing_mm[0] * normal]
        header.ImageOrientationPatient = [float(f"{x:.10g}") for x in orientation]
        header.PixelSpacing, header.SliceThickness = list(spacing_mm[1:]), spacing_mm[0]
        header.Rows, header.Columns = pixels.shape
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
        header.RescaleSlope, header.RescaleIntercept = 1 if slopes is None else slopes[level], 0
        header.PixelData = pixels.tobytes()
        for name, value in (changes or {}).get(level, {}).items():
            setattr(header, name, value)
        name = f"{level}.dcm" if names is None else names[level]
        saved(header, folder / name, IMAGES.get(modality, SECONDARY_CAPTURE), uid_of(patient, series, level))
    return uid_of(patient, series)


def write_structure_set(path, regions, patient="P1", series="s", kind="CLOSED_PLANAR", frame="frame"):
    """Write contours in mm, {name: [points (n, 3)]}, drawn on a series, or on a frame of reference if that is None."""
    from pydicom.dataset import Dataset

    header = Dataset()
    header.PatientID, header.Modality, header.SeriesInstanceUID = patient, "RTSTRUCT", uid_of(patient, path.name)
    reference = Dataset()
    reference.FrameOfReferenceUID = uid_of(patient, frame)
    if series is not None:
        study, outlined = Dataset(), Dataset()
        outlined.SeriesInstanceUID = uid_of(patient, series)
        study.RTReferencedSeriesSequence = [outlined]
        reference.RTReferencedStudySequence = [study]
    header.ReferencedFrameOfReferenceSequence = [reference]
    header.StructureSetROISequence, header.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(regions.items(), 1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points)
            contour.ContourData = [float(f"{x:.10g}") for x in np.ravel(points)]
            drawn.ContourSequence.append(contour)
        header.StructureSetROISequence.append(roi)
        header.ROIContourSequence.append(drawn)
    return saved(header, path, RTSTRUCT, uid_of(patient, path.name, "file"))


def write_segmentation(path, frames, labels, grid, patient="P1", series="s", kind="BINARY"):
    """Write frames, a list of (segment number, level, bool pixels (y, x)), on the grid of a series."""
    from pydicom.dataset import Dataset
    from pydicom.pixels import pack_bits

    def group(**elements):
        item = Dataset()
        for name, value in elements.items():
            setattr(item, name, value)
        return [item]

    header = Dataset()
    header.PatientID, header.Modality, header.SeriesInstanceUID = patient, "SEG", uid_of(patient, path.name)
    header.FrameOfReferenceUID, header.SegmentationType = uid_of(patient, "frame"), kind
    header.ReferencedSeriesSequence = group(SeriesInstanceUID=uid_of(patient, series))
    header.SegmentSequence = [
        group(SegmentNumber=number, SegmentLabel=label)[0] for number, label in enumerate(labels, 1)
    ]
    shared, header.PerFrameFunctionalGroupsSequence = Dataset(), []
    shared.PixelMeasuresSequence = group(PixelSpacing=list(grid.spacing_mm[1:]))
    shared.PlaneOrientationSequence = group(ImageOrientationPatient=list(grid.direction[:, :2].T.ravel()))
    header.SharedFunctionalGroupsSequence = [shared]
    for number, level, _ in frames:
        frame = Dataset()
        position = grid.origin_mm + level * grid.spacing_mm[0] * grid.direction[:, 2]
        frame.PlanePositionSequence = group(ImagePositionPatient=[float(f"{x:.10g}") for x in position])
        frame.SegmentIdentificationSequence = group(ReferencedSegmentNumber=number)
        header.PerFrameFunctionalGroupsSequence.append(frame)
    header.NumberOfFrames, (header.Rows, header.Columns) = len(frames), frames[0][2].shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 1, 1, 0, 0
    header.PixelData = pack_bits(np.stack([pixels for *_, pixels in frames]).astype(np.uint8))
    return saved(header, path, SEG, uid_of(patient, path.name, "file"))
