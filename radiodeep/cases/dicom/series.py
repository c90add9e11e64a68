"""In: a folder of DICOM files. Out: its series, the grid of each, and their voxels as a `Volume`.

pydicom reads the headers, each once. Slices are sorted by their position along the normal of their plane, never by file
name or number.
"""

import os
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from radiodeep.cases.dicom.frames import Frame
from radiodeep.cases.dicom.headers import DIRECTORY, is_dicom, read_header, read_slice_header
from radiodeep.cases.dicom.pixels import read_frame, type_of_values
from radiodeep.cases.dicom.stack import checked_stack
from radiodeep.cases.memory import check_image_size
from radiodeep.cases.volume import Volume, check_geometry
from radiodeep.exceptions import DicomSeriesError, FileUnreadableError
from radiodeep.extras import require_package
from radiodeep.progress import with_progress

_OF_SERIES = ("SeriesInstanceUID", "PatientID", "Modality", "SeriesDescription", "FrameOfReferenceUID", "SOPClassUID")
_MOST_KEPT = 10_000  # files of a folder whose whole headers are kept, of more their places: 0.7 kB each
_DAMAGED = "Copy or export it again, or take it out of the folder."


@dataclass(frozen=True)
class DicomSeries:
    """The files of one series, and what their headers say of all of them."""

    uid: str
    patient: str
    modality: str
    description: str
    frame_of_reference: str
    paths: tuple[Path, ...]
    headers: tuple[dict, ...] = field(default=(), repr=False, compare=False)  # of the paths, or none if not read yet

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
    frames : tuple of Frame
        Along the normal of their plane.
    sop_uids : tuple of str
        Of the files of the frames.
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
    frames: tuple[Frame, ...]
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

    def read(self, box=(slice(None),) * 3, factors=None):
        """Return the voxels of a box, three slices (z, y, x), as a `Volume`; rescaled to e.g. HU or Bq/ml.

        `factors` are those of each frame on top of that, e.g. from Bq/ml to SUV.
        """
        sizes = [len(range(*part.indices(size))) for part, size in zip(box, self.shape, strict=True)]
        check_image_size((sizes[0], *self.shape[1:]), f"The {self.name}", "Read a smaller part.")
        factors = np.ones(self.shape[0]) if factors is None else factors
        kind = type_of_values(self.frames) if (factors == 1).all() else np.dtype(float)
        voxels = np.empty(sizes, kind)
        for target, frame, factor in zip(voxels, self.frames[box[0]], factors[box[0]], strict=True):
            slope, intercept = (kind.type(value) for value in frame.rescaling)
            np.multiply(read_frame(frame.header, frame.index)[box[1:]], slope, out=target, dtype=kind)
            target += intercept
            if factor != 1:
                target *= factor
        corner = [part.indices(size)[0] for part, size in zip(box, self.shape, strict=True)]
        return self.volume_of(voxels, corner)


def find_series(folder, unreadable=None):
    """Return the `DicomSeries` in a folder and below, by their UID; files that are not DICOM are passed over.

    Headers of a folder that has not changed since are kept. Raises FileUnreadableError for a folder that does not
    exist, and for files that are or are named DICOM (.dcm) but cannot be read, DicomSeriesError for a folder without
    DICOM files. `unreadable`, a dict, takes the errors of such files by their path; then they are not raised.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileUnreadableError(f"'{folder}' is not a folder. Expected the folder of a download, with DICOM files.")
    paths = [Path(at) / name for at, _, names in sorted(os.walk(folder)) for name in sorted(names)]
    paths = [path for path in paths if not path.name.startswith("._") and path.is_file()]  # copies by macOS
    if unreadable is not None:
        series = _read_headers(paths, len(paths) <= _MOST_KEPT, unreadable)
    else:
        states = [path.stat() for path in paths]
        series = dict(
            _kept_series(tuple((path, at.st_mtime_ns, at.st_size) for path, at in zip(paths, states, strict=True)))
        )
    if not series:
        raise DicomSeriesError(f"'{folder}' holds no DICOM file of an image. Check the folder.")
    return series


@lru_cache(maxsize=2)
def _kept_series(files):
    return _read_headers([path for path, *_ in files], is_whole=len(files) <= _MOST_KEPT)


def _read_headers(paths, is_whole, unreadable=None):
    """Return {UID: DicomSeries} of files; with the headers of their slices if `is_whole`."""
    found = {}
    for path in with_progress(paths, "Reading headers", len(paths), "files"):
        try:
            header = _header_in_series(path, is_whole)
        except FileUnreadableError as error:
            if unreadable is None:
                raise
            unreadable[path] = error
        else:
            if header is not None:
                found.setdefault(str(header["SeriesInstanceUID"]), []).append((header, path))
    return {uid: series_of(files) for uid, files in found.items()}


def _header_in_series(path, is_whole):
    """Return the header of a file that belongs to a series, else None; raise an error if it should."""
    head = head_of(path)
    is_named = path.suffix.lower() in (".dcm", ".dicom")
    if not (is_named or is_dicom(head)):
        return None
    if not is_dicom(head):
        raise FileUnreadableError(f"'{path.name}' is not a DICOM file, as its name says. {_DAMAGED}")
    require_package("pydicom")
    header = read_slice_header(path) if is_whole else read_header(path, _OF_SERIES)
    if header.get("SeriesInstanceUID"):
        return header
    if header.get("SOPClassUID") != DIRECTORY and (is_named or head[128:132] == b"DICM"):
        raise FileUnreadableError(f"'{path.name}' has no SeriesInstanceUID. {_DAMAGED}")
    return None


def series_of(files):
    """Return the `DicomSeries` of files, pairs of a header and a path; the header may be of `read_slice_header`."""
    first, _ = files[0]
    uid, patient, modality, description, frame, _ = (str(first.get(name) or "") for name in _OF_SERIES)
    headers, paths = zip(*files, strict=True)
    return DicomSeries(uid, patient, modality, description, frame, paths, headers if "path" in first else ())


def head_of(path):
    """Return the first bytes of a file, for `is_dicom`."""
    try:
        with path.open("rb") as file:
            return file.read(132)
    except OSError as error:
        raise FileUnreadableError(f"'{path}' cannot be opened: {error.strerror}.") from error


def with_headers(series):
    """Return a `DicomSeries` with the headers of its files."""
    return series if series.headers else replace(series, headers=tuple(map(read_slice_header, series.paths)))


def grid_of(series):
    """Return the `SeriesGrid` of a series.

    Raises DicomSeriesError for slices that do not make one even stack: of different size or orientation, without a
    position, doubled, missing, or sheared (gantry tilt), and TruncatedFileError.
    """
    stack = checked_stack(series.name, with_headers(series).headers)
    first = stack.frames[0].place
    grid = SeriesGrid(
        series.name,
        stack.frames,
        tuple(frame.header.get("SOPInstanceUID", "") for frame in stack.frames),
        (len(stack.frames), int(first["Rows"]), int(first["Columns"])),
        stack.spacing_mm,
        stack.origin_mm,
        stack.direction,
    )
    check_geometry(series.name, grid.spacing_mm[::-1], grid.direction, "PixelSpacing or ImageOrientationPatient")
    return grid
