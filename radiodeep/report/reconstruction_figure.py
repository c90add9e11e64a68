"""A fitted autoencoder and cases -> a picture of what its network sees of them, and of what it makes of it."""

import numpy as np

from radiodeep.cases.cohort import as_items
from radiodeep.checks import require
from radiodeep.report.style import empty_figure, short_name

_MOST = 10  # cases side by side
_ROWS = ("original", "reconstructed", "difference")


def reconstruction_figure(features, cases):
    """Draw images above their reconstructions by an autoencoder, and the differences of both.

    Parameters
    ----------
    features : AutoencoderFeatures
        Fitted.
    cases : Cohort, sequence of Case, or array of images
        As in `AutoencoderFeatures.transform`; the first ten are drawn. Cases that it was not fitted to show what
        features tell about new lesions.

    Returns
    -------
    matplotlib.figure.Figure
        A column per case: of several slices the first one, of a cube the middle one. Below it is the mean squared error
        of all its pixels. Originals and reconstructions are drawn on the scale of 0..1, differences on that of -1..1.

    Raises
    ------
    InputError
        `features` cannot reconstruct images.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(4, random_state=0)
    >>> plan = rd.Training(epochs=4, n_views=1, batch_size=2, validation_fraction=0, augmentation=None)
    >>> features = rd.AutoencoderFeatures(n_features=2, training=plan).fit(cohort)
    >>> figure = rd.reconstruction_figure(features, cohort)
    >>> [axes.get_title() for axes in figure.axes[:2]], [axes.get_ylabel() for axes in figure.axes[::4]]
    (['phantom-000', 'phantom-001'], ['original', 'reconstructed', 'difference'])
    """
    has_reconstructions = hasattr(features, "reconstruct")
    require(has_reconstructions, reconstruction_figure, "features", "an AutoencoderFeatures", features)
    cases = cases[:_MOST]
    pairs = features.reconstruct(cases)
    require(len(pairs) > 0, reconstruction_figure, "cases", "at least one case", cases)
    titles = [getattr(case, "id", str(number)) for number, case in enumerate(as_items(cases))]
    figure = empty_figure(1.3 * len(pairs) + 0.4, 4.4)
    grid = figure.subplots(len(_ROWS), len(pairs), squeeze=False)
    for column, title, (images, again) in zip(grid.T, titles, pairs, strict=True):
        shown, made = (_slice_of(stack[0]) for stack in (images, again))
        for axes, picture, low in zip(column, (shown, made, made - shown), (0, 0, -1), strict=True):
            axes.imshow(picture, cmap="gray" if low == 0 else "RdBu_r", vmin=low, vmax=1)
            axes.set(xticks=[], yticks=[])
        column[0].set_title(short_name(title, 16), fontsize=8)
        column[-1].set_xlabel(f"error {np.square(again - images).mean():.2g}", fontsize=8)
    for axes, name in zip(grid[:, 0], _ROWS, strict=True):
        axes.set_ylabel(name, fontsize=8)
    return figure


def _slice_of(image):
    """Return a picture as it is, and the middle slice of a cube."""
    return image if image.ndim == 2 else image[len(image) // 2]
