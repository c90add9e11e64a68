"""A table of features (csv, tsv or parquet) -> features, labels and patients by case."""

import csv
import io
import re
import shlex
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from radiodeep.checks import did_you_mean
from radiodeep.exceptions import InputError, RadiodeepWarning
from radiodeep.extras import require_package

_SEPARATORS = ",;\t"
_MISSING = {"", "na", "n/a", "nan", "null", "none"}
_MANIFEST_COLUMNS = {"id", "patient", "label", "image", "mask", "mask_label", "roi_name"}
_HANDCRAFTED = re.compile(
    r"(original|wavelet-|log-sigma-|square|squareroot|logarithm|exponential|gradient|lbp-)[^_]*"
    r"_(shape|shape2D|firstorder|glcm|glrlm|glszm|gldm|ngtdm)_[A-Za-z0-9]+"
)
_DEEP = re.compile(r".+_\d{4}")
_NOT_FEATURES_OF_PYRADIOMICS = "diagnostics_"


@dataclass
class FeatureTable:
    """Features of cases (n_cases, n_features), labels, patients, errors of other cases, and columns not used."""

    features: pd.DataFrame
    labels: np.ndarray
    patients: list
    errors: dict
    others: list

    @property
    def kinds(self):
        """Column names by kind, or None if the names do not distinguish handcrafted from deep features."""
        names = list(self.features.columns)
        handcrafted = [name for name in names if _HANDCRAFTED.fullmatch(name)]
        deep = [name for name in names if name not in set(handcrafted) and _DEEP.fullmatch(name)]
        if not handcrafted or not deep or len(handcrafted) + len(deep) < len(names):
            return None
        return {"handcrafted": handcrafted, "deep": deep}


def is_feature_table(frame):
    """Return whether a table holds features; otherwise it is a manifest with the columns image and mask."""
    names_images = not {"image", "mask"}.isdisjoint(name.lower() for name in frame.columns)
    return not names_images or any(map(_HANDCRAFTED.fullmatch, frame.columns))


def feature_table(frame, source, label="label", patient=None, id=None, drop=()):
    """Take features, labels and patients from the texts of the file `source`, as `read_text_table` returns them.

    `label`, `patient` and `id` are column names; by default the patient is in "patient" if there is such a column, and
    the case in "id" or in a first column without a name, as pandas writes it. Columns to `drop` are not features. Cases
    without any feature or without a label are in the errors of the result.
    """
    _check_columns(frame, source, {"--label": [label], "--patient": [patient], "--id": [id], "--drop": drop})
    id = id or next((name for name in ("id", "") if name in frame.columns), None)
    patient = patient or ("patient" if "patient" in frame.columns else None)
    ids = _ids(frame, source, id)
    known = {name for name in frame.columns if name.lower() in _MANIFEST_COLUMNS or name == ""}
    others = [
        name
        for name in frame.columns
        if name in {label, patient, id, *drop, *known} or name.startswith(_NOT_FEATURES_OF_PYRADIOMICS)
    ]
    features = _numbers(frame.drop(columns=others), source, ids)
    labels = frame[label].str.strip()
    errors = {}
    for case_id, text, is_empty in zip(ids, labels, features.isna().all(axis=1), strict=True):
        if is_empty:
            errors[case_id] = "InputError: all of its features are empty"
        elif text.lower() in _MISSING:
            errors[case_id] = f"InputError: it has no value in the column '{label}'"
    used = np.array([case_id not in errors for case_id in ids])
    patients = np.array(ids if patient is None else _patients(frame[patient], ids, source), dtype=object)
    return FeatureTable(features[used], parsed_labels(labels[used]), patients[used].tolist(), errors, others)


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
    if len(rows) < 2:
        raise InputError(f"'{path.name}' has no rows below its header.")
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise InputError(
                f"'{path.name}': row {number} has {len(row)} fields, the header has {len(header)}. "
                'Put a text that holds a separator into quotes: "Doe, John".'
            )
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(f"'{path.name}' has several columns of the name '{repeated[0]}'. Rename or remove one.")
    return pd.DataFrame(rows[1:], columns=header, dtype=object)


def parsed_labels(texts):
    """Return labels as ints if all of them are whole numbers, else as text."""
    texts = pd.Series(texts).str.strip()
    if texts.str.fullmatch(r"[+-]?\d+(\.0+)?").all():
        return np.array([int(float(text)) for text in texts])
    return texts.to_numpy(dtype=str)


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


def _check_columns(frame, source, columns_of_options):
    columns = list(frame.columns)
    for option, names in columns_of_options.items():
        for name in names:
            if name is None or name in columns:
                continue
            meant = did_you_mean(name, columns)
            shown = ", ".join(columns[:8]) + (f" and {len(columns) - 8} more" if len(columns) > 8 else "")
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
    missing = features.isna().to_numpy()
    missing = missing & ~missing.all(axis=1, keepdims=True)  # cases that failed have empty rows
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise InputError(
            f"'{source}': {missing.sum()} cells are empty, the first is '{features.columns[column]}' of "
            f"'{features.index[row]}'. Fill them, take out those rows, or leave the columns out with --drop."
        )


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
