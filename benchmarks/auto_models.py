"""AUC of AutoClassifier on tables of the benchmark radMLBench, beside the 616 pipelines published for it.

    python benchmarks/auto_models.py FOLDER [NAME ...]

The folder holds NAME.csv.gz (features, `ID`, `Target`) and trials_NAME.csv.gz (the published pipelines). The AUC is
that of the pooled predictions of the published folds. The best fixed pipeline and the best per table were chosen by
these AUCs, so they are flattered.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold

import radiodeep as rd

FOLDS = {"n_splits": 10, "n_repeats": 1, "random_state": 463}
MODELS = {
    "auto": rd.AutoClassifier(),
    "without forests": rd.AutoClassifier(n_trees=0),
    "forest 300": RandomForestClassifier(300, random_state=0),
}


def pooled_auc(model, X, y):
    """Return the AUC of the out-of-fold scores, the seconds of a fit, and what was chosen in the folds."""
    score, seconds, chosen = np.empty(len(y)), 0.0, []
    for train, test in RepeatedStratifiedKFold(**FOLDS).split(X, y):
        start = time.process_time()
        model.fit(X[train], y[train])
        seconds += (time.process_time() - start) / FOLDS["n_splits"]
        ranks = getattr(model, "ranking_scores", lambda X: model.predict_proba(X)[:, 1])
        score[test] = ranks(X[test])
        chosen.append(getattr(model, "chosen_", ""))
    return roc_auc_score(y, score), seconds, pd.Series(chosen).value_counts().to_dict()


def published_trials(folder, names):
    """Return the AUC of each published pipeline (rows) on each table (columns)."""
    columns = {}
    for name in names:
        trials = pd.read_csv(folder / f"trials_{name}.csv.gz")
        parameters = trials.filter(like="params_")
        settings = [" ".join(map(str, row[row.notna()])) for _, row in parameters.iterrows()]
        columns[name] = trials["value"].set_axis(settings).groupby(level=0).mean()
    return pd.DataFrame(columns)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    found = sorted(path.name.removesuffix(".csv.gz") for path in arguments.folder.glob("*.csv.gz"))
    names = arguments.names or [name for name in found if not name.startswith("trials_")]
    trials = published_trials(arguments.folder, names)
    best_fixed = trials.mean(axis=1).idxmax()
    rows = {}
    for name in names:
        table = pd.read_csv(arguments.folder / f"{name}.csv.gz")
        X, y = table.drop(columns=["ID", "Target"]).to_numpy(), table["Target"].to_numpy()
        rows[name] = {"cases": len(X), "features": X.shape[1]}
        for label, model in MODELS.items():
            rows[name][label], seconds, chosen = pooled_auc(model, X, y)
            print(f"{name}, {label}: {rows[name][label]:.3f}, {seconds:.2f} s per fit {chosen or ''}", flush=True)
        of_table = trials[name]
        rows[name] |= {"median": of_table.median(), "best fixed": of_table[best_fixed], "best": of_table.max()}
    result = pd.DataFrame.from_dict(rows, orient="index").astype(float)
    result.loc["mean"] = result.mean()
    print(result.round(3).astype({"cases": int, "features": int}).to_string())
    print(f"Best fixed pipeline: {best_fixed}")


if __name__ == "__main__":
    main()
