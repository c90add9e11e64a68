"""Results -> matplotlib figures; all numbers come from the results."""

from textwrap import fill

import numpy as np

from radiodeep.report.style import COLOURS, colours_of, empty_figure, figure_with_axes, plain_text, short_name


def interval_figure(results, colours=None):
    """Draw the measure of each result with its interval below its name, in the order given, and chance as a line.

    Of a result with a companion it is that of the companion; its own measure, which has no valid interval, is a hollow
    mark, as that of any result without interval.
    """
    endpoint = results[0].endpoint
    colours = colours or colours_of(results)
    figure = empty_figure(5.0, 1.35 + 0.52 * len(results))
    axes = figure.subplots()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.axvline(endpoint.chance, color="0.6", linewidth=1, linestyle=":", zorder=0)
    marks = {}
    for row, result in enumerate(results):
        height, colour = len(results) - 1 - row, colours[result.name]
        for drawn in dict.fromkeys([result.primary, result]):
            interval = drawn.confidence_interval
            is_valid = np.isfinite(interval.low)
            if is_valid:
                axes.plot([interval.low, interval.high], [height, height], color=colour, linewidth=2.5)
            face, size = (colour, 8) if is_valid else ("white", 7)
            axes.plot(drawn.value, height, "o", color=colour, markerfacecolor=face, markersize=size, zorder=3)
            words = f"{drawn.cv}, with {interval.level:.0%} interval" if is_valid else f"{drawn.cv}, no valid interval"
            marks[words] = "0.3" if is_valid else "white"
        where = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "fontsize": 9}
        axes.annotate(short_name(result.name, 34), (0, height), (0, 7), **where)
        axes.annotate(_value_and_bounds(result.primary), (1, height), (0, 7), ha="right", **where)
    style = {"marker": "o", "color": "0.3", "linestyle": ""}
    handles = [
        axes.plot([], [], markerfacecolor=face, label=fill(words, 52), **style)[0] for words, face in marks.items()
    ]
    figure.legend(handles=handles, loc="outside lower left", fontsize=8.5, frameon=False)
    axes.set(xlabel=_scale(endpoint), ylim=(-0.4, len(results) - 0.3), yticks=[])
    axes.margins(x=0.05)
    return figure


def _value_and_bounds(result):
    interval = result.confidence_interval
    bounds = f" ({interval.low:.2f} to {interval.high:.2f})" if np.isfinite(interval.low) else ""
    return f"{result.value:.2f}{bounds}"


def _scale(endpoint):
    return f"{endpoint.measure} (dotted line: {endpoint.chance:g}, no information)"


def centre_figure(result, colour=COLOURS[0]):
    """Draw the measure of each centre with its interval, squares by weight, and below their random-effects mean."""
    centres, effects, measure = result.centres, result.random_effects, result.endpoint.measure
    figure, axes = figure_with_axes(5.0, 1.7 + 0.34 * len(centres))
    axes.axvline(result.endpoint.chance, color="0.6", linewidth=1, linestyle=":", zorder=0)
    heights = range(len(centres), 0, -1)
    for height, centre in zip(heights, centres.itertuples(), strict=True):
        axes.plot([centre.low, centre.high], [height, height], color=colour)
        axes.plot(centre.value, height, "s", color=colour, markersize=3 + 9 * np.sqrt(centre.weight))
    mean, another = effects.confidence_interval, effects.prediction_interval
    if np.isfinite(another.low):  # three centres or more
        axes.plot([another.low, another.high], [0, 0], color="0.25", linewidth=1)
        axes.set_title("thin line of the mean: where another centre is expected", fontsize=8, loc="right")
    axes.fill([mean.low, effects.value, mean.high, effects.value], [0, 0.25, 0, -0.25], color="0.25")
    names = [f"{short_name(name, 22)} (n={n})" for name, n in centres["n"].items()]
    axes.set_yticks([*heights, 0], [*names, "random effects"], fontsize=8.5)
    axes.set(xlabel=f"{measure} ({mean.level:.0%} interval)", ylim=(-0.7, len(centres) + 0.7))
    return figure


def selection_counts(result):
    """Return the number of folds that selected each feature, in descending order, or None without selector."""
    selected = result.folds["selected_features"].dropna()
    if selected.empty:
        return None
    return selected.explode().value_counts()


def deep_feature_figure(explanation, n_features=8):
    """Draw the cases with the highest and lowest values of a deep feature, where it looks, and its correlations.

    Handcrafted features are those of the `n_features` strongest correlations of a DeepFeatureExplanation.
    """
    ends = {"highest": explanation.highest, "lowest": explanation.lowest}
    n_columns = max(map(len, ends.values()))
    figure = empty_figure(1.7 * n_columns + 4.6, 4.4)
    left, right = figure.subfigures(1, 2, width_ratios=(1.7 * n_columns, 4.6))
    squares = left.subplots(2, n_columns, squeeze=False)
    for row, (end, shown) in zip(squares, ends.items(), strict=True):
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        row[0].set_ylabel(f"{end} values")
        for axes, (case_id, image, where) in zip(row, shown, strict=False):
            axes.imshow(image, cmap="gray", vmin=0, vmax=1)
            axes.imshow(where, cmap="inferno", alpha=0.65 * where, vmin=0, vmax=1)
            axes.set_title(f"{plain_text(case_id)}\n{explanation.values[case_id]:.3g}", fontsize=8)
    left.supxlabel("bright: the feature depends on these pixels", fontsize=8)
    best = explanation.correlations.head(n_features).iloc[::-1]
    axes = right.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.axvline(0, color="0.75", linewidth=1, zorder=0)
    axes.barh(range(len(best)), best["spearman"], color=[COLOURS[int(rho < 0)] for rho in best["spearman"]])
    axes.set_yticks(range(len(best)), [plain_text(name.replace("original_", "")) for name in best.index], fontsize=8)
    n_cases = f"\nn = {best['n'].min():.0f}" if len(best) else ""
    axes.set(xlabel=f"Spearman correlation{n_cases}", xlim=(-1, 1))
    figure.suptitle(plain_text(explanation.name), fontsize=10)
    return figure
