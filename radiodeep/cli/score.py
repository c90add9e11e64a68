"""`radiodeep score`: the predictions of a saved model for new cases."""

import typer

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.output import check_file, check_folder, finish
from radiodeep.cli.shards import ShardRecord
from radiodeep.cli.terminal import say
from radiodeep.exceptions import UntrustedModelError
from radiodeep.files import errors_file


def score(
    context: typer.Context,
    model: options.Model,
    manifest: options.Manifest,
    output: options.TableToWrite,
    trusted: options.Trusted = False,
    other_versions: options.OtherVersions = False,
    weights: options.MovedWeights = None,
    horizon: options.Horizon = None,
    resample_mask: options.ResampleMask = False,
    rgb: options.Rgb = None,
    pet_unit: options.PetUnit = "SUV",
    series: options.Series = None,
    cache: options.Cache = None,
    jobs: options.Jobs = -1,
    dask: options.Scheduler = None,
    shard: options.ShardOption = None,
    config: options.Config = None,
):
    """Score new cases with a saved model.

    A case that fails has its error in its row; it is named at the end and in TABLE.errors.csv, and the exit code is 2.
    Rows are written as they come: a run that was interrupted continues if it is repeated.
    """
    if model.suffix == ".joblib" and model.is_file() and not trusted:
        raise UntrustedModelError(
            f"'{model.name}' is a pickle, which can run any code when it is opened. If it comes from somebody you "
            "trust, add --trusted; better, let 'radiodeep train' write a .skops."
        )
    check_file(output, ".csv", ".parquet", read=manifest)
    check_folder(cache, "--cache")
    record = ShardRecord(context, output)
    spare_workers(jobs)
    loaded = rd.load_model(model, trusted=trusted, allow_other_versions=other_versions, weights=weights)
    reading = {"resample_mask": resample_mask, "rgb": rgb, "pet_unit": pet_unit, "series": series}
    settings = {"n_jobs": jobs, "cache_dir": cache, "horizon": horizon, "shard": record.shard}
    scored = rd.score_to_file(loaded, manifest, output, **settings, **reading)
    record.write()
    has_labels = rd.outputs_of(loaded, horizon).has_labels
    classes = f" for the labels {', '.join(map(str, loaded.classes_))}" if has_labels else ""
    say(f"Scored {scored.n_cases - scored.n_failed} of {scored.n_cases} cases{classes}; wrote {output}")
    n_outside = scored.n_outside
    if n_outside:
        named = f"{', '.join(scored.outside)}{' ...' if n_outside > len(scored.outside) else ''}"
        say(
            f"Warning: {n_outside} case{'s lie' if n_outside > 1 else ' lies'} outside the range of the "
            f"training cases, so that their scores may mean little: {named}. See the column outside_training_range.",
            err=True,
        )
    finish(scored.failures, errors_file(output), scored.n_failed)
