"""ANOVA and naive Bayes on fourteen public tables: the AUCs that the benchmark radMLBench has published."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.naive_bayes import GaussianNB

NAMES = [
    *("Ahn2021", "C4KC-KiTS", "Deng2023", "Fusco2022", "Granata2024", "HCC-TACE-Seg", "HNSCC", "Head-Neck-PET-CT"),
    *("LNDb", "NSCLC-Radiogenomics", "QIN-HEADNECK", "Ramella2018", "Song2020", "WORC-Lipo"),
]


def number_of(text):
    """Return a number as pandas 2 read it, which could be off by a bit: that decides whether a column is constant."""
    mantissa, _, exponent = text.partition("e")
    whole, _, decimals = mantissa.lstrip("-").partition(".")
    digits = (whole + decimals)[:17]
    value = float(digits[:15])  # exactly
    for digit in digits[15:]:
        value = value * 10.0 + int(digit)
    power = int(exponent or 0) - (len(digits) - len(whole))
    value = value * float(f"1e{power}") if power > 0 else value / float(f"1e{-power}")
    return -value if text.startswith("-") else value


def probabilities_of(model, X):
    """Return probabilities of the second class, rounded as scipy did until 1.14: near 1 that decides between ties."""
    joint = model.predict_joint_log_proba(X)
    largest = joint.max(axis=1, keepdims=True)
    total = largest + np.log(np.exp(joint - largest).sum(axis=1, keepdims=True))
    return np.exp(joint - total)[:, 1]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_anova_and_naive_bayes_have_the_published_auc(reference_data, name):
    folder = reference_data / "radmlbench"
    table = pd.read_csv(folder / f"{name}.csv.gz", dtype=str)
    X = table.drop(columns=["ID", "Target"]).map(number_of).to_numpy()
    y = table["Target"].isin(["1", "True"]).to_numpy().astype(int)
    trials = pd.read_csv(folder / f"trials_{name}.csv.gz")
    trials = trials[(trials["params_fs_method"] == "ANOVA") & (trials["params_clf_method"] == "NaiveBayes")]
    assert sorted(trials["params_N"]) == [1, 2, 4, 8, 16, 32, 64]
    for n_features, published in zip(trials["params_N"], trials["value"], strict=True):
        probability = np.empty(len(y))
        for train, test in RepeatedStratifiedKFold(n_splits=10, n_repeats=1, random_state=463).split(X, y):
            selector = SelectKBest(f_classif, k=min(int(n_features), X.shape[1])).fit(X[train], y[train])
            bayes = GaussianNB().fit(selector.transform(X[train]), y[train])
            probability[test] = probabilities_of(bayes, selector.transform(X[test]))
        assert roc_auc_score(y, probability) == pytest.approx(published, rel=0, abs=1e-12), n_features
