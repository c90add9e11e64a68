"""Results -> sections of a report on whom a model serves, how stable it is, and how many patients it would need."""

import numpy as np
import pandas as pd

from radiodeep.cases.cohort import as_items
from radiodeep.exceptions import StudyError
from radiodeep.report.section import Drawing, Section
from radiodeep.report.style import COLOURS, figure_with_axes, plain_text
from radiodeep.report.tables import p_text
from radiodeep.study.instability import instability_of_repeats
from radiodeep.study.statistics.conformal import conformal_sets
from radiodeep.study.statistics.sample_size import sample_size
from radiodeep.study.statistics.subgroups import groups_of, subgroups

_COMMON = ("sex", "gender", "age", "centre", "center", "site", "hospital", "scanner", "manufacturer", "stage")
_MOST_COLUMNS, _MOST_GROUPS = 6, 6
_AUCS = (0.7, 0.8, 0.9)
_R2S = (0.1, 0.3, 0.5)  # for numbers, and as shares of the largest R2 for survival
_DRAWN = 24  # numbers of features of a curve


def clinical_of(cohort):
    """Return what is known of the cases of a Cohort or Lesions, by case id; None if nothing."""
    if cohort is None:
        return None
    known = getattr(cohort, "clinical", None)
    if known is None:
        items = as_items(cohort)
        known = pd.DataFrame([dict(item.clinical) for item in items], index=[item.id for item in items])
    return known if len(known.columns) else None


def subgroup_section(result, clinical, colour):
    """Return the Section on the measure in subgroups by the columns of a DataFrame by case id; None without any."""
    shown = result.primary
    columns = None if clinical is None else _usable(clinical.reindex(shown.predictions.index))
    if columns is None or columns.empty or not clinical.index.is_unique:
        return None
    found = subgroups(shown, columns)
    counts = found.table.columns[: list(found.table.columns).index("value")]
    low, high = f"{found.measure} low", f"{found.measure} high"
    table = found.table.rename(columns={"value": found.measure, "low": low, "high": high})
    table.index = [f"{column}: {group}" for column, group in table.index]
    table[counts] = table[counts].astype(int)
    tests = pd.DataFrame({"p": found.tests["p_value"].map(p_text), "p, Holm": found.tests["p_holm"].map(p_text)})
    tests = tests.assign(remark=found.tests["remark"])
    rows = pd.DataFrame({name: table[name] for name in table}).rename_axis("subgroup")
    caption = (
        f"{found.measure} of each subgroup with its interval; the line is that of all cases. p: whether the "
        "groups of a column differ, corrected for the number of columns."
    )
    drawings = ()
    if found.table["value"].notna().any():
        figure = _forest(found, shown.value, shown.endpoint.chance, colour)
        drawings = (Drawing(f"{found.measure} in subgroups", figure, caption, found.table.reset_index()),)
    warnings = [f"{column}: {remark}." for column, remark in found.tests["remark"].items() if remark]
    return Section(
        f"Subgroups: {result.name}",
        sentences=(_verdict_of_subgroups(found),),
        warnings=tuple(warnings),
        drawings=drawings,
        tables={"Subgroups": rows, "Do the subgroups differ?": tests.rename_axis("column")},
        notes=("A small study finds large differences only: no difference found is no proof that there is none.",),
    )


def _verdict_of_subgroups(found):
    tested = found.tests[found.tests["p_holm"].notna()]
    if tested.empty:
        return "No column has two subgroups that are large enough to compare."
    names = ", ".join(map(str, tested.index))
    differing = [f"{name} (p = {p_text(p)})" for name, p in tested["p_holm"].items() if p < 0.05]
    if differing:
        return (
            f"The {found.measure} differs by {', '.join(differing)}, after Holm's correction for {len(tested)} tests."
        )
    smallest = tested["p_holm"].min()
    return f"No difference of the {found.measure} was found by {names} (smallest corrected p {smallest:.2g})."


