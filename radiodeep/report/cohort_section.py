"""Results and lesions -> how the cases came into the study, and table 1: what is known of them, by outcome."""

import numpy as np
import pandas as pd

from radiodeep.report.tables import four_digits

_MOST_LEVELS = 8  # of a column that is counted
_PRIVATE = ("id", "name", "birth", "dob", "mrn", "accession", "address", "phone", "date", "comment", "note", "file")


def flow(results):
    """Return the steps of a cohort into the study: numbers given, left out with their reasons, and studied."""
    first = results[0]
    excluded = {str(name): reason for result in results for name, reason in result.excluded.items()}
    n_studied = len(first.predictions)
    endpoint = first.endpoint
    patients = "" if endpoint.patients is None else f" of {endpoint.patients.max() + 1} patients"
    return {
        "given": n_studied + len(excluded),
        "excluded": excluded,
        "studied": n_studied,
        "patients": patients,
        "groups": [(name, int(inside.sum())) for name, inside in outcome_groups(endpoint).items()],
    }


def outcome_groups(endpoint):
    """Return the cases of each outcome as bool arrays by name: classes, events, or the halves of numbers."""
    if endpoint.kind == "survival":
        return {"event": endpoint.event, "no event": ~endpoint.event}
    if hasattr(endpoint, "classes"):
        return {f"label {label}": np.asarray(endpoint.y == label) for label in endpoint.classes}
    upper = endpoint.y > np.median(endpoint.y)
    return {f"outcome up to {np.median(endpoint.y):.3g}": ~upper, "above": upper}


def cohort_table(result, lesions):
    """Return table 1 as texts: a row per fact, a column for all cases and one for each outcome.

    Columns of the manifest are shown if they hold numbers or few different values, and not by name if they may identify
    a patient.
    """
    endpoint, ids = result.endpoint, result.predictions.index
    groups = {"all": np.ones(len(ids), dtype=bool)} | outcome_groups(endpoint)
    rows = {"Cases": {name: str(int(inside.sum())) for name, inside in groups.items()}}
    if endpoint.patients is not None:
        rows["Patients"] = {name: str(len(set(endpoint.patients[inside]))) for name, inside in groups.items()}
    if endpoint.kind == "survival":
        rows["Time, median (quartiles)"] = {name: _quartiles(endpoint.time[inside]) for name, inside in groups.items()}
    if lesions is not None:
        for name, column in lesions.clinical.reindex(ids).items():
            rows |= _clinical_rows(str(name), column, groups)
        for name, column in lesions.facts.reindex(ids).items():
            rows[f"{name}, median (quartiles)"] = _by_group(column.to_numpy(float), groups)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("")


def _clinical_rows(name, column, groups):
    """Return the rows of a column of the manifest; none if it may identify a patient or says too much."""
    words = set(name.lower().replace("-", "_").replace(" ", "_").split("_"))
    known = column.dropna()
    if known.empty or words & set(_PRIVATE):
        return {}
    numbers = pd.to_numeric(column, errors="coerce")
    levels = sorted(set(known.map(str)))
    if numbers.notna().sum() == len(known) and len(levels) > 2:
        rows = {f"{name}, median (quartiles)": _by_group(numbers.to_numpy(float), groups)}
    elif len(levels) <= min(_MOST_LEVELS, max(2, len(known) // 2)):
        texts = column.map(str, na_action="ignore").to_numpy()
        rows = {f"{name}: {level}": _counts(texts == level, groups) for level in levels}
    else:
        return {}
    if column.isna().any():
        rows[f"{name}: unknown"] = _counts(column.isna().to_numpy(), groups)
    return rows


def _counts(is_of_level, groups):
    counted = {name: (int(is_of_level[inside].sum()), int(inside.sum())) for name, inside in groups.items()}
    return {name: f"{n} ({n / total:.0%})" for name, (n, total) in counted.items()}


def _by_group(values, groups):
    return {name: _quartiles(values[inside]) for name, inside in groups.items()}


def _quartiles(values):
    values = values[np.isfinite(values)]
    if not len(values):
        return "-"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    low, middle, high = (four_digits(value) for value in (low, middle, high))
    return middle if low == high else f"{middle} ({low} to {high})"
