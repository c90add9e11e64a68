"""Numbers as outcomes: what is accepted, scored, measured, compared and said."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr, t
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import radiodeep as rd
from radiodeep.exceptions import RadiodeepWarning, StudyError
from radiodeep.study.endpoints.numbers import Numbers
from radiodeep.study.statistics.numbers import ERRORS, errors_jackknife, spearman_jackknife


def table(n_cases=60, n_features=6, effect=1.0, seed=0):
    """Return features, the first two of which follow the outcomes, and outcomes of mean 50."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n_cases)
    X = rng.normal(size=(n_cases, n_features))
    X[:, :2] += effect * y[:, np.newaxis]
    index = [f"case {number}" for number in range(n_cases)]
    return pd.DataFrame(X, index=index).add_prefix("f"), pd.Series(50 + 10 * y, index=index)


@pytest.mark.parametrize(
    ("y", "positive", "message"),
    [
        (["a", "b"], None, "The outcomes must be numbers. Study text with outcome='classes'"),
        ([1.0, np.nan, np.inf], None, "2 of 3 outcomes are missing or infinite"),
        ([4.0, 4.0], None, "The outcomes must vary. All 2 are 4"),
        ([1.0, 2.0], 1.0, "Numbers have no positive class. Leave out 'positive', got 1.0"),
    ],
)
def test_outcomes_that_cannot_be_studied_are_refused(y, positive, message):
    with pytest.raises(StudyError, match=message):
        Numbers(np.array(y), positive)


def test_folds_are_stratified_by_groups_of_similar_outcomes():
    y = np.random.default_rng(0).permutation(130.0 + np.arange(130))
    strata = Numbers(y).strata
    assert np.bincount(strata).tolist() == [26] * 5
    assert all(y[strata == low].max() < y[strata == low + 1].min() for low in range(4))
    assert len(set(Numbers(y[:40]).strata)) == 2
    assert Numbers(y[:39]).strata is None
    X = np.random.default_rng(1).normal(size=(130, 2))
    means = [y.mean() for y in rd.cross_validated_score(Ridge(), X, y, cv=2).training_outcomes]
    assert np.std(means) < 0.3 * np.std(y) / np.sqrt(65)


def test_the_training_cases_must_vary():
    endpoint = Numbers(np.array([1.0, 1.0, 2.0]))
    endpoint.check_training([0, 2], "Fold 3")
    with pytest.raises(StudyError, match="Fold 3 holds the number 1 only. Use fewer folds"):
        endpoint.check_training([0, 1], "Fold 3")
    with pytest.raises(StudyError, match="Fold 3 is empty"):
        endpoint.check_training([], "Fold 3")


def test_a_classifier_is_refused_before_it_is_fitted():
    X, y = table()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    with pytest.raises(StudyError, match="Pipeline is a classifier, and the outcomes are numbers: 30 cases from"):
        rd.holdout_auc(model, X[:30], y[:30], X[30:], y[30:])


def test_a_model_must_predict_one_number_per_case():
    X, y = table()
    endpoint = Numbers(y.to_numpy())
    predicted = endpoint.score(PLSRegression(1).fit(X, y), X)
    assert predicted.score.shape == (60,)
    np.testing.assert_array_equal(predicted.prediction, predicted.score)
    with pytest.raises(StudyError, match="LogisticRegression predicts no numbers. Use a regressor"):
        endpoint.score(LogisticRegression().fit(X, y > 50), X)
    with pytest.raises(StudyError, match="StandardScaler predicts no numbers"):
        endpoint.score(StandardScaler().fit(X), X)
    with pytest.raises(StudyError, match=r"must predict one number per case. Got shape \(60, 2\)"):
        endpoint.score(LinearRegression().fit(X, np.column_stack([y, y])), X)