def _usable(clinical):
    """Return the columns that make two to six groups, those most often asked for first, at most six."""
    chosen = {}
    names = sorted(clinical, key=lambda name: str(name).lower() not in _COMMON)
    for name in names:
        values = clinical[name]
        numbers = pd.to_numeric(values, errors="coerce")
        values = numbers if numbers.notna().sum() == values.notna().sum() else values.map(str, na_action="ignore")
        groups = set(groups_of(values)) - {"unknown"}
        if 2 <= len(groups) <= _MOST_GROUPS and len(chosen) < _MOST_COLUMNS:
            chosen[str(name)] = values
    return pd.DataFrame(chosen, index=clinical.index)


def _forest(found, overall, chance, colour):
    measured = found.table[found.table["value"].notna()]
    heights = np.arange(len(measured), 0, -1.0)
    first_of_column = measured.index.get_level_values(0)
    heights -= 0.4 * pd.factorize(first_of_column)[0]
    figure, axes = figure_with_axes(6.4, 1.1 + 0.34 * len(measured))
    axes.axvline(chance, color="0.85", linewidth=1, zorder=0)
    axes.axvline(overall, color=colour, linewidth=1, linestyle="--", zorder=0)
    axes.hlines(heights, measured["low"], measured["high"], color=colour)
    axes.plot(measured["value"], heights, "o", color=colour)
    names = [f"{plain_text(f'{column}: {group}')} (n={n:.0f})" for (column, group), n in measured["n"].items()]
    axes.set_yticks(heights, names, fontsize=8)
    for column in dict.fromkeys(first_of_column):
        p_value = found.tests.loc[column, "p_holm"]
        at = heights[first_of_column == column].mean()
        text = "" if np.isnan(p_value) else f"p = {p_text(p_value)}" if p_value >= 0.001 else "p < 0.001"
        axes.annotate(text, (1.02, at), xycoords=("axes fraction", "data"), fontsize=8, va="center")
    axes.set(xlabel=f"{found.measure} ({found.confidence_level:.0%} interval)")
    return figure


def sample_size_section(results):
    """Return the Section on the number of patients that models of so many candidate features need.

    Candidates are those that the selectors of the models chose from; None for models without selectors and for several
    classes.
    """
    n_candidates = {result.name: _n_candidates(result) for result in results}
    n_candidates = {name: n for name, n in n_candidates.items() if n}
    facts = _facts_of_outcome(results[0].endpoint)
    if not n_candidates or facts is None:
        return None
    settings, expectations, n_cases = facts
    sizes = {
        (name, words): sample_size(n, n_cases=n_cases, **settings, **expected)
        for name, n in n_candidates.items()
        for words, expected in expectations.items()
    }
    rows = {}
    for (name, words), size in sizes.items():
        row = rows.setdefault(name, {"candidate features": size.n_features})
        row[f"needed if {words}"] = f"{size.n:,}"
        row[f"supported by {n_cases} if {words}"] = f"{size.supported_features:,}"
    middle = list(expectations)[1]
    most = max(n_candidates, key=n_candidates.get)
    patients = "" if results[0].patients is None else " Patients with several cases count once."
    return Section(
        "How many patients such models need",
        sentences=(f"{most}: {sizes[most, middle]}{patients}",),
        drawings=(_size_drawing(settings, expectations, n_candidates, n_cases),),
        tables={"Cases needed by Riley's criteria": pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")},
        notes=(
            "The criteria are those of regression models with all candidates. They count the features that were "
            "selected from, since selection itself overfits; a selector or a penalty does not replace patients.",
        ),
    )


def _n_candidates(result):
    folds = result.primary.folds
    return int(folds["n_candidates"].max()) if "n_candidates" in folds else 0


def _facts_of_outcome(endpoint):
    """Return the settings of `sample_size` of an outcome, expectations by their words, and the number of patients."""
    patients = np.arange(len(endpoint.y)) if endpoint.patients is None else endpoint.patients
    n_cases = int(patients.max()) + 1
    if endpoint.kind == "two classes":
        expectations = {f"AUC {auc:g}": {"auc": auc} for auc in _AUCS}
        return {"prevalence": float(endpoint.is_positive.mean())}, expectations, n_cases
    if endpoint.kind == "survival":
        rate, follow_up = endpoint.event.sum() / endpoint.time.sum(), endpoint.time.mean()
        settings = {"event_rate": float(rate), "follow_up": float(follow_up), "horizon": endpoint.horizon}
        largest = sample_size(1, **settings).largest_r2
        return settings, {f"R2 {r2:g} of the largest": {"r2": r2 * largest} for r2 in _R2S}, n_cases
    if endpoint.kind == "numbers":
        return {}, {f"R2 {r2:g}": {"r2": r2} for r2 in _R2S}, n_cases
    return None


def _size_drawing(settings, expectations, n_candidates, n_cases):
    """Return the cases needed by the number of candidate features, with the models of the study."""
    most = 3 * max(30, *n_candidates.values())
    features = np.unique(np.geomspace(1, most, _DRAWN).astype(int))
    needed = {
        words: [sample_size(int(n), **settings, **expected).n for n in features]
        for words, expected in expectations.items()
    }
    figure, axes = figure_with_axes(5.6, 3.6)
    for (words, numbers), style in zip(needed.items(), (":", "-", "--"), strict=True):
        axes.plot(features, numbers, color="0.35", linestyle=style, label=f"needed if {words}")
    axes.plot(list(n_candidates.values()), [n_cases] * len(n_candidates), "o", color=COLOURS[1], label="this study")
    axes.set(xscale="log", yscale="log", xlabel="Candidate features", ylabel="Patients")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.0f}")
    axes.legend(fontsize=8, frameon=False)
    table = pd.DataFrame({"candidate features": features, **needed})
    caption = "Patients that fulfil Riley's criteria. A dot below a line: too many features for so few patients."
    return Drawing("Patients needed by the number of candidate features", figure, caption, table)


