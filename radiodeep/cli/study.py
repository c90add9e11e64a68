"""`radiodeep study`: how well features predict the labels of unseen cases."""

from dataclasses import dataclass, field, replace

import pandas as pd

import radiodeep as rd
from radiodeep.cli import options
from radiodeep.cli.cohorts import read_cases, with_labels
from radiodeep.cli.feature_table import feature_table, is_feature_table, read_text_table
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.measurement import Measurement, feature_sets
from radiodeep.cli.options import Classifier, FeatureSet, MaskLabels, Selector, checked_split, chosen_label, listed
from radiodeep.cli.output import check_folder, finish
from radiodeep.cli.settings import facts, write_settings
from radiodeep.cli.terminal import aligned, say
from radiodeep.exceptions import InputError
from radiodeep.files import write_table
from radiodeep.recipes import Recipe

WHOLE_TABLE = "all features"  # model of a table whose column names do not distinguish kinds of features


def study(
    source: options.Source,
    output: options.FolderToWrite,
    cv: options.Split = "leave-one-out",
    positive: options.Positive = None,
    features: options.StudiedFeatures = None,
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
    label: options.LabelColumn = "label",
    patient: options.PatientColumn = None,
    id: options.IdColumn = None,
    drop: options.Drop = None,
    cache: options.Cache = None,
    jobs: options.Jobs = -1,
):
    """Estimate how well features predict a label.

    Every case is predicted by models that have not seen it: features are selected and models fitted inside each fold.
    A case that fails is left out: it is named at the end, in the report and in errors.csv, and the exit code is 2.
    """
    split = checked_split(cv)
    kinds = _kinds(features)
    recipe = Recipe(selector, n_features, classifier, seed)
    measurement = Measurement(bin_width, bin_count, image_types, sigma, params, network, weights, window)
    frame = read_text_table(source)
    if is_feature_table(frame):
        if measurement != Measurement() or labels is not MaskLabels.one:
            raise InputError(f"'{source.name}' holds features already: leave out the options that measure images.")
        studied = _of_table(feature_table(frame, source.name, label, patient, id, drop or ()), recipe, kinds)
    else:
        if (label, patient, id, drop) != ("label", None, None, None):
            raise InputError("--label, --patient, --id and --drop are for tables; in a manifest rename the columns.")
        studied = _of_images(source, labels, measurement, recipe, kinds)
    positive = chosen_label(studied.y, positive)
    check_folder(output)
    check_folder(cache, "--cache")
    studied.run(output, source, split, positive, seed, cache, jobs)


@dataclass
class Study:
    """Models, cases or a table, labels and patients, and the reasons for leaving out other cases."""

    models: dict
    X: object
    y: object
    patients: list
    errors: dict = field(default_factory=dict)

    def run(self, output, source, cv="leave-one-out", positive=None, seed=0, cache=None, jobs=-1):
        """Cross-validate, write all results into the folder `output`, print an overview and the cases left out."""
        spare_workers(jobs)
        groups = self.patients if len(set(self.patients)) < len(self.patients) else None
        results = rd.cross_validate_models(
            self.models,
            self.X,
            self.y,
            cv,
            groups,
            n_jobs=jobs,
            random_state=seed,
            positive=positive,
            on_error="exclude",
            cache_dir=cache,
        )
        n_given = len(self.X) + len(self.errors)
        errors = self.errors | next(iter(results.values())).excluded
        results = {name: replace(result, excluded=errors) for name, result in results.items()}
        write_study(results, output, source, n_given)
        say(overview(results))
        say(f"Predictions, selected features, settings and report.html are in {output}")
        finish(errors, output / "errors.csv")


def write_study(results, output, source, n_given):
    """Write the tables, settings.json and report.html of a study."""
    first = next(iter(results.values()))
    for name in (*FeatureSet, WHOLE_TABLE):
        _write_tables(results.get(name), output, name.replace(" ", "_"))
    settings = facts(source, n_given, len(first.predictions), first.excluded)
    settings |= {"positive": str(first.positive), "cv": first.cv}
    settings |= {name: result.settings for name, result in results.items()}
    write_settings(settings, output / "settings.json")
    effective = {name: result.effective_n_features for name, result in results.items()}
    write_table(rd.size_table(results).assign(effective_n_features=pd.Series(effective)), output / "models.csv")
    rd.write_report(results, output / "report.html")


def _write_tables(result, output, name):
    """Write the tables of a model; without a result, remove those of an earlier study in the same folder."""
    predictions = output / f"predictions_{name}.csv"
    scores = output / f"scores_of_repeats_{name}.csv"
    selected = output / f"selected_features_{name}.csv"
    for path in (predictions, scores, selected):
        path.unlink(missing_ok=True)
    if result is None:
        return
    write_table(result.predictions.rename(columns={"probability": f"probability_{result.positive}"}), predictions)
    if result.companion is not None:
        write_table(result.companion.scores, scores)
    chosen = result.folds["selected_features"].explode().rename("feature").reset_index()
    write_table(chosen[["fold", "feature"]], selected, index=False)


