"""Results of radiodeep in, named arrays out, and how two sets of arrays differ."""

import dataclasses
import re

import numpy as np
import pandas as pd

import radiodeep as rd

NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")


def numbers_of(text):
    """Return the numbers printed in a text, so that its wording may change."""
    return np.array(NUMBER.findall(str(text)))


def result_arrays(result):
    """Yield (name, value) of all public numbers of a StudyResult and of the results that stand beside it."""
    for name in ("auc", "accuracy", "variance", "effective_n_features", "score_size_correlation", "equal_size_auc"):
        yield name, getattr(result, name)
    yield "interval", [result.confidence_interval.low, result.confidence_interval.high]
    yield "accuracy interval", [result.accuracy_interval.low, result.accuracy_interval.high]
    for name in ("scores", "probabilities", "pairs", "stability", "size_correlations", "n_equal_size_pairs"):
        yield name, getattr(result, name)
    yield "predictions", result.predictions
    folds = result.folds.drop(columns=["selected_features", "test_ids"], errors="ignore")
    yield "folds", folds.select_dtypes("number")
    if "selected_features" in result.folds:
        yield "selected", ["|".join(map(str, names or ())) for names in result.folds["selected_features"]]
    yield "positive", str(result.positive)
    yield "text", numbers_of(result)
    yield "remarks", numbers_of(" ".join(result.remarks))
    yield "against size", result.against_size
    for name in ("beside", "size_alone"):
        other = getattr(result, name)
        if other is not None:
            yield from ((f"{name}/{part}", value) for part, value in result_arrays(other))


def flatten(name, value):
    """Yield (name, array) of an array, a table, a result, a text, or of dicts, lists and dataclasses of them."""
    if isinstance(value, rd.StudyResult):
        for part, content in result_arrays(value):
            yield from flatten(f"{name}/{part}", content)
    elif isinstance(value, pd.DataFrame):
        for column in value.columns:
            yield from flatten(f"{name}/{column}", value[column].to_numpy())
        yield f"{name}/index", np.array([str(key) for key in value.index])
    elif isinstance(value, pd.Series):
        yield from flatten(name, value.to_numpy())
    elif isinstance(value, dict):
        for key, content in value.items():
            yield from flatten(f"{name}/{key}", content)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from flatten(f"{name}/{field.name}", getattr(value, field.name))
        yield f"{name}/text", numbers_of(value)
    elif hasattr(value, "_asdict"):
        yield from flatten(name, value._asdict())
    elif value is not None:
        try:
            array = np.asarray(value)
        except ValueError:  # lists of different lengths
            array = np.array(None)
        if array.dtype == object and isinstance(value, list | tuple):
            for number, content in enumerate(value):
                yield from flatten(f"{name}/{number}", content)
        else:
            yield name, array.astype(str) if array.dtype == object else array


def difference(before, after):
    """Return how two arrays differ, or an empty text if they are equal to the last bit."""
    if before.shape != after.shape:
        return f"shape {before.shape} before, {after.shape} after"
    if before.dtype != after.dtype:
        return (
            f"type {before.dtype} before, {after.dtype} after"
            if before.dtype.kind != "U"
            else text_difference(before, after)
        )
    if before.tobytes() == after.tobytes():
        return ""
    if before.dtype.kind != "f":
        return text_difference(before, after)
    if (np.isnan(before) != np.isnan(after)).any():
        return f"NaN at {np.isnan(before).sum()} places before, at {np.isnan(after).sum()} after"
    gap = np.nan_to_num(np.abs(before - after))
    largest = gap.max()
    relative = np.nan_to_num(gap / np.maximum(np.abs(before), 1e-300)).max()
    return f"largest difference {largest:.3g} (relative {relative:.3g}), {np.count_nonzero(gap)} of {gap.size} values"


def text_difference(before, after):
    differ = np.atleast_1d(before != after)
    if not differ.any():
        return ""
    first = np.flatnonzero(differ)[0]
    return f"{differ.sum()} of {differ.size} values, first {before.flat[first]!r} before, {after.flat[first]!r} after"
