"""`radiodeep report`: another report of a study, from what it saved."""

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.output import check_file
from radiodeep.cli.study import RESULTS, learning_sections
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError


def report(folder: options.ResultsFolder, output: options.ReportToWrite, title: options.Title = None):
    """Write the report of a study again, without the images.

    A newer version of radiodeep may say more. Cases with extreme values of features need the images: they are in the
    report of the study itself only.
    """
    check_file(output, ".html")
    contents = saved_study(folder)
    results = contents["results"]
    curves = learning_sections(getattr(results, "results", results), contents.pop("curves", {}))
    if title is not None:
        contents["title"] = title
    say(f"The report is {rd.write_report(path=output, sections=curves, **contents)}")


def saved_study(folder):
    """Return what 'radiodeep study' saved in a folder: a dict with the arguments of `write_report`."""
    saved = folder / RESULTS if folder.is_dir() else folder
    if not saved.is_file():
        raise InputError(
            f"'{folder}' holds no {RESULTS}. Give the folder that 'radiodeep study' wrote with --output; studies of "
            "older versions did not save their results, so run those again."
        )
    contents = rd.load_results(saved)
    if not isinstance(contents, dict) or "results" not in contents:
        raise InputError(
            f"'{saved}' was not written by 'radiodeep study'. Use load_results and write_report in Python."
        )
    return contents