def test_floats_are_numbers_and_whole_ones_are_by_request():
    X, y = table()
    assert rd.cross_validated_score(Ridge(), X, y, cv=2, n_repeats=1).outcome == "numbers"
    grades = (y.rank() // 15).astype(int)
    assert rd.cross_validated_score(Ridge(), X, grades, cv=2, n_repeats=1, outcome="numbers").outcome == "numbers"


def predictions_by_hand(model, X, y, result):
    """Return the out-of-fold predictions of each repeat, fitted here, (n_repeats, n_cases)."""
    predicted = np.full(result.score_array.shape, np.nan)
    for repeat, tested in zip(result.folds["repeat"], result.folds["test_ids"], strict=True):
        is_test = X.index.isin(tested)
        predicted[repeat, is_test] = clone(model).fit(X[~is_test], y[~is_test]).predict(X[is_test])
    return predicted


@pytest.mark.parametrize("cv", [2, 6])
def test_the_correlation_is_the_mean_over_the_test_folds(cv):
    X, y = table()
    result = rd.cross_validated_score(Ridge(), X, y, cv=cv, n_repeats=3)
    predicted = predictions_by_hand(Ridge(), X, y, result)
    np.testing.assert_allclose(result.score_array, predicted, rtol=1e-9)
    values = [
        spearmanr(y.to_numpy()[fold == number], score[fold == number]).statistic
        for score, fold in zip(predicted, result.fold_of_case, strict=True)
        for number in np.unique(fold)
    ]
    assert result.value == pytest.approx(np.mean(values))  # the folds are of equal size
    assert result.estimate == f"mean of {result.folds['repeat'].nunique()} repeats, each the mean over the test folds"
    assert result.confidence_interval.low < result.value < result.confidence_interval.high
    np.testing.assert_allclose(result.predictions["score"], predicted.mean(axis=0), rtol=1e-9)


def test_small_test_folds_are_pooled_and_leave_one_out_has_no_interval_but_a_companion():
    X, y = table(n_cases=30)
    model = make_pipeline(StandardScaler(), rd.ReliefF(3, n_neighbors=5), Ridge())  # folds share its selection
    result = rd.cross_validated_score(model, X, y, cv="leave-one-out", n_repeats=1)
    predicted = predictions_by_hand(model, X, y, result)[0]
    np.testing.assert_allclose(result.predictions["prediction"], predicted, rtol=1e-9)
    assert result.value == pytest.approx(spearmanr(predicted, y).statistic)
    assert result.estimate == "pooled over folds"
    assert np.isnan(result.confidence_interval.low)
    assert np.isnan(result.variance)
    assert result.measures()[["low", "high"]].isna().all(axis=None)
    assert result.companion.cv.startswith("2-fold")
    assert result.companion.confidence_interval.low < result.companion.value
    of_ten = rd.cross_validated_score(Ridge(), X, y, cv=10, n_repeats=2)
    assert of_ten.estimate == "mean of 2 repeats"


def test_measures_are_those_of_scikit_learn_averaged_over_the_repeats():
    X, y = table()
    result = rd.cross_validated_score(Ridge(), X, y, cv=3, n_repeats=4)
    measures = result.measures()
    assert measures["value"].between(measures["low"], measures["high"]).all()
    for name, function in {"MAE": mean_absolute_error, "RMSE": root_mean_squared_error}.items():
        expected = np.mean([function(y, predicted) for predicted in result.score_array])
        assert measures.loc[name, "value"] == pytest.approx(expected)
    r2 = []
    for predicted, folds in zip(result.score_array, result.fold_of_case, strict=True):
        means = np.array([y.to_numpy()[folds != fold].mean() for fold in folds])  # of the training cases
        r2.append(1 - ((y - predicted) ** 2).sum() / ((y - means) ** 2).sum())
    assert measures.loc["R2", "value"] == pytest.approx(np.mean(r2))
    icc = np.mean([rd.intraclass_correlation(y, predicted).icc for predicted in result.score_array])
    assert measures.loc["ICC", "value"] == pytest.approx(icc)
    limits = result.tables()["Limits of agreement"]
    differences = result.score_array - y.to_numpy()
    assert limits.loc["bias", "value"] == pytest.approx(differences.mean())
    spread = differences.std(axis=1, ddof=1).mean()
    assert limits.loc["upper limit", "value"] == pytest.approx(differences.mean() + 1.96 * spread, rel=1e-4)


def test_variances_of_errors_include_that_between_the_repeats():
    X, y = table(effect=0.4)
    result = rd.cross_validated_score(Ridge(), X, y, cv=2, n_repeats=4)
    repeats = [
        errors_jackknife(
            y.to_numpy(), score[np.newaxis], fold, np.arange(60), y.groupby(fold).mean()[1 - fold].to_numpy()
        )
        for score, fold in zip(result.score_array, result.fold_of_case % 2, strict=True)
    ]
    weight = 1.65 + 1 / 4
    student = t.isf(0.025, 60 / weight - 1)
    for name, has_between in {"R2": True, "upper limit": True, "calibration slope": False}.items():
        column = ERRORS.index(name)
        variance = weight * np.mean([repeat.variances[0, column] for repeat in repeats])
        variance += np.var([repeat.values[0, column] for repeat in repeats], ddof=1) if has_between else 0
        low, high = pd.concat([result.measures(), result.tables()["Limits of agreement"]]).loc[name, ["low", "high"]]
        assert high - low == pytest.approx(2 * student * np.sqrt(variance))


def test_errors_of_skewed_outcomes_have_no_interval():
    X, y = table()
    skewed = np.exp((y - 50) / 5)
    result = rd.cross_validated_score(Ridge(), X, skewed, cv=2, n_repeats=2)
    measures = result.measures()
    assert measures.loc[["MAE", "RMSE"], ["low", "high"]].isna().all(axis=None)
    assert measures.loc[["R2", "Pearson", "Lin's concordance"], ["low", "high"]].notna().all(axis=None)
    assert result.tables()["Limits of agreement"]["low"].isna().tolist() == [False, True, True]
    assert np.isfinite(result.confidence_interval.low)
    assert "Study the logarithm of the outcomes" in result.remarks[-1]
    assert not rd.cross_validated_score(Ridge(), X, y, cv=2, n_repeats=2).remarks


def test_predicting_the_mean_has_neither_correlation_nor_r2():
    X, y = table()
    result = rd.cross_validated_score(DummyRegressor(), X, y, cv=5)
    assert result.value == 0
    assert result.measures().loc["R2", "value"] == 0
    assert result.confidence_interval.low < -0.3
    assert "95% CI -0" in str(result)
    assert " to 0." in str(result)


def test_size_alone_is_a_score_but_no_prediction():
    X, y = table()
    sizes = np.exp(-y / 10 + np.random.default_rng(1).normal(size=60))
    result = rd.cross_validated_score(Ridge(), X, y, cv=2, size=sizes)
    baseline = result.size_baseline
    assert baseline.value > 0.4
    assert baseline.settings == {"class": "size alone", "a larger number": "smaller regions"}
    assert baseline.measures()["value"].isna().all()
    assert result.equal_size_auc is None
    assert result.n_equal_size_pairs is None
    assert "at equal size" not in str(result)
    assert "size alone: Spearman" in str(result)
    assert result.against_size.difference == pytest.approx(result.value - baseline.value)


def test_scores_that_follow_the_size_are_named():
    X, y = table(effect=3.0)
    with pytest.warns(RadiodeepWarning, match="goes up with the size .* Compare its Spearman with that of size alone"):
        rd.cross_validated_score(Ridge(), X, y, cv=2, n_repeats=2, size=np.exp(y / 10))


def test_a_holdout_is_measured_against_the_mean_of_the_training_cohort():
    X, y = table(n_cases=90)
    result = rd.holdout_auc(Ridge(), X[:50], y[:50], X[50:], y[50:])
    predicted = Ridge().fit(X[:50], y[:50]).predict(X[50:])
    assert result.value == pytest.approx(spearmanr(predicted, y[50:]).statistic)
    variance = spearman_jackknife(y[50:].to_numpy(), predicted[np.newaxis], np.zeros(40), np.arange(40)).variances[0]
    assert result.variance == pytest.approx(variance)
    r2 = 1 - ((y[50:] - predicted) ** 2).sum() / ((y[50:] - y[:50].mean()) ** 2).sum()
    assert result.measures().loc["R2", "value"] == pytest.approx(r2)
    assert r2 != r2_score(y[50:], predicted)


def test_lesions_of_a_patient_stay_together_and_widen_the_interval():
    X, y = table(n_cases=30)
    twice = pd.concat([X, X.set_axis([f"{name} again" for name in X.index])])
    twice += 1e-3 * np.random.default_rng(1).normal(size=twice.shape)
    outcomes = pd.concat([y, y.set_axis([f"{name} again" for name in y.index])]) + 1e-3 * np.arange(60)
    patients = np.tile(np.arange(30), 2)
    grouped = rd.cross_validated_score(Ridge(), twice, outcomes, cv=2, groups=patients, n_repeats=2)
    assert len(set(grouped.patients)) == 30
    for fold in grouped.fold_of_case:
        np.testing.assert_array_equal(fold[:30], fold[30:])
    single = rd.cross_validated_score(Ridge(), X, y, cv=2, n_repeats=2)
    width = [result.confidence_interval.high - result.confidence_interval.low for result in (grouped, single)]
    assert width[0] > 0.8 * width[1]  # twice the cases, but not more patients
    assert "n=60 of 30 patients" in str(grouped)


def test_two_models_are_compared_by_the_rule_of_the_folds():
    X, y = table(n_cases=80, effect=0.8)
    models = {"all": Ridge(), "noise": make_pipeline(StandardScaler(), Ridge()), "none": DummyRegressor()}
    tables = {"all": X, "noise": X[["f4", "f5"]], "none": X}
    results = {
        name: rd.cross_validated_score(model, tables[name], y, cv=2, n_repeats=5) for name, model in models.items()
    }
    comparison = rd.compare_auc(results["all"], results["noise"])
    assert comparison.measure == "Spearman"
    assert comparison.p_value < 0.05
    assert rd.compare_auc(results["all"], results["all"]).p_value == 1
    assert rd.compare_all(results)["p_holm"].between(0, 1).all()


def test_searches_permutations_and_resamples_take_numbers():
    X, y = table()
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 10]}, cv=3)
    assert rd.cross_validated_score(search, X, y, cv=3, n_repeats=1).value > 0.5
    permuted = rd.permutation_test(Ridge(), X, y, cv=5, n_permutations=19)
    assert permuted.p_value == 0.05
    assert abs(np.mean(permuted.null_aucs)) < 0.2
    bootstrapped = rd.bootstrap_auc(Ridge(), X, y, n_resamples=10)
    assert bootstrapped.measure == "Spearman"
    assert bootstrapped.confidence_interval.low < bootstrapped.auc < bootstrapped.confidence_interval.high
    result = rd.cross_validated_score(Ridge(), X, y, cv=2, n_repeats=2)
    assert rd.bootstrap_interval(result, n_resamples=50).low < result.value


