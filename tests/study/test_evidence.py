"""Tests beyond one AUC: pairs of groups, many models, chance, resamples, calibration, decisions."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from radiodeep import (
    Cohort,
    RadiomicsExtractor,
    ReliefF,
    bootstrap_auc,
    bootstrap_interval,
    calibration,
    compare_all,
    compare_auc,
    compare_auc_unpaired,
    cross_validate_models,
    cross_validated_auc,
    decision_curve,
    make_phantom_cohort,
    permutation_test,
    selection_stability,
    sensitivity_at_specificity,
)
from radiodeep.exceptions import LeakageError, SingleClassError, StudyError
from radiodeep.study.resampling import _permuted
from radiodeep.study.statistics.auc import (
    accuracy_interval,
    auc_of_pairs,
    auc_of_repeats,
    auc_with_confidence,
    delong_covariance,
)
from radiodeep.study.statistics.comparison import holm


class Result:
    """What the evidence needs of a StudyResult."""

    name = "model"

    def __init__(self, label, score, index=None, prefix=""):
        index = [f"{prefix}{number}" for number in range(len(label))] if index is None else index
        columns = {"label": np.asarray(label), "score": np.asarray(score), "probability": np.asarray(score)}
        self.predictions = pd.DataFrame(columns, index=index)
        self.scores = self.predictions[["score"]]


def signal(n_cases=40, effect=1.0, seed=0, n_features=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    return rng.normal(size=(n_cases, n_features)) + effect * y[:, None], y


def test_the_unpaired_test_is_procs(reference_data):
    folder = reference_data / "weka_golden" / "delong"
    frame = pd.read_csv(folder / "proc_golden.csv", skipinitialspace=True)
    files = {"aSAH": "aSAH.csv", "b80": "b80_loo.csv", "sim200": "sim200.csv"}
    rows = frame[frame["test"] == "delong_unpaired"]
    assert len(rows) >= 10
    for row in rows.itertuples():
        table = pd.read_csv(folder / files[row.set])
        a, b = (Result(table["y"], table[name], prefix=name) for name in (row.a, row.b))
        np.testing.assert_allclose(compare_auc_unpaired(a, b).p_value, row.p, rtol=1e-9)
    with pytest.raises(StudyError, match="cases are in both results, e.g. 'nb0'. Use compare_auc"):
        compare_auc_unpaired(Result([0, 1], [0, 1], prefix="nb"), Result([0, 1], [0, 1], prefix="nb"))


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])


def test_many_models_are_compared_with_correction():
    X, y = signal(60)
    models = {"all": GaussianNB(), "first": make_pipeline(ReliefF(1), GaussianNB()), "linear": LogisticRegression()}
    results = cross_validate_models(models, X, y, cv=5)
    table = compare_all(results)
    assert len(table) == 3
    assert (table["p_holm"] >= table["p_value"]).all()
    one = compare_all(results, against="all")
    assert one["against"].tolist() == ["all", "all"]
    by_hand = compare_auc(results["first"], results["all"])
    assert one.set_index("model").loc["first", "p_value"] == by_hand.p_value
    with pytest.raises(StudyError, match="'against' to be one of"):
        compare_all(results, against="none")


def test_the_variance_of_pairs_is_delongs_where_the_model_is_one():
    X, y = signal()
    score = X[:, 0]
    wins = 0.5 * (np.sign(score[y == 1][None] - score[y == 0][:, None]) + 1)
    plain, pairs = auc_with_confidence(y, score), auc_of_pairs(wins)
    np.testing.assert_allclose([pairs.auc, pairs.variance], [plain.auc, plain.variance])


def test_repeats_that_agree_have_delongs_interval_and_others_a_wider_one():
    X, y = signal()
    rng = np.random.default_rng(1)
    same = auc_of_repeats(y, [X[:, 0]] * 4)
    np.testing.assert_allclose(same.variance, auc_with_confidence(y, X[:, 0]).variance)
    assert auc_of_repeats(y, X[:, 0] + rng.normal(size=(4, 40))).variance > same.variance


def test_wilsons_interval_is_that_of_his_formula():
    n, p, z = 40, 36 / 40, norm.isf(0.025)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    interval = accuracy_interval(36, 40)
    np.testing.assert_allclose([interval.low, interval.high], [centre - half, centre + half])


@pytest.mark.parametrize("cv", ["leave-one-out", 5])
def test_the_permutation_test_finds_signal_and_not_noise(cv):
    model = make_pipeline(ReliefF(2), GaussianNB())
    X, y = signal(24, 2.0)
    found = permutation_test(model, X, y, cv=cv, n_permutations=29)
    assert found.p_value == 1 / 30
    np.testing.assert_allclose(found.auc, cross_validated_auc(model, X, y, cv=cv, n_repeats=1).auc)
    assert permutation_test(model, *signal(24, 0.0, seed=3), cv=cv, n_permutations=19).p_value > 0.05


@pytest.mark.slow
def test_permutation_p_values_are_even_under_chance():
    p_values = []
    for seed in range(20):
        X, y = signal(12, 0.0, seed=seed, n_features=2)
        p_values.append(permutation_test(GaussianNB(), X, y, n_permutations=19, random_state=seed).p_value)
    assert 0.35 < np.mean(p_values) < 0.7
    assert np.mean(np.array(p_values) <= 0.05) <= 0.2


def test_whole_patients_change_labels():
    X, y = signal(24, 1.0)
    y = np.repeat(np.arange(12) % 2, 2)
    patients = np.repeat(np.arange(12), 2)
    found = permutation_test(GaussianNB(), X, y, cv=3, groups=patients, n_permutations=5)
    assert len(found.null_aucs) == 5
    with pytest.raises(StudyError, match="A group or patient has cases of both labels"):
        permutation_test(GaussianNB(), X, np.arange(24) % 2, cv=3, groups=patients, n_permutations=5)


def test_the_632_bootstrap_lies_between_training_and_out_of_bag():
    X, y = signal(40, 0.5, n_features=8)
    found = bootstrap_auc(GaussianNB(), X, y, n_resamples=60)
    assert found.out_of_bag_auc < found.auc < found.resubstitution_auc
    joint = GaussianNB().fit(X, y).predict_joint_log_proba(X)
    np.testing.assert_allclose(found.resubstitution_auc, roc_auc_score(y, joint[:, 1] - joint[:, 0]))
    overfit = (found.resubstitution_auc - found.out_of_bag_auc) / (found.resubstitution_auc - 0.5)
    weight = 0.632 / (1 - 0.368 * overfit)
    by_hand = (1 - weight) * found.resubstitution_auc + weight * found.out_of_bag_auc
    np.testing.assert_allclose(found.auc, by_hand)
    assert found.confidence_interval.low < found.auc < found.confidence_interval.high


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

    found = bootstrap_auc(SVC(gamma=100), X, y, groups=patients, n_resamples=30)
    leaking = bootstrap_auc(SVC(gamma=100), X, y, n_resamples=30)
    assert found.out_of_bag_auc < 0.75 < leaking.out_of_bag_auc


@pytest.mark.slow
def test_the_percentile_interval_of_single_cases_is_about_delongs():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    score = rng.normal(size=200) + y
    interval = bootstrap_interval(Result(y, score))
    exact = auc_with_confidence(y, score).confidence_interval
    np.testing.assert_allclose([interval.low, interval.high], [exact.low, exact.high], atol=0.015)
    twice = Result(np.repeat(y, 2), np.repeat(score, 2))
    by_patient = bootstrap_interval(twice, groups=np.repeat(np.arange(200), 2))
    np.testing.assert_allclose([by_patient.low, by_patient.high], [interval.low, interval.high], atol=0.015)


def test_calibration_of_the_truth_and_of_the_too_sure():
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=4000) * 1.5
    truth = 1 / (1 + np.exp(-log_odds))
    y = (rng.random(4000) < truth).astype(int)
    right = calibration(Result(y, truth))
    np.testing.assert_allclose([right.slope, right.intercept], [1, 0], atol=0.12)
    np.testing.assert_allclose(right.brier, np.mean((truth - y) ** 2))
    np.testing.assert_allclose(right.curve["predicted"], right.curve["observed"], atol=0.06)
    too_sure = calibration(Result(y, 1 / (1 + np.exp(-2 * log_odds - 1))))
    np.testing.assert_allclose([too_sure.slope, too_sure.intercept], [0.5, -0.5], atol=0.1)
    assert np.isnan(calibration(Result([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])).slope)


def test_a_model_without_probabilities_cannot_be_calibrated():
    X, y = signal()
    result = cross_validated_auc(SVC(), X, y, cv=4, n_repeats=1)
    with pytest.raises(StudyError, match="SVC gave no probabilities. Wrap its classifier"):
        calibration(result)


def test_sensitivity_at_specificity_by_hand():
    result = Result([0] * 10 + [1] * 5, [*range(10), 3.5, 8.5, 9.5, 10, 11])
    found = sensitivity_at_specificity(result, 0.9)
    assert (found.sensitivity, found.specificity, found.threshold) == (0.8, 0.9, 8.5)
    assert sensitivity_at_specificity(result, 0.95).sensitivity == 0.6
    with pytest.raises(StudyError, match="between 0 and 1. Got 1.5"):
        sensitivity_at_specificity(result, 1.5)


def test_the_decision_curve_by_hand():
    result = Result([0, 0, 0, 1], [0.1, 0.2, 0.6, 0.7])
    curve = decision_curve(result, [0.5, 0.15])
    np.testing.assert_allclose(curve["model"], [1 / 4 - 1 / 4, 1 / 4 - 2 / 4 * 0.15 / 0.85])
    np.testing.assert_allclose(curve["treat_all"], [1 / 4 - 3 / 4, 1 / 4 - 3 / 4 * 0.15 / 0.85])
    assert (curve["treat_none"] == 0).all()


def test_stability_by_kunchevas_own_formula():
    subsets = [{"a", "b", "c"}, {"a", "b", "d"}, {"a", "e", "f"}]
    found = selection_stability(subsets, n_candidates=20)
    k, n = 3, 20
    pairs = [(2 * n - k**2) / (k * (n - k)), (1 * n - k**2) / (k * (n - k)), (1 * n - k**2) / (k * (n - k))]
    np.testing.assert_allclose(found.kuncheva, np.mean(pairs))
    np.testing.assert_allclose(found.jaccard, np.mean([2 / 4, 1 / 5, 1 / 5]))
    assert selection_stability([{"a"}, {"a"}], 5).kuncheva == 1
    for subsets, message in (
        ([{"a"}], "Got 1"),
        ([{"a", "b"}, {"c"}], "3 different features were selected from only 2"),
    ):
        with pytest.raises(StudyError, match=message):
            selection_stability(subsets, 2)


def test_what_cannot_be_tested_is_refused():
    X, y = signal()
    with pytest.raises(SingleClassError, match="All 40 cases"):
        permutation_test(GaussianNB(), X, np.ones(40))
    with pytest.raises(StudyError, match="'n_permutations' parameter must be an int >= 1. Got 0"):
        permutation_test(GaussianNB(), X, y, n_permutations=0)


def test_the_order_of_the_rows_of_a_result_does_not_matter():
    X, y = signal(24)
    y = np.sort(y)  # 12 and 12, not alternating
    frame = pd.DataFrame(X, index=[f"c{number}" for number in range(24)])
    mixed = np.random.default_rng(3).permutation(24)
    for cv in ("leave-one-out", "leave-pair-out"):
        a = cross_validated_auc(GaussianNB(), frame, y, cv=cv)
        b = cross_validated_auc(LogisticRegression(), frame, y, cv=cv)
        shuffled = cross_validated_auc(LogisticRegression(), frame.iloc[mixed], y[mixed], cv=cv)
        assert b.predictions.index.tolist() != shuffled.predictions.index.tolist()
        np.testing.assert_allclose(compare_auc(a, shuffled).p_value, compare_auc(a, b).p_value, rtol=1e-6)


def test_the_variance_of_repeats_by_hand():
    X, y = signal()
    rng = np.random.default_rng(1)
    scores = X[:, 0] + rng.normal(size=(4, 40))
    estimates = [auc_with_confidence(y, one) for one in scores]
    aucs = [estimate.auc for estimate in estimates]
    by_hand = np.mean([estimate.variance for estimate in estimates]) + 3 * np.var(aucs, ddof=1)
    np.testing.assert_allclose(auc_of_repeats(y, scores).variance, by_hand)
    assert np.isfinite(auc_of_repeats(y, scores[:1]).variance)


def test_the_paired_test_of_repeats_by_hand():
    X, y = signal(40, 0.5)
    a, b = (cross_validated_auc(model, X, y, cv=5) for model in (GaussianNB(), LogisticRegression(C=0.01)))
    pairs = [delong_covariance(y == 1, np.stack([a.scores[k], b.scores[k]])) for k in range(5)]
    differences = np.array([aucs[0] - aucs[1] for aucs, _ in pairs])
    variance = np.mean([c[0, 0] + c[1, 1] - 2 * c[0, 1] for _, c in pairs]) + 3 * differences.var(ddof=1)
    expected = 2 * norm.sf(abs(differences.mean()) / np.sqrt(variance))
    np.testing.assert_allclose(compare_auc(a, b).p_value, expected)
    with pytest.raises(StudyError, match="is of 5-fold, 5 repeats, the other of 4-fold, 5 repeats"):
        compare_auc(a, cross_validated_auc(GaussianNB(), X, y, cv=4))


def test_many_models_are_compared_by_what_stands_beside_leave_one_out():
    X, y = signal(40, 0.5)
    results = cross_validate_models({"a": GaussianNB(), "b": LogisticRegression(C=0.01)}, X, y)
    table = compare_all(results)
    assert table["cv"].tolist() == ["10-fold, 5 repeats"]
    assert table["p_value"][0] == compare_auc(results["a"].beside, results["b"].beside).p_value


def test_unpaired_tests_and_bootstraps_of_repeats_are_of_their_auc():
    X, y = signal(40, 0.5)
    frame = pd.DataFrame(X, index=[f"c{number}" for number in range(40)])
    a = cross_validated_auc(GaussianNB(), frame, y, cv=5)
    b = cross_validated_auc(GaussianNB(), frame.rename(index=lambda name: f"other {name}"), y, cv=5)
    found = compare_auc_unpaired(a, b)
    assert (found.value_a, found.value_b) == (a.auc, b.auc)
    interval = bootstrap_interval(a, n_resamples=400)
    assert interval.low < a.auc < interval.high
    with pytest.raises(StudyError, match="Pairs of leave-pair-out cannot be drawn"):
        bootstrap_interval(cross_validated_auc(GaussianNB(), frame[:12], y[:12], cv="leave-pair-out"))


def test_the_variance_of_unequal_classes_is_delongs():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [30, 8])
    score = rng.normal(size=38) + y
    wins = 0.5 * (np.sign(score[y == 1][None] - score[y == 0][:, None]) + 1)
    np.testing.assert_allclose(auc_of_pairs(wins).variance, auc_with_confidence(y, score).variance)


def test_null_labels_stay_whole_within_patients_of_any_number_of_cases():
    patients = np.repeat(np.arange(10), [1, 2, 3, 1, 4, 2, 1, 3, 2, 1])
    y = patients % 2
    for labels in _permuted(y, patients, 5, 0):
        assert all(len(set(labels[patients == patient])) == 1 for patient in range(10))
    assert any((labels != y).any() for labels in _permuted(y, patients, 5, 0))


def test_ties_with_the_null_count_against_the_finding():
    y = np.arange(12) % 2
    found = permutation_test(DummyClassifier(strategy="prior"), np.zeros((12, 1)), y, cv=3, n_permutations=9)
    assert (found.auc, found.p_value) == (0.5, 1.0)


def test_patients_of_a_cohort_are_never_on_both_sides():
    cohort = make_phantom_cohort(12, random_state=1)
    cohort = Cohort([case.replace(patient=f"P{number // 2}") for number, case in enumerate(cohort)])
    model = make_pipeline(RadiomicsExtractor(families=["firstorder"]), GaussianNB())
    with pytest.raises(LeakageError, match="groups=cohort.patients"):
        permutation_test(model, cohort, cohort.labels, cv=KFold(4, shuffle=True, random_state=0), n_permutations=2)
    by_patient = bootstrap_auc(model, cohort, cohort.labels, n_resamples=8)
    given = bootstrap_auc(model, cohort, cohort.labels, groups=cohort.patients, n_resamples=8)
    np.testing.assert_array_equal(by_patient.out_of_bag_aucs, given.out_of_bag_aucs)


def test_classes_apart_the_wrong_way_round_have_no_slope_either():
    assert np.isnan(calibration(Result([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9])).slope)
    assert np.isnan(calibration(Result([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.9])).slope)


def test_a_difference_without_spread_has_no_p_value():
    y = np.repeat([0, 1], 5)
    perfect, constant = Result(y, np.arange(10.0)), Result(y, np.zeros(10))
    assert np.isnan(compare_auc(perfect, constant).p_value)
    assert compare_auc(perfect, perfect).p_value == 1


def test_labels_are_dealt_out_so_that_every_fold_can_learn():
    X, y = signal(8)
    found = permutation_test(GaussianNB(), X, y, cv=KFold(2), n_permutations=30)
    assert np.isfinite(found.null_aucs).all()
    with pytest.raises(StudyError, match="Hardly any way to deal out"):
        _permuted(y, None, 1, 0, can_be_studied=lambda labels: (_ for _ in ()).throw(StudyError("never")))
