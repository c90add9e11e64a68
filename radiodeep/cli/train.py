"""`radiodeep train`: one model fitted on all cases, and saved."""

from dataclasses import replace

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.cohorts import check_classes, check_clinical, lacks_images, read_cases, with_outcomes
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.measurement import Measurement, feature_sets
from radiodeep.cli.options import MaskLabels, Predictor, listed
from radiodeep.cli.outcome import Outcome, OutcomeOptions
from radiodeep.cli.output import check_file, check_folder, finish
from radiodeep.cli.terminal import say
from radiodeep.files import errors_file
from radiodeep.recipes import Recipe

_INNER_FOLDS = 5  # for calibrating the probabilities of a support vector machine


def train(
    manifest: options.Manifest,
    output: options.ModelToWrite,
    outcome: options.OutcomeOption = Outcome.auto,
    horizon: options.Horizon = None,
    features: options.Features = None,
    selector: options.SelectorOption = None,
    n_features: options.Count = None,
    model: options.PredictorOption = Predictor.auto,
    seed: options.Seed = 0,
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
    clinical: options.Clinical = None,
    cache: options.Cache = None,
    jobs: options.Jobs = -1,
    dask: options.Scheduler = None,
    convention: options.ConventionOption = options.Convention.pyradiomics,
    config: options.Config = None,
):
    """Fit one model on all cases and save it.

    A case that fails is left out: it is named at the end and in MODEL.errors.csv, and the exit code is 2.
    """
    measurement = Measurement(bin_width, bin_count, image_types, sigma, params, network, weights, window, lesions)
    measurement = replace(measurement, convention=convention)
    extractors = measurement.extractors(features or feature_sets(None)[-1])
    reading = {"resample_mask": resample_mask, "rgb": rgb, "pet_unit": pet_unit, "series": series}
    cohort, errors = read_cases(manifest, labels, lesions, reading)
    chosen = OutcomeOptions(outcome, horizon=horizon)
    cohort, y, unknown = with_outcomes(cohort, chosen)
    kind = chosen.kind(y)
    if clinical is not None:
        check_clinical(cohort, listed(clinical))  # a misspelt column is an error before images are measured
    unfitted = Recipe(selector, n_features, model, seed, kind, horizon, lacks_images(cohort)).over_cases(
        extractors, probabilities=True, clinical=listed(clinical)
    )
    if horizon is not None and kind == "survival" and model in (Predictor.auto, Predictor.cox):
        say("The model predicts survival until any time: give --horizon to 'radiodeep score' as well.")
    least = (_INNER_FOLDS if model is Predictor.svm else 2) if kind.endswith("classes") else 0
    check_classes(y, least)
    check_file(output, ".skops", ".joblib")
    check_folder(cache, "--cache")
    spare_workers(jobs)
    fitted, excluded = rd.fit_over_cases(
        unfitted, cohort, y, n_jobs=jobs, cache_dir=cache, on_error="exclude", outcome=chosen.outcome
    )
    used = [position for position, case in enumerate(cohort) if case.id not in excluded]
    check_classes(y[used], least)
    rd.save_model(fitted, output)
    rows = "cases" if lesions is None else "patients"
    say(f"Trained on {len(used)} {rows} {_described(kind, y[used])}; wrote {output}")
    if model is Predictor.auto:
        say(f"The model is the {fitted[-1].chosen_} of {len(fitted[-1].scores_) - 1} candidates.")
    finish(errors | unknown | excluded, errors_file(output))


def _described(kind, y):
    """Return the outcomes of the training cases in words."""
    if kind == "survival":
        return f"with {int(y['event'].sum())} events"
    if kind == "numbers":
        return f"with labels from {y.min():g} to {y.max():g}"
    return f"with the labels {', '.join(map(str, sorted(set(y.tolist()))))}"
