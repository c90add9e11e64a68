"""Scores against those that Weka 3.9.7 printed for the same tables."""

import numpy as np
import pandas as pd
import pytest

from radiodeep import ReliefF, SymmetricUncertainty
from radiodeep.selection.discretize import MDLDiscretizer

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
    np.testing.assert_allclose(scores, golden.iloc[:, -1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SETS[1:])
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
