"""Results -> one self-contained HTML file."""

import base64
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd

from radiodeep import __version__
from radiodeep.exceptions import InputError, StudyError
from radiodeep.files import replacing
from radiodeep.report.agreement_figure import agreement_figure
from radiodeep.report.class_figures import calibration_figure, class_roc_figure, roc_figure, score_figure
from radiodeep.report.extreme_cases import extreme_cases_figure
from radiodeep.report.figures import centre_figure, interval_figure, selection_counts, selection_figure
from radiodeep.report.repeatability_figure import repeatability_figure, repeatability_sentence
from radiodeep.report.style import colours_of
from radiodeep.report.survival_figure import survival_figure
from radiodeep.study.feature_sets import FeatureSetComparison
from radiodeep.study.result import require_results
from radiodeep.study.size import SIZE_BASELINE, size_warning
from radiodeep.study.statistics.calibration import calibration, decision_curve

_PAGE = Path(__file__).with_name("page.html")
_DRAWN = ("Survival by risk group", "Net benefit")  # tables that a figure shows
_BOUNDS = ["value", "low", "high"]
_MOST_EXTREME = 3  # features of which extreme cases are shown


@dataclass(frozen=True, eq=False)
class Reported:
    """What a report is made of: results of the same cases, a colour for each model, and what else is known."""

    results: list
    colours: dict
    table: pd.DataFrame | None = None  # features by case id
    cohort: object = None
    controls: object = None


def _sections(study):
    """Return the sections of a report in their order, from what a `Reported` holds."""
    parts = [
        # sections of all models: one line each, e.g. performance_section(study.results, study.colours),
        *(section for result in study.results for section in _model_sections(study, result)),
        # sections of the study, e.g. checklist_section(...),
    ]
    return [section for section in parts if section is not None]


def _model_sections(study, result):
    """Return the sections of one model in their order; a function that has nothing to say returns None."""
    return [
        # one line each, e.g. calibration_section(result, study.colours[result.name]),
    ]