def test_words_describe_the_outcomes():
    endpoint = Numbers(np.arange(1.0, 41.0), patients=np.arange(40) // 2)
    assert endpoint.title() == "Spearman's rank correlation"
    assert endpoint.composition() == "40 cases of 20 patients from 1 to 40, quartiles 10.8, 20.5, 30.2"
    assert endpoint.baseline().endswith("an R2 of 0 and an RMSE of about 11.5.")
    assert "a correlation of -1. It has no valid interval" in endpoint.companion_note("leave-one-out", "2-fold")
    with pytest.raises(StudyError, match="Results of numbers have no roc. See their measures"):
        endpoint.require("roc")
    endpoint.require("agreement")


class Watching(rd.ReliefF):
    """A selector that keeps how it took the outcomes."""

    kinds = []  # noqa: RUF012

    def _validated(self, X, y):
        validated = super()._validated(X, y)
        self.kinds.append(validated[2])
        return validated


@pytest.mark.parametrize("outcome", ["numbers", "classes"])
def test_selectors_take_the_outcomes_as_the_study_does_whatever_values_a_fold_holds(outcome, monkeypatch):
    monkeypatch.setattr(Watching, "kinds", [])
    X, y = table(n_cases=24)
    counts = y.rank().astype(int) % (3 if outcome == "classes" else 12)
    model = make_pipeline(Watching(3), Ridge() if outcome == "numbers" else LogisticRegression())
    expected = 0 if outcome == "numbers" else 3
    for study in (
        lambda: rd.cross_validated_score(model, X, counts, cv=2, n_repeats=2, outcome=outcome),
        lambda: rd.bootstrap_auc(model, X, counts, n_resamples=3, outcome=outcome),
        lambda: rd.permutation_test(model, X, counts, cv=2, n_permutations=1, outcome=outcome),
        lambda: rd.holdout_auc(model, X[:9], counts[:9], X[9:], counts[9:], outcome=outcome),
    ):
        Watching.kinds.clear()
        study()
        assert set(Watching.kinds) == {expected}
    assert model[0].target == "auto"


@pytest.mark.slow
@pytest.mark.parametrize("n_lesions", [1, 2])
def test_intervals_hold_and_tests_keep_their_level_on_random_tables(n_lesions):
    """Random outcomes and two random tables, of 40 patients with lesions that are correlated 0.5 within a patient."""
    n_covering, n_different, n_studies = 0, 0, 40
    patients = np.repeat(np.arange(40), n_lesions)
    for seed in range(n_studies):
        rng = np.random.default_rng(seed)
        of_patient, of_lesion = rng.normal(size=(40, 41))[patients], rng.normal(size=(len(patients), 41))
        y, *columns = ((of_patient + of_lesion) / np.sqrt(2)).T
        results = [
            rd.cross_validated_score(Ridge(), np.transpose(table), y, cv=2, n_repeats=5, groups=patients)
            for table in (columns[:20], columns[20:])
        ]
        interval = results[0].confidence_interval
        n_covering += interval.low <= 0 <= interval.high
        n_different += rd.compare_auc(*results).p_value < 0.05
    assert n_covering >= 0.92 * n_studies
    assert n_different <= 0.08 * n_studies
