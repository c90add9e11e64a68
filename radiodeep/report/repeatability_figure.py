"""The repeatability of features -> a figure and a sentence."""

import numpy as np

from radiodeep.features.repeatability import family_of
from radiodeep.report.style import COLOURS, figure_with_axes, plain_text

LEVELS = (0.75, 0.9)  # called good and excellent


def repeatability_sentence(table):
    """Return how many features repeat well, of a table that `repeatability` made."""
    good, excellent = (f"{int((table['icc'] >= level).sum())} have an ICC of at least {level:g}" for level in LEVELS)
    n_unknown = int(table["icc"].isna().sum())
    unknown = f"; {n_unknown} do not differ between cases" if n_unknown else ""
    left_out = len(table.attrs.get("left_out", ()))
    others = f" {left_out} case{'s were' if left_out > 1 else ' was'} not measured again." if left_out else ""
    repeat = " and ".join(table.attrs.get("repeat", ["repeat"]))
    return (
        f"Of {len(table)} features measured again in {table['n'].max()} cases ({repeat}), {good} and {excellent}"
        f"{unknown}.{others} An ICC is high in cohorts whose cases differ much, however large the error of a "
        "measurement is."
    )


def repeatability_figure(table):
    """Draw the intraclass correlation of all features with intervals, and the fraction that repeats well by family.

    Parameters
    ----------
    table : DataFrame
        From `repeatability`.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(6, random_state=0)
    >>> cases = [case.replace(repeats={"reader2": case.replace(mask=np.roll(case.roi, 1, axis=2))}) for case in cohort]
    >>> table = rd.repeatability(rd.RadiomicsExtractor(families=["shape", "firstorder"]), cases)
    >>> [label.get_text() for label in rd.repeatability_figure(table).axes[1].get_yticklabels()]
    ['firstorder', 'shape']
    """
    known = table.dropna(subset=["icc"]).sort_values("icc", ascending=False)
    families = known.groupby([family_of(name) for name in known.index])["icc"]
    order = families.median().sort_values().index
    figure, (left, right) = figure_with_axes(7.6, max(3.2, 1.4 + 0.24 * len(order)), n_axes=2)
    ranks = np.arange(1, len(known) + 1)
    low, high = (known[end].fillna(known["icc"]) for end in ("low", "high"))
    width = min(3.0, 260 / len(known))  # points
    left.vlines(ranks, low, high, color=COLOURS[0], alpha=0.25, linewidth=width, label="interval")
    left.plot(ranks, known["icc"], color=COLOURS[0], linewidth=2, label="ICC")
    for level, colour in zip(LEVELS, COLOURS[1:], strict=False):
        count = int((known["icc"] >= level).sum())
        left.axhline(level, color=colour, linewidth=1, linestyle="--", label=f"{count} at {level:g} or more")
    left.set(xlabel="Features, most repeatable first", ylabel="Intraclass correlation")
    left.set(ylim=(min(0.0, known["icc"].min()) - 0.02, 1.02), xlim=(0.5, len(known) + 0.5))
    left.legend(fontsize=7, frameon=False, loc="lower left")
    for row, family in enumerate(order):
        values = families.get_group(family)
        right.plot(values, np.full(len(values), row), "|", color=COLOURS[0], markersize=9, alpha=0.7)
        right.plot(values.median(), row, "o", color=COLOURS[5], markersize=4)
    for level, colour in zip(LEVELS, COLOURS[1:], strict=False):
        right.axvline(level, color=colour, linewidth=1, linestyle="--")
    right.set_yticks(range(len(order)), [plain_text(family) for family in order], fontsize=8)
    right.set(xlabel="Intraclass correlation (dot: median)", ylim=(-0.6, len(order) - 0.4))
    return figure
