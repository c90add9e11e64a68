"""OrderedTableCNN beside logistic regression and a forest, on made-up and real tables -> a section of data/RESULTS.md.

    python benchmarks/ordered_tables.py [--predictions FILE.npz]

Predictions are kept in the file, so that a run that was stopped goes on. Each is out of fold (made-up data: of 1,000
new cases) and the mean of the repeats; intervals and differences are those of DeLong over patients, so they hold for
these trained models and leave out how much another training set would change.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from results import DATA, PAGE, markdown, written
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
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
SENTENCE = ""


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
REAL = {  # and the number of repeats
    "GSE7390, metastasis": (expression, 2),
    "LNDb, malignancy": (nodules, 2),
    "digits row by row, odd": (digits, 1),
    "breast masses, malignancy": (lambda: load_breast_cancer(return_X_y=True), 1),
}


def predicted(model, X, y, n_repeats):
    """Return the probability of the second class: out of fold, or of new cases (NaN before them) if no repeats."""
    score = np.zeros(len(y))
    if not n_repeats:
        score[:N_TRAIN] = np.nan
        score[N_TRAIN:] = clone(model).fit(X[:N_TRAIN], y[:N_TRAIN]).predict_proba(X[N_TRAIN:])[:, 1]
        return score
    for train, test in RepeatedStratifiedKFold(n_splits=5, n_repeats=n_repeats, random_state=0).split(X, y):
        score[test] += clone(model).fit(X[train], y[train]).predict_proba(X[test])[:, 1] / n_repeats
    return score


def difference_of_auc(y, first, second, patients=None):
    """Return the difference of two AUCs on the same cases, with the interval of DeLong over patients, as text."""
    aucs, covariance = delong_covariance(y == 1, np.stack([first, second]), patients)
    difference = aucs[0] - aucs[1]
    margin = 1.96 * np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return f"{difference:+.3f} ({difference - margin:+.2f} to {difference + margin:+.2f})"


def table_of(path):
    """Return the rows of the section; predictions are read from a file and added to it."""
    kept = dict(np.load(path)) if path.exists() else {}
    rows = {}
    tables = {name: (make, 0) for name, make in MADE_UP.items()} | REAL
    for name, (make, n_repeats) in tables.items():
        X, y = make()
        row = {"cases": f"{N_TRAIN} + 1000" if not n_repeats else len(y), "columns": X.shape[1]}
        shown = slice(0 if n_repeats else N_TRAIN, None)
        scores = {}
        for model_name, model in MODELS.items():
            key = f"{name}: {model_name}"
            if key not in kept:
                start = time.process_time()
                kept[key] = predicted(model, X, y, n_repeats)
                kept[f"{key}: seconds"] = np.array(time.process_time() - start)
                np.savez(path, **kept)
            scores[model_name] = kept[key][shown]
            found = rd.auc_with_confidence(y[shown], scores[model_name])
            interval = found.confidence_interval
            row[model_name] = f"{found.auc:.3f} ({interval.low:.2f} to {interval.high:.2f})"
        best = max(list(MODELS)[:2], key=lambda one: rd.auc_with_confidence(y[shown], scores[one]).auc)
        for model_name in list(MODELS)[2:]:
            column = f"{model_name.removeprefix('CNN, ')} less the better of the two"
            row[column] = difference_of_auc(y[shown], scores[model_name], scores[best])
        row["seconds of a fit, given"] = f"{kept[f'{name}: CNN, order given: seconds'] / max(5 * n_repeats, 1):.1f}"
        rows[name] = row
        print(name, row, flush=True)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("table")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path, default=Path("ordered_tables.npz"))
    table = table_of(parser.parse_args().predictions)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    intro = (
        "`OrderedTableCNN()` and `OrderedTableCNN(order='spearman', combination='mean')`, otherwise with the defaults "
        "(40 epochs, one network), ridge logistic regression (C = 0.1) and a forest of 300 trees; 5-fold x 2 (digits "
        "and masses x 1), made-up data: trained on 300, tested on 1,000. One seed, one thread, at most "
        f"{memory:.0f} MB."
    )
    text = "\n".join(["## Tables whose columns have an order", intro, "", markdown(table), "", SENTENCE])
    PAGE.write_text(written(PAGE.read_text(), "ordered-tables", text))
    print(text)


if __name__ == "__main__":
    main()
