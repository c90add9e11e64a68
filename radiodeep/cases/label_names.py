"""In: a label image, or a folder of organ masks. Out: the names of its regions, and the values or files they stand for.

Names come from the image's own header or from a file that a segmentation tool or a user put beside it:

- NIfTI: the ``LabelTable`` in a header extension of the XML kind ``CaretExtension``, which TotalSegmentator (``--ml``)
  and Connectome Workbench write (TotalSegmentator, totalsegmentator/nifti_ext_header.py).
- .seg.nrrd of 3D Slicer: the fields ``Segment<N>_Name`` and ``Segment<N>_LabelValue`` (Slicer developer guide,
  "Segmentation labelmap file format").
- A table named like the image or ``labels``, with the suffix .csv, .tsv, .txt or .json: pairs of value and name, the
  columns `index` and `name` of BIDS (``*_dseg.tsv``), or the label description file of ITK-SNAP.
- nnU-Net: "labels" in ``dataset.json``; name to value, of version 1 value to name, and lists of values for regions
  (nnU-Net, documentation/dataset_format.md and region_based_training.md).
- MONAI bundles: network_data_format.outputs.pred.channel_def in ``metadata.json`` (MONAI Bundle Specification).
"""

import csv
import gzip
import json
import re
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

from radiodeep.cases.formats.streams import GZIP
from radiodeep.cases.region_names import listed_names
from radiodeep.exceptions import AmbiguousMaskError, FileUnreadableError, UnsupportedImageError

_VOLUME = re.compile(r"(?!\.)(.+?)(\.seg)?\.(nii|nii\.gz|nrrd|nhdr|mha|mhd)", re.IGNORECASE)
_LARGEST_TABLE = 2**24  # bytes
_LABEL_TABLE = re.compile(rb"<CaretExtension.*?</CaretExtension>", re.DOTALL)
_SEGMENT = re.compile(r"Segment(\d+)_(Name|LabelValue|Layer):=(.*)")
_SNAP = re.compile(r'\s*(\d+)(?:\s+[\d.]+){6}\s+"(.*)"\s*')
_INDEX_TITLES = ("index", "value", "label", "id", "key", "idx")
_FOLDERS_UP = 2


