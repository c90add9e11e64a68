"""In: the header of a NRRD or MetaImage file. Out: the files that hold its voxels, and the voxels.

SimpleITK reads these headers too, but it does not verify checksums, and it reads any file that a header names.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiodeep.cases.formats.streams import GZIP, PADDING, check_padding, decoded, too_short
from radiodeep.exceptions import FileUnreadableError, UnsupportedImageError

_LONGEST_HEADER = 2**24
_MOST_FILES = 100_000
_NUMBERED = re.compile(r"([^%]*%0?\d{0,2}d[^%\s]*)\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})(?:\s+\d+)?")
_NRRD_ENCODINGS = {
    "raw": "raw",
    **dict.fromkeys(("gz", "gzip"), "gzip"),
    **dict.fromkeys(("txt", "text", "ascii", "hex"), "text"),
}


@dataclass(frozen=True)
class Layout:
    """Where the voxels of an image lie.

    Each file, in the order of their data, holds an equal share, which begins at byte `start`, or ends with the file if
    `start` is -1. `encoding` is "raw", "gzip", "zlib" or "text", `byte_order` "<" or ">". Before the voxels come
    `skipped_lines` of the file, and `skipped_bytes` after decoding.
    """

    files: list[Path]
    start: int = 0
    encoding: str = "raw"
    byte_order: str = "<"
    skipped_lines: int = 0
    skipped_bytes: int = 0


def read_layout(path):
    """Read the header of a NRRD or MetaImage file, and check the data files that it names, as a `Layout`.

    Raises FileUnreadableError for a header that cannot be read, and for a data file that does not exist, is not a
    regular file, or lies outside the header's folder; UnsupportedImageError for an encoding that is not supported.
    """
    with path.open("rb") as file:
        layout = (_nrrd_layout if file.read(4) == b"NRRD" else _meta_layout)(file, path)
    for data_file in layout.files:
        if data_file is not path:
            _check_data_file(data_file, path)
    return layout


def read_voxels(layout, shape, dtype, name):
    """Read the voxels of a layout, raw or compressed, as an array (z, y, x) in native byte order.

    Raises TruncatedFileError if there are fewer or more bytes than voxels, or a checksum is wrong; `name` is that of
    the header's file, for messages.
    """
    n_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    share, left = divmod(n_bytes, len(layout.files))
    if left:
        raise FileUnreadableError(f"'{name}' does not divide its voxels evenly among {len(layout.files)} files.")
    voxels = np.empty(n_bytes, np.uint8)
    for number, path in enumerate(layout.files):
        _read_into(voxels[number * share : (number + 1) * share], path, layout)
    array = voxels.view(dtype).reshape(shape)
    is_native = dtype.itemsize == 1 or dtype.newbyteorder(layout.byte_order).isnative
    return array if is_native else array.byteswap(inplace=True)


def _read_into(target, path, layout):
    with path.open("rb") as file:
        if layout.start == -1 or layout.skipped_bytes == -1:
            file.seek(max(os.fstat(file.fileno()).st_size - target.size, 0))
        else:
            file.seek(layout.start)
            for _ in range(layout.skipped_lines):
                file.readline()
        skipped = max(layout.skipped_bytes, 0)
        if layout.encoding == "raw":
            file.seek(skipped, os.SEEK_CUR)
            n_read = file.readinto(target)
            check_padding(file.read(PADDING + 1), target.size, path.name)
        else:
            packed = file.read()
            encoding = "gzip" if packed[:2] == GZIP else layout.encoding  # MetaImage takes either
            data = decoded(packed, encoding, target.size + skipped, path.name)
            target[:] = np.frombuffer(data, np.uint8)[skipped:]
            n_read = target.size
    if n_read < target.size:
        raise too_short(path.name, n_read, target.size)


def _nrrd_layout(file, path):
    fields = {}
    names = None  # of the data files, if the header lists them
    for line in _header_lines(file, path):
        if not line.strip():
            break
        if names is not None:
            names.append(line.strip())
        elif not line.startswith("#") and ":=" not in line:
            key, _, value = line.partition(":")
            key = key.strip().lower().replace(" ", "")
            fields[key] = value.strip()
            if key == "datafile" and value.split()[:1] == ["LIST"]:
                names = []
    encoding = _NRRD_ENCODINGS.get(fields.get("encoding", "").lower())
    if encoding is None:
        raise UnsupportedImageError(
            f"'{path.name}' has the encoding {fields.get('encoding', '')!r}. Expected raw or gzip; save it again."
        )
    data_file = fields.get("datafile")
    return Layout(
        _data_files(data_file, names, path),
        start=file.tell() if data_file is None else 0,
        encoding=encoding,
        byte_order=">" if fields.get("endian", "").lower() == "big" else "<",
        skipped_lines=_integer(fields.get("lineskip", "0"), path),
        skipped_bytes=_integer(fields.get("byteskip", "0"), path),
    )


def _meta_layout(file, path):
    file.seek(0)
    fields = {}
    names = None  # of the data files, if the header lists them
    for line in _header_lines(file, path):
        if names is not None:
            names.extend([line.strip()] if line.strip() else [])
            continue
        key, _, value = line.partition("=")
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            if value.split()[:1] != ["LIST"]:
                break
            names = []
    data_file = fields.get("ElementDataFile")
    if data_file is None:
        raise FileUnreadableError(f"'{path.name}' has a header without ElementDataFile. Copy or export it again.")
    is_local = data_file.lower() == "local"
    big_endian = _is_true(fields.get("ElementByteOrderMSB", fields.get("BinaryDataByteOrderMSB", "False")))
    start = _integer(fields.get("HeaderSize", "0"), path)
    return Layout(
        _data_files(None if is_local else data_file, names, path),
        start=file.tell() if is_local and start == 0 else start,
        encoding=_meta_encoding(fields),
        byte_order=">" if big_endian else "<",
    )


def _meta_encoding(fields):
    if not _is_true(fields.get("BinaryData", "True")):
        return "text"
    return "zlib" if _is_true(fields.get("CompressedData", "False")) else "raw"


def _is_true(text):
    return text[:1] in ("T", "t", "1")


def _header_lines(file, path):
    """Yield the lines of a header as text; the file position is after the last one."""
    while file.tell() < _LONGEST_HEADER:
        line = file.readline(_LONGEST_HEADER)
        if not line:
            return
        yield line.decode("latin-1").rstrip("\r\n")
    raise FileUnreadableError(f"'{path.name}' has a header without an end. Copy or export it again.")


def _integer(text, path):
    try:
        number = int(text)
    except ValueError:
        number = -2
    if not -1 <= number < 2**63:
        raise FileUnreadableError(f"'{path.name}' has a header with a wrong number of bytes to skip: {text!r}.")
    return number


def _data_files(declared, names, path):
    """Return the paths of the data files: the header's own file, another one, a list, or numbered files."""
    if declared is None:
        return [path]
    numbered = _NUMBERED.fullmatch(declared)
    if names is None and numbered:
        first, last, step = (int(number) for number in numbered.group(2, 3, 4))
        numbers = range(first, last + 1, max(step, 1))
        names = [numbered.group(1) % number for number in numbers[: _MOST_FILES + 1]]
    names = [declared] if names is None else names
    if not 1 <= len(names) <= _MOST_FILES:
        raise FileUnreadableError(f"'{path.name}' names {len(names)} data files. Expected 1 to {_MOST_FILES}.")
    return [path.parent / name for name in names]


def _check_data_file(data_file, path):
    """Raise an error unless a data file is a regular file in the folder of its header, or below."""
    folder = os.path.abspath(path.parent)
    # The names count, not the targets of links: data managers keep every file as a link.
    if os.path.commonpath([folder, os.path.abspath(data_file)]) != folder:
        raise FileUnreadableError(
            f"'{path.name}' names the data file '{data_file}', which lies outside its own folder. Move the data file "
            "beside the header and correct the name in it, or save the image as one file (.nrrd, .mha)."
        )
    try:
        mode = data_file.stat().st_mode
    except (OSError, ValueError) as error:
        raise FileUnreadableError(
            f"'{path.name}' names the data file '{data_file}', which cannot be found. Copy it into the folder of "
            "the header."
        ) from error
    if not stat.S_ISREG(mode):
        raise FileUnreadableError(
            f"'{path.name}' names the data file '{data_file}', which is not a regular file. Save the image as one "
            "file (.nrrd, .mha)."
        )
