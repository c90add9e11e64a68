"""In: a manifest on disk (.csv, .tsv, .txt, .parquet). Out: its rows, in blocks that fit into memory or as a whole."""

import csv
import re
import warnings
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from radiodeep.cases.manifests.manifest import KNOWN, Manifest, known_among, manifest_of_frame, renamed
from radiodeep.exceptions import ManifestError, RadiodeepWarning
from radiodeep.extras import require_package

_SEPARATORS = {".csv": ",;\t", ".tsv": "\t;,", ".txt": "\t;,"}  # the customary one first
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
_EXPECTED = "Expected a .csv, .tsv or .parquet file"
_BLOCK = 8192  # rows
_SHOWN = 5  # rows of a wrong width


class ManifestFile:
    """A manifest on disk; iterating over it, as often as needed, yields its rows as `Manifest` blocks.

    There is one block at least. What is wrong with the file as a whole is raised after its last block.
    """

    def __init__(self, path):
        self.path = _checked_path(path)
        if self.path.suffix.lower() == ".parquet":
            require_package("pyarrow")
            self.encoding = None
        else:
            self.encoding = _encoding_of(self.path)

    def __iter__(self):
        return _text_blocks(self.path, self.encoding) if self.encoding else self._parquet_blocks()

    def whole(self):
        """Return all rows as one `Manifest`."""
        if self.encoding is None:
            with _unreadable_parquet(self.path):
                frame = pd.read_parquet(self.path)
            return manifest_of_frame(frame)
        blocks = list(self)
        if len(blocks) == 1:
            return blocks[0]
        frame = pd.concat([block.frame for block in blocks], ignore_index=True)
        row_names = np.concatenate([block.row_names for block in blocks])
        del blocks[1:]
        # Columns in one piece: of columns in pieces, each cell takes milliseconds.
        frame = pd.DataFrame({name: pd.Series(column.to_numpy(), dtype=str) for name, column in frame.items()})
        return replace(blocks[0], frame=frame, row_names=row_names)

    def _parquet_blocks(self):
        from pyarrow.parquet import ParquetFile

        begin = 0
        with _unreadable_parquet(self.path), ParquetFile(self.path) as file:
            if not file.metadata.num_rows:
                yield manifest_of_frame(file.read().to_pandas())
            for batch in file.iter_batches(_BLOCK):
                frame = batch.to_pandas()
                if isinstance(frame.index, pd.RangeIndex):
                    frame.index = pd.RangeIndex(begin, begin + len(frame))
                begin += len(frame)
                yield manifest_of_frame(frame)


