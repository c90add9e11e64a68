"""A fitted `HabitatExtractor` and a case -> a picture of its images and of its habitats."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from radiodeep.checks import require
from radiodeep.features.habitats import HabitatExtractor
from radiodeep.report.extreme_cases import about_region
from radiodeep.report.style import empty_figure, plain_text

_OUTLINE = "#ff4040"
_COLOURS = "viridis"  # from dark to light as the habitats in the first image; also for colour-blind readers


def habitat_figure(extractor, case):
    """Draw the slice with most of the region: each image with the outline, and the habitats.

    Parameters
    ----------
    extractor : HabitatExtractor
        Fitted.
    case : Case
        With all images of the extractor.

    Returns
    -------
    matplotlib.figure.Figure
        The share of each habitat beside the map is that of the whole region.

    Raises
    ------
    InputError
        The extractor is not a HabitatExtractor.
    MissingImageError
        The case lacks one of the images.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(4, random_state=0)
    >>> figure = rd.habitat_figure(rd.HabitatExtractor(n_habitats=2).fit(cohort), cohort[0])
    >>> [axes.get_title() for axes in figure.axes]
    ['phantom-000', 'habitats']
    """
    is_extractor = isinstance(extractor, HabitatExtractor)
    require(is_extractor, habitat_figure, "extractor", "a HabitatExtractor", extractor)
    check_is_fitted(extractor)
    habitat_map = extractor.habitat_map(case)
    names = extractor.image_names_ or ("",)
    lesions = [(case.of_image(name) if name else case).lesion() for name in names]
    figure = empty_figure(2.9 * (len(names) + 1) + 1.2, 3.2)
    *image_axes, map_axes = figure.subplots(1, len(names) + 1)
    for axes in (*image_axes, map_axes):
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, name, lesion in zip(image_axes, names, lesions, strict=True):
        image, roi, aspect = about_region(lesion)
        _draw_image(axes, image, roi, aspect)
        axes.set_title(plain_text(f"{case.id} {name}".strip()), fontsize=9)
    shown, _, aspect = about_region(lesions[0].replace(image=habitat_map))
    _draw_image(map_axes, image, roi, aspect)
    _draw_habitats(map_axes, shown, habitat_map, aspect, extractor.n_habitats)
    map_axes.set_title("habitats", fontsize=9)
    return figure


def _draw_image(axes, image, roi, aspect):
    low, high = np.nanpercentile(image[np.isfinite(image)], [1, 99])
    axes.imshow(image, cmap="gray", vmin=low, vmax=high if high > low else low + 1, aspect=aspect)
    axes.contour(np.pad(roi.astype(float), 1), [0.5], colors=_OUTLINE, linewidths=1, extent=_extent(roi.shape))
    axes.set(xlim=(-0.5, roi.shape[1] - 0.5), ylim=(roi.shape[0] - 0.5, -0.5))


def _extent(shape):
    """Return where `contour` puts an image that was padded by one pixel: its left, right, lower and upper centres."""
    return (-1, shape[1], -1, shape[0])


def _draw_habitats(axes, shown, habitat_map, aspect, n_habitats):
    """Draw the habitats of a slice over its image, with a legend of their shares of the whole region."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = colormaps[_COLOURS](np.linspace(0.1, 1, n_habitats))
    limits = {"vmin": 0.5, "vmax": n_habitats + 0.5}
    axes.imshow(np.ma.masked_equal(shown, 0), ListedColormap(colours), aspect=aspect, interpolation="none", **limits)
    counts = np.bincount(habitat_map.ravel(), minlength=n_habitats + 1)[1:]
    handles = [
        Patch(facecolor=colour, label=f"{number}: {share:.0%}")
        for number, (colour, share) in enumerate(zip(colours, counts / counts.sum(), strict=True), 1)
    ]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
