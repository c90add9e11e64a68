"""In: a manifest (.csv, .tsv, .parquet, DataFrame). Out: checked rows, one per case, or all problems in one error."""

import csv
import io
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from radiodeep.cases.manifest_images import ImageColumns, canonical_titles
from radiodeep.exceptions import InputError, ManifestError, RadiodeepWarning
from radiodeep.extras import require_package

_REQUIRED = ("id", "image", "mask")
_OPTIONAL = ("patient", "label", "mask_label", "time", "event")
_FOLLOW_UP = {"time", "event"}  # columns of their own unless both are there: "time" may be that of the scan
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KNOWN = (*_REQUIRED, *_OPTIONAL, "roi_name")
_SEPARATORS = {".csv": ",;\t", ".tsv": "\t;,", ".txt": "\t;,"}  # the customary one first
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
_EXPECTED = "Expected a .csv, .tsv or .parquet file"
# "1,0" is what Excel writes for 1.0 in much of Europe; "1,000" could be a thousand and is not taken for 1.
_WHOLE = re.compile(r"[+-]?\d+(\.0*|,0{1,2})?")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_EVENTS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True, eq=False)
class Manifest:
    """The rows of a manifest.

    `frame` has the known columns as stripped text, "" if a cell is blank, and the other columns as given. `row_names`
    are the lines of the rows in the file, or their names in the DataFrame, and `unit` is "line" or "row". The `hint`,
    e.g. that the separator is uncertain, is added to errors about missing columns.
    """

    frame: pd.DataFrame
    row_names: list
    unit: str
    hint: str = ""

    @property
    def images(self):
        return ImageColumns.of(self.frame.columns)

    @property
    def other_columns(self):
        """The columns that say something else of the patients."""
        known = _known_among(self.frame.columns)
        return [name for name in self.frame.columns if name not in known]

    @property
    def has_follow_up(self):
        return set(self.frame.columns) >= _FOLLOW_UP

    def where(self, positions):
        """Return e.g. "line 3" or "lines 3, 7" for rows by their position, five at most."""
        names = [str(self.row_names[position]) for position in positions]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f"{self.unit}{'s' if len(names) > 1 else ''} {', '.join(names[:5])}{more}"


def read_manifest(path):
    """Read the rows of a file; see `read_cohort`."""
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
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        require_package("pyarrow")
        return manifest_of_frame(_read_parquet(path))
    if suffix not in _SEPARATORS:
        saving = " Save it as 'CSV UTF-8' first." if suffix in (".xlsx", ".xls", ".ods") else ""
        raise ManifestError(f"The manifest '{path.name}' ends in '{path.suffix}'. {_EXPECTED}.{saving}")
    return _parse(_decoded(path), path.name, _SEPARATORS[suffix])


def manifest_of_frame(frame):
    """Return the rows of a DataFrame, whose index may hold the ids."""
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"Cohort.from_frame takes a DataFrame. Got {type(frame).__name__} instead.")
    if "id" not in frame.columns and frame.index.name == "id":
        frame = frame.reset_index()
    columns = _renamed(list(frame.columns))
    frame = frame.set_axis(columns, axis=1)
    known = [name for name in columns if name in _known_among(columns)]
    for name in known:
        frame[name] = pd.Series([_text(value) for value in frame[name].tolist()], frame.index, dtype=str)
    kept = (frame[known] != "").any(axis=1).to_numpy() if known else np.ones(len(frame), bool)
    return Manifest(frame[kept].reset_index(drop=True), frame.index[kept].tolist(), "row")


def check_manifest(manifest):
    """Return a sentence for every problem of the rows."""
    frame = manifest.frame
    images = manifest.images
    contradictions = images.contradictions(frame)
    if contradictions:
        return contradictions
    missing = [name for name in ("id", *images.lacking(frame.columns)) if name not in frame.columns]
    if missing:
        named = ", ".join(map(str, frame.columns[:8])) or "none"
        if len(frame.columns) > 8:
            named += f" and {len(frame.columns) - 8} more (a table of features can only be studied)"
        return [
            f"missing column '{name}'; expected {', '.join(_REQUIRED)} (of several images image_T1, mask_T1, ...) and, "
            f"as wanted, {', '.join(_OPTIONAL)}; it has {named}{manifest.hint}{_as_written(name, frame.columns)}"
            for name in missing
        ]
    if not len(frame):
        return ["it has no rows"]
    blank = np.flatnonzero(frame["id"] == "")
    problems = [f"blank 'id' in {manifest.where(blank)}"] if blank.size else []
    problems += images.problems(manifest)
    return problems + _problems_of_ids(manifest) + _problems_of_options(manifest) + _problems_of_follow_up(manifest)


def _as_written(name, columns):
    """Return a hint if a column is there in other capital and small letters, else ""."""
    same = [column for column in columns if str(column).casefold() == name.casefold()]
    return f" ('{same[0]}' is in other letters)" if same else ""


