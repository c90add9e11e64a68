"""In: a folder of DICOM files, or one file. Out: the image series that is meant, and its voxels as a `Volume`."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom.frames import frames_of
from radiodeep.cases.dicom.headers import DIRECTORY, is_dicom, is_uid, read_header, read_slice_header
from radiodeep.cases.dicom.pixels import check_pixels
from radiodeep.cases.dicom.series import SeriesGrid, find_series, grid_of, head_of, series_of, with_headers
from radiodeep.cases.dicom.stack import MODALITIES, warn_of_display
from radiodeep.cases.dicom.uptake import uptake_factors
from radiodeep.cases.reading import AS_IT_IS
from radiodeep.cases.volume import check_geometry
from radiodeep.exceptions import DicomSeriesError, RadiodeepWarning, UnsupportedImageError
from radiodeep.extras import require_package

WITHOUT_IMAGE = (  # modalities of files that belong to images
    "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "SEG", "SR", "PR", "KO", "REG", "FID", "RWV", "DOC", "PLAN", "ECG",
    "AU",
)  # fmt: skip
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_STACKED = ("CT", "MR", "PT")
_MOST_LISTED = 20
_NEIGHBOURS = 20  # files before and after one by name that may belong to its series


def image_series(folder, reading=AS_IT_IS, uids=()):
    """Return the `DicomSeries` of a folder that is an image: the only one, or the one that is meant.

    Of several it is the one with one of the `uids`, of series or frames of reference, that a mask refers to, else the
    one whose description is, or contains, `reading.series`. Localizers and secondary captures (PS3.3 A.8, e.g. dose
    reports) count if there is nothing else. Raises DicomSeriesError, which lists the series. Warns if the one that is
    read is not the one that `reading.series` describes.
    """
    found = find_series(folder)
    images = _images_of(found)
    if not images:
        kinds = ", ".join(sorted({series.modality or "?" for series in found.values()}))
        raise DicomSeriesError(
            f"'{folder}' holds no image, only DICOM files of the modality {kinds}. Check the folder."
        )
    choices = [[each for each in images if each.uid in uids], [each for each in images if not _is_aside(each)], images]
    asked = (reading.series or "").strip().casefold()
    if asked:
        choices[1:1] = [
            [each for each in images if each.description.casefold() == asked],
            [each for each in images if asked in each.description.casefold()],
        ]
    choices[1:1] = [[each for each in images if each.frame_of_reference in uids]]
    for chosen in choices:
        if len(chosen) == 1:
            _warn_of_another(folder, chosen[0], asked)
            return chosen[0]
    raise DicomSeriesError(
        f"'{folder}' holds {len(images)} image series: {_listed(images)}. Choose one: by its "
        f"description (series=...), by its UID in the path ({Path(folder).name}/UID), or give each a folder of its own."
    )


def _warn_of_another(folder, series, asked):
    if asked and asked not in series.description.casefold():
        warnings.warn(
            f"'{Path(folder).name}': the {series.name} is read, as it is the only one or the mask was drawn on it, but "
            f"its description does not contain '{asked}' (series).",
            RadiodeepWarning,
            stacklevel=3,
        )


def _images_of(found):
    """Return the series, with their headers, that are images."""
    series = [with_headers(each) for each in found.values() if each.modality not in WITHOUT_IMAGE]
    return [
        each
        for each in series
        if any("Rows" in header or header.get("SOPClassUID") in MODALITIES for header in each.headers)
    ]


def _is_aside(series):
    first = series.headers[0]
    is_captured = str(first.get("SOPClassUID", "")).startswith(_SECONDARY_CAPTURE)
    return is_captured or all("LOCALIZER" in header.get("ImageType", ()) for header in series.headers)


def _listed(series):
    more = f"; and {len(series) - _MOST_LISTED} more" if len(series) > _MOST_LISTED else ""
    return "; ".join(map(_in_words, series[:_MOST_LISTED])) + more


def _in_words(series):
    header = next((header for header in series.headers if "Rows" in header), {})
    n_images = sum(int(each.get("NumberOfFrames", 1)) for each in series.headers)
    return (
        f"{series.modality} '{series.description}', {n_images} {'image' if n_images == 1 else 'images'} of "
        f"{header.get('Columns', '?')}x{header.get('Rows', '?')}, {series.uid}"
    )


def series_in_path(path):
    """Return the folder and the UID of a path FOLDER/UID that names a series of a folder, or None."""
    try:
        is_series = is_uid(path.name) and not path.exists() and path.parent.is_dir()
    except OSError:  # of which reading tells
        is_series = False
    return (path.parent, path.name) if is_series else None


def read_dicom(path, reading=AS_IT_IS):
    """Read a folder of DICOM files, a series FOLDER/UID of it, or a file of one image, as a `Volume`.

    Voxels are rescaled (HU), PET is in SUV by body weight unless ``reading.pet_unit`` says "stored". A file of one
    slice becomes one slice, shape (1, y, x). Raises DicomSeriesError, FileUnreadableError, TruncatedFileError,
    UnsupportedImageError and ImageTooLargeError.
    """
    if path.is_dir():
        return read_series(image_series(path, reading), reading)
    if path.exists():
        require_package("pydicom")
        return _read_file(path, reading)
    folder, uid = series_in_path(path)
    found = find_series(folder)
    (series,) = _images_of({uid: found[uid]} if uid in found else {}) or (None,)
    if series is None:
        listed = _listed(_images_of(found)) or "none"
        raise DicomSeriesError(f"'{folder}' holds no image series with the UID {uid}. Its series are: {listed}.")
    return read_series(series, reading)


def read_series(series, reading=AS_IT_IS):
    """Return the voxels of a `DicomSeries` with headers as a `Volume`."""
    headers = series.headers
    if len(headers) == 1 and int(headers[0].get("NumberOfFrames", 1)) == 1:
        (frame,) = frames_of(headers[0], series.name)
        if "ImagePositionPatient" not in frame.place and series.modality != "PT":
            return _flat_image(series, frame)
    grid = grid_of(series)
    is_converted = series.modality == "PT" and reading.pet_unit == "SUV"
    return grid.read(factors=uptake_factors(series.name, grid.frames) if is_converted else None)


def _flat_image(series, frame):
    """Return an image without a place in the patient, e.g. a radiograph; its pixels may have no size either."""
    header = frame.header
    check_pixels(header)
    warn_of_display(series.name, header)
    size = header.get("PixelSpacing") or header.get("ImagerPixelSpacing")
    spacing, shape = (1.0, *(size or (1.0, 1.0))), (1, header["Rows"], header["Columns"])
    check_geometry(series.name, spacing[::-1], np.eye(3), "PixelSpacing")
    grid = SeriesGrid(series.name, (frame,), (), shape, spacing, np.zeros(3), np.eye(3))
    return replace(grid.read(), has_spacing=size is not None, has_position=False)


def _read_file(path, reading):
    header = read_slice_header(path)
    if header.get("SOPClassUID") == DIRECTORY:
        raise UnsupportedImageError(
            f"'{path.name}' is a table of contents (DICOMDIR). Give the folder: '{path.parent}'."
        )
    series = series_of([(header, path)])
    if not _images_of({series.uid: series}):
        raise UnsupportedImageError(
            f"'{path.name}' is not an image, but a DICOM file of the modality {series.modality}. Outlined regions "
            "(RTSTRUCT, SEG) can be the mask of a DICOM series."
        )
    if series.modality in _STACKED and "ImagePositionPatient" in header:
        _check_alone(path, series)
    return read_series(series, reading)


def _check_alone(path, series):
    """Raise DicomSeriesError if files beside a slice, the next by name, belong to its series."""
    paths = sorted(path.parent.iterdir())
    at = paths.index(path)
    for other in paths[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS + 1]:
        if other != path and other.is_file() and is_dicom(head_of(other)):
            header = read_header(other, ("SeriesInstanceUID", "SOPInstanceUID"))
            is_copy = header["SOPInstanceUID"] == series.headers[0].get("SOPInstanceUID")
            if header["SeriesInstanceUID"] == series.uid and not is_copy:
                raise DicomSeriesError(
                    f"'{path.name}' is one slice of a series: '{other.name}' is another. Give the folder: "
                    f"'{path.parent}'."
                )
