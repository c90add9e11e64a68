"""Selected features -> how often they were selected, their effect, their values by outcome, and their correlations."""

from textwrap import fill

import numpy as np

from radiodeep.report.feature_meaning import DEEP, HANDCRAFTED, OTHER
from radiodeep.report.style import COLOURS, empty_figure, plain_text, short_name

_LONGEST = 50  # characters of a name above its row
_OF_LINE = 30  # characters of a line above a small picture
_MARKERS = {HANDCRAFTED: "o", DEEP: "s", OTHER: "^"}
_HATCHES = {HANDCRAFTED: "", DEEP: "////", OTHER: "...."}
_JITTER = 0.16


def selected_features_figure(table, colour=COLOURS[0], measure=None, chance=0.0):
    """Draw the share of the folds that selected each feature and, if measured, its effect with its interval.

    Parameters
    ----------
    table : DataFrame by feature of `kind` and `share`, and `value`, `low` and `high` if there is a `measure`
    measure : str, optional
        Name of the effect.
    chance : float
        The effect of a feature without information.
    """
    n_rows = len(table)
    figure = empty_figure(5.0, 1.5 + 0.47 * n_rows)
    widths = (1,) if measure is None else (1.8, 1)
    axes = figure.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0]
    heights = np.arange(n_rows)[::-1]
    for panel in axes:
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.set(yticks=[], ylim=(-0.45, n_rows - 0.2))
    bars = {}
    for height, (name, row) in zip(heights, table.iterrows(), strict=True):
        look = {"facecolor": colour if row["kind"] == HANDCRAFTED else "white", "hatch": _HATCHES[row["kind"]]}
        bar = axes[0].barh(height, row["share"], height=0.3, edgecolor=colour, label=row["kind"], **look)
        bars[row["kind"]] = bar
        axes[0].annotate(
            short_name(name, _LONGEST), (0, height), (0, 8), xycoords=("axes fraction", "data"),
            textcoords="offset points", fontsize=8, annotation_clip=False,
        )  # fmt: skip
        if measure is not None and np.isfinite(row["value"]):
            axes[1].plot([row["low"], row["high"]], [height - 0.05] * 2, color=colour, linewidth=2)
            face = colour if row["kind"] == HANDCRAFTED else "white"
            axes[1].plot(
                row["value"], height - 0.05, _MARKERS[row["kind"]], color=colour, markerfacecolor=face, markersize=6
            )
    axes[0].set(xlabel="Share of the folds", xlim=(0, 1.02), xticks=[0, 0.5, 1])
    if measure is not None:
        axes[1].axvline(chance, color="0.6", linewidth=1, linestyle=":", zorder=0)
        axes[1].set_xlabel(fill(measure, 24))
    figure.legend(bars.values(), bars, loc="outside lower left", fontsize=9, frameon=False, ncols=3)
    return figure


def feature_values_figure(values, groups, colour=COLOURS[0], labels=None):
    """Draw the values of features by outcome, a small picture each.

    Parameters
    ----------
    values : DataFrame of shape (n_cases, n_features)
    groups : ndarray of shape (n_cases,)
        Positions in `labels`, -1 for cases that are left out; or numbers, with no `labels`: then points are drawn.
    labels : list of str, optional
    """
    n_rows = (values.shape[1] + 1) // 2
    of_label = 0 if labels is None else 0.17 * max(_wrapped(label, len(labels)).count("\n") for label in labels)
    figure = empty_figure(5.0, (2.15 + of_label) * n_rows)
    squares = figure.subplots(n_rows, 2, squeeze=False).ravel()
    for axes in squares[values.shape[1] :]:
        axes.set_axis_off()
    for axes, (name, column) in zip(squares, values.items(), strict=False):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(_on_two_lines(name), fontsize=8)
        axes.tick_params(labelsize=8)
        axes.ticklabel_format(axis="y", scilimits=(-3, 4))
        axes.yaxis.get_offset_text().set_fontsize(8)
        if labels is None:
            axes.plot(column, groups, "o", color=colour, alpha=0.6, markersize=3.5)
            continue
        boxes = [column[(groups == number) & np.isfinite(column)].to_numpy() for number in range(len(labels))]
        axes.boxplot(boxes, widths=0.6, showfliers=False, medianprops={"color": "0.1"}, positions=range(len(labels)))
        for number, box in enumerate(boxes):
            jitter = np.random.default_rng(0).uniform(-_JITTER, _JITTER, len(box))
            face = colour if number == len(labels) - 1 else "white"
            axes.plot(number + jitter, box, "o", color=colour, markerfacecolor=face, alpha=0.5, markersize=3)
        axes.set_xticks(range(len(labels)), [_wrapped(label, len(labels)) for label in labels], fontsize=8)
    return figure


def _wrapped(label, n_labels):
    return fill(short_name(label, 22), max(6, 30 // n_labels), break_long_words=False)


def _on_two_lines(name):
    """Return a name as literal text, broken where its parts join if it is long."""
    if len(name) <= _OF_LINE:
        return plain_text(name)
    joins = [place + 1 for place, sign in enumerate(name[:-1]) if sign in "_- "] or [len(name) // 2]
    place = min(joins, key=lambda place: max(place, len(name) - place))
    return "\n".join(short_name(part, _OF_LINE) for part in (name[:place], name[place:]))


def correlation_figure(correlations):
    """Draw a matrix of correlations, numbered in its order, with the names of the numbers below."""
    n_features = len(correlations)
    figure = empty_figure(5.0, 4.6 + 0.19 * n_features)
    axes, below = figure.subplots(2, 1, height_ratios=(4.6, 0.19 * n_features))
    image = axes.imshow(correlations, cmap="RdBu_r", vmin=-1, vmax=1)
    numbers = [str(number + 1) for number in range(n_features)]
    size = 9 if n_features <= 15 else 7
    axes.set_xticks(range(n_features), numbers, fontsize=size)
    axes.set_yticks(range(n_features), numbers, fontsize=size)
    axes.tick_params(length=0)
    if n_features <= 10:
        for (row, column), value in np.ndenumerate(correlations.to_numpy()):
            shade = "white" if abs(value) > 0.6 else "black"
            axes.text(
                column, row, f"{value:.1f}".replace("-0.0", "0.0"), ha="center", va="center", fontsize=8, color=shade
            )
    figure.colorbar(image, ax=axes, label="Rank correlation", shrink=0.9)
    names = [f"{number}  {short_name(name, _LONGEST)}" for number, name in zip(numbers, correlations, strict=True)]
    below.text(0, 1, "\n".join(names), va="top", fontsize=8.5, transform=below.transAxes, linespacing=1.25)
    below.set_axis_off()
    return figure
