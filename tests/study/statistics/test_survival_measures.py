"""Measures of out-of-fold survival against slow plain versions, and intervals and tests against simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import radiodeep as rd
from radiodeep.preparation.survival import kaplan_meier
from radiodeep.study.endpoints.survival import Survival
from radiodeep.study.statistics.survival import concordance, log_log_bounds, log_rank
from radiodeep.study.statistics.survival_measures import UNITS_PER_EVENT
from radiodeep.study.statistics.survival_prediction import auc_outcomes, net_benefit, pseudo_values
from radiodeep.study.statistics.uncertainty import interval, weight_of_repeats


def cohort(n_cases=80, seed=0, effect=1.0, censored=2.0, n_features=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_cases, n_features))
    time, end = rng.exponential(np.exp(-effect * X[:, 0])), rng.exponential(censored, size=n_cases)
    return X, rd.survival_outcomes(time <= end, np.minimum(time, end))


@pytest.fixture(scope="module")
def result():
    X, y = cohort()
    return rd.cross_validated_score(rd.CoxRegression(), X, y, cv=2, n_repeats=5, horizon=0.7)


def by_case(result, repeat):
    """Return the probability of no censoring before each event and at the horizon, and the survival in the training."""
    y, horizon = result.endpoint.y, result.horizon
    before, at, reference = np.zeros((3, len(y)))
    for fold in np.unique(result.fold_of_case[repeat]):
        tested = result.fold_of_case[repeat] == fold
        train = y[~tested]
        censoring = kaplan_meier(train["event"], train["time"], of_censoring=True)
        before[tested] = censoring.at(np.minimum(y["time"][tested], horizon), left=True)
        at[tested] = censoring.at(horizon)
        reference[tested] = kaplan_meier(train["event"], train["time"]).at(horizon)
    return before, at, reference


def test_weights_are_those_of_the_training_cases(result):
    y, horizon = result.endpoint.y, result.horizon
    uno, auc, brier, ipa = [], [], [], []
    has_event = y["event"] & (y["time"] <= horizon)
    for repeat, (score, fold) in enumerate(zip(result.score_array, result.fold_of_case, strict=True)):
        before, at, reference = by_case(result, repeat)
        weight = np.where(has_event, 1 / before, 0)
        uno.append(concordance(y["event"], y["time"], score[None], weight=weight**2, folds=fold)[0].item())
        outcomes = auc_outcomes(y["event"], y["time"], horizon)
        auc.append(concordance(*outcomes, score[None], weight=weight, folds=fold)[0].item())
        survival = result.probability_array[repeat][:, -1]
        free = np.where(y["time"] > horizon, 1 / at, 0)
        terms = [weight * values**2 + free * (1 - values) ** 2 for values in (survival, reference)]
        brier.append(terms[0].mean())
        ipa.append(1 - terms[0].mean() / terms[1].mean())
    expected = {"Uno's C": uno, "AUC at 0.7": auc, "Brier score at 0.7": brier, "IPA at 0.7": ipa}
    measures = result.measures()["value"]
    for name, values in expected.items():
        np.testing.assert_allclose(measures[name], np.mean(values), err_msg=name)


def test_intervals_follow_the_rule_of_repeated_folds(result):
    y, folds = result.endpoint.y, result.fold_of_case
    weight = weight_of_repeats(2, 5)
    within = []
    for repeat, score in enumerate(result.score_array):
        before, _, _ = by_case(result, repeat)
        weights = np.where(y["event"] & (y["time"] <= 0.7), before**-2.0, 0)
        within.append(concordance(y["event"], y["time"], score[None], weight=weights, folds=folds[repeat])[1].item())
    n_units = UNITS_PER_EVENT * (y["event"] & (y["time"] <= 0.7)).sum() / weight
    measures = result.measures(0.9)
    expected = interval(measures["value"]["Uno's C"], weight * np.mean(within), 0.9, n_units=n_units)
    np.testing.assert_allclose(measures.loc["Uno's C", ["low", "high"]].tolist(), [expected.low, expected.high])


def test_observed_to_expected_events(result):
    y = result.endpoint.y
    observed = 1 - kaplan_meier(y["event"], y["time"]).at(0.7)
    ratios = [observed / (1 - survival[:, -1]).mean() for survival in result.probability_array]
    measures = result.measures()
    np.testing.assert_allclose(measures["value"]["O/E at 0.7"], np.exp(np.log(ratios).mean()))
    low, high = measures.loc["O/E at 0.7", ["low", "high"]]
    assert 0.4 < low < 1 < high < 2.5


def test_measures_of_patients_are_less_certain_than_those_of_as_many_cases():
    X, y = cohort(60)
    X, y, patients = np.repeat(X, 2, axis=0), np.repeat(y, 2), np.repeat(np.arange(60), 2)
    X = X + 1e-6 * np.random.default_rng(1).normal(size=X.shape)
    result = rd.cross_validated_score(rd.CoxRegression(), X, y, cv=2, n_repeats=3, groups=patients)
    independent = type(result)(**{**vars(result), "patients": None})
    widths = [
        measured.measures().loc[:, "high"] - measured.measures().loc[:, "low"] for measured in (result, independent)
    ]
    assert (widths[0] > 1.2 * widths[1]).all()


def test_survival_of_the_risk_groups_is_averaged_over_the_repeats(result):
    y, high = result.endpoint.y, result.prediction_array == 1
    table = result.tables()["Survival by risk group"].set_index(["group", "time"])
    assert len(table) == 12
    survival = np.mean([kaplan_meier(y["event"][members], y["time"][members]).at(0.7) for members in high])
    variance = np.mean([greenwood(y[members]) for members in high])
    bounds = log_log_bounds(survival, weight_of_repeats(2, 5) * variance)
    row = table.loc[("high risk", 0.7)]
    np.testing.assert_allclose(row[["survival", "low", "high"]].tolist(), [survival, *bounds])
    np.testing.assert_allclose(row["n_at_risk"], np.mean([(members & (y["time"] >= 0.7)).sum() for members in high]))
    bounds = log_log_bounds(kaplan_meier(y["event"], y["time"]).at(0.7), greenwood(y))
    np.testing.assert_allclose(table.loc[("all", 0.7)].tolist()[2:], bounds)


def test_bounds_of_survival_do_not_rise(result):
    curves = result.endpoint.survival_curves(result)
    for _, curve in curves.groupby("group"):
        assert (curve[["survival", "low", "high"]].diff().iloc[1:] <= 1e-12).all(axis=None)


def greenwood(y):
    """Return Greenwood's variance of the survival at 0.7."""
    curve = kaplan_meier(y["event"], y["time"])
    steps = curve.times <= 0.7
    left = curve.n_at_risk - curve.n_events
    return curve.at(0.7) ** 2 * (curve.n_events / (curve.n_at_risk * left))[steps].sum()


