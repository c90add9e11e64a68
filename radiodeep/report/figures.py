"""Results -> matplotlib figures; all numbers come from the results."""

import numpy as np

from radiodeep.study.statistics.auc import mean_roc
from radiodeep.study.statistics.calibration import calibration, decision_curve

_COLOURS = ("#0b5fa5", "#c8553d", "#3b7a57", "#7b4f9d", "#b8860b", "#4d4d4d")


def roc_figure(results):
    """Draw the ROC curves of results, best first, each with its AUC in the legend.

    For repeated folds the curve is the vertical average over the repeats, whose area is the AUC. For pairs it is the
    curve of the fraction of pairs that each case wins, and the legend gives its area.
    """
    figure, axes = _figure(5.2, 4.8)
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=1, zorder=0)
    for number, result in enumerate(sorted(results, key=lambda result: -result.auc)):
        false_rate, true_rate = mean_roc(result.endpoint.is_positive, result.score_table.to_numpy(dtype=float).T)
        axes.plot(
            false_rate,
            true_rate,
            color=_COLOURS[number % len(_COLOURS)],
            linestyle=("-", "--", ":")[number // len(_COLOURS) % 3],
            label=f"{_plain(result.name)}: {np.trapezoid(true_rate, false_rate):.2f}",
        )
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.legend(
        title=f"{results[0].endpoint.measure}, {results[0].cv}",
        loc="lower right",
        fontsize=8,
        title_fontsize=8,
        frameon=False,
    )
    return figure


def interval_figure(results):
    """Draw the measure of each result and of its companion with their intervals, best on top, and chance as a line."""
    ordered = sorted(results, key=lambda result: result.auc)
    endpoint = ordered[0].endpoint
    figure, axes = _figure(6.4, 1.3 + 0.4 * len(ordered))
    axes.axvline(endpoint.chance, color="0.75", linewidth=1, zorder=0)
    lowest = endpoint.chance - 0.05
    for row, result in enumerate(ordered):
        shown = [result] if result.companion is None else [result, result.companion]
        for number, drawn in enumerate(shown):
            interval = drawn.confidence_interval
            height = row - 0.25 * number
            label = drawn.cv if row == len(ordered) - 1 else None
            axes.plot([interval.low, interval.high], [height, height], color=_COLOURS[number], linewidth=2)
            axes.plot(drawn.auc, height, "o", color=_COLOURS[number], label=label)
            lowest = min(lowest, interval.low - 0.02)
    axes.set_yticks(range(len(ordered)), [_plain(result.name) for result in ordered])
    figure.legend(loc="outside upper right", ncols=2, fontsize=8, frameon=False)
    level = ordered[0].confidence_interval.level
    axes.set(xlabel=f"{endpoint.measure} ({level:.0%} interval)", xlim=(max(lowest, 0), 1.01))
    return figure


def score_figure(result):
    """Draw the out-of-fold probability, or score if there is none, of each case by class."""
    figure, axes = _figure(6.4, 2.2)
    labels = result.endpoint.classes
    column = "score" if result.predictions["probability"].isna().any() else "probability"
    for height, label in enumerate(labels):
        scores = result.predictions.loc[result.predictions["label"] == label, column].to_numpy()
        jitter = np.random.default_rng(0).uniform(-0.18, 0.18, len(scores))
        axes.plot(scores, height + jitter, "o", color=_COLOURS[height], alpha=0.6, markersize=5)
    axes.set_yticks(range(len(labels)), [_plain(f"label {label}") for label in labels])
    axes.set(xlabel=f"Out-of-fold {column} of class {_plain(labels[-1])}", ylim=(-0.5, len(labels) - 0.5))
    return figure


def selection_figure(result, most=15):
    """Draw the fraction of folds that selected each feature, or return None for a model without selector."""
    counts = selection_counts(result)
    if counts is None:
        return None
    shown = counts.head(most)[::-1]
    figure, axes = _figure(6.4, 1.0 + 0.24 * len(shown))
    axes.barh(np.arange(len(shown)), shown.to_numpy() / len(result.folds), color=_COLOURS[0])
    axes.set_yticks(np.arange(len(shown)), [_plain(name) for name in shown.index], fontsize=8)
    axes.set(xlabel="Fraction of folds that selected the feature", xlim=(0, 1))
    if result.selection_sentence is not None:
        axes.set_title(result.selection_sentence, fontsize=8, loc="right")
    return figure


def calibration_figure(result):
    """Draw observed against predicted frequencies and the decision curve, or return None without probabilities."""
    if result.predictions["probability"].isna().any():
        return None
    figure = _empty_figure(6.4, 2.8)
    left, right = figure.subplots(1, 2)
    curve = calibration(result).curve
    benefit = decision_curve(result)
    left.plot([0, 1], [0, 1], color="0.75", linewidth=1, zorder=0)
    left.plot(curve["predicted"], curve["observed"], "o-", color=_COLOURS[0])
    left.set(xlabel="Predicted probability", ylabel="Observed frequency", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for number, name in enumerate(("model", "treat_all", "treat_none")):
        colour = _COLOURS[0] if name == "model" else str(0.25 + 0.2 * number)
        right.plot(benefit["threshold"], benefit[name], color=colour, label=name.replace("_", " "))
    highest = max(benefit["model"].max(), benefit["treat_all"].max())
    right.set(xlabel="Threshold probability", ylabel="Net benefit", ylim=(-0.15, 1.1 * highest + 0.01))
    right.legend(fontsize=8, frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
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
    figure = _empty_figure(1.7 * n_columns + 4.6, 4.4)
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
            axes.set_title(f"{_plain(case_id)}\n{explanation.values[case_id]:.3g}", fontsize=8)
    left.supxlabel("bright: the feature depends on these pixels", fontsize=8)
    best = explanation.correlations.head(n_features).iloc[::-1]
    axes = right.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.axvline(0, color="0.75", linewidth=1, zorder=0)
    axes.barh(range(len(best)), best["spearman"], color=[_COLOURS[int(rho < 0)] for rho in best["spearman"]])
    axes.set_yticks(range(len(best)), [_plain(name.replace("original_", "")) for name in best.index], fontsize=8)
    n_cases = f"\nn = {best['n'].min():.0f}" if len(best) else ""
    axes.set(xlabel=f"Spearman correlation{n_cases}", xlim=(-1, 1))
    figure.suptitle(_plain(explanation.name), fontsize=10)
    return figure


def _plain(text):
    """Return text that matplotlib does not read as a formula."""
    return str(text).replace("$", r"\$")


def _empty_figure(width, height):
    from matplotlib.figure import Figure  # takes a second, which most uses of radiodeep need not spend

    return Figure(figsize=(width, height), layout="constrained")


def _figure(width, height):
    """Return a figure with one pair of axes."""
    figure = _empty_figure(width, height)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
