"""What all figures share: colours, empty figures, and text that matplotlib takes literally."""

COLOURS = ("#0b5fa5", "#c8553d", "#3b7a57", "#7b4f9d", "#b8860b", "#4d4d4d")


def plain_text(text):
    """Return text that matplotlib does not read as a formula."""
    return str(text).replace("$", r"\$")


def empty_figure(width, height):
    """Return a figure of a size in inches."""
    from matplotlib.figure import Figure  # takes a second, which most uses of radiodeep need not spend

    return Figure(figsize=(width, height), layout="constrained")


def figure_with_axes(width, height, n_axes=1):
    """Return a figure of a size in inches, and its axes side by side."""
    figure = empty_figure(width, height)
    axes = figure.subplots(1, n_axes)
    for single in [axes] if n_axes == 1 else axes:
        single.spines[["top", "right"]].set_visible(False)
    return figure, axes


def line_of_chance(axes):
    """Draw the diagonal of a square from 0 to 1."""
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=1, zorder=0)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