def parse_labels(texts):
    """Return labels as ints if all are whole, as floats if all are numbers, else as text; None if blank."""
    given = [text for text in texts if text]
    if all(_WHOLE.fullmatch(text) for text in given):
        return [int(re.split("[.,]", text)[0]) if text else None for text in texts]
    if all(_DECIMAL.fullmatch(text) for text in given):
        return [float(text) if text else None for text in texts]
    return [text or None for text in texts]


def parse_time(text):
    """Return a time of follow-up as a float, None if blank, or NaN if it is not a finite number > 0."""
    if not text:
        return None
    whole = re.split("[.,]", text)[0] if _WHOLE.fullmatch(text) else text
    time = float(whole) if _DECIMAL.fullmatch(whole) else np.nan
    return time if 0 < time < np.inf else np.nan


def parse_event(text):
    """Return whether the event happened as a bool, None if blank, or NaN if the text does not say so."""
    whole = re.split("[.,]", text)[0] if _WHOLE.fullmatch(text) else text
    return _EVENTS.get(whole.casefold(), np.nan) if text else None


def parse_mask_label(text):
    """Return the mask label of a checked cell: an int, "any" or None."""
    return text or None if text in ("", "any") else int(re.split("[.,]", text)[0])


def warn_of_blank_patients(manifest):
    """Warn if some cases have a patient and others have none."""
    if "patient" not in manifest.frame.columns:
        return
    blank = np.flatnonzero(manifest.frame["patient"] == "")
    if 0 < blank.size < len(manifest.frame):
        warnings.warn(
            f"{blank.size} of {len(manifest.frame)} cases have no patient ({manifest.where(blank)}). Each counts as a "
            "patient of its own; if one belongs to a patient of another row, a study would train and test on the "
            "same patient. Fill in the column 'patient'.",
            RadiodeepWarning,
            stacklevel=4,
        )


def _problems_of_ids(manifest):
    ids = manifest.frame["id"]
    problems = []
    for case_id in dict.fromkeys(ids[ids.duplicated() & (ids != "")]):
        places = manifest.where(np.flatnonzero(ids == case_id))
        problems.append(f"the id '{case_id}' stands in {places}; every case needs its own")
    for name in ("id", *manifest.images.known, "patient"):
        values = manifest.frame[name].tolist() if name in manifest.frame.columns else []
        if CONTROL_CHARACTER.search("".join(values)):
            odd = [position for position, value in enumerate(values) if CONTROL_CHARACTER.search(value)]
            problems.append(f"the {name} {values[odd[0]]!r} in {manifest.where(odd)} holds a control character")
    return problems


def _problems_of_options(manifest):
    frame = manifest.frame
    problems = []
    if "label" in frame.columns:
        texts = frame["label"].tolist()
        odd = [row for row, text in enumerate(texts) if _DECIMAL_COMMA.fullmatch(text)]
        if odd and not all(_WHOLE.fullmatch(text) for text in texts if text):
            problems.append(f"the label '{texts[odd[0]]}' in {manifest.where(odd)} has a decimal comma; write a point")
    for position, text in enumerate(frame["mask_label"] if "mask_label" in frame.columns else []):
        if text not in ("", "any") and not _WHOLE.fullmatch(text):
            problems.append(
                f"the mask_label '{text}' in {manifest.where([position])} is neither a whole number nor 'any'"
            )
    if "roi_name" in frame.columns:
        named = np.flatnonzero(frame["roi_name"] != "")
        if named.size:
            problems.append(
                f"'roi_name' in {manifest.where(named)}: regions by name belong to DICOM structure sets, which cannot "
                "be read yet; choose the region by number with the column 'mask_label'"
            )
    return problems


def _problems_of_follow_up(manifest):
    if not manifest.has_follow_up:
        return []
    problems = []
    times, events = (manifest.frame[name].tolist() for name in ("time", "event"))
    for name, texts, parse, allowed in (
        ("time", times, parse_time, "a number > 0 with a decimal point"),
        ("event", events, parse_event, "1 or 0, true or false, yes or no"),
    ):
        odd = [row for row, text in enumerate(texts) if text and parse(text) != parse(text)]  # NaN
        if odd:
            problems.append(f"the {name} '{texts[odd[0]]}' in {manifest.where(odd)} is not {allowed}")
    halves = [row for row, (time, event) in enumerate(zip(times, events, strict=True)) if bool(time) != bool(event)]
    if halves:
        problems.append(
            f"only one of 'time' and 'event' in {manifest.where(halves)}; fill in both, or none if the follow-up is "
            "unknown"
        )
    return problems


def _read_parquet(path):
    try:
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow's errors have no base of their own
        raise ManifestError(f"The manifest '{path.name}' is not a table that can be read: {error}") from error


