"""Univariate scores of features for times to an event against R's survival, and redundancy by Kendall's correlation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import radiodeep as rd
from radiodeep import ConcordanceSelector, HorizonSelector, ReliefF, UnivariateCox
from radiodeep.exceptions import InputError, RadiodeepWarning


@pytest.fixture(scope="module")
def many(repository):
    """50 cases with 40 features and many ties."""
    frame = pd.read_csv(repository / "tests" / "models" / "golden" / "many.csv")
    return frame.drop(columns=["event", "time"]), rd.survival_outcomes(frame["event"], frame["time"])


@pytest.fixture(scope="module")
def univariate(repository):
    """Score tests and concordances by R, see golden/cox.R of the models."""
    return pd.read_csv(repository / "tests" / "models" / "golden" / "univariate.csv")


def simulated(n_cases=60, n_features=8, random_state=0):
    """The second feature raises the hazard, the fifth lowers it."""
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_cases, n_features))
    time, end = rng.exponential(np.exp(-1.5 * X[:, 1] + 1.5 * X[:, 4])), rng.exponential(3.0, size=n_cases)
    return X, rd.survival_outcomes(time <= end, np.ceil(5 * np.minimum(time, end)))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_scores_are_those_of_the_score_test_of_r(many, univariate, ties):
    X, y = many
    selector = UnivariateCox(ties=ties).fit(X, y)
    np.testing.assert_allclose(selector.scores_**2, univariate[ties], rtol=1e-9)


def test_high_values_that_go_with_early_events_have_positive_z_values():
    X, y = simulated()
    selector = UnivariateCox(2).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [1, 4]
    assert selector.z_values_[1] > 3
    assert selector.z_values_[4] < -3


def test_z_values_of_noise_are_standard_normal():
    _, y = simulated()
    z = UnivariateCox().fit(np.random.default_rng(1).normal(size=(60, 5000)), y).z_values_
    assert abs(z.mean()) < 0.05
    assert abs(z.std() - 1) < 0.05


def test_p_values_are_adjusted_for_the_number_of_features():
    X, y = simulated(n_features=100)
    selector = UnivariateCox(None, max_false_discovery_rate=0.05).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [1, 4]
    assert (selector.p_values_ < 0.05).sum() > 2
    ordered = np.sort(selector.p_values_)
    np.testing.assert_allclose(selector.adjusted_p_values_.min(), (ordered * 100 / np.arange(1, 101)).min())
    assert UnivariateCox(1, max_false_discovery_rate=0.05).fit(X, y).get_support().sum() == 1


def test_when_no_feature_passes_the_false_discovery_rate_one_is_kept_and_it_is_said():
    _, y = simulated()
    X = np.random.default_rng(5).normal(size=(60, 20))
    with pytest.warns(RadiodeepWarning, match="No feature passes a false discovery rate of 0.01 .* column .* is kept"):
        selector = UnivariateCox(max_false_discovery_rate=0.01).fit(X, y)
    assert selector.get_support(indices=True).tolist() == [np.argmax(selector.scores_)]


def test_missing_values_leave_out_a_case_for_that_feature_alone():
    X, y = simulated()
    missing = X.copy()
    missing[:20, 1] = np.nan
    missing[y["event"], 2] = np.nan
    for selector in (UnivariateCox(), ConcordanceSelector()):
        scores = selector.fit(X, y).scores_
        with_missing = selector.fit(missing, y).scores_
        known = selector.fit(X[20:], y[20:]).scores_[1]
        np.testing.assert_allclose(with_missing, [scores[0], known, 0, *scores[3:]], rtol=1e-12)


def test_constant_features_score_nothing():
    X, y = simulated()
    X[:, 0], X[:, 1] = 0.1, 1e6
    assert UnivariateCox().fit(X, y).z_values_[:2].tolist() == [0, 0]
    assert ConcordanceSelector().fit(X, y).concordances_[:2].tolist() == [0.5, 0.5]


def test_scores_do_not_depend_on_units():
    X, y = simulated()
    units = 10.0 ** np.arange(-12, 4, 2)
    for selector in (UnivariateCox(), ConcordanceSelector()):
        np.testing.assert_allclose(selector.fit(X * units, y).scores_, selector.fit(X, y).scores_, rtol=1e-9)


def test_concordances_are_those_of_r(many, univariate):
    X, y = many
    selector = ConcordanceSelector(max_mutual_concordance=None).fit(X, y)
    np.testing.assert_allclose(selector.concordances_, 1 - univariate["concordance"], rtol=1e-12)
    np.testing.assert_allclose(selector.scores_, np.abs(univariate["concordance"] - 0.5), rtol=1e-9)
    assert selector.redundant_with_.tolist() == [-1] * 40


@pytest.mark.parametrize("limit", [0.6, 0.75, 0.9])
def test_features_that_repeat_a_better_one_are_replaced_by_the_next(limit):
    X, y = simulated()
    rng = np.random.default_rng(3)
    X = np.hstack([X, np.round(X + 0.2 * rng.normal(size=X.shape)), -X[:, [1]]])  # with ties
    selector = ConcordanceSelector(6, max_mutual_concordance=limit).fit(X, y)
    kept = []
    for column in np.argsort(selector.ranking_):
        better = [other for other in kept if abs(kendalltau(X[:, column], X[:, other])[0]) >= 2 * limit - 1]
        if len(kept) == 6:
            better = []
        elif not better:
            kept.append(column)
        assert selector.redundant_with_[column] == (better[0] if better else -1)
    assert selector.get_support(indices=True).tolist() == sorted(kept)
    assert selector.redundant_with_[16] in (1, 9)


def test_a_threshold_limits_the_candidates():
    X, y = simulated()
    scores = ConcordanceSelector().fit(X, y).scores_
    selector = ConcordanceSelector(None, threshold=np.sort(scores)[-3]).fit(X, y)
    assert selector.get_support().sum() == 2
    with pytest.warns(RadiodeepWarning, match="No feature has a ConcordanceSelector score above the threshold 0.5"):
        assert ConcordanceSelector(threshold=0.5).fit(X, y).get_support().sum() == 1


def test_threads_change_nothing():
    X, y = simulated(400, 700)
    for selector in (UnivariateCox(), ConcordanceSelector()):
        alone, together = (
            selector.set_params(n_jobs=1).fit(X, y).scores_,
            selector.set_params(n_jobs=2).fit(X, y).scores_,
        )
        np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (UnivariateCox(ties="exact"), "'ties' parameter of UnivariateCox must be one of efron, breslow"),
        (UnivariateCox(max_false_discovery_rate=5), "'max_false_discovery_rate' parameter of UnivariateCox"),
        (UnivariateCox(n_features_to_select=0), "'n_features_to_select' parameter of UnivariateCox"),
        (
            ConcordanceSelector(max_mutual_concordance=0.5),
            r"'max_mutual_concordance' parameter of ConcordanceSelector must be a float in \(0.5, 1\] or None",
        ),
    ],
)
def test_wrong_settings_are_refused(selector, message):
    with pytest.raises(InputError, match=message):
        selector.fit(*simulated())


def test_outcomes_other_than_times_to_an_event_are_refused():
    X, y = simulated()
    with pytest.raises(InputError, match="structured array of a bool and a float"):
        UnivariateCox().fit(X, y["event"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        UnivariateCox().fit(X, y[1:])
    with pytest.raises(InputError, match="Row 3 is NaN in all 8 features"):
        UnivariateCox().fit(np.where(np.arange(60)[:, None] == 3, np.nan, X), y)


def test_models_of_scikit_survival_take_the_features():
    ensemble, linear_model = pytest.importorskip("sksurv.ensemble"), pytest.importorskip("sksurv.linear_model")
    X, y = simulated(n_features=30)
    forest = ensemble.RandomSurvivalForest(20, random_state=0)
    net = linear_model.CoxnetSurvivalAnalysis(alphas=[0.05])
    for selector in (UnivariateCox(2), ConcordanceSelector(2), HorizonSelector(ReliefF(2), 3.0)):
        for model in (forest, net):
            assert cross_val_score(make_pipeline(StandardScaler(), selector, model), X, y, cv=3).mean() > 0.65


@pytest.mark.parametrize("selector", [UnivariateCox(2), ConcordanceSelector(2)])
def test_a_saved_selector_keeps_the_same(selector, tmp_path):
    X, y = simulated()
    model = make_pipeline(selector, rd.CoxRegression()).fit(pd.DataFrame(X).add_prefix("f"), y)
    loaded = rd.load_model(rd.save_model(model, tmp_path / "model.skops"))
    assert loaded[:-1].get_feature_names_out().tolist() == ["f1", "f4"]


def as_times(y):
    y = np.asarray(y).ravel()
    return rd.survival_outcomes(np.ones(len(y)), np.unique(y, return_inverse=True)[1] + 1.0)


class CoxOfNumbers(UnivariateCox):
    """Takes numbers for times at which all cases have their event, as scikit-learn's checks give no others."""

    def fit(self, X, y):
        return super().fit(X, y if y is None else as_times(y))


class ConcordanceOfNumbers(ConcordanceSelector):
    def fit(self, X, y):
        return super().fit(X, y if y is None else as_times(y))


@parametrize_with_checks([CoxOfNumbers(), ConcordanceOfNumbers()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)
