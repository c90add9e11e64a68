"""Results of classes -> ROC curves, scores by class, confusion table, calibration and decision curves."""

from textwrap import fill

import numpy as np

from radiodeep.report.style import (
    COLOURS,
    GREY,
    colours_of,
    empty_figure,
    figure_with_axes,
    line_of_chance,
    plain_text,
)
from radiodeep.study.statistics.auc import mean_roc
from radiodeep.study.statistics.roc import roc_of

_DASHES = ("-", (0, (6, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 1.5)), (0, (8, 2, 1, 2, 1, 2)))
_NUMBER_WIDTH = 0.06  # of a number of cases, on the scale of probabilities
_LEGEND_WIDTH = 44  # characters of a line


def roc_figure(results, colours=None, band=None, point=None):
    """Draw the ROC curve of each result, or of its companion, with its area in the legend, in the order given.

    The first curve is the widest and lowest, so that those that coincide are all seen. `band` is the table of
    `roc_band` of the first, and `point` its (threshold in words, sensitivity, specificity).
    """
    colours = colours or colours_of(results)
    curves = {result.name: roc_of(result.primary) for result in results}
    figure, axes = _curves_figure(curves, colours)
    first = next(iter(curves))
    if band is not None and band["low"].notna().all():
        axes.fill_between(
            band["false_rate"], band["low"], band["high"], color=colours[first], alpha=0.15, linewidth=0, zorder=0
        )
    if point is not None:
        words, sensitivity, specificity = point
        label = f"at {words}: sensitivity {sensitivity:.2f}, specificity {specificity:.2f}"
        style = {"markersize": 9, "markeredgecolor": "white", "zorder": 9, "linestyle": "", "clip_on": False}
        axes.plot(1 - specificity, sensitivity, "D", color=colours[first], label=fill(label, _LEGEND_WIDTH), **style)
    _legend_below(figure)
    return figure


def class_roc_figure(result, colour=COLOURS[0]):
    """Draw the ROC curve of each class against the others, with its AUC in the legend, in shades of a colour."""
    endpoint = result.endpoint
    scores_of_class = np.moveaxis(result.score_array, 2, 0)
    curves = {
        name: mean_roc(endpoint.y == label, scores)
        for name, label, scores in zip(endpoint.outputs, endpoint.classes, scores_of_class, strict=True)
    }
    figure, _ = _curves_figure(curves, {name: _shade(colour, number) for number, name in enumerate(curves)})
    _legend_below(figure)
    return figure


def _shade(colour, number):
    """Return the colour, a dark and a light shade of it, and gray, in turn."""
    from matplotlib.colors import to_rgb  # as `empty_figure`

    share, other = ((0.0, 0.0), (0.6, 0.0), (0.5, 1.0), (1.0, 0.45))[number % 4]
    return tuple((1 - share) * part + share * other for part in to_rgb(colour))


def _curves_figure(curves, colours):
    """Draw (false_rate, true_rate) by name."""
    figure, axes = figure_with_axes(5.0, 4.9 + 0.26 * len(curves))
    line_of_chance(axes)
    for number, (name, (false_rate, true_rate)) in enumerate(curves.items()):
        area = np.trapezoid(true_rate, false_rate)
        axes.plot(
            false_rate,
            true_rate,
            color=colours[name],
            linestyle=_DASHES[number % len(_DASHES)],
            linewidth=max(4.2 - 0.9 * number, 1.5),
            zorder=2 + number,
            label=fill(f"{plain_text(name)}: {area:.3f}", _LEGEND_WIDTH),
        )
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", aspect="equal")
    return figure, axes


def _legend_below(figure):
    figure.legend(loc="outside lower left", fontsize=9, frameon=False, handlelength=3.2, alignment="left")


def number_of_cases(n):
    """Return a number of cases as text, with a decimal if it is a mean of repeats."""
    return f"{n:.1f}".removesuffix(".0")


