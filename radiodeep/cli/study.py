"""`radiodeep study`: how well features predict the outcomes of unseen cases."""

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from tempfile import TemporaryDirectory
from warnings import catch_warnings, simplefilter

import pandas as pd
import typer

import radiodeep as rd
from radiodeep.cases.reading import AS_IT_IS, Reading
from radiodeep.cli import options
from radiodeep.cli.cohorts import check_clinical, lacks_images, read_cases, with_outcomes
from radiodeep.cli.feature_table import Columns, feature_table, is_feature_table, read_text_table
from radiodeep.cli.interruption import spare_workers
from radiodeep.cli.measurement import Measurement, feature_sets
from radiodeep.cli.options import FeatureSet, MaskLabels, Predictor, checked_split, listed
from radiodeep.cli.outcome import Outcome, OutcomeOptions
from radiodeep.cli.output import check_folder, finish
from radiodeep.cli.overview import comparison_overview, control_overview, overview
from radiodeep.cli.settings import Settings, settings_of, sha256_of, sha256_of_table
from radiodeep.cli.terminal import say
from radiodeep.exceptions import InputError, RadiodeepWarning, StudyError
from radiodeep.files import write_table
from radiodeep.recipes import Recipe

WHOLE_TABLE = "all features"  # model of a table whose column names do not distinguish kinds of features
RESULTS = "results.zip"  # what `radiodeep report` reads
CLINICAL = "clinical"
WITH_CLINICAL = "images and clinical"  # all features and clinical columns


def study(
    context: typer.Context,
    source: options.Source,
    output: options.FolderToWrite,
    cv: options.Split = "leave-one-out",
    centre: options.CentreColumn = None,
    outcome: options.OutcomeOption = Outcome.auto,
    positive: options.Positive = None,
    horizon: options.Horizon = None,
    features: options.StudiedFeatures = None,
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
    repeatable: options.Repeatable = None,
    clinical: options.Clinical = None,
    label: options.LabelColumn = None,
    time: options.TimeColumn = None,
    event: options.EventColumn = None,
    patient: options.PatientColumn = None,
    id: options.IdColumn = None,
    drop: options.Drop = None,
    controls: options.Controls = False,
    learning_curve: options.LearningCurve = False,
    cache: options.Cache = None,
    jobs: options.Jobs = -1,
    dask: options.Scheduler = None,
    convention: options.ConventionOption = options.Convention.pyradiomics,
    config: options.Config = None,
):
    """Estimate how well features predict an outcome.

    Every case is predicted by models that have not seen it: features are selected and models fitted inside each fold.
    All options, also those left at their defaults, are written to settings.lock.yaml, which --config takes.
    A case that fails is left out: it is named at the end, in the report and in errors.csv, and the exit code is 2.
    """
    split = checked_split(cv, centre)
    kinds = _kinds(features)
    recipe = Recipe(selector, n_features, model, seed, horizon=horizon)
    chosen = OutcomeOptions(outcome, positive, horizon)
    columns = Columns(label, time, event, patient, id, tuple(drop or ()))
    measurement = Measurement(
        bin_width, bin_count, image_types, sigma, params, network, weights, window, lesions, repeatable, convention
    )
    reading = {"resample_mask": resample_mask, "rgb": rgb, "pet_unit": pet_unit, "series": series}
    frame = read_text_table(source)
    is_table = is_feature_table(frame)
    settings = settings_of(context, source="table" if is_table else "manifest")
    settings.check_record()
    if is_table:
        if measurement != Measurement() or labels is not MaskLabels.one or controls or Reading(**reading) != AS_IT_IS:
            raise InputError(f"'{source.name}' holds features already: leave out the options that measure images.")
        if clinical is not None:
            raise InputError("--clinical names columns of a manifest; all columns of a table are features already.")
        table = feature_table(frame, source.name, replace(columns, centre=centre), chosen)
        studied = _of_table(table, chosen, recipe, kinds)
    else:
        if columns != Columns():
            raise InputError(
                "--label, --time, --event, --patient, --id and --drop are for tables; in a manifest rename the columns."
            )
        studied = _of_images(source, labels, measurement, chosen, recipe, kinds, listed(clinical), reading)
        studied = replace(studied, centres=centre)
    studied = replace(studied, learns=learning_curve, settings=settings)
    check_folder(output)
    check_folder(cache, "--cache")
    studied.run(output, source, split, seed, cache, jobs, controls)


