"""Times to an event: what is accepted, scored, measured and said."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.exceptions import SingleClassError, StudyError
from radiodeep.study.endpoints.survival import Survival
from radiodeep.study.statistics.survival import concordance

TRUE_C = 0.6971  # of hazards exp(x) of two cases: E[1 / (1 + exp(-|d|))], where d is normal with a variance of 2


def cohort(n_cases=60, n_features=3, seed=0, censored=2.0, effect=1.0):
    """Return a table whose first column is the log hazard, and the outcomes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_cases, n_features))
    time, end = rng.exponential(np.exp(-effect * X[:, 0])), rng.exponential(censored, size=n_cases)
    return X, rd.survival_outcomes(time <= end, np.minimum(time, end))


class FirstColumn(BaseEstimator):
    """A model of the risk that has nothing to learn."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X[:, 0]


class SurvivalOnly(BaseEstimator):
    """A model that predicts survival functions only, as step functions up to a last time."""

    def __init__(self, last=1.0):
        self.last = last

    def fit(self, X, y):
        return self

    def predict_survival_function(self, X):
        return [_Function(row[0], self.last) for row in X]


class _Function:
    def __init__(self, log_hazard, last):
        self.hazard, self.domain = np.exp(log_hazard), (0.0, last)

    def __call__(self, times):
        if np.max(times) > self.domain[1]:
            raise ValueError("beyond the domain")
        return np.exp(-self.hazard * np.asarray(times))


class GivenFolds:
    """A splitter of given test folds."""

    def __init__(self, *tested):
        self.tested = tested

    def split(self, X, y=None, groups=None):
        for test in self.tested:
            yield np.setdiff1d(np.arange(len(X)), test), np.asarray(test)


class TimeInstead(FirstColumn):
    """Predicts times, as some of scikit-survival's models do."""

    _predict_risk_score = False


def test_outcomes_are_events_and_times_and_strata_are_events():
    _, y = cohort()
    endpoint = Survival(y)
    assert endpoint.y.dtype.names == ("event", "time")
    np.testing.assert_array_equal(endpoint.strata, y["event"])
    restored = Survival.outcomes_of(pd.DataFrame(endpoint.columns()))
    np.testing.assert_array_equal(restored, y)


def test_folds_are_not_stratified_by_few_censored_cases():
    assert Survival(cohort(censored=1e9)[1]).strata is None


def test_folds_are_stratified_by_few_events():
    y = rd.survival_outcomes(np.arange(9) < 3, np.arange(1.0, 10))
    np.testing.assert_array_equal(Survival(y).strata, y["event"])
    X = np.random.default_rng(0).normal(size=(9, 2))
    result = rd.cross_validated_cindex(rd.CoxRegression(alpha=1.0), X, y, cv="leave-one-out", n_repeats=1)
    assert result.companion.cv.startswith("3-fold")  # halves could hold no event
    with pytest.raises(StudyError, match="only one case of the rarest outcome"):
        rd.cross_validated_cindex(rd.CoxRegression(alpha=1.0), X[2:], y[2:], cv=2)


def test_horizon_is_the_median_follow_up_unless_few_cases_are_followed_beyond_it():
    event, time = np.ones(100, dtype=bool), np.arange(1.0, 101)
    assert Survival(rd.survival_outcomes(event, time)).horizon == 80  # nobody is censored: a fifth lives longer
    event[::2] = False
    assert Survival(rd.survival_outcomes(event, time)).horizon == 75  # half of the censoring times are longer
    assert Survival(rd.survival_outcomes(event, time), horizon=30).horizon == 30


def test_there_is_no_horizon_if_all_events_come_last():
    with pytest.raises(StudyError, match="No case is followed beyond the first event, at 5, so there is no horizon"):
        Survival(rd.survival_outcomes([True, True, False], [5.0, 5, 5]))


@pytest.mark.parametrize("horizon", [None, 35.0])
def test_horizon_is_that_of_the_cases_that_are_not_left_out(horizon):
    y = rd.survival_outcomes(np.arange(40) % 2 == 0, np.arange(1.0, 41))
    X = np.random.default_rng(0).normal(size=(40, 2))
    X[30:] = np.nan

    def study():
        table = pd.DataFrame(X)
        return rd.cross_validated_cindex(
            rd.CoxRegression(), table, y, cv=2, n_repeats=1, on_error="exclude", horizon=horizon
        )

    if horizon is None:
        assert study().endpoint.horizon == Survival(y[:30]).horizon
    else:
        with pytest.raises(StudyError, match="first event of the 30 cases, at 1, and their last time, 30,.* Got 35"):
            study()


