"""Survival of lung adenocarcinoma from deep and handcrafted CT features (Paul et al., Tomography 2016; SMC 2016).

The study: 40 patients, 20 of stage IV with short and 20 of stage I-II with long survival, leave-one-out. Deep features
are the 4,096 of layer fc7 of CNN-F, trained on ImageNet, which sees the tumour in its red channel through a window of
56 x 56 pixels. The best 10 by symmetric uncertainty with a decision tree: 31 of 40 right, AUC 0.71. The best 5 deep (of
the window that covers the tumour only) and the best 5 of 219 handcrafted features by ReliefF with naive Bayes: 36 of
40, AUC 0.935. Then the same features predict the time to death by Cox regression.

Different here: without --weights the packaged network takes the place of CNN-F; the 219 handcrafted features are our
choice; and since leave-one-out has no valid interval, the intervals and p values are those of repeated halves.

python pipelines/adenocarcinoma_survival.py                      on phantoms that imitate the study
python pipelines/adenocarcinoma_survival.py manifest.csv --weights imagenet-vgg-f.mat
"""

import argparse
from pathlib import Path

from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?", help="cases with a label; with time and event also survival")
    parser.add_argument("--output", type=Path, default=Path("adenocarcinoma_survival"), help="folder of the reports")
    parser.add_argument("--weights", help="imagenet-vgg-f.mat of MatConvNet")
    parser.add_argument("--horizon", type=float, default=24, help="time at which survival is measured")
    parser.add_argument("--n-cases", type=int, help="of the phantoms")
    parser.add_argument("--n-repeats", type=int, default=5, help="10 repeats of halves each, for intervals")
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)
    manifest = options.manifest
    cohort = rd.read_cohort(manifest) if manifest else rd.make_study_cohort("adenocarcinoma", options.n_cases)
    cnn_f = {"network": "cnn_f", "weights": options.weights, "channel": "red", "size": 56, "layer": "fc7"}
    network = cnn_f if options.weights else {"network": "radiodeep-mini"}
    print(f"{cohort}; deep features of {network['network']}")
    cropped = rd.DeepFeatureExtractor(**{"size": 56} | network, window="crop", pixel_mm=None, margin=0)
    exact = rd.DeepFeatureExtractor(**network, window="exact")
    radiomics = rd.RadiomicsExtractor.preset("study-219", bin_count=32)

    def best_of(extractor, selector):
        return make_pipeline(extractor, StandardScaler(), selector)

    best_deep, best_radiomics = best_of(exact, rd.ReliefF(5)), best_of(radiomics, rd.ReliefF(5))
    top_10, tree = rd.SymmetricUncertainty(10), DecisionTreeClassifier(min_samples_leaf=2, random_state=0)
    models = {
        "combined": make_pipeline(make_union(best_deep, best_radiomics), GaussianNB()),
        "deep": make_pipeline(best_of(exact, rd.ReliefF(10)), GaussianNB()),
        "handcrafted": make_pipeline(best_of(radiomics, rd.ReliefF(10)), GaussianNB()),
        "deep, cropped, tree": make_pipeline(best_of(cropped, top_10), tree),
    }
    folds = {"n_repeats": options.n_repeats, "n_jobs": options.n_jobs}  # the default is leave-one-out
    results = rd.cross_validate_models(models, cohort, cohort.labels, **folds)
    report(results, cohort, options.output / "report.html", "Adenocarcinoma: short or long survival")
    if all(case.time is not None for case in cohort):
        heads = {"deep": best_of(exact, rd.UnivariateCox(5)), "handcrafted": best_of(radiomics, rd.UnivariateCox(5))}
        heads["combined"] = make_union(*heads.values())
        models = {name: make_pipeline(head, rd.CoxRegression(alpha=1.0)) for name, head in heads.items()}
        folds |= {"cv": 2, "n_repeats": 10 * options.n_repeats, "horizon": options.horizon}
        results = rd.cross_validate_models(models, cohort, cohort.survival, **folds)
        report(results, cohort, options.output / "survival.html", "Adenocarcinoma: time to death")


def report(results, cohort, path, title):
    print(*(f"\n{name}: {result}" for name, result in results.items()), sep="\n")
    print(rd.compare_all(results, against="combined").round(3).to_string(index=False))
    print(f"The report is {rd.write_report(results, path, title, cohort=cohort)}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