def label_names(path):
    """Return what the values of a label image are called, as a dict from name to value.

    A value is an int, or a tuple of ints for a region that joins several labels (region-based nnU-Net). The background,
    0, has no name. The dict is empty if neither the header nor a file beside it, or up to two folders above, has names.

    Raises FileUnreadableError for a missing file and for a table that cannot be understood, UnsupportedImageError for a
    .seg.nrrd of overlapping segments.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise FileUnreadableError(f"'{path}' cannot be opened: {error.strerror}. Check the path.") from error
    if head == b"NRRD":
        refuse_layers(path)
        names = _slicer_names(path)
    else:
        names = _caret_names(path, head) if _stem(path) and path.suffix.lower() in (".nii", ".gz") else {}
    return names or _names_beside(path)


def organ_files(folder):
    """Return the masks in a folder of one file per region, such as that of TotalSegmentator, by name.

    The name of a region is that of its file without suffix. Files that are not volumes, such as ``statistics.json`` or
    ``preview_total.png``, and hidden files do not count. Raises AmbiguousMaskError for two files of one name.
    """
    organs = {}
    for path in sorted(Path(folder).iterdir()):
        match = _VOLUME.fullmatch(path.name)
        if match and path.is_file():
            other = organs.setdefault(match.group(1), path)
            if other is not path:
                raise AmbiguousMaskError(
                    f"'{other.name}' and '{path.name}' in '{folder}' are both called '{match.group(1)}'. Remove one."
                )
    return organs


def _stem(path):
    match = _VOLUME.fullmatch(path.name)
    return match.group(1) if match else path.stem


def _caret_names(path, head):
    """Return the names in the header extension of a NIfTI file; what is damaged is left to the reader of voxels."""
    try:
        with (gzip.open if head[:2] == GZIP else open)(path, "rb") as file:
            header = file.read(352)
            order = "<" if int.from_bytes(header[:4], "little") in (348, 540) else ">"
            is_first = struct.unpack_from(f"{order}i", header)[0] == 348
            start = struct.unpack_from(*((f"{order}f", header, 108) if is_first else (f"{order}q", header, 168)))[0]
            header += file.read(max(0, min(int(start), _LARGEST_TABLE) - len(header)))
    except (OSError, EOFError, ValueError, OverflowError, struct.error, zlib.error):
        return {}
    found = _LABEL_TABLE.search(header)
    if not found or b"<!" in found.group().replace(b"<![CDATA[", b""):  # no entities, which may expand without end
        return {}
    try:
        labels = ElementTree.fromstring(found.group()).iter("Label")
        pairs = [(int(label.get("Key")), (label.text or "").strip()) for label in labels]
    except (ElementTree.ParseError, TypeError, ValueError) as error:
        raise FileUnreadableError(
            f"'{path.name}' has a table of labels in its header that cannot be read: {error}. Save it again."
        ) from error
    return _checked(pairs, path.name)


def _slicer_names(path):
    """Return the names in the header of a NRRD file; a segment without label value is alone in the file, with 1."""
    try:
        pairs = [(int(segment.get("LabelValue", 1)), segment["Name"]) for segment in _segments(path).values()]
    except (KeyError, ValueError) as error:
        raise FileUnreadableError(f"'{path.name}' has a segment without name or number. Save it again.") from error
    return _checked(pairs, path.name)


def refuse_layers(path):
    """Raise UnsupportedImageError, with the names, for a NRRD file of segments that overlap: each layer is an image."""
    segments = _segments(path)
    layers = {segment.get("Layer", "0" if "LabelValue" in segment else number) for number, segment in segments.items()}
    if len(layers) > 1:
        raise UnsupportedImageError(
            f"'{path.name}' holds overlapping segments in {len(layers)} layers: "
            f"{listed_names([segment.get('Name', '') for segment in segments.values()])}. Save the segment that you "
            "need, or segments that do not overlap, as a file of its own in 3D Slicer (Segmentations, Export to files)."
        )


def _segments(path):
    """Return the fields of each segment in the header of a NRRD file, by its number."""
    segments = {}
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(_LARGEST_TABLE).strip(b"\r\n"), b""):
            match = _SEGMENT.fullmatch(line.decode("utf-8", "replace"))
            if match:
                segments.setdefault(int(match.group(1)), {})[match.group(2)] = match.group(3).strip()
    return segments


def _names_beside(path):
    """Return the names in the nearest table: of the image's own, of its folder, or of folders above."""
    for stem in dict.fromkeys((_stem(path), path.name, "labels")):
        for suffix, read in _TABLES.items():
            table = path.with_name(stem + suffix)
            if table.is_file() and table != path:
                names = read(table)
                if names:
                    return names
    folder = path.absolute().parent
    for parent in (folder, *folder.parents[:_FOLDERS_UP]):
        for name, read in (
            ("dataset.json", _nnunet_names),
            ("metadata.json", _monai_names),
            ("configs/metadata.json", _monai_names),
        ):
            names = read(parent / name) if (parent / name).is_file() else {}
            if names:
                return names
    return {}


def _nnunet_names(path):
    labels = _parsed_json(path).get("labels")
    return _names_of_dict(labels, path) if isinstance(labels, dict) else {}


def _monai_names(path):
    """Return the names of a bundle's output; if its first channel is not the background, channels are not values."""
    content = _parsed_json(path)
    for key in ("network_data_format", "outputs", "pred", "channel_def"):
        content = content.get(key) if isinstance(content, dict) else None
    is_label_image = isinstance(content, dict) and "background" in str(content.get("0", "")).casefold()
    return _names_of_dict(content, path) if is_label_image else {}


def _json_names(path):
    """Return the names of a plain JSON table; {} for other JSON files, e.g. the acquisition that dcm2niix writes."""
    content = _parsed_json(path)
    content = content.get("labels", content)
    is_table = isinstance(content, dict) and (all(map(_is_whole, content)) or all(map(_is_value, content.values())))
    return _names_of_dict(content, path) if is_table else {}


