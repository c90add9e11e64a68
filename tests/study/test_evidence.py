"""Outcomes of folds become one result."""

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from radiodeep import ReliefF, cross_validated_auc
from radiodeep.exceptions import StudyError
from radiodeep.study.evidence import _effective_n_features, _size_correlations, selections_of, stability_of
from radiodeep.study.folds.fitting import FoldOutcome, Selection


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


def test_constant_features_that_end_in_nan_scores_are_named():
    X, y = table()
    flat = X.assign(f0=0.0)[["f0"]]
    with (
        np.errstate(all="ignore"),
        pytest.raises(StudyError, match="a score of nan. Look for features that are constant"),
    ):
        cross_validated_auc(GaussianNB(var_smoothing=0), flat, y, cv=5)


def test_the_table_of_folds_tells_who_was_tested_and_what_was_selected():
    X, y = table(20)
    result = cross_validated_auc(make_pipeline(ReliefF(2), GaussianNB()), X, y, cv=4, n_repeats=2)
    folds = result.folds
    assert folds["repeat"].tolist() == [0] * 4 + [1] * 4
    assert (folds["n_train"] + folds["n_test"] == 20).all()
    assert sorted(name for names in folds["test_ids"][:4] for name in names) == sorted(X.index)
    assert folds["n_candidates"].tolist() == [5] * 8
    assert folds["selected_features"].map(len).tolist() == [2] * 8
    for name, row in result.predictions.iterrows():
        assert name in folds.loc[row["fold"], "test_ids"]
        assert row["fold"] >= 4  # of the last repeat


def outcome(names, n_candidates=6, size_correlations=None, effective_n_features=None):
    selection = Selection(names, n_candidates, effective_n_features, size_correlations)
    return FoldOutcome(None, selection, ())


def test_features_selected_in_half_of_the_measured_folds_have_the_mean_of_their_correlations_with_size():
    outcomes = [
        outcome(["a", "b"], size_correlations=[0.2, 0.5]),
        outcome(["a", "c"], size_correlations=[0.4, np.nan]),
        outcome(["a", "c"], size_correlations=[np.nan, np.nan]),
        outcome(["b", "d"], size_correlations=[0.7, 1.0]),
        outcome(["d", "e"]),  # not measured
    ]
    correlations = _size_correlations(selections_of(outcomes))
    assert correlations == {"a": pytest.approx(0.3), "b": pytest.approx(0.6)}


def test_the_effective_number_of_features_is_the_mean_over_the_measured_folds():
    outcomes = [outcome(["a"], effective_n_features=2.0), outcome(["a"], effective_n_features=1.0), outcome(["b"])]
    assert _effective_n_features(selections_of(outcomes)) == 1.5
    assert _effective_n_features(selections_of([outcome(["a"]), FoldOutcome(None, None, ())])) is None


def test_stability_needs_all_folds_to_select_from_the_same_features():
    assert stability_of(selections_of([outcome(["a"]), outcome(["a"])]), [0, 0]).kuncheva == 1
    assert stability_of(selections_of([outcome(["a"])]), [0, 0]) is None
    assert stability_of(selections_of([outcome(["a"]), FoldOutcome(None, None, ())]), [0, 0]) is None
    assert stability_of(selections_of([outcome(["a"]), outcome(["a"], n_candidates=7)]), [0, 0]) is None
    assert stability_of(selections_of([outcome(["a"], n_candidates=1), outcome(["b"], n_candidates=1)]), [0, 0]) is None