@dataclass
class Study:
    """Models, cases or a table, outcomes and patients, and the reasons for leaving out other cases."""

    models: dict
    X: object
    y: object
    patients: list
    errors: dict = field(default_factory=dict)
    centres: object = None
    options: OutcomeOptions = field(default_factory=OutcomeOptions)
    filters: dict = field(default_factory=dict)  # of repeatable features, by kind
    extractors: dict = field(default_factory=dict)  # of all features, by kind
    learns: bool = False  # whether learning curves are asked for
    settings: Settings = field(default_factory=lambda: Settings("demo"))

    def run(self, output, source, cv="leave-one-out", seed=0, cache=None, jobs=-1, controls=False):
        """Cross-validate, write all results into the folder `output`, print an overview and the cases left out."""
        needs_cache = cache is None and (self.filters or self.extractors)  # features are asked for again
        with TemporaryDirectory() if needs_cache else nullcontext(cache) as cache_dir:
            self._run(output, source, cv, seed, cache_dir, jobs, controls)

    def _run(self, output, source, cv, seed, cache, jobs, controls):
        spare_workers(jobs)
        groups = self.patients if len(set(self.patients)) < len(self.patients) else None
        study_models = rd.negative_controls if controls else rd.cross_validate_models
        studied = study_models(
            self.models,
            self.X,
            self.y,
            cv,
            groups,
            n_jobs=jobs,
            random_state=seed,
            positive=self.options.positive_of(self.y),
            on_error="exclude",
            cache_dir=cache,
            outcome=self.options.outcome.value,
            horizon=self.options.horizon,
            centres=self.centres,
        )
        controlled, results = (studied, studied.originals) if controls else (None, studied)
        n_given = len(self.X) + len(self.errors)
        errors = self.errors | next(iter(results.values())).excluded
        results = {name: replace(result, excluded=errors) for name, result in results.items()}
        measures = pd.concat({name: _measures(result.primary) for name, result in results.items()}, names=["model"])
        compared = rd.compared_sets(results, CLINICAL, [WITH_CLINICAL]) if CLINICAL in results else None
        repeated = self._repeatability(cache, jobs)
        curves = self._learning_curves(cache, jobs, seed, results)
        cases = Studied(self.X if self.extractors else None, self._features(cache, jobs, results), repeated, curves)
        write_study(results, measures, output, source, controlled, compared, cases)
        self._lock(results, cases, n_given, output)
        say(overview(results, measures))
        if compared is not None:
            say(comparison_overview(compared))
        if controls:
            say(control_overview(controlled))
        say(f"Predictions, measures, settings and report.html are in {output}")
        finish(errors, output / "errors.csv")

    def _lock(self, results, cases, n_given, output):
        """Write the lock file: all options, and the record of what they came to."""
        first = next(iter(results.values()))
        record = {"n_cases_given": n_given, "n_cases_used": len(first.predictions)}
        if cases.cohort is not None and cases.features is not None:
            record["features_sha256"] = sha256_of_table(cases.features)
            self.settings.check_features(record["features_sha256"])
        positive = None if first.positive is None else str(first.positive)
        record |= {"outcome": first.outcome, "positive": positive, "horizon": first.horizon, "cv": first.cv}
        record["models"] = {name: _described(result) for name, result in results.items()}
        self.settings.write(record, output)

    def _features(self, cache, jobs, results):
        """Return all features of the studied cases, from the cache or the table that was given, or None."""
        studied = next(iter(results.values())).predictions.index
        if isinstance(self.X, pd.DataFrame):
            return self.X.loc[studied] if self.X.index.is_unique else self.X
        if not self.extractors:
            return None
        with catch_warnings():  # those of the features were given before
            simplefilter("ignore", RadiodeepWarning)
            settings = {"n_jobs": jobs, "cache_dir": cache, "on_error": "record"}
            tables = rd.extract_tables(self.extractors, self.X, **settings)
        return pd.concat(tables.values(), axis=1).loc[studied]

    def _learning_curves(self, cache, jobs, seed, results):
        """Return the LearningCurve of each model, of the cases that were studied; none if there are too few."""
        if not self.learns:
            return {}
        studied = set(next(iter(results.values())).predictions.index)
        is_table = isinstance(self.X, pd.DataFrame)
        kept = [row for row, name in enumerate(self.X.index if is_table else self.X.ids) if name in studied]
        y = self.y.iloc[kept] if isinstance(self.y, pd.Series) else self.y[kept]
        given = (self.X.iloc[kept] if is_table else self.X[kept]), y
        settings = {"n_jobs": jobs, "random_state": seed, "cache_dir": cache, "horizon": self.options.horizon}
        settings |= {"positive": self.options.positive_of(self.y), "outcome": self.options.outcome.value}
        if len(set(self.patients)) < len(self.patients):
            settings["groups"] = [self.patients[row] for row in kept]
        try:
            with catch_warnings():  # those of the models were given before
                simplefilter("ignore", RadiodeepWarning)
                return {name: rd.learning_curve(model, *given, **settings) for name, model in self.models.items()}
        except StudyError as error:
            say(f"No learning curve: {error}")
            return {}

    def _repeatability(self, cache, jobs):
        """Return the repeatability of all features by the name of the repeat."""
        names = list(dict.fromkeys(name for case in self.X for name in case.repeats)) if self.filters else []
        settings = {"n_jobs": jobs, "cache_dir": cache, "on_error": "record"}
        repeated = {}
        for name in names:
            tables = [rd.repeatability(each.extractor, self.X, name, **settings) for each in self.filters.values()]
            repeated[name] = pd.concat(tables)
            repeated[name].attrs = tables[0].attrs
        return repeated


