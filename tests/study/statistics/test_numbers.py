"""Measures of predicted numbers against R, published tables and a slow plain version, and their intervals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr, t

from radiodeep import intraclass_correlation, regression_measures
from radiodeep.exceptions import InputError
from radiodeep.study.statistics import numbers
from radiodeep.study.statistics.numbers import (
    ERRORS,
    SPEARMAN,
    errors_jackknife,
    folds_to_correlate,
    spearman_jackknife,
)

GOLDEN = Path(__file__).parent / "golden"


def peak_flow():
    return pd.read_csv(GOLDEN / "peak_flow.csv")


def test_values_and_variances_by_patient_are_those_of_r():
    table = peak_flow()
    expected = pd.read_csv(GOLDEN / "peak_flow_expected.csv", comment="#", index_col="measure")
    y, predicted = table["wright"].to_numpy(dtype=float), table[["mini"]].to_numpy(dtype=float).T
    settings = np.zeros(len(y), dtype=int), table["subject"].to_numpy()
    ranked = spearman_jackknife(y, predicted, *settings)
    errors = errors_jackknife(y, predicted, *settings, np.full(len(y), y.mean()))
    np.testing.assert_allclose(ranked.values, expected.loc[[SPEARMAN], "value"], rtol=1e-10)
    np.testing.assert_allclose(ranked.variances, expected.loc[[SPEARMAN], "variance"], rtol=1e-10)
    np.testing.assert_allclose(errors.values[0], expected.loc[ERRORS, "value"], rtol=1e-10)
    np.testing.assert_allclose(errors.variances[0], expected.loc[ERRORS, "variance"], rtol=1e-10)
    measured = regression_measures(y, predicted[0], patients=table["subject"])
    np.testing.assert_allclose(measured["value"], expected.loc[measured.index, "value"], rtol=1e-10)


def test_limits_of_agreement_are_those_of_bland_and_altman():
    first = peak_flow()[:17]
    measured = regression_measures(first["mini"], first["wright"])
    bias, lower, upper = (measured.loc[name] for name in ("bias", "lower limit", "upper limit"))
    assert bias["value"] == pytest.approx(-2.1, abs=0.05)
    assert [bias["low"], bias["high"]] == pytest.approx([-22.0, 17.8], abs=0.1)
    assert [lower["value"], upper["value"]] == pytest.approx([-2.1 - 1.96 * 38.8, -2.1 + 1.96 * 38.8], abs=0.1)
    # Theirs, -114.3 to -45.1 and 40.9 to 110.1, are of normal differences.
    assert [lower["low"], lower["high"]] == pytest.approx([-114.3 + 1.6, -45.1 + 1.6], abs=3)
    assert [upper["low"], upper["high"]] == pytest.approx([40.9 - 1.6, 110.1 - 1.6], abs=6)


def test_the_icc_is_that_of_two_raters():
    table = peak_flow()
    icc = regression_measures(table["wright"], table["mini"]).loc["ICC", "value"]
    assert icc == pytest.approx(intraclass_correlation(table["wright"], table["mini"]).icc, rel=1e-12)


def folded(seed, n_vectors=3):
    """Return y, scores, folds and patients of several cases, each of one fold, with ties."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(20), 2)
    folds = (patients % 3 == 0).astype(int) + 4
    y = np.round(rng.normal(size=40), 1)
    scores = np.round(0.5 * y + rng.normal(size=(n_vectors, 40)) + 3 * folds, 1)
    order = rng.permutation(40)
    return y[order], scores[:, order], folds[order], patients[order]


def plain_spearman(y, score, folds):
    of_folds = [(np.mean(folds == fold), folds == fold) for fold in np.unique(folds)]
    return sum(share * spearmanr(y[cases], score[cases]).statistic for share, cases in of_folds)


def plain_within(y, score, folds):
    """Return Pearson's correlation and the slope of numbers less their means in the folds."""
    y, score = (pd.Series(values) - pd.Series(values).groupby(folds).transform("mean") for values in (y, score))
    return np.array(
        [(y * score).sum() / np.sqrt((y**2).sum() * (score**2).sum()), (y * score).sum() / (score**2).sum()]
    )


@pytest.mark.parametrize("at_once", [2**22, 1])
def test_correlations_in_folds_are_those_of_a_slow_plain_version(monkeypatch, at_once):
    monkeypatch.setattr(numbers, "_COMPARISONS_AT_ONCE", at_once)
    y, scores, folds, patients = folded(0)
    found = spearman_jackknife(y, scores, folds, patients)
    np.testing.assert_allclose(found.values, [plain_spearman(y, score, folds) for score in scores], atol=1e-12)
    covariance = np.zeros((3, 3))
    for fold in np.unique(folds):  # the test cases of the folds are independent samples
        in_fold = folds == fold
        of_fold = [values[..., in_fold] for values in (y, scores, patients)]
        kept = [of_fold[2] != patient for patient in np.unique(of_fold[2])]
        without = np.array([[spearmanr(of_fold[0][k], score[k]).statistic for k in kept] for score in of_fold[1]])
        centred = without - without.mean(axis=1, keepdims=True)
        covariance += in_fold.mean() ** 2 * (len(kept) - 1) / len(kept) * centred @ centred.T
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)
    np.testing.assert_allclose(found.variances, np.diag(covariance), atol=1e-12)


