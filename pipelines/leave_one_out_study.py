"""Leave-one-out study: handcrafted, deep and combined features x naive Bayes, random forest and SVM.

python pipelines/leave_one_out_study.py data/phantoms/manifest.csv --output study
"""

import argparse
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="folder for report.html and predictions")
    parser.add_argument("--n-features", type=int, default=5, help="features kept of each kind in every fold")
    parser.add_argument("--n-trees", type=int, default=200)
    parser.add_argument("--bin-count", type=int, default=32, help="grey levels per region")
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)

    cohort = rd.read_cohort(options.manifest)
    radiomics = rd.RadiomicsExtractor(bin_count=options.bin_count)
    deep = rd.DeepFeatureExtractor("radiodeep-mini", window="exact")

    def best_of(extractor):
        return make_pipeline(extractor, StandardScaler(), rd.ReliefF(n_features_to_select=options.n_features))

    features = {
        "handcrafted": best_of(radiomics),
        "deep": best_of(deep),
        "combined": make_union(best_of(radiomics), best_of(deep)),
    }
    classifiers = {
        "naive Bayes": GaussianNB(),
        "random forest": RandomForestClassifier(n_estimators=options.n_trees, random_state=0),
        "SVM": make_pipeline(MinMaxScaler(), SVC(kernel="linear")),
    }
    models = {
        f"{features_name}, {classifier_name}": make_pipeline(head, classifier)
        for features_name, head in features.items()
        for classifier_name, classifier in classifiers.items()
    }

    groups = cohort.patients if len(set(cohort.patients)) < len(cohort) else None
    results = rd.cross_validate_models(models, cohort, cohort.labels, groups=groups, n_jobs=options.n_jobs)
    for name, result in sorted(results.items(), key=lambda item: -item[1].auc):
        print(f"{name:28} {result}")
    print(rd.compare_auc(results["combined, naive Bayes"], results["handcrafted, naive Bayes"]))

    report = rd.write_report(results, options.output / "report.html", title="Leave-one-out study")
    for name, result in results.items():
        result.predictions.to_csv(options.output / f"predictions {name}.csv")
    print(f"The report is {report}")


if __name__ == "__main__":
    main()