def write_report(
    results,
    path,
    title="radiodeep study",
    controls=None,
    *,
    repeatability=None,
    table=None,
    cohort=None,
    figures=None,
    sections=(),
):
    """Write results as one HTML file that contains its figures.

    Parameters
    ----------
    results : StudyResult, sequence of StudyResult, dict of them, or FeatureSetComparison
        Of the same cases. The keys of a dict are the names that are shown.
    path : path-like
        Ending in .html. An error leaves an existing file as it is.
    title : str
    controls : NegativeControls, optional
        Of the same models, from `negative_controls`; they get a section of their own.
    repeatability : DataFrame or dict of them, optional
        From `repeatability`: how many features repeat well, as a figure and a table.
    table, cohort : DataFrame and Cohort, optional
        The features by case id and the cases: those with extreme values of the most selected features are shown.
    figures : dict from str to matplotlib Figure, optional
        Further figures by their titles, e.g. of `shapley_figure`.
    sections : sequence of Section, optional
        Further parts of the report.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    StudyError
        There is no result, or the results are of different cases, splits, outcomes or positive classes.
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
    compared = None
    if isinstance(results, FeatureSetComparison):
        compared = {"reference": results.reference, "table": _texts(results.differences()), "cv": results.cv}
        results = results.results
    results = _checked_results(results)
    contents = _contents(results) | {"controls": _control_sections(controls), "compared": compared}
    repeated = [repeatability] if isinstance(repeatability, pd.DataFrame) else list((repeatability or {}).values())
    contents["repeatability"] = [_repeatability_section(each) for each in repeated]
    extremes = _extreme_cases(results, table, cohort)
    contents["further"] = {name: _picture(figure, name) for name, figure in (extremes | (figures or {})).items()}
    study = Reported(results, colours_of(results), table, cohort, controls)
    contents["parts"] = [_part(section) for section in [*_sections(study), *sections]]
    text = page.render(title=title, version=__version__, **contents)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)


def _part(section):
    """Return a Section as the page shows it."""
    return {
        "section": section,
        "pictures": [(drawing, _picture(drawing.figure, drawing.title)) for drawing in section.drawings],
        "tables": {title: _texts(table) for title, table in section.tables.items()},
        "folded": {title: _texts(table) for title, table in section.folded.items()},
    }


def _contents(results):
    """Return the variables of the page."""
    first = results[0]
    shown = first.primary
    endpoint = shown.endpoint
    baseline = first.size_baseline
    compared = [*results, *([baseline] if baseline is not None else [])]
    pictures = []
    if "roc" in endpoint.offers:
        pictures.append(_picture(roc_figure([result.primary for result in compared]), "ROC curves"))
    if len(compared) > 1:
        pictures.append(_picture(interval_figure(compared), f"{endpoint.measure} of each model with its interval"))
    return {
        "n_cases": len(first.predictions),
        "n_models": len(results),
        "endpoint": endpoint,
        "reference": _capitalized(endpoint.reference() or ""),
        "method": _method(results),
        "learning": [_learning(result) for result in dict.fromkeys([shown, first])],
        "remarks": dict.fromkeys(remark for result in results for remark in result.remarks),
        "excluded": {name: reason for result in results for name, reason in result.excluded.items()},
        "cv": shown.cv,
        "other_cv": None if first.companion is None else first.cv,
        "level": f"{first.confidence_interval.level:.0%}",
        "has_accuracy": shown.accuracy is not None,
        "size_baseline": None if baseline is None else SIZE_BASELINE,
        "n_pairs": next(
            (result.n_equal_size_pairs for result in results if result.n_equal_size_pairs is not None), None
        ),
        "number": _number,
        "against_size": _against_size,
        "results": sorted(compared, key=lambda result: -result.primary.auc),
        "pictures": pictures,
        "sections": [_section(result) for result in results],
    }


def _repeatability_section(table):
    """Return sentence, picture and table of the repeatability of features."""
    rows = table.sort_values("icc", ascending=False).rename_axis("feature")
    rows = rows.rename(columns={"low": "icc low", "high": "icc high"})
    return {
        "sentence": repeatability_sentence(table),
        "picture": _picture(repeatability_figure(table), "Intraclass correlation of all features"),
        "table": _texts(rows),
    }


def _extreme_cases(results, table, cohort):
    """Return title and figure of the extreme cases of the features that the best model selected most often."""
    if table is None or cohort is None:
        return {}
    best = max(results, key=lambda result: result.primary.value)
    counts = selection_counts(best.primary)
    names = [] if counts is None else [name for name in counts.index if name in table.columns][:_MOST_EXTREME]
    title = f"Cases with extreme values of the features that {best.name} selected most often"
    return {title: extreme_cases_figure(table[names], cohort)} if names else {}


def _number(value):
    """Return a number with three decimals, or four digits if it is large; "-" if there is none."""
    if value is None or np.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


def _against_size(result):
    """Return whether a model is better or worse than size alone, by how much, and with which p value; "" if unknown."""
    compared = result.compared_with_size.against_size
    if compared is None:
        return ""
    direction = "better" if compared.difference > 0 else "worse" if compared.difference < 0 else "equal"
    p_value = "" if np.isnan(compared.p_value) else f", p = {compared.p_value:.2g}"
    return f"{direction}, {compared.difference:+.3f}{p_value}"


def _learning(result):
    """Return a sentence on the number of training cases, on which the performance of models depends."""
    fewest, most = result.folds["n_train"].agg(["min", "max"])
    return f"Models of {result.cv} learn from {fewest if fewest == most else f'{fewest} to {most}'} cases."


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
    named = results if isinstance(results, dict) else {}
    listed = list(named.values()) if named else results
    listed = list(listed) if isinstance(listed, Iterable) else [listed]
    if not listed:
        raise StudyError("There is no result to report. Run cross_validated_auc first.")
    require_results(*listed)
    listed = [replace(result, name=str(name)) for name, result in named.items()] or listed
    if any(set(result.predictions.index) != set(listed[0].predictions.index) for result in listed):
        raise StudyError("The results are of different cases. Write one report for each set of cases.")
    if len({result.cv for result in listed}) > 1:
        raise StudyError("The results are of different splits. Write one report for each.")
    if len({result.outcome for result in listed}) > 1:
        kinds = " and ".join(dict.fromkeys(result.outcome for result in listed))
        raise StudyError(f"The results are of {kinds}. Write one report for each.")
    if len({result.positive for result in listed}) > 1:
        raise StudyError("The results are about different positive classes. Write one report for each.")
    return listed


def _section(result):
    """Return what the page shows of a model: warning, sentences, measures, figures, predictions and settings."""
    shown = result.primary
    tables = shown.tables()
    return {
        "name": result.name,
        "warning": size_warning(result),
        "sentences": list(_sentences(result)),
        "measures": _measures(shown),
        "pictures": [_picture(figure, text) for text, figure in _figures(shown, tables) if figure is not None],
        "tables": {title: _texts(table) for title, table in tables.items() if not title.startswith(_DRAWN)},
        "cv": result.cv,
        "ids": result.predictions.index.tolist(),
        "columns": _columns(result),
        "settings": json.dumps(result.settings, indent=2),
    }


def _control_sections(controls):
    """Return name, verdicts, figure and table of the negative controls of each model; none without controls."""
    sections = []
    for model, studies in {} if controls is None else controls.results.items():
        rows = controls.table.loc[model]
        drawn = [replace(result, name=name) for name, result in studies.items()]
        baseline = next(iter(studies.values())).size_baseline
        figure = interval_figure([*drawn, *([] if baseline is None else [baseline])])
        columns = {rows["measure"].iloc[0]: [_with_bounds(row, "{:.3f}") for row in rows[_BOUNDS].to_numpy()]}
        differences = rows.filter(like="difference").to_numpy()
        columns["original less control"] = [_with_bounds(row, "{:+.3f}") for row in differences]
        columns["p"] = ["" if np.isnan(p_value) else f"{p_value:.2g}" for p_value in rows["p_value"]]
        sections.append(
            {
                "name": model,
                "sentences": controls.verdicts[model],
                "picture": _picture(figure, f"Negative controls of {model}"),
                "table": _texts(pd.DataFrame(columns, index=rows.index)),
            }
        )
    return sections


def _with_bounds(values, number):
    """Return a value with its interval as text; "" for no value, and no interval if it has none."""
    value, *bounds = (number.format(each) for each in values)
    shown = value if np.isnan(values[1]) else f"{value} ({' to '.join(bounds)})"
    return "" if np.isnan(values[0]) else shown


def _figures(result, tables):
    """Yield title and figure of what the endpoint of a result offers."""
    offers = result.endpoint.offers
    if result.centres is not None:
        yield "Centres", centre_figure(result)

    def table(title):
        return next((found for name, found in tables.items() if name.startswith(title)), None)

    if "scores" in offers:
        yield "Scores by class", score_figure(result)
    if "roc by class" in offers:
        yield "ROC curve of each class against the others", class_roc_figure(result)
    if "agreement" in offers:
        yield (
            "Predicted against observed, and their differences",
            agreement_figure(result, table("Limits of agreement")),
        )
    if "survival curves" in offers:
        curves = result.endpoint.survival_curves(result)
        p_value = table("Log-rank test")["p_value"].iloc[0]
        yield "Survival by risk group", survival_figure(curves, result.endpoint.horizon, p_value)
        if table("Calibration") is not None:
            yield "Calibration and decision curve", calibration_figure(table("Calibration"), table("Net benefit"))
    if "calibration" in offers and not result.predictions["probability"].isna().any():
        yield "Calibration and decision curve", calibration_figure(calibration(result).curve, decision_curve(result))
    yield "Selected features", selection_figure(result)


def _measures(result):
    """Return name, value and interval of the measures of a result, the main one first, as texts."""
    interval = result.confidence_interval
    main = pd.DataFrame([[result.value, interval.low, interval.high]], [result.endpoint.measure], _BOUNDS)
    measures = pd.concat([main, result.measures(interval.level)[_BOUNDS]])
    return [
        (name, _number(value), "" if np.isnan(low) else f"{_number(low)} to {_number(high)}")
        for name, value, low, high in measures.itertuples()
    ]


def _texts(table):
    """Return headings and rows of a table as texts, the names of its rows first unless they are numbers.

    Columns "x", "x low" and "x high" become one.
    """
    names = [] if isinstance(table.index, pd.RangeIndex) else [[table.index.name or "", *map(str, table.index)]]
    columns = []
    for name, values in table.items():
        low, high = (table.get(f"{name} {end}") for end in ("low", "high"))
        if low is not None:
            values = [
                _cell(value) if np.isnan(least) else f"{value:.2f} ({least:.2f} to {most:.2f})"
                for value, least, most in zip(values, low, high, strict=True)
            ]
        if not str(name).endswith((" low", " high")):
            columns.append([str(name).replace("_", " "), *map(_cell, values)])
    heading, *rows = zip(*names, *columns, strict=True)
    return {"heading": heading, "rows": rows}


def _cell(value):
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:.3g}"
    return str(value)


def _columns(result):
    """Return the columns of the table of predictions: headings, texts, and in which rows to highlight them.

    Columns with missing values are left out, as is the fraction of correct predictions if each case was tested once.
    """
    endpoint = result.endpoint
    columns = []
    is_wrong = []
    if "accuracy" in endpoint.offers:
        is_wrong = (result.predictions["prediction"] != result.predictions["label"]).tolist()
    for name, values in result.predictions.items():
        if name == "fold" or values.isna().any() or (name == "correct" and result.score_table.shape[1] == 1):
            continue
        is_number = values.dtype.kind == "f"
        digits = "{:.2f}" if name == "correct" else "{:.3f}"
        heading = {
            "probability": f"Probability of {result.positive}" if endpoint.horizon is None else "Survival",
        }.get(name, _capitalized(name.replace("_", " ")))
        columns.append(
            {
                "heading": heading,
                "texts": values.map(digits.format if is_number else str).tolist(),
                "is_number": is_number,
                "is_wrong": is_wrong if name == "prediction" else [],
            }
        )
    return columns


def _sentences(result):
    """Yield what has to be read of a model besides its figures."""
    shown = result.primary
    method = "" if np.isnan(shown.confidence_interval.low) else f"; interval: {shown.interval_method}"
    yield f"{shown.sentence} ({shown.cv}, {shown.estimate}{method})."
    if result is not shown:
        yield f"{result.sentence} ({result.cv}, {result.estimate})."
    if result.random_effects is not None:
        yield f"{_capitalized(str(result.random_effects))}."
    for sentence in (result.size_sentence, result.equal_size_sentence):
        if sentence is not None:
            yield f"{_capitalized(sentence)}."
    if shown.selection_sentence is not None:
        yield (
            f"{_capitalized(shown.selection_sentence)} (participation ratio of the eigenvalues of their correlation "
            "matrix): correlated features are one finding, not several."
        )
    if shown.stability is not None:
        yield f"Stability of the selected features: {shown.stability}."
    if shown.choice_sentence is not None:
        yield f"{_capitalized(shown.choice_sentence)}."


def _capitalized(sentence):
    return f"{sentence[:1].upper()}{sentence[1:]}"


def _picture(figure, text):
    """Return a figure as a PNG in base64, with its alternative text."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return {"text": text, "data": base64.b64encode(buffer.getvalue()).decode()}
