"""Results in, one self-contained HTML file out."""

import base64
import io
import json
from collections.abc import Iterable
from pathlib import Path

import jinja2

from radiodeep import __version__
from radiodeep.exceptions import InputError, StudyError
from radiodeep.files import replacing
from radiodeep.report.figures import auc_figure, calibration_figure, roc_figure, score_figure, selection_figure
from radiodeep.study.result import StudyResult
from radiodeep.study.size import size_warning
from radiodeep.study.statistics.calibration import calibration

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .8rem .3rem 0; }
th { border-bottom: 2px solid #222; } td { border-bottom: 1px solid #ddd; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; } .note { background: #f4f1ea; padding: .6rem 1rem; } pre { overflow-x: auto; font-size: .8rem; }
.wrong { color: #a8321a; font-weight: 600; }
</style></head><body>
<h1>{{ title }}</h1>
<p>{{ n_cases }} cases, {{ class_counts }}. AUC, scores and probabilities are about class {{ positive }}.
Split: {{ cv }}. {{ method }}</p>
{% for remark in remarks %}<p class="note wrong">{{ remark }}</p>
{% endfor %}{% if excluded %}<p class="note">{{ excluded|length }} of {{ excluded|length + n_cases }} cases were left
out, because they could not be read or measured:</p><ul>
{% for id, reason in excluded.items() %}<li>{{ id }}: {{ reason }}</li>{% endfor %}</ul>{% endif %}
{% macro auc(result) %}<td class="number">{{ '%.3f' % result.auc }}</td>
<td class="number">{{ '%.3f' % result.confidence_interval.low }} to {{ '%.3f' % result.confidence_interval.high }}</td>
{% endmacro %}<table><thead><tr><th>Model</th>
<th class="number">AUC, {{ cv }}</th><th class="number">{{ level }} interval</th>
{% if beside %}<th class="number">AUC, {{ beside }}</th><th class="number">{{ level }} interval</th>
{% endif %}<th class="number">Accuracy, {{ cv }}</th>
{% if size_alone %}<th class="number">Against size</th>{% endif %}</tr></thead><tbody>
{% for result in results %}<tr><td>{{ result.name }}</td>{{ auc(result) }}
{% if beside %}{{ auc(result.beside) }}{% endif %}<td class="number">{{ '%.3f' % result.accuracy }}</td>
{% if size_alone %}<td class="number">
{% if result.p_against_size is not none %}{{ against(result) }}{% endif %}
</td>{% endif %}</tr>
{% endfor %}</tbody></table>
<p>Always predicting the more frequent class has an accuracy of {{ '%.3f' % majority }}.</p>
{% if beside %}<p class="note">The AUC of {{ cv }} pools the scores of all folds, as older studies did. It is biased
low: leaving a case out tilts each training set towards the other class, so a model that has learned nothing has an AUC
below 0.5, down to 0. Its interval takes the models as given and is too narrow: of nominal 95 %, it covers 0.5 in about
60 % of studies without signal. Repeated stratified folds do not have this bias. Their interval also allows for the
choice of training cases; it covers the expected AUC in 80 to 97 % of the studies, least where a weak signal is spread
over many features or patients have several cases.</p>{% endif %}
{% if size_alone %}<p class="note">"size alone" is the volume (or area) of the region as the score; whether larger or
smaller regions speak for class {{ positive }} is taken from all cases, which makes it look a little better than it is.
A model that is no better has not shown that texture or shape add to what a ruler measures.</p>
{% if n_pairs is not none %}<table><thead><tr><th>Model</th>
<th class="number">AUC</th><th class="number">AUC at equal size</th>
<th class="number">Rank correlation of score and size</th></tr></thead><tbody>
{% for result in results %}{% set tested = result.compared_with_size %}<tr><td>{{ result.name }}</td>
<td class="number">{{ number(tested.auc) }}</td><td class="number">{{ number(tested.equal_size_auc) }}</td>
<td class="number">{{ number(tested.score_size_correlation) }}</td></tr>
{% endfor %}</tbody></table>
<p class="note">Split: {{ beside or cv }}. "AUC at equal size" counts only pairs of a positive and a negative case whose
sizes differ by at most 10 %: {{ '{:,}'.format(n_pairs) }} here, and 30 or more are needed. It is what is left of the
AUC without the help of size; no interval is given, since one case is in many pairs. A score that goes up and down with
the size (rank correlation near 1 or -1) may be size in other words, whatever features it is made of: networks and
texture measure size as well.</p>{% endif %}{% endif %}
{% if n_models > 1 %}<p class="note">{{ n_models }} models are in this report, and others may have been tried. The best
of several looks better than it is; name the main model before looking, or confirm it on other patients.</p>{% endif %}
{% for picture in pictures %}<p><img alt="{{ picture.text }}" src="data:image/png;base64,{{ picture.data }}"></p>
{% endfor %}
{% for part in parts %}<h2>{{ part.name }}</h2>
{% if part.warning %}<p class="note wrong">{{ part.warning }}</p>{% endif %}
{% for sentence in part.sentences %}<p>{{ sentence }}</p>
{% endfor %}
{% for picture in part.pictures %}<p><img alt="{{ picture.text }}" src="data:image/png;base64,{{ picture.data }}"></p>
{% endfor %}<details><summary>Predictions</summary><table><thead><tr><th>Case</th><th>Label</th>
<th class="number">Score</th>{% if part.probabilities %}<th class="number">Probability of {{ positive }}</th>
{% endif %}<th>Prediction</th>{% if part.repeated %}<th class="number">Correct</th>{% endif %}</tr></thead><tbody>
{% for row in part.rows %}<tr><td>{{ row.id }}</td><td>{{ row.label }}</td>
<td class="number">{{ '%.3f' % row.score }}</td>{% if part.probabilities %}<td class="number">
{{ '%.3f' % row.probability }}</td>{% endif %}<td{% if row.label != row.prediction %} class="wrong"{% endif %}>
{{ row.prediction }}</td>{% if part.repeated %}<td class="number">{{ '%.2f' % row.correct }}</td>{% endif %}</tr>
{% endfor %}</tbody></table></details>
<details><summary>Settings</summary><pre>{{ part.settings }}</pre></details>
{% endfor %}<p>Made with radiodeep {{ version }}.</p></body></html>
"""


def write_report(results, path, title="radiodeep study"):
    """Write results as one HTML file with its figures inside.

    Parameters
    ----------
    results : StudyResult, sequence of StudyResult, or dict of them
        Of the same cases.
    path : path-like
        Ending in .html. Written whole or not at all.
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
    listed = _as_list(results)
    baseline = listed[0].size_alone
    ranked = [*listed, *([baseline] if baseline is not None else [])]
    first = listed[0].predictions
    counts = first["label"].value_counts().sort_index()
    overview = [_picture(auc_figure(ranked), "AUC of each model with its interval")] if len(ranked) > 1 else []
    page = jinja2.Environment(autoescape=True).from_string(_PAGE)
    text = page.render(
        title=title,
        n_cases=len(first),
        n_models=len(listed),
        class_counts=", ".join(f"{count} of label {label}" for label, count in counts.items()),
        positive=listed[0].positive,
        method=_method(listed),
        remarks=dict.fromkeys(remark for result in listed for remark in result.remarks),
        excluded={name: reason for result in listed for name, reason in result.excluded.items()},
        against=_against_size,
        cv=listed[0].cv,
        level=f"{listed[0].confidence_interval.level:.0%}",
        majority=counts.max() / len(first),
        beside=listed[0].beside.cv if all(result.beside is not None for result in ranked) else None,
        size_alone=baseline is not None,
        n_pairs=next((one.n_equal_size_pairs for one in listed if one.n_equal_size_pairs is not None), None),
        number=lambda value: "-" if value is None else f"{value:.3f}",
        results=sorted(ranked, key=lambda result: -result.auc),
        pictures=[_picture(roc_figure(ranked), "ROC curves"), *overview],
        parts=[_part(result) for result in listed],
        version=__version__,
    )
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)


def _method(results):
    """Say what happened inside the folds, as far as it is known."""
    if results[0].cv == "holdout":
        return "Models were fitted to the training cohort and tested on these cases."
    selected = [result.folds["selected_features"].notna().all() for result in results]
    inside = "Models were fitted inside each fold"
    if all(selected):
        inside = "Features were selected and models fitted inside each fold"
    elif any(selected):
        names = ", ".join(result.name for result, has in zip(results, selected, strict=True) if has)
        inside = f"Models were fitted inside each fold, and features selected there by {names}"
    if results[0].source == "images":
        return f"{inside}. Features were extracted from the images."
    return f"{inside}. The table was taken as given: whether its features were selected before is not known."


def _against_size(result):
    tested = result if result.beside is None or result.beside.against_size is None else result.beside
    return f"{tested.against_size.difference:+.3f}, p = {result.p_against_size:.2g}"


def _as_list(results):
    listed = list(results.values()) if isinstance(results, dict) else results
    listed = list(listed) if isinstance(listed, Iterable) else [listed]
    if not listed:
        raise StudyError("There is no result to report. Run cross_validated_auc first.")
    wrong = [type(result).__name__ for result in listed if not isinstance(result, StudyResult)]
    if wrong:
        raise StudyError(f"A report takes results of cross_validated_auc or holdout_auc. Got {wrong[0]} instead.")
    if any(set(result.predictions.index) != set(listed[0].predictions.index) for result in listed):
        raise StudyError("The results are of different cases. Write one report for each set of cases.")
    if len({result.cv for result in listed}) > 1:
        raise StudyError("The results are of different splits. Write one report for each.")
    if len({result.positive for result in listed}) > 1:
        raise StudyError("The results are about different positive classes. Write one report for each.")
    return listed


def _sentences(result):
    """Return what is to be read of a model besides its figures."""
    yield f"{result.sentence} ({result.cv}, {result.estimate}; interval: {result.interval_method})."
    if result.beside is not None:
        beside = result.beside
        yield f"{beside.sentence} ({beside.cv}, {beside.estimate}; interval: {beside.interval_method})."
    low, high = result.accuracy_interval.low, result.accuracy_interval.high
    yield (
        f"Accuracy {result.accuracy:.3f} under {result.cv} ({result.accuracy_interval.level:.0%} CI {low:.3f} to "
        f"{high:.3f}, Wilson; it takes the models as given and is too narrow)."
    )
    if result.size_alone is not None:
        yield f"{_capitalised(result.size_sentence)}."
        if result.equal_size_sentence is not None:  # results of older versions have none
            yield f"{_capitalised(result.equal_size_sentence)}."
    if result.effective_n_features is not None:
        yield (
            f"{_capitalised(result.selection_sentence)} (participation ratio of the eigenvalues of their correlation "
            "matrix): features that go up and down together are one finding, not several."
        )
    if result.stability is not None:
        yield (
            f"Stability of the selected features: {result.stability}. Folds share most of their cases, so features "
            "selected from noise are stable as well; compare with the value for shuffled labels."
        )
    if not result.predictions["probability"].isna().any():
        prevalence = (result.predictions["label"] == result.positive).mean()
        yield (
            f"{calibration(result)} (ideal are slope 1 and intercept 0; always predicting the prevalence has a Brier "
            f"score of {prevalence * (1 - prevalence):.3f})."
        )


def _capitalised(sentence):
    return f"{sentence[0].upper()}{sentence[1:]}"


def _part(result):
    figures = [
        (score_figure(result), "Scores by class"),
        (selection_figure(result), "Selected features"),
        (calibration_figure(result), "Calibration and decision curve"),
    ]
    return {
        "name": result.name,
        "warning": size_warning(result),
        "sentences": list(_sentences(result)),
        "pictures": [_picture(figure, text) for figure, text in figures if figure is not None],
        "probabilities": not result.predictions["probability"].isna().any(),
        "repeated": result.scores is not None and result.scores.shape[1] > 1,
        "rows": result.predictions.reset_index(names="id").to_dict("records"),
        "settings": json.dumps(result.settings, indent=2),
    }


def _picture(figure, text):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return {"text": text, "data": base64.b64encode(buffer.getvalue()).decode()}
