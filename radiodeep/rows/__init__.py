"""A function of cases -> rows: chunks, processes, recorded failures, cache."""

from radiodeep.rows.by_case import check_on_error, rows_by_case
from radiodeep.rows.extraction import extract_rows

__all__ = ["check_on_error", "extract_rows", "rows_by_case"]