@dataclass
class Studied:
    """The cohort of a study, or None, its features, tables of `repeatability` by the repeat, and learning curves."""

    cohort: object = None
    features: pd.DataFrame | None = None
    repeated: dict = field(default_factory=dict)
    curves: dict = field(default_factory=dict)  # by model


def write_study(results, measures, output, source, controls=None, compared=None, cases=None):
    """Write tables, results.zip and report.html of a study.

    `controls` are its NegativeControls, `compared` its FeatureSetComparison and `cases` what was `Studied`.
    """
    cases = cases or Studied()
    first = next(iter(results.values()))
    for name in (*FeatureSet, WHOLE_TABLE, CLINICAL, WITH_CLINICAL):
        _write_tables(results.get(name), output, name.replace(" ", "_"))
    effective = {name: result.effective_n_features for name, result in results.items()}
    write_table(rd.size_table(results).assign(effective_n_features=pd.Series(effective)), output / "models.csv")
    write_table(measures, output / "measures.csv")
    for name in ("controls.csv", "centres.csv", "compared.csv", "repeatability.csv", "learning_curve.csv"):
        (output / name).unlink(missing_ok=True)
    if first.centres is not None:
        centres = pd.concat({name: result.centres for name, result in results.items()}, names=["model"])
        write_table(centres, output / "centres.csv")
    if controls is not None:
        write_table(controls.table, output / "controls.csv")
    if compared is not None:
        write_table(compared.table.rename_axis("model"), output / "compared.csv")
    if cases.repeated:
        write_table(pd.concat(cases.repeated, names=["repeat"]), output / "repeatability.csv")
    if cases.curves:
        tables = {name: curve.table for name, curve in cases.curves.items()}
        write_table(pd.concat(tables, names=["model"]), output / "learning_curve.csv")
    contents = {
        "results": compared or results,
        "title": f"Study of {source.name}",
        "controls": controls,
        "repeatability": cases.repeated,
        "table": cases.features,
        "lesions": None if cases.cohort is None else rd.lesions_of(results, cases.cohort),
        "source": {"name": source.name, "sha256": sha256_of(source)},
    }
    rd.save_results(contents | {"curves": cases.curves}, output / RESULTS)
    curves = learning_sections(results, cases.curves)
    rd.write_report(path=output / "report.html", cohort=cases.cohort, sections=curves, **contents)


def learning_sections(results, curves):
    """Return a Section for each learning curve, a dict of them by model, in the colours of results by model."""
    colours = rd.colours_of(results)
    return [rd.learning_section(curve, colours[name], name) for name, curve in curves.items()]


def _described(result):
    """Return the settings of a model, and what it chose itself in how many folds."""
    chosen = result.folds["chosen"].value_counts().to_dict() if "chosen" in result.folds else {}
    return result.settings | ({"chosen_in_folds": chosen} if chosen else {})


