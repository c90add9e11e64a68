"""In: the rows of a manifest in blocks. Out: a sentence for every problem."""

import re
import warnings
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pandas as pd

from radiodeep.cases.manifests.manifest import OPTIONAL, REQUIRED, WHOLE_NUMBER, parse_event, parse_roi_name, parse_time
from radiodeep.exceptions import ManifestError, RadiodeepWarning

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_SHOWN = 5  # rows that a sentence names


@dataclass
class _Places:
    """Rows with the same problem: their number, the names of the first five, and the value of the first."""

    count: int = 0
    names: list = field(default_factory=list)
    value: str | None = None

    def add(self, manifest, is_odd, values=None):
        positions = np.flatnonzero(is_odd)
        if positions.size and not self.count and values is not None:
            self.value = values.iloc[positions[0]]
        self.count += positions.size
        lacking = _SHOWN - len(self.names)
        self.names += [str(manifest.row_names[position]) for position in positions[:lacking]]

    def where(self, unit):
        """Return e.g. "line 3" or "lines 3, 7", five at most."""
        more = f" and {self.count - _SHOWN} more" if self.count > _SHOWN else ""
        return f"{unit}{'s' if self.count > 1 else ''} {', '.join(self.names)}{more}"

    def sentences(self, subject, rest, unit):
        """Return a sentence such as "the label '1,5' in line 2 has ..." in a list, which is empty without any row."""
        value = "" if self.value is None else f" {self.value!r}"
        return [f"{subject}{value} in {self.where(unit)}{rest}"] if self.count else []


def check_manifest(blocks, name):
    """Raise a ManifestError with a sentence for every problem of the rows; return their number.

    `blocks` can be iterated over more than once; it holds one `Manifest` at least, all with the same columns. `name`
    begins the error. A RadiodeepWarning says that only some cases have a patient.
    """
    problems, n_rows, blank_patients, unit = _problems(blocks)
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise ManifestError(f"{name} cannot be used:\n{listed}")
    if 0 < blank_patients.count < n_rows:
        warnings.warn(
            f"{blank_patients.count} of {n_rows} cases have no patient ({blank_patients.where(unit)}). Each counts as "
            "a patient of its own; if one belongs to a patient of another row, a study would train and test on the "
            "same patient. Fill in the column 'patient'.",
            RadiodeepWarning,
            stacklevel=4,
        )
    return n_rows


def _problems(blocks):
    """Return sentences, the number of rows, the places without a patient, and the unit of the places."""
    places = {}
    ids = []  # hashes, since a million ids take much memory
    blank_patients = _Places()
    n_rows = 0
    contradictions, labels_are_whole = [], True
    for manifest in blocks:
        n_rows += len(manifest.frame)
        contradictions = contradictions or manifest.images.contradictions(manifest.frame)
        missing = _missing_columns(manifest)
        if contradictions or missing:
            continue
        for problem, is_odd, values in _odd_cells(manifest):
            places.setdefault(problem, _Places()).add(manifest, is_odd, values)
        ids.append(pd.util.hash_array(manifest.frame["id"].to_numpy(dtype=object), categorize=False))
        if "patient" in manifest.frame:
            blank_patients.add(manifest, manifest.frame["patient"] == "")
        if "label" in manifest.frame:
            labels_are_whole &= all(WHOLE_NUMBER.fullmatch(text) for text in manifest.frame["label"].unique() if text)
    if contradictions or missing:
        return contradictions or missing, n_rows, blank_patients, manifest.unit
    if not n_rows:
        return ["it has no rows"], n_rows, blank_patients, manifest.unit
    sentences = {problem: found.sentences(*problem, manifest.unit) for problem, found in places.items()}
    sentences[_REPEATED] = _repeated_ids(blocks, np.concatenate(ids), manifest.unit)
    if labels_are_whole:
        sentences.pop(_LABEL_WITH_COMMA, None)
    return [*chain.from_iterable(sentences.values())], n_rows, blank_patients, manifest.unit


