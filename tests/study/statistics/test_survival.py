"""Concordance, log-rank tests and bounds of survival curves against R's survival and scikit-survival."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiodeep.preparation.survival import kaplan_meier
from radiodeep.study.statistics.survival import (
    concordance,
    jackknife_of_means,
    log_log_bounds,
    log_rank,
    log_rank_contributions,
    n_comparable,
    survival_influence,
)

GOLDEN = Path(__file__).parent / "golden"
LUNG = pd.read_csv(GOLDEN / "lung.csv")
EXPECTED = pd.read_csv(GOLDEN / "lung_expected.csv", comment="#", index_col="name")["value"]
EVENT, TIME = LUNG["event"].to_numpy() == 1, LUNG["time"].to_numpy(dtype=float)
RISK, PATIENT = LUNG["risk"].to_numpy(dtype=float), LUNG["patient"].to_numpy() - 1


def simulated(n_cases=60, seed=0, ties=True):
    """Return events, times and scores, rounded for ties in all of them."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n_cases)
    time, censored = rng.exponential(np.exp(-score)), rng.exponential(1.5, size=n_cases)
    event, time = time <= censored, np.minimum(time, censored)
    return (event, np.ceil(time * 5), np.round(score)) if ties else (event, time, score)


def slow_pairs(event, time, score, weight=None):
    """Yield (earlier case, later case, what it counts, its weight) of each comparable pair."""
    for i in range(len(time)):
        for j in range(len(time)):
            if event[i] and (time[i] < time[j] or (time[i] == time[j] and not event[j])):
                yield i, j, (score[i] > score[j]) + 0.5 * (score[i] == score[j]), 1 if weight is None else weight[i]


def slow_concordance(*arrays):
    pairs = list(slow_pairs(*arrays))
    return sum(won * weight for _, _, won, weight in pairs) / sum(weight for *_, weight in pairs)


def test_concordance_is_that_of_r():
    scores = np.stack([RISK, -LUNG["s52"].to_numpy()])
    values, covariance = concordance(EVENT, TIME, scores)
    np.testing.assert_allclose(values, EXPECTED[["C", "C of s52"]], rtol=1e-12)
    np.testing.assert_allclose(covariance[0, 0], EXPECTED["C variance by leaving out cases"], rtol=1e-9)
    assert n_comparable(EVENT, TIME) == EXPECTED[["concordant", "discordant", "tied"]].sum()


def test_variance_over_patients_is_that_of_r_without_each_patient():
    _, covariance = concordance(EVENT, TIME, RISK[np.newaxis], patients=PATIENT)
    np.testing.assert_allclose(covariance[0, 0], EXPECTED["C variance by leaving out patients"], rtol=1e-9)


def test_concordance_within_folds_is_that_of_r_within_strata():
    folds = LUNG["patient"].to_numpy() % 5
    values, _ = concordance(EVENT, TIME, RISK[np.newaxis], folds=folds)
    np.testing.assert_allclose(values, EXPECTED["C within strata"], rtol=1e-12)
    pairs = [n_comparable(EVENT[folds == fold], TIME[folds == fold]) for fold in range(5)]
    assert n_comparable(EVENT, TIME, folds) == sum(pairs)


def test_cases_outside_the_folds_are_not_compared():
    folds = np.where(np.arange(len(TIME)) < 100, 0, -1)
    inside, _ = concordance(EVENT[:100], TIME[:100], RISK[np.newaxis, :100])
    np.testing.assert_allclose(concordance(EVENT, TIME, RISK[np.newaxis], folds=folds)[0], inside)


@pytest.mark.parametrize("last", [np.inf, 52])
def test_unos_concordance_is_that_of_r(last):
    censoring = kaplan_meier(EVENT, TIME, of_censoring=True)
    weight = censoring.at(TIME, left=True) ** -2 * (last >= TIME)
    values, _ = concordance(EVENT, TIME, RISK[np.newaxis], weight=weight)
    np.testing.assert_allclose(values, EXPECTED["Uno" if last == np.inf else "Uno 52"], rtol=1e-12)


def test_concordance_is_that_of_scikit_survival():
    metrics = pytest.importorskip("sksurv.metrics")
    for seed in range(5):
        event, time, score = simulated(seed=seed)
        ours, _ = concordance(event, time, score[np.newaxis])
        np.testing.assert_allclose(ours, metrics.concordance_index_censored(event, time, score)[0], rtol=1e-12)
        event, time, score = simulated(seed=seed, ties=False)  # scikit-survival weights by G(time), not just before
        y = np.array(list(zip(event, time, strict=True)), dtype=[("event", bool), ("time", float)])
        tau = np.quantile(time, 0.8)
        weight = kaplan_meier(event, time, of_censoring=True).at(time, left=True) ** -2 * (time < tau)
        ours, _ = concordance(event, time, score[np.newaxis], weight=weight)
        np.testing.assert_allclose(ours, metrics.concordance_index_ipcw(y, y, score, tau)[0], rtol=1e-12)


def test_covariance_is_that_of_leaving_out_each_patient():
    event, time, score = simulated(n_cases=30)
    scores = np.stack([score, np.arange(30.0)])
    weight = np.linspace(1, 3, 30)
    patients = np.arange(30) // 2
    values, covariance = concordance(event, time, scores, weight=weight, patients=patients)
    without = [
        [slow_concordance(*(values[patients != patient] for values in (event, time, row, weight))) for row in scores]
        for patient in range(15)
    ]
    np.testing.assert_allclose(values, [slow_concordance(event, time, row, weight) for row in scores])
    np.testing.assert_allclose(covariance, 14 * np.cov(np.transpose(without), ddof=0))


