"""Results -> one self-contained HTML file."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from radiodeep.exceptions import InputError, StudyError
from radiodeep.files import replacing
from radiodeep.report.calibration_section import calibration_section
from radiodeep.report.cases_section import cases_part, lesions_of
from radiodeep.report.checklist import checklist_section
from radiodeep.report.cohort_section import cohort_table, flow
from radiodeep.report.comparison_section import comparison_section
from radiodeep.report.drawn import drawn_section
from radiodeep.report.feature_section import feature_section
from radiodeep.report.methods import learning_sentence, method_sentences, methods_paragraph, provenance, today
from radiodeep.report.model_section import model_section
from radiodeep.report.performance import outcome_section, performance_section, threshold_section
from radiodeep.report.reliability import (
    clinical_of,
    conformal_section,
    instability_section,
    sample_size_section,
    subgroup_section,
)
from radiodeep.report.section import Section
from radiodeep.report.study_facts import study_facts
from radiodeep.report.study_sections import control_sections, extreme_section, figure_sections, repeatability_sections
from radiodeep.report.style import colours_of
from radiodeep.report.tables import capitalized, texts
from radiodeep.report.verdict import by_estimate, verdict
from radiodeep.study.feature_sets import FeatureSetComparison
from radiodeep.study.result import require_results

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, eq=False)
class Reported:
    """What a report is made of: results of the same cases, a colour for each model, and what else is known."""

    results: list
    colours: dict
    table: pd.DataFrame | None = None  # features by case id
    cohort: object = None
    controls: object = None
    compared: object = None  # the FeatureSetComparison of the results
    repeatability: object = None
    lesions: object = None  # the Lesions of the cohort
    figures: dict = field(default_factory=dict)


def _leading_sections(study):
    """Return the sections of all models, which come first."""
    return [
        comparison_section(study.results, study.compared),
        performance_section(by_estimate(study.results), study.colours),
    ]


def _model_sections(study, result):
    """Return the sections of one model, the first above the others; a function that has nothing to say returns None."""
    return [
        model_section(result),
        outcome_section(result, study.colours[result.name]),
        threshold_section(result, study.colours[result.name]),
        calibration_section(result, study.colours[result.name]),
        feature_section(result, study.colours[result.name], study.table),
        subgroup_section(result, clinical_of(study.lesions), study.colours[result.name]),
        instability_section(result, study.colours[result.name]),
        conformal_section(result, study.colours[result.name]),
    ]


def _study_sections(study):
    """Return the sections of the study, which come after those of the models."""
    return [
        *control_sections(study.controls, study.colours),
        *repeatability_sections(study.repeatability),
        extreme_section(study.results, study.table, study.cohort),
        *figure_sections(study.figures),
        sample_size_section(study.results),
        # one line each
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
    lesions=None,
    source=None,
    date=None,
):
    """Write results as one HTML file that contains its figures and needs no network.

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
    table : DataFrame, optional
        The features by case id.
    cohort : Cohort, optional
        The cases, whose outlines are shown, at most those of 300, and what the manifest knows of them by outcome. With
        the table, cases with extreme values of the most selected features are shown as well.
    figures : dict from str to matplotlib Figure, optional
        Further figures by their titles, e.g. of `shapley_figure`.
    sections : sequence of Section, optional
        Further parts of the report.
    lesions : Lesions, optional
        What was read of the cohort before, as a study saves it: the images are then not read for it.
    source : path-like or dict, optional
        The manifest or table that was studied, whose name and sha256 are shown; or a dict of both.
    date : str, optional
        By default today, or the time of the environment variable SOURCE_DATE_EPOCH.

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
    compared = results if isinstance(results, FeatureSetComparison) else None
    results = _checked_results(results.results if compared is not None else results)
    if lesions is None and cohort is not None:
        lesions = lesions_of(results, cohort)
    study = Reported(
        results,
        colours_of(results),
        table,
        cohort,
        controls,
        compared,
        repeatability,
        lesions,
        dict(figures or {}),
    )
    cases = cases_part(results, study.colours, lesions)
    parts = [*_leading_sections(study), cases]
    levels = {}  # of the sections inside that of a model; those of all models but the best are folded
    for result in by_estimate(results):
        first, *inner = (part for part in _model_sections(study, result) if part is not None)
        levels |= dict.fromkeys(map(id, inner), "folded" if levels else "open")
        parts += [first, *inner]
    sources = Section("Software and data", tables={"": provenance(results, table, source, date)})
    facts = study_facts(results, cohort, controls=controls, repeatability=repeatability, lesions=lesions)
    parts += [*_study_sections(study), *sections, checklist_section(facts), sources]
    parts = [part for part in parts if part is not None]
    contents = _contents(study) | {"methods": methods_paragraph(results, controls)}
    contents["parts"] = [_part(part, f"part{number}", levels.get(id(part))) for number, part in enumerate(parts)]
    text = _page(title=title, date=date or today(), **contents)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)


def _page(**contents):
    """Return the page with its style and its script, whose hash is the only one that may run."""
    page, style, script = (_FOLDER.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(page)
    return template.render(style=Markup(style), script=Markup(script), script_hash=digest, **contents)


def _part(part, anchor, inner):
    """Return a Section, or the part of the cases, as the page takes it; `inner` is "open", "folded" or None."""
    cases = None if isinstance(part, Section) else part
    section = part if cases is None else cases["section"]
    return {"anchor": anchor, "inner": inner, "cases": cases, **drawn_section(section, anchor)}


def _contents(study):
    """Return the variables of the page above its sections."""
    results = study.results
    first, shown = results[0], results[0].primary
    endpoint = shown.endpoint
    return {
        "verdict": verdict(results, study.controls),
        "n_cases": len(first.predictions),
        "endpoint": endpoint,
        "reference": capitalized(endpoint.reference() or ""),
        "method": method_sentences(results),
        "learning": [learning_sentence(result) for result in dict.fromkeys([shown, first])],
        "remarks": dict.fromkeys(remark for result in results for remark in result.remarks),
        "cv": shown.cv,
        "other_cv": None if first.companion is None else first.cv,
        "flow": flow(results),
        "cohort": texts(cohort_table(first, study.lesions)),
    }


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
