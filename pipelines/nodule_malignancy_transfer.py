"""Malignancy of lung nodules by features of a pretrained network: train on one cohort, test on another (SMC 2016).

The study: nodules of the National Lung Screening Trial. Cohort 1 (85 cancers, 176 benign) trains, cohort 2 (85 cancers,
152 benign) tests. 4,096 deep features of a network trained on ImageNet that sees the slice in all three channels, and
219 handcrafted features; the 15 best of both by symmetric uncertainty, and a random forest: 178 of 237 right, AUC 0.78.
Handcrafted features alone: 184 of 237.

Different here: without --weights the packaged network takes the place of CNN-F, and the 219 handcrafted features are
our choice (for images of one slice: --preset study-219-2d). Malignant nodules are larger, so size alone is a model of
its own, and each model is asked whether it is better than that. One cohort alone needs a cross-validation, as in
pipelines/adenocarcinoma_survival.py.

python pipelines/nodule_malignancy_transfer.py                   on phantoms that imitate the study
python pipelines/nodule_malignancy_transfer.py cohort1.csv cohort2.csv --weights imagenet-vgg-f.mat
"""

import argparse
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", type=Path, nargs="*", help="the cohort to train on and the cohort to test on")
    parser.add_argument("--output", type=Path, default=Path("nodule_malignancy_transfer"), help="folder of the report")
    parser.add_argument("--weights", type=Path, help="imagenet-vgg-f.mat of MatConvNet")
    parser.add_argument("--n-cases", type=int, help="of each cohort of phantoms")
    parser.add_argument("--preset", default="study-219", help="of the handcrafted features")
    parser.add_argument("--n-features", type=int, default=15)
    parser.add_argument("--n-trees", type=int, default=200)
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)
    if len(options.manifests) not in (0, 2):
        parser.error("give two manifests, or none for phantoms")

    names = options.manifests or ("nodules-1", "nodules-2")
    train, test = (
        rd.read_cohort(name) if options.manifests else rd.make_study_cohort(name, options.n_cases) for name in names
    )
    deep = rd.DeepFeatureExtractor(channel="all")
    if options.weights:
        deep = rd.DeepFeatureExtractor("cnn_f", options.weights, channel="all", layer="fc7")
    print(f"Train: {train}; test: {test}; deep features of {deep.network}")
    radiomics = rd.RadiomicsExtractor.preset(options.preset, bin_count=32)
    extractors = {
        "combined": make_union(deep, radiomics),
        "deep": deep,
        "handcrafted": radiomics,
    }

    results = {}
    for name, extractor in extractors.items():
        selector = rd.SymmetricUncertainty(options.n_features)
        forest = RandomForestClassifier(options.n_trees, random_state=0, n_jobs=options.n_jobs)
        model = make_pipeline(extractor, MinMaxScaler(), selector, forest)
        results[name] = rd.holdout_auc(model, train, train.labels, test, test.labels)
        print(f"\n{name}: {results[name]}")
    print(rd.compare_all(results, against="combined").round(3).to_string(index=False))
    for name in ("deep", "handcrafted"):
        print(f"accuracy, combined against {name}: {rd.compare_accuracy(results['combined'], results[name])}")
    title = "Nodules: trained on one cohort, tested on another"
    print(f"The report is {rd.write_report(results, options.output / 'report.html', title, cohort=test)}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
