"""Centres: each is tested by a model of all others, and their mean is that of a population of centres."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from radiodeep import (
    Cohort,
    CoxRegression,
    auc_with_confidence,
    best_of_several,
    compare_accuracy,
    compare_auc,
    cross_validate_grid,
    cross_validate_models,
    cross_validated_auc,
    cross_validated_cindex,
    cross_validated_score,
    holdout_auc,
    make_phantom_cohort,
    permutation_test,
    pool_random_effects,
    sensitivity_at_specificity,
    survival_outcomes,
)
from radiodeep.exceptions import LeakageError, RadiodeepWarning, StudyError
from radiodeep.study.centres import difference_by_centre
from radiodeep.study.endpoints.two_classes import TwoClasses
from radiodeep.study.statistics.meta_analysis import pool_bounded

BY_CENTRE = "leave-one-centre-out"


def table(n_cases=120, effect=0.8, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_cases) % 2
    names = [f"case {number}" for number in range(n_cases)]
    X = pd.DataFrame(rng.normal(size=(n_cases, 3)) + effect * y[:, None], columns=list("abc"), index=names)
    return X, y, pd.Series(np.repeat(["Bonn", "Lyon", "Pisa", "Turin"], n_cases // 4), index=names)


def test_each_centre_is_tested_by_a_model_of_the_others_and_measured_as_a_holdout():
    X, y, centres = table()
    result = cross_validated_auc(LogisticRegression(), X, y, cv=BY_CENTRE, centres=centres)
    for centre, row in result.centres.iterrows():
        own = (centres == centre).to_numpy()
        other = holdout_auc(LogisticRegression(), X[~own], y[~own], X[own], y[own])
        assert (row["value"], row["low"], row["high"]) == pytest.approx(
            (other.auc, other.confidence_interval.low, other.confidence_interval.high)
        )
        assert (row["n"], row["positive"]) == (30, 15)
    bounds = (result.centres[name] for name in ("value", "low", "high"))
    pooled = pool_bounded(*bounds, (0, 1))
    assert (result.auc, result.confidence_interval) == (pooled.value, pooled.confidence_interval)
    np.testing.assert_allclose(result.centres["weight"], pooled.weights)
    assert result.folds["test_ids"].map(len).tolist() == [30] * 4
    assert result.companion is None
    assert "(leave-one-centre-out)\n  random effects of 4 centres: I2" in str(result)
    assert list(result.tables()["Centres"]) == ["n", "positive", "AUC", "AUC low", "AUC high", "weight"]
    assert np.isnan(result.measures()["low"]).all()  # those of all cases have no valid interval


def test_scores_of_different_centres_are_not_compared():
    rng = np.random.default_rng(0)
    y, level = np.arange(60) % 2, np.repeat([0.0, 6.0, 12.0], 20)
    X = (4 * y + level + 0.3 * rng.normal(size=60)).reshape(-1, 1)
    result = cross_validated_auc(LogisticRegression(), X, y, cv=BY_CENTRE, centres=level)
    assert result.centres["value"].tolist() == [1, 1, 1]
    assert 0.9 < result.auc < 1
    assert auc_with_confidence(y, result.predictions["score"]).auc < 0.9


def test_every_kind_of_outcome_has_centres():
    X, _, centres = table()
    rng = np.random.default_rng(1)
    settings = {"cv": BY_CENTRE, "centres": centres}
    numbers = cross_validated_score(Ridge(), X, X["a"] + rng.normal(size=120), **settings)
    assert (numbers.endpoint.measure, len(numbers.centres)) == ("Spearman", 4)
    time = survival_outcomes(event=rng.random(120) < 0.7, time=rng.exponential(np.exp(-X["a"].to_numpy())))
    survival = cross_validated_cindex(CoxRegression(), X, time, **settings)
    assert survival.centres["events"].sum() == time["event"].sum()
    classes = cross_validated_score(LogisticRegression(), X, np.arange(120) % 3, **settings)
    assert classes.outcome == "several classes"
    for result in (numbers, survival, classes):
        low, high = result.confidence_interval.low, result.confidence_interval.high
        assert result.centres["value"].min() < result.value < result.centres["value"].max()
        assert low < result.value < high


def test_a_centre_of_one_class_is_tested_but_has_no_auc():
    X, y, centres = table()
    y[:30] = 1
    result = cross_validated_auc(LogisticRegression(), X, y, cv=BY_CENTRE, centres=centres)
    assert result.centres.loc["Bonn", ["n", "positive", "weight"]].tolist() == [30, 30, 0]
    assert np.isnan(result.centres.loc["Bonn", "value"])
    assert len(result.random_effects.weights) == 3
    assert len(result.predictions) == 120
    y = (centres == "Bonn").to_numpy() | (centres == "Lyon").to_numpy()
    with pytest.raises(StudyError, match="The AUC can be measured in no centre"):
        cross_validated_auc(LogisticRegression(), X, y, cv=BY_CENTRE, centres=centres)


def test_a_patient_in_two_centres_is_refused():
    X, y, centres = table()
    patients = np.arange(120)
    patients[119] = 0
    with pytest.raises(LeakageError, match="Patient '0' has cases in two centres, 'Bonn' and 'Turin'"):
        cross_validated_auc(LogisticRegression(), X, y, cv=BY_CENTRE, centres=centres, groups=patients)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cv": BY_CENTRE}, "needs 'centres': the name of a column of the cases, or the centre of each row"),
        ({"cv": 5, "centres": ["A", "B"] * 60}, "The 'centres' are those of cv='leave-one-centre-out'. Got cv=5"),
        ({"cv": BY_CENTRE, "centres": ["A"] * 120}, "needs two centres or more. Got 'A' for all 120 cases"),
        ({"cv": BY_CENTRE, "centres": ["A", "B"]}, "the centre of each of the 120 rows"),
        ({"cv": BY_CENTRE, "centres": ["A", None] * 60}, "60 of 120 cases have no centre, e.g. 'case 1'"),
        ({"cv": BY_CENTRE, "centres": ["A", " "] * 60}, "60 of 120 cases have no centre, e.g. 'case 1'"),
        ({"cv": BY_CENTRE, "centres": ["A", "A "] * 60}, "needs two centres or more. Got 'A' for all 120 cases"),
        ({"cv": BY_CENTRE, "centres": "site"}, "a table have no facts besides it. Pass one site per row"),
    ],
)
def test_centres_that_cannot_be_left_out_are_named(settings, message):
    X, y, _ = table()
    with pytest.raises(StudyError, match=message):
        cross_validated_auc(LogisticRegression(), X, y, **settings)


def test_a_training_part_of_one_class_is_named_by_its_centre():
    X, y, centres = table()
    with pytest.raises(StudyError, match=r"fold 1 \(tested: Lyon\) holds the label False only"):
        cross_validated_auc(LogisticRegression(), X, (centres == "Lyon") & (y == 1), cv=BY_CENTRE, centres=centres)


def test_models_are_compared_centre_by_centre_and_by_no_other_test():
    X, y, centres = table()
    models = {"all": LogisticRegression(), "one": LogisticRegression(C=1e-4), "none": DummyClassifier()}
    results = cross_validate_models(models, X, y, cv=BY_CENTRE, centres=centres)
    all_features, one, none = results.values()
    comparison = compare_auc(all_features, none)
    assert comparison.test == "DeLong, paired, random effects of 4 centres"
    assert comparison.difference == pytest.approx(all_features.auc - 0.5, abs=0.03)
    assert 1e-6 < comparison.p_value < 0.05
    same = compare_auc(none, none)
    assert same.p_value == 1
    assert same.confidence_interval.low == same.confidence_interval.high == same.difference == 0
    with pytest.warns(RadiodeepWarning, match="nearly equal to the outcome"):
        perfect = cross_validate_models(models, X + 100.0 * y[:, None], y, cv=BY_CENTRE, centres=centres)
    difference = compare_auc(perfect["all"], none)
    assert difference.difference > 0.4
    assert np.isnan(difference.p_value)
    assert compare_auc(all_features, one).p_value > 0.05
    with pytest.raises(StudyError, match="of different centres are of different models, so they share no threshold"):
        sensitivity_at_specificity(one)
    for test in (compare_accuracy, lambda a, b: best_of_several({"a": a, "b": b})):
        with pytest.raises(StudyError, match="compared by compare_auc and compare_all only, centre by centre"):
            test(all_features, one)


def test_a_grid_takes_centres_in_the_order_of_its_rows():
    X, y, centres = table()
    shuffled = centres.sample(frac=1, random_state=0)
    settings = {"cv": BY_CENTRE, "centres": shuffled}
    grid = cross_validate_grid({"t": X}, {"all": None}, {"lr": LogisticRegression()}, y, **settings)
    assert grid["t, all, lr"].centres.index.tolist() == ["Bonn", "Lyon", "Pisa", "Turin"]
    assert grid["t, all, lr"].folds["test_ids"][0] == X.index[:30].tolist()


def test_centres_differ_where_their_signal_does_and_not_where_it_does_not():
    X, y, centres = table(400, effect=0.9)
    settings = {"cv": BY_CENTRE, "centres": centres}
    alike = cross_validated_auc(LogisticRegression(), X, y, **settings)
    assert alike.random_effects.i2 == 0
    assert alike.random_effects.p_heterogeneity > 0.5
    rng = np.random.default_rng(1)
    X = X.where(centres.isin(["Bonn", "Lyon"]), rng.normal(size=X.shape))
    unlike = cross_validated_auc(LogisticRegression(), X, y, **settings)
    assert unlike.random_effects.i2 > 0.8
    assert unlike.random_effects.p_heterogeneity < 1e-4
    width = [np.ptp([result.confidence_interval.low, result.confidence_interval.high]) for result in (alike, unlike)]
    assert width[1] > 3 * width[0]


def test_outcomes_are_permuted_within_centres():
    X, y, centres = table(60)
    settings = {"cv": BY_CENTRE, "centres": centres, "n_permutations": 30}
    tested = permutation_test(LogisticRegression(), X, y, **settings)
    assert tested.auc == cross_validated_auc(LogisticRegression(), X, y, cv=BY_CENTRE, centres=centres).auc
    assert tested.p_value < 0.05
    y = centres.isin(["Bonn", "Lyon"]).to_numpy(copy=True)  # the same outcome in each centre: nothing can be shuffled
    y[[0, 59]] = False, True
    constant = X.assign(**{name: centres.map({"Bonn": 0, "Lyon": 1, "Pisa": 2, "Turin": 3}) for name in X})
    tested = permutation_test(LogisticRegression(), constant, y, **settings)
    assert set(tested.null_aucs) == {tested.auc}


@pytest.mark.slow
@pytest.mark.parametrize(("n_centres", "spread"), [(3, 0.0), (5, 0.4)])
def test_the_interval_holds_the_mean_of_the_centres(n_centres, spread):
    """The score is the first column; the classes of a centre differ by 0.8 in it, with a standard deviation."""
    rng = np.random.default_rng(0)
    shifts = 0.8 + spread * rng.normal(size=100_000)
    truth = expit(logit(norm.cdf(shifts / np.sqrt(2))).mean())
    y, centres = np.tile([0, 1], 20 * n_centres), np.repeat(np.arange(n_centres), 40)
    held = []
    for _ in range(100):
        X = rng.normal(size=(len(y), 1)) + (rng.choice(shifts, n_centres)[centres] * y)[:, np.newaxis]
        result = cross_validated_auc(LogisticRegression(), X, y, cv=BY_CENTRE, centres=centres)
        held.append(result.confidence_interval.low < truth < result.confidence_interval.high)
    assert np.mean(held) >= 0.93


def test_excluded_cases_leave_the_centres_of_the_others_in_order():
    X, y, centres = table()
    settings = {"cv": BY_CENTRE, "centres": centres}
    gaps = X.copy()
    gaps.iloc[:7] = np.nan
    result = cross_validated_auc(LogisticRegression(), gaps, y, on_error="exclude", **settings)
    assert result.centres["n"].tolist() == [23, 30, 30, 30]
    without = cross_validated_auc(LogisticRegression(), X[7:], y[7:], cv=BY_CENTRE, centres=centres[7:])
    assert result.auc == without.auc


def test_a_centre_in_which_both_models_are_perfect_counts_least_in_their_difference():
    y, centres = np.arange(60) % 2, np.repeat([0, 1, 2], 20)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(2, 60)) + np.array([[1.5], [0.3]]) * y
    scores[:, :20] = y[:20]
    effects = difference_by_centre(TwoClasses(y), scores, centres)
    values, variances = np.zeros(3), np.zeros(3)
    for number in (1, 2):
        own = centres == number
        of_models, covariance = TwoClasses(y[own]).covariance(scores[:, own])
        values[number] = of_models[0] - of_models[1]
        variances[number] = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    variances[0] = variances.max()
    assert effects.value == pytest.approx(pool_random_effects(values, np.sqrt(variances)).value)
    assert difference_by_centre(TwoClasses(y), scores[[0, 0]], centres) is None


def test_lesions_of_different_centres_are_a_reason_for_none():
    lesions = [
        case.replace(patient=f"P{row // 2}", label=row // 2 % 2, clinical={"site": "B" if row == 1 else "A"})
        for row, case in enumerate(make_phantom_cohort(8, random_state=0))
    ]
    patients = Cohort(lesions).by_patient()
    with pytest.raises(StudyError, match="1 of 4 cases have no centre, or lesions of different ones, e.g. 'P0'"):
        cross_validated_auc(LogisticRegression(), patients, patients.labels, cv=BY_CENTRE, centres="site")


def test_a_difference_of_two_centres_stays_within_what_a_difference_can_be():
    X, y, _ = table(20, seed=5)
    centres = np.repeat(["Bonn", "Lyon"], 10)
    results = [cross_validated_auc(LogisticRegression(), X[[name]], y, cv=BY_CENTRE, centres=centres) for name in "ab"]
    interval = compare_auc(*results).confidence_interval
    assert interval.low == -1.0
    assert interval.high == 1.0
