"""What generated lesions are worth: AUC with and without them, on three cohorts and on shuffled labels.

    python benchmarks/generated_lesions.py [NAME ...]

Writes the section "generated-lesions" of data/RESULTS.md. A forest on radiomics of the largest slice: as it is, with
random oversampling or SMOTE of the table, and with a `LesionGenerator` fitted in every fold.
"""

import argparse
import resource
import time
import warnings

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from results import DATA, FOREST, PAGE, TEXTURE, markdown, written

import radiodeep as rd

EPOCHS = {"LIDC": 5, "sarcoma PET": 10, "BreastMNIST": 4}  # 160 to 240 steps in a fold
MADE = "generated"
NULL = "LIDC, labels shuffled"


def lidc():
    """Return 120 solid nodules of as many exams, 24 of them malignant."""
    stored = np.load(DATA / "lidc_nodule_slices" / "lidc882_slices64.npz", allow_pickle=True)
    images, label, exam = stored["images"], stored["label"].astype(int), stored["exam_id"].astype(str)
    largest = pd.Series((images > 0).sum(axis=(1, 2))).groupby(stored["nodule_index"]).idxmax()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(label))
    nodules = np.sort(order[np.unique(exam[order], return_index=True)[1]])
    chosen = np.concatenate([rng.permutation(nodules[label[nodules] == k])[:n] for k, n in ((0, 96), (1, 24))])
    return [case(images[largest[k]], f"nodule-{k}", exam[k], label[k]) for k in np.sort(chosen)]


def sarcoma():
    """Return 51 soft-tissue sarcomas in PET, 19 with lung metastases, the largest slice of each."""
    cases = []
    for each in rd.read_cohort(DATA / "sts_pet" / "manifest.csv"):
        number = int(each.roi.sum(axis=(1, 2)).argmax())
        image, mask = (array[number].copy() for array in (each.voxels, each.roi))
        cases.append(rd.Case(image, mask, each.id, each.spacing_mm[1:], each.patient, each.label))
    return cases


def breast():
    """Return 150 pictures of breast ultrasound, 30 of them malignant; the region is the whole picture."""
    stored = np.load(DATA / "breastmnist" / "breastmnist.npz")
    pictures, label = stored["train_images"], 1 - stored["train_labels"].ravel().astype(int)
    rng = np.random.default_rng(0)
    chosen = np.concatenate([rng.permutation(np.flatnonzero(label == k))[:n] for k, n in ((0, 120), (1, 30))])
    whole = np.ones(pictures.shape[1:], bool)
    return [case(pictures[k], f"picture-{k}", None, label[k], whole) for k in np.sort(chosen)]


def case(image, name, patient, label, mask=None):
    mask = image > 0 if mask is None else mask
    return rd.Case(image.copy(), mask, name, (1.0, 1.0), patient, int(label))


COHORTS = {"LIDC": lidc, "sarcoma PET": sarcoma, "BreastMNIST": breast}


def studied(name, cases, labels):
    """Return the results of all models by name."""
    extractor = radiomics(name)
    models = {
        "as it is": make_pipeline(extractor, FOREST),
        "oversampled": make_pipeline(extractor, RandomOverSampler(random_state=0), FOREST),
        "SMOTE": make_pipeline(extractor, SMOTE(k_neighbors=3, random_state=0), FOREST),
        MADE: make_pipeline(generator(name), extractor, FOREST),
    }
    return rd.cross_validate_models(models, cases, labels, cv=3, n_repeats=1, positive=1)


def radiomics(name):
    families = TEXTURE if name == "BreastMNIST" else ["shape2D", *TEXTURE]
    return rd.RadiomicsExtractor(bin_count=32, families=families)


def generator(name):
    return rd.LesionGenerator(epochs=EPOCHS[name], device="cpu", n_threads=1)


def row_of(result, compared):
    """Return the AUC and the difference to the model as it is (None for that itself), with intervals."""
    row = {"AUC (95 % interval)": spelled(result.primary.auc, result.primary.confidence_interval)}
    if compared is None:
        return row | {"less as it is": "-", "p": "-"}
    return row | {
        "less as it is": spelled(compared.difference, compared.confidence_interval),
        "p": f"{compared.p_value:.2g}",
    }


