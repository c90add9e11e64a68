"""The command line: parse, call one function, print. Exit codes: 0 done, 1 wrong usage, 2 some cases failed."""

import json
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import radiodeep as rd
from radiodeep.exceptions import InputError, RadiodeepError, RadiodeepWarning

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Radiomics and deep features of outlined lesions, and honest evidence of what they predict.",
)
console = Console()
SOME_FAILED = 2


class FeatureSet(StrEnum):
    handcrafted = "handcrafted"
    deep = "deep"
    combined = "combined"


class Selector(StrEnum):
    relieff = "relieff"
    symmetric_uncertainty = "symmetric-uncertainty"
    fast_correlation_filter = "fast-correlation-filter"


class MaskLabels(StrEnum):
    one = "one"
    each = "each"
    any = "any"


class Classifier(StrEnum):
    naive_bayes = "naive-bayes"
    random_forest = "random-forest"
    svm = "svm"


Manifest = Annotated[Path, typer.Argument(help="csv, tsv or parquet with the columns id, image, mask, label")]
BinWidth = Annotated[float | None, typer.Option(help="Grey-level width in image units; replaces --bin-count")]
BinCount = Annotated[int, typer.Option(help="Grey levels per region, for images of any scale")]
Network = Annotated[str, typer.Option(help="radiodeep-mini, cnn_f or a model of timm")]
Weights = Annotated[str | None, typer.Option(help="Weights file; 'pretrained' for timm's hub")]
Window = Annotated[str, typer.Option(help="exact (lesion warped to the square) or crop (fixed size)")]
Jobs = Annotated[int, typer.Option(help="Processes; -1 for all cores")]
SelectorOption = Annotated[Selector, typer.Option()]
ClassifierOption = Annotated[Classifier, typer.Option()]
Count = Annotated[int, typer.Option(help="Features kept of each kind, in every fold")]
Params = Annotated[Path | None, typer.Option(help="Parameter file of pyradiomics; replaces the bin options")]
Labels = Annotated[MaskLabels, typer.Option(help="Of masks with several: one (as chosen), each (a row each), any")]
Cache = Annotated[Path | None, typer.Option(help="Folder that keeps extracted features")]


@app.command()
def validate(manifest: Manifest):
    """Open every case of a manifest and list what is wrong."""
    usable, errors = _usable_cases(rd.read_cohort(manifest))
    console.print(f"{len(usable)} of {len(usable) + len(errors)} cases can be used.")
    _finish(errors)


@app.command()
def extract(
    manifest: Manifest,
    output: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet")],
    features: FeatureSet = FeatureSet.combined,
    bin_width: BinWidth = None,
    bin_count: BinCount = 32,
    network: Network = "radiodeep-mini",
    weights: Weights = None,
    window: Window = "exact",
    params: Params = None,
    labels: Labels = MaskLabels.one,
    cache: Cache = None,
    jobs: Jobs = -1,
):
    """Write the features of all cases as a table, one row per case."""
    if output.suffix not in (".csv", ".parquet"):
        raise InputError(f"--output must end in .csv or .parquet. Got '{output.name}' instead.")
    cohort, errors = rd.read_cohort(manifest), {}
    if labels is MaskLabels.any:
        cohort = [case.replace(mask_label="any") for case in cohort]
    elif labels is MaskLabels.each:
        cohort, errors = _cases_by_label(cohort)
    extractors = _extractors(features, bin_width, bin_count, network, weights, window)
    if params is not None and features is not FeatureSet.deep:
        extractors[0] = rd.RadiomicsExtractor.from_pyradiomics(params)
    named = {str(number): one for number, one in enumerate(extractors)}
    tables = list(rd.extract_tables(named, cohort, n_jobs=jobs, cache_dir=cache, on_error="record").values())
    table = tables[0].join(tables[1:])
    errors |= tables[0].attrs["errors"]
    output.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(output) if output.suffix == ".parquet" else table.to_csv(output)
    done = len(table) - len(tables[0].attrs["errors"])
    console.print(f"Wrote {done} cases x {table.shape[1]} features to {output}")
    _finish(errors)


