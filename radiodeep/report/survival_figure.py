"""A result of survival -> survival curves of the risk groups."""

from radiodeep.report.style import COLOURS, figure_with_axes


def survival_figure(curves, horizon, p_value):
    """Draw Kaplan and Meier's survival of the risk groups, with the numbers at risk below.

    `curves` has the columns `group`, `time`, `n_at_risk`, `survival`, `low` and `high`.
    """
    figure, axes = figure_with_axes(6.4, 4.2)
    groups = {name: table for name, table in curves.groupby("group", sort=False) if name != "all"}
    for number, (name, table) in enumerate(groups.items()):
        colour = COLOURS[number]
        axes.step(table["time"], table["survival"], where="post", color=colour, label=name)
        bounds = table["low"], table["high"]
        axes.fill_between(table["time"], *bounds, step="post", color=colour, alpha=0.12, linewidth=0)
    latest = curves["time"].max()
    axes.axvline(horizon, color="0.75", linewidth=1, zorder=0)
    axes.set(xlabel="Time", ylabel="Survival", xlim=(0, latest), ylim=(0, 1.02))
    test = "" if p_value != p_value else f"log-rank p = {p_value:.2g}"
    axes.legend(title=test, loc="upper right", fontsize=8, title_fontsize=8, frameon=False)
    shown = [time for time in axes.get_xticks() if 0 <= time <= latest]
    for row, (name, table) in enumerate(groups.items()):
        height = -0.24 - 0.07 * row
        style = {"transform": axes.transAxes, "fontsize": 8}
        axes.text(-0.02, height, f"{name}, at risk", ha="right", color=COLOURS[row], **style)
        for time in shown:
            n_at_risk = table.loc[table["time"] <= time, "n_at_risk"].iloc[-1]
            axes.text(time / latest, height, f"{n_at_risk:.0f}", ha="center", **style)
    return figure
