"""In: a region on the grid of a DICOM series. Out: a DICOM segmentation (SEG) that refers to the series."""

import re
import warnings

import numpy as np

from radiodeep.cases.dicom.choice import image_series
from radiodeep.cases.dicom.headers import is_dicom
from radiodeep.cases.dicom.series import find_series, grid_of
from radiodeep.checks import require
from radiodeep.exceptions import DicomSeriesError, FileUnreadableError
from radiodeep.extras import require_package, version_of
from radiodeep.files import replacing

PATIENTS = ("manifest", "image")
LESION = ("52988006", "SCT", "Lesion")
_ALTERED = ("49755003", "SCT", "Morphologically Altered Structure")
_UNKNOWN = ("261665006", "SCT", "Unknown")
_PLACE = (  # of an image, without anything about patient, people, devices or dates
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality", "Rows",
    "Columns", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "NumberOfFrames",
    "SpacingBetweenSlices", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ImageType",
)  # fmt: skip
_PLACE_OF_FRAMES = {  # the same in the functional groups of an image of several frames
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PlanePositionSequence": ("ImagePositionPatient",),
}
_EMPTY_IF_UNKNOWN = (  # that every file of a series has
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName", "SliceThickness",
)  # fmt: skip
LONGEST_TEXT = 64  # characters (DICOM PS3.5, value representation LO)
_LONGEST_SCHEME = 16
_NO_LETTERS = re.compile(r"[\\\x00-\x1f\x7f]")  # a backslash separates values


def write_segmentation(region, paths, file, patient_id, tracking_id, label, finding=LESION, site=None):
    """Write a region, a `Volume` in the order of its DICOM series, as a SEG of one segment.

    `paths` are the files of the series. The SEG carries `patient_id` and no other fact about the patient, in a study of
    its own; or patient and study of the image if `patient_id` is None. Raises DicomSeriesError for a series without
    frame of reference, FileUnreadableError, InputError for an id that DICOM cannot hold, and OutputError.
    """
    require_package("highdicom")
    import highdicom  # late: an optional package

    headers = [_header(path, patient_id) for path in paths]
    try:
        with warnings.catch_warnings():  # of values of the image that break a rule of the standard
            warnings.simplefilter("ignore")
            segmentation = highdicom.seg.Segmentation(
                source_images=headers,
                pixel_array=_placed(region, headers[0]),
                segmentation_type="BINARY",
                segment_descriptions=[_segment(tracking_id, label, finding, site)],
                series_number=1,
                instance_number=1,
                omit_empty_frames=True,
                **equipment(),
            )
    except Exception as error:  # highdicom and pydicom raise what they meet; their texts may quote the header
        lacks = getattr(error, "name", None)
        reason = f"its headers have no {lacks}" if lacks else "its headers are incomplete or damaged"
        raise DicomSeriesError(f"the image is a DICOM series that a SEG cannot refer to: {reason}.") from error
    segmentation.ContentCreatorName = ""  # which must be there
    if patient_id is not None:
        _into_own_study(segmentation, patient_id)
    with replacing(file) as part:
        segmentation.save_as(part)
    return file


def image_files(path, reading):
    """Return the files of the DICOM series at the path of an image, none if it is not in DICOM."""
    if path.is_file():
        with path.open("rb") as file:
            return (path,) if is_dicom(file.read(132)) else ()
    series = image_series(path, reading) if path.is_dir() else find_series(path.parent)[path.name]
    return tuple(dict.fromkeys(frame.path for frame in grid_of(series).frames))  # a file that is there twice once


def equipment():
    """Return what every file that radiodeep writes says of itself, with new UIDs, as arguments of highdicom."""
    from highdicom import UID

    version = version_of("radiodeep") or "unknown"
    return {
        "series_instance_uid": UID(),
        "sop_instance_uid": UID(),
        "manufacturer": "radiodeep",
        "manufacturer_model_name": "radiodeep",
        "software_versions": version,
        "device_serial_number": version,
    }