@app.command()
def study(
    manifest: Manifest,
    output: Annotated[Path, typer.Option(help="Folder for predictions, selected features, settings and report")],
    cv: Annotated[str, typer.Option(help="leave-one-out, leave-pair-out, or a number of folds")] = "leave-one-out",
    selector: SelectorOption = Selector.relieff,
    n_features: Count = 5,
    classifier: ClassifierOption = Classifier.naive_bayes,
    bin_width: BinWidth = None,
    bin_count: BinCount = 32,
    network: Network = "radiodeep-mini",
    weights: Weights = None,
    window: Window = "exact",
    jobs: Jobs = -1,
):
    """Say how well handcrafted, deep and combined features predict the label of cases not seen."""
    cohort, errors = _usable_cases(rd.read_cohort(manifest))
    models = {
        kind.value: _model(
            _extractors(kind, bin_width, bin_count, network, weights, window), selector, n_features, classifier
        )
        for kind in FeatureSet
    }
    _study(models, cohort, output, cv, jobs)
    _finish(errors)


@app.command()
def train(
    manifest: Manifest,
    output: Annotated[Path, typer.Option(help="Model to write: .skops, or .joblib")],
    features: FeatureSet = FeatureSet.combined,
    selector: SelectorOption = Selector.relieff,
    n_features: Count = 5,
    classifier: ClassifierOption = Classifier.naive_bayes,
    bin_width: BinWidth = None,
    bin_count: BinCount = 32,
    network: Network = "radiodeep-mini",
    weights: Weights = None,
    window: Window = "exact",
):
    """Fit one model on all cases and save it."""
    cohort, errors = _usable_cases(rd.read_cohort(manifest))
    extractors = _extractors(features, bin_width, bin_count, network, weights, window)
    model = _model(extractors, selector, n_features, classifier, probabilities=True)
    rd.save_model(model.fit(cohort, cohort.labels), output)
    console.print(f"Trained on {len(cohort)} cases; wrote {output}")
    _finish(errors)


@app.command()
def score(
    model: Annotated[Path, typer.Argument(help="Model that 'train' wrote")],
    manifest: Manifest,
    output: Annotated[Path, typer.Option(help="csv to write: a row per case")],
    trusted: Annotated[bool, typer.Option(help="Open a .joblib model, which can run any code")] = False,
    jobs: Jobs = -1,
):
    """Score new cases with a saved model."""
    cohort = rd.read_cohort(manifest)
    scores = rd.score_cohort(rd.load_model(model, trusted=trusted), cohort, n_jobs=jobs)
    output.parent.mkdir(parents=True, exist_ok=True)
    scores.to_csv(output, index=False)
    failed = scores[scores["error"] != ""]
    console.print(f"Scored {len(scores) - len(failed)} of {len(scores)} cases; wrote {output}")
    _finish(dict(zip(failed["id"], failed["error"], strict=True)))


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder to write")] = Path("radiodeep_demo"),
    jobs: Jobs = -1,
):
    """Make synthetic lesions, study them, save a model and score new lesions with it."""
    console.print("Making 40 synthetic lesions; their label depends on texture and on shape ...")
    known = rd.read_cohort(rd.write_cohort(rd.make_phantom_cohort(40, random_state=0), output / "cohort"))
    extractors = _extractors(FeatureSet.combined, 25.0, None, "radiodeep-mini", None, "exact")
    parts = {"handcrafted": extractors[:1], "deep": extractors[1:], "combined": extractors}
    models = {name: _model(part, Selector.relieff, 5, Classifier.naive_bayes) for name, part in parts.items()}
    _study(models, known, output, "leave-one-out", jobs)
    path = rd.save_model(models["combined"].fit(known, known.labels), output / "model.skops")
    console.print("Scoring 20 new lesions with the saved model ...")
    new = rd.read_cohort(rd.write_cohort(rd.make_phantom_cohort(20, random_state=1), output / "new_cases"))
    scores = rd.score_cohort(rd.load_model(path), new, n_jobs=jobs)
    scores.to_csv(output / "scores.csv", index=False)
    right = int((scores["prediction"] == new.labels).sum())
    estimate = rd.auc_with_confidence(new.labels, scores["probability_1"])
    console.print(f"New lesions: {estimate}; {right} of {len(new)} labels right")
    console.print(f"All of it is in {output}: open {output / 'report.html'} in a browser.")


