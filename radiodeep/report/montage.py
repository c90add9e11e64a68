"""A cohort -> contact sheets: every lesion with its outline."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from radiodeep.cases.cohort import as_cases
from radiodeep.checks import is_count, require
from radiodeep.exceptions import InputError
from radiodeep.handcrafted.mask_agreement import compare_masks
from radiodeep.progress import with_progress
from radiodeep.report.extreme_cases import about_region, draw_outline, draw_outlined
from radiodeep.report.style import short_name

_N_COLUMNS = 10
_PANEL_INCHES = 1.5
_OTHER_OUTLINE = "#40c0ff"


def write_montage(cohort, path, n_per_page=100, masks=None):
    """Draw the largest slice of every lesion about its region, with the outline: is my mask on my tumour?

    Below a picture is the volume of the region (its area, of images of one slice), after the name of the image if a
    case has several, of which each has a picture. A case that cannot be read has a picture of its error's name.

    Parameters
    ----------
    cohort : Cohort or sequence of Case
    path : path-like
        Name of a .png file. Further pages are "name-2.png", "name-3.png" ...
    n_per_page : int, default=100
    masks : mapping from case id to bool ndarray of shape (z, y, x), optional
        Other masks of the cases, e.g. of a segmenter, whose outlines are blue where those of the cases are red. The
        slice is that with most of both together, and the text below says their Dice. Cases of one image.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    InputError
        For a name without the ending .png, or a number of pictures out of range.

    Examples
    --------
    >>> import tempfile
    >>> import radiodeep as rd
    >>> path = f"{tempfile.mkdtemp()}/lesions.png"
    >>> [page.name for page in rd.write_montage(rd.make_phantom_cohort(3, random_state=0), path, n_per_page=2)]
    ['lesions.png', 'lesions-2.png']
    """
    path = Path(path)
    require(path.suffix == ".png", write_montage, "path", "a name that ends in .png", str(path))
    require(is_count(n_per_page, 1), write_montage, "n_per_page", "an int >= 1", n_per_page)
    cases = as_cases(cohort)
    panels = [
        panel for case in with_progress(cases, "Pictures", len(cases), "cases") for panel in _panels(case, masks or {})
    ]
    written = []
    for start in range(0, len(panels), n_per_page):
        page = path.with_stem(f"{path.stem}-{len(written) + 1}") if written else path
        montage_figure(panels[start : start + n_per_page]).savefig(page, dpi=110)
        written.append(page)
    return written


def _panels(case, masks):
    """Return (id, text below, picture of `_picture`, or None) of each image of a case."""
    panels = []
    for name in case.image_names or ("",):
        try:
            lesion = (case.of_image(name) if name else case).lesion()
            if case.id in masks:
                agreement = compare_masks(lesion.roi, masks[case.id], lesion.spacing_mm)
                panels.append((case.id, f"Dice {agreement['dice']:.2f}", _picture(lesion, masks[case.id])))
            else:
                panels.append((case.id, f"{name} {_size(lesion)}".strip(), _picture(lesion)))
        except InputError as error:
            panels.append((case.id, f"{name} {type(error).__name__}".strip(), None))
    return panels


def _picture(lesion, other=None):
    """Return a slice about the region, the regions there (its own and that of another mask), and the pixel's aspect."""
    if other is None:
        image, roi, aspect = about_region(lesion)
        return image, [roi], aspect
    both = replace(lesion, roi=lesion.roi | other)
    image, _, aspect = about_region(both)
    codes, *_ = about_region(replace(both, voxels=lesion.roi + 2 * other.astype(np.uint8)))  # 1: own, 2: other, 3: both
    return image, [codes % 2 == 1, codes > 1], aspect


def _size(lesion):
    size = lesion.roi_size_mm
    if 1 in lesion.voxels.shape:
        return f"{size:.0f} mm²"
    return f"{size / 1000:.{1 if size < 1e5 else 0}f} cm³" if size >= 1000 else f"{size:.0f} mm³"


def montage_figure(panels):
    """Return the figure of one page; a panel is (title, text below, picture or None)."""
    from matplotlib.figure import Figure  # takes a second, which most uses of radiodeep need not spend

    n_columns = min(_N_COLUMNS, len(panels))
    n_rows = -(-len(panels) // n_columns)
    height = (_PANEL_INCHES + 0.35) * n_rows
    figure = Figure(figsize=(_PANEL_INCHES * n_columns, height))  # a layout engine takes minutes for so many axes
    figure.subplots_adjust(0.01, 0.2 / height, 0.99, 1 - 0.2 / height, wspace=0.05, hspace=0.3)
    for axes in figure.subplots(n_rows, n_columns, squeeze=False).ravel()[: len(panels)]:
        axes.set(xticks=[], yticks=[])
    for axes in figure.axes[len(panels) :]:
        axes.set_axis_off()
    for axes, (title, text, picture) in zip(figure.axes, panels, strict=False):
        axes.set_title(short_name(title, 20), fontsize=7, pad=3)
        axes.set_xlabel(short_name(text, 24), fontsize=7, labelpad=2)
        if picture is None:
            axes.set_facecolor("0.85")
            continue
        image, (roi, *others), aspect = picture
        draw_outlined(axes, np.asarray(image, float), roi, aspect)
        for other in others:
            draw_outline(axes, other, _OTHER_OUTLINE)
        axes.set_autoscale_on(True)  # else matplotlib says of each picture that it changes its limits
        axes.set_adjustable("datalim")  # all pictures are squares
        axes.set_facecolor("black")
    return figure
