"""Subgroups: against the AUC of each group alone, a plain permutation test, and simulated studies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binom, norm
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB

import radiodeep as rd
from radiodeep import auc_with_confidence, calibration, subgroups
from radiodeep.exceptions import StudyError
from radiodeep.study.statistics.auc import delong_covariance
from radiodeep.study.statistics.subgroups import groups_of


def scored(result_of, n=80, aucs=(0.75, 0.75), seed=0, patients=None):
    """Return a result of binormal scores and two groups of the same size with these AUCs."""
    rng = np.random.default_rng(seed)
    y, group = np.arange(n) % 2, np.arange(n) // 2 % 2
    distance = 2**0.5 * norm.ppf(np.array(aucs))[group]
    result = result_of(y, 1 / (1 + np.exp(-rng.normal(size=n) - distance * (y - 0.5))), patients=patients)
    return result, pd.Series(np.array(["a", "b"])[group], index=result.predictions.index, name="group")


def test_each_group_is_measured_as_if_it_were_alone(result_of):
    result, group = scored(result_of)
    found = subgroups(result, group.to_frame(), n_permutations=19)
    of_a = result.predictions[group == "a"]
    alone = auc_with_confidence(of_a["label"], of_a["score"])
    row = found.table.loc[("group", "a")]
    expected = [40, 20, alone.auc, alone.confidence_interval.low, alone.confidence_interval.high]
    np.testing.assert_allclose(row[["n", "n_positive", "value", "low", "high"]].astype(float), expected)
    measured = calibration(result_of(of_a["label"], of_a["probability"])).measures
    names = ["calibration in the large", "calibration in the large low", "calibration slope", "calibration slope high"]
    level, slope = measured.loc["calibration in the large"], measured.loc["slope"]
    np.testing.assert_allclose(row[names].astype(float), [level.value, level.low, slope.value, slope.high])


def test_the_test_is_a_permutation_test_of_delongs_weighted_differences(result_of):
    result, group = scored(result_of, n=60, aucs=(0.9, 0.6), seed=3)
    p_value = subgroups(result, group.to_frame(), n_permutations=1999).tests.loc["group", "p_value"]
    y, score = result.predictions["label"].to_numpy() == 1, result.predictions["score"].to_numpy()

    def statistic(groups):
        of_groups = [delong_covariance(y[groups == name], score[np.newaxis, groups == name]) for name in ("a", "b")]
        values, variances = np.array([[auc[0], matrix[0, 0]] for auc, matrix in of_groups]).T
        mean = (values / variances).sum() / (1 / variances).sum()
        return ((values - mean) ** 2 / variances).sum()

    rng, groups = np.random.default_rng(1), group.to_numpy()
    null = []
    for _ in range(300):
        drawn = groups.copy()
        for label in (True, False):
            drawn[y == label] = rng.permutation(groups[y == label])
        null.append(statistic(drawn))
    plain = np.mean(np.array(null) >= statistic(groups))
    assert p_value == pytest.approx(plain, abs=4 * np.sqrt(plain / 300) + 0.003)
    assert p_value < 0.2


def test_patients_change_groups_as_a_whole(result_of):
    result, _ = scored(result_of, n=80, patients=np.arange(80) // 2)
    by_patient = pd.Series(np.where(np.arange(80) // 2 % 2, "a", "b"), index=result.predictions.index)
    by_case = pd.Series(np.where(np.arange(80) % 2, "a", "b"), index=result.predictions.index)
    tests = subgroups(result, {"of patients": by_patient, "of cases": by_case}, n_permutations=99, fewest=2).tests
    assert tests.loc["of patients", "p_value"] <= 1
    assert np.isnan(tests.loc["of cases", "p_value"])
    assert "too small" in tests.loc["of cases", "remark"]  # each holds one class only
    halves = pd.Series(np.where(np.arange(80) % 4 < 3, "a", "b"), index=result.predictions.index)
    halves.iloc[:20] = "b"
    tests = subgroups(result, {"halves": halves}, n_permutations=99).tests
    assert tests.loc["halves", "remark"] == "no test: it differs between the cases of a patient"


def test_small_groups_are_named_but_not_measured_and_unknown_ones_not_tested(result_of):
    result, group = scored(result_of)
    group.iloc[:6] = "rare"
    group.iloc[6:40] = None
    found = subgroups(result, group.to_frame(), n_permutations=99)
    assert found.table.loc["group"].index.tolist() == ["a", "b", "rare", "unknown"]
    assert np.isnan(found.table.loc[("group", "rare"), "value"])
    assert found.table.loc[("group", "unknown"), "value"] > 0.5
    assert found.tests.loc["group", "remark"] == "too small: rare"
    assert "rare n=6" in str(found)


def test_p_values_are_corrected_for_the_number_of_columns(result_of):
    result, group = scored(result_of, n=120, aucs=(0.95, 0.55))
    other = pd.Series(np.arange(120) % 3, index=group.index)
    tests = subgroups(result, {"group": group, "other": other}).tests
    assert tests.loc["group", "p_value"] < 0.01
    assert tests.loc["group", "p_holm"] == pytest.approx(2 * tests.loc["group", "p_value"])


def test_numbers_are_cut_at_the_median_or_where_asked():
    ages = pd.Series([40.0, 50, 60, 70, 80, 90, np.nan])
    assert list(groups_of(ages)) == [*["below 65"] * 3, *["65 and above"] * 3, "unknown"]
    assert list(groups_of(ages, [50, 80])) == [
        "below 50", *["50 to below 80"] * 3, *["80 and above"] * 2, "unknown",
    ]  # fmt: skip
    assert list(groups_of(pd.Series([1, 2, 2, 3]))) == ["1", "2", "2", "3"]
    assert list(groups_of(pd.Series([True, False]))) == ["True", "False"]


def test_groups_of_long_numbers_and_of_numbers_among_texts_are_kept_apart():
    assert groups_of(pd.Series([1234567, 1234568])).tolist() == ["1234567", "1234568"]
    assert groups_of(pd.Series([1, "b", None])).tolist() == ["1", "b", "unknown"]


@pytest.mark.parametrize("kind", ["numbers", "survival", "several classes"])
def test_other_outcomes_are_measured_by_group_as_well(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    sex = pd.DataFrame({"sex": np.where(np.arange(80) % 2, "f", "m")})
    if kind == "numbers":
        result = rd.cross_validated_score(Ridge(), X, X[:, 0] + rng.normal(size=80), cv=2, n_repeats=5)
    elif kind == "survival":
        y = rd.survival_outcomes(event=rng.random(80) < 0.7, time=rng.exponential(np.exp(-X[:, 0])))
        result = rd.cross_validated_cindex(rd.CoxRegression(), X, y, cv=2, n_repeats=5)
    else:
        result = rd.cross_validated_auc(GaussianNB(), X, np.arange(80) % 3, cv=2, n_repeats=5)
    found = subgroups(result, sex, n_permutations=19)
    assert found.table["value"].between(found.table["low"], found.table["high"]).all()
    assert found.measure == result.endpoint.measure
    if kind == "several classes":
        assert found.tests.loc["sex", "remark"] == "there is no test for several classes"
    else:
        assert found.tests.loc["sex", "p_value"] >= 0.05


def test_a_result_without_interval_is_measured_by_its_companion(result_of):
    companion, group = scored(result_of)
    found = subgroups(replace(companion, cv="leave-one-out", companion=companion), group.to_frame(), n_permutations=9)
    assert found.cv == "holdout"


def test_cases_without_a_row_and_wrong_settings_are_refused(result_of):
    result, group = scored(result_of)
    with pytest.raises(StudyError, match="one row for each of the 80 cases, by case id. The first that is missing is"):
        subgroups(result, group.iloc[1:].to_frame())
    with pytest.raises(StudyError, match="A case comes twice"):
        subgroups(result, pd.concat([group, group]).to_frame())
    with pytest.raises(StudyError, match="There is no column"):
        subgroups(result, pd.DataFrame(index=group.index))
    with pytest.raises(ValueError, match=r"'cuts' parameter of subgroups must be of columns \(group\). Got \['age'\]"):
        subgroups(result, group.to_frame(), {"age": [65]})
    with pytest.raises(StudyError, match="There is no column"):
        subgroups(result, group.to_numpy())
    for cuts in ([70, 50], 65, [], [65, 65], ["old"]):
        with pytest.raises(ValueError, match="'cuts' parameter of subgroups must be ascending numbers for columns of"):
            subgroups(result, pd.DataFrame({"age": np.arange(80)}, index=group.index), {"age": cuts})
    with pytest.raises(ValueError, match="'cuts' parameter of subgroups must be ascending numbers for columns of"):
        subgroups(result, group.to_frame(), {"group": [65]})
    with pytest.raises(StudyError, match="'random_state' parameter of subgroups must be an int >= 0. Got 'a'"):
        subgroups(result, group.to_frame(), random_state="a")
    with pytest.raises(StudyError, match="'fewest' parameter of subgroups must be an int >= 2. Got 0"):
        subgroups(result, group.to_frame(), fewest=0)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["other prevalence and spread", "two lesions of a patient"])
def test_groups_of_equal_auc_are_rarely_called_different(result_of, design):
    rejected, n_studies = 0, 150
    for seed in range(n_studies):
        rng = np.random.default_rng(seed)
        n, patients = 80, None
        group = np.repeat([0, 1], [48, 32])
        y = np.arange(n) % 2
        spread = np.ones(n)
        if design == "other prevalence and spread":
            y = (np.r_[np.arange(48) / 48, np.arange(32) / 32] < np.where(group, 0.6, 0.3)).astype(int)
            spread = np.where(group, np.where(y, 0.5, 2.0), 1.0)
        noise = rng.normal(size=n)
        if design == "two lesions of a patient":
            patients = np.arange(n) // 2
            y, noise = np.repeat(y[: n // 2], 2), 0.9 * np.repeat(noise[: n // 2], 2) + 0.44 * noise
        distance = norm.ppf(0.75) * np.where(group & (spread != 1), np.hypot(2, 0.5), 2**0.5)
        result = result_of(y, expit(distance * y + spread * noise), patients=patients)
        columns = {"group": pd.Series(group, index=result.predictions.index)}
        rejected += subgroups(result, columns, n_permutations=99).tests["p_value"].iloc[0] <= 0.05
    assert rejected <= binom.ppf(0.999, n_studies, 0.05)
    assert rejected >= 2
