"""Genes along chromosomes: a network that reads columns in their order, beside a forest and logistic regression.

ChrNet reads expression chromosome by chromosome: a branch of convolutions for each, joined by dense layers. TaxoNN
makes an order where there is none: correlated columns come next to each other, and a network for each cluster votes.

Different here: made-up expression of genes on a few chromosomes. In the cases of the second class neighbouring genes of
one chromosome, at a place that differs from case to case, go up and down together; single genes tell little. A table
of your own has a row per case and a column per gene; the annotation names the chromosome and the position of each gene.

python pipelines/radiogenomics_ordered_table.py
python pipelines/radiogenomics_ordered_table.py expression.csv --label response --annotation genes.csv
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd


def made_up(n_cases):
    """Return expression with labels, and the chromosome and position of each gene."""
    rng = np.random.default_rng(0)
    genes = pd.DataFrame({"chromosome": np.repeat(["1", "2", "X"], [32, 24, 8]), "position": np.arange(64)})
    genes.index = [f"gene_{number:02d}" for number in range(64)]
    labels = np.arange(n_cases) % 2
    values = rng.normal(size=(n_cases, 64))
    for case in np.flatnonzero(labels):
        place = rng.integers(0, 26)  # on the first chromosome
        values[case, place : place + 6] += [2, -2, 2, 2, -2, 2]
    table = pd.DataFrame(values, columns=genes.index, index=[f"case-{number:03d}" for number in range(n_cases)])
    return table, labels, genes


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", help="csv: case id, genes and the label")
    parser.add_argument("--label", default="label", help="column of the table")
    parser.add_argument("--annotation", type=Path, help="csv: gene, chromosome, position")
    parser.add_argument("--output", type=Path, default=Path("radiogenomics_ordered_table"), help="folder of the report")
    parser.add_argument("--n-cases", type=int, default=240, help="of the made-up table")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--n-jobs", type=int, default=-1)
    options = parser.parse_args(arguments)
    if options.table:
        if options.annotation is None:
            parser.error("the order of genes is read from --annotation")
        table = pd.read_csv(options.table, index_col=0)
        labels = table.pop(options.label).to_numpy()
        genes = pd.read_csv(options.annotation, index_col=0)
    else:
        table, labels, genes = made_up(options.n_cases)
    genes = genes.loc[genes.index.isin(table.columns)].sort_values(["chromosome", "position"])
    table = table[genes.index]
    fill = SimpleImputer(strategy="median").set_output(transform="pandas")
    by_place = rd.OrderedTableCNN(genes["chromosome"].to_dict()).set_params(epochs=options.epochs)
    by_correlation = rd.OrderedTableCNN(order="spearman", combination="mean").set_params(epochs=options.epochs)
    models = {
        "chromosomes": make_pipeline(fill, by_place),
        "Spearman clusters": make_pipeline(fill, by_correlation),
        "forest": make_pipeline(fill, RandomForestClassifier(300, random_state=0)),
        "logistic regression": make_pipeline(fill, StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)),
    }
    results = rd.cross_validate_models(models, table, labels, cv=5, n_repeats=1, n_jobs=options.n_jobs)
    for name, result in results.items():
        print(f"{name}: {result}")
    print(rd.compare_all(results, against="chromosomes").to_string(index=False))
    options.output.mkdir(parents=True, exist_ok=True)
    rd.write_report(results["chromosomes"], options.output / "report.html")


if __name__ == "__main__":
    main()