def overview(results):
    """Return text of less than 80 columns: each measure beside those of another split, size alone, equal sizes."""
    models = list(results.values())
    first = models[0]
    endpoint = first.endpoint
    baselines = [] if first.size_baseline is None else [first.size_baseline]
    header = ["", *(result.cv for result in _with_companion(first)), "accuracy", "p against\nsize alone"]
    rows = []
    for result in models + baselines:
        values = [_value(shown) for shown in _with_companion(result)]
        accuracy = "" if result.accuracy is None else f"{result.accuracy:.3f}"
        p_value = "" if result.p_against_size is None else f"{result.p_against_size:.2g}"
        rows.append([result.name, *values, accuracy, p_value])
    title = f"{endpoint.title()} with its 95% interval ({endpoint.composition()})"
    parts = [title, aligned(header, rows), _remark(first), *_with_size(results), *_selection(models)]
    return "\n\n".join(parts)


def _with_companion(result):
    """Return the result and its companion, if it has one."""
    return [result] if result.companion is None else [result, result.companion]


def _with_size(results):
    """Return the table of how much of each model may be size; nothing if the sizes are unknown."""
    endpoint = next(iter(results.values())).endpoint
    listed = rd.size_table(results)
    if listed["n_equal_size_pairs"].isna().all():
        return []
    n_pairs = int(listed["n_equal_size_pairs"].max())
    header = ["", f"{endpoint.measure} at\nequal size", "rank correlation\nof score and size"]
    columns = ["equal_size_auc", "score_size_correlation"]
    rows = [[name, *(_number(row[column]) for column in columns)] for name, row in listed.iterrows()]
    pairs = (
        f"Equal size: {n_pairs:,} {endpoint.pairs_of_cases}\nwhose sizes differ by at most 10%, {listed['cv'].iloc[0]}."
    )
    return [f"{aligned(header, rows)}\n\n{pairs}"]


def _number(value):
    return "-" if value != value else f"{value:.3f}"


def _selection(results):
    """Return sentences on the number of selected features, and the number of uncorrelated ones they are worth."""
    selecting = [result for result in results if result.selection_sentence is not None]
    lines = [f"{result.name}: {result.selection_sentence}" for result in selecting]
    return ["\n".join(lines)] if lines else []


def _value(result):
    interval = result.confidence_interval
    return f"{result.auc:.3f} ({interval.low:.3f}-{interval.high:.3f})"


def _remark(result):
    """Return how to read the accuracy and the two columns of the measure."""
    endpoint = result.endpoint
    sentences = []
    if result.accuracy is not None:
        sentences += [f"Accuracy is that of {result.cv}.", endpoint.baseline()]
    if result.companion is not None and endpoint.leave_one_out_bias:
        measure, bias = endpoint.measure, endpoint.leave_one_out_bias
        sentences.append(f"The {measure} of {result.cv} {bias}: read that of {result.companion.cv}.")
    return "\n".join(sentences)


def _of_images(manifest, labels, measurement, recipe, kinds):
    models = {kind.value: recipe.over_cases(measurement.extractors(kind)) for kind in feature_sets(kinds)}
    cohort, errors = read_cases(manifest, labels)
    cohort, unlabelled = with_labels(cohort)
    return Study(models, cohort, cohort.labels, cohort.patients, errors | unlabelled)


def _of_table(table, recipe, kinds):
    if table.kinds is None:
        models = {WHOLE_TABLE: recipe.over_columns(None)}
    else:
        kinds = kinds or list(FeatureSet)
        parts = {kind: table.kinds if kind is FeatureSet.combined else {kind: table.kinds[kind]} for kind in kinds}
        models = {kind.value: recipe.over_columns(columns) for kind, columns in parts.items()}
    shown = f" (not features: {', '.join(table.others[:6])}{' ...' if len(table.others) > 6 else ''})"
    say(f"Studying {len(table.features)} cases x {table.features.shape[1]} features{shown if table.others else ''}")
    return Study(models, table.features, table.labels, table.patients, table.errors)


def _kinds(features):
    """Return the feature sets of --features, or None if the option was not given."""
    if features is None:
        return None
    kinds = listed(features)
    wrong = [kind for kind in kinds if kind not in list(FeatureSet)]
    if wrong or not kinds:
        raise InputError(f"--features takes {', '.join(FeatureSet)}, separated by commas. Got '{features}'.")
    return [kind for kind in FeatureSet if kind.value in kinds]
