"""Biomarkers of retinal vessels, calibre and tortuosity, as numbers that a network reads from the picture.

The study: ResNet-50 with as many outputs as biomarkers and no activation after the last layer, so that they are numbers
rather than probabilities; agreement with the measured values as intraclass correlation. Its figures are not published
with the lecture that describes it.

Different here: phantoms of 64 x 64 pixels with known calibre and tortuosity, and a small network trained from scratch
(--architecture resnet50 --weights FILE for that of the study). One network with two outputs is tested on a third of the
patients; then one network per biomarker is compared with radiomics on two halves, with intervals. A high
correlation is not agreement: ICC(2,1) counts a constant difference as disagreement.

python pipelines/vessel_biomarker_regression.py                  on phantoms that imitate the study
python pipelines/vessel_biomarker_regression.py manifest.csv --targets calibre_mm,tortuosity
"""

import argparse
from pathlib import Path

from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?", help="cases with a column of numbers for each target")
    parser.add_argument("--output", type=Path, default=Path("vessel_biomarker_regression"), help="folder of reports")
    parser.add_argument("--targets", default="calibre_mm,tortuosity", help="columns of the manifest")
    parser.add_argument("--architecture", default="radiodeep-mini")
    parser.add_argument("--weights", help="file of pretrained weights, or 'packaged'; by default trained from scratch")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--views", type=int, default=6, help="how often an epoch shows each image")
    parser.add_argument("--n-cases", type=int, default=160, help="of the phantoms")
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)

    manifest = options.manifest
    cohort = rd.read_cohort(manifest) if manifest else rd.make_study_cohort("vessels", options.n_cases)
    targets = options.targets.split(",")
    if missing := [target for target in targets if target not in cohort.frame]:
        parser.error(f"the manifest has no column {missing[0]!r}")
    values = cohort.frame[targets].astype(float)
    training = {"schedule": "one-cycle", "validation_fraction": 0, "precision": "auto"}
    plan = {"epochs": options.epochs, "n_views": options.views} | training
    network = rd.CNNRegressor(options.architecture, options.weights, **plan)

    split = GroupShuffleSplit(1, test_size=1 / 3, random_state=0).split(values, groups=cohort.patients)
    train, test = next(split)
    print(f"{cohort}: one network with {len(targets)} outputs, trained on {len(train)}, tested on {len(test)}")
    both = clone(network).fit(cohort[train], values.to_numpy()[train])
    predicted = both.predict(cohort[test])
    for column, target in enumerate(targets):
        print(f"{target}: {rd.intraclass_correlation(values[target].iloc[test], predicted[:, column])}")

    families = ["shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"]
    radiomics = rd.RadiomicsExtractor(bin_count=32, families=families)
    forest = make_pipeline(radiomics, RandomForestRegressor(200, random_state=0))
    for target in targets:
        models = {"network": network, "radiomics": forest}
        folds = {"cv": 2, "n_repeats": 1, "size": None, "n_jobs": options.n_jobs}  # the region is the field of view
        results = rd.cross_validate_models(models, cohort, values[target].to_numpy(), outcome="numbers", **folds)
        for name, result in results.items():
            print(f"\n{target}, {name}: {result}\n{result.measures()}")
        print(rd.compare_auc(results["network"], results["radiomics"]))
        title = f"{target} of vessels"
        print(f"The report is {rd.write_report(results, options.output / f'{target}.html', title, cohort=cohort)}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
