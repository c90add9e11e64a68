"""In: a folder of DICOM files. Out: its series, the grid of each, and their voxels as a `Volume`.

pydicom reads the headers, SimpleITK (GDCM) the voxels, which may be compressed. Slices are sorted by their position
along the normal of their plane, never by file name or number.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiodeep.cases.memory import check_image_size
from radiodeep.cases.volume import Volume, check_geometry, numbers
from radiodeep.exceptions import DicomSeriesError, FileUnreadableError, TruncatedFileError
from radiodeep.extras import require_package
from radiodeep.progress import with_progress

_STARTS = (b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0")  # of files without the preamble
_OF_SERIES = ("SeriesInstanceUID", "PatientID", "Modality", "SeriesDescription", "FrameOfReferenceUID")
_OF_SLICE = (
    "SOPInstanceUID", "SeriesInstanceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows",
    "Columns", "NumberOfFrames", "SamplesPerPixel", "SliceThickness", "SpacingBetweenSlices",
)  # fmt: skip
_ROUNDING = 1e-6
_ANGLE = 1e-3  # of the unit vectors of slices of one series, and of their stack and their normal
_EVENNESS = 0.05  # of the distance of two slices
_ROUNDED_MM, _MOST_ROUNDED = 0.1, 0.3  # of thin slices: positions rounded to 0.1 mm, at most 0.3 of their distance


@dataclass(frozen=True)
class DicomSeries:
    """The files of one series, and what their headers say of all of them."""

    uid: str
    patient: str
    modality: str
    description: str
    frame_of_reference: str
    paths: tuple[Path, ...]

    @property
    def name(self):
        """How messages name the series."""
        return f"{self.modality} series {self.description or self.uid!r}"


@dataclass(frozen=True, eq=False)
class SeriesGrid:
    """The slices of a series in order, and their place in space.

    Attributes
    ----------
    name : str
        Of the series, for messages.
    paths, sop_uids : tuple
        Of the slices, along the normal of their plane.
    shape : tuple of three ints
        (z, y, x).
    spacing_mm : tuple of three floats
        (z, y, x).
    origin_mm : ndarray of shape (3,)
        Position of the centre of the first voxel (x, y, z), patient LPS axes.
    direction : ndarray of shape (3, 3)
        Columns are the unit vectors of the x, y and z index axes.
    """

    name: str
    paths: tuple[Path, ...]
    sop_uids: tuple[str, ...]
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: np.ndarray
    direction: np.ndarray

    def indices_of(self, points_mm):
        """Return patient positions, shape (n, 3), as indices (x, y, z) in voxels; 0 is the centre of the first."""
        return (np.asarray(points_mm) - self.origin_mm) @ self.direction / self.spacing_mm[::-1]

    def volume_of(self, voxels, corner=(0, 0, 0)):
        """Return an array on this grid, whose first voxel lies at an index (z, y, x), as a `Volume`."""
        steps = np.multiply(corner, self.spacing_mm)[::-1]
        return Volume(voxels, self.spacing_mm, self.origin_mm + self.direction @ steps, self.direction)

    def read(self, box=(slice(None),) * 3):
        """Return the voxels of a box, three slices (z, y, x), as a `Volume`; rescaled to e.g. HU, not to SUV."""
        what = f"The {self.name}"
        n_slices = len(range(*box[0].indices(self.shape[0])))
        check_image_size((n_slices, *self.shape[1:]), what, "Read a smaller part.")
        voxels = np.stack([_pixels(path, self.shape[1:])[box[1:]] for path in self.paths[box[0]]])
        corner = [part.indices(size)[0] for part, size in zip(box, self.shape, strict=True)]
        return self.volume_of(voxels, corner)


def is_dicom(head):
    """Return whether a file that begins with these bytes is a DICOM file."""
    return head[128:132] == b"DICM" or head.startswith(_STARTS)


def read_header(path, names):
    """Return a dict of elements of a DICOM file by their keyword, None where it has none; voxels are not read."""
    require_package("pydicom")
    import pydicom  # late: an optional package

    try:
        with warnings.catch_warnings():  # of values that break a rule of the standard, which are common
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(names), force=True)
            return {name: header.get(name) for name in names}
    except Exception as error:  # pydicom raises what its parsing meets
        raise FileUnreadableError(f"'{Path(path).name}' is not a DICOM file that can be read: {error}.") from error


def find_series(folder):
    """Return the `DicomSeries` in a folder and below, by their UID; files that are not DICOM are passed over.

    Raises FileUnreadableError for a folder that does not exist, and DicomSeriesError for one without DICOM files.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileUnreadableError(f"'{folder}' is not a folder. Expected the folder of a download, with DICOM files.")
    require_package("pydicom")
    paths = [Path(at) / name for at, _, names in sorted(os.walk(folder)) for name in sorted(names)]
    series = {}
    for path in with_progress(paths, "Reading headers", len(paths), "files"):
        if path.is_file() and is_dicom(_head_of(path)):
            header = tuple(str(value or "") for value in read_header(path, _OF_SERIES).values())
            series.setdefault(header[0], (header, []))[1].append(path)
    series.pop("", None)  # e.g. DICOMDIR
    if not series:
        raise DicomSeriesError(f"'{folder}' holds no DICOM file of an image. Check the folder.")
    return {uid: DicomSeries(*header, tuple(paths)) for uid, (header, paths) in series.items()}


