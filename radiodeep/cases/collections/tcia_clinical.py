"""In: the manifest of a collection, and a clinical table. Out: the manifest with the columns of the clinical table."""

import warnings
from pathlib import Path

import pandas as pd

from radiodeep.exceptions import ManifestError, RadiodeepWarning

_OWN = ("id", "patient", "image", "mask", "mask_label", "roi_name")


def with_clinical(table, clinical, patient_column=None, known_as=None):
    """Return a manifest with the clinical columns of each patient, blank for patients that the table does not have.

    `clinical` is a .csv file, a DataFrame or None. Columns whose names a manifest uses itself get "clinical_" in front.
    `known_as` is a dict from the names of patients in the clinical table to those in the manifest, if they are others;
    the former come out nowhere. Raises ManifestError for a table without a column of the patients, or with several rows
    of one.
    """
    if clinical is None or not len(table):
        return table
    clinical = read_clinical(clinical)
    patients = table["patient"].str.strip()
    known = dict(zip(patients, patients, strict=True)) if known_as is None else known_as
    example = "" if known_as else f", such as {min(patients)!r},"
    column = _column_of_patients(clinical, known, patient_column, example)
    own_names = clinical.pop(column).str.strip()
    if known_as is not None:
        clinical = clinical[[name for name in clinical if not (clinical[name].str.strip() == own_names).all()]]
    names = own_names.map(known)
    repeated = sorted(set(names[names.duplicated() & names.isin(patients)]))
    if repeated:
        raise ManifestError(
            f"The clinical table has several rows of {len(repeated)} patients, first '{repeated[0]}'. Expected one row "
            "of each patient."
        )
    clinical.columns = [_renamed(name, table.columns) for name in clinical.columns]
    known = clinical.set_axis(names, axis=0)
    known = known[known.index.isin(patients)]
    missing = sorted(set(patients) - set(known.index))
    if len(missing) == patients.nunique():
        raise ManifestError(
            f"The column '{column}' of the clinical table holds none of the {len(missing)} patients. Name another with "
            "'clinical_patient'."
        )
    if missing:
        warnings.warn(
            f"The clinical table has no row of {len(missing)} of {len(patients)} patients, first '{missing[0]}'. Their "
            "cells are blank.",
            RadiodeepWarning,
            stacklevel=3,
        )
    return pd.concat([table, known.reindex(patients).fillna("").set_axis(table.index, axis=0)], axis=1)


def read_clinical(clinical):
    """Return a clinical table, a .csv file or DataFrame, as a DataFrame of texts. Raises ManifestError."""
    if isinstance(clinical, pd.DataFrame):
        table = clinical.reset_index() if clinical.index.name else clinical
        return table.astype(object).where(table.notna(), "").astype(str)
    path = Path(clinical)
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, sep=None, engine="python", encoding="utf-8-sig")
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise ManifestError(
            f"The clinical table '{path}' cannot be read: {error}. Expected a .csv file in UTF-8."
        ) from error


def _column_of_patients(clinical, patients, name, example):
    listed = ", ".join(map(str, clinical.columns))
    if name is not None:
        if name not in clinical.columns:
            raise ManifestError(f"The clinical table has no column '{name}'. Its columns are {listed}.")
        return name
    holding = [column for column in clinical.columns if clinical[column].str.strip().isin(list(patients)).any()]
    if len(holding) != 1:
        held = f"could be {' and '.join(map(str, holding))}" if holding else f"is none of {listed}"
        raise ManifestError(
            f"The column of the clinical table with the patients' names{example} {held}. Name it "
            "with 'clinical_patient'."
        )
    return holding[0]


def _renamed(name, taken):
    is_taken = name in taken or str(name).casefold() in _OWN or str(name).casefold().startswith(("image_", "mask_"))
    return f"clinical_{name}" if is_taken else name
