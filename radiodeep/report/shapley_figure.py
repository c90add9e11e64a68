"""The contributions of features to predictions -> a figure of a dot per case and feature."""

import numpy as np

from radiodeep.report.style import figure_with_axes, plain_text

_SWARM = 0.36  # half the height of a row


def shapley_figure(values, most=12):
    """Draw what each feature contributes to the prediction of each case, the features that matter most on top.

    Parameters
    ----------
    values : DataFrame of shape (n_cases, n_features)
        From `shapley_values`. Dots are coloured by the rank of the feature among the cases.
    most : int, default=12
        How many features are shown.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> import radiodeep as rd
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.random.default_rng(0).normal(size=(30, 3))
    >>> values = rd.shapley_values(LinearRegression().fit(X, X[:, 0]), X)
    >>> [label.get_text() for label in rd.shapley_figure(values).axes[0].get_yticklabels()][-1]
    'x0'
    """
    order = values.abs().mean().sort_values(ascending=False).index[:most]
    ranks = values.attrs["features"].rank(pct=True)
    figure, axes = figure_with_axes(6.8, 1.4 + 0.36 * len(order))
    axes.axvline(0, color="0.75", linewidth=1, zorder=0)
    width = np.ptp(values[order].to_numpy()) or 1.0
    for row, name in enumerate(reversed(order)):
        x = values[name].to_numpy()
        drawn = axes.scatter(x, row + _offsets(x / width), c=ranks[name], cmap="coolwarm", vmin=0, vmax=1, s=12)
    axes.set_yticks(range(len(order)), [plain_text(name) for name in reversed(order)], fontsize=8)
    label = plain_text(values.attrs["output"])
    axes.set(xlabel=f"Contribution to the {label} (mean {values.attrs['base']:.3g})", ylim=(-0.6, len(order) - 0.4))
    bar = figure.colorbar(drawn, ax=axes, ticks=[0, 1], aspect=30, pad=0.01)
    bar.ax.set_yticklabels(["low", "high"])
    bar.set_label("Value of the feature", fontsize=8, labelpad=-12)
    bar.outline.set_visible(False)
    return figure


def _offsets(x, n_bins=60):
    """Return vertical offsets that keep dots at nearly equal positions apart: alternately above and below."""
    bins = np.floor(x * n_bins).astype(int)
    place = np.zeros(len(x))
    for each in np.unique(bins):
        inside = np.flatnonzero(bins == each)
        place[inside] = (np.arange(len(inside)) + 1) // 2 * np.where(np.arange(len(inside)) % 2, 1, -1)
    return _SWARM * place / max(np.abs(place).max(), 4)
