"""Results -> how the models compare: with size alone, and with each other after Holm's correction."""

from itertools import combinations

import numpy as np
import pandas as pd

from radiodeep.exceptions import StudyError
from radiodeep.report.section import Section
from radiodeep.report.tables import number, p_text, with_bounds, with_interval
from radiodeep.report.verdict import by_estimate
from radiodeep.study.feature_sets import compared_sets
from radiodeep.study.size import SIZE_BASELINE
from radiodeep.study.statistics.comparison import holm
from radiodeep.study.statistics.pairing import has_test

_MOST_SHOWN = 10  # pairs that are not folded


def comparison_section(results, compared=None):
    """Return the Section of all models.

    `compared` is the FeatureSetComparison of the results, if there is one: it replaces the table of pairs.
    """
    baseline = results[0].size_baseline
    ordered = by_estimate([*results, *([] if baseline is None else [baseline])])
    tables, folded, notes = {"": _estimates(ordered)}, {}, list(_notes(results, baseline))
    pairs = pd.DataFrame() if compared is not None else pair_table([each for each in ordered if each is not baseline])
    if compared is not None:
        tables[f"Compared with {compared.reference}, {compared.cv}"] = _differences(compared)
        notes.append(
            "Intervals are of 95 %. Of a set that contains the other, the p value is that of what it adds: a test of "
            "the difference is not valid there."
        )
    elif len(pairs):
        shown = tables if len(pairs) <= _MOST_SHOWN else folded
        shown[f"Models compared with each other, {results[0].primary.cv}"] = pairs
        notes.append(
            "p values are corrected for the number of pairs by Holm's method. Of a model that contains the features of "
            "the other, the p value is that of what these add; there is none where no valid test is known."
        )
    return Section("Comparison of the models", tuple(_sentences(results)), (), (), tables, folded, tuple(notes))


def pair_table(ordered):
    """Return a row for each pair of models with a valid test: difference, interval, p value after Holm, and test."""
    rows, p_values = [], []
    for first, second in combinations(ordered, 2):
        if not (has_test(first.primary) and has_test(second.primary)):
            continue
        try:
            row = _compared(first, second)
        except StudyError:  # of cases or folds that differ
            continue
        rows.append([f"{first.name} - {second.name}", row])
        p_values.append(row["p_value"])
    return pd.DataFrame(
        {
            "difference (95% interval)": [_difference(row) for _, row in rows],
            "p": [p_text(row["p_value"]) for _, row in rows],
            "p, Holm": [p_text(value) for value in holm(p_values)],
            "test": [row["test"] for _, row in rows],
        },
        index=pd.Index([name for name, _ in rows], name="models"),
    )


def _compared(first, second):
    """Return the row of the comparison of a model with another, as the table of `compared_sets` has it."""
    named = {"first": first, "second": second}
    first_parts, second_parts = (_parts(result.settings) for result in (first, second))
    larger = ["first"] if first_parts > second_parts else []
    smaller = ["first"] if first_parts < second_parts else []
    return compared_sets(named, "second", larger, smaller).table.loc["first"]


def _parts(settings):
    """Return what a model consists of as texts: each step without those inside it and without its name, and columns."""
    if isinstance(settings, dict):
        inner = {name: value for name, value in settings.items() if isinstance(value, dict | list)}
        own = {name: value for name, value in settings.items() if name not in inner}
        return {repr(sorted(own.items(), key=str))}.union(*map(_parts, inner.values()))
    if isinstance(settings, list):
        is_named = len(settings) > 1 and isinstance(settings[0], str) and isinstance(settings[1], dict)
        return set().union(*map(_parts, settings[is_named:]))
    return {repr(settings)}


def _difference(row):
    values = [row["difference"], row["difference_low"], row["difference_high"]]
    return with_bounds(values, "{:+.3f}".format)


def _differences(compared):
    """Return the differences from the reference as texts."""
    rows = compared.table.drop(compared.reference)
    columns = {
        f"difference in {compared.results[compared.reference].endpoint.measure} (95% interval)": [
            _difference(row) for _, row in rows.iterrows()
        ],
        "p": [p_text(value) for value in rows["p_value"]],
        "p, Holm": [p_text(value) for value in rows["p_holm"]],
        "test": rows["test"].tolist(),
    }
    return pd.DataFrame(columns, index=rows.index.rename("set"))


def _estimates(ordered):
    """Return the table of the models as texts: the best first by the estimate that has an interval."""
    shown = ordered[0].primary
    measure, level = shown.endpoint.measure, f"{shown.confidence_interval.level:.0%}"
    columns = {f"{measure} ({level} interval), {shown.cv}": [with_interval(result.primary) for result in ordered]}
    others = [result for result in ordered if result.companion is not None]
    if others:
        columns[f"{measure}, {others[0].cv}"] = [number(result.value) for result in ordered]
    if shown.accuracy is not None:
        columns[f"accuracy, {shown.cv}"] = [number(result.primary.accuracy) for result in ordered]
    if any(result.size_baseline is not None for result in ordered):
        columns["compared with size"] = [_against_size(result) for result in ordered]
    if any(result.n_equal_size_pairs is not None for result in ordered):
        tested = [result.compared_with_size for result in ordered]
        columns[f"{measure} at equal size"] = [number(result.equal_size_auc) for result in tested]
        if not shown.endpoint.outputs:
            columns["rank correlation of score and size"] = [number(each.score_size_correlation) for each in tested]
    return pd.DataFrame(columns, index=pd.Index([result.name for result in ordered], name="model"))


def _against_size(result):
    """Return whether a model is better or worse than size alone, by how much, and with which p value; "" if unknown."""
    compared = result.compared_with_size.against_size
    if compared is None:
        return ""
    direction = "better" if compared.difference > 0 else "worse" if compared.difference < 0 else "equal"
    p_value = "" if np.isnan(compared.p_value) else f", p = {compared.p_value:.2g}"
    return f"{direction}, {compared.difference:+.3f}{p_value}"


def _sentences(results):
    """Yield what a model without information reaches, and what is wrong with a split."""
    shown = results[0].primary
    if shown.endpoint.baseline():
        yield shown.endpoint.baseline()
    if results[0].companion is not None:
        note = shown.endpoint.companion_note(results[0].cv, shown.cv)
        if note:
            yield note


def _notes(results, baseline):
    """Yield how to read the table of the models."""
    endpoint = results[0].primary.endpoint
    if baseline is not None:
        of_classes, of_all = "The sizes of each class are", "Whether larger or smaller regions score higher is"
        yield (
            f'"{SIZE_BASELINE}" uses the volume (or area) of the region as the score. '
            f"{of_classes if endpoint.outputs else of_all} taken from all cases, which makes it look slightly better "
            "than it is. A model that does not do better gives no evidence that texture or shape add to a measurement "
            "of size."
        )
    n_pairs = next((each.n_equal_size_pairs for each in results if each.n_equal_size_pairs is not None), None)
    if n_pairs is not None:
        yield (
            f'"{endpoint.measure} at equal size" counts only {endpoint.pairs_of_cases} whose sizes differ by at most '
            f"10 %: {n_pairs:,} here, and at least 30 are needed. It is what remains of the {endpoint.measure} without "
            "the help of size. It has no interval, because each case is in many pairs."
        )
        if not endpoint.outputs:
            yield (
                "If the rank correlation of score and size is near 1 or -1, the score may merely restate the size, "
                "whatever its features: networks and texture also measure size."
            )
    if len(results) > 1:
        yield (
            f"{len(results)} models are in this report, and others may have been tried. The best of several models "
            "looks better than it is: choose the main model beforehand, or confirm it on other patients."
        )
