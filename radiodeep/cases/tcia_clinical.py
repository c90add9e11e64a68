"""In: the manifest of a collection, and a clinical table. Out: the manifest with the columns of the clinical table."""

import warnings
from pathlib import Path

import pandas as pd

from radiodeep.exceptions import ManifestError, RadiodeepWarning

_OWN = ("id", "patient", "image", "mask", "mask_label", "roi_name")


def with_clinical(table, clinical, patient_column=None):
    """Return a manifest with the clinical columns of each patient, blank for patients that the table does not have.

    `clinical` is a .csv file, a DataFrame or None. Columns whose names a manifest uses itself get "clinical_" in front.
    Raises ManifestError for a table without a column of the patients, or with several rows of one.
    """
    if clinical is None or not len(table):
        return table
    clinical = _read(clinical)
    patients = table["patient"].str.strip()
    column = _column_of_patients(clinical, set(patients), patient_column)
    names = clinical.pop(column).str.strip()
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
    if missing:
        warnings.warn(
            f"The clinical table has no row of {len(missing)} of {len(patients)} patients, first '{missing[0]}'. Their "
            "cells are blank.",
            RadiodeepWarning,
            stacklevel=3,
        )
    return pd.concat([table, known.reindex(patients).fillna("").set_axis(table.index, axis=0)], axis=1)


def _read(clinical):
    """Return the table as text."""
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


def _column_of_patients(clinical, patients, name):
    listed = ", ".join(map(str, clinical.columns))
    if name is not None:
        if name not in clinical.columns:
            raise ManifestError(f"The clinical table has no column '{name}'. Its columns are {listed}.")
        return name
    holding = [column for column in clinical.columns if not patients.isdisjoint(clinical[column].str.strip())]
    if len(holding) != 1:
        held = f"could be {' and '.join(map(str, holding))}" if holding else f"is none of {listed}"
        raise ManifestError(
            f"The column of the clinical table with the patients' names, such as '{min(patients)}', {held}. Name it "
            "with 'clinical_patient'."
        )
    return holding[0]


def _renamed(name, taken):
    is_taken = name in taken or str(name).casefold() in _OWN or str(name).casefold().startswith(("image_", "mask_"))
    return f"clinical_{name}" if is_taken else name
