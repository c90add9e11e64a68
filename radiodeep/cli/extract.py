"""`radiodeep extract`: the features of all cases as a table."""

import re
from dataclasses import replace

import pandas as pd
import typer

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.cohorts import read_cases
from radiodeep.cli.ibsi_header import check_ids_can_be_written, with_ids
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.measurement import Measurement, feature_sets
from radiodeep.cli.options import Identity, MaskLabels
from radiodeep.cli.output import SOME_FAILED, check_file, check_folder, finish, write_errors
from radiodeep.cli.shards import ShardRecord
from radiodeep.cli.structured_reports import check_reports, write_reports
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError
from radiodeep.files import errors_file, write_table

_N_SHOWN = 5  # cases that lack an image


def extract(
    context: typer.Context,
    manifest: options.Manifest,
    output: options.TableToWrite,
    features: options.Features = None,
    bin_width: options.BinWidth = None,
    bin_count: options.BinCount = None,
    image_types: options.ImageTypes = None,
    sigma: options.Sigma = None,
    params: options.Params = None,
    network: options.Network = "radiodeep-mini",
    weights: options.Weights = None,
    window: options.Window = "auto",
    labels: options.Labels = MaskLabels.one,
    resample_mask: options.ResampleMask = False,
    rgb: options.Rgb = None,
    pet_unit: options.PetUnit = "SUV",
    series: options.Series = None,
    lesions: options.Lesions = None,
    keep: options.Keep = None,
    cache: options.Cache = None,
    sr: options.ReportsToWrite = None,
    sr_patient: options.IdentityInReports = Identity.manifest,
    jobs: options.Jobs = -1,
    dask: options.Scheduler = None,
    shard: options.ShardOption = None,
    convention: options.ConventionOption = options.Convention.pyradiomics,
    ibsi_ids: options.IbsiIds = False,
    config: options.Config = None,
):
    """Write the features of all cases as a table.

    A row is a case, or a patient with --lesions. Outcome and patient stay in the table, so that 'radiodeep study TABLE'
    can follow. The row of a case that fails is empty; the case is named at the end and in TABLE.errors.csv, and the
    exit code is 2.
    """
    measurement = Measurement(bin_width, bin_count, image_types, sigma, params, network, weights, window, lesions)
    measurement = replace(measurement, convention=convention)
    extractors = measurement.extractors(features or feature_sets(None)[-1])
    if ibsi_ids:
        check_ids_can_be_written(output, lesions)
    reading = {"resample_mask": resample_mask, "rgb": rgb, "pet_unit": pet_unit, "series": series}
    cohort, errors = read_cases(manifest, labels, lesions, reading)
    known = _outcome_and_patient(cohort, _kept(cohort, options.listed(keep)))
    check_file(output, ".csv", ".parquet", read=manifest)
    check_folder(cache, "--cache")
    record = ShardRecord(context, output)
    check_reports(sr, cohort, lesions)
    positions = record.positions(len(cohort))
    cohort, known = cohort[positions.start : positions.stop], known.iloc[positions]
    errors = {} if positions.start else errors  # of the masks of all cases: the first shard lists them
    spare_workers(jobs)
    tables = list(rd.extract_tables(extractors, cohort, n_jobs=jobs, cache_dir=cache, on_error="record").values())
    table = tables[0].join(tables[1:])
    is_empty = table.isna().all(axis=1)
    failed = {case_id: text for case_id, text in tables[0].attrs["errors"].items() if is_empty[case_id]}
    _say_what_lacks_images([text for case_id, text in tables[0].attrs["errors"].items() if case_id not in failed])
    n_cases, n_features = len(table) - len(failed), table.shape[1]
    whole = pd.concat([known.set_axis(table.index), table], axis=1)
    write_table(with_ids(whole, extractors.values()) if ibsi_ids else whole, output)
    empty = f", and {len(failed)} empty row{'s' if len(failed) > 1 else ''}" if failed else ""
    say(f"Wrote {n_cases} {'cases' if lesions is None else 'patients'} x {n_features} features{empty} to {output}")
    without_report = write_reports(sr, cohort, table, list(extractors.values()), sr_patient) if sr is not None else 0
    write_errors(errors | failed, errors_file(output))
    record.write()
    finish(errors | failed, errors_file(output))
    if without_report:
        raise typer.Exit(SOME_FAILED)


def _say_what_lacks_images(errors):
    """Say of which images the columns are empty, from the errors of rows that are not empty as a whole."""
    each = [part.partition(": ")[2] for text in errors for part in re.split("; (?=MissingImageError: )", text)]
    for text in each[:_N_SHOWN]:
        say(f"{text} Its columns are empty.", err=True)
    if len(each) > _N_SHOWN:
        say(f"In all {len(each)} cases lack an image; 'radiodeep validate' counts them.", err=True)


def _kept(cohort, names):
    """Return the values of columns of the manifest by name."""
    there = dict.fromkeys(name for item in cohort for name in item.clinical)
    wrong = [name for name in names if name not in there]
    if wrong:
        raise InputError(f"--keep takes {', '.join(map(str, there)) or 'no column'}. Got '{wrong[0]}'.")
    return {name: [item.clinical.get(name) for item in cohort] for name in names}


def _outcome_and_patient(cohort, kept):
    """Return what the manifest knows of the cases, with a row for each."""
    known = {}
    if any(case.patient != case.id for case in cohort):
        known["patient"] = cohort.patients
    if any(case.label is not None for case in cohort):
        known["label"] = [case.label for case in cohort]
    if any(case.time is not None for case in cohort):
        known |= {"time": [case.time for case in cohort], "event": [case.event for case in cohort]}
    return pd.DataFrame(known | kept, index=range(len(cohort)))
