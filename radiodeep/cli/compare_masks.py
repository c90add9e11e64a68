"""`radiodeep compare-masks`: how well automatic masks agree with those of experts."""

from pathlib import Path
from typing import Annotated

import typer

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.output import check_folder, finish
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError
from radiodeep.files import write_table

_MISSING = "has no such case; the means leave it out, though a region that was not found is a Dice of 0"


def compare_masks(
    expert: Annotated[
        Path, typer.Argument(metavar="EXPERT", show_default=False, help="Manifest of cases with the masks of reference")
    ],
    automatic: Annotated[
        Path, typer.Argument(metavar="AUTOMATIC", show_default=False, help="Manifest with other masks of the same ids")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            show_default=False,
            help="Write cases.csv, summary.csv, montage.png here",
        ),
    ],
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="MM", min=0, help="Distance up to which surfaces agree")
    ] = 1.0,
    image: Annotated[
        str | None, typer.Option("--image", metavar="NAME", show_default=False, help="Which of several images")
    ] = None,
    resample_mask: options.ResampleMask = False,
    rgb: options.Rgb = None,
    pet_unit: options.PetUnit = "SUV",
    series: options.Series = None,
    jobs: options.Jobs = -1,
):
    """Compare automatic masks with those of experts.

    Shown are Dice, distances of the surfaces, surface Dice and the error of the volume, with intervals by patient. The
    montage shows both outlines of each case, the expert's in red, the worst first. A mask without a voxel counts.
    """
    reading = {"resample_mask": resample_mask, "rgb": rgb, "pet_unit": pet_unit, "series": series}
    cohorts = [rd.read_cohort(manifest, **reading) for manifest in (expert, automatic)]
    if image is not None:  # masks of 'radiodeep segment' are of one image
        cohorts = [cohort.of_image(image) if cohort[0].image_names else cohort for cohort in cohorts]
    cases, others = map(list, cohorts)
    known = {case.id for case in others}
    errors = {case.id: f"InputError: {case.id}: {automatic} {_MISSING}" for case in cases if case.id not in known}
    cases = [case for case in cases if case.id in known]
    if not cases:
        raise InputError(f"No case of '{expert}' is in '{automatic}'. The same case must have the same id in both.")
    check_folder(output)
    spare_workers(jobs)
    evidence = rd.mask_agreement(cases, others, n_jobs=jobs, tolerance_mm=tolerance, on_error="record")
    write_table(evidence.cases.loc["automatic"], output / "cases.csv")
    write_table(evidence.table.loc["automatic"], output / "summary.csv")
    say(str(evidence))
    worst_first = evidence.cases.loc["automatic"].sort_values("dice", kind="stable").index
    by_id = {case.id: case for case in cases}
    shown = [by_id[case_id] for case_id in worst_first]
    pages = rd.write_montage(shown, output / "montage.png", masks=evidence.masks["automatic"])
    say(f"Wrote cases.csv, summary.csv and {', '.join(page.name for page in pages)} to {output}")
    finish(errors | evidence.excluded, output / "cases.errors.csv")
