"""`radiodeep labels`: what masks hold."""

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.output import check_file, finish
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError
from radiodeep.files import write_table

_TABLES = (".csv", ".tsv", ".txt", ".parquet")


def labels(masks: options.Masks, output: options.OptionalTable = None):
    """Show what masks hold, by name and label.

    Of one mask every region is shown; of several, or of a manifest, in how many each name is, and which lack it. The
    table that --output writes has every region of every mask; TABLE.summary has the names.
    """
    tables = [path for path in masks if path.suffix.lower() in _TABLES]
    if tables and len(masks) > 1:
        raise InputError(f"'{tables[0]}' is a table. Give one manifest, or masks.")
    if output is not None:
        check_file(output, ".csv", ".parquet", read=masks[0])
    inspection = rd.inspect_masks(rd.read_cohort(tables[0]) if tables else list(masks))
    if output is not None:
        write_table(inspection.table, output, index=False)
        lacking = [" | ".join(ids) for ids in inspection.summary["lacking"]]
        write_table(inspection.summary.assign(lacking=lacking), output.with_suffix(f".summary{output.suffix}"))
    say(str(inspection))
    finish(inspection.errors)
