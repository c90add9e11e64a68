"""A table of features (csv, tsv or parquet) -> features, outcomes and patients by case."""

import csv
import io
import re
import shlex
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from radiodeep.cases.manifests.manifest import parse_event, parse_time
from radiodeep.checks import did_you_mean
from radiodeep.cli.ibsi_header import without_ids
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.extras import require_package
from radiodeep.handcrafted.ibsi.catalogue import ibsi_column

_SEPARATORS = ",;\t"
_MISSING = {"", "na", "n/a", "nan", "null", "none"}
_MANIFEST_COLUMNS = {"id", "patient", "label", "image", "mask", "mask_label", "roi_name"}
_FOLLOW_UP = ("time", "event")
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
_HANDCRAFTED = re.compile(  # the families are those of the catalogue, whose import takes two seconds
    r"(?:.+_)?(original|wavelet-|log-sigma-|square|squareroot|logarithm|exponential|gradient|lbp-)[^_]*"
    r"_(shape|shape2D|spiculation|spiculation2D|margin|firstorder|glcm|glrlm|glszm|gldm|ngtdm|laws|laws2D|lbp2D|lbp3D)"
    r"_[A-Za-z0-9]+"
)
_STANDARD = re.compile(r"(?=_((?:morph|loc|stat|ih|ivh|cm|rlm|szm|dzm|ngt|ngl)_.+)$)")  # after the name of the image
_OF_PATIENTS = ("count", "total_volume_mm3")
_DEEP = re.compile(r".+_\d{4}")
_NOT_FEATURES_OF_PYRADIOMICS = "diagnostics_"


def _is_handcrafted(name):
    """Return whether a name is that of a handcrafted feature, of either convention."""
    if _HANDCRAFTED.fullmatch(name):
        return True
    return any(ibsi_column(match.group(1)) is not None for match in _STANDARD.finditer(name))


@dataclass
class FeatureTable:
    """Features of cases (n_cases, n_features), outcomes, patients, errors of other cases, columns not used, centres."""

    features: pd.DataFrame
    y: np.ndarray
    patients: list
    errors: dict
    others: list
    centres: list | None = None

    @property
    def kinds(self):
        """Column names by kind, or None if the names do not distinguish handcrafted from deep features."""
        names = list(self.features.columns)
        handcrafted = [name for name in names if _is_handcrafted(name) or name in _OF_PATIENTS]
        deep = [name for name in names if name not in set(handcrafted) and _DEEP.fullmatch(name)]
        if not handcrafted or not deep or len(handcrafted) + len(deep) < len(names):
            return None
        return {"handcrafted": handcrafted, "deep": deep}


@dataclass(frozen=True)
class Columns:
    """The columns of a table that are no features, as the options name them.

    By default the label is in "label", time and event in columns of these names, the patient in "patient" if there is
    such a column, and the case in "id" or in a first column without a name, as pandas writes it. Columns to `drop` are
    left out.
    """

    label: str | None = None
    time: str | None = None
    event: str | None = None
    patient: str | None = None
    id: str | None = None
    drop: tuple = ()
    centre: str | None = None

    def found_in(self, frame, source, options):
        """Return the columns of a table, with None for the label or for time and event, whichever is not studied.

        Raises InputError if one does not exist, and if the options ask for both labels and survival.
        """
        named = [option for option, name in (("--time", self.time), ("--event", self.event)) if name is not None]
        has_follow_up = bool(named) or set(_FOLLOW_UP) <= set(frame.columns)
        has_label = self.label is not None or (not named and "label" in frame.columns)
        is_survival = options.is_survival(has_label, has_follow_up)
        options.say_what_is_studied("table", is_survival and not named)
        if (self.label and is_survival) or (named and not is_survival):
            raise InputError(
                f"--label belongs to classes and numbers, --time and --event to survival. Leave out "
                f"{'--label' if is_survival else ' and '.join(named)}, or choose another --outcome."
            )
        found = replace(
            self,
            label=None if is_survival else self.label or "label",
            time=(self.time or "time") if is_survival else None,
            event=(self.event or "event") if is_survival else None,
            patient=self.patient or ("patient" if "patient" in frame.columns else None),
            id=self.id or next((name for name in ("id", "") if name in frame.columns), None),
        )
        for name in ("label", "time", "event", "patient", "id", "centre"):
            _check_column(getattr(found, name), frame, source, f"--{name}")
        for name in self.drop:
            _check_column(name, frame, source, "--drop")
        return found

    def are_no_features(self, frame):
        """Return the columns of a table that hold no features."""
        chosen = {self.label, self.time, self.event, self.patient, self.id, self.centre, *self.drop, ""}
        has_follow_up = set(_FOLLOW_UP) <= {name.lower() for name in frame.columns}
        known = _MANIFEST_COLUMNS | set(_FOLLOW_UP if has_follow_up else ())
        return [
            name
            for name in frame.columns
            if name in chosen or name.lower() in known or name.startswith(_NOT_FEATURES_OF_PYRADIOMICS)
        ]


