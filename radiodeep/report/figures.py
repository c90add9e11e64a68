"""Results -> matplotlib figures; all numbers come from the results."""

import numpy as np

from radiodeep.report.style import COLOURS, empty_figure, figure_with_axes, plain_text


def interval_figure(results):
    """Draw the measure of each result with its interval, best on top, and chance as a line.

    Of a result with a companion it is that of the companion; its own measure, which has no interval, is drawn below.
    """
    ordered = sorted(results, key=lambda result: result.primary.auc)
    endpoint = ordered[0].endpoint
    figure, axes = figure_with_axes(6.4, 1.3 + 0.4 * len(ordered))
    axes.axvline(endpoint.chance, color="0.75", linewidth=1, zorder=0)
    for row, result in enumerate(ordered):
        for number, drawn in enumerate(dict.fromkeys([result.primary, result])):
            interval = drawn.confidence_interval
            height = row - 0.25 * number
            label = drawn.cv if row == len(ordered) - 1 else None
            axes.plot([interval.low, interval.high], [height, height], color=COLOURS[number], linewidth=2)
            axes.plot(drawn.auc, height, "o", color=COLOURS[number], label=label)
    axes.set_yticks(range(len(ordered)), [plain_text(result.name) for result in ordered])
    figure.legend(loc="outside upper right", ncols=2, fontsize=8, frameon=False)
    level = ordered[0].confidence_interval.level
    axes.set(xlabel=f"{endpoint.measure} ({level:.0%} interval)", ylim=(-0.6, len(ordered) - 0.5))
    return figure


def centre_figure(result):
    """Draw the measure of each centre with its interval, squares by weight, and below their random-effects mean."""
    centres, effects, measure = result.centres, result.random_effects, result.endpoint.measure
    figure, axes = figure_with_axes(6.4, 1.5 + 0.32 * len(centres))
    axes.axvline(result.endpoint.chance, color="0.75", linewidth=1, zorder=0)
    heights = range(len(centres), 0, -1)
    for height, centre in zip(heights, centres.itertuples(), strict=True):
        axes.plot([centre.low, centre.high], [height, height], color=COLOURS[0])
        axes.plot(centre.value, height, "s", color=COLOURS[0], markersize=3 + 9 * np.sqrt(centre.weight))
    mean, another = effects.confidence_interval, effects.prediction_interval
    if np.isfinite(another.low):  # three centres or more
        axes.plot([another.low, another.high], [0, 0], color=COLOURS[1], linewidth=1)
        axes.set_title("thin line of the mean: where another centre is expected", fontsize=8, loc="right")
    axes.fill([mean.low, effects.value, mean.high, effects.value], [0, 0.25, 0, -0.25], color=COLOURS[1])
    names = [f"{plain_text(name)} (n={n})" for name, n in centres["n"].items()]
    axes.set_yticks([*heights, 0], [*names, "random effects"], fontsize=8)
    axes.set(xlabel=f"{measure} ({mean.level:.0%} interval)", ylim=(-0.7, len(centres) + 0.7))
    return figure


def selection_figure(result, most=15):
    """Draw the fraction of folds that selected each feature, or return None for a model without selector."""
    counts = selection_counts(result)
    if counts is None:
        return None
    shown = counts.head(most)[::-1]
    figure, axes = figure_with_axes(6.4, 1.0 + 0.24 * len(shown))
    axes.barh(np.arange(len(shown)), shown.to_numpy() / len(result.folds), color=COLOURS[0])
    axes.set_yticks(np.arange(len(shown)), [plain_text(name) for name in shown.index], fontsize=8)
    axes.set(xlabel="Fraction of folds that selected the feature", xlim=(0, 1))
    if result.selection_sentence is not None:
        axes.set_title(result.selection_sentence, fontsize=8, loc="right")
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
