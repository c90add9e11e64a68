"""A result -> what a report says of one model: sentences, measures, tables, predictions and settings."""

import json

import numpy as np
import pandas as pd

from radiodeep.report.section import Section
from radiodeep.report.tables import BOUNDS, capitalized, number
from radiodeep.study.size import size_warning

_DRAWN = ("Survival by risk group", "Net benefit")  # tables that a figure shows


def model_section(result):
    """Return the Section of a model."""
    shown = result.primary
    warning = size_warning(result)
    listed = {title: table for title, table in shown.tables().items() if not title.startswith(_DRAWN)}
    return Section(
        f"Model: {result.name}",
        sentences=tuple(_sentences(result)),
        warnings=() if warning is None else (warning,),
        tables={"Measures": _measures(shown), **listed},
        folded={f"Predictions, {result.cv}": _predictions(result), "Settings": _settings(result.settings)},
    )


def _sentences(result):
    """Yield what has to be read of a model besides its figures."""
    shown = result.primary
    method = "" if np.isnan(shown.confidence_interval.low) else f"; interval: {shown.interval_method}"
    yield f"{shown.sentence} ({shown.cv}, {shown.estimate}{method})."
    if result is not shown:
        yield f"{result.sentence} ({result.cv}, {result.estimate})."
    if result.random_effects is not None:
        yield f"{capitalized(str(result.random_effects))}."
    for sentence in (result.size_sentence, result.equal_size_sentence):
        if sentence is not None:
            yield f"{capitalized(sentence)}."
    if shown.selection_sentence is not None:
        yield (
            f"{capitalized(shown.selection_sentence)} (participation ratio of the eigenvalues of their correlation "
            "matrix): correlated features are one finding, not several."
        )
    if shown.stability is not None:
        yield f"Stability of the selected features: {shown.stability}."
    if shown.choice_sentence is not None:
        yield f"{capitalized(shown.choice_sentence)}."


def _measures(result):
    """Return the measures of a result with their intervals, the main one first, as texts."""
    interval = result.confidence_interval
    main = pd.DataFrame([[result.value, interval.low, interval.high]], [result.endpoint.measure], BOUNDS)
    measures = pd.concat([main, result.measures(interval.level)[BOUNDS]])
    rows = {
        name: [number(value), "" if np.isnan(low) else f"{number(low)} to {number(high)}"]
        for name, value, low, high in measures.itertuples()
    }
    columns = ["value", f"{interval.level:.0%} interval"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")


def _predictions(result):
    """Return the table of predictions as texts.

    Columns with missing values are left out, as is the fraction of correct predictions if each case was tested once.
    """
    columns = {}
    for name, values in result.predictions.items():
        if name == "fold" or values.isna().any() or (name == "correct" and result.score_table.shape[1] == 1):
            continue
        heading = name.replace("_", " ")
        if name == "probability":
            heading = f"probability of {result.positive}" if result.endpoint.horizon is None else "survival"
        digits = "{:.2f}" if name == "correct" else "{:.3f}"
        columns[heading] = values.map(digits.format if values.dtype.kind == "f" else str)
    return pd.DataFrame(columns).rename_axis("case")


def _settings(settings):
    """Return nested settings as a table of a row per value."""
    rows = dict(_flat(settings, ()))
    return pd.DataFrame({"value": rows}).rename_axis("setting")


def _flat(value, path):
    """Yield the place of each value in nested dicts and lists of (name, value), and the value as text."""
    if isinstance(value, dict) and value:
        pairs = value.items()
    elif isinstance(value, list) and value and all(_is_named(item) for item in value):
        pairs = [(item[0], item[1:] if len(item) > 2 else item[1]) for item in value]
    else:
        yield " > ".join(path) or "settings", value if isinstance(value, str) else json.dumps(value)
        return
    for name, item in pairs:
        yield from _flat(item, (*path, str(name)))


def _is_named(item):
    return isinstance(item, list) and len(item) > 1 and isinstance(item[0], str) and isinstance(item[1], dict)