def test_bounds_of_survival_curves_allow_for_patients_and_for_survival_of_all():
    X, y = cohort(60)
    twice, patients = np.repeat(y, 2), np.repeat(np.arange(60), 2)
    X = np.repeat(X, 2, axis=0) + 1e-6 * np.random.default_rng(1).normal(size=(120, 3))
    clustered = rd.cross_validated_score(rd.CoxRegression(), X, twice, cv=2, n_repeats=2, groups=patients)
    table = clustered.tables()["Survival by risk group"].set_index("group").loc["all"]
    single = rd.cross_validated_score(rd.CoxRegression(), X[::2], y, cv=2, n_repeats=2).tables()
    expected = single["Survival by risk group"].set_index("group").loc["all"]
    np.testing.assert_allclose(table[["low", "high"]], expected[["low", "high"]], rtol=1e-9)
    start = clustered.endpoint.survival_curves(clustered).groupby("group").first()
    assert start["survival"].tolist() == [1, 1, 1]
    assert start.loc["all", "high"] == pytest.approx(1)
    assert (start["low"] > 0.75).all()
    assert start.loc["all", "low"] > start.loc["high risk", "low"]


def test_log_rank_test_of_the_risk_groups_is_within_folds(result):
    y = result.endpoint.y
    tests = [
        log_rank(y["event"], y["time"], members == 1, fold)
        for members, fold in zip(result.prediction_array, result.fold_of_case, strict=True)
    ]
    difference, variance = np.mean(tests, axis=0)
    row = result.tables()["Log-rank test of the risk groups"].iloc[0]
    np.testing.assert_allclose(row["p_value"], 2 * norm.sf(difference / np.sqrt(weight_of_repeats(2, 5) * variance)))
    np.testing.assert_allclose(row["events_high"] - row["expected_events_high"], difference)


