"""The arguments and options that the commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from radiodeep.cases.reading import PET_UNITS, RGB_RULES
from radiodeep.checks import did_you_mean
from radiodeep.cli.cluster import connect
from radiodeep.cli.config import read_config
from radiodeep.cli.outcome import Outcome
from radiodeep.exceptions import InputError


class FeatureSet(StrEnum):
    handcrafted = "handcrafted"
    deep = "deep"
    combined = "combined"


class Selector(StrEnum):
    relieff = "relieff"
    symmetric_uncertainty = "symmetric-uncertainty"
    fast_correlation_filter = "fast-correlation-filter"
    univariate_cox = "univariate-cox"


class MaskLabels(StrEnum):
    one = "one"
    each = "each"
    any = "any"


class Predictor(StrEnum):
    auto = "auto"
    naive_bayes = "naive-bayes"
    random_forest = "random-forest"
    svm = "svm"
    ridge = "ridge"
    cox = "cox"


class Identity(StrEnum):
    manifest = "manifest"
    image = "image"


class Convention(StrEnum):
    pyradiomics = "pyradiomics"
    ibsi = "ibsi"


class ReportingStandard(StrEnum):
    metrics = "metrics"
    clear = "clear"
    rqs = "rqs"
    tripod = "tripod"
    claim = "claim"
    ibsi = "ibsi"


DEFAULT_BIN_COUNT = 32
IMAGE_TYPES = (
    *("Original", "Wavelet", "LoG", "Square", "SquareRoot", "Logarithm", "Exponential", "Gradient"),
    *("LBP2D", "LBP3D"),
)
LESION_ROWS = (
    *("largest", "mean", "volume-weighted mean", "max", "min", "spread"),
    *("count", "total volume"),
)

_TABLE_OF_CASES = (
    "csv, tsv or parquet with the columns id, image, mask (of several images image_T1, mask_T1, ...) and, as needed, "
    "patient, label, time, event, mask_label, roi_name, mask_reader2, image_retest and others such as age or centre; "
    "images may be folders of a DICOM series, masks RTSTRUCT or SEG files"
)


def _file(*names, metavar, help):
    return typer.Option(*names, metavar=metavar, show_default=False, help=help)


Manifest = Annotated[Path, typer.Argument(metavar="MANIFEST", show_default=False, help=_TABLE_OF_CASES)]
Masks = Annotated[
    list[Path],
    typer.Argument(
        metavar="MANIFEST|MASK",
        show_default=False,
        help="A manifest; or masks: label images, RTSTRUCT or SEG files, folders of them or of a file per organ",
    ),
]
Source = Annotated[
    Path,
    typer.Argument(
        metavar="MANIFEST|TABLE",
        show_default=False,
        help="csv, tsv or parquet: a manifest with the columns id, image, mask (of several images image_T1, mask_T1, "
        "...) and label, or time and event; or a table of features such as that of 'radiodeep extract'",
    ),
]
Parts = Annotated[
    list[Path],
    typer.Argument(
        metavar="PART...",
        show_default=False,
        exists=True,
        dir_okay=False,
        help="Tables of all shards, in any order; lists of errors (.errors.csv) among them are taken with their tables",
    ),
]
Model = Annotated[Path, typer.Argument(metavar="MODEL", show_default=False, help="Model that 'radiodeep train' wrote")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1 for all cores, where processes save time")]

Scheduler = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="SCHEDULER",
        show_default=False,
        callback=connect,
        help="Compute on a Dask cluster instead: address or file of its scheduler, e.g. tcp://node1:8786",
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="K/N", show_default=False, help="Compute the K-th of N parts; see 'radiodeep merge'"
    ),
]

# outputs
TableToWrite = Annotated[Path, _file("--output", "-o", metavar="TABLE", help="Write this .csv or .parquet")]
OptionalTable = Annotated[
    Path | None, _file("--output", "-o", metavar="TABLE", help="Also write what is shown as .csv or .parquet")
]
OptionalMontage = Annotated[
    Path | None, _file("--montage", metavar="FILE", help="Draw every lesion with its outline into this .png")
]
FolderToWrite = Annotated[
    Path, _file("--output", "-o", metavar="FOLDER", help="Write predictions, features, settings and report here")
]
ModelToWrite = Annotated[Path, _file("--output", "-o", metavar="MODEL", help="Write this .skops, or .joblib")]
ResultsFolder = Annotated[
    Path, typer.Argument(metavar="FOLDER", show_default=False, help="Folder that 'radiodeep study' wrote")
]
ReportToWrite = Annotated[Path, _file("--output", "-o", metavar="PAGE", help="Write this .html")]
ChecklistToWrite = Annotated[
    Path | None, _file("--output", "-o", metavar="FILE", help="Write all items as .html or .csv")
]
StandardOption = Annotated[
    ReportingStandard | None, typer.Option(metavar="NAME", help=f"Only {', '.join(ReportingStandard)}  [default: all]")
]
Title = Annotated[str | None, typer.Option(metavar="TEXT", help="Title of the report")]
ReportsToWrite = Annotated[
    Path | None,
    _file("--sr", metavar="FOLDER", help="Also write a DICOM structured report (SR) and SEG of each case from DICOM"),
]
IdentityInReports = Annotated[
    Identity,
    typer.Option(
        "--sr-patient",
        metavar="NAME",
        help="Whose identity SR and SEG carry: manifest (its patient or id), image (can be filed in a PACS)",
    ),
]
DemoFolder = Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Write everything here")]
Cache = Annotated[
    Path | None, _file("--cache", metavar="FOLDER", help="Keep the features of finished cases, and use them again")
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        callback=read_config,
        is_eager=True,
        help="Options by their long names in YAML, e.g. 'bin-width: 25', and paths relative to this file; those of the "
        "command line come first",
    ),
]

# what is measured
Features = Annotated[
    FeatureSet | None, typer.Option(metavar="NAME", help=f"{', '.join(FeatureSet)}  [default: combined]")
]
StudiedFeatures = Annotated[
    str | None, typer.Option(metavar="LIST", help=f"What to compare  [default: {','.join(FeatureSet)}]")
]
ConventionOption = Annotated[
    Convention,
    typer.Option("--convention", help="Whose definitions: those of most publications, or the standard's"),
]
IbsiIds = Annotated[
    bool, typer.Option("--ibsi-ids", help="Second header with the identifiers of the IBSI reference manual")
]
BinWidth = Annotated[
    float | None, typer.Option(help="Width of a grey level in image units (25 suits CT), instead of --bin-count")
]
BinCount = Annotated[
    int | None,
    typer.Option(help=f"Grey levels in each region, for images of any scale  [default: {DEFAULT_BIN_COUNT}]"),
]
ImageTypes = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help=f"Images to measure, of {', '.join(IMAGE_TYPES)}  [default: Original]",
    ),
]
Sigma = Annotated[str | None, typer.Option(metavar="LIST", help="Widths of the LoG filter in mm, e.g. 1,3")]
Params = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Parameter file of pyradiomics, instead of bins and image types")
]
Network = Annotated[
    str,
    typer.Option(metavar="NAME", help="radiodeep-mini, cnn_f, a network of 'radiodeep networks', or one of timm"),
]
Weights = Annotated[str | None, typer.Option(metavar="FILE", help="Weights of the network; 'pretrained' for timm's")]
MovedWeights = Annotated[
    Path | None, _file("--weights", metavar="FILE", help="Weights of the model's network, if they have moved")
]
Window = Annotated[
    str,
    typer.Option(
        metavar="auto|exact|crop",
        help="exact: the lesion's box fills the window; crop: a fixed size; auto: crop for networks for cubes in mm",
    ),
]
Labels = Annotated[
    MaskLabels,
    typer.Option(
        metavar="one|each|any",
        help="In masks of several labels or regions: one = that of the column mask_label or roi_name, each = every one "
        "is a case, any = all are one region",
    ),
]
ResampleMask = Annotated[
    bool,
    typer.Option("--resample-mask", help="Bring masks on another grid to that of their image, by the nearest voxel"),
]
Rgb = Annotated[
    str | None,
    typer.Option(
        metavar="RULE", help=f"Read colour pictures as {', '.join(filter(None, RGB_RULES))}  [default: refused]"
    ),
]
PetUnit = Annotated[str, typer.Option(metavar="|".join(PET_UNITS), help="Unit of PET series in DICOM")]
Series = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Part of the description of the series to read in folders with several"),
]
Lesions = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help=f"One row per patient, from the features of the lesions: {', '.join(LESION_ROWS)}  [default: a row per "
        "lesion]",
    ),
]

Repeatable = Annotated[
    float | None,
    typer.Option(
        metavar="ICC",
        help="Keep only features with this intraclass correlation or more, e.g. 0.75, between the mask and the columns "
        "mask_reader2, image_retest, ... of the training cases",
    ),
]

# the model
SelectorOption = Annotated[
    Selector | None,
    typer.Option(
        metavar="NAME",
        help=f"For other models than auto: {', '.join(Selector)}  [default: relieff; univariate-cox for survival]",
    ),
]
PredictorOption = Annotated[
    Predictor,
    typer.Option(
        "--model",
        "--classifier",
        metavar="NAME",
        help="auto: the best of several or their mean, calibrated. Or naive-bayes, random-forest or svm; for numbers "
        "ridge, random-forest or svm; for survival cox, or one of the first with --horizon",
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        help="For other models than auto: features kept of each kind, handcrafted and deep  [default: 5]",
    ),
]
Seed = Annotated[int, typer.Option(metavar="NUMBER", min=0, help="Seed of folds and forests")]
Trusted = Annotated[bool, typer.Option("--trusted", help="Open a .joblib model, which can run any code")]
OtherVersions = Annotated[
    bool, typer.Option("--other-versions", help="Open a model of other versions; its predictions may differ")
]

# the study
Split = Annotated[
    str,
    typer.Option(metavar="SPLIT", help="leave-one-out, leave-pair-out, leave-one-centre-out or a number of folds"),
]
OutcomeOption = Annotated[
    Outcome,
    typer.Option(
        metavar="KIND",
        help=f"What is predicted: {', '.join(Outcome)}. auto: the label, as classes or numbers by its values; "
        "survival if there are time and event and no label",
    ),
]
Positive = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL",
        help="Label that the AUC is about  [default: the last in order]; of ordered classes all of them in their "
        "order, e.g. low,mid,high",
    ),
]
Horizon = Annotated[
    float | None, typer.Option(metavar="TIME", help="Time at which survival is predicted, in the unit of the times")
]
Clinical = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="Columns of the manifest that are features as well, e.g. age,stage"),
]
Keep = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="Columns of the manifest that stay in the table, e.g. age,centre"),
]
Controls = Annotated[
    bool,
    typer.Option(
        "--controls",
        help="Also study images whose voxels are shuffled or random in the region, and shuffled around it: what "
        "models know without texture or surroundings. Takes four times as long",
    ),
]
LearningCurve = Annotated[
    bool,
    typer.Option(
        "--learning-curve",
        help="Also train on fewer patients: would more of them help? Takes about as long again",
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option("--label", metavar="COLUMN", help="Column of the outcome in a table  [default: label]"),
]
TimeColumn = Annotated[
    str | None, typer.Option("--time", metavar="COLUMN", help="Column of the times in a table  [default: time]")
]
EventColumn = Annotated[
    str | None,
    typer.Option("--event", metavar="COLUMN", help="Column of the events (1 or 0) in a table  [default: event]"),
]
PatientColumn = Annotated[
    str | None,
    typer.Option("--patient", metavar="COLUMN", help="Column of the patients in a table  [default: patient]"),
]
CentreColumn = Annotated[
    str | None,
    typer.Option("--centre", metavar="COLUMN", help="Column of the centres, for --cv leave-one-centre-out"),
]
IdColumn = Annotated[
    str | None, typer.Option("--id", metavar="COLUMN", help="Column of the cases in a table  [default: id]")
]
Drop = Annotated[
    list[str] | None, _file("--drop", metavar="COLUMN", help="Column of a table that is no feature; repeatable")
]


def listed(text):
    """Return the parts of a text such as "Original, LoG", without blanks."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def checked_split(cv, centre=None):
    """Return --cv as `cross_validate_models` takes it; the name of a column of centres belongs to one split."""
    splits = "leave-one-out", "leave-pair-out", "leave-one-centre-out"
    is_number = cv.isdigit() and int(cv) >= 2
    if not is_number and cv not in splits:
        raise InputError(
            f"--cv must be {', '.join(splits)} or a number of folds from 2 on. Got '{cv}'.{did_you_mean(cv, splits)}"
        )
    if (cv == "leave-one-centre-out") != (centre is not None):
        raise InputError("--cv leave-one-centre-out and --centre COLUMN need each other. Got only one of them.")
    return int(cv) if is_number else cv
