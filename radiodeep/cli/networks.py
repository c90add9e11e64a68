"""`radiodeep networks`: the networks of others that are known by name."""

from typing import Annotated

import typer

import radiodeep as rd
from radiodeep.checks import did_you_mean
from radiodeep.cli import options
from radiodeep.cli.output import check_file
from radiodeep.cli.terminal import aligned, say
from radiodeep.exceptions import InputError
from radiodeep.files import write_table

_COLUMNS = ("modality", "input", "orientation", "normalization", "n_features", "licence")
_DETAILS = ("title", "architecture", *_COLUMNS, "page", "names_in_file", "reference", "remark")
_WORDS = {"names_in_file": "names in the file", "n_features": "features", "page": "weights"}
_Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", show_default=False, help="Name of a network, for its details")
]


def networks(name: _Name = None, output: options.OptionalTable = None):
    """List networks that others have trained, for --network.

    Their weights are not part of radiodeep: get the file from the page that 'radiodeep networks NAME' shows, and give
    it as --weights. SPL, RAS and LPS tell where the axes of a cube point to, as in MONAI; lesions are turned
    accordingly.
    """
    table = rd.published_networks()
    if output is not None:
        check_file(output, ".csv", ".parquet")
        write_table(table.drop(columns=["intensity_range", "standardize"]), output)
    if name is None:
        rows = [[key, *(_text(row, column) for column in _COLUMNS)] for key, row in table.iterrows()]
        say(aligned(["network", *(_WORDS.get(column, column) for column in _COLUMNS)], rows, widest=30))
        return
    if name not in table.index:
        raise InputError(f"There is no network '{name}' in the list.{did_you_mean(name, table.index)}")
    row = table.loc[name]
    shown = [(_WORDS.get(column, column), _text(row, column)) for column in _DETAILS]
    say("\n".join(f"{word}: {text}" for word, text in shown if text))
    say(f"\nradiodeep extract manifest.csv -o features.csv --features deep --network {name} --weights FILE")


def _text(row, column):
    return "" if column == "orientation" and row["dimensions"] == 2 else str(row[column])
