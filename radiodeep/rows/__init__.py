"""A function of cases -> rows: chunks, processes, recorded failures, cache."""

from radiodeep.rows.by_case import check_on_error, rows_by_case
from radiodeep.rows.extraction import extract_rows
from radiodeep.rows.patients import remember_patients, remembered_patients

__all__ = ["check_on_error", "extract_rows", "remember_patients", "remembered_patients", "rows_by_case"]
