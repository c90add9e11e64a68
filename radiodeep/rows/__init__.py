"""Rows of numbers of cases: in chunks, in processes, from a cache, with failures recorded instead of raised."""

from radiodeep.rows.by_case import CHUNK, check_on_error, rows_by_case
from radiodeep.rows.extraction import extract_rows
from radiodeep.rows.loaded_once import LoadedOnce
from radiodeep.rows.measurement import BATCH_BYTES
from radiodeep.rows.patients import (
    ORIGIN_FACT,
    origin_of_cases,
    origins_of,
    remember_patients,
    remembered_origins,
    remembered_patients,
    sources_of,
)
from radiodeep.rows.shards import Shard
from radiodeep.rows.traits import canonical, parameters_key, traits_of

__all__ = [
    "BATCH_BYTES",
    "CHUNK",
    "ORIGIN_FACT",
    "LoadedOnce",
    "Shard",
    "canonical",
    "check_on_error",
    "extract_rows",
    "origin_of_cases",
    "origins_of",
    "parameters_key",
    "remember_patients",
    "remembered_origins",
    "remembered_patients",
    "rows_by_case",
    "sources_of",
    "traits_of",
]
