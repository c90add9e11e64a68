"""What else belongs to a study -> sections: negative controls, repeatability, extreme cases and further figures."""

from dataclasses import replace

import numpy as np
import pandas as pd

from radiodeep.report.extreme_cases import extreme_cases_figure
from radiodeep.report.figures import interval_figure, selection_counts
from radiodeep.report.repeatability_figure import repeatability_figure, repeatability_sentence
from radiodeep.report.section import Drawing, Section
from radiodeep.report.style import GREY
from radiodeep.report.tables import BOUNDS, with_bounds
from radiodeep.report.verdict import ORIGINAL, by_estimate
from radiodeep.study.size import SIZE_BASELINE

_OF_CONTROLS = "#333333"
_MOST_EXTREME = 3  # features of which extreme cases are shown


def control_sections(controls, colours):
    """Return a Section for the negative controls of each model; none without controls."""
    return [] if controls is None else [_control_section(controls, model, colours) for model in controls.results]


def _control_section(controls, model, colours):
    studies, rows = controls.results[model], controls.table.loc[model]
    drawn = [replace(result, name=name) for name, result in studies.items()]
    baseline = next(iter(studies.values())).size_baseline
    drawn += [] if baseline is None else [baseline]
    own = {result.name: _OF_CONTROLS for result in drawn} | {ORIGINAL: colours[model], SIZE_BASELINE: GREY}
    figure = interval_figure(drawn, own)
    columns = {rows["measure"].iloc[0]: [with_bounds(row) for row in rows[BOUNDS].to_numpy()]}
    differences = rows.filter(like="difference").to_numpy()
    columns["original less control"] = [with_bounds(row, "{:+.3f}".format) for row in differences]
    columns["p"] = ["" if np.isnan(p_value) else f"{p_value:.2g}" for p_value in rows["p_value"]]
    return Section(
        f"Negative controls: {model}",
        sentences=tuple(controls.verdicts[model]),
        drawings=(Drawing(f"Negative controls of {model}", figure, numbers=rows),),
        tables={"": pd.DataFrame(columns, index=rows.index)},
        notes=(
            "In a negative control the voxels of a part of each image are shuffled or random, and models are trained "
            "and tested on such images, with the same folds. Intervals and p values of differences are paired and not "
            "corrected for their number.",
        ),
    )


def repeatability_sections(repeatability):
    """Return a Section for each table of the repeatability of features."""
    tables = [repeatability] if isinstance(repeatability, pd.DataFrame) else list((repeatability or {}).values())
    return [_repeatability_section(table) for table in tables]


def _repeatability_section(table):
    rows = table.sort_values("icc", ascending=False).rename_axis("feature")
    rows = rows.rename(columns={"low": "icc low", "high": "icc high"})
    title = "Intraclass correlation of all features"
    return Section(
        "Repeatability of the features",
        sentences=(repeatability_sentence(table),),
        drawings=(Drawing(title, repeatability_figure(table), numbers=table),),
        folded={"All features": rows},
    )


def extreme_section(results, table, cohort):
    """Return the Section of the extreme cases of the features that the best model selected most often, or None."""
    if table is None or cohort is None:
        return None
    best = by_estimate(results)[0]
    counts = selection_counts(best.primary)
    names = [] if counts is None else [name for name in counts.index if name in table.columns][:_MOST_EXTREME]
    if not names:
        return None
    title = f"Cases with extreme values of the features that {best.name} selected most often"
    return Section(title, drawings=(Drawing(title, extreme_cases_figure(table[names], cohort)),))


def figure_sections(figures):
    """Return a Section for each further figure of a dict."""
    return [Section(title, drawings=(Drawing(title, figure),)) for title, figure in (figures or {}).items()]
