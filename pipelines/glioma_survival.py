"""Survival of glioblastoma from MR: deep features, fine-tuned in each fold, and habitats (Ahmed et al., SPIE 2017).

The study: 22 tumours that were not resected, short or long survival, leave-one-out. The largest slice of T2 through
CNN-F (layer fc7, 4,096 features), the best 7 by symmetric uncertainty, a forest of 200 trees: 16 of 22 right. FLAIR:
14, and 18 after fine-tuning in each fold on the other 21 cases (10 iterations at a rate of 1e-5, a tenth of it after
every 4). Local binary patterns of habitats: 19. On 68 tumours of TCIA (T1 after contrast, 20 iterations, a forest of
all features): 53 right; without deep features 64 %.

Different here: without --weights the packaged network takes the place of CNN-F. Fine-tuning at the rate of the study
hardly changes a network, so ours is larger (--learning-rate 1e-5 for theirs). Habitats are clusters of voxels in all
sequences, learned inside each fold. Few repeats of halves give the intervals, since every fold trains a network. How
little 22 cases allow shows on the phantoms: habitats predict them no better than chance, and 68 with an AUC near 0.8.

python pipelines/glioma_survival.py                              on phantoms that imitate the study
python pipelines/glioma_survival.py --phantoms glioma-68 --iterations 20 --all-features
python pipelines/glioma_survival.py manifest.csv --weights imagenet-vgg-f.mat         (columns image_T2, image_FLAIR)
"""

import argparse
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline, make_union

import radiodeep as rd


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?", help="cases with a label and two or more sequences on a grid")
    parser.add_argument("--output", type=Path, default=Path("glioma_survival"), help="folder of the report")
    parser.add_argument("--phantoms", choices=["glioma", "glioma-68"], default="glioma")
    parser.add_argument("--weights", type=Path, help="imagenet-vgg-f.mat of MatConvNet")
    parser.add_argument("--deep-image", default="T2", help="sequence of the deep features")
    parser.add_argument("--tuned-image", default="FLAIR", help="sequence of the fine-tuned network")
    parser.add_argument("--iterations", type=int, default=10, help="of fine-tuning")
    parser.add_argument("--learning-rate", type=float, default=3e-4, help="of fine-tuning; the study's was 1e-5")
    parser.add_argument("--all-features", action="store_true", help="forest on all fine-tuned features")
    parser.add_argument("--n-trees", type=int, default=200)
    parser.add_argument("--n-cases", type=int, help="of the phantoms")
    parser.add_argument("--n-repeats", type=int, default=1, help="10 repeats of halves each, for intervals")
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)

    manifest = options.manifest
    cohort = rd.read_cohort(manifest) if manifest else rd.make_study_cohort(options.phantoms, options.n_cases)
    network = {"network": "cnn_f", "weights": options.weights, "layer": "fc7"} if options.weights else {}
    plan = rd.FineTuning(options.iterations, options.learning_rate, step=4, decay=0.1)
    deep = rd.DeepFeatureExtractor(**network, slice="largest", image=options.deep_image)
    tuned = rd.FineTunedFeatureExtractor(**network, slice="largest", fine_tune=plan)
    print(f"{cohort}, sequences {', '.join(cohort[0].image_names)}; deep features of {deep.network}")
    habitats = rd.HabitatExtractor(n_habitats=3)

    def best_7(extractor):
        return make_pipeline(extractor, rd.SymmetricUncertainty(7))

    forest = RandomForestClassifier(options.n_trees, random_state=0)
    models = {
        "habitats and deep": make_pipeline(make_union(best_7(habitats), best_7(deep)), forest),
        "habitats": make_pipeline(best_7(habitats), forest),
        "deep": make_pipeline(best_7(deep), forest),
        "handcrafted": make_pipeline(best_7(rd.RadiomicsExtractor(bin_count=32)), forest),
    }
    tuned_model = make_pipeline(tuned if options.all_features else best_7(tuned), forest)
    folds = {"n_repeats": options.n_repeats, "n_jobs": options.n_jobs}  # the default is leave-one-out
    results = rd.cross_validate_models(models, cohort, cohort.labels, **folds)
    one_image = cohort.of_image(options.tuned_image)
    results |= rd.cross_validate_models({"fine-tuned": tuned_model}, one_image, cohort.labels, **folds)
    print(*(f"\n{name}: {result}" for name, result in results.items()), sep="\n")
    print(rd.compare_all(results, against="habitats and deep").round(3).to_string(index=False))
    title = "Glioblastoma: short or long survival"
    print(f"The report is {rd.write_report(results, options.output / 'report.html', title, cohort=cohort)}")


if __name__ == "__main__":
    try:
        main()
    except rd.exceptions.RadiodeepError as error:
        raise SystemExit(f"Error: {error}") from None