def test_calibration_and_net_benefit_are_averaged_over_the_repeats(result):
    y, tables = result.endpoint.y, result.tables()
    calibration = tables["Calibration at 0.7"]
    assert calibration["n"].tolist() == [16] * 5
    np.testing.assert_allclose(calibration["observed"].mean(), 1 - pseudo_values(y["event"], y["time"], 0.7).mean())
    np.testing.assert_allclose(calibration["predicted"].mean(), 1 - result.probability_array[:, :, -1].mean())
    assert calibration["predicted"].is_monotonic_increasing
    benefit = tables["Net benefit at 0.7"].set_index("threshold")
    expected = [
        net_benefit(y["event"], y["time"], survival[:, -1], 0.7, [0.3]) for survival in result.probability_array
    ]
    np.testing.assert_allclose(benefit["model"][0.3], np.mean(expected))
    observed = 1 - kaplan_meier(y["event"], y["time"]).at(0.7)
    np.testing.assert_allclose(benefit["treat_all"][0.5], 2 * observed - 1)


def test_models_of_the_risk_alone_have_no_measures_of_survival():
    X, y = cohort()
    marker = Survival(y).marker(X[:, 0], "regions")[0]
    assert np.isnan(marker.probability).all()
    result = rd.cross_validated_score(rd.CoxRegression(), X, y, cv=2, n_repeats=2, size=np.exp(X[:, 1]))
    measures = result.size_baseline.measures()
    assert measures.index.tolist() == ["Uno's C", f"AUC at {result.horizon:g}"]
    assert list(result.size_baseline.tables()) == ["Survival by risk group", "Log-rank test of the risk groups"]


@pytest.mark.parametrize("clustered", [False, True])
def test_interval_of_a_fixed_score_covers_the_true_c(clustered):
    rng = np.random.default_rng(0)
    difference = np.abs(rng.normal(scale=np.sqrt(2), size=200_000))
    truth = np.mean(1 / (1 + np.exp(-difference)))
    n_covered = 0
    for _ in range(300):
        score = rng.normal(size=30 if clustered else 60)
        time = rng.exponential(np.exp(-score))
        if clustered:
            score, time = np.repeat(score, 2), np.repeat(time, 2)
        patients = np.arange(60) // 2 if clustered else None
        endpoint = Survival(rd.survival_outcomes(np.ones(60, dtype=bool), time), patients=patients)
        values, covariance = endpoint.covariance(score[np.newaxis])
        bounds = interval(values.item(), covariance.item(), 0.95, n_units=endpoint._n_units())
        n_covered += bounds.low <= truth <= bounds.high
    assert 0.92 <= n_covered / 300 <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.7])
def test_intervals_and_tests_of_repeated_halves_hold_their_level(effect):
    """Intervals of C and of the measures at a horizon, and the log-rank test, in 100 studies of 60 cases."""
    truth, rows, p_values = [], [], []
    for seed in range(100):
        X, y = cohort(60, seed=seed, effect=effect)
        result = rd.cross_validated_score(rd.CoxRegression(alpha=0.1), X, y, cv=2, n_repeats=10, horizon=0.7)
        bounds = result.confidence_interval
        main = pd.DataFrame({"value": [result.value], "low": [bounds.low], "high": [bounds.high]}, index=["C"])
        rows.append(pd.concat([main, result.measures()]))
        p_values.append(result.tables()["Log-rank test of the risk groups"]["p_value"].item())
        model = rd.CoxRegression(alpha=0.1).fit(X[:30], y[:30])
        large, outcomes = cohort(1000, seed=1000 + seed, effect=effect)
        truth.append(_true_measures(model, large, outcomes, y[:30], effect, seed))
    truth = pd.DataFrame(truth).mean()
    for name, value in truth.items():
        covered = np.mean([row.loc[name, "low"] <= value <= row.loc[name, "high"] for row in rows])
        assert covered >= 0.92, name
    if effect == 0:
        assert np.mean(np.array(p_values) < 0.05) <= 0.07


def _true_measures(model, X, y, train, effect, seed):
    """Return the measures of a model in many cases without censoring."""
    time = np.random.default_rng(seed).exponential(np.exp(-effect * X[:, 0]))
    risk, survival = model.predict(X)[np.newaxis], model.predict_survival(X, [0.7])[:, 0]
    is_free = time > 0.7
    brier = np.mean((is_free - survival) ** 2)
    reference = kaplan_meier(train["event"], train["time"]).at(0.7)
    return {
        "C": concordance(y["event"], y["time"], risk)[0].item(),
        "Uno's C": concordance(~is_free, time, risk)[0].item(),
        "AUC at 0.7": concordance(~is_free, np.where(is_free, 1.0, 0.0), risk)[0].item(),
        "Brier score at 0.7": brier,
        "IPA at 0.7": 1 - brier / np.mean((is_free - reference) ** 2),
    }
