"""Survival study: handcrafted, deep and combined features x Cox regression and a random forest for one horizon.

The manifest has the columns `time` and `event` (1 or 0). Example, for survival until 24 months:

python pipelines/survival_study.py cohort/manifest.csv --horizon 24 --output study
"""

import argparse
from pathlib import Path

import radiodeep as rd
from radiodeep.recipes import Recipe


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="folder for report.html, measures and predictions")
    parser.add_argument("--horizon", type=float, required=True, help="time at which survival is predicted")
    parser.add_argument("--n-features", type=int, default=5, help="features kept of each kind in every fold")
    parser.add_argument("--bin-count", type=int, default=32, help="grey levels per region")
    parser.add_argument("--n-repeats", type=int, default=50, help="repeats of the two halves")
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)

    cohort = rd.read_cohort(options.manifest)
    radiomics = rd.RadiomicsExtractor(bin_count=options.bin_count)
    deep = rd.DeepFeatureExtractor("radiodeep-mini", window="exact")
    features = {
        "handcrafted": {"handcrafted": radiomics},
        "deep": {"deep": deep},
        "combined": {"handcrafted": radiomics, "deep": deep},
    }
    models = {}
    for predictor in ("cox", "random-forest"):
        recipe = Recipe(n_features=options.n_features, predictor=predictor, outcome="survival", horizon=options.horizon)
        models |= {f"{name}, {predictor}": recipe.over_cases(extractors) for name, extractors in features.items()}

    results = rd.cross_validate_models(
        models,
        cohort,
        cohort.survival,
        cv=2,
        n_repeats=options.n_repeats,
        horizon=options.horizon,
        groups=cohort.patients if len(set(cohort.patients)) < len(cohort) else None,
        n_jobs=options.n_jobs,
    )
    options.output.mkdir(parents=True, exist_ok=True)
    for name, result in sorted(results.items(), key=lambda item: -item[1].value):
        print(f"{name:28} {result}")
        result.measures().to_csv(options.output / f"measures {name}.csv")
        result.predictions.to_csv(options.output / f"predictions {name}.csv")
    print(rd.compare_auc(results["combined, cox"], results["handcrafted, cox"]))
    report = rd.write_report(results, options.output / "report.html", title="Survival study")
    print(f"The report is {report}")


if __name__ == "__main__":
    main()
