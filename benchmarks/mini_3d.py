"""The packaged network for cubes, beside that for slices, a random one and handcrafted features -> data/RESULTS.md.

    python benchmarks/mini_3d.py [NAME ...]

Each section is a cohort of volumes: ridge logistic regression on all features, 10-fold x 5 by patient, one seed. The
data are found as by benchmarks/results.py. Takes about 20 minutes on one core.
"""

import argparse
import resource
import sys
import time

import pandas as pd
import results
from sklearn.pipeline import make_pipeline, make_union

import radiodeep as rd

NETWORK = "radiodeep-mini-3d"


def sarcomas(image):
    """Return PET or MR volumes of sarcomas, with or without lung metastases."""
    folder = results.DATA / f"sts_{image}"
    frame = pd.read_csv(results.DATA / "sts_pet" / "manifest.csv")
    frame["image"], frame["mask"] = frame["id"] + "_image.nii.gz", frame["id"] + "_mask.nii.gz"
    return rd.Cohort.from_frame(frame[[(folder / name).exists() for name in frame["image"]]], folder=folder)


COHORTS = {  # name: title, cohort, what came out
    "mini-3d-lidc": (
        "Cubes: lung nodules",
        lambda: results.lidc_nodules(volumes=True),
        "The training helps a little (not beyond chance), the network for slices "
        "is better on these cut-out nodules, and handcrafted features gain nothing from either.",
    ),
    "mini-3d-sts-pet": (
        "Cubes: PET of sarcomas",
        lambda: sarcomas("pet"),
        "Training does not help here: a random network is as good, and handcrafted features are better alone.",
    ),
    "mini-3d-sts-mr": (
        "Cubes: MR of sarcomas",
        lambda: sarcomas("mr"),
        "Cubes tell more than one slice, but as much with random weights; 49 cases decide nothing.",
    ),
    "mini-3d-nodules": (
        "Cubes: nodules of a phantom study",
        lambda: rd.make_study_cohort("nodules-1"),
        "The training helps against random weights, though less than "
        "slices or handcrafted features, which it does not add to.",
    ),
}


def models():
    """Return a model of each kind of features, and of handcrafted features with those of each packaged network."""
    heads = {
        "handcrafted": rd.RadiomicsExtractor(bin_count=32),
        "deep, slice": rd.DeepFeatureExtractor(n_threads=1),
        "deep, cube": rd.DeepFeatureExtractor(NETWORK, n_threads=1),
        "random network, cube": rd.DeepFeatureExtractor(NETWORK, weights="random", seed=0, n_threads=1),
    }
    unions = {
        f"handcrafted and {name}": make_union(heads["handcrafted"], heads[name])
        for name in ("deep, slice", "deep, cube")
    }
    return {name: make_pipeline(head, results.LOGISTIC) for name, head in (heads | unions).items()}


def section(title, cohort, sentence):
    """Return the text of a section: the cohort, a row per model, and what the combination adds."""
    start = time.process_time()
    groups = cohort.patients
    found = rd.cross_validate_models(models(), cohort, cohort.labels, cv=10, groups=groups, n_repeats=5)
    seconds = time.process_time() - start
    rows = {name: results.row_of(result) for name, result in found.items()}
    table = results.markdown(pd.DataFrame.from_dict(rows, orient="index").rename_axis("features"))
    compared = []
    for first, second in (
        ("deep, cube", "deep, slice"),
        ("deep, cube", "random network, cube"),
        ("handcrafted and deep, cube", "handcrafted"),
        ("handcrafted and deep, cube", "deep, cube"),
    ):
        paired = rd.compare_auc(found[first], found[second])
        interval = paired.confidence_interval
        compared.append(
            f"- {first} less {second}: {paired.difference:+.3f} ({interval.low:+.2f} to {interval.high:+.2f})"
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    intro = (
        f"{len(cohort)} lesions of {len(set(groups))} patients, {int(sum(cohort.labels))} positive; ridge logistic "
        f"regression on all features, 10-fold x 5 by patient, one seed; {seconds:.0f} s on one core, {memory:.1f} GB."
    )
    return "\n".join([f"## {title}", intro, "", table, "", *compared, "", sentence])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(COHORTS)}")
    for name in parser.parse_args().names or COHORTS:
        title, make_cohort, sentence = COHORTS[name]
        text = section(title, make_cohort(), sentence)
        results.PAGE.write_text(results.written(results.PAGE.read_text(), name, text))
        print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
