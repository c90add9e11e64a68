"""Real and generated cases -> a picture of both by class, for a look at what a generator makes."""

from pathlib import Path

from radiodeep.cases.cohort import as_cases
from radiodeep.checks import is_count, require
from radiodeep.exceptions import InputError
from radiodeep.report.extreme_cases import about_region, draw_outlined, lesion_to_show
from radiodeep.report.style import empty_figure, plain_text


def write_generated_sheet(real, generated, path, n_per_class=10):
    """Draw the first real and the first generated cases of each class, a row each, with their outlines.

    Parameters
    ----------
    real, generated : Cohort or sequence of Case
        With labels; `generated` are those of `LesionGenerator.generate`.
    path : path-like
        Name of a .png file.
    n_per_class : int, default=10

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        For a name without the ending .png, or if no class has generated cases.

    Examples
    --------
    >>> import tempfile
    >>> import radiodeep as rd
    >>> cohort = rd.make_study_cohort("nodules-1", 8)
    >>> generator = rd.LesionGenerator(size=16, width=4, epochs=1, n_views=1, random_state=1)
    >>> generator = generator.fit(cohort, cohort.labels)
    >>> path = f"{tempfile.mkdtemp()}/sheet.png"
    >>> rd.write_generated_sheet(cohort, generator.generate(label=1, n=3), path, n_per_class=3).name
    'sheet.png'
    """
    path = Path(path)
    require(path.suffix == ".png", write_generated_sheet, "path", "a name that ends in .png", str(path))
    require(is_count(n_per_class, 1), write_generated_sheet, "n_per_class", "an int >= 1", n_per_class)
    real, generated = as_cases(real), as_cases(generated)
    labels = sorted({case.label for case in generated if case.label is not None}, key=str)
    if not labels:
        raise InputError("A sheet of generated cases needs one at least. Generate some: generator.generate(label, 10).")
    figure = empty_figure(1.2 * n_per_class + 0.6, 2.7 * len(labels))
    rows = iter(figure.subplots(2 * len(labels), n_per_class, squeeze=False))
    for label in labels:
        for kind, cases in (("real", real), ("generated", generated)):
            axes_of_row = next(rows)
            axes_of_row[0].set_ylabel(plain_text(f"{label}, {kind}"), fontsize=8)
            for axes in axes_of_row:
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            of_class = [case for case in cases if case.label == label]
            for axes, case in zip(axes_of_row, of_class, strict=False):
                draw_outlined(axes, *about_region(lesion_to_show(case)[1]))
    figure.savefig(path, dpi=110)
    return path
