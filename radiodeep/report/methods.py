"""Results -> a paragraph on the methods to paste into a paper, and the versions and hashes behind a report."""

import hashlib
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from radiodeep import __version__
from radiodeep.extras import version_of
from radiodeep.study.size import SIZE_BASELINE

_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "SimpleITK", "matplotlib", "torch", "timm")
_ONLY_IF_LOADED = ("torch", "timm")
_MENTIONED = (  # settings that a paragraph names
    "bin_width",
    "bin_count",
    "image_types",
    "families",
    "resample_mm",
    "network",
    "weights",
    "window",
    "size",
    "layer",
    "image",
    "how",
    "columns",
    "n_features_to_select",
    "n_neighbors",
    "n_estimators",
    "alpha",
    "C",
    "kernel",
    "horizon",
    "random_state",
)
_CONTAINERS = ("Pipeline", "FeatureUnion", "ColumnTransformer")
_MOST_LISTED = 6


def method_sentences(results):
    """Return sentences on what was done inside the folds, as far as it is known."""
    if results[0].cv == "holdout":
        return "Models were fitted to the training cohort and tested on these cases."
    has_selection = [result.folds["selected_features"].notna().all() for result in results]
    fitting = "Models were fitted inside each fold"
    if all(has_selection):
        fitting = "Features were selected and models fitted inside each fold"
    elif any(has_selection):
        names = ", ".join(result.name for result, selects in zip(results, has_selection, strict=True) if selects)
        fitting = f"Models were fitted inside each fold, and features selected there by {names}"
    if results[0].source == "images":
        return f"{fitting}. Features were extracted from the images."
    return f"{fitting}. The table was taken as given: whether its features were selected before is not known."


def learning_sentence(result):
    """Return a sentence on the number of training cases, on which the performance of models depends."""
    fewest, most = result.folds["n_train"].agg(["min", "max"])
    return f"Models of {result.cv} learn from {fewest if fewest == most else f'{fewest} to {most}'} cases."


def methods_paragraph(results, controls=None):
    """Return what was done, in the past tense of a paper."""
    shown = results[0].primary
    endpoint, bounds = shown.endpoint, shown.confidence_interval
    excluded = {name for result in results for name in result.excluded}
    left_out = f"; cases left out, as they could not be measured: {len(excluded)}" if excluded else ""
    patients = "" if endpoint.patients is None else f" of {endpoint.patients.max() + 1} patients"
    parts = [f"We studied {len(shown.predictions)} cases{patients} ({endpoint.composition()}){left_out}."]
    parts += [f"The model {result.name} consisted of {_steps(result.settings)}." for result in results]
    parts.append(method_sentences(results))
    splits = " and ".join(dict.fromkeys([shown.cv, results[0].cv]))
    in_one_fold = "" if endpoint.patients is None else ", with all cases of a patient in one fold"
    if splits != "holdout":
        parts.append(f"Cases were predicted by models that had not seen them ({splits}{in_one_fold}).")
    interval = "" if bounds.low != bounds.low else f", with {bounds.level:.0%} intervals ({shown.interval_method})"
    parts.append(f"Performance is given as {endpoint.title()} ({shown.estimate}){interval}.")
    if shown.size_baseline is not None:
        parts.append(f"Models were compared with the size of the region as the only score ({SIZE_BASELINE}).")
    if len(results) > 1:
        parts.append("p values of pairs of models were corrected by Holm's method.")
    if controls is not None:
        names = dict.fromkeys(name.replace("_", " ") for name in controls.table.index.get_level_values("study"))
        listed = [name for name in names if name not in ("original", SIZE_BASELINE)]
        parts.append(f"Negative controls were studied with the same folds: {', '.join(listed)}.")
    versions = ", ".join(f"{name} {version}" for name, version in versions_of().items())
    return " ".join([*parts, f"Software: {versions}."])


def _steps(settings):
    """Return the steps of a model in words, with the settings that matter."""
    if not isinstance(settings, dict):
        return str(settings)
    kind = settings.get("class") or ("deep features" if "network" in settings else "handcrafted features")
    inner = settings.get("steps") or settings.get("transformer_list") or settings.get("transformers") or ()
    if kind in _CONTAINERS and inner:
        parts = [_steps(item[1]) for item in inner if isinstance(item[1], dict) or item[1] == "passthrough"]
        if kind == "Pipeline":
            return ", ".join(parts)
        return " and ".join(f"[{part}]" for part in parts)
    known = [f"{name} {_short(settings[name])}" for name in _MENTIONED if settings.get(name) not in (None, [], {})]
    return f"{kind} ({', '.join(known)})" if known else kind


def _short(value):
    if isinstance(value, dict):
        value = list(value)
    if isinstance(value, list):
        names = [item[0] if isinstance(item, list) and item else item for item in value]
        value = list(dict.fromkeys(str(name).partition("_")[0] for name in names))
        more = " ..." if len(value) > _MOST_LISTED else ""
        return ", ".join(map(str, value[:_MOST_LISTED])) + more
    return f"{value:g}" if isinstance(value, float) else str(value)


def versions_of():
    """Return the versions of radiodeep, Python and the libraries that computed, by name."""
    known = {"radiodeep": __version__, "Python": platform.python_version()}
    names = [name for name in _LIBRARIES if name not in _ONLY_IF_LOADED or name in sys.modules]
    return known | {name: version_of(name) for name in names if version_of(name) is not None}


def provenance(results, table=None, source=None, date=None):
    """Return versions, hashes and the date of a report as a table.

    `source` is the file that was studied, or a dict of its `name` and `sha256`. The date is that of today, or of the
    environment variable SOURCE_DATE_EPOCH, so that a report of the same day is the same file.
    """
    rows = {"Date": date or today()} | versions_of()
    if isinstance(source, dict):
        rows["Source"] = f"{source['name']}, sha256 {source['sha256']}"
    elif source is not None:
        rows["Source"] = f"{Path(source).name}, sha256 {hashlib.sha256(Path(source).read_bytes()).hexdigest()}"
    first = results[0]
    outcomes = first.predictions[list(first.endpoint.outcome_columns)]
    rows["Cases and outcomes"] = f"{len(outcomes)} rows, sha256 {_sha256(outcomes)}"
    if table is not None:
        rows["Features"] = f"{table.shape[0]} x {table.shape[1]}, sha256 {_sha256(table)}"
    return pd.DataFrame({"value": rows}).rename_axis("what")


def _sha256(table):
    return hashlib.sha256(table.to_csv().encode()).hexdigest()


def today():
    """Return the date in UTC, or that of SOURCE_DATE_EPOCH."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
    return f"{moment:%Y-%m-%d}"