def main():
    """Run the command line; errors of radiodeep become one sentence and exit code 1."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("once", RadiodeepWarning)
    warnings.showwarning = lambda message, *_, **__: typer.echo(f"Warning: {message}", err=True)
    try:
        sys.exit(app(standalone_mode=False) or 0)  # typer.Exit comes back as its exit code
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("Interrupted.", err=True)
        sys.exit(130)
    except RadiodeepError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's usage errors
            typer.echo(f"Error: {error.format_message()} See radiodeep --help.", err=True)
            sys.exit(1)
        raise


def _extractors(features, bin_width, bin_count, network, weights, window):
    binning = {"bin_width": bin_width} if bin_width is not None else {"bin_count": bin_count}
    handcrafted = rd.RadiomicsExtractor(**binning)
    deep = rd.DeepFeatureExtractor(network, weights=weights, window=window)
    return {"handcrafted": [handcrafted], "deep": [deep], "combined": [handcrafted, deep]}[features.value]


def _model(extractors, selector, n_features, classifier, probabilities=False):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import MinMaxScaler, StandardScaler
    from sklearn.svm import SVC

    select = {
        Selector.relieff: rd.ReliefF,
        Selector.symmetric_uncertainty: rd.SymmetricUncertainty,
        Selector.fast_correlation_filter: rd.FastCorrelationFilter,
    }[selector]
    parts = [make_pipeline(one, StandardScaler(), select(n_features_to_select=n_features)) for one in extractors]
    head = make_union(*parts) if len(parts) > 1 else parts[0]
    if classifier is Classifier.svm:
        machine = SVC(kernel="linear", random_state=0)
        last = make_pipeline(
            MinMaxScaler(), CalibratedClassifierCV(machine, ensemble=False) if probabilities else machine
        )
    else:
        forest = RandomForestClassifier(n_estimators=200, random_state=0)
        last = GaussianNB() if classifier is Classifier.naive_bayes else forest
    return make_pipeline(head, last)


def _study(models, cohort, output, cv, jobs):
    split = int(cv) if cv.isdigit() else cv
    repeated = len(set(cohort.patients)) < len(cohort)
    groups = cohort.patients if repeated else None
    results = rd.cross_validate_models(models, cohort, cohort.labels, split, groups, n_jobs=jobs)
    output.mkdir(parents=True, exist_ok=True)
    for name, result in results.items():
        result.predictions.to_csv(output / f"predictions_{name}.csv")
        if result.beside is not None:
            result.beside.scores.to_csv(output / f"scores_of_repeats_{name}.csv")
        _selected_rows(result).to_csv(output / f"selected_features_{name}.csv", index=False)
    settings = {"radiodeep": rd.__version__, "cv": results["combined"].cv}
    settings |= {name: result.settings for name, result in results.items()}
    (output / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")
    rd.write_report(results, output / "report.html")
    console.print(_overview(results))
    console.print(f"Predictions, selected features, settings and report.html are in {output}")


def _overview(results):
    """Return a table with all that must be read together: what stands beside leave-one-out, and size alone."""
    listed = list(results.values())
    first = listed[0]
    table = Table("features", title=f"{len(first.predictions)} cases: AUC (95% interval)")
    for column in [first.cv, *([first.beside.cv] if first.beside is not None else []), "accuracy", "p against size"]:
        table.add_column(column)
    for result in [*listed, *([first.size_alone] if first.size_alone is not None else [])]:
        estimates = [result, *([result.beside] if result.beside is not None else [])]
        aucs = [
            f"{one.auc:.3f} ({one.confidence_interval.low:.3f} to {one.confidence_interval.high:.3f})"
            for one in estimates
        ]
        p_value = "" if result.p_against_size is None else f"{result.p_against_size:.2g}"
        table.add_row(result.name, *aucs, f"{result.accuracy:.3f}", p_value)
    return table


def _selected_rows(result):
    chosen = result.folds["selected_features"].explode().rename("feature").reset_index()
    return chosen[["fold", "feature"]]


def _usable_cases(cohort):
    usable, errors = [], {}
    for position, case in enumerate(cohort):
        try:
            case.in_memory()
            usable.append(position)
        except InputError as error:
            errors[case.id] = f"{type(error).__name__}: {error}"
    if not usable:
        raise InputError(f"None of the {len(cohort)} cases can be used. {next(iter(errors.values()))}")
    return cohort[usable], errors


def _cases_by_label(cohort):
    parts, errors = [], {}
    for case in cohort:
        try:
            parts.extend(case.by_label())
        except InputError as error:
            errors[case.id] = f"{type(error).__name__}: {error}"
    return parts, errors


def _finish(errors):
    if not errors:
        return
    typer.echo(f"{len(errors)} case{'s' if len(errors) > 1 else ''} failed:", err=True)
    for error in errors.values():
        typer.echo(f"  {error}", err=True)
    raise typer.Exit(SOME_FAILED)
