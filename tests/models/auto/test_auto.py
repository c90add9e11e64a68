"""AutoClassifier, AutoRegressor and AutoSurvival: what they choose, and that nothing leaks."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, rankdata
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import radiodeep as rd
from radiodeep.exceptions import InputError, SingleClassError
from radiodeep.models.auto.candidates import LassoOfClasses, NaiveBayes, RidgeLogistic
from radiodeep.models.auto.normal_scores import NormalScores
from radiodeep.preparation.concordance import concordances
from radiodeep.preparation.survival import event_and_time


class NumbersAsTimes(rd.AutoSurvival):
    """Takes numbers for times at which all cases have their event, as scikit-learn's checks give no others."""

    def fit(self, X, y):
        return super().fit(X, y if y is None else as_times(y))

    def score(self, X, y):
        return super().score(X, as_times(y))


def as_times(y):
    y = np.asarray(y).ravel()
    return rd.survival_outcomes(np.ones(len(y)), np.unique(y, return_inverse=True)[1] + 1.0)


@pytest.mark.slow
@parametrize_with_checks([rd.AutoClassifier(n_trees=10), rd.AutoRegressor(n_trees=10), NumbersAsTimes(n_trees=10)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def table_of(n_cases=60, n_features=12, n_classes=2, seed=0):
    """Return a table of which two columns say something of the classes, and the classes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_cases, n_features))
    evidence = X[:, 0] + X[:, 1] + 0.7 * rng.normal(size=n_cases)
    return X, np.digitize(evidence, np.quantile(evidence, np.arange(1, n_classes) / n_classes))


def times_of(X, seed=1):
    rng = np.random.default_rng(seed)
    time, end = rng.exponential(np.exp(-X[:, 0] - X[:, 1])), rng.uniform(0.5, 3, size=len(X))
    return rd.survival_outcomes(time <= end, np.minimum(time, end))


def test_normal_scores_are_quantiles_of_ranks():
    X = np.array([[3.0, 1.0, 5.0], [1.0, np.nan, 5.0], [2.0, 4.0, 5.0], [2.0, 3.0, 5.0]])
    scores = NormalScores().fit(X)
    expected = np.column_stack([rankdata(X[:, 0]), rankdata([1.0, 3.0, 4.0, 3.0])])  # NaN is the median, 3
    np.testing.assert_allclose(scores.transform(X), norm.ppf(expected / 5), rtol=1e-12, atol=1e-15)
    beyond = scores.transform([[10.0, np.nan, 7.0], [-10.0, 0.0, np.nan]] * np.ones(1))
    np.testing.assert_allclose(beyond[:, 0], norm.ppf([4.5 / 5, 0.5 / 5]))
    assert NormalScores().fit(np.ones((4, 2))).transform(np.ones((1, 2))).tolist() == [[0.0]]


def test_candidates_agree_with_those_of_scikit_learn():
    X, y = table_of()
    joint = NaiveBayes().fit(X, y).predict(X)
    np.testing.assert_allclose(joint, GaussianNB().fit(X, y).predict_joint_log_proba(X), rtol=1e-10)
    dense = RidgeLogistic(0.5).fit(X, y)
    from_rows = dense.model_.coef_ @ dense.axes_  # the ridge solution minimises the penalised loss over all columns
    error = 1 / (1 + np.exp(-dense.decision_function(X))) - y
    np.testing.assert_allclose(from_rows[0] + 0.5 * error @ X, 0.0, atol=1e-3)
    both = LassoOfClasses().fit(X, y).decision_function(X)
    assert both.shape == (60, 1)
    assert roc_auc_score(y, both[:, 0]) > 0.85


@pytest.mark.parametrize("kind", ["classes", "several", "numbers", "survival"])
def test_new_cases_are_predicted_and_the_choice_is_told(kind):
    X, labels = table_of(200, n_classes=3 if kind == "several" else 2)
    y, model = labels, rd.AutoClassifier(n_trees=0)
    if kind == "numbers":
        y, model = 100 + 3 * (X[:, 0] + X[:, 1]), rd.AutoRegressor(n_trees=0)
    if kind == "survival":
        y, model = times_of(X), rd.AutoSurvival(n_trees=0)
    X[::7, 3] = np.nan
    model.fit(X[:100], y[:100])
    assert model.score(X[100:], y[100:]) > {"several": 0.5}.get(kind, 0.7)
    scores = model.scores_
    assert scores.index[0] == "mean"
    assert not {"random forest", "extra trees"} & set(scores.index)
    clear = scores["better than the mean by"] > 2 * scores["standard error"]
    assert model.chosen_ in (scores.index[clear] if clear.any() else ["mean"])
    loss = scores.columns[0]
    np.testing.assert_allclose(scores[loss]["mean"] - scores[loss], scores["better than the mean by"], atol=1e-12)
    same = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(same.predict(X), model.predict(X))
    np.testing.assert_array_equal(type(model)(n_trees=0).fit(X[:100], y[:100]).predict(X), model.predict(X))


def test_a_candidate_that_is_clearly_better_replaces_the_mean():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 40))
    y = (X[:, 0] + 0.2 * rng.normal(size=120) > 0).astype(int)
    model = rd.AutoClassifier(["lasso", "svm", "ridge logistic"]).fit(X, y)
    assert model.chosen_ == "lasso"
    assert [list(models) for _, models in model.models_] == [["lasso"]] * 5
    noise = rd.AutoClassifier(["lasso", "svm", "ridge logistic"]).fit(X, rng.permutation(y))
    assert noise.chosen_ == "mean"
    assert np.ptp(noise.predict_proba(X)[:, 1]) < 0.4  # calibrated: there is nothing to tell


def test_inner_folds_keep_patients_together():
    X, y = table_of(40)
    X, y, patients = np.repeat(X, 3, axis=0), np.repeat(y, 3), np.repeat(np.arange(40), 3)
    X += 0.01 * np.random.default_rng(1).normal(size=X.shape)
    permuted = np.repeat(np.random.default_rng(2).permutation(y[::3]), 3)
    names = ["svm", "random forest"]
    leaking = rd.AutoClassifier(names, n_trees=50).fit(X, permuted).scores_["AUC"]
    grouped = rd.AutoClassifier(names, n_trees=50).fit(X, permuted, groups=patients).scores_["AUC"]
    assert leaking["random forest"] > 0.9
    assert grouped.max() < 0.75


class Folds(rd.AutoClassifier):
    """Keeps the inner folds of each fit."""

    seen = []  # noqa: RUF012

    def _folds(self, X, strata, groups, seed):
        folds = super()._folds(X, strata, groups, seed)
        self.seen.append((X[:, 0], folds))
        return folds


def test_a_study_of_patients_gives_inner_folds_of_patients():
    X, y = table_of(24)
    X, y, patients = np.repeat(X, 2, axis=0), np.repeat(y, 2), np.repeat([f"p{n}" for n in range(24)], 2)
    X[:, 0], X[:, 1] = np.repeat(np.arange(24), 2), np.arange(48)
    Folds.seen.clear()
    model = make_pipeline(Folds(["svm"], n_trees=0))
    rd.cross_validated_auc(model, X, y, cv=2, groups=patients, n_repeats=2, size=None)
    table = pd.DataFrame(X, index=[f"c{number}" for number in range(48)])
    table.attrs["patients"] = dict(zip(table.index, patients, strict=True))
    rd.holdout_auc(model, table[:36], y[:36], table[36:], y[36:], size=None)
    assert len(Folds.seen) == 5
    for patient, folds in Folds.seen:
        assert len(folds) == 5
        assert all(not set(patient[train]) & set(patient[test]) for train, test in folds)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_results_do_not_depend_on_processes_or_on_the_order_of_candidates(n_jobs):
    X, y = table_of()
    first = rd.AutoClassifier(["svm", "random forest"], n_trees=10, random_state=3).fit(X, y)
    second = rd.AutoClassifier(["random forest", "svm"], n_trees=10, random_state=3, n_jobs=n_jobs).fit(X, y)
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(X), rtol=1e-12)
    other = rd.AutoClassifier(["svm", "random forest"], n_trees=10, random_state=4).fit(X, y)
    assert (other.predict_proba(X) != first.predict_proba(X)).any()


def test_ranking_scores_of_noise_are_not_below_chance_when_folds_are_pooled():
    aucs = {"predict_proba": [], "ranking_scores": []}
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(40, 6)), (np.arange(40) < 20).astype(int)
        scores = {name: np.empty(40) for name in aucs}
        for train, test in KFold(10, shuffle=True, random_state=seed).split(X):
            model = rd.AutoClassifier(["ridge logistic"], cv=3).fit(X[train], y[train])
            scores["predict_proba"][test] = model.predict_proba(X[test])[:, 1]
            scores["ranking_scores"][test] = model.ranking_scores(X[test])
        for name, values in scores.items():
            aucs[name].append(roc_auc_score(y, values))
    assert np.mean(aucs["ranking_scores"]) > np.mean(aucs["predict_proba"]) + 0.03


def test_few_cases_are_fitted_without_inner_folds():
    model = rd.AutoClassifier(n_trees=0).fit([[0.0, 3.0], [1.0, 2.0], [5.0, 0.0]], ["a", "a", "b"])
    assert model.chosen_ == "mean"
    assert model.predict([[0.0, 3.0], [6.0, 0.0]]).tolist() == ["a", "b"]


def test_tables_and_targets_that_do_not_vary_in_an_inner_fold_give_numbers():
    X, y = np.zeros((30, 1)), np.arange(30) % 2
    X[3] = 1
    model = rd.AutoClassifier(n_trees=5).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert np.isfinite(model.scores_["log loss"]).all()
    one = rd.AutoRegressor(n_trees=5).fit(table_of(30)[0], X[:, 0])
    assert np.isfinite(one.predict(table_of(30)[0])).all()
    times = rd.survival_outcomes([True, True, False, False, False, False], [7, 5, 7, 1, 4, 6])
    assert np.isfinite(rd.AutoSurvival(n_trees=5).fit(table_of(6)[0], times).predict(table_of(6)[0])).all()


def test_settings_out_of_range_are_refused():
    X, y = table_of(20)
    for settings, message in (
        ({"n_trees": -1}, "'n_trees' parameter of AutoClassifier must be an int >= 0. Got -1"),
        ({"cv": 1}, "'cv' parameter of AutoClassifier must be an int >= 2, a splitter"),
        ({"candidates": ["svn"]}, "Got 'svn' instead. Did you mean 'svm'"),
        ({"candidates": []}, "None or a list of names of candidates"),
        ({"n_jobs": 0}, "'n_jobs' parameter of AutoClassifier must be None or an int other than 0"),
    ):
        with pytest.raises(InputError, match=message):
            rd.AutoClassifier(**settings).fit(X, y)
    with pytest.raises(SingleClassError, match="AutoClassifier must be fitted to cases of at least two classes"):
        rd.AutoClassifier().fit(X, np.zeros(20, int))
    with pytest.raises(InputError, match="The 'y' of AutoClassifier must hold classes. Got a continuous target"):
        rd.AutoClassifier().fit(X, X[:, 0])


def test_saved_models_predict_the_same(tmp_path):
    X, y = table_of(30)
    frame = pd.DataFrame(X, columns=[f"f{number}" for number in range(12)])
    for model, outcome in (
        (rd.AutoClassifier(n_trees=10), y),
        (rd.AutoRegressor(n_trees=10), X[:, 0]),
        (rd.AutoSurvival(n_trees=10), times_of(X)),
    ):
        path = rd.save_model(model.fit(frame, outcome), tmp_path / "m.skops")
        np.testing.assert_array_equal(rd.load_model(path).predict(frame), model.predict(frame))


@pytest.mark.slow
def test_probabilities_are_calibrated_and_rank_new_cases():
    X, y = table_of(2100, 30)
    model = rd.AutoClassifier(n_trees=50).fit(X[:100], y[:100])
    probability = model.predict_proba(X[100:])[:, 1]
    assert roc_auc_score(y[100:], probability) > 0.85
    for low, high in ((0.0, 0.25), (0.25, 0.75), (0.75, 1.0)):
        inside = (probability >= low) & (probability <= high)
        assert probability[inside].mean() == pytest.approx(y[100:][inside].mean(), abs=0.12)


def test_the_standard_error_of_a_concordance_is_that_of_the_jackknife():
    X, y = table_of(80)[0], times_of(table_of(80)[0])
    model = rd.AutoSurvival(["svm"], n_trees=0)
    risk = X[:, [0]] + np.random.default_rng(5).normal(size=(80, 1))
    losses = model._losses(risk, y)
    without_each = [
        1 - concordances(*event_and_time(np.delete(y, case)), np.delete(risk, case, 0))[0] for case in range(80)
    ]
    assert losses.mean() == pytest.approx(1 - concordances(*event_and_time(y), risk)[0])
    jackknife = np.sqrt(79 / 80 * ((without_each - np.mean(without_each)) ** 2).sum())
    assert losses.std(ddof=1) / np.sqrt(80) == pytest.approx(jackknife, rel=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_flag_makes_no_prediction_certain(seed):
    rng = np.random.default_rng(seed)
    X, y = np.hstack([rng.normal(size=(80, 6)), np.zeros((80, 1))]), np.arange(80) % 2
    X[7, 6] = 1
    flagged = np.append(rng.normal(size=(1, 6)), [[1.0]], axis=1)
    model = rd.AutoClassifier(n_trees=0).fit(X, y)
    assert model.predict_proba(flagged).max() < 0.9
