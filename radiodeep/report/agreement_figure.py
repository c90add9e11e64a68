"""A result of numbers -> predicted against observed, and their differences."""

import numpy as np

from radiodeep.report.style import COLOURS, figure_with_axes


def agreement_figure(result, limits):
    """Draw predicted against observed numbers, and the differences of both against their mean (Bland and Altman).

    `limits` is the table of the `bias`, `lower limit` and `upper limit` of agreement. Predictions of a case are the
    mean over the repeats.
    """
    predicted, observed = result.predictions["prediction"], result.endpoint.y
    figure, (left, right) = figure_with_axes(6.8, 3.2, n_axes=2)
    ends = [min(predicted.min(), observed.min()), max(predicted.max(), observed.max())]
    left.plot(ends, ends, color="0.75", linewidth=1, zorder=0)
    left.plot(predicted, observed, "o", color=COLOURS[0], alpha=0.6, markersize=4)
    left.set(xlabel="Predicted", ylabel="Observed")
    right.plot((predicted + observed) / 2, predicted - observed, "o", color=COLOURS[0], alpha=0.6, markersize=4)
    for name, row in limits.iterrows():
        right.axhline(row["value"], color=COLOURS[1], linewidth=1, linestyle="-" if name == "bias" else "--")
        if np.isfinite(row["low"]):
            right.axhspan(row["low"], row["high"], color=COLOURS[1], alpha=0.12, linewidth=0)
        right.annotate(
            f"{name} {row['value']:.3g}",
            (1, row["value"]),
            (-2, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            fontsize=7,
        )
    right.set(xlabel="Mean of predicted and observed", ylabel="Predicted - observed")
    return figure
