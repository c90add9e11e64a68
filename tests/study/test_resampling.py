"""Permutation tests and bootstraps: signal, noise, patients, and the formula by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from radiodeep import (
    Cohort,
    RadiomicsExtractor,
    ReliefF,
    auc_with_confidence,
    bootstrap_auc,
    bootstrap_interval,
    compare_auc_unpaired,
    cross_validated_auc,
    cross_validated_score,
    make_phantom_cohort,
    permutation_test,
)
from radiodeep.exceptions import LeakageError, SingleClassError, StudyError
from radiodeep.study.endpoints.registry import endpoint_for
from radiodeep.study.endpoints.two_classes import TwoClasses
from radiodeep.study.permutation import _shuffled
from radiodeep.study.resampling import patients_by_stratum


def signal(n_cases=40, effect=1.0, seed=0, n_features=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    return rng.normal(size=(n_cases, n_features)) + effect * y[:, None], y


def table(n_cases=40, n_features=5, effect=0.7, seed=0):
    rng = np.random.default_rng(seed)
    y = pd.Series(np.arange(n_cases) % 2, index=[f"case {n}" for n in range(n_cases)])
    X = pd.DataFrame(rng.normal(size=(n_cases, n_features)) + effect * y.to_numpy()[:, None], index=y.index)
    return X.add_prefix("f"), y


SHAPE = RadiomicsExtractor(families=["shape"])


def several_cases_each():
    return Cohort([case.replace(patient=f"P{row // 2}") for row, case in enumerate(make_phantom_cohort(12))])


@pytest.mark.slow
@pytest.mark.parametrize("cv", ["leave-one-out", 5])
def test_the_permutation_test_finds_signal_and_not_noise(cv):
    model = make_pipeline(ReliefF(2), GaussianNB())
    X, y = signal(24, 2.0)
    estimate = permutation_test(model, X, y, cv=cv, n_permutations=29)
    assert estimate.p_value == 1 / 30
    np.testing.assert_allclose(estimate.auc, cross_validated_auc(model, X, y, cv=cv, n_repeats=1).auc)
    assert permutation_test(model, *signal(24, 0.0, seed=3), cv=cv, n_permutations=19).p_value > 0.05


@pytest.mark.slow
def test_permutation_p_values_are_even_under_chance():
    p_values = []
    for seed in range(20):
        X, y = signal(12, 0.0, seed=seed, n_features=2)
        p_values.append(permutation_test(GaussianNB(), X, y, n_permutations=19, random_state=seed).p_value)
    assert 0.35 < np.mean(p_values) < 0.7
    assert np.mean(np.array(p_values) <= 0.05) <= 0.2


def test_labels_are_shuffled_between_whole_patients():
    X, y = signal(24, 1.0)
    y = np.repeat(np.arange(12) % 2, 2)
    patients = np.repeat(np.arange(12), 2)
    estimate = permutation_test(GaussianNB(), X, y, cv=3, groups=patients, n_permutations=5)
    assert len(estimate.null_aucs) == 5


def test_shuffled_labels_are_the_same_for_all_cases_of_a_patient():
    patients = np.repeat(np.arange(10), [1, 2, 3, 1, 4, 2, 1, 3, 2, 1])
    y = patients % 2
    shuffled = [endpoint.y for endpoint in _shuffled(TwoClasses(y), patients, 5, 0, check=lambda endpoint: None)]
    for labels in shuffled:
        assert all(len(set(labels[patients == patient])) == 1 for patient in range(10))
    assert any((labels != y).any() for labels in shuffled)


def test_outcomes_that_differ_within_patients_are_exchanged_between_patients_of_as_many_cases():
    patients = np.repeat(np.arange(9), [1, 2, 3, 2, 3, 1, 2, 3, 7])
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 2)), rng.permutation(24) % 2
    for endpoint in _shuffled(TwoClasses(y), patients, 5, 0, check=lambda endpoint: None):
        before, after = ([tuple(labels[patients == patient]) for patient in range(9)] for labels in (y, endpoint.y))
        assert after[8] == before[8]  # no other patient has seven cases
        for same_size in ([0, 5], [1, 3, 6], [2, 4, 7]):
            assert sorted(before[patient] for patient in same_size) == sorted(after[patient] for patient in same_size)
    with pytest.raises(StudyError, match="have different outcomes, and no two groups have as many cases"):
        permutation_test(GaussianNB(), X, y, cv=2, groups=np.repeat([0, 1, 2, 3], [3, 5, 7, 9]), n_permutations=5)


def test_the_stability_of_the_selection_is_compared_with_that_of_shuffled_outcomes():
    X, y = signal(30, 2.0, n_features=40)
    X[:, 3:] -= 2.0 * y[:, np.newaxis]  # three features with signal
    estimate = permutation_test(make_pipeline(SelectKBest(k=3), GaussianNB()), X, y, cv=5, n_permutations=10)
    assert estimate.stability.kuncheva > 0.8 > estimate.null_stabilities.max()
    assert len(estimate.null_stabilities) == 10
    assert estimate.null_stabilities.mean() > 0.15  # of noise: the folds share three quarters of their training cases
    assert f"selected features {estimate.stability.kuncheva:.2f}, by chance" in str(estimate)
    plain = permutation_test(GaussianNB(), X, y, cv=5, n_permutations=2)
    assert plain.stability is plain.null_stabilities is None
    assert "Kuncheva" not in str(plain)


def test_numbers_are_shuffled_and_drawn_without_strata():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = X[:, 0] + rng.normal(size=40)
    estimate = permutation_test(LinearRegression(), X, y, cv=4, n_permutations=19)
    assert (estimate.p_value, estimate.measure) == (0.05, "Spearman")
    assert abs(estimate.null_aucs.mean()) < 0.2
    bootstrap = bootstrap_auc(LinearRegression(), X, y, n_resamples=30)
    assert bootstrap.out_of_bag_auc < bootstrap.auc < bootstrap.resubstitution_auc
    below_0 = replace(bootstrap, confidence_interval=replace(bootstrap.confidence_interval, low=-0.2, high=0.1))
    assert "(95% CI -0.20 to 0.10;" in str(below_0)
    interval = bootstrap_interval(cross_validated_score(LinearRegression(), X, y, cv=4), n_resamples=100)
    assert interval.low < 0.6 < interval.high
    assert len(patients_by_stratum(np.arange(40), endpoint_for(y, 40))) == 1
    assert len(patients_by_stratum(np.arange(40), endpoint_for(y > 0, 40))) == 2


def test_ties_with_the_null_count_against_the_finding():
    y = np.arange(12) % 2
    estimate = permutation_test(DummyClassifier(strategy="prior"), np.zeros((12, 1)), y, cv=3, n_permutations=9)
    assert (estimate.auc, estimate.p_value) == (0.5, 1.0)


def test_labels_are_shuffled_so_that_every_fold_has_both_classes():
    X, y = signal(8)
    estimate = permutation_test(GaussianNB(), X, y, cv=KFold(2), n_permutations=30)
    assert np.isfinite(estimate.null_aucs).all()


def test_labels_that_no_fold_can_take_are_given_up():
    def refuse(endpoint):
        raise StudyError("never")

    with pytest.raises(StudyError, match="Hardly any permutation of the outcomes .* The last was: never"):
        _shuffled(TwoClasses(np.arange(8) % 2), None, 1, 0, refuse)


def test_what_cannot_be_tested_is_refused():
    X, y = signal()
    with pytest.raises(SingleClassError, match="All 40 cases"):
        permutation_test(GaussianNB(), X, np.ones(40))
    with pytest.raises(
        StudyError, match="'n_permutations' parameter of permutation_test must be an int >= 1. Got 0 instead"
    ):
        permutation_test(GaussianNB(), X, y, n_permutations=0)
    with pytest.raises(StudyError, match="'n_resamples' parameter of bootstrap_auc must be an int >= 1. Got 1.5"):
        bootstrap_auc(GaussianNB(), X, y, n_resamples=1.5)
    with pytest.raises(StudyError, match="'confidence_level' parameter of bootstrap_auc .* between 0 and 1. Got 95"):
        bootstrap_auc(GaussianNB(), X, y, confidence_level=95)
    with pytest.raises(StudyError, match="Only 0 of 4 resamples left out patients of whom the AUC is defined"):
        bootstrap_auc(GaussianNB(), X[:2], y[:2], n_resamples=4)


def test_patients_of_a_cohort_are_never_on_both_sides():
    cohort = make_phantom_cohort(12, random_state=1)
    cohort = Cohort([case.replace(patient=f"P{number // 2}") for number, case in enumerate(cohort)])
    model = make_pipeline(RadiomicsExtractor(families=["firstorder"]), GaussianNB())
    with pytest.raises(LeakageError, match="groups=cohort.patients"):
        permutation_test(model, cohort, cohort.labels, cv=KFold(4, shuffle=True, random_state=0), n_permutations=2)
    by_patient = bootstrap_auc(model, cohort, cohort.labels, n_resamples=8)
    given = bootstrap_auc(model, cohort, cohort.labels, groups=cohort.patients, n_resamples=8)
    np.testing.assert_array_equal(by_patient.out_of_bag_aucs, given.out_of_bag_aucs)


def test_the_632_bootstrap_lies_between_training_and_out_of_bag():
    X, y = signal(40, 0.5, n_features=8)
    estimate = bootstrap_auc(GaussianNB(), X, y, n_resamples=60)
    assert estimate.out_of_bag_auc < estimate.auc < estimate.resubstitution_auc
    joint = GaussianNB().fit(X, y).predict_joint_log_proba(X)
    np.testing.assert_allclose(estimate.resubstitution_auc, roc_auc_score(y, joint[:, 1] - joint[:, 0]))
    overfit = (estimate.resubstitution_auc - estimate.out_of_bag_auc) / (estimate.resubstitution_auc - 0.5)
    weight = 0.632 / (1 - 0.368 * overfit)
    by_hand = (1 - weight) * estimate.resubstitution_auc + weight * estimate.out_of_bag_auc
    np.testing.assert_allclose(estimate.auc, by_hand)
    moved = np.quantile(estimate.out_of_bag_aucs, [0.025, 0.975]) + estimate.auc - estimate.out_of_bag_auc
    interval = estimate.confidence_interval
    np.testing.assert_allclose([interval.low, interval.high], [moved[0], min(moved[1], 1)])


@pytest.mark.slow
def test_the_632_bootstrap_of_noise_is_near_one_half():
    aucs = []
    for seed in range(10):
        X, y = signal(40, 0.0, seed=seed, n_features=100)
        aucs.append(bootstrap_auc(GaussianNB(), X, y, n_resamples=20).auc)
    assert 0.4 < np.mean(aucs) < 0.62


def test_no_drawn_patient_is_out_of_bag():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(15), 2)
    y = np.repeat(np.arange(15) % 2, 2)
    X = np.repeat(rng.normal(size=(15, 4)), 2, axis=0)  # two copies of each: a leak would be perfect

    estimate = bootstrap_auc(SVC(gamma=100), X, y, groups=patients, n_resamples=30)
    leaking = bootstrap_auc(SVC(gamma=100), X, y, n_resamples=30)
    assert estimate.out_of_bag_auc < 0.75 < leaking.out_of_bag_auc


def test_the_bootstrap_says_how_many_resamples_it_used():
    X, y = table(24)
    few = np.flatnonzero((y == 0) | (np.arange(24) < 6))
    estimate = bootstrap_auc(GaussianNB(), X.iloc[few], y.iloc[few], n_resamples=40)
    n_used = len(estimate.out_of_bag_aucs)
    assert n_used < 40
    assert f"{n_used} resamples; {40 - n_used} others left out cases without a defined AUC" in str(estimate)


def test_patients_of_a_cohort_are_drawn_as_groups_are():
    cohort = make_phantom_cohort(16, random_state=1)
    order = np.random.default_rng(3).permutation(16)
    named = Cohort([case.replace(patient=f"p{number:02d}") for number, case in zip(order, cohort, strict=True)])
    model = make_pipeline(SHAPE, GaussianNB())
    estimate = bootstrap_auc(model, named, named.labels, n_resamples=10)
    by_groups = bootstrap_auc(model, named, named.labels, groups=named.patients, n_resamples=10)
    np.testing.assert_array_equal(estimate.out_of_bag_aucs, by_groups.out_of_bag_aucs)


@pytest.mark.slow
def test_the_percentile_interval_of_single_cases_is_about_delongs(result_of):
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    score = rng.normal(size=200) + y
    interval = bootstrap_interval(result_of(y, score))
    exact = auc_with_confidence(y, score).confidence_interval
    np.testing.assert_allclose([interval.low, interval.high], [exact.low, exact.high], atol=0.015)
    twice = result_of(np.repeat(y, 2), np.repeat(score, 2))
    by_patient = bootstrap_interval(twice, groups=np.repeat(np.arange(200), 2))
    np.testing.assert_allclose([by_patient.low, by_patient.high], [interval.low, interval.high], atol=0.015)


def test_unpaired_tests_and_bootstraps_of_repeats_are_of_their_auc():
    X, y = signal(40, 0.5)
    frame = pd.DataFrame(X, index=[f"c{number}" for number in range(40)])
    a = cross_validated_auc(GaussianNB(), frame, y, cv=5)
    b = cross_validated_auc(GaussianNB(), frame.rename(index=lambda name: f"other {name}"), y, cv=5)
    estimate = compare_auc_unpaired(a, b)
    assert (estimate.value_a, estimate.value_b) == (a.auc, b.auc)
    interval = bootstrap_interval(a, n_resamples=400)
    assert interval.low < a.auc < interval.high
    width = interval.high - interval.low  # models of folds vary
    np.testing.assert_allclose(width, a.confidence_interval.high - a.confidence_interval.low, rtol=0.2)
    for cv in ("leave-one-out", "leave-pair-out"):
        with pytest.raises(StudyError, match=f"Results of {cv} have no valid interval"):
            bootstrap_interval(cross_validated_auc(GaussianNB(), frame[:12], y[:12], cv=cv))


def test_a_column_that_is_named_patients_is_a_feature_and_no_group():
    X, y = signal(40, 0.5)
    frame = pd.DataFrame(X).add_prefix("f")
    renamed = frame.rename(columns={"f0": "patients"}).round()
    estimate, expected = (bootstrap_auc(GaussianNB(), given, y, n_resamples=10) for given in (renamed, frame.round()))
    np.testing.assert_array_equal(estimate.out_of_bag_aucs, expected.out_of_bag_aucs)


def test_groups_of_an_interval_are_matched_by_name():
    X, _ = table()
    patients = pd.Series(np.arange(40) // 4, index=X.index)
    result = cross_validated_auc(GaussianNB(), X, patients % 2, cv=5, groups=patients)
    intervals = [bootstrap_interval(result, groups, n_resamples=50) for groups in (patients, patients[::-1])]
    assert intervals[0] == intervals[1]
    assert intervals[0] == bootstrap_interval(result, n_resamples=50)  # by the patients of the result
    assert intervals[0] != bootstrap_interval(result, groups=np.arange(40), n_resamples=50)