def learning_section(curve, colour=COLOURS[0], name="the model"):
    """Return the Section of a LearningCurve."""
    table = curve.table
    figure, axes = figure_with_axes(5.6, 3.2)
    axes.axhline(next(iter(curve.results.values())).endpoint.chance, color="0.85", linewidth=1, zorder=0)
    axes.fill_between(table.index, table["low"], table["high"], color=colour, alpha=0.2, linewidth=0)
    axes.plot(table.index, table["value"], "o-", color=colour)
    axes.set(xlabel="Training patients", ylabel=f"{curve.measure} of unseen cases", xlim=(0, None))
    caption = (
        "Models of fewer training patients, tested on the same cases, with their intervals. A curve that still rises "
        "at its end asks for more patients."
    )
    drawing = Drawing("Learning curve", figure, caption, table.reset_index())
    return Section(f"Would more patients help? {name}", (str(curve),), drawings=(drawing,))


def instability_section(result, colour, measured=None):
    """Return the Section on how much the predictions of cases depend on which patients were learned from.

    That of an Instability, or of the repeats of the result; None if these give no probabilities or numbers.
    """
    try:
        measured = instability_of_repeats(result) if measured is None else measured
    except StudyError:
        return None
    cases = measured.cases.sort_values("prediction")
    figure, (left, right) = figure_with_axes(7.0, 3.2, n_axes=2)
    left.plot(cases["prediction"], cases["prediction"], color="0.75", linewidth=1, zorder=0)
    left.vlines(cases["prediction"], cases["low"], cases["high"], color=colour, linewidth=1, alpha=0.6)
    left.plot(cases["prediction"], cases["prediction"], ".", color=colour, markersize=4)
    right.plot(cases["prediction"], cases["mape"], "o", color=colour, markersize=4, alpha=0.7)
    quantity = measured.quantity.capitalize()
    left.set(xlabel=quantity, ylabel="95 % of the other models")
    right.set(xlabel=quantity, ylabel="Mean absolute difference", ylim=(0, None))
    if measured.threshold is not None:
        for axes in (left, right):
            axes.axvline(measured.threshold, color="0.85", linewidth=1, zorder=0)
        left.axhline(measured.threshold, color="0.85", linewidth=1, zorder=0)
    caption = (
        "A line per case: long lines are cases whose prediction depends on which patients happened to be learned from. "
        "Right: the mean absolute difference of each case."
    )
    drawing = Drawing("Instability of the predictions", figure, caption, cases.reset_index())
    shown = cases.sort_values("mape", ascending=False).head(10).rename(columns={"mape": "mean absolute difference"})
    return Section(
        f"How stable are the predictions? {result.name}",
        (str(measured),),
        drawings=(drawing,),
        folded={"The ten least stable cases": shown},
    )