def _missing_columns(manifest):
    columns = manifest.frame.columns
    missing = [name for name in ("id", *manifest.images.lacking(columns)) if name not in columns]
    named = ", ".join(map(str, columns[:8])) or "none"
    if len(columns) > 8:
        named += f" and {len(columns) - 8} more (a table of features can only be studied)"
    return [
        f"missing column '{name}'; expected {', '.join(REQUIRED)} (of several images image_T1, mask_T1, ...) and, "
        f"as wanted, {', '.join(OPTIONAL)}; it has {named}{manifest.hint}{_as_written(name, columns)}"
        + ("; a column 'mask' that says whole in every row takes whole images" if name == "mask" else "")
        for name in missing
    ]


def _as_written(name, columns):
    """Return a hint if a column is there in other capital and small letters, else ""."""
    same = [column for column in columns if str(column).casefold() == name.casefold()]
    return f" ('{same[0]}' is in other letters)" if same else ""


_REPEATED = ("repeated ids", "")  # the place of their sentences among the others
_LABEL_WITH_COMMA = ("the label", " has a decimal comma; write a point")


def _odd_cells(manifest):
    """Yield problems with the rows that have them, bool (n_rows,), and the values of the column or None.

    A problem is what stands before and after the value and the rows in its sentence. Every block yields the same ones
    in the same order.
    """
    frame = manifest.frame
    yield ("blank 'id'", ""), frame["id"] == "", None
    for subject, is_blank in manifest.images.blank_cells(frame):
        yield (subject, ""), is_blank, None
    yield _REPEATED, np.zeros(len(frame), bool), None
    for name in ("id", *manifest.images.known, "patient"):
        if name in frame:
            values = frame[name].tolist()
            has_any = CONTROL_CHARACTER.search("".join(values))
            is_odd = [bool(CONTROL_CHARACTER.search(value)) for value in values] if has_any else [False] * len(values)
            yield (f"the {name}", " holds a control character"), is_odd, frame[name]
    if "label" in frame:
        yield _LABEL_WITH_COMMA, _cells(frame["label"], _DECIMAL_COMMA.fullmatch), frame["label"]
    if "mask_label" in frame:
        is_odd = _cells(frame["mask_label"], lambda text: text != "any" and not WHOLE_NUMBER.fullmatch(text))
        yield ("the mask_label", " is neither a whole number nor 'any'"), is_odd, frame["mask_label"]
        if "roi_name" in frame:
            is_odd = (frame["mask_label"] != "") & _cells(frame["roi_name"], parse_roi_name)
            yield ("both 'mask_label' and 'roi_name'", ", which choose a region; leave one blank"), is_odd, None
    if manifest.has_follow_up:
        for name, parse, allowed in (
            ("time", parse_time, "a number > 0 with a decimal point"),
            ("event", parse_event, "1 or 0, true or false, yes or no"),
        ):
            is_odd = _cells(frame[name], lambda text, parse=parse: np.isnan(parse(text)))
            yield (f"the {name}", f" is not {allowed}"), is_odd, frame[name]
        is_half = (frame["time"] == "") != (frame["event"] == "")
        yield ("only one of 'time' and 'event'", "; fill in both, or none if the follow-up is unknown"), is_half, None


def _cells(column, is_odd):
    """Return for each cell whether it is odd, bool (n_rows,); blank cells are not. Equal texts are looked at once."""
    return column.isin([text for text in column.unique() if text and is_odd(text)])


def _repeated_ids(blocks, hashes, unit):
    """Return a sentence for each id that stands in several rows."""
    hashes, counts = np.unique(hashes, return_counts=True)
    repeated = hashes[counts > 1]
    if not repeated.size:
        return []
    places = {}
    for manifest in blocks:
        ids = manifest.frame["id"]
        is_suspect = np.isin(pd.util.hash_array(ids.to_numpy(dtype=object), categorize=False), repeated)
        for position in np.flatnonzero(is_suspect & (ids != "").to_numpy()):
            is_here = np.arange(len(ids)) == position
            places.setdefault(ids.iloc[position], _Places()).add(manifest, is_here)
    return [
        f"the id '{case_id}' stands in {found.where(unit)}; every case needs its own"
        for case_id, found in places.items()
        if found.count > 1
    ]
