"""Three small networks trained from scratch, their ensembles, a radiomics forest, and both together.

python pipelines/cnn_ensemble_study.py data/phantoms/manifest.csv --output study
"""

import argparse
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="folder for report.html and predictions")
    parser.add_argument(
        "--window", choices=["exact", "crop"], default="exact", help="exact hides the size of the lesion in part"
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--views", type=int, default=12, help="how often an epoch shows each image, turned and flipped")
    parser.add_argument("--n-seeds", type=int, default=1, help="trainings of each architecture")
    parser.add_argument("--n-folds", type=int, default=5)
    parser.add_argument("--n-trees", type=int, default=200)
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)

    cohort = rd.read_cohort(options.manifest)
    template = rd.CNNClassifier(
        window=options.window, epochs=options.epochs, n_views=options.views, precision="auto", n_threads=1
    )
    networks = rd.CNNEnsemble(["arch1", "arch2", "arch3"], n_seeds=options.n_seeds, template=template)
    forest = RandomForestClassifier(options.n_trees, random_state=0)
    radiomics = make_pipeline(rd.RadiomicsExtractor(bin_count=32), forest)
    both = [("networks", networks), ("radiomics", radiomics)]
    models = {
        "networks": networks,
        "radiomics": radiomics,
        "mean of both": VotingClassifier(both, voting="soft"),
        "stacked": StackingClassifier(both, LogisticRegression(), cv=3, stack_method="predict_proba"),
    }
    results = rd.cross_validate_models(
        models, cohort, cohort.labels, cv=options.n_folds, groups=cohort.patients, n_jobs=options.n_jobs
    )
    for name, result in results.items():
        print(f"{name:14} {result}")
    print(rd.compare_auc(results["mean of both"], results["networks"]))
    print(rd.compare_auc(results["mean of both"], results["radiomics"]))

    report = rd.write_report(results, options.output / "report.html", title="Ensemble of networks")
    for name, result in results.items():
        result.predictions.to_csv(options.output / f"predictions {name}.csv")
    print(f"The report is {report}")


if __name__ == "__main__":
    main()
