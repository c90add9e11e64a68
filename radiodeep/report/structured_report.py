"""In: the features of a lesion and the DICOM segmentation that outlines it. Out: a DICOM structured report (SR)."""

import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from math import isfinite
from numbers import Real
from pathlib import Path

import pandas as pd

from radiodeep import __version__
from radiodeep.cases.dicom.writing import LONGEST_TEXT, coded, equipment, is_line
from radiodeep.checks import require, require_option
from radiodeep.exceptions import AmbiguousMaskError, FileUnreadableError, InputError, LabelNotFoundError
from radiodeep.extras import require_package, version_of
from radiodeep.files import replacing
from radiodeep.report.feature_units import INTENSITY_UNITS, PRIVATE_SCHEME, feature_code, feature_unit

_CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
_PET = ("1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.128.1", "1.2.840.10008.5.1.4.1.1.130")
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_DEVICE_UID = "2.25.190917843172650183460735293117650243561"  # of radiodeep as an observer
_NOT_NUMBERS = {  # DICOM PS3.16 CID 42
    "nan": ("114000", "DCM", "Not a number"),
    "-inf": ("114001", "DCM", "Negative Infinity"),
    "inf": ("114002", "DCM", "Positive Infinity"),
}


def write_structured_report(features, region, path, *, extractor=None, intensity_unit=None, segment=None):
    """Write the features of a lesion as a DICOM structured report (TID 1500), which a PACS can keep with the image.

    Each feature is a measurement under its code in the IBSI reference manual, or under its name in the scheme
    "99RADIODEEP" if IBSI does not define it, with its unit in UCUM. Features of one image ("original", "wavelet-LLH")
    are a group, whose measurement method is the image. The settings of the extractor, such as bins, resampling and
    filters, are the parameters of the algorithm.

    Parameters
    ----------
    features : Series or dict from str to float
        A row of `extract_table`, of a case with one image. NaN and infinity are reported as such, without a value.
    region : path-like
        A DICOM segmentation (SEG) of the region that was measured, e.g. from `write_region`. The report refers to it
        and to the series that it refers to, and carries its patient, study, finding and finding site.
    path : path-like
        A .dcm file.
    extractor : RadiomicsExtractor, DeepFeatureExtractor, or list of them, optional
        That of the features: its settings, and the versions of its libraries, are written too.
    intensity_unit : {None, "HU", "SUV", "none"}, default=None
        Unit of the image. None stands for Hounsfield units of CT, SUV by body weight of PET, and no unit of others, and
        of images that the extractor normalizes.
    segment : int, optional
        Number of the segment that was measured, of a SEG with several.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        For features that are not numbers by name, or a wrong option.
    FileUnreadableError, LabelNotFoundError, AmbiguousMaskError
        `region` is not a DICOM segmentation, has no such segment, or has several.
    OutputError
        The file cannot be written.

    References
    ----------
    DICOM PS3.16 TID 1500, 1411 and 1419. Zwanenburg et al., Image Biomarker Standardisation Initiative.

    Examples
    --------
    >>> import radiodeep as rd
    >>> rd.write_structured_report({"original_shape_MeshVolume": "large"}, "lesion.seg.dcm", "lesion.sr.dcm")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.InputError: The 'features' parameter of write_structured_report must be numbers ...
    """
    given = dict(features) if isinstance(features, Mapping | pd.Series) else {}
    is_allowed = bool(given) and all(is_line(name) and isinstance(value, Real) for name, value in given.items())
    require(is_allowed, write_structured_report, "features", "numbers by the name of their feature", features)
    require_option(intensity_unit, (None, *INTENSITY_UNITS), write_structured_report, "intensity_unit")
    require(Path(path).suffix == ".dcm", write_structured_report, "path", "a .dcm file", str(path))
    require_package("highdicom")
    from highdicom.sr import Measurement, QualitativeEvaluation  # late: an optional package

    extractors = extractor if isinstance(extractor, list) else [extractor] if extractor is not None else []
    is_allowed = all(hasattr(each, "settings") and not isinstance(each, type) for each in extractors)
    require(is_allowed, write_structured_report, "extractor", "an extractor of images or a list of them", extractor)
    settings = [each.settings() for each in extractors]
    is_shifted = any(part.get("voxel_array_shift") for part in settings)
    header, images = _header_of(Path(region))
    unit = _unit_of(images, settings) if intensity_unit is None else intensity_unit
    by_image = {}
    for name, value in given.items():
        code, image = feature_code(name, is_shifted)
        measured, without_value = by_image.setdefault(image, ([], []))
        if isfinite(value):
            measured.append(Measurement(coded(code), float(value), coded(feature_unit(name, unit, settings))))
        else:
            without_value.append(QualitativeEvaluation(coded(code), coded(_NOT_NUMBERS[str(float(value))])))
    algorithm = _algorithm(extractors, settings)
    with _read_as_segmentation(Path(region).name):
        described = _segment_of(header, segment, Path(region).name), images[0].SeriesInstanceUID
        groups = [_group(header, *described, algorithm, image, *content) for image, content in by_image.items()]
        document = _document(header, images, groups)
    with replacing(path) as part:
        document.save_as(part)
    return Path(path)


