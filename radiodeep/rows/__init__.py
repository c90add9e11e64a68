"""A function of cases -> rows: chunks, processes, recorded failures, cache."""

from radiodeep.rows.by_case import check_on_error, rows_by_case
from radiodeep.rows.extraction import extract_rows
from radiodeep.rows.patients import remember_patients, remembered_patients
from radiodeep.rows.traits import canonical, traits_of

__all__ = [
    "canonical",
    "check_on_error",
    "extract_rows",
    "remember_patients",
    "remembered_patients",
    "rows_by_case",
    "traits_of",
]
