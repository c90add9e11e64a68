"""Results -> one self-contained HTML file."""

import base64
import io
import json
from collections.abc import Iterable
from pathlib import Path

import jinja2

from radiodeep import __version__
from radiodeep.exceptions import InputError, StudyError
from radiodeep.files import replacing
from radiodeep.report.figures import calibration_figure, interval_figure, roc_figure, score_figure, selection_figure
from radiodeep.study.result import require_results
from radiodeep.study.size import SIZE_BASELINE, size_warning
from radiodeep.study.statistics.calibration import calibration

_PAGE = Path(__file__).with_name("page.html")


def write_report(results, path, title="radiodeep study"):
    """Write results as one HTML file that contains its figures.

    Parameters
    ----------
    results : StudyResult, sequence of StudyResult, or dict of them
        Of the same cases.
    path : path-like
        Ending in .html. An error leaves an existing file as it is.
    title : str

    Returns
    -------
    pathlib.Path

    Raises
    ------
    StudyError
        There is no result, or the results are of different cases, splits or positive classes.
    InputError
        The path does not end in .html.
    OutputError
        The file cannot be written.
    """
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"A report is written as .html. Got '{path}' instead; for a PDF print the page from a browser."
        )
    page = jinja2.Environment(autoescape=True).from_string(_PAGE.read_text(encoding="utf-8"))
    text = page.render(title=title, version=__version__, **_contents(_checked_results(results)))
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)


def _contents(results):
    """Return the variables of the page."""
    first = results[0]
    endpoint = first.endpoint
    baseline = first.size_baseline
    compared = [*results, *([baseline] if baseline is not None else [])]
    pictures = [_picture(roc_figure(compared), "ROC curves")] if "roc" in endpoint.offers else []
    if len(compared) > 1:
        pictures.append(_picture(interval_figure(compared), f"{endpoint.measure} of each model with its interval"))
    return {
        "n_cases": len(first.predictions),
        "n_models": len(results),
        "endpoint": endpoint,
        "method": _method(results),
        "remarks": dict.fromkeys(remark for result in results for remark in result.remarks),
        "excluded": {name: reason for result in results for name, reason in result.excluded.items()},
        "cv": first.cv,
        "level": f"{first.confidence_interval.level:.0%}",
        "has_accuracy": first.accuracy is not None,
        "companion": first.companion.cv if all(result.companion is not None for result in compared) else None,
        "size_baseline": None if baseline is None else SIZE_BASELINE,
        "n_pairs": next(
            (result.n_equal_size_pairs for result in results if result.n_equal_size_pairs is not None), None
        ),
        "number": lambda value: "-" if value is None else f"{value:.3f}",
        "results": sorted(compared, key=lambda result: -result.auc),
        "pictures": pictures,
        "sections": [_section(result) for result in results],
    }


def _method(results):
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


def _checked_results(results):
    """Return the results as a list; raise StudyError unless they belong into one report."""
    listed = list(results.values()) if isinstance(results, dict) else results
    listed = list(listed) if isinstance(listed, Iterable) else [listed]
    if not listed:
        raise StudyError("There is no result to report. Run cross_validated_auc first.")
    require_results(*listed)
    if any(set(result.predictions.index) != set(listed[0].predictions.index) for result in listed):
        raise StudyError("The results are of different cases. Write one report for each set of cases.")
    if len({result.cv for result in listed}) > 1:
        raise StudyError("The results are of different splits. Write one report for each.")
    if len({result.positive for result in listed}) > 1:
        raise StudyError("The results are about different positive classes. Write one report for each.")
    return listed


def _section(result):
    """Return what the page shows of a model: warning, sentences, figures, predictions and settings."""
    offers = result.endpoint.offers
    figures = {"Selected features": selection_figure(result)}
    if "scores" in offers:
        figures = {"Scores by class": score_figure(result), **figures}
    if "calibration" in offers:
        figures["Calibration and decision curve"] = calibration_figure(result)
    return {
        "name": result.name,
        "warning": size_warning(result),
        "sentences": list(_sentences(result)),
        "pictures": [_picture(figure, text) for text, figure in figures.items() if figure is not None],
        "ids": result.predictions.index.tolist(),
        "columns": _columns(result),
        "settings": json.dumps(result.settings, indent=2),
    }


def _columns(result):
    """Return the columns of the table of predictions: headings, texts, and in which rows to highlight them.

    Columns with missing values are left out, as is the fraction of correct predictions if each case was tested once.
    """
    endpoint = result.endpoint
    columns = []
    for name, values in result.predictions.items():
        if name == "fold" or values.isna().any() or (name == "correct" and result.score_table.shape[1] == 1):
            continue
        is_number = name not in (*endpoint.outcome_columns, "prediction")
        digits = "{:.2f}" if name == "correct" else "{:.3f}"
        columns.append(
            {
                "heading": f"Probability of {result.positive}" if name == "probability" else name.capitalize(),
                "texts": values.map(digits.format if is_number else str).tolist(),
                "is_number": is_number,
                "is_wrong": (values != result.predictions["label"]).tolist() if name == "prediction" else [],
            }
        )
    return columns


def _sentences(result):
    """Yield what has to be read of a model besides its figures."""
    for shown in (result, result.companion):
        if shown is not None:
            yield f"{shown.sentence} ({shown.cv}, {shown.estimate}; interval: {shown.interval_method})."
    if result.accuracy_interval is not None:
        interval = result.accuracy_interval
        caution = "" if result.cv == "holdout" else "; it treats the models as fixed and is too narrow"
        yield (
            f"Accuracy {result.accuracy:.3f} under {result.cv} ({interval.level:.0%} CI {interval.low:.3f} to "
            f"{interval.high:.3f}, Wilson{caution})."
        )
    for sentence in (result.size_sentence, result.equal_size_sentence):
        if sentence is not None:
            yield f"{_capitalized(sentence)}."
    if result.selection_sentence is not None:
        yield (
            f"{_capitalized(result.selection_sentence)} (participation ratio of the eigenvalues of their correlation "
            "matrix): correlated features are one finding, not several."
        )
    if result.stability is not None:
        yield (
            f"Stability of the selected features: {result.stability}. Folds share most of their cases, so features "
            "selected from noise are stable as well; compare with the value for shuffled labels."
        )
    if "calibration" in result.endpoint.offers and not result.predictions["probability"].isna().any():
        yield (
            f"{calibration(result)} (ideal are 0 in the large, and an O:E and a slope of 1; always predicting the "
            "prevalence has a scaled Brier score of 0)."
        )


def _capitalized(sentence):
    return f"{sentence[0].upper()}{sentence[1:]}"


def _picture(figure, text):
    """Return a figure as a PNG in base64, with its alternative text."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return {"text": text, "data": base64.b64encode(buffer.getvalue()).decode()}
