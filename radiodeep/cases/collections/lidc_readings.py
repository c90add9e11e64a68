"""In: an XML file of LIDC-IDRI. Out: the nodules of 3 mm and more that each of its readers outlined and rated."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from radiodeep.exceptions import FileUnreadableError

# Names of the manifest's columns, by the elements of the XML file. All are ordered but the first two.
CHARACTERISTICS = {
    "internalStructure": "internal_structure",
    "calcification": "calcification",
    "subtlety": "subtlety",
    "sphericity": "sphericity",
    "margin": "margin",
    "lobulation": "lobulation",
    "spiculation": "spiculation",
    "texture": "texture",
    "malignancy": "malignancy",
}
NOMINAL = ("internal_structure", "calcification")
_LARGEST_FILE = 2**25  # bytes; those of the collection have less than a tenth
_ROOT = "LidcReadMessage"


@dataclass(frozen=True, eq=False)
class Border:
    """The outer border of a nodule, or of a hole in it, in one slice.

    Attributes
    ----------
    sop_uid : str
        Of the slice.
    z_mm : float or None
        Its position.
    is_inclusion : bool
        False for a hole.
    points : int ndarray of shape (n, 2)
        Pixels (x, y), the first pixel of the image is (0, 0). They do not belong to what they surround.
    """

    sop_uid: str
    z_mm: float | None
    is_inclusion: bool
    points: np.ndarray


@dataclass(frozen=True, eq=False)
class Reading:
    """A nodule as one reader outlined and rated it; `reader` counts the readers of the scan from 0."""

    reader: int
    ratings: dict
    borders: list


@dataclass(frozen=True, eq=False)
class Annotations:
    """The readings of a scan; `series_uid` is that of its CT."""

    path: Path
    series_uid: str
    n_readers: int
    readings: list


def read_annotations(path):
    """Read an XML file of LIDC-IDRI as `Annotations`, or return None for XML of something else.

    Nodules under 3 mm, marked by one point and not rated, and findings that are no nodules are passed over. Raises
    FileUnreadableError for XML that is damaged, large, or declares a document type, which could expand to any
    size and which those of the collection do not.
    """
    path = Path(path)
    root = _parsed(path)
    if root.tag != _ROOT:
        return None
    try:
        sessions = root.findall("readingSession")
        readings = [
            reading
            for number, session in enumerate(sessions)
            for nodule in session.findall("unblindedReadNodule")
            if (reading := _reading(number, nodule)) is not None
        ]
        uid = root.find("ResponseHeader").findtext("SeriesInstanceUid", "").strip()
    except (AttributeError, TypeError, ValueError) as error:
        raise FileUnreadableError(f"'{path.name}' lacks elements of an LIDC-IDRI annotation: {error}.") from error
    return Annotations(path, uid, len(sessions), readings)


def _parsed(path):
    """Return the root of an XML file, its elements without namespaces and attributes."""
    if path.stat().st_size > _LARGEST_FILE:
        raise FileUnreadableError(f"'{path.name}' has {path.stat().st_size} bytes. Expected at most {_LARGEST_FILE}.")

    def refuse(*_):
        raise FileUnreadableError(f"'{path.name}' declares a document type. Expected plain XML, as in LIDC-IDRI.")

    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, _: builder.start(name.rpartition("}")[2], {})
    parser.EndElementHandler = lambda name: builder.end(name.rpartition("}")[2])
    parser.CharacterDataHandler = builder.data
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
        return builder.close()
    except expat.ExpatError as error:
        raise FileUnreadableError(f"'{path.name}' is not XML that can be read: {error}.") from error


def _reading(reader, nodule):
    rated = nodule.find("characteristics")
    ratings = {} if rated is None else {name: _rating(rated, element) for element, name in CHARACTERISTICS.items()}
    if not ratings.get("malignancy"):
        return None
    borders = [_border(roi) for roi in nodule.findall("roi")]
    return Reading(reader, ratings, [border for border in borders if len(border.points)])


def _rating(rated, element):
    """Return a rating as an int, 0 if it is blank."""
    return int(rated.findtext(element, "").strip() or 0)


def _border(roi):
    points = [(int(edge.findtext("xCoord")), int(edge.findtext("yCoord"))) for edge in roi.findall("edgeMap")]
    z_mm = roi.findtext("imageZposition", "").strip()
    return Border(
        roi.findtext("imageSOP_UID", "").strip(),
        float(z_mm) if z_mm else None,
        roi.findtext("inclusion", "TRUE").strip().upper() != "FALSE",
        np.array(points, int).reshape(-1, 2),
    )
