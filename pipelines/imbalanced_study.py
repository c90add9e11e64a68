"""A study of few positive cases: resampling, done inside the folds, against none.

python pipelines/imbalanced_study.py features.csv --label label --output study
"""

import argparse
from pathlib import Path

import pandas as pd
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="csv with a row per case, as `radiodeep extract` writes it")
    parser.add_argument("--label", default="label", help="column of the outcome: 0 and 1")
    parser.add_argument("--output", type=Path, required=True, help="folder for report.html and the comparison")
    parser.add_argument("--n-features", type=int, default=5)
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)

    table = pd.read_csv(options.table, index_col="id")
    labels = table.pop(options.label).to_numpy()

    def after(*sampling):
        selector = rd.ReliefF(n_features_to_select=options.n_features)
        return make_pipeline(StandardScaler(), *sampling, selector, LogisticRegression(max_iter=1000))

    models = {
        "as it is": after(),
        "SMOTE": after(SMOTE(k_neighbors=3, random_state=0)),
        "under-sampling": after(RandomUnderSampler(random_state=0)),
        "balanced forest": BalancedRandomForestClassifier(200, random_state=0),
    }
    results = rd.cross_validate_models(models, table, labels, cv=5, n_jobs=options.n_jobs)
    for name, result in results.items():
        found = rd.sensitivity_at_specificity(result, 0.9)
        print(f"{name:16} {result.sentence}; {found}")

    options.output.mkdir(parents=True, exist_ok=True)
    comparison = rd.compare_all(results, against="as it is")
    comparison.to_csv(options.output / "comparison.csv", index=False)
    print(comparison.round(3).to_string(index=False))
    print(f"The report is {rd.write_report(results, options.output / 'report.html', title='Imbalanced study')}")


if __name__ == "__main__":
    main()
