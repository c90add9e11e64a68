"""`radiodeep map`: features in windows moving over the lesions, as images."""

from pathlib import Path
from typing import Annotated

import typer

import radiodeep as rd
from radiodeep.checks import did_you_mean
from radiodeep.cli import options
from radiodeep.cli.cohorts import read_cases
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.measurement import Measurement
from radiodeep.cli.options import FeatureSet, MaskLabels
from radiodeep.cli.output import check_folder, finish
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError

Names = Annotated[
    list[str],
    typer.Option(
        "--feature",
        metavar="NAME",
        show_default=False,
        help="Column of 'radiodeep extract', e.g. original_glcm_Contrast; of several images T1_original_glcm_Contrast; "
        "repeatable",
    ),
]
Folder = Annotated[
    Path,
    typer.Option("--output", "--out", "-o", metavar="FOLDER", show_default=False, help="Write maps and pictures here"),
]
Radius = Annotated[
    int, typer.Option(metavar="VOXELS", min=1, max=5, help="Of the windows: 1 is 3 x 3 x 3 voxels, 5 the most")
]
Unmasked = Annotated[
    bool, typer.Option("--unmasked", help="Let windows see the image around the region as well, not only the region")
]
Cases = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="ID", show_default=False, help="Only this case of the manifest; repeatable"),
]


def map(
    manifest: options.Manifest,
    feature: Names,
    output: Folder,
    radius: Radius = 1,
    unmasked: Unmasked = False,
    case: Cases = None,
    bin_width: options.BinWidth = None,
    bin_count: options.BinCount = None,
    image_types: options.ImageTypes = None,
    sigma: options.Sigma = None,
    params: options.Params = None,
    labels: options.Labels = MaskLabels.one,
    resample_mask: options.ResampleMask = False,
    rgb: options.Rgb = None,
    pet_unit: options.PetUnit = "SUV",
    series: options.Series = None,
    jobs: options.Jobs = -1,
    config: options.Config = None,
):
    """Map features over lesions, as images and pictures.

    For each case and feature CASE_FEATURE.nii.gz is written, which viewers lay over the image, and a montage of slices,
    CASE_FEATURE.png. A case that fails is named at the end and in errors.csv, and the exit code is 2.
    """
    measurement = Measurement(bin_width, bin_count, image_types, sigma, params)
    extractor = measurement.extractors(FeatureSet.handcrafted)["handcrafted"]
    reading = {"resample_mask": resample_mask, "rgb": rgb, "pet_unit": pet_unit, "series": series}
    cohort, errors = read_cases(manifest, labels, None, reading)
    if case:
        cohort, errors = _chosen(cohort, errors, case)
    check_folder(output)
    spare_workers(jobs)
    names = list(dict.fromkeys(feature))
    failed = rd.write_feature_maps(extractor, cohort, names, output, radius, masked=not unmasked, n_jobs=jobs)
    what = f"maps of {len(names)} features" if len(names) > 1 else f"maps of {names[0]}"
    say(f"Wrote {what} of {len(cohort) - len(failed)} of {len(cohort)} cases to {output}")
    finish(errors | failed, output / "errors.csv")


def _chosen(cohort, errors, ids):
    """Return the cases of some ids, and the errors among them."""
    known = [*cohort.ids, *errors]
    unknown = [name for name in ids if name not in known]
    if unknown:
        meant = did_you_mean(unknown, known)
        raise InputError(f"--case must be the id of a case in the manifest. Got '{unknown[0]}'.{meant}")
    kept = [each for each in cohort if each.id in ids]
    if not kept:
        raise InputError(f"None of the cases can be used. {next(iter(errors.values()))}")
    return rd.Cohort(kept), {name: text for name, text in errors.items() if name in ids}