def is_feature_table(frame):
    """Return whether a table holds features; otherwise it is a manifest with the columns image and mask."""
    named = [name.lower() for name in frame.columns]
    names_images = any(name in ("image", "mask") or name.startswith(("image_", "mask_")) for name in named)
    return not names_images or any(map(_is_handcrafted, frame.columns))


def feature_table(frame, source, columns, options):
    """Take features, outcomes and patients from the texts of the file `source`, as `read_text_table` returns them.

    `columns` are `Columns`, and `options` the OutcomeOptions. Cases without any feature or without an outcome are in
    the errors of the result.
    """
    columns = columns.found_in(frame, source, options)
    ids = _ids(frame, source, columns.id)
    others = columns.are_no_features(frame)
    features = _numbers(frame.drop(columns=others), source, ids)
    errors = {
        case_id: "InputError: all of its features are empty"
        for case_id, is_empty in zip(ids, features.isna().all(axis=1), strict=True)
        if is_empty
    }
    outcomes = [name for name in (columns.label, columns.time, columns.event) if name is not None]
    for name in outcomes:
        for case_id, text in zip(ids, frame[name], strict=True):
            if text.strip().lower() in _MISSING:
                errors.setdefault(case_id, f"InputError: it has no value in the column '{name}'")
    used = np.array([case_id not in errors for case_id in ids])
    patients = np.array(
        ids if columns.patient is None else _patients(frame[columns.patient], ids, source), dtype=object
    )
    known = frame.loc[used, outcomes]
    y = parsed_labels(known[columns.label]) if columns.label else _follow_up(known, source)
    centres = None if columns.centre is None else frame.loc[used, columns.centre].str.strip().tolist()
    return FeatureTable(features[used], y, patients[used].tolist(), errors, others, centres)


def read_text_table(path):
    """Return a csv, tsv or parquet file as texts, under the names of its columns."""
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"'{path}' {problem}. Expected a manifest or a table of features as .csv, .tsv or .parquet.")
    if path.suffix.lower() == ".parquet":
        require_package("pyarrow")
        return _read_parquet(path)
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise InputError(f"'{path.name}' ends in '{path.suffix}'. Expected .csv, .tsv or .parquet.")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise InputError(f"'{path.name}' is not a table: {error}.") from error
    rows = [row for row in rows if any(map(str.strip, row))]
    if len(without_ids(rows[1:])) < 1:
        raise InputError(f"'{path.name}' has no rows below its header.")
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise InputError(
                f"'{path.name}': row {number} has {len(row)} fields, the header has {len(header)}. "
                'Put a text that holds a separator into quotes: "Doe, John".'
            )
    rows = [rows[0], *without_ids(rows[1:])]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(f"'{path.name}' has several columns of the name '{repeated[0]}'. Rename or remove one.")
    return pd.DataFrame(rows[1:], columns=header, dtype=object)


def parsed_labels(texts):
    """Return labels as ints if all of them are whole, as floats if all are numbers, else as text."""
    texts = [text.strip() for text in texts]
    if not all(map(_NUMBER.fullmatch, texts)):
        return np.array(texts, dtype=str)
    numbers = np.array([float(text.replace(",", ".")) for text in texts])
    return numbers.astype(int) if (numbers == numbers.round()).all() else numbers