def _head_of(path):
    try:
        with path.open("rb") as file:
            return file.read(132)
    except OSError as error:
        raise FileUnreadableError(f"'{path}' cannot be opened: {error.strerror}.") from error


def grid_of(series):
    """Return the `SeriesGrid` of a series.

    Raises DicomSeriesError for slices that do not make one even stack: of different size or orientation, without a
    position, doubled, missing, or sheared (gantry tilt).
    """
    headers = [read_header(path, _OF_SLICE) for path in series.paths]
    first = headers[0]
    for path, header in zip(series.paths, headers, strict=True):
        _check_slice(series, path, header, first)
    axes = np.array(first["ImageOrientationPatient"], float).reshape(2, 3)
    direction = np.column_stack([*axes, np.cross(*axes)])
    positions = np.array([header["ImagePositionPatient"] for header in headers], float)
    heights = positions @ direction[:, 2]
    order = np.argsort(heights, kind="stable")
    step = _step(series, first, positions[order], heights[order], direction)
    height, width = (float(size) for size in first["PixelSpacing"])
    grid = SeriesGrid(
        series.name,
        tuple(series.paths[position] for position in order),
        tuple(str(headers[position]["SOPInstanceUID"]) for position in order),
        (len(order), int(first["Rows"]), int(first["Columns"])),
        (step, height, width),
        positions[order[0]],
        direction,
    )
    check_geometry(series.name, grid.spacing_mm[::-1], direction, "PixelSpacing or ImageOrientationPatient")
    return grid


def _check_slice(series, path, header, first):
    missing = [
        name
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
        if header[name] is None or header[name] == ""
    ]
    if int(header["NumberOfFrames"] or 1) > 1:
        raise DicomSeriesError(
            f"{series.name}: '{path.name}' holds several frames (enhanced DICOM), which are not read. Convert the "
            "series to .nii.gz with dcm2niix."
        )
    if missing:
        raise DicomSeriesError(f"{series.name}: '{path.name}' has no {missing[0]}. Expected slices of a 3-D image.")
    if int(header["SamplesPerPixel"] or 1) > 1:
        raise DicomSeriesError(f"{series.name}: '{path.name}' is a colour image. Expected one grey channel.")
    for name in ("SeriesInstanceUID", "Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"):
        own, other = (np.atleast_1d(each[name]) for each in (header, first))
        is_same = np.allclose(own, other, rtol=0, atol=_ANGLE) if name[0] in "PI" else (own == other).all()
        if not is_same:
            raise DicomSeriesError(
                f"{series.name}: '{path.name}' has another {name} than '{series.paths[0].name}': "
                f"{own.tolist()} and {other.tolist()}. Expected slices of one stack; separate them, or leave out the "
                "localizer."
            )


def _step(series, first, positions, heights, direction):
    """Return the distance of neighbouring slices in mm, which must be the same all along."""
    if len(heights) == 1:
        return float(first["SpacingBetweenSlices"] or first["SliceThickness"] or 1.0)
    steps = np.diff(heights)
    step = (heights[-1] - heights[0]) / len(steps)
    usual = float(np.median(steps))
    allowed = max(_EVENNESS * usual, min(_ROUNDED_MM, _MOST_ROUNDED * usual)) * (1 + _ROUNDING)
    odd = np.flatnonzero(np.abs(steps - usual) > allowed)
    if usual <= 0 or odd.size:
        at = int(odd[0]) if odd.size else 0
        places = f"at {numbers(positions[at])} and {numbers(positions[at + 1])}"
        problem = f"the slices {places} lie {steps[at]:.4g} mm apart, others {usual:.4g} mm"
        if steps[at] < usual or usual <= 0:
            raise DicomSeriesError(
                f"{series.name}: {problem}. Expected one slice at each position, evenly spaced; separate the stacks or "
                "remove doubled files."
            )
        n_missing = int(np.round(steps[odd] / usual - 1).clip(0).sum())
        missing = f"; slices missing: {n_missing}" if n_missing else ""
        raise DicomSeriesError(f"{series.name}: {problem}{missing}. Download the series again.")
    shear = (positions[-1] - positions[0]) / (heights[-1] - heights[0]) - direction[:, 2]
    if np.abs(shear).max() > _ANGLE:
        raise DicomSeriesError(
            f"{series.name}: the slices are not stacked at right angles (gantry tilt). Resample the series to an "
            "orthogonal grid first."
        )
    return float(step)


def _pixels(path, shape):
    """Return the rescaled pixels (y, x) of one slice; each has a rescaling of its own in PET."""
    import SimpleITK as sitk  # late: see readers

    try:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise TruncatedFileError(f"'{path.name}' has voxels that cannot be read. Download it again.") from error
    if pixels.size != np.prod(shape):
        raise DicomSeriesError(f"'{path.name}' has {pixels.size} voxels. Expected {shape[1]}x{shape[0]} (x, y).")
    return pixels.reshape(shape)