def coded(code):
    """Return a triple (value, scheme, meaning) as a coded concept of highdicom."""
    from highdicom.sr import CodedConcept

    return CodedConcept(*code)


def is_code(code):
    """Return whether a value is a triple of texts (value, scheme, meaning) that DICOM can hold."""
    is_triple = isinstance(code, tuple | list) and len(code) == 3 and all(map(is_line, code))
    return is_triple and len(code[1]) <= _LONGEST_SCHEME and max(map(len, code)) <= LONGEST_TEXT


def is_line(text):
    """Return whether a value is a text that DICOM can hold as a name: not blank, one line, without a backslash."""
    return isinstance(text, str) and bool(text.strip()) and not _NO_LETTERS.search(text)


def _header(path, patient_id):
    """Return what a SEG takes from a file of its image: all, or its place alone and an id."""
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=None if patient_id is None else _PLACE)
    except Exception as error:  # pydicom raises what its parsing meets
        raise FileUnreadableError(f"'{path.name}' is not a DICOM file that can be read. Copy it again.") from error
    if not header.get("FrameOfReferenceUID"):
        raise DicomSeriesError(f"'{path.name}' has no FrameOfReferenceUID, so that no SEG can refer to its place.")
    if patient_id is not None:
        is_allowed = is_line(patient_id) and len(patient_id) <= LONGEST_TEXT
        allowed = f"1 to {LONGEST_TEXT} characters in one line without a backslash"
        require(is_allowed, "Case", "patient", allowed, patient_id)
        _leave_place(header)
        header.PatientID = patient_id
    header.SpecificCharacterSet = "ISO_IR 192"  # UTF-8
    for name in _EMPTY_IF_UNKNOWN:
        if name not in header:
            setattr(header, name, "")
    return header


def _leave_place(header):
    """Remove all but the place of the frames from the functional groups of a header."""
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in header.get(name) or ():
            for macro in _leave(group, _PLACE_OF_FRAMES):
                for item in group[macro].value:
                    _leave(item, _PLACE_OF_FRAMES[macro])


def _leave(dataset, names):
    """Remove all but some elements from a dataset, and return the names of those that are there."""
    from pydicom.datadict import keyword_for_tag

    for tag in list(dataset.keys()):
        if keyword_for_tag(tag) not in names:
            del dataset[tag]
    return [name for name in names if name in dataset]


def _placed(region, header):
    from highdicom import Volume

    affine = np.eye(4)
    affine[:3, :3] = region.direction[:, ::-1] * region.spacing_mm  # of the indices (z, y, x)
    affine[:3, 3] = region.origin_mm
    return Volume(
        region.voxels.astype(np.uint8),
        affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=header.FrameOfReferenceUID,
    )


def _segment(tracking_id, label, finding, site):
    from highdicom import UID, AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription

    return SegmentDescription(
        segment_number=1,
        segment_label=_NO_LETTERS.sub(" ", label)[:LONGEST_TEXT],
        segmented_property_category=coded(_ALTERED),
        segmented_property_type=coded(finding),
        algorithm_type="SEMIAUTOMATIC",  # which is not known, and must be given
        algorithm_identification=AlgorithmIdentificationSequence("unknown", coded(_UNKNOWN), "unknown"),
        tracking_uid=UID(),
        tracking_id=tracking_id,
        anatomic_regions=None if site is None else [coded(site)],
    )


def _into_own_study(segmentation, patient_id):
    """Move a segmentation to a study that is the same for all of this patient's image; its references stay."""
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    elsewhere = Dataset()
    elsewhere.StudyInstanceUID = segmentation.StudyInstanceUID
    elsewhere.ReferencedSeriesSequence = segmentation.ReferencedSeriesSequence
    segmentation.StudiesContainingOtherReferencedInstancesSequence = [elsewhere]
    del segmentation.ReferencedSeriesSequence
    segmentation.StudyInstanceUID = generate_uid(entropy_srcs=[patient_id, elsewhere.StudyInstanceUID])
