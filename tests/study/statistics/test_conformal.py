"""Conformal sets: against a plain version, by theory, and in simulated studies."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

import radiodeep as rd
from radiodeep import conformal_sets, cross_validated_auc, cross_validated_score
from radiodeep.exceptions import StudyError


def table(n=60, effect=1.0, seed=0, n_classes=2):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return rng.normal(size=(n, 2)) + effect * y[:, None], y


@pytest.fixture(scope="module")
def result():
    return cross_validated_auc(LogisticRegression(), *table(), cv=3, n_repeats=2)


def test_p_values_are_those_of_a_plain_version(result):
    found = conformal_sets(result)
    probability, y = result.probability_array.mean(axis=0), result.predictions["label"].to_numpy()
    for case in range(len(y)):
        for label, strangeness in ((0, probability), (1, 1 - probability)):
            others = [other for other in range(len(y)) if other != case and y[other] == label]
            n_as_strange = sum(strangeness[other] >= strangeness[case] for other in others)
            expected = (n_as_strange + 1) / (len(others) + 1)
            assert found.cases[f"p {label}"].iloc[case] == pytest.approx(expected)


def test_sets_hold_the_labels_that_cannot_be_excluded(result):
    found = conformal_sets(result, level=0.8)
    for _, case in found.cases.iterrows():
        held = [label for label in (0, 1) if case[f"p {label}"] > 0.2 + 1e-12]
        assert case["set"] == (" or ".join(map(str, held)) or "none")
        assert (case["size"], case["is_covered"]) == (len(held), case["outcome"] in held)
    row = found.table.loc["1"]
    single = found.cases[(found.cases["outcome"] == 1) & (found.cases["size"] == 1)]
    assert row["single"] == pytest.approx(len(single) / 30)
    assert row["single_right"] == pytest.approx(single["is_covered"].mean())


@pytest.mark.parametrize("level", [0.6, 0.8, 0.9])
def test_the_cases_of_each_class_are_covered_at_the_level_whatever_the_model(result, level):
    noise = cross_validated_auc(GaussianNB(), *table(effect=0), cv=3, n_repeats=2)
    for studied in (result, noise):
        coverage = conformal_sets(studied, level).table["coverage"]
        assert ((coverage >= level) & (coverage <= level + 1 / 30 + 1e-9)).all()


def test_a_better_model_decides_more_cases(result):
    better = conformal_sets(cross_validated_auc(LogisticRegression(), *table(effect=3), cv=3, n_repeats=2))
    assert better.table["single"].min() > conformal_sets(result).table["single"].max()


def test_too_few_patients_of_a_class_never_exclude_it():
    X, y = table(60)
    few = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:8]]
    found = conformal_sets(cross_validated_auc(LogisticRegression(), X[few], y[few], cv=2, n_repeats=2))
    assert (found.cases["p 1"] > 0.1).all()
    assert found.table.loc["1", ["coverage", "coverage_low"]].tolist() == [1.0, 1.0]
    assert str(found).endswith("With 8 patients of class 1 this label can never be excluded; 9 would be needed.")


def test_each_patient_has_the_same_weight_and_is_not_compared_with_itself(result):
    patients = np.repeat(np.arange(20), 3)
    y = np.repeat(np.arange(20) % 2, 3)
    predictions = result.predictions.assign(label=y)
    found = conformal_sets(replace(result, predictions=predictions, patients=patients))
    probability = result.probability_array.mean(axis=0)
    total, others = 1.0, [patient for patient in range(1, 20, 2) if patient != 5]
    for patient in others:
        total += np.mean(1 - probability[patients == patient] >= 1 - probability[15])
    assert found.cases["p 1"].iloc[15] == pytest.approx(total / (len(others) + 1))
    assert found.table.loc["1", ["n", "n_patients"]].tolist() == [30, 10]


def test_the_range_of_new_cases_is_that_of_the_beta_distribution(result):
    rng = np.random.default_rng(0)
    calibrated = np.sort(rng.random((4000, 30)), axis=1)  # nonconformities: p > 0.1 below the 28th of 30
    low, high = np.quantile(calibrated[:, 27], [0.05, 0.95])
    row = conformal_sets(result).table.loc["1"]
    np.testing.assert_allclose(row[["coverage_low", "coverage_high"]].astype(float), [low, high], atol=0.01)


def test_new_cases_are_compared_with_the_cases_of_each_repeat(result):
    found = conformal_sets(result)
    new = found.for_new([0.3, 0.999])
    y = result.predictions["label"].to_numpy()
    expected = np.mean([((1 - p[y == 1] >= 0.7).sum() + 1) / 31 for p in result.probability_array])
    assert new["p 1"].iloc[0] == pytest.approx(expected)
    assert new["set"].iloc[1] == "1"


def test_scores_take_the_place_of_missing_probabilities():
    X, y = table(40)
    found = conformal_sets(cross_validated_auc(SVC(), X, y, cv=4, n_repeats=2))
    assert found.table["coverage"].min() >= 0.9
    several = cross_validated_auc(SVC(), *table(45, n_classes=3), cv=3, n_repeats=2)
    with pytest.raises(StudyError, match="SVC gave no probabilities. Wrap its classifier in"):
        conformal_sets(several)


def test_several_classes_have_sets_of_any_size():
    result = cross_validated_auc(GaussianNB(), *table(60, n_classes=3), cv=3, n_repeats=2)
    found = conformal_sets(result, 0.8)
    assert found.table.index.tolist() == ["0", "1", "2"]
    assert set(found.cases["size"]) <= {0, 1, 2, 3}
    assert (found.table["coverage"] >= 0.8).all()
    assert len(found.for_new(np.full((2, 3), 1 / 3))) == 2


def test_numbers_have_intervals_of_the_errors_of_other_cases():
    X, _ = table(50)
    y = X[:, 0] + np.random.default_rng(1).normal(size=50)
    result = cross_validated_score(Ridge(), X, y, cv=5, n_repeats=2)
    found = conformal_sets(result, 0.8)
    errors = np.abs(result.score_array.mean(axis=0) - y)
    half = np.sort(np.delete(errors, 7))[int(np.ceil(0.8 * 50)) - 1]
    case = found.cases.iloc[7]
    assert (case["high"] - case["prediction"], case["prediction"] - case["low"]) == pytest.approx((half, half))
    assert found.table.loc["all", "coverage"] >= 0.8
    new = found.for_new([1.0])
    assert new["high"].iloc[0] - new["low"].iloc[0] == pytest.approx(2 * half, rel=0.2)
    assert str(found).startswith("The median 80% conformal interval is")
    assert np.isinf(conformal_sets(result, 0.99).cases["high"]).all()


def test_survival_and_other_levels_are_refused(result):
    rng = np.random.default_rng(0)
    X, _ = table(40)
    y = rd.survival_outcomes(event=rng.random(40) < 0.7, time=rng.exponential(size=40))
    with pytest.raises(StudyError, match="There are no conformal sets of survival"):
        conformal_sets(rd.cross_validated_cindex(rd.CoxRegression(), X, y, cv=2, n_repeats=2))
    with pytest.raises(StudyError, match="'level' parameter of conformal_sets must be a float between 0 and 1. Got 90"):
        conformal_sets(result, 90)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 1.5])
def test_the_label_of_new_cases_of_a_model_of_all_cases_is_held_at_the_level(effect):
    held = []
    for seed in range(40):
        X, y = table(60, effect, seed)
        new, truth = table(400, effect, seed + 1000)
        sets = conformal_sets(cross_validated_auc(LogisticRegression(), X, y, cv=5, n_repeats=2))
        found = sets.for_new(LogisticRegression().fit(X, y).predict_proba(new)[:, 1])
        is_held = found[["p 0", "p 1"]].to_numpy()[np.arange(400), truth] > 0.1 + 1e-12
        held.append([is_held[truth == 0].mean(), is_held[truth == 1].mean()])
    assert (np.mean(held, axis=0) > 0.88).all()
    assert (np.mean(held, axis=0) < 0.97).all()


def test_new_cases_may_come_with_the_probabilities_of_both_classes(result):
    found = conformal_sets(result)
    positive = np.array([0.01, 0.4, 0.9])
    both = found.for_new(np.column_stack([1 - positive, positive]))
    assert both.equals(found.for_new(positive))
    assert both["p 0"].iloc[2] < 0.1  # a class that is improbable is strange


@pytest.mark.parametrize("probabilities", [[np.nan], 0.5, [[0.2]], [[0.2, 0.3, 0.5]], ["high"]])
def test_new_probabilities_of_another_kind_are_refused(result, probabilities):
    with pytest.raises(StudyError, match=r"'probabilities' parameter of for_new must be finite .*n_cases,\)"):
        conformal_sets(result).for_new(probabilities)