def _follow_up(frame, source):
    """Return survival as a structured array from texts in the columns of the time and the event, in this order."""
    values = {}
    for (name, column), parse, allowed in zip(
        frame.items(), (parse_time, parse_event), ("a number > 0", "1 or 0, true or false, yes or no"), strict=True
    ):
        texts = [text.strip().replace(",", ".") for text in column]
        values[name] = [parse(text) for text in texts]
        odd = [text for text, value in zip(texts, values[name], strict=True) if value != value]  # NaN
        if odd:
            raise InputError(f"'{source}': the column '{name}' must hold {allowed}. Got '{odd[0]}'.")
    time, event = values.values()
    return np.array(list(zip(event, time, strict=True)), dtype=[("event", bool), ("time", float)])


def _read_parquet(path):
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow's errors have no base of their own
        raise InputError(f"'{path.name}' is not a parquet file that can be read: {error}") from error
    if frame.index.name is not None:
        frame = frame.reset_index()
    return pd.DataFrame({str(name): [_text(value) for value in column] for name, column in frame.items()}, dtype=object)


def _text(value):
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return ""
    return repr(value.item() if isinstance(value, np.generic) else value)


def _check_column(name, frame, source, option):
    columns = list(frame.columns)
    if name is not None and name not in columns:
        meant = did_you_mean(name, columns)
        shown = ", ".join(columns[:8]) + (f" and {len(columns) - 8} more" if len(columns) > 8 else "")
        meant = meant or " Survival needs --time and --event." * (option == "--label")
        raise InputError(f"'{source}' has no column '{name}' ({option}). It has {shown}.{meant}")


def _ids(frame, source, id):
    if id is None:
        return [f"row {number}" for number in range(1, len(frame) + 1)]
    ids = frame[id].str.strip()
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise InputError(
            f"'{source}': the {id or 'row name'} '{repeated.iloc[0]}' comes twice. Every row needs its own; name the "
            "column of the cases with --id, and that of the patients with --patient."
        )
    return ids.tolist()


def _patients(column, ids, source):
    patients = [text.strip() for text in column]
    n_blank = patients.count("")
    if n_blank:
        warnings.warn(
            f"'{source}': {n_blank} of {len(ids)} cases have no {column.name}. Each counts as a patient of its own; if "
            "one belongs to a patient of another row, the study would train and test on the same patient.",
            RadiodeepWarning,
            stacklevel=3,
        )
    return [patient or case_id for patient, case_id in zip(patients, ids, strict=True)]


def _numbers(frame, source, ids):
    """Return the columns as numbers; raise for text and for columns that count the rows."""
    values = {}
    texts = {}
    for name, column in frame.items():
        values[name] = [_number(text) for text in column]
        if None in values[name]:
            texts[name] = column.iloc[values[name].index(None)]
    if texts:
        shown = ", ".join(f"'{name}' ('{text}')" for name, text in list(texts.items())[:5])
        options = " ".join("--drop " + shlex.quote(name) for name in texts)
        raise InputError(
            f"'{source}': {len(texts)} column{'s hold' if len(texts) > 1 else ' holds'} text, which is no feature: "
            f"{shown}. Turn text into numbers, or leave it out: {options}"
        )
    if not values:
        raise InputError(f"'{source}' has no column of features.")
    features = pd.DataFrame(values, index=pd.Index(ids, name="id"), dtype=np.float64)
    _check_numbers(features, source)
    return features


def _check_numbers(features, source):
    for name, column in features.items():
        if len(column) > 2 and column.iloc[0] in (0, 1) and (np.diff(column) == 1).all():
            raise InputError(
                f"'{source}': the column '{name}' counts the rows, so it is no feature. If it names the cases say "
                f"--id {shlex.quote(name)}, else --drop {shlex.quote(name)}."
            )
    empty = features.columns[features.isna().all()]
    if len(empty) and features.notna().to_numpy().any():
        options = " ".join("--drop " + shlex.quote(name) for name in empty[:5])
        raise InputError(f"'{source}': {len(empty)} columns are empty. Leave them out: {options}")


def _number(text):
    """Return a text as a number, NaN if it is blank, or None if it is neither."""
    text = text.strip()
    if text.lower() in _MISSING:
        return np.nan
    if re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", text):  # decimal comma
        text = text.replace(",", ".")
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return {"true": 1.0, "false": 0.0}.get(text.lower())