def _parsed_json(path):
    try:
        content = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise FileUnreadableError(f"'{path.name}' is not JSON: {error}. Correct it, or move it away.") from error
    return content if isinstance(content, dict) else {}


def _names_of_dict(labels, path):
    """Return {name: value} of a dict in either direction."""
    if all(map(_is_whole, labels)) and not all(map(_is_whole, labels.values())):
        pairs = [(int(value), name) for value, name in labels.items()]
    else:
        pairs = [(value, name) for name, value in labels.items()]
    if not all(isinstance(name, str) and _is_value(value) for value, name in pairs):
        raise FileUnreadableError(
            f"'{path.name}' has labels that cannot be understood: {labels!s:.200}. Expected names and whole numbers, "
            'e.g. {"background": 0, "tumour": 1} or {"0": "background", "1": "tumour"}.'
        )
    return _checked(pairs, path.name)


def _text_names(path):
    """Return the names of a table of two columns, one with index and name, or ITK-SNAP's label descriptions."""
    lines = [line for line in _text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    snap = [_SNAP.fullmatch(line) for line in lines]
    if lines and all(snap):
        return _checked([(int(match.group(1)), match.group(2)) for match in snap], path.name)
    mark = max(",;\t", key=lambda mark: sum(mark in line for line in lines))
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=mark, strict=True)]
    except csv.Error as error:
        raise FileUnreadableError(f"'{path.name}' is not a table of labels: {error}. Move it away.") from error
    titles = [title.casefold() for title in rows[0]] if rows else []
    index = next((title for title in _INDEX_TITLES if title in titles), None)
    if "name" in titles and index is not None:
        chosen = titles.index(index), titles.index("name")
        rows = [[row[column] for column in chosen] for row in rows[1:] if len(row) > max(chosen)]
    elif rows:
        rows = rows if any(map(_is_whole, rows[0])) else rows[1:]
        is_first, is_last = (all(_is_whole(row[end]) for row in rows) for end in (0, -1))
        if rows and is_first == is_last:
            raise _no_table(path, "it does not show which column has the numbers of labels")
        rows = rows if is_first else [row[::-1] for row in rows]
    wrong = next((row for row in rows if len(row) != 2 or not _is_whole(row[0])), None)
    if wrong is not None or not rows:
        raise _no_table(path, "no row has a number" if wrong is None else f"it has the row {wrong!r:.100}")
    return _checked([(int(value), name) for value, name in rows], path.name)


def _no_table(path, reason):
    return FileUnreadableError(
        f"'{path.name}' lies beside the mask, but is not a table of its labels: {reason}. Expected a whole number and "
        "a name in each row, e.g. '1,liver', or the titles index and name. Correct it, or move it away."
    )


def _text(path):
    if path.stat().st_size > _LARGEST_TABLE:
        raise FileUnreadableError(f"'{path.name}' is too large for a table of labels. Move it away from the mask.")
    return path.read_bytes().decode("utf-8-sig", "replace")


def _is_whole(text):
    return isinstance(text, str) and bool(re.fullmatch(r"\s*\d{1,9}\s*", text))


def _is_value(value):
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def _checked(pairs, table):
    """Return {name: value} without the background; raise an error for a name of two values, or a value of two names."""
    names, by_value = {}, {}
    for value, name in pairs:
        value = tuple(value) if isinstance(value, list) else value
        if value and name and names.setdefault(name, value) != value:
            raise FileUnreadableError(
                f"'{table}' calls both {names[name]} and {value} '{name}'. Give every region a name of its own."
            )
        if value and name and by_value.setdefault(value, name) != name:
            raise FileUnreadableError(
                f"'{table}' calls {value} both '{by_value[value]}' and '{name}'. Give every region one name."
            )
    return names


_TABLES = {".json": _json_names, ".csv": _text_names, ".tsv": _text_names, ".txt": _text_names}