def spelled(value, interval):
    return f"{value:.3f} ({interval.low:.2f} to {interval.high:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(COHORTS)}")
    names = parser.parse_args().names or list(COHORTS)
    warnings.simplefilter("once")
    rows, remarks, differences, ratios = {}, [], {}, {}
    for name in names:
        cases = COHORTS[name]()
        labels = np.array([each.label for each in cases])
        add_study(rows, differences, name, name, cases, labels)
        remark, ratios[name] = distance(name, cases, labels)
        remarks.append(f"- {name}: {remark}")
        write_section(rows, remarks, verdict(differences, ratios))
    if "LIDC" in names:
        cases = lidc()
        shuffled = np.random.default_rng(1).permutation([each.label for each in cases])
        add_study(rows, differences, NULL, "LIDC", cases, shuffled)
        write_section(rows, remarks, verdict(differences, ratios))


def add_study(rows, differences, title, name, cases, labels):
    """Add a row for each model of a study, and its difference to the model as it is."""
    results = studied(name, cases, labels)
    for model, result in results.items():
        compared = None if model == "as it is" else rd.compare_auc(result, results["as it is"])
        if compared is not None:
            differences[title, model] = compared
        rows[f"{title}: {model}"] = row_of(result, compared)
        print(title, model, rows[f"{title}: {model}"], flush=True)


def distance(name, cases, labels):
    """Return how far generated cases are from the real ones that the generator was fitted to, as text and a ratio."""
    start = time.process_time()
    fitted = generator(name).fit(cases, labels)
    seconds = time.process_time() - start
    generated = [part for label in (0, 1) for part in fitted.generate(label, int((labels == label).sum()))]
    tables = [rd.extract_table(radiomics(name), part).dropna(axis=1) for part in (cases, generated)]
    shared = tables[0].columns.intersection(tables[1].columns)
    distances = rd.compare_generated(*(table[shared] for table in tables))
    diversity = " and ".join(f"{value:.0%}" for value in fitted.diversity_)
    text = f"{distances}; diversity by class {diversity} of the real; one training {seconds:.0f} s of CPU"
    return text, distances.distance / distances.reference


def verdict(differences, ratios):
    """Return what the numbers say."""
    of_generated = [f"{each.difference:+.3f} ({name})" for (name, model), each in differences.items() if model == MADE]
    of_others = max(abs(each.difference) for (_, model), each in differences.items() if model != MADE)
    clear = [
        f"{model} on {name}"
        for (name, model), each in differences.items()
        if not each.confidence_interval.low <= 0 <= each.confidence_interval.high
    ]
    holds = f"the intervals of {', '.join(clear)} leave out 0" if clear else "every interval of a difference holds 0"
    apart = ", ".join(f"{ratio:.1f} times ({name})" for name, ratio in ratios.items())
    return (
        f"Generated lesions changed the AUC by {', '.join(of_generated)}, oversampling and SMOTE by {of_others:.3f} at "
        f"most; {holds}. Fréchet distances of generated to real lesions are {apart} those of real halves."
    )


def write_section(rows, remarks, verdict_of_rows):
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    intro = (
        "Forest of 300 trees on radiomics of the largest slice, 3-fold by patient, one seed: 120 nodules (24 "
        "malignant), 51 sarcomas (19 with metastases), 150 ultrasound pictures (30 malignant). Generators are fitted "
        f"in every fold, in 160 (PET) or 240 steps, and fill the smaller class; one thread, {memory:.1f} GB at most."
    )
    table = markdown(pd.DataFrame.from_dict(rows, orient="index").rename_axis("cohort and model"))
    text = "\n".join(["## Generated lesions", intro, "", table, "", *remarks, "", verdict_of_rows])
    PAGE.write_text(written(PAGE.read_text(), "generated-lesions", text))
    print(text, flush=True)


if __name__ == "__main__":
    main()
