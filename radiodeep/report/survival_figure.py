"""A result of survival -> survival curves of the risk groups."""

import numpy as np

from radiodeep.report.style import COLOURS, empty_figure

_DASHES = ("-", "--", ":", "-.")


def survival_figure(curves, horizon, p_value, colour=COLOURS[0]):
    """Draw Kaplan and Meier's survival of the risk groups, with the numbers at risk below.

    `curves` has the columns `group`, `time`, `n_at_risk`, `survival`, `low` and `high`. Groups differ by their lines:
    the first is gray, the others have the colour of the model.
    """
    figure = empty_figure(5.0, 4.9)
    axes, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axes.spines[["top", "right"]].set_visible(False)
    groups = {name: table for name, table in curves.groupby("group", sort=False) if name != "all"}
    latest = curves["time"].max()
    for number, (name, table) in enumerate(groups.items()):
        shade = "0.35" if number == 0 else colour
        dashes = _DASHES[number % len(_DASHES)]
        axes.step(
            table["time"], table["survival"], where="post", color=shade, label=name, linestyle=dashes, linewidth=2
        )
        bounds = table["low"], table["high"]
        axes.fill_between(table["time"], *bounds, step="post", color=shade, alpha=0.12, linewidth=0)
    axes.axvline(horizon, color="0.6", linewidth=1, linestyle=":", zorder=0)
    axes.set(ylabel="Survival", xlim=(0, latest), ylim=(0, 1.02))
    test = "" if np.isnan(p_value) else f"log-rank test: p {'< 0.001' if p_value < 0.001 else f'= {p_value:.2g}'}"
    figure.legend(title=test, loc="outside upper left", fontsize=9, title_fontsize=9, frameon=False, ncols=2)
    for row, table in enumerate(groups.values()):
        for time in [time for time in axes.get_xticks() if 0 <= time <= latest]:
            n_at_risk = table.loc[table["time"] <= time, "n_at_risk"].iloc[-1]
            below.text(time, -row, f"{n_at_risk:.0f}", ha="center", va="center", fontsize=9)
    below.set_yticks([-row for row in range(len(groups))], groups, fontsize=9)
    below.set(xlabel="Time (below the curves: cases at risk)", ylim=(-len(groups) + 0.4, 0.6))
    below.spines[["top", "right", "left"]].set_visible(False)
    below.tick_params(axis="y", length=0, pad=16)  # the numbers at time 0 are centred on the axis
    return figure
