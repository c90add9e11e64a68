"""`radiodeep score`: the predictions of a saved model for new cases."""

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.output import check_file, check_folder, errors_file, finish
from radiodeep.cli.terminal import say
from radiodeep.exceptions import UntrustedModelError
from radiodeep.files import write_table


def score(
    model: options.Model,
    manifest: options.Manifest,
    output: options.TableToWrite,
    trusted: options.Trusted = False,
    other_versions: options.OtherVersions = False,
    weights: options.MovedWeights = None,
    horizon: options.Horizon = None,
    cache: options.Cache = None,
    jobs: options.Jobs = -1,
    config: options.Config = None,
):
    """Score new cases with a saved model.

    A case that fails has its error in its row; it is named at the end and in TABLE.errors.csv, and the exit code is 2.
    """
    if model.suffix == ".joblib" and model.is_file() and not trusted:
        raise UntrustedModelError(
            f"'{model.name}' is a pickle, which can run any code when it is opened. If it comes from somebody you "
            "trust, add --trusted; better, let 'radiodeep train' write a .skops."
        )
    cohort = rd.read_cohort(manifest)
    check_file(output, ".csv", ".parquet", read=manifest)
    check_folder(cache, "--cache")
    spare_workers(jobs)
    loaded = rd.load_model(model, trusted=trusted, allow_other_versions=other_versions, weights=weights)
    scores = rd.score_cohort(loaded, cohort, n_jobs=jobs, cache_dir=cache, horizon=horizon)
    write_table(scores, output, index=False)
    failed = scores[scores["error"] != ""]
    has_labels = hasattr(loaded, "classes_") and "risk" not in scores  # the risk at a horizon is of no label
    classes = f" for the labels {', '.join(map(str, loaded.classes_))}" if has_labels else ""
    say(f"Scored {len(scores) - len(failed)} of {len(scores)} cases{classes}; wrote {output}")
    outside = scores.loc[scores["outside_training_range"] != "", "id"]
    if len(outside):
        named = f"{', '.join(outside[:5])}{' ...' if len(outside) > 5 else ''}"
        say(
            f"Warning: {len(outside)} case{'s lie' if len(outside) > 1 else ' lies'} outside the range of the "
            f"training cases, so that their scores may mean little: {named}. See the column outside_training_range.",
            err=True,
        )
    finish(dict(zip(failed["id"], failed["error"], strict=True)), errors_file(output))
