"""Brier scores, AUC at a time, calibration and net benefit against R's pec, prodlim and riskRegression."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiodeep.preparation.survival import kaplan_meier
from radiodeep.study.statistics.survival import concordance
from radiodeep.study.statistics.survival_prediction import (
    auc_outcomes,
    brier_terms,
    calibration_line,
    censoring_weights,
    integrated,
    net_benefit,
    pseudo_values,
)

GOLDEN = Path(__file__).parent / "golden"
LUNG = pd.read_csv(GOLDEN / "lung.csv")
EXPECTED = pd.read_csv(GOLDEN / "lung_expected.csv", comment="#", index_col="name")["value"]
EVENT, TIME = LUNG["event"].to_numpy() == 1, LUNG["time"].to_numpy(dtype=float)
TIMES = np.array([13, 26, 39, 52, 78])
SURVIVAL = LUNG[[f"s{time}" for time in TIMES]].to_numpy()
CENSORING = kaplan_meier(EVENT, TIME, of_censoring=True)


def weights():
    return censoring_weights(EVENT, TIME, TIMES, CENSORING)


def expected(name):
    return EXPECTED[[f"{name} {time}" for time in TIMES]]


def test_brier_scores_are_those_of_r():
    brier = brier_terms(*weights(), SURVIVAL).mean(axis=0)
    reference = brier_terms(*weights(), kaplan_meier(EVENT, TIME).at(TIMES)).mean(axis=0)
    np.testing.assert_allclose(brier, expected("Brier"), rtol=1e-12)
    np.testing.assert_allclose(brier, expected("Score Brier"), rtol=1e-12)
    np.testing.assert_allclose(reference, expected("reference"), rtol=1e-12)
    np.testing.assert_allclose(1 - brier / reference, expected("IPA"), rtol=1e-9)


def test_auc_at_a_time_is_that_of_r():
    with_event, _ = weights()
    for place, time in enumerate(TIMES):
        outcomes = auc_outcomes(EVENT, TIME, time)
        auc, _ = concordance(*outcomes, -SURVIVAL[np.newaxis, :, place], weight=with_event[:, place])
        np.testing.assert_allclose(auc, EXPECTED[f"AUC {time}"], rtol=1e-12)


def test_brier_scores_and_auc_are_those_of_scikit_survival():
    metrics = pytest.importorskip("sksurv.metrics")
    rng = np.random.default_rng(0)
    score = rng.normal(size=150)
    time, censored = rng.exponential(np.exp(-score)), rng.exponential(1.5, size=150)
    y = np.array(list(zip(time <= censored, np.minimum(time, censored), strict=True)), dtype="?,f8")
    train, test = y[:90], y[90:]  # without ties of events and censorings, which it counts otherwise
    times = np.quantile(test["f1"], [0.2, 0.3, 0.5, 0.7])
    test = test[test["f1"] < train["f1"].max()]
    survival = np.exp(-times * np.exp(score[90:][: len(test), np.newaxis]))
    with_event, free = censoring_weights(
        test["f0"], test["f1"], times, kaplan_meier(train["f0"], train["f1"], of_censoring=True)
    )
    terms = brier_terms(with_event, free, survival)
    np.testing.assert_allclose(terms.mean(axis=0), metrics.brier_score(train, test, survival, times)[1], rtol=1e-12)
    theirs = metrics.integrated_brier_score(train, test, survival, times)
    np.testing.assert_allclose(integrated(terms, times).mean(), theirs, rtol=1e-12)
    theirs, _ = metrics.cumulative_dynamic_auc(train, test, 1 - survival, times)
    for place, time in enumerate(times):
        outcomes = auc_outcomes(test["f0"], test["f1"], time)
        ours, _ = concordance(*outcomes, 1 - survival[np.newaxis, :, place], weight=with_event[:, place])
        np.testing.assert_allclose(ours, theirs[place], rtol=1e-12)


def test_one_time_is_its_own_integral():
    np.testing.assert_allclose(integrated(np.array([[0.2], [0.3]]), np.array([5.0])), [0.2, 0.3])


def test_weights_stand_for_the_censored_cases():
    with_event, free = weights()
    np.testing.assert_allclose((with_event + free).sum(axis=0), len(TIME))


def test_cases_beyond_the_training_cases_have_the_last_positive_weight():
    censoring = kaplan_meier(np.array([True, False, False]), np.array([1.0, 2, 3]), of_censoring=True)
    assert censoring.survival[-1] == 0
    with_event, free = censoring_weights(np.array([True, False]), np.array([5.0, 9]), np.array([5.0, 6]), censoring)
    np.testing.assert_allclose(with_event, [[2, 2], [0, 0]])
    np.testing.assert_allclose(free, [[0, 0], [2, 2]])


def test_pseudo_values_are_those_of_r():
    values = pseudo_values(EVENT, TIME, 52)
    for case in (1, 2, 3, 10, 50, 100, 227):
        np.testing.assert_allclose(values[case - 1], EXPECTED[f"pseudo {case}"], rtol=1e-10)


def test_calibration_line_is_that_of_rs_weighted_regression():
    with_event, free = weights()
    line, _ = calibration_line(with_event[:, 3], free[:, 3], SURVIVAL[:, 3])
    np.testing.assert_allclose(line, EXPECTED[["slope", "intercept"]], atol=1e-8)


@pytest.mark.parametrize("survival", [[0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1], [0.5, 0.5, 0.5, 0.5]])
def test_calibration_line_of_separated_cases_is_not_defined(survival):
    with_event, free = np.array([1.0, 1, 0, 0]), np.array([0.0, 0, 1, 1])
    assert np.isnan(np.concatenate(calibration_line(with_event, free, np.array(survival)))).all()


def test_calibration_line_without_events_is_not_defined():
    assert np.isnan(calibration_line(np.zeros(2), np.ones(2), np.array([0.2, 0.3]))[0]).all()


def test_influence_on_the_calibration_slope_is_what_a_case_adds_to_it():
    with_event, free = (weight[:, 3] for weight in weights())
    line, influence = calibration_line(with_event, free, SURVIVAL[:, 3])
    np.testing.assert_allclose(influence.sum(), 0, atol=1e-7)
    for case in (0, 40, 80):
        rest = np.arange(len(TIME)) != case
        without, _ = calibration_line(with_event[rest], free[rest], SURVIVAL[rest, 3])
        np.testing.assert_allclose(line[0] - without[0], influence[case], rtol=0.05, atol=1e-4)


def test_net_benefit_is_that_by_rs_survival_of_the_treated():
    benefit = net_benefit(EVENT, TIME, SURVIVAL[:, 3], 52, [0.3, 0.6, 0.999])
    np.testing.assert_allclose(benefit, [*EXPECTED[["net benefit 0.3", "net benefit 0.6"]], 0], rtol=1e-12)
