"""OrderedTableCNN beside logistic regression and a forest, on made-up and real tables -> a section of data/RESULTS.md.

    python benchmarks/ordered_tables.py [--predictions FILE.npz] [--tables NAME ...] [--repeats 2]

Predictions are kept in the file, so that a run that was stopped goes on. Each is out of fold (made-up data: of 1,000
new cases) and the mean of the repeats; intervals and differences are those of DeLong over patients, so they hold for
these trained models and leave out how much another training set would change.
"""

import argparse
import resource
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from results import DATA, PAGE, markdown, written
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.datasets import load_breast_cancer as load_gse7390

import radiodeep as rd
from radiodeep.study.statistics.auc import delong_covariance

MODELS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)),
    "forest": RandomForestClassifier(300, random_state=0),
    "CNN, order given": rd.OrderedTableCNN(),
    "CNN, Spearman clusters": rd.OrderedTableCNN(order="spearman", combination="mean"),
}
MOTIF = 2.0 * np.array([1, -1, 1, 1, -1, 1])
N_TRAIN = 300
SENTENCE = (
    "A pattern of neighbouring columns at a random place is found by the network and hardly by the others. On the real "
    "tables, and where there is no such pattern, logistic regression or a forest is better than the columns in their "
    "given order; on the expression of 76 genes, which are in no order, Spearman clusters make up for most of the "
    "loss. Take a forest or logistic regression unless neighbouring columns belong together."
)


def motif(correlation=0.0, shuffled=False):
    """Return 1,300 cases of 64 columns; those of the second class have the motif, at a random place."""
    rng = np.random.default_rng(0)
    y = np.arange(N_TRAIN + 1000) % 2
    X = rng.normal(size=(len(y), 64))
    for column in range(1, 64):
        X[:, column] = correlation * X[:, column - 1] + np.sqrt(1 - correlation**2) * X[:, column]
    for case in np.flatnonzero(y):
        place = rng.integers(0, 64 - len(MOTIF) + 1)
        X[case, place : place + len(MOTIF)] += MOTIF
    return X[:, rng.permutation(64)] if shuffled else X, y


def without_order():
    """Return 1,300 cases of 64 columns, eight of which, at random places, are higher in the second class."""
    rng = np.random.default_rng(1)
    y = np.arange(N_TRAIN + 1000) % 2
    X = rng.normal(size=(len(y), 64))
    X[:, rng.permutation(64)[:8]] += 0.4 * y[:, np.newaxis]
    return X, y


def expression():
    """Return 76 genes of breast cancers (GSE7390) and whether they metastasised within five years."""
    table, outcome = load_gse7390()
    is_early = outcome["e.tdm"] & (outcome["t.tdm"] < 5 * 365.25)
    is_known = is_early | (outcome["t.tdm"] >= 5 * 365.25)
    genes = table.filter(regex="^X").to_numpy(dtype=float)
    return genes[is_known], is_early[is_known].astype(int)


def nodules():
    """Return the table LNDb of radMLBench."""
    table = pd.read_csv(DATA / "radmlbench" / "LNDb.csv.gz")
    return table.drop(columns=["ID", "Target"]).to_numpy(), table["Target"].to_numpy()


def digits():
    """Return 500 digits, the rows of their pixels one after the other, and whether they are odd."""
    X, y = load_digits(return_X_y=True)
    return X[:500], y[:500] % 2


MADE_UP = {
    "motif at a random place": motif,
    "motif, correlated columns in shuffled order": lambda: motif(0.8, shuffled=True),
    "eight columns, no order": without_order,
}
REAL = {
    "GSE7390, metastasis": expression,
    "LNDb, malignancy": nodules,
    "digits row by row, odd": digits,
    "breast masses, malignancy": lambda: load_breast_cancer(return_X_y=True),
}