@contextmanager
def _unreadable_parquet(path):
    """Turn errors of pyarrow, which have no base of their own, into a ManifestError."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"The manifest '{path.name}' is not a table that can be read: {error}") from error


def _checked_path(path):
    if hasattr(path, "columns"):
        raise ManifestError("read_cohort takes the path of a manifest. Got a DataFrame instead: Cohort.from_frame(df).")
    if not isinstance(path, str | PathLike):
        raise ManifestError(
            f"read_cohort takes the path of a manifest. Got {type(path).__name__} instead. {_EXPECTED}; "
            "Cohort.from_frame takes a DataFrame, Cohort a list of cases."
        )
    path = Path(path)
    if path.is_dir():
        raise ManifestError(f"The manifest '{path}' is a folder. {_EXPECTED}, e.g. '{path / 'manifest.csv'}'.")
    if not path.is_file():
        raise ManifestError(f"The manifest '{path}' does not exist. {_EXPECTED}.")
    if path.suffix.lower() not in (*_SEPARATORS, ".parquet"):
        saving = " Save it as 'CSV UTF-8' first." if path.suffix.lower() in (".xlsx", ".xls", ".ods") else ""
        raise ManifestError(f"The manifest '{path.name}' ends in '{path.suffix}'. {_EXPECTED}.{saving}")
    return path


def _encoding_of(path):
    """Return the encoding of a text: UTF-8, UTF-16 with a byte order mark, or else Windows-1252."""
    try:
        with path.open("rb") as file:
            is_utf16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")  # Excel's "Unicode text"
        encodings = ("utf-16",) if is_utf16 else ("utf-8-sig", "cp1252")
        encoding = next((encoding for encoding in encodings if _is_text(path, encoding)), None)
    except OSError as error:
        raise ManifestError(f"The manifest '{path}' cannot be opened: {error.strerror}.") from error
    if encoding is None:
        raise ManifestError(
            f"The manifest '{path.name}' is not a table that can be read: it is not plain text in UTF-8. "
            "Save it as 'CSV UTF-8'."
        )
    if encoding == "cp1252":
        with path.open(encoding=encoding, newline="") as lines:
            number, line = next((number, line) for number, line in enumerate(lines, 1) if not line.isascii())
        warnings.warn(
            f"The manifest '{path.name}' is not UTF-8; it was read as Windows-1252, so that line {number} is "
            f"{line.strip()[:80]!r}. If its letters are wrong, save it as 'CSV UTF-8'.",
            RadiodeepWarning,
            stacklevel=4,
        )
    return encoding


def _is_text(path, encoding):
    try:
        with path.open(encoding=encoding, newline="") as file:
            return all("\0" not in part for part in iter(lambda: file.read(2**20), ""))
    except UnicodeDecodeError:
        return False


def _text_blocks(path, encoding):
    separator, skipped, hint = _layout(path, encoding)
    header, columns = None, None
    rows, lines, wrong = [], [], []
    n_wrong = n_blocks = 0
    for row, line in _rows(path, encoding, separator, skipped):
        if header is None:
            header = row
            columns = _Columns(path.name, header)
        elif len(row) != len(header):
            n_wrong += 1
            wrong += [(line, row)] if n_wrong <= _SHOWN else []
        elif not n_wrong:
            rows.append(row)
            lines.append(line)
            if len(rows) == _BLOCK:
                yield Manifest(columns.frame(rows, lines), np.array(lines), "line", hint)
                n_blocks += 1
                rows, lines = [], []
    if n_wrong:
        raise ManifestError(_of_wrong_widths(path.name, header, n_wrong, wrong, separator))
    if rows or not n_blocks:
        yield Manifest(columns.frame(rows, lines), np.array(lines, dtype=int), "line", hint)
    columns.raise_problem()


def _layout(path, encoding):
    """Return the separator, the number of lines before the header, and what is uncertain about the separator."""
    separators, skipped, header_line = _SEPARATORS[path.suffix.lower()], 0, ""
    with path.open(encoding=encoding, newline="") as lines:
        for number, line in enumerate(lines):
            if number == 0 and re.fullmatch(r"sep=[,;\t]\s*", line):  # a line for Excel only
                separators, skipped = line[4], 1
            elif line.strip(" ,;\t\r\n"):
                header_line = line
                break
    if not header_line:
        raise ManifestError(f"The manifest '{path.name}' is not a table that can be read: it is empty.")
    separator = max(separators, key=lambda mark: (_n_known(header_line, mark), header_line.count(mark)))
    others = [_NAMES[mark] for mark in ",;\t" if mark != separator and mark in header_line]
    hint = f". It was split at {_NAMES[separator]}, but the header holds {others[0]}, too" if others else ""
    return separator, skipped, hint


def _n_known(header_line, separator):
    cells = next(csv.reader([header_line], delimiter=separator))
    return len({cell.strip().casefold() for cell in cells} & set(KNOWN))


def _rows(path, encoding, separator, skipped):
    """Yield the rows that are not blank, header first, and the line where each begins."""
    with path.open(encoding=encoding, newline="") as lines:
        for _ in range(skipped):
            next(lines)
        reader = csv.reader(lines, delimiter=separator, strict=True)
        begin = skipped + 1
        try:
            for row in reader:
                if "".join(row).strip():
                    yield row, begin
                begin = reader.line_num + skipped + 1
        except csv.Error as error:
            raise ManifestError(
                f"The manifest '{path.name}' is not a table that can be read: {error} in the row that begins in line "
                f"{begin}. Check its quotation marks."
            ) from error


def _of_wrong_widths(name, header, n_wrong, wrong, separator):
    listed = "\n".join(f"- line {line} has {len(row)} fields: {separator.join(row)[:100]}" for line, row in wrong)
    more = f"\n- and {n_wrong - _SHOWN} more lines" if n_wrong > _SHOWN else ""
    return (
        f"The manifest '{name}' cannot be used: its header has {len(header)} fields, separated by "
        f"{_NAMES[separator]}.\n{listed}{more}\n"
        'Put a cell that holds the separator into quotation marks, as in "Doe, John".'
    )


class _Columns:
    """The columns with names; values in columns without one are a problem that is raised after the last row."""

    def __init__(self, name, header):
        self.name = name
        self.unnamed = [position for position, title in enumerate(header) if not title.strip()]
        self.kept = [position for position, title in enumerate(header) if title.strip()]
        self.titles = [header[position] for position in self.kept]
        self.filled = self.repeated = None
        try:
            self.titles = renamed(self.titles)
        except ManifestError as error:
            self.repeated = error
        self.known = known_among(self.titles)

    def frame(self, rows, lines):
        columns = list(zip(*rows, strict=True)) or [()] * (len(self.kept) + len(self.unnamed))
        for position in self.unnamed:
            filled = next((line for cell, line in zip(columns[position], lines, strict=True) if cell.strip()), None)
            if filled is not None and self.filled is None:
                self.filled = ManifestError(
                    f"Column {position + 1} of the manifest '{self.name}' has a value in line {filled}, no name."
                )
        if self.filled or self.repeated:
            return pd.DataFrame()
        data = {
            title: [cell.strip() for cell in columns[position]] if title in self.known else list(columns[position])
            for title, position in zip(self.titles, self.kept, strict=True)
        }
        return pd.DataFrame(data, dtype=str)

    def raise_problem(self):
        if self.filled or self.repeated:
            raise self.filled or self.repeated
