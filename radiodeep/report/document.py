"""Results in, one self-contained HTML file out."""

import base64
import io
import json
from collections.abc import Iterable
from pathlib import Path

import jinja2

from radiodeep import __version__
from radiodeep.exceptions import StudyError
from radiodeep.report.figures import auc_figure, calibration_figure, roc_figure, score_figure, selection_figure
from radiodeep.study.calibration import calibration

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
<p>{{ n_cases }} cases, {{ class_counts }}. Split: {{ cv }}.
Features were selected and models fitted inside each fold.</p>
{% macro auc(result) %}<td class="number">{{ '%.3f' % result.auc }}</td>
<td class="number">{{ '%.3f' % result.confidence_interval.low }} to {{ '%.3f' % result.confidence_interval.high }}</td>
{% endmacro %}<table><thead><tr><th>Model</th>
<th class="number">AUC, {{ cv }}</th><th class="number">{{ level }} interval</th>
{% if beside %}<th class="number">AUC, {{ beside }}</th><th class="number">{{ level }} interval</th>
{% endif %}<th class="number">Accuracy</th>
{% if size_alone %}<th class="number">p against size</th>{% endif %}</tr></thead><tbody>
{% for result in results %}<tr><td>{{ result.name }}</td>{{ auc(result) }}
{% if beside %}{{ auc(result.beside) }}{% endif %}<td class="number">{{ '%.3f' % result.accuracy }}</td>
{% if size_alone %}<td class="number">
{% if result.p_against_size is not none %}{{ '%.2g' % result.p_against_size }}{% endif %}
</td>{% endif %}</tr>
{% endfor %}</tbody></table>
<p>Always guessing the more frequent class has an accuracy of {{ '%.3f' % majority }} and an AUC of 0.5.</p>
{% if beside %}<p class="note">The AUC of {{ cv }} pools the scores of all folds, as older studies did. It is biased
low: leaving a case out tilts each training set towards the other class, so a model that has learned nothing scores
below 0.5. Repeated stratified folds do not have this bias; their interval also knows that other training cases give
another model, which DeLong's does not.</p>{% endif %}
{% if size_alone %}<p class="note">"size alone" knows nothing but the volume (or area) of the region. A model that is no
better has not shown that texture or shape say anything that a ruler does not.</p>{% endif %}
{% if n_models > 1 %}<p class="note">{{ n_models }} models were compared. The best of several looks better
than it is; name the main model before looking, or confirm it on other patients.</p>{% endif %}
{% for picture in pictures %}<p><img alt="{{ picture.text }}" src="data:image/png;base64,{{ picture.data }}"></p>
{% endfor %}
{% for part in parts %}<h2>{{ part.name }}</h2>{% for sentence in part.sentences %}<p>{{ sentence }}</p>
{% endfor %}
{% for picture in part.pictures %}<p><img alt="{{ picture.text }}" src="data:image/png;base64,{{ picture.data }}"></p>
{% endfor %}<details><summary>Predictions</summary><table><thead><tr><th>Case</th><th>Label</th>
<th class="number">Score</th>{% if part.probabilities %}<th class="number">Probability</th>
{% endif %}<th>Prediction</th></tr></thead><tbody>
{% for row in part.rows %}<tr><td>{{ row.id }}</td><td>{{ row.label }}</td>
<td class="number">{{ '%.3f' % row.score }}</td>{% if part.probabilities %}<td class="number">
{{ '%.3f' % row.probability }}</td>{% endif %}<td{% if row.label != row.prediction %} class="wrong"{% endif %}>
{{ row.prediction }}</td></tr>{% endfor %}</tbody></table></details>
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
        Ending in .html.
    title : str

    Returns
    -------
    pathlib.Path

    Raises
    ------
    StudyError
        There is no result, or the results are of different cases.
    """
    listed = _as_list(results)
    baseline = listed[0].size_alone
    ranked = [*listed, *([baseline] if baseline is not None else [])]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    first = listed[0].predictions
    counts = first["label"].value_counts().sort_index()
    overview = [_picture(auc_figure(ranked), "AUC of each model with its interval")] if len(ranked) > 1 else []
    page = jinja2.Environment(autoescape=True).from_string(_PAGE)
    path.write_text(
        page.render(
            title=title,
            n_cases=len(first),
            n_models=len(listed),
            class_counts=", ".join(f"{count} of label {label}" for label, count in counts.items()),
            cv=listed[0].cv,
            level=f"{listed[0].confidence_interval.level:.0%}",
            majority=counts.max() / len(first),
            beside=listed[0].beside.cv if all(result.beside is not None for result in ranked) else None,
            size_alone=baseline is not None,
            results=sorted(ranked, key=lambda result: -result.auc),
            pictures=[_picture(roc_figure(ranked), "ROC curves"), *overview],
            parts=[_part(result) for result in listed],
            version=__version__,
        ),
        encoding="utf-8",
    )
    return path


def _as_list(results):
    listed = list(results.values()) if isinstance(results, dict) else results
    listed = list(listed) if isinstance(listed, Iterable) else [listed]
    if not listed:
        raise StudyError("There is no result to report. Run cross_validated_auc first.")
    if any(set(result.predictions.index) != set(listed[0].predictions.index) for result in listed):
        raise StudyError("The results are of different cases. Write one report for each set of cases.")
    if len({result.cv for result in listed}) > 1:
        raise StudyError("The results are of different splits. Write one report for each.")
    return listed


def _sentences(result):
    """Return what is to be read of a model besides its figures."""
    yield f"{result.sentence} ({result.cv}, {result.estimate}; interval: {result.interval_method})."
    if result.beside is not None:
        beside = result.beside
        yield f"{beside.sentence} ({beside.cv}, {beside.estimate}; interval: {beside.interval_method})."
    low, high = result.accuracy_interval.low, result.accuracy_interval.high
    yield f"Accuracy {result.accuracy:.3f} ({result.accuracy_interval.level:.0%} CI {low:.3f} to {high:.3f}, Wilson)."
    tested = result if result.beside is None else result.beside
    if tested.against_size is not None:
        yield f"Against size alone ({tested.cv}): {tested.against_size}."
    if result.stability is not None:
        yield f"Stability of the selected features: {result.stability}."
    like_size = [f"{name} ({value:.2f})" for name, value in result.size_correlations.items() if value > 0.9]
    if like_size:
        yield f"Selected features that go up and down with the size (rank correlation): {', '.join(like_size)}."
    if not result.predictions["probability"].isna().any():
        yield f"{calibration(result)} (slope 1 and intercept 0 would be right)."


def _part(result):
    figures = [
        (score_figure(result), "Scores by class"),
        (selection_figure(result), "Selected features"),
        (calibration_figure(result), "Calibration and decision curve"),
    ]
    return {
        "name": result.name,
        "sentences": list(_sentences(result)),
        "pictures": [_picture(figure, text) for figure, text in figures if figure is not None],
        "probabilities": not result.predictions["probability"].isna().any(),
        "rows": result.predictions.reset_index(names="id").to_dict("records"),
        "settings": json.dumps(result.settings, indent=2),
    }


def _picture(figure, text):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return {"text": text, "data": base64.b64encode(buffer.getvalue()).decode()}
