"""Cohorts before and after normalisation -> a figure of the histograms of their images."""

import numpy as np

from radiodeep.cases.cohort import as_cases
from radiodeep.checks import invalid, require
from radiodeep.imaging.mr_intensity import is_part, part_values
from radiodeep.report.style import COLOURS, figure_with_axes, plain_text

_N_BINS = 100
_MOST_VALUES = 100_000  # of an image: enough for a histogram, and quick


def intensity_figure(cohorts, over="body", image=None):
    """Draw the histogram of each image, a line per case, for cohorts side by side.

    Where the peaks of a tissue lie at different intensities, the scale differs between the cases.

    Parameters
    ----------
    cohorts : dict from str to Cohort or sequence of Case
        By the title of the panel, e.g. the same cases before and after an `IntensityNormalizer`. Each image is read.
    over : {"body", "image", "outside", "region"} or (low, high), default="body"
        The part of the image, as of `IntensityNormalizer`.
    image : str, optional
        Of cases with several images, the one that is drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        No cohort, a cohort without cases, or a part of the image that is not one of those above.

    Examples
    --------
    >>> import radiodeep as rd
    >>> cohort = rd.make_phantom_cohort(4, random_state=0)
    >>> normalized = rd.IntensityNormalizer(over="image").fit_transform(cohort)
    >>> figure = rd.intensity_figure({"as stored": cohort, "z-scores": normalized}, over="image")
    >>> [(axes.get_title(), len(axes.lines)) for axes in figure.axes]
    [('as stored', 4), ('z-scores', 4)]
    """
    if not isinstance(cohorts, dict) or not cohorts:
        raise invalid(intensity_figure, "cohorts", "a dict from titles to cohorts", cohorts)
    allowed = "'body', 'image', 'outside', 'region', or two percentiles of the body"
    require(is_part(over), intensity_figure, "over", allowed, over)
    figure, axes = figure_with_axes(3.4 * len(cohorts) + 0.4, 3.0, len(cohorts))
    for panel, (title, cohort) in zip(np.atleast_1d(axes), cohorts.items(), strict=True):
        cases = as_cases(cohort)
        require(len(cases) > 0, intensity_figure, "cohorts", "at least one case in each cohort", cohorts)
        samples = [_sample(case if image is None else case.of_image(image), over) for case in cases]
        ends = np.array([np.percentile(values, [0.5, 99.5]) for values in samples])
        edges = np.linspace(ends[:, 0].min(), max(ends[:, 1].max(), ends[:, 0].min() + 1e-9), _N_BINS + 1)
        middles = (edges[1:] + edges[:-1]) / 2
        alpha = max(0.25, 1 / len(samples) ** 0.5)
        for number, values in enumerate(samples):
            share = np.histogram(values, edges)[0] / len(values)
            panel.plot(middles, share, color=COLOURS[number % len(COLOURS)], alpha=alpha, linewidth=1)
        panel.set(title=plain_text(title), xlabel="Intensity", ylim=(0, None))
    np.atleast_1d(axes)[0].set_ylabel(f"Share of voxels ({over if isinstance(over, str) else 'part of body'})")
    return figure


def _sample(case, over):
    values = part_values(case.lesion(), over)
    return values[:: -(-len(values) // _MOST_VALUES)]
