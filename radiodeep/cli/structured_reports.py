"""Table of features -> a DICOM structured report of each case, with the segmentation that outlines it."""

from collections import Counter
from pathlib import Path

import radiodeep as rd
from radiodeep.cli.output import check_folder
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError, RadiodeepError
from radiodeep.extras import require_package

_N_SHOWN = 5


def check_reports(folder, cohort, lesions):
    """Raise an error, before hours of work, unless reports of a cohort can be written to a folder, or it is None."""
    if folder is None:
        return
    if lesions is not None or any(case.image_names for case in cohort):
        raise InputError("--sr writes a report of each case with one image. Leave out --lesions, or give one image.")
    repeated = [name for name, count in Counter(_names(cohort)).items() if count > 1]
    if repeated:
        raise InputError(f"--sr: several ids give the file name '{repeated[0]}'. Rename them in the manifest.")
    require_package("highdicom")
    check_folder(folder, "--sr")


def write_reports(folder, cohort, table, extractors, identity):
    """Write reports and segmentations of the cases with features; return how many cases have none for another reason.

    `table` has a row for each case of the cohort. Those without a report are named.
    """
    problems = {}
    for case, name, (_, row) in zip(cohort, _names(cohort), table.iterrows(), strict=True):
        if row.isna().all():
            continue
        try:
            region = rd.write_region(case, Path(folder) / f"{name}.seg.dcm", patient=identity.value)
            unit = "none" if case.reading.pet_unit == "stored" else None
            path = Path(folder) / f"{name}.sr.dcm"
            rd.write_structured_report(row, region, path, extractor=extractors, intensity_unit=unit)
        except RadiodeepError as error:
            problems[case.id] = str(error)
    n_written = table.notna().any(axis=1).sum() - len(problems)
    say(f"Wrote {n_written} structured report{'s' if n_written != 1 else ''} (SR) with segmentations (SEG) to {folder}")
    for text in list(problems.values())[:_N_SHOWN]:
        say(f"No report: {text}", err=True)
    if len(problems) > _N_SHOWN:
        say(f"In all {len(problems)} cases have no report.", err=True)
    return len(problems)


def _names(cohort):
    return [rd.safe_name(case.id) for case in cohort]