def test_times_are_quantiles_of_the_events_by_the_horizon():
    event, time = np.ones(100, dtype=bool), np.arange(1.0, 101)
    endpoint = Survival(rd.survival_outcomes(event, time), horizon=40)
    np.testing.assert_array_equal(endpoint.times, np.arange(2, 42, 2))
    few = Survival(rd.survival_outcomes([True, True, False], [2.0, 3, 4]), horizon=3.5)
    assert few.times.tolist() == [2, 3, 3.5]


@pytest.mark.parametrize(
    ("horizon", "words"),
    [(0, "must be None or a number > 0. Got 0"), ("5", "None or a number > 0"), (0.5, "at 1,"), (100, "time, 100,")],
)
def test_horizon_outside_the_times_is_an_error(horizon, words):
    y = rd.survival_outcomes(np.ones(100, dtype=bool), np.arange(1.0, 101))
    with pytest.raises(StudyError, match=words):
        Survival(y, horizon=horizon)


def test_outcomes_that_cannot_be_studied_are_an_error():
    _, y = cohort()
    with pytest.raises(StudyError, match="Survival has no positive class. Leave out 'positive', got 1"):
        Survival(y, positive=1)
    with pytest.raises(StudyError, match="None of the 60 cases has an event"):
        Survival(np.array([(False, time) for time in y["time"]], dtype=y.dtype))
    with pytest.raises(SingleClassError, match="No two of the 2 cases are comparable: none outlasts an event"):
        Survival(rd.survival_outcomes([True, False], [3, 2]))
    with pytest.raises(SingleClassError, match="Fold 1 holds no event. Use fewer folds"):
        Survival(y).check_training(np.flatnonzero(~y["event"]), "Fold 1")


