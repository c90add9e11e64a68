"""A `FeatureMap` -> a montage of slices: the map as colour over the grey image, with a colour bar."""

import numpy as np

from radiodeep.cases.slice_plane import acquisition_axis
from radiodeep.checks import is_count, require
from radiodeep.features.radiomics.feature_map import FeatureMap
from radiodeep.report.extreme_cases import draw_outline
from radiodeep.report.feature_units import feature_unit
from radiodeep.report.style import empty_figure, plain_text

_COLOURS = "viridis"  # perceptually uniform, also for readers with any colour vision
_OUTLINE = "#ff4040"
_MARGIN_MM = 8.0  # shown around the region
_TILE_INCHES = 2.0  # 3 if there are one or two
_N_COLUMNS = 4
_TITLE_POINTS = 11


def feature_map_figure(feature_map, n_slices=12):
    """Draw slices through a lesion with the map of a feature over the image, its outline and a colour bar.

    Slices are those of the plane of acquisition, evenly spaced through the region. Colours run
    from the 2nd to the 98th percentile of the map, so that single voxels at the border do not decide; the ends of the
    bar are pointed where values lie beyond.

    Parameters
    ----------
    feature_map : FeatureMap
    n_slices : int, default=12
        At most so many; fewer if the region has fewer slices.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        The first argument is not a FeatureMap, or the number of slices is out of range.

    Examples
    --------
    >>> import radiodeep as rd
    >>> case = rd.make_phantom_cohort(1, random_state=0)[0]
    >>> entropy = rd.feature_map(rd.RadiomicsExtractor(), case, "original_firstorder_Entropy")
    >>> figure = rd.feature_map_figure(entropy, n_slices=4)
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['slice 7 of 24', 'slice 11 of 24']
    """
    require(isinstance(feature_map, FeatureMap), feature_map_figure, "feature_map", "a FeatureMap", feature_map)
    require(is_count(n_slices, 1), feature_map_figure, "n_slices", "an int >= 1", n_slices)
    tiles, aspect = _tiles(feature_map, n_slices)
    n_in_image = feature_map.roi.shape[_axis(feature_map)]
    n_columns = min(_N_COLUMNS, len(tiles))
    n_rows = -(-len(tiles) // n_columns)
    height, width = tiles[0][1].shape
    side = _TILE_INCHES if n_columns > 2 else 1.5 * _TILE_INCHES
    tile_height = float(np.clip(side * height * aspect / width, 0.5 * side, 2 * side))
    figure = empty_figure(side * n_columns + 1.2, (tile_height + 0.25) * n_rows + 0.65)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    limits = _limits(feature_map.values_in_roi)
    grey = _grey_range(tiles)
    for axes in grid.ravel()[len(tiles) :]:
        axes.set_axis_off()
    for axes, (number, image, roi, values) in zip(grid.ravel(), tiles, strict=False):
        axes.imshow(image, cmap="gray", vmin=grey[0], vmax=grey[1], aspect=aspect)
        colours = axes.imshow(
            np.ma.masked_invalid(values), _COLOURS, vmin=limits[0], vmax=limits[1], aspect=aspect, interpolation="none"
        )
        draw_outline(axes, roi, _OUTLINE)
        axes.set(xlim=(-0.5, roi.shape[1] - 0.5), ylim=(roi.shape[0] - 0.5, -0.5), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.set_title(f"slice {number + 1} of {n_in_image}", fontsize=8, pad=3)
    _draw_colour_bar(figure, colours, grid, feature_map, limits)
    figure.suptitle(_title(feature_map, figure.get_figwidth()), fontsize=_TITLE_POINTS)
    voxels = "voxel" if feature_map.radius == 1 else "voxels"
    grid_mm = " x ".join(f"{step:.3g}" for step in feature_map.spacing_mm)
    resampled = f", resampled to {grid_mm} mm (z, y, x)" if feature_map.is_resampled else ""
    figure.supxlabel(f"windows of radius {feature_map.radius} {voxels}{resampled}", fontsize=8, color="0.35")
    return figure


def _axis(feature_map):
    return acquisition_axis(feature_map.roi.shape, feature_map.spacing_mm)


def _tiles(feature_map, n_slices):
    """Return (number, image, region, values) of slices about the region, the ratio of the pixel's sides."""
    axis = _axis(feature_map)
    rows, columns = (other for other in range(3) if other != axis)
    spacing_mm = np.array(feature_map.spacing_mm)
    box = []
    for other in (rows, columns):
        inside = np.flatnonzero(feature_map.roi.any(axis=tuple(each for each in range(3) if each != other)))
        margin = int(np.ceil(_MARGIN_MM / spacing_mm[other]))
        box.append(slice(max(0, inside[0] - margin), inside[-1] + 1 + margin))
    with_region = np.flatnonzero(feature_map.roi.any(axis=(rows, columns)))
    # The middles of equal parts, as the first and last slice of a region hold little of it.
    n_tiles = min(n_slices, with_region.size)
    chosen = with_region[((np.arange(n_tiles) + 0.5) * with_region.size / n_tiles).astype(int)]
    values = np.moveaxis(feature_map.values, axis, 0)
    image, roi = np.moveaxis(feature_map.image, axis, 0), np.moveaxis(feature_map.roi, axis, 0)
    flips = slice(None, None, -1 if axis and feature_map.roi.shape[0] > 1 else 1)  # head at the top
    tiles = [
        (number, *(array[number][tuple(box)][flips] for array in (image.astype(float), roi, values)))
        for number in chosen.tolist()
    ]
    return tiles, spacing_mm[rows] / spacing_mm[columns]


def _limits(values):
    """Return the lowest and highest colour: percentiles of the values, or what is about them if all are equal."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite, [2, 98])
    if high <= low:
        low, high = finite.min(), finite.max()
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _grey_range(tiles):
    """Return the intensities shown black and white: percentiles of the voxels that the map does not cover."""
    bare = np.concatenate([image[np.isfinite(image) & np.isnan(values)] for _, image, _, values in tiles])
    if bare.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(bare, [1, 99])
    return low, high if high > low else low + 1


def _title(feature_map, width_inches):
    """Return the id and the name, in two lines if they are too long for one, each cut at the width of the figure."""
    most = int(width_inches * 72 / (0.62 * _TITLE_POINTS))  # letters
    title = f"{feature_map.case.id}: {feature_map.name}"
    lines = [title] if len(title) <= most else [feature_map.case.id, feature_map.name]
    return "\n".join(plain_text(line if len(line) <= most else f"{line[: most - 1]}…") for line in lines)


def _draw_colour_bar(figure, colours, grid, feature_map, limits):
    finite = feature_map.values_in_roi[np.isfinite(feature_map.values_in_roi)]
    is_below, is_above = (finite.min() < limits[0], finite.max() > limits[1]) if finite.size else (False, False)
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((is_below, is_above), "neither")
    bar = figure.colorbar(colours, ax=grid, extend=extend, shrink=0.9, aspect=25, pad=0.02)
    image, family, feature = feature_map.name.rsplit("_", 2)
    unit = feature_unit(feature_map.name, "HU")[0]
    power = "²" if unit.startswith("[hnsf'U]2") else ""
    unit = f" in image units{power}" if unit.startswith("[hnsf'U]") else ""
    bar.set_label(plain_text(f"{feature} ({family}, {image}){unit}"), fontsize=9)
    bar.ax.tick_params(labelsize=8)