def confusion_figure(counts, colour=COLOURS[0]):
    """Draw a table of cases by true (row) and predicted class: the darker a cell, the larger its share of the row."""
    from matplotlib.colors import LinearSegmentedColormap  # as `empty_figure`

    shares = counts.to_numpy() / np.maximum(counts.to_numpy().sum(axis=1, keepdims=True), 1e-12)
    n_classes = len(counts)
    figure = empty_figure(5.0, 1.6 + 0.62 * n_classes)
    axes = figure.subplots()
    axes.imshow(shares, cmap=LinearSegmentedColormap.from_list("", ["white", colour]), vmin=0, vmax=1.25, aspect="auto")
    for (row, column), n in np.ndenumerate(counts.to_numpy()):
        words = number_of_cases(n)
        words = words if n_classes > 4 else f"{words}\n{shares[row, column]:.0%} of row"
        axes.text(column, row, words, ha="center", va="center", fontsize=9)
    names = [fill(plain_text(name), 44 // max(n_classes, 2)) for name in counts.index]
    axes.set_xticks(range(n_classes), names, fontsize=9)
    axes.set_yticks(range(n_classes), [fill(plain_text(name), 16) for name in counts.index], fontsize=9)
    axes.tick_params(length=0)
    axes.set(xlabel="Predicted", ylabel="True")
    return figure


def calibration_figure(curve, probabilities, colour=COLOURS[0], line=None):
    """Draw observed against predicted frequencies with intervals and numbers of cases, and below a histogram.

    Parameters
    ----------
    curve : DataFrame of `predicted`, `observed` and `n`, and `low` and `high` if there are intervals
    probabilities : ndarray
        All predictions, for the histogram.
    line : tuple of intercept and slope of the log-odds, optional
        Of the fitted calibration line.
    """
    figure = empty_figure(5.0, 5.6)
    top, below = figure.subplots(2, 1, height_ratios=(3.4, 1), sharex=True)
    for axes in (top, below):
        axes.spines[["top", "right"]].set_visible(False)
    line_of_chance(top)
    if line is not None and np.isfinite(line).all():
        risk = np.linspace(max(probabilities.min(), 1e-6), min(probabilities.max(), 1 - 1e-6), 200)
        odds = np.exp(line[0] + line[1] * np.log(risk / (1 - risk)))
        top.plot(risk, odds / (1 + odds), color=colour, alpha=0.6, linewidth=1.5, linestyle="--", label="fitted line")
    x, y = curve["predicted"], curve["observed"]
    lowest, highest = min(y.min(), 0), max(y.max(), 1)  # pseudo-values leave 0..1
    if "low" in curve and curve["low"].notna().all():
        ends = np.clip(curve[["low", "high"]], lowest, highest).to_numpy().T
        top.vlines(x, *ends, color=colour, linewidth=1.5, label="interval")
    top.plot(x, y, "o", color=colour, markersize=6, label="groups of cases")
    top.set(ylabel="Observed frequency", ylim=(lowest - 0.03, highest + 0.1))
    for position, n in _neighbours_together(x.to_numpy(), curve["n"].to_numpy()):
        top.annotate(f"{n:.0f}", (position, highest + 0.05), ha="center", fontsize=8, color="0.25")
    figure.legend(*top.get_legend_handles_labels(), loc="outside lower left", fontsize=9, frameon=False, ncols=3)
    below.hist(
        np.ravel(probabilities), bins=np.linspace(0, 1, 21), color=colour, alpha=0.6, weights=_shares(probabilities)
    )
    below.set(xlabel="Predicted probability", ylabel="Cases (%)", xlim=(-0.03, 1.03))
    return figure


def _shares(probabilities):
    return np.full(np.size(probabilities), 100 / np.size(probabilities))


def _neighbours_together(positions, numbers):
    """Yield the mean position and the sum of the numbers of points too near to each other for a number each."""
    begins = [0]
    for place in range(1, len(positions)):
        if positions[place] - positions[begins[-1]] >= _NUMBER_WIDTH:
            begins.append(place)
    for of_label in np.split(np.arange(len(positions)), begins[1:]):
        yield positions[of_label].mean(), numbers[of_label].sum()


def decision_figure(benefit, colour=COLOURS[0]):
    """Draw the net benefit of a model, of treating all and of treating none, a table of `decision_curve`."""
    figure, axes = figure_with_axes(5.0, 3.4)
    styles = {"model": ("-", colour, 2.2), "treat_all": ("--", GREY, 1.6), "treat_none": (":", "0.15", 1.6)}
    for name, (dashes, shade, width) in styles.items():
        label = {"model": "act on the model", "treat_all": "treat all", "treat_none": "treat none"}[name]
        axes.plot(benefit["threshold"], benefit[name], color=shade, linestyle=dashes, linewidth=width, label=label)
    highest = max(benefit["model"].max(), benefit["treat_all"].max(), 0.01)
    axes.set(xlabel="Threshold probability", ylabel="Net benefit", ylim=(-0.35 * highest, 1.1 * highest))
    figure.legend(loc="outside lower left", fontsize=9, frameon=False, ncols=3, handlelength=3)
    return figure
