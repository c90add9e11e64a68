"""`radiodeep merge`: the tables of all shards as one."""

import shutil

import pandas as pd

from radiodeep.cli import options
from radiodeep.cli.ibsi_header import IBSI_ROW
from radiodeep.cli.output import check_file, finish
from radiodeep.cli.shards import checked_parts
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError
from radiodeep.extras import require_package
from radiodeep.files import errors_file, replacing

_SECOND_HEADER = f"{IBSI_ROW},".encode()


def merge(parts: options.Parts, output: options.TableToWrite):
    """Join the tables of all shards of 'extract' or 'score'.

    Their lists of errors are joined, too. The table is that of the same command without --shard. Shards that are
    missing, given twice or computed with other settings, files or versions are an error.
    """
    parts = [path for path in parts if not path.name.endswith(".errors.csv")]
    check_file(output, ".csv", ".parquet")
    unlike = [path.name for path in parts if path.suffix != output.suffix]
    if unlike or not parts:
        raise InputError(f"The parts of '{output.name}' must be {output.suffix} files. Got {unlike[:1] or 'none'}.")
    if output.resolve() in {path.resolve() for path in parts}:
        raise InputError(f"--output '{output}' is one of the parts, and would be overwritten. Give another name.")
    parts = checked_parts(parts)
    with replacing(output) as merged:
        (_join_texts if output.suffix == ".csv" else _join_parquet)(parts, merged)
    errors = {}
    for path in filter(lambda path: path.is_file(), map(errors_file, parts)):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False).itertuples(index=False)
        errors |= {case_id: f"{kind}: {message}" if kind else message for case_id, kind, message in rows}
    say(f"Merged {len(parts)} shards; wrote {output}")
    finish(errors, errors_file(output))


def _join_texts(parts, merged):
    """Copy the rows of all tables behind one header, byte by byte."""
    with merged.open("wb") as joined:
        for number, path in enumerate(parts):
            with path.open("rb") as part:
                header = part.readline()
                if number == 0:
                    expected = header
                    joined.write(header)
                _check_columns(header == expected, parts[0], path)
                first = part.readline()
                if number == 0 or not first.startswith(_SECOND_HEADER):
                    joined.write(first)
                shutil.copyfileobj(part, joined)


def _join_parquet(parts, merged):
    require_package("pyarrow")
    from pyarrow import concat_tables, parquet  # late: an optional package

    tables = [parquet.read_table(path) for path in parts]
    for path, table in zip(parts, tables, strict=True):
        _check_columns(table.column_names == tables[0].column_names, parts[0], path)
    parquet.write_table(concat_tables(tables, promote_options="permissive"), merged)


def _check_columns(are_equal, first, path):
    if not are_equal:
        raise InputError(
            f"'{first.name}' and '{path.name}' have different columns, although their settings are the same: the cases "
            "of one lack an image, or are 2-D. Extract all cases in one run, or name the images and families."
        )
