"""`radiodeep segment` and `radiodeep train-segmenter`: masks of images, and the model that outlines them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import radiodeep as rd
from radiodeep.checks import did_you_mean
from radiodeep.cli import options
from radiodeep.cli.cohorts import read_cases
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.options import MaskLabels, listed
from radiodeep.cli.output import check_file, check_folder, finish
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError, ModelError, UntrustedModelError
from radiodeep.files import errors_file

_METHODS = {
    "threshold": "ThresholdSegmenter",
    "region-growing": "RegionGrowingSegmenter",
    "chan-vese": "ChanVeseSegmenter",
    "random-walker": "RandomWalkerSegmenter",
}


class Place(StrEnum):
    brightest = "brightest"
    centre = "centre"


class Dimensions(StrEnum):
    two = "2"
    two_and_a_half = "2.5d"
    three = "3"


Images = Annotated[
    Path,
    typer.Argument(
        metavar="MANIFEST",
        show_default=False,
        help="csv, tsv or parquet with the columns id and image (of several images image_T1, ...); masks are not used",
    ),
]
Image = Annotated[
    str | None, typer.Option("--image", metavar="NAME", show_default=False, help="Which of several images to segment")
]


def segment(
    method: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|METHOD",
            show_default=False,
            help=f"Model that 'radiodeep train-segmenter' wrote; or {', '.join(_METHODS)}",
        ),
    ],
    manifest: Images,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", show_default=False, help="Write masks and manifest.csv here"),
    ],
    share: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", show_default=False, help="Of the maximum, for threshold  [default: 0.41]"),
    ] = None,
    at: Annotated[
        Place | None,
        typer.Option(metavar="NAME", show_default=False, help="Where methods begin: brightest (default) or centre"),
    ] = None,
    image: Image = None,
    trusted: options.Trusted = False,
    other_versions: options.OtherVersions = False,
    rgb: options.Rgb = None,
    pet_unit: options.PetUnit = "SUV",
    series: options.Series = None,
    jobs: options.Jobs = -1,
):
    """Outline the lesions of images and write masks.

    A mask is written for every case, and a manifest with these masks, so that 'radiodeep extract' can follow. A case
    that fails is named at the end and in errors.csv, and the exit code is 2.
    """
    segmenter = _segmenter(method, share, at, image, trusted, other_versions)
    cohort = rd.read_cohort(manifest, mask="whole", rgb=rgb, pet_unit=pet_unit, series=series)
    cohort = cohort if image is None else cohort.of_image(image)
    names = cohort[0].image_names
    if names and getattr(segmenter, "image", None) is None:
        raise InputError(f"The cases have several images, {', '.join(names)}. Choose one: --image {names[0]}.")
    check_folder(output)
    if (output / "manifest.csv").resolve() == manifest.resolve():
        raise InputError(f"--output '{output}': its manifest.csv is read and would be replaced. Give another folder.")
    spare_workers(jobs)
    written, errors = rd.write_masks(segmenter, cohort, output, n_jobs=jobs)
    say(f"Wrote the masks of {len(cohort) - len(errors)} of {len(cohort)} cases and {written.name} to {output}")
    finish(errors, output / "errors.csv")


def train_segmenter(
    manifest: options.Manifest,
    output: options.ModelToWrite,
    dimensions: Annotated[
        Dimensions,
        typer.Option(metavar="2|2.5d|3", help="Slices, slices with their neighbours, or volumes"),
    ] = Dimensions.three,
    spacing: Annotated[
        float | None,
        typer.Option(metavar="MM", help="Size of the voxels that the network sees  [default: median of the cases]"),
    ] = None,
    intensity_range: Annotated[
        str | None,
        typer.Option(metavar="LOW,HIGH", help="Intensities from black to white, e.g. -1000,400  [default: z-score]"),
    ] = None,
    image: Image = None,
    epochs: Annotated[int | None, typer.Option(metavar="NUMBER", min=1, help="[default: 40]")] = None,
    seed: Annotated[int, typer.Option(metavar="NUMBER", min=0, help="Seed of weights, patches and folds")] = 0,
    checkpoints: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder from which a killed training goes on")
    ] = None,
    labels: options.Labels = MaskLabels.one,
    resample_mask: options.ResampleMask = False,
    rgb: options.Rgb = None,
    pet_unit: options.PetUnit = "SUV",
    series: options.Series = None,
    jobs: options.Jobs = -1,
):
    """Train a U-Net on the masks of all cases and save it.

    A case that fails is left out: it is named at the end and in MODEL.errors.csv, and the exit code is 2.
    """
    reading = {"resample_mask": resample_mask, "rgb": rgb, "pet_unit": pet_unit, "series": series}
    segmenter = rd.UNetSegmenter(
        2 if dimensions is Dimensions.two else 3 if dimensions is Dimensions.three else dimensions.value,
        spacing,
        intensity_range="z-score" if intensity_range is None else _limits(intensity_range),
        image=image,
        random_state=seed,
        checkpoint_dir=checkpoints,
    )
    if epochs is not None:
        segmenter.set_params(training=rd.segmentation_training(epochs))
    cohort, errors = read_cases(manifest, labels, None, reading)
    check_file(output, ".skops", ".joblib")
    check_folder(checkpoints, "--checkpoints")
    spare_workers(jobs)
    cohort, unreadable = rd.readable_cases(cohort, image, n_jobs=jobs)
    rd.save_model(segmenter.fit(cohort), output)
    say(f"Trained on {len(cohort)} cases; wrote {output}")
    finish(errors | unreadable, errors_file(output))


def _segmenter(method, share, at, image, trusted, other_versions):
    """Return a method by its name, or the segmenter in a model's file."""
    if method in _METHODS:
        if share is not None and method != "threshold":
            raise InputError(f"--share belongs to threshold, not to {method}. Leave it out.")
        settings = {} if share is None else {"share": share}
        named = getattr(rd, _METHODS[method])(**settings, seed="brightest" if at is None else at.value)
        return named.fit([])  # checks the settings
    if Path(method).suffix not in (".skops", ".joblib"):
        meant = did_you_mean(method, _METHODS)
        raise InputError(f"Give a model (.skops) or one of {', '.join(_METHODS)}. Got '{method}'.{meant}")
    if share is not None or at is not None:
        raise InputError("--share and --at belong to the classical methods, not to a model. Leave them out.")
    if method.endswith(".joblib") and Path(method).is_file() and not trusted:
        raise UntrustedModelError(
            f"'{Path(method).name}' is a pickle, which can run any code when it is opened. If it comes from somebody "
            "you trust, add --trusted; better, let 'radiodeep train-segmenter' write a .skops."
        )
    loaded = rd.load_model(method, trusted=trusted, allow_other_versions=other_versions)
    if not isinstance(loaded, rd.Segmenter):
        raise ModelError(f"'{method}' holds a {type(loaded).__name__}, which outlines nothing. Give a segmenter.")
    own = getattr(loaded, "image", None)
    if image is not None and own is not None:
        raise InputError(f"'{method}' was trained on the image {own}, which it takes by itself. Leave out --image.")
    return loaded


def _limits(text):
    """Return LOW,HIGH as two numbers."""
    try:
        low, high = (float(part) for part in listed(text))
    except ValueError:
        raise InputError(f"--intensity-range takes two numbers, LOW,HIGH. Got '{text}'.") from None
    return low, high
