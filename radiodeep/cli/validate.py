"""`radiodeep validate`: the cases of a cohort and their problems."""

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.output import check_file, finish
from radiodeep.cli.terminal import say
from radiodeep.cli.words import in_command_words
from radiodeep.files import write_table


def validate(
    manifest: options.Manifest,
    output: options.OptionalTable = None,
    montage: options.OptionalMontage = None,
    resample_mask: options.ResampleMask = False,
    rgb: options.Rgb = None,
    pet_unit: options.PetUnit = "SUV",
    series: options.Series = None,
    jobs: options.Jobs = -1,
):
    """Check every case and show what is odd or wrong.

    Shown are size, spacing, intensities and region of each case, and what does not fit in the cohort.
    """
    cohort = rd.read_cohort(manifest, resample_mask=resample_mask, rgb=rgb, pet_unit=pet_unit, series=series)
    if output is not None:
        check_file(output, ".csv", ".parquet", read=manifest)
    if montage is not None:
        check_file(montage, ".png", option="--montage", read=manifest)
    spare_workers(jobs)
    inspection = rd.inspect_cohort(cohort, n_jobs=jobs)
    if output is not None:
        write_table(inspection.table, output, index=False)
    say(in_command_words(str(inspection)))
    if montage is not None:
        say(f"Every lesion with its outline: {', '.join(map(str, rd.write_montage(cohort, montage)))}")
    finish(inspection.errors)
