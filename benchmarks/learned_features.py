"""Features that are learned without labels, beside PCA of the pixels, chance and the packaged network.

    python benchmarks/learned_features.py [NAME ...]

All see the same squares of 64 x 64 pixels, but for the packaged network, which has its own margin. All trainings are
made within the folds and without labels. The sections of data/RESULTS.md are replaced; takes 10 minutes on one core.
"""

import argparse
import resource
import sys
import time
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import results
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import radiodeep as rd
from radiodeep.imaging.planes import lesion_planes

N_FEATURES = 32
CLASSIFIERS = {"logistic regression": results.LOGISTIC, "forest": results.FOREST}
BASELINE = "PCA of the pixels"


def pixels(cases):
    """Return the squares that autoencoders see as rows."""
    return np.stack([lesion_planes(case, size=64).ravel() for case in cases])


def pixel_names(transformer, input_features):
    return np.array([f"pixel_{number}" for number in range(64 * 64)], dtype=object)


def heads(epochs, folder):
    """Return the kinds of features by name; trainings are kept in a folder, for the second classifier."""
    plan = rd.Training(epochs, 1, learning_rate=3e-3, schedule="one-cycle", validation_fraction=0, precision="auto")
    untrained = rd.Training(1, 1, learning_rate=1e-12, validation_fraction=0, augmentation=None)
    made = {
        BASELINE: make_pipeline(
            FunctionTransformer(pixels, feature_names_out=pixel_names), PCA(N_FEATURES, random_state=0)
        )
    }
    made["random network"] = rd.AutoencoderFeatures(n_features=N_FEATURES, training=untrained, checkpoint_dir=folder)
    for kind in ("plain", "denoising", "variational"):
        name = f"{kind} autoencoder"
        made[name] = rd.AutoencoderFeatures(kind, N_FEATURES, training=plan, checkpoint_dir=folder)
    return made | {"radiodeep-mini": rd.DeepFeatureExtractor(n_threads=1)}


def lidc():
    """Return what is studied, and a function of a model that returns its result, by exam."""
    cohort = results.lidc_nodules()
    intro = (
        f"{len(cohort)} nodules of {len(set(cohort.patients))} exams, {int(np.sum(cohort.labels))} rated malignant, "
        "largest slice with the surroundings removed, 3-fold by exam."
    )
    return intro, lambda model: rd.cross_validated_auc(
        model, cohort, cohort.labels, cv=3, groups=cohort.patients, n_repeats=1
    )


def breast():
    """Return the same for breast ultrasound, on its official split."""
    stored = np.load(results.DATA / "breastmnist" / "breastmnist.npz")

    def cohort(*parts):
        cases = []
        for part in parts:
            for n, (picture, label) in enumerate(
                zip(stored[f"{part}_images"], stored[f"{part}_labels"].ravel(), strict=True)
            ):
                name = f"{part}-{n}"
                cases.append(rd.Case(picture, np.ones_like(picture), name, (1.0, 1.0), label=int(label == 0)))
        return rd.Cohort(cases)

    train, test = cohort("train", "val"), cohort("test")
    intro = (
        f"BreastMNIST, {len(train)} pictures of 28 x 28 pixels to train, {len(test)} to test (official split; patients "
        "are not given), malignant against the rest."
    )
    return intro, lambda model: rd.holdout_auc(model, train, train.labels, test, test.labels, positive=1, size=None)


STUDIES = {  # name: title, study, epochs, what came out
    "learned-lidc": (
        "Learned features: lung nodules",
        lidc,
        25,
        "No autoencoder exceeds principal components of the pixels with the same classifier; the packaged network does "
        "by .09 and .12.",
    ),
    "learned-breast": (
        "Learned features: breast ultrasound",
        breast,
        25,
        "Features learned from 624 pictures are about as good as PCA of the pixels; with a forest the denoising and "
        "the variational ones are .03 and .04 higher (p is not corrected for ten comparisons). None exceeds the "
        "packaged network, which takes a seventh of the time.",
    ),
}


def section(title, study, epochs, sentence):
    """Return the text of a section: a row per kind of features, and its differences to PCA by the same classifier."""
    about, result_of = study()
    found, seconds = {}, {}
    with TemporaryDirectory() as folder:
        for name, head in heads(epochs, folder).items():
            start = time.process_time()
            for classifier, model in CLASSIFIERS.items():
                found[name, classifier] = result_of(make_pipeline(head, clone(model)))
                print(name, classifier, found[name, classifier], flush=True)
            seconds[name] = time.process_time() - start
    rows = {}
    for (name, classifier), result in found.items():
        row = rows.setdefault(name, {})
        row[classifier] = text_of(result.auc, result.confidence_interval)
        if name != BASELINE:
            paired = rd.compare_auc(result, found[BASELINE, classifier])
            interval = paired.confidence_interval
            row[f"{classifier} less PCA"] = (
                f"{paired.difference:+.3f} ({interval.low:+.2f} to {interval.high:+.2f}), p = {paired.p_value:.2g}"
            )
        row["seconds"] = f"{seconds[name]:.0f}"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    intro = (
        f"{about} {N_FEATURES} features each (radiodeep-mini 128), {epochs} epochs of one view, one seed, one core, "
        f"{memory:.1f} GB; seconds are those of both classifiers with all trainings. AUC with 95 % interval."
    )
    size = next(iter(found.values())).compared_with_size.size_baseline
    if size is not None:
        intro += f" Size alone: {text_of(size.auc, size.confidence_interval)}."
    table = pd.DataFrame.from_dict(rows, orient="index").fillna("-").rename_axis("features")
    columns = [*CLASSIFIERS, *(f"{classifier} less PCA" for classifier in CLASSIFIERS), "seconds"]
    return f"## {title}\n{intro}\n\n{results.markdown(table[columns])}\n\n{sentence}".rstrip()


def text_of(auc, interval):
    return f"{auc:.3f} ({interval.low:.2f} to {interval.high:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(STUDIES)}")
    for name in parser.parse_args().names or STUDIES:
        text = section(*STUDIES[name])
        results.PAGE.write_text(results.written(results.PAGE.read_text(), name, text))
        print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
