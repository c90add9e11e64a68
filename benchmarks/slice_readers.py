"""Networks that read all slices of a lesion in order, beside the mean over its slices -> sections of data/RESULTS.md.

    python benchmarks/slice_readers.py [NAME ...]

All networks have the convolutions of "arch1"; the mean is that of the probabilities of single slices. Two folds without
common patients, one seed. The data are found as by benchmarks/results.py. Takes 15 minutes on one core.
"""

import argparse
import resource
import sys
import time

import numpy as np
import pandas as pd
import results

import radiodeep as rd

MEAN = "mean over slices"
READERS = {"LSTM": "arch1-lstm", "GRU": "arch1-gru", "attention": "arch1-attention"}
RAMP = 40.0  # of the intensity from the middle slice to an end; the texture has a standard deviation of about 40


def ramp():
    """Return lesions that become brighter from the first slice to the last, or darker: a slice says nothing."""
    plain = rd.make_study_cohort("demo", 100)
    labels = np.random.default_rng(0).permutation(np.arange(len(plain)) % 2)
    cases = []
    for case, label in zip(plain, labels, strict=True):
        profile = np.linspace(-RAMP, RAMP, len(case.voxels))[:, None, None]
        image = case.voxels + (profile if label else -profile)
        cases.append(rd.Case(image, case.roi, case.id, case.spacing_mm, label=int(label)))
    return rd.Cohort(cases)


def sarcomas():
    """Return PET of 51 sarcomas, with or without lung metastases."""
    return rd.Cohort.from_frame(pd.read_csv(results.DATA / "sts_pet" / "manifest.csv"), folder=results.DATA / "sts_pet")


COHORTS = {  # name: title, cohort, epochs, lesions in a batch of the readers, what came out
    "slices-ramp": (
        "Slices in order: lesions that become brighter or darker (phantoms)",
        ramp,
        8,
        4,
        "A mean over slices and attention cannot know the order of slices and guess; LSTM and GRU read it without an "
        "error.",
    ),
    "slices-demo": (
        "Slices in order: correlation across slices and a bright centre (phantoms)",
        lambda: rd.make_study_cohort("demo", 120),
        8,
        4,
        "So few lesions and epochs teach none of them more than chance: no layer over slices is better than the mean.",
    ),
    "slices-lidc": (
        "Slices in order: lung nodules",
        lambda: results.lidc_nodules(volumes=True),
        6,
        6,
        "",
    ),
    "slices-sts-pet": (
        "Slices in order: PET of sarcomas",
        sarcomas,
        10,
        2,
        "No layer over slices is better than the mean over slices, and with 51 patients none is shown to be worse.",
    ),
}


def measured(cohort, epochs, batch_size):
    """Return results and processor seconds by the name of the network."""
    plan = rd.Training(epochs, 1, 32, schedule="one-cycle", validation_fraction=0, precision="auto")
    models = {MEAN: rd.CNNClassifier("arch1", training=plan, slice="all", n_threads=1)}
    plan = rd.Training(**plan.get_params() | {"batch_size": batch_size})
    models |= {name: rd.CNNClassifier(network, training=plan, n_threads=1) for name, network in READERS.items()}
    found, seconds = {}, {}
    for name, model in models.items():
        start = time.process_time()
        found[name] = rd.cross_validated_auc(model, cohort, cohort.labels, 2, cohort.patients, n_repeats=1)
        seconds[name] = time.process_time() - start
        print(found[name], f"{seconds[name]:.0f} s", flush=True)
    return found, seconds


def section(title, cohort, epochs, batch_size, sentence):
    """Return the text of a section: the cohort, a row per network, and what came out."""
    found, seconds = measured(cohort, epochs, batch_size)
    rows = {}
    for name, result in found.items():
        rows[name] = results.row_of(result) | {"less the mean over slices": "-", "seconds": f"{seconds[name]:.0f}"}
        if name != MEAN:
            paired = rd.compare_auc(result, found[MEAN])
            interval = paired.confidence_interval
            rows[name]["less the mean over slices"] = (
                f"{paired.difference:+.3f} ({interval.low:+.2f} to {interval.high:+.2f}), p = {paired.p_value:.2g}"
            )
    n_slices = sum(int(case.roi.any(axis=(1, 2)).sum()) for case in cohort)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    intro = (
        f"{len(cohort)} lesions of {len(set(cohort.patients))} patients, {n_slices} slices, "
        f"{int(np.sum(cohort.labels))} positive; `arch1` on each slice, {epochs} epochs of one view, 2-fold by "
        f"patient, one seed, one core, {memory:.1f} GB. Readers see {batch_size} lesions at a time, the mean 32 slices."
    )
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("network")
    return f"## {title}\n{intro}\n\n{results.markdown(table)}\n\n{sentence}".rstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(COHORTS)}")
    for name in parser.parse_args().names or COHORTS:
        title, make_cohort, *plan = COHORTS[name]
        text = section(title, make_cohort(), *plan)
        results.PAGE.write_text(results.written(results.PAGE.read_text(), name, text))
        print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
