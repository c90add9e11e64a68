"""`radiodeep train`: one model fitted on all cases, and saved."""

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.cohorts import check_classes, read_cases, with_labels
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.measurement import Measurement, feature_sets
from radiodeep.cli.options import Classifier, MaskLabels, Selector
from radiodeep.cli.output import check_file, check_folder, errors_file, finish
from radiodeep.cli.terminal import say
from radiodeep.recipes import Recipe

_INNER_FOLDS = 5  # for calibrating the probabilities of a support vector machine


def train(
    manifest: options.Manifest,
    output: options.ModelToWrite,
    features: options.Features = None,
    selector: options.SelectorOption = Selector.relieff,
    n_features: options.Count = 5,
    classifier: options.ClassifierOption = Classifier.naive_bayes,
    seed: options.Seed = 0,
    bin_width: options.BinWidth = None,
    bin_count: options.BinCount = None,
    image_types: options.ImageTypes = None,
    sigma: options.Sigma = None,
    params: options.Params = None,
    network: options.Network = "radiodeep-mini",
    weights: options.Weights = None,
    window: options.Window = "exact",
    labels: options.Labels = MaskLabels.one,
    cache: options.Cache = None,
    jobs: options.Jobs = -1,
):
    """Fit one model on all cases and save it.

    A case that fails is left out: it is named at the end and in MODEL.errors.csv, and the exit code is 2.
    """
    measurement = Measurement(bin_width, bin_count, image_types, sigma, params, network, weights, window)
    recipe = Recipe(selector, n_features, classifier, seed)
    model = recipe.over_cases(measurement.extractors(features or feature_sets(None)[-1]), probabilities=True)
    cohort, errors = read_cases(manifest, labels)
    cohort, unlabelled = with_labels(cohort)
    least = _INNER_FOLDS if classifier is Classifier.svm else 2
    check_classes(cohort.labels, least)
    check_file(output, ".skops", ".joblib")
    check_folder(cache, "--cache")
    spare_workers(jobs)
    fitted, excluded = rd.fit_over_cases(model, cohort, cohort.labels, n_jobs=jobs, cache_dir=cache, on_error="exclude")
    used = [position for position, case in enumerate(cohort) if case.id not in excluded]
    check_classes(cohort.labels[used], least)
    rd.save_model(fitted, output)
    classes = ", ".join(map(str, fitted.classes_))
    say(f"Trained on {len(used)} cases with the labels {classes}; wrote {output}")
    finish(errors | unlabelled | excluded, errors_file(output))
