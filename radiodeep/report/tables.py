"""Numbers and tables -> texts of a report."""

import numpy as np
import pandas as pd

_NARROW = 60  # characters of a row that a phone shows, or nearly
_MOST_STACKED = 40  # rows
BOUNDS = ["value", "low", "high"]


def number(value):
    """Return a number with three decimals, or four digits if it is large; "-" if there is none."""
    if value is None or np.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 1000 else four_digits(value)


def four_digits(value):
    """Return a number with four digits, without an exponent below ten millions: 278,400."""
    return f"{float(f'{value:.4g}'):,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def with_interval(result):
    """Return the measure of a result with its interval, if it has one, as text."""
    bounds = result.confidence_interval
    return with_bounds((result.value, bounds.low, bounds.high), number)


def with_bounds(values, shown="{:.3f}".format):
    """Return a value with its interval as text; "" for no value, and no interval if it has none."""
    value, *bounds = (shown(each) for each in values)
    text = value if np.isnan(values[1]) else f"{value} ({' to '.join(bounds)})"
    return "" if np.isnan(values[0]) else text


def p_text(p_value):
    """Return a p value as text; "" for none."""
    return "" if p_value is None or np.isnan(p_value) else "< 0.001" if p_value < 0.001 else f"{p_value:.2g}"


def texts(table):
    """Return headings and rows of a table as texts, the names of its rows first unless they are numbers.

    Columns "x", "x low" and "x high" become one. The `kinds` of columns are "words" or "". Of a wide table the cells of
    a row stand below each other on a phone, `is_stacked`.
    """
    names = [] if isinstance(table.index, pd.RangeIndex) else [[table.index.name or "", *map(str, table.index)]]
    columns = []
    bounds = {name: [f"{name} low", f"{name} high"] for name in table if _has_interval(table, name)}
    for name, values in table.drop(columns=[bound for pair in bounds.values() for bound in pair]).items():
        if name in bounds:
            low, high = (table[bound] for bound in bounds[name])
            values = [
                _cell(value) if np.isnan(least) else f"{value:.2f} ({least:.2f} to {most:.2f})"
                for value, least, most in zip(values, low, high, strict=True)
            ]
        columns.append([str(name).replace("_", " "), *map(_cell, values)])
    columns = [*names, *columns]
    heading, *rows = zip(*columns, strict=True)
    is_wide = sum(max(map(len, column)) for column in columns) > _NARROW
    kinds = ["", *("words" if _holds_words(column[1:]) else "" for column in columns[1:])]
    return {"heading": heading, "rows": rows, "kinds": kinds, "is_stacked": is_wide and len(rows) < _MOST_STACKED}


def _has_interval(table, name):
    """Return whether a column has bounds beside it; those of classes named "low" and "high" are texts, or lack it."""
    bounds = table.columns[table.columns.isin([f"{name} low", f"{name} high"])]
    return len(bounds) == 2 and not any(isinstance(value, str) for value in table[bounds].to_numpy().ravel())


def _holds_words(column):
    """Return whether the cells of a column are words, which are aligned at their beginning, unlike numbers."""
    return any(text[:1].isalpha() for text in column)


def _cell(value):
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:.3g}"
    return str(value)


def capitalized(sentence):
    """Return a sentence with a capital letter."""
    return f"{sentence[:1].upper()}{sentence[1:]}"