def test_slope_and_pearson_in_folds_are_those_of_a_slow_plain_version():
    y, scores, folds, patients = folded(1)
    found = errors_jackknife(y, scores, folds, patients, np.zeros(40))
    columns = [ERRORS.index(name) for name in ("Pearson", "calibration slope")]
    for vector, score in enumerate(scores):
        np.testing.assert_allclose(found.values[vector, columns], plain_within(y, score, folds), atol=1e-12)
        kept = [patients != patient for patient in np.unique(patients)]
        without = np.array([plain_within(y[k], score[k], folds[k]) for k in kept])
        variances = 19 / 20 * ((without - without.mean(axis=0)) ** 2).sum(axis=0)
        np.testing.assert_allclose(found.variances[vector, columns], variances, atol=1e-12)


def test_r2_is_measured_against_the_reference():
    y, scores, folds, patients = folded(2)
    reference = np.random.default_rng(0).normal(size=40)
    r2 = errors_jackknife(y, scores, folds, patients, reference).values[:, ERRORS.index("R2")]
    expected = 1 - ((y - scores) ** 2).sum(axis=1) / ((y - reference) ** 2).sum()
    np.testing.assert_allclose(r2, expected, rtol=1e-12)
    assert errors_jackknife(y, reference[np.newaxis], folds, patients, reference).values[0, ERRORS.index("R2")] == 0


def test_numbers_far_from_zero_are_measured_as_precisely():
    y, scores, folds, patients = folded(3)
    near, far = (errors_jackknife(y + by, scores + by, folds, patients, np.full(40, by)) for by in (0, 1e6))
    is_shifted = np.array(ERRORS) == "calibration intercept"
    np.testing.assert_allclose(far.values[:, ~is_shifted], near.values[:, ~is_shifted], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(far.variances[:, ~is_shifted], near.variances[:, ~is_shifted], rtol=1e-6, atol=1e-9)


def test_cases_are_correlated_in_folds_of_ten_patients_or_more():
    folds = np.repeat([7, 9], [10, 11])
    np.testing.assert_array_equal(folds_to_correlate(folds, np.arange(21)), folds)
    np.testing.assert_array_equal(folds_to_correlate(folds, np.r_[0, 0, 1:20]), np.zeros(21))
    np.testing.assert_array_equal(folds_to_correlate(np.repeat([0, 1], [9, 12]), np.arange(21)), np.zeros(21))


def test_equal_predictions_have_no_correlation_and_no_slope():
    measured = regression_measures(np.arange(20.0), np.full(20, 3.0))
    assert measured.loc[[SPEARMAN, "Pearson", "Lin's concordance"], "value"].tolist() == [0, 0, 0]
    assert -0.6 < measured.loc[SPEARMAN, "low"] < -0.3
    assert measured.loc["calibration slope"].isna().all()


def test_perfect_predictions_do_not_have_an_interval_without_width():
    measured = regression_measures(np.arange(20.0), np.arange(20.0))
    for name in (SPEARMAN, "Pearson", "Lin's concordance", "ICC"):
        assert measured.loc[name, "value"] == pytest.approx(1)
        assert 0.5 < measured.loc[name, "low"] < 0.95
    assert measured.loc[["MAE", "RMSE", "bias"], "value"].tolist() == [0, 0, 0]


def test_intervals_of_means_are_students():
    y, predicted = np.random.default_rng(4).normal(size=(2, 9))
    low, high = regression_measures(y, predicted, confidence_level=0.9).loc["bias", ["low", "high"]]
    difference = predicted - y
    expected = t.interval(0.9, 8, difference.mean(), difference.std(ddof=1) / 3)
    assert (low, high) == pytest.approx(expected)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_intervals_hold_the_truth_as_often_as_they_say(correlation):
    """Bivariate normal numbers of 25 patients with two cases each, correlated 0.5 within a patient."""
    rng = np.random.default_rng(5)
    truth = {SPEARMAN: 6 / np.pi * np.arcsin(correlation / 2), "Pearson": correlation, "calibration slope": correlation}
    truth |= {"RMSE": np.sqrt(2 - 2 * correlation), "bias": 0.0, "R2": 2 * correlation - 1}
    inside = dict.fromkeys(truth, 0)
    patients = np.repeat(np.arange(25), 2)
    for _ in range(150):
        common, own = rng.normal(size=(2, 25))[:, patients], rng.normal(size=(2, 50))
        a, b = np.sqrt(0.5) * (common + own)
        measured = regression_measures(a, correlation * a + np.sqrt(1 - correlation**2) * b, patients=patients)
        for name, value in truth.items():
            inside[name] += measured.loc[name, "low"] <= value <= measured.loc[name, "high"]
    assert min(inside.values()) > 0.9 * 150


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([1, 2], [1, 2], "Expected two numbers for each of 3 cases or more. Got shapes .2,. and .2,."),
        ([1, 2, 3], [1, 2], "Got shapes .3,. and .2,."),
        ([1, 2, np.nan], [1, 2, 3], "The numbers must be finite"),
        ([1, 2, 3], [1, 2, np.inf], "The numbers must be finite"),
        ([2, 2, 2], [1, 2, 3], "the observed ones must vary"),
    ],
)
def test_numbers_that_cannot_be_measured_are_refused(y_true, y_pred, message):
    with pytest.raises(InputError, match=message):
        regression_measures(y_true, y_pred)


def test_a_level_out_of_range_is_refused():
    with pytest.raises(InputError, match="The 'confidence_level' parameter of regression_measures must be a float"):
        regression_measures([1, 2, 3], [1, 2, 4], confidence_level=95)


def test_two_series_of_numbers_are_matched_by_their_index():
    y = pd.Series([1.0, 2.1, 3.2, 4.4], index=list("abcd"))
    predicted = pd.Series([4.0, 3.1, 2.2, 0.9], index=list("dcba"))
    pd.testing.assert_frame_equal(regression_measures(y, predicted), regression_measures(y, predicted[y.index]))