def _measures(result):
    """Return the main measure of a result and the others, with their intervals."""
    interval = result.confidence_interval
    main = {"value": result.value, "low": interval.low, "high": interval.high}
    main = pd.DataFrame(main, index=pd.Index([result.endpoint.measure], name="measure"))
    return pd.concat([main, result.measures(interval.level)]).assign(cv=result.cv)


def _write_tables(result, output, name):
    """Write the tables of a model; without a result, remove those of an earlier study in the same folder."""
    predictions = output / f"predictions_{name}.csv"
    scores = output / f"scores_of_repeats_{name}.csv"
    selected = output / f"selected_features_{name}.csv"
    for path in (predictions, scores, selected):
        path.unlink(missing_ok=True)
    if result is None:
        return
    probability = f"probability_{result.positive}" if result.horizon is None else f"survival_{result.horizon:g}"
    write_table(result.predictions.rename(columns={"probability": probability}).dropna(axis=1, how="all"), predictions)
    if result.companion is not None:
        repeats = result.companion.scores
        if repeats.columns.nlevels > 1:
            outputs = result.endpoint.outputs
            repeats = repeats.set_axis([f"{repeat}_{outputs[number]}" for repeat, number in repeats.columns], axis=1)
        write_table(repeats, scores)
    chosen = result.folds["selected_features"].dropna().explode().rename("feature").reset_index()
    if len(chosen):
        write_table(chosen[["fold", "feature"]], selected, index=False)


def _of_images(manifest, labels, measurement, chosen, recipe, kinds, clinical, reading):
    extractors = {kind.value: measurement.extractors(kind) for kind in feature_sets(kinds)}
    cohort, errors = read_cases(manifest, labels, measurement.lesions, reading)
    if measurement.repeatable is not None and not any(case.repeats for case in cohort):
        raise InputError("--repeatable needs cases measured again: a column mask_reader2 or image_retest.")
    cohort, y, unknown = with_outcomes(cohort, chosen)
    recipe = replace(recipe, outcome=chosen.kind(y), imputes=lacks_images(cohort))
    models = {name: recipe.over_cases(by_kind) for name, by_kind in extractors.items()}
    if clinical:
        check_clinical(cohort, clinical)  # a misspelt column is an error before the images are measured
        models = {CLINICAL: recipe.over_cases({}, clinical=clinical), **models}
        models[WITH_CLINICAL] = recipe.over_cases(list(extractors.values())[-1], clinical=clinical)
    measured = list(extractors.values())[-1]
    filters = {} if measurement.repeatable is None else measured
    if filters:
        measured = {kind: each.extractor for kind, each in filters.items()}
    return Study(
        models,
        cohort,
        y,
        cohort.patients,
        errors | unknown,
        options=chosen,
        filters=filters,
        extractors=measured,
    )


def _of_table(table, chosen, recipe, kinds):
    n_missing = int(table.features.isna().to_numpy().sum())
    if n_missing:
        say(f"Empty cells of the table: {n_missing}. The medians of the training cases take their place.")
    recipe = replace(recipe, outcome=chosen.kind(table.y), imputes=n_missing > 0)
    if table.kinds is None:
        models = {WHOLE_TABLE: recipe.over_columns(None)}
    else:
        kinds = kinds or list(FeatureSet)
        every = table.kinds
        parts = {kind.value: every if kind is FeatureSet.combined else {kind.value: every[kind]} for kind in kinds}
        models = {kind: recipe.over_columns(columns) for kind, columns in parts.items()}
    shown = f" (not features: {', '.join(table.others[:6])}{' ...' if len(table.others) > 6 else ''})"
    say(f"Studying {len(table.features)} cases x {table.features.shape[1]} features{shown if table.others else ''}")
    return Study(models, table.features, table.y, table.patients, table.errors, table.centres, chosen)


def _kinds(features):
    """Return the feature sets of --features, or None if the option was not given."""
    if features is None:
        return None
    kinds = listed(features)
    wrong = [kind for kind in kinds if kind not in list(FeatureSet)]
    if wrong or not kinds:
        raise InputError(f"--features takes {', '.join(FeatureSet)}, separated by commas. Got '{features}'.")
    return [kind for kind in FeatureSet if kind.value in kinds]
