"""Results -> their cases: a table of what each model predicts, how wrong that is, and a figure of dots to click on."""

import numpy as np

from radiodeep.report.style import figure_with_axes, plain_text
from radiodeep.report.tables import capitalized

_MOST_MODELS = 4  # whose predictions are drawn
_MOST_DOTS = 2000  # that are drawn, but those of one model at least
_SWARM_BINS = 90


def misfit(result):
    """Return how little the prediction of each case agrees with its outcome, (n_cases,) in 0..1 but for numbers.

    Of two classes and of survival it is the fraction of comparable cases that are ranked in the wrong order; of several
    classes one less the probability, or score, of the true one; of numbers the absolute error.
    """
    endpoint, predictions = result.endpoint, result.predictions
    if endpoint.kind == "numbers":
        return np.abs(predictions["prediction"] - predictions["outcome"]).to_numpy(float)
    if endpoint.outputs is not None:
        return 1 - _of_true_class(result)
    score = predictions["score"].to_numpy(float)
    if endpoint.kind == "survival":
        is_earlier = endpoint.event[:, np.newaxis] & (endpoint.time[:, np.newaxis] < endpoint.time)
    else:
        is_earlier = endpoint.is_positive[:, np.newaxis] & ~endpoint.is_positive
    wrong = (score[:, np.newaxis] < score) + 0.5 * (score[:, np.newaxis] == score)
    wrong = np.where(is_earlier, wrong, 0.0)
    n_pairs = is_earlier.sum(axis=0) + is_earlier.sum(axis=1)
    return (wrong.sum(axis=0) + wrong.sum(axis=1)) / np.maximum(n_pairs, 1)


def _of_true_class(result):
    """Return the probability, or score if there is none, of the true class of each case."""
    endpoint, predictions = result.endpoint, result.predictions
    kind = "probability" if f"probability_{endpoint.outputs[0]}" in predictions else "score"
    values = predictions[[f"{kind}_{name}" for name in endpoint.outputs]].to_numpy(float)
    if np.isnan(values).any():
        values = predictions[[f"score_{name}" for name in endpoint.outputs]].to_numpy(float)
    true = [list(endpoint.classes).index(label) for label in endpoint.y]
    return values[np.arange(len(values)), true]


def is_wrong(result):
    """Return whether the predicted class of each case is wrong, (n_cases,), or None if classes are not predicted."""
    if "accuracy" not in result.endpoint.offers:
        return None
    return (result.predictions["prediction"] != result.predictions["label"]).to_numpy()


def case_columns(results, sizes=None):
    """Return the columns of the table of cases: headings, texts, and which cells are wrong.

    `results` are those that are shown, the main one first, with their cases in one order; `sizes` a Series by case id.
    """
    first = results[0]
    endpoint = first.endpoint
    columns = []
    for name in endpoint.outcome_columns:
        values = first.predictions[name]
        if values.dtype.kind == "b":
            values = values.map({True: "yes", False: "no"})
        columns.append(_column(capitalized(name), values, digits=".4g"))
    for result in results:
        heading, values = _predicted(result)
        columns.append(_column(f"{result.name}: {heading}", values, is_wrong(result)))
    columns.append(_column("Error" if endpoint.kind == "numbers" else "Misfit", misfit(first)))
    if sizes is not None:
        columns.append(
            _column(sizes.name.partition(" of")[0] + sizes.name.rpartition("region")[2], sizes, digits=".4g")
        )
    return columns


def outcome_texts(result):
    """Return the outcome of each case in a word or two."""
    endpoint = result.endpoint
    if endpoint.kind == "survival":
        pairs = zip(endpoint.event, endpoint.time, strict=True)
        return [f"event at {time:.4g}" if event else f"none by {time:.4g}" for event, time in pairs]
    if endpoint.kind == "numbers":
        return [f"observed {value:.4g}" for value in endpoint.y]
    return [f"label {label}" for label in endpoint.y]


def _predicted(result):
    """Return in a word or two what is shown of the predictions of a result, and its values."""
    endpoint, predictions = result.endpoint, result.predictions
    if "probability" in predictions and not predictions["probability"].isna().any():
        shown = f"survival at {endpoint.horizon:g}" if endpoint.horizon else f"probability of {result.positive}"
        return shown, predictions["probability"]
    if endpoint.kind == "numbers" or endpoint.outputs is not None:
        return "prediction", predictions["prediction"]
    return "score", predictions["score"]


def _column(heading, values, wrong=None, digits=".3f"):
    kind = np.asarray(values).dtype.kind
    texts = ["" if value != value else f"{value:{digits}}" if kind == "f" else str(value) for value in values]
    return {"heading": heading, "texts": texts, "is_number": kind in "fiu", "is_wrong": wrong}


def case_figure(results, colours):
    """Draw what each model predicts of each case, by outcome; a dot links to "#case-N", its place in the results."""
    results = results[: max(1, min(_MOST_MODELS, _MOST_DOTS // len(results[0].predictions)))]
    rows = [(result, name, inside, x) for result in results for name, inside, x in _strips(result)]
    figure, axes = figure_with_axes(7.2, 1.1 + 0.42 * len(rows))
    labels, width = [], np.ptp(np.concatenate([x for *_, x in rows])) or 1.0
    for height, (result, name, inside, x) in enumerate(reversed(rows)):
        own = x[inside]
        colour = colours[result.name]
        wrong = np.zeros(len(own), dtype=bool) if is_wrong(result) is None else is_wrong(result)[inside]
        faces = np.where(wrong, "white", colour)
        dots = axes.scatter(
            own, height + _offsets(own / width), s=14, c=faces, edgecolors=colour, linewidths=0.8, clip_on=False
        )
        dots.set_urls([f"#case-{position}" for position in np.flatnonzero(inside)])
        labels.append(plain_text(f"{result.name}, {name}" if name else result.name))
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.set(xlabel=plain_text(_axis(results[0])), ylim=(-0.6, len(rows) - 0.4))
    return figure


def _strips(result):
    """Yield the name of a group of cases by outcome, which cases they are, and the values of all cases."""
    endpoint = result.endpoint
    everyone = np.ones(len(result.predictions), dtype=bool)
    if endpoint.kind == "numbers":
        yield "", everyone, (result.predictions["prediction"] - result.predictions["outcome"]).to_numpy(float)
    elif endpoint.kind == "survival":
        for name, inside in (("no event", ~endpoint.event), ("event", endpoint.event)):
            yield name, inside, result.predictions["score"].to_numpy(float)
    else:
        x = _predicted(result)[1].to_numpy(float) if endpoint.outputs is None else _of_true_class(result)
        for label in endpoint.classes:
            yield f"label {label}", np.asarray(endpoint.y == label), x


def _axis(result):
    kind = result.endpoint.kind
    if kind == "numbers":
        return "Predicted less observed"
    if kind == "survival":
        return "Predicted risk (mean rank)" if result.score_table.shape[1] > 1 else "Predicted risk"
    return capitalized(_predicted(result)[0]) if result.endpoint.outputs is None else "Probability of the true class"


def _offsets(x):
    """Return vertical offsets that keep dots at nearly equal positions apart."""
    bins = np.floor(x * _SWARM_BINS).astype(int)
    place = np.zeros(len(x))
    for each in np.unique(bins):
        inside = np.flatnonzero(bins == each)
        place[inside] = (np.arange(len(inside)) + 1) // 2 * np.where(np.arange(len(inside)) % 2, 1, -1)
    return 0.38 * place / max(np.abs(place).max(), 6)
