"""One measured line each for parts of models that no other section shows -> a section of data/RESULTS.md.

    python benchmarks/measured_lines.py [--predictions FILE.npz]

Small networks on public data, the same folds for all: fine classes summed to coarse ones, regression by its intraclass
correlation, snapshots, auxiliary numbers, and layers frozen at first. Predictions are kept in the file, so that a run
that was stopped goes on.
"""

import argparse
import resource
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from ordered_tables import Kept, difference_of_auc
from results import DATA, PAGE, markdown, written
from scipy.ndimage import zoom
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd

PLAN = {"epochs": 6, "n_views": 2, "learning_rate": 1e-3, "schedule": "one-cycle", "validation_fraction": 0.0}
NETWORK = ("radiodeep-mini", "packaged")  # whose layers are all tuned
SIDE = 48
TREE = {1: 0, 2: 0, 4: 1, 5: 1}  # ratings of malignancy
AUXILIARY = ["sphericity", "compactness2", "entropy_N", "skewness_N", "standardDeviation_N", "diameter"]
DIFFERENCE = "difference (95 % interval)"
TUNED = {"n_iterations": 6, "step": 3, "seed": 0}


def nodules():
    """Return images (882, side, side) of boxes of nodules, and a table with exams, ratings and radiomics features."""
    stored = np.load(DATA / "lidc_nodule_slices" / "lidc882_slices64.npz", allow_pickle=True)
    table = pd.read_csv(DATA / "lidc_nodule_slices" / "solidNodules_radiomics.csv", dtype={"nodule_id": str})
    keys = ["exam_id", "nodule_id"]
    facts = pd.DataFrame({name: stored[name].astype(str) for name in keys} | {"rating": stored["malignancy"]})
    features = table.drop_duplicates(keys).drop(columns=["malignancy", "class"])
    facts = facts.merge(features, how="left", on=keys, validate="one_to_one")
    slices = pd.DataFrame({"nodule": stored["nodule_index"], "area": (stored["images"] > 0).sum(axis=(1, 2))})
    boxes = []
    for largest in slices.groupby("nodule")["area"].idxmax():
        pixels = stored["images"][largest].astype(np.float32) / 255
        rows, columns = (np.flatnonzero((pixels > 0).any(axis=axis)) for axis in (1, 0))
        box = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        boxes.append(zoom(box, (SIDE / box.shape[0], SIDE / box.shape[1]), order=1).clip(0, 1))
    return np.stack(boxes), facts


def out_of_fold(kept, folds, name, compute, n_cases):
    """Return the predictions of ``compute(train, test)`` over all folds, and their seconds."""
    result = np.zeros(n_cases)
    seconds = 0.0
    for number, (train, test) in enumerate(folds):
        result[test], taken = kept.of(f"{name}: {number}", partial(compute, train, test))
        seconds += taken
    return result, seconds


def of_classes(model, images, y, exams):
    """Return a function of a fold that gives the probability of the last class."""

    def compute(train, test):
        fitted = clone(model).fit(images[train], y[train], **({"groups": exams[train]} if exams is not None else {}))
        return fitted.predict_proba(images[test])[:, -1]

    return compute


def icc_difference(truth, first, second, exams, n_resamples=300):
    """Return the difference of two intraclass correlations with an interval by bootstrapping exams, as text."""

    def icc(rows, predicted):
        return rd.intraclass_correlation(truth[rows], predicted[rows]).icc

    members = [np.flatnonzero(exams == exam) for exam in np.unique(exams)]
    rng = np.random.default_rng(0)
    everyone = np.arange(len(truth))
    differences = []
    for _ in range(n_resamples):
        rows = np.concatenate([members[number] for number in rng.integers(0, len(members), len(members))])
        differences.append(icc(rows, first) - icc(rows, second))
    low, high = np.percentile(differences, [2.5, 97.5])
    return f"{icc(everyone, first) - icc(everyone, second):+.3f} ({low:+.2f} to {high:+.2f})"


def auc_row(y, exams, first, second, seconds):
    """Return the texts of a line: the AUC of both, their difference by exam, and seconds of each."""
    codes = None if exams is None else np.unique(exams, return_inverse=True)[1]
    shown = [f"{rd.auc_with_confidence(y, score).auc:.3f}" for score in (first, second)]
    return {
        "with": f"AUC {shown[0]}",
        "without": f"AUC {shown[1]}",
        DIFFERENCE: difference_of_auc(y, first, second, codes),
        "seconds": " / ".join(f"{each:.0f}" for each in seconds),
    }