def conformal_section(result, colour, level=0.9):
    """Return the Section on which cases a model can decide at a level of confidence; None for survival."""
    try:
        found = conformal_sets(result, level)
    except StudyError:
        return None
    figure, caption = (_interval_figure if found.labels is None else _set_figure)(found, colour)
    drawing = Drawing(f"Conformal sets at {level:.0%}", figure, caption, found.cases.reset_index())
    bounds = found.table[["coverage_low", "coverage_high"]].to_numpy()
    table = found.table.drop(columns=["coverage_low", "coverage_high"])
    table["of new cases"] = [f"{low:.2f} to {high:.2f}" for low, high in bounds]
    return Section(
        f"Which cases can be decided? {result.name}",
        (str(found),),
        drawings=(drawing,),
        tables={"Conformal sets by class" if found.labels else "Conformal intervals": table},
        folded={"The set of each case": found.cases},
        notes=(
            f"A set holds every label that cannot be excluded: over all cases of a class, {level:.0%} of the sets hold "
            "the true label. This is a promise over many cases of the same population, not for a single one. A set "
            "of several labels says that the model cannot decide.",
        ),
    )


def _set_figure(found, colour):
    """Draw the shares of single, several and no labels in each class."""
    figure, axes = figure_with_axes(6.4, 1.3 + 0.4 * len(found.labels))
    parts = {
        "one label, right": (colour, lambda cases: (cases["size"] == 1) & cases["is_covered"]),
        "several labels": ("0.82", lambda cases: cases["size"] > 1),
        "no label": ("0.6", lambda cases: cases["size"] == 0),
        "one label, wrong": ("0.15", lambda cases: (cases["size"] == 1) & ~cases["is_covered"]),
    }
    start = np.zeros(len(found.labels))
    by_class = [found.cases[found.cases["outcome"] == label] for label in found.labels]
    heights = np.arange(len(found.labels))[::-1]
    for name, (shade, is_part) in parts.items():
        shares = np.array([is_part(cases).mean() for cases in by_class])
        if shares.any():
            axes.barh(heights, shares, left=start, color=shade, label=name, height=0.6)
        start += shares
    names = [f"{plain_text(label)} (n={len(cases)})" for label, cases in zip(found.labels, by_class, strict=True)]
    axes.set_yticks(heights, names)
    axes.set(xlabel="Share of the cases of a class", xlim=(0, 1))
    figure.legend(loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    return figure, "What the sets say of the cases of each class: one label that is right or wrong, or no decision."


def _interval_figure(found, colour):
    """Draw predicted and observed numbers with the intervals of the cases."""
    cases = found.cases.sort_values("prediction")
    figure, axes = figure_with_axes(5.0, 4.0)
    axes.vlines(cases["prediction"], cases["low"], cases["high"], color=colour, linewidth=1, alpha=0.35)
    for is_covered, shade in ((True, colour), (False, "0.15")):
        drawn = cases[cases["is_covered"] == is_covered]
        label = "inside the interval" if is_covered else "outside"
        axes.plot(drawn["prediction"], drawn["outcome"], "o", color=shade, markersize=4, label=label)
    axes.set(xlabel="Predicted", ylabel="Observed, and interval")
    axes.legend(fontsize=8, frameon=False)
    return figure, "A line per case: the interval for its outcome; the dot is the outcome observed."
