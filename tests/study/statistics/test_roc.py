"""The ROC curve that belongs to an AUC, and its band, against pROC and simulations."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve

from radiodeep import cross_validated_auc, roc_band
from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.roc import roc_of

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture
def scores():
    rng = np.random.default_rng(5)
    y = np.r_[np.zeros(150, int), np.ones(100, int)]
    return y, np.round(rng.normal(size=250) + 1.2 * y, 2)


def test_curve_and_band_of_one_model_are_those_of_proc(result_of, scores):
    expected = pd.read_csv(GOLDEN / "roc_band_proc.csv", comment="#")
    result = result_of(*scores)
    assert result.auc == pytest.approx(0.8296667, abs=1e-6)
    band = roc_band(result).set_index("false_rate")
    band.index = np.round(band.index, 6)
    band = band.loc[expected["false_rate"]]
    np.testing.assert_allclose(band["true_rate"], expected["true_rate"], atol=0.021)  # at a step either end is right
    widths, of_proc = band["high"] - band["low"], expected["high"] - expected["low"]
    np.testing.assert_allclose(widths, of_proc, atol=0.06)
    np.testing.assert_allclose(band[["low", "high"]], expected[["low", "high"]], atol=0.06)
    false_rate, true_rate = roc_of(result)
    of_sklearn = roc_curve(*scores, drop_intermediate=False)
    np.testing.assert_allclose(np.interp(0.123, false_rate, true_rate), np.interp(0.123, *of_sklearn[:2]))


@pytest.mark.slow
def test_the_band_of_one_model_holds_the_true_sensitivity(result_of):
    from scipy.stats import norm

    rng, points = np.random.default_rng(0), [1, 2, 3]
    truth = norm.sf(norm.isf(np.array(points) / 5) - 1.0)
    covered = []
    for _ in range(150):
        y = np.arange(80) % 2
        band = roc_band(result_of(y, rng.normal(size=80) + y), n_points=6).loc[points]
        covered.append((band["low"] <= truth) & (truth <= band["high"]))
    assert 0.92 <= np.mean(covered) <= 0.995


def test_the_band_of_repeated_folds_is_wider_than_that_of_one_model_and_never_falls(result_of):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    result = cross_validated_auc(LogisticRegression(), rng.normal(size=(60, 2)) + y[:, None], y, cv=5)
    band = roc_band(result)
    assert np.trapezoid(*roc_of(result)[::-1]) == pytest.approx(result.auc)
    single = roc_band(result_of(y, result.scores[0].to_numpy()))
    inner = slice(10, 90)
    assert ((band["high"] - band["low"])[inner] > 1.3 * (single["high"] - single["low"])[inner]).mean() > 0.9
    bounds = band[["low", "true_rate", "high"]]
    assert (np.diff(bounds, axis=0) >= 0).all()
    assert (np.diff(bounds, axis=1) >= -1e-12).all()
    assert band.iloc[-1].tolist() == [1, 1, 1, 1]


def test_nothing_is_certain_at_false_positive_rates_of_less_than_one_case(result_of):
    y = np.arange(40) % 2
    band = roc_band(result_of(y, y + np.linspace(0, 0.1, 40)))  # 20 negative cases, and no errors
    assert (band["low"][:5] == 0).all()
    assert (band["low"][5:] > 0.5).all()
    assert (band["true_rate"] == 1).all()


def test_patients_with_several_cases_widen_the_band(result_of, scores):
    y, score = scores
    twice = roc_band(result_of(np.tile(y, 2), np.tile(score, 2), patients=np.tile(np.arange(250), 2)))
    once = roc_band(result_of(y, score))
    np.testing.assert_allclose(twice["low"][5:95], once["low"][5:95], atol=0.05)


def test_only_scores_of_the_same_fold_are_compared_if_their_scales_differ(result_of, scores):
    y, score = scores
    fold = np.arange(250) % 3
    result = result_of(y, score + 10 * fold)
    ids = result.predictions.index
    folds = pd.DataFrame({"repeat": 0, "test_ids": [list(ids[fold == number]) for number in range(3)]})
    folds["scale"] = ["a", "b", "c"]
    within = replace(result, folds=folds)
    pairs = [((y == 1) & (fold == number)).sum() * ((y == 0) & (fold == number)).sum() for number in range(3)]
    aucs = [result_of(y[fold == number], score[fold == number]).auc for number in range(3)]
    assert np.trapezoid(*roc_of(within)[::-1]) == pytest.approx(np.average(aucs, weights=pairs))
    assert roc_band(within)["low"].isna().all()


def test_results_without_valid_interval_have_a_curve_without_band(result_of, scores):
    band = roc_band(replace(result_of(*scores), variance=float("nan")))
    assert band[["low", "high"]].isna().all(axis=None)
    assert band["true_rate"].notna().all()


@pytest.mark.parametrize("n_points", [1, 2.5])
def test_a_band_needs_two_points(result_of, scores, n_points):
    with pytest.raises(StudyError, match="'n_points' parameter of roc_band must be an int >= 2. Got"):
        roc_band(result_of(*scores), n_points=n_points)


def test_other_outcomes_have_no_roc_curve():
    from sklearn.linear_model import Ridge

    from radiodeep import cross_validated_score

    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    with pytest.raises(StudyError, match="have no roc"):
        roc_band(cross_validated_score(Ridge(), X, X[:, 0] + rng.normal(size=40), cv=2, n_repeats=1))
