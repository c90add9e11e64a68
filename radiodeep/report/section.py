"""What the parts of a report consist of: `Section` and `Drawing`; `document` puts them on the page."""

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Drawing:
    """A matplotlib figure with its title, a caption of one or two plain sentences, and the numbers that it shows."""

    title: str
    figure: object
    caption: str = ""
    numbers: pd.DataFrame | None = None


@dataclass(frozen=True)
class Section:
    """A part of a report.

    `sentences` are paragraphs, `warnings` are shown before all else, `notes` explain how to read the section, and
    `tables` and `folded` map titles to DataFrames whose cells are shown as text; those of `folded` open on a click.
    """

    title: str
    sentences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    folded: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