def _decoded(path):
    """Return the text of a file in UTF-8, in UTF-16 with a byte order mark, or else in Windows-1252."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ManifestError(f"The manifest '{path}' cannot be opened: {error.strerror}.") from error
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))  # Excel's "Unicode text"
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            text = "\0"
    if "\0" in text:
        raise ManifestError(
            f"The manifest '{path.name}' is not a table that can be read: it is not plain text in UTF-8. "
            "Save it as 'CSV UTF-8'."
        )
    if encoding == "cp1252":
        number, line = next((number, line) for number, line in enumerate(_lines(text), 1) if not line.isascii())
        warnings.warn(
            f"The manifest '{path.name}' is not UTF-8; it was read as Windows-1252, so that line {number} is "
            f"{line.strip()[:80]!r}. If its letters are wrong, save it as 'CSV UTF-8'.",
            RadiodeepWarning,
            stacklevel=4,
        )
    return text


def _lines(text):
    return list(io.StringIO(text, newline=""))  # str.splitlines would also split at form feeds and the like


def _parse(text, name, separators):
    lines = _lines(text)
    skipped = 0
    if lines and re.fullmatch(r"sep=[,;\t]\s*", lines[0]):  # a line for Excel only
        separators, skipped = lines[0][4], 1
    header_line = next((line for line in lines[skipped:] if line.strip(" ,;\t\r\n")), "")
    if not header_line:
        raise ManifestError(f"The manifest '{name}' is not a table that can be read: it is empty.")
    separator = max(separators, key=lambda mark: (_n_known(header_line, mark), header_line.count(mark)))
    rows, row_lines = _split(lines, name, separator, skipped)
    header, rows, row_lines = rows[0], rows[1:], row_lines[1:]
    _check_widths(name, header, rows, row_lines, separator)
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    unnamed = [position for position, title in enumerate(header) if not title.strip()]
    for position in unnamed:
        filled = next((line for cell, line in zip(columns[position], row_lines, strict=True) if cell.strip()), None)
        if filled is not None:
            raise ManifestError(
                f"Column {position + 1} of the manifest '{name}' has a value in line {filled}, no name."
            )
    kept = [position for position in range(len(header)) if position not in unnamed]
    titles = _renamed([header[position] for position in kept])
    known = _known_among(titles)
    data = {
        title: [cell.strip() for cell in columns[position]] if title in known else list(columns[position])
        for title, position in zip(titles, kept, strict=True)
    }
    others = [_NAMES[mark] for mark in ",;\t" if mark != separator and mark in header_line]
    hint = f". It was split at {_NAMES[separator]}, but the header holds {others[0]}, too" if others else ""
    return Manifest(pd.DataFrame(data, dtype=str), row_lines, "line", hint)


def _n_known(header_line, separator):
    cells = next(csv.reader([header_line], delimiter=separator))
    return len({cell.strip().casefold() for cell in cells} & set(_KNOWN))


def _split(lines, name, separator, skipped):
    """Return the rows that are not blank, header first, and the line where each begins."""
    reader = csv.reader(lines[skipped:], delimiter=separator, strict=True)
    rows, row_lines = [], []
    begin = skipped + 1
    try:
        for row in reader:
            if any(cell and not cell.isspace() for cell in row):
                rows.append(row)
                row_lines.append(begin)
            begin = reader.line_num + skipped + 1
    except csv.Error as error:
        raise ManifestError(
            f"The manifest '{name}' is not a table that can be read: {error} in the row that begins in line {begin}. "
            "Check its quotation marks."
        ) from error
    return rows, row_lines


def _check_widths(name, header, rows, row_lines, separator):
    wrong = [number for number, row in enumerate(rows) if len(row) != len(header)]
    if not wrong:
        return
    listed = "\n".join(
        f"- line {row_lines[number]} has {len(rows[number])} fields: {separator.join(rows[number])[:100]}"
        for number in wrong[:5]
    )
    more = f"\n- and {len(wrong) - 5} more lines" if len(wrong) > 5 else ""
    raise ManifestError(
        f"The manifest '{name}' cannot be used: its header has {len(header)} fields, separated by "
        f"{_NAMES[separator]}.\n{listed}{more}\n"
        'Put a cell that holds the separator into quotation marks, as in "Doe, John".'
    )


def _renamed(titles):
    """Return column names, known ones in lower case without blanks; raise an error if two become the same."""
    plain = canonical_titles([title.strip() if isinstance(title, str) else title for title in titles])
    known = _known_among(title.casefold() for title in plain if isinstance(title, str)) & set(_KNOWN)
    names = [title.casefold() if isinstance(title, str) and title.casefold() in known else title for title in plain]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        same = [repr(title) for title, name in zip(titles, names, strict=True) if name == repeated[0]]
        raise ManifestError(
            f"The columns {' and '.join(same)} of the manifest are both '{repeated[0]}'. Rename one or leave it out."
        )
    return names


def _known_among(names):
    """Return the known columns among names in lower case; `time` and `event` are known together only."""
    names = list(names)
    known = set(names) & {*_KNOWN, *ImageColumns.of(names).known}
    return known if known >= _FOLLOW_UP else known - _FOLLOW_UP


def _text(value):
    """Return the cell of a DataFrame as in a .csv file; whole floats without ".0"."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        return str(int(value)) if float(value).is_integer() else str(float(value))
    return str(value).strip()