def test_some_of_the_cases_keep_the_horizon_and_the_times():
    _, y = cohort()
    endpoint = Survival(y, patients=np.arange(60) // 2)
    taken = endpoint.take(np.arange(10, 20))
    np.testing.assert_array_equal(taken.times, endpoint.times)
    np.testing.assert_array_equal(taken.patients, np.arange(10) // 2)
    np.testing.assert_array_equal(taken.strata, y["event"][10:20])
    with pytest.raises(SingleClassError, match="No two of the 1 cases are comparable"):
        endpoint.take([0])


def test_scores_are_risks_and_predictions_are_relative_to_the_training_cases():
    X, y = cohort()
    endpoint = Survival(y)
    scored = endpoint.score(FirstColumn(), X[:20], X[20:])
    np.testing.assert_array_equal(scored.score, X[:20, 0])
    np.testing.assert_array_equal(scored.prediction, X[:20, 0] > np.median(X[20:, 0]))
    assert scored.probability.shape == (20, len(endpoint.times))
    assert np.isnan(scored.probability).all()


def test_predicted_times_are_turned_into_risks():
    X, y = cohort()
    np.testing.assert_array_equal(Survival(y).score(TimeInstead(), X).score, -X[:, 0])


def test_survival_functions_are_read_at_the_times_and_give_a_risk():
    X, y = cohort()
    endpoint = Survival(y, horizon=0.8)
    scored = endpoint.score(SurvivalOnly(), X, X)
    np.testing.assert_allclose(scored.probability, np.exp(-np.exp(X[:, :1]) * endpoint.times))
    np.testing.assert_allclose(scored.score, 1 - scored.probability[:, -1])


def test_survival_functions_are_constant_beyond_their_last_time():
    X, y = cohort()
    scored = Survival(y, horizon=0.8).score(SurvivalOnly(last=0.5), X)
    np.testing.assert_allclose(scored.probability[:, -1], np.exp(-np.exp(X[:, 0]) * 0.5))


def test_the_survival_at_the_horizon_is_the_risk_of_models_without_predict():
    class Predicted(FirstColumn):
        predict = property()

        def predict_survival(self, X, times):
            return np.exp(-np.outer(np.exp(X[:, 0]), times))

    X, y = cohort()
    scored = Survival(y, horizon=0.5).score(Predicted(), X)
    np.testing.assert_allclose(scored.score, 1 - np.exp(-np.exp(X[:, 0]) * 0.5))


def test_survival_is_unknown_if_no_baseline_was_fitted():
    class WithoutBaseline(FirstColumn):
        def predict_survival_function(self, X):
            raise ValueError("`fit` must be called with the fit_baseline_model option set to True.")

    X, y = cohort()
    assert np.isnan(Survival(y).score(WithoutBaseline(), X).probability).all()


@pytest.mark.parametrize(
    ("risk", "survival", "words"),
    [
        (np.zeros((60, 2)), np.zeros((60, 20)), r"one risk for each of the 60 cases. Got shape \(60, 2\)"),
        (np.zeros(60), np.zeros(60), r"the survival of 60 cases at 20 times. Got shape \(60,\)"),
        (np.zeros(60), np.full((60, 20), 1.5), "survival from 0 to 1. Got 1.5"),
        (np.zeros(60), np.full((60, 20), -0.5), "survival from 0 to 1. Got -0.5"),
    ],
)
def test_predictions_of_another_form_are_an_error(risk, survival, words):
    class Given(BaseEstimator):
        def predict(self, X):
            return risk

        def predict_survival(self, X, times):
            return survival

    X, y = cohort()
    with pytest.raises(StudyError, match=f"Given must predict {words}"):
        Survival(y).score(Given(), X)


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize("model", [LogisticRegression(), LinearRegression()])
def test_models_of_other_outcomes_are_an_error(model):
    with pytest.raises(StudyError, match="does not take times to an event. Use a model of survival"):
        rd.cross_validated_cindex(model, *cohort(), cv=2, n_repeats=1)


def test_models_without_a_risk_are_an_error():
    X, y = cohort()
    with pytest.raises(StudyError, match="StandardScaler has neither predict nor predict_survival_function"):
        Survival(y).score(StandardScaler().fit(X), X)


def test_c_is_the_mean_over_repeats_of_that_within_the_folds():
    X, y = cohort()
    result = rd.cross_validated_score(rd.CoxRegression(), X, y, cv=3, n_repeats=4)
    folds = result.fold_of_case
    repeats = [
        concordance(y["event"], y["time"], score[np.newaxis], folds=fold)
        for score, fold in zip(result.score_array, folds, strict=True)
    ]
    np.testing.assert_allclose(result.value, np.mean([values for values, _ in repeats]))
    variance = np.mean([covariance for _, covariance in repeats])
    np.testing.assert_allclose(result.variance, (3.3 * 2 / 3 + 1 / 4) * variance)
    assert result.estimate == "pairs of cases of the same fold, mean of 4 repeats"
    assert result.interval_method == "jackknife over patients"
    score = result.predictions["score"]
    assert 0 < score.min() < score.max() < 1
    assert set(result.predictions["prediction"]) == {0, 1}


def test_true_c_lies_in_the_interval():
    X, y = cohort(200, censored=1e9)
    result = rd.cross_validated_score(rd.CoxRegression(), X, y, cv=2, n_repeats=10)
    assert result.confidence_interval.low < TRUE_C < result.confidence_interval.high
    assert result.confidence_interval.high - result.confidence_interval.low < 0.12


def test_monotone_changes_of_the_scores_of_a_fold_change_nothing():
    X, y = cohort()
    endpoint, folds = Survival(y), np.arange(60) % 2
    moved = np.where(folds == 0, X[:, 0], 5 + 3 * X[:, 0])
    covariances = [endpoint.covariance(score[np.newaxis], folds) for score in (X[:, 0], moved)]
    for ours, expected in zip(*covariances, strict=True):
        np.testing.assert_allclose(ours, expected)


def test_leave_one_out_pools_the_folds_and_has_a_companion_with_an_interval():
    X, y = cohort()
    result = rd.cross_validated_score(rd.CoxRegression(), X, y, cv="leave-one-out", n_repeats=1)
    expected, _ = concordance(y["event"], y["time"], result.score_array)
    np.testing.assert_allclose(result.value, expected.item())
    assert result.estimate == "pooled over folds"
    assert np.isnan([result.variance, result.confidence_interval.low, result.confidence_interval.high]).all()
    assert not np.isnan(result.companion.confidence_interval.low)
    measures = result.measures()
    assert measures["value"].notna().all()
    assert measures[["low", "high"]].isna().all(axis=None)
    assert np.isnan(result.tables()["Log-rank test of the risk groups"]["p_value"].item())


def test_leave_pair_out_is_an_error():
    X, y = cohort()
    with pytest.raises(StudyError, match="Leave-pair-out needs two classes. Take repeated folds for the C"):
        rd.cross_validated_score(rd.CoxRegression(), X, y, cv="leave-pair-out")


def test_folds_without_comparable_cases_are_an_error():
    y = rd.survival_outcomes([True, True, True, False], [1.0, 1, 2, 0.5])
    X, folds = np.arange(4.0)[:, np.newaxis], GivenFolds([0, 1], [2, 3], [0, 3], [1, 2])
    with pytest.raises(StudyError, match="No two cases of a test fold are comparable.*Use fewer folds"):
        rd.cross_validated_score(FirstColumn(), X, y, cv=folds)


def test_cases_of_a_patient_are_one_unit():
    X, y = cohort(40)
    patients = np.repeat(np.arange(40), 2)
    single = Survival(y).covariance(X[np.newaxis, :, 0])[1].item()
    twice = Survival(np.repeat(y, 2), patients=patients).covariance(np.repeat(X[np.newaxis, :, 0], 2, axis=1))[1].item()
    np.testing.assert_allclose(twice, single, rtol=0.02)
    assert Survival(np.repeat(y, 2)).covariance(np.repeat(X[np.newaxis, :, 0], 2, axis=1))[1].item() < 0.6 * single


def test_size_is_compared_with_the_model_and_pairs_of_equal_size_are_those_of_a_fold():
    X, y = cohort(80)
    sizes = np.exp(0.2 * X[:, 1] - 0.1 * X[:, 0])
    result = rd.cross_validated_score(rd.CoxRegression(), X, y, cv=2, n_repeats=5, size=sizes)
    assert result.size_baseline.settings["an earlier event"] == "smaller regions"
    assert result.against_size.test == "jackknife, paired, 5 repeats"
    repeats = [
        concordance(y["event"], y["time"], score[np.newaxis], folds=fold, sizes=sizes)[0].item()
        for score, fold in zip(result.score_array, result.fold_of_case, strict=True)
    ]
    np.testing.assert_allclose(result.equal_size_auc, np.mean(repeats))
    few = Survival(y).at_equal_size(result.score_array, np.exp(10 * X[:, 1]))
    assert few[0] is None
    assert few[1] < 30


def test_the_marker_scores_in_the_better_direction():
    X, y = cohort()
    endpoint = Survival(y)
    for sign, word in ((1, "larger"), (-1, "smaller")):
        predicted, words = endpoint.marker(sign * X[:, 0], "regions")
        np.testing.assert_array_equal(predicted.score, X[:, 0])
        assert words == {"an earlier event": f"{word} regions"}
        assert predicted.prediction.sum() == 30


def test_times_beyond_the_training_cases_are_named():
    X, y = cohort(40)
    last = np.argsort(y["time"])[-12:]
    y["event"][last[:3]] = True
    folds = GivenFolds(last, np.setdiff1d(np.arange(40), last))
    result = rd.cross_validated_score(FirstColumn(), X, y, cv=folds, horizon=float(np.sort(y["time"])[-2]))
    assert "The times of 12 cases lie beyond those of all training cases of a fold" in " ".join(result.remarks)
    assert result.measures()["value"].notna().all()


def test_survival_is_said_in_words():
    _, y = cohort()
    endpoint = Survival(y, horizon=1)
    n_events = y["event"].sum()
    follow_up = f"median follow-up {endpoint._median_follow_up():g}"
    assert endpoint.composition() == f"60 cases, {n_events} events, {follow_up}, horizon 1"
    assert endpoint.count() == f"n=60, {n_events} events"
    clustered = Survival(y, patients=np.arange(60) // 2)
    assert clustered.composition().startswith(f"60 cases of 30 patients, {n_events} events")
    assert "2-fold, 50 repeats" in endpoint.companion_note("leave-one-out", "2-fold, 50 repeats")
    assert endpoint.baseline() == "A model without information has a C of 0.5."


def test_classifiers_at_the_horizon_are_measured_at_it():
    X, y = cohort(100)
    model = make_pipeline(StandardScaler(), rd.HorizonClassifier(LogisticRegression(), horizon=0.8))
    result = rd.cross_validated_score(model, X, y, cv=2, n_repeats=3, horizon=0.8)
    assert result.value > 0.6
    assert "IPA at 0.8" in result.measures().index
    assert "integrated Brier score" not in result.measures().index
    assert rd.cross_validated_score(model, X, y, cv=2, n_repeats=3, horizon=0.7).measures().shape == (2, 3)


def test_scikit_survivals_models_fit_in():
    linear_model = pytest.importorskip("sksurv.linear_model")
    X, y = cohort(80)
    ours, theirs = (
        rd.cross_validated_score(model, X, y, cv=2, n_repeats=3)
        for model in (rd.CoxRegression(ties="breslow"), linear_model.CoxPHSurvivalAnalysis())
    )
    np.testing.assert_allclose(ours.value, theirs.value)
    np.testing.assert_allclose(
        ours.measures().drop("integrated Brier score"), theirs.measures().drop("integrated Brier score"), rtol=1e-5
    )
    time_model = rd.cross_validated_score(linear_model.IPCRidge(), X, y, cv=2, n_repeats=3)
    assert time_model.value > 0.6


def test_holdout_is_measured_with_the_training_cases_of_the_model():
    X, y = cohort(120)
    result = rd.holdout_auc(rd.CoxRegression(), X[:70], y[:70], X[70:], y[70:])
    expected, covariance = concordance(y["event"][70:], y["time"][70:], result.score_array)
    np.testing.assert_allclose([result.value, result.variance], [expected.item(), covariance.item()])
    assert result.measures().notna().all(axis=None)


def test_default_horizon_of_a_holdout_is_no_later_than_that_of_the_training_cases():
    X, y = cohort(n_cases=80)
    short = rd.survival_outcomes(y["event"] & (y["time"] < 0.4), np.minimum(y["time"], 0.4))
    tables = pd.DataFrame(X[:40]), pd.DataFrame(X[40:], index=range(40, 80))
    result = rd.holdout_auc(rd.CoxRegression(), tables[0], short[:40], tables[1], y[40:])
    assert result.horizon == Survival(short[:40]).horizon
    assert result.remarks == ()
    with_short_test = rd.holdout_auc(rd.CoxRegression(), tables[0], y[:40], tables[1], short[40:])
    assert with_short_test.horizon == Survival(short[40:]).horizon


def test_permutation_test_includes_the_log_rank_test_of_the_risk_groups():
    X, y = cohort(40, effect=2.0)
    test = rd.permutation_test(FirstColumn(), X, y, cv=3, n_permutations=19)
    assert (test.measure, test.p_value, test.other_p_values) == ("C", 0.05, {"log-rank": 0.05})
    assert str(test).endswith("p = 0.05 (19 permutations); log-rank p = 0.05")
    noise = rd.permutation_test(FirstColumn(), -X, y, cv=3, n_permutations=19)
    assert noise.other_p_values["log-rank"] == 1  # high risk of cases that live longer is no information


def test_a_perfect_order_of_few_events_is_not_certainty():
    y = rd.survival_outcomes(np.arange(20) < 6, np.arange(1.0, 21))
    result = rd.holdout_auc(FirstColumn(), np.ones((20, 1)), y, -np.arange(20.0)[:, np.newaxis], y)
    assert result.value == result.confidence_interval.high == 1
    np.testing.assert_allclose(result.confidence_interval.low, 18 / (18 + 1.959964**2), rtol=1e-6)  # Wilson's of 18


def test_models_without_information_are_measured_and_reported(tmp_path):
    class Constant(FirstColumn):
        def predict(self, X):
            return np.zeros(len(X))

        def predict_survival(self, X, times):
            return np.ones((len(X), len(times)))

    X, y = cohort()
    result = rd.cross_validated_cindex(Constant(), X, y, cv=2, n_repeats=2)
    assert result.value == 0.5
    groups = result.tables()["Survival by risk group"].set_index("group")
    assert (groups.loc["high risk", "n_at_risk"] == 0).all()
    assert groups.loc["high risk", "survival"].isna().all()
    assert groups.loc["low risk", "survival"].tolist() == groups.loc["all", "survival"].tolist()
    assert result.measures()["value"].filter(like="O/E").tolist() == [np.inf]
    rd.write_report(result, tmp_path / "report.html")


def test_analyses_of_classes_name_the_tables_of_survival():
    X, y = cohort()
    result = rd.cross_validated_score(FirstColumn(), X, y, cv=2, n_repeats=2)
    with pytest.raises(StudyError, match=r"survival have no calibration.*measures\(\) and tables\(\)"):
        rd.decision_curve(result)


def test_selectors_of_classes_are_refused_unless_a_horizon_makes_classes():
    X, y = cohort()
    chosen = SelectKBest(k=2)
    with pytest.raises(StudyError, match="SelectKBest takes each event and time as a class. Select features of surv"):
        rd.cross_validated_cindex(make_pipeline(StandardScaler(), chosen, rd.CoxRegression()), X, y)
    for selector in (rd.HorizonSelector(chosen, 0.5), SelectKBest(lambda X, y: abs(X.sum(axis=0)), k=2)):
        model = make_pipeline(selector, rd.CoxRegression())
        assert rd.cross_validated_cindex(model, X, y, cv=2, n_repeats=1).value > 0
