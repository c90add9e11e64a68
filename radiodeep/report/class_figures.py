"""Results of classes -> ROC curves, scores by class, calibration and decision curves."""

import numpy as np

from radiodeep.report.style import COLOURS, figure_with_axes, line_of_chance, plain_text
from radiodeep.study.statistics.auc import mean_roc


def roc_figure(results):
    """Draw the ROC curves of results, best first, each with its AUC in the legend.

    For repeated folds the curve is the vertical average over the repeats, whose area is the AUC. For pairs it is the
    curve of the fraction of pairs that each case wins, and the legend gives its area. Of centres, which different
    models scored, it is the mean of their curves by weight: its area may differ slightly from the mean of their logits.
    """
    curves = {result.name: _roc_of(result) for result in sorted(results, key=lambda result: -result.auc)}
    of_folds = f"{results[0].endpoint.measure}, {results[0].cv}"
    return _curves_figure(curves, of_folds if results[0].centres is None else "area of the centres' mean curve")


def _roc_of(result):
    """Return false_rate and true_rate of a result of two classes."""
    positive, scores = result.endpoint.is_positive, result.score_array
    if result.centres is None:
        return mean_roc(positive, scores)
    false_rate, true_rate = np.linspace(0, 1, 501), np.zeros(501)
    for number, weight in enumerate(result.centres["weight"]):
        own = result.fold_of_case[0] == number
        if weight > 0:
            true_rate += weight * np.interp(false_rate, *mean_roc(positive[own], scores[:, own]))
    return np.append(0, false_rate), np.append(0, true_rate)


def class_roc_figure(result):
    """Draw the ROC curve of each class against the others, with its AUC in the legend."""
    endpoint = result.endpoint
    curves = {
        name: mean_roc(endpoint.y == label, scores)
        for name, label, scores in zip(
            endpoint.outputs, endpoint.classes, np.moveaxis(result.score_array, 2, 0), strict=True
        )
    }
    return _curves_figure(curves, f"AUC against the others, {result.cv}")


def _curves_figure(curves, title):
    """Draw (false_rate, true_rate) by name."""
    figure, axes = figure_with_axes(5.2, 4.8)
    line_of_chance(axes)
    for number, (name, (false_rate, true_rate)) in enumerate(curves.items()):
        axes.plot(
            false_rate,
            true_rate,
            color=COLOURS[number % len(COLOURS)],
            linestyle=("-", "--", ":")[number // len(COLOURS) % 3],
            label=f"{plain_text(name)}: {np.trapezoid(true_rate, false_rate):.3f}",
        )
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", aspect="equal")
    axes.legend(title=title, loc="lower right", fontsize=8, title_fontsize=8, frameon=False)
    return figure


def score_figure(result):
    """Draw the out-of-fold probability, or score if there is none, of each case by class."""
    figure, axes = figure_with_axes(6.4, 2.2)
    labels = result.endpoint.classes
    column = "score" if result.predictions["probability"].isna().any() else "probability"
    for height, label in enumerate(labels):
        scores = result.predictions.loc[result.predictions["label"] == label, column].to_numpy()
        jitter = np.random.default_rng(0).uniform(-0.18, 0.18, len(scores))
        axes.plot(scores, height + jitter, "o", color=COLOURS[height], alpha=0.6, markersize=5)
    axes.set_yticks(range(len(labels)), [plain_text(f"label {label}") for label in labels])
    axes.set(xlabel=f"Out-of-fold {column} of class {plain_text(labels[-1])}", ylim=(-0.5, len(labels) - 0.5))
    return figure


def calibration_figure(curve, benefit):
    """Draw observed against predicted frequencies, with the number of cases of each point, and the decision curve.

    `curve` has the columns `predicted`, `observed` and `n`, `benefit` those of `decision_curve`.
    """
    figure, (left, right) = figure_with_axes(6.8, 3.0, n_axes=2)
    line_of_chance(left)
    left.plot(curve["predicted"], curve["observed"], "o-", color=COLOURS[0])
    for x, y, n in curve[["predicted", "observed", "n"]].to_numpy():
        left.annotate(f"{n:.0f}", (x, y), (4, -11), textcoords="offset points", fontsize=7, color="0.35")
    lowest, highest = min(curve["observed"].min(), 0), max(curve["observed"].max(), 1)  # pseudo-values leave 0..1
    left.set(xlabel="Predicted probability", ylabel="Observed frequency", ylim=(lowest - 0.03, highest + 0.03))
    for number, name in enumerate(("model", "treat_all", "treat_none")):
        colour = COLOURS[0] if name == "model" else str(0.25 + 0.2 * number)
        right.plot(benefit["threshold"], benefit[name], color=colour, label=name.replace("_", " "))
    highest = max(benefit["model"].max(), benefit["treat_all"].max())
    right.set(xlabel="Threshold probability", ylabel="Net benefit", ylim=(-0.15, 1.1 * highest + 0.01))
    right.legend(fontsize=8, frameon=False)
    return figure
