"""What all figures share: colours, empty figures, and text that matplotlib takes literally."""

from radiodeep.study.size import SIZE_BASELINE

# Okabe and Ito, Color Universal Design (2008), without yellow: told apart by readers with any colour vision
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#332288", "#882255")
GREY = "#7f7f7f"  # of the size of the region as the score
_OF_NAMES = {
    name: COLOURS[number]
    for number, name in enumerate(("combined", "handcrafted", "deep", "clinical", "images and clinical"))
}


def colours_of(results):
    """Return a colour for each model by its name: the same in all figures of a report, and in all reports if usual.

    Parameters
    ----------
    results : iterable of StudyResult, or dict of them
    """
    models = results.values() if isinstance(results, dict) else results
    names = dict.fromkeys(result.name for result in models)
    usual = {name: _OF_NAMES[name] for name in names if name in _OF_NAMES} | {SIZE_BASELINE: GREY}
    free = [colour for colour in COLOURS if colour not in usual.values()] or list(COLOURS)
    others = [name for name in names if name not in usual]
    return usual | {name: free[number % len(free)] for number, name in enumerate(others)}


def plain_text(text):
    """Return text that matplotlib does not read as a formula."""
    return str(text).replace("$", r"\$")


def short_name(name, longest):
    """Return a name as literal text, without its middle if it has more characters than `longest`."""
    name = str(name)
    if len(name) > longest:
        name = f"{name[: (longest - 1) // 2]}\N{HORIZONTAL ELLIPSIS}{name[len(name) - longest // 2 :]}"
    return plain_text(name)


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
