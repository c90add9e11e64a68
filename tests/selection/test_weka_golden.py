"""Scores against those that Weka 3.8 and 3.9.7 printed for the same tables."""

import csv
import re

import numpy as np
import pandas as pd
import pytest

from radiodeep import MDLDiscretizer, ReliefF, SymmetricUncertainty

SETS = ["a_iris", "b_wdbc", "b80_wdbc", "c_synth2", "d_tinyclass"]


def table_of(folder, name):
    frame = pd.read_csv(folder / "weka_golden" / f"{name}.csv", na_values="?")
    return frame.iloc[:, :-1].to_numpy(float), frame.iloc[:, -1].to_numpy()


def golden_of(folder, name, what):
    return pd.read_csv(folder / "weka_golden" / "weka39" / f"{name}_{what}.csv")


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("n_neighbors", [1, 5, 10, 20])
def test_relieff_scores_are_wekas(reference_data, name, n_neighbors):
    X, y = table_of(reference_data, name)
    golden = golden_of(reference_data, name, f"relieff_k{n_neighbors}")
    scores = ReliefF(n_neighbors=n_neighbors).fit(X, y).scores_
    np.testing.assert_array_equal(scores, golden.iloc[:, -1])  # bit for bit


@pytest.mark.parametrize("name", SETS)
def test_relieff_weighted_by_distance_is_wekas(reference_data, name):
    X, y = table_of(reference_data, name)
    golden = golden_of(reference_data, name, "relieff_k10_W2")
    scores = ReliefF(weight_by_distance=True, sigma=2).fit(X, y).scores_
    np.testing.assert_allclose(scores, golden.iloc[:, -1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("missing", "what"), [("distribute", "su"), ("separate", "su_missingsep")])
def test_symmetric_uncertainty_is_wekas(reference_data, name, missing, what):
    X, y = table_of(reference_data, name)
    golden = golden_of(reference_data, name, what)
    scores = SymmetricUncertainty(missing=missing, threshold=None).fit(X, y).scores_
    np.testing.assert_allclose(scores, golden.iloc[:, -1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SETS)
def test_every_cut_point_is_wekas(reference_data, name):
    X, y = table_of(reference_data, name)
    golden = golden_of(reference_data, name, "mdlcuts")
    cuts = MDLDiscretizer().fit(X, y).cut_points_
    expected = [
        [float(cut) for cut in str(text).split(";")] if text == text and str(text).strip() else []
        for text in golden.iloc[:, -1]
    ]
    assert [len(cut) for cut in cuts] == [len(cut) for cut in expected]
    np.testing.assert_allclose(np.concatenate(cuts), np.concatenate(expected), rtol=1e-12)


@pytest.mark.parametrize("name", SETS)
def test_relieff_of_the_cases_that_weka_draws(reference_data, name):
    X, y = table_of(reference_data, name)
    golden = golden_of(reference_data, name, "relieff_k10_M30_D1")
    scores = ReliefF(n_samples=30, random_state=1).fit(X, y).scores_
    np.testing.assert_allclose(scores, golden.iloc[:, -1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    ("selector", "what"), [(ReliefF(), "relieff_k10"), (SymmetricUncertainty(threshold=None), "su")]
)
def test_the_order_is_that_of_wekas_ranker(reference_data, name, selector, what):
    X, y = table_of(reference_data, name)
    listed = re.findall(r"@attribute.*\{([^}]*)\}", (reference_data / "weka_golden" / f"{name}.arff").read_text())[-1]
    y = np.array([listed.split(",").index(label) for label in y])  # sums go over the classes in Weka's order
    golden = golden_of(reference_data, name, f"{what}_ranker")
    selector = selector.set_params(n_features_to_select=None, tie_order="weka").fit(X, y)
    assert np.argsort(selector.ranking_)[: len(golden)].tolist() == golden["index"].tolist()


def test_relieff_of_a_numeric_target_is_wekas(repository):
    table = pd.read_csv(repository / "data" / "reference" / "weka_numeric_target.csv")
    golden = pd.read_csv(repository / "data" / "reference" / "weka_numeric_target_scores.csv")
    names = {"-K": "n_neighbors", "-A": "sigma", "-M": "n_samples", "-D": "random_state"}
    for options, scores in golden.groupby("options"):
        settings = {names[key]: int(value) for key, value in re.findall(r"(-[KAMD]) (\d+)", options)}
        selector = ReliefF(target="numeric", weight_by_distance="-W" in options, **settings)
        found = selector.fit(table.drop(columns="target"), table["target"]).scores_
        np.testing.assert_allclose(found, scores["score"], rtol=0, atol=1e-12, err_msg=options)


def arff_table(path):
    """Return the table of an arff file with categories as numbers, the classes, and which columns are categories."""
    kinds, rows = [], []
    for line in path.read_text().splitlines():
        if line.lower().startswith("@attribute"):
            kind = re.match(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.*)", line, re.IGNORECASE)[2].strip()
            listed = next(csv.reader([kind[1:-1]], quotechar="'", skipinitialspace=True)) if kind[0] == "{" else None
            kinds.append(listed and [value.strip() for value in listed])
        elif line.strip() and line[0] not in "%@":
            values = [value.strip() for value in next(csv.reader([line], quotechar="'", skipinitialspace=True))]
            rows.append(
                [
                    np.nan if value == "?" else kind.index(value) if kind else float(value)
                    for value, kind in zip(values, kinds, strict=True)
                ]
            )
    table = np.array(rows)
    return table[:, :-1], table[:, -1], [column for column, kind in enumerate(kinds[:-1]) if kind]


@pytest.mark.parametrize(
    "name", ["breast-cancer.arff", "diabetes.arff", "glass.arff", "ionosphere.arff", "iris.arff", "labor.arff"]
)
def test_tables_of_wekas_own_are_scored_as_weka_does(reference_data, name):
    X, y, nominal = arff_table(reference_data / "weka" / name)
    golden = pd.read_csv(reference_data / "weka" / "weka38_attribute_scores.csv").query("dataset == @name")
    relieff = ReliefF(nominal_features=nominal).fit(X, y).scores_
    np.testing.assert_allclose(relieff, golden["relieff_k10"], rtol=0, atol=1e-12)
    uncertainty = SymmetricUncertainty(nominal_features=nominal, threshold=None).fit(X, y).scores_
    np.testing.assert_allclose(uncertainty, golden["symmetrical_uncertainty"], rtol=0, atol=1e-12)


def test_a_table_of_many_radiomics_features_is_scored_as_weka_does(reference_data):
    X, y, _ = arff_table(reference_data / "weka" / "worc_lipo.arff")
    golden = pd.read_csv(reference_data / "weka" / "weka38_attribute_scores.csv").query("dataset == 'worc_lipo.arff'")
    np.testing.assert_allclose(ReliefF().fit(X, y).scores_, golden["relieff_k10"], rtol=0, atol=1e-12)
    uncertainty = SymmetricUncertainty(threshold=None).fit(X, y).scores_
    np.testing.assert_allclose(uncertainty, golden["symmetrical_uncertainty"], rtol=0, atol=1e-12)