def lines_of_nodules(path):
    """Return the lines on nodules of LIDC-IDRI, 3-fold by exam."""
    images, facts = nodules()
    ratings = facts["rating"].to_numpy().astype(int)
    y = (ratings > 3).astype(int)
    exams = facts["exam_id"].to_numpy()
    folds = list(StratifiedGroupKFold(3, shuffle=True, random_state=0).split(images, y, exams))
    measured = partial(out_of_fold, Kept(path), folds, n_cases=len(y))
    network = rd.CNNClassifier(*NETWORK, **PLAN)
    plain, plain_seconds = measured("plain", of_classes(network, images, y, exams))
    fine, fine_seconds = measured("fine", of_classes(rd.CoarseFromFine(network, TREE), images, ratings, None))
    snapshots = rd.CNNClassifier(*NETWORK, **PLAN | {"schedule": "constant"}, n_snapshots=3)
    cycles, cycles_seconds = measured("snapshots", of_classes(snapshots, images, y, exams))
    seeds, seeds_seconds = measured(
        "seeds", of_classes(rd.CNNClassifier(*NETWORK, **PLAN, n_seeds=3), images, y, exams)
    )

    def with_auxiliary(train, test):
        numbers = facts[AUXILIARY].iloc[train].reset_index(drop=True)
        return of_classes(rd.CNNClassifier(*NETWORK, **PLAN, auxiliary=numbers), images, y, exams)(train, test)

    auxiliary, auxiliary_seconds = measured("auxiliary", with_auxiliary)

    def by_network(train, test):
        return rd.CNNRegressor(*NETWORK, **PLAN).fit(images[train], ratings[train], exams[train]).predict(images[test])

    features = facts.drop(columns=["exam_id", "nodule_id", "rating"]).fillna(0).to_numpy()

    def by_forest(train, test):
        return RandomForestRegressor(100, random_state=0).fit(features[train], ratings[train]).predict(features[test])

    numbers, numbers_seconds = measured("regression", by_network)
    forest, forest_seconds = measured("forest", by_forest)
    measures = [rd.intraclass_correlation(ratings, predicted).icc for predicted in (numbers, forest)]
    return {
        "ratings 1, 2, 4, 5 summed to two classes, against two classes": auc_row(
            y, exams, fine, plain, (fine_seconds, plain_seconds)
        ),
        "three snapshots of one training, against its end": auc_row(
            y, exams, cycles, plain, (cycles_seconds, plain_seconds)
        ),
        "three snapshots, against three seeds": auc_row(y, exams, cycles, seeds, (cycles_seconds, seeds_seconds)),
        "six radiomics features as auxiliary tasks, against none": auc_row(
            y, exams, auxiliary, plain, (auxiliary_seconds, plain_seconds)
        ),
        "rating as a number: network, against a forest on 71 radiomics features": {
            "with": f"ICC {measures[0]:.3f}",
            "without": f"ICC {measures[1]:.3f}",
            DIFFERENCE: icc_difference(ratings, numbers, forest, exams),
            "seconds": f"{numbers_seconds:.0f} / {forest_seconds:.0f}",
        },
    }


def lines_of_ultrasound(path):
    """Return the lines on BreastMNIST, its official split: the last layer alone first, then all layers."""
    stored = np.load(DATA / "breastmnist" / "breastmnist.npz")
    pictures = np.concatenate([stored[f"{part}_images"] for part in ("train", "val", "test")])
    y = np.concatenate([stored[f"{part}_labels"].ravel() for part in ("train", "val", "test")]) == 0
    cases = np.empty(len(y), dtype=object)
    for number, picture in enumerate(pictures):
        cases[number] = rd.Case(picture, np.ones_like(picture), id=f"picture {number}", spacing_mm=(1.0, 1.0))
    n_test = len(stored["test_images"])
    folds = [(np.arange(len(y) - n_test), np.arange(len(y) - n_test, len(y)))]
    measured = partial(out_of_fold, Kept(path), folds, n_cases=len(y))
    plans = {
        "frozen": None,
        "all": rd.FineTuning(**TUNED),
        "head first": rd.FineTuning(**TUNED, head_iterations=2),
    }
    scores, seconds = {}, {}
    for name, plan in plans.items():
        deep = rd.DeepFeatureExtractor("radiodeep-mini", size=32, fine_tune=plan)
        model = make_pipeline(deep, StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        score, seconds[name] = measured(f"tuning {name}", of_classes(model, cases, y.astype(int), None))
        scores[name] = score[-n_test:]
    truth = y[-n_test:].astype(int)
    return {
        f"last layer first, then all layers, against {words}": auc_row(
            truth, None, scores["head first"], scores[other], (seconds["head first"], seconds[other])
        )
        for other, words in (("all", "all layers at once"), ("frozen", "frozen features"))
    }


def sentence(rows):
    """Return which lines differ, by intervals without 0."""
    signs = {
        name: {part.strip()[0] for part in row[DIFFERENCE].split("(")[1].split("to")} for name, row in rows.items()
    }
    parts = [
        f"{word}: {', '.join(name for name, found in signs.items() if found == {sign}) or 'none'}"
        for word, sign in (("better", "+"), ("worse", "-"))
    ]
    return f"By intervals without 0, {'; '.join(parts)}. For all other lines these cases do not tell the two apart."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path, default=Path("measured_lines.npz"))
    path = parser.parse_args().predictions
    rows = lines_of_nodules(path)
    rows |= lines_of_ultrasound(path)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    intro = (
        f"Nodules of LIDC-IDRI (882, the box of the largest slice as {SIDE} x {SIDE} pixels, so without size), all "
        "layers of `radiodeep-mini` tuned, 6 epochs of 2 views, 3-fold by exam, intervals by exam (DeLong; ICC: 300 "
        "bootstrap samples of exams); the forest sees size. The "
        "last two lines: BreastMNIST, 624 to train and 156 to test, packaged weights at 32 pixels, 6 iterations, then "
        f"ridge logistic regression. One seed and one thread, at most {memory:.0f} MB; seconds are those of all folds."
    )
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("what")
    text = "\n".join(["## One line each", intro, "", markdown(table), "", sentence(rows)])
    PAGE.write_text(written(PAGE.read_text(), "measured-lines", text))
    print(text)


if __name__ == "__main__":
    main()
