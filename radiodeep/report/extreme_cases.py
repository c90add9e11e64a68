"""Values of features and cases -> pictures of the cases with the lowest, middle and highest values."""

import numpy as np
import pandas as pd

from radiodeep.cases.cohort import as_items
from radiodeep.cases.picture import largest_slice
from radiodeep.checks import is_count, require
from radiodeep.exceptions import InputError
from radiodeep.report.style import empty_figure, plain_text

_MARGIN_MM = 10.0  # shown around a region, at least; otherwise half of its size
_OUTLINE = "#ff4040"


def extreme_cases_figure(values, cohort, n_cases=2):
    """Draw the cases with the lowest, middle and highest values of features: what a feature stands for.

    Of each case the slice with most of its region is shown about the region, with its outline.

    Parameters
    ----------
    values : Series or DataFrame of shape (n_cases, n_features)
        Features by case id, e.g. ``extract_table(...)[names]``; a row of pictures for each.
    cohort : Cohort, sequence of Case or of Patient
        Cases without a value are left out. Of a patient the largest lesion is shown, of several images the first;
        choose another with ``cohort.of_image``.
    n_cases : int, default=2
        Cases at each end, and in the middle.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        Fewer than three cases have a value.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(8, random_state=0)
    >>> table = rd.extract_table(rd.RadiomicsExtractor(families=["shape"]), cohort)
    >>> figure = rd.extreme_cases_figure(table["original_shape_Sphericity"], cohort, n_cases=1)
    >>> [axes.get_title().splitlines()[0] for axes in figure.axes]
    ['phantom-003', 'phantom-002', 'phantom-000']
    """
    require(is_count(n_cases, 1), extreme_cases_figure, "n_cases", "an int >= 1", n_cases)
    cases = {item.id: item for item in as_items(cohort)}
    values = pd.DataFrame(values)
    chosen = {
        name: _chosen(column[column.index.isin(list(cases))].dropna(), n_cases) for name, column in values.items()
    }
    n_columns = max(map(len, chosen.values()))
    figure = empty_figure(1.5 * n_columns + 0.6, 1.95 * len(chosen) + 0.3)
    rows = figure.subplots(len(chosen), n_columns, squeeze=False)
    pictures = {}
    for axes_of_row, (name, column) in zip(rows, chosen.items(), strict=True):
        axes_of_row[0].set_ylabel(plain_text(str(name).replace("original_", "")), fontsize=8)
        for axes in axes_of_row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, (case_id, value) in zip(axes_of_row, column.items(), strict=False):
            if case_id not in pictures:
                pictures[case_id] = about_region(lesion_to_show(cases[case_id])[1])
            draw_outlined(axes, *pictures[case_id])
            axes.set_title(f"{plain_text(case_id)}\n{value:.4g}", fontsize=8)
    figure.suptitle("lowest  -  middle  -  highest values", fontsize=9)
    return figure


def _chosen(values, n_cases):
    """Return the values of the lowest, middle and highest cases in ascending order, each case once."""
    if len(values) < 3:
        raise InputError(f"Extreme cases of {values.name!r} need three cases with a value. Got {len(values)}.")
    values = values.sort_values(kind="stable")
    n_cases = min(n_cases, len(values) // 3)
    middle = (len(values) - n_cases) // 2
    return pd.concat([values[:n_cases], values[middle : middle + n_cases], values[-n_cases:]])


def lesion_to_show(item):
    """Return the name of an image and the lesion in it: of a patient the largest, of several images the first."""
    case = max(getattr(item, "lesions", [item]), key=lambda each: each.roi_size_mm, default=item)
    name, single = next(iter(case.single_images().items()))
    return name, single.lesion()


def about_region(lesion):
    """Return the part of the largest slice about the region, the region there, and the ratio of the pixel's sides."""
    image, roi, spacing_mm, _ = largest_slice(lesion)
    cut = []
    for axis, step in enumerate(spacing_mm):
        inside = np.flatnonzero(roi.any(axis=1 - axis))
        extent_mm = (inside[-1] - inside[0] + 1) * step
        margin = int(np.ceil(max(_MARGIN_MM, extent_mm / 2) / step))
        cut.append(slice(max(0, inside[0] - margin), inside[-1] + 1 + margin))
    return image[tuple(cut)], roi[tuple(cut)], spacing_mm[0] / spacing_mm[1]


def draw_outlined(axes, image, roi, aspect):
    """Draw a slice in grey with the outline of its region; `aspect` is the ratio of the pixel's sides."""
    low, high = np.nanpercentile(image[np.isfinite(image)], [1, 99])
    axes.imshow(image, cmap="gray", vmin=low, vmax=high if high > low else low + 1, aspect=aspect)
    draw_outline(axes, roi)
    axes.set(xlim=(-0.5, roi.shape[1] - 0.5), ylim=(roi.shape[0] - 0.5, -0.5))


def draw_outline(axes, roi, colour=_OUTLINE):
    """Draw the outline of a region (y, x), also where it is at the border; nothing of an empty one."""
    if not roi.any():
        return
    padded = np.pad(roi.astype(float), 1)
    places = [np.arange(-1, size + 1) for size in roi.shape]
    axes.contour(places[1], places[0], padded, levels=[0.5], colors=colour, linewidths=1)