def test_concordance_of_no_comparable_pairs_is_not_a_number():
    values, _ = concordance(np.array([True, False]), np.array([2.0, 1.0]), np.array([[1.0, 2.0]]))
    assert np.isnan(values).all()


def test_concordance_of_one_patients_pairs_has_no_variance():
    event, time = np.array([True, False, False]), np.array([1.0, 2.0, 3.0])
    values, covariance = concordance(event, time, np.array([[3.0, 2.0, 4.0]]))
    assert values == 0.5
    assert np.isnan(covariance).all()


def test_ratio_of_means_of_patients():
    rng = np.random.default_rng(0)
    numerators, denominators = rng.normal(size=(2, 20)), rng.uniform(1, 2, size=(2, 20))
    patients = np.arange(20) // 4
    values, covariance = jackknife_of_means(numerators, denominators, patients)
    np.testing.assert_allclose(values, numerators.mean(axis=1) / denominators.mean(axis=1))
    left = [patients != patient for patient in range(5)]
    without = [numerators[:, rows].mean(axis=1) / denominators[:, rows].mean(axis=1) for rows in left]
    np.testing.assert_allclose(covariance, 4 * np.cov(np.transpose(without), ddof=0))


def test_variance_of_a_mean_is_that_of_textbooks():
    values = np.random.default_rng(0).normal(size=(1, 30))
    _, covariance = jackknife_of_means(values, np.ones((1, 30)))
    np.testing.assert_allclose(covariance, [[values.var(ddof=1) / 30]])


@pytest.mark.parametrize(("strata", "name"), [(None, "log-rank"), ((PATIENT + 1) % 5, "log-rank stratified")])
def test_log_rank_statistic_is_that_of_r(strata, name):
    difference, variance = log_rank(EVENT, TIME, LUNG["sex"].to_numpy() == 1, strata)
    np.testing.assert_allclose(difference**2 / variance, EXPECTED[name], rtol=1e-12)
    assert difference > 0  # men die earlier


def test_last_case_at_risk_does_not_count_in_the_log_rank_variance():
    difference, variance = log_rank(np.ones(2, bool), np.array([1.0, 2.0]), np.array([True, False]))
    assert (difference, variance) == (0.5, 0.25)


@pytest.mark.parametrize("strata", [None, PATIENT % 5])
def test_contributions_to_the_log_rank_statistic_add_up_to_it(strata):
    is_high = LUNG["sex"].to_numpy() == 1
    contributions = log_rank_contributions(EVENT, TIME, is_high, strata)
    difference, variance = log_rank(EVENT, TIME, is_high, strata)
    np.testing.assert_allclose(contributions.sum(), difference)
    np.testing.assert_allclose((contributions**2).sum(), variance, rtol=0.1)


def test_bounds_of_the_survival_curve_are_those_of_r():
    times = np.array([1, 13, 26, 39, 52, 78, 100, 146])
    curve = kaplan_meier(EVENT, TIME)
    variance = (survival_influence(EVENT, TIME, times) ** 2).sum(axis=0)  # Greenwood's
    low, high = log_log_bounds(curve.at(times), variance)
    for name, values in {"survival": curve.at(times), "low": low, "high": high}.items():
        np.testing.assert_allclose(values, EXPECTED[[f"{name} {time}" for time in times]], rtol=1e-12)
    assert curve.median == EXPECTED["median"]


def test_influence_on_the_survival_is_what_a_case_adds_to_it():
    event, time, _ = simulated(200)
    times = np.array([0.5, 2, 5])
    influence = survival_influence(event, time, times)
    np.testing.assert_allclose(influence.sum(axis=0), 0, atol=1e-12)
    curve = kaplan_meier(event, time)
    for case in (0, 50, 150):
        rest = np.arange(200) != case
        without = kaplan_meier(event[rest], time[rest]).at(times)
        np.testing.assert_allclose(curve.at(times) - without, influence[case], rtol=0.02, atol=1e-6)
    assert influence[:, 0].tolist() == [0] * 200  # before the first event


def test_survival_of_1_or_0_has_no_bounds():
    low, high = log_log_bounds([1.0, 0.5, 0.0], [0.0, 0.1, 0.0])
    assert 0 < low[1] < 0.5 < high[1] < 1
    assert np.isnan([low[[0, 2]], high[[0, 2]]]).all()
    assert survival_influence(np.ones(2, bool), np.array([1.0, 2]), np.array([1.5, 2])).tolist() == [
        [-0.25, 0],
        [0.25, 0],
    ]


def test_cases_of_other_sizes_are_not_compared():
    event, time, score = simulated(n_cases=40)
    sizes = np.random.default_rng(0).uniform(1, 2, size=40)
    pairs = [
        (won, 1)
        for i, j, won, _ in slow_pairs(event, time, score)
        if max(sizes[i], sizes[j]) <= 1.1 * min(sizes[i], sizes[j])
    ]
    values, _ = concordance(event, time, score[np.newaxis], sizes=sizes)
    assert n_comparable(event, time, sizes=sizes) == len(pairs)
    np.testing.assert_allclose(values, sum(won for won, _ in pairs) / len(pairs))