@contextmanager
def _read_as_segmentation(name):
    """Turn what pydicom and highdicom raise for a damaged header, whose texts may quote it, into an error."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise FileUnreadableError(
            f"'{name}' lacks what a report takes from a DICOM segmentation, or is damaged. Write one by write_region."
        ) from error


def _header_of(path):
    """Return the header of a segmentation and the images that it refers to."""
    import pydicom  # late: an optional package

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except Exception as error:  # pydicom raises what its parsing meets; its texts may quote the header
        reason = error.strerror if isinstance(error, OSError) else "it is of another format, or damaged"
        raise FileUnreadableError(f"'{path.name}' is not a DICOM file that can be read: {reason}.") from error
    with _read_as_segmentation(path.name):
        images = _images_of(header) if header.get("SOPClassUID") == _SEGMENTATION else []
    if not images:
        raise FileUnreadableError(
            f"'{path.name}' is not a DICOM segmentation (SEG) that refers to a series. Write one by write_region."
        )
    return header, images


def _segment_of(header, number, name):
    chosen = [each for each in header.SegmentSequence if number is None or each.SegmentNumber == number]
    if len(chosen) == 1:
        return chosen[0]
    known = ", ".join(f"{each.SegmentNumber} '{each.get('SegmentLabel', '')}'" for each in header.SegmentSequence)
    if chosen:
        raise AmbiguousMaskError(f"'{name}' has the segments {known}. Choose one by segment=.")
    raise LabelNotFoundError(f"'{name}' has no segment {number!r}. Its segments are {known or 'none'}.")


def _images_of(header):
    """Return the images that a segmentation was made of, each as a Dataset with its UIDs."""
    from pydicom.dataset import Dataset

    others = header.get("StudiesContainingOtherReferencedInstancesSequence") or ()
    images = []
    for study in (header, *others):
        for series in study.get("ReferencedSeriesSequence") or ():
            for reference in series.get("ReferencedInstanceSequence") or ():
                image = Dataset()
                image.StudyInstanceUID, image.SeriesInstanceUID = study.StudyInstanceUID, series.SeriesInstanceUID
                image.SOPClassUID = reference.ReferencedSOPClassUID
                image.SOPInstanceUID = reference.ReferencedSOPInstanceUID
                images.append(image)
    return images


def _unit_of(images, settings):
    if any(part.get("normalize") for part in settings):
        return "none"
    kind = images[0].SOPClassUID
    return "HU" if kind in _CT else "SUV" if kind in _PET else "none"


def _algorithm(extractors, settings):
    """Return name, version and parameters of what measured the features, as an AlgorithmIdentification."""
    from highdicom.sr import AlgorithmIdentification

    texts = [", ".join(f"{name}={value!r}" for name, value in part.items() if name != "families") for part in settings]
    packages = dict.fromkeys(package for each in extractors for package in each.libraries if version_of(package))
    texts += [f"{package} {version_of(package)}" for package in packages]
    name = " and ".join(["radiodeep", *(part["extractor"] for part in settings)])
    return AlgorithmIdentification(name=name, version=__version__, parameters=texts or None)


def _group(header, described, series, algorithm, image, measured, without_value):
    """Return the measurements in one image, e.g. "wavelet-LLH", as a group of the report (TID 1411)."""
    from highdicom.sr import (
        CodedConcept,
        FindingSite,
        ReferencedSegment,
        SourceSeriesForSegmentation,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    def codes(name):
        return [CodedConcept.from_dataset(code) for code in described.get(name) or ()]

    sites = [FindingSite(site) for site in codes("AnatomicRegionSequence")]
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=described.get("TrackingUID"), identifier=described.get("TrackingID") or described.SegmentLabel
        ),
        referenced_segment=ReferencedSegment(
            header.SOPClassUID,
            header.SOPInstanceUID,
            int(described.SegmentNumber),
            source_series=SourceSeriesForSegmentation(series),
        ),
        finding_type=codes("SegmentedPropertyTypeCodeSequence")[0],
        finding_category=codes("SegmentedPropertyCategoryCodeSequence")[0],
        finding_sites=sites or None,
        method=coded((image, PRIVATE_SCHEME, image[-LONGEST_TEXT:])) if image else None,
        algorithm_id=algorithm,
        measurements=measured,
        qualitative_evaluations=without_value,
    )


def _document(header, images, groups):
    """Return the report of groups of measurements, which goes with the patient and study of a segmentation."""
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from highdicom.sr import (
        Comprehensive3DSR,
        DeviceObserverIdentifyingAttributes,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
    )

    device = DeviceObserverIdentifyingAttributes(
        uid=_DEVICE_UID,
        name="radiodeep",
        manufacturer_name="radiodeep",
        model_name="radiodeep",
        serial_number=__version__,
    )
    report = MeasurementReport(
        observation_context=ObservationContext(ObserverContext(coded(("121007", "DCM", "Device")), device)),
        procedure_reported=coded(("363679005", "SCT", "Imaging procedure")),
        imaging_measurements=groups,
        title=coded(("126000", "DCM", "Imaging Measurement Report")),
    )
    header.SpecificCharacterSet = "ISO_IR 192"  # UTF-8, of this report too
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Comprehensive3DSR(
            evidence=[header, *images],
            content=report[0],
            series_number=2,
            instance_number=1,
            is_complete=True,
            coding_schemes=[CodingSchemeIdentificationItem(PRIVATE_SCHEME, "Features of radiodeep", __version__)],
            **equipment(),
        )
