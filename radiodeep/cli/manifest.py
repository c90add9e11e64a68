"""`radiodeep manifest`: the manifest of a folder with a PACS export, or with images and masks in files."""

import shlex
import textwrap
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

import radiodeep as rd
from radiodeep.cli.output import check_file
from radiodeep.cli.terminal import say
from radiodeep.cli.words import in_command_words
from radiodeep.exceptions import InputError

_WIDTH = 79
_MOST_REASONS = 10


def manifest(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            show_default=False,
            help="DICOM series with RTSTRUCT or SEG files, in one folder or many; or images and masks in other formats",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write this .csv, and left_out.csv beside it", show_default=False
        ),
    ],
    roi: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Region, e.g. GTV-1; * and ? stand for any letters, and 'GTV*' makes each that matches a case. Of "
            "several options the first counts that a mask has",
        ),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TEXT",
            help="An image of several: its name, and its series description (of files: file name) or a part of it, "
            "e.g. --image T1='t1 axial' --image T2='t2 fs'",
        ),
    ] = None,
    patient_ids: Annotated[
        bool, typer.Option("--patient-ids", help="Name patients by their PatientID, not patient-001, patient-002, ...")
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a .csv with the PatientID of each patient", show_default=False),
    ] = None,
    clinical: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Add the columns of this .csv, a row for each PatientID; those named label, or time and event, are "
            "outcomes",
            show_default=False,
        ),
    ] = None,
    clinical_patient: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Its column with the PatientIDs, if several hold some"),
    ] = None,
    resample_mask: Annotated[
        bool,
        typer.Option(
            "--resample-mask",
            help="Let an --image, e.g. PET, take the outline of one with other voxels, the CT it lies on",
        ),
    ] = False,
):
    """Write the manifest of a folder of DICOM or other images.

    Images and their outlined regions are found, not copied: the manifest refers to them. Its column 'label' is to be
    filled in, or comes from --clinical.
    """
    check_file(output, ".csv")
    if key is not None:
        check_file(key, ".csv", option="--key", read=output)
    path = rd.folder_manifest(
        folder, output, roi or None, _named(image), patient_ids, key, clinical, clinical_patient, resample_mask
    )
    cases, left_out = (
        pd.read_csv(each, dtype=str, keep_default_na=False) for each in (path, path.with_name("left_out.csv"))
    )
    say(_summary(cases, left_out, path))
    if cases["patient"].str.fullmatch(r"patient-\d{3,}").all() and not patient_ids:
        say(
            "Patients are called patient-001, ... in the order of their PatientIDs, which\n"
            "--patient-ids keeps; --key FILE writes which is which. Paths hold the names of\n"
            "your folders and files."
        )
    if len(cases) > 1 and cases["patient"].nunique() == 1:
        say("All cases have the same patient. If they are of several, correct the column 'patient'.")
    elif len(cases) > 1 and cases["patient"].is_unique and not cases["patient"].str.startswith("patient-").all():
        say("Each case is a patient of its own. If some are of one, correct the column 'patient'.")
    say(_next_steps(cases, shlex.quote(str(path)), " --resample-mask" if resample_mask else ""))


def _next_steps(cases, name, options):
    steps = [
        f"radiodeep validate {name} --montage lesions.png{options}",
        f"radiodeep study {name} -o report --cache cache{options}",
    ]
    has_outcome = {"time", "event"} <= set(cases) or (cases["label"] != "").all()
    if not has_outcome:
        n_blank = (cases["label"] == "").sum()
        steps.insert(
            0,
            f"Fill in the column 'label' of {name}: the outcome of each case, blank\n"
            f"     in {n_blank} of {len(cases)} (or give a table with --clinical, or add the columns time and event).",
        )
    return "\n".join(["\nNext:", *(f"  {number}. {step}" for number, step in enumerate(steps, 1))])


def _named(images):
    """Return --image as `folder_manifest` takes it."""
    parts = [text.partition("=") for text in images or ()]
    for name, _, text in parts:
        if not (name.strip() and text.strip()):
            raise InputError(f"--image must be NAME=TEXT, e.g. --image T1='t1 axial'. Got '{name}' instead.")
    return {name.strip(): text.strip() for name, _, text in parts} or None


def _summary(cases, left_out, path):
    n_patients = cases["patient"].nunique()
    found = f"{_count(len(cases), 'case')} of {_count(n_patients, 'patient')} in {path}"
    if not len(left_out):
        return f"{found}; nothing was left out."
    reasons = left_out["reason"].value_counts()
    lines = [f"{found}. Left out, see {path.with_name('left_out.csv')}:"]
    for reason, count in reasons.iloc[:_MOST_REASONS].items():
        lines += textwrap.wrap(
            in_command_words(reason), _WIDTH, initial_indent=f"{count:6} x ", subsequent_indent=" " * 9
        )
    if len(reasons) > _MOST_REASONS:
        lines.append(f"       and {len(reasons) - _MOST_REASONS} other reasons")
    return "\n".join(lines)


def _count(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"
