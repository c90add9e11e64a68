"""Results -> the text that `radiodeep study` prints, of less than 80 columns."""

import math
import textwrap

import radiodeep as rd
from radiodeep.cli.terminal import aligned

_WIDTH = 79


def overview(results, measures):
    """Return each measure with its interval, what else was measured, and how much of it may be size.

    `measures` is a DataFrame by model and name of the measure; the first of each model is the main one.
    """
    first = next(iter(results.values())).primary
    endpoint = first.endpoint
    parts = [
        f"{endpoint.title()}, {endpoint.kind}\n{_wrapped(_composition(endpoint))}",
        _main_table(results),
        _remark(next(iter(results.values()))),
        *_centres(results),
        *_other_measures(measures),
        *_with_size(results),
        *_selection(results.values()),
    ]
    return "\n\n".join(part for part in parts if part)


def control_overview(controls):
    """Return the measure of each of the `NegativeControls`, its difference to the original, and the verdicts."""
    rows = [
        [model, study, _with_bounds(row["value"], row["low"], row["high"]), *_difference(row)]
        for (model, study), row in controls.table.iterrows()
    ]
    header = ["", "negative control", controls.table["measure"].iloc[0], "original less control", "p"]
    verdicts = [_wrapped(f"{model}: {text}") for model, texts in controls.verdicts.items() for text in texts]
    return "\n" + "\n\n".join([aligned(header, rows, widest=14), *verdicts])


def comparison_overview(compared):
    """Return the differences of a FeatureSetComparison to its reference."""
    rows = []
    for name, row in compared.table.drop(compared.reference).iterrows():
        bounds = _with_bounds(row["difference"], row["difference_low"], row["difference_high"])
        test = "added value" if name in compared.added_value else "difference"
        shown = ["-", "none valid"] if math.isnan(row["p_value"]) else [f"{row['p_value']:.2g}", test]
        rows.append([name, bounds, *shown])
    header = ["", f"minus {compared.reference} (95% interval)", "p", "test of the"]
    return f"\n{aligned(header, rows)}\n\n{_wrapped(f'Split: {compared.cv}.')}"


def _difference(row):
    if math.isnan(row["difference"]):
        return "", ""
    return f"{row['difference']:+.3f}", "" if math.isnan(row["p_value"]) else f"{row['p_value']:.2g}"


def _composition(endpoint):
    composition = endpoint.composition()
    if endpoint.patients is None or "patients" in composition:
        return composition
    return f"{composition} ({len(endpoint.y)} cases of {endpoint.patients.max() + 1} patients)"


def _main_table(results):
    """Return the measure under the split with a valid interval, then under the other one, and the test against size."""
    models = list(results.values())
    splits = [shown.cv for shown in _splits(models[0])]
    level = f"{models[0].confidence_interval.level:.0%}"
    baseline = models[0].size_baseline
    header = ["", f"{splits[0]} ({level} interval)", *splits[1:]]
    header += ["accuracy"] if models[0].accuracy is not None else []
    header += ["against size alone"] if baseline is not None else []
    rows = []
    for result in [*models, *([] if baseline is None else [baseline])]:
        shown = result.primary
        row = [result.name, _value(shown), *([f"{result.auc:.3f}"] if len(splits) > 1 else [])]
        row += [f"{shown.accuracy:.3f}"] if shown.accuracy is not None else []
        rows.append([*row, *([_against_size(result)] if baseline is not None else [])])
    return aligned(header, rows)


def _value(result):
    return _with_bounds(result.auc, result.confidence_interval.low, result.confidence_interval.high)


def _with_bounds(value, low, high):
    to = "-" if low >= 0 else " to "
    return f"{value:.3f}" + ("" if math.isnan(low) else f" ({low:.3f}{to}{high:.3f})")


def _against_size(result):
    """Return whether the model is better or worse than size alone, with the p value."""
    compared = result.compared_with_size.against_size
    if compared is None:
        return ""
    direction = "better" if compared.difference > 0 else "worse" if compared.difference < 0 else "equal"
    return direction if math.isnan(compared.p_value) else f"{direction}, p={compared.p_value:.2g}"


def _remark(result):
    """Return how to read the accuracy and the columns of the measure."""
    endpoint = result.endpoint
    sentences = [f"Models of {shown.cv} learn from {_training_size(shown)} cases." for shown in _splits(result)]
    sentences.append(endpoint.baseline())
    if result.companion is not None and endpoint.leave_one_out_bias:
        sentences.append(f"The {endpoint.measure} of {result.cv} {endpoint.leave_one_out_bias}.")
    return "\n".join(map(_wrapped, filter(None, sentences)))


def _wrapped(text):
    return textwrap.fill(text, _WIDTH)


def _splits(result):
    return [result] if result.companion is None else [result.companion, result]


def _training_size(result):
    fewest, most = result.folds["n_train"].agg(["min", "max"])
    return f"{fewest}" if fewest == most else f"{fewest} to {most}"


def _centres(results):
    """Return the table of the centres of each model and how much they differ; nothing for other splits."""
    parts = []
    for name, result in results.items():
        if result.centres is None:
            continue
        rows = [[centre.Index, f"{centre.n}", _of_centre(centre)] for centre in result.centres.itertuples()]
        table = aligned([name, "cases", f"{result.endpoint.measure} of the centre"], rows)
        parts.append(f"{table}\n{_wrapped(str(result.random_effects))}")
    return parts


def _of_centre(centre):
    return "none" if math.isnan(centre.value) else f"{centre.value:.3f} ({centre.low:.3f} to {centre.high:.3f})"


def _other_measures(measures):
    """Return the other measures of the kind of outcome by model; nothing if there are none."""
    table = measures["value"].unstack("model", sort=False).iloc[1:]
    if table.empty:
        return []
    rows = [[name, *(f"{value:.3g}" for value in values)] for name, *values in table.itertuples()]
    others = measures["low"].groupby("model").nth(slice(1, None))
    where = "" if others.isna().all() else "\n\nTheir intervals are in measures.csv and in the report."
    return [aligned(["", *table.columns], rows) + where]


def _with_size(results):
    """Return the table of how much of each model may be size; nothing if the sizes are unknown."""
    endpoint = next(iter(results.values())).endpoint
    listed = rd.size_table(results)
    if listed["score_size_correlation"].isna().all():
        return []
    columns = {"score_size_correlation": "rank correlation\nof score and size"}
    pairs = ""
    if listed["n_equal_size_pairs"].notna().any():
        columns = {"equal_size_auc": f"{endpoint.measure} at\nequal size", **columns}
        n_pairs = int(listed["n_equal_size_pairs"].max())
        pairs = (
            f"\n\nEqual size: {n_pairs:,} {endpoint.pairs_of_cases}\nwhose sizes differ by at most 10%, "
            f"{listed['cv'].iloc[0]}."
        )
    rows = [[name, *(_number(row[column]) for column in columns)] for name, row in listed.iterrows()]
    return [aligned(["", *columns.values()], rows) + pairs]


def _number(value):
    return "-" if math.isnan(value) else f"{value:.3f}"


def _selection(results):
    """Return sentences on the selected features of each result, and on what its model chose."""
    lines = [
        _wrapped(f"{result.name}: {sentence}")
        for result in results
        for sentence in (result.selection_sentence, result.choice_sentence)
        if sentence
    ]
    return ["\n".join(lines)] if lines else []
