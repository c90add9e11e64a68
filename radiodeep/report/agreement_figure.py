"""A result of numbers -> predicted against observed, and their differences."""

import numpy as np

from radiodeep.report.style import COLOURS, empty_figure


def agreement_figure(result, limits, colour=COLOURS[0]):
    """Draw predicted against observed numbers, and the differences of both against their mean (Bland and Altman).

    `limits` is the table of the `bias`, `lower limit` and `upper limit` of agreement. Predictions of a case are the
    mean over the repeats.
    """
    predicted, observed = result.predictions["prediction"], result.endpoint.y
    figure = empty_figure(5.0, 7.2)
    top, below = figure.subplots(2, 1)
    for axes in (top, below):
        axes.spines[["top", "right"]].set_visible(False)
    ends = [min(predicted.min(), observed.min()), max(predicted.max(), observed.max())]
    style = {"color": colour, "alpha": 0.6, "markersize": 5}
    top.plot(ends, ends, color="0.6", linewidth=1, linestyle=":", zorder=0)
    top.plot(predicted, observed, "o", **style)
    top.set(xlabel="Predicted", ylabel="Observed")
    below.plot((predicted + observed) / 2, predicted - observed, "o", **style)
    for name, row in limits.iterrows():
        below.axhline(row["value"], color="0.25", linewidth=1, linestyle="-" if name == "bias" else "--")
        if np.isfinite(row["low"]):
            below.axhspan(row["low"], row["high"], color="0.25", alpha=0.1, linewidth=0)
        below.annotate(
            f"{name}\n{row['value']:.3g}",
            (1, row["value"]),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    below.set(xlabel="Mean of predicted and observed", ylabel="Predicted - observed")
    return figure
