"""A study of few positive cases: resampling, done inside the folds, against none.

Of the 27,000 participants of the National Lung Screening Trial that the lectures take as an example, 250 had cancer:
guessing "no cancer" is right in 99 %. So accuracy says nothing; the AUC and the sensitivity at a specificity of 0.9 do.
Resampling before the folds would put copies of test cases into training; here it happens inside them.

python pipelines/imbalanced_study.py                             on phantoms, 10 malignant of 111 nodules
python pipelines/imbalanced_study.py features.csv --label label
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", help="csv of a row per case, as `radiodeep extract` writes it")
    parser.add_argument("--label", default="label", help="column of the outcome: 0 and 1")
    parser.add_argument("--output", type=Path, default=Path("imbalanced_study"), help="folder of the report")
    parser.add_argument("--n-features", type=int, default=5)
    parser.add_argument("--n-repeats", type=int, default=5, help="of the five folds")
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)
    patients = None
    if options.table:
        try:
            table = pd.read_csv(options.table, index_col="id")
        except (OSError, ValueError) as error:
            parser.error(f"{options.table}: {error}")
        if options.label not in table:
            parser.error(f"{options.table} has no column {options.label!r}")
        labels = table.pop(options.label).to_numpy()
        patients = table.pop("patient") if "patient" in table else None  # whose lesions stay on one side of a fold
    else:
        cohort = rd.make_study_cohort("nodules-1", 150)
        surplus = np.flatnonzero(cohort.labels)[10:]
        cohort = cohort[np.setdiff1d(np.arange(len(cohort)), surplus)]
        table, labels = rd.extract_table(rd.RadiomicsExtractor(bin_count=32), cohort), cohort.labels
    print(f"{len(table)} cases, {sum(labels == labels.max())} of them positive")

    def after(*sampling):
        selector = rd.ReliefF(n_features_to_select=options.n_features)
        return make_pipeline(StandardScaler(), *sampling, selector, LogisticRegression(max_iter=1000))

    models = {
        "as it is": after(),
        "SMOTE": after(SMOTE(k_neighbors=3, random_state=0)),
        "under-sampling": after(RandomUnderSampler(random_state=0)),
        "balanced forest": BalancedRandomForestClassifier(200, random_state=0),
    }
    folds = {"cv": 5, "n_repeats": options.n_repeats, "n_jobs": options.n_jobs}
    results = rd.cross_validate_models(models, table, labels, groups=patients, **folds)
    for name, result in results.items():
        found = rd.sensitivity_at_specificity(result, 0.9)
        print(f"{name:16} {result.sentence}; {found}")

    comparison = rd.compare_all(results, against="as it is")
    options.output.mkdir(parents=True, exist_ok=True)
    comparison.to_csv(options.output / "comparison.csv", index=False)
    print(comparison.round(3).to_string(index=False))
    print(f"The report is {rd.write_report(results, options.output / 'report.html', title='Imbalanced study')}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