def predicted(model, X, y, repeat=None):
    """Return the probability of the second class out of fold, in one repeat; without one, that of the new cases."""
    score = np.zeros(len(y))
    if repeat is None:
        score[N_TRAIN:] = clone(model).fit(X[:N_TRAIN], y[:N_TRAIN]).predict_proba(X[N_TRAIN:])[:, 1]
        return score
    for train, test in StratifiedKFold(5, shuffle=True, random_state=repeat).split(X, y):
        score[test] = clone(model).fit(X[train], y[train]).predict_proba(X[test])[:, 1]
    return score


class Kept:
    """Predictions by name, read from a file and added to it, with the seconds that they took."""

    def __init__(self, path):
        self.path = path
        self.values = dict(np.load(path)) if path.exists() else {}

    def of(self, name, compute):
        """Return the result of `compute`, from the file if it is there, and its seconds."""
        if name not in self.values:
            start = time.process_time()
            self.values[name] = compute()
            self.values[f"{name}: seconds"] = np.array(time.process_time() - start)
            np.savez(self.path, **self.values)
        return self.values[name], float(self.values[f"{name}: seconds"])


def difference_of_auc(y, first, second, patients=None):
    """Return the difference of two AUCs on the same cases, with the interval of DeLong over patients, as text."""
    aucs, covariance = delong_covariance(y == 1, np.stack([first, second]), patients)
    difference = aucs[0] - aucs[1]
    margin = 1.96 * np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return f"{difference:+.3f} ({difference - margin:+.2f} to {difference + margin:+.2f})"


def table_of(path, names, n_repeats):
    """Return the rows of the section; predictions are read from a file and added to it."""
    kept = Kept(path)
    rows = {}
    for name in names:
        is_real = name in REAL
        X, y = (REAL if is_real else MADE_UP)[name]()
        row = {"cases": len(y) if is_real else f"{N_TRAIN} + 1000", "columns": X.shape[1]}
        shown = slice(0 if is_real else N_TRAIN, None)
        scores, seconds = {}, {}
        for model_name, model in MODELS.items():
            of_repeats = [
                kept.of(f"{name}: {model_name}: {repeat}", partial(predicted, model, X, y, repeat))
                for repeat in (range(n_repeats) if is_real else [None])
            ]
            scores[model_name] = np.mean([score[shown] for score, _ in of_repeats], axis=0)
            seconds[model_name] = np.mean([taken for _, taken in of_repeats]) / (5 if is_real else 1)
            found = rd.auc_with_confidence(y[shown], scores[model_name])
            interval = found.confidence_interval
            row[model_name] = f"{found.auc:.3f} ({interval.low:.2f} to {interval.high:.2f})"
        best = max(list(MODELS)[:2], key=lambda one: rd.auc_with_confidence(y[shown], scores[one]).auc)
        for model_name in list(MODELS)[2:]:
            column = f"{model_name.removeprefix('CNN, ')} less the better of the two"
            row[column] = difference_of_auc(y[shown], scores[model_name], scores[best])
        row["seconds of a fit"] = " / ".join(f"{taken:.1f}" for taken in seconds.values())
        rows[name] = row
        print(name, row, flush=True)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("table")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path, default=Path("ordered_tables.npz"))
    parser.add_argument("--tables", nargs="*", default=[*MADE_UP, *REAL])
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    table = table_of(options.predictions, options.tables, options.repeats)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    intro = (
        "`OrderedTableCNN()` and `OrderedTableCNN(order='spearman', combination='mean')`, otherwise with the defaults "
        "(50 epochs, one network), ridge logistic regression (C = 0.1) and a forest of 300 trees; 5-fold x "
        f"{options.repeats}, synthetic data: trained on 300, tested on 1,000. One seed, one thread, {memory:.0f} MB."
    )
    text = "\n".join(["## Tables whose columns have an order", intro, "", markdown(table), "", SENTENCE])
    PAGE.write_text(written(PAGE.read_text(), "ordered-tables", text))
    print(text)


if __name__ == "__main__":
    main()
